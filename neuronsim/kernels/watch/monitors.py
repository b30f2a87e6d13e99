"""Monitors: fields of watched neurons and edges go into preallocated arrays, record after record."""

from typing import Any, NamedTuple

import numpy as np

from neuronsim.kernels.arguments import Array, Parameters
from neuronsim.kernels.jit import inlined, kernel
from neuronsim.kernels.lanes import fma, lane_count, load, total
from neuronsim.kernels.watch.signals import (
    DB,
    DELTA,
    DW,
    GRADIENT,
    NEURON,
    PRESENT,
    B,
    Computed,
    W,
    Y,
    Z,
    record_type,
    signal,
)

#: Later than every step.
NEVER = 2**62

#: A monitor. The last step of every call is recorded as well, and is taken back (``tentative``) if more steps follow.
MONITOR = record_type(
    next=np.int64,  # the next step that it asks for, or NEVER
    every=np.int64,  # from one step to the next; 0: they are listed
    cursor=np.int64,  # where ``next`` stands in ``steps``
    steps_end=np.int64,  # where its list ends
    item=np.int64,  # its first item
    items_end=np.int64,
    chosen=np.int64,  # the first of the rows of X that it chooses
    chosen_end=np.int64,
    capacity=np.int64,  # records kept; more of them go round
    size=np.int64,  # values in a record
    values=np.int64,  # where its first record's values begin
    records=np.int64,  # where its first record's step and sample stand
    turn=np.int64,  # the place of the next record, 0 to capacity − 1
    count=np.int64,  # records made
    tentative=np.int64,  # 1: the last record is of a step that it did not ask for
)


def item_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """An item, one field of one neuron or edge, and what is kept of it until its record is complete."""
    return record_type(
        field=np.int64,
        neuron=NEURON,  # or an edge's sink
        source=NEURON,  # of an edge
        edge=np.int64,  # its position
        is_dense=np.int64,  # 1: gradients of the sink are summed as those of a dense bundle
        place=np.int64,  # in the record
        before=dtype,  # b or w before the step
        sum=np.float64,  # over a batch, in its order
        gradient=dtype,  # of one weight, summed as training sums it
    )


class Monitors(NamedTuple):
    """All monitors of a run."""

    table: Array  # MONITOR (n_monitors,)
    items: Array  # item_type (n_items,)
    steps: Array  # int64: the steps that monitors list
    chosen: Array  # int64: the rows of X that monitors choose
    values: Array  # every monitor's records
    record_steps: Array  # int64: the step of each record
    record_samples: Array  # int64: its row of X; −1 for a batch
    lanes: Array  # one lane vector


@kernel
def is_due(monitor: Any, clock: Any) -> bool:
    """Whether a monitor records this step."""
    return bool(clock.now == monitor.next or clock.now == clock.last)


@kernel
def keep_before(monitors: Monitors, clock: Any, parameters: Parameters) -> None:
    """Keep b and w as they are before the step."""
    for monitor in monitors.table:
        if not is_due(monitor, clock):
            continue
        for k in range(monitor.item, monitor.items_end):
            item = monitors.items[k]
            if item.field == B or item.field == DB:
                item.before = parameters.biases[item.neuron.id]
            elif item.field == W or item.field == DW:
                item.before = parameters.weights[item.edge]


@inlined
def collect(monitors: Monitors, clock: Any, block: Computed) -> None:
    """Read z, y, δ and gradients of a block of samples."""
    for monitor in monitors.table:
        if not is_due(monitor, clock):
            continue
        for k in range(monitor.item, monitor.items_end):
            item = monitors.items[k]
            field = item.field
            if field == B or field == DB or field == W or field == DW:
                continue
            if monitor.chosen_end > monitor.chosen:
                collect_chosen(monitors, monitor, item, block)
            elif field == GRADIENT and block.stride > 1:
                add_gradient(item, block, monitors.lanes)
            elif field == GRADIENT:
                item.gradient = sample_value(item, block, 0)
            else:
                value = signal_sum(item, block)
                item.sum = value if block.start == 0 else item.sum + value


