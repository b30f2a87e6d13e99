"""Mini-batches of sequences in regions shared by threads: sequences through time and back, then neurons' gradients."""

import numpy as np

from neuronsim.kernels.activations import activate, add_slope_terms, softmax
from neuronsim.kernels.arguments import (
    Activation,
    Array,
    Block,
    Learning,
    Parameters,
    Pass,
    Samples,
    Span,
    Task,
    Workspace,
)
from neuronsim.kernels.batch.backward import clear
from neuronsim.kernels.batch.gather import (
    block_inputs,
    copy_columns,
    gather_inputs,
    gather_targets,
    place_in_rows,
    place_of,
)
from neuronsim.kernels.batch.share import share
from neuronsim.kernels.batch.steps import BACKWARD, FORWARD, slice_of
from neuronsim.kernels.codes import LEAK_OF_POTENTIAL, PRELU
from neuronsim.kernels.jit import kernel, leaf
from neuronsim.kernels.lanes import first_lane, lane_count, load
from neuronsim.kernels.sequences.arguments import Places, SequenceData, Unfolded
from neuronsim.kernels.sequences.gradient import share_sums
from neuronsim.kernels.sequences.passes import find_step_deltas, leak_of, step_back, step_forward
from neuronsim.kernels.update import ADD, SCALE, UPDATE, WRITE, begin_step, squared_norm, update_all

# ── sequences ──


@leaf
def find_places(sequences: SequenceData, places: Places, position: int, count: int) -> int:
    """Say which row of the data each step of ``count`` sequences has, and how much its loss counts.

    Returns the length of the longest one. Places behind the last sequence repeat it, and count nothing.
    """
    starts, n, longest = sequences.starts, places.lengths.size, 0
    for i in range(n):
        sequence = sequences.order[position + min(i, count - 1)]
        begin = starts[sequence]
        length = starts[sequence + 1] - begin
        longest = max(longest, length)
        places.lengths[i] = length
        for t in range(places.steps):
            row, place = begin + min(t, length - 1), t * n + i
            places.rows[place] = row
            places.weights[place] = sequences.weights[row] if t < length and i < count else 0.0
    return int(longest)


@kernel
def silence(work: Workspace, lengths: Array, first: int, t: int, n_neurons: int, at: int) -> None:
    """Set z and y to 0 where a sequence has ended: what grows without end there would make 0·∞ in what counts."""
    for lane in range(work.stride):
        if lengths[first + lane] <= t:
            for neuron in range(n_neurons):
                work.z[neuron * work.stride + at + lane] = 0.0
                work.y[neuron * work.stride + at + lane] = 0.0


@leaf
def plane_through_time(
    unfolded: Unfolded, parameters: Parameters, samples: Samples, asked: Pass, plane: int, steps: int
) -> None:
    """Gather, forward and loss of some sequences step by step, then the steps back from the last one."""
    wiring, leaks, work, places = unfolded.wiring, unfolded.leaks, unfolded.work, unfolded.places
    stride, planes = work.stride, places.planes
    step_pitch, n_places = planes * work.pitch, steps * planes * stride
    shortest = steps
    for lane in range(plane * stride, (plane + 1) * stride):
        shortest = min(shortest, places.lengths[lane])
    for t in range(steps):
        first = (t * planes + plane) * stride
        block, at = Block(0, n_places, first, first + stride), place_of(first, stride, work.pitch)
        gather_targets(wiring, samples, work, block)
        gather_inputs(wiring, samples, block_inputs(work), block)
        step_forward(wiring, parameters, leaks, work, at, step_pitch, stride)
        if wiring.softmax_members.size > 0:
            softmax(wiring.softmax_members, work.z, work.y, stride, at, stride)
        if t >= shortest:
            silence(work, places.lengths, plane * stride, t, wiring.is_input.size, at)
        if asked.depth > FORWARD:
            find_step_deltas(unfolded.outputs, parameters, work, asked.loss, places.weights, first, at, stride)
        if asked.depth == BACKWARD and work.rows.size > 0:
            copy_columns(wiring, work, first, first + stride)
    if asked.depth < BACKWARD:
        return
    for t in range(-places.before, steps):
        at = (t * planes + plane) * work.pitch
        clear(wiring.cleared, work.delta, stride, at, at + stride)
    for t in range(steps - 1, -1, -1):
        at = (t * planes + plane) * work.pitch
        step_back(wiring, parameters, leaks, work, at, step_pitch if t + 1 < steps else 0, stride)
    add_slope_terms_of_states(unfolded, plane)


@leaf
def renew_states(unfolded: Unfolded, parameters: Parameters) -> None:
    """y = f(v0) in front of the first step, of prelus whose potential leaks: their slopes may have been trained."""
    wiring, work, places = unfolded.wiring, unfolded.work, unfolded.places
    stride, width, n_in_front = work.stride, lane_count(work.y), places.before * places.planes
    for p in range(wiring.prelus.size):
        neuron = wiring.prelus[p]
        if leak_of(unfolded.leaks, neuron) != LEAK_OF_POTENTIAL:
            continue
        f = Activation(PRELU, parameters.slopes[neuron], wiring.user)
        for plane in range(n_in_front):
            at = (plane - n_in_front) * work.pitch + neuron * stride
            activate(f, work.z, at, work.y, at, stride)
            if unfolded.rows.size > 0:
                for i in range(stride):
                    to = plane * work.row_pitch + place_in_rows(neuron, i, stride, width)
                    unfolded.rows[to] = first_lane(load(work.y, at))


