"""How a large network is folded: which neurons of each level are shown, by one rule for pictures and pages."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.arrays import Integers
from neuronsim.graph.plan import Plan


@dataclass(frozen=True, eq=False)
class Folding:
    """Which neurons are shown, level by level.

    Attributes
    ----------
    members : tuple of int64 arrays
        The ids of every neuron of each level, ascending.
    shown : tuple of int64 arrays
        Of each level the ids of the neurons shown, ascending; none where the level is left out.
    """

    members: tuple[Integers, ...]
    shown: tuple[Integers, ...]

    @property
    def neurons(self) -> Integers:
        """The ids of all neurons shown, ascending."""
        return np.sort(np.concatenate([np.empty(0, np.int64), *self.shown]))

    @property
    def left_out(self) -> tuple[int, ...]:
        """How many neurons of each level are not shown."""
        return tuple(len(all_) - len(some) for all_, some in zip(self.members, self.shown, strict=True))


def fold(
    plan: Plan,
    levels: Collection[int] | None,
    room: int,
    *,
    required: Collection[int] = (),
    scores: NDArray[np.floating] | None = None,
    strict: bool = False,
) -> Folding:
    """Choose the neurons to show: required ones, then those with the highest scores.

    Parameters
    ----------
    plan : Plan
        Its levels are folded one by one.
    levels : collection of int or None
        The levels that have room; of others only required neurons are shown. None: all.
    room : int
        Levels of at most this many neurons are shown whole; of larger ones this many, the most relevant.
    required : collection of int
        Ids of outputs, and of neurons that were watched or asked for.
    scores : array (n_neurons,) or None
        How relevant each neuron is, as `relevance` has it; None: the closer to an end of its level, the more.
    strict : bool
        Whether required neurons and a gap for those left out have to do with ``room``; else they come on top of it.
    """
    starts = np.searchsorted(plan.levels[plan.order], np.arange(plan.n_levels + 1))
    members = tuple(plan.order[a:b].astype(np.int64) for a, b in pairwise(starts))
    wanted = np.fromiter(required, np.int64, len(required))
    shown = [
        _shown(ids, np.isin(ids, wanted), room, scores, strict)
        if levels is None or level in levels
        else ids[np.isin(ids, () if strict else wanted)]
        for level, ids in enumerate(members)
    ]
    return Folding(members, tuple(shown))


def _shown(
    ids: Integers, is_required: NDArray[np.bool_], room: int, scores: NDArray[np.floating] | None, strict: bool
) -> Integers:
    """Those neurons of one level that are shown."""
    n = len(ids)
    if n <= room:
        return ids
    from_an_end = np.minimum(np.arange(n), np.arange(n)[::-1])
    by_relevance = np.argsort(from_an_end if scores is None else -scores[ids], kind="stable")
    required_first = by_relevance[np.argsort(~is_required[by_relevance], kind="stable")]
    on_top = int(np.count_nonzero(is_required[by_relevance[room:]]))
    return np.sort(ids[required_first[: room - 1 if strict else room + on_top]])


def first_and_last(n: int, room: int) -> range | list[int]:
    """The positions 0 … n - 1; of too many those at both ends, with one place kept for the gap between them."""
    if n <= room:
        return range(n)
    first = room // 2
    return [*range(first), *range(n - (room - first - 1), n)]


def relevance(is_input: NDArray[np.bool_], signals: Iterable[tuple[NDArray[Any], NDArray[Any]]]) -> NDArray[np.float64]:
    """Mean |δ| of every neuron; of an input |x · ∂L/∂x|, so that a constant pixel does not count.

    Parameters
    ----------
    is_input : bool array (n_neurons,)
        Which neurons are inputs.
    signals : iterable of pairs of arrays (n_samples, n_neurons) or (n_neurons,)
        y and δ of each step; the steps are added.
    """
    sums = np.zeros(len(is_input))
    with np.errstate(all="ignore"):
        for y, delta in signals:
            size = np.abs(np.atleast_2d(delta)).astype(np.float64)
            sums += np.where(is_input, size * np.abs(np.atleast_2d(y)), size).mean(axis=0)
    return np.nan_to_num(sums)
