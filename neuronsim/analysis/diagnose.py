"""What is wrong with a run, a sentence each: dead and saturated neurons, vanishing and exploding δ, overflow.

The cost is bounded: up to 1,024 samples, evenly spread over X, and a few dozen steps are looked at. "Since when" is
found coarse to fine: at nine steps over the whole run, then by halving the interval in which it began. A neuron that
revived and died again between two of the steps looked at goes unseen.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import overload

import numpy as np

from neuronsim.analysis import overflow, targets
from neuronsim.analysis.probe import Probe, step_number
from neuronsim.basics.arrays import Array, Reals
from neuronsim.basics.spread import evenly_spread
from neuronsim.basics.words import counted
from neuronsim.documents.explanation import Explained, Explanation
from neuronsim.documents.notation import number
from neuronsim.documents.section import Section
from neuronsim.engine.signals import Signals
from neuronsim.formulas import activations
from neuronsim.formulas.losses import advice_outside
from neuronsim.kernels import codes
from neuronsim.tracing.replay import Replay
from neuronsim.tracing.result import StepResult

SAMPLES = 1024
COARSE_STEPS = 9
MOST_STEPS = 64
# Saturated: f' below a hundredth of f'(0), for 95 % of the samples.
FLAT, SHARE = 0.01, 0.95
# δ of the first level against that of the last.
VANISHING, EXPLODING = 1e-3, 1e3
_DERIVATIVES = 200_000
_NAMES = 5
_SHOWN = 12

_BOUNDED = (codes.SIGMOID, codes.TANH, codes.SCALED_TANH, codes.SOFTSIGN, codes.HARD_SIGMOID)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes
    ----------
    kind : {"overflow", "exploding", "vanishing", "dead", "saturated", "unreachable", "worse"}
    severity : {"error", "warning", "note"}
    neurons : tuple of str
    step : int or None
        The step that failed or that killed the neurons (the first one known to be after that, where only a range
        is known), else the one whose parameters were looked at.
    sentence, advice : str
        What was found, and what to try.
    details : tuple of str
        The numbers that show it.
    """

    kind: str
    severity: str
    neurons: tuple[str, ...]
    step: int | None
    sentence: str
    advice: str
    details: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.severity}: {self.sentence} Try {self.advice}."


@dataclass(frozen=True)
class Level:
    """The neurons of one level, inputs being level 0, that have a path to an output.

    Attributes
    ----------
    level, n_neurons : int
    delta : float
        The root of the mean δ² over neurons and samples.
    gain : float or None
        The mean of |w·f'(z)| over the edges that leave the level and over samples: by this a δ is multiplied on its
        way back across one edge. None where no edge leaves, or f' belongs to a softmax group.
    """

    level: int
    n_neurons: int
    delta: float
    gain: float | None


@dataclass(frozen=True, eq=False)
class Diagnosis(Explained, Sequence[Finding]):
    """What ``run.diagnose`` returns: a list of findings, most severe first, and what was looked at.

    Attributes
    ----------
    findings : tuple of Finding
    levels : tuple of Level
        δ by level, from the first one after the inputs to the last.
    looked_at : str
        Which samples, and how many steps.
    """

    findings: tuple[Finding, ...]
    levels: tuple[Level, ...]
    looked_at: str

    @overload
    def __getitem__(self, at: int) -> Finding: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Finding]: ...
    def __getitem__(self, at: int | slice) -> Finding | Sequence[Finding]:
        return self.findings[at]

    def __len__(self) -> int:
        return len(self.findings)

    def of(self, kind: str) -> list[Finding]:
        """The findings of one kind."""
        return [f for f in self.findings if f.kind == kind]

    def _explanation(self) -> Explanation:
        sections = [
            Section(f"{f.severity}: {f.sentence}", tuple((line,) for line in f.details), (f"try {f.advice}",))
            for f in self.findings[:_SHOWN]
        ]
        n = len(self.findings)
        if n > _SHOWN:
            kinds = {f.kind: None for f in self.findings[_SHOWN:]}
            sections.append(Section(f"and {n - _SHOWN} more: {', '.join(kinds)}", ()))
        title = {0: "nothing found", 1: "1 finding"}.get(n, f"{n} findings")
        rows: list[tuple[str, ...]] = [("level", "neurons", "rms δ", "mean |w·f'| per edge")]
        shown = self.levels if len(self.levels) <= 12 else (*self.levels[:6], *self.levels[-6:])
        for level in shown:
            gain = "" if level.gain is None else number(level.gain)
            rows.append((str(level.level), f"{level.n_neurons:,}", number(level.delta), gain))
        left = len(self.levels) - len(shown)
        remarks = (f"and {left} levels between them",) if left else ()
        if self.levels:
            sections.append(Section("δ by level", tuple(rows), remarks))
        return Explanation(f"{title}; looked at {self.looked_at}", tuple(sections))


