"""Neurons learn: a batch's gradients, a few neurons at a time, each used at once to update its row."""

from typing import Any

import numpy.typing as npt

from neuronsim.kernels.arguments import Learning, Wiring, Workspace
from neuronsim.kernels.batch.forward import part_of
from neuronsim.kernels.batch.gather import place_in_rows
from neuronsim.kernels.batch.single import gradient_one
from neuronsim.kernels.codes import MOMENTUM
from neuronsim.kernels.jit import inlined, kernel, leaf
from neuronsim.kernels.lanes import (
    Tile,
    filled,
    lane_count,
    load,
    tile_fma,
    tile_momentum,
    tile_prefetch,
    tile_sgd,
    tile_store,
    tile_zero,
    total,
)
from neuronsim.kernels.shapes import BLOCK, COLUMN, COLUMNS, FEW, ROWS, TERMS
from neuronsim.kernels.update import FIRST, RATE, SCALE, is_plain, update_biases, update_slopes, update_weights

Array = npt.NDArray[Any]

#: Neurons that a panel of sources is used for while it lies in the L1 cache.
TOGETHER = 8 * ROWS


@inlined
def gradient_tile(shape: Any, work: Workspace, neuron: int, source: int, count: int, stride: int) -> Tile:
    """∂L/∂w = Σ_i δ_i · y_i for a tile of neurons × consecutive sources, the samples i in order, plane by plane.

    ``count`` samples, padded to whole lane vectors: behind the last one δ is 0.
    """
    delta, rows = work.delta, work.rows
    panel = 2 * lane_count(rows)
    tile = tile_zero(shape, delta)
    d0, r0 = neuron * stride, place_in_rows(source, 0, stride, lane_count(rows))
    for start in range(0, count, stride):
        for i in range(0, min(stride, count - start), FEW):
            tile = tile_fma(tile, TERMS, delta, d0 + i, stride, rows, r0 + i * panel, panel)
        d0 += work.pitch
        r0 += work.row_pitch
    return tile


@inlined
def descend_tile(
    shape: Any,
    work: Workspace,
    learning: Learning,
    neuron: int,
    source: int,
    at: int,
    step: int,
    count: int,
    stride: int,
) -> None:
    """A tile's gradients, used by SGD or momentum while they are in registers."""
    rule, weights, decay = learning.numbers, learning.parameters.weights, learning.decay
    tile_prefetch(shape, weights, at, step)
    if learning.optimizer == MOMENTUM:
        tile_prefetch(shape, learning.first_state.weights, at, step)
    tile = gradient_tile(shape, work, neuron, source, count, stride)
    if learning.optimizer == MOMENTUM:
        state = learning.first_state.weights
        tile_momentum(tile, weights, state, at, step, rule[SCALE], decay, rule[RATE], rule[FIRST])
    else:
        tile_sgd(tile, weights, at, step, rule[SCALE], decay, rule[RATE])


@kernel
def descend_rows(
    work: Workspace,
    learning: Learning,
    neuron: int,
    end: int,
    low: int,
    high: int,
    at: int,
    step: int,
    count: int,
    stride: int,
) -> None:
    """SGD or momentum for the weights of ``neuron`` to ``end`` from the sources ``low`` to ``high``, in whole tiles.

    The weight of ``low`` is found at ``at``, rows are ``step`` apart. Of each row a cache line or two is needed next,
    which no processor foresees: fetched ahead.
    """
    width = lane_count(work.y)
    source = low
    while source < high:
        columns = 1
        if source % (COLUMNS * width) == 0 and source + COLUMNS * width <= high:
            columns = COLUMNS
        for r in range(0, end - neuron, ROWS):
            place = at + r * step + source - low
            if columns == COLUMNS:
                descend_tile(BLOCK, work, learning, neuron + r, source, place, step, count, stride)
            else:
                descend_tile(COLUMN, work, learning, neuron + r, source, place, step, count, stride)
        source += columns * width


@kernel
def update_rows(
    work: Workspace,
    learning: Learning,
    neuron: int,
    n: int,
    low: int,
    high: int,
    at: int,
    step: int,
    count: int,
    stride: int,
    scratch: int,
) -> None:
    """Any rule, ``n`` ≤ ROWS neurons and any run of sources: their gradients go through rows of ``work.scratch``.

    A tile has ROWS rows, whatever lies behind the ``n``th.
    """
    width = lane_count(work.y)
    if low == high:
        return
    ahead = low % (COLUMNS * width)
    length = (high - low + 6 * width) // width * width
    for source in range(low - ahead, high, COLUMNS * width):
        out = scratch + source - low + ahead
        tile_store(gradient_tile(BLOCK, work, neuron, source, count, stride), work.scratch, out, length)
    for r in range(n):
        update_weights(learning, at + r * step, work.scratch, scratch + r * length + ahead, high - low)


