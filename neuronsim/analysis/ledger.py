"""The ledger of one parameter: its change over some steps, booked to the samples that caused it.

sgd writes w := w - μ·g with g = (1/n) Σ_s δ_s·y_s, so each sample of the batch is booked -(μ/n)·δ_s·y_s. Momentum
goes on writing what a gradient has put into the velocity: until step N the gradient g of step k has written

    momentum   -μ·g · Σ_{j=0..N-k-1} βʲ             v := β v - μ g,  w := w + v
    nesterov   -μ·g · (1 + Σ_{j=1..N-k} βʲ)         v := β v - μ g,  w := w + β v - μ g

Weight decay, and the velocity from before the first step, have entries of their own, and so has rounding: exactly what
is missing, so that all entries add up to w now - w then (``math.fsum``). The adaptive rules divide by running means of
all gradients: their change is no sum over samples, and is booked by step and epoch alone.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuronsim.analysis.probe import classes, first_number, step_number
from neuronsim.basics.arrays import Reals
from neuronsim.documents.explanation import Explained, Explanation
from neuronsim.documents.notation import given, number
from neuronsim.documents.section import Section
from neuronsim.documents.terms import largest
from neuronsim.errors import NotKnownError, SettingError
from neuronsim.formulas.optimizers import SGD, Momentum, Nesterov, Optimizer
from neuronsim.graph.graph import Graph
from neuronsim.graph.parameters import ParameterRef
from neuronsim.tracing.replay import Replay
from neuronsim.tracing.result import StepResult

_PLURALS = {"sample": "samples", "class": "classes", "epoch": "epochs", "step": "steps"}


class Entry(NamedTuple):
    """One line of a ledger: what it is booked to, and how much."""

    name: str
    amount: float


@dataclass(frozen=True, eq=False)
class Split(Explained):
    """A change, split into amounts that add up to it exactly.

    Attributes
    ----------
    kind : {"sample", "class", "epoch", "step"}
    keys : int64 array (n,)
        Rows of X, classes, epochs or steps, ascending.
    amounts : float64 array (n,)
    others : dict of str to float
        "weight decay", "velocity before", where there are any.
    rounding : tuple of float
        What is missing: mostly one number, more where one float64 can't hold it.
    """

    kind: str
    keys: NDArray[np.int64]
    amounts: Reals
    others: dict[str, float]
    rounding: tuple[float, ...]

    @property
    def total(self) -> float:
        """All entries together, rounded once: w now - w then."""
        return math.fsum([*self.amounts.tolist(), *self.others.values(), *self.rounding])

    @property
    def entries(self) -> list[Entry]:
        """All lines, largest |amount| first; rounding is one of them."""
        lines = [Entry(f"{self.kind} {k}", a) for k, a in zip(self.keys.tolist(), self.amounts.tolist(), strict=True)]
        lines += [Entry(name, amount) for name, amount in self.others.items()]
        lines += [Entry("rounding", amount) for amount in self.rounding]
        return sorted(lines, key=lambda line: -abs(line.amount))

    def __getitem__(self, key: int) -> float:
        """The amount booked to a sample's row, a class, an epoch or a step."""
        at = int(np.searchsorted(self.keys, key))
        if at == len(self.keys) or self.keys[at] != key:
            raise SettingError(f"no {self.kind} {key!r} in this ledger")
        return float(self.amounts[at])

    def __len__(self) -> int:
        return len(self.keys)

    def _explanation(self) -> Section:
        """The largest lines as a table."""
        lines = [line for line in self.entries if line.amount]
        shown, others = largest(lines, lambda line: line.amount)
        rows = [(line.name, given(line.amount)) for line in shown]
        remarks = []
        if others:
            rest = given(math.fsum(line.amount for line in others))
            remarks.append(f"the {len(shown)} largest of {len(lines):,}; the others add up to {rest}")
        nothing = int(np.count_nonzero(self.amounts == 0.0))
        if nothing:
            remarks.append(f"{nothing:,} of {len(self):,} {_PLURALS[self.kind]} wrote nothing")
        return Section(f"by {self.kind}", tuple(rows), tuple(remarks))


