"""Online learning, a lane per source: a sample forward, its error back in push order, weights updated on the way (L3).

Going back, each edge is met once: first its sink's δ goes to the source with the *old* weight, then the weight changes:
``acc[source] += w·δ``, ``w −= μ·δ·y``.
"""

from typing import Any

import numpy as np

from neuronsim.kernels.activations import COMMON, activate_with_derivative, common, softmax
from neuronsim.kernels.arguments import (
    Activation,
    Array,
    Block,
    Edges,
    Learning,
    Parameters,
    Samples,
    Span,
    Task,
    Wiring,
    Workspace,
)
from neuronsim.kernels.codes import CROSS_ENTROPY, PRELU, SOFTMAX
from neuronsim.kernels.jit import inlined, kernel
from neuronsim.kernels.lanes import (
    first_lane,
    fma,
    gather_part,
    lane_count,
    load,
    load_part,
    pack,
    peek,
    poke,
    prefetch,
    splat,
    store,
    store_part,
    total,
)
from neuronsim.kernels.losses import is_fused, losses_one, output_signals, softmax_cross_entropy, softmax_jacobian
from neuronsim.kernels.shapes import ONE, ONLINE_BLOCK, ONLINE_ROWS
from neuronsim.kernels.tiles import tile_descend, tile_dot, tile_finish, tile_push_descend, tile_start, tile_zero
from neuronsim.kernels.update import (
    RATE,
    SCALE,
    UPDATE,
    WRITE,
    begin_step,
    squared_norm,
    update_all,
    update_biases,
    update_slopes,
    update_weights,
)
from neuronsim.kernels.watch.recorder import Recorder, after_block, after_step, before_step

#: Rows of fewer sources are summed one source after another, without lanes.
SHORT = 8

#: Rows are fetched so many bundles before their turn: 9 million scattered edges take 6.2 instead of 15 ns each.
AHEAD = 8


@inlined
def dot_rows(shape: Any, edges: Edges, y: Array, y0: int, biases: Array, first: int, z: Array) -> None:
    """z = b + Σ w·y for a tile's rows: source k goes to partial sum k mod lanes, then the tree, then the bias."""
    width, count = lane_count(y), edges.n_sources
    tile = tile_zero(shape, y)
    k = 0
    while k + width <= count:
        tile = tile_dot(tile, edges, k, y, y0 + k, width)
        k += width
    if k < count:
        tile = tile_dot(tile, edges, k, y, y0 + k, count - k)
    tile_finish(tile, biases, first, z)


@inlined
def edges_of(wiring: Wiring, parameters: Parameters, first: int) -> Edges:
    """A bundle's edges."""
    s0 = peek(wiring.row_start, first)
    return Edges(parameters.weights, s0, wiring.sources, s0, peek(wiring.row_start, first + 1) - s0)


@inlined
def from_row(edges: Edges, r: int) -> Edges:
    """The same from the ``r``th row of weights on."""
    return Edges(edges.weights, edges.w0 + r * edges.n_sources, edges.sources, edges.s0, edges.n_sources)


@inlined
def is_consecutive(edges: Edges) -> bool:
    """Whether the sources (ascending, distinct) have consecutive ids."""
    return bool(edges.sources[edges.s0 + edges.n_sources - 1] - edges.sources[edges.s0] == edges.n_sources - 1)


@inlined
def dot_scattered(edges: Edges, y: Array) -> Any:
    """Σ w·y of a row of scattered sources, summed as in ``dot_rows``."""
    weights, w0, sources, s0, count = edges
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
    biases, y, z = parameters.biases, work.y, work.z
    edges = edges_of(wiring, parameters, first)
    if edges.n_sources < SHORT:
        w = edges.w0
        for neuron in range(first, first + size):
            value = peek(biases, neuron)
            for k in range(edges.n_sources):
                value = fma(peek(edges.weights, w), peek(y, peek(edges.sources, edges.s0 + k)), value)
                w += 1
            poke(z, neuron, value)
        return
    if not is_consecutive(edges):
        for r in range(size):
            value = dot_scattered(from_row(edges, r), y)
            poke(z, first + r, peek(biases, first + r) + value)
        return
    y0 = int(edges.sources[edges.s0])
    r = 0
    while r + ONLINE_ROWS <= size:
        dot_rows(ONLINE_BLOCK, from_row(edges, r), y, y0, biases, first + r, z)
        r += ONLINE_ROWS
    while r < size:
        dot_rows(ONE, from_row(edges, r), y, y0, biases, first + r, z)
        r += 1


