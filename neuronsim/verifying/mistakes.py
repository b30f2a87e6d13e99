"""The catalogue of known mistakes: variants of the backward pass, each with one thing wrong."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from neuronsim.formulas.activations import ACTIVATIONS, Activation

Slope = Callable[[Activation, float, float, float], float]  # (f, z, y, prelu slope) → what is used for f'


def derivative(f: Activation, z: float, y: float, slope: float) -> float:
    """f'(z), as it should be."""
    return 1.0 if f.derivative is None else f.derivative(z, slope)


def missing(f: Activation, z: float, y: float, slope: float) -> float:
    """1: f' left out."""
    return 1.0


def of_activated(f: Activation, z: float, y: float, slope: float) -> float:
    """f'(y): a function that takes z, given y."""
    return 1.0 if f.derivative is None else f.derivative(y, slope)


def output_formula_of_z(f: Activation, z: float, y: float, slope: float) -> float:
    """y(1 - y) and 1 - y², but given z."""
    formulas: dict[str, float] = {"sigmoid": z * (1.0 - z), "tanh": 1.0 - z * z}
    return formulas.get(f.name, derivative(f, z, y, slope))


_LOW, _HIGH, _HIGHEST = (float(np.float32(limit)) for limit in (0.01, 0.99, 0.98))  # C's 0.01f


def fanns_sigmoid_slope(y: float) -> float:
    """FANN's y(1 - y), with y no nearer than 0.01 to its limits."""
    y = min(max(y, _LOW), _HIGH)
    return y * (1.0 - y)


def fanns_tanh_slope(y: float) -> float:
    """FANN's 1 - y², with y no nearer than 0.02 to its limits."""
    y = min(max(y, -_HIGHEST), _HIGHEST)
    return 1.0 - y * y


def of_clipped_output(f: Activation, z: float, y: float, slope: float) -> float:
    """FANN's f', which stays above 0."""
    formulas = {"sigmoid": fanns_sigmoid_slope, "tanh": fanns_tanh_slope}
    return formulas[f.name](y) if f.name in formulas else derivative(f, z, y, slope)


def _formula_of_y(formula: Callable[[float], float]) -> Slope:
    return lambda f, z, y, slope: formula(y)


def _of_another(other: Activation) -> Slope:
    return lambda f, z, y, slope: derivative(other, z, y, slope)


class Variant(NamedTuple):
    """How a program computes its gradient; the defaults are right."""

    hidden: Slope = derivative
    output: Slope = derivative
    twice: bool = False  # f' once more where the loss's own δ is already y - t
    back: str = "old"  # the weights that carry δ back: old, updated, ones or transposed
    carried: str = "delta"  # what they carry: δ, or the error ∂L/∂y
    signal: str = "y"  # what δ is multiplied with: y or z of the source

    def with_(self, other: "Variant") -> "Variant | None":
        """Both at once, or None where they are about the same thing."""
        pairs = zip(self._fields, other, RIGHT_VARIANT, strict=True)
        changes: dict[str, Any] = {name: new for name, new, right in pairs if new != right}
        taken = any(getattr(self, name) != getattr(RIGHT_VARIANT, name) for name in changes)
        return None if taken else self._replace(**changes)


RIGHT_VARIANT = Variant()
MISTAKES: dict[str, Variant] = {
    "hidden deltas from updated weights": Variant(back="updated"),
    "derivative missing (hidden)": Variant(hidden=missing),
    "derivative missing at the output": Variant(output=missing),
    "derivative missing everywhere": Variant(hidden=missing, output=missing),
    "derivative of an already activated value": Variant(hidden=of_activated, output=of_activated),
    "derivative's formula for y given z": Variant(hidden=output_formula_of_z, output=output_formula_of_z),
    "derivative once too often at the output": Variant(twice=True),
    "weights missing in the hidden deltas": Variant(back="ones"),
    "errors instead of deltas carried back": Variant(carried="error"),
    "delta times z instead of y of the source": Variant(signal="z"),
}

# What stands for f' in programs, whatever f is; the name of the activation for which it would be right.
_OTHER_SLOPES: dict[str, tuple[str, Slope]] = {
    "y(1 - y)": ("sigmoid", _formula_of_y(lambda y: y * (1.0 - y))),
    "1 - y²": ("tanh", _formula_of_y(lambda y: 1.0 - y * y)),
    "of sigmoid at z": ("sigmoid", _of_another(ACTIVATIONS["sigmoid"])),
    "of tanh at z": ("tanh", _of_another(ACTIVATIONS["tanh"])),
    "of relu": ("relu", _of_another(ACTIVATIONS["relu"])),
    "of leaky_relu": ("leaky_relu", _of_another(ACTIVATIONS["leaky_relu"])),
}


def _by_place(name: str, slope: Slope) -> dict[str, Variant]:
    """The same slope in all neurons, in the hidden ones, or at the output."""
    return {
        f"{name} everywhere": Variant(hidden=slope, output=slope),
        f"{name} (hidden)": Variant(hidden=slope),
        f"{name} at the output": Variant(output=slope),
    }


#: Derivatives that belong to another function, and halves of the mistakes above: tried where none of those fits.
OTHER_DERIVATIVES: dict[str, Variant] = {
    **{
        name: variant
        for called, (_, slope) in _OTHER_SLOPES.items()
        for name, variant in _by_place(f"another function's derivative, {called},", slope).items()
    },
    **_by_place("derivative of y kept off its limits, as FANN does,", of_clipped_output),
    "derivative of an already activated value (hidden)": Variant(hidden=of_activated),
    "derivative of an already activated value at the output": Variant(output=of_activated),
    "derivative's formula for y given z (hidden)": Variant(hidden=output_formula_of_z),
    "derivative's formula for y given z at the output": Variant(output=output_formula_of_z),
    "the way back through transposed weights": Variant(back="transposed"),
}
#: For which activations a slope is the right one, or says nothing of its own.
RIGHT_FOR: dict[Slope, str] = {slope: name for name, slope in _OTHER_SLOPES.values()}
#: Slopes that differ from f' for these activations alone.
ONLY_FOR: dict[Slope, frozenset[str]] = {
    output_formula_of_z: frozenset({"sigmoid", "tanh"}),
    of_clipped_output: frozenset({"sigmoid", "tanh"}),
}
