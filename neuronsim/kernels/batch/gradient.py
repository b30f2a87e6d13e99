"""Neurons learn: a batch's gradients, those of some neurons at a time, each used at once to update its row."""

from typing import Any

from neuronsim.kernels.arguments import Array, Learning, Part, Patch, Sums, Wiring, Workspace
from neuronsim.kernels.batch.forward import part_of
from neuronsim.kernels.batch.gather import place_in_rows
from neuronsim.kernels.batch.single import gradient_one
from neuronsim.kernels.codes import MOMENTUM
from neuronsim.kernels.jit import inlined, kernel, leaf
from neuronsim.kernels.lanes import filled, lane_count, load, total
from neuronsim.kernels.shapes import BLOCK, COLUMN, COLUMNS, ROWS, TERMS, TOGETHER
from neuronsim.kernels.tiles import Tile, tile_fma, tile_prefetch, tile_store, tile_use, tile_zero
from neuronsim.kernels.update import (
    FIRST,
    RATE,
    SCALE,
    is_plain,
    momentum_lanes,
    sgd_lanes,
    update_biases,
    update_slopes,
    update_weights,
)

#: Neurons that a panel of sources is used for while it lies in the L1 cache.
PANEL_NEURONS = 8 * ROWS


@inlined
def gradient_tile(shape: Any, work: Workspace, sums: Sums, neuron: int, source: int) -> Tile:
    """∂L/∂w = Σ_i δ_i · y_i for a tile of neurons × consecutive sources, the samples i in order, plane by plane."""
    delta, rows, stride = work.delta, sums.rows, work.stride
    panel = 2 * lane_count(rows)
    tile = tile_zero(shape, delta)
    d0, r0 = neuron * stride, place_in_rows(source, 0, stride, lane_count(rows))
    for start in range(0, sums.n_samples, stride):
        for i in range(0, min(stride, sums.n_samples - start), TOGETHER):
            tile = tile_fma(tile, TERMS, delta, d0 + i, stride, rows, r0 + i * panel, panel)
        d0 += work.pitch
        r0 += sums.row_pitch
    return tile


@inlined
def descend_tile(
    shape: Any, work: Workspace, learning: Learning, sums: Sums, neuron: int, source: int, at: int, step: int
) -> None:
    """A tile's gradients, used by SGD or momentum while they are in registers."""
    numbers, weights, decay = learning.rule.numbers, learning.parameters.weights, learning.rule.decay
    state = learning.first_state.weights
    has_momentum = learning.rule.optimizer == MOMENTUM
    tile_prefetch(shape, weights, at, step)
    if has_momentum:
        tile_prefetch(shape, state, at, step)
    tile = gradient_tile(shape, work, sums, neuron, source)
    scale, rate = numbers[SCALE], numbers[RATE]
    if has_momentum:
        tile_use(momentum_lanes, tile, at, step, (weights, state, scale, decay, rate, numbers[FIRST]))
    else:
        tile_use(sgd_lanes, tile, at, step, (weights, scale, decay, rate))


@kernel
def descend_rows(work: Workspace, learning: Learning, sums: Sums, patch: Patch) -> None:
    """SGD or momentum for a patch of weights, in whole tiles.

    Of each row a cache line or two is needed next, which no processor foresees: fetched ahead.
    """
    width = lane_count(work.y)
    source = patch.low
    while source < patch.high:
        columns = 1
        if source % (COLUMNS * width) == 0 and source + COLUMNS * width <= patch.high:
            columns = COLUMNS
        for neuron in range(patch.neuron, patch.end, ROWS):
            at = patch.at + (neuron - patch.neuron) * patch.step + source - patch.low
            if columns == COLUMNS:
                descend_tile(BLOCK, work, learning, sums, neuron, source, at, patch.step)
            else:
                descend_tile(COLUMN, work, learning, sums, neuron, source, at, patch.step)
        source += columns * width


@kernel
def update_rows(work: Workspace, learning: Learning, sums: Sums, patch: Patch) -> None:
    """Any rule, for up to ROWS neurons and any consecutive sources: gradients go through rows of ``work.scratch``.

    A tile has ROWS rows, whatever lies behind the last neuron.
    """
    width = lane_count(work.y)
    low, high = patch.low, patch.high
    if low == high:
        return
    ahead = low % (COLUMNS * width)
    length = (high - low + 6 * width) // width * width
    for source in range(low - ahead, high, COLUMNS * width):
        out = sums.scratch + source - low + ahead
        tile_store(gradient_tile(BLOCK, work, sums, patch.neuron, source), work.scratch, out, length)
    for r in range(patch.end - patch.neuron):
        row = sums.scratch + r * length + ahead
        update_weights(learning, patch.at + r * patch.step, work.scratch, row, high - low)


