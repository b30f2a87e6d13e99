"""Batch forward aggregation, a lane per sample: z = b + Σ w·y, the sources by ascending id (L3)."""

from typing import Any

import numpy.typing as npt

from neuronsim.kernels.activations import activate
from neuronsim.kernels.arguments import Parameters, Wiring
from neuronsim.kernels.batch.single import forward_one
from neuronsim.kernels.jit import inlined, kernel, leaf
from neuronsim.kernels.lanes import lane_count, tile_gather_fma, tile_start, tile_store
from neuronsim.kernels.shapes import BLOCK, COLUMN, COLUMNS, FEW, ROWS, TERM, TERMS

Array = npt.NDArray[Any]


@inlined
def part_of(size: int, parts: int, part: int) -> int:
    """Where part ``part`` of a bundle's neurons begins, in whole tiles."""
    return int(min((size + ROWS - 1) // ROWS * part // parts * ROWS, size))


@kernel
def forward_tile(
    shape: Any,
    weights: Array,
    w0: int,
    sources: Array,
    s0: int,
    count: int,
    y: Array,
    biases: Array,
    first: int,
    z: Array,
    stride: int,
    lane: int,
) -> None:
    """z = b + Σ w·y for a tile: some neurons of a bundle × some samples."""
    tile = tile_start(shape, biases, first)
    k = 0
    while k + FEW <= count:
        tile = tile_gather_fma(tile, TERMS, weights, w0 + k, count, y, sources, s0 + k, stride, lane)
        k += FEW
    while k < count:
        tile = tile_gather_fma(tile, TERM, weights, w0 + k, count, y, sources, s0 + k, stride, lane)
        k += 1
    tile_store(tile, z, first * stride + lane, stride)


@kernel
def forward_rows(
    block: Any,
    column: Any,
    columns: int,
    weights: Array,
    w0: int,
    sources: Array,
    s0: int,
    count: int,
    y: Array,
    biases: Array,
    first: int,
    z: Array,
    stride: int,
    lane: int,
    last: int,
) -> None:
    """The tiles of some neurons for the samples ``lane`` to ``last``: wide ones, then single columns."""
    width = lane_count(y)
    while lane + columns * width <= last:
        forward_tile(block, weights, w0, sources, s0, count, y, biases, first, z, stride, lane)
        lane += columns * width
    while lane < last:
        forward_tile(column, weights, w0, sources, s0, count, y, biases, first, z, stride, lane)
        lane += width


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
    begin: int,
    stop: int,
    start: int,
    last: int,
) -> None:
    """z of a bundle's neurons ``begin`` to ``stop``, whole tiles of them, for the samples ``start`` to ``last``."""
    s0 = row_start[first]
    count = row_start[first + 1] - s0
    r = begin
    while r + ROWS <= stop:
        w0 = s0 + r * count
        forward_rows(
            BLOCK, COLUMN, COLUMNS, weights, w0, sources, s0, count, y, biases, first + r, z, stride, start, last
        )
        r += ROWS


@leaf
def forward(
    wiring: Wiring,
    parameters: Parameters,
    heard: Array,
    z: Array,
    y: Array,
    stride: int,
    n: int,
    bundle: int,
    last_bundle: int,
    part: int,
    parts: int,
) -> None:
    """Run bundles ``bundle`` to ``last_bundle`` for ``n`` samples, with which the arrays begin: z, then y = f(z).

    Of each one's neurons, part ``part`` of ``parts``. y of their sources is read from ``heard``: ``y``, or a thread's
    own copy of the inputs.
    """
    weights, biases, slopes = parameters
    for b in range(bundle, last_bundle):
        first, size = wiring.bundle_first[b], wiring.bundle_size[b]
        begin, stop = 0, size
        if parts > 1:
            begin, stop = part_of(size, parts, part), part_of(size, parts, part + 1)
        whole = begin + (stop - begin) // ROWS * ROWS
        if whole > begin:
            rows, sources = wiring.row_start, wiring.sources
            aggregate(weights, rows, sources, biases, heard, z, stride, first, begin, whole, 0, n)
        s0 = wiring.row_start[first]
        count = wiring.row_start[first + 1] - s0
        for neuron in range(first + begin, first + stop):
            if neuron >= first + whole:
                w0 = s0 + (neuron - first) * count
                forward_one(weights, w0, wiring.sources, s0, count, heard, biases, neuron, z, stride, 0, n)
            at = neuron * stride
            activate(wiring.codes[neuron], slopes[neuron], wiring.user, z, at, y, at, n)