@dataclass(frozen=True, eq=False)
class Ledger(Explained):
    """What ``run.ledger`` returns.

    Attributes
    ----------
    parameter : str
        ``w[i1→h1]`` or ``b[h1]``.
    start, stop : int
        The steps ``start`` to ``stop - 1``.
    before, after : float
        The parameter before the first of them and after the last.
    rule : str
        The optimiser's name.
    by_step, by_epoch : Split
        What the steps wrote, and those of each epoch.
    """

    parameter: str
    start: int
    stop: int
    before: float
    after: float
    rule: str
    by_step: Split
    by_epoch: Split
    _by_sample: Split | None
    _labels: NDArray[np.int64] | None = field(repr=False)

    @property
    def total(self) -> float:
        """The parameter now - then."""
        return self.after - self.before

    @property
    def by_sample(self) -> Split:
        """To the samples whose gradients made the change."""
        if self._by_sample is None:
            raise NotKnownError(
                f"{self.rule} divides each step by running means of all gradients before it: its change is no sum "
                "over samples; by_step and by_epoch are exact"
            )
        return self._by_sample

    @cached_property
    def by_class(self) -> Split:
        """To the classes of those samples."""
        split = self.by_sample
        if self._labels is None:
            raise NotKnownError("these targets are no classes: neither class numbers, nor one-hot rows, nor 0 and 1")
        labels = self._labels[split.keys]
        keys = np.unique(labels)
        amounts = np.array([math.fsum(split.amounts[labels == key].tolist()) for key in keys.tolist()])
        return _balanced("class", keys, amounts, split.others, self.before, self.after)

    def _explanation(self) -> Explanation:
        steps = f"steps {self.start:,} to {self.stop - 1:,}" if self.stop > self.start else "no steps"
        rows = ("then", given(self.before)), ("now", given(self.after)), ("change", given(self.total))
        remarks: tuple[str, ...] = ()
        if self._by_sample is None:
            remarks, splits = (f"{self.rule} is adaptive: booked by step, not by sample",), [self.by_step]
        else:
            splits = [self.by_sample] if self._labels is None else [self.by_sample, self.by_class]
        sections = [split._explanation() for split in (*splits, self.by_epoch)]
        return Explanation(f"ledger of {self.parameter}", (Section(f"{self.rule}, {steps}", rows, remarks), *sections))

    def __repr__(self) -> str:
        return f"<Ledger of {self.parameter}, steps {self.start:,} to {self.stop - 1:,}: {number(self.total)}>"


class _Booked(NamedTuple):
    """What one step contributes: dw, and per unit of the geometric sum its samples' and the decay's parts."""

    step: int
    epoch: int
    before: float
    after: float
    samples: NDArray[np.int64]
    parts: Reals
    decay: float


def ledger(replay: Replay, *what: Any, start: int | None = None, stop: int | None = None) -> Ledger:
    """Replay some steps and book the change of one parameter; `Run.ledger` says what is asked for."""
    parameter = _parameter(replay.graph, what)
    first, last = first_number(replay, start), step_number(replay, stop, "stop")
    if first > last:
        raise SettingError(f"start={first} is behind stop={last}")
    before = parameter.value(replay.parameters(first))
    booked: list[_Booked] = []
    velocity = 0.0
    for step in replay.walk(first, last):
        if not booked and isinstance(replay.rule, (Momentum, Nesterov)):
            velocity = parameter.value(step.state[0])
        booked.append(_book(parameter, step))
    after = booked[-1].after if booked else before
    edits = _edits((a.after, b.before) for a, b in pairwise(booked))
    steps = _balanced("step", [b.step for b in booked], [b.after - b.before for b in booked], edits, before, after)
    of_epochs = [list(those) for _, those in groupby(booked, key=lambda b: b.epoch)]
    changes = [those[-1].after - those[0].before for those in of_epochs]
    between = _edits((a[-1].after, b[0].before) for a, b in pairwise(of_epochs))
    epochs = _balanced("epoch", [those[0].epoch for those in of_epochs], changes, between, before, after)
    by_sample = None
    if type(replay.rule) in (SGD, Momentum, Nesterov):
        by_sample = _by_sample(replay.rule, replay.graph.dtype, booked, velocity, last, edits)
    name, rule = parameter.label(replay.graph), str(replay.rule.name)
    return Ledger(name, first, last, before, after, rule, steps, epochs, by_sample, classes(replay.T))


