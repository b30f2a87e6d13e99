"""What a page holds, as plain values for JSON: the wiring, each step's numbers, samples, curves and findings.

Every number of the run is written with the fewest digits that give it back bit for bit; those that are not finite
are the strings that JavaScript's Number() reads.
"""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuronsim.activations import PRELU
from neuronsim.page.keeping import MOST_STEPS, Kept, keep, spread

if TYPE_CHECKING:
    from neuronsim.graph import Graph
    from neuronsim.losses import Loss
    from neuronsim.network import Network
    from neuronsim.tracing.steps import Step

__all__ = ["BYTES", "Source", "as_json", "content"]

BYTES = 1_800_000
"""The data of a page for which no steps were asked for; the page itself, with its library, adds 100 kB."""

# Samples of a batch that a step shows, and samples that are blamed: of how many, how many for the loss, for a neuron.
_OF_A_BATCH = 3
_MOST_SAMPLES, _WORST, _WORST_OF_A_NEURON = 500, 12, 5
# Steps that are looked at to choose neurons and to learn how large a step is.
_PROBES = 8
# Points of a curve.
_MOST_POINTS = 1_000


@dataclass(frozen=True)
class Source:
    """What a page is made from.

    Attributes
    ----------
    graph
        The wiring.
    n_steps
        Steps that there are.
    at
        Gives step q.
    facts
        About the run: pairs of a word and a text.
    loss_curve
        Steps and losses by the name of the curve.
    data
        X, T and the loss, for the samples to blame; None: there are none.
    traces
        Curves that monitors recorded.
    findings
        Dicts with step (or None), sentence and advice.
    watched
        Ids of neurons to keep in any case.
    """

    graph: "Graph"
    n_steps: int
    at: "Callable[[int], Step]"
    facts: list[tuple[str, str]] = field(default_factory=list)
    loss_curve: dict[str, tuple[list[float], list[float]]] = field(default_factory=dict)
    data: "tuple[NDArray[Any], NDArray[Any], Loss] | None" = None
    traces: list[dict[str, Any]] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    watched: tuple[int, ...] = ()
    reduction: str = "mean"
    plain: bool = True