@kernel
def update_dense(
    wiring: Wiring, work: Workspace, learning: Learning, sums: Sums, first: int, begin: int, end: int
) -> None:
    """Gradients and updates of the weights of a dense bundle's neurons ``begin`` to ``end``, some rows at a time."""
    width = lane_count(work.y)
    s0 = wiring.row_start[first]
    count = wiring.row_start[first + 1] - s0
    low = int(wiring.sources[s0])
    high = low + count
    # whole lane vectors of sources
    begins = (low + width - 1) // width * width
    ends = max(high // width * width, begins)
    whole = begin
    if is_plain(learning) and begins < ends:
        whole = begin + (end - begin) // ROWS * ROWS
        for neuron in range(begin, whole, PANEL_NEURONS):
            at = s0 + (neuron - first) * count + begins - low
            stop = min(neuron + PANEL_NEURONS, whole)
            descend_rows(work, learning, sums, Patch(neuron, stop, begins, ends, at, count))
    for neuron in range(begin, end, ROWS):
        stop = min(neuron + ROWS, end)
        at = s0 + (neuron - first) * count - low
        if neuron < whole:
            update_rows(work, learning, sums, Patch(neuron, stop, low, begins, at + low, count))
            update_rows(work, learning, sums, Patch(neuron, stop, ends, high, at + ends, count))
        else:
            update_rows(work, learning, sums, Patch(neuron, stop, low, high, at + low, count))


@kernel
def update_sparse(wiring: Wiring, work: Workspace, learning: Learning, sums: Sums, begin: int, end: int) -> None:
    """Gradients and updates of the weights of neurons with sources of their own: some neighbours' rows, one update."""
    starts = wiring.row_start
    for neuron in range(begin, end, ROWS):
        stop = min(neuron + ROWS, end)
        at = starts[neuron]
        for i in range(neuron, stop):
            gradient_one(wiring, work, sums, i, sums.scratch + starts[i] - at)
        update_weights(learning, at, work.scratch, sums.scratch, starts[stop] - at)


@inlined
def row_total(values: Array, row: int, work: Workspace, count: int) -> Any:
    """The sum of a row of ``count`` samples, plane by plane: a partial sum per lane, then their tree.

    Inlined: a call for each neuron, which passes the workspace, costs a graph of 2,000 neurons 4 % of a step.
    """
    width, stride = lane_count(values), work.stride
    at = row * stride
    sums = filled(load(values, at), 0.0)
    for start in range(0, count, stride):
        for i in range(0, min(stride, count - start), width):
            sums = sums + load(values, at + i)
        at += work.pitch
    return total(sums)


@kernel
def update_biases_and_slopes(
    wiring: Wiring, work: Workspace, learning: Learning, sums: Sums, begin: int, end: int
) -> None:
    """Gradients (Σ_i δ_i) and updates of the biases of the neurons ``begin`` to ``end``, and of learned slopes."""
    for neuron in range(begin, end, ROWS):
        n = min(ROWS, end - neuron)
        for r in range(n):
            work.scratch[sums.scratch + r] = row_total(work.delta, neuron + r, work, sums.n_samples)
        update_biases(learning, neuron, work.scratch, sums.scratch, n)
    if wiring.prelus.size == 0:
        return
    for neuron in range(begin, end):
        row = wiring.slope_row[neuron]
        if row >= 0:
            work.scratch[sums.scratch] = row_total(work.slope_terms, row, work, sums.n_samples)
            update_slopes(learning, neuron, work.scratch, sums.scratch)


@leaf
def update_neurons(wiring: Wiring, work: Workspace, learning: Learning, count: int, part: Part) -> None:
    """Gradients of a thread's neurons over ``count`` samples, each used at once to update its row."""
    width = lane_count(work.y)
    padded = (count + width - 1) // width * width
    scratch = work.scratch.size // part.parts * part.part
    sums = Sums(padded, work.row_pitch, work.rows, scratch)
    # inputs that the thread gathered itself, which leading bundles listen to
    size = work.thread_rows.size // part.parts
    thread_rows = work.thread_rows[part.part * size : (part.part + 1) * size]
    thread_sums = Sums(padded, work.thread_row_pitch, thread_rows, scratch)
    place = 0
    for r in range(wiring.range_first.size):
        first, size = wiring.range_first[r], wiring.range_size[r]
        if wiring.range_shared[r]:
            low, high = part_of(size, part.parts, part.part), part_of(size, part.parts, part.part + 1)
        else:
            low, high = max(part.begin - place, 0), min(part.end - place, size)
            place += size
        if low >= high:
            continue
        begin, end = first + low, first + high
        if wiring.range_dense[r]:
            read = thread_sums if wiring.range_leading[r] and part.parts > 1 else sums
            update_dense(wiring, work, learning, read, first, begin, end)
        else:
            update_sparse(wiring, work, learning, sums, begin, end)
        update_biases_and_slopes(wiring, work, learning, sums, begin, end)
