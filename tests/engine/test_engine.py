"""The compiled kernels against the lectures' equations in plain Python, on random networks of every kind."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from strategies import Case, cases

import neuronsim as ns
from neuronsim.engine.session import Session, step
from neuronsim.formulas import optimizers
from neuronsim.formulas.losses import LOSSES
from neuronsim.formulas.neurons import bias_of, slope_of, weight_of
from neuronsim.formulas.rounding import gradient_absolute_sums, signal_absolute_sums
from neuronsim.kernels import codes, update
from neuronsim.kernels.arguments import Learning, Parameters, Rule

# ARCHITECTURE: of the sum of the absolute values of the terms that make a value up.
TOLERANCE = {np.dtype("float64"): 1e-12, np.dtype("float32"): 1e-5}

PROPERTY = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


class Twin:
    """What the reference says about a case: signals, gradients and the sizes of their terms."""

    def __init__(self, case: Case) -> None:
        self.net = case.reference
        self.signals = [self.net.signals(x, t, case.loss) for x, t in case.samples]
        self.sizes = [
            signal_absolute_sums(self.net, s, t, case.loss)
            for s, (_, t) in zip(self.signals, case.samples, strict=True)
        ]
        self.gradients = [self.net.sample_gradients(s) for s in self.signals]
        self.gradient_sizes = [
            gradient_absolute_sums(self.net, s, m) for s, m in zip(self.signals, self.sizes, strict=True)
        ]

    def parameters(self, net: ns.Network) -> list[tuple[object, str, int]]:
        """(the reference's parameter, which array, where in it)."""
        graph = net.graph
        found: list[tuple[object, str, int]] = []
        for a in range(net.n_neurons):
            if graph.is_input[a]:
                continue
            for e in range(graph.row_start[a], graph.row_start[a + 1]):
                found.append((weight_of(int(graph.sources[e]), a), "weights", e))
            found.append((bias_of(a), "biases", a))
            if net.neurons[a]["activation"] == "prelu":
                found.append((slope_of(a), "slopes", a))
        return found


def assert_near(got, expected, size, tolerance, what):
    assert abs(float(got) - expected) <= tolerance * max(size, 1e-300), f"{what}: {got} against {expected} ± {size}"


@PROPERTY
@given(cases())
def test_forward_gradients_and_losses_agree_with_the_reference(case):
    twin, tolerance = Twin(case), TOLERANCE[np.dtype(case.net.dtype)]
    Y = case.net.forward(case.X)
    g = case.net.gradients(case.X, case.T, loss=case.loss, reduction="sum")
    for i, (s, m) in enumerate(zip(twin.signals, twin.sizes, strict=True)):
        for o, neuron in enumerate(twin.net.outputs):
            assert_near(Y[i, o], s.y[neuron], m.y[neuron], tolerance, f"y of {neuron}, sample {i}")
        for neuron in range(case.net.n_neurons):
            assert_near(g.delta[i, neuron], s.delta[neuron], m.delta[neuron], tolerance, f"δ of {neuron}, sample {i}")
        assert_near(g.losses[i], s.loss, m.loss, tolerance, f"loss of sample {i}")
    for p, array, place in twin.parameters(case.net):
        expected = sum(each[p] for each in twin.gradients)
        size = sum(each[p] for each in twin.gradient_sizes)
        assert_near(getattr(g, array)[place], expected, size, tolerance, f"gradient of {p}")


@PROPERTY
@given(cases(max_samples=1))
def test_an_online_step_agrees_with_the_reference(case):
    twin, tolerance = Twin(case), TOLERANCE[np.dtype(case.net.dtype)]
    before = {name: getattr(case.net, name).copy() for name in ("weights", "biases", "slopes")}
    engine = case.net.runtime.engine()
    x, t, loss = case.net.runtime.data(case.X, case.T, case.loss)
    signals = step(engine, x[0], t[0], loss, 0.125)
    s, m = twin.signals[0], twin.sizes[0]
    for neuron in range(case.net.n_neurons):
        assert_near(signals.z[neuron], s.z[neuron], m.z[neuron], tolerance, f"z of {neuron}")
        assert_near(signals.y[neuron], s.y[neuron], m.y[neuron], tolerance, f"y of {neuron}")
        assert_near(signals.delta[neuron], s.delta[neuron], m.delta[neuron], tolerance, f"δ of {neuron}")
    assert_near(signals.losses[0], s.loss, m.loss, tolerance, "loss")
    for p, array, place in twin.parameters(case.net):
        old, new = float(before[array][place]), getattr(case.net, array)[place]
        size = abs(old) + 0.125 * twin.gradient_sizes[0][p]
        assert_near(new, old - 0.125 * twin.gradients[0][p], size, tolerance, f"{p} after the step")


RULES = [
    optimizers.SGD(),
    optimizers.Momentum(0.9),
    optimizers.Nesterov(0.8),
    optimizers.RMSprop(),
    optimizers.Adam(),
    optimizers.AdamW(),
    optimizers.Rprop(),
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])
def test_updates_agree_with_the_reference_on_equal_given_gradients(rule, dtype):
    from neuronsim.engine.learning import SessionSettings, _numbers

    n, rate, decay = 37, 0.1, 0.0 if rule.name == "rprop" else 0.01
    rng = np.random.default_rng(3)
    w = rng.normal(size=n).astype(dtype)
    factors = rng.choice([1.0, 0.5, 0.0, -1.0], n).astype(dtype)
    expected = w.astype(float)
    states = [[0.0] * rule.n_state for _ in range(n)]
    settings_ = _numbers(SessionSettings(rule))
    numbers = settings_.astype(dtype)
    numbers[update.SCALE] = 1.0
    s1, s2 = np.zeros(n, dtype), np.zeros(n, dtype)
    if rule.name == "rprop":
        s2[:] = rate * np.maximum(factors, 0)
    start, none = w.copy(), np.empty(0, dtype)
    triples = [Parameters(values, none, none) for values in (w, s1, s2, factors, none)]
    step_rule = Rule(rule.code, numbers, w.dtype.type(decay))
    learning = Learning(step_rule, settings_, np.ones(2), np.full(1, update.UPDATE), *triples)
    for t in range(1, 6):
        g = rng.normal(size=n).astype(dtype)
        update.begin_step(learning, rate)
        update.update_weights(learning, 0, g, 0, n)
        for i in range(n):
            if factors[i] >= 0:
                own = rate * float(factors[i])
                value, gradient = optimizers.decayed(rule, expected[i], float(g[i]), own, decay)
                expected[i], states[i] = rule.reference_update(value, gradient, states[i], own, t)
    frozen = factors < 0
    assert frozen.any()
    np.testing.assert_array_equal(w[frozen], start[frozen])
    assert not s1[frozen].any()
    assert not s2[frozen].any()
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    np.testing.assert_allclose(w, expected, rtol=0, atol=tolerance * (np.abs(start) + 5 * rate * 4).max())


