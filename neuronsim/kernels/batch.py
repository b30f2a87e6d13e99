"""One mini-batch step: samples forward and back, then neurons' gradients and updates; two regions, each sum with one
owner.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import prange

from neuronsim.kernels.activations import softmax
from neuronsim.kernels.backward import backward, clear, own_deltas
from neuronsim.kernels.codes import ADAM, ADAMW, CROSS_ENTROPY
from neuronsim.kernels.forward import forward
from neuronsim.kernels.jit import kernel, leaf, parallel_kernel
from neuronsim.kernels.lanes import fma, lane_count, load, store, tile_fma, tile_store, tile_zero, total, transpose
from neuronsim.kernels.losses import losses, softmax_cross_entropy, softmax_jacobian
from neuronsim.kernels.records import Parameters, Samples, Wiring, Workspace
from neuronsim.kernels.shapes import BLOCK, COLUMNS, FEW, PANEL, ROWS, TERM, TERMS
from neuronsim.kernels.update import (
    ADD,
    CORRECTION_1,
    CORRECTION_2,
    FIRST,
    RATE,
    SCALE,
    SECOND,
    WRITE,
    update,
)

Array = npt.NDArray[Any]

#: A step of more samples runs as blocks of this many, whose gradients are added in order.
BLOCK_SAMPLES = 1024
#: Lane vectors that go through the whole network together, so that the rows in use stay in the L2 cache.
VECTORS_TOGETHER = 4

# How far the samples' phase goes.
FORWARD, LOSS, BACKWARD = range(3)


@kernel
def is_vector(ids: Array, at: int, width: int) -> bool:
    """Whether the ids from ``at`` on are a lane vector: consecutive, and starting at a multiple of its width."""
    return bool(at + width <= ids.size and ids[at] % width == 0 and ids[at + width - 1] - ids[at] == width - 1)


@kernel
def place_in_rows(neuron: int, sample: int, stride: int, width: int) -> int:
    """Where y of a neuron lies in ``Workspace.rows``: panels of two lane vectors of neurons, in each sample by sample.

    A gradient tile then reads its panel from end to end; with whole samples one after another its loads were 4.7 kB
    apart.
    """
    panel = 2 * width
    return (neuron // panel * stride + sample) * panel + neuron % panel


@leaf
def gather(
    wiring: Wiring, samples: Samples, work: Workspace, position: int, count: int, stride: int, start: int, end: int
) -> None:
    """Fetch the samples at ``order[position + start : position + end]``: y of the inputs, and targets.

    Places beyond ``count`` repeat the last sample; their δ stays zero.
    """
    n_inputs, n_outputs = wiring.inputs.size, wiring.outputs.size
    width = lane_count(work.y)
    for i in range(start, end):
        row = samples.order[position + min(i, count - 1)]
        work.starts[i] = row * n_inputs
        if samples.classes.size > 0:
            for o in range(n_outputs):
                work.target[o * stride + i] = 1.0 if samples.classes[row] == o else 0.0
        elif samples.targets.size > 0:
            for o in range(n_outputs):
                work.target[o * stride + i] = samples.targets[row, o]
    for first in range(start, end, width):
        j = 0
        while j < n_inputs:
            if is_vector(wiring.inputs, j, width):
                transpose(samples.inputs, work.starts, first, j, work.y, wiring.inputs[j] * stride + first, stride)
                j += width
            else:
                for i in range(first, first + width):
                    work.y[wiring.inputs[j] * stride + i] = samples.inputs[work.starts[i] + j]
                j += 1
    if work.rows.size > 0:
        copy_inputs(wiring, samples, work, stride, start, end)


@kernel
def copy_inputs(wiring: Wiring, samples: Samples, work: Workspace, stride: int, start: int, end: int) -> None:
    """Write the inputs' y sample by sample too, as gradients read it."""
    ids = wiring.inputs
    width = lane_count(work.y)
    j = 0
    while j < ids.size:
        vector = is_vector(ids, j, width)
        for i in range(start, end):
            to, at = place_in_rows(ids[j], i, stride, width), work.starts[i] + j
            if vector:
                store(work.rows, to, load(samples.inputs, at))
            else:
                work.rows[to] = samples.inputs[at]
        j += width if vector else 1


