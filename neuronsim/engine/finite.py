"""The first value that is not finite: of all signals of some samples, of all parameters."""

from typing import NamedTuple

import numpy as np

from neuronsim.basics.arrays import Array
from neuronsim.graph.graph import Graph
from neuronsim.graph.parameters import ARRAYS, ParameterRef
from neuronsim.kernels.arguments import Parameters


class NotFinite(NamedTuple):
    """A signal that is not finite; the least of several is the one that was computed first.

    Attributes
    ----------
    turn : pair of int
        When it was computed: 0 on the way forward, 1 the loss, 2 on the way back; and the place on that way.
    row : int
        Which of the samples.
    what : {"z", "y", "loss", "delta"}
    neuron : int or None
        None of the loss.
    value : float
    """

    turn: tuple[int, int]
    row: int
    what: str
    neuron: int | None
    value: float


def first_signal(order: Array, z: Array, y: Array, losses: Array, delta: Array) -> NotFinite | None:
    """The first z or y in running order, else the first loss, else the first δ on the way back, that is not finite.

    ``order`` (n_neurons,) has the ids in running order; z, y and δ are (n_samples, n_neurons), losses (n_samples,).
    """
    finite_z = np.isfinite(z)
    for turn, ids, finite in (
        (0, order, finite_z & np.isfinite(y)),
        (1, np.zeros(1, np.int64), np.isfinite(losses)[:, None]),
        (2, order[::-1], np.isfinite(delta)),
    ):
        bad: Array = np.logical_not(np.all(finite, axis=0))[ids]
        if not bad.any():
            continue
        place = int(bad.argmax())
        neuron = int(ids[place])
        row = int(finite[:, neuron].argmin())
        if turn == 1:
            return NotFinite((turn, place), row, "loss", None, float(losses[row]))
        what, values = ("delta", delta) if turn == 2 else ("y", y) if finite_z[row, neuron] else ("z", z)
        return NotFinite((turn, place), row, what, neuron, float(values[row, neuron]))
    return None


def first_parameter(graph: Graph, parameters: Parameters) -> ParameterRef | None:
    """Of the neuron with the lowest id that has one: a weight into it, else its bias, else its slope."""
    found = [
        ParameterRef(array, int(finite.argmin()))
        for array, values in zip(ARRAYS, parameters, strict=True)
        if not (finite := np.isfinite(values)).all()
    ]
    return min(found, key=lambda ref: ref.sink(graph), default=None)