def diagnose(replay: Replay, step: int | None = None) -> Diagnosis:
    """Look for what the lectures say goes wrong (L4), with the parameters before ``step``; None: the last ones."""
    q = step_number(replay, step)
    search = _Search(replay, q)
    failed = replay.failed() if replay.diverged and q == replay.n_steps else None
    findings = [*_overflow(search, failed), *_deltas(search), *_dead(search), *_saturated(search), *_targets(search)]
    findings.sort(key=lambda f: ("error", "warning", "note").index(f.severity))
    n, of = len(search.rows), len(replay.X)
    which = _all(n) if n == of else f"{n:,} of {of:,} samples, evenly spread,"
    earlier = max(len(search.seen) - 1, 0)
    steps = f"the parameters before step {q:,}" + (f" and {counted(earlier, 'earlier one')}" if earlier else "")
    return Diagnosis(tuple(findings), search.levels, f"{which} with {steps}")


def _all(n_samples: int) -> str:
    return f"all {n_samples:,} samples" if n_samples > 1 else "the one sample"


class _Search:
    """A run's signals on the chosen samples, at the end and, as far as asked, at earlier steps."""

    def __init__(self, replay: Replay, q: int) -> None:
        self.replay, self.q = replay, q
        self.rows = evenly_spread(len(replay.X), SAMPLES)
        now = Probe(replay, self.rows)
        now.load(replay.parameters(q))
        self.graph, self.plan, self.signals = now.graph, now.engine.plan, now.signals()
        self.seen: dict[int, Array] = {}
        self.relu = np.flatnonzero(self.graph.activation_codes == codes.RELU)
        self.levels = _levels(self)

    @cached_property
    def coarse(self) -> list[int]:
        """A few steps from the first to ``q``, evenly spread."""
        return self.replay.spread(self.q + 1, COARSE_STEPS)

    @cached_property
    def _then(self) -> Probe:
        """For parameters of earlier steps."""
        return Probe(self.replay, self.rows)

    def dead(self, q: int) -> Array:
        """Which relus (n_relus,) have z ≤ 0 for all samples with the parameters before step ``q``."""
        if q not in self.seen:
            self._then.load(self.replay.parameters(q))
            # z of a neuron lies together in memory, that of a sample does not
            dead = [np.all(block.z.T[self.relu] <= 0, axis=1) for block in self._then.blocks(inputs=False)]
            self.seen[q] = np.all(dead, axis=0)
        return self.seen[q]

    def loss(self, q: int) -> float:
        """The mean loss with the parameters before step ``q``."""
        self._then.load(self.replay.parameters(q))
        return float(self._then.signals().losses.mean(dtype=np.float64))

    def name(self, neuron: int) -> str:
        """A neuron's name."""
        return self.graph.name(int(neuron))

    def names(self, ids: Sequence[int]) -> str:
        """Up to five names, and how many more."""
        shown = ", ".join(self.name(a) for a in ids[:_NAMES])
        return shown if len(ids) <= _NAMES else f"{shown} and {len(ids) - _NAMES:,} more"


# ------------------------------------------------------------------ overflow


def _overflow(search: _Search, failed: StepResult | None) -> Iterator[Finding]:
    if failed is not None:
        yield _failed(search, failed)
        return
    origin = overflow.bad_signal(search.graph, search.plan.order, search.signals)
    if origin is not None:
        y, sample = search.signals.y[origin.row], int(search.rows[origin.row])
        yield _bad(search, origin, y, f"with the parameters before step {search.q:,}", sample)


