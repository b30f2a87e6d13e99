"""Runs compared: grouped by their settings, told by their seeds, tested in pairs."""

import math
import os
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from operator import eq, ge, gt, le, lt, ne
from pathlib import Path
from typing import Any

import numpy as np

from neuronsim.basics.words import counted
from neuronsim.comparing import statistics
from neuronsim.comparing.records import Record, records
from neuronsim.comparing.statistics import Summary
from neuronsim.documents.explanation import Explained, Explanation
from neuronsim.documents.notation import number
from neuronsim.documents.section import Section
from neuronsim.errors import SettingError, suggest
from neuronsim.training.stop import should_rise

_ABSENT = "not given"
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {"<=": le, ">=": ge, "==": eq, "!=": ne, "<": lt, ">": gt, "=": eq}
_CONDITION = re.compile(r"\s*([\w.]+)\s*(<=|>=|==|!=|<|>|=)\s*(.+?)\s*")
_DIGITS = 5
_X = ("epochs", "samples", "seconds")


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seeds alone.

    Attributes
    ----------
    label : str
        The settings by which it differs from the other groups.
    runs : list of Record
    summary : Summary
    values : dict of int to float
        The metric by seed.
    reached : tuple or None
        Of a target: how many runs reached it, the median epoch (∞ where half did not), and all epochs run ÷ successes.
    """

    label: str
    runs: list[Record]
    summary: Summary
    values: dict[int, float]
    reached: tuple[int, float, float] | None


@dataclass(frozen=True)
class Pair:
    """A group against the best one, by the seeds that both have.

    Attributes
    ----------
    best, other : str
    n, n_better : int
        Seeds in common, and how many of them are better with the best group.
    difference : float
        The median of best − other.
    p, p_holm : float
        Of the exact sign-flip test, and adjusted for all that were made.
    """

    best: str
    other: str
    n: int
    n_better: int
    difference: float
    p: float
    p_holm: float


@dataclass(frozen=True, eq=False)
class Comparison(Explained):
    """What `neuronsim.compare` returns: print it, draw it, or write one page.

    Attributes
    ----------
    metric : str
    differing : tuple of str
        The settings that are not the same everywhere.
    groups : list of Group
        The best first.
    pairs : list of Pair
        The best group against every other.
    target : str
        "val_accuracy=0.98", or "".
    bits : list of str
        Runs of equal settings and seed whose bits differ, and where first.
    n_same : int
        Runs that are others made once more: of equal settings, seed and bits. They do not count.
    """

    metric: str
    differing: tuple[str, ...]
    groups: list[Group]
    pairs: list[Pair]
    target: str
    bits: list[str]
    n_same: int = 0

    @property
    def has_curves(self) -> bool:
        """Whether the metric is in the history of any run: what is measured once, such as test_accuracy, is not."""
        return any(self.metric in run.history for group in self.groups for run in group.runs)

    def figure(self, x: str = "epochs", ax: Any = None) -> Any:
        """The metric's curves: the median of each group, the band from 25 to 75 %, up to 16 seeds as thin lines.

        Parameters
        ----------
        x : {"epochs", "samples", "seconds"}
        ax : Axes, optional
        """
        from neuronsim.plots.bands import bands

        if x not in _X:
            raise SettingError(f"x={x!r}; allowed: {', '.join(_X)}")
        curves = {group.label: _curves(group, self.metric, x) for group in self.groups}
        return bands(curves, x, self.metric, ax)

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write one offline page: the curves, and the table, which sorts by any column.

        Parameters
        ----------
        path : str or path
        """
        from neuronsim.comparing.document import write

        return write(Path(path), self._explanation(), self.table(), self.figure().ax if self.has_curves else None)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        groups = [
            {
                "label": group.label,
                "summary": asdict(group.summary),
                "values": {str(seed): value for seed, value in group.values.items()},
                "runs": [run.source for run in group.runs],
                "reached": group.reached and [v if math.isfinite(v) else None for v in group.reached],
            }
            for group in self.groups
        ]
        return {
            "metric": self.metric,
            "differing": list(self.differing),
            "groups": groups,
            "pairs": [asdict(pair) for pair in self.pairs],
            "target": self.target,
            "bits": self.bits,
            "n_same": self.n_same,
        }

    def table(self) -> list[tuple[str, ...]]:
        """The rows of the table, names first."""
        rows: list[tuple[str, ...]] = [
            ("runs", "n", "mean", "deviation", "median", "best", "95 % of the mean", "IQM", "diverged")
        ]
        for group in self.groups:
            s = group.summary
            between = "" if s.interval is None else f"{_shown(s.interval[0])} to {_shown(s.interval[1])}"
            numbers = (_shown(v) for v in (s.mean, s.deviation, s.median, s.best))
            rows.append((group.label, str(s.n), *numbers, between, _shown(s.iqm), str(s.n_without)))
        return rows

    def _explanation(self) -> Explanation:
        n = sum(len(group.runs) for group in self.groups)
        differ = f"; they differ in {', '.join(self.differing)}" if self.differing else ""
        sections = [Section(self.metric, tuple(self.table()), _remarks(self.groups, self.n_same))]
        if self.pairs:
            sections.append(_tests(self.pairs))
        if self.target:
            sections.append(_times(self.groups, self.target))
        if self.bits:
            sections.append(Section("other bits", tuple((line,) for line in self.bits)))
        return Explanation(f"{counted(n, 'run')} in {counted(len(self.groups), 'group')}{differ}", tuple(sections))


