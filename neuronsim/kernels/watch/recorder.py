"""Watched neurons and edges: a step's values go into preallocated arrays, and alarms look at them.

What is read lies in the workspace when a step has been made, so the steps themselves know nothing of it. Of large
batches, which run in blocks, each block is read when its δ are there.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from neuronsim.kernels.arguments import Parameters, Samples, Workspace
from neuronsim.kernels.batch.gather import place_of
from neuronsim.kernels.jit import inlined, kernel
from neuronsim.kernels.lanes import fma, lane_count, load, total

Array = npt.NDArray[Any]

#: Later than every step.
NEVER = 2**62
#: An alarm looks at so many samples together, a block, or online at so many neurons.
TOGETHER = 1024

# What an item is of: a neuron's z, y, δ, b and change of b; an edge's w, gradient and change of w; or whether chosen
# samples were in the batch.
Z, Y, DELTA, B, DB, W, GRADIENT, DW, PRESENT = range(9)

# Places in ``Recorder.clock``: step numbers within the run. NEXT is the next step that anybody watches, FIRST and LAST
# the ends of this call, NOW the step under way where it is watched, else −1. STOPPED: an alarm ended the call.
NEXT, FIRST, LAST, NOW, STOPPED, N_INPUTS = range(6)
N_CLOCK = 6

# Columns of ``Recorder.monitors``. After M_NEXT come steps M_EVERY apart, or those listed in ``steps`` from M_CURSOR
# on. A record is M_SIZE values; more than M_CAPACITY go round: M_TURN is the place of the next. The last step of every
# call is recorded as well, and is taken back (M_TENTATIVE) if more steps follow.
M_NEXT, M_EVERY, M_CURSOR, M_STEPS_END, M_ITEM, M_ITEMS_END, M_CAPACITY, M_COUNT, M_TENTATIVE = range(9)
M_SIZE, M_VALUES, M_RECORDS, M_CHOSEN, M_CHOSEN_END, M_TURN = range(9, 15)
N_MONITOR = 15

# Columns of ``Recorder.items``: the field; the neuron, or an edge's sink, source and position; the column of X of a
# neuron or source that is an input, else −1; the output row of an input that is an output, else −1; whether gradients
# of the sink are summed as those of a dense bundle; its place in the record.
I_FIELD, I_NEURON, I_SOURCE, I_EDGE, I_COLUMN, I_OUTPUT, I_DENSE, I_PLACE = range(8)
N_ITEM = 8

# Columns of ``Recorder.alarms``: the program, the neurons (rows of ``judged``), where firings are kept, how many are,
# how many there were, whether the first one stops the run.
A_CODE, A_CODE_END, A_NEURON, A_NEURONS_END, A_FIRINGS, A_CAPACITY, A_COUNT, A_STOP = range(8)
N_ALARM = 8

# Instructions of an alarm's program: operands lie on a stack, truth is 1.0.
PUSH, CONSTANT, NEGATE, ABSOLUTE, ADD, SUBTRACT, MULTIPLY, DIVIDE = range(8)
LESS, AT_MOST, GREATER, AT_LEAST, EQUAL, UNEQUAL, AND, OR, NOT, IS_NAN, IS_INF, IS_FINITE, SQUARE_ROOT = range(8, 21)


class Recorder(NamedTuple):
    """Everything that is watched in a run, flat."""

    clock: Array  # int64 (N_CLOCK,)
    monitors: Array  # int64 (n_monitors, N_MONITOR)
    items: Array  # int64 (n_items, N_ITEM)
    steps: Array  # int64: the steps that monitors list
    chosen: Array  # int64: the rows of X that monitors choose
    values: Array  # every monitor's records
    record_steps: Array  # int64: the step of each record
    record_samples: Array  # int64: its row of X; −1 for a batch
    before: Array  # (n_items,): b or w before the step
    sums: Array  # float64 (n_items,): over a batch, in its order
    gradients: Array  # (n_items,): of one weight, summed as training sums it
    lanes: Array  # one lane vector
    alarms: Array  # int64 (n_alarms, N_ALARM)
    code: Array  # int64 (n, 2): instruction and operand
    constants: Array  # float64
    judged: Array  # int64 (n, 4): neuron, column of X, output row, how many that are no inputs begin here side by side
    judged_biases: Array  # (n,): b before the step
    stack: Array  # float64 (depth, samples of a block, or neurons)
    firings: Array  # int64 (n, 3): step, neuron, row of X
    firing_values: Array  # (n, 4): z, y, δ, b


@kernel
def signal(
    recorder: Recorder,
    work: Workspace,
    samples: Samples,
    field: int,
    neuron: int,
    column: int,
    output: int,
    position: int,
    i: int,
    stride: int,
) -> Any:
    """z, y or δ of sample ``i`` of the block at ``position``; z = y = x of an input, δ its ∂L/∂x."""
    place = place_of(i, stride, work.pitch)
    at = neuron * stride + place
    if field == DELTA:
        return work.delta[at] + work.loss_delta[output * stride + place] if output >= 0 else work.delta[at]
    if column >= 0:  # from X: threads' y of inputs are copies of their own
        return samples.inputs[samples.order[position + i] * recorder.clock[N_INPUTS] + column]
    return work.z[at] if field == Z else work.y[at]


@kernel
def is_due(recorder: Recorder, m: int, step: int) -> bool:
    """Whether monitor ``m`` records this step."""
    return bool(step == recorder.monitors[m, M_NEXT] or step == recorder.clock[LAST])


@kernel
def record_place(recorder: Recorder, m: int) -> int:
    """Where the next record of monitor ``m`` begins among the values."""
    return int(recorder.monitors[m, M_VALUES] + recorder.monitors[m, M_TURN] * recorder.monitors[m, M_SIZE])


@kernel
def sample_value(
    recorder: Recorder, work: Workspace, samples: Samples, k: int, position: int, i: int, stride: int
) -> Any:
    """An item of one sample: z, y, δ, or δ of the sink · y of the source."""
    items = recorder.items
    field, column, output = items[k, I_FIELD], items[k, I_COLUMN], items[k, I_OUTPUT]
    if field == GRADIENT:
        delta = signal(recorder, work, samples, DELTA, items[k, I_NEURON], -1, -1, position, i, stride)
        return delta * signal(recorder, work, samples, Y, items[k, I_SOURCE], column, -1, position, i, stride)
    return signal(recorder, work, samples, field, items[k, I_NEURON], column, output, position, i, stride)


@kernel
def row_sum(values: Array, at: int, stride: int, pitch: int, count: int) -> float:
    """Σ of a neuron's row in float64, plane by plane: sample i goes to partial sum i mod 4."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for start in range(0, count, stride):
        n = min(stride, count - start)
        i = at
        while i + 4 <= at + n:
            a, b, c, d = a + values[i], b + values[i + 1], c + values[i + 2], d + values[i + 3]
            i += 4
        left = at + n - i  # of the last plane alone: rows are whole lane vectors
        a += values[i] if left > 0 else 0.0
        b += values[i + 1] if left > 1 else 0.0
        c += values[i + 2] if left > 2 else 0.0
        at += pitch
    return (a + b) + (c + d)