@inlined
def activate(wiring: Wiring, parameters: Parameters, work: Workspace, first: int, end: int) -> None:
    """y = f(z), and f'(z) for the way back, for consecutive neurons."""
    z, y, derivatives = work.z, work.y, work.derivatives
    neuron = first
    while neuron < end:
        stop = peek(wiring.activation_end, neuron)
        code, slope = peek(wiring.codes, neuron), peek(parameters.slopes, neuron)
        if stop == neuron + 1 and code in COMMON:
            x = peek(z, neuron)
            value, derivative = common(code, pack(x, x, x, x))
            poke(y, neuron, first_lane(value))
            poke(derivatives, neuron, first_lane(derivative))
        else:
            f = Activation(code, slope, wiring.user)
            activate_with_derivative(f, z, y, derivatives, neuron, stop - neuron)
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
    loss_delta = work.loss_delta
    losses_one(loss, wiring, work)
    members, rows = wiring.softmax_members, wiring.softmax_rows
    if members.size > 0:
        if loss == CROSS_ENTROPY:
            softmax_cross_entropy(members, rows, output_signals(work), 0, 1)
        else:
            softmax_jacobian(members, rows, output_signals(work), 0, 1)
    for p in range(wiring.prelus.size):
        work.slope_terms[p] = 0.0
    for o in range(wiring.outputs.size):
        neuron = wiring.outputs[o]
        code = wiring.codes[neuron]
        if wiring.is_input[neuron] or is_fused(loss, code) or code == SOFTMAX:
            continue
        if code == PRELU:
            add_slope_term(wiring, work, neuron, loss_delta[o])
        loss_delta[o] *= work.derivatives[neuron]


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
    delta, derivatives = work.delta, work.derivatives
    if wiring.prelus.size > 0:
        for i in range(first, end):
            if peek(wiring.codes, i) == PRELU:
                add_slope_term(wiring, work, i, peek(delta, i))
    for i in range(first, end):
        value = peek(delta, i) * peek(derivatives, i)
        row = peek(wiring.output_row, i)
        if row >= 0:
            value += peek(work.loss_delta, row)
        poke(delta, i, value)


@inlined
def descend_rows(shape: Any, edges: Edges, work: Workspace, source: int, first: int, pushes: bool) -> None:
    """The fused pass over a tile's rows of consecutive sources; ``work.changes`` holds −μ·δ by neuron."""
    y, delta = work.y, work.delta
    width, count = lane_count(y), edges.n_sources
    deltas = tile_start(shape, delta, first)
    changes = tile_start(shape, work.changes, first)
    if pushes:
        k = 0
        while k + width <= count:
            tile_push_descend(deltas, changes, edges, k, y, delta, source + k, width)
            k += width
        if k < count:
            tile_push_descend(deltas, changes, edges, k, y, delta, source + k, count - k)
    else:
        k = 0
        while k + width <= count:
            tile_descend(changes, edges, k, y, source + k, width)
            k += width
        if k < count:
            tile_descend(changes, edges, k, y, source + k, count - k)


@inlined
def push_scattered(edges: Edges, delta: Array, d: Any) -> None:
    """``acc[source] += w·δ`` for one row, source by source: scatter instructions are slower."""
    for k in range(edges.n_sources):
        source = peek(edges.sources, edges.s0 + k)
        poke(delta, source, fma(peek(edges.weights, edges.w0 + k), d, peek(delta, source)))


@inlined
def descend_scattered(edges: Edges, y: Array, change: Any) -> None:
    """w −= μ·δ·y for a row of scattered sources."""
    weights, w0, sources, s0, count = edges
    width = lane_count(y)
    changes = splat(change)
    k = 0
    while k + width <= count:
        store(weights, w0 + k, fma(changes, gather_part(y, sources, s0 + k, width), load(weights, w0 + k)))
        k += width
    if k < count:
        n = count - k
        new = fma(changes, gather_part(y, sources, s0 + k, n), load_part(weights, w0 + k, n))
        store_part(weights, w0 + k, new, n)


