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
            if experiment.monitor() is not None or experiment.build_network().n_edges > MOST_EDGES:
                continue  # before its data are read
            one = ready(experiment)
        except NeuronsimError:  # which it will say itself
            continue
        groups.setdefault((*_wiring(one.net.graph), *map(fingerprint, one.prepared.data)), []).append((k, one))
    for members in groups.values():
        if len(members) > 1:
            for (k, _), trained in zip(members, _trained([(experiments[k], one) for k, one in members]), strict=True):
                found[k] = trained
    return found


def _trained(members: list[tuple[Experiment, Ready]]) -> list[Trained | None]:
    """A group, on one thread: others train beside it."""
    began = time.perf_counter()
    replicas: list[Replica[Run]] = [
        Replica(one.net.runtime, FitSettings(snapshots=False, progress=False, **one.arguments)) for _, one in members
    ]
    X, T = members[0][1].prepared.data
    try:
        fit_replicas(replicas, X, T, Run, n_threads=1, alone_too=False)
    except NeuronsimError:  # of one of them
        return [None] * len(members)
    seconds = (time.perf_counter() - began) / len(members)
    return [
        None
        if replica.run is None or replica.alone
        else (one.net, replica.run, outcome_of(experiment, one.net, one.prepared, replica.run, seconds, ""))
        for (experiment, one), replica in zip(members, replicas, strict=True)
    ]


def _wiring(graph: Graph) -> tuple[bytes, ...]:
    """What makes two wirings one: neurons, edges, activations, memory, and what is frozen."""
    rates = (graph.weight_rates, graph.bias_rates, graph.slope_rates)
    arrays = (graph.row_start, graph.sources, graph.activation_codes, graph.inputs, graph.outputs)
    kept = [part for name, values in graph.memory.arrays().items() for part in (name.encode(), values.tobytes())]
    return (
        str(graph.dtype).encode(),
        *(values.tobytes() for values in arrays),
        *(b"" if values is None else values.tobytes() for values in (*rates, graph.delays)),
        *kept,
    )