@kernel
def signal_sum(
    recorder: Recorder, work: Workspace, samples: Samples, k: int, position: int, count: int, stride: int
) -> float:
    """Σ of z, y or δ over a block, in float64."""
    items = recorder.items
    field, neuron = items[k, I_FIELD], items[k, I_NEURON]
    if items[k, I_OUTPUT] < 0 and (items[k, I_COLUMN] < 0 or field == DELTA):
        values = work.delta if field == DELTA else work.z if field == Z else work.y
        return row_sum(values, neuron * stride, stride, work.pitch, count)
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for i in range(count):
        value = float(sample_value(recorder, work, samples, k, position, i, stride))
        a, b, c, d = b, c, d, a + value  # they take turns
    for _ in range(-count % 4):
        a, b, c, d = b, c, d, a
    return (a + b) + (c + d)


@kernel
def add_gradient(
    recorder: Recorder,
    work: Workspace,
    samples: Samples,
    k: int,
    position: int,
    start: int,
    count: int,
    stride: int,
) -> None:
    """∂L/∂w = Σ_i δ_i · y_i over a block, in the order of ``gradient.py``; blocks are added in order."""
    items, lanes = recorder.items, recorder.lanes
    sink, source, column = items[k, I_NEURON], items[k, I_SOURCE], items[k, I_COLUMN]
    # dense: one sum, sample after sample; else sample i goes to partial sum i mod lanes, then the tree
    n_sums = 1 if items[k, I_DENSE] > 0 else lane_count(lanes)
    lanes[:] = 0.0
    for i in range(count):
        delta = signal(recorder, work, samples, DELTA, sink, -1, -1, position, i, stride)
        y = signal(recorder, work, samples, Y, source, column, -1, position, i, stride)
        lanes[i % n_sums] = fma(delta, y, lanes[i % n_sums])
    value = total(load(lanes, 0))
    recorder.gradients[k] = value if start == 0 else recorder.gradients[k] + value


