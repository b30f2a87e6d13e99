"""Replicas of a network whose every neuron has few sources: plain SGD, half squared error, a sample a step.

The same bits with less around them: what decides which way a loop goes is known, and a vector is a sample.
"""

from neuronsim.kernels.activations import common
from neuronsim.kernels.arguments import Parameters, Samples, Span, Wiring, Workspace
from neuronsim.kernels.jit import inlined, kernel
from neuronsim.kernels.lanes import Lanes, filled, fma, lane_count, load, peek, poke, store
from neuronsim.kernels.replicas.forward import GATHERED, gather


@inlined
def forward_bundle(wiring: Wiring, parameters: Parameters, work: Workspace, first: int, size: int) -> None:
    """y and f'(z) of a bundle's neurons."""
    weights, sources, y = parameters.weights, wiring.sources, work.y
    width = lane_count(y)
    s0 = peek(wiring.row_start, first)
    count = peek(wiring.row_start, first + 1) - s0
    code, w = peek(wiring.codes, first), s0 * width
    for neuron in range(first * width, (first + size) * width, width):
        z = load(parameters.biases, neuron)
        for k in range(s0, s0 + count):
            z = fma(load(weights, w), load(y, peek(sources, k) * width), z)
            w += width
        value, derivative = common(code, z)
        store(y, neuron, value)
        store(work.derivatives, neuron, derivative)


@inlined
def half_squared(wiring: Wiring, work: Workspace, targets: int) -> Lanes:
    """½ Σ (y − t)² of each replica's sample; into ``loss_delta`` each output's (y − t) · f'(z)."""
    width = lane_count(work.y)
    value = filled(load(work.y, 0), 0.0)
    for o in range(wiring.outputs.size):
        neuron = peek(wiring.outputs, o) * width
        e = load(work.y, neuron) - load(work.rows, targets + o * width)
        value = value + e * 0.5 * e
        store(work.loss_delta, o * width, e * load(work.derivatives, neuron))
    return value


@inlined
def descend_bundle(
    wiring: Wiring, parameters: Parameters, work: Workspace, first: int, size: int, pushes: bool, down: Lanes
) -> None:
    """δ = (Σ w·δ)·f'(z) + the loss's own part; per edge ``acc[source] += w·δ``, ``w −= μ·δ·y``; ``b −= μ·δ``.

    ``down`` is −μ.
    """
    weights, biases, sources = parameters.weights, parameters.biases, wiring.sources
    y, delta = work.y, work.delta
    width = lane_count(y)
    s0 = peek(wiring.row_start, first)
    count = peek(wiring.row_start, first + 1) - s0
    w = s0 * width
    for neuron in range(first, first + size):
        at, row = neuron * width, peek(wiring.output_row, neuron)
        d = load(delta, at) * load(work.derivatives, at)
        if row >= 0:
            d = d + load(work.loss_delta, row * width)
        change = down * d
        store(biases, at, load(biases, at) + change)
        for k in range(s0, s0 + count):
            source, old = peek(sources, k) * width, load(weights, w)
            if pushes:
                store(delta, source, fma(old, d, load(delta, source)))
            store(weights, w, fma(change, load(y, source), old))
            w += width


@kernel
def train_tiny_replicas(
    wiring: Wiring, parameters: Parameters, work: Workspace, samples: Samples, span: Span, n_places: int, n_steps: int
) -> None:
    """`train_replicas` for networks whose every bundle is short, with one common activation each."""
    n_inputs, n_outputs, n_bundles = wiring.inputs.size, wiring.outputs.size, wiring.bundle_first.size
    width = lane_count(work.y)
    room = (n_inputs + n_outputs) * width
    pitch = 0 if samples.order.size == n_places else n_places
    rate_step = 0 if span.step_rates.size == width else width
    zero = filled(load(work.y, 0), 0.0)
    for i in range(n_inputs):
        store(work.derivatives, peek(wiring.inputs, i) * width, filled(zero, 1.0))
    for s in range(n_steps):
        if s % GATHERED == 0:
            gather(wiring, work, samples, span.first_step + s, min(GATHERED, n_steps - s), pitch)
        at = s % GATHERED * room
        for j in range(n_inputs):
            store(work.y, peek(wiring.inputs, j) * width, load(work.rows, at + j * width))
        for i in range(wiring.cleared.size):
            store(work.delta, peek(wiring.cleared, i) * width, zero)
        for b in range(n_bundles):
            forward_bundle(wiring, parameters, work, peek(wiring.bundle_first, b), peek(wiring.bundle_size, b))
        store(work.losses, 0, half_squared(wiring, work, at + n_inputs * width))
        down = -load(span.step_rates, s * rate_step)
        for b in range(n_bundles - 1, -1, -1):
            first, size, pushes = peek(wiring.bundle_first, b), peek(wiring.bundle_size, b), wiring.bundle_pushes[b]
            descend_bundle(wiring, parameters, work, first, size, pushes, down)
        for lane in range(width):
            poke(span.loss_sum, lane, peek(span.loss_sum, lane) + float(peek(work.losses, lane)))
