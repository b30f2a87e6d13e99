"""Names of neurons in a file: series of numbered names as one entry each, so that a million stays small."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import numpy as np

from neuronsim.errors import FileError, WiringError
from neuronsim.graph.names import NUMBERED, Names, valid_name

NameEntry = str | tuple[str, int, int]
"""One name; or a series of names as prefix, first number and how many."""

# Shorter series of numbered names are written out.
_SHORTEST = 8


def short_names(names: Iterable[str]) -> Iterator[NameEntry]:
    """Yield names in order, series such as h1.0, h1.1, … made one entry each."""

    def series_of(numbered: tuple[int, str]) -> tuple[str, int | None]:
        row, name = numbered
        match = NUMBERED.fullmatch(name)
        return (match[1], row - int(match[2])) if match else (name, None)

    for (prefix, offset), members in groupby(enumerate(names), series_of):
        listed = list(members)
        if offset is None or len(listed) < _SHORTEST:
            yield from (name for _, name in listed)
        else:
            yield prefix, listed[0][0] - offset, len(listed)


def named(entries: Sequence[NameEntry], n: int) -> Names:
    """The names of n neurons, series kept as series, from what ``short_names`` gave.

    Raises
    ------
    FileError
        They are not n, or a name is not allowed or there twice.
    """
    _check(entries, n)
    names = Names()
    kept: list[tuple[bool, int]] = []  # stretches of rows that stay or go
    room = 1000 + 2 * n
    for entry in entries:
        if isinstance(entry, tuple) and entry[1] <= room:
            # A series counts from 0: the names before its first are made as well, and dropped at the end.
            prefix, first, count = entry
            names.append_series(prefix, first + count)
            kept += [(False, first), (True, count)]
            room -= first
            continue
        for name in _written_out(entry):
            names.append(name)
            kept.append((True, 1))
    if len(names) > n:
        names.keep(np.repeat([stay for stay, _ in kept], [length for _, length in kept]))
    return names


def _written_out(entry: NameEntry) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    else:
        prefix, first, count = entry
        yield from (f"{prefix}{number}" for number in range(first, first + count))


def _check(entries: Sequence[NameEntry], n: int) -> None:
    single = [entry for entry in entries if isinstance(entry, str)]
    series = [entry for entry in entries if not isinstance(entry, str)]
    if any(first < 0 or count < 0 for _, first, count in series):
        raise FileError("a run of names has a negative number")
    n_names = len(single) + sum(count for _, _, count in series)
    if n_names != n:
        raise FileError(f"there are {n_names} names for {n} neurons")
    try:
        for name in [*single, *(f"{prefix}{first}" for prefix, first, _ in series)]:
            valid_name(name)
    except WiringError as problem:
        raise FileError(str(problem)) from None
    _check_distinct(single, series)


def _check_distinct(single: Sequence[str], series: Sequence[tuple[str, int, int]]) -> None:
    seen: set[str] = set()
    by_prefix: dict[str, list[tuple[int, int]]] = {}
    for prefix, first, count in sorted(series):
        spans = by_prefix.setdefault(prefix, [])
        if spans and first < spans[-1][1]:
            raise FileError(f"the name '{prefix}{first}' is there twice")
        spans.append((first, first + count))
    for name in single:
        match = NUMBERED.fullmatch(name)
        spans = by_prefix.get(match[1], []) if match else []
        if name in seen or (match and any(first <= int(match[2]) < end for first, end in spans)):
            raise FileError(f"the name {name!r} is there twice")
        seen.add(name)
