"""The activations: name, integer code, f(z) and f'(z) of each.

The functions here are plain Python on floats: what the kernels must reproduce, and what ``reference.py``
runs. Every neuron may have its own activation (L1). Where f has a kink, the derivative is that of the left
side; hard_sigmoid and step have slope 0 there. NaN in, NaN out; infinities give the limit.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from neuronsim.basics.listing import Listing, by_docstring
from neuronsim.errors import SettingError, choose
from neuronsim.formulas.compiled import compile_function, registered

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "available",
    "elu",
    "gaussian",
    "gelu",
    "hard_sigmoid",
    "identity",
    "leaky_relu",
    "prelu",
    "register",
    "relu",
    "scaled_tanh",
    "selu",
    "sigmoid",
    "silu",
    "sine",
    "softplus",
    "softsign",
    "step",
    "tanh",
]


INITIAL_SLOPE = 0.25
FIRST_USER_CODE = 64

_LEAK = 0.01
_SELU_SCALE = 1.0507009873554804934193349852946
_SELU_ALPHA = 1.6732632423543772848170429916717
_TANH_SCALE = 1.7159
_SQRT_HALF = math.sqrt(0.5)
_NORMAL_DENSITY_AT_0 = 1.0 / math.sqrt(2.0 * math.pi)
# Beyond it kernels have no digits of z mod 2π left: NaN, so that training stops instead of learning noise.
_SINE_LIMIT = 2.0**40


@dataclass(frozen=True)
class Activation:
    """One activation: what the kernels call by ``code`` and the reference by ``function``.

    Attributes
    ----------
    name, code : str, int
        How people and kernels name it. Codes from 64 on are user-registered.
    function, derivative : callable or None
        ``f(z, slope=0.25)`` and ``f'(z, slope=0.25)`` on floats; both take z. Only prelu reads the slope.
        None for softmax, which acts on a group of neurons (`neuronsim.formulas.losses.softmax`).
    kinks : tuple of float
        The z where f has no derivative.
    limits : pair of float
        The least and the largest value of f, reached or approached; infinite where there is none, or none is known.
    """

    name: str
    code: int
    function: Callable[..., float] | None
    derivative: Callable[..., float] | None
    kinks: tuple[float, ...] = ()
    limits: tuple[float, float] = (-math.inf, math.inf)
    originals: tuple[Any, Any] | None = field(default=None, repr=False, compare=False)
    compiled: tuple[Any, Any] | None = field(default=None, repr=False, compare=False)

    @property
    def address_f(self) -> int:
        """Address of the compiled f of a user-registered activation; 0 for the built-in ones."""
        return int(self.compiled[0].address) if self.compiled else 0

    @property
    def address_derivative(self) -> int:
        """Address of the compiled f' of a user-registered activation; 0 for the built-in ones."""
        return int(self.compiled[1].address) if self.compiled else 0


def identity(z: float, slope: float = INITIAL_SLOPE) -> float:
    """z, as it is: for outputs that may be any number."""
    return z


def identity_derivative(z: float, slope: float = INITIAL_SLOPE) -> float:
    return z if math.isnan(z) else 1.0


def sigmoid(z: float, slope: float = INITIAL_SLOPE) -> float:
    """1 / (1 + e^-z), between 0 and 1 (L1)."""
    if z >= 0.0:
        return 1.0 / (1.0 + math.exp(-z))
    e = math.exp(z)
    return e / (1.0 + e)


def sigmoid_derivative(z: float, slope: float = INITIAL_SLOPE) -> float:
    e = math.exp(-abs(z))
    return e / ((1.0 + e) * (1.0 + e))


def tanh(z: float, slope: float = INITIAL_SLOPE) -> float:
    """tanh z, between -1 and 1 (L1)."""
    return math.tanh(z)


def tanh_derivative(z: float, slope: float = INITIAL_SLOPE) -> float:
    return 4.0 * sigmoid_derivative(2.0 * z)


def scaled_tanh(z: float, slope: float = INITIAL_SLOPE) -> float:
    """1.7159 tanh(2 z / 3) (LeCun 1998)."""
    return _TANH_SCALE * math.tanh(2.0 * z / 3.0)


