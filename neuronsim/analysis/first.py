"""The first step, sample and neuron of a run at which a condition holds, by exact replay."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuronsim.analysis.probe import first_number, step_number
from neuronsim.basics.arrays import Array
from neuronsim.documents.explanation import Explained, Explanation
from neuronsim.documents.notation import given
from neuronsim.documents.section import Section
from neuronsim.graph.graph import Graph
from neuronsim.tracing.conditions import Condition, parse
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
        rows = tuple((field, "=", given(value)) for field, value in self.values.items())
        at = f"step {self.step} (epoch {self.epoch}){sample}, {place}"
        return Explanation(f"{self.condition} holds first at", (Section(at, rows, made),))


def first(
    replay: Replay, condition: str, *, neurons: Any = None, start: int | None = None, stop: int | None = None
) -> Occurrence | None:
    """Walk from ``start`` on, None is the first step, until the condition holds; None if it does not before ``stop``.

    Within a step, the earliest sample of the batch, and of it the first neuron in running order; `Run.first` says what
    is asked for.
    """
    parsed = parse(condition)
    graph = replay.graph
    order = graph.plan().order
    chosen = np.flatnonzero(~graph.is_input) if neurons is None else graph.ids(neurons)
    columns: Array = order[np.isin(order, chosen)]
    if parsed.on_edges:
        columns = np.flatnonzero(np.isin(graph.sinks(), columns))
    for step in _steps(replay, parsed, first_number(replay, start), stop):
        with np.errstate(all="ignore"):
            values = {field: _READ[field](step)[..., columns] for field in parsed.fields}
        holds = np.atleast_2d(parsed.evaluate(values))
        if holds.any():
            row, at = (int(k) for k in np.unravel_index(int(holds.argmax()), holds.shape))
            found = {field: float(array[row, at] if array.ndim == 2 else array[at]) for field, array in values.items()}
            of_samples = any(array.ndim == 2 for array in values.values())
            sample = int(step.samples[row]) if of_samples and step.samples is not None else None
            where = _place(graph, int(columns[at]), parsed.on_edges)
            made = step.number < replay.n_steps
            return Occurrence(parsed.text, step.number, step.epoch or 0, sample, where, found, made)
    return None


def _place(graph: Graph, row: int, is_edge: bool) -> str | tuple[str, str]:
    """A neuron's name, or an edge's two ends."""
    return (graph.name(int(graph.sources[row])), graph.name(graph.sink(row))) if is_edge else graph.name(row)


def _steps(replay: Replay, condition: Condition, start: int, stop: int | None) -> Iterator[StepResult]:
    yield from replay.walk(start, step_number(replay, stop, "stop"))
    if stop is None and replay.diverged:
        failed = replay.failed()
        # without an update there is nothing after it
        updated = bool(np.isfinite(failed.losses).all())
        if updated or not {"db", "dw"}.intersection(condition.fields):
            yield failed


#: Fields of a step: (n_samples, n) where there is one for each sample, else (n,).
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
