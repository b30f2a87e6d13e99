"""Edits that wait: neurons and edges are checked when they are given, and merged when an array is asked for.

A network can so be wired edge by edge in time proportional to the number of edits.
"""

import math
from collections.abc import Iterable, Mapping

import numpy as np

from neuronsim.basics.arrays import Integers, Marks, Reals
from neuronsim.errors import CycleError, WiringError
from neuronsim.graph.arrays import Arrays, NewNeuron
from neuronsim.graph.edges import Delays, Ends, blocks, duplicate, search, sort
from neuronsim.graph.names import Names, valid_name
from neuronsim.graph.selection import Rows

_MOST_NEURONS = 2**31 - 2
# Edges that wait for a merge in a dict before it pays to merge them anyway.
_MOST_PENDING = 100_000
# Arrays of edges from here on, and above a quarter of what is there, are merged at once.
_BULK = 1_000


def arrow(source: str, sink: str, delay: int = 0) -> str:
    """An edge in a message."""
    return f"{source!r} → {sink!r}" + (f" of delay {delay}" if delay else "")


def check_not_itself(name: str, sources: object) -> None:
    """Raise CycleError if a new neuron is named among its own sources, without a delay."""
    names = (sources,) if isinstance(sources, str) else sources
    if isinstance(names, (Mapping, list, tuple, set, frozenset)) and name in names:
        raise _feeds_itself(name)


def _feeds_itself(name: str) -> CycleError:
    return CycleError(f"{name!r} would feed itself within a step: {name} → {name}; give this edge delay=1")


def _leads_into_input(source: str, sink: str) -> WiringError:
    return WiringError(f"{sink!r} is an input: no edge can lead to it, and {source!r} should")


def ordered(ends: Ends, weights: Reals | None, is_input: Marks, names: Names) -> tuple[Ends, Reals | None]:
    """New edges in order; or WiringError for one into an input, one given twice, or one from a neuron to itself.

    With a delay an edge may lead from a neuron to itself.
    """
    for block in blocks(len(ends.sinks)):
        sources, sinks, delays = ends.at(block)
        loops, into_input = sources == sinks, is_input[sinks]
        if delays is not None:
            loops &= delays == 0
        if loops.any():
            raise _feeds_itself(names.name(int(sinks[np.argmax(loops)])))
        if into_input.any():
            first = int(np.argmax(into_input))
            raise _leads_into_input(names.name(int(sources[first])), names.name(int(sinks[first])))
    ends, weights = sort(ends, weights)
    twice = duplicate(ends)
    if twice is not None:
        source, sink = (names.name(int(row[twice])) for row in (ends.sources, ends.sinks))
        raise WiringError(f"the edge {arrow(source, sink, ends.delay(twice))} is given twice")
    return ends, weights


