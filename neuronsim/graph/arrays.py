"""The arrays of a graph: neurons by row, edges by sink, then source, and how edits change them."""

from bisect import bisect_left
from copy import copy
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuronsim.basics.arrays import Integers, Marks, Reals
from neuronsim.formulas.activations import INITIAL_SLOPE
from neuronsim.graph.edges import merge, row_starts
from neuronsim.graph.initialisers import undrawn_mark
from neuronsim.graph.rates import Rates

NewNeuron = tuple[int, float, float]
"""A neuron to be added: its activation's code, bias and slope."""


class AllRates(NamedTuple):
    """Learning-rate factors and freeze marks of every kind of parameter."""

    weights: Rates
    biases: Rates
    slopes: Rates


@dataclass(eq=False)
class Arrays:
    """What a graph holds once edits are merged. The wiring's arrays are replaced, never written into.

    Attributes
    ----------
    row_start : array (n_neurons + 1,)
        Where the edges into each neuron start.
    sources : array (n_edges,)
        Ascending for each sink.
    weights : array (n_edges,)
        `undrawn_mark` where there is none yet.
    biases, slopes : array (n_neurons,)
    codes : array (n_neurons,)
        Of activations.
    rates : AllRates
    is_input : array (n_neurons,)
        As `Rows` has it after the last merge.
    may_lack : bool
        Whether some weights may not be drawn yet.
    """

    row_start: Integers
    sources: NDArray[np.int32]
    weights: Reals
    biases: Reals
    slopes: Reals
    codes: NDArray[np.int16]
    rates: AllRates
    is_input: Marks = field(default_factory=lambda: np.empty(0, np.bool_))
    may_lack: bool = True

    @classmethod
    def of(
        cls,
        row_start: ArrayLike,
        sources: ArrayLike,
        codes: ArrayLike,
        weights: Reals,
        biases: ArrayLike = 0.0,
        slopes: ArrayLike = INITIAL_SLOPE,
    ) -> "Arrays":
        """Those of edges in order, nothing frozen and no inputs yet; it takes the weights over.

        One value may stand for all neurons; the dtype is that of the weights.
        """
        starts, dtype = np.ascontiguousarray(row_start, np.int64), weights.dtype
        n = len(starts) - 1
        return cls(
            starts,
            np.ascontiguousarray(sources, np.int32),
            weights,
            np.full(n, biases, dtype),
            np.full(n, slopes, dtype),
            np.full(n, codes, np.int16),
            AllRates(Rates(len(weights), dtype), Rates(n, dtype), Rates(n, dtype)),
        )

    def copy(self) -> "Arrays":
        """An independent copy; it shares the wiring's arrays."""
        other = copy(self)
        other.weights, other.biases, other.slopes = self.weights.copy(), self.biases.copy(), self.slopes.copy()
        other.rates = AllRates(*(rates.copy() for rates in self.rates))
        return other

    def position(self, source: int, sink: int) -> int | None:
        """Where the edge between two rows is, or None."""
        if sink >= len(self.row_start) - 1:
            return None
        start, stop = int(self.row_start[sink]), int(self.row_start[sink + 1])
        at = bisect_left(self.sources, source, start, stop)
        return at if at < stop and self.sources[at] == source else None

    def make_stale(self) -> None:
        """Arrays of parameters given out so far become read-only, so that a stale write raises; go on with others."""
        for what in ("weights", "biases", "slopes"):
            given_out = getattr(self, what)
            setattr(self, what, given_out.view())
            given_out.flags.writeable = False

    def merge_neurons(self, added: list[NewNeuron], alive: Marks) -> None:
        """Append neurons, then keep the rows that are ``alive``, shape (n_rows,), new ones included."""
        if not added and alive.all():
            return
        new = zip(*added, strict=True) if added else ((),) * 3
        for what, values in zip(("codes", "biases", "slopes"), new, strict=True):
            old = getattr(self, what)
            setattr(self, what, np.append(old, np.array(values, old.dtype))[alive])
        for rates in self.rates[1:]:
            rates.rearrange(np.flatnonzero(alive))

    def merge_edges(self, sources: Integers, sinks: Integers, weights: Reals, removed: set[int], alive: Marks) -> None:
        """Merge new edges in, in order; drop those at ``removed`` positions, and those of rows that are not alive.

        New weights may be NaN: to be drawn.
        """
        n_rows = len(alive)
        if not (len(sources) or removed) and alive.all():
            rows = np.full(n_rows + 1, len(self.sources), np.int64)
            rows[: len(self.row_start)] = self.row_start
            self.row_start = rows
            return
        missing = np.isnan(weights)
        self.may_lack = self.may_lack or bool(missing.any())
        values = np.where(missing, undrawn_mark(self.weights.dtype), weights.astype(self.weights.dtype))
        if not len(self.sources) and alive.all():
            self.row_start, self.sources, self.weights = row_starts(sinks, n_rows), sources.astype(np.int32), values
            self.rates.weights.rearrange(np.arange(len(values)))
            return
        gone = np.array(sorted(removed), np.int64)
        added = sources.astype(np.int32), sinks.astype(np.int32)
        self.row_start, self.sources, origin = merge(self.row_start, self.sources, added, gone, alive)
        self.weights = np.append(self.weights, values)[origin]
        self.rates.weights.rearrange(origin)
