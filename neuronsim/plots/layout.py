"""Where the neurons of a picture stand: levels from left to right, and what is folded away."""

from dataclasses import dataclass

import numpy as np

from neuronsim.basics.arrays import Floats, Integers, Reals
from neuronsim.basics.words import counted
from neuronsim.graph.folding import fold, members_by_level
from neuronsim.graph.graph import Graph

MOST_NEURONS = 24
"""Neurons drawn of a larger level, and outputs beside them that are drawn in any case."""

MOST_LEVELS = 40
"""Levels drawn of a deeper network."""

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
    column : int64 (n_drawn,)
        Counted from 0; a column is 1 wide.
    y : float64 (n_drawn,)
        Neurons of the widest level are 1 apart.
    height : float
        Of the tallest column, from its lowest to its highest neuron or gap.
    n_columns : int
        Columns, gaps included.
    sizes : tuple of pairs of int
        For each column drawn its place x and how many neurons its level has.
    """

    ids: Integers
    column: Integers
    y: Floats
    height: float
    n_columns: int
    sizes: tuple[tuple[int, int], ...]
    gaps: tuple[Gap, ...]

    @property
    def x(self) -> Floats:
        """Where each neuron stands between left and right."""
        return self.column.astype(np.float64)

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
    n_between, n_edges : int
        Edges between neurons that are drawn; edges in all.
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
    """Places for the neurons of a graph without a cycle, level by level, by id from top to bottom.

    Parameters
    ----------
    graph : Graph
        It is folded by `fold`; the first outputs are drawn in any case.
    scores : array (n_neurons,) or None
        How relevant each neuron is; levels are always those at both ends.
    """
    members = members_by_level(graph.plan())
    levels = fold(np.arange(len(members)), MOST_LEVELS).tolist()
    required = graph.outputs[:MOST_NEURONS].tolist()
    shown = [fold(members[level], MOST_NEURONS, scores, required) for level in levels]
    columns, gaps = list(range(len(levels))), []
    hidden = [len(ids) for level, ids in enumerate(members) if level not in levels]
    if hidden:
        middle = MOST_LEVELS // 2
        columns = [x + (x >= middle) for x in columns]
        gaps = [Gap(middle, 0.0, sum(hidden), len(hidden))]
    sizes = [len(members[level]) for level in levels]
    tallest = max((len(ids) + (len(ids) < n) for ids, n in zip(shown, sizes, strict=True)), default=1)
    heights = [np.empty(0)]
    for x, level, ids in zip(columns, levels, shown, strict=True):
        y, gap = _heights(members[level], ids, tallest)
        heights.append(y)
        if gap is not None:
            gaps.append(Gap(x, gap, len(members[level]) - len(ids)))
    y = np.concatenate(heights)
    return Layout(
        np.concatenate([np.empty(0, np.int64), *shown]),
        np.repeat(np.array(columns, np.int64), [len(ids) for ids in shown]),
        y,
        float(np.ptp([*y, *(gap.y for gap in gaps)])) if y.size else 0.0,
        len(columns) + bool(hidden),
        tuple(zip(columns, sizes, strict=True)),
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


def choose_edges(graph: Graph, weights: Reals, layout: Layout) -> Edges:
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
