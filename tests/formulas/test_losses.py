"""The table of losses: codes, values, derivatives, the fused pairs."""

import math

import numba
import numpy as np
import pytest

import neuronsim as ns
from neuronsim.errors import SettingError
from neuronsim.formulas import activations, losses
from neuronsim.formulas.losses import LOSSES, register, resolve

Y, T = [0.75, 0.25, 0.5], [1.0, 0.0, 0.125]


def test_the_codes_are_those_the_kernels_know():
    assert {name: loss.code for name, loss in LOSSES.items() if loss.originals is None} == {
        "half_squared_error": 0,
        "squared_error": 1,
        "mean_squared_error": 2,
        "absolute_error": 3,
        "l2_norm": 4,
        "binary_cross_entropy": 5,
        "cross_entropy": 6,
        "huber": 7,
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("half_squared_error", 0.1328125),
        ("squared_error", 0.265625),
        ("mean_squared_error", 0.265625 / 3),
        ("absolute_error", 0.875),
        ("l2_norm", math.sqrt(0.265625)),
        ("binary_cross_entropy", -2 * math.log(0.75) - math.log(0.5)),
        ("cross_entropy", -math.log(0.75) - 0.125 * math.log(0.5)),
        ("huber", 0.1328125),
    ],
)
def test_values(name, value):
    assert LOSSES[name].value(Y, T) == pytest.approx(value)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=lambda loss: loss.name)
@pytest.mark.parametrize("t", [T, [0.0, 1.0, 0.0], [0.3, 0.3, 0.4]])
def test_derivatives_are_central_differences(loss, t):
    eps = 1e-6
    for k, slope in enumerate(loss.derivative(Y, t)):
        above, below = list(Y), list(Y)
        above[k] += eps
        below[k] -= eps
        assert slope == pytest.approx((loss.value(above, t) - loss.value(below, t)) / (2 * eps), rel=1e-7)


def test_huber_is_linear_beyond_1():
    assert LOSSES["huber"].value([3.0, -3.0, 0.5], [0.0, 0.0, 0.0]) == 2.5 + 2.5 + 0.125
    assert LOSSES["huber"].derivative([3.0, -3.0, 0.5], [0.0, 0.0, 0.0]) == [1.0, -1.0, 0.5]


@pytest.mark.parametrize("name", ["absolute_error", "l2_norm"])
def test_the_slope_at_the_kink_is_0(name):
    assert LOSSES[name].derivative([1.0, 2.0], [1.0, 2.0]) == [0.0, 0.0]


def test_cross_entropies_at_the_ends():
    bce, ce = LOSSES["binary_cross_entropy"], LOSSES["cross_entropy"]
    assert bce.value([0.0, 1.0], [0.0, 1.0]) == 0.0
    assert bce.derivative([0.0, 1.0], [0.0, 1.0]) == [1.0, -1.0]
    assert bce.value([0.0], [1.0]) == math.inf
    assert bce.derivative([0.0], [1.0]) == [-math.inf]
    assert ce.value([0.0, 1.0], [0.0, 1.0]) == 0.0
    assert ce.derivative([0.0, 0.5], [0.0, 1.0]) == [0.0, -2.0]
    assert ce.derivative([0.0], [1.0]) == [-math.inf]


def test_the_errata_of_l2():
    """The derivative of the binary cross-entropy is (1 - t)/(1 - y) - t/y, in natural logarithms."""
    for y, t in [(0.3, 1.0), (0.3, 0.0), (0.9, 0.25)]:
        assert LOSSES["binary_cross_entropy"].derivative([y], [t]) == [pytest.approx((1 - t) / (1 - y) - t / y)]


@pytest.mark.parametrize("loss", LOSSES.values(), ids=lambda loss: loss.name)
def test_nan_in_nan_out(loss):
    assert math.isnan(loss.value([math.nan, 0.5], [0.0, 1.0]))
    assert math.isnan(loss.derivative([math.nan, 0.5], [0.0, 1.0])[0])


def test_softmax():
    y = losses.softmax([1.0, 2.0, 3.0])
    assert y == pytest.approx([0.09003057, 0.24472847, 0.66524096])
    assert sum(y) == pytest.approx(1.0)
    assert losses.softmax([1000.0, -1000.0]) == [1.0, 0.0]