@PROPERTY
@given(cases(dtypes=("float64",), max_samples=12, max_hidden=10))
def test_a_jacobian_is_that_of_central_differences(case):
    J = case.net.jacobian(case.X[:1])
    eps = 1e-6
    reference = case.reference
    for i in range(case.net.n_inputs):
        up, down = case.X[0].copy(), case.X[0].copy()
        up[i] += eps
        down[i] -= eps
        difference = (np.array(reference.predict(up.tolist())) - reference.predict(down.tolist())) / (2 * eps)
        np.testing.assert_allclose(J[0, :, i], difference, rtol=1e-4, atol=1e-4)


def test_a_batch_above_1024_samples_adds_its_blocks():
    net = ns.wiring.layered([5, 8, 3], activation="tanh", output="softmax", rng=1)
    rng = np.random.default_rng(0)
    X, T = rng.normal(size=(2500, 5)), rng.integers(0, 3, 2500)
    whole = net.gradients(X, T, reduction="sum")
    parts = [net.gradients(X[i : i + 500], T[i : i + 500], reduction="sum") for i in range(0, 2500, 500)]
    np.testing.assert_allclose(whole.weights, sum(p.weights for p in parts), rtol=1e-11, atol=1e-12)
    np.testing.assert_array_equal(whole.delta, np.concatenate([p.delta for p in parts]))
    copies = [net.copy() for _ in range(2)]
    for copy, clip in zip(copies, (None, 1e9), strict=True):
        copy.fit(X, T, batch_size=None, epochs=2, learning_rate=0.5, clip_norm=clip, rng=0)
    np.testing.assert_array_equal(copies[0].weights, copies[1].weights)


def test_a_samples_result_does_not_depend_on_its_batch_mates():
    net = ns.wiring.random_dag(n_inputs=6, n_hidden=50, n_outputs=3, in_degree=7, dtype="float32", rng=2)
    X = np.random.default_rng(1).normal(size=(77, 6))
    together = net.forward(X)
    alone = np.array([net.forward(X[i : i + 1])[0] for i in range(77)])
    one_dimensional = np.array([net.forward(x) for x in X])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(together, one_dimensional)


def test_kernel_codes_are_the_registries():
    from neuronsim.formulas.activations import ACTIVATIONS
    from neuronsim.formulas.losses import LOSSES

    names = {a.name.upper(): a.code for a in ACTIVATIONS.values() if a.code < codes.FIRST_USER}
    assert names == {name: getattr(codes, name) for name in names}
    for name, cls in optimizers.OPTIMIZERS.items():
        assert getattr(codes, name.upper()) == cls.code
    named = [
        "HALF_SQUARED",
        "SQUARED",
        "MEAN_SQUARED",
        "ABSOLUTE",
        "L2_NORM",
        "BINARY_CROSS_ENTROPY",
        "CROSS_ENTROPY",
        "HUBER",
    ]
    assert [getattr(codes, n) for n in named] == [loss.code for loss in LOSSES.values() if loss.originals is None]


