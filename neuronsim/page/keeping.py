"""Which neurons, edges and steps a page holds: all of a small network; of a large one what matters."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np

from neuronsim.basics.arrays import Array, Integers, Reals
from neuronsim.basics.spread import evenly_spread
from neuronsim.graph.folding import fold, members_by_level
from neuronsim.graph.graph import Graph

MOST_NEURONS = 300
"""A network with more neurons is folded."""

MOST_EDGES = 3_000
"""A network with more edges is folded; so many are kept of it."""

MOST_STEPS = 200
"""Steps on a page for which none were asked for."""

# Neurons kept in all of a folded network, the most in one of its levels, and the most levels.
_FOLDED_NEURONS, _FOLDED_LEVEL, _FOLDED_LEVELS = 72, 12, 24
# Steps at the start that are kept in a row: there one can follow a weight from one update to the next.
_IN_A_ROW = 8


@dataclass(frozen=True, eq=False)
class Kept:
    """The neurons and edges on the page.

    Attributes
    ----------
    neurons, edges : int64 arrays
        Ids, and positions of edges, ascending.
    level : int64 (n_kept,)
        Of every neuron kept.
    members : list of int64 arrays
        The ids of every neuron of each level, kept or not.
    folded : bool
        Whether anything was left out.
    other_sources, other_sinks : list of int64 arrays
        For every neuron kept, the positions of its edges that were left out.
    """

    neurons: Integers
    edges: Integers
    level: Integers
    members: list[Integers]
    folded: bool
    other_sources: list[Integers]
    other_sinks: list[Integers]


def keep(graph: Graph, scores: Reals, watched: Collection[int] = ()) -> Kept:
    """What to keep of a graph.

    Parameters
    ----------
    graph : Graph
        Kept whole unless it is large.
    scores : array (n_neurons,)
        Of too many neurons those with the largest are kept, beside outputs and watched ones.
    watched : collection of int
        Ids to keep in any case.
    """
    plan = graph.plan()
    members = members_by_level(plan)
    folded = graph.n_neurons > MOST_NEURONS or graph.n_edges > MOST_EDGES
    shown = _folded(members, scores, {*graph.outputs[: 2 * _FOLDED_LEVEL].tolist(), *watched}) if folded else members
    neurons = np.sort(np.concatenate([np.empty(0, np.int64), *shown]))
    sinks, sources = graph.sinks(), graph.sources
    here = np.isin(np.arange(graph.n_neurons), neurons)
    edges = np.flatnonzero(here[sinks] & here[sources])
    if len(edges) > MOST_EDGES:
        largest = np.argsort(-np.abs(graph.weights[edges]), kind="stable")[:MOST_EDGES]
        edges = np.sort(edges[largest])
    others = np.delete(np.arange(graph.n_edges), edges)
    return Kept(
        neurons,
        edges,
        plan.levels[neurons].astype(np.int64),
        members,
        folded,
        _grouped(others, sinks[others], neurons),
        _grouped(others, sources[others], neurons),
    )


def _folded(members: list[Integers], scores: Reals, required: Collection[int]) -> list[Integers]:
    """The neurons kept of each level; of too many levels only those spread evenly have room beside required ones."""
    n_levels = min(len(members), _FOLDED_LEVELS)
    roomy = evenly_spread(len(members), n_levels, nearest=True).tolist()
    room = min(_FOLDED_LEVEL, max(1, _FOLDED_NEURONS // n_levels))
    return [fold(ids, room if level in roomy else 0, scores, required) for level, ids in enumerate(members)]


def _grouped(positions: Integers, ends: Array, neurons: Integers) -> list[Integers]:
    """The positions of the edges that end at each of the neurons."""
    order = np.argsort(ends, kind="stable")
    positions, ends = positions[order], ends[order]
    first, last = np.searchsorted(ends, neurons), np.searchsorted(ends, neurons, side="right")
    return [positions[a:b] for a, b in zip(first, last, strict=True)]


def spread(n_steps: int, n: int) -> list[int]:
    """At most n steps out of 0 … n_steps - 1: the first ones, then ever fewer, and the last; half of them evenly."""
    if n_steps <= n:
        return list(range(n_steps))
    if n < 2:
        return [n_steps - 1][:n]
    chosen = {0, n_steps - 1} | set(range(min(_IN_A_ROW, n - 2)))
    chosen |= set(_new_places(evenly_spread(n_steps, max(n // 2, 2), nearest=True), n - len(chosen), chosen))
    for count in (n, 4 * n, 16 * n):
        chosen |= set(_new_places(np.geomspace(1, n_steps - 1, count), n - len(chosen), chosen))
    return sorted(chosen)


def _new_places(places: Array, n: int, known: set[int]) -> list[int]:
    """At most n of the places that are not known yet, spread evenly among them."""
    new = sorted(set(places.round().astype(int).tolist()) - known)
    return [new[k] for k in evenly_spread(len(new), n, nearest=True)]


def with_wanted(chosen: list[int], wanted: Iterable[int], n: int, keep: Collection[int] = ()) -> list[int]:
    """At most n steps: those chosen, with wanted ones in place of as many that are not to be kept."""
    wanted = {q for q in wanted if q <= chosen[-1]}
    missing = sorted(wanted - set(chosen))
    spare = [q for q in chosen[1:-1] if q not in wanted and q not in keep]
    room = n - len(chosen)
    gone = set(spare[:: max(1, len(spare) // max(1, len(missing)))][: max(0, len(missing) - room)])
    return sorted({*(q for q in chosen if q not in gone), *missing})
