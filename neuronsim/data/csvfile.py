"""CSV files of numbers, read strictly: whatever is no number is refused with its line and column."""

from __future__ import annotations

import csv
import os
import re
from array import array
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.checked import file_path
from neuronsim.basics.words import counted
from neuronsim.data.dataset import Dataset, most_classes
from neuronsim.errors import FileError, SettingError, UnknownNameError, suggest

_DELIMITERS = ",;\t|: "
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")


class _Wanted(NamedTuple):
    """Which columns are asked for, by name or position; features None: all others."""

    targets: Sequence[str | int]
    features: Sequence[str | int] | None
    classes: bool


class _Table(NamedTuple):
    names: tuple[str, ...]
    values: NDArray[np.float64]  # (n_rows, n_columns)
    lines: list[int]  # the line of the file that each row ends on
    classes: list[str]  # what stands in the column of classes, if one was asked for; its values are 0


def read_csv(
    path: str | os.PathLike[str],
    targets: Sequence[str | int] | str | int = (),
    *,
    features: Sequence[str | int] | str | int | None = None,
    header: bool | None = None,
    delimiter: str = ",",
    classes: bool = False,
) -> Dataset:
    """Samples and targets from a CSV file of numbers.

    Parameters
    ----------
    path : str or path
        The file, in UTF-8.
    targets : str, int or sequence of them
        The columns that become T, by name, or by position from 0 (negative from the end).
    features : str, int, sequence of them or None
        The columns that become X, in this order; None: all others. What stands in columns that are neither is not
        looked at.
    header : bool or None
        Whether the first line holds names. None: it does where none of its cells is a number. Without a
        header columns are called ``c0``, ``c1``, ….
    delimiter : str
        The character between cells.
    classes : bool
        Whether the one target column holds classes: numbers 0, 1, …, or names, which get numbers in alphabetical
        order. Then T is (n_samples,), and ``.classes`` are the names.

    Returns
    -------
    Dataset
        ``X, T = read_csv(...)`` takes the arrays out; ``.features`` and ``.targets`` are the columns' names.

    Raises
    ------
    FileError
        The file is missing or unreadable, a line is too short or too long, a cell is blank
        or no finite number.
    UnknownNameError
        A target or a feature is no column of the file.
    """
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter not in _DELIMITERS:
        allowed = ", ".join(map(repr, _DELIMITERS))
        raise SettingError(f"a delimiter is one of {allowed}, not {delimiter!r}")
    targets = [targets] if isinstance(targets, str | int) else targets
    if classes and len(targets) != 1:
        raise SettingError(f"classes=True takes one target column, not {len(targets)}")
    features = [features] if isinstance(features, str | int) else features
    wanted = _Wanted(targets, features, classes)
    table = _read_table(file_path(path), header, delimiter, wanted)
    chosen, others = _chosen(path, table.names, wanted)
    T: NDArray[np.float64] | NDArray[np.int32] = table.values[:, chosen]
    labels: tuple[str, ...] = ()
    if classes:
        T, labels = _classes(path, table, table.names[chosen[0]])
    return Dataset(
        X=np.ascontiguousarray(table.values[:, others]),
        T=np.ascontiguousarray(T),
        features=tuple(table.names[k] for k in others),
        targets=tuple(table.names[k] for k in chosen),
        classes=labels,
        name=Path(path).stem,
        description=f"read from {Path(path).name}",
    )


def _chosen(path: str | os.PathLike[str], names: tuple[str, ...], wanted: _Wanted) -> tuple[list[int], list[int]]:
    """The positions of the targets and of the features."""
    chosen = _positions(path, names, wanted.targets)
    if wanted.features is None:
        others = [k for k in range(len(names)) if k not in chosen]
        if not others:
            raise SettingError(f"all columns of {path} are targets; leave at least one for X")
        return chosen, others
    others = _positions(path, names, wanted.features, "features")
    both = [names[k] for k in others if k in chosen]
    if both or not others:
        why = f"column {both[0]!r} is a target, too" if both else "they are none"
        raise SettingError(f"features of {path}: {why}; name the columns that become X")
    return chosen, others


def _positions(
    path: str | os.PathLike[str], names: tuple[str, ...], columns: Sequence[str | int], what: str = "targets"
) -> list[int]:
    found: list[int] = []
    for target in columns:
        if isinstance(target, str) and target in names:
            position = names.index(target)
        elif isinstance(target, int) and -len(names) <= target < len(names):
            position = target % len(names)
        else:
            near = suggest(target, names) if isinstance(target, str) else ""
            raise UnknownNameError(f"no column {target!r} in {path}{near or ';'} columns: {', '.join(names)}")
        if position in found:
            raise SettingError(f"column {names[position]!r} is named twice among the {what}; once is enough")
        found.append(position)
    return found


