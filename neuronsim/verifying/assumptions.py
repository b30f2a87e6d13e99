"""What was said of a program that may not hold: the loss, the activations, their steepness; with a right way back.

Losses and activations that other programs have and we do not stand here as formulas: they are never trained with.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from neuronsim.formulas.activations import ACTIVATIONS, Activation
from neuronsim.formulas.losses import LOSSES, Loss
from neuronsim.verifying.passes import Passes

Errors = Callable[[Sequence[float], Sequence[float]], list[float]]


def _loss(name: str, error: Callable[[float, float], float]) -> Loss:
    """A loss by its ∂L/∂y; its value is not asked for."""

    def derivative(y: Sequence[float], t: Sequence[float]) -> list[float]:
        return [error(a, b) for a, b in zip(y, t, strict=True)]

    return replace(LOSSES["half_squared_error"], name=name, code=-1, derivative=derivative)


def _tanh_error(e: float) -> float:
    """log((1 + e) / (1 - e)), 17 at most."""
    return math.copysign(17.0, e) if abs(e) > 0.9999999 else math.log((1.0 + e) / (1.0 - e))


def _cut(e: float, most: float) -> float:
    return min(max(e, -most), most)


def _huber(most: float) -> Callable[[float, float], float]:
    return lambda y, t: _cut(y - t, most)


_OTHER_LOSSES: dict[str, Callable[[float, float], float]] = {
    "log cosh": lambda y, t: math.tanh(y - t),
    "FANN's tanh error": lambda y, t: _tanh_error(y - t),
    "FANN's tanh error of half the difference": lambda y, t: _tanh_error((y - t) / 2.0),
    "hinge": lambda y, t: -t if t * y < 1.0 else 0.0,
    "squared hinge": lambda y, t: -2.0 * t * max(0.0, 1.0 - t * y),
    "poisson": lambda y, t: 1.0 - t / y if y else math.inf,
    **{f"huber with delta = {most:g}": _huber(most) for most in (0.05, 0.1, 0.2, 0.25, 0.5, 0.75, 1.345, 1.5, 2.0)},
}
FOREIGN_LOSSES = {name: _loss(name, error) for name, error in _OTHER_LOSSES.items()}


def _activation(name: str, f: Callable[[float], float], slope: Callable[[float], float]) -> Activation:
    return Activation(name, -1, lambda z, _=0.0: f(z), lambda z, _=0.0: slope(z))


def steep(f: Activation, steepness: float) -> Activation:
    """f(s z), with s f'(s z)."""
    function, derivative = f.function, f.derivative
    if function is None or derivative is None:
        return f
    name = f"{f.name} of steepness {steepness:.6g}"
    return _activation(name, lambda z: function(steepness * z), lambda z: steepness * derivative(steepness * z))


def _leaky(leak: float) -> Activation:
    name = f"leaky_relu with {leak:g} z"
    return _activation(name, lambda z: z if z > 0.0 else leak * z, lambda z: 1.0 if z > 0.0 else leak)


def _stepwise(
    name: str, levels: Sequence[float], points: Sequence[float], slope: Callable[[float], float]
) -> Activation:
    """FANN's: straight between levels of the function; its slope is the formula of y, kept off the limits."""
    low, high = round(levels[0]), round(levels[-1])

    def function(z: float) -> float:
        if z < points[0] or z > points[-1]:
            return float(low if z < 0.0 else high)
        return float(np.interp(z, points, levels))

    return _activation(name, function, lambda z: slope(function(z)))


_FLOAT = {limit: float(np.float32(limit)) for limit in (0.01, 0.98, 0.99)}  # C's 0.01f


def _sigmoid_slope(y: float) -> float:
    y = min(max(y, _FLOAT[0.01]), _FLOAT[0.99])
    return y * (1.0 - y)


def _tanh_slope(y: float) -> float:
    y = _cut(y, _FLOAT[0.98])
    return 1.0 - y * y


