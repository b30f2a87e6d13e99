"""Online learning, a lane per source: a sample forward, its error back in push order, weights updated on the way (L3).

Going back, each edge is met once: first its sink's δ goes to the source with the *old* weight, then the weight changes:
``acc[source] += w·δ``, ``w −= μ·δ·y``.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from neuronsim.kernels.activations import USUAL, activate_run, softmax, usual
from neuronsim.kernels.arguments import Learning, Parameters, Samples, Wiring, Workspace
from neuronsim.kernels.codes import CROSS_ENTROPY, PRELU, SOFTMAX
from neuronsim.kernels.jit import inlined, leaf
from neuronsim.kernels.lanes import (
    few,
    first_lane,
    fma,
    gather_part,
    lane_count,
    load,
    load_part,
    peek,
    poke,
    prefetch,
    splat,
    store,
    store_part,
    tile_descend,
    tile_dot,
    tile_finish,
    tile_push_descend,
    tile_start,
    tile_zero,
    total,
)
from neuronsim.kernels.losses import is_fused, losses_one, softmax_cross_entropy, softmax_jacobian
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

#: Rows are fetched so many bundles before their turn: 9 million scattered edges take 6.2 instead of 15 ns each.
AHEAD = 8


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
def dot_scattered(weights: Array, w0: int, sources: Array, s0: int, count: int, y: Array) -> Any:
    """Σ w·y of a row of scattered sources, summed as in ``dot_rows``."""
    width = lane_count(y)
    sums = splat(type(y[0])(0.0))
    k = 0
    while k + width <= count:
        sums = fma(load(weights, w0 + k), gather_part(y, sources, s0 + k, width), sums)
        k += width
    if k < count:
        n = count - k
        sums = fma(load_part(weights, w0 + k, n), gather_part(y, sources, s0 + k, n), sums)
    return total(sums)


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
    if not is_run(wiring.sources, s0, count):
        for r in range(size):
            value = dot_scattered(weights, s0 + r * count, wiring.sources, s0, count, y)
            poke(z, first + r, peek(biases, first + r) + value)
        return
    m0 = int(wiring.sources[s0])
    r = 0
    while r + ONLINE_ROWS <= size:
        dot_rows(ONLINE_BLOCK, weights, s0 + r * count, count, y, m0, biases, first + r, z)
        r += ONLINE_ROWS
    while r < size:
        dot_rows(ONE, weights, s0 + r * count, count, y, m0, biases, first + r, z)
        r += 1


@inlined
def activate(wiring: Wiring, parameters: Parameters, work: Workspace, first: int, end: int) -> None:
    """y = f(z), and f'(z) for the way back, for consecutive neurons."""
    z, y, primes = work.z, work.y, work.primes
    neuron = first
    while neuron < end:
        stop = peek(wiring.run_end, neuron)
        code, slope = peek(wiring.codes, neuron), peek(parameters.slopes, neuron)
        if stop == neuron + 1 and code in USUAL:
            x = peek(z, neuron)
            value, prime = usual(code, few(x, x, x, x))
            poke(y, neuron, first_lane(value))
            poke(primes, neuron, first_lane(prime))
        else:
            activate_run(code, slope, wiring.user, z, y, primes, neuron, stop - neuron)
        neuron = stop


@inlined
def fetch(wiring: Wiring, parameters: Parameters, bundle: int) -> None:
    """Let the first cache lines of a bundle's weights and sources come, two of each."""
    s0 = peek(wiring.row_start, peek(wiring.bundle_first, bundle))
    prefetch(parameters.weights, s0)
    prefetch(wiring.sources, s0)
    prefetch(parameters.weights, s0 + 16)
    prefetch(wiring.sources, s0 + 16)


@inlined
def forward_one(wiring: Wiring, parameters: Parameters, work: Workspace, samples: Samples, row: int) -> None:
    """One sample through the network: y and z of every neuron."""
    y, z = work.y, work.z
    n = wiring.inputs.size
    if wiring.first_input >= 0:
        width = lane_count(y)
        for j in range(0, n, width):
            part = min(width, n - j)
            store_part(y, wiring.first_input + j, load_part(samples.inputs, row * n + j, part), part)
    else:
        for j in range(n):
            poke(y, peek(wiring.inputs, j), peek(samples.inputs, row * n + j))
    for g in range(wiring.groups.size - 1):
        begin, last = peek(wiring.groups, g), peek(wiring.groups, g + 1) - 1
        for b in range(begin, last + 1):
            if b + AHEAD < wiring.bundle_first.size:
                fetch(wiring, parameters, b + AHEAD)
            aggregate(wiring, parameters, work, peek(wiring.bundle_first, b), peek(wiring.bundle_size, b))
        end = peek(wiring.bundle_first, last) + peek(wiring.bundle_size, last)
        activate(wiring, parameters, work, peek(wiring.bundle_first, begin), end)
    if wiring.softmax_members.size > 0:
        softmax(wiring.softmax_members, z, y, 1, 0, 1)
    if samples.classes.size > 0:
        for o in range(wiring.outputs.size):
            work.target[o] = 1.0 if samples.classes[row] == o else 0.0
    else:
        for o in range(wiring.outputs.size):
            work.target[o] = samples.targets[row, o]