_AGAINST_OVERFLOW = "a smaller learning_rate, clip_norm=1, or scaled data (ns.data.Standardizer)"


def _failed(search: _Search, step: StepResult) -> Finding:
    """Why the run diverged."""
    z, y, delta = (np.atleast_2d(values) for values in (step.z, step.y, step.delta))
    signals = Signals(z, y, delta, step.losses, np.empty(0))
    origin = overflow.bad_signal(step.graph, search.plan.order, signals) or overflow.bad_update(step)
    where = f"at step {step.number:,} (epoch {step.epoch})"
    growth = _growth(search)
    if origin is None:
        sentence = f"the run diverged {where}: the update makes a parameter not finite."
        return Finding("overflow", "error", (), step.number, sentence, _AGAINST_OVERFLOW, growth)
    rows = search.replay.rows(step.number)
    found = _bad(search, origin, y[origin.row], where, int(rows[origin.row]))
    return replace(found, step=step.number, details=(*found.details, *growth))


def _bad(search: _Search, origin: overflow.Origin, y: Reals, where: str, sample: int) -> Finding:
    symbol = {"delta": "δ"}.get(origin.what, origin.what)
    neurons: tuple[str, ...] = () if origin.neuron is None else (search.name(origin.neuron),)
    of = f"{symbol} of neuron {neurons[0]!r}" if neurons else f"the {origin.what}"
    of = f"the update of neuron {neurons[0]!r}" if origin.what == "update" else of
    sentence = f"the first value that is not finite is {of} {where}, sample {sample}: {origin.operands}."
    details: tuple[str, ...] = ()
    if origin.neuron is not None:
        details = (f"the chain to it, by the largest |w·y|: {overflow.chain(search.graph, origin.neuron, y)}",)
    advice = _AGAINST_OVERFLOW
    if origin.what == "loss":
        advice = advice_outside(search.replay.loss, y[search.graph.outputs].tolist()) or advice
    return Finding("overflow", "error", neurons, None, sentence, advice, details)


def _growth(search: _Search) -> tuple[str, ...]:
    """How the largest weight grew, by a few steps."""
    found = []
    for q in search.coarse:
        weights = np.abs(search.replay.parameters(q).weights)
        if len(weights):
            found.append(f"{number(float(weights.max()))} before step {q:,}")
    return (f"the largest |w|: {', '.join(found)}",) if found else ()


# ------------------------------------------------------------------ targets


def _targets(search: _Search) -> Iterator[Finding]:
    """Targets that cannot be met; and a run that has unlearned, to less than their mean."""
    replay = search.replay
    for found in targets.unreachable(search.graph, replay.T):
        yield Finding("unreachable", "warning", found.outputs, search.q, f"{found}.", targets.ADVICE_UNREACHABLE)
    if search.q < replay.n_steps or replay.diverged:
        return
    T, loss = replay.T[search.rows], float(search.signals.losses.mean(dtype=np.float64))
    of_the_mean = targets.loss_of_the_mean(T, replay.loss, len(search.graph.outputs))
    if not targets.is_worse_than_the_mean(loss, of_the_mean):
        return
    before = search.loss(replay.begin)
    if loss > before:
        sentence = (
            f"training has made it worse: the loss is {number(loss)}, {number(before)} before step {replay.begin:,}, "
            f"and always answering with the mean of the targets gives {number(of_the_mean)}."
        )
        yield Finding(
            "worse", "warning", (), search.q, sentence, "a smaller learning_rate, clip_norm=1, or scaled data"
        )


# ------------------------------------------------------------------ δ by level


