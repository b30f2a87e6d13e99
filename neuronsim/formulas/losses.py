"""The losses: name, integer code, value and derivative of each, for the outputs of one sample.

Plain Python on lists of floats: what the kernels must reproduce, and what ``reference.py`` runs. Every loss
sums over the outputs as L0 to L3 write it; the mean or sum over samples is taken elsewhere.

Two pairs of loss and activation are fused, because the product ∂L/∂y · f' loses all digits where the
activation saturates: cross_entropy on the softmax group, δ = y·Σt - t, and binary_cross_entropy on a sigmoid,
δ = y - t. Their values are computed from z.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from neuronsim.basics.listing import Listing, by_docstring
from neuronsim.errors import SettingError, choose
from neuronsim.formulas.activations import SOFTMAX, softplus
from neuronsim.formulas.compiled import compile_function, registered

__all__ = [
    "LOSSES",
    "Loss",
    "absolute_error",
    "available",
    "binary_cross_entropy",
    "cross_entropy",
    "half_squared_error",
    "huber",
    "l2_norm",
    "mean_squared_error",
    "register",
    "softmax",
    "squared_error",
]


Vector = Sequence[float]


@dataclass(frozen=True)
class Loss:
    """One loss: what the kernels call by ``code`` and the reference by ``value`` and ``derivative``.

    Attributes
    ----------
    name, code : str, int
        How people and kernels name it. The code of a user-registered loss is negative: minus the address of
        a compiled function that gives both value and derivative of one output.
    value : callable
        value(y, t) -> float, over the outputs of one sample.
    derivative : callable
        derivative(y, t) -> list of ∂L/∂y_o.
    fused : str or None
        The activation with which δ and value have a form of their own.
    """

    name: str
    code: int
    value: Callable[[Vector, Vector], float]
    derivative: Callable[[Vector, Vector], list[float]]
    fused: str | None = None
    originals: tuple[Any, Any] | None = field(default=None, repr=False, compare=False)
    compiled: tuple[Any, ...] | None = field(
        default=None, repr=False, compare=False
    )  # kept, as it is called by address


def total(terms: Iterable[float], start: float = 0.0) -> float:
    """start + the terms, left to right, each sum rounded (Python 3.12's built-in sum compensates)."""
    for term in terms:
        start += term
    return start


def half_squared_error(y: Vector, t: Vector) -> float:
    """½ Σ (y - t)² (L0, L3); the one that is taken where none is named."""
    return total(0.5 * (b - a) * (b - a) for a, b in zip(y, t, strict=True))


def half_squared_error_derivative(y: Vector, t: Vector) -> list[float]:
    return [a - b for a, b in zip(y, t, strict=True)]


def squared_error(y: Vector, t: Vector) -> float:
    """Σ (y - t)²."""
    return total((b - a) * (b - a) for a, b in zip(y, t, strict=True))


def squared_error_derivative(y: Vector, t: Vector) -> list[float]:
    return [2.0 * (a - b) for a, b in zip(y, t, strict=True)]


def mean_squared_error(y: Vector, t: Vector) -> float:
    """Σ (y - t)² / n over the n outputs."""
    return squared_error(y, t) / len(y)


def mean_squared_error_derivative(y: Vector, t: Vector) -> list[float]:
    return [2.0 * (a - b) / len(y) for a, b in zip(y, t, strict=True)]


def absolute_error(y: Vector, t: Vector) -> float:
    """Σ |y - t|."""
    return total(abs(b - a) for a, b in zip(y, t, strict=True))


def absolute_error_derivative(y: Vector, t: Vector) -> list[float]:
    return [_sign(a - b) for a, b in zip(y, t, strict=True)]


def l2_norm(y: Vector, t: Vector) -> float:
    """√ Σ (y - t)²."""
    return math.hypot(*(a - b for a, b in zip(y, t, strict=True)))


def l2_norm_derivative(y: Vector, t: Vector) -> list[float]:
    norm = l2_norm(y, t)
    return [0.0 if norm == 0.0 else (a - b) / norm for a, b in zip(y, t, strict=True)]


def binary_cross_entropy(y: Vector, t: Vector) -> float:
    """-Σ t log y + (1 - t) log(1 - y): outputs that are probabilities, each of its own."""
    return total(-_times_log(b, a) - _times_log(1.0 - b, 1.0 - a) for a, b in zip(y, t, strict=True))


def binary_cross_entropy_derivative(y: Vector, t: Vector) -> list[float]:
    return [_ratio(1.0 - b, 1.0 - a) - _ratio(b, a) for a, b in zip(y, t, strict=True)]


def cross_entropy(y: Vector, t: Vector) -> float:
    """-Σ t log y: one of several classes; taken where the outputs are softmax (L2)."""
    return total(-_times_log(b, a) for a, b in zip(y, t, strict=True))


def cross_entropy_derivative(y: Vector, t: Vector) -> list[float]:
    return [-_ratio(b, a) for a, b in zip(y, t, strict=True)]


def huber(y: Vector, t: Vector) -> float:
    """½ e² where the error e = |y - t| is at most 1, else e - ½."""
    return total(0.5 * e * e if e <= 1.0 else e - 0.5 for e in (abs(b - a) for a, b in zip(y, t, strict=True)))


def huber_derivative(y: Vector, t: Vector) -> list[float]:
    return [a - b if not abs(a - b) > 1.0 else _sign(a - b) for a, b in zip(y, t, strict=True)]


def softmax(z: Vector) -> list[float]:
    """e^z_i / Σ_j e^z_j of one group (L2), shifted by the largest z so that nothing overflows."""
    highest = max(z)
    powers = [math.exp(a - highest) for a in z]
    whole = total(powers)
    return [p / whole for p in powers]


def softmax_cross_entropy(z: Vector, t: Vector) -> float:
    """-Σ t_j log softmax(z)_j from the z of the group: Σ t_j (log Σ_k e^z_k - z_j).

    A class that is not wanted costs nothing, however unlikely: 0 ∞ = 0.
    """
    highest = max(z)
    spread = math.log(total(math.exp(a - highest) for a in z))
    return total(0.0 if b == 0.0 and a == a else b * (spread + (highest - a)) for a, b in zip(z, t, strict=True))


def softmax_cross_entropy_delta(y: Vector, t: Vector) -> list[float]:
    """∂L/∂z of the group: y·Σt - t, which is y - t where the targets add up to 1."""
    whole = total(t)
    return [a * whole - b for a, b in zip(y, t, strict=True)]


def sigmoid_binary_cross_entropy(z: float, t: float) -> float:
    """-t log y - (1 - t) log(1 - y) with y = sigmoid(z): softplus(z) - t z, without cancellation."""
    return t * softplus(-z) + (1.0 - t) * softplus(z)


def sigmoid_binary_cross_entropy_delta(y: float, t: float) -> float:
    """∂L/∂z = y - t."""
    return y - t


def advice_outside(loss: Loss, y: Vector) -> str | None:
    """What to do where the loss takes logarithms and an output is not between 0 and 1; else None."""
    if loss.fused is None or all(0.0 < value < 1.0 for value in y):
        return None
    return (
        f"output={loss.fused!r}: {loss.name} takes the logarithm of outputs, which must lie between 0 and 1; "
        "half_squared_error takes any"
    )


def loss_deltas(
    loss: Loss, activations: Sequence[str], y: Vector, t: Vector, derivatives: Sequence[float]
) -> list[float]:
    """The part of δ = ∂L/∂z that the loss itself puts on each output (L3: δ_pred).

    ∂L/∂y · f'(z); over the softmax group y_i · (∂L/∂y_i - Σ_k ∂L/∂y_k · y_k); the two fused pairs in one piece.

    Parameters
    ----------
    loss : Loss
    activations : sequence of str
        Name of each output's activation; of an input anything else.
    y, t : sequence of float
        Outputs and desired outputs.
    derivatives : sequence of float
        f'(z) of each output; those of softmax outputs and fused pairs are not used.

    Returns
    -------
    list of float
        In the order of the outputs.
    """
    error = loss.derivative(y, t)
    delta = [e * slope for e, slope in zip(error, derivatives, strict=True)]
    group = [k for k, activation in enumerate(activations) if activation == "softmax"]
    if loss.fused == "softmax":
        of_group = softmax_cross_entropy_delta([y[k] for k in group], [t[k] for k in group])
    else:
        mean_error = total(error[k] * y[k] for k in group)
        of_group = [y[k] * (error[k] - mean_error) for k in group]
    for k, value in zip(group, of_group, strict=True):
        delta[k] = value
    if loss.fused == "sigmoid":
        for k, activation in enumerate(activations):
            if activation == "sigmoid":
                delta[k] = sigmoid_binary_cross_entropy_delta(y[k], t[k])
    return delta


def _sign(e: float) -> float:
    return math.copysign(1.0, e) if e < 0.0 or e > 0.0 else e * 0.0


def _times_log(t: float, y: float) -> float:
    """t log y, with 0 log 0 = 0."""
    if math.isnan(y) or math.isnan(t):
        return math.nan
    if t == 0.0:
        return 0.0
    if y > 0.0:
        return t * math.log(y)
    return -t * math.inf if y == 0.0 else math.nan


def _ratio(t: float, y: float) -> float:
    """t / y, with 0 / 0 = 0."""
    if math.isnan(y) or math.isnan(t):
        return math.nan
    if t == 0.0:
        return 0.0
    return t / y if y != 0.0 else t * math.inf


_TABLE = (
    Loss("half_squared_error", 0, half_squared_error, half_squared_error_derivative),
    Loss("squared_error", 1, squared_error, squared_error_derivative),
    Loss("mean_squared_error", 2, mean_squared_error, mean_squared_error_derivative),
    Loss("absolute_error", 3, absolute_error, absolute_error_derivative),
    Loss("l2_norm", 4, l2_norm, l2_norm_derivative),
    Loss("binary_cross_entropy", 5, binary_cross_entropy, binary_cross_entropy_derivative, fused="sigmoid"),
    Loss("cross_entropy", 6, cross_entropy, cross_entropy_derivative, fused="softmax"),
    Loss("huber", 7, huber, huber_derivative),
)

LOSSES: dict[str, Loss] = {loss.name: loss for loss in _TABLE}


def resolve(loss: "str | Loss | None", output_activations: Iterable[str | int]) -> Loss:
    """The loss meant: by name, or by what the outputs are.

    Parameters
    ----------
    loss : str, Loss or None
        None means cross_entropy where all outputs are softmax, else half_squared_error.
    output_activations : iterable of str or int
        Name or code of every output's activation.

    Raises
    ------
    SettingError
        If no loss has that name; it names the nearest one.
    """
    if isinstance(loss, Loss):
        if LOSSES.get(loss.name) != loss:  # kernels know it by its code, and would compute another one
            raise SettingError(
                f"the loss {loss.name!r} is none that neuronsim knows: add yours with ns.losses.register(name, value, "
                f"derivative), or take one of: {', '.join(LOSSES)}"
            )
        return loss
    if loss is None:
        outputs = list(output_activations)
        all_softmax = bool(outputs) and all(a in ("softmax", SOFTMAX) for a in outputs)
        return LOSSES["cross_entropy" if all_softmax else "half_squared_error"]
    return choose("loss", loss, LOSSES)


def register(name: str, value: Callable[[float, float], float], derivative: Callable[[float, float], float]) -> Loss:
    """Add a loss of your own: L = Σ_o value(y_o, t_o) over the outputs of a sample.

    Parameters
    ----------
    name : str
        What ``loss=`` will take. Taken names are refused, unless the functions are the same ones.
    value, derivative : callable
        What one output y with target t adds to L, and its ∂L/∂y; of two floats, in plain Python or jitted with
        Numba. Both are compiled, and the derivative is checked against central differences of the value, for y
        and t between 0.04 and 0.96 and, where the value is finite there, between -8 and 8. Kinks between those
        points are yours to choose a side of.

    Returns
    -------
    Loss
        The new entry of ``LOSSES``.

    Raises
    ------
    SettingError
        If the name is taken, a function can't be compiled, or the derivative is not that of the value.

    Examples
    --------
    The loss whose least is the 0.9 quantile of the targets:

    >>> import neuronsim as ns
    >>> ns.losses.register(
    ...     "quantile",
    ...     lambda y, t: 0.9 * (t - y) if t > y else 0.1 * (y - t),
    ...     lambda y, t: -0.9 if t > y else 0.1,
    ... ).name
    'quantile'
    """
    before = registered("loss", name, (value, derivative), LOSSES)
    if before is not None:
        return before
    functions = (
        compile_function(value, f"the value of {name!r}", ("y", "t")),
        compile_function(derivative, f"the derivative of {name!r}", ("y", "t")),
    )
    term, slope = (c.ctypes for c in functions)
    _compare_with_differences(name, term, slope)
    joined = _joined(value, derivative)
    LOSSES[name] = Loss(
        name,
        -int(joined.address),
        lambda y, t: total(term(a, b) for a, b in zip(y, t, strict=True)),
        lambda y, t: [slope(a, b) for a, b in zip(y, t, strict=True)],
        originals=(value, derivative),
        compiled=(*functions, joined),
    )
    return LOSSES[name]


def _joined(value: Any, derivative: Any) -> Any:
    """Both as one compiled function of y, t and whether the derivative is wanted: one number to hand to kernels."""
    from numba import cfunc, njit

    term, slope = (njit(error_model="numpy")(getattr(f, "py_func", f)) for f in (value, derivative))

    def either(y, t, wants_derivative):  # type: ignore[no-untyped-def]
        return float(slope(y, t)) if wants_derivative else float(term(y, t))

    return cfunc("float64(float64, float64, int64)", error_model="numpy")(either)


def _compare_with_differences(name: str, value: Any, derivative: Any) -> None:
    """Refuse a derivative that differs from (L(y+h) - L(y-h)) / 2h, extrapolated to order h^4."""
    narrow = [(k + 0.5) / 13.0 for k in range(13)]  # a loss of probabilities is defined on 0 to 1 alone
    wide = [-7.917 + 1.4973 * k for k in range(11)]
    places = [(y, t) for t in narrow for y in (v + 0.003 for v in narrow)]
    optional = [(y + 0.003, t) for t in wide for y in wide]
    for y, t in places + optional:
        first, second = ((value(y + h, t) - value(y - h, t)) / (2.0 * h) for h in (2e-4, 1e-4))
        numeric, given = (4.0 * second - first) / 3.0, derivative(y, t)
        if not (math.isfinite(numeric) and math.isfinite(given)):
            if (y, t) in optional and not math.isfinite(numeric):
                continue
            raise SettingError(
                f"the loss {name!r} is not finite at y = {y:.4g}, t = {t:.4g}: its value is {value(y, t):.6g}, its "
                f"derivative {given:.6g}; it must be defined at least for y and t between 0 and 1"
            )
        if abs(numeric - given) > 1e-5 * (1.0 + abs(numeric)):
            raise SettingError(
                f"the derivative of {name!r} is not that of its value: at y = {y:.4g}, t = {t:.4g} it gives "
                f"{given:.9g}, central differences of the value give {numeric:.9g}"
            )


def available() -> Listing:
    """Every loss of one sample with its formula, a line each."""
    return by_docstring({name: loss.value for name, loss in LOSSES.items()})


def __dir__() -> list[str]:
    return __all__