def content(source: Source, steps: Iterable[int] | None = None) -> dict[str, Any]:
    """Everything that the page shows.

    Parameters
    ----------
    source
        What it is made from.
    steps
        Which steps; None: the first, the last and those between as fit into `BYTES`, at most `MOST_STEPS`.
    """
    known: dict[int, Step] = {}

    def at(q: int) -> "Step":
        if q not in known:
            known[q] = source.at(q)
        return known[q]

    asked = None if steps is None else sorted(set(steps))
    n_probes = min(_PROBES, source.n_steps)
    probes = [at(q) for q in np.unique(np.linspace(0, source.n_steps - 1, n_probes).round().astype(int)).tolist()]
    kept = keep(source.graph, _importance(probes), source.watched)
    blamed = None if source.data is None else _Blame(source.graph, source.data, kept)

    def record(q: int) -> dict[str, Any]:
        return _step(at(q), kept, blamed)

    if asked is None:
        size = max(len(as_json(_step(step, kept, blamed))) for step in probes) if probes else 1
        first = [finding["step"] for finding in source.findings if finding["step"] is not None]
        n = int(max(2, min(MOST_STEPS, BYTES // size)))
        asked = sorted({*first[: n // 4], *spread(source.n_steps, n - len(set(first[: n // 4])))})
    return {
        "network": _network(source.graph, kept),
        "facts": source.facts,
        "rule": probes[0].rule.name if probes else "",
        "loss_name": probes[0].loss_function.name if probes else "",
        "reduction": source.reduction,
        "plain": source.plain,
        "n_steps": source.n_steps,
        "steps": _without_repetition([record(q) for q in asked]),
        "loss_curve": [{"name": name, "x": x, "y": plain(y)} for name, (x, y) in source.loss_curve.items()],
        "traces": source.traces,
        "findings": source.findings,
        "blamed": None if blamed is None else blamed.facts,
        "left_out": _left_out(source.graph, kept, len(asked), source.n_steps),
    }


def plain(values: Any) -> list[Any]:
    """An array as a list of the shortest numbers that give it back; not finite ones as text."""
    array = np.asarray(values)
    if array.dtype.kind in "iub":
        return list(array.tolist())
    listed = [float(str(v)) for v in array] if array.dtype == np.float32 else array.tolist()
    if np.isfinite(array).all():
        return list(listed)
    return [v if math.isfinite(v) else _NOT_FINITE[str(v)] for v in listed]


_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def as_json(values: Any) -> str:
    """Compact, without a character that could end a script element."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def _importance(steps: "Sequence[Step]") -> NDArray[np.float64]:
    """Mean |δ|; of an input |x · ∂L/∂x|, so that a constant pixel does not count."""
    sums: NDArray[np.float64] = np.zeros(steps[0].graph.n_neurons if steps else 0)
    for step in steps:
        delta, y = np.abs(np.atleast_2d(step.delta)).astype(np.float64), np.abs(np.atleast_2d(step.y))
        sums += np.where(step.graph.is_input, delta * y, delta).mean(axis=0)
    return np.nan_to_num(sums)


def _network(graph: "Graph", kept: Kept) -> dict[str, Any]:
    """The wiring: neurons and edges kept, edges by rows of the neurons; the sizes of the levels."""
    from neuronsim import activations

    row = np.full(graph.n_neurons, -1, np.int64)
    row[kept.neurons] = np.arange(len(kept.neurons))
    names = graph.name_list(kept.neurons)
    codes = graph.activation_codes
    found: dict[str, Any] = {
        "dtype": graph.dtype.name,
        "n_neurons": graph.n_neurons,
        "n_edges": graph.n_edges,
        "folded": kept.folded,
        "levels": [len(level) for level in kept.members],
        "ids": kept.neurons.tolist(),
        "names": list(names),
        "level": kept.level.tolist(),
        "activations": [activations.by_code(int(codes[k])).name for k in kept.neurons],
        "is_input": [int(v) for v in graph.is_input[kept.neurons]],
        "outputs": [int(row[o]) for o in graph.outputs if row[o] >= 0],
        "sources": row[graph.sources[kept.edges]].tolist(),
        "sinks": row[graph.sinks()[kept.edges]].tolist(),
        "other_sources": [len(others) for others in kept.other_sources],
        "other_sinks": [len(others) for others in kept.other_sinks],
        "prelu": bool((codes[kept.neurons] == PRELU).any()),
        "image": _side(graph, kept),
    }
    for of, rates, chosen in (
        ("weight_rates", graph.weight_rates, kept.edges),
        ("bias_rates", graph.bias_rates, kept.neurons),
    ):
        found[of] = None if rates is None else plain(rates[chosen])
    return found


def _side(graph: "Graph", kept: Kept) -> int:
    """The side of the square that folded inputs make up; 0 if they make up none."""
    side = math.isqrt(graph.n_inputs)
    return side if kept.folded and side > 3 and side * side == graph.n_inputs else 0


def _step(step: "Step", kept: Kept, blamed: "_Blame | None") -> dict[str, Any]:
    """One step: parameters before and after, gradients where they cannot be told from the signals, samples."""
    graph, neurons, edges = step.graph, kept.neurons, kept.edges
    found: dict[str, Any] = {
        "number": step.number,
        "epoch": step.epoch,
        "loss": plain([step.loss])[0],
        "rate": step.learning_rate,
        "n": len(step.samples) if step.samples is not None else 1,
        "w": plain(step.weights[edges]),
        "wa": plain(step.weights_after[edges]),
        "b": plain(step.biases[neurons]),
        "ba": plain(step.biases_after[neurons]),
    }
    if (graph.activation_codes[neurons] == PRELU).any():
        found |= {"s": plain(step.slopes[neurons]), "sa": plain(step.slopes_after[neurons])}
        found["gs"] = plain(step.slope_gradients[neurons])
    if step.is_batch:
        found |= {"g": plain(step.weight_gradients[edges]), "gb": plain(step.bias_gradients[neurons])}
    if kept.folded:
        y, delta = np.abs(np.atleast_2d(step.y)), np.abs(np.atleast_2d(step.delta))
        found["levels"] = [
            [_short(y[:, m].mean(dtype=np.float64)), _short(delta[:, m].mean(dtype=np.float64))] for m in kept.members
        ]
    shown = np.argsort(-step.losses, kind="stable")[:_OF_A_BATCH].tolist() if step.is_batch else [0]
    found["samples"] = [_sample(step.sample(k), kept) for k in shown]
    if blamed is not None:
        found |= blamed.at(step)
    return found


def _sample(step: "Step", kept: Kept) -> dict[str, Any]:
    """What one sample made: signals, slopes f', the loss's own part, and sums over what the page leaves out."""
    graph, neurons = step.graph, kept.neurons
    records = [step[int(k)] for k in neurons]
    outputs = [step[int(o)] for o in graph.outputs if o in set(neurons.tolist())]
    wanted = [step.wanted[n.id] for n in outputs]
    found: dict[str, Any] = {
        "row": None if step.samples is None else int(step.samples[0]),
        "loss": plain([step.loss])[0],
        "t": plain(np.array(wanted, graph.dtype)),
        "z": plain(step.z[neurons]),
        "y": plain(step.y[neurons]),
        "d": plain(step.delta[neurons]),
        "f": [None if n.derivative is None else plain([n.derivative])[0] for n in records],
        "e": plain([n.own_error for n in outputs]),
        "own": plain([n.own_delta for n in outputs]),
        "fused": [int(n.fused) for n in outputs],
    }
    if kept.folded:
        w, sources, sinks = step.weights, graph.sources, graph.sinks()
        found["rf"] = [_dot(w[at], step.y[sources[at]]) for at in kept.other_sources]
        found["rb"] = [_dot(w[at], step.delta[sinks[at]]) for at in kept.other_sinks]
    if _side(graph, kept):
        found["image"] = plain(step.y[graph.inputs])
    return found


def _dot(a: NDArray[Any], b: NDArray[Any]) -> Any:
    return _short(float(np.dot(a.astype(np.float64), b.astype(np.float64))))


def _short(value: float) -> Any:
    """A number that is the page's own, not the run's: 9 digits."""
    return plain([float(f"{value:.9g}")])[0]


def _without_repetition(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Parameters after a step that are those before the next one are not written twice."""
    for step, following in zip(steps, steps[1:], strict=False):
        for before, after in (("w", "wa"), ("b", "ba"), ("s", "sa")):
            if following["number"] == step["number"] + 1 and step.get(after) == following.get(before):
                step.pop(after, None)
    return steps


def _left_out(graph: "Graph", kept: Kept, n_shown: int, n_steps: int) -> list[str]:
    """What the page does not show, in words."""
    said = []
    if n_shown < n_steps:
        said.append(f"{n_shown:,} of {n_steps:,} steps are on this page")
    if kept.folded:
        said.append(
            f"{len(kept.neurons):,} of {graph.n_neurons:,} neurons are drawn, those with the largest mean |δ|, "
            f"and {len(kept.edges):,} of {graph.n_edges:,} edges; sums include all others"
        )
    return said


class _Blame:
    """Which samples a step's parameters do worst on, by loss and by |δ| of every neuron kept."""

    def __init__(self, graph: "Graph", data: "tuple[NDArray[Any], NDArray[Any], Loss]", kept: Kept) -> None:
        from neuronsim.network import Network

        X, T, self.loss = data
        self.rows = np.unique(np.linspace(0, len(X) - 1, min(len(X), _MOST_SAMPLES)).round().astype(np.int64))
        self.X, self.T = X[self.rows], T[self.rows]
        self.net: Network = Network.from_graph(graph.copy())
        self.kept = kept
        self.facts = {"n": len(self.rows), "of": len(X)}

    def at(self, step: "Step") -> dict[str, Any]:
        """The worst rows and their losses; for every neuron the worst rows and their δ."""
        self.net.weights, self.net.biases, self.net.slopes = step.weights, step.biases, step.slopes
        found = self.net.gradients(self.X, self.T, loss=self.loss)
        losses, delta = np.asarray(found.losses), np.asarray(found.delta)[:, self.kept.neurons]
        worst = np.argsort(-losses, kind="stable")[:_WORST]
        each = np.argsort(-np.abs(delta), axis=0, kind="stable")[:_WORST_OF_A_NEURON]
        return {
            "worst": [self.rows[worst].tolist(), plain(losses[worst])],
            "worst_of": [
                [self.rows[rows].tolist(), plain(delta[rows, k])] for k, rows in enumerate(each.T)
            ],
        }  # fmt: skip
