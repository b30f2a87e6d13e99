"""How a large network is folded: which neurons of each level are shown, by one rule for pictures and pages."""

from collections.abc import Collection, Iterable
from itertools import pairwise

import numpy as np

from neuronsim.basics.arrays import Array, Floats, Integers, Marks, Reals
from neuronsim.graph.plan import Plan


def members_by_level(plan: Plan) -> list[Integers]:
    """The ids of every neuron of each level, ascending."""
    ends = np.cumsum(np.bincount(plan.levels)).tolist()
    return [plan.order[a:b].astype(np.int64) for a, b in pairwise([0, *ends])]


def fold(ids: Integers, room: int, scores: Reals | None = None, required: Collection[int] = ()) -> Integers:
    """Choose which of a level's neurons, or which levels, are shown: all, or of too many the most relevant.

    Parameters
    ----------
    ids : int64 array
        All there are, ascending.
    room : int
        How many are shown, beside those required.
    scores : array (n_neurons,) or None
        How relevant each id is, as `relevance` has it; None: the closer to an end of ``ids``, the more.
    required : collection of int
        What is shown in any case.
    """
    n = len(ids)
    if n <= room:
        return ids
    from_an_end = np.minimum(np.arange(n), np.arange(n)[::-1])
    by_relevance = np.argsort(from_an_end if scores is None else -scores[ids], kind="stable")
    shown = np.isin(ids, list(required))
    shown[by_relevance[:room]] = True
    return ids[shown]


def relevance(is_input: Marks, signals: Iterable[tuple[Array, Array]]) -> Floats:
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
