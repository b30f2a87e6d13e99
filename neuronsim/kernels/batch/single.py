"""Neurons with sources of their own, one at a time, a lane per sample: forward, backward and gradient.

Everything here is inlined into the loop over neurons: a call costs 20 to 50 ns for its arrays alone, as much as a
neuron's 30 edges.
"""

from typing import Any

import numpy.typing as npt

from neuronsim.kernels.jit import inlined
from neuronsim.kernels.lanes import (
    lane_count,
    tile_gather_dot,
    tile_gather_fma,
    tile_load,
    tile_push,
    tile_start,
    tile_store,
    tile_totals,
    tile_zero,
)
from neuronsim.kernels.shapes import FEW, ONE, PAIR, ROW, SUMMED, SUMS, TERM, TERMS

Array = npt.NDArray[Any]


@inlined
def forward_row(
    shape: Any,
    weights: Array,
    w0: int,
    sources: Array,
    s0: int,
    count: int,
    y: Array,
    biases: Array,
    neuron: int,
    z: Array,
    stride: int,
    lane: int,
) -> None:
    """z = b + Σ w·y for one neuron and the samples of one tile."""
    tile = tile_start(shape, biases, neuron)
    k = 0
    while k + FEW <= count:
        tile = tile_gather_fma(tile, TERMS, weights, w0 + k, 0, y, sources, s0 + k, stride, lane)
        k += FEW
    while k < count:
        tile = tile_gather_fma(tile, TERM, weights, w0 + k, 0, y, sources, s0 + k, stride, lane)
        k += 1
    tile_store(tile, z, neuron * stride + lane, stride)


@inlined
def forward_one(
    weights: Array,
    w0: int,
    sources: Array,
    s0: int,
    count: int,
    y: Array,
    biases: Array,
    neuron: int,
    z: Array,
    stride: int,
    start: int,
    end: int,
) -> None:
    """z = b + Σ w·y of one neuron for the samples ``start`` to ``end``: four lane vectors at a time, then two, one."""
    width = lane_count(y)
    lane = start
    while lane + 4 * width <= end:
        forward_row(ROW, weights, w0, sources, s0, count, y, biases, neuron, z, stride, lane)
        lane += 4 * width
    if lane + 2 * width <= end:
        forward_row(PAIR, weights, w0, sources, s0, count, y, biases, neuron, z, stride, lane)
        lane += 2 * width
    if lane < end:
        forward_row(ONE, weights, w0, sources, s0, count, y, biases, neuron, z, stride, lane)


@inlined
def push_row(
    shape: Any,
    weights: Array,
    w0: int,
    sources: Array,
    s0: int,
    count: int,
    delta: Array,
    neuron: int,
    stride: int,
    lane: int,
) -> None:
    """Σ w·δ: every source's row gains w·δ of one neuron, for the samples of one tile."""
    tile = tile_load(shape, delta, neuron * stride + lane, stride)
    k = 0
    while k + FEW <= count:
        tile_push(tile, TERMS, weights, w0 + k, 0, delta, sources, s0 + k, stride, lane)
        k += FEW
    while k < count:
        tile_push(tile, TERM, weights, w0 + k, 0, delta, sources, s0 + k, stride, lane)
        k += 1


@inlined
def push_one(
    weights: Array,
    w0: int,
    sources: Array,
    s0: int,
    count: int,
    delta: Array,
    neuron: int,
    stride: int,
    start: int,
    end: int,
) -> None:
    """Push one neuron's δ into its sources for the samples ``start`` to ``end``."""
    width = lane_count(delta)
    lane = start
    while lane + 4 * width <= end:
        push_row(ROW, weights, w0, sources, s0, count, delta, neuron, stride, lane)
        lane += 4 * width
    if lane + 2 * width <= end:
        push_row(PAIR, weights, w0, sources, s0, count, delta, neuron, stride, lane)
        lane += 2 * width
    if lane < end:
        push_row(ONE, weights, w0, sources, s0, count, delta, neuron, stride, lane)


@inlined
def gradient_few(
    shape: Any,
    sources: Array,
    s0: int,
    y: Array,
    delta: Array,
    d0: int,
    stride: int,
    pitch: int,
    end: int,
    out: Array,
    o0: int,
) -> None:
    """∂L/∂w = Σ_i δ_i · y_i for one neuron and a tile of sources: partial sums per lane, then their tree.

    The samples come plane by plane, four lane vectors at a time.
    """
    width = lane_count(y)
    sums = tile_zero(shape, y)
    plane = 0
    while end > 0:
        lane, last = plane, plane + min(stride, end)
        while lane + 4 * width <= last:
            sums = tile_gather_dot(sums, tile_load(ROW, delta, d0 + lane, stride), y, sources, s0, stride, lane)
            lane += 4 * width
        while lane + 2 * width <= last:
            sums = tile_gather_dot(sums, tile_load(PAIR, delta, d0 + lane, stride), y, sources, s0, stride, lane)
            lane += 2 * width
        while lane < last:
            sums = tile_gather_dot(sums, tile_load(ONE, delta, d0 + lane, stride), y, sources, s0, stride, lane)
            lane += width
        plane += pitch
        end -= stride
    tile_totals(sums, out, o0)


@inlined
def gradient_one(
    sources: Array,
    s0: int,
    count: int,
    y: Array,
    delta: Array,
    neuron: int,
    stride: int,
    pitch: int,
    end: int,
    out: Array,
    o0: int,
) -> None:
    """∂L/∂w of one neuron, ``SUMMED`` sources at a time: the last ones again where they would not fill a tile."""
    d0 = neuron * stride
    k = 0
    while k < count:
        if count < SUMMED:
            gradient_few(ONE, sources, s0 + k, y, delta, d0, stride, pitch, end, out, o0 + k)
            k += 1
        else:
            at = min(k, count - SUMMED)
            gradient_few(SUMS, sources, s0 + at, y, delta, d0, stride, pitch, end, out, o0 + at)
            k += SUMMED