def compare(
    *runs: Any, metric: str | None = None, target: str | None = None, where: str | None = None, bits: bool = False
) -> Comparison:
    """Compare runs, grouped by their settings, with their seeds as repetitions.

    Parameters
    ----------
    *runs : Run, Sweep, str, path, or lists of them
        Runs in memory; sweeps; directories of `neuronsim run` and of sweeps.
    metric : str, optional
        A column of the history, whose last value counts, or what a sweep measured; None: val_loss where all have it,
        else loss. Of accuracies more is better, of all else less.
    target : str, optional
        "val_accuracy=0.98": how many runs reach it, and when.
    where : str, optional
        "training.learning_rate < 0.1": these runs alone.
    bits : bool
        Whether to look for runs of equal settings and seed whose bits differ.

    Returns
    -------
    Comparison
        ``print`` it; ``.figure()``, ``.to_html(path)``, ``.groups``, ``.pairs``.

    Raises
    ------
    SettingError
        There is no such metric or setting, or nothing to compare.
    """
    found = records(runs)
    if where is not None:
        found = _chosen(found, where)
    if not found:
        raise SettingError("there are no runs to compare" + ("" if where is None else f" where {where}"))
    others = _other_bits(found) if bits else []
    n_given, found = len(found), _distinct(found)
    chosen = _metric(found, metric)
    wanted = None if target is None else _target(found, target)
    by_identity: dict[str, list[Record]] = defaultdict(list)
    for record in found:
        by_identity[record.identity].append(record)
    differing = _differing([members[0] for members in by_identity.values()])
    groups = [_group(members, chosen, differing, wanted) for members in by_identity.values()]
    groups.sort(key=lambda group: _order(group.summary, chosen))
    same = n_given - len(found)
    return Comparison(chosen, differing, groups, _pairs(groups, chosen), target or "", others, same)


def _distinct(found: list[Record]) -> list[Record]:
    """Each run once: one that is made twice is no second sample of what chance does."""
    once: dict[Any, Record] = {}
    for k, record in enumerate(found):
        known = record.bits and record.seed is not None
        once.setdefault((record.identity, record.seed, record.bits) if known else k, record)
    return list(once.values())


def _metric(found: list[Record], metric: str | None) -> str:
    known = list(dict.fromkeys(name for record in found for name in record.metrics))
    if metric is None:
        return "val_loss" if all("val_loss" in record.metrics for record in found if record.metrics) else "loss"
    if metric not in known:
        raise SettingError(f"no metric {metric!r}{suggest(metric, known) or ';'} there are: {', '.join(known)}")
    return metric


