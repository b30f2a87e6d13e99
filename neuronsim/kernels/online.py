"""Online learning, a lane per source: a sample forward, its error back in push order, weights updated on the way (L3).

Going back, each edge is met once: first its sink's δ goes to the source with the *old* weight, then the weight changes:
``acc[source] += w·δ``, ``w −= μ·δ·y``.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from neuronsim.kernels.activations import (
    activate,
    activate_few,
    derivative_one,
    softmax,
    times_derivative,
    times_derivative_few,
)
from neuronsim.kernels.codes import CROSS_ENTROPY, FIRST_USER, PRELU, SOFTMAX
from neuronsim.kernels.jit import inlined, leaf
from neuronsim.kernels.lanes import (
    fma,
    lane_count,
    load_part,
    peek,
    poke,
    splat,
    store_part,
    tile_descend,
    tile_dot,
    tile_finish,
    tile_push_descend,
    tile_start,
    tile_zero,
)
from neuronsim.kernels.losses import is_fused, losses_one, softmax_cross_entropy, softmax_jacobian
from neuronsim.kernels.records import Learning, Parameters, Samples, Wiring, Workspace
from neuronsim.kernels.shapes import ONE, ONLINE_BLOCK, ONLINE_ROWS
from neuronsim.kernels.update import (
    RATE,
    SCALE,
    WRITE,
    begin_step,
    into,
    squared_norm,
    update_all,
    update_biases,
    update_slopes,
    update_weights,
)

Array = npt.NDArray[Any]

#: Rows of fewer sources are summed one source after another, without lanes.
SHORT = 8


#: So few neurons are activated without vector loads and stores.
FEW_NEURONS = 4


@inlined
def dot_rows(
    shape: Any, weights: Array, w0: int, count: int, y: Array, y0: int, biases: Array, first: int, z: Array
) -> None:
    """z = b + Σ w·y for a tile's rows: source k goes to partial sum k mod lanes, then the tree, then the bias."""
    width = lane_count(y)
    tile = tile_zero(shape, y)
    k = 0
    while k + width <= count:
        tile = tile_dot(tile, weights, w0 + k, count, y, y0 + k, width)
        k += width
    if k < count:
        tile = tile_dot(tile, weights, w0 + k, count, y, y0 + k, count - k)
    tile_finish(tile, biases, first, z)


@inlined
def is_run(sources: Array, s0: int, count: int) -> bool:
    """Whether these sources (ascending, distinct) have consecutive ids."""
    return bool(sources[s0 + count - 1] - sources[s0] == count - 1)


@inlined
def aggregate(wiring: Wiring, parameters: Parameters, work: Workspace, first: int, size: int) -> None:
    """z = b + Σ w·y for a bundle's neurons."""
    weights, biases, y, z = parameters.weights, parameters.biases, work.y, work.z
    s0 = peek(wiring.row_start, first)
    count = peek(wiring.row_start, first + 1) - s0
    if count < SHORT:
        w = s0
        for neuron in range(first, first + size):
            value = peek(biases, neuron)
            for k in range(count):
                value = fma(peek(weights, w), peek(y, peek(wiring.sources, s0 + k)), value)
                w += 1
            poke(z, neuron, value)
        return
    if is_run(wiring.sources, s0, count):
        messages, m0 = y, int(wiring.sources[s0])
    else:
        messages, m0 = work.scratch, 0
        for k in range(count):
            poke(messages, k, peek(y, peek(wiring.sources, s0 + k)))
    r = 0
    while r + ONLINE_ROWS <= size:
        dot_rows(ONLINE_BLOCK, weights, s0 + r * count, count, messages, m0, biases, first + r, z)
        r += ONLINE_ROWS
    while r < size:
        dot_rows(ONE, weights, s0 + r * count, count, messages, m0, biases, first + r, z)
        r += 1


@inlined
def run_end(codes: Array, neuron: int, end: int) -> int:
    """Where the run of neurons ends that can be activated (or derived) together with ``neuron``."""
    code = peek(codes, neuron)
    stop = neuron + 1
    if code != PRELU and code < FIRST_USER:
        while stop < end and peek(codes, stop) == code:
            stop += 1
    return stop


@inlined
def forward_one(wiring: Wiring, parameters: Parameters, work: Workspace, samples: Samples, row: int) -> None:
    """One sample through the network: y and z of every neuron."""
    y, z = work.y, work.z
    for j in range(wiring.inputs.size):
        poke(y, peek(wiring.inputs, j), peek(samples.inputs, row * wiring.inputs.size + j))
    for b in range(wiring.bundle_first.size):
        first, size = peek(wiring.bundle_first, b), peek(wiring.bundle_size, b)
        aggregate(wiring, parameters, work, first, size)
        neuron = first
        while neuron < first + size:
            stop = run_end(wiring.codes, neuron, first + size)
            code, slope = peek(wiring.codes, neuron), peek(parameters.slopes, neuron)
            if stop - neuron <= FEW_NEURONS:
                activate_few(code, slope, wiring.user, z, y, neuron, stop - neuron)
            else:
                activate(code, slope, wiring.user, z, neuron, y, neuron, stop - neuron)
            neuron = stop
    if wiring.softmax_members.size > 0:
        softmax(wiring.softmax_members, z, y, 1, 0, 1)
    if samples.classes.size > 0:
        for o in range(wiring.outputs.size):
            work.target[o] = 1.0 if samples.classes[row] == o else 0.0
    else:
        for o in range(wiring.outputs.size):
            work.target[o] = samples.targets[row, o]