def scaled_tanh_derivative(z: float, slope: float = INITIAL_SLOPE) -> float:
    return _TANH_SCALE * 2.0 / 3.0 * tanh_derivative(2.0 * z / 3.0)


def relu(z: float, slope: float = INITIAL_SLOPE) -> float:
    """z where positive, else 0 (L1)."""
    return 0.0 if z <= 0.0 else z


def relu_derivative(z: float, slope: float = INITIAL_SLOPE) -> float:
    return _left_or_right(z, 0.0, 1.0)


def leaky_relu(z: float, slope: float = INITIAL_SLOPE) -> float:
    """z where positive, else 0.01 z."""
    return z if z > 0.0 else _LEAK * z


def leaky_relu_derivative(z: float, slope: float = INITIAL_SLOPE) -> float:
    return _left_or_right(z, _LEAK, 1.0)


def prelu(z: float, slope: float = INITIAL_SLOPE) -> float:
    """z where positive, else slope · z, where each neuron learns its slope."""
    return z if z > 0.0 else slope * z


def prelu_derivative(z: float, slope: float = INITIAL_SLOPE) -> float:
    return _left_or_right(z, slope, 1.0)


def prelu_slope_derivative(z: float) -> float:
    """∂f/∂slope of prelu: z on the left side, 0 on the right."""
    return 0.0 if z > 0.0 else z


def elu(z: float, slope: float = INITIAL_SLOPE) -> float:
    """z where positive, else e^z - 1."""
    return z if z > 0.0 else math.expm1(z)


def elu_derivative(z: float, slope: float = INITIAL_SLOPE) -> float:
    return 1.0 if z > 0.0 else math.exp(z)


def selu(z: float, slope: float = INITIAL_SLOPE) -> float:
    """1.0507 z where positive, else 1.7581 (e^z - 1) (Klambauer 2017)."""
    return _SELU_SCALE * (z if z > 0.0 else _SELU_ALPHA * math.expm1(z))


def selu_derivative(z: float, slope: float = INITIAL_SLOPE) -> float:
    return _SELU_SCALE * (1.0 if z > 0.0 else _SELU_ALPHA * math.exp(z))


def softplus(z: float, slope: float = INITIAL_SLOPE) -> float:
    """log(1 + e^z)."""
    return max(z, 0.0) + math.log1p(math.exp(-abs(z)))


def softplus_derivative(z: float, slope: float = INITIAL_SLOPE) -> float:
    return sigmoid(z)


def softsign(z: float, slope: float = INITIAL_SLOPE) -> float:
    """z / (1 + |z|)."""
    return math.copysign(1.0, z) if math.isinf(z) else z / (1.0 + abs(z))


def softsign_derivative(z: float, slope: float = INITIAL_SLOPE) -> float:
    r = 1.0 / (1.0 + abs(z))
    return r * r


def gelu(z: float, slope: float = INITIAL_SLOPE) -> float:
    """z Φ(z), Φ being the normal distribution's (Hendrycks 2016)."""
    return 0.0 if z == -math.inf else z * _normal_cdf(z)


def gelu_derivative(z: float, slope: float = INITIAL_SLOPE) -> float:
    if math.isinf(z):
        return _normal_cdf(z)
    return _normal_cdf(z) + z * _NORMAL_DENSITY_AT_0 * math.exp(-0.5 * z * z)


def silu(z: float, slope: float = INITIAL_SLOPE) -> float:
    """z · sigmoid(z), also called swish."""
    return 0.0 if z == -math.inf else z * sigmoid(z)


def silu_derivative(z: float, slope: float = INITIAL_SLOPE) -> float:
    if math.isinf(z):
        return sigmoid(z)
    return sigmoid(z) + z * sigmoid_derivative(z)


def sine(z: float, slope: float = INITIAL_SLOPE) -> float:
    """sin z; NaN beyond |z| = 2⁴⁰ (float32 kernels: 2²⁰), where the rounding of z alone turns the sine."""
    return math.sin(z) if abs(z) <= _SINE_LIMIT else math.nan