def _target(found: list[Record], text: str) -> tuple[str, float]:
    name, equals, value = (part.strip() for part in text.partition("="))
    known = list(dict.fromkeys(column for record in found for column in record.history))
    if not equals or name not in known:
        raise SettingError(
            f"target={text!r}: write a column and a value, val_accuracy=0.98; columns: {', '.join(known)}"
        )
    try:
        return name, float(value)
    except ValueError:
        raise SettingError(f"target={text!r}: {value!r} is no number") from None


def _chosen(found: list[Record], where: str) -> list[Record]:
    matched = _CONDITION.fullmatch(where)
    if matched is None:
        raise SettingError(f"where={where!r}: write a setting, a comparison and a value: training.learning_rate < 0.1")
    key, sign, text = matched.groups()
    known = list(dict.fromkeys(name for record in found for name in record.settings))
    if key not in known:
        raise SettingError(
            f"where={where!r}: no setting {key!r}{suggest(key, known) or ';'} there are: {', '.join(known)}"
        )
    value: Any = text.strip("'\"")
    try:
        value = float(text)
    except ValueError:
        if sign not in ("==", "=", "!="):
            raise SettingError(f"where={where!r}: words are compared by == and !=") from None
    own = ((record, record.settings.get(key)) for record in found)
    return [record for record, has in own if isinstance(has, type(value) | int) and _OPERATORS[sign](has, value)]


def _differing(firsts: Sequence[Record]) -> tuple[str, ...]:
    """The settings that are not the same in all groups."""
    keys = dict.fromkeys(key for record in firsts for key in record.settings)
    return tuple(key for key in keys if len({str(record.settings.get(key, _ABSENT)) for record in firsts}) > 1)


def _group(members: list[Record], metric: str, differing: tuple[str, ...], target: tuple[str, float] | None) -> Group:
    shorts = [key.rpartition(".")[2] for key in differing]
    names = [short if shorts.count(short) == 1 else key for key, short in zip(differing, shorts, strict=True)]
    settings = members[0].settings
    label = ", ".join(f"{n} = {settings.get(key, _ABSENT)}" for n, key in zip(names, differing, strict=True)) or "all"
    values = [record.metrics.get(metric) if record.status != "diverged" else None for record in members]
    by_seed = {
        record.seed: value
        for record, value in zip(members, values, strict=True)
        if record.seed is not None and value is not None and math.isfinite(value)
    }
    summary = statistics.summarise(values, should_rise(metric))
    return Group(label, members, summary, by_seed, None if target is None else _reached(members, *target))


def _reached(members: list[Record], column: str, value: float) -> tuple[int, float, float]:
    """How many reach the target, the median epoch with ∞ for those that do not, all epochs run ÷ successes."""
    first, run = [], 0
    for record in members:
        there = np.asarray(record.history.get(column, []), np.float64)
        hits = np.flatnonzero(there >= value if should_rise(column) else there <= value)
        first.append(float(hits[0] + 1) if len(hits) else math.inf)
        run += int(first[-1]) if len(hits) else len(there)
    n = sum(map(math.isfinite, first))
    middle = sorted(first)
    half = len(first) // 2
    median = middle[half] if len(first) % 2 else (middle[half - 1] + middle[half]) / 2
    return n, median, run / n if n else math.inf


def _order(summary: Summary, metric: str) -> float:
    """Best first, groups without a value last."""
    if summary.median is None:
        return math.inf
    return -summary.median if should_rise(metric) else summary.median


