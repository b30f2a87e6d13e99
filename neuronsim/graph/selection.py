"""Which neurons and edges are meant: by name, id, glob, or lists, arrays and pairs of those."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.arrays import Integers, Marks
from neuronsim.basics.checked import is_whole
from neuronsim.errors import SettingError, UnknownNameError, WiringError, suggest
from neuronsim.graph.names import NameList, Names, is_pattern

Selection = str | int | np.integer | NDArray[Any] | Iterable[Any]
"""Neurons: a name, an id, a glob, or any list or array of those."""


def is_one(selection: object) -> bool:
    """Whether a selection can only mean one neuron."""
    if isinstance(selection, str):
        return not is_pattern(selection)
    return not isinstance(selection, Iterable)


def listed_names(names: Iterable[str | Iterable[str]]) -> list[str]:
    """Names from names and lists of them."""
    listed: list[str] = []
    for given in names:
        if not isinstance(given, Iterable):
            raise WiringError(f"a name is a str, not {given!r} ({type(given).__name__})")
        listed += [given] if isinstance(given, str) else given
    return listed


def edge_pairs(edges: Iterable[Any]) -> list[Any]:
    """Pairs (source, sink) from a list of them, an array (n, 2), or one pair alone; or triples with a delay."""
    if isinstance(edges, tuple) and _is_edge(edges) and not any(isinstance(end, (tuple, list)) for end in edges):
        return [edges]
    pairs = [edges] if isinstance(edges, str) or not isinstance(edges, Iterable) else list(edges)
    for pair in pairs:
        if isinstance(pair, str) or not isinstance(pair, (Sequence, np.ndarray)) or not _is_edge(pair):
            raise SettingError(f"an edge is a pair (source, sink), or (source, sink, delay), not {pair!r}")
    return pairs


def _is_edge(given: Sequence[Any] | NDArray[Any]) -> bool:
    """Whether these are two ends, or two and a delay."""
    return len(given) == 2 or (len(given) == 3 and is_whole(given[2]))


@dataclass(eq=False)
class Rows:
    """The rows of a graph: what their neurons are called, which are inputs and outputs, and which are gone.

    A *row* is a neuron's place counted with those removed since the last merge; ids never count them.

    Attributes
    ----------
    names : Names
        By row.
    inputs : dict with keys of int
    outputs : list of int
        Rows, in the order of the columns of X and Y.
    removed : list of int
        Rows that are gone at the next merge, ascending.
    """

    names: Names
    inputs: dict[int, None]
    outputs: list[int]
    removed: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.names) - len(self.removed)

    def copy(self) -> "Rows":
        """An independent copy."""
        return Rows(self.names.copy(), self.inputs.copy(), self.outputs.copy(), self.removed.copy())

    def are_inputs(self) -> Marks:
        """Which rows are inputs."""
        marks = np.zeros(len(self.names), np.bool_)
        marks[list(self.inputs)] = True
        return marks

    # ── finding ──

    def of_id(self, neuron: int) -> int:
        """The row of the neuron with an id."""
        if not 0 <= neuron < len(self):
            span = f"ids go from 0 to {len(self) - 1}" if len(self) else "the network has no neurons yet"
            raise UnknownNameError(f"no neuron with id {neuron}; {span}")
        gone = self.removed
        return neuron + bisect_right(range(len(gone)), neuron, key=lambda k: gone[k] - k) if gone else neuron

    def named(self, name: str) -> int | None:
        """The row of the neuron with a name, or None."""
        row = self.names.row(name)
        return None if row is None or self._is_gone(row) else row

    def one(self, neuron: object) -> int:
        """The row of one neuron, given by name or id."""
        if isinstance(neuron, str):
            row = self.named(neuron)
            if row is not None:
                return row
            if is_pattern(neuron):
                raise UnknownNameError(f"{neuron!r} is a pattern, and one neuron is meant here: give its name or id")
            there = NameList(self.names, np.flatnonzero(self.alive()))
            others = f"; neurons: {there}" if there else "; there are none yet"
            raise UnknownNameError(f"no neuron {neuron!r}{suggest(neuron, there) or others}")
        if is_whole(neuron):
            return self.of_id(int(neuron))
        kind = type(neuron).__name__
        raise UnknownNameError(f"a neuron is given by its name (str) or id (int), not by {neuron!r} ({kind})")

    def chosen(self, selection: Selection) -> Integers:
        """The rows of the neurons meant, in the order given; a glob's ascending."""
        if isinstance(selection, np.ndarray) and selection.dtype.kind in "iu":
            return self._of_ids(selection.reshape(-1))
        if isinstance(selection, np.ndarray):
            selection = selection.reshape(-1).tolist()
        if isinstance(selection, (str, np.generic)) or not isinstance(selection, Iterable):
            return self._of_item(selection)
        items = list(selection)
        if len(items) > 1 and all(type(item) is int for item in items):
            return self._of_ids(np.array(items))
        return np.concatenate([np.empty(0, np.int64), *map(self._of_item, items)])

    def pairs(self, sources: Selection, sinks: Selection) -> tuple[Integers, Integers, bool]:
        """Rows of both ends: a glob means each with each (True); lists go in step, one neuron with a whole list."""
        crossed = any(isinstance(end, str) and is_pattern(end) for end in (sources, sinks))
        ends = [self.chosen(end)[0] if is_one(end) else self.chosen(end) for end in (sources, sinks)]
        if crossed:
            froms, tos = (np.atleast_1d(end) for end in ends)
            return np.tile(froms, len(tos)), np.repeat(tos, len(froms)), True
        try:
            froms, tos = np.broadcast_arrays(*ends)
        except ValueError:
            raise WiringError(
                f"{len(ends[0])} sources and {len(ends[1])} sinks do not pair up; give as many of one as "
                "of the other, or one neuron, or a pattern for each with each"
            ) from None
        return np.atleast_1d(froms), np.atleast_1d(tos), False

    def _of_item(self, item: object) -> Integers:
        """The rows of a name, an id or a glob."""
        if isinstance(item, str) and is_pattern(item):
            return self._matching(item)
        return np.array([self.one(item)], np.int64)

    def _of_ids(self, neurons: NDArray[np.integer]) -> Integers:
        if not len(neurons):
            return np.empty(0, np.int64)
        for extreme in (neurons.min(), neurons.max()):
            self.of_id(int(extreme))
        rows: Integers = neurons.astype(np.int64)
        if self.removed:
            gone = np.array(self.removed)
            rows += np.searchsorted(gone - np.arange(len(gone)), rows, side="right")
        return rows

    def _matching(self, pattern: str) -> Integers:
        rows = self.names.match(pattern)
        if self.removed:
            rows = rows[~np.isin(rows, self.removed)]
        if not len(rows):
            literal = "".join(c for c in pattern if c not in "*?[]")
            raise UnknownNameError(f"no neuron matches {pattern!r}{suggest(literal, self.names)}")
        return rows

    def _is_gone(self, row: int) -> bool:
        at = bisect_left(self.removed, row)
        return at < len(self.removed) and self.removed[at] == row

    # ── removing ──

    def remove(self, rows: Iterable[int]) -> None:
        """Count rows as gone, as inputs and outputs too."""
        gone = set(rows)
        if len(gone) > len(self.removed):
            self.removed = sorted([*self.removed, *gone])
        else:
            for row in gone:
                insort(self.removed, row)
        self.inputs = dict.fromkeys(row for row in self.inputs if row not in gone)
        self.outputs = [row for row in self.outputs if row not in gone]

    def alive(self) -> Marks:
        """Which rows are not gone."""
        alive = np.ones(len(self.names), np.bool_)
        alive[self.removed] = False
        return alive

    def close_up(self) -> None:
        """Let rows that are gone go: those after them move up."""
        if self.removed:
            alive = self.alive()
            new_row = np.cumsum(alive) - 1
            self.names.keep(alive)
            self.inputs = dict.fromkeys(new_row[list(self.inputs)].tolist())
            self.outputs = new_row[self.outputs].tolist()
            self.removed = []