def _deltas(search: _Search) -> Iterator[Finding]:
    levels = [level for level in search.levels if math.isfinite(level.delta)]
    if len(levels) < 2 or not levels[-1].delta > 0.0:
        return
    first, last = levels[0], levels[-1]
    ratio = first.delta / last.delta
    per_level = ratio ** (1.0 / (last.level - first.level))
    numbers = (
        f"rms δ is {number(first.delta)} at level {first.level} and {number(last.delta)} at level {last.level}, "
        f"a factor of {number(per_level)} a level"
    )
    if ratio < VANISHING:
        advice = "relu or another activation whose f' is not small, larger initial weights, fewer levels, or edges "
        yield Finding("vanishing", "warning", (), search.q, f"δ vanishes: {numbers}.", advice + "that skip levels")
    elif ratio > EXPLODING:
        advice = "smaller initial weights, clip_norm=1, or a smaller learning_rate"
        yield Finding("exploding", "warning", (), search.q, f"δ explodes: {numbers}.", advice)


def _levels(search: _Search) -> tuple[Level, ...]:
    """rms δ and mean |w·f'| of the edges leaving, for each level on the way to an output; one pass, for long chains."""
    graph, levels = search.graph, search.plan.levels
    relevant = graph.reaches_output() & ~graph.is_input
    gains = _gains(search)
    leaving = relevant[graph.sources] & relevant[graph.sinks()] & ~np.isnan(gains)
    present, of_neuron = np.unique(levels[relevant], return_inverse=True)
    of_edge = np.searchsorted(present, levels[graph.sources[leaving]])
    with np.errstate(all="ignore"):
        squares = np.square(search.signals.delta[:, relevant].astype(np.float64)).mean(axis=0)
        n_neurons, n_edges = (np.bincount(of, minlength=len(present)) for of in (of_neuron, of_edge))
        delta = np.sqrt(np.bincount(of_neuron, squares, len(present)) / n_neurons)
        gain = np.bincount(of_edge, gains[leaving], len(present)) / n_edges
    parts = (values.tolist() for values in (present, n_neurons, delta, gain, n_edges))
    return tuple(Level(level, n, d, g if edges else None) for level, n, d, g, edges in zip(*parts, strict=True))


