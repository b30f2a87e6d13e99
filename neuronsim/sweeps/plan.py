"""A sweep's runs, from the ``[sweep]`` table of an experiment file: a product of lists and ranges, or draws from it."""

import copy
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuronsim.basics.checked import is_real, is_whole, whole
from neuronsim.errors import SettingError, suggest

#: Drawn and spaced values are rounded to so many significant digits, so that every machine has the same ones.
DIGITS = 6

_RANGES = ("log", "linear", "range")
_OWN_KEYS = ("together", "random", "halving", "optuna")
_HOW = (
    "a list of values, { range = 16 }, { range = [10, 20] }, { log = [1e-4, 1.0], n = 9 } or "
    "{ linear = [0.0, 1.0], n = 5 }"
)


@dataclass(frozen=True)
class Axis:
    """One swept key and its values, or the range that they are drawn from.

    Attributes
    ----------
    key : str
        As ``--set`` has it: "training.learning_rate".
    values : tuple
        In order.
    kind : {"list", "log", "linear"}
        How a random sweep draws: one of the values, or any number between the first and the last.
    """

    key: str
    values: tuple[Any, ...]
    kind: str = "list"

    def draw(self, rng: np.random.Generator) -> Any:
        """One value at random."""
        if self.kind == "list":
            return self.values[int(rng.integers(len(self.values)))]
        low, high = self.values[0], self.values[-1]
        if self.kind == "log":
            return rounded(float(np.exp(rng.uniform(np.log(low), np.log(high)))))
        return rounded(float(rng.uniform(low, high)))


def rounded(value: float) -> float:
    """A number with `DIGITS` significant digits."""
    return float(f"{value:.{DIGITS}g}")


def combinations(table: object) -> list[dict[str, Any]]:
    """The values of every run by key, in the order of the plan.

    Parameters
    ----------
    table : dict
        ``[sweep]``: keys with lists or ranges; ``together``, lists of keys that move in step; ``random``,
        ``{ n, seed }``, to draw that many runs instead of the whole product.

    Raises
    ------
    SettingError
        It names the key and what may stand there.
    """
    groups = groups_of(table)
    if not isinstance(table, dict) or "random" not in table:
        rows = itertools.product(*(range(len(group[0].values)) for group in groups))
        return [
            {axis.key: axis.values[k] for group, k in zip(groups, row, strict=True) for axis in group} for row in rows
        ]
    return _drawn(groups, table["random"])


def groups_of(table: object) -> list[list[Axis]]:
    """The axes of ``[sweep]``: those that move in step side by side, the others alone."""
    if not isinstance(table, dict):
        raise SettingError(f"sweep is {table!r}; it must be a table: [sweep]")
    axes = [_axis(key, given) for key, given in _flat({k: v for k, v in table.items() if k not in _OWN_KEYS})]
    if not axes:
        raise SettingError(f'[sweep] names no key; write one as in "training.learning_rate" = [0.01, 0.1]: {_HOW}')
    return _grouped(axes, table.get("together", []))


