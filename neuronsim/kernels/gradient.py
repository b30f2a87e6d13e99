"""Neurons learn: a batch's gradients, a few neurons at a time, each used at once to update its row."""

from typing import Any

import numpy.typing as npt

from neuronsim.kernels.gather import place_in_rows
from neuronsim.kernels.jit import kernel, leaf
from neuronsim.kernels.lanes import lane_count, load, tile_fma, tile_store, tile_zero, total
from neuronsim.kernels.records import Learning, Wiring, Workspace
from neuronsim.kernels.shapes import BLOCK, COLUMNS, FEW, PANEL, ROWS, TERM, TERMS
from neuronsim.kernels.single import gradient_one
from neuronsim.kernels.update import update_biases, update_slopes, update_weights

Array = npt.NDArray[Any]


@kernel
def gradient_tile(
    shape: Any, delta: Array, d0: int, stride: int, rows: Array, r0: int, count: int, out: Array, o0: int, step: int
) -> None:
    """∂L/∂w = Σ_i δ_i · y_i for a tile of neurons × consecutive sources, the samples i in order."""
    panel = 2 * lane_count(rows)
    tile = tile_zero(shape, delta)
    i = 0
    while i + FEW <= count:
        tile = tile_fma(tile, TERMS, delta, d0 + i, stride, rows, r0 + i * panel, panel)
        i += FEW
    while i < count:
        tile = tile_fma(tile, TERM, delta, d0 + i, stride, rows, r0 + i * panel, panel)
        i += 1
    tile_store(tile, out, o0, step)


@kernel
def dense_gradient(
    work: Workspace, neuron: int, n: int, low: int, high: int, count: int, stride: int, out: int, step: int
) -> None:
    """Gradients of ``n`` ≤ ROWS neurons' weights from the sources ``low`` to ``high``, into rows of ``work.scratch``.

    ``low`` begins a panel; what is computed for neurons that are not sources is not read.
    """
    width = lane_count(work.y)
    d0 = neuron * stride
    delta, rows, scratch = work.delta, work.rows, work.scratch
    if n == ROWS:
        for source in range(low, high, COLUMNS * width):
            r0 = place_in_rows(source, 0, stride, width)
            gradient_tile(BLOCK, delta, d0, stride, rows, r0, count, scratch, out + source - low, step)
    else:
        for r in range(n):
            for source in range(low, high, 2 * width):
                r0, o0 = place_in_rows(source, 0, stride, width), out + r * step + source - low
                gradient_tile(PANEL, delta, d0 + r * stride, stride, rows, r0, count, scratch, o0, step)


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
    source = int(wiring.sources[s0])
    ahead = source % (2 * width)  # scratch rows begin with the panel of the first source
    step = (n_sources + 6 * width) // width * width
    for neuron in range(begin, end, ROWS):
        n = min(ROWS, end - neuron)
        dense_gradient(work, neuron, n, source - ahead, source + n_sources, count, stride, scratch, step)
        for r in range(n):
            at, row = s0 + (neuron + r - first) * n_sources, scratch + r * step + ahead
            update_weights(learning, at, work.scratch, row, n_sources)


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
                wiring.sources, s0, starts[i + 1] - s0, work.y, work.delta, i, stride, padded, work.scratch, out
            )
        update_weights(learning, at, work.scratch, scratch, starts[neuron + n] - at)


@kernel
def row_total(values: Array, at: int, end: int) -> Any:
    """The sum of a row of samples: a partial sum per lane, then their tree."""
    sums = load(values, at)
    for i in range(lane_count(values), end, lane_count(values)):
        sums = sums + load(values, at + i)
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
            work.scratch[scratch + r] = row_total(work.delta, (neuron + r) * stride, padded)
        update_biases(learning, neuron, work.scratch, scratch, n)
    if wiring.prelus.size == 0:
        return
    for neuron in range(begin, end):
        row = wiring.slope_row[neuron]
        if row >= 0:
            work.scratch[scratch] = row_total(work.slope_terms, row * stride, padded)
            update_slopes(learning, neuron, work.scratch, scratch)


@leaf
def run_neurons(
    wiring: Wiring,
    work: Workspace,
    learning: Learning,
    count: int,
    stride: int,
    begin: int,
    end: int,
    scratch: int,
) -> None:
    """Gradients of the neurons ``begin`` to ``end``, counted by id without inputs, each used at once.

    ``scratch`` is where this thread's part of the scratch array begins.
    """
    width = lane_count(work.y)
    padded = (count + width - 1) // width * width
    place = 0
    for run in range(wiring.run_first.size):
        first, size = wiring.run_first[run], wiring.run_size[run]
        low, high = max(begin - place, 0), min(end - place, size)
        place += size
        if low >= high:
            continue
        if wiring.run_dense[run]:
            update_dense(wiring, work, learning, first, first + low, first + high, count, stride, scratch)
        else:
            update_sparse(wiring, work, learning, first + low, first + high, padded, stride, scratch)
        update_own(wiring, work, learning, first + low, first + high, stride, padded, scratch)
