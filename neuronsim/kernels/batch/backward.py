"""Batch backward aggregation, a lane per sample: δ = (Σ w·δ)·f'(z), pushed from each neuron into its sources (L3)."""

from typing import Any

import numpy.typing as npt

from neuronsim.kernels.activations import add_slope_terms, times_derivative
from neuronsim.kernels.batch.single import push_one
from neuronsim.kernels.codes import PRELU
from neuronsim.kernels.jit import kernel, leaf
from neuronsim.kernels.lanes import filled, lane_count, load, store, tile_load, tile_push
from neuronsim.kernels.losses import is_fused
from neuronsim.kernels.shapes import BLOCK, COLUMN, COLUMNS, FEW, ROWS, TERM, TERMS

Array = npt.NDArray[Any]


@kernel
def push_tile(
    shape: Any,
    weights: Array,
    w0: int,
    count: int,
    sources: Array,
    s0: int,
    delta: Array,
    first: int,
    stride: int,
    lane: int,
) -> None:
    """Σ w·δ: every source's row gains w·δ of the tile's neurons, in their order."""
    tile = tile_load(shape, delta, first * stride + lane, stride)
    k = 0
    while k + FEW <= count:
        tile_push(tile, TERMS, weights, w0 + k, count, delta, sources, s0 + k, stride, lane)
        k += FEW
    while k < count:
        tile_push(tile, TERM, weights, w0 + k, count, delta, sources, s0 + k, stride, lane)
        k += 1


@kernel
def push(
    weights: Array,
    row_start: Array,
    sources: Array,
    delta: Array,
    stride: int,
    first: int,
    size: int,
    start: int,
    end: int,
) -> None:
    """Push a bundle's δ, whole tiles of its neurons, into its sources for the samples ``start`` to ``end``."""
    width = lane_count(delta)
    s0 = row_start[first]
    count = row_start[first + 1] - s0
    neuron = first
    while neuron + ROWS <= first + size:
        w0 = s0 + (neuron - first) * count
        lane = start
        while lane + COLUMNS * width <= end:
            push_tile(BLOCK, weights, w0, count, sources, s0, delta, neuron, stride, lane)
            lane += COLUMNS * width
        while lane < end:
            push_tile(COLUMN, weights, w0, count, sources, s0, delta, neuron, stride, lane)
            lane += width
        neuron += ROWS


@kernel
def own_deltas(
    loss: int,
    outputs: Array,
    codes: Array,
    slopes: Array,
    user: Array,
    is_input: Array,
    z: Array,
    y: Array,
    own: Array,
    slope_terms: Array,
    slope_row: Array,
    stride: int,
    start: int,
    n: int,
) -> None:
    """From ∂L/∂y to the δ that the loss itself puts on each output: ∂L/∂y · f'(z), unless already fused."""
    for o in range(outputs.size):
        neuron = outputs[o]
        code = codes[neuron]
        if is_input[neuron] or is_fused(loss, code):
            continue
        at, to = neuron * stride + start, o * stride + start
        if code == PRELU:
            add_slope_terms(z, at, own, to, slope_terms, slope_row[neuron] * stride + start, n)
        times_derivative(code, slopes[neuron], user, z, y, at, own, to, n)


@leaf
def backward(
    bundle_first: Array,
    bundle_size: Array,
    bundle_pushes: Array,
    bundle_leading: Array,
    row_start: Array,
    sources: Array,
    weights: Array,
    slopes: Array,
    codes: Array,
    user: Array,
    output_row: Array,
    own: Array,
    z: Array,
    y: Array,
    delta: Array,
    slope_terms: Array,
    slope_row: Array,
    stride: int,
    start: int,
    end: int,
) -> None:
    """Run every bundle in reverse order for the samples ``start`` to ``end``.

    On entry ``delta`` is zero; when a bundle's turn comes, it holds Σ w·δ of all its sinks. Then
    δ = (Σ w·δ)·f'(z) + the loss's own part, which is pushed on to the sources.
    """
    width = lane_count(delta)
    n = end - start
    for b in range(bundle_first.size - 1, -1, -1):
        first, size = bundle_first[b], bundle_size[b]
        for neuron in range(first, first + size):
            at = neuron * stride + start
            if codes[neuron] == PRELU:
                add_slope_terms(z, at, delta, at, slope_terms, slope_row[neuron] * stride + start, n)
            times_derivative(codes[neuron], slopes[neuron], user, z, y, at, delta, at, n)
            if output_row[neuron] >= 0:
                to = output_row[neuron] * stride + start
                for i in range(0, n, width):
                    store(delta, at + i, load(delta, at + i) + load(own, to + i))
        if bundle_pushes[b]:
            whole = size // ROWS * ROWS
            if whole > 0:
                push(weights, row_start, sources, delta, stride, first, whole, start, end)
            count = row_start[first + 1] - row_start[first]
            unasked = bundle_leading[b]
            s0 = row_start[first] + unasked
            for r in range(whole, size):
                push_one(weights, s0 + r * count, sources, s0, count - unasked, delta, first + r, stride, start, end)


@kernel
def clear(rows: Array, values: Array, stride: int, start: int, end: int) -> None:
    """Set the given rows to zero for the samples ``start`` to ``end``."""
    width = lane_count(values)
    for i in range(rows.size):
        at = rows[i] * stride
        for lane in range(start, end, width):
            store(values, at + lane, filled(load(values, at + lane), 0.0))
