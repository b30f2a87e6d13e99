"""Which samples pull at a neuron: δ of every sample, and what each would write into the neuron's weights.

A sample alone, learned by plain SGD at the rate μ, changes the weights of the neuron A by -μ·δ_A·y_B each, so

    change_A = μ · |δ_A| · Σ_B factor_BA · |y_B|

is all that it writes there: the sum of the |Δw| of A's incoming weights, bias left out, frozen ones left alone.
In a batch of n of which the mean is taken it is 1/n of that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuronsim.analysis.probe import Probe, classes, largest, step_number
from neuronsim.basics.arrays import Reals
from neuronsim.documents.explanation import Explained, Explanation
from neuronsim.documents.notation import given
from neuronsim.documents.section import Section
from neuronsim.engine.workspace import BlockSignals, gathered
from neuronsim.errors import NotKnownError, SettingError
from neuronsim.graph.graph import Graph
from neuronsim.tracing.replay import Replay

_SHOWN = 10


class BlamedSample(NamedTuple):
    """One cell of the table: a sample and a neuron."""

    sample: int
    neuron: str
    delta: float
    change: float
    loss: float
    label: int | None
    predicted: int | None


class BlamedClass(NamedTuple):
    """All samples of a class and a neuron; ``share`` is the class's part of the neuron's whole change."""

    label: int
    neuron: str
    n_samples: int
    mean_delta: float
    mean_abs_delta: float
    change: float
    share: float


@dataclass(frozen=True, eq=False)
class Blame(Explained):
    """What ``run.blame`` returns: a row for each sample, a column for each neuron.

    Attributes
    ----------
    neurons : sequence of str
        The columns.
    samples : int64 array (n_samples,)
        The rows: which row of X each is.
    delta : array (n_samples, n_neurons)
        δ = ∂L/∂z of the sample's own loss.
    losses : array (n_samples,)
        Each sample's own.
    labels, predicted : int64 array (n_samples,) or None
        Each sample's class and the network's answer; None where targets are no classes.
    step : int
        The parameters are those before this step, or after the last.
    learning_rate : float
        μ, that of this step or the last.
    """

    neurons: Sequence[str]
    samples: NDArray[np.int64]
    delta: Reals
    losses: Reals
    labels: NDArray[np.int64] | None
    predicted: NDArray[np.int64] | None
    step: int
    learning_rate: float
    _reach: Reals
    _group: NDArray[np.int64]

    @cached_property
    def change(self) -> Reals:
        """Σ |Δw| over each neuron's incoming weights, float64, shape (n_samples, n_neurons)."""
        return np.column_stack([self._column(k) for k in range(len(self.neurons))])

    def _column(self, k: int) -> Reals:
        column: Reals = self.learning_rate * np.abs(self.delta[:, k].astype(np.float64)) * self._reach[self._group[k]]
        return column

    def top(self, k: int = _SHOWN, by: str = "delta") -> list[BlamedSample]:
        """The ``k`` cells of the largest |δ|, or ``by="change"`` of the largest change; NaN first, then by row."""
        if by not in ("delta", "change"):
            raise SettingError(f"by={by!r}; allowed: delta, change")
        if k < 1:
            return []
        found: list[tuple[float, int, int]] = []
        for n in range(len(self.neurons)):
            rows, sizes = largest(np.abs(self.delta[:, n]) if by == "delta" else self._column(n), k)
            found += zip((-sizes).tolist(), rows.tolist(), [n] * len(rows), strict=True)
        return [self._cell(row, n) for _, row, n in sorted(found)[:k]]

    def sample(self, row: int) -> list[BlamedSample]:
        """All neurons of one row of X."""
        at = np.flatnonzero(self.samples == row)
        if not len(at):
            first, last = self.samples[0], self.samples[-1]
            held_out = " but for those held out" if last - first >= len(self.samples) else ""
            raise SettingError(f"row {row} of X is not in this table; rows {first} to {last} are{held_out}")
        return [self._cell(int(at[0]), n) for n in range(len(self.neurons))]

    def by_class(self) -> list[BlamedClass]:
        """Every class and neuron, by neuron and then by class."""
        if self.labels is None:
            raise NotKnownError("these targets are no classes: neither class numbers, nor one-hot rows, nor 0 and 1")
        labels = np.unique(self.labels).tolist()
        rows = [np.flatnonzero(self.labels == label) for label in labels]
        means, sizes, changes = (np.empty((len(labels), len(self.neurons))) for _ in range(3))
        for k, of in enumerate(rows):
            delta = self.delta[of].astype(np.float64)
            means[k], sizes[k] = delta.mean(axis=0), np.abs(delta).mean(axis=0)
            changes[k] = self.learning_rate * (np.abs(delta) * self._reach[:, of][self._group].T).sum(axis=0)
        wholes = changes.sum(axis=0)
        shares = np.divide(changes, wholes, out=np.zeros_like(changes), where=wholes != 0)
        numbers = np.stack([means, sizes, changes, shares], axis=-1).tolist()
        return [
            BlamedClass(label, name, len(rows[k]), *numbers[k][n])
            for n, name in enumerate(self.neurons)
            for k, label in enumerate(labels)
        ]

    def _cell(self, row: int, n: int) -> BlamedSample:
        delta = float(self.delta[row, n])
        change = self.learning_rate * abs(delta) * float(self._reach[self._group[n], row])
        label = None if self.labels is None else int(self.labels[row])
        predicted = None if self.predicted is None else int(self.predicted[row])
        sample, loss = int(self.samples[row]), float(self.losses[row])
        return BlamedSample(sample, self.neurons[n], delta, change, loss, label, predicted)

    def _explanation(self) -> Explanation:
        n, of = len(self.samples), len(self.neurons)
        rows: list[tuple[str, ...]] = [("sample", "neuron", "δ", "Σ |Δw|", "loss")]
        if self.labels is not None:
            rows[0] += ("class", "predicted")
        for cell in self.top():
            row = (str(cell.sample), cell.neuron, given(cell.delta), given(cell.change), given(cell.loss))
            rows.append(row if cell.label is None else (*row, str(cell.label), str(cell.predicted)))
        left = n * of - (len(rows) - 1)
        remark = (f"the {len(rows) - 1} largest |δ| of {n * of:,}",) if left else ()
        sections = [Section("by sample", tuple(rows), remark)]
        if self.labels is not None:
            sections.append(self._classes_section())
        rate = given(self.learning_rate)
        title = f"δ of {n:,} samples at {self.neurons}, parameters before step {self.step:,}; Σ |Δw| at the rate {rate}"
        return Explanation(title, tuple(sections))

    def _classes_section(self) -> Section:
        rows: list[tuple[str, ...]] = [("class", "neuron", "samples", "mean δ", "mean |δ|", "Σ |Δw|", "share")]
        ranked = sorted(self.by_class(), key=lambda c: -c.change)
        for c in ranked[:_SHOWN]:
            means = given(c.mean_delta), given(c.mean_abs_delta), given(c.change)
            rows.append((str(c.label), c.neuron, f"{c.n_samples:,}", *means, f"{100 * c.share:.1f} %"))
        left = len(ranked) - _SHOWN
        return Section("by class", tuple(rows), (f"and {left:,} more",) if left > 0 else ())

    def __repr__(self) -> str:
        return f"<Blame: {len(self.samples):,} samples, {len(self.neurons):,} neurons, step {self.step:,}>"