@kernel
def copy_columns(wiring: Wiring, work: Workspace, stride: int, start: int, end: int) -> None:
    """Write y of neurons that dense bundles listen to sample by sample, as their gradients read it."""
    ids = wiring.columns
    width = lane_count(work.y)
    c = 0
    while c < ids.size:
        vector = is_vector(ids, c, width)
        for first in range(start, end, width):
            if vector:
                to = place_in_rows(ids[c], first, stride, width)
                transpose(work.y, work.places, 0, ids[c] * stride + first, work.rows, to, 2 * width)
            else:
                for i in range(first, first + width):
                    work.rows[place_in_rows(ids[c], i, stride, width)] = work.y[ids[c] * stride + i]
        c += width if vector else 1


@leaf
def run_samples(
    wiring: Wiring,
    parameters: Parameters,
    work: Workspace,
    samples: Samples,
    loss: int,
    depth: int,
    position: int,
    count: int,
    stride: int,
    start: int,
    end: int,
) -> None:
    """Gather, forward, loss and backward for the places ``start`` to ``end`` of a block of ``count`` samples."""
    weights, biases, slopes = parameters
    together = VECTORS_TOGETHER * lane_count(work.y)
    for first in range(start, end, together):
        stop = min(first + together, end)
        n = stop - first
        gather(wiring, samples, work, position, count, stride, first, stop)
        forward(
            wiring.bundle_first,
            wiring.bundle_size,
            wiring.row_start,
            wiring.sources,
            weights,
            biases,
            slopes,
            wiring.codes,
            wiring.user,
            work.y,
            work.z,
            stride,
            first,
            stop,
        )
        if wiring.softmax_members.size > 0:
            softmax(wiring.softmax_members, work.z, work.y, stride, first, n)
        if depth == FORWARD:
            continue
        find_own_deltas(wiring, parameters, work, loss, count, stride, first, n)
        if depth == LOSS:
            continue
        copy_columns(wiring, work, stride, first, stop)
        clear(wiring.cleared, work.delta, stride, first, stop)
        backward(
            wiring.bundle_first,
            wiring.bundle_size,
            wiring.bundle_pushes,
            wiring.row_start,
            wiring.sources,
            weights,
            slopes,
            wiring.codes,
            wiring.user,
            wiring.output_row,
            work.own,
            work.z,
            work.y,
            work.delta,
            work.slope_terms,
            wiring.slope_row,
            stride,
            first,
            stop,
        )


@leaf
def find_own_deltas(
    wiring: Wiring, parameters: Parameters, work: Workspace, loss: int, count: int, stride: int, start: int, n: int
) -> None:
    """Losses of the samples and the δ that the loss itself puts on each output; zero for places beyond ``count``."""
    members, rows = wiring.softmax_members, wiring.softmax_rows
    losses(loss, wiring.outputs, wiring.codes, work.z, work.y, work.target, work.own, work.losses, stride, start, n)
    for p in range(wiring.prelus.size):
        work.slope_terms[p * stride + start : p * stride + start + n] = 0.0
    if members.size > 0:
        if loss == CROSS_ENTROPY:
            softmax_cross_entropy(members, rows, work.z, work.y, work.target, work.own, work.losses, stride, start, n)
        else:
            softmax_jacobian(members, rows, work.y, work.own, stride, start, n)
    for o in range(wiring.outputs.size):
        for i in range(max(count, start), start + n):
            work.own[o * stride + i] = 0.0
    own_deltas(
        loss,
        wiring.outputs,
        wiring.codes,
        parameters.slopes,
        wiring.user,
        wiring.is_input,
        work.z,
        work.y,
        work.own,
        work.slope_terms,
        wiring.slope_row,
        stride,
        start,
        n,
    )


@kernel
def gradient_tile(
    shape: Any, delta: Array, d0: int, stride: int, rows: Array, r0: int, count: int, out: Array, o0: int, step: int
) -> None:
    """∂L/∂w = Σ_i δ_i · y_i for a tile of neurons × consecutive sources, the samples i in order."""
    panel = 2 * lane_count(rows)
    tile = tile_zero(shape, delta)
    i = 0
    while i + FEW <= count:
        tile = tile_fma(tile, TERMS, delta, d0 + i, stride, rows, r0 + i * panel, panel)
        i += FEW
    while i < count:
        tile = tile_fma(tile, TERM, delta, d0 + i, stride, rows, r0 + i * panel, panel)
        i += 1
    tile_store(tile, out, o0, step)


