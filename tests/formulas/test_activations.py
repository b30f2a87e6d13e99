"""The table of activations: codes, values, derivatives, extremes, and the user's own."""

import math

import numba
import pytest

from neuronsim.errors import SettingError
from neuronsim.formulas import activations
from neuronsim.formulas.activations import ACTIVATIONS, by_code, prelu_slope_derivative, register, resolve

BUILT_IN = {name: a for name, a in ACTIVATIONS.items() if a.code < activations.FIRST_USER_CODE}
SCALAR = [a for a in BUILT_IN.values() if a.function is not None]
INF = math.inf


@pytest.fixture(autouse=True)
def _as_before():
    """Forget what a test registers."""
    tables = (activations.ACTIVATIONS, activations._BY_CODE)
    copies = [dict(table) for table in tables]
    yield
    for table, copy in zip(tables, copies, strict=True):
        table.clear()
        table.update(copy)


def test_the_codes_are_those_the_kernels_know():
    assert {name: a.code for name, a in BUILT_IN.items()} == {
        "identity": 0, "sigmoid": 1, "tanh": 2, "scaled_tanh": 3, "relu": 4, "leaky_relu": 5, "prelu": 6,
        "elu": 7, "selu": 8, "softplus": 9, "softsign": 10, "gelu": 11, "silu": 12, "sine": 13,
        "gaussian": 14, "hard_sigmoid": 15, "step": 16, "softmax": 17,
    }  # fmt: skip
    assert all(by_code(a.code) is a and resolve(name) is a for name, a in ACTIVATIONS.items())


@pytest.mark.parametrize(
    ("name", "z", "value"),
    [
        ("identity", -1.5, -1.5),
        ("sigmoid", 0.3775, 0.593269992107),
        ("tanh", 0.5, 0.46211715726),
        ("scaled_tanh", 1.0, 0.999997255922),
        ("relu", -2.0, 0.0),
        ("relu", 2.0, 2.0),
        ("leaky_relu", -2.0, -0.02),
        ("prelu", -2.0, -0.5),
        ("elu", -1.0, -0.632120558829),
        ("selu", -1.0, -1.11133073781),
        ("selu", 1.0, 1.05070098736),
        ("softplus", 1.0, 1.31326168752),
        ("softsign", -3.0, -0.75),
        ("gelu", 1.0, 0.841344746069),
        ("silu", 1.0, 0.731058578630),
        ("sine", 1.0, 0.841470984808),
        ("gaussian", 1.0, 0.367879441171),
        ("hard_sigmoid", 1.5, 0.75),
        ("step", 0.1, 1.0),
        ("step", 0.0, 0.0),
    ],
)
def test_values(name, z, value):
    assert ACTIVATIONS[name].function(z) == pytest.approx(value, abs=1e-11)


@pytest.mark.parametrize("activation", SCALAR, ids=lambda a: a.name)
def test_derivatives_are_central_differences(activation):
    f, eps = activation.function, 1e-6
    for k in range(-160, 161):
        z = 0.05 * k + 0.01234
        numeric = (f(z + eps) - f(z - eps)) / (2 * eps)
        assert activation.derivative(z) == pytest.approx(numeric, rel=1e-7, abs=1e-9), z


@pytest.mark.parametrize("slope", [-0.5, 0.0, 0.1, 2.0])
def test_prelu_reads_its_slope(slope):
    prelu = ACTIVATIONS["prelu"]
    assert prelu.function(-2.0, slope) == -2.0 * slope
    assert prelu.derivative(-2.0, slope) == slope
    assert prelu.function(2.0, slope) == 2.0
    assert (prelu_slope_derivative(-2.0), prelu_slope_derivative(2.0)) == (-2.0, 0.0)


def test_slopes_at_kinks_are_those_of_the_left_side():
    at_kink = {a.name: [a.derivative(z) for z in a.kinks] for a in SCALAR if a.kinks}
    scale_times_alpha = 1.0507009873554805 * 1.6732632423543772
    assert at_kink == {
        "relu": [0.0],
        "leaky_relu": [0.01],
        "prelu": [0.25],
        "selu": [pytest.approx(scale_times_alpha)],
        "hard_sigmoid": [0.0, 0.0],
        "step": [0.0],
    }
    assert ACTIVATIONS["elu"].derivative(0.0) == 1.0


LIMITS = {
    "identity": (-INF, INF), "sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "scaled_tanh": (-1.7159, 1.7159),
    "relu": (0.0, INF), "leaky_relu": (-INF, INF), "prelu": (-INF, INF), "elu": (-1.0, INF),
    "selu": (-1.7580993408473766, INF), "softplus": (0.0, INF), "softsign": (-1.0, 1.0), "gelu": (0.0, INF),
    "silu": (0.0, INF), "sine": (math.nan, math.nan), "gaussian": (0.0, 0.0), "hard_sigmoid": (0.0, 1.0),
    "step": (0.0, 1.0),
}  # fmt: skip
SLOPE_LIMITS = {
    "identity": (1.0, 1.0), "leaky_relu": (0.01, 1.0), "prelu": (0.25, 1.0), "relu": (0.0, 1.0),
    "elu": (0.0, 1.0), "selu": (0.0, 1.0507009873554805), "softplus": (0.0, 1.0), "gelu": (0.0, 1.0),
    "silu": (0.0, 1.0), "sine": (math.nan, math.nan),
}  # fmt: skip