def sine_derivative(z: float, slope: float = INITIAL_SLOPE) -> float:
    return math.cos(z) if abs(z) <= _SINE_LIMIT else math.nan


def gaussian(z: float, slope: float = INITIAL_SLOPE) -> float:
    """e^(-z²)."""
    return math.exp(-z * z)


def gaussian_derivative(z: float, slope: float = INITIAL_SLOPE) -> float:
    return 0.0 if math.isinf(z) else -2.0 * (z * math.exp(-z * z))


def hard_sigmoid(z: float, slope: float = INITIAL_SLOPE) -> float:
    """z / 6 + 1/2, cut off at 0 and 1."""
    if z <= -3.0:
        return 0.0
    return 1.0 if z >= 3.0 else z / 6.0 + 0.5


def hard_sigmoid_derivative(z: float, slope: float = INITIAL_SLOPE) -> float:
    if math.isnan(z):
        return z
    return 1.0 / 6.0 if -3.0 < z < 3.0 else 0.0


def step(z: float, slope: float = INITIAL_SLOPE) -> float:
    """1 where z is positive, else 0; nothing is learned through it (L1)."""
    return _left_or_right(z, 0.0, 1.0)


def step_derivative(z: float, slope: float = INITIAL_SLOPE) -> float:
    return z if math.isnan(z) else 0.0


def _left_or_right(z: float, left: float, right: float) -> float:
    if math.isnan(z):
        return z
    return right if z > 0.0 else left


def _normal_cdf(z: float) -> float:
    return 0.5 * math.erfc(-z * _SQRT_HALF)


_BUILT_IN = (
    Activation("identity", 0, identity, identity_derivative),
    Activation("sigmoid", 1, sigmoid, sigmoid_derivative, limits=(0.0, 1.0)),
    Activation("tanh", 2, tanh, tanh_derivative, limits=(-1.0, 1.0)),
    Activation("scaled_tanh", 3, scaled_tanh, scaled_tanh_derivative, limits=(-_TANH_SCALE, _TANH_SCALE)),
    Activation("relu", 4, relu, relu_derivative, kinks=(0.0,), limits=(0.0, math.inf)),
    Activation("leaky_relu", 5, leaky_relu, leaky_relu_derivative, kinks=(0.0,)),
    Activation("prelu", 6, prelu, prelu_derivative, kinks=(0.0,)),
    Activation("elu", 7, elu, elu_derivative, limits=(-1.0, math.inf)),
    Activation("selu", 8, selu, selu_derivative, kinks=(0.0,), limits=(-_SELU_SCALE * _SELU_ALPHA, math.inf)),
    Activation("softplus", 9, softplus, softplus_derivative, limits=(0.0, math.inf)),
    Activation("softsign", 10, softsign, softsign_derivative, limits=(-1.0, 1.0)),
    Activation("gelu", 11, gelu, gelu_derivative, limits=(-0.16997121, math.inf)),
    Activation("silu", 12, silu, silu_derivative, limits=(-0.27846455, math.inf)),
    Activation("sine", 13, sine, sine_derivative, limits=(-1.0, 1.0)),
    Activation("gaussian", 14, gaussian, gaussian_derivative, limits=(0.0, 1.0)),
    Activation("hard_sigmoid", 15, hard_sigmoid, hard_sigmoid_derivative, kinks=(-3.0, 3.0), limits=(0.0, 1.0)),
    Activation("step", 16, step, step_derivative, kinks=(0.0,), limits=(0.0, 1.0)),
    Activation("softmax", 17, None, None, limits=(0.0, 1.0)),
)

ACTIVATIONS: dict[str, Activation] = {activation.name: activation for activation in _BUILT_IN}
_BY_CODE: dict[int, Activation] = {activation.code: activation for activation in _BUILT_IN}

PRELU = ACTIVATIONS["prelu"].code
SOFTMAX = ACTIVATIONS["softmax"].code
SIGMOID = ACTIVATIONS["sigmoid"].code