def _edits(pairs: Iterable[tuple[float, float]]) -> dict[str, float]:
    """What changed outside of the steps, by what stood after one and before the next; empty where nothing did."""
    amount = math.fsum(now - then for then, now in pairs)
    return {"edits between fits": amount} if amount else {}


def _parameter(graph: Graph, what: tuple[Any, ...]) -> ParameterRef:
    ends = what[0] if len(what) == 1 and isinstance(what[0], tuple) else what
    if len(ends) == 2:
        return ParameterRef("weights", graph.edge(*ends))
    if len(ends) != 1:
        raise SettingError(f'a ledger is of one edge, ledger("i1", "h1"), or of one bias, ledger("h1"), not {what!r}')
    neuron = graph.id(ends[0])
    if graph.is_input[neuron]:
        raise SettingError(f"{graph.name(neuron)!r} is an input: it has no bias to keep a ledger of")
    return ParameterRef("biases", neuron)


def _book(parameter: ParameterRef, step: StepResult) -> _Booked:
    """One step's parts: -μ·c·δ·y of each sample and -μ·decay·w, with the numbers as the kernel rounds them."""
    dtype = step.graph.dtype.type
    factor = max(parameter.rate_factor(step.graph), 0.0)
    rate = float(dtype(step.learning_rate)) * factor
    source = parameter.source(step.graph)
    each = np.atleast_2d(step.delta)[:, parameter.sink(step.graph)].astype(np.float64)
    each = each if source is None else each * np.atleast_2d(step.y)[:, source]
    scale = float(dtype(1.0 / len(each))) if step.reduction == "mean" else 1.0
    scale *= step.clip_factor
    gradient = abs(scale * math.fsum(each.tolist()))
    if step.clip_value is not None and gradient > step.clip_value:
        scale *= step.clip_value / gradient
    parts = -rate * scale * each
    before, after = parameter.value(step), parameter.value(step.after)
    decays = parameter.array == "weights" and step.weight_decay
    decay = -rate * float(dtype(step.weight_decay)) * before if decays else 0.0
    rows = np.empty(0, np.int64) if step.samples is None else step.samples
    return _Booked(step.number, step.epoch or 0, before, after, rows, parts, decay)


def _by_sample(
    rule: Optimizer,
    dtype: np.dtype[Any],
    booked: Sequence[_Booked],
    velocity: float,
    stop: int,
    edits: dict[str, float],
) -> Split:
    """Each gradient's part times what the rule has made of it by the end."""
    beta = float(dtype.type(rule.momentum)) if isinstance(rule, (Momentum, Nesterov)) else 0.0
    nesterov = isinstance(rule, Nesterov)
    rows, decay = [np.empty(0, np.int64)], []
    amounts: list[Reals] = [np.empty(0)]
    for b in booked:
        left = stop - b.step
        written = 1.0 + beta * _geometric(beta, left) if nesterov else _geometric(beta, left)
        rows.append(b.samples)
        amounts.append(written * b.parts)
        decay.append(written * b.decay)
    keys, group = np.unique(np.concatenate(rows), return_inverse=True)
    sums = np.zeros(len(keys))
    np.add.at(sums, group, np.concatenate(amounts))
    before, after = booked[0].before if booked else 0.0, booked[-1].after if booked else 0.0
    others = dict(edits)
    if any(decay):
        others["weight decay"] = math.fsum(decay)
    if velocity:
        others["velocity before"] = velocity * beta ** (2 if nesterov else 1) * _geometric(beta, len(booked))
    return _balanced("sample", keys, sums, others, before, after)


def _geometric(beta: float, n: int) -> float:
    """Σ_{j=0..n-1} βʲ."""
    return -math.expm1(n * math.log(beta)) / (1.0 - beta) if 0.0 < beta < 1.0 else float(min(n, 1))


def _balanced(kind: str, keys: Any, amounts: Any, others: dict[str, float], before: float, after: float) -> Split:
    """A split with its rounding: the rest of after - before, in as many numbers as it takes to be exact."""
    values, rounding = np.asarray(amounts, np.float64), []
    terms = [after, -before, *(-values).tolist(), *(-value for value in others.values())]
    while (rest := math.fsum(terms)) != 0.0:
        rounding.append(rest)
        if not math.isfinite(rest):
            break
        terms.append(-rest)
    return Split(kind, np.asarray(keys, np.int64), values, others, tuple(rounding))