@pytest.mark.parametrize("activation", SCALAR, ids=lambda a: a.name)
def test_extremes(activation):
    name, f, d = activation.name, activation.function, activation.derivative
    assert [f(-INF), f(INF)] == pytest.approx(LIMITS[name], nan_ok=True)
    assert [d(-INF), d(INF)] == pytest.approx(SLOPE_LIMITS.get(name, (0.0, 0.0)), nan_ok=True)
    assert math.isnan(f(math.nan))
    assert math.isnan(d(math.nan))
    for z in (-1000.0, 1000.0) if name == "sine" else (-1e308, -1000.0, 1000.0, 1e308):
        assert not math.isnan(f(z))
        assert not math.isnan(d(z))
    # a sine of such numbers is NaN, as that of infinity
    assert [f(-1e308), f(1e308)] == pytest.approx(
        [-1e308 if v == -INF else 1e308 if v == INF else v for v in LIMITS[name]], rel=1.0, nan_ok=True
    )


def test_saturated_slopes_keep_their_digits():
    assert ACTIVATIONS["sigmoid"].derivative(40.0) == pytest.approx(math.exp(-40.0), rel=1e-14)
    assert ACTIVATIONS["tanh"].derivative(20.0) == pytest.approx(4 * math.exp(-40.0), rel=1e-14)


def test_unknown_names_and_codes():
    with pytest.raises(SettingError, match="unknown activation 'rellu'; did you mean 'relu'"):
        resolve("rellu")
    with pytest.raises(SettingError, match=r"no activation has the code 63$"):
        by_code(63)
    with pytest.raises(SettingError, match=r"code 9999; was ns\.activations\.register called"):
        by_code(9999)


def test_the_sine_is_known_as_far_as_the_kernels_know_it():
    sine = ACTIVATIONS["sine"]
    assert sine.function(2.0**40) == math.sin(2.0**40)
    assert sine.derivative(-(2.0**40)) == math.cos(2.0**40)
    for z in (2.0**41, -1e30):
        assert math.isnan(sine.function(z))
        assert math.isnan(sine.derivative(z))


def square(z):
    return z * z


def twice(z):
    return 2.0 * z


class TestRegister:
    def test_plain_functions(self):
        added = register("test_square", square, twice)
        assert added.code >= 64
        assert by_code(added.code) is added is ACTIVATIONS["test_square"]
        assert (added.function(3.0), added.derivative(3.0, 0.1)) == (9.0, 6.0)
        assert added.address_f != added.address_derivative != 0
        assert ACTIVATIONS["tanh"].address_f == 0

    def test_jitted_functions(self):
        f = numba.njit(lambda z: math.tanh(z))
        added = register("test_jitted", f, lambda z: 1.0 - math.tanh(z) ** 2)
        assert added.function(0.5) == math.tanh(0.5)

    def test_division_by_zero_and_overflow_follow_ieee(self):
        added = register(
            "test_logistic", lambda z: 1 / (1 + math.exp(-z)), lambda z: math.exp(-z) / (1 + math.exp(-z)) ** 2
        )
        assert added.function(-1000.0) == 0.0

    def test_codes_are_given_once(self):
        a, b = (register(f"test_code_{k}", square, twice) for k in range(2))
        assert b.code == a.code + 1

    def test_the_same_functions_again_are_the_same_activation(self):
        assert register("test_again", square, twice) is register("test_again", square, twice)

    def test_the_same_source_read_twice_is_the_same_activation(self):
        """As when a notebook cell runs again."""
        source = compile("def f(z): return z * z\ndef d(z): return 2.0 * z", "cell", "exec")
        first, second = {}, {}
        exec(source, first)
        exec(source, second)
        assert register("test_cell", first["f"], first["d"]) is register("test_cell", second["f"], second["d"])

    def test_a_taken_name(self):
        for name in ("tanh", "softmax"):
            with pytest.raises(SettingError, match=f"'{name}' exists already"):
                register(name, math.tanh, square)
        register("test_taken", square, twice)
        with pytest.raises(SettingError, match="exists already; give yours another name"):
            register("test_taken", square, lambda z: z + z)

    def test_a_wrong_derivative(self):
        with pytest.raises(SettingError, match=r"not that of f: at z = \S+ it gives \S+, central differences"):
            register("test_wrong", square, lambda z: z)

    def test_a_function_with_holes(self):
        with pytest.raises(SettingError, match=r"not finite near z = -7\.917: f = nan"):
            register("test_log", lambda z: math.log(z), lambda z: 1.0 / z)

    @pytest.mark.parametrize("f", [lambda z: input(z), lambda z: "no", lambda z, q: z, lambda: 1.0])
    def test_what_numba_cannot_compile(self, f):
        with pytest.raises(SettingError, match=r"f of 'test_bad' can't be compiled: .*; write it as a function of one"):
            register("test_bad", f, twice)

    @pytest.mark.parametrize("f", [3.0, None, math.sin])
    def test_what_is_no_python_function(self, f):
        with pytest.raises(SettingError, match="f of 'test_bad' is"):
            register("test_bad", f, twice)

    @pytest.mark.parametrize("name", ["", 3, None])
    def test_names(self, name):
        with pytest.raises(SettingError, match="non-empty str"):
            register(name, square, twice)

    def test_a_refusal_leaves_no_trace(self):
        before = dict(ACTIVATIONS)
        with pytest.raises(SettingError):
            register("test_gone", square, square)
        assert before == ACTIVATIONS


@pytest.mark.parametrize(
    "activation", [a for a in activations.ACTIVATIONS.values() if a.function], ids=lambda a: a.name
)
def test_limits(activation):
    low, high = activation.limits
    grid = [0.01 * k for k in range(-4000, 4001)]
    values = [activation.function(z) for z in grid]
    assert all(low - 1e-7 <= y <= high + 1e-7 for y in values)
    for limit, extreme in ((low, min(values)), (high, max(values))):
        assert abs(limit - extreme) < 0.03 if math.isfinite(limit) else abs(extreme) > 0.3