def test_records_for_kernels_are_flat_arrays_and_numbers():
    engine = ns.wiring.layered([2, 3, 1], rng=0).runtime.engine()
    assert all(isinstance(field, int) or (field.ndim, field.flags.c_contiguous) == (1, True) for field in engine.wiring)
    assert isinstance(engine.parameters, Parameters)
    assert engine.parameters.weights is engine.graph.weights


def test_first_bundles_are_shared_out_by_neurons_where_they_are_large():
    large, small = ns.wiring.layered([30, 50, 4], rng=0), ns.wiring.layered([30, 5, 60, 4], rng=0)
    assert large.runtime.engine().wiring.n_leading_bundles == 1
    assert small.runtime.engine().wiring.n_leading_bundles == 0
    X, T = np.random.default_rng(0).normal(size=(100, 30)), np.ones((100, 4))
    one, two = large.copy(), large.copy()
    for net, threads in ((one, 1), (two, 3)):
        net.fit(X, T, batch_size=40, epochs=2, threads=threads, rng=0)
    np.testing.assert_array_equal(one.weights, two.weights)


def _tiny_net(dtype: str) -> ns.Network:
    """Bundles of one, two and five neurons, one without sources; outputs that feed others and an input that is one."""
    net = ns.Network(dtype, rng=0)
    net.add_inputs("a", "b", "c")
    for i in range(5):
        net.add_neuron(f"s{i}", ["a", "b", "c"], activation="sigmoid")
    net.add_neuron("r0", ["a", "c"], activation="relu")
    net.add_neuron("r1", ["a", "c"], activation="relu")
    net.add_neuron("lonely", [], activation="tanh", bias=0.3)
    net.add_neuron("y0", ["s0", "s4", "r1", "lonely", "b"], activation="tanh")
    net.add_neuron("y1", ["y0", "r0"], activation="identity")
    net.set_outputs("y0", "y1", "b")
    return net


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("which", ["wiring", "full_wiring"])
def test_a_tiny_networks_own_kernel_makes_the_same_bits(dtype, which):
    rng = np.random.default_rng(0)
    X, T = rng.normal(size=(40, 3)).astype(dtype), rng.normal(size=(40, 3)).astype(dtype)
    found = []
    for tiny in (True, False):
        engine = _tiny_net(dtype).runtime.engine()
        wiring = getattr(engine, which)
        assert wiring.tiny
        session = Session(engine, X, T, LOSSES["half_squared_error"])
        assert session.advance(np.arange(40), 0, np.full(40, 0.1), wiring._replace(tiny=tiny)) == 40
        found.append(
            [
                *session.arrays(),
                *(values[: engine.graph.n_neurons] for values in (session.work.y, session.work.z, session.work.delta)),
            ]
        )
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_bundles_side_by_side_are_a_group_and_need_no_delta_below_the_first_level():
    net = ns.wiring.sparse_layered([40, 20, 10, 3], density=0.3, activation="relu", output="tanh", rng=0)
    wiring = net.runtime.engine().wiring
    assert wiring.groups.tolist() == [0, 20, 30, 33]
    assert wiring.activation_end[40:].tolist() == [60] * 20 + [70] * 10 + [73] * 3
    assert wiring.bundle_pushes.tolist() == [False] * 20 + [True] * 13
    assert net.runtime.engine().full_wiring.bundle_pushes.all()
    net[45].activation = "prelu"
    assert net.runtime.engine().wiring.activation_end[40:60].tolist() == [45] * 5 + [46] + [60] * 14


def test_the_delta_of_a_neuron_without_sources_is_pushed_to_it():
    net = ns.Network(rng=0)
    net.add_inputs("x")
    net.add_neuron("constant", [], bias=1.0)
    net.add_neuron("y", ["x", "constant"])
    net.set_outputs("y")
    net.fit([[1.0]], [[5.0]], epochs=1, progress=False)
    assert net["constant"].bias != 1.0


@pytest.mark.parametrize("batch", [17, 64, 100, 130, 300])
def test_planes_of_samples_change_no_bit(batch):
    net = ns.wiring.random_dag(n_inputs=6, n_hidden=60, n_outputs=3, in_degree=9, dtype="float32", rng=2)
    X, T = np.random.default_rng(0).normal(size=(310, 6)), np.random.default_rng(1).random((310, 3))
    copies = [net.copy() for _ in range(3)]
    for copy, threads in zip(copies, (1, 2, 3), strict=True):
        copy.fit(X, T, batch_size=batch, epochs=2, threads=threads, rng=0)
    for copy in copies[1:]:
        np.testing.assert_array_equal(copy.weights, copies[0].weights)
        np.testing.assert_array_equal(copy.biases, copies[0].biases)
    whole = net.gradients(X, T, reduction="sum")
    each = [net.gradients(X[i : i + 1], T[i : i + 1], reduction="sum") for i in range(310)]
    np.testing.assert_array_equal(whole.delta, np.concatenate([g.delta for g in each]))
    np.testing.assert_array_equal(whole.losses, np.concatenate([g.losses for g in each]))
    np.testing.assert_allclose(whole.weights, sum(g.weights for g in each), rtol=1e-3, atol=1e-4)