@kernel
def collect(
    recorder: Recorder, work: Workspace, samples: Samples, position: int, start: int, count: int, stride: int
) -> None:
    """Read z, y, δ and gradients of a block of samples; ``start`` is its place in the batch."""
    step = recorder.clock[NOW]
    monitors, items = recorder.monitors, recorder.items
    for m in range(monitors.shape[0]):
        if not is_due(recorder, m, step):
            continue
        place = record_place(recorder, m)
        chosen, n_chosen = monitors[m, M_CHOSEN], monitors[m, M_CHOSEN_END] - monitors[m, M_CHOSEN]
        for k in range(monitors[m, M_ITEM], monitors[m, M_ITEMS_END]):
            field = items[k, I_FIELD]
            if field == B or field == DB or field == W or field == DW:
                continue
            if n_chosen > 0:
                at = place + items[k, I_PLACE]
                for c in range(n_chosen):
                    if start == 0:
                        recorder.values[at + c] = 0.0 if field == PRESENT else np.nan
                    for i in range(count):
                        if samples.order[position + i] == recorder.chosen[chosen + c]:
                            if field == PRESENT:
                                recorder.values[at + c] = 1.0
                            else:
                                recorder.values[at + c] = sample_value(recorder, work, samples, k, position, i, stride)
            elif field == GRADIENT and stride > 1:
                add_gradient(recorder, work, samples, k, position, start, count, stride)
            elif field == GRADIENT:
                recorder.gradients[k] = sample_value(recorder, work, samples, k, position, 0, stride)
            else:
                value = signal_sum(recorder, work, samples, k, position, count, stride)
                recorder.sums[k] = value if start == 0 else recorder.sums[k] + value


@kernel
def finish(recorder: Recorder, parameters: Parameters, scale: float, m_samples: int, row: int) -> None:
    """Complete the records of those monitors that are due."""
    step = recorder.clock[NOW]
    monitors, items = recorder.monitors, recorder.items
    for m in range(monitors.shape[0]):
        if not is_due(recorder, m, step):
            continue
        place = record_place(recorder, m)
        n_chosen = monitors[m, M_CHOSEN_END] - monitors[m, M_CHOSEN]
        for k in range(monitors[m, M_ITEM], monitors[m, M_ITEMS_END]):
            field, at = items[k, I_FIELD], place + items[k, I_PLACE]
            if field == B or field == W:
                recorder.values[at] = recorder.before[k]
            elif field == DB:
                recorder.values[at] = parameters.biases[items[k, I_NEURON]] - recorder.before[k]
            elif field == DW:
                recorder.values[at] = parameters.weights[items[k, I_EDGE]] - recorder.before[k]
            elif n_chosen > 0:
                continue
            elif field == GRADIENT:
                recorder.values[at] = recorder.gradients[k] * type(recorder.gradients[k])(scale)
            else:
                recorder.values[at] = recorder.sums[k] / m_samples
        turn = monitors[m, M_TURN]
        recorder.record_steps[monitors[m, M_RECORDS] + turn] = step
        recorder.record_samples[monitors[m, M_RECORDS] + turn] = row
        monitors[m, M_TURN] = turn + 1 if turn + 1 < monitors[m, M_CAPACITY] else 0
        monitors[m, M_COUNT] += 1
        monitors[m, M_TENTATIVE] = 0 if monitors[m, M_NEXT] == step else 1
        advance(recorder, m, step)