@inlined
def start_deltas(wiring: Wiring, parameters: Parameters, work: Workspace, loss: int) -> None:
    """The sample's loss, and the δ that it puts itself on each output."""
    y, z, own = work.y, work.z, work.own
    losses_one(loss, wiring.outputs, wiring.codes, z, y, work.target, own, work.losses)
    members, rows = wiring.softmax_members, wiring.softmax_rows
    if members.size > 0:
        if loss == CROSS_ENTROPY:
            softmax_cross_entropy(members, rows, z, y, work.target, own, work.losses, 1, 0, 1)
        else:
            softmax_jacobian(members, rows, y, own, 1, 0, 1)
    for p in range(wiring.prelus.size):
        work.slope_terms[p] = 0.0
    for o in range(wiring.outputs.size):
        neuron = wiring.outputs[o]
        code = wiring.codes[neuron]
        if wiring.is_input[neuron] or is_fused(loss, code) or code == SOFTMAX:
            continue
        if code == PRELU:
            add_slope_term(wiring, work, neuron, own[o])
        own[o] *= derivative_one(code, parameters.slopes[neuron], wiring.user, z[neuron], y[neuron])


@inlined
def add_slope_term(wiring: Wiring, work: Workspace, neuron: int, error: Any) -> None:
    """∂L/∂slope += ∂L/∂y · z where z ≤ 0."""
    row = wiring.slope_row[neuron]
    z = work.z[neuron]
    if not z > 0:
        work.slope_terms[row] = fma(error, z, work.slope_terms[row])


@inlined
def finish_deltas(wiring: Wiring, parameters: Parameters, work: Workspace, first: int, size: int) -> None:
    """δ = (Σ w·δ)·f'(z) + the loss's own part, for a bundle's neurons."""
    y, z, delta = work.y, work.z, work.delta
    neuron = first
    while neuron < first + size:
        stop = run_end(wiring.codes, neuron, first + size)
        code, slope = peek(wiring.codes, neuron), peek(parameters.slopes, neuron)
        if code == PRELU:
            add_slope_term(wiring, work, neuron, delta[neuron])
        if stop - neuron <= FEW_NEURONS:
            times_derivative_few(code, slope, wiring.user, z, y, neuron, delta, stop - neuron)
        else:
            times_derivative(code, slope, wiring.user, z, y, neuron, delta, neuron, stop - neuron)
        neuron = stop
    for i in range(first, first + size):
        row = peek(wiring.output_row, i)
        if row >= 0:
            poke(delta, i, peek(delta, i) + peek(work.own, row))


@inlined
def descend_rows(
    shape: Any, weights: Array, w0: int, count: int, work: Workspace, source: int, first: int, pushes: bool
) -> None:
    """The fused pass over a tile's rows of consecutive sources; ``work.steps`` holds −μ·δ by neuron."""
    width = lane_count(weights)
    y, delta = work.y, work.delta
    deltas = tile_start(shape, delta, first)
    steps = tile_start(shape, work.steps, first)
    if pushes:
        k = 0
        while k + width <= count:
            tile_push_descend(deltas, steps, weights, w0 + k, count, y, delta, source + k, width)
            k += width
        if k < count:
            tile_push_descend(deltas, steps, weights, w0 + k, count, y, delta, source + k, count - k)
    else:
        k = 0
        while k + width <= count:
            tile_descend(steps, weights, w0 + k, count, y, source + k, width)
            k += width
        if k < count:
            tile_descend(steps, weights, w0 + k, count, y, source + k, count - k)