class Edits:
    """Edits that wait to be merged into ``arrays``; ``rows`` count neurons that wait already."""

    def __init__(self, arrays: Arrays, rows: Rows) -> None:
        self._arrays = arrays
        self._rows = rows
        self._begun = False
        self._neurons: list[NewNeuron] = []
        # by delay: sink << 32 | source → weight, NaN: to be drawn
        self._edges: dict[int, dict[int, float]] = {0: {}}
        self._removed: set[int] = set()  # positions of edges

    @property
    def n_edges(self) -> int:
        """How many edges there will be, those of neurons that go included."""
        return len(self._arrays.sources) - len(self._removed) + self._n_waiting

    @property
    def _n_waiting(self) -> int:
        """How many edges wait."""
        at_once = len(self._edges[0])
        return at_once if len(self._edges) == 1 else sum(map(len, self._edges.values()))

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

    def check_distinct(self, sources: Integers, delays: Delays | None, sink: str) -> None:
        """Raise WiringError if a new neuron lists a source twice, with the same delay."""
        if len(sources) > 1:
            keys = sources if delays is None else delays.astype(np.int64) << 32 | sources
            ascending = np.sort(keys)
            twice = ascending[:-1][ascending[1:] == ascending[:-1]]
            if len(twice):
                delay, row = divmod(int(twice[0]), 1 << 32)
                source = self._rows.names.name(row) if row < len(self._rows.names) else sink
                raise WiringError(f"the edge {arrow(source, sink, delay)} is given twice")

    def check_edge(self, source: int, sink: int, delay: int = 0) -> None:
        """Raise WiringError unless there may be a new edge between two rows."""
        into_input, loop = sink in self._rows.inputs, source == sink and not delay
        if not loop and not into_input and not self.has(source, sink, delay):
            return
        ends = [self._rows.names.name(row) for row in (source, sink)]
        if loop:
            raise _feeds_itself(ends[1])
        if into_input:
            raise _leads_into_input(*ends)
        edge, given = arrow(ends[0], ends[1], delay), ", ".join([*map(repr, ends), *([str(delay)] if delay else [])])
        raise WiringError(f"there is an edge {edge} already; net[{given}].weight = … changes it")

    def check_edges(self, ends: Ends, weights: Reals | None) -> tuple[Ends, Reals | None]:
        """The edges in order, after raising WiringError if one cannot be."""
        ends, weights = ordered(ends, weights, self._rows.are_inputs(), self._rows.names)
        for k in self._suspects(ends):
            self.check_edge(int(ends.sources[k]), int(ends.sinks[k]), ends.delay(k))
        return Ends(ends.sources.astype(np.int64), ends.sinks.astype(np.int64), ends.delays), weights

    def _suspects(self, ends: Ends) -> list[int]:
        """Which of the edges are among those merged or waiting; they may wait to be removed, too."""
        arrays = self._arrays
        merged = np.flatnonzero(ends.sinks < len(arrays.row_start) - 1)
        _, there = search(arrays.row_start, arrays.sources, arrays.delays, ends.at(merged))
        suspects: list[int] = merged[there].tolist()
        if self._n_waiting:
            keys = (np.asarray(ends.sinks, np.int64) << 32 | ends.sources).tolist()
            suspects += [k for k, key in enumerate(keys) if key in self._edges.get(ends.delay(k), ())]
        return suspects

    def delays_between(self, source: int, sink: int) -> list[int]:
        """The delays of the edges between two rows."""
        arrays, key = self._arrays, sink << 32 | source
        merged = [arrays.delay(at) for at in arrays.positions(source, sink) if at not in self._removed]
        return merged + [delay for delay, edges in self._edges.items() if key in edges]

    def has(self, source: int, sink: int, delay: int = 0) -> bool:
        """Whether there is an edge between two rows that takes so many steps."""
        waits = (sink << 32 | source) in self._edges.get(delay, ())
        return waits or self._position(source, sink, delay) is not None

    def _position(self, source: int, sink: int, delay: int) -> int | None:
        """Where the merged edges hold this one; None also where it waits to be removed or added."""
        at = self._arrays.position(source, sink, delay)
        return None if at in self._removed else at

    # ── edits ──

    def add_neuron(self, name: str, neuron: NewNeuron, is_input: bool) -> int:
        """Add a neuron and return its row."""
        self._neurons.append(neuron)
        row = self._rows.names.append(name)
        if is_input:
            self._rows.inputs[row] = None
        return row

    def add_edge(self, source: int, sink: int, weight: float, delay: int = 0) -> None:
        """Add an edge between two rows; a weight of NaN is to be drawn."""
        self._edges.setdefault(delay, {})[sink << 32 | source] = weight

    def add_edges(self, ends: Ends, weights: Reals | None) -> None:
        """Add edges between rows; weights that are None or NaN are to be drawn."""
        k = len(ends.sources)
        if k >= _BULK and 4 * k >= len(self._arrays.sources):
            ends, weights = sort(ends, weights)
            alive = np.ones(len(self._rows.names), np.bool_)
            if self._n_waiting or self._removed:
                self._merge(*self._waiting(), alive)
            self._merge(ends, np.full(k, math.nan) if weights is None else weights, alive)
            return
        if ends.delays is None:
            self._wait(ends, weights, 0)
            return
        for delay in np.unique(ends.delays).tolist():
            chosen = ends.delays == delay
            self._wait(ends.at(chosen), None if weights is None else weights[chosen], delay)

    def _wait(self, ends: Ends, weights: Reals | None, delay: int) -> None:
        keys = (ends.sinks << 32 | ends.sources).tolist()
        values = [math.nan] * len(keys) if weights is None else weights.tolist()
        self._edges.setdefault(delay, {}).update(zip(keys, values, strict=True))

    def remove_edge(self, source: int, sink: int, delay: int = 0) -> None:
        """Remove an edge that is there."""
        at = self._position(source, sink, delay)
        if at is not None:
            self._removed.add(at)
        self._edges.get(delay, {}).pop(sink << 32 | source, None)

    def remove_edges(self, positions: Iterable[int]) -> None:
        """Remove edges, all edits being merged."""
        self._removed.update(positions)

    # ── merging ──

    def settle(self) -> None:
        """Merge when so many edits wait that it pays."""
        if self._n_waiting > max(_MOST_PENDING, len(self._arrays.sources) // 2):
            self.merge()

    def merge(self) -> None:
        """Merge all edits, so that rows are ids and all arrays canonical; does nothing if there are none."""
        if self._begun:
            self._merge(*self._waiting(), self._rows.alive())
            self._rows.close_up()
            self._arrays.is_input = self._rows.are_inputs()
            self._begun = False

    def _waiting(self) -> tuple[Ends, Reals]:
        """The edges that wait, in order, and their weights."""
        waiting = {delay: edges for delay, edges in self._edges.items() if edges or not delay}
        keys = np.concatenate([np.fromiter(edges.keys(), np.int64, len(edges)) for edges in waiting.values()])
        weights = np.concatenate([np.fromiter(edges.values(), np.float64, len(edges)) for edges in waiting.values()])
        delays = None
        if len(waiting) > 1:
            delays = np.repeat(np.array(list(waiting), np.uint16), list(map(len, waiting.values())))
        order = np.argsort(keys) if delays is None else np.lexsort((keys & 0xFFFFFFFF, delays, keys >> 32))
        keys = keys[order]
        return Ends(keys & 0xFFFFFFFF, keys >> 32, None if delays is None else delays[order]), weights[order]

    def _merge(self, ends: Ends, weights: Reals, alive: Marks) -> None:
        """Merge neurons and removals that wait, and the given new edges; rows that are not alive go."""
        self._arrays.merge_neurons(self._neurons, alive)
        self._arrays.merge_edges(ends, weights, self._removed, alive)
        self._neurons.clear()
        self._removed.clear()
        self._edges = {0: {}}