def resolve(activation: "str | Activation") -> Activation:
    """The activation of that name; SettingError names the nearest one if there is none."""
    if isinstance(activation, Activation):
        return activation
    if callable(activation):
        name = str(getattr(activation, "__name__", type(activation).__name__))
        own = "ns.activations.register names functions of your own"
        advice = f"say {name!r}" if name in ACTIVATIONS else own
        raise SettingError(f"an activation is given by its name, not by a function ({name}); {advice}")
    return choose("activation", activation, ACTIVATIONS)


def by_code(code: int) -> Activation:
    """The activation with that integer code."""
    try:
        return _BY_CODE[int(code)]
    except KeyError:
        hint = "; was ns.activations.register called in this process?" if code >= FIRST_USER_CODE else ""
        raise SettingError(f"no activation has the code {code}{hint}") from None


def register(name: str, f: Callable[[float], float], derivative: Callable[[float], float]) -> Activation:
    """Add an activation of your own.

    Parameters
    ----------
    name : str
        How neurons will name it. Taken names are refused, unless the functions are the same ones.
    f, derivative : callable
        f(z) and f'(z) of one float, in plain Python or jitted with Numba. Both are compiled, and f' is
        checked against central differences of f between -8 and 8.

    Returns
    -------
    Activation
        The new entry of ``ACTIVATIONS``.

    Raises
    ------
    SettingError
        If the name is taken, a function can't be compiled, or the derivative is not that of f.

    Examples
    --------
    >>> import neuronsim as ns
    >>> ns.activations.register("square", lambda z: z * z, lambda z: 2.0 * z).name
    'square'
    """
    before = registered("activation", name, (f, derivative), ACTIVATIONS)
    if before is not None:
        return before
    compiled = (
        compile_function(f, f"f of {name!r}", ("z",)),
        compile_function(derivative, f"the derivative of {name!r}", ("z",)),
    )
    function, slope = (_plain(c) for c in compiled)
    _compare_with_differences(name, function, slope)
    code = max(FIRST_USER_CODE - 1, *_BY_CODE) + 1
    activation = Activation(name, code, function, slope, originals=(f, derivative), compiled=compiled)
    ACTIVATIONS[name] = _BY_CODE[code] = activation
    return activation


def _plain(compiled: Any) -> Callable[..., float]:
    call = compiled.ctypes

    def function(z: float, slope: float = INITIAL_SLOPE) -> float:
        return float(call(z))

    return function


def _compare_with_differences(name: str, f: Callable[..., float], derivative: Callable[..., float]) -> None:
    """Refuse a derivative that differs from (f(z+h) - f(z-h)) / 2h, extrapolated to order h^4."""
    points = [-7.9170 + 0.4973 * k for k in range(33)]
    worst, where = 0.0, 0.0
    for z in points:
        wide, narrow = ((f(z + h) - f(z - h)) / (2.0 * h) for h in (2e-4, 1e-4))
        numeric, given = (4.0 * narrow - wide) / 3.0, derivative(z)
        if not (math.isfinite(numeric) and math.isfinite(given)):
            raise SettingError(
                f"the activation {name!r} is not finite near z = {z:.4g}: f = {f(z):.6g}, f' = {given:.6g}; "
                "it must be defined for every z"
            )
        error = abs(numeric - given) / (1.0 + abs(numeric))
        if error > worst:
            worst, where = error, z
    if worst > 1e-5:
        numeric = (f(where + 1e-4) - f(where - 1e-4)) / 2e-4
        raise SettingError(
            f"the derivative of {name!r} is not that of f: at z = {where:.4g} it gives "
            f"{derivative(where):.9g}, central differences of f give {numeric:.9g}"
        )


def available() -> Listing:
    """Every activation with its formula, a line each."""
    functions = {name: activation.function for name, activation in ACTIVATIONS.items()}
    softmax = {"softmax": "e^z_i / Σ_j e^z_j over all softmax outputs, which add up to 1 (L2)."}
    return Listing(by_docstring(functions) | softmax)


def __dir__() -> list[str]:
    return __all__
