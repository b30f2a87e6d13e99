"""What a page holds, as plain values for JSON: the wiring, each step's numbers, samples, curves and findings."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from neuronsim.analysis.blame import blamed
from neuronsim.analysis.probe import Probe, largest
from neuronsim.basics.checked import whole
from neuronsim.basics.spread import evenly_spread
from neuronsim.basics.words import counted
from neuronsim.errors import SettingError
from neuronsim.formulas import activations
from neuronsim.formulas.activations import PRELU
from neuronsim.graph.folding import relevance
from neuronsim.graph.graph import Graph
from neuronsim.kernels.arguments import Parameters
from neuronsim.page.curves import loss_curves, traces
from neuronsim.page.keeping import MOST_STEPS, Kept, keep, spread, with_findings
from neuronsim.page.numbers import as_json, plain
from neuronsim.page.steps import image_side, step_values, without_repetition
from neuronsim.run import Run
from neuronsim.tracing.monitor import Monitor
from neuronsim.tracing.replay import Replay
from neuronsim.tracing.result import StepResult

BYTES = 1_800_000
"""Most of the data of a page for which no steps were asked for; the page itself, with its library, adds 110 kB."""

# Samples that are blamed: of how many, how many for the loss, for a neuron.
_MOST_SAMPLES, _WORST, _WORST_OF_A_NEURON = 500, 12, 5
# Steps that are looked at to choose neurons and to learn how large a step is.
_PROBES = 8
# Recorded curves that are drawn.
_MOST_TRACES = 24


def content(run: Run, steps: Iterable[int] | None = None) -> dict[str, Any]:
    """Everything that the page shows.

    Parameters
    ----------
    run : Run
        One that can be replayed.
    steps : iterable of int or None
        Which steps; None: the first, the last and those between as fit into `BYTES`, at most `MOST_STEPS`.

    Returns
    -------
    dict
        Plain values for JSON, as page.js reads them.

    Raises
    ------
    SettingError
        If the run made no step, or not one that was asked for.
    """
    replay = run.replay
    n_steps = replay.n_steps + replay.diverged
    if not n_steps:
        raise SettingError("the run made no step: there is nothing to show")
    monitors = _monitors(run)
    diagnosis = run.diagnose()
    findings = [{"step": f.step, "sentence": f.sentence, "advice": f"Try {f.advice}."} for f in diagnosis]
    probes = [_at(replay, q) for q in evenly_spread(n_steps, _PROBES).tolist()]
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
        size = max(len(as_json(_shown(step, kept, blamed))) for step in probes)
        n = max(2, min(MOST_STEPS, (BYTES - len(as_json(found))) // size))
        chosen = with_findings(spread(n_steps, n), findings, n)
    else:
        allowed = "{name} has {value!r}: whole numbers from {least} to {most:,} are possible"
        chosen = sorted({whole("steps", q, 0, n_steps - 1, allowed) for q in steps})
    shown = [_shown(_at(replay, q), kept, blamed) for q in chosen]
    left_out = _left_out(replay.graph, kept, len(shown), n_steps, len(recorded))
    return found | {"steps": without_repetition(shown), "left_out": left_out}


def _shown(step: StepResult, kept: Kept, blamed: "_Blame") -> dict[str, Any]:
    return step_values(step, kept) | blamed.at(step)


def _at(replay: Replay, q: int) -> StepResult:
    """A step of the run, or after its last one the one at which it diverged."""
    return replay.failed() if q == replay.n_steps else replay.at(q)


def _monitors(run: Run) -> list[Monitor]:
    """The monitors that still hold this run."""
    given = run.settings.get("monitors") or ()
    listed = given if isinstance(given, (list, tuple)) else [given]
    return [m for m in listed if isinstance(m, Monitor) and m.holds(run)]


def _facts(run: Run) -> list[str]:
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


def _network(graph: Graph, kept: Kept) -> dict[str, Any]:
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
        "image": image_side(graph, kept),
    }
    for of, rates, chosen in (("weight", graph.weight_rates, kept.edges), ("bias", graph.bias_rates, kept.neurons)):
        found[f"{of}_rates"] = None if rates is None else plain(rates[chosen])
    return found


def _left_out(graph: Graph, kept: Kept, n_shown: int, n_steps: int, n_traces: int) -> list[str]:
    """What the page does not show, in words."""
    said = []
    if n_shown < n_steps:
        said.append(f"{n_shown:,} of {n_steps:,} steps are on this page")
    if kept.folded:
        said.append(
            f"{len(kept.neurons):,} of {graph.n_neurons:,} neurons are drawn, those with the largest mean |δ|, "
            f"and {len(kept.edges):,} of {graph.n_edges:,} edges; sums include all others"
        )
    if n_traces > _MOST_TRACES:
        said.append(f"{_MOST_TRACES} of {n_traces:,} recorded traces are drawn")
    return said


class _Blame:
    """Which samples a step's parameters do worst on, by loss and by |δ| of every neuron kept."""

    def __init__(self, replay: Replay, kept: Kept) -> None:
        self.probe = Probe(replay, evenly_spread(len(replay.X), _MOST_SAMPLES))
        self.ids = kept.neurons
        self.facts = {"n": len(self.probe.rows), "of": len(replay.X)}

    def at(self, step: StepResult) -> dict[str, Any]:
        """The worst rows and their losses; for every neuron the worst rows and their δ."""
        self.probe.load(Parameters(step.weights, step.biases, step.slopes))
        table = blamed(self.probe, self.ids, step.number, step.learning_rate)
        rows, _ = largest(table.losses, _WORST)
        worst_of = []
        for delta in table.delta.T:
            those, _ = largest(np.abs(delta), _WORST_OF_A_NEURON)
            worst_of.append([table.samples[those].tolist(), plain(delta[those])])
        return {"worst": [table.samples[rows].tolist(), plain(table.losses[rows])], "worst_of": worst_of}