@kernel
def collect_chosen(monitors: Monitors, monitor: Any, item: Any, block: Computed) -> None:
    """The value of each chosen sample of the block, or that it is there."""
    at = monitor.values + monitor.turn * monitor.size + item.place
    for c in range(monitor.chosen_end - monitor.chosen):
        if block.start == 0:
            monitors.values[at + c] = 0.0 if item.field == PRESENT else np.nan
        for i in range(block.n):
            if block.order[block.position + i] == monitors.chosen[monitor.chosen + c]:
                if item.field == PRESENT:
                    monitors.values[at + c] = 1.0
                else:
                    monitors.values[at + c] = sample_value(item, block, i)


@kernel
def sample_value(item: Any, block: Computed, i: int) -> Any:
    """An item of one sample: z, y, δ, or δ of the sink · y of the source."""
    if item.field == GRADIENT:
        return signal(block, item.neuron, DELTA, i) * signal(block, item.source, Y, i)
    return signal(block, item.neuron, item.field, i)


@inlined
def signal_sum(item: Any, block: Computed) -> float:
    """Σ of z, y or δ over a block, in float64."""
    neuron = item.neuron
    if neuron.output_row < 0 and (neuron.column < 0 or item.field == DELTA):
        values = block.delta if item.field == DELTA else block.z if item.field == Z else block.y
        return row_sum(values[neuron.id * block.stride :], block.stride, block.pitch, block.n)
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for i in range(block.n):
        value = float(sample_value(item, block, i))
        a, b, c, d = b, c, d, a + value  # they take turns
    for _ in range(-block.n % 4):
        a, b, c, d = b, c, d, a
    return (a + b) + (c + d)


@kernel
def row_sum(values: Array, stride: int, pitch: int, count: int) -> float:
    """Σ of a neuron's row in float64, plane by plane: sample i goes to partial sum i mod 4."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    at = 0
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
def add_gradient(item: Any, block: Computed, lanes: Array) -> None:
    """∂L/∂w = Σ_i δ_i · y_i over a block, in the order of ``gradient.py``; blocks are added in order."""
    # dense: one sum, sample after sample; else sample i goes to partial sum i mod lanes, then the tree
    n_sums = 1 if item.is_dense > 0 else lane_count(lanes)
    lanes[:] = 0.0
    for i in range(block.n):
        delta, y = signal(block, item.neuron, DELTA, i), signal(block, item.source, Y, i)
        lanes[i % n_sums] = fma(delta, y, lanes[i % n_sums])
    value = total(load(lanes, 0))
    item.gradient = value if block.start == 0 else item.gradient + value


@kernel
def finish(monitors: Monitors, clock: Any, parameters: Parameters, scale: float, m_samples: int, row: int) -> None:
    """Complete the records of those monitors that are due."""
    for monitor in monitors.table:
        if not is_due(monitor, clock):
            continue
        begin = monitor.values + monitor.turn * monitor.size
        for k in range(monitor.item, monitor.items_end):
            item = monitors.items[k]
            field, at = item.field, begin + item.place
            if field == B or field == W:
                monitors.values[at] = item.before
            elif field == DB:
                monitors.values[at] = parameters.biases[item.neuron.id] - item.before
            elif field == DW:
                monitors.values[at] = parameters.weights[item.edge] - item.before
            elif monitor.chosen_end > monitor.chosen:
                continue
            elif field == GRADIENT:
                monitors.values[at] = item.gradient * type(item.gradient)(scale)
            else:
                monitors.values[at] = item.sum / m_samples
        monitors.record_steps[monitor.records + monitor.turn] = clock.now
        monitors.record_samples[monitor.records + monitor.turn] = row
        monitor.turn = monitor.turn + 1 if monitor.turn + 1 < monitor.capacity else 0
        monitor.count += 1
        monitor.tentative = 0 if monitor.next == clock.now else 1
        advance(monitor, monitors.steps, clock.now)


@kernel
def advance(monitor: Any, steps: Array, now: int) -> None:
    """Set the next step that a monitor asks for."""
    if monitor.next != now:
        return
    if monitor.every > 0:
        monitor.next += monitor.every
        return
    monitor.cursor += 1
    monitor.next = steps[monitor.cursor] if monitor.cursor < monitor.steps_end else NEVER
