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
    Wiring,
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
from neuronsim.kernels.sequences.arguments import Places, SequenceData, Unfolded, Window, Windows
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


@kernel
def forget_losses(wiring: Wiring, work: Workspace, at: int) -> None:
    """Have an earlier step send back no part of a loss, whose gradients were made when it was new."""
    for o in range(wiring.outputs.size):
        work.loss_delta[o * work.stride + at : (o + 1) * work.stride + at] = 0.0
    for p in range(wiring.prelus.size):
        work.slope_terms[p * work.stride + at : (p + 1) * work.stride + at] = 0.0


@leaf
def plane_through_time(
    unfolded: Unfolded, parameters: Parameters, samples: Samples, asked: Pass, plane: int, window: Window
) -> None:
    """Gather, forward and loss of some sequences step by step, then steps back from the last one."""
    wiring, leaks, work, places = unfolded.wiring, unfolded.leaks, unfolded.work, unfolded.places
    stride, planes = work.stride, places.planes
    step_pitch, n_places = planes * work.pitch, window.end * planes * stride
    shortest = window.end
    for lane in range(plane * stride, (plane + 1) * stride):
        shortest = min(shortest, places.lengths[lane])
    for t in range(window.begin, window.end):
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
    for t in range(window.back_to - places.before, window.end):
        at = (t * planes + plane) * work.pitch
        clear(wiring.cleared, work.delta, stride, at, at + stride)
        if window.back_to <= t < window.begin:
            forget_losses(wiring, work, at)
    for t in range(window.end - 1, window.back_to - 1, -1):
        at = (t * planes + plane) * work.pitch
        ahead = step_pitch if window.crosses and t + 1 < window.end else 0
        step_back(unfolded, parameters, at, ahead, window.crosses)
    if window.back_to == 0:
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
    part: int, parts: int, unfolded: Unfolded, parameters: Parameters, samples: Samples, asked: Pass, window: Window
) -> None:
    """A thread's sequences, for all steps: no thread waits for another one within a window."""
    planes = unfolded.places.planes
    for plane in range(slice_of(planes, parts, part), slice_of(planes, parts, part + 1)):
        plane_through_time(unfolded, parameters, samples, asked, plane, window)


@kernel
def run_window(
    unfolded: Unfolded, parameters: Parameters, sequences: SequenceData, asked: Pass, window: Window, cuts: Array | None
) -> None:
    """Take the sequences of a block through a window, as far as is asked, on one thread where ``cuts`` is None."""
    samples = Samples(sequences.inputs, sequences.targets, sequences.classes, unfolded.places.rows)
    if cuts is None:
        share_planes(0, 1, unfolded, parameters, samples, asked, window)
    else:
        share(share_planes, cuts.size - 1, (unfolded, parameters, samples, asked, window))


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
    """Take ``count`` sequences through time, as far as is asked; returns the length of the longest one."""
    steps = find_places(sequences, unfolded.places, position, count)
    run_window(unfolded, parameters, sequences, asked, Window(0, steps, 0, True), cuts)
    return steps


# ── neurons ──


@kernel
def sum_gradients(
    unfolded: Unfolded, learning: Learning, first: int, last: int, is_first: bool, cuts: Array | None
) -> None:
    """∂L/∂w = Σ_t Σ_i δ_i(t) · y_j(t − d) over some steps of a block, written or added to ``learning.gradient``.

    Some steps at a time, so that their rows stay in the cache: summed over all steps at once, every neuron would read
    all that its sources have been.
    """
    together = unfolded.places.together
    for t in range(first, last, together):
        learning.mode[0] = WRITE if is_first and t == first else ADD
        n_places = min(together, last - t) * unfolded.places.planes * unfolded.work.stride
        if cuts is None:
            share_sums(0, 1, unfolded, learning, t, n_places, cuts)
        else:
            share(share_sums, cuts.size - 1, (unfolded, learning, t, n_places, cuts))


# ── steps ──


@kernel
def add_losses(unfolded: Unfolded, window: Window) -> tuple[float, int]:
    """The sum of the losses of a window, step by step, and how many there are."""
    work, places = unfolded.work, unfolded.places
    n_lanes, total, count = places.lengths.size, 0.0, 0
    for i in range(window.begin * n_lanes, window.end * n_lanes):
        total += work.losses[place_of(i, work.stride, work.pitch)]
        count += places.weights[i] != 0.0
    return total, count


@kernel
def descend(unfolded: Unfolded, learning: Learning, task: Task, rate: float, n_losses: int) -> None:
    """One update from the finished gradient; "mean" divides by the (sequence, step) pairs that have a target."""
    numbers = learning.rule.numbers
    begin_step(learning, rate)
    numbers[SCALE] = 1.0 / max(n_losses, 1) if task.mean else 1.0
    learning.mode[0] = UPDATE
    if task.clip_norm > 0.0:
        norm = float(numbers[SCALE]) * np.sqrt(squared_norm(unfolded.wiring, learning.gradient, learning.rates))
        if norm > task.clip_norm:
            numbers[SCALE] = numbers[SCALE] * (task.clip_norm / norm)
    update_all(unfolded.wiring, learning)


@kernel
def train_sequences(
    unfolded: Unfolded,
    learning: Learning,
    sequences: SequenceData,
    task: Task,
    windows: Windows,
    span: Span,
    cuts: Array | None,
) -> int:
    """Make a span of steps, each of a batch of sequences; a short last batch counts.

    Returns how many were made: fewer than asked where a loss was not finite, before the update that it would make.
    """
    places, parameters = unfolded.places, learning.parameters
    n_lanes, asked = places.lengths.size, Pass(task.loss, BACKWARD)
    for s in range(span.step_rates.size):
        position = (span.first_step + s) * task.batch
        m = min(task.batch, sequences.order.size - position)
        renew_states(unfolded, parameters)
        step_sum, n_losses = 0.0, 0
        for start in range(0, m, n_lanes):  # one turn where there are windows
            steps = find_places(sequences, places, position + start, min(n_lanes, m - start))
            length = windows.length if windows.length > 0 else steps
            for begin in range(0, steps, length):
                end = min(begin + length, steps)
                back_to = begin if windows.reach < 1 else max(begin + windows.length - windows.reach, 0)
                window = Window(begin, end, back_to, windows.reach != 0)
                run_window(unfolded, parameters, sequences, asked, window, cuts)
                total, count = add_losses(unfolded, window)
                step_sum += total
                n_losses += count
                if not np.isfinite(step_sum):
                    return s
                sum_gradients(unfolded, learning, back_to, end, start == 0, cuts)
                if windows.length > 0 and count > 0:
                    descend(unfolded, learning, task, span.step_rates[s], count)
        if windows.length == 0:
            descend(unfolded, learning, task, span.step_rates[s], n_losses)
        span.loss_sum[0] += step_sum
    return span.step_rates.size
