"""The losses: name, integer code, value and derivative of each, for the outputs of one sample.

Plain Python on lists of floats: what the kernels must reproduce, and what ``reference.py`` runs. Every loss
sums over the outputs as L0 to L3 write it; the mean or sum over samples is taken elsewhere.

Two pairs of loss and activation are fused, because the product ∂L/∂y · f' loses all digits where the
activation saturates: cross_entropy on the softmax group, δ = y·Σt - t, and binary_cross_entropy on a sigmoid,
δ = y - t. Their values are computed from z.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from neuronsim.errors import SettingError, choose
from neuronsim.formulas.activations import SOFTMAX, softplus

Vector = Sequence[float]


@dataclass(frozen=True)
class Loss:
    """One loss: what the kernels call by ``code`` and the reference by ``value`` and ``derivative``.

    Attributes
    ----------
    name, code : str, int
        How people and kernels name it.
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


def total(terms: Iterable[float], start: float = 0.0) -> float:
    """start + the terms, left to right, each sum rounded (Python 3.12's built-in sum compensates)."""
    for term in terms:
        start += term
    return start


def half_squared_error(y: Vector, t: Vector) -> float:
    return total(0.5 * (b - a) * (b - a) for a, b in zip(y, t, strict=True))


def half_squared_error_derivative(y: Vector, t: Vector) -> list[float]:
    return [a - b for a, b in zip(y, t, strict=True)]


def squared_error(y: Vector, t: Vector) -> float:
    return total((b - a) * (b - a) for a, b in zip(y, t, strict=True))


def squared_error_derivative(y: Vector, t: Vector) -> list[float]:
    return [2.0 * (a - b) for a, b in zip(y, t, strict=True)]


def mean_squared_error(y: Vector, t: Vector) -> float:
    return squared_error(y, t) / len(y)


def mean_squared_error_derivative(y: Vector, t: Vector) -> list[float]:
    return [2.0 * (a - b) / len(y) for a, b in zip(y, t, strict=True)]


def absolute_error(y: Vector, t: Vector) -> float:
    return total(abs(b - a) for a, b in zip(y, t, strict=True))


def absolute_error_derivative(y: Vector, t: Vector) -> list[float]:
    return [_sign(a - b) for a, b in zip(y, t, strict=True)]


def l2_norm(y: Vector, t: Vector) -> float:
    return math.hypot(*(a - b for a, b in zip(y, t, strict=True)))


def l2_norm_derivative(y: Vector, t: Vector) -> list[float]:
    norm = l2_norm(y, t)
    return [0.0 if norm == 0.0 else (a - b) / norm for a, b in zip(y, t, strict=True)]


def binary_cross_entropy(y: Vector, t: Vector) -> float:
    return total(-_times_log(b, a) - _times_log(1.0 - b, 1.0 - a) for a, b in zip(y, t, strict=True))


def binary_cross_entropy_derivative(y: Vector, t: Vector) -> list[float]:
    return [_ratio(1.0 - b, 1.0 - a) - _ratio(b, a) for a, b in zip(y, t, strict=True)]


def cross_entropy(y: Vector, t: Vector) -> float:
    return total(-_times_log(b, a) for a, b in zip(y, t, strict=True))


def cross_entropy_derivative(y: Vector, t: Vector) -> list[float]:
    return [-_ratio(b, a) for a, b in zip(y, t, strict=True)]


def huber(y: Vector, t: Vector) -> float:
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
            raise SettingError(f"the loss {loss.name!r} is none of neuronsim's own; allowed: {', '.join(LOSSES)}")
        return loss
    if loss is None:
        outputs = list(output_activations)
        all_softmax = bool(outputs) and all(a in ("softmax", SOFTMAX) for a in outputs)
        return LOSSES["cross_entropy" if all_softmax else "half_squared_error"]
    return choose("loss", loss, LOSSES)
