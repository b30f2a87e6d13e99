"""What monitors and alarms ask of a run, and its layout for the kernels: one table after the other in flat arrays."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neuronsim.basics.arrays import Array, Integers
from neuronsim.engine.conditions import Program
from neuronsim.engine.engine import Engine
from neuronsim.kernels.lanes import WIDTH
from neuronsim.kernels.watch import signals
from neuronsim.kernels.watch.alarms import ALARM, TOGETHER, Alarms, firing_type, judged_type
from neuronsim.kernels.watch.conditions import INSTRUCTION
from neuronsim.kernels.watch.monitors import MONITOR, NEVER, Monitors, item_type

NEURON_FIELDS = {"z": signals.Z, "y": signals.Y, "delta": signals.DELTA, "b": signals.B, "db": signals.DB}
EDGE_FIELDS = {"w": signals.W, "gradient": signals.GRADIENT, "dw": signals.DW}
# A number of steps that no run reaches, and that fits into the tables with another one added.
_MOST = 2**62
#: Fields that each sample has its own value of.
PER_SAMPLE = ("z", "y", "delta", "gradient")


@dataclass(frozen=True)
class MonitorRequest:
    """What one monitor records: fields of neurons or of edges, when, and how many records are kept.

    Attributes
    ----------
    neurons, edges : int64 array
        Ids, or positions of edges; one of the two is empty.
    fields : tuple of str
        Names from NEURON_FIELDS or EDGE_FIELDS.
    every : int
        Steps from one record to the next; 0: at ``steps``.
    steps : int64 array
        Ascending.
    capacity : int
        Records kept; the last ones, if there are more.
    chosen : int64 array
        Rows of X; none: means over batches.
    """

    neurons: Integers
    edges: Integers
    fields: tuple[str, ...]
    every: int
    steps: Integers
    capacity: int
    chosen: Integers = field(default_factory=lambda: np.empty(0, np.int64))

    def widths(self) -> list[int]:
        """How many values each field of one neuron or edge takes."""
        return [max(len(self.chosen), 1) if field in PER_SAMPLE else 1 for field in self.fields]

    @property
    def size(self) -> int:
        """Values in a record; after those of the fields, whether each chosen sample was there."""
        return (len(self.neurons) + len(self.edges)) * sum(self.widths()) + len(self.chosen)


@dataclass(frozen=True)
class AlarmRequest:
    """What one alarm looks for.

    Attributes
    ----------
    fields : tuple of str
        Those that the program reads, in the order of its rows; names from NEURON_FIELDS.
    neurons : int64 array
        Ids, in the order in which they are looked at.
    stop : bool
        Whether the first firing ends the run.
    capacity : int
        Firings kept.
    """

    fields: tuple[str, ...]
    program: Program
    neurons: Integers
    stop: bool
    capacity: int


def lay_out_monitors(engine: Engine, requests: Sequence[MonitorRequest], first_step: int = 0) -> Monitors:
    """Tables and arrays of all monitors of a run that begins with a step; nothing is recorded yet."""
    table = np.zeros(len(requests), MONITOR)
    items = [_items(engine, request) for request in requests]
    for column in ("every", "capacity", "size"):
        table[column] = [min(getattr(request, column), _MOST) for request in requests]
    table["cursor"], table["steps_end"] = _ranges(len(r.steps) for r in requests)
    past = [0 if r.every else int(np.searchsorted(r.steps, first_step)) for r in requests]
    table["cursor"] += np.array(past, np.int64)
    table["next"] = [_next_step(r, k, first_step) for r, k in zip(requests, past, strict=True)]
    table["item"], table["items_end"] = _ranges(map(len, items))
    table["chosen"], table["chosen_end"] = _ranges(len(r.chosen) for r in requests)
    table["values"], values_end = _ranges(table["capacity"] * table["size"])
    table["records"], records_end = _ranges(table["capacity"])
    return Monitors(
        table=table,
        items=_joined(items, item_type(engine.dtype)),
        steps=_joined([r.steps for r in requests]),
        chosen=_joined([r.chosen for r in requests]),
        values=np.empty(values_end.max(initial=0), engine.dtype),
        record_steps=np.empty(records_end.max(initial=0), np.int64),
        record_samples=np.empty(records_end.max(initial=0), np.int64),
        lanes=np.zeros(WIDTH[engine.dtype], engine.dtype),
    )


def _next_step(request: MonitorRequest, past: int, first_step: int) -> int:
    """The first step from ``first_step`` on that is recorded, where so many of its listed ones are past."""
    if request.every:
        return -(-first_step // request.every) * request.every
    return int(request.steps[past]) if past < len(request.steps) else NEVER


def lay_out_alarms(engine: Engine, requests: Sequence[AlarmRequest]) -> Alarms:
    """Tables and arrays of all alarms, which have not gone off yet."""
    table = np.zeros(len(requests), ALARM)
    fields = [np.array([NEURON_FIELDS[name] for name in r.fields], np.int64) for r in requests]
    rows = [r.program.rows(TOGETHER) for r in requests]
    judged = [_judged(engine, r.neurons) for r in requests]
    table["capacity"], table["stop"] = [r.capacity for r in requests], [r.stop for r in requests]
    table["field"], table["fields_end"] = _ranges(map(len, fields))
    table["instruction"], table["instructions_end"] = _ranges(len(r.program.instructions) for r in requests)
    table["row"], table["rows_end"] = _ranges(map(len, rows))
    table["neuron"], table["neurons_end"] = _ranges(map(len, judged))
    table["firing"], firings_end = _ranges(table["capacity"])
    return Alarms(
        table=table,
        fields=_joined(fields),
        programs=_joined([r.program.instructions for r in requests], INSTRUCTION),
        rows=np.concatenate([np.empty((0, TOGETHER)), *rows]),
        judged=_joined(judged, judged_type(engine.dtype)),
        firings=np.zeros(firings_end.max(initial=0), firing_type(engine.dtype)),
    )


def _items(engine: Engine, request: MonitorRequest) -> Array:
    """An item for each field of each neuron or edge, in the order of the record."""
    graph, codes, starts = engine.graph, NEURON_FIELDS | EDGE_FIELDS, np.cumsum([0, *request.widths()])
    n = len(request.neurons) + len(request.edges)
    items = np.zeros((n, len(request.fields)), item_type(engine.dtype))
    items["field"] = [codes[name] for name in request.fields]
    items["place"] = np.arange(n)[:, None] * starts[-1] + starts[:-1]
    sinks = np.searchsorted(graph.row_start, request.edges, side="right") - 1
    items["neuron"] = _neurons(engine, np.concatenate([request.neurons, sinks]))[:, None]
    if len(request.edges):
        items["source"] = _neurons(engine, graph.sources[request.edges])[:, None]
        items["edge"] = request.edges[:, None]
        items["is_dense"] = engine.plan.is_dense[sinks][:, None]
    items = items.reshape(-1)
    if not len(request.chosen):
        return items
    present: Array = np.zeros(1, items.dtype)
    present["field"], present["place"] = signals.PRESENT, request.size - len(request.chosen)
    return np.concatenate([items, present])


def _judged(engine: Engine, neurons: Integers) -> Array:
    """Neurons that an alarm looks at, and how many from each on are looked at together online."""
    judged = np.zeros(len(neurons), judged_type(engine.dtype))
    judged["neuron"] = _neurons(engine, neurons)
    is_input, place = engine.graph.is_input[neurons], np.arange(len(neurons))
    breaks = (np.diff(neurons) != 1) | is_input[1:] | is_input[:-1]
    ends = np.append(np.flatnonzero(breaks) + 1, len(neurons))
    judged["n_together"] = np.minimum(ends[np.searchsorted(ends, place, side="right")] - place, TOGETHER)
    return judged


def _neurons(engine: Engine, ids: Array) -> Array:
    """Where kernels find the signals of neurons."""
    graph = engine.graph
    columns, rows = np.full((2, graph.n_neurons), -1)
    columns[graph.inputs], rows[graph.outputs] = np.arange(graph.n_inputs), np.arange(graph.n_outputs)
    rows[~graph.is_input] = -1
    found: Array = np.empty(len(ids), signals.NEURON)
    found["id"], found["column"], found["output_row"] = ids, columns[ids], rows[ids]
    return found


def _ranges(lengths: Iterable[int]) -> tuple[Integers, Integers]:
    """Where each of several parts begins and ends when they lie one after the other."""
    n = np.array(list(lengths), np.int64)
    ends = np.cumsum(n)
    return ends - n, ends


def _joined(arrays: Sequence[Array], dtype: Any = np.int64) -> Array:
    return np.concatenate([np.empty(0, dtype), *arrays])
