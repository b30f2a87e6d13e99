"""What is watched in one run, from its beginning to its end; records of steps that are undone are taken back.

Monitors and alarms say what they want (`MonitorRequest`, `AlarmRequest`); `Watching` has it laid out for the kernels,
once, before the run. Training knows no more of a monitor than `Watcher` says.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from neuronsim.basics.arrays import Array, Integers
from neuronsim.engine.engine import Engine
from neuronsim.kernels.watch.recorder import CLOCK, Recorder
from neuronsim.training.requests import AlarmRequest, MonitorRequest, lay_out_alarms, lay_out_monitors
from neuronsim.training.result import RunResult


@dataclass(frozen=True)
class WatchedRun:
    """The run that is to be watched.

    Attributes
    ----------
    engine : Engine
        Of the network as it is trained.
    n_steps, n_samples, batch_size : int
        Steps of the whole run, samples of the data, and of a step.
    first_step : int
        Above 0 where the run goes on from another one.
    """

    engine: Engine
    n_steps: int
    n_samples: int
    batch_size: int
    first_step: int = 0


@dataclass(frozen=True)
class Records:
    """What a monitor gets back.

    Attributes
    ----------
    step, sample : int64 array (n_records,)
        Of each record; sample is the row of X, -1 of a batch.
    values : array (n_records, size of the request)
    """

    step: Integers
    sample: Integers
    values: Array


@dataclass(frozen=True)
class Firings:
    """What an alarm gets back.

    Attributes
    ----------
    count : int
        How many there were.
    table : structured array
        Step, neuron, row of X, z, y, delta and b of the first of them.
    """

    count: int
    table: Array


@runtime_checkable
class Watcher(Protocol):
    """A monitor or an alarm, as training sees it."""

    def begin_run(self, watched: WatchedRun) -> MonitorRequest | AlarmRequest:
        """What it wants of this run; errors are raised here, before anything has changed."""

    def end_run(self, found: Any, run: RunResult) -> str | None:
        """Take `Records` or `Firings`, when the run has ended; returns why it ended the run, if it did."""


class Watching:
    """All that is watched in one run."""

    def __init__(self, watched: WatchedRun, watchers: Sequence[Watcher]) -> None:
        self.engine = watched.engine
        self.watchers = list(watchers)
        self._requests = [watcher.begin_run(watched) for watcher in self.watchers]
        self._monitors = [r for r in self._requests if isinstance(r, MonitorRequest)]
        self._alarms = [r for r in self._requests if isinstance(r, AlarmRequest)]
        self.recorder = Recorder(
            clock=np.zeros(1, CLOCK),
            monitors=lay_out_monitors(self.engine, self._monitors, watched.first_step),
            alarms=lay_out_alarms(self.engine, self._alarms),
            n_inputs=self.engine.graph.n_inputs,
        )

    @property
    def wants_inputs(self) -> bool:
        """Whether anybody asks for ∂L/∂x, which is not computed otherwise."""
        is_input = self.engine.graph.is_input
        asked = [m.neurons for m in self._monitors if "delta" in m.fields] + [a.neurons for a in self._alarms]
        return any(bool(is_input[neurons].any()) for neurons in asked)

    def begin(self, first: int, n: int) -> None:
        """The next call makes the steps ``first`` to ``first + n``; the last of them is recorded in any case."""
        if n == 0:
            return
        table, clock = self.recorder.monitors.table, self.recorder.clock[0]
        table["count"] -= table["tentative"]
        table["tentative"] = 0
        table["turn"] = table["count"] % table["capacity"]
        soonest = first if self._alarms else min([first + n - 1, *table["next"].tolist()])
        clock["first"], clock["last"], clock["next"] = first, first + n - 1, soonest
        clock["now"], clock["stopped"] = -1, 0

    @property
    def stopped(self) -> bool:
        """Whether an alarm ended the last call."""
        return bool(self.recorder.clock[0]["stopped"])

    def keep(self, n: int) -> Any:
        """What it takes to come back from the next ``n`` steps: where records end, those that may be overwritten."""
        parts = [(values[part], values[part].copy()) for values, part in self._in_danger(n)]
        return self.recorder.monitors.table.copy(), self.recorder.alarms.table.copy(), parts

    def restore(self, kept: Any) -> None:
        """Go back to where ``keep`` was called."""
        self.recorder.monitors.table[:], self.recorder.alarms.table[:], parts = kept
        for values, old in parts:
            values[:] = old

    def _in_danger(self, n: int) -> list[tuple[Array, slice]]:
        """All records of those that may go round within ``n`` steps, the last one of others: it may be taken back."""
        found = []
        for m, row in enumerate(self.recorder.monitors.table):
            count, capacity = int(row["count"]), int(row["capacity"])
            most = n // int(row["every"]) + 2 if row["every"] else int(row["steps_end"] - row["cursor"]) + 1
            whole = count + most > capacity
            part = slice(0, min(count, capacity)) if whole else slice(max(count - 1, 0), count)
            found += [(array, part) for array in self._records(m)]
        return found

    def kept(self) -> list[dict[str, Array]]:
        """Everything that is recorded by now, as arrays, for a run that goes on in another process."""
        monitors, alarms, found = iter(range(len(self._monitors))), iter(range(len(self._alarms))), []
        for request in self._requests:
            if isinstance(request, MonitorRequest):
                m = next(monitors)
                tentative = self.recorder.monitors.table["tentative"][m : m + 1]
                arrays = {"tentative": tentative.copy()} | vars(self._ordered(m))
            else:
                firings = self._firings(next(alarms))
                arrays = {"count": np.array([firings.count]), "firings": firings.table.view(np.uint8).copy()}
            found.append(arrays | {"request": _digest(request)})
        return found

    def go_on(self, kept: Sequence[Mapping[str, Array]]) -> None:
        """Have those who asked for the same begin with what was recorded; others begin with nothing."""
        monitors, alarms, left = iter(range(len(self._monitors))), iter(range(len(self._alarms))), list(kept)
        for request in self._requests:
            place = next(monitors if isinstance(request, MonitorRequest) else alarms)
            asked = _digest(request)
            same = next((arrays for arrays in left if np.array_equal(arrays["request"], asked)), None)
            if same is None:
                continue
            left = [arrays for arrays in left if arrays is not same]
            if isinstance(request, MonitorRequest):
                row, records = self.recorder.monitors.table[place], self._records(place)
                n = min(len(same["step"]), int(row["capacity"]))
                for array, old in zip(records, (same["step"], same["sample"], same["values"]), strict=True):
                    array[:n] = old[len(old) - n :]
                row["count"], row["tentative"] = n, same["tentative"][0]
            else:
                row, firings = self.recorder.alarms.table[place], self.recorder.alarms.firings
                old = same["firings"].view(firings.dtype)
                row["count"] = same["count"][0]
                firings[int(row["firing"]) :][: len(old)] = old

    def judge(self, X: Array, T: Array, loss: Any, rows: Integers, step: int) -> None:
        """Let alarms look at a step that was not made, because something in it is not finite."""
        if self._alarms:
            self.recorder.clock[0]["now"] = step
            self.engine.judge(self.recorder, X, T, loss, rows)

    def end(self, run: RunResult) -> str:
        """Hand everything to those who asked for it; returns why one of them ended the run, or ""."""
        found: dict[type, Any] = {
            MonitorRequest: iter([self._ordered(m) for m in range(len(self._monitors))]),
            AlarmRequest: iter([self._firings(a) for a in range(len(self._alarms))]),
        }
        pairs = zip(self.watchers, self._requests, strict=True)
        reasons = [watcher.end_run(next(found[type(request)]), run) for watcher, request in pairs]
        return next((reason for reason in reasons if reason), "")

    def _records(self, m: int) -> tuple[Integers, Integers, Array]:
        """A monitor's places for steps, samples and values of records."""
        monitors, row = self.recorder.monitors, self.recorder.monitors.table[m]
        capacity, size, record, value = (int(row[name]) for name in ("capacity", "size", "records", "values"))
        part = slice(record, record + capacity)
        values = monitors.values[value : value + capacity * size].reshape(capacity, size)
        return monitors.record_steps[part], monitors.record_samples[part], values

    def _ordered(self, m: int) -> Records:
        """A monitor's records, from the oldest on."""
        count, arrays = int(self.recorder.monitors.table[m]["count"]), self._records(m)
        capacity = len(arrays[0])
        turn: Any = slice(count) if count <= capacity else np.arange(count, count + capacity) % capacity
        return Records(*(array[turn] for array in arrays))

    def _firings(self, a: int) -> Firings:
        """What an alarm has kept."""
        row = self.recorder.alarms.table[a]
        begin, n = int(row["firing"]), int(min(row["count"], row["capacity"]))
        return Firings(int(row["count"]), self.recorder.alarms.firings[begin : begin + n])


def _digest(request: MonitorRequest | AlarmRequest) -> Array:
    """SHA-256 of what is recorded, and when; the same of a run of more epochs."""
    asked = [request.neurons.tobytes(), repr(request.fields).encode()]
    if isinstance(request, MonitorRequest):
        asked += [request.edges.tobytes(), request.chosen.tobytes(), str(request.every).encode()]
    else:
        asked += [request.program.instructions.tobytes(), str(request.stop).encode()]
    return np.frombuffer(hashlib.sha256(b"|".join(asked)).digest(), np.uint8)
