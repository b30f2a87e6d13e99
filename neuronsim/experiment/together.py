"""Small experiments trained side by side in lanes, each to the bits that it has alone."""

import time
from collections.abc import Sequence

from neuronsim.errors import NeuronsimError
from neuronsim.experiment.execute import Outcome, Ready, outcome_of, ready
from neuronsim.experiment.file import Experiment
from neuronsim.graph.graph import Graph
from neuronsim.network import Network
from neuronsim.run import Run
from neuronsim.training.replicas import Replica, fit_replicas
from neuronsim.training.settings import FitSettings
from neuronsim.training.snapshots import fingerprint

# From about so many edges on a run alone is as fast; docs/performance.md has the figures.
MOST_EDGES = 1000

Trained = tuple[Network, Run, Outcome]


def trained_together(experiments: Sequence[Experiment]) -> list[Trained | None]:
    """What `trained` gives for each; None of those that are left to it: large, unlike all others, or refused.

    Parameters
    ----------
    experiments : sequence of Experiment
        Those of equal wiring and data go side by side; seeds, rates and other settings may differ.
    """
    found: list[Trained | None] = [None] * len(experiments)
    groups: dict[tuple[bytes, ...], list[tuple[int, Ready]]] = {}
    for k, experiment in enumerate(experiments):
        try:
            one = ready(experiment)
        except NeuronsimError:  # which it will say itself
            continue
        if one.net.n_edges <= MOST_EDGES and not one.arguments["monitors"]:
            groups.setdefault((*_wiring(one.net.graph), *map(fingerprint, one.prepared.data)), []).append((k, one))
    for members in groups.values():
        if len(members) > 1:
            for k, trained in _trained([(experiments[k], one) for k, one in members], [k for k, _ in members]):
                found[k] = trained
    return found


def _trained(members: list[tuple[Experiment, Ready]], places: list[int]) -> list[tuple[int, Trained]]:
    """A group, on one thread: others train beside it."""
    began = time.perf_counter()
    replicas: list[Replica[Run]] = [
        Replica(one.net.runtime, FitSettings(snapshots=False, progress=False, **one.arguments)) for _, one in members
    ]
    X, T = members[0][1].prepared.data
    try:
        fit_replicas(replicas, X, T, Run, 1)
    except NeuronsimError:  # of one of them
        return []
    seconds = (time.perf_counter() - began) / len(members)
    return [
        (k, (one.net, replica.run, outcome_of(experiment, one.net, one.prepared, replica.run, seconds, "")))
        for k, (experiment, one), replica in zip(places, members, replicas, strict=True)
        if replica.run is not None and not replica.alone
    ]


def _wiring(graph: Graph) -> tuple[bytes, ...]:
    """What makes two wirings one: neurons, edges, activations, and what is frozen."""
    rates = (graph.weight_rates, graph.bias_rates, graph.slope_rates)
    arrays = (graph.row_start, graph.sources, graph.activation_codes, graph.inputs, graph.outputs)
    return (
        str(graph.dtype).encode(),
        *(values.tobytes() for values in arrays),
        *(b"" if values is None else values.tobytes() for values in rates),
    )