@kernel
def advance(recorder: Recorder, m: int, step: int) -> None:
    """Set the next step that monitor ``m`` asks for."""
    monitors = recorder.monitors
    if monitors[m, M_NEXT] != step:
        return
    if monitors[m, M_EVERY] > 0:
        monitors[m, M_NEXT] += monitors[m, M_EVERY]
        return
    cursor = monitors[m, M_CURSOR] + 1
    monitors[m, M_CURSOR] = cursor
    monitors[m, M_NEXT] = recorder.steps[cursor] if cursor < monitors[m, M_STEPS_END] else NEVER


@kernel
def set_next(recorder: Recorder) -> None:
    """The next step that anybody watches."""
    now, last = recorder.clock[NOW], recorder.clock[LAST]
    soonest = last if last > now else NEVER
    for m in range(recorder.monitors.shape[0]):
        soonest = min(soonest, recorder.monitors[m, M_NEXT])
    if recorder.alarms.shape[0] > 0:
        soonest = now + 1
    recorder.clock[NEXT] = soonest


@kernel
def fill(
    recorder: Recorder,
    work: Workspace,
    samples: Samples,
    field: int,
    n: int,
    depth: int,
    position: int,
    count: int,
    stride: int,
) -> None:
    """Put a field of a judged neuron on the stack, for all samples of a block; online, of it and the next ones."""
    neuron, column, output = recorder.judged[n, 0], recorder.judged[n, 1], recorder.judged[n, 2]
    top = recorder.stack[depth]
    if field == B:
        for i in range(count):
            top[i] = recorder.judged_biases[n + i if stride == 1 else n]
    elif column >= 0 or output >= 0:
        for i in range(count):
            top[i] = signal(recorder, work, samples, field, neuron, column, output, position, i, stride)
    else:
        values = work.delta if field == DELTA else work.z if field == Z else work.y
        together = count if stride == 1 else stride
        for start in range(0, count, together):
            at = neuron * stride + start // together * work.pitch
            for i in range(min(together, count - start)):
                top[start + i] = values[at + i]


@kernel
def run_program(
    recorder: Recorder,
    work: Workspace,
    samples: Samples,
    begin: int,
    end: int,
    n: int,
    position: int,
    count: int,
    stride: int,
) -> None:
    """An alarm's condition, sample by sample (online neuron by neuron) in float64; the result is ``stack[0]``."""
    stack = recorder.stack
    depth = 0
    for p in range(begin, end):
        code, operand = recorder.code[p, 0], recorder.code[p, 1]
        if code == PUSH:
            fill(recorder, work, samples, operand, n, depth, position, count, stride)
            depth += 1
            continue
        if code == CONSTANT:
            stack[depth, :count] = recorder.constants[operand]
            depth += 1
            continue
        b = stack[depth - 1]
        if code == NEGATE:
            for i in range(count):
                b[i] = -b[i]
        elif code == ABSOLUTE:
            for i in range(count):
                b[i] = abs(b[i])
        elif code == SQUARE_ROOT:
            for i in range(count):
                b[i] = np.sqrt(b[i])
        elif code == NOT:
            for i in range(count):
                b[i] = 1.0 - b[i]
        elif code == IS_NAN:
            for i in range(count):
                b[i] = 1.0 if b[i] != b[i] else 0.0
        elif code == IS_INF:
            for i in range(count):
                b[i] = 1.0 if abs(b[i]) == np.inf else 0.0
        elif code == IS_FINITE:
            for i in range(count):
                b[i] = 1.0 if abs(b[i]) < np.inf else 0.0
        else:
            depth -= 1
            combine(code, stack[depth - 1], b, count)


@kernel
def combine(code: int, a: Array, b: Array, count: int) -> None:
    """``a := a ∘ b``, sample by sample."""
    if code == ADD:
        for i in range(count):
            a[i] = a[i] + b[i]
    elif code == SUBTRACT:
        for i in range(count):
            a[i] = a[i] - b[i]
    elif code == MULTIPLY or code == AND:
        for i in range(count):
            a[i] = a[i] * b[i]
    elif code == DIVIDE:
        for i in range(count):
            a[i] = a[i] / b[i]
    elif code == OR:
        for i in range(count):
            a[i] = max(a[i], b[i])
    elif code == LESS or code == GREATER:
        for i in range(count):
            a[i] = 1.0 if (a[i] < b[i] if code == LESS else a[i] > b[i]) else 0.0
    elif code == AT_MOST or code == AT_LEAST:
        for i in range(count):
            a[i] = 1.0 if (a[i] <= b[i] if code == AT_MOST else a[i] >= b[i]) else 0.0
    else:
        for i in range(count):
            a[i] = 1.0 if (a[i] == b[i]) == (code == EQUAL) else 0.0


