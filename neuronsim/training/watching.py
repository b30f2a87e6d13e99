"""What the monitors and alarms of one run watch, as flat arrays for kernels; and how records are taken back.

Monitors say what they want (`Watch`, `Condition`); `Watching` lays all of it out for the kernels, once, before the
run. Training knows no more of a monitor than `Watcher` says.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from neuronsim.kernels.lanes import WIDTH
from neuronsim.kernels.watch import recorder as kernels

if TYPE_CHECKING:
    from neuronsim.engine.engine import Engine
    from neuronsim.training.result import RunResult

__all__ = ["EDGE_FIELDS", "NEURON_FIELDS", "Condition", "Records", "WatchedRun", "Watch", "Watcher", "Watching"]

Array = NDArray[Any]
Integers = NDArray[np.int64]

NEURON_FIELDS = {"z": kernels.Z, "y": kernels.Y, "delta": kernels.DELTA, "b": kernels.B, "db": kernels.DB}
EDGE_FIELDS = {"w": kernels.W, "gradient": kernels.GRADIENT, "dw": kernels.DW}
#: Fields that each sample has its own value of.
PER_SAMPLE = ("z", "y", "delta", "gradient")

_NONE = np.empty(0, np.int64)


@dataclass(frozen=True)
class WatchedRun:
    """The run that is to be watched.

    Attributes
    ----------
    engine
        Of the network as it is trained.
    n_steps, n_samples, batch_size
        Steps of the whole run, samples of the data, and of a step.
    """

    engine: "Engine"
    n_steps: int
    n_samples: int
    batch_size: int


@dataclass(frozen=True)
class Watch:
    """What one monitor records: fields of neurons or of edges, when, and how many records are kept.

    Attributes
    ----------
    neurons, edges
        Ids, or positions of edges; one of the two is empty.
    fields
        Names from NEURON_FIELDS or EDGE_FIELDS.
    every
        Steps from one record to the next; 0: at ``steps``.
    steps
        Ascending.
    capacity
        Records kept; the last ones, if there are more.
    chosen
        Rows of X; none: means over batches.
    """

    neurons: Integers
    edges: Integers
    fields: tuple[str, ...]
    every: int
    steps: Integers
    capacity: int
    chosen: Integers = field(default_factory=_NONE.copy)

    def widths(self) -> list[int]:
        """How many values each field of one neuron or edge takes."""
        return [max(len(self.chosen), 1) if field in PER_SAMPLE else 1 for field in self.fields]

    @property
    def size(self) -> int:
        """Values in a record; behind those of the fields, whether each chosen sample was there."""
        return (len(self.neurons) + len(self.edges)) * sum(self.widths()) + len(self.chosen)


@dataclass(frozen=True)
class Condition:
    """What one alarm looks for.

    Attributes
    ----------
    code
        Instructions and operands, shape (n, 2); see ``kernels/record.py``.
    constants
        Numbers that it mentions.
    depth
        Places that it needs on the stack.
    neurons
        Ids, in the order in which they are looked at.
    stop
        Whether the first firing ends the run.
    capacity
        Firings kept.
    """

    code: Integers
    constants: Array
    depth: int
    neurons: Integers
    stop: bool
    capacity: int


@dataclass(frozen=True)
class Records:
    """What a watcher gets back.

    Attributes
    ----------
    step, sample
        Of each record, shape (n_records,); sample is the row of X, -1 of a batch.
    values
        Shape (n_records, size of the watch).
    count, firings, firing_values
        Of an alarm: how many there were; (step, neuron, row of X) and (z, y, δ, b) of the first of them.
    """

    step: Integers
    sample: Integers
    values: Array
    count: int = 0
    firings: Integers = field(default_factory=_NONE.copy)
    firing_values: Array = field(default_factory=_NONE.copy)


class Watcher(Protocol):
    """A monitor or an alarm, as training sees it."""

    def _begin(self, setting: WatchedRun) -> Watch | Condition:
        """What it wants of this run; errors are raised here, before anything has changed."""

    def _end(self, records: Records, run: "RunResult") -> None:
        """What it gets, when the run has ended."""

    def _stopped(self) -> str:
        """Why it ended the run, as a sentence."""


class Watching:
    """All that is watched in one run."""

    def __init__(self, setting: WatchedRun, watchers: Sequence[Watcher]) -> None:
        self.engine = setting.engine
        self.watchers = list(watchers)
        self._wanted = [watcher._begin(setting) for watcher in self.watchers]
        self._watches = [w for w in self._wanted if isinstance(w, Watch)]
        self._conditions = [w for w in self._wanted if isinstance(w, Condition)]
        self.recorder = self._make(setting)

    @property
    def wants_inputs(self) -> bool:
        """Whether anybody asks for ∂L/∂x, which is not computed otherwise."""
        is_input = self.engine.graph.is_input
        asked = [w.neurons for w in self._watches if "delta" in w.fields] + [c.neurons for c in self._conditions]
        return any(bool(is_input[neurons].any()) for neurons in asked)

    # --- layout

    def _make(self, setting: WatchedRun) -> kernels.Recorder:
        dtype = self.engine.dtype
        watches, conditions = self._watches, self._conditions
        clock = np.zeros(kernels.N_CLOCK, np.int64)
        clock[kernels.N_INPUTS] = self.engine.graph.n_inputs
        items = [self._items(watch) for watch in watches]
        n_items = sum(map(len, items))
        capacity = sum(w.capacity for w in watches)
        firings = sum(c.capacity for c in conditions)
        depth = max((c.depth for c in conditions), default=0)
        columns = self._columns()
        judged = _joined([c.neurons for c in conditions])
        return kernels.Recorder(
            clock=clock,
            monitors=self._monitors([len(i) for i in items]),
            items=np.concatenate([np.empty((0, kernels.N_ITEM), np.int64), *items]),
            steps=_joined([w.steps for w in watches]),
            chosen=_joined([w.chosen for w in watches]),
            values=np.empty(sum(w.capacity * w.size for w in watches), dtype),
            record_steps=np.empty(capacity, np.int64),
            record_samples=np.empty(capacity, np.int64),
            before=np.zeros(n_items, dtype),
            sums=np.zeros(n_items),
            gradients=np.zeros(n_items, dtype),
            lanes=np.zeros(WIDTH[dtype], dtype),
            alarms=self._alarms(),
            code=np.concatenate([np.empty((0, 2), np.int64), *self._codes()]),
            constants=np.concatenate([np.empty(0), *(c.constants for c in conditions)]),
            judged=np.stack([judged, columns[judged], self._output_rows()[judged], self._side_by_side()], axis=1),
            judged_biases=np.zeros(len(judged), dtype),
            stack=np.zeros((depth, kernels.TOGETHER if conditions else 0)),
            firings=np.zeros((firings, 3), np.int64),
            firing_values=np.zeros((firings, 4), dtype),
        )

    def _columns(self) -> Integers:
        """By neuron, its column of X, or -1."""
        graph = self.engine.graph
        columns = np.full(graph.n_neurons, -1, np.int64)
        columns[graph.inputs] = np.arange(graph.n_inputs)
        return columns

    def _output_rows(self) -> Integers:
        """By neuron, its place among the outputs if it is an input as well, or -1."""
        graph = self.engine.graph
        rows = np.full(graph.n_neurons, -1, np.int64)
        rows[graph.outputs] = np.arange(graph.n_outputs)
        rows[~graph.is_input] = -1
        return rows

    def _items(self, watch: Watch) -> Integers:
        """A row for each field of each neuron or edge, in the order of the record."""
        table = NEURON_FIELDS | EDGE_FIELDS
        widths = watch.widths()
        n_things, n_fields = len(watch.neurons) + len(watch.edges), len(watch.fields)
        items = np.full((n_things, n_fields, kernels.N_ITEM), -1, np.int64)
        items[:, :, kernels.I_FIELD] = [table[field] for field in watch.fields]
        starts = np.cumsum([0, *widths])
        items[:, :, kernels.I_PLACE] = np.arange(n_things)[:, None] * starts[-1] + starts[:-1]
        items[:, :, kernels.I_DENSE] = 0
        if len(watch.edges):
            graph = self.engine.graph
            sinks = np.searchsorted(graph.row_start, watch.edges, side="right") - 1
            sources = graph.sources[watch.edges]
            items[:, :, kernels.I_NEURON] = sinks[:, None]
            items[:, :, kernels.I_SOURCE] = sources[:, None]
            items[:, :, kernels.I_EDGE] = watch.edges[:, None]
            items[:, :, kernels.I_COLUMN] = self._columns()[sources][:, None]
            items[:, :, kernels.I_DENSE] = self.engine.plan.is_dense[sinks][:, None]
        else:
            items[:, :, kernels.I_NEURON] = watch.neurons[:, None]
            items[:, :, kernels.I_COLUMN] = self._columns()[watch.neurons][:, None]
            items[:, :, kernels.I_OUTPUT] = self._output_rows()[watch.neurons][:, None]
        rows = items.reshape(-1, kernels.N_ITEM)
        if len(watch.chosen):
            present = np.full((1, kernels.N_ITEM), -1, np.int64)
            present[0, [kernels.I_FIELD, kernels.I_PLACE]] = kernels.PRESENT, watch.size - len(watch.chosen)
            rows = np.concatenate([rows, present])
        return rows

    def _monitors(self, n_items: list[int]) -> Integers:
        table = np.zeros((len(self._watches), kernels.N_MONITOR), np.int64)
        item = step = chosen = value = record = 0
        for row, watch, n in zip(table, self._watches, n_items, strict=True):
            row[kernels.M_EVERY], row[kernels.M_CURSOR] = watch.every, step
            row[kernels.M_ITEM], row[kernels.M_CHOSEN] = item, chosen
            row[kernels.M_CAPACITY], row[kernels.M_SIZE] = watch.capacity, watch.size
            row[kernels.M_VALUES], row[kernels.M_RECORDS] = value, record
            item, step, chosen = item + n, step + len(watch.steps), chosen + len(watch.chosen)
            value, record = value + watch.capacity * watch.size, record + watch.capacity
            row[kernels.M_ITEMS_END], row[kernels.M_STEPS_END], row[kernels.M_CHOSEN_END] = item, step, chosen
            row[kernels.M_NEXT] = 0 if watch.every else watch.steps[0]
        return table

    def _alarms(self) -> Integers:
        table = np.zeros((len(self._conditions), kernels.N_ALARM), np.int64)
        code = neuron = firing = 0
        for row, c in zip(table, self._conditions, strict=True):
            row[kernels.A_CODE], row[kernels.A_NEURON], row[kernels.A_FIRINGS] = code, neuron, firing
            code, neuron, firing = code + len(c.code), neuron + len(c.neurons), firing + c.capacity
            row[kernels.A_CODE_END], row[kernels.A_NEURONS_END] = code, neuron
            row[kernels.A_CAPACITY], row[kernels.A_STOP] = c.capacity, c.stop
        return table

    def _side_by_side(self) -> Integers:
        """For each judged neuron, how many from it on have consecutive ids and are no inputs, or 1; online they are
        looked at together."""
        lengths = [np.empty(0, np.int64)]
        for c in self._conditions:
            inputs = self.engine.graph.is_input[c.neurons]
            breaks = (np.diff(c.neurons) != 1) | inputs[1:] | inputs[:-1]
            place = np.arange(len(c.neurons))
            ends = np.append(np.flatnonzero(breaks) + 1, len(c.neurons))
            lengths.append(np.minimum(ends[np.searchsorted(ends, place, side="right")] - place, kernels.TOGETHER))
        return _joined(lengths)

    def _codes(self) -> list[Integers]:
        """The alarms' programs; each constant's place counted among those of all."""
        programs, n = [], 0
        for c in self._conditions:
            code = c.code.copy()
            code[code[:, 0] == kernels.CONSTANT, 1] += n
            n += len(c.constants)
            programs.append(code)
        return programs

    # --- the run

    def begin(self, first: int, n: int) -> None:
        """The next call makes the steps ``first`` to ``first + n``; the last of them is recorded in any case."""
        if n == 0:
            return
        r = self.recorder
        r.monitors[:, kernels.M_COUNT] -= r.monitors[:, kernels.M_TENTATIVE]
        r.monitors[:, kernels.M_TENTATIVE] = 0
        r.monitors[:, kernels.M_TURN] = r.monitors[:, kernels.M_COUNT] % r.monitors[:, kernels.M_CAPACITY]
        r.clock[[kernels.FIRST, kernels.LAST]] = first, first + n - 1
        r.clock[[kernels.NOW, kernels.STOPPED]] = -1, 0
        soonest = [first] if len(r.alarms) else [first + n - 1, *r.monitors[:, kernels.M_NEXT].tolist()]
        r.clock[kernels.NEXT] = min(soonest)

    @property
    def stopped(self) -> bool:
        """Whether an alarm ended the last call."""
        return bool(self.recorder.clock[kernels.STOPPED])

    def keep(self) -> Any:
        """What it takes to come back to this point: where the records end, and those that may be written over."""
        r = self.recorder
        return r.monitors.copy(), r.alarms.copy(), [(part, values[part].copy()) for values, part in self._in_danger()]

    def restore(self, kept: Any) -> None:
        """Go back to where ``keep`` was called."""
        r = self.recorder
        r.monitors[...], r.alarms[...], parts = kept
        for (values, _), (part, old) in zip(self._in_danger(), parts, strict=True):
            values[part] = old

    def _in_danger(self) -> list[tuple[Array, slice]]:
        """All records of those that go round, the last one of others: it may be taken back."""
        r = self.recorder
        parts = []
        for row in r.monitors.tolist():
            count, capacity, size = row[kernels.M_COUNT], row[kernels.M_CAPACITY], row[kernels.M_SIZE]
            begin, end = (0, capacity) if count >= capacity else (max(count - 1, 0), count)
            records, values = row[kernels.M_RECORDS], row[kernels.M_VALUES]
            parts += [(array, slice(records + begin, records + end)) for array in (r.record_steps, r.record_samples)]
            parts.append((r.values, slice(values + begin * size, values + end * size)))
        return parts

    def judge(self, X: Array, T: Array, loss: Any, rows: Integers, step: int) -> None:
        """Let alarms look at a step that was not made, because something in it is not finite."""
        if self._conditions:
            self.recorder.clock[kernels.NOW] = step
            self.engine.judge(self.recorder, X, T, loss, rows)

    def end(self, run: "RunResult") -> None:
        """Hand everything to those who asked for it."""
        records = iter([self._records(m) for m in range(len(self._watches))])
        firings = iter([self._firings(a) for a in range(len(self._conditions))])
        for watcher, wanted in zip(self.watchers, self._wanted, strict=True):
            watcher._end(next(records if isinstance(wanted, Watch) else firings), run)

    def _records(self, m: int) -> Records:
        r, row = self.recorder, self.recorder.monitors[m].tolist()
        count, capacity, size = row[kernels.M_COUNT], row[kernels.M_CAPACITY], row[kernels.M_SIZE]
        records, values = row[kernels.M_RECORDS], row[kernels.M_VALUES]
        whole = r.values[values : values + capacity * size].reshape(capacity, size)
        steps, samples = (a[records : records + capacity] for a in (r.record_steps, r.record_samples))
        if count <= capacity:
            return Records(steps[:count], samples[:count], whole[:count])
        turn = np.arange(count, count + capacity) % capacity
        return Records(steps[turn], samples[turn], whole[turn])

    def _firings(self, a: int) -> Records:
        r, row = self.recorder, self.recorder.alarms[a].tolist()
        n = min(row[kernels.A_COUNT], row[kernels.A_CAPACITY])
        part = slice(row[kernels.A_FIRINGS], row[kernels.A_FIRINGS] + n)
        return Records(_NONE, _NONE, _NONE, row[kernels.A_COUNT], r.firings[part], r.firing_values[part])

    def reason(self) -> str:
        """Why an alarm ended the run; `end` has been called."""
        stopping = self.recorder.alarms[:, [kernels.A_COUNT, kernels.A_STOP]].all(axis=1)
        alarms = [w for w, wanted in zip(self.watchers, self._wanted, strict=True) if isinstance(wanted, Condition)]
        return alarms[int(stopping.argmax())]._stopped()


def _joined(arrays: Sequence[Array]) -> Integers:
    return np.concatenate([_NONE, *arrays]).astype(np.int64)
