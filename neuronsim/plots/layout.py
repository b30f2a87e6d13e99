"""Where the neurons of a picture stand: levels from left to right, and what is folded away."""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from neuronsim.graph.graph import Graph

__all__ = [
    "MOST_EDGES",
    "MOST_LEVELS",
    "MOST_NEURONS",
    "Edges",
    "Gap",
    "Layout",
    "choose_edges",
    "counted",
    "lay_out",
]

MOST_NEURONS = 24
"""Neurons drawn in one level, the gap that stands for the others included."""

MOST_LEVELS = 40
"""Levels drawn, the gap that stands for the others included."""

MOST_EDGES = 2_000
"""Edges drawn."""

# Narrow levels are spread, but at most to so many times the distance of neurons in the widest level.
_SPREAD = 2.2

Integers = NDArray[np.int64]
Reals = NDArray[np.float64]


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
    ids, column
        Shape (n_drawn,); columns are counted from 0.
    x, y
        Shape (n_drawn,); a column is 1 wide, neurons of the widest level are 1 apart.
    height
        Of the tallest column, from its lowest to its highest neuron.
    n_columns
        Columns, gaps included.
    sizes
        For each column drawn its place x and how many neurons its level has.
    gaps
        What is folded away.
    """

    ids: Integers
    column: Integers
    x: Reals
    y: Reals
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
    source, sink
        Rows of the layout, shape (n_drawn,).
    weights
        Shape (n_drawn,).
    n_between
        Edges between neurons that are drawn.
    n_edges
        Edges in all.
    """

    source: Integers
    sink: Integers
    weights: Reals
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


def counted(n: int, what: str) -> str:
    """``1 edge``, ``2,000 edges``."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def lay_out(graph: "Graph") -> Layout:
    """Places for the neurons of a graph, level by level, by id from top to bottom."""
    plan = graph.plan()
    starts = np.searchsorted(plan.levels[plan.order], np.arange(plan.n_levels + 1))
    members = [plan.order[a:b] for a, b in pairwise(starts)]
    levels, n_columns, gaps = _fold_levels(members)
    tallest = max((min(len(level), MOST_NEURONS) for _, level in levels), default=1)
    ids, column, heights = [], [], []
    for x, level in levels:
        shown, slots, gap = _fold_neurons(level, x, tallest)
        ids.append(shown)
        heights.append(slots)
        column.append(np.full(len(shown), x))
        gaps += gap
    y = np.concatenate([np.empty(0), *heights])
    columns = np.concatenate([np.empty(0, np.int64), *column])
    return Layout(
        np.concatenate([np.empty(0, np.int64), *ids]),
        columns,
        columns.astype(np.float64),
        y,
        float(np.ptp(y)) if y.size else 0.0,
        n_columns,
        tuple((x, len(level)) for x, level in levels),
        tuple(gaps),
    )


def _fold_levels(members: list[NDArray[Any]]) -> tuple[list[tuple[int, NDArray[Any]]], int, list[Gap]]:
    """Levels to draw with their columns, and the gap in their middle if there are too many."""
    n = len(members)
    if n <= MOST_LEVELS:
        return list(enumerate(members)), n, []
    first, last = MOST_LEVELS // 2, MOST_LEVELS - MOST_LEVELS // 2 - 1
    hidden = members[first : n - last]
    n_hidden = sum(map(len, hidden))
    gap = Gap(first, 0.0, n_hidden, len(hidden))
    behind = [(first + 1 + k, level) for k, level in enumerate(members[n - last :])]
    return [*enumerate(members[:first]), *behind], MOST_LEVELS, [gap]


def _fold_neurons(level: NDArray[Any], x: int, tallest: int) -> tuple[Integers, Reals, list[Gap]]:
    """Neurons of one level to draw, their heights, and the gap in their middle if there are too many."""
    n_slots = min(len(level), MOST_NEURONS)
    apart = min(_SPREAD, (tallest - 1) / max(n_slots - 1, 1)) if tallest > 1 else 1.0
    y = ((n_slots - 1) / 2 - np.arange(n_slots, dtype=np.float64)) * apart
    if len(level) <= MOST_NEURONS:
        return level.astype(np.int64), y, []
    first = MOST_NEURONS // 2
    last = MOST_NEURONS - first - 1
    shown = np.concatenate([level[:first], level[len(level) - last :]]).astype(np.int64)
    gap = Gap(x, float(y[first]), len(level) - len(shown))
    return shown, np.delete(y, first), [gap]


def choose_edges(graph: "Graph", weights: NDArray[np.floating], layout: Layout) -> Edges:
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
