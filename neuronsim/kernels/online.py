"""Online learning, a lane per source: a sample forward, its error back in push order, weights updated on the way (L3).

Going back, each edge is met once: first its sink's δ goes to the source with the *old* weight, then the weight changes:
``acc[source] += w·δ``, ``w −= μ·δ·y``.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from neuronsim.kernels.activations import activate, add_slope_terms, softmax, times_derivative
from neuronsim.kernels.batch import begin_step, find_own_deltas, squared_norm, update_all
from neuronsim.kernels.codes import FIRST_USER, PRELU
from neuronsim.kernels.jit import kernel
from neuronsim.kernels.lanes import (
    fma,
    lane_count,
    tile_descend,
    tile_dot,
    tile_finish,
    tile_push_descend,
    tile_start,
    tile_zero,
)
from neuronsim.kernels.records import Parameters, Samples, Wiring, Workspace
from neuronsim.kernels.shapes import ONE, ONLINE_BLOCK, ONLINE_ROWS
from neuronsim.kernels.update import RATE, SCALE, WRITE, update

Array = npt.NDArray[Any]

#: Rows of fewer sources are summed one source after another, without lanes.
SHORT = 8


@kernel
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


@kernel
def is_run(sources: Array, s0: int, count: int) -> bool:
    """Whether these sources (ascending, distinct) have consecutive ids."""
    return bool(sources[s0 + count - 1] - sources[s0] == count - 1)


@kernel
def aggregate(wiring: Wiring, parameters: Parameters, work: Workspace, first: int, size: int) -> None:
    """z = b + Σ w·y for a bundle's neurons."""
    weights, biases, y, z = parameters.weights, parameters.biases, work.y, work.z
    s0 = wiring.row_start[first]
    count = wiring.row_start[first + 1] - s0
    if count < SHORT:
        for r in range(size):
            value = biases[first + r]
            for k in range(count):
                value = fma(weights[s0 + r * count + k], y[wiring.sources[s0 + k]], value)
            z[first + r] = value
        return
    if is_run(wiring.sources, s0, count):
        messages, m0 = y, int(wiring.sources[s0])
    else:
        messages, m0 = work.scratch, 0
        for k in range(count):
            messages[k] = y[wiring.sources[s0 + k]]
    r = 0
    while r + ONLINE_ROWS <= size:
        dot_rows(ONLINE_BLOCK, weights, s0 + r * count, count, messages, m0, biases, first + r, z)
        r += ONLINE_ROWS
    while r < size:
        dot_rows(ONE, weights, s0 + r * count, count, messages, m0, biases, first + r, z)
        r += 1


@kernel
def run_end(codes: Array, neuron: int, end: int) -> int:
    """Where the run of neurons ends that can be activated (or derived) together with ``neuron``."""
    code = codes[neuron]
    stop = neuron + 1
    if code != PRELU and code < FIRST_USER:
        while stop < end and codes[stop] == code:
            stop += 1
    return stop


@kernel
def forward_one(wiring: Wiring, parameters: Parameters, work: Workspace, samples: Samples, row: int) -> None:
    """One sample through the network: y and z of every neuron."""
    y, z = work.y, work.z
    for j in range(wiring.inputs.size):
        y[wiring.inputs[j]] = samples.inputs[row * wiring.inputs.size + j]
    for b in range(wiring.bundle_first.size):
        first, size = wiring.bundle_first[b], wiring.bundle_size[b]
        aggregate(wiring, parameters, work, first, size)
        neuron = first
        while neuron < first + size:
            stop = run_end(wiring.codes, neuron, first + size)
            code = wiring.codes[neuron]
            activate(code, parameters.slopes[neuron], wiring.user, z, neuron, y, neuron, stop - neuron)
            neuron = stop
    if wiring.softmax_members.size > 0:
        softmax(wiring.softmax_members, z, y, 1, 0, 1)
    if samples.classes.size > 0:
        for o in range(wiring.outputs.size):
            work.target[o] = 1.0 if samples.classes[row] == o else 0.0
    else:
        for o in range(wiring.outputs.size):
            work.target[o] = samples.targets[row, o]


@kernel
def finish_deltas(wiring: Wiring, parameters: Parameters, work: Workspace, first: int, size: int) -> None:
    """δ = (Σ w·δ)·f'(z) + the loss's own part, for a bundle's neurons."""
    neuron = first
    while neuron < first + size:
        stop = run_end(wiring.codes, neuron, first + size)
        code = wiring.codes[neuron]
        if code == PRELU:
            add_slope_terms(work.z, neuron, work.delta, neuron, work.slope_terms, wiring.slope_row[neuron], 1)
        times_derivative(
            code, parameters.slopes[neuron], wiring.user, work.z, work.y, neuron, work.delta, neuron, stop - neuron
        )
        neuron = stop
    for neuron in range(first, first + size):
        if wiring.output_row[neuron] >= 0:
            work.delta[neuron] += work.own[wiring.output_row[neuron]]


@kernel
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


