"""The first step, sample and neuron of a run at which a condition holds, by exact replay."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuronsim.analysis.probe import step_number
from neuronsim.basics.arrays import Array
from neuronsim.documents.explanation import Explained, Explanation
from neuronsim.documents.notation import number
from neuronsim.documents.section import Section
from neuronsim.tracing.conditions import Condition, parse

if TYPE_CHECKING:
    from neuronsim.tracing.replay import Replay
    from neuronsim.tracing.result import StepResult


@dataclass(frozen=True)
class Occurrence(Explained):
    """Where a condition holds first: ``run.at(found.step).explain(found.where)`` shows how it came about.

    Attributes
    ----------
    condition : str
        As it was written.
    step, epoch : int
        Numbers of the step and of its epoch.
    sample : int or None
        The row of X; None for a bias, a weight or a reduced gradient, which belong to no sample.
    where : str or tuple of str
        A neuron, or the two ends of an edge.
    values : dict of str to float
        The fields that the condition reads, as they were.
    made : bool
        Whether the step was made; False of the one at which the run diverged.
    """

    condition: str
    step: int
    epoch: int
    sample: int | None
    where: str | tuple[str, str]
    values: Mapping[str, float]
    made: bool = True

    def _explanation(self) -> Explanation:
        place = f"neuron {self.where}" if isinstance(self.where, str) else f"edge {' → '.join(self.where)}"
        sample = "" if self.sample is None else f", sample {self.sample} (row of X)"
        made = () if self.made else ("this step diverged and was not made",)
        rows = tuple((field, "=", number(value)) for field, value in self.values.items())
        at = f"step {self.step} (epoch {self.epoch}){sample}, {place}"
        return Explanation(f"{self.condition} holds first at", (Section(at, rows, made),))


class _Fields(NamedTuple):
    """What one step shows: (n_samples, n) where there is one for each sample, else (n,)."""

    step: int
    epoch: int
    samples: NDArray[np.int64]
    values: Mapping[str, Array]
    made: bool


def first(
    replay: "Replay", condition: str, *, neurons: Any = None, start: int = 0, stop: int | None = None
) -> Occurrence | None:
    """Walk from ``start`` on until the condition holds; None if it does not before ``stop``.

    Within a step, the earliest sample of the batch, and of it the first neuron in running order.

    Parameters
    ----------
    replay : Replay
        Of the run.
    condition : str
        See `neuronsim.tracing.conditions`.
    neurons : name, id, glob, or list of them, optional
        Only these: a name, an id, a glob, or several; of a condition on edges, only edges into these. None: all but
        inputs.
    start, stop : int, optional
        Steps ``start`` to ``stop - 1``; None: to the last, and the one at which the run diverged, if it did.
    """
    parsed = parse(condition)
    graph = replay.graph
    order = graph.plan().order
    chosen = np.flatnonzero(~graph.is_input) if neurons is None else graph.ids(neurons)
    columns: Array = order[np.isin(order, chosen)]
    if parsed.on_edges:
        columns = np.flatnonzero(np.isin(graph.sinks(), columns))
    for seen in _steps(replay, parsed, step_number(replay, start, "start"), stop):
        values = {field: array[..., columns] for field, array in seen.values.items()}
        holds = np.atleast_2d(parsed.evaluate(values))
        if holds.any():
            return _occurrence(replay, parsed, seen, columns, holds)
    return None


def _occurrence(replay: "Replay", condition: Condition, seen: _Fields, columns: Array, holds: Array) -> Occurrence:
    row, at = (int(k) for k in np.unravel_index(int(holds.argmax()), holds.shape))
    column = int(columns[at])
    per_sample = any(array.ndim == 2 for array in seen.values.values())
    graph = replay.graph
    values = {
        field: float(array[row, column] if array.ndim == 2 else array[column]) for field, array in seen.values.items()
    }
    if condition.on_edges:
        sink = int(graph.sinks()[column])
        where: Any = (graph.name(int(graph.sources[column])), graph.name(sink))
    else:
        where = graph.name(column)
    sample = int(seen.samples[row]) if per_sample else None
    return Occurrence(condition.text, seen.step, seen.epoch, sample, where, values, seen.made)


def _steps(replay: "Replay", condition: Condition, start: int, stop: int | None) -> Iterator[_Fields]:
    for step in replay.walk(start, step_number(replay, stop, "stop")):
        yield _fields(step, condition)
    if stop is None and replay.diverged:
        failed = replay.failed()
        # without an update there is nothing after it
        updated = bool(np.isfinite(failed.losses).all())
        if updated or not {"db", "dw"}.intersection(condition.fields):
            yield _fields(failed, condition, made=False)


def _fields(step: "StepResult", condition: Condition, made: bool = True) -> _Fields:
    samples = np.empty(0, np.int64) if step.samples is None else step.samples
    with np.errstate(all="ignore"):
        return _Fields(step.number, step.epoch or 0, samples, {f: _READ[f](step) for f in condition.fields}, made)


_READ: dict[str, Callable[[Any], Array]] = {
    "z": lambda step: np.atleast_2d(step.z),
    "y": lambda step: np.atleast_2d(step.y),
    "delta": lambda step: np.atleast_2d(step.delta),
    "b": lambda step: step.biases,
    "db": lambda step: step.biases_after - step.biases,
    "w": lambda step: step.weights,
    "gradient": lambda step: step.weight_gradients,
    "dw": lambda step: step.weights_after - step.weights,
}
