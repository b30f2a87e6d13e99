"""The arrays of a graph: neurons by row, edges by sink, then source, and how edits change them."""

from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.arrays import Integers, Marks, Reals
from neuronsim.graph.edges import merge, row_starts
from neuronsim.graph.initialisers import undrawn_mark
from neuronsim.graph.rates import Rates


class NewNeuron(NamedTuple):
    """A neuron to be added."""

    code: int
    bias: float
    slope: float
    is_input: bool


class AllRates(NamedTuple):
    """Learning-rate factors and freeze marks of every kind of parameter."""

    weights: Rates
    biases: Rates
    slopes: Rates

    @classmethod
    def of(cls, n_edges: int, n_neurons: int, dtype: np.dtype[np.floating]) -> "AllRates":
        """Factors of 1, nothing frozen."""
        return cls(Rates(n_edges, dtype), Rates(n_neurons, dtype), Rates(n_neurons, dtype))


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
    is_input : array (n_neurons,)
    rates : AllRates
    may_lack : bool
        Whether some weights may not be drawn yet.
    """

    row_start: Integers
    sources: NDArray[np.int32]
    weights: Reals
    biases: Reals
    slopes: Reals
    codes: NDArray[np.int16]
    is_input: Marks
    rates: AllRates
    may_lack: bool = False

    @classmethod
    def empty(cls, dtype: np.dtype[np.floating]) -> "Arrays":
        """The arrays of no neurons and no edges."""
        weights, biases, slopes = (np.empty(0, dtype) for _ in range(3))
        row_start, sources = np.zeros(1, np.int64), np.empty(0, np.int32)
        codes, is_input = np.empty(0, np.int16), np.empty(0, np.bool_)
        return cls(row_start, sources, weights, biases, slopes, codes, is_input, AllRates.of(0, 0, dtype))

    def copy(self) -> "Arrays":
        """An independent copy; it shares the wiring's arrays."""
        parameters = {what: getattr(self, what).copy() for what in ("weights", "biases", "slopes")}
        return replace(self, **parameters, rates=AllRates(*(rates.copy() for rates in self.rates)))

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
        new = zip(*added, strict=True) if added else ((),) * 4
        for what, values in zip(("codes", "biases", "slopes", "is_input"), new, strict=True):
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
