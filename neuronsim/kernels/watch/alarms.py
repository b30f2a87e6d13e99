"""Alarms: a condition that every neuron watched and every sample of a step is held against."""

from typing import Any, NamedTuple

import numpy as np

from neuronsim.kernels.arguments import Array, Parameters
from neuronsim.kernels.jit import kernel
from neuronsim.kernels.watch.conditions import evaluate
from neuronsim.kernels.watch.signals import DELTA, NEURON, B, Computed, Y, Z, record_type, signal

#: An alarm looks at so many samples together, a block, or online at so many neurons.
TOGETHER = 1024

#: An alarm. Its first rows hold the fields that it reads, then come constants, then what it computes.
ALARM = record_type(
    field=np.int64,  # the first of the fields that it reads
    fields_end=np.int64,
    instruction=np.int64,  # the first of its program
    instructions_end=np.int64,
    row=np.int64,  # its first row
    rows_end=np.int64,
    neuron=np.int64,  # the first that it looks at, in ``judged``
    neurons_end=np.int64,
    firing=np.int64,  # where its firings are kept
    capacity=np.int64,  # how many are kept
    count=np.int64,  # how many there were
    stop=np.int64,  # 1: the first one ends the run
)


def judged_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """A neuron that an alarm looks at."""
    return record_type(
        neuron=NEURON,
        n_together=np.int64,  # from it on, so many are no inputs, have consecutive ids and are judged at once
        bias=dtype,  # before the step
    )


def firing_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """A place where a condition held, and what was there."""
    return record_type(step=np.int64, neuron=np.int64, sample=np.int64, z=dtype, y=dtype, delta=dtype, b=dtype)


class Alarms(NamedTuple):
    """All alarms of a run."""

    table: Array  # ALARM (n_alarms,)
    fields: Array  # int64: those that conditions read
    programs: Array  # INSTRUCTION
    rows: Array  # float64 (n_rows, samples of a block, or neurons)
    judged: Array  # judged_type: neurons in the order in which alarms look at them
    firings: Array  # firing_type


@kernel
def keep_biases(alarms: Alarms, parameters: Parameters) -> None:
    """Keep b as it is before the step."""
    for seen in alarms.judged:
        seen.bias = parameters.biases[seen.neuron.id]


@kernel
def judge_neurons(alarms: Alarms, clock: Any, block: Computed) -> None:
    """Every alarm looks at its neurons, in their running order, and at each sample of a block."""
    online = block.stride == 1
    for alarm in alarms.table:
        n = alarm.neuron
        while n < alarm.neurons_end:
            n_together = alarms.judged[n].n_together if online else 1
            count = n_together if online else block.n
            evaluate_alarm(alarms, alarm, block, n, count)
            truths = alarms.rows[alarm.row]
            hits = 0
            for i in range(count):
                hits += 1 if truths[i] != 0.0 else 0
            if hits > 0:
                for i in range(count):
                    if truths[i] != 0.0:
                        fire(alarms, alarm, clock, block, n + i if online else n, 0 if online else i)
            n += n_together


@kernel
def evaluate_alarm(alarms: Alarms, alarm: Any, block: Computed, n: int, count: int) -> None:
    """An alarm's condition for the samples of a block and a neuron; online, for the neuron and the next ones."""
    rows = alarms.rows[alarm.row : alarm.rows_end]
    for k in range(alarm.field, alarm.fields_end):
        fill(rows[k - alarm.field], alarms, block, alarms.fields[k], n, count)
    evaluate(alarms.programs[alarm.instruction : alarm.instructions_end], rows, count)


@kernel
def fill(row: Array, alarms: Alarms, block: Computed, field: int, n: int, count: int) -> None:
    """Put a field of a judged neuron into a row, for all samples of a block; online, of it and the next ones."""
    neuron = alarms.judged[n].neuron
    if field == B:
        for i in range(count):
            row[i] = alarms.judged[n + i if block.stride == 1 else n].bias
    elif neuron.column >= 0 or neuron.output_row >= 0:
        for i in range(count):
            row[i] = signal(block, neuron, field, i)
    else:
        values = block.delta if field == DELTA else block.z if field == Z else block.y
        together = count if block.stride == 1 else block.stride
        for start in range(0, count, together):
            at = neuron.id * block.stride + start // together * block.pitch
            for i in range(min(together, count - start)):
                row[start + i] = values[at + i]


@kernel
def fire(alarms: Alarms, alarm: Any, clock: Any, block: Computed, n: int, i: int) -> None:
    """Keep a firing, if there is room; count it; the first one may end the run."""
    fired = alarm.count
    alarm.count = fired + 1
    if alarm.stop > 0:
        clock.stopped = 1
    if fired >= alarm.capacity:
        return
    seen, firing = alarms.judged[n], alarms.firings[alarm.firing + fired]
    firing.step, firing.neuron = clock.now, seen.neuron.id
    firing.sample = block.order[block.position + i]
    firing.z = signal(block, seen.neuron, Z, i)
    firing.y = signal(block, seen.neuron, Y, i)
    firing.delta = signal(block, seen.neuron, DELTA, i)
    firing.b = seen.bias
