"""What a picture shows of a network or of a step: the values that colour it, and the legend's words for them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.words import counted
from neuronsim.engine.signals import Signals
from neuronsim.errors import SettingError, suggest
from neuronsim.graph.folding import relevance
from neuronsim.graph.graph import Graph
from neuronsim.network import Network
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
    """What a picture shows of a network or of a step.

    Attributes
    ----------
    graph : Graph
        The wiring.
    edges : array (n_edges,)
        What colours the edges.
    edge_label : str
        The legend's words for it.
    neurons : float64 (n_neurons,)
        What colours the neurons.
    has : bool (n_neurons,)
        Which neurons have such a value: inputs have no bias.
    field : str or None
        Its key in `FIELDS`; None: nothing colours them.
    label : str
        The legend's words for it.
    scores : float64 (n_neurons,) or None
        Which neurons are drawn where there are too many: those with the largest. None: no δ is known.
    title : str
        Above the picture.
    """

    graph: Graph
    edges: NDArray[np.floating]
    edge_label: str
    neurons: NDArray[np.float64]
    has: NDArray[np.bool_]
    field: str | None
    label: str
    scores: NDArray[np.float64] | None
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
    """What a picture of a network or a step shows; it is left alone."""
    field = _field(color)
    return _view_of_step(shown, field) if isinstance(shown, StepResult) else _view_of_network(shown, field)


def _field(color: str | None) -> str | None:
    if color is None:
        return None
    field = {"b": "bias"}.get(color, color)
    if field not in FIELDS:
        near = suggest(str(color), FIELDS)
        raise SettingError(f"unknown color {color!r}{near or ';'} allowed: {', '.join(FIELDS)}, None")
    return field


def _view_of_network(net: Network, field: str | None) -> View:
    graph, signals = net.graph, net.runtime.signals
    label = "" if field is None else FIELDS[field]
    values, has = np.full(graph.n_neurons, np.nan), np.zeros(graph.n_neurons, np.bool_)
    scores = None
    if isinstance(signals, Signals):
        scores = relevance(graph.is_input, [(signals.y, signals.delta)])
    if field == "db":
        raise SettingError('color="db" is what an update changed, which a step knows: draw run.at(q) or net.step(x, t)')
    if field in _SIGNALS and getattr(signals, field, None) is None:
        symbol, call = ("δ", "step()") if field == "delta" else (field, "step() or forward(x)")
        field, label = "bias", f"bias b ({symbol} is not known yet: call {call})"
    if field in _SIGNALS:
        values, has = getattr(signals, field).astype(np.float64), ~has
    elif field is not None:
        values, has = (graph.biases if field == "bias" else graph.slopes).astype(np.float64), ~graph.is_input
    return View(graph, _weights(net), _WEIGHT, values, has, field, label, scores)


def _weights(net: Network) -> NDArray[np.floating]:
    """The weights; missing ones as they would be drawn now, but on a copy: looking changes nothing."""
    missing = bool(np.isnan(net.graph.weights).any())
    return net.copy().weights if missing else net.graph.weights


def _view_of_step(step: StepResult, field: str | None) -> View:
    graph, n = step.graph, step.graph.n_neurons
    edges, edge_label = step.weights, _WEIGHT
    label = "" if field is None else FIELDS[field]
    if field is None:
        values, has = np.full(n, np.nan), np.zeros(n, np.bool_)
    elif field in _SIGNALS:
        signals = np.asarray(getattr(step, field), np.float64)
        with np.errstate(all="ignore"):
            values = signals.mean(axis=0) if step.is_batch else signals
        has = np.ones(n, np.bool_)
        label += f", mean over {counted(len(step), 'sample')}" if step.is_batch else ""
    else:
        before, after = (np.asarray(b, np.float64) for b in (step.biases, step.biases_after))
        values = {"bias": before, "slope": np.asarray(step.slopes, np.float64)}.get(field, after - before)
        has = ~graph.is_input
    if field == "db":
        edges, edge_label = step.weights_after.astype(np.float64) - step.weights, "change dw of an edge"
    scores = relevance(graph.is_input, [(step.y, step.delta)])
    return View(graph, edges, edge_label, values, has, field, label, scores, _title(step))


def _title(step: StepResult) -> str:
    """``step 731, epoch 3 · half squared error 0.0123``."""
    place = "one step" if step.epoch is None else f"step {step.number:,}, epoch {step.epoch:,}"
    if step.is_batch:
        place += f", {counted(len(step), 'sample')}"
        how = f", their {step.reduction}"
    else:
        place += "" if step.samples is None else f", row {step.samples[0]:,} of X"
        how = ""
    return f"{place} · {step.loss_function.name.replace('_', ' ')} {step.loss:.4g}{how}"