def _gains(search: _Search) -> Reals:
    """|w| · the mean |f'(z)| of its source over a few samples, for each edge; NaN where f' is that of a group."""
    graph = search.graph
    n = max(1, min(64, _DERIVATIVES // max(graph.n_neurons, 1), len(search.signals.z)))
    z = search.signals.z[evenly_spread(len(search.signals.z), n)].astype(np.float64)
    slopes = graph.biases.astype(np.float64) * np.nan
    for a in np.flatnonzero(~graph.is_input & graph.reaches_output()).tolist():
        derivative = activations.by_code(int(graph.activation_codes[a])).derivative
        if derivative is not None:
            slope = float(graph.slopes[a])
            slopes[a] = sum(abs(derivative(at, slope)) for at in z[:, a].tolist()) / len(z)
    gains: Reals = np.abs(graph.weights.astype(np.float64)) * slopes[graph.sources]
    return gains


# ------------------------------------------------------------------ dead and saturated neurons


def _dead(search: _Search) -> Iterator[Finding]:
    if not len(search.relu):
        return
    dead = np.flatnonzero(search.dead(search.q))
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for k in dead.tolist():
        groups[_since(search, k)].append(k)
    for (alive, since), members in sorted(groups.items(), key=lambda item: item[0][1]):
        yield _dead_group(search, alive, since, search.relu[members].tolist())


def _since(search: _Search, k: int) -> tuple[int, int]:
    """The last step looked at with relu ``k`` alive, -1 if none, and the first one from which on it is dead."""
    steps = search.coarse
    alive = next((q for q in reversed(steps) if not search.dead(q)[k]), -1)
    dead = min((q for q in steps if q > alive), default=search.q)
    while 0 <= alive < dead - 1 and len(search.seen) < MOST_STEPS:
        middle = (alive + dead) // 2
        alive, dead = (alive, middle) if search.dead(middle)[k] else (middle, dead)
    return alive, dead


def _dead_group(search: _Search, alive: int, since: int, ids: list[int]) -> Finding:
    n = len(search.rows)
    subject = f"relu {search.names(ids)} is dead" if len(ids) == 1 else f"{len(ids)} relus are dead"
    for_all = f"z ≤ 0 for {_all(n)} looked at, from which nothing is learned there: δ = 0"
    details = () if len(ids) == 1 else (f"these: {search.names(ids)}",)
    advice = "a smaller learning_rate, clip_norm=1, or leaky_relu"
    if alive < 0:
        begin, cut = search.replay.begin, search.replay.cut
        when = f"from step {begin:,} on, the first after {cut}" if begin else "from the start"
        advice = "other initial weights or biases (init='he'), scaled data, or leaky_relu"
    elif since - alive > 1:
        when = f"since some step from {alive:,} to {since - 1:,}"
    else:
        when = f"since the update of step {alive:,} (epoch {search.replay.epoch(alive)})"
        details, since = (*details, _fatal_update(search, alive, ids[0])), alive
    return Finding(
        "dead", "warning", tuple(search.graph.name_list(ids)), since, f"{subject} {when}: {for_all}.", advice, details
    )


def _fatal_update(search: _Search, q: int, neuron: int) -> str:
    """What step ``q`` did to a neuron that was alive before it."""
    step = search.replay.at(q)
    rows = search.replay.rows(q)
    edges = slice(search.graph.row_start[neuron], search.graph.row_start[neuron + 1])
    changes = step.weights_after[edges].astype(np.float64) - step.weights[edges]
    name = search.name(neuron)
    of = f"sample {rows[0]}" if len(rows) == 1 else f"a batch of {len(rows)} samples"
    said = [f"step {q:,} ({of}): b[{name}] {number(step.biases[neuron])} → {number(step.biases_after[neuron])}"]
    if len(changes) and np.abs(changes).max() > 0:
        e = int(np.abs(changes).argmax())
        source = search.name(search.graph.sources[edges][e])
        said.append(f"its largest Δw, from {source}, {number(changes[e])}")
    elif step.biases[neuron] == step.biases_after[neuron]:
        said.append("its own parameters did not change, its sources did")
    return "; ".join(said)


def _saturated(search: _Search) -> Iterator[Finding]:
    graph, z = search.graph, search.signals.z
    wrong, everywhere = _wrong(search), np.ones(len(z), np.bool_)
    for code in _BOUNDED:
        limit, name = _flat_beyond(code), activations.by_code(code).name
        ids = []
        for a in np.flatnonzero((graph.activation_codes == code) & ~graph.is_input).tolist():
            considered = wrong.get(a, everywhere)
            if considered.any() and (np.abs(z[considered, a]) >= limit).mean() >= SHARE:
                ids.append(a)
        if not ids:
            continue
        subject = f"{name} {search.names(ids)} is" if len(ids) == 1 else f"{len(ids)} {name}s are"
        sentence = (
            f"{subject} saturated: |z| ≥ {limit:.3g}, where f' is below {FLAT:.0%} of its largest, "
            f"for at least {SHARE:.0%} of the {len(search.rows):,} samples looked at."
        )
        listed = () if len(ids) == 1 else (f"these: {search.names(ids)}",)
        advice = "smaller initial weights, scaled data, a smaller learning_rate, or weight_decay"
        yield Finding("saturated", "warning", tuple(search.graph.name_list(ids)), search.q, sentence, advice, listed)


def _wrong(search: _Search) -> dict[int, Array]:
    """By output, the samples at which it is off by more than 0.25; an output that is right may well be saturated.

    Where the loss is fused with the output's activation, f' does not enter δ: none.
    """
    T, outputs = search.replay.T, search.graph.outputs
    wrong = np.zeros((len(search.rows), len(outputs)), np.bool_)
    if T.ndim == 2 and search.replay.loss.fused != "sigmoid":
        wrong = np.abs(search.signals.y[:, outputs] - T[search.rows]) > 0.25
    return dict(zip(outputs.tolist(), wrong.T, strict=True))


@cache
def _flat_beyond(code: int) -> float:
    """The |z| from which on f' is at most FLAT · f'(0), of a bounded activation."""
    derivative: Callable[..., float] | None = activations.by_code(code).derivative
    assert derivative is not None
    low, high = 0.0, 1e3
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if derivative(middle) <= FLAT * derivative(0.0) else (middle, high)
    return high
