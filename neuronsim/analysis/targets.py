"""What targets tell by themselves: which ones the outputs cannot give, and what always answering their mean costs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.arrays import Array
from neuronsim.basics.spread import evenly_spread
from neuronsim.basics.words import counted
from neuronsim.documents.notation import number
from neuronsim.engine.border import desired
from neuronsim.formulas import activations
from neuronsim.formulas.losses import Loss
from neuronsim.graph.graph import Graph

# So much of its range may a target lie outside before it counts: digits that were lost on the way.
_SLACK = 1e-6
# The loss is measured on so many samples at most, evenly spread: plain Python, 4 µs each.
_MOST_MEASURED = 10_000
_NAMES = 5


@dataclass(frozen=True)
class Unreachable:
    """Outputs of one activation that cannot give some of their targets.

    Attributes
    ----------
    outputs : tuple of str
    activation : str
    limits : pair of float
        What it gives at least and at most.
    span : pair of float
        The least and the largest of the targets.
    n_samples, n_all : int
        How many samples have such a target, of how many.
    """

    outputs: tuple[str, ...]
    activation: str
    limits: tuple[float, float]
    span: tuple[float, float]
    n_samples: int
    n_all: int

    def __str__(self) -> str:
        names = ", ".join(self.outputs[:_NAMES])
        more = f" and {len(self.outputs) - _NAMES:,} more" if len(self.outputs) > _NAMES else ""
        which = f"output {names} is" if len(self.outputs) == 1 else f"outputs {names}{more} are"
        low, high = self.limits
        gives = f"{number(low, 5)} to {number(high, 5)}" if np.isfinite(high) else f"{number(low, 5)} or more"
        least, most = (number(value, 4) for value in self.span)
        return (
            f"{which} {self.activation}, which gives {gives}, and targets go from {least} to {most}: "
            f"{counted(self.n_samples, 'sample')} of {self.n_all:,} cannot be met"
        )


ADVICE_UNREACHABLE = "output='identity' where the net is wired, or targets scaled into that range"


def unreachable(graph: Graph, T: NDArray[np.generic]) -> list[Unreachable]:
    """The outputs whose targets lie outside what their activation can give, by activation; none of class numbers."""
    if T.ndim != 2:
        return []
    by_code: dict[int, list[int]] = {}
    for column, output in enumerate(graph.outputs.tolist()):
        if not graph.is_input[output]:
            by_code.setdefault(int(graph.activation_codes[output]), []).append(column)
    found = []
    for code, columns in by_code.items():
        activation = activations.by_code(code)
        low, high = activation.limits
        if not np.isfinite(low) and not np.isfinite(high):
            continue
        wanted = np.asarray(T[:, columns], np.float64)
        outside = (wanted < low - _SLACK) | (wanted > high + _SLACK)
        there = np.flatnonzero(outside.any(axis=0)).tolist()
        if there:
            names = tuple(graph.name(int(graph.outputs[columns[k]])) for k in there)
            span = float(wanted[:, there].min()), float(wanted[:, there].max())
            n = int(np.count_nonzero(outside.any(axis=1)))
            found.append(Unreachable(names, activation.name, activation.limits, span, n, len(T)))
    return found


def loss_of_the_mean(T: Array, loss: Loss, n_outputs: int) -> float:
    """The mean loss of a network that answers every sample with the mean of all targets.

    Parameters
    ----------
    T : array (n_samples, n_outputs) or (n_samples,)
        Targets, or class numbers.
    loss : Loss
    n_outputs : int
    """
    wanted = desired(T, n_outputs)
    mean = wanted.mean(axis=0).tolist()
    rows = wanted[evenly_spread(len(wanted), _MOST_MEASURED)]
    distinct, counts = np.unique(rows, axis=0, return_counts=True)
    each = [loss.value(mean, row) for row in distinct.tolist()]
    return float(np.dot(each, counts) / len(rows))


def is_worse_than_the_mean(loss: float, of_the_mean: float) -> bool:
    """Whether a network has learned less than the mean of its targets, beyond rounding."""
    return of_the_mean > 0.0 and loss > 1.05 * of_the_mean
