"""Edits that wait: neurons and edges are checked when they are given, and merged when an array is asked for.

A network can so be wired edge by edge in time proportional to the number of edits.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.arrays import Integers, Reals
from neuronsim.errors import CycleError, WiringError
from neuronsim.graph.arrays import Arrays, NewNeuron
from neuronsim.graph.edges import duplicate, search, sort
from neuronsim.graph.names import valid_name
from neuronsim.graph.selection import Rows

_MOST_NEURONS = 2**31 - 2
# Edges that wait for a merge in a dict before it pays to merge them anyway.
_MOST_PENDING = 100_000
# Arrays of edges from here on, and above a quarter of what is there, are merged at once.
_BULK = 1_000


def arrow(source: str, sink: str) -> str:
    """An edge in a message."""
    return f"{source!r} → {sink!r}"


def check_not_itself(name: str, sources: object) -> None:
    """Raise CycleError if a new neuron is named among its own sources."""
    names = (sources,) if isinstance(sources, str) else sources
    if isinstance(names, (Mapping, list, tuple, set, frozenset)) and name in names:
        raise _feeds_itself(name)


def _feeds_itself(name: str) -> CycleError:
    return CycleError(f"{name!r} would feed itself: {name} → {name}")


class Edits:
    """Edits that wait to be merged into ``arrays``; ``rows`` count neurons that wait already."""

    def __init__(self, arrays: Arrays, rows: Rows) -> None:
        self._arrays = arrays
        self._rows = rows
        self._begun = False
        self._neurons: list[NewNeuron] = []
        self._edges: dict[int, float] = {}  # sink << 32 | source → weight, NaN: to be drawn
        self._removed: set[int] = set()  # positions of edges

    @property
    def n_edges(self) -> int:
        """How many edges there will be, those of neurons that go included."""
        return len(self._arrays.sources) - len(self._removed) + len(self._edges)

    def begin(self) -> None:
        """Begin an edit that has been checked."""
        if not self._begun:
            self._arrays.make_stale()
        self._begun = True

    # ── checks ──

    def check_free(self, name: object) -> str:
        """``name``, or WiringError if a new neuron can't be called so."""
        checked = valid_name(name)
        if self._rows.named(checked) is not None:
            raise WiringError(f"there is a neuron {checked!r} already; names are unique")
        return checked

    def check_room(self, n: int) -> None:
        """Raise WiringError unless there is room for n more neurons."""
        if len(self._rows.names) + n > _MOST_NEURONS:
            raise WiringError(f"a network holds at most {_MOST_NEURONS} neurons")

    def check_distinct(self, sources: Integers, sink: str) -> None:
        """Raise WiringError if a new neuron lists a source twice."""
        if len(sources) > 1:
            ordered = np.sort(sources)
            twice = ordered[:-1][ordered[1:] == ordered[:-1]]
            if len(twice):
                raise WiringError(f"the edge {arrow(self._rows.names.name(int(twice[0])), sink)} is given twice")

    def check_edge(self, source: int, sink: int) -> None:
        """Raise WiringError unless there may be a new edge between two rows."""
        if source != sink and not self._is_input(sink) and not self.has(source, sink):
            return
        ends = [self._rows.names.name(row) for row in (source, sink)]
        if source == sink:
            raise _feeds_itself(ends[1])
        if self._is_input(sink):
            raise WiringError(f"{ends[1]!r} is an input: no edge can lead to it, and {ends[0]!r} should")
        raise WiringError(f"there is an edge {arrow(*ends)} already; net{ends}.weight = … changes it")

    def check_edges(
        self, sources: Integers, sinks: Integers, weights: Reals | None
    ) -> tuple[Integers, Integers, Reals | None]:
        """The edges in order, after raising WiringError if one cannot be."""
        for bad in (sources == sinks, self._are_inputs()[sinks]):
            if bad.any():
                first = int(np.argmax(bad))
                self.check_edge(int(sources[first]), int(sinks[first]))
        sources, sinks, weights = sort(sources, sinks, weights)
        twice = duplicate(sources, sinks)
        if twice is not None:
            ends = (self._rows.names.name(int(row[twice])) for row in (sources, sinks))
            raise WiringError(f"the edge {arrow(*ends)} is given twice")
        for k in self._suspects(sources, sinks):
            self.check_edge(int(sources[k]), int(sinks[k]))
        return sources.astype(np.int64), sinks.astype(np.int64), weights

    def _suspects(self, sources: Integers, sinks: Integers) -> list[int]:
        """Which of the edges are among those merged or waiting; they may wait to be removed, too."""
        arrays = self._arrays
        merged = np.flatnonzero(sinks < len(arrays.row_start) - 1)
        _, there = search(arrays.row_start, arrays.sources, sources[merged], sinks[merged])
        suspects: list[int] = merged[there].tolist()
        if self._edges:
            keys = (np.asarray(sinks, np.int64) << 32 | sources).tolist()
            suspects += [k for k, key in enumerate(keys) if key in self._edges]
        return suspects

    def _are_inputs(self) -> NDArray[np.bool_]:
        return np.append(self._arrays.is_input, np.array([new.is_input for new in self._neurons], np.bool_))

    def _is_input(self, row: int) -> bool:
        n = len(self._arrays.is_input)
        return bool(self._arrays.is_input[row]) if row < n else self._neurons[row - n].is_input

    def has(self, source: int, sink: int) -> bool:
        """Whether there is an edge between two rows."""
        return (sink << 32 | source) in self._edges or self._position(source, sink) is not None

    def _position(self, source: int, sink: int) -> int | None:
        """Where the merged edges hold this one; None also where it waits to be removed or added."""
        at = self._arrays.position(source, sink)
        return None if at in self._removed else at

    # ── edits ──

    def add_neuron(self, name: str, neuron: NewNeuron) -> int:
        """Add a neuron and return its row."""
        self._neurons.append(neuron)
        row = self._rows.names.append(name)
        if neuron.is_input:
            self._rows.inputs.append(row)
        return row

    def add_edge(self, source: int, sink: int, weight: float) -> None:
        """Add an edge between two rows; a weight of NaN is to be drawn."""
        self._edges[sink << 32 | source] = weight

    def add_edges(self, sources: Integers, sinks: Integers, weights: Reals | None) -> None:
        """Add edges between rows; weights that are None or NaN are to be drawn."""
        k = len(sources)
        if k >= _BULK and 4 * k >= len(self._arrays.sources):
            sources, sinks, weights = sort(sources, sinks, weights)
            alive = np.ones(len(self._rows.names), np.bool_)
            if self._edges or self._removed:
                self._merge(*self._waiting(), alive)
            self._merge(sources, sinks, np.full(k, math.nan) if weights is None else weights, alive)
            return
        keys = (sinks << 32 | sources).tolist()
        self._edges.update(zip(keys, [math.nan] * k if weights is None else weights.tolist(), strict=True))

    def remove_edge(self, source: int, sink: int) -> None:
        """Remove an edge that is there."""
        at = self._position(source, sink)
        if at is not None:
            self._removed.add(at)
        self._edges.pop(sink << 32 | source, None)

    def remove_edges(self, positions: Integers) -> None:
        """Remove edges, all edits being merged."""
        self._removed.update(positions.tolist())

    # ── merging ──

    def settle(self) -> None:
        """Merge when so many edits wait that it pays."""
        if len(self._edges) > max(_MOST_PENDING, len(self._arrays.sources) // 2):
            self.merge()

    def merge(self) -> None:
        """Merge all edits, so that rows are ids and all arrays canonical; does nothing if there are none."""
        if self._begun:
            self._merge(*self._waiting(), self._rows.alive())
            self._rows.close_up()
            self._begun = False

    def _waiting(self) -> tuple[Integers, Integers, Reals]:
        """Sources, sinks and weights of the edges that wait, in order."""
        keys = np.fromiter(self._edges.keys(), np.int64, len(self._edges))
        weights = np.fromiter(self._edges.values(), np.float64, len(keys))
        order = np.argsort(keys)
        keys = keys[order]
        return keys & 0xFFFFFFFF, keys >> 32, weights[order]

    def _merge(self, sources: Integers, sinks: Integers, weights: Reals, alive: NDArray[np.bool_]) -> None:
        """Merge neurons and removals that wait, and the given new edges; rows that are not alive go."""
        self._arrays.merge_neurons(self._neurons, alive)
        self._arrays.merge_edges(sources, sinks, weights, self._removed, alive)
        self._neurons.clear()
        self._removed.clear()
        self._edges.clear()