@inlined
def descend(
    wiring: Wiring, parameters: Parameters, work: Workspace, first: int, size: int, pushes: bool, rate: Any
) -> None:
    """Plain SGD for a bundle: per edge ``acc[source] += w·δ``, then ``w −= μ·δ·y``; then ``b −= μ·δ``."""
    biases, y, delta, changes = parameters.biases, work.y, work.delta, work.changes
    edges = edges_of(wiring, parameters, first)
    for neuron in range(first, first + size):
        poke(changes, neuron, -(rate * peek(delta, neuron)))
    if edges.n_sources < SHORT:
        w = edges.w0
        for neuron in range(first, first + size):
            d, change = peek(delta, neuron), peek(changes, neuron)
            for k in range(edges.n_sources):
                source = peek(edges.sources, edges.s0 + k)
                old = peek(edges.weights, w)
                if pushes:
                    poke(delta, source, fma(old, d, peek(delta, source)))
                poke(edges.weights, w, fma(change, peek(y, source), old))
                w += 1
    elif is_consecutive(edges):
        source = int(edges.sources[edges.s0])
        r = 0
        while r + ONLINE_ROWS <= size:
            descend_rows(ONLINE_BLOCK, from_row(edges, r), work, source, first + r, pushes)
            r += ONLINE_ROWS
        while r < size:
            descend_rows(ONE, from_row(edges, r), work, source, first + r, pushes)
            r += 1
    else:
        for r in range(size):
            row, neuron = from_row(edges, r), first + r
            if pushes:
                push_scattered(row, delta, peek(delta, neuron))
            descend_scattered(row, y, peek(changes, neuron))
    for neuron in range(first, first + size):
        poke(biases, neuron, peek(biases, neuron) + peek(changes, neuron))


@inlined
def push_row(edges: Edges, work: Workspace, d: Any, pushes: bool) -> None:
    """One neuron's row with its old weights: ``acc[source] += w·δ``, and its gradient δ·y into the scratch array."""
    weights, w0, sources, s0, count = edges
    y, delta, row = work.y, work.delta, work.scratch
    width = lane_count(y)
    if count >= SHORT and is_consecutive(edges):
        source = peek(sources, s0)
        for k in range(0, count, width):
            n = min(width, count - k)
            if pushes:
                sums = load_part(delta, source + k, n)
                store_part(delta, source + k, fma(load_part(weights, w0 + k, n), splat(d), sums), n)
            store_part(row, k, load_part(y, source + k, n) * splat(d), n)
    else:
        if pushes:
            push_scattered(edges, delta, d)
        for k in range(0, count, width):
            n = min(width, count - k)
            store_part(row, k, gather_part(y, sources, s0 + k, n) * splat(d), n)


@inlined
def push_and_update(wiring: Wiring, learning: Learning, work: Workspace, first: int, size: int, pushes: bool) -> None:
    """Any rule, a row at a time: push δ with the old weights, then update the row with its gradient."""
    edges = edges_of(wiring, learning.parameters, first)
    for r in range(size):
        row = from_row(edges, r)
        push_row(row, work, peek(work.delta, first + r), pushes)
        update_weights(learning, row.w0, work.scratch, 0, row.n_sources)
    update_biases(learning, first, work.delta, first, size)


@inlined
def backward_one(wiring: Wiring, learning: Learning, work: Workspace, fused: bool) -> None:
    """The error back through the network, bundle by bundle, each updated as soon as its δ has been passed on."""
    parameters = learning.parameters
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
                descend(wiring, parameters, work, first, size, pushes, learning.rule.numbers[RATE])
            else:
                push_and_update(wiring, learning, work, first, size, pushes)
    for p in range(wiring.prelus.size):
        update_slopes(learning, wiring.prelus[p], work.slope_terms, p)


@kernel
def train_online(
    recorder: Recorder | None,
    wiring: Wiring,
    learning: Learning,
    work: Workspace,
    samples: Samples,
    task: Task,
    span: Span,
) -> int:
    """Make a span of steps, a sample each.

    Returns how many were made: fewer than asked where a loss was not finite, before the update of that step, or where
    an alarm ended the call.
    """
    parameters, numbers = learning.parameters, learning.rule.numbers
    numbers[SCALE] = 1.0
    for i in wiring.inputs:
        work.derivatives[i] = 1.0
    for s in range(span.step_rates.size):
        watched = before_step(recorder, parameters, s)
        position = span.first_step + s
        row = samples.order[position]
        begin_step(learning, span.step_rates[s])
        forward_one(wiring, parameters, work, samples, row)
        start_deltas(wiring, work, task.loss)
        if not np.isfinite(work.losses[0]):
            return s
        span.loss_sum[0] += work.losses[0]
        if task.clip_norm > 0.0:
            learning.mode[0] = WRITE
            backward_one(wiring, learning, work, False)
            learning.mode[0] = UPDATE
            norm = np.sqrt(squared_norm(wiring, learning.gradient, learning.rates))
            numbers[SCALE] = task.clip_norm / norm if norm > task.clip_norm else 1.0
            update_all(wiring, learning)
        else:
            backward_one(wiring, learning, work, task.fused)
        if watched:
            after_block(recorder, work, samples, Block(position, 1, 0, 1))
            if after_step(recorder, parameters, 1.0, 1, row):
                return s + 1
    return span.step_rates.size
