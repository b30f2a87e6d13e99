"""What a picture shows of a network or of a step: the values that colour it, and the legend's words for them."""

from dataclasses import dataclass

import numpy as np

from neuronsim.basics.arrays import Floats, Marks, Reals
from neuronsim.basics.words import counted
from neuronsim.engine.signals import Signals
from neuronsim.errors import SettingError, suggest
from neuronsim.graph.folding import relevance
from neuronsim.graph.graph import Graph
from neuronsim.network import Network
from neuronsim.plots.figures import check_drawn
from neuronsim.tracing.result import StepResult

FIELDS = {
    "delta": "error signal δ",
    "y": "output y",
    "z": "net input z",
    "bias": "bias b",
    "slope": "slope",
    "db": "change of the bias, db",
}
"""What neurons can be coloured by, and what the legend calls it."""

_SIGNALS = ("delta", "y", "z")
_WEIGHT = "weight w of an edge"


@dataclass(frozen=True, eq=False)
class View:
    """What a picture shows of a network or of a step; labels are the legend's words.

    Attributes
    ----------
    edges : array (n_edges,)
        What colours the edges.
    neurons : float64 (n_neurons,)
        What colours the neurons.
    has : bool (n_neurons,)
        Which neurons have such a value: inputs have no bias.
    field : str or None
        Its key in `FIELDS`; None: nothing colours them.
    scores : float64 (n_neurons,) or None
        Which neurons are drawn where there are too many: those with the largest. None: no δ is known.
    """

    graph: Graph
    edges: Reals
    edge_label: str
    neurons: Floats
    has: Marks
    field: str | None
    label: str
    scores: Floats | None
    title: str = ""

    @property
    def symbol(self) -> str | None:
        """What the value of a neuron is called beside it."""
        return {"delta": "δ", "bias": "b"}.get(self.field or "", self.field)

    def not_finite(self) -> tuple[str, ...]:
        """The remark on neurons whose value is not finite, if there are any."""
        n = int(np.count_nonzero(self.has & ~np.isfinite(self.neurons)))
        return (f"black: not finite, {counted(n, 'neuron')}",) if n else ()


def view(shown: Network | StepResult, color: str | None) -> View:
    """What a picture of a network or a step shows; neither is changed."""
    check_drawn(shown, "network", Network, StepResult)
    field = "bias" if color == "b" else color
    if field is not None and field not in FIELDS:
        near = suggest(str(color), FIELDS)
        raise SettingError(f"unknown color {color!r}{near or ';'} allowed: {', '.join(FIELDS)}, None")
    return _view_of_step(shown, field) if isinstance(shown, StepResult) else _view_of_network(shown, field)


def _view_of_network(net: Network, field: str | None) -> View:
    graph, signals = net.graph, net.runtime.signals
    label = FIELDS.get(field or "", "")
    if field == "db":
        raise SettingError('color="db" is what an update changed, which a step knows: draw run.at(q) or net.step(x, t)')
    if field in _SIGNALS and getattr(signals, field, None) is None:
        symbol, call = ("δ", "step()") if field == "delta" else (field, "step() or forward(x)")
        field, label = "bias", f"bias b ({symbol} is not known yet: call {call})"
    values, has = np.full(graph.n_neurons, np.nan), ~graph.is_input
    if field in _SIGNALS:
        values, has = getattr(signals, field).astype(np.float64), np.ones_like(has)
    elif field is not None:
        values = (graph.biases if field == "bias" else graph.slopes).astype(np.float64)
    scores = relevance(graph.is_input, [(signals.y, signals.delta)]) if isinstance(signals, Signals) else None
    # missing weights as they would be drawn now, but on a copy: looking changes nothing
    weights = net.copy().weights if np.isnan(graph.weights).any() else graph.weights
    return View(graph, weights, _WEIGHT, values, has & (field is not None), field, label, scores)


def _view_of_step(step: StepResult, field: str | None) -> View:
    graph, edges, edge_label = step.graph, step.weights, _WEIGHT
    label = FIELDS.get(field or "", "")
    values, has = np.full(graph.n_neurons, np.nan), ~graph.is_input
    if field in _SIGNALS:
        with np.errstate(all="ignore"):
            values = np.atleast_2d(getattr(step, field)).mean(axis=0, dtype=np.float64)
        has = np.ones_like(has)
        label += f", mean over {counted(len(step), 'sample')}" if step.is_batch else ""
    elif field is not None:
        before, after = (np.asarray(b, np.float64) for b in (step.biases, step.biases_after))
        values = {"bias": before, "slope": np.asarray(step.slopes, np.float64)}.get(field, after - before)
    if field == "db":
        edges, edge_label = step.weights_after.astype(np.float64) - step.weights, "change dw of an edge"
    scores = relevance(graph.is_input, [(step.y, step.delta)])
    return View(graph, edges, edge_label, values, has & (field is not None), field, label, scores, _title(step))


def _title(step: StepResult) -> str:
    """``step 731, epoch 3 · half squared error 0.0123``."""
    place = "one step" if step.epoch is None else f"step {step.number:,}, epoch {step.epoch:,}"
    how = f", their {step.reduction}" if step.is_batch else ""
    if step.is_batch:
        place += f", {counted(len(step), 'sample')}"
    elif step.samples is not None:
        place += f", row {step.samples[0]:,} of X"
    return f"{place} · {step.loss_function.name.replace('_', ' ')} {step.loss:.4g}{how}"