@kernel
def descend(
    wiring: Wiring, parameters: Parameters, work: Workspace, first: int, size: int, pushes: bool, rate: Any
) -> None:
    """Plain SGD for a bundle: per edge ``acc[source] += w·δ``, then ``w −= μ·δ·y``; then ``b −= μ·δ``."""
    weights, biases = parameters.weights, parameters.biases
    y, delta = work.y, work.delta
    steps = work.steps
    s0 = wiring.row_start[first]
    count = wiring.row_start[first + 1] - s0
    for neuron in range(first, first + size):
        steps[neuron] = -(rate * delta[neuron])
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
        for r in range(size):
            d, change = delta[first + r], steps[first + r]
            for k in range(count):
                source = wiring.sources[s0 + k]
                w = weights[s0 + r * count + k]
                delta[source] = fma(w, d, delta[source])
                weights[s0 + r * count + k] = fma(change, y[source], w)
    for neuron in range(first, first + size):
        biases[neuron] += steps[neuron]


@kernel
def push_and_update(
    wiring: Wiring,
    parameters: Parameters,
    work: Workspace,
    first: int,
    size: int,
    optimizer: int,
    rule: Array,
    decay: Any,
    updated: Parameters,
    first_state: Parameters,
    second_state: Parameters,
    rates: Parameters,
) -> None:
    """Any rule, a row at a time: push δ with the old weights, write the row's gradient δ·y, then update the row."""
    weights = parameters.weights
    y, delta, row = work.y, work.delta, work.scratch
    s0 = wiring.row_start[first]
    count = wiring.row_start[first + 1] - s0
    for r in range(size):
        d = delta[first + r]
        w0 = s0 + r * count
        for k in range(count):
            source = wiring.sources[s0 + k]
            delta[source] = fma(weights[w0 + k], d, delta[source])
            row[k] = d * y[source]
        update(
            optimizer,
            rule,
            decay,
            updated.weights,
            w0,
            row,
            0,
            first_state.weights,
            second_state.weights,
            rates.weights,
            count,
        )
    update(
        optimizer,
        rule,
        decay * 0,
        updated.biases,
        first,
        delta,
        first,
        first_state.biases,
        second_state.biases,
        rates.biases,
        size,
    )


@kernel
def backward_one(
    wiring: Wiring,
    parameters: Parameters,
    work: Workspace,
    fused: bool,
    optimizer: int,
    rule: Array,
    decay: Any,
    updated: Parameters,
    first_state: Parameters,
    second_state: Parameters,
    rates: Parameters,
) -> None:
    """The error back through the network, bundle by bundle, each updated as soon as its δ has been passed on."""
    for i in range(wiring.cleared.size):
        work.delta[wiring.cleared[i]] = 0.0
    for b in range(wiring.bundle_first.size - 1, -1, -1):
        first, size = wiring.bundle_first[b], wiring.bundle_size[b]
        finish_deltas(wiring, parameters, work, first, size)
        if fused:
            descend(wiring, parameters, work, first, size, wiring.bundle_pushes[b], rule[RATE])
        else:
            push_and_update(
                wiring,
                parameters,
                work,
                first,
                size,
                optimizer,
                rule,
                decay,
                updated,
                first_state,
                second_state,
                rates,
            )
    for p in range(wiring.prelus.size):
        update(
            optimizer,
            rule,
            decay * 0,
            updated.slopes,
            wiring.prelus[p],
            work.slope_terms,
            p,
            first_state.slopes,
            second_state.slopes,
            rates.slopes,
            1,
        )


@kernel
def train_online(
    wiring: Wiring,
    parameters: Parameters,
    first_state: Parameters,
    second_state: Parameters,
    rates: Parameters,
    gradient: Parameters,
    work: Workspace,
    samples: Samples,
    loss: int,
    optimizer: int,
    settings: Array,
    rule: Array,
    powers: Array,
    decay: Any,
    fused: bool,
    clip_norm: float,
    first_step: int,
    step_rates: Array,
    loss_sum: Array,
) -> int:
    """Steps ``first_step``, … of an epoch, a sample each, one for each entry of ``step_rates``.

    Adds the samples' losses, each before its update, to ``loss_sum[0]``. Returns how many steps were made: fewer than
    asked where a loss was not finite, before the update of that step. ``fused``: plain SGD, nothing frozen, scaled,
    decayed or clipped.
    """
    rule[SCALE] = 1.0
    buffered = clip_norm > 0.0
    for s in range(step_rates.size):
        begin_step(optimizer, rule, settings, powers, step_rates[s])
        forward_one(wiring, parameters, work, samples, samples.order[first_step + s])
        find_own_deltas(wiring, parameters, work, loss, 1, 1, 0, 1)
        if not np.isfinite(work.losses[0]):
            return s
        loss_sum[0] += work.losses[0]
        if buffered:
            backward_one(
                wiring, parameters, work, False, WRITE, rule, decay, gradient, first_state, second_state, rates
            )
            norm = np.sqrt(squared_norm(wiring, gradient, rates))
            rule[SCALE] = clip_norm / norm if norm > clip_norm else 1.0
            update_all(wiring, gradient, optimizer, rule, decay, parameters, first_state, second_state, rates)
        else:
            backward_one(
                wiring,
                parameters,
                work,
                fused,
                optimizer,
                rule,
                decay,
                parameters,
                first_state,
                second_state,
                rates,
            )
    return step_rates.size