def _pairs(groups: list[Group], metric: str) -> list[Pair]:
    if len(groups) < 2 or not groups[0].values:
        return []
    best, pairs = groups[0], []
    for other in groups[1:]:
        seeds = sorted(set(best.values) & set(other.values))
        differences = np.array([best.values[seed] - other.values[seed] for seed in seeds], np.float64)
        better = differences > 0 if should_rise(metric) else differences < 0
        p = statistics.sign_flip(differences) if seeds else 1.0
        middle = float(np.median(differences)) if seeds else math.nan
        pairs.append(Pair(best.label, other.label, len(seeds), int(better.sum()), middle, p, p))
    adjusted = statistics.holm([pair.p for pair in pairs])
    return [Pair(**asdict(pair) | {"p_holm": p}) for pair, p in zip(pairs, adjusted, strict=True)]


def _other_bits(found: list[Record]) -> list[str]:
    """Runs that should be the same, and are not."""
    by_run: dict[tuple[str, int | None], list[Record]] = defaultdict(list)
    for record in found:
        by_run[record.identity, record.seed].append(record)
    said = []
    for first, *others in by_run.values():
        for other in others:
            if first.bits and other.bits and first.bits != other.bits:
                said.append(f"seed {first.seed}: {first.source} and {other.source} {_first_difference(first, other)}")
    return said


def _first_difference(a: Record, b: Record) -> str:
    for name in a.history:
        if name == "seconds" or name not in b.history:
            continue
        for epoch, (one, two) in enumerate(zip(a.history[name], b.history[name], strict=False)):
            if one != two and not (math.isnan(one) and math.isnan(two)):
                return f"differ from epoch {epoch} on: {name} {one!r} and {two!r}"
    return "have the same history, and other parameters"


def _tests(pairs: list[Pair]) -> Section:
    """The best group against the others."""
    rows: list[tuple[str, ...]] = [
        ("best", "against", "seeds in common", "better in", "median difference", "p", "p by Holm")
    ]
    for pair in pairs:
        found: tuple[str, ...] = ("",) * 4
        if pair.n:
            p = (number(value, 3) for value in (pair.p, pair.p_holm))
            found = (f"{pair.n_better} of {pair.n}", _shown(pair.difference), *p)
        rows.append((pair.best, pair.other, str(pair.n), *found))
    fewest = min((pair.n for pair in pairs if pair.n), default=0)
    least = number(statistics.least_p(fewest), 3) if fewest else ""
    floor = (f"with {counted(fewest, 'seed')} in common no p can be below {least}",) if fewest else ()
    return Section("the best against the others, by seed", tuple(rows), floor)


def _times(groups: list[Group], target: str) -> Section:
    """When each group reaches the target."""
    rows = [("runs", "reached", "median epoch", "epochs for a success")]
    for group in groups:
        if group.reached:
            n_reached, epoch, each = group.reached
            rows.append((group.label, f"{n_reached} of {len(group.runs)}", _whole(epoch), _whole(each)))
    return Section(f"to {target}", tuple(rows))


def _curves(group: Group, metric: str, x: str) -> list[tuple[Any, Any]]:
    """(x, y) of every run whose history has the metric."""
    curves = []
    for record in group.runs:
        if metric in record.history:
            y = np.asarray(record.history[metric], np.float64)
            at = np.asarray(record.history["seconds"], np.float64) if x == "seconds" else np.arange(1, len(y) + 1.0)
            if x == "samples" and record.n_samples is None:
                continue
            curves.append((at * (record.n_samples or 1) if x == "samples" else at, y))
    return curves


def _remarks(groups: list[Group], n_same: int) -> tuple[str, ...]:
    few = [group for group in groups if group.summary.n < 3]
    lost = sum(group.summary.n_without for group in groups)
    said = ["below 3 seeds there is no interval"] if few else []
    said += [f"{counted(lost, 'run')} without a value are counted apart: they diverged or failed"] if lost else []
    if n_same:
        are = "is another one made" if n_same == 1 else "are others made"
        said.append(f"{counted(n_same, 'run')} {are} once more, with the same seed and bits, and left out")
    return tuple(said)


def _shown(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else number(value, _DIGITS)


def _whole(value: float) -> str:
    return "∞" if math.isinf(value) else number(value, _DIGITS)