@kernel
def dense_gradient(
    work: Workspace, neuron: int, n: int, low: int, high: int, count: int, stride: int, out: int, step: int
) -> None:
    """Gradients of ``n`` ≤ ROWS neurons' weights from the sources ``low`` to ``high``, into rows of ``work.scratch``.

    ``low`` begins a panel; what is computed for neurons that are not sources is not read.
    """
    width = lane_count(work.y)
    d0 = neuron * stride
    delta, rows, scratch = work.delta, work.rows, work.scratch
    if n == ROWS:
        for source in range(low, high, COLUMNS * width):
            r0 = place_in_rows(source, 0, stride, width)
            gradient_tile(BLOCK, delta, d0, stride, rows, r0, count, scratch, out + source - low, step)
    else:
        for r in range(n):
            for source in range(low, high, 2 * width):
                r0, o0 = place_in_rows(source, 0, stride, width), out + r * step + source - low
                gradient_tile(PANEL, delta, d0 + r * stride, stride, rows, r0, count, scratch, o0, step)


@kernel
def update_dense(
    wiring: Wiring,
    work: Workspace,
    optimizer: int,
    rule: Array,
    decay: Any,
    parameters: Parameters,
    first_state: Parameters,
    second_state: Parameters,
    rates: Parameters,
    first: int,
    begin: int,
    end: int,
    count: int,
    stride: int,
    scratch: int,
) -> None:
    """Gradients and updates of the weights of a dense bundle's neurons ``begin`` to ``end``, a few rows at a time."""
    width = lane_count(work.y)
    s0 = wiring.row_start[first]
    n_sources = wiring.row_start[first + 1] - s0
    source = int(wiring.sources[s0])
    ahead = source % (2 * width)  # scratch rows begin with the panel of the first source
    step = (n_sources + 6 * width) // width * width
    for neuron in range(begin, end, ROWS):
        n = min(ROWS, end - neuron)
        dense_gradient(work, neuron, n, source - ahead, source + n_sources, count, stride, scratch, step)
        for r in range(n):
            update(
                optimizer, rule, decay, parameters.weights, s0 + (neuron + r - first) * n_sources,
                work.scratch, scratch + r * step + ahead,
                first_state.weights, second_state.weights, rates.weights, n_sources,
            )  # fmt: skip


@kernel
def sparse_gradient(
    work: Workspace, sources: Array, s0: int, n_sources: int, at: int, stride: int, end: int, out: int
) -> None:
    """∂L/∂w = Σ_i δ_i · y_i for one neuron with scattered sources: a partial sum per lane, then their tree."""
    delta, y = work.delta, work.y
    width = lane_count(y)
    for k in range(n_sources):
        row = sources[s0 + k] * stride
        sums = load(delta, at) * load(y, row)
        for i in range(width, end, width):
            sums = fma(load(delta, at + i), load(y, row + i), sums)
        work.scratch[out + k] = total(sums)


@kernel
def row_total(values: Array, at: int, end: int) -> Any:
    """The sum of a row of samples: a partial sum per lane, then their tree."""
    sums = load(values, at)
    for i in range(lane_count(values), end, lane_count(values)):
        sums = sums + load(values, at + i)
    return total(sums)


@kernel
def update_own(
    wiring: Wiring,
    work: Workspace,
    optimizer: int,
    rule: Array,
    decay: Any,
    parameters: Parameters,
    first_state: Parameters,
    second_state: Parameters,
    rates: Parameters,
    begin: int,
    end: int,
    stride: int,
    padded: int,
    scratch: int,
) -> None:
    """Gradients (Σ_i δ_i) and updates of the biases of the neurons ``begin`` to ``end``, and of learned slopes."""
    for neuron in range(begin, end, ROWS):
        n = min(ROWS, end - neuron)
        for r in range(n):
            work.scratch[scratch + r] = row_total(work.delta, (neuron + r) * stride, padded)
        update(
            optimizer, rule, decay * 0, parameters.biases, neuron, work.scratch, scratch,
            first_state.biases, second_state.biases, rates.biases, n,
        )  # fmt: skip
    if wiring.prelus.size == 0:
        return
    for neuron in range(begin, end):
        row = wiring.slope_row[neuron]
        if row >= 0:
            work.scratch[scratch] = row_total(work.slope_terms, row * stride, padded)
            update(
                optimizer, rule, decay * 0, parameters.slopes, neuron, work.scratch, scratch,
                first_state.slopes, second_state.slopes, rates.slopes, 1,
            )  # fmt: skip


