"""Names of neurons: kept where a person gave them, made when asked for where a wiring did.

A ready-made wiring of a million neurons stores a handful of *series* ("h1." followed by 0, 1, 2, …), so that
looking ``h1.17`` up is arithmetic. Rows move when a neuron is removed, names do not: every name belongs to a
*label*, a number that a neuron keeps for life.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.arrays import Integers
from neuronsim.errors import WiringError

_WILDCARDS = frozenset("*?[]")
NUMBERED = re.compile(r"(.*?)(0|[1-9][0-9]{0,17})", re.DOTALL)
"""A name that ends in a number: its prefix, and the number without leading zeros."""


def is_pattern(text: str) -> bool:
    """Whether ``text`` is a glob such as ``"h1.*"`` rather than a name."""
    return not _WILDCARDS.isdisjoint(text)


def valid_name(name: object) -> str:
    """``name`` itself if a neuron may be called so.

    Raises
    ------
    WiringError
        For anything but a non-empty str without ``* ? [ ]``.
    """
    if not isinstance(name, str):
        raise WiringError(f"a name is a str, not {name!r} ({type(name).__name__})")
    if not name:
        raise WiringError("a name must not be empty")
    if is_pattern(name):
        raise WiringError(f"the name {name!r} holds one of * ? [ ], which are kept for patterns")
    if any("\ud800" <= character <= "\udfff" for character in name):
        raise WiringError(f"the name {name!r} holds half of a surrogate pair, which no file can keep")
    return str(name)


@dataclass(eq=False)
class Series:
    """Names ``prefix0, prefix1, …`` of consecutive labels, or of the labels listed in ``members``."""

    prefix: str
    first: int
    count: int
    members: Integers | None = None

    def labels(self, numbers: Any) -> Any:
        """The labels of the names ``prefix<number>``, of one number or an array."""
        return self.first + numbers if self.members is None else self.members[numbers]

    @cached_property
    def _by_label(self) -> tuple[Integers, Integers]:
        """The labels, ascending, and the number of each."""
        labels = self.labels(np.arange(self.count))
        numbers = np.argsort(labels, kind="stable")
        return labels[numbers], numbers

    def number(self, label: int) -> int | None:
        """The number after the prefix in the name of ``label``, if this series names it."""
        labels, numbers = self._by_label
        at = int(np.searchsorted(labels, label))
        return int(numbers[at]) if at < self.count and labels[at] == label else None


class Names:
    """The names of all rows of a graph, in both directions.

    ``len(names)`` is the number of rows. Rows that the graph has marked as removed still answer here until
    ``keep`` is called.
    """

    def __init__(self) -> None:
        self._label_of: dict[str, int] = {}
        self._name_of: dict[int, str] = {}
        self._listed: list[Series] = []
        self._consecutive: list[Series] = []
        self._by_prefix: dict[str, list[Series]] = {}
        # Rows below len(_kept) have the labels listed there, later ones follow on.
        self._kept: Integers = np.empty(0, np.int64)
        self._shift = 0
        self._n_rows = 0

    def __len__(self) -> int:
        return self._n_rows

    def __iter__(self) -> Iterator[str]:
        return (self.name(row) for row in range(self._n_rows))

    def copy(self) -> "Names":
        """An independent copy; series never change and are shared."""
        other = Names()
        other.__dict__.update(self.__dict__)
        other._label_of, other._name_of = self._label_of.copy(), self._name_of.copy()
        other._listed, other._consecutive = self._listed.copy(), self._consecutive.copy()
        other._by_prefix = {prefix: series.copy() for prefix, series in self._by_prefix.items()}
        return other

    def append(self, name: str) -> int:
        """Name the next row; the caller has checked that the name is valid and free."""
        row = self._n_rows
        label = row + self._shift
        self._label_of[name] = label
        self._name_of[label] = name
        self._n_rows += 1
        return row

    def append_series(self, prefix: str, count: int) -> None:
        """Name the next ``count`` rows ``prefix0, prefix1, …``."""
        self._store(Series(prefix, self._n_rows + self._shift, count))
        self._n_rows += count

    def rename_series(self, prefix: str, rows: Integers) -> None:
        """Call rows that a consecutive series has named ``prefix0, prefix1, …`` instead, in the order given."""
        if len(rows):
            labels = np.asarray([self._label(int(row)) for row in rows], np.int64)
            self._store(Series(prefix, 0, len(labels), labels))

    def _store(self, series: Series) -> None:
        (self._consecutive if series.members is None else self._listed).append(series)
        self._by_prefix.setdefault(series.prefix, []).append(series)

    def _label(self, row: int) -> int:
        return int(self._kept[row]) if row < len(self._kept) else row + self._shift

    def _row(self, label: int) -> int | None:
        if label >= len(self._kept) + self._shift:
            return label - self._shift
        row = bisect_left(self._kept, label)
        return row if row < len(self._kept) and self._kept[row] == label else None

    def name(self, row: int) -> str:
        """The name of a row."""
        label = self._label(row)
        given = self._name_of.get(label)
        return given if given is not None else self._made(label)

    def _made(self, label: int) -> str:
        for series in self._listed:
            number = series.number(label)
            if number is not None:
                return f"{series.prefix}{number}"
        series = self._consecutive[bisect_right(self._consecutive, label, key=lambda r: r.first) - 1]
        return f"{series.prefix}{label - series.first}"

    def row(self, name: str) -> int | None:
        """The row called ``name``, or None."""
        label = self._label_of.get(name)
        if label is not None:
            return self._row(label)
        match = NUMBERED.fullmatch(name)
        if match is None:
            return None
        number = int(match[2])
        for series in self._by_prefix.get(match[1], ()):
            if number < series.count:
                row = self._row(int(series.labels(number)))
                if row is not None and self.name(row) == name:
                    return row
        return None

    def match(self, pattern: str) -> Integers:
        """The rows whose names match a glob, ascending."""
        literal = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
        matches = re.compile(translate(pattern)).match
        rows = [self._row(label) for name, label in self._label_of.items() if matches(name)]
        found = [np.array([row for row in rows if row is not None], np.int64)]
        for series in (*self._listed, *self._consecutive):
            if not (series.prefix.startswith(literal) or literal.startswith(series.prefix)):
                continue
            if pattern == literal + "*" and series.prefix.startswith(literal):
                numbers = np.arange(series.count)
            else:
                numbers = np.array([i for i in range(series.count) if matches(f"{series.prefix}{i}")], np.int64)
            labels = series.labels(numbers)
            if series.members is None:
                for renamed in self._listed:
                    labels = np.setdiff1d(labels, renamed.labels(np.arange(renamed.count)))
            found.append(self._rows(labels))
        return np.unique(np.concatenate(found))

    def _rows(self, labels: Integers) -> Integers:
        """The rows of labels, without those that are gone."""
        later = labels >= len(self._kept) + self._shift
        there = labels[np.isin(labels, self._kept)]
        return np.concatenate([np.searchsorted(self._kept, there), labels[later] - self._shift])

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Drop the rows where ``kept``, shape (n_rows,), is False; those after them move up."""
        labels = np.concatenate([self._kept, np.arange(len(self._kept), self._n_rows) + self._shift])
        next_label = self._n_rows + self._shift
        for label in labels[~kept].tolist():
            name = self._name_of.pop(label, None)
            if name is not None and self._label_of.get(name) == label:
                del self._label_of[name]
        self._kept = labels[kept]
        self._n_rows = len(self._kept)
        self._shift = next_label - self._n_rows


class NameList(Sequence[str]):
    """The names of some rows, made one by one when looked at."""

    #: So many names at most a notebook offers after ``net["``.
    MOST_OFFERED = 100_000

    def __init__(self, names: Names, rows: Sequence[int] | NDArray[np.integer]) -> None:
        self._names = names
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> "NameList": ...
    def __getitem__(self, at: int | slice) -> "str | NameList":
        if isinstance(at, slice):
            return NameList(self._names, self._rows[at])
        return self._names.name(int(self._rows[at]))

    def __str__(self) -> str:
        """``i1, i2``; long lists as ``x0, x1, …, x783``."""
        if len(self) <= 8:
            return ", ".join(self)
        return f"{self[0]}, {self[1]}, …, {self[-1]}"