def blame(replay: Replay, neurons: Any, step: int | None = None) -> Blame:
    """δ of every sample at some neurons, in one compiled pass over X; `Run.blame` says what is asked for."""
    q = step_number(replay, step)
    probe = Probe(replay, replay.trained if len(replay.run.held_out) else None)
    probe.load(replay.parameters(q))
    rate = replay.rate(min(q, max(replay.n_steps - 1, 0)))
    return blamed(probe, probe.graph.ids(neurons), q, rate)


def blamed(probe: Probe, ids: NDArray[np.int64], step: int, rate: float) -> Blame:
    """The same of the samples and parameters of a probe, which are those before ``step``."""
    graph, n, outputs = probe.graph, len(probe.X), probe.graph.outputs
    group, incoming = _incoming(graph, ids)
    labels = classes(probe.T)

    def pick(block: BlockSignals) -> tuple[NDArray[Any], ...]:
        y = block.y
        answers = y[:, outputs].argmax(axis=1) if len(outputs) > 1 else (y[:, outputs[0]] > 0.5).astype(np.int64)
        reach = np.empty((len(y), len(incoming)))
        for k, (sources, factors) in enumerate(incoming):
            reach[:, k] = (np.abs(y[:, sources]).astype(np.float64) * factors).sum(axis=1)
        return block.delta[:, ids], block.losses, answers, reach

    blocks = probe.blocks(inputs=bool(graph.is_input[ids].any()))
    delta, losses, answers, reach = gathered(blocks, n, pick)
    predicted = None if labels is None else answers
    names = graph.name_list(ids)
    reach = np.ascontiguousarray(reach.T)
    return Blame(names, probe.rows, delta, losses, labels, predicted, step, rate, reach, group)


def _incoming(graph: Graph, ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[tuple[Any, Any]]]:
    """Which neurons share sources and rate factors, and those sources and factors: a layer is one group."""
    seen: dict[tuple[bytes, bytes], int] = {}
    group = np.empty(len(ids), np.int64)
    incoming: list[tuple[Any, Any]] = []
    for k, neuron in enumerate(ids.tolist()):
        edges = slice(graph.row_start[neuron], graph.row_start[neuron + 1])
        sources = graph.sources[edges]
        rates = graph.weight_rates
        factors = np.ones(len(sources)) if rates is None else np.maximum(rates[edges].astype(np.float64), 0.0)
        key = sources.tobytes(), factors.tobytes()
        if key not in seen:
            seen[key] = len(incoming)
            incoming.append((sources, factors))
        group[k] = seen[key]
    return group, incoming