@leaf
def run_neurons(
    wiring: Wiring,
    work: Workspace,
    optimizer: int,
    rule: Array,
    decay: Any,
    parameters: Parameters,
    first_state: Parameters,
    second_state: Parameters,
    rates: Parameters,
    count: int,
    stride: int,
    begin: int,
    end: int,
    scratch: int,
) -> None:
    """Gradients of the neurons ``begin`` to ``end`` of the running order, each used at once to update its row.

    With WRITE or ADD for the optimiser, ``parameters`` are gradient arrays. ``scratch`` is this thread's part.
    """
    width = lane_count(work.y)
    padded = (count + width - 1) // width * width
    place = 0
    for b in range(wiring.bundle_first.size):
        first, size = wiring.bundle_first[b], wiring.bundle_size[b]
        low, high = max(begin - place, 0), min(end - place, size)
        place += size
        if low >= high:
            continue
        s0 = wiring.row_start[first]
        n_sources = wiring.row_start[first + 1] - s0
        if wiring.bundle_dense[b]:
            update_dense(
                wiring, work, optimizer, rule, decay, parameters, first_state, second_state, rates,
                first, first + low, first + high, count, stride, scratch,
            )  # fmt: skip
        else:
            for neuron in range(first + low, first + high):
                sparse_gradient(work, wiring.sources, s0, n_sources, neuron * stride, stride, padded, scratch)
                update(
                    optimizer, rule, decay, parameters.weights, s0 + (neuron - first) * n_sources, work.scratch,
                    scratch, first_state.weights, second_state.weights, rates.weights, n_sources,
                )  # fmt: skip
        update_own(
            wiring, work, optimizer, rule, decay, parameters, first_state, second_state, rates,
            first + low, first + high, stride, padded, scratch,
        )  # fmt: skip


@kernel
def slice_of(n: int, parts: int, part: int) -> int:
    """Where part ``part`` of ``n`` things begins, cut as evenly as possible."""
    return n * part // parts


@parallel_kernel
def share_samples(
    wiring: Wiring,
    parameters: Parameters,
    work: Workspace,
    samples: Samples,
    loss: int,
    depth: int,
    position: int,
    count: int,
    stride: int,
    n_threads: int,
) -> None:
    """``run_samples`` for a whole block, the samples spread over threads."""
    width = lane_count(work.y)
    vectors = (count + width - 1) // width
    for t in prange(n_threads):
        start = slice_of(vectors, n_threads, t) * width
        end = slice_of(vectors, n_threads, t + 1) * width
        run_samples(wiring, parameters, work, samples, loss, depth, position, count, stride, start, end)


@parallel_kernel
def share_neurons(
    wiring: Wiring,
    work: Workspace,
    optimizer: int,
    rule: Array,
    decay: Any,
    parameters: Parameters,
    first_state: Parameters,
    second_state: Parameters,
    rates: Parameters,
    count: int,
    stride: int,
    cuts: Array,
) -> None:
    """``run_neurons`` for all neurons, spread over threads at ``cuts``."""
    n_threads = cuts.size - 1
    length = work.scratch.size // n_threads
    for t in prange(n_threads):
        run_neurons(
            wiring,
            work,
            optimizer,
            rule,
            decay,
            parameters,
            first_state,
            second_state,
            rates,
            count,
            stride,
            cuts[t],
            cuts[t + 1],
            t * length,
        )


@kernel
def block_samples(
    wiring: Wiring,
    parameters: Parameters,
    work: Workspace,
    samples: Samples,
    loss: int,
    depth: int,
    position: int,
    count: int,
    stride: int,
    cuts: Array | None,
) -> None:
    """A block's samples, on one thread where ``cuts`` is None: then nothing parallel is even compiled."""
    if cuts is None:
        width = lane_count(work.y)
        end = (count + width - 1) // width * width
        run_samples(wiring, parameters, work, samples, loss, depth, position, count, stride, 0, end)
    else:
        share_samples(wiring, parameters, work, samples, loss, depth, position, count, stride, cuts.size - 1)


@kernel
def block_neurons(
    wiring: Wiring,
    work: Workspace,
    optimizer: int,
    rule: Array,
    decay: Any,
    parameters: Parameters,
    first_state: Parameters,
    second_state: Parameters,
    rates: Parameters,
    count: int,
    stride: int,
    cuts: Array | None,
) -> None:
    """A block's neurons, on one thread where ``cuts`` is None."""
    if cuts is None:
        end = wiring.is_input.size - wiring.inputs.size
        run_neurons(
            wiring, work, optimizer, rule, decay, parameters, first_state, second_state, rates, count, stride, 0, end, 0
        )
    else:
        share_neurons(
            wiring, work, optimizer, rule, decay, parameters, first_state, second_state, rates, count, stride, cuts
        )


@kernel
def add_squares(gradient: Array, rates: Array, start: int, end: int) -> float:
    """Σ g² in float64 over the parameters that are not frozen, in index order."""
    result = 0.0
    for i in range(start, end):
        if rates.size == 0 or rates[i] >= 0:
            result += float(gradient[i]) * float(gradient[i])
    return result


