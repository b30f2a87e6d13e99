"""Batch forward aggregation, a lane per sample: z = b + Σ w·y, the sources by ascending id (L3)."""

from typing import Any

import numpy.typing as npt

from neuronsim.kernels.activations import activate
from neuronsim.kernels.jit import kernel, leaf
from neuronsim.kernels.lanes import lane_count, tile_fma, tile_start, tile_store
from neuronsim.kernels.shapes import BLOCK, COLUMN, COLUMNS, ONE, ROW, ROWS

Array = npt.NDArray[Any]


@kernel
def forward_tile(
    shape: Any,
    weights: Array,
    w0: int,
    count: int,
    sources: Array,
    s0: int,
    y: Array,
    biases: Array,
    first: int,
    z: Array,
    stride: int,
    lane: int,
) -> None:
    """z = b + Σ w·y for a tile: some neurons of a bundle × some samples."""
    tile = tile_start(shape, biases, first)
    for k in range(count):
        tile = tile_fma(tile, weights, w0 + k, count, y, sources[s0 + k] * stride + lane)
    tile_store(tile, z, first * stride + lane, stride)


@kernel
def aggregate(
    weights: Array,
    row_start: Array,
    sources: Array,
    biases: Array,
    y: Array,
    z: Array,
    stride: int,
    first: int,
    size: int,
    start: int,
    end: int,
) -> None:
    """z of a bundle's neurons for the samples ``start`` to ``end`` (whole lane vectors), cut into tiles."""
    width = lane_count(y)
    s0 = row_start[first]
    count = row_start[first + 1] - s0
    neuron = first
    while neuron + ROWS <= first + size:
        w0 = s0 + (neuron - first) * count
        lane = start
        while lane + COLUMNS * width <= end:
            forward_tile(BLOCK, weights, w0, count, sources, s0, y, biases, neuron, z, stride, lane)
            lane += COLUMNS * width
        while lane < end:
            forward_tile(COLUMN, weights, w0, count, sources, s0, y, biases, neuron, z, stride, lane)
            lane += width
        neuron += ROWS
    while neuron < first + size:
        w0 = s0 + (neuron - first) * count
        lane = start
        while lane + 4 * width <= end:
            forward_tile(ROW, weights, w0, count, sources, s0, y, biases, neuron, z, stride, lane)
            lane += 4 * width
        while lane < end:
            forward_tile(ONE, weights, w0, count, sources, s0, y, biases, neuron, z, stride, lane)
            lane += width
        neuron += 1


@leaf
def forward(
    bundle_first: Array,
    bundle_size: Array,
    row_start: Array,
    sources: Array,
    weights: Array,
    biases: Array,
    slopes: Array,
    codes: Array,
    user: Array,
    y: Array,
    z: Array,
    stride: int,
    start: int,
    end: int,
) -> None:
    """Run every bundle, in topological order, for the samples ``start`` to ``end``: z, then y = f(z)."""
    for b in range(bundle_first.size):
        first, size = bundle_first[b], bundle_size[b]
        aggregate(weights, row_start, sources, biases, y, z, stride, first, size, start, end)
        for neuron in range(first, first + size):
            at = neuron * stride + start
            activate(codes[neuron], slopes[neuron], user, z, at, y, at, end - start)
