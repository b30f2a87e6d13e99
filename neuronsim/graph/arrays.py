"""The arrays of a graph: neurons by row, edges by sink, delay and source, and how edits change them."""

from bisect import bisect_left, bisect_right
from copy import copy
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuronsim.basics.arrays import Integers, Marks, Reals
from neuronsim.formulas.activations import INITIAL_SLOPE
from neuronsim.graph.edges import Delays, Ends, merge, row_starts, sinks_of, unless_zero
from neuronsim.graph.initialisers import undrawn_mark
from neuronsim.graph.memory import Memory
from neuronsim.graph.rates import Rates

NewNeuron = tuple[int, float, float, float, int]
"""A neuron to be added: its activation's code, bias, slope, leak and what leaks."""


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
        Ascending for each sink and delay.
    weights : array (n_edges,)
        `undrawn_mark` where there is none yet.
    biases, slopes : array (n_neurons,)
    codes : array (n_neurons,)
        Of activations.
    rates : AllRates
    is_input : array (n_neurons,)
        As `Rows` has it after the last merge.
    delays : uint16 array (n_edges,) or None
        Ascending for each sink; None: all 0.
    memory : Memory
        Leaks and initial states.
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
    delays: Delays | None = None
    memory: Memory = None  # type: ignore[assignment]  # left out: nothing is kept from step to step
    may_lack: bool = True

    def __post_init__(self) -> None:
        if self.memory is None:
            self.memory = Memory(len(self.biases), self.weights.dtype)

    @classmethod
    def of(
        cls,
        row_start: ArrayLike,
        sources: ArrayLike,
        codes: ArrayLike,
        weights: Reals,
        biases: ArrayLike = 0.0,
        slopes: ArrayLike = INITIAL_SLOPE,
        delays: Delays | None = None,
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
            delays=unless_zero(delays),
        )

    def copy(self) -> "Arrays":
        """An independent copy; it shares the wiring's arrays."""
        other = copy(self)
        other.weights, other.biases, other.slopes = self.weights.copy(), self.biases.copy(), self.slopes.copy()
        other.rates = AllRates(*(rates.copy() for rates in self.rates))
        other.memory = self.memory.copy()
        return other

    @property
    def ends(self) -> Ends:
        """What the edges are known by."""
        return Ends(self.sources, sinks_of(self.row_start), self.delays)

    def delay(self, edge: int) -> int:
        """The delay of the edge at a position."""
        return 0 if self.delays is None else int(self.delays[edge])

    def position(self, source: int, sink: int, delay: int = 0) -> int | None:
        """Where the edge between two rows that takes so many steps is, or None."""
        if sink >= len(self.row_start) - 1:
            return None
        start, stop = int(self.row_start[sink]), int(self.row_start[sink + 1])
        if self.delays is not None:
            start, stop = (find(self.delays, delay, start, stop) for find in (bisect_left, bisect_right))
        elif delay:
            return None
        at = bisect_left(self.sources, source, start, stop)
        return at if at < stop and self.sources[at] == source else None

    def positions(self, source: int, sink: int) -> list[int]:
        """Where the edges between two rows are, by delay."""
        if self.delays is None or sink >= len(self.row_start) - 1:
            at = self.position(source, sink)
            return [] if at is None else [at]
        start = int(self.row_start[sink])
        found: list[int] = (start + np.flatnonzero(self.sources[start : self.row_start[sink + 1]] == source)).tolist()
        return found

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
        new = [list(values) for values in zip(*added, strict=True)] if added else [[] for _ in range(5)]
        for what, values in zip(("codes", "biases", "slopes"), new, strict=False):
            old = getattr(self, what)
            setattr(self, what, np.append(old, np.array(values, old.dtype))[alive])
        for rates in self.rates[1:]:
            rates.rearrange(np.flatnonzero(alive))
        self.memory.merge(new[3], new[4], alive)

    def merge_edges(self, ends: Ends, weights: Reals, removed: set[int], alive: Marks) -> None:
        """Merge new edges in, in order; drop those at ``removed`` positions, and those of rows that are not alive.

        New weights may be NaN: to be drawn.
        """
        n_rows = len(alive)
        if not (len(ends.sources) or removed) and alive.all():
            rows = np.full(n_rows + 1, len(self.sources), np.int64)
            rows[: len(self.row_start)] = self.row_start
            self.row_start = rows
            return
        missing = np.isnan(weights)
        self.may_lack = self.may_lack or bool(missing.any())
        values = np.where(missing, undrawn_mark(self.weights.dtype), weights.astype(self.weights.dtype))
        if not len(self.sources) and alive.all():
            self.row_start, self.sources = row_starts(ends.sinks, n_rows), ends.sources.astype(np.int32)
            self.delays, self.weights = unless_zero(ends.delays), values
            self.rates.weights.rearrange(np.arange(len(values)))
            return
        gone = np.array(sorted(removed), np.int64)
        added = Ends(ends.sources.astype(np.int32), ends.sinks.astype(np.int32), ends.delays)
        self.row_start, self.sources, self.delays, origin = merge(
            self.row_start, self.sources, self.delays, added, gone, alive
        )
        self.weights = np.append(self.weights, values)[origin]
        self.rates.weights.rearrange(origin)
