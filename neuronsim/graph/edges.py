"""Edges ordered by sink, then delay, then source: sort them, find them, merge edits in.

All edges into one neuron lie side by side: those of row ``i`` at ``row_start[i] … row_start[i + 1]`` of ``sources``
and ``delays``. Sources ascend within a delay, and those of delay 0 come first. Where all delays are 0 there is no array
of them: None.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.arrays import Array, Integers, Marks, Reals

Delays = NDArray[np.uint16]
"""Of edges, in steps."""

_BLOCK = 1 << 22


class Ends(NamedTuple):
    """What edges are known by: where each leads from and to, and how many steps it takes; two are never alike.

    Attributes
    ----------
    sources, sinks : array (k,)
    delays : uint16 array (k,) or None
        None: all 0.
    """

    sources: Array
    sinks: Array
    delays: Delays | None = None

    def at(self, places: Integers | Marks | slice) -> "Ends":
        """Some of them."""
        delays = None if self.delays is None else self.delays[places]
        return Ends(self.sources[places], self.sinks[places], delays)

    def delay(self, edge: int) -> int:
        """The delay of one of them."""
        return 0 if self.delays is None else int(self.delays[edge])


def same_delays(one: Delays | None, other: Delays | None) -> bool:
    """Whether two arrays of delays of as many edges say the same."""
    return (one is None and other is None) or (one is not None and other is not None and bool((one == other).all()))


def unless_zero(delays: Delays | None) -> Delays | None:
    """The delays, or None where all are 0."""
    return None if delays is None or not delays.any() else delays


def blocks(n: int, size: int = _BLOCK) -> Iterator[slice]:
    """Slices that cover ``range(n)`` in pieces, so that temporaries stay small."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def in_order(ends: Ends) -> bool:
    """Whether (sink, delay, source) ascends strictly: sorted, and without duplicates."""
    for block in blocks(len(ends.sinks) - 1):
        here, later = ends.at(block), ends.at(slice(block.start + 1, block.stop + 1))
        ascends = _comes_before(here.delays, here.sources, later)
        if not ((later.sinks > here.sinks) | ((later.sinks == here.sinks) & ascends)).all():
            return False
    return True


def _comes_before(delays: Delays | None, sources: Array, other: Ends) -> Marks:
    """Which edges come before others into the same sink, one by one."""
    before: Marks = sources < other.sources
    if delays is None and other.delays is None:
        return before
    mine, theirs = (0 if d is None else d for d in (delays, other.delays))
    return np.asarray((mine < theirs) | ((mine == theirs) & before))


def sort(ends: Ends, weights: Reals | None) -> tuple[Ends, Reals | None]:
    """The same edges, and their weights, in order."""
    if in_order(ends):
        return ends, weights
    sources, sinks, delays = ends
    if delays is not None:
        order = np.lexsort((sources, delays, sinks))
        return ends.at(order), None if weights is None else weights[order]
    keys = sinks.astype(np.int64)
    keys <<= 32
    keys |= sources
    if weights is None:
        keys.sort()
    else:
        order = np.argsort(keys)
        keys, weights = keys[order], weights[order]
    sinks = (keys >> 32).astype(np.int32)
    keys &= 0xFFFFFFFF
    return Ends(keys.astype(np.int32), sinks), weights


def duplicate(ends: Ends) -> int | None:
    """Position of the first edge that equals the one before it, or None."""
    for block in blocks(len(ends.sinks) - 1):
        here, later = ends.at(block), ends.at(slice(block.start + 1, block.stop + 1))
        same = (later.sinks == here.sinks) & (later.sources == here.sources)
        if here.delays is not None:
            same &= later.delays == here.delays
        if same.any():
            return int(block.start + same.argmax())
    return None


def row_starts(sinks: Array, n_rows: int) -> Integers:
    """Where the edges of each row start, shape (n_rows + 1,), from sorted sinks."""
    return np.searchsorted(sinks, np.arange(n_rows + 1, dtype=sinks.dtype)).astype(np.int64, copy=False)


def sinks_of(row_start: Integers) -> NDArray[np.int32]:
    """The sink of every edge, shape (n_edges,)."""
    return np.repeat(np.arange(len(row_start) - 1, dtype=np.int32), np.diff(row_start))


