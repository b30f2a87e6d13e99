"""One step of sequences, a lane each: forward as in a batch, and back; what leaks keeps some of the step before.

z_i(t) = b_i + Σ w_ji · y_j(t − d), the edges by delay, then by source id.
"""

from neuronsim.kernels.activations import activate, add_slope_terms, times_derivative
from neuronsim.kernels.arguments import Activation, Array, Edges, Parameters, Signals, Wiring, Workspace
from neuronsim.kernels.batch.backward import output_deltas, push
from neuronsim.kernels.batch.forward import aggregate
from neuronsim.kernels.batch.single import forward_one, push_one
from neuronsim.kernels.batch.steps import find_losses
from neuronsim.kernels.codes import LEAK_OF_OUTPUT, LEAK_OF_POTENTIAL, NO_LEAK, PRELU
from neuronsim.kernels.jit import inlined, kernel, leaf
from neuronsim.kernels.lanes import filled, fma, lane_count, load, select, store
from neuronsim.kernels.sequences.arguments import Leaks, Unfolded
from neuronsim.kernels.shapes import ROWS


@inlined
def leak_of(leaks: Leaks, neuron: int) -> int:
    """What a neuron keeps."""
    return int(leaks.codes[neuron]) if leaks.codes.size > 0 else NO_LEAK


@kernel
def keep_some(leaks: Leaks, neuron: int, values: Array, row: int, back: int, kept: int, n: int) -> None:
    """x(t) := (1 − α)·x(t − 1) + α·x(t), where x is y or z, ``back`` numbers apart; the new part is kept."""
    alpha = leaks.rates[neuron]
    for i in range(0, n, lane_count(values)):
        new, old = load(values, row + i), load(values, row - back + i)
        store(leaks.kept, kept + i, new)
        store(values, row + i, fma(new, filled(new, alpha), old * filled(old, 1.0 - alpha)))


@kernel
def add_later_errors(leaks: Leaks, neuron: int, delta: Array, row: int, ahead: int, kept: int, n: int) -> None:
    """λ(t) = A(t) + (1 − α)·λ(t + 1), which lies ``ahead`` numbers apart, 0: nowhere; then δ := α·λ(t)."""
    alpha = leaks.rates[neuron]
    for i in range(0, n, lane_count(delta)):
        error = load(delta, row + i)
        if ahead > 0:
            later = load(leaks.errors, kept + ahead + i)
            error = fma(later, filled(later, 1.0 - alpha), error)
        store(leaks.errors, kept + i, error)
        store(delta, row + i, error * filled(error, alpha))


@leaf
def step_forward(
    wiring: Wiring, parameters: Parameters, leaks: Leaks, work: Workspace, at: int, back: int, n: int
) -> None:
    """Take one step of ``n`` sequences through every bundle; the step before lies ``back`` numbers in front of it."""
    weights, biases, slopes = parameters
    y, z, stride = work.y, work.z, work.stride
    here = y[at:]
    signals = Signals(here, z[at:], here, stride)
    for b in range(wiring.bundle_first.size):
        first, size = wiring.bundle_first[b], wiring.bundle_size[b]
        whole = size // ROWS * ROWS
        s0 = wiring.row_start[first]
        count = wiring.row_start[first + 1] - s0
        if whole > 0:
            aggregate(Edges(weights, s0, wiring.sources, s0, count), biases, first, first + whole, signals, n)
        for r in range(size):
            neuron = first + r
            if r >= whole:
                forward_one(Edges(weights, s0 + r * count, wiring.sources, s0, count), biases, neuron, signals, n)
            row, leak = neuron * stride + at, leak_of(leaks, neuron)
            if leak == LEAK_OF_POTENTIAL:
                keep_some(leaks, neuron, z, row, back, leaks.rows[neuron] * stride + at, n)
            activate(Activation(wiring.codes[neuron], slopes[neuron], wiring.user), z, row, y, row, n)
            if leak == LEAK_OF_OUTPUT:
                keep_some(leaks, neuron, y, row, back, leaks.rows[neuron] * stride + at, n)