@inlined
def descend(
    wiring: Wiring, parameters: Parameters, work: Workspace, first: int, size: int, pushes: bool, rate: Any
) -> None:
    """Plain SGD for a bundle: per edge ``acc[source] += w·δ``, then ``w −= μ·δ·y``; then ``b −= μ·δ``."""
    weights, biases = parameters.weights, parameters.biases
    y, delta = work.y, work.delta
    steps = work.steps
    s0 = peek(wiring.row_start, first)
    count = peek(wiring.row_start, first + 1) - s0
    for neuron in range(first, first + size):
        poke(steps, neuron, -(rate * peek(delta, neuron)))
    if count >= SHORT and is_run(wiring.sources, s0, count):
        source = int(wiring.sources[s0])
        r = 0
        while r + ONLINE_ROWS <= size:
            descend_rows(ONLINE_BLOCK, weights, s0 + r * count, count, work, source, first + r, pushes)
            r += ONLINE_ROWS
        while r < size:
            descend_rows(ONE, weights, s0 + r * count, count, work, source, first + r, pushes)
            r += 1
    else:
        w = s0
        for neuron in range(first, first + size):
            d, change = peek(delta, neuron), peek(steps, neuron)
            for k in range(count):
                source = peek(wiring.sources, s0 + k)
                old = peek(weights, w)
                if pushes:
                    poke(delta, source, fma(old, d, peek(delta, source)))
                poke(weights, w, fma(change, peek(y, source), old))
                w += 1
    for neuron in range(first, first + size):
        poke(biases, neuron, peek(biases, neuron) + peek(steps, neuron))


@inlined
def push_row(
    wiring: Wiring, weights: Array, w0: int, s0: int, count: int, work: Workspace, d: Any, pushes: bool
) -> None:
    """One neuron's row with its old weights: ``acc[source] += w·δ``, and its gradient δ·y into the scratch array."""
    y, delta, row = work.y, work.delta, work.scratch
    if count >= SHORT and is_run(wiring.sources, s0, count):
        width = lane_count(y)
        source = peek(wiring.sources, s0)
        for k in range(0, count, width):
            n = min(width, count - k)
            if pushes:
                sums = load_part(delta, source + k, n)
                store_part(delta, source + k, fma(load_part(weights, w0 + k, n), splat(d), sums), n)
            store_part(row, k, load_part(y, source + k, n) * splat(d), n)
    else:
        for k in range(count):
            source = peek(wiring.sources, s0 + k)
            if pushes:
                poke(delta, source, fma(peek(weights, w0 + k), d, peek(delta, source)))
            poke(row, k, d * peek(y, source))


@inlined
def push_and_update(
    wiring: Wiring, weights: Array, work: Workspace, learning: Learning, first: int, size: int, pushes: bool
) -> None:
    """Any rule, a row at a time: push δ with the old weights, then update the row with its gradient."""
    s0 = peek(wiring.row_start, first)
    count = peek(wiring.row_start, first + 1) - s0
    for r in range(size):
        w0 = s0 + r * count
        push_row(wiring, weights, w0, s0, count, work, peek(work.delta, first + r), pushes)
        update_weights(learning, w0, work.scratch, 0, count)
    update_biases(learning, first, work.delta, first, size)


@inlined
def backward_one(wiring: Wiring, parameters: Parameters, work: Workspace, learning: Learning, fused: bool) -> None:
    """The error back through the network, bundle by bundle, each updated as soon as its δ has been passed on.

    ``learning`` updates ``parameters``, or keeps gradients.
    """
    for i in range(wiring.cleared.size):
        poke(work.delta, peek(wiring.cleared, i), 0.0)
    for b in range(wiring.bundle_first.size - 1, -1, -1):
        first, size = peek(wiring.bundle_first, b), peek(wiring.bundle_size, b)
        finish_deltas(wiring, parameters, work, first, size)
        if fused:
            descend(wiring, parameters, work, first, size, wiring.bundle_pushes[b], learning.numbers[RATE])
        else:
            push_and_update(wiring, parameters.weights, work, learning, first, size, wiring.bundle_pushes[b])
    for p in range(wiring.prelus.size):
        update_slopes(learning, wiring.prelus[p], work.slope_terms, p)


@leaf
def train_online(
    wiring: Wiring,
    learning: Learning,
    gradient: Parameters,
    work: Workspace,
    samples: Samples,
    loss: int,
    clip_norm: float,
    first_step: int,
    step_rates: Array,
    loss_sum: Array,
    fused: bool,
) -> int:
    """Steps ``first_step``, … of an epoch, a sample each, one for each entry of ``step_rates``.

    Adds the samples' losses, each before its update, to ``loss_sum[0]``. Returns how many steps were made: fewer than
    asked where a loss was not finite, before the update of that step. ``fused``: plain SGD, nothing frozen, scaled,
    decayed or clipped.
    """
    parameters = learning.parameters
    learning.numbers[SCALE] = 1.0
    for s in range(step_rates.size):
        begin_step(learning, step_rates[s])
        forward_one(wiring, parameters, work, samples, samples.order[first_step + s])
        start_deltas(wiring, parameters, work, loss)
        if not np.isfinite(work.losses[0]):
            return s
        loss_sum[0] += work.losses[0]
        if clip_norm > 0.0:
            backward_one(wiring, parameters, work, into(learning, gradient, WRITE), False)
            norm = np.sqrt(squared_norm(wiring, gradient, learning.rates))
            learning.numbers[SCALE] = clip_norm / norm if norm > clip_norm else 1.0
            update_all(wiring, learning, gradient)
        else:
            backward_one(wiring, parameters, work, learning, fused)
    return step_rates.size