def _classes(path: str | os.PathLike[str], table: _Table, column: str) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """The number of each row's class, and the classes' names."""
    numbers = [_number(text) for text in table.classes]
    if all(number is None for number in numbers):
        names, inverse = np.unique(table.classes, return_inverse=True)
        return np.asarray(inverse, np.int32), tuple(names.tolist())
    most = most_classes(len(numbers))
    for row, number in enumerate(numbers):
        if number is None or not (0 <= number < most and number == int(number)):
            raise FileError(
                f"{path}, line {table.lines[row]}, column {column!r}: class numbers are whole ones from 0, of "
                f"{counted(len(numbers), 'sample')} below {most:,}, not {table.classes[row]!r}; number them from 0 on, "
                "or give all of them names"
            )
    T = np.asarray(numbers, np.float64).astype(np.int32)
    return T, tuple(str(k) for k in range(int(T.max()) + 1))


def _read_table(path: Path, header: bool | None, delimiter: str, wanted: _Wanted) -> _Table:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _parse(path, file, header, delimiter, wanted)
    except FileNotFoundError:
        raise FileError(f"there is no file {path}; check the path and the directory") from None
    except OSError as problem:
        raise FileError(f"{path} cannot be read: {problem.strerror}") from None
    except UnicodeDecodeError as problem:
        raise FileError(f"{path} is not UTF-8 text: {problem.reason} at byte {problem.start}") from None


def _parse(path: Path, file: TextIO, header: bool | None, delimiter: str, wanted: _Wanted) -> _Table:
    rows = _rows(path, file, delimiter)
    line, first = next(rows, (0, []))
    if not first:
        raise FileError(f"{path} is empty; it needs at least one line of numbers")
    named = _is_header(path, line, first) if header is None else header
    names = _names(path, line, first) if named else tuple(f"c{k}" for k in range(len(first)))
    values = array("d")
    lines: list[int] = []
    chosen, others = _chosen(path, names, wanted)
    labelled, labels = chosen if wanted.classes else [], list[str]()
    ignored = [k for k in range(len(names)) if k not in chosen and k not in others]
    of_numbers = rows if named else chain([(line, first)], rows)
    for line, cells in of_numbers:
        if len(cells) != len(names):
            raise FileError(
                f"{path}, line {line}: {counted(len(cells), 'cell')}, the file has {counted(len(names), 'column')}"
            )
        for k in ignored:
            cells[k] = "0"
        for k in labelled:
            labels.append(cells[k].strip())
            cells[k] = "0" if labels[-1] else ""
        for k, cell in enumerate(cells):
            number = _number(cell)
            if number is None or not -np.inf < number < np.inf:
                what = f"{cell!r} is no finite number" if cell.strip() else "is blank"
                advice = _advice(cell, wanted, is_target=k in chosen, is_first=not lines)
                raise FileError(f"{path}, line {line}, column {names[k]!r}: {what}; {advice}")
            values.append(number)
        lines.append(line)
    if not lines:
        raise FileError(f"{path} holds names ({', '.join(names)}) but no line of numbers")
    return _Table(names, np.array(values).reshape(len(lines), len(names)), lines, labels)


def _rows(path: Path, file: TextIO, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Each line's number and cells; empty lines are passed over."""
    reader = csv.reader(file, delimiter=delimiter, strict=True, skipinitialspace=True)
    try:
        for cells in reader:
            if len(cells) > 1 or "".join(cells).strip():
                yield reader.line_num, cells
    except csv.Error as problem:
        raise FileError(f"{path}, line {reader.line_num}: {problem}") from None


def _is_header(path: Path, line: int, cells: list[str]) -> bool:
    numeric = [_number(cell) is not None for cell in cells]
    if all(numeric):
        return False
    if not any(numeric):
        return True
    odd = numeric.index(not numeric[0])
    raise FileError(
        f"{path}, line {line}: {cells[0]!r} and {cells[odd]!r}, is this a line of names or of numbers? "
        "say header=True or header=False (in a shell: --header yes or --header no)"
    )


def _names(path: Path, line: int, cells: list[str]) -> tuple[str, ...]:
    names = tuple(cell.strip() for cell in cells)
    for k, name in enumerate(names):
        if not name:
            raise FileError(f"{path}, line {line}: column {k} has no name")
        if name in names[:k]:
            raise FileError(f"{path}, line {line}: two columns are called {name!r}; names have to differ")
    other = next((d for d in _DELIMITERS[:4] if d in names[0]), None) if len(names) == 1 else None
    if other:
        raise FileError(f"{path}, line {line}: one column, {names[0]!r}; perhaps say delimiter={other!r}")
    return names


def _advice(cell: str, wanted: _Wanted, *, is_target: bool, is_first: bool) -> str:
    """What to do about a cell that is no finite number: where words stand from the first row on, a column has words."""
    if _DECIMAL_COMMA.fullmatch(cell.strip()):
        return f"a number is written with a point: {cell.strip().replace(',', '.')}"
    if cell.strip() and is_first and _number(cell) is None:
        if is_target:
            return "a target column of names needs classes=True (in a shell: --classes)"
        if wanted.features is None:
            return (
                "features= (in a shell: --features) takes the columns of numbers alone; a column of class names can "
                "be the target, with classes=True (--classes)"
            )
    return ("correct it" if cell.strip() else "fill it in") + ", or leave the line out"


def _number(cell: str) -> float | None:
    """The number that a cell holds, or None. Python's 1_000 is no number in a file of data."""
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None