@leaf
def squared_norm(wiring: Wiring, gradient: Parameters, rates: Parameters) -> float:
    """‖g‖² over all trained parameters: a sum for each neuron's row, added by id; then biases, then slopes."""
    result = 0.0
    for neuron in range(wiring.is_input.size):
        result += add_squares(gradient.weights, rates.weights, wiring.row_start[neuron], wiring.row_start[neuron + 1])
    for neuron in range(wiring.is_input.size):
        if not wiring.is_input[neuron]:
            result += add_squares(gradient.biases, rates.biases, neuron, neuron + 1)
    for p in range(wiring.prelus.size):
        result += add_squares(gradient.slopes, rates.slopes, wiring.prelus[p], wiring.prelus[p] + 1)
    return result


@kernel
def begin_step(optimizer: int, rule: Array, settings: Array, powers: Array, rate: float) -> None:
    """Set the numbers of this step: its rate, and for Adam 1 − β₁ᵗ and √(1 − β₂ᵗ) from running products."""
    rule[RATE] = rate
    if optimizer == ADAM or optimizer == ADAMW:
        powers[0] *= settings[FIRST]
        powers[1] *= settings[SECOND]
        rule[CORRECTION_1] = 1.0 - powers[0]
        rule[CORRECTION_2] = np.sqrt(1.0 - powers[1])


@leaf
def update_all(
    wiring: Wiring,
    gradient: Parameters,
    optimizer: int,
    rule: Array,
    decay: Any,
    parameters: Parameters,
    first_state: Parameters,
    second_state: Parameters,
    rates: Parameters,
) -> None:
    """One step of every parameter from a finished gradient."""
    n_neurons = wiring.is_input.size
    s1, s2 = first_state, second_state
    weights, biases, slopes = parameters
    update(optimizer, rule, decay, weights, 0, gradient.weights, 0, s1.weights, s2.weights, rates.weights, weights.size)
    for neuron in range(n_neurons):
        if not wiring.is_input[neuron]:
            update(
                optimizer,
                rule,
                decay * 0,
                biases,
                neuron,
                gradient.biases,
                neuron,
                s1.biases,
                s2.biases,
                rates.biases,
                1,
            )
    for p in range(wiring.prelus.size):
        neuron = wiring.prelus[p]
        update(
            optimizer,
            rule,
            decay * 0,
            slopes,
            neuron,
            gradient.slopes,
            neuron,
            s1.slopes,
            s2.slopes,
            rates.slopes,
            1,
        )


@kernel
def train_batches(
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
    mean: bool,
    clip_norm: float,
    batch: int,
    first_step: int,
    step_rates: Array,
    stride: int,
    cuts: Array | None,
    loss_sum: Array,
) -> int:
    """Steps ``first_step``, … of an epoch, one for each entry of ``step_rates``; a short last batch counts.

    Adds the samples' losses, each before the update that used it, to ``loss_sum[0]``. Returns how many steps were
    made: fewer than asked where a loss was not finite, before the update of that step.
    """
    n_samples = samples.order.size
    for s in range(step_rates.size):
        position = (first_step + s) * batch
        m = min(batch, n_samples - position)
        begin_step(optimizer, rule, settings, powers, step_rates[s])
        rule[SCALE] = 1.0 / m if mean else 1.0
        step_sum = 0.0
        buffered = gradient.weights.size > 0 or gradient.biases.size > 0
        for start in range(0, m, BLOCK_SAMPLES):
            count = min(BLOCK_SAMPLES, m - start)
            block_samples(wiring, parameters, work, samples, loss, BACKWARD, position + start, count, stride, cuts)
            for i in range(count):
                step_sum += work.losses[i]
            if not np.isfinite(step_sum):
                return s
            if buffered:
                block_neurons(
                    wiring,
                    work,
                    WRITE if start == 0 else ADD,
                    rule,
                    decay,
                    gradient,
                    first_state,
                    second_state,
                    rates,
                    count,
                    stride,
                    cuts,
                )
            else:
                block_neurons(
                    wiring,
                    work,
                    optimizer,
                    rule,
                    decay,
                    parameters,
                    first_state,
                    second_state,
                    rates,
                    count,
                    stride,
                    cuts,
                )
        if buffered:
            if clip_norm > 0.0:
                norm = float(rule[SCALE]) * np.sqrt(squared_norm(wiring, gradient, rates))
                if norm > clip_norm:
                    rule[SCALE] = rule[SCALE] * (clip_norm / norm)
            update_all(wiring, gradient, optimizer, rule, decay, parameters, first_state, second_state, rates)
        loss_sum[0] += step_sum
    return step_rates.size
