"""What a page holds, as plain values for JSON: the wiring, each step's numbers, samples, curves and findings."""

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuronsim.analysis.probe import spread_rows
from neuronsim.basics.checked import whole
from neuronsim.basics.words import counted
from neuronsim.errors import SettingError
from neuronsim.explaining.notation import text
from neuronsim.explaining.recipes import is_plain, update_heading
from neuronsim.formulas import activations
from neuronsim.formulas.activations import PRELU
from neuronsim.graph.folding import relevance
from neuronsim.network import Network
from neuronsim.page.curves import loss_curves, traces
from neuronsim.page.keeping import MOST_STEPS, Kept, keep, spread
from neuronsim.page.numbers import as_json, plain, short
from neuronsim.tracing.monitor import Monitor

if TYPE_CHECKING:
    from neuronsim.graph.graph import Graph
    from neuronsim.run import Run
    from neuronsim.tracing.replay import Replay
    from neuronsim.tracing.steps import Step

__all__ = ["BYTES", "content"]

BYTES = 1_800_000
"""Most of the data of a page for which no steps were asked for; the page itself, with its library, adds 110 kB."""

# Samples of a batch that a step shows, and samples that are blamed: of how many, how many for the loss, for a neuron.
_OF_A_BATCH = 3
_MOST_SAMPLES, _WORST, _WORST_OF_A_NEURON = 500, 12, 5
# Steps that are looked at to choose neurons and to learn how large a step is.
_PROBES = 8
# Recorded curves that are drawn.
_MOST_TRACES = 24


