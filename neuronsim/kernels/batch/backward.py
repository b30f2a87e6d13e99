"""Batch backward aggregation, a lane per sample: δ = (Σ w·δ)·f'(z), pushed from each neuron into its sources (L3)."""

from neuronsim.kernels.activations import add_slope_terms, times_derivative
from neuronsim.kernels.arguments import Activation, Array, Edges, Parameters, Wiring, Workspace
from neuronsim.kernels.batch.aggregation import push_tile
from neuronsim.kernels.batch.single import push_one
from neuronsim.kernels.codes import PRELU
from neuronsim.kernels.jit import kernel, leaf
from neuronsim.kernels.lanes import filled, lane_count, load, store
from neuronsim.kernels.losses import is_fused
from neuronsim.kernels.shapes import BLOCK, COLUMN, COLUMNS, ROWS


@kernel
def push(edges: Edges, delta: Array, neuron: int, n: int, stride: int, start: int, end: int) -> None:
    """Push δ of ``n`` neurons, whole tiles from ``neuron`` on, for the samples ``start`` to ``end``."""
    weights, w0, sources, s0, count = edges
    width = lane_count(delta)
    for r in range(0, n, ROWS):
        rows = Edges(weights, w0 + r * count, sources, s0, count)
        lane = start
        while lane + COLUMNS * width <= end:
            push_tile(BLOCK, rows, delta, neuron + r, stride, lane)
            lane += COLUMNS * width
        while lane < end:
            push_tile(COLUMN, rows, delta, neuron + r, stride, lane)
            lane += width


@kernel
def output_deltas(wiring: Wiring, parameters: Parameters, work: Workspace, loss: int, start: int, n: int) -> None:
    """From ∂L/∂y to the δ that the loss itself puts on each output: ∂L/∂y · f'(z), unless already fused."""
    z, loss_delta, stride = work.z, work.loss_delta, work.stride
    for o in range(wiring.outputs.size):
        neuron = wiring.outputs[o]
        code = wiring.codes[neuron]
        if wiring.is_input[neuron] or is_fused(loss, code):
            continue
        at, to = neuron * stride + start, o * stride + start
        if code == PRELU:
            add_slope_terms(z, at, loss_delta, to, work.slope_terms, wiring.slope_row[neuron] * stride + start, n)
        f = Activation(code, parameters.slopes[neuron], wiring.user)
        times_derivative(f, z, work.y, at, loss_delta, to, n)


@leaf
def backward(wiring: Wiring, parameters: Parameters, work: Workspace, start: int, end: int) -> None:
    """Take the samples ``start`` to ``end`` back through every bundle, in reverse order.

    On entry ``delta`` is zero; when a bundle's turn comes, it holds Σ w·δ of all its sinks. Then
    δ = (Σ w·δ)·f'(z) + the loss's own part, which is pushed on to the sources.
    """
    weights, sources = parameters.weights, wiring.sources
    z, y, delta, stride = work.z, work.y, work.delta, work.stride
    width, n = lane_count(delta), end - start
    for b in range(wiring.bundle_first.size - 1, -1, -1):
        first, size = wiring.bundle_first[b], wiring.bundle_size[b]
        for neuron in range(first, first + size):
            at, code = neuron * stride + start, wiring.codes[neuron]
            if code == PRELU:
                add_slope_terms(z, at, delta, at, work.slope_terms, wiring.slope_row[neuron] * stride + start, n)
            times_derivative(Activation(code, parameters.slopes[neuron], wiring.user), z, y, at, delta, at, n)
            if wiring.output_row[neuron] >= 0:
                to = wiring.output_row[neuron] * stride + start
                for i in range(0, n, width):
                    store(delta, at + i, load(delta, at + i) + load(work.loss_delta, to + i))
        if wiring.bundle_pushes[b]:
            s0 = wiring.row_start[first]
            count = wiring.row_start[first + 1] - s0
            whole = size // ROWS * ROWS
            if whole > 0:
                push(Edges(weights, s0, sources, s0, count), delta, first, whole, stride, start, end)
            skipped = wiring.n_leading_sources[b]
            for r in range(whole, size):
                edges = Edges(weights, s0 + r * count + skipped, sources, s0 + skipped, count - skipped)
                push_one(edges, delta, first + r, stride, start, end)


@kernel
def clear(rows: Array, values: Array, stride: int, start: int, end: int) -> None:
    """Set the given rows to zero for the samples ``start`` to ``end``."""
    width = lane_count(values)
    for i in range(rows.size):
        at = rows[i] * stride
        for lane in range(start, end, width):
            store(values, at + lane, filled(load(values, at + lane), 0.0))