def incoming(row_start: Integers, rows: Array) -> Integers:
    """Positions of all edges into ``rows``, row after row."""
    first, count = row_start[rows], row_start[rows + 1] - row_start[rows]
    before = np.cumsum(count) - count
    return np.repeat(first - before, count) + np.arange(count.sum())


def reaching(row_start: Integers, sources: Array, ends: Array) -> Marks:
    """Which rows have a path to one of ``ends``, those included, shape (n_rows,)."""
    reached = np.zeros(len(row_start) - 1, np.bool_)
    front = ends.astype(np.int64)
    while len(front):
        reached[front] = True
        found = np.unique(sources[incoming(row_start, front)])
        front = found[~reached[found]].astype(np.int64)
    return reached


def search(row_start: Integers, sources: Array, delays: Delays | None, wanted: Ends) -> tuple[Integers, Marks]:
    """Where the given edges are, or would have to be inserted, and which of them are there.

    Parameters
    ----------
    row_start : array (n_rows + 1,)
    sources : array (n_edges,)
    delays : array (n_edges,) or None
        The edges in order.
    wanted : Ends
        The edges looked for; sinks are rows of ``row_start``.
    """
    low, end = row_start[wanted.sinks], row_start[wanted.sinks + 1]
    high = end.copy()
    last = max(len(sources) - 1, 0)
    while (low < high).any():
        middle = np.minimum((low + high) >> 1, last)
        before = _comes_before(None if delays is None else delays[middle], sources[middle], wanted)
        right = (low < high) & before
        high = np.where((low < high) & ~right, middle, high)
        low = np.where(right, middle + 1, low)
    if not len(sources):
        return low, np.zeros(len(low), np.bool_)
    found = np.minimum(low, last)
    there = (low < end) & (sources[found] == wanted.sources)
    if delays is not None or wanted.delays is not None:
        there &= (0 if delays is None else delays[found]) == (0 if wanted.delays is None else wanted.delays)
    return low, there


def merge(
    row_start: Integers, sources: NDArray[np.int32], delays: Delays | None, added: Ends, removed: Integers, alive: Marks
) -> tuple[Integers, NDArray[np.int32], Delays | None, Integers]:
    """The edges after an edit.

    Parameters
    ----------
    row_start : array (n_rows + 1,)
    sources : array (n_edges,)
    delays : array (n_edges,) or None
        The n edges before it.
    added : Ends
        New edges, in order.
    removed : array of int
        Positions of edges that go.
    alive : array (n_rows,)
        Which rows stay, new rows included; edges from and to the others go as well.

    Returns
    -------
    row_start : array (n_alive + 1,)
    sources : array (n_edges,)
    delays : array (n_edges,) or None
        The edges after it, rows renumbered.
    origin : array (n_edges,)
        For each of them the position it had, or n + j for the j-th one added.
    """
    n_edges, n_rows = len(sources), len(alive)
    padded = np.full(n_rows + 1, n_edges, np.int64)
    padded[: len(row_start)] = row_start
    at, _ = search(padded, sources, delays, added)
    kept = np.ones(n_edges, np.bool_)
    kept[removed] = False
    kept = np.insert(kept, at, True)
    new_sources = np.insert(sources, at, added.sources)
    sinks = np.insert(sinks_of(padded), at, added.sinks)
    origin = np.insert(np.arange(n_edges), at, n_edges + np.arange(len(at)))
    if not alive.all():
        kept &= alive[new_sources] & alive[sinks]
    if not kept.all():
        new_sources, sinks, origin = new_sources[kept], sinks[kept], origin[kept]
    if delays is not None or added.delays is not None:
        old, new = (np.zeros(n, np.uint16) if d is None else d for d, n in ((delays, n_edges), (added.delays, len(at))))
        delays = unless_zero(np.append(old, new)[origin])
    if not alive.all():
        new_row = (np.cumsum(alive) - 1).astype(np.int32)
        new_sources, sinks = new_row[new_sources], new_row[sinks]
    return row_starts(sinks, int(alive.sum())), new_sources, delays, origin