_LEVELS = tuple(float(np.float32(p)) for p in (0.005, 0.05, 0.25, 0.75, 0.95, 0.995))
_SYMMETRIC = tuple(float(np.float32(p)) for p in (-0.99, -0.9, -0.5, 0.5, 0.9, 0.99))
# where tanh is at these levels, as FANN's source has the numbers
_POINTS = (-2.6466524600982666, -1.4722194671630859, -0.5493061542510986,
           0.5493061542510986, 1.4722193479537964, 2.6466524600982666)  # fmt: skip
_ROOT = math.sqrt(2.0 / math.pi)


def _gelu_of_tanh(z: float) -> float:
    return 0.5 * z * (1.0 + math.tanh(_ROOT * (z + 0.044715 * z**3)))


def _gelu_of_tanh_slope(z: float) -> float:
    inner = math.tanh(_ROOT * (z + 0.044715 * z**3))
    return 0.5 * (1.0 + inner) + 0.5 * z * (1.0 - inner * inner) * _ROOT * (1.0 + 3.0 * 0.044715 * z * z)


FOREIGN_ACTIVATIONS = {
    f.name: f
    for f in (
        _leaky(0.1),
        _leaky(0.2),
        _leaky(0.3),
        _activation("gelu by tanh", _gelu_of_tanh, _gelu_of_tanh_slope),
        _activation("relu6", lambda z: min(max(z, 0.0), 6.0), lambda z: 1.0 if 0.0 < z < 6.0 else 0.0),
        _activation(
            "hard_sigmoid with z / 5", lambda z: min(max(0.2 * z + 0.5, 0.0), 1.0), lambda z: 0.2 * (abs(z) < 2.5)
        ),
        _stepwise("FANN's stepwise sigmoid", _LEVELS, tuple(2.0 * p for p in _POINTS), _sigmoid_slope),
        _stepwise("FANN's stepwise tanh", _SYMMETRIC, _POINTS, _tanh_slope),
    )
}
_BUILT_IN = {name: f for name, f in ACTIVATIONS.items() if name not in ("prelu", "step") and f.code < 64}
#: Steepnesses that programs have; FANN's own is 0.5.
STEEPNESSES = (0.5, 2.0, 0.25, 4.0, 0.1, 2.0 / 3.0, 3.0, 10.0)
_STEEP = ("sigmoid", "tanh", "FANN's stepwise sigmoid", "FANN's stepwise tanh")
#: FANN's own: the function, its pieces, f' by y, and what its steepness is multiplied by.
_FANN: dict[str, tuple[Any, str, Callable[[float], float], float]] = {
    "sigmoid": (ACTIVATIONS["sigmoid"].function, "FANN's stepwise sigmoid", _sigmoid_slope, 2.0),
    "tanh": (ACTIVATIONS["tanh"].function, "FANN's stepwise tanh", _tanh_slope, 1.0),
}
_FANN_STEEPNESSES = (0.5, 1.0, 0.25, 0.1, 0.2, 0.7, 0.75, 2.0)
#: Losses that are a factor apart.
_SQUARES = {"half_squared_error", "squared_error", "mean_squared_error"}
#: Losses that are meant where the output is this.
_NATURAL = {"sigmoid": "binary_cross_entropy", "softmax": "cross_entropy", "identity": "half_squared_error"}


def other_losses(passes: Passes) -> Iterator[tuple[str, Passes]]:
    """The same with every other loss."""
    for name, loss in (LOSSES | FOREIGN_LOSSES).items():
        if name != passes.loss.name and not {name, passes.loss.name} <= _SQUARES and not _same_errors(passes, loss):
            yield f"the loss is another: {name}", passes.having(loss=loss)


def _same_errors(passes: Passes, loss: Loss) -> bool:
    """Whether a loss without a form of its own does the same here, as a Huber loss where all errors are small."""
    if loss.fused or passes.loss.fused:
        return False
    pairs = zip(passes.y[passes.outputs].T.tolist(), passes.T.tolist(), strict=True)
    return all(loss.derivative(y, t) == passes.loss.derivative(y, t) for y, t in pairs)


