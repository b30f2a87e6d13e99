"""What an engine gives back: the signals of one sample, the gradients of many."""

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

__all__ = ["BatchGradients", "Signals"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Signals:
    """z, y and δ of every neuron for one sample, by id; what a forward pass alone does not find is None.

    ``slope_terms`` are ∂L/∂slope of the neurons that learn one, by id.
    """

    z: Array
    y: Array
    delta: Array | None = None
    loss: float | None = None
    slope_terms: Array | None = None


@dataclass(frozen=True, eq=False)
class BatchGradients:
    """Gradients reduced over samples, and each sample's own δ, ∂L/∂x, loss and outputs; z, y where asked for."""

    loss: float
    losses: Array
    weights: Array
    biases: Array
    slopes: Array
    delta: Array
    inputs: Array
    outputs: Array
    z: Array | None = None
    y: Array | None = None
    slope_terms: Array | None = None