@leaf
def find_step_deltas(
    wiring: Wiring, parameters: Parameters, work: Workspace, loss: int, weights: Array, w0: int, at: int, n: int
) -> None:
    """Weighted losses of one step of ``n`` sequences and the δ that the loss itself puts on each output.

    Where the weight is 0 nothing counts, whatever the outputs are.
    """
    find_losses(wiring, work, loss, at, n)
    for i in range(0, n, lane_count(weights)):
        weight = load(weights, w0 + i)
        store(work.losses, at + i, select(weight == 0.0, 0.0, load(work.losses, at + i) * weight))
        for o in range(wiring.outputs.size):
            to = o * work.stride + at + i
            store(work.loss_delta, to, select(weight == 0.0, 0.0, load(work.loss_delta, to) * weight))
    output_deltas(wiring, parameters, work, loss, at, n)


@inlined
def add_loss_part(work: Workspace, row: int, to: int, n: int) -> None:
    """Add what the loss itself puts on an output, last."""
    for i in range(0, n, lane_count(work.delta)):
        store(work.delta, row + i, load(work.delta, row + i) + load(work.loss_delta, to + i))


@kernel
def find_delta(
    wiring: Wiring, parameters: Parameters, leaks: Leaks, work: Workspace, neuron: int, at: int, ahead: int, n: int
) -> None:
    """δ = ∂L/∂z of one neuron, from A = Σ w·δ of its sinks, now and later, and the loss's own part."""
    y, z, delta, stride = work.y, work.z, work.delta, work.stride
    row, kept = neuron * stride + at, leaks.rows[neuron] * stride + at if leaks.codes.size > 0 else 0
    code, leak, output = wiring.codes[neuron], leak_of(leaks, neuron), wiring.output_row[neuron] * stride + at
    is_output = wiring.output_row[neuron] >= 0
    f = Activation(code, parameters.slopes[neuron], wiring.user)
    if leak != NO_LEAK and is_output:
        add_loss_part(work, row, output, n)  # ∂L/∂y: see ``outputs`` in steps.py
    if leak == LEAK_OF_OUTPUT:
        add_later_errors(leaks, neuron, delta, row, ahead, kept, n)
    if code == PRELU:
        add_slope_terms(z, row, delta, row, work.slope_terms, wiring.slope_row[neuron] * stride + at, n)
    if leak == LEAK_OF_OUTPUT:
        times_derivative(f, z[row:], leaks.kept[kept:], 0, delta, row, n)  # at f(z), not at what it is mixed into
    else:
        times_derivative(f, z, y, row, delta, row, n)
    if leak == LEAK_OF_POTENTIAL:
        add_later_errors(leaks, neuron, delta, row, ahead, kept, n)
    if leak == NO_LEAK and is_output:
        add_loss_part(work, row, output, n)


@leaf
def step_back(unfolded: Unfolded, parameters: Parameters, at: int, ahead: int, crosses: bool) -> None:
    """Take one step of a plane's sequences back through every bundle, in reverse order; later steps have been.

    When a bundle's turn comes, ``delta`` holds what later steps and its sinks in this one have pushed, in that order.
    Unless it ``crosses`` steps, δ goes to those sources alone that were heard within the step.
    """
    wiring, leaks, work = unfolded.wiring, unfolded.leaks, unfolded.work
    weights, sources, stride = parameters.weights, wiring.sources, work.stride
    n = stride
    for b in range(wiring.bundle_first.size - 1, -1, -1):
        first, size = wiring.bundle_first[b], wiring.bundle_size[b]
        for neuron in range(first, first + size):
            find_delta(wiring, parameters, leaks, work, neuron, at, ahead, n)
        if wiring.bundle_pushes[b]:
            s0 = wiring.row_start[first]
            count = wiring.row_start[first + 1] - s0
            whole = size // ROWS * ROWS if crosses else 0
            heard = count if crosses else unfolded.runs.n_at_once[b]
            delta = work.delta[at:]
            if whole > 0:
                push(Edges(weights, s0, sources, s0, count), delta, first, whole, stride, 0, n)
            skipped = wiring.n_leading_sources[b]
            for r in range(whole, size):
                edges = Edges(weights, s0 + r * count + skipped, sources, s0 + skipped, max(heard - skipped, 0))
                push_one(edges, delta, first + r, stride, 0, n)
