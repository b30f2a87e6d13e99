"""Neurons with sources of their own, one at a time, a lane per sample: forward, backward and gradient. All inlined."""

from typing import Any

from neuronsim.kernels.arguments import Array, Dots, Edges, Signals, Sums, Wiring, Workspace
from neuronsim.kernels.batch.aggregation import forward_row, push_row
from neuronsim.kernels.jit import inlined
from neuronsim.kernels.lanes import lane_count
from neuronsim.kernels.shapes import ONE, PAIR, ROW, SUMMED, SUMS
from neuronsim.kernels.tiles import tile_gather_dot, tile_load, tile_totals, tile_zero


@inlined
def forward_one(edges: Edges, biases: Array, neuron: int, signals: Signals, n: int) -> None:
    """z = b + Σ w·y of one neuron for ``n`` samples: four lane vectors at a time, then two, one."""
    width = lane_count(biases)
    lane = 0
    while lane + 4 * width <= n:
        forward_row(ROW, edges, biases, neuron, signals, lane)
        lane += 4 * width
    if lane + 2 * width <= n:
        forward_row(PAIR, edges, biases, neuron, signals, lane)
        lane += 2 * width
    if lane < n:
        forward_row(ONE, edges, biases, neuron, signals, lane)


@inlined
def push_one(edges: Edges, delta: Array, neuron: int, stride: int, start: int, end: int) -> None:
    """Push one neuron's δ into its sources for the samples ``start`` to ``end``."""
    width = lane_count(delta)
    lane = start
    while lane + 4 * width <= end:
        push_row(ROW, edges, delta, neuron, stride, lane)
        lane += 4 * width
    if lane + 2 * width <= end:
        push_row(PAIR, edges, delta, neuron, stride, lane)
        lane += 2 * width
    if lane < end:
        push_row(ONE, edges, delta, neuron, stride, lane)


@inlined
def gradient_together(shape: Any, dots: Dots, sources: Array, s0: int, count: int, out: int) -> None:
    """∂L/∂w = Σ_i δ_i · y_i for one neuron and a tile of sources: partial sums per lane, then their tree.

    The ``count`` samples come plane by plane, four lane vectors at a time.
    """
    y, delta, d0, stride, pitch, scratch = dots
    width = lane_count(y)
    sums = tile_zero(shape, y)
    plane = 0
    while count > 0:
        lane, last = plane, plane + min(stride, count)
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
        count -= stride
    tile_totals(sums, scratch, out)


@inlined
def gradient_one(wiring: Wiring, work: Workspace, sums: Sums, neuron: int, out: int) -> None:
    """∂L/∂w of one neuron, ``SUMMED`` sources at a time: the last ones again where they would not fill a tile."""
    s0 = wiring.row_start[neuron]
    count = wiring.row_start[neuron + 1] - s0
    dots = Dots(work.y, work.delta, neuron * work.stride, work.stride, work.pitch, work.scratch)
    k = 0
    while k < count:
        if count < SUMMED:
            gradient_together(ONE, dots, wiring.sources, s0 + k, sums.n_samples, out + k)
            k += 1
        else:
            at = min(k, count - SUMMED)
            gradient_together(SUMS, dots, wiring.sources, s0 + at, sums.n_samples, out + at)
            k += SUMMED