@kernel
def update_dense(
    wiring: Wiring,
    work: Workspace,
    learning: Learning,
    first: int,
    begin: int,
    end: int,
    count: int,
    stride: int,
    scratch: int,
) -> None:
    """Gradients and updates of the weights of a dense bundle's neurons ``begin`` to ``end``, a few rows at a time."""
    width = lane_count(work.y)
    s0 = wiring.row_start[first]
    n_sources = wiring.row_start[first + 1] - s0
    low = int(wiring.sources[s0])
    high = low + n_sources
    # whole lane vectors of sources
    begins = (low + width - 1) // width * width
    ends = max(high // width * width, begins)
    whole = begin
    if is_plain(learning) and begins < ends:
        whole = begin + (end - begin) // ROWS * ROWS
        at = s0 + (begin - first) * n_sources + begins - low
        for r in range(0, whole - begin, TOGETHER):
            stop = min(begin + r + TOGETHER, whole)
            descend_rows(work, learning, begin + r, stop, begins, ends, at + r * n_sources, n_sources, count, stride)
    for neuron in range(begin, end, ROWS):
        n = min(ROWS, end - neuron)
        at = s0 + (neuron - first) * n_sources - low
        if neuron < whole:
            update_rows(work, learning, neuron, n, low, begins, at + low, n_sources, count, stride, scratch)
            update_rows(work, learning, neuron, n, ends, high, at + ends, n_sources, count, stride, scratch)
        else:
            update_rows(work, learning, neuron, n, low, high, at + low, n_sources, count, stride, scratch)


@kernel
def update_sparse(
    wiring: Wiring, work: Workspace, learning: Learning, begin: int, end: int, padded: int, stride: int, scratch: int
) -> None:
    """Gradients and updates of the weights of neurons with sources of their own: a few neighbours' rows, one update."""
    starts = wiring.row_start
    for neuron in range(begin, end, ROWS):
        n = min(ROWS, end - neuron)
        at = starts[neuron]
        for i in range(neuron, neuron + n):
            s0, out = starts[i], scratch + starts[i] - at
            gradient_one(
                wiring.sources, s0, starts[i + 1] - s0, work.y, work.delta, i, stride, work.pitch, padded,
                work.scratch, out,
            )  # fmt: skip
        update_weights(learning, at, work.scratch, scratch, starts[neuron + n] - at)


@kernel
def row_total(values: Array, at: int, stride: int, pitch: int, end: int) -> Any:
    """The sum of a row of ``end`` samples, plane by plane: a partial sum per lane, then their tree."""
    width = lane_count(values)
    sums = filled(load(values, at), 0.0)
    for start in range(0, end, stride):
        for i in range(0, min(stride, end - start), width):
            sums = sums + load(values, at + i)
        at += pitch
    return total(sums)


@kernel
def update_own(
    wiring: Wiring,
    work: Workspace,
    learning: Learning,
    begin: int,
    end: int,
    stride: int,
    padded: int,
    scratch: int,
) -> None:
    """Gradients (Σ_i δ_i) and updates of the biases of the neurons ``begin`` to ``end``, and of learned slopes."""
    for neuron in range(begin, end, ROWS):
        n = min(ROWS, end - neuron)
        for r in range(n):
            work.scratch[scratch + r] = row_total(work.delta, (neuron + r) * stride, stride, work.pitch, padded)
        update_biases(learning, neuron, work.scratch, scratch, n)
    if wiring.prelus.size == 0:
        return
    for neuron in range(begin, end):
        row = wiring.slope_row[neuron]
        if row >= 0:
            work.scratch[scratch] = row_total(work.slope_terms, row * stride, stride, work.pitch, padded)
            update_slopes(learning, neuron, work.scratch, scratch)


@leaf
def run_neurons(
    wiring: Wiring,
    work: Workspace,
    own: Workspace,
    learning: Learning,
    count: int,
    stride: int,
    begin: int,
    end: int,
    part: int,
    parts: int,
    scratch: int,
) -> None:
    """Gradients of a thread's neurons, each used at once to update its row.

    They are part ``part`` of ``parts`` of each shared bundle and, of the others by id, without inputs, those from
    ``begin`` to ``end``. ``own`` has the y that leading bundles listen to; ``scratch`` is where the thread's part of
    the scratch array begins.
    """
    width = lane_count(work.y)
    padded = (count + width - 1) // width * width
    place = 0
    for run in range(wiring.run_first.size):
        first, size = wiring.run_first[run], wiring.run_size[run]
        if wiring.run_shared[run]:
            low, high = part_of(size, parts, part), part_of(size, parts, part + 1)
        else:
            low, high = max(begin - place, 0), min(end - place, size)
            place += size
        if low >= high:
            continue
        if wiring.run_dense[run]:
            space = own if wiring.run_leading[run] else work
            update_dense(wiring, space, learning, first, first + low, first + high, padded, stride, scratch)
        else:
            update_sparse(wiring, work, learning, first + low, first + high, padded, stride, scratch)
        update_own(wiring, work, learning, first + low, first + high, stride, padded, scratch)