def content(run: "Run", steps: Iterable[int] | None = None) -> dict[str, Any]:
    """Everything that the page shows.

    Parameters
    ----------
    run
        One that can be replayed.
    steps
        Which steps; None: the first, the last and those between as fit into `BYTES`, at most `MOST_STEPS`.
    """
    replay = run.replay
    n_steps = replay.n_steps + replay.diverged
    if not n_steps:
        raise SettingError("the run made no step: there is nothing to show")
    monitors = _monitors(run)
    diagnosis = run.diagnose()
    findings = [{"step": f.step, "sentence": f.sentence, "advice": f"Try {f.advice}."} for f in diagnosis]
    probes = [_at(replay, q) for q in spread_rows(n_steps, _PROBES).tolist()]
    watched = {replay.graph.id(name) for monitor in monitors for name in monitor.neurons}
    kept = keep(replay.graph, relevance(replay.graph.is_input, [(s.y, s.delta) for s in probes]), watched)
    blamed = _Blame(replay, kept)
    recorded = traces(monitors)
    found: dict[str, Any] = {
        "network": _network(replay.graph, kept),
        "facts": _facts(run),
        "rule": replay.rule.name,
        "loss_name": replay.loss.name,
        "reduction": "mean" if replay.mean else "sum",
        "n_steps": n_steps,
        "loss_curve": loss_curves(run),
        "traces": recorded[:_MOST_TRACES],
        "findings": findings,
        "looked_at": diagnosis.looked_at,
        "blamed": blamed.facts,
    }
    if steps is None:
        size = max(len(as_json(_step(step, kept, blamed))) for step in probes)
        n = max(2, min(MOST_STEPS, (BYTES - len(as_json(found))) // size))
        chosen = _with_findings(spread(n_steps, n), findings, n)
    else:
        allowed = "{name} has {value!r}: whole numbers from {least} to {most:,} are possible"
        chosen = sorted({whole("steps", q, 0, n_steps - 1, allowed) for q in steps})
    shown = [_step(_at(replay, q), kept, blamed) for q in chosen]
    left_out = _left_out(replay.graph, kept, len(shown), n_steps)
    if len(recorded) > _MOST_TRACES:
        left_out.append(f"{_MOST_TRACES} of {len(recorded):,} recorded traces are drawn")
    return found | {"steps": _without_repetition(shown), "left_out": left_out}


def _at(replay: "Replay", q: int) -> "Step":
    """A step of the run, or behind its last one the one at which it diverged."""
    return replay.failed() if q == replay.n_steps else replay.at(q)


def _with_findings(chosen: list[int], findings: list[dict[str, Any]], n: int) -> list[int]:
    """The steps with those of findings in place of as many others, so that their links lead there."""
    last = chosen[-1]
    wanted = sorted({f["step"] for f in findings if f["step"] is not None and f["step"] <= last})[: n // 4]
    missing = [q for q in wanted if q not in chosen]
    spare = [q for q in chosen[1:-1] if q not in wanted]
    room = n - len(chosen)
    gone = set(spare[:: max(1, len(spare) // max(1, len(missing)))][: max(0, len(missing) - room)])
    return sorted({*(q for q in chosen if q not in gone), *missing})


def _monitors(run: "Run") -> list[Monitor]:
    """The monitors that still hold this run."""
    given = run.settings.get("monitors") or ()
    listed = given if isinstance(given, (list, tuple)) else [given]
    return [m for m in listed if isinstance(m, Monitor) and m.holds(run)]


def _facts(run: "Run") -> list[str]:
    """A line about the run."""
    replay, graph = run.replay, run.replay.graph
    first, last = (f"{replay.rate(q):.6g}" for q in (0, max(0, run.n_steps - 1)))
    rate = f"μ = {first}" if first == last else f"μ from {first} to {last}"
    batch = "one sample a step" if replay.batch_size == 1 else f"batches of {replay.batch_size:,}"
    return [
        f"{counted(graph.n_neurons, 'neuron')}, {counted(graph.n_edges, 'edge')}, {graph.dtype}",
        f"{counted(len(replay.X), 'sample')}, {batch}",
        f"{replay.rule.name}, {rate}",
        f"seed {run.seed}",
        f"{run.status}: {run.reason}" if run.status != "finished" else counted(run.n_epochs, "epoch"),
    ]  # fmt: skip


def _network(graph: "Graph", kept: Kept) -> dict[str, Any]:
    """The wiring: neurons and edges kept, edges by rows of the neurons; the sizes of the levels."""
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


def _step(step: "Step", kept: Kept, blamed: "_Blame") -> dict[str, Any]:
    """One step: parameters before and after, gradients where they cannot be told from the signals, samples."""
    graph, neurons, edges = step.graph, kept.neurons, kept.edges
    found: dict[str, Any] = {
        "number": step.number,
        "epoch": step.epoch,
        "loss": plain([step.loss])[0],
        "rate": step.learning_rate,
        "n": len(step),
        "w": plain(step.weights[edges]),
        "wa": plain(step.weights_after[edges]),
        "b": plain(step.biases[neurons]),
        "ba": plain(step.biases_after[neurons]),
    }
    if (graph.activation_codes[neurons] == PRELU).any():
        found |= {"s": plain(step.slopes[neurons]), "sa": plain(step.slopes_after[neurons])}
        found["gs"] = plain(step.slope_gradients[neurons])
    if not is_plain(step):
        found["rule"] = text(update_heading(step))
    if step.is_batch:
        found |= {"g": plain(step.weight_gradients[edges]), "gb": plain(step.bias_gradients[neurons])}
    if kept.folded:
        y, delta = np.abs(np.atleast_2d(step.y)), np.abs(np.atleast_2d(step.delta))
        found["levels"] = [
            [short(y[:, m].mean(dtype=np.float64)), short(delta[:, m].mean(dtype=np.float64))] for m in kept.members
        ]
    shown = np.argsort(-step.losses, kind="stable")[:_OF_A_BATCH].tolist() if step.is_batch else [0]
    found["samples"] = [_sample(step.sample(k), kept) for k in shown]
    return found | blamed.at(step)


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
    return short(float(np.dot(a.astype(np.float64), b.astype(np.float64))))


def _without_repetition(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Parameters after a step that are those before the next one are not written twice."""
    for step, following in pairwise(steps):
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

    def __init__(self, replay: "Replay", kept: Kept) -> None:
        self.rows = spread_rows(len(replay.X), _MOST_SAMPLES)
        self.X, self.T, self.loss = replay.X[self.rows], replay.T[self.rows], replay.loss
        self.net = Network.from_graph(replay.graph.copy())
        self.kept = kept
        self.facts = {"n": len(self.rows), "of": len(replay.X)}

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
