"""Edges ordered by sink, then source: sort them, find them, merge edits in.

All edges into one neuron lie side by side: those of row ``i`` at ``row_start[i] … row_start[i + 1]`` of
``sources``, ascending.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.arrays import Array, Integers

_BLOCK = 1 << 22


def blocks(n: int, size: int = _BLOCK) -> Iterator[slice]:
    """Slices that cover ``range(n)`` in pieces, so that temporaries stay small."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def in_order(sources: Array, sinks: Array) -> bool:
    """Whether (sink, source) ascends strictly: sorted, and without duplicates."""
    for block in blocks(len(sinks) - 1):
        later = slice(block.start + 1, block.stop + 1)
        same = sinks[later] == sinks[block]
        if not ((sinks[later] > sinks[block]) | (same & (sources[later] > sources[block]))).all():
            return False
    return True


def sort(
    sources: Array, sinks: Array, weights: NDArray[np.floating] | None
) -> tuple[Array, Array, NDArray[np.floating] | None]:
    """The same edges, and their weights, in order."""
    if in_order(sources, sinks):
        return sources, sinks, weights
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
    return keys.astype(np.int32), sinks, weights


def duplicate(sources: Array, sinks: Array) -> int | None:
    """Position of the first edge that equals the one before it, or None."""
    for block in blocks(len(sinks) - 1):
        later = slice(block.start + 1, block.stop + 1)
        same = (sinks[later] == sinks[block]) & (sources[later] == sources[block])
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
    """Integers of all edges into ``rows``, row after row."""
    first, count = row_start[rows], row_start[rows + 1] - row_start[rows]
    before = np.cumsum(count) - count
    return np.repeat(first - before, count) + np.arange(count.sum())


def reaching(row_start: Integers, sources: Array, ends: Array) -> NDArray[np.bool_]:
    """Which rows have a path to one of ``ends``, those included, shape (n_rows,)."""
    reached = np.zeros(len(row_start) - 1, np.bool_)
    front = ends.astype(np.int64)
    while len(front):
        reached[front] = True
        found = np.unique(sources[incoming(row_start, front)])
        front = found[~reached[found]].astype(np.int64)
    return reached


def search(
    row_start: Integers, sources: Array, of_sources: Array, of_sinks: Array
) -> tuple[Integers, NDArray[np.bool_]]:
    """Where the given edges are, or would have to be inserted, and which of them are there.

    Parameters
    ----------
    row_start : array (n_rows + 1,)
    sources : array (n_edges,)
        The edges in order.
    of_sources, of_sinks : array (k,)
        The edges looked for; sinks are rows of ``row_start``.
    """
    low, end = row_start[of_sinks], row_start[of_sinks + 1]
    high = end.copy()
    last = max(len(sources) - 1, 0)
    while (low < high).any():
        middle = np.minimum((low + high) >> 1, last)
        right = (low < high) & (sources[middle] < of_sources)
        high = np.where((low < high) & ~right, middle, high)
        low = np.where(right, middle + 1, low)
    if not len(sources):
        return low, np.zeros(len(low), np.bool_)
    return low, (low < end) & (sources[np.minimum(low, last)] == of_sources)


def merge(
    row_start: Integers,
    sources: NDArray[np.int32],
    added: tuple[Array, Array],
    removed: Integers,
    alive: NDArray[np.bool_],
) -> tuple[Integers, NDArray[np.int32], Integers]:
    """The edges after an edit.

    Parameters
    ----------
    row_start : array (n_rows + 1,)
    sources : array (n_edges,)
        The n edges before it.
    added : pair of array (k,)
        Sources and sinks of new edges, in order.
    removed : array of int
        Integers of edges that go.
    alive : array (n_rows,)
        Which rows stay, new rows included; edges from and to the others go as well.

    Returns
    -------
    row_start : array (n_alive + 1,)
    sources : array (n_edges,)
        The edges after it, rows renumbered.
    origin : array (n_edges,)
        For each of them the position it had, or n + j for the j-th one added.
    """
    n_edges, n_rows = len(sources), len(alive)
    padded = np.full(n_rows + 1, n_edges, np.int64)
    padded[: len(row_start)] = row_start
    at, _ = search(padded, sources, *added)
    kept = np.ones(n_edges, np.bool_)
    kept[removed] = False
    kept = np.insert(kept, at, True)
    new_sources = np.insert(sources, at, added[0])
    sinks = np.insert(sinks_of(padded), at, added[1])
    origin = np.insert(np.arange(n_edges), at, n_edges + np.arange(len(at)))
    if not alive.all():
        kept &= alive[new_sources] & alive[sinks]
    if not kept.all():
        new_sources, sinks, origin = new_sources[kept], sinks[kept], origin[kept]
    if not alive.all():
        new_row = (np.cumsum(alive) - 1).astype(np.int32)
        new_sources, sinks = new_row[new_sources], new_row[sinks]
    return row_starts(sinks, int(alive.sum())), new_sources, origin
