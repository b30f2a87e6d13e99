"""Online learning where every neuron has few sources: each sample waits for the last one's update.

The same as `online` for plain SGD and half squared error, bit for bit, with a shorter chain of instructions and less
around it (2-3-1: 54 ns a sample against 80): from a neuron's sum to its output all stays in registers, and going back a
neuron's δ, bias and weights are one loop.
"""

from typing import Any

import numpy as np

from neuronsim.kernels.activations import common
from neuronsim.kernels.arguments import Array, Block, Edges, Parameters, Samples, Span, Wiring, Workspace
from neuronsim.kernels.jit import inlined, kernel
from neuronsim.kernels.lanes import fma, pack, peek, poke, prefetch, store_packed
from neuronsim.kernels.watch.recorder import Recorder, after_block, after_step, before_step

#: Neurons of a bundle taken together.
PACK = 4

#: Samples are fetched so many steps before their turn.
AHEAD = 8


@inlined
def fetch_sample(samples: Samples, position: int, n_inputs: int, n_outputs: int) -> None:
    """Let a sample of a later step come: in a shuffled order no processor foresees where it lies."""
    if position < samples.order.size:
        row = peek(samples.order, position)
        prefetch(samples.inputs, row * n_inputs)
        prefetch(samples.targets, row * n_outputs)


@inlined
def sum_packed(edges: Edges, y: Array, biases: Array, first: int, n: int) -> Any:
    """b + Σ w·y of ``n`` ≤ 4 neurons with the same sources, one source after another, as four lanes."""
    weights, w0, sources, s0, count = edges
    z0 = peek(biases, first)
    if n == 1:
        for k in range(count):
            z0 = fma(peek(weights, w0 + k), peek(y, peek(sources, s0 + k)), z0)
        return pack(z0, z0, z0, z0)
    # rows beyond the last repeat it
    r2, r3 = min(2, n - 1), min(3, n - 1)
    z1, z2, z3 = peek(biases, first + 1), peek(biases, first + r2), peek(biases, first + r3)
    for k in range(count):
        message = peek(y, peek(sources, s0 + k))
        z0 = fma(peek(weights, w0 + k), message, z0)
        z1 = fma(peek(weights, w0 + count + k), message, z1)
        z2 = fma(peek(weights, w0 + r2 * count + k), message, z2)
        z3 = fma(peek(weights, w0 + r3 * count + k), message, z3)
    return pack(z0, z1, z2, z3)


@inlined
def forward_bundle(wiring: Wiring, parameters: Parameters, work: Workspace, first: int, size: int) -> None:
    """z, y and f'(z) of a bundle, four neurons at a time."""
    s0 = peek(wiring.row_start, first)
    count = peek(wiring.row_start, first + 1) - s0
    code = peek(wiring.codes, first)
    for r in range(0, size, PACK):
        n, at = min(PACK, size - r), first + r
        edges = Edges(parameters.weights, s0 + r * count, wiring.sources, s0, count)
        z = sum_packed(edges, work.y, parameters.biases, at, n)
        y, derivative = common(code, z)
        store_packed(work.z, at, z, n)
        store_packed(work.y, at, y, n)
        store_packed(work.derivatives, at, derivative, n)


@inlined
def half_squared(wiring: Wiring, work: Workspace, samples: Samples, row: int) -> Any:
    """½ Σ (y − t)² of a sample; into ``loss_delta`` each output's (y − t) · f'(z)."""
    value = type(work.y[0])(0.0)
    for o in range(wiring.outputs.size):
        neuron = peek(wiring.outputs, o)
        e = peek(work.y, neuron) - peek(samples.targets, row * wiring.outputs.size + o)
        value += e * type(e)(0.5) * e
        poke(work.loss_delta, o, e * peek(work.derivatives, neuron))
    return value


@inlined
def descend_bundle(
    wiring: Wiring, parameters: Parameters, work: Workspace, first: int, size: int, pushes: bool, down: Any
) -> None:
    """δ = (Σ w·δ)·f'(z) + the loss's own part; per edge ``acc[source] += w·δ``, ``w −= μ·δ·y``; ``b −= μ·δ``.

    ``down`` is −μ.
    """
    weights, biases, sources = parameters.weights, parameters.biases, wiring.sources
    y, delta = work.y, work.delta
    s0 = peek(wiring.row_start, first)
    count = peek(wiring.row_start, first + 1) - s0
    w = s0
    for neuron in range(first, first + size):
        d = peek(delta, neuron) * peek(work.derivatives, neuron)
        row = peek(wiring.output_row, neuron)
        if row >= 0:
            d += peek(work.loss_delta, row)
        poke(delta, neuron, d)
        change = down * d
        poke(biases, neuron, peek(biases, neuron) + change)
        for k in range(count):
            source = peek(sources, s0 + k)
            old = peek(weights, w)
            if pushes:
                poke(delta, source, fma(old, d, peek(delta, source)))
            poke(weights, w, fma(change, peek(y, source), old))
            w += 1


@kernel
def train_tiny(
    recorder: Recorder | None, wiring: Wiring, parameters: Parameters, work: Workspace, samples: Samples, span: Span
) -> int:
    """`train_online` for networks whose every bundle is short, with one common activation each."""
    n_inputs, n_bundles = wiring.inputs.size, wiring.bundle_first.size
    for i in wiring.inputs:
        work.derivatives[i] = 1.0
    for s in range(span.step_rates.size):
        watched = before_step(recorder, parameters, s)
        position = span.first_step + s
        down = -type(work.y[0])(span.step_rates[s])
        row = peek(samples.order, position)
        fetch_sample(samples, position + AHEAD, n_inputs, wiring.outputs.size)
        for j in range(n_inputs):
            poke(work.y, peek(wiring.inputs, j), peek(samples.inputs, row * n_inputs + j))
        for i in range(wiring.cleared.size):
            poke(work.delta, peek(wiring.cleared, i), 0.0)
        for b in range(n_bundles):
            forward_bundle(wiring, parameters, work, peek(wiring.bundle_first, b), peek(wiring.bundle_size, b))
        value = half_squared(wiring, work, samples, row)
        if not np.isfinite(value):
            return s
        span.loss_sum[0] += value
        for b in range(n_bundles - 1, -1, -1):
            first, size, pushes = peek(wiring.bundle_first, b), peek(wiring.bundle_size, b), wiring.bundle_pushes[b]
            descend_bundle(wiring, parameters, work, first, size, pushes, down)
        if watched:
            after_block(recorder, work, samples, Block(position, 1, 0, 1))
            if after_step(recorder, parameters, 1.0, 1, row):
                return s + 1
    return span.step_rates.size
