"""Replicas back: the loss and its δ, then δ = (Σ w·δ)·f'(z) + the loss's own part, pushed on with the old weights."""

from neuronsim.kernels.activations import COMMON, add_slope_terms, derivative, times_derivative
from neuronsim.kernels.arguments import Activation, Array, Parameters, Wiring, Workspace
from neuronsim.kernels.codes import CROSS_ENTROPY, HALF_SQUARED, PRELU, SOFTMAX
from neuronsim.kernels.jit import inlined
from neuronsim.kernels.lanes import filled, fma, lane_count, load, peek, store
from neuronsim.kernels.losses import is_fused, losses, output_signals, softmax_cross_entropy, softmax_jacobian


@inlined
def find_losses(loss: int, wiring: Wiring, work: Workspace, n: int) -> None:
    """L of ``n`` samples of each replica, and for each output ∂L/∂y, or δ where loss and activation fuse."""
    width, stride = lane_count(work.y), work.stride
    if loss != HALF_SQUARED:
        losses(loss, wiring, work, 0, n * width)
    else:  # in place: the call alone takes as long as a step of a tiny network
        for i in range(0, n * width, width):
            value = filled(load(work.y, 0), 0.0)
            for o in range(wiring.outputs.size):
                e = load(work.y, peek(wiring.outputs, o) * stride + i) - load(work.target, o * stride + i)
                value = value + e * 0.5 * e
                store(work.loss_delta, o * stride + i, e)
            store(work.losses, i, value)
    if wiring.softmax_members.size > 0:
        members, rows = wiring.softmax_members, wiring.softmax_rows
        if loss == CROSS_ENTROPY:
            softmax_cross_entropy(members, rows, output_signals(work), 0, n * width)
        else:
            softmax_jacobian(members, rows, output_signals(work), 0, n * width)


@inlined
def through(
    wiring: Wiring, parameters: Parameters, work: Workspace, neuron: int, d: Array, at: int, n: int, online: bool
) -> None:
    """d := d · f'(z) for a neuron's row; of a learned slope its terms are gathered first."""
    width, z0, code = lane_count(d), neuron * work.stride, peek(wiring.codes, neuron)
    if code in COMMON:
        for i in range(0, n * width, width):
            store(d, at + i, load(d, at + i) * load(work.derivatives, z0 + i))
    elif code == PRELU:
        row = peek(wiring.slope_row, neuron) * work.stride
        add_slope_terms(work.z, z0, d, at, work.slope_terms, row, n * width)
        slope = load(parameters.slopes, neuron * width)
        for i in range(0, n * width, width):
            factor = derivative(code, load(work.z, z0 + i), load(work.y, z0 + i), slope)
            store(d, at + i, load(d, at + i) * factor)
    else:
        f = Activation(code, parameters.slopes[0], wiring.user)
        if online:  # a lone run keeps f'(z), rounded
            for i in range(0, n * width, width):
                store(work.derivatives, z0 + i, filled(load(d, at), 1.0))
            times_derivative(f, work.z, work.y, z0, work.derivatives, z0, n * width)
            for i in range(0, n * width, width):
                store(d, at + i, load(d, at + i) * load(work.derivatives, z0 + i))
        else:
            times_derivative(f, work.z, work.y, z0, d, at, n * width)


@inlined
def start_deltas(loss: int, wiring: Wiring, parameters: Parameters, work: Workspace, n: int, online: bool) -> None:
    """Losses, the δ that the loss itself puts on each output, and zeros where δ is aggregated."""
    width, stride = lane_count(work.y), work.stride
    find_losses(loss, wiring, work, n)
    zero = filled(load(work.y, 0), 0.0)
    for p in range(wiring.prelus.size):
        for i in range(0, n * width, width):
            store(work.slope_terms, p * stride + i, zero)
    for o in range(wiring.outputs.size):
        neuron = peek(wiring.outputs, o)
        code = peek(wiring.codes, neuron)
        if wiring.is_input[neuron] or is_fused(loss, code) or code == SOFTMAX:
            continue
        through(wiring, parameters, work, neuron, work.loss_delta, o * stride, n, online)
    for c in range(wiring.cleared.size):
        at = peek(wiring.cleared, c) * stride
        for i in range(at, at + n * width, width):
            store(work.delta, i, zero)


@inlined
def finish_delta(wiring: Wiring, parameters: Parameters, work: Workspace, neuron: int, n: int, online: bool) -> None:
    """δ = (Σ w·δ)·f'(z) + the loss's own part, for one neuron."""
    width, stride, at = lane_count(work.y), work.stride, neuron * work.stride
    through(wiring, parameters, work, neuron, work.delta, at, n, online)
    row = peek(wiring.output_row, neuron)
    if row >= 0:
        for i in range(0, n * width, width):
            store(work.delta, at + i, load(work.delta, at + i) + load(work.loss_delta, row * stride + i))


@inlined
def finish_bundle(
    wiring: Wiring, parameters: Parameters, work: Workspace, bundle: int, n: int, online: bool
) -> tuple[int, int]:
    """The same for a bundle's neurons, which send nothing to each other; the first one, and the one behind the last."""
    first = peek(wiring.bundle_first, bundle)
    end = first + peek(wiring.bundle_size, bundle)
    for neuron in range(first, end):
        finish_delta(wiring, parameters, work, neuron, n, online)
    return first, end


@inlined
def push(wiring: Wiring, weights: Array, work: Workspace, neuron: int, skipped: int, n: int) -> None:
    """acc[source] += w·δ for a neuron's edges but the first ``skipped``."""
    width, stride, delta = lane_count(weights), work.stride, work.delta
    for e in range(peek(wiring.row_start, neuron) + skipped, peek(wiring.row_start, neuron + 1)):
        w, to = load(weights, e * width), peek(wiring.sources, e) * stride
        for i in range(0, n * width, width):
            store(delta, to + i, fma(w, load(delta, neuron * stride + i), load(delta, to + i)))


@inlined
def backward(wiring: Wiring, parameters: Parameters, work: Workspace, n: int, online: bool) -> None:
    """``n`` samples of each replica back through every bundle, in reverse order."""
    for b in range(wiring.bundle_first.size - 1, -1, -1):
        first, end = finish_bundle(wiring, parameters, work, b, n, online)
        skipped = peek(wiring.n_leading_sources, b)
        if wiring.bundle_pushes[b]:
            for neuron in range(first, end):
                push(wiring, parameters.weights, work, neuron, skipped, n)