def smoothed(passes: Passes) -> Iterator[tuple[str, Passes]]:
    """Targets wholly replaced by 1/K, or by ½: label smoothing with α goes the part α of the way there."""
    for share in sorted({1.0 / max(2, len(passes.outputs)), 0.5}):
        yield f"labels smoothed towards {share:.6g}", passes.having(T=np.full(passes.T.shape, share))


def other_activations(passes: Passes) -> Iterator[tuple[str, Passes]]:
    """Another function in the hidden neurons, at the output, or everywhere."""
    outputs = {o for o in passes.outputs if not passes.graph.is_input[o]}
    hidden = set(passes.layout.others.tolist()) - outputs
    places = [("hidden neurons are", hidden), ("outputs are", outputs), ("all neurons are", hidden | outputs)]
    places = places if hidden else places[1:2]
    for said, neurons in places:
        for name, f in (_BUILT_IN | FOREIGN_ACTIVATIONS).items():
            if name == "softmax" and (said != "outputs are" or not _may_be_softmax(passes, outputs)):
                continue
            if any(passes.functions[a].name != name for a in neurons):
                yield f"{said} {name}", _with(passes, dict.fromkeys(neurons, f))
            if said == "outputs are" and name in _NATURAL and passes.loss.name != _NATURAL[name]:
                loss = LOSSES[_NATURAL[name]]
                yield f"outputs are {name} with {loss.name}", _with(passes, dict.fromkeys(neurons, f), loss)
        for steepness in STEEPNESSES:
            of_their_own = {a: steep(passes.functions[a], steepness) for a in neurons}
            if any(passes.functions[a].name in ("sigmoid", "tanh", "softplus") for a in neurons):
                yield f"{said} of steepness {steepness:.6g}", _with(passes, of_their_own)
        for name in _STEEP:
            f = (_BUILT_IN | FOREIGN_ACTIVATIONS)[name]
            if any(passes.functions[a].name != name for a in neurons):
                at_half = steep(f, 0.5)
                yield f"{said} {at_half.name}", _with(passes, dict.fromkeys(neurons, at_half))


def _may_be_softmax(passes: Passes, outputs: set[int]) -> bool:
    return len(outputs) > 1 and not outputs & set(passes.graph.sources.tolist())


def _with(passes: Passes, functions: dict[int, Activation], loss: Loss | None = None) -> Passes:
    every = tuple(functions.get(a, f) for a, f in enumerate(passes.functions))
    return passes.having(functions=every, loss=loss or passes.loss)


def as_fann(passes: Passes) -> Iterator[tuple[str, Passes]]:
    """FANN's functions, with its own steepness, derivatives kept off the limits, straight pieces and errors."""
    losses = {"": passes.loss, **{name: loss for name, loss in FOREIGN_LOSSES.items() if "FANN" in name}}
    if not {passes.functions[a].name for a in passes.layout.others.tolist()} & set(_FANN):
        return
    for steepness, in_pieces, (error, loss) in product(_FANN_STEEPNESSES, (False, True), losses.items()):
        functions = [_of_fann(f, steepness, in_pieces) for f in passes.functions]
        said = f"as FANN computes at its steepness {steepness:g}" + (", by straight pieces" if in_pieces else "")
        name = said + (f", {error}" if error else "")
        yield name, _with(passes, {a: functions[a] for a in passes.layout.others.tolist()}, loss)


def _of_fann(f: Activation, steepness: float, in_pieces: bool) -> Activation:
    """Its sigmoid is 1 / (1 + e^(-2sz)), its tanh tanh(sz), everything else f(sz)."""
    if f.name not in _FANN:
        return steep(f, steepness)
    plain, pieces, slope, inner = _FANN[f.name]
    function = FOREIGN_ACTIVATIONS[pieces].function if in_pieces else plain
    own, s = function or plain, inner * steepness
    return _activation(f"FANN's {f.name}", lambda z: own(s * z), lambda z: s * slope(own(s * z)))


def with_steepness(passes: Passes, steepness: float) -> Passes:
    """All neurons but the inputs with f(s z)."""
    return _with(passes, {a: steep(passes.functions[a], steepness) for a in passes.layout.others.tolist()})