@pytest.mark.parametrize("t", [[0.0, 1.0, 0.0], [0.2, 0.3, 0.5], [1.0, 1.0, 0.5]])
def test_softmax_with_cross_entropy_is_fused(t):
    z, eps = [0.3, -1.2, 0.8], 1e-6
    y = losses.softmax(z)
    assert losses.softmax_cross_entropy(z, t) == pytest.approx(losses.cross_entropy(y, t))
    for k, delta in enumerate(losses.softmax_cross_entropy_delta(y, t)):
        above, below = list(z), list(z)
        above[k] += eps
        below[k] -= eps
        numeric = (losses.softmax_cross_entropy(above, t) - losses.softmax_cross_entropy(below, t)) / (2 * eps)
        assert delta == pytest.approx(numeric, abs=1e-9)


@pytest.mark.parametrize("t", [0.0, 1.0, 0.25])
def test_sigmoid_with_binary_cross_entropy_is_fused(t):
    z = 0.7
    y = 1.0 / (1.0 + math.exp(-z))
    assert losses.sigmoid_binary_cross_entropy(z, t) == pytest.approx(losses.binary_cross_entropy([y], [t]))
    slope = losses.binary_cross_entropy_derivative([y], [t])[0]
    assert losses.sigmoid_binary_cross_entropy_delta(y, t) == pytest.approx(slope * y * (1 - y))


def test_fused_pairs_are_stable_at_1000():
    assert losses.softmax_cross_entropy([1000.0, -1000.0], [0.0, 1.0]) == 2000.0
    assert losses.softmax_cross_entropy([1000.0, -1000.0], [1.0, 0.0]) == 0.0
    assert losses.softmax_cross_entropy([-1000.0, -1000.0], [1.0, 0.0]) == pytest.approx(math.log(2.0))
    assert losses.sigmoid_binary_cross_entropy(1000.0, 0.0) == 1000.0
    assert losses.sigmoid_binary_cross_entropy(-1000.0, 1.0) == 1000.0
    assert losses.sigmoid_binary_cross_entropy(-1000.0, 0.0) == 0.0
    assert losses.sigmoid_binary_cross_entropy(40.0, 1.0) == pytest.approx(math.exp(-40.0), rel=1e-12)


class TestResolve:
    def test_by_name_and_as_object(self):
        assert resolve("huber", []) is LOSSES["huber"]
        assert resolve(LOSSES["huber"], []) is LOSSES["huber"]

    @pytest.mark.parametrize(
        ("outputs", "name"),
        [
            (["softmax", "softmax"], "cross_entropy"),
            ([17, 17], "cross_entropy"),
            (["softmax", "tanh"], "half_squared_error"),
            ([1], "half_squared_error"),
            ([], "half_squared_error"),
        ],
    )
    def test_the_default_follows_the_outputs(self, outputs, name):
        assert resolve(None, outputs).name == name

    def test_an_unknown_name(self):
        with pytest.raises(SettingError, match="unknown loss 'hubr'; did you mean 'huber'"):
            resolve("hubr", [])


def outputs_of(names, z):
    """y of sigmoid and identity outputs, and of softmax outputs as one group."""
    pairs = list(zip(names, z, strict=True))
    group = iter(losses.softmax([a for name, a in pairs if name == "softmax"] or [0.0]))
    sigmoid = activations.resolve("sigmoid").function
    return [next(group) if name == "softmax" else sigmoid(a, 0.0) if name == "sigmoid" else a for name, a in pairs]


@pytest.mark.parametrize("loss", LOSSES.values(), ids=lambda loss: loss.name)
@pytest.mark.parametrize("names", [["sigmoid", "softmax", "sigmoid", "softmax", "softmax"], ["sigmoid", "", "sigmoid"]])
def test_deltas_are_central_differences_over_z(loss, names):
    eps, z, t = 1e-6, [0.7, 0.4, -0.3, 0.9, -0.2][: len(names)], [0.9, 0.15, 0.2, 0.3, 0.45][: len(names)]
    y = outputs_of(names, z)
    slopes = [y_k * (1.0 - y_k) if name == "sigmoid" else 1.0 for name, y_k in zip(names, y, strict=True)]
    for k, delta in enumerate(losses.loss_deltas(loss, names, y, t, slopes)):
        above, below = list(z), list(z)
        above[k] += eps
        below[k] -= eps
        up, down = (loss.value(outputs_of(names, moved), t) for moved in (above, below))
        assert delta == pytest.approx((up - down) / (2 * eps), rel=1e-6, abs=1e-9)


def half_square(y, t):
    return 0.5 * (y - t) * (y - t)


def difference(y, t):
    return y - t


def quantile(y, t):
    return 0.9 * (t - y) if t > y else 0.1 * (y - t)