@inlined
def start_deltas(wiring: Wiring, work: Workspace, loss: int) -> None:
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
        own[o] *= work.primes[neuron]


@inlined
def add_slope_term(wiring: Wiring, work: Workspace, neuron: int, error: Any) -> None:
    """∂L/∂slope += ∂L/∂y · z where z ≤ 0."""
    row = wiring.slope_row[neuron]
    z = work.z[neuron]
    if not z > 0:
        work.slope_terms[row] = fma(error, z, work.slope_terms[row])


@inlined
def finish_deltas(wiring: Wiring, work: Workspace, first: int, end: int) -> None:
    """δ = (Σ w·δ)·f'(z) + the loss's own part, for consecutive neurons."""
    delta, primes = work.delta, work.primes
    if wiring.prelus.size > 0:
        for i in range(first, end):
            if peek(wiring.codes, i) == PRELU:
                add_slope_term(wiring, work, i, peek(delta, i))
    for i in range(first, end):
        value = peek(delta, i) * peek(primes, i)
        row = peek(wiring.output_row, i)
        if row >= 0:
            value += peek(work.own, row)
        poke(delta, i, value)


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
def push_scattered(wiring: Wiring, weights: Array, w0: int, s0: int, count: int, delta: Array, d: Any) -> None:
    """``acc[source] += w·δ`` for one row, source by source: scatter instructions are slower."""
    for k in range(count):
        source = peek(wiring.sources, s0 + k)
        poke(delta, source, fma(peek(weights, w0 + k), d, peek(delta, source)))


@inlined
def descend_scattered(weights: Array, w0: int, sources: Array, s0: int, count: int, y: Array, change: Any) -> None:
    """w −= μ·δ·y for a row of scattered sources."""
    width = lane_count(y)
    steps = splat(change)
    k = 0
    while k + width <= count:
        store(weights, w0 + k, fma(steps, gather_part(y, sources, s0 + k, width), load(weights, w0 + k)))
        k += width
    if k < count:
        n = count - k
        store_part(weights, w0 + k, fma(steps, gather_part(y, sources, s0 + k, n), load_part(weights, w0 + k, n)), n)


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
    if count < SHORT:
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
    elif is_run(wiring.sources, s0, count):
        source = int(wiring.sources[s0])
        r = 0
        while r + ONLINE_ROWS <= size:
            descend_rows(ONLINE_BLOCK, weights, s0 + r * count, count, work, source, first + r, pushes)
            r += ONLINE_ROWS
        while r < size:
            descend_rows(ONE, weights, s0 + r * count, count, work, source, first + r, pushes)
            r += 1
    else:
        for r in range(size):
            w0, neuron = s0 + r * count, first + r
            if pushes:
                push_scattered(wiring, weights, w0, s0, count, delta, peek(delta, neuron))
            descend_scattered(weights, w0, wiring.sources, s0, count, y, peek(steps, neuron))
    for neuron in range(first, first + size):
        poke(biases, neuron, peek(biases, neuron) + peek(steps, neuron))


@inlined
def push_row(
    wiring: Wiring, weights: Array, w0: int, s0: int, count: int, work: Workspace, d: Any, pushes: bool
) -> None:
    """One neuron's row with its old weights: ``acc[source] += w·δ``, and its gradient δ·y into the scratch array."""
    y, delta, row = work.y, work.delta, work.scratch
    width = lane_count(y)
    if count >= SHORT and is_run(wiring.sources, s0, count):
        source = peek(wiring.sources, s0)
        for k in range(0, count, width):
            n = min(width, count - k)
            if pushes:
                sums = load_part(delta, source + k, n)
                store_part(delta, source + k, fma(load_part(weights, w0 + k, n), splat(d), sums), n)
            store_part(row, k, load_part(y, source + k, n) * splat(d), n)
    else:
        if pushes:
            push_scattered(wiring, weights, w0, s0, count, delta, d)
        for k in range(0, count, width):
            n = min(width, count - k)
            store_part(row, k, gather_part(y, wiring.sources, s0 + k, n) * splat(d), n)


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
    for g in range(wiring.groups.size - 2, -1, -1):
        begin, last = peek(wiring.groups, g), peek(wiring.groups, g + 1) - 1
        end = peek(wiring.bundle_first, last) + peek(wiring.bundle_size, last)
        finish_deltas(wiring, work, peek(wiring.bundle_first, begin), end)
        for b in range(last, begin - 1, -1):
            if b >= AHEAD:
                fetch(wiring, parameters, b - AHEAD)
            first, size, pushes = peek(wiring.bundle_first, b), peek(wiring.bundle_size, b), wiring.bundle_pushes[b]
            if fused:
                descend(wiring, parameters, work, first, size, pushes, learning.numbers[RATE])
            else:
                push_and_update(wiring, parameters.weights, work, learning, first, size, pushes)
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
    for i in wiring.inputs:
        work.primes[i] = 1.0
    for s in range(step_rates.size):
        begin_step(learning, step_rates[s])
        forward_one(wiring, parameters, work, samples, samples.order[first_step + s])
        start_deltas(wiring, work, loss)
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
