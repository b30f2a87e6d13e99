"""`Alarm`: a condition that every step of a run is held against, inside the compiled loops."""

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from neuronsim.errors import NotKnownError, SettingError
from neuronsim.graph.names import Names
from neuronsim.kernels.watch import recorder as kernels
from neuronsim.tracing import conditions
from neuronsim.tracing.monitor import whole
from neuronsim.training.watching import NEURON_FIELDS, Condition, Records, WatchedRun

if TYPE_CHECKING:
    from neuronsim.graph.graph import Selection
    from neuronsim.tracing.result import StepResult

__all__ = ["Alarm"]

#: Firings that are kept; all are counted.
KEPT = 1000
_FIELDS = ("z", "y", "delta", "b")
_INSTRUCTIONS = {
    "+": kernels.ADD,
    "-": kernels.SUBTRACT,
    "*": kernels.MULTIPLY,
    "/": kernels.DIVIDE,
    "<": kernels.LESS,
    "<=": kernels.AT_MOST,
    ">": kernels.GREATER,
    ">=": kernels.AT_LEAST,
    "==": kernels.EQUAL,
    "!=": kernels.UNEQUAL,
    "&": kernels.AND,
    "|": kernels.OR,
    "negative": kernels.NEGATE,
    "~": kernels.NOT,
    "abs": kernels.ABSOLUTE,
    "sqrt": kernels.SQUARE_ROOT,
    "isnan": kernels.IS_NAN,
    "isinf": kernels.IS_INF,
    "isfinite": kernels.IS_FINITE,
}
_BINARY = ("+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!=", "&", "|")


class _Replayable(Protocol):
    """A run that makes its steps again."""

    def at(self, step: int) -> "StepResult": ...


class Alarm:
    """Looks at some neurons in each step and each sample, and notes where a condition holds.

    Parameters
    ----------
    condition
        Of ``z``, ``y``, ``delta``, ``b`` (as it was before the step) and numbers, as `neuronsim.tracing.conditions`
        reads it; computed in float64. It is parsed, never evaluated as Python.
    neurons
        Names, ids, globs, or a list of them; None: all but inputs.
    keep_last
        So many steps before that of the first firing can be looked at: see ``before``.
    stop
        Whether the first firing ends the run, behind its step.

    Attributes
    ----------
    count : int
        How often the condition held: neurons, samples and steps all count.
    step, neuron, sample, value
        Of the first firing: the step, the neuron's name, the row of X, and a dict of z, y, delta and b. Within a step
        neurons are looked at in running order, sources first. None if there was none.

    Notes
    -----
    A step whose loss or update is not finite is not made, and ends the run; alarms look at it all the same, and its
    number is ``run.n_steps``.
    """

    def __init__(
        self,
        condition: str,
        neurons: "Selection | None" = None,
        *,
        keep_last: int = 3,
        stop: bool = False,
    ) -> None:
        self._parsed = conditions.parse(condition)
        self.condition = self._parsed.text.strip()
        for field in self._parsed.fields:
            if field not in _FIELDS:
                raise SettingError(f"an alarm looks at {', '.join(_FIELDS)} of neurons, not at {field!r}")
        self.neurons = neurons
        self.keep_last = whole("keep_last", keep_last, 0)
        self.stop = bool(stop)
        self._records: Records | None = None
        self._names: dict[int, str] = {}
        self._graph_names = Names()
        self._run: _Replayable | None = None

    def _begin(self, setting: WatchedRun) -> Condition:
        graph, order = setting.engine.graph, setting.engine.plan.order
        chosen = ~graph.is_input
        if self.neurons is not None:
            chosen = np.zeros(graph.n_neurons, np.bool_)
            chosen[graph.ids(self.neurons)] = True
        ids = order[chosen[order]].astype(np.int64)
        self._records = self._run = None
        self._graph_names = graph.names.copy()
        code, depth = program(self._parsed)
        return Condition(code, np.array(self._parsed.constants), depth, ids, self.stop, KEPT)

    def _end(self, records: Records, run: Any) -> None:
        self._names = {int(i): self._graph_names.name(int(i)) for i in np.unique(records.firings[:, 1])}
        self._records, self._run = records, run

    def _stopped(self) -> str:
        return f"alarm {self.condition}: {self._first()}"

    # --- reading

    @property
    def _known(self) -> Records:
        if self._records is None:
            raise NotKnownError("nothing is known yet: give it to net.fit(..., monitors=[alarm]) first")
        return self._records

    @property
    def count(self) -> int:
        """How often the condition held."""
        return self._known.count

    @property
    def step(self) -> int | None:
        """The step of the first firing."""
        return int(self._known.firings[0, 0]) if self.count else None

    @property
    def neuron(self) -> str | None:
        """The name of the first neuron."""
        return self._names[int(self._known.firings[0, 1])] if self.count else None

    @property
    def sample(self) -> int | None:
        """The row of X of the first firing."""
        return int(self._known.firings[0, 2]) if self.count else None

    @property
    def value(self) -> dict[str, float] | None:
        """z, y, delta and b of the first firing."""
        return dict(zip(_FIELDS, self._known.firing_values[0].tolist(), strict=True)) if self.count else None

    @property
    def firings(self) -> NDArray[Any]:
        """The first firings, at most 1,000, as a structured array: step, neuron, sample, z, y, delta, b."""
        records = self._known
        names = np.array([self._names[int(i)] for i in records.firings[:, 1]], np.str_)
        names = names if len(names) else np.empty(0, "U1")
        dtype = [("step", "i8"), ("neuron", names.dtype), ("sample", "i8")]
        table = np.empty(len(names), [*dtype, *((f, records.firing_values.dtype) for f in _FIELDS)])
        table["step"], table["neuron"], table["sample"] = records.firings[:, 0], names, records.firings[:, 2]
        for k, field in enumerate(_FIELDS):
            table[field] = records.firing_values[:, k]
        return table

    @property
    def before(self) -> "tuple[StepResult, ...]":
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
        if self._records is None:
            return f"<Alarm {self.condition}: not used yet>"
        if not self.count:
            return f"<Alarm {self.condition}: never>"
        return f"<Alarm {self.condition}: {self.count:,} times, first in {self._first()}>"


def program(condition: conditions.Condition) -> tuple[NDArray[np.int64], int]:
    """Instructions and operands for kernels, shape (n, 2), and how many places the stack needs."""
    symbols = {code: symbol for symbol, code in conditions.OPERATORS.items()}
    code: list[tuple[int, int]] = []
    depth = deepest = n_constants = 0
    for given in condition.codes:
        if given < conditions.CONSTANT:
            code.append((kernels.PUSH, NEURON_FIELDS[conditions.FIELDS[given]]))
            depth += 1
        elif given == conditions.CONSTANT:
            code.append((kernels.CONSTANT, n_constants))
            depth, n_constants = depth + 1, n_constants + 1
        else:
            code.append((_INSTRUCTIONS[symbols[given]], 0))
            depth -= symbols[given] in _BINARY
        deepest = max(deepest, depth)
    return np.array(code, np.int64), deepest