def quantile_slope(y, t):
    return -0.9 if t > y else 0.1


class TestRegister:
    @pytest.fixture(autouse=True)
    def _as_before(self):
        """Forget what a test registers."""
        before = dict(LOSSES)
        yield
        LOSSES.clear()
        LOSSES.update(before)

    def test_plain_functions(self):
        added = register("test_half", half_square, difference)
        assert resolve("test_half", []) is added is resolve(added, []) is LOSSES["test_half"]
        assert added.code < 0
        assert added.value([3.0, 1.0], [1.0, 1.0]) == 2.0
        assert added.derivative([3.0, 1.0], [1.0, 1.0]) == [2.0, 0.0]

    def test_jitted_functions(self):
        added = register("test_jitted", numba.njit(half_square), difference)
        assert added.value([3.0], [1.0]) == 2.0

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("output", ["identity", "softmax", "prelu"])
    @pytest.mark.parametrize("batch_size", [1, 8])
    def test_one_that_is_a_built_in_one_trains_the_same_bits(self, dtype, output, batch_size):
        register("test_half", half_square, difference)
        rng = np.random.default_rng(5)
        X, T = rng.normal(size=(37, 4)), rng.random((37, 3))
        nets = [ns.wiring.layered([4, 5, 3], output=output, dtype=dtype, rng=1) for _ in range(2)]
        for net, loss in zip(nets, ("test_half", "half_squared_error"), strict=True):
            net.fit(X, T, loss=loss, epochs=3, batch_size=batch_size, learning_rate=0.05, rng=2)
        assert nets[0].weights.tobytes() == nets[1].weights.tobytes()

    def test_the_quantile_is_learned(self):
        """Of what the data are, a constant output learns the value that 90 % of them do not exceed."""
        register("test_quantile", quantile, quantile_slope)
        net = ns.Network(rng=0)
        net.add_inputs("x")
        net.add_neuron("y", {"x": 0.0}, activation="identity")
        net.set_outputs("y")
        T = np.linspace(0.0, 1.0, 101)[:, None]
        run = net.fit(np.zeros((101, 1)), T, loss="test_quantile", batch_size=None, epochs=4000, learning_rate=0.001)
        assert net["y"].bias == pytest.approx(0.9, abs=0.02)
        assert run.at(17).check()
        assert net.check(np.zeros((2, 1)), T[:2], loss="test_quantile")

    def test_it_goes_into_the_explanation_of_an_output(self):
        register("test_quantile", quantile, quantile_slope)
        net = ns.wiring.layered([1, 1], output="identity", rng=0)
        assert "∂L/∂y of test_quantile" in str(net.step([1.0], [9.0], loss="test_quantile").explain(1))

    def test_the_same_functions_again_are_the_same_loss(self):
        assert register("test_again", half_square, difference) is register("test_again", half_square, difference)

    def test_a_taken_name(self):
        with pytest.raises(SettingError, match="'huber' exists already"):
            register("huber", half_square, difference)

    def test_a_wrong_derivative(self):
        with pytest.raises(SettingError, match=r"not that of its value: at y = \S+, t = \S+ it gives \S+, central"):
            register("test_wrong", half_square, lambda y, t: t - y)

    def test_one_that_is_wrong_far_away_alone(self):
        with pytest.raises(SettingError, match="not that of its value"):
            register("test_far", half_square, lambda y, t: y - t if abs(y - t) < 2.0 else 0.0)

    def test_one_of_probabilities_need_not_be_defined_elsewhere(self):
        added = register("test_log", lambda y, t: -t * math.log(y), lambda y, t: -t / y)
        assert added.value([0.5], [1.0]) == math.log(2.0)

    def test_one_with_holes_between_0_and_1(self):
        with pytest.raises(SettingError, match="must be defined at least for y and t between 0 and 1"):
            register("test_holes", lambda y, t: math.log(y - t), lambda y, t: 1.0 / (y - t))

    @pytest.mark.parametrize("f", [lambda y, t: input(y), lambda y, t: "no", lambda y: y, 3.0, math.pow])
    def test_what_numba_cannot_compile(self, f):
        before = dict(LOSSES)
        with pytest.raises(SettingError, match="the value of 'test_bad'"):
            register("test_bad", f, difference)
        assert before == LOSSES

    @pytest.mark.parametrize("name", ["", 3, None])
    def test_names(self, name):
        with pytest.raises(SettingError, match="non-empty str"):
            register(name, half_square, difference)
