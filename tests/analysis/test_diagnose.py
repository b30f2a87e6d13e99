"""Planted diseases, and what diagnose says about them."""

import re
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from strategies import cases

import neuronsim as ns
from neuronsim.analysis.diagnose import MOST_STEPS, _flat_beyond


def blobs(n=200, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    T = rng.integers(0, n_classes, n)
    centres = 3.0 * rng.normal(size=(n_classes, 4))
    return centres[T] + rng.normal(size=(n, 4)), T


def mlp(*hidden, activation="relu", **settings):
    return ns.wiring.layered([4, *hidden, 3], activation=activation, output="softmax", **({"rng": 1} | settings))


def diverging(net, X, T, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ns.DivergenceWarning)
        run = net.fit(X, T, rng=0, **settings)
    assert run.status == "diverged"
    return run


def chain_of(weights, activation="identity", dtype="float64"):
    """x → h0 → h1 → …, one neuron after the other; the last one is the output."""
    net = ns.Network(dtype)
    net.add_inputs("x")
    source = "x"
    for k, w in enumerate(weights):
        net.add_neuron(f"h{k}", {source: w}, activation=activation)
        source = f"h{k}"
    net.set_outputs(source)
    return net


def dying(deaths, n=200):
    """Relus that each learn a sample with a far target, and die of it, at the steps given: one epoch in order."""
    net = ns.Network()
    net.add_inputs("x")
    for k in range(len(deaths)):
        net.add_neuron(f"h{k}", {"x": 1.0}, activation="relu", bias=0.1)
        net.add_neuron(f"o{k}", {f"h{k}": 1.0}, activation="identity")
    net.set_outputs(*[f"o{k}" for k in range(len(deaths))])
    net.freeze("o*")
    X = np.random.default_rng(0).uniform(0.1, 1.0, (n, 1))
    T = np.repeat(X + 0.1, len(deaths), axis=1)  # what they give at first: nothing to learn
    T[deaths, range(len(deaths))] = -1000.0
    return net.fit(X, T, learning_rate=0.1, shuffle=False, rng=0)


def looked_at(diagnosis):
    """How many earlier steps were looked at."""
    return int(diagnosis.looked_at.rpartition(" and ")[2].split()[0])


class TestDead:
    def test_from_the_start(self):
        X, T = blobs()
        net = mlp(6)
        net["h1.2"].bias = -100.0
        found = net.fit(X, T, epochs=1, rng=0).diagnose().of("dead")
        assert [f.neurons for f in found] == [("h1.2",)]
        assert found[0].step == 0
        assert found[0].sentence.startswith("relu h1.2 is dead from the start: z ≤ 0 for all 200 samples looked at")
        assert "leaky_relu" in found[0].advice

    def test_since_the_very_update(self):
        run = dying([70, 170, 70])
        diagnosis = run.diagnose()
        found = diagnosis.of("dead")
        assert looked_at(diagnosis) <= 8 + 2 * 5  # nine steps, one of them the last, and halvings of 25
        assert [(f.step, f.neurons) for f in found] == [(70, ("h0", "h2")), (170, ("h1",))]
        assert found[0].sentence.startswith("2 relus are dead since the update of step 70 (epoch 0): z ≤ 0 for all 200")
        assert found[1].sentence.startswith("relu h1 is dead since the update of step 170")
        step = run.at(170)
        assert f"step 170 (sample 170): b[h1] 0.1 → {step['h1'].bias_after:.9g}" in found[1].details[0]
        assert f"its largest Δw, from x, {step['x', 'h1'].dw:.9g}" in found[1].details[0]

    def test_its_sources_may_have_killed_it(self):
        """h1 dies because h0 grows, its own parameters frozen."""
        net = ns.Network()
        net.add_inputs("x")
        net.add_neuron("h0", {"x": 0.1}, activation="identity")
        net.add_neuron("h1", {"h0": -1.0}, activation="relu", bias=0.5)
        net.add_neuron("o", {"h0": 1.0, "h1": 0.0}, activation="identity")
        net.set_outputs("o")
        net.freeze("h1", "o")
        run = net.fit([[1.0]], [[5.0]], learning_rate=0.1, epochs=20, rng=0)
        found = run.diagnose().of("dead")[0]
        assert found.neurons == ("h1",)
        assert run.at(found.step)["h1"].z > 0
        assert run.at(found.step + 1)["h1"].z <= 0
        assert "its own parameters did not change, its sources did" in found.details[-1]

    def test_the_cost_is_bounded(self):
        deaths = [3 * k for k in range(60)]
        diagnosis = dying(deaths).diagnose()
        assert looked_at(diagnosis) < MOST_STEPS
        exact, between = 0, 0
        for finding in diagnosis.of("dead"):
            for name in finding.neurons:
                if "since the update of step" in finding.sentence:
                    exact += 1
                    assert finding.step == deaths[int(name[1:])]
                else:
                    between += 1
                    low, high = map(int, re.search(r"from (\d+) to (\d+):", finding.sentence).groups())
                    assert low <= deaths[int(name[1:])] <= high
        assert exact + between == 60
        assert exact > 5
        assert between > 5


class TestSaturated:
    @pytest.mark.parametrize("activation", ["sigmoid", "tanh", "scaled_tanh", "softsign", "hard_sigmoid"])
    def test_large_weights(self, activation):
        X, T = blobs()
        net = mlp(5, activation=activation)
        net["h1.3"].bias = 1e3
        found = net.fit(X, T, learning_rate=0.0, rng=0).diagnose().of("saturated")
        assert "h1.3" in found[0].neurons
        assert "is saturated" in found[0].sentence or "are saturated" in found[0].sentence

    def test_an_output_that_is_right_may_be(self):
        net = chain_of([1000.0], "sigmoid")
        X, T = [[1.0], [-1.0], [0.5]], [[1.0], [0.0], [1.0]]
        assert not net.copy().fit(X, T, learning_rate=0.0, rng=0).diagnose().of("saturated")
        wrong = net.copy().fit(X, [[0.0], [1.0], [1.0]], learning_rate=0.0, rng=0).diagnose().of("saturated")
        assert wrong[0].neurons == ("h0",)
        fused = net.copy().fit(X, [[0.0], [1.0], [1.0]], loss="binary_cross_entropy", learning_rate=0.0, rng=0)
        assert not fused.diagnose().of("saturated")

    def test_limits(self):
        assert _flat_beyond(1) == pytest.approx(5.97, abs=0.02)  # sigmoid: f' = 0.0025
        assert _flat_beyond(15) == pytest.approx(3.0)  # hard_sigmoid


class TestDeltas:
    def test_vanishing_and_the_gain(self):
        run = chain_of([0.1] * 6 + [1.0], "sigmoid").fit([[0.3], [0.7]], [[0.0], [1.0]], learning_rate=0.0, rng=0)
        diagnosis = run.diagnose()
        found = diagnosis.of("vanishing")
        assert found[0].sentence.startswith("δ vanishes: rms δ is")
        assert [level.level for level in diagnosis.levels] == [1, 2, 3, 4, 5, 6, 7]
        # every δ is the next one times w·f', which hardly changes here: 0.1 · 0.25
        assert diagnosis.levels[0].gain == pytest.approx(0.025, rel=0.01)
        assert diagnosis.levels[0].delta / diagnosis.levels[1].delta == pytest.approx(0.025, rel=0.01)
        assert diagnosis.levels[-1].gain is None

    def test_what_reaches_no_output_does_not_count(self):
        net = chain_of([0.5, 0.5])
        net.add_neuron("lost", {"h0": 1e6}, activation="identity")
        levels = net.fit([[0.3]], [[0.0]], learning_rate=0.0, rng=0).diagnose().levels
        assert [level.n_neurons for level in levels] == [1, 1]
        assert levels[0].gain == 0.5

    def test_exploding(self):
        run = chain_of([1e-4] + [20.0] * 5).fit([[0.3], [0.7]], [[0.0], [1.0]], learning_rate=0.0, rng=0)
        found = run.diagnose().of("exploding")
        assert "a factor of 20 a level" in found[0].sentence

    def test_a_ladder_of_depth_40(self):
        net = ns.Network(rng=0)
        net.add_inputs("a0", "b0")
        for k in range(1, 41):
            for side in "ab":
                net.add_neuron(f"{side}{k}", {f"a{k - 1}": 0.5, f"b{k - 1}": 0.5}, activation="tanh")
        net.set_outputs("a40")
        diagnosis = net.fit([[0.1, 0.2]], [[1.0]], rng=0).diagnose()
        assert len(diagnosis.levels) == 40
        assert "and 28 levels between them" in str(diagnosis)

    def test_healthy(self):
        X, T = blobs()
        run = mlp(8, activation="tanh").fit(X, T, learning_rate=0.01, rng=0)
        diagnosis = run.diagnose()
        assert len(diagnosis) == 0
        assert str(diagnosis).startswith("nothing found; looked at all 200 samples with the parameters before step 200")


class TestOverflow:
    def test_the_first_product_with_its_operands_and_chain(self):
        net = chain_of([1e155, 3e154, 1.0])
        net.freeze("*")
        run = diverging(net, [[1e-200], [1.0]], [[0.0], [0.0]], shuffle=False)
        found = run.diagnose()[0]
        assert (found.kind, found.severity, found.step, found.neurons) == ("overflow", "error", 1, ("h1",))
        assert found.sentence == (
            "the first value that is not finite is z of neuron 'h1' at step 1 (epoch 0), sample 1: "
            "w[h0→h1] = 3e+154 · y[h0] = 1e+155 → inf."
        )
        assert found.details[0].endswith("x: y = 1 · w = 1e+155 → h0: y = 1e+155 · w = 3e+154 → h1")
        assert "smaller learning_rate" in found.advice

    def test_a_sum_that_is_no_number(self):
        net = ns.Network("float32")
        net.add_inputs("x")
        net.add_neuron("a", {"x": 3e38}, activation="identity")
        net.add_neuron("b", {"a": 1.0, "x": 3e38}, activation="identity")
        net.set_outputs("b")
        run = diverging(net, [[1.0]], [[0.0]])
        assert "3.00000001e+38 + w[a→b]·y[a] = 3.00000001e+38 → inf" in run.diagnose()[0].sentence

    def test_an_activation_that_overflows(self):
        cube = ns.activations.register("diagnose_test_cube", lambda z: z * z * z, lambda z: 3.0 * z * z)
        net = chain_of([1e110], cube.name)
        run = diverging(net, [[1.0]], [[0.0]])
        assert "y of neuron 'h0' at step 0" in run.diagnose()[0].sentence
        assert "diagnose_test_cube(z = 1e+110) → inf" in run.diagnose()[0].sentence

    def test_the_loss_alone(self):
        run = diverging(chain_of([1e160]), [[1.0]], [[0.0]])
        found = run.diagnose()[0]
        assert "is the loss at step 0 (epoch 0), sample 0: y[h0] = 1e+160 → loss = inf." in found.sentence

    def test_delta_on_the_way_back(self):
        net = ns.Network()
        net.add_inputs("x")
        net.add_neuron("a", {"x": 1e-160}, activation="identity")
        net.add_neuron("b", {"a": 1e160}, activation="identity")
        net.add_neuron("c", {"b": 1e150}, activation="identity")
        net.set_outputs("c")
        run = diverging(net, [[1.0]], [[0.0]])
        found = run.diagnose()[0]
        assert "δ of neuron 'a'" in found.sentence
        assert "w[a→b] = 1e+160 · δ[b] = 1e+300 → inf" in found.sentence

    def test_delta_of_the_loss_itself(self):
        run = diverging(chain_of([1e-320]), [[1.0]], [[1.0]], loss="binary_cross_entropy")
        found = run.diagnose()[0]
        assert "δ of neuron 'h0'" in found.sentence
        assert "the loss's own part of δ, at y[h0] = 9.99988867e-321 → δ[h0] = -inf" in found.sentence

    def test_the_update(self):
        run = diverging(chain_of([1.0]), [[1e100]], [[0.0]], learning_rate=1e120)
        found = run.diagnose()[0]
        assert found.neurons == ("h0",)
        assert (
            "the update of neuron 'h0' at step 0 (epoch 0), sample 0: δ[h0] = 1e+100 · y[x] = 1e+100" in found.sentence
        )
        assert "w[x→h0] = 1 → -inf" in found.sentence

    def test_a_rate_too_large_in_time(self):
        X, T = blobs()
        net = ns.wiring.layered([4, 6, 2], activation="identity", output="identity", rng=0)
        run = diverging(net, X, np.stack([T, T], axis=1).astype(float), learning_rate=1.0, epochs=50)
        found = run.diagnose()[0]
        assert found.step == run.n_steps
        assert found.details[-1].startswith("the largest |w|: ")
        assert "before step 0" in found.details[-1]

    def test_infinity_in_a_run_that_went_on(self):
        net = chain_of([1e155, 1e155], "identity")
        net.add_neuron("o", {"h1": 1e-3}, activation="sigmoid")
        net.set_outputs("o")
        net.freeze("*")
        run = net.fit([[1.0]], [[1.0]], learning_rate=0.0, rng=0)
        found = run.diagnose()[0]
        assert found.kind == "overflow"
        assert found.step is None
        assert "w[h0→h1] = 1e+155 · y[h0] = 1e+155 → inf" in found.sentence


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases(max_samples=6, max_hidden=12))
def test_any_wiring(case):
    run = case.net.fit(case.X, case.T, loss=case.loss.name, learning_rate=1e-3, rng=0)
    diagnosis = run.diagnose()
    reached = case.net.graph.reaches_output() & ~case.net.graph.is_input
    assert sum(level.n_neurons for level in diagnosis.levels) == reached.sum()
    dead = {n.name for n in case.net if n.activation == "relu"}
    for x in case.X:
        case.net.forward(x)
        dead = {name for name in dead if case.net[name].z <= 0}
    assert {name for finding in diagnosis.of("dead") for name in finding.neurons} == dead


def test_many_samples_are_spread():
    X, T = blobs(n=3000)
    diagnosis = mlp(4, activation="tanh").fit(X, T, batch_size=100, rng=0).diagnose()
    assert diagnosis.looked_at.startswith("1,024 of 3,000 samples, evenly spread, with")


def test_at_an_earlier_step():
    X, T = blobs()
    net = mlp(6)
    net["h1.2"].bias = -100.0
    diagnosis = net.fit(X, T, rng=0).diagnose(step=5)
    assert "before step 5" in diagnosis.looked_at
    assert diagnosis.of("dead")


def test_prints():
    X, T = blobs()
    net = mlp(6)
    net["h1.2"].bias = -100.0
    diagnosis = net.fit(X, T, rng=0).diagnose()
    assert diagnosis[0] in list(diagnosis)
    assert len(diagnosis[:1]) == 1
    for part in (
        "1 finding; looked at",
        "warning: relu h1.2 is dead",
        "try other initial weights",
        "δ by level",
        "rms δ",
    ):
        assert part in str(diagnosis)
    assert str(diagnosis[0]).startswith("warning: relu h1.2 is dead from the start")
    assert "<table>" in diagnosis._repr_html_()
