"""The catalogue of known mistakes: variants of the backward pass, each with one thing wrong."""

from collections.abc import Callable
from typing import NamedTuple

from neuronsim.formulas.activations import Activation

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


class Variant(NamedTuple):
    """How a program computes its gradient; the defaults are right."""

    hidden: Slope = derivative
    output: Slope = derivative
    twice: bool = False  # f' once more where the loss's own δ is already y - t
    back: str = "old"  # the weights that carry δ back: old, updated or ones
    signal: str = "y"  # what δ is multiplied with: y or z of the source


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
    "delta times z instead of y of the source": Variant(signal="z"),
}