def with_values(settings: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of one run: those of the file without ``[sweep]``, and its values put in."""
    own = copy.deepcopy({key: value for key, value in settings.items() if key != "sweep"})
    for key, value in values.items():
        *tables, last = key.split(".")
        table = own
        for name in tables:
            table = table.setdefault(name, {})
            if not isinstance(table, dict):
                raise SettingError(f"[sweep] has {key!r}, and {name} is no table")
        table[last] = value
    return own


def _flat(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Keys with dots: TOML reads ``training.epochs = […]`` without quotes as a table in a table."""
    for key, given in table.items():
        if isinstance(given, dict) and given and not any(word in given for word in (*_RANGES, "n")):
            yield from _flat(given, f"{before}{key}.")
        else:
            yield f"{before}{key}", given


def _axis(key: str, given: Any) -> Axis:
    if isinstance(given, list):
        if not given:
            raise SettingError(f"sweep.{key} is an empty list; give {_HOW}")
        return Axis(key, tuple(given))
    if not isinstance(given, dict):
        raise SettingError(f"sweep.{key} is {given!r}; it must be {_HOW}")
    kind = next((word for word in _RANGES if word in given), None)
    unknown = [word for word in given if word not in (*_RANGES, "n")]
    if kind is None or unknown or len(set(given) - {"n"}) != 1:
        near = suggest(unknown[0], _RANGES) if unknown else ""
        raise SettingError(f"sweep.{key} is {given!r}{near or ';'} it must be {_HOW}")
    if kind == "range":
        return Axis(key, _whole_numbers(key, given["range"]))
    ends = given[kind]
    if not (isinstance(ends, list) and len(ends) == 2 and all(map(is_real, ends))):
        raise SettingError(f"sweep.{key}: {kind} = {ends!r} must be two numbers, the first and the last")
    if kind == "log" and min(ends) <= 0:
        raise SettingError(f"sweep.{key}: log = {ends!r} must be two numbers above 0")
    n = whole(f"sweep.{key}.n", given.get("n", 2), 1)
    first, last = float(ends[0]), float(ends[1])
    spaced = np.geomspace(first, last, n) if kind == "log" else np.linspace(first, last, n)
    return Axis(key, tuple(rounded(value) for value in spaced.tolist()), kind)


def _whole_numbers(key: str, given: Any) -> tuple[int, ...]:
    """``16`` is 0 … 15, ``[10, 20]`` is 10 … 19."""
    ends = [0, given] if is_whole(given) else given
    if not (isinstance(ends, list) and len(ends) == 2 and all(map(is_whole, ends)) and ends[0] < ends[1]):
        needed = "must be a whole number above 0, or two, the first below the other"
        raise SettingError(f"sweep.{key}: range = {given!r} {needed}")
    return tuple(range(*ends))


def _grouped(axes: list[Axis], together: Any) -> list[list[Axis]]:
    """Axes that move in step side by side, the others alone, in the order of the file."""
    by_key = {axis.key: axis for axis in axes}
    lists = together if isinstance(together, list) and all(isinstance(part, list) for part in together) else None
    if lists is None:
        raise SettingError(f'sweep.together is {together!r}; it must be lists of keys, [["a.b", "c.d"]]')
    group_of: dict[str, list[str]] = {}
    for part in lists:
        for key in part:
            if key not in by_key:
                near = suggest(str(key), by_key) or ";"
                raise SettingError(f"sweep.together names {key!r}{near} keys: {', '.join(by_key)}")
            if key in group_of:
                raise SettingError(f"sweep.together names {key!r} twice")
            group_of[key] = part
        lengths = {key: len(by_key[key].values) for key in part}
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"{key} has {n}" for key, n in lengths.items())
            raise SettingError(f"sweep.together: keys that move in step have as many values each; {shown}")
    groups, done = [], set[str]()
    for axis in axes:
        if axis.key not in done:
            members = group_of.get(axis.key, [axis.key])
            groups.append([by_key[key] for key in members])
            done.update(members)
    return groups


def _drawn(groups: list[list[Axis]], given: Any) -> list[dict[str, Any]]:
    if not isinstance(given, dict) or not set(given) <= {"n", "seed"} or "n" not in given:
        raise SettingError(f"sweep.random is {given!r}; it must be a table: {{ n = 200, seed = 0 }}")
    n, seed = whole("sweep.random.n", given["n"], 1), whole("sweep.random.seed", given.get("seed", 0), 0)
    rng = np.random.default_rng(seed)
    runs = []
    for _ in range(n):
        values: dict[str, Any] = {}
        for group in groups:
            if len(group) == 1:
                values[group[0].key] = group[0].draw(rng)
            else:
                k = int(rng.integers(len(group[0].values)))
                values |= {axis.key: axis.values[k] for axis in group}
        runs.append(values)
    return runs
