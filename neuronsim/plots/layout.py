"""Where the neurons of a picture stand: levels from left to right, and what is folded away."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.arrays import Floats, Integers
from neuronsim.basics.words import counted
from neuronsim.graph.folding import first_and_last, fold
from neuronsim.graph.graph import Graph

MOST_NEURONS = 24
"""Neurons drawn in one level, the gap that stands for the others included."""

MOST_LEVELS = 40
"""Levels drawn, the gap that stands for the others included."""

MOST_EDGES = 2_000
"""Edges drawn."""

# Narrow levels are spread, but at most to so many times the distance of neurons in the widest level.
_SPREAD = 2.2


@dataclass(frozen=True)
class Gap:
    """Neurons of one level, or whole levels, that are not drawn, and where they would stand."""

    x: float
    y: float
    n_neurons: int
    n_levels: int = 0

    @property
    def text(self) -> str:
        """What is missing, in words."""
        if not self.n_levels:
            return f"… {self.n_neurons:,} more"
        return f"… {self.n_levels:,} more levels with {counted(self.n_neurons, 'neuron')} …"


@dataclass(frozen=True, eq=False)
class Layout:
    """The neurons that are drawn, and their places.

    Attributes
    ----------
    ids, column : int64 (n_drawn,)
        Columns are counted from 0.
    x, y : float64 (n_drawn,)
        A column is 1 wide, neurons of the widest level are 1 apart.
    height : float
        Of the tallest column, from its lowest to its highest neuron or gap.
    n_columns : int
        Columns, gaps included.
    sizes : tuple of pairs of int
        For each column drawn its place x and how many neurons its level has.
    gaps : tuple of Gap
        What is folded away.
    """

    ids: Integers
    column: Integers
    x: Floats
    y: Floats
    height: float
    n_columns: int
    sizes: tuple[tuple[int, int], ...]
    gaps: tuple[Gap, ...]

    @property
    def pitch(self) -> float:
        """The least distance between two neurons of a column; the picture's height if none has two."""
        apart = np.abs(np.diff(self.y))[np.diff(self.column) == 0]
        return float(apart.min(initial=max(self.height, 1.0)))


@dataclass(frozen=True, eq=False)
class Edges:
    """The edges that are drawn, by ascending |weight|, and how many there are.

    Attributes
    ----------
    source, sink : int64 (n_drawn,)
        Rows of the layout.
    weights : float64 (n_drawn,)
        What colours them.
    n_between : int
        Edges between neurons that are drawn.
    n_edges : int
        Edges in all.
    """

    source: Integers
    sink: Integers
    weights: Floats
    n_between: int
    n_edges: int

    def in_words(self) -> str:
        """How many there are, and how many of them are drawn."""
        between, drawn = self.n_between, len(self.weights)
        text = counted(self.n_edges, "edge")
        if between < self.n_edges:
            largest = f", the {drawn:,} largest of them drawn" if drawn < between else ""
            return f"{text}; {between:,} join neurons drawn here{largest}"
        return f"{text}, the {drawn:,} largest drawn" if drawn < between else text


def lay_out(graph: Graph, scores: Floats | None = None) -> Layout:
    """Places for the neurons of a graph, level by level, by id from top to bottom.

    Parameters
    ----------
    graph : Graph
        One without a cycle.
    scores : array (n_neurons,) or None
        Of too many neurons those with the largest are drawn, outputs first; None: those at the ends of their level.
    """
    plan = graph.plan()
    levels = first_and_last(plan.n_levels, MOST_LEVELS)
    folding = fold(plan, levels, MOST_NEURONS, required=graph.outputs.tolist(), scores=scores, strict=True)
    columns, gaps = list(enumerate(levels)), []
    if len(levels) < plan.n_levels:
        middle = MOST_LEVELS // 2
        columns = [(x + (x >= middle), level) for x, level in columns]
        hidden = [n for n, shown in zip(folding.left_out, folding.shown, strict=True) if not len(shown)]
        gaps = [Gap(middle, 0.0, sum(hidden), len(hidden))]
    tallest = max((min(len(folding.members[level]), MOST_NEURONS) for level in levels), default=1)
    heights = [np.empty(0)]
    for x, level in columns:
        members, shown = folding.members[level], folding.shown[level]
        y, gap = _heights(members, shown, tallest)
        heights.append(y)
        if gap is not None:
            gaps.append(Gap(x, gap, len(members) - len(shown)))
    drawn = [folding.shown[level] for level in levels]
    column = np.repeat(np.array([x for x, _ in columns], np.int64), [len(ids) for ids in drawn])
    y = np.concatenate(heights)
    return Layout(
        np.concatenate([np.empty(0, np.int64), *drawn]),
        column,
        column.astype(np.float64),
        y,
        float(np.ptp([*y, *(gap.y for gap in gaps)])) if y.size else 0.0,
        len(columns) + (len(levels) < plan.n_levels),
        tuple((x, len(folding.members[level])) for x, level in columns),
        tuple(gaps),
    )


def _heights(members: Integers, shown: Integers, tallest: int) -> tuple[Floats, float | None]:
    """Heights of a level's neurons, and of its gap: in place of those left out if they lie together, else below."""
    n_left_out = len(members) - len(shown)
    n_slots = len(shown) + (n_left_out > 0)
    apart = min(_SPREAD, (tallest - 1) / max(n_slots - 1, 1)) if tallest > 1 else 1.0
    y = ((n_slots - 1) / 2 - np.arange(n_slots, dtype=np.float64)) * apart
    if not n_left_out:
        return y, None
    first = int(np.flatnonzero(~np.isin(members, shown))[0])
    together = np.array_equal(members[first + n_left_out :], shown[first:])
    slot = first if together else n_slots - 1
    return np.delete(y, slot), float(y[slot])


def choose_edges(graph: Graph, weights: NDArray[np.floating], layout: Layout) -> Edges:
    """The edges between the neurons of a layout; of too many, those with the largest |weight|."""
    row = np.full(graph.n_neurons, -1, np.int64)
    row[layout.ids] = np.arange(len(layout.ids))
    starts, ends = graph.row_start[layout.ids], graph.row_start[layout.ids + 1]
    at = np.concatenate([np.empty(0, np.int64), *map(np.arange, starts, ends)])
    sink = np.repeat(np.arange(len(layout.ids)), ends - starts)
    source = row[graph.sources[at]]
    there = source >= 0
    source, sink = source[there], sink[there]
    values = weights[at[there]].astype(np.float64)
    order = np.argsort(np.abs(values), kind="stable")[-MOST_EDGES:]
    return Edges(source[order], sink[order], values[order], len(values), len(graph.sources))