@kernel
def add_slope_terms_of_states(unfolded: Unfolded, plane: int) -> None:
    """∂L/∂slope by f(v0) of prelus whose potential leaks, heard later: added to what the first step has."""
    wiring, work, places = unfolded.wiring, unfolded.work, unfolded.places
    stride = work.stride
    for p in range(wiring.prelus.size):
        neuron = wiring.prelus[p]
        if leak_of(unfolded.leaks, neuron) == LEAK_OF_POTENTIAL:
            for t in range(-places.before, 0):
                at = (t * places.planes + plane) * work.pitch + neuron * stride
                add_slope_terms(work.z, at, work.delta, at, work.slope_terms, p * stride + plane * work.pitch, stride)


@leaf
def share_planes(
    part: int, parts: int, unfolded: Unfolded, parameters: Parameters, samples: Samples, asked: Pass, steps: int
) -> None:
    """A thread's sequences, for all steps: no thread waits for another one within a sequence."""
    planes = unfolded.places.planes
    for plane in range(slice_of(planes, parts, part), slice_of(planes, parts, part + 1)):
        plane_through_time(unfolded, parameters, samples, asked, plane, steps)


@kernel
def run_block(
    unfolded: Unfolded,
    parameters: Parameters,
    sequences: SequenceData,
    asked: Pass,
    position: int,
    count: int,
    cuts: Array | None,
) -> int:
    """Take ``count`` sequences through time, as far as is asked, on one thread where ``cuts`` is None.

    Returns the length of the longest one.
    """
    steps = find_places(sequences, unfolded.places, position, count)
    samples = Samples(sequences.inputs, sequences.targets, sequences.classes, unfolded.places.rows)
    if cuts is None:
        share_planes(0, 1, unfolded, parameters, samples, asked, steps)
    else:
        share(share_planes, cuts.size - 1, (unfolded, parameters, samples, asked, steps))
    return steps


# ── neurons ──


@kernel
def sum_gradients(unfolded: Unfolded, learning: Learning, steps: int, is_first: bool, cuts: Array | None) -> None:
    """∂L/∂w = Σ_t Σ_i δ_i(t) · y_j(t − d) of a block, written or added to ``learning.gradient``.

    Some steps at a time, so that their rows stay in the cache: summed over all steps at once, every neuron would read
    all that its sources have been.
    """
    together = unfolded.places.together
    for t in range(0, steps, together):
        learning.mode[0] = WRITE if is_first and t == 0 else ADD
        n_places = min(together, steps - t) * unfolded.places.planes * unfolded.work.stride
        if cuts is None:
            share_sums(0, 1, unfolded, learning, t, n_places, cuts)
        else:
            share(share_sums, cuts.size - 1, (unfolded, learning, t, n_places, cuts))


# ── steps ──


@kernel
def train_sequences(
    unfolded: Unfolded, learning: Learning, sequences: SequenceData, task: Task, span: Span, cuts: Array | None
) -> int:
    """Make a span of steps, each of a batch of sequences; a short last batch counts.

    Returns how many were made: fewer than asked where a loss was not finite, before the update of that step.
    """
    work, places, numbers, parameters = unfolded.work, unfolded.places, learning.rule.numbers, learning.parameters
    n_lanes, asked = places.lengths.size, Pass(task.loss, BACKWARD)
    for s in range(span.step_rates.size):
        position = (span.first_step + s) * task.batch
        m = min(task.batch, sequences.order.size - position)
        begin_step(learning, span.step_rates[s])
        renew_states(unfolded, parameters)
        step_sum, n_losses = 0.0, 0
        for start in range(0, m, n_lanes):
            count = min(n_lanes, m - start)
            steps = run_block(unfolded, parameters, sequences, asked, position + start, count, cuts)
            for i in range(steps * n_lanes):
                step_sum += work.losses[place_of(i, work.stride, work.pitch)]
                n_losses += places.weights[i] != 0.0
            if not np.isfinite(step_sum):
                return s
            sum_gradients(unfolded, learning, steps, start == 0, cuts)
        # "mean" divides by the (sequence, step) pairs that have a target
        numbers[SCALE] = 1.0 / max(n_losses, 1) if task.mean else 1.0
        learning.mode[0] = UPDATE
        if task.clip_norm > 0.0:
            norm = float(numbers[SCALE]) * np.sqrt(squared_norm(unfolded.wiring, learning.gradient, learning.rates))
            if norm > task.clip_norm:
                numbers[SCALE] = numbers[SCALE] * (task.clip_norm / norm)
        update_all(unfolded.wiring, learning)
        span.loss_sum[0] += step_sum
    return span.step_rates.size