@kernel
def judge(recorder: Recorder, work: Workspace, samples: Samples, position: int, count: int, stride: int) -> None:
    """Every alarm looks at its neurons, in their running order, and at each sample of a block."""
    alarms, step = recorder.alarms, recorder.clock[NOW]
    for a in range(alarms.shape[0]):
        begin, end = alarms[a, A_CODE], alarms[a, A_CODE_END]
        n = alarms[a, A_NEURON]
        while n < alarms[a, A_NEURONS_END]:
            neurons = recorder.judged[n, 3] if stride == 1 else 1
            cells = neurons if stride == 1 else count
            run_program(recorder, work, samples, begin, end, n, position, cells, stride)
            hits = 0
            for i in range(cells):
                hits += 1 if recorder.stack[0, i] != 0.0 else 0
            if hits > 0:
                for i in range(cells):
                    if recorder.stack[0, i] != 0.0 and stride == 1:
                        fire(recorder, work, samples, a, n + i, step, position, 0, stride)
                    elif recorder.stack[0, i] != 0.0:
                        fire(recorder, work, samples, a, n, step, position, i, stride)
            n += neurons


@kernel
def fire(
    recorder: Recorder,
    work: Workspace,
    samples: Samples,
    a: int,
    n: int,
    step: int,
    position: int,
    i: int,
    stride: int,
) -> None:
    """Keep a firing, if there is room; count it; the first one may end the run."""
    alarms = recorder.alarms
    fired = alarms[a, A_COUNT]
    alarms[a, A_COUNT] = fired + 1
    if alarms[a, A_STOP] > 0:
        recorder.clock[STOPPED] = 1
    if fired >= alarms[a, A_CAPACITY]:
        return
    at = alarms[a, A_FIRINGS] + fired
    neuron, column, output = recorder.judged[n, 0], recorder.judged[n, 1], recorder.judged[n, 2]
    recorder.firings[at, 0], recorder.firings[at, 1] = step, neuron
    recorder.firings[at, 2] = samples.order[position + i]
    for field in range(3):
        value = signal(recorder, work, samples, field, neuron, column, output, position, i, stride)
        recorder.firing_values[at, field] = value
    recorder.firing_values[at, 3] = recorder.judged_biases[n]


@inlined
def prepare(recorder: Recorder, parameters: Parameters, step: int) -> None:
    """Before a watched step: keep its b and w."""
    recorder.clock[NOW] = step
    items = recorder.items
    for m in range(recorder.monitors.shape[0]):
        if not is_due(recorder, m, step):
            continue
        for k in range(recorder.monitors[m, M_ITEM], recorder.monitors[m, M_ITEMS_END]):
            field = items[k, I_FIELD]
            if field == B or field == DB:
                recorder.before[k] = parameters.biases[items[k, I_NEURON]]
            elif field == W or field == DW:
                recorder.before[k] = parameters.weights[items[k, I_EDGE]]
    for n in range(recorder.judged.shape[0]):
        recorder.judged_biases[n] = parameters.biases[recorder.judged[n, 0]]


@inlined
def look(
    recorder: Recorder, work: Workspace, samples: Samples, position: int, start: int, count: int, stride: int
) -> None:
    """While z, y and δ of a watched step lie in the workspace: of its block of samples at ``position``."""
    collect(recorder, work, samples, position, start, count, stride)
    if recorder.alarms.shape[0] > 0:
        judge(recorder, work, samples, position, count, stride)


@inlined
def conclude(recorder: Recorder, parameters: Parameters, scale: float, m_samples: int, row: int) -> None:
    """Behind a watched step, when its update is made. ``scale`` is that of gradients, ``row`` of X, −1 of a batch."""
    finish(recorder, parameters, scale, m_samples, row)
    set_next(recorder)
    recorder.clock[NOW] = -1
