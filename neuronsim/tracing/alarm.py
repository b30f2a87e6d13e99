"""`Alarm`: a condition that every step of a run is held against, inside the compiled loops."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.checked import whole
from neuronsim.errors import NotKnownError, SettingError
from neuronsim.graph.names import Names
from neuronsim.graph.selection import Selection
from neuronsim.tracing import conditions
from neuronsim.tracing.result import StepResult
from neuronsim.training.requests import AlarmRequest
from neuronsim.training.watching import Firings, WatchedRun

#: Firings that are kept; all are counted.
KEPT = 1000
_FIELDS = ("z", "y", "delta", "b")


class Alarm:
    """Looks at some neurons in each step and each sample, and notes where a condition holds.

    Parameters
    ----------
    condition : str
        Of ``z``, ``y``, ``delta``, ``b`` (as it was before the step) and numbers, as `neuronsim.tracing.conditions`
        reads it; computed in float64. It is parsed, never evaluated as Python.
    neurons : name, id, glob, or list of them, optional
        Names, ids, globs, or a list of them; None: all but inputs.
    keep_last : int
        So many steps before that of the first firing can be looked at: see ``before``.
    stop : bool
        Whether the first firing ends the run, after its step.

    Attributes
    ----------
    count : int
        How often the condition held: neurons, samples and steps all count.
    step, neuron, sample, value : int, str, int, dict
        Of the first firing: the step, the neuron's name, the row of X, and a dict of z, y, delta and b. Within a step
        neurons are looked at in running order, sources first. None if there was none.

    Notes
    -----
    A step whose loss or update is not finite is not made, and ends the run; alarms look at it all the same, and its
    number is ``run.n_steps``.
    """

    def __init__(
        self, condition: str, neurons: Selection | None = None, *, keep_last: int = 3, stop: bool = False
    ) -> None:
        self._parsed = conditions.parse(condition)
        self.condition = self._parsed.text.strip()
        for field in self._parsed.fields:
            if field not in _FIELDS:
                raise SettingError(f"an alarm looks at {', '.join(_FIELDS)} of neurons, not at {field!r}")
        self.neurons = neurons
        self.keep_last = whole("keep_last", keep_last, 0)
        self.stop = bool(stop)
        self._firings: Firings | None = None
        self._names = Names()
        self._run: Any = None

    def begin_run(self, watched: WatchedRun) -> AlarmRequest:
        """Say what is to be looked at; training calls it."""
        graph, order = watched.engine.graph, watched.engine.plan.order
        chosen = ~graph.is_input
        if self.neurons is not None:
            chosen = np.zeros(graph.n_neurons, np.bool_)
            chosen[graph.ids(self.neurons)] = True
        ids = order[chosen[order]].astype(np.int64)
        self._firings = self._run = None
        self._names = graph.names.copy()
        return AlarmRequest(self._parsed.fields, self._parsed.program, ids, self.stop, KEPT)

    def end_run(self, found: Firings, run: Any) -> str | None:
        """Take the firings, and say why they ended the run, if they did; training calls it."""
        self._firings, self._run = found, run
        return f"alarm {self.condition}: {self._first()}" if self.stop and found.count else None

    # --- reading

    @property
    def _known(self) -> Firings:
        if self._firings is None:
            raise NotKnownError("nothing is known yet: give it to net.fit(..., monitors=[alarm]) first")
        return self._firings

    @property
    def count(self) -> int:
        """How often the condition held."""
        return self._known.count

    @property
    def step(self) -> int | None:
        """The step of the first firing."""
        return int(self._known.table["step"][0]) if self.count else None

    @property
    def neuron(self) -> str | None:
        """The name of the first neuron."""
        return self._names.name(int(self._known.table["neuron"][0])) if self.count else None

    @property
    def sample(self) -> int | None:
        """The row of X of the first firing."""
        return int(self._known.table["sample"][0]) if self.count else None

    @property
    def value(self) -> dict[str, float] | None:
        """z, y, delta and b of the first firing."""
        return {field: float(self._known.table[field][0]) for field in _FIELDS} if self.count else None

    @property
    def firings(self) -> NDArray[Any]:
        """The first firings, at most 1,000, as a structured array: step, neuron, sample, z, y, delta, b."""
        found = self._known.table
        names = np.array([self._names.name(i) for i in found["neuron"].tolist()], np.str_)
        types = {"step": "i8", "neuron": names.dtype, "sample": "i8"} | {f: found.dtype[f] for f in _FIELDS}
        table = np.empty(len(names), list(types.items()))
        for column in types:
            table[column] = names if column == "neuron" else found[column]
        return table

    @property
    def before(self) -> tuple[StepResult, ...]:
        """The ``keep_last`` steps before that of the first firing, oldest first: ``run.at`` of each of them.

        Raises
        ------
        NotKnownError
            If the run kept no snapshots.
        """
        if self.step is None or self._run is None:
            return ()
        return tuple(self._run.at(step) for step in range(max(self.step - self.keep_last, 0), self.step))

    def _first(self) -> str:
        values = ", ".join(f"{field} = {value:.9g}" for field, value in (self.value or {}).items())
        return f"step {self.step}, neuron {self.neuron!r}, sample {self.sample}: {values}"

    def __repr__(self) -> str:
        if self._firings is None:
            return f"<Alarm {self.condition}: not used yet>"
        if not self.count:
            return f"<Alarm {self.condition}: never>"
        return f"<Alarm {self.condition}: {self.count:,} times, first in {self._first()}>"
