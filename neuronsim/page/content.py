"""What a page holds, as plain values for JSON: the wiring, each step's numbers, samples, curves and findings."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from neuronsim.analysis.diagnose import Diagnosis
from neuronsim.basics.arrays import Marks
from neuronsim.basics.checked import whole
from neuronsim.basics.words import counted
from neuronsim.errors import SettingError
from neuronsim.formulas import activations
from neuronsim.formulas.activations import PRELU
from neuronsim.graph.describing import sizes
from neuronsim.graph.folding import relevance
from neuronsim.graph.graph import Graph
from neuronsim.graph.selection import Selection
from neuronsim.page.curves import loss_curves, traces
from neuronsim.page.keeping import MOST_NEURONS, MOST_STEPS, Kept, keep, spread, with_wanted
from neuronsim.page.numbers import as_json, plain
from neuronsim.page.samples import Samples
from neuronsim.page.steps import image_side, step_values, without_repetition
from neuronsim.run import Run
from neuronsim.tracing.monitor import Monitor
from neuronsim.tracing.replay import Replay
from neuronsim.tracing.result import StepResult

BYTES = 1_800_000
"""Most of the data of a page for which no steps were asked for; the page itself, with its library, adds 110 kB."""

# Steps that are looked at to choose neurons and to learn how large a step is.
_PROBES = 8
# Recorded curves that are drawn.
_MOST_TRACES = 24
# Neurons of a finding that are drawn in any case, and of all findings together.
_OF_A_FINDING, _OF_FINDINGS = 3, 12
# Sources, and sinks, of a neuron that was asked for which are drawn with it; fewer where several were.
_AROUND = 12
# Names of neurons that are not drawn, in characters: they tell a typing error from a name that is elsewhere.
_MOST_NAMES = 60_000


def content(run: Run, steps: Iterable[int] | None = None, neurons: Selection | None = None) -> dict[str, Any]:
    """Everything that the page shows.

    Parameters
    ----------
    run : Run
        One that can be replayed.
    steps : iterable of int or None
        Which steps; None: the first, the last and those between as fit into `BYTES`, at most `MOST_STEPS`.
    neurons : selection or None
        Which ones are drawn in any case.

    Returns
    -------
    dict
        Plain values for JSON, as page.js reads them.

    Raises
    ------
    SettingError
        If the run made no step, or not one that was asked for, or if too many neurons were.
    UnknownNameError
        If there is no such neuron.
    """
    replay = run.replay
    n_steps = replay.n_steps + replay.diverged
    if not n_steps:
        raise SettingError("the run made no step: there is nothing to show")
    asked = _wanted(replay.graph, neurons)
    wanted = asked | _around(replay.graph, asked)
    monitors = _monitors(run)
    diagnosis = run.diagnose()
    probes = [_at(replay, q) for q in replay.spread(n_steps, _PROBES)]
    wanted |= {replay.graph.id(name) for monitor in monitors for name in monitor.neurons}
    wanted |= {k for ids in _named(replay.graph, diagnosis) for k in ids}
    kept = keep(replay.graph, relevance(replay.graph.is_input, [(s.y, s.delta) for s in probes]), wanted)
    findings = _findings(replay.graph, diagnosis, kept)
    samples = Samples(replay, kept)
    recorded = traces(monitors)
    found: dict[str, Any] = {
        "network": _network(replay.graph, kept)
        | {"asked": np.searchsorted(kept.neurons, sorted(asked)).tolist(), "meanings": _meanings(run, kept)},
        "facts": _facts(run),
        "rule": replay.rule.name,
        "loss_name": replay.loss.name,
        "classes": list(run.columns.classes) if run.columns is not None and run.columns.classes else None,
        "reduction": "mean" if replay.mean else "sum",
        "n_steps": n_steps,
        "loss_curve": loss_curves(run),
        "traces": recorded[:_MOST_TRACES],
        "findings": findings,
        "looked_at": diagnosis.looked_at,
        "blamed": samples.facts,
    }
    uses: dict[int, int] = {}
    if steps is None:
        size = max(len(as_json(_shown(step, kept, samples))) for step in probes)
        n = max(2, min(MOST_STEPS, (BYTES - len(as_json(found)) - samples.pictures_size) // size))
        uses = samples.uses(n // 3)
        stops = sorted({f["step"] for f in findings if f["step"] is not None})[: n // 4]
        steps_here = [replay.begin + q for q in spread(n_steps - replay.begin, n)]
        chosen = with_wanted(with_wanted(steps_here, stops, n), uses, n, keep=stops)
    else:
        allowed = "{name} has {value!r}: whole numbers from {least} to {most:,} are possible"
        chosen = sorted({whole("steps", q, replay.begin, n_steps - 1, allowed) for q in steps})
    shown = [_shown(_at(replay, q), kept, samples, uses.get(q)) for q in chosen]
    found["pictures"] = samples.pictures(shown)
    left_out = _left_out(replay, kept, len(shown), len(recorded))
    return found | {"steps": without_repetition(shown), "left_out": left_out}


def _shown(step: StepResult, kept: Kept, samples: Samples, row: int | None = None) -> dict[str, Any]:
    return step_values(step, kept, row) | samples.at(step)


def _wanted(graph: Graph, neurons: Selection | None) -> set[int]:
    """The neurons asked for."""
    ids = set() if neurons is None else set(graph.ids(neurons).tolist())
    if len(ids) > MOST_NEURONS:
        raise SettingError(f"neurons={neurons!r} are {len(ids):,} neurons; a page draws at most {MOST_NEURONS} of them")
    return ids


def _around(graph: Graph, ids: set[int]) -> set[int]:
    """The ends of the largest edges into and out of a few neurons."""
    each = min(_AROUND, 2 * _AROUND // max(len(ids), 1))
    sinks, found = graph.sinks(), set[int]()
    for neuron in ids if each else ():
        for here, there in ((sinks, graph.sources), (graph.sources, sinks)):
            edges = np.flatnonzero(here == neuron)
            largest = edges[np.argsort(-np.abs(graph.weights[edges]), kind="stable")[:each]]
            found.update(there[largest].tolist())
    return found


def _meanings(run: Run, kept: Kept) -> list[str | None]:
    """The column or the class that each neuron kept stands for, where it is called otherwise."""
    graph, columns = run.replay.graph, run.columns
    found: dict[int, str] = {}
    if columns is not None:
        named = [(graph.inputs, columns.features), (graph.outputs, columns.classes or columns.targets)]
        for ids, names in named:
            if len(ids) == len(names):
                own = graph.name_list(ids)
                found |= {k: name for k, name, had in zip(ids.tolist(), names, own, strict=True) if name != had}
    return [found.get(k) for k in kept.neurons.tolist()]


def _named(graph: Graph, diagnosis: Diagnosis) -> list[list[int]]:
    """The first neurons that each finding names, the most severe findings first."""
    room, named = _OF_FINDINGS, []
    for finding in diagnosis:
        named.append([graph.id(name) for name in finding.neurons[: min(_OF_A_FINDING, room)]])
        room -= len(named[-1])
    return named


def _findings(graph: Graph, diagnosis: Diagnosis, kept: Kept) -> list[dict[str, Any]]:
    """Step, words, and neurons by their row on the page."""
    return [
        {
            "step": finding.step,
            "sentence": finding.sentence,
            "advice": f"Try {finding.advice}.",
            "neurons": np.searchsorted(kept.neurons, ids).tolist(),
        }
        for finding, ids in zip(diagnosis, _named(graph, diagnosis), strict=True)
    ]


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
    first, last = (f"{replay.rate(q):.6g}" for q in (replay.begin, max(replay.begin, run.n_steps - 1)))
    rate = f"μ = {first}" if first == last else f"μ from {first} to {last}"
    batch = "one sample a step" if replay.batch_size == 1 else f"batches of {replay.batch_size:,}"
    held_out = f", {len(run.held_out):,} of them held out" if len(run.held_out) else ""
    return [
        f"{sizes(graph)}; {counted(graph.n_edges, 'edge')}, {graph.dtype}",
        f"{counted(len(replay.X), 'sample')}{held_out}, {batch}",
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
        "n_outputs": graph.n_outputs,
        "levels": [len(level) for level in kept.members],
        "level_inputs": [int(graph.is_input[level].sum()) for level in kept.members],
        "level_outputs": [int(np.isin(level, graph.outputs).sum()) for level in kept.members],
        "ids": kept.neurons.tolist(),
        "names": list(names),
        "others": _others(graph, row < 0),
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


def _others(graph: Graph, left_out: Marks) -> list[str] | None:
    """The names of neurons that are not drawn; None where they would be a large part of the page."""
    ids = np.flatnonzero(left_out)
    names = list(graph.name_list(ids[: _MOST_NAMES // 4]))
    return names if len(names) == len(ids) and sum(map(len, names)) <= _MOST_NAMES else None


def _left_out(replay: Replay, kept: Kept, n_shown: int, n_traces: int) -> list[str]:
    """What the page does not show, in words."""
    said, graph = [], replay.graph
    n_steps = replay.n_steps + replay.diverged - replay.begin
    if n_shown < n_steps:
        said.append(f"{n_shown:,} of {n_steps:,} steps are on this page")
    if replay.begin:
        said.append(f"the first {counted(replay.begin, 'step')} were made before {replay.cut}, and are not here")
    if kept.folded:
        said.append(
            f"{len(kept.neurons):,} of {graph.n_neurons:,} neurons are drawn, those with the largest mean |δ| and "
            f"those named elsewhere, and {len(kept.edges):,} of {graph.n_edges:,} edges; sums include all others"
        )
    if n_traces > _MOST_TRACES:
        said.append(f"{_MOST_TRACES} of {n_traces:,} recorded traces are drawn")
    return said
