"""Planted diseases, and what diagnose says about them."""

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from nets import blobs, chain_of
from strategies import cases

import neuronsim as ns
from neuronsim.analysis.diagnose import MOST_STEPS, _flat_beyond
from neuronsim.documents.notation import number


def mlp(*hidden, activation="relu", **settings):
    return ns.wiring.layered([4, *hidden, 3], activation=activation, output="softmax", **({"rng": 1} | settings))


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
        assert f"step 170 (sample 170): b[h1] 0.1 → {number(step['h1'].bias_after)}" in found[1].details[0]
        assert f"its largest Δw, from x, {number(step['x', 'h1'].dw)}" in found[1].details[0]

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


class TestTargets:
    def test_out_of_reach(self):
        X = np.linspace(-1, 1, 20)[:, None]
        found = ns.wiring.layered([1, 4, 1], rng=0).fit(X, 3 * X, epochs=2, rng=0).diagnose().of("unreachable")
        assert [f.neurons for f in found] == [("y0",)]
        assert found[0].sentence.startswith("output y0 is tanh, which gives −1 to 1, and targets go from −3 to 3: 14")
        assert "output='identity'" in found[0].advice
        identity = ns.wiring.layered([1, 4, 1], output="identity", rng=0)
        assert not identity.fit(X, 3 * X, epochs=2, rng=0).diagnose().of("unreachable")

    def test_worse_than_before_and_than_the_mean(self):
        X = np.linspace(-1, 1, 20)[:, None]
        net = ns.wiring.layered([1, 4, 1], output="identity", rng=0)
        assert not net.copy().fit(X, X, epochs=50, learning_rate=0.1, rng=0).diagnose().of("worse")
        far = net.copy()
        far["y0"].bias = 50.0  # much worse than the mean, but on its way
        assert not far.fit(X, X, epochs=1, learning_rate=1e-6, rng=0).diagnose().of("worse")
        run = net.fit(X, X, epochs=1, learning_rate=1e9, batch_size=None, rng=0)
        found = run.diagnose().of("worse")
        assert len(found) == 1
        assert re.match(
            r"training has made it worse: the loss is .*e\+\d\d, 0\.\d+ before step 0, and", found[0].sentence
        )
        assert not run.diagnose(0).of("worse")
