"""Two runs of one wiring, side by side: the first step, and in it the first neuron or edge, at which they differ.

Runs that start, read and do the same are the same, bit for bit. So parameters are compared at the steps 0, 1, 2, 4, 8,
…, and between the last two of these by halving: parameters that once differ are taken to differ for good. From the
first step on that reads other data, all signals are compared; with ``every_step=True``, those of every step.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from neuronsim.basics.arrays import Array
from neuronsim.documents.explanation import Explained, Explanation
from neuronsim.documents.notation import pair
from neuronsim.documents.section import Section
from neuronsim.errors import SettingError
from neuronsim.graph.edges import same_delays
from neuronsim.graph.graph import Graph
from neuronsim.graph.parameters import ARRAYS, ParameterRef
from neuronsim.kernels.arguments import Parameters
from neuronsim.tracing.replay import Replay
from neuronsim.tracing.result import StepResult

# Settings that change what a step does; the others change when a run ends, or what it shows.
_SETTINGS = ("loss", "reduction", "optimizer", "learning_rate", "momentum", "batch_size", "shuffle", "rng",
             "weight_decay", "clip_norm", "clip_value")  # fmt: skip
_SINGULAR = {"weights": "weight", "biases": "bias", "slopes": "slope"}


@dataclass(frozen=True)
class Difference(Explained):
    """What ``run.diff`` returns; true where there is a difference.

    Attributes
    ----------
    step : int or None
        The first step that differs; None if none does.
    what : str
        ``z``, ``y``, ``delta``, ``weight``, ``bias``, ``slope``, or ``samples``: batches of different lengths.
    where : str or tuple of str
        A neuron, or the two ends of an edge.
    after : bool
        Whether the parameter is the one after the step's update; all else up to there agrees.
    sample : int or None
        The row of X, where z, y or delta differ.
    values : pair of float
        This run's and the other's.
    causes : tuple of str
        How settings, data, start and length of the two differ, a sentence each.
    n_steps : int
        How many steps both have.
    tolerance : float
    looked_at : str
        How thoroughly.
    """

    step: int | None
    what: str
    where: str | tuple[str, str]
    after: bool
    sample: int | None
    values: tuple[float, float]
    causes: tuple[str, ...]
    n_steps: int
    tolerance: float
    looked_at: str

    def __bool__(self) -> bool:
        return self.step is not None

    def _explanation(self) -> Explanation:
        causes = Section("why", tuple((cause,) for cause in self.causes) or (("nothing else differs",),))
        if self.step is None:
            title = f"no difference above {self.tolerance:g} over {self.n_steps:,} steps; looked at {self.looked_at}"
            return Explanation(title, (causes,) if self.causes else ())
        named = self.where if isinstance(self.where, str) else "→".join(self.where)
        place = "samples in the batch" if self.what == "samples" else f"{self.what}[{named}]"
        if self.sample is not None:
            place += f" of sample {self.sample} (row of X)"
        if self.after:
            place += ", behind the update"
        this, other = pair(*self.values)
        title = f"the runs differ first at step {self.step:,}: {place}"
        return Explanation(title, (Section("values", (("this run", this), ("the other", other))), causes))


def diff(a: Replay, b: Replay, tolerance: float = 0.0, every_step: bool = False) -> Difference:
    """Find the first step of two runs that differs by more than ``tolerance``, absolutely; NaN equals NaN.

    A tolerance of 0 finds any bit that makes a number another one; `Run.diff` says what is asked for.

    Raises
    ------
    SettingError
        If the wirings differ.
    """
    if not tolerance >= 0.0:
        raise SettingError(f"tolerance={tolerance!r}: a number of at least 0 is needed")
    _check_wiring(a.graph, b.graph)
    n = min(a.n_steps, b.n_steps)
    start = max(a.begin, b.begin)
    begin, end, looked_at = start, n, f"all signals of {n - start:,} steps"
    if not every_step:
        begin, end, looked_at = _narrowed(a, b, start, n, tolerance)
    causes = tuple(_causes(a, b, start))
    order = a.graph.plan().order
    step, found = start, None
    if n <= start:  # no step to walk over
        found = _in_parameters(a.graph, a.parameters(start), b.parameters(start), tolerance)
    for this, that in zip(a.walk(begin, end), b.walk(begin, end), strict=True):
        step, found = this.number, _first_in(this, that, order, tolerance)
        if found is not None:
            break
    return Difference(None if found is None else step, *(found or _Found()), causes, n, tolerance, looked_at)


class _Found(NamedTuple):
    """What differs first in one step, as `Difference` says it."""

    what: str = ""
    where: str | tuple[str, str] = ""
    after: bool = False
    sample: int | None = None
    values: tuple[float, float] = (np.nan, np.nan)


def _narrowed(a: Replay, b: Replay, start: int, n: int, tolerance: float) -> tuple[int, int, str]:
    """The steps that hold the first difference, from … to before …."""

    def differ_before(q: int) -> bool:
        return _in_parameters(a.graph, a.parameters(q), b.parameters(q), tolerance) is not None

    same, differs, looked = start - 1, None, 0
    for q in sorted({start, *(start + 2**k for k in range((n - start).bit_length())), n}):
        looked += 1
        if differ_before(q):
            differs = q
            break
        same = q
    while differs is not None and differs - same > 1:
        middle = (same + differs) // 2
        looked += 1
        same, differs = (same, middle) if differ_before(middle) else (middle, differs)
    looked_at = f"the parameters before {looked} of them"
    end = n if differs is None else max(differs, min(start + 1, n))
    begin = n if differs is None else max(differs - 1, start)
    begin = min([begin, *_other_inputs(a, b, start, end)])
    walked = f" and all signals of steps {begin:,} to {end - 1:,}" if begin < end else ""
    return begin, end, looked_at + walked


def _other_inputs(a: Replay, b: Replay, start: int, end: int) -> Iterator[int]:
    """The first step, if any, from ``start`` to before ``end`` that reads other samples in the two runs."""
    same_order = a.batch_size == b.batch_size and all(_same(a.rows(q), b.rows(q)) for q in (0, a.steps_per_epoch))
    if same_order and _same(a.X, b.X) and _same(a.T, b.T):
        return
    for q in range(start, end):
        rows, others = a.rows(q), b.rows(q)
        if not (_same(a.X[rows], b.X[others]) and _same(a.T[rows], b.T[others])):
            yield q
            return


def _same(a: Array, b: Array) -> bool:
    return a is b or np.array_equal(a, b)


def _first_in(step: StepResult, other: StepResult, order: Array, tolerance: float) -> _Found | None:
    """In the order of computing: parameters, z and y with the flow, δ against it, parameters after the update."""
    graph = step.graph
    before, others = (Parameters(s.weights, s.biases, s.slopes) for s in (step, other))
    return (
        _in_parameters(graph, before, others, tolerance)
        or _in_signals(step, other, order, tolerance)
        or _in_parameters(graph, step.after, other.after, tolerance, after=True)
    )


def _in_signals(step: StepResult, other: StepResult, order: Array, tolerance: float) -> _Found | None:
    """The first z, y or δ that differs."""
    if len(step) != len(other):
        return _Found("samples", "", False, None, (float(len(step)), float(len(other))))
    samples = np.arange(len(step)) if step.samples is None else step.samples
    for what, columns in (("z", order), ("y", order), ("delta", order[::-1])):
        these, those = np.atleast_2d(getattr(step, what)), np.atleast_2d(getattr(other, what))
        bad = _differ(these, those, tolerance)
        if bad.any():
            neuron = int(columns[np.any(bad, axis=0)[columns].argmax()])
            row = int(bad[:, neuron].argmax())
            values = float(these[row, neuron]), float(those[row, neuron])
            return _Found(what, step.graph.name(neuron), False, int(samples[row]), values)
    return None


def _in_parameters(
    graph: Graph, these: Parameters, those: Parameters, tolerance: float, after: bool = False
) -> _Found | None:
    """The first weight, bias or slope that differs."""
    for array, this, that in zip(ARRAYS, these, those, strict=True):
        bad = _differ(this, that, tolerance)
        if bad.any():
            ref = ParameterRef(array, int(bad.argmax()))
            sink, source = graph.name(ref.sink(graph)), ref.source(graph)
            where = sink if source is None else (graph.name(source), sink)
            return _Found(_SINGULAR[array], where, after, None, (ref.value(these), ref.value(those)))
    return None


def _differ(a: Array, b: Array, tolerance: float) -> Array:
    if tolerance == 0.0 and np.array_equal(a, b):
        return np.zeros(a.shape, np.bool_)
    with np.errstate(all="ignore"):
        near = np.abs(a.astype(np.float64) - b.astype(np.float64)) <= tolerance
    bad: Array = ~(near | (a == b) | (np.isnan(a) & np.isnan(b)))
    return bad


def _check_wiring(a: Graph, b: Graph) -> None:
    if a.n_neurons != b.n_neurons:
        raise SettingError(f"the networks have {a.n_neurons:,} and {b.n_neurons:,} neurons; the same ones are needed")
    for this, that in zip(a.names, b.names, strict=True):
        if this != that:
            raise SettingError(f"the networks differ: {this!r} is called {that!r} in the other")
    edges = _same(a.row_start, b.row_start) and _same(a.sources, b.sources)
    if not (edges and same_delays(a.delays, b.delays)):
        these, those = (_edges(g) for g in (a, b))
        source, sink, delay = min(these ^ those)
        has, lacks = ("this", "the other") if (source, sink, delay) in these else ("the other", "this")
        edge = f"{a.name(source)} → {a.name(sink)}" + (f" of delay {delay}" if delay else "")
        raise SettingError(f"the networks differ: {has} has the edge {edge}, {lacks} has not")
    if not (_same(a.inputs, b.inputs) and _same(a.outputs, b.outputs)):
        raise SettingError("the networks differ: other neurons are inputs or outputs, or in another order")
    codes = np.flatnonzero(a.activation_codes != b.activation_codes)
    if len(codes):
        raise SettingError(f"the networks differ: {a.name(int(codes[0]))!r} has another activation")


def _edges(graph: Graph) -> set[tuple[int, int, int]]:
    """Source, sink and delay of every edge."""
    delays = [0] * graph.n_edges if graph.delays is None else graph.delays.tolist()
    return set(zip(graph.sources.tolist(), graph.sinks().tolist(), delays, strict=True))


def _causes(a: Replay, b: Replay, start: int) -> Iterator[str]:
    if a.graph.dtype != b.graph.dtype:
        yield f"dtype: {a.graph.dtype} and {b.graph.dtype}"
    for name in _SETTINGS:
        this, that = a.run.settings.get(name), b.run.settings.get(name)
        if this != that:
            yield f"{'seed' if name == 'rng' else name}: {this!r} and {that!r}"
    for name, this, that in (("X", a.X, b.X), ("T", a.T, b.T)):
        if this.shape != that.shape:
            yield f"{name}: shapes {this.shape} and {that.shape}"
        elif not _same(this, that):
            unequal = this != that
            rows = unequal.any(axis=1) if unequal.ndim == 2 else unequal
            yield f"{name}: {np.count_nonzero(rows):,} of {len(rows):,} rows, the first is row {int(rows.argmax())}"
    for name, this, that in zip(ARRAYS, a.parameters(start), b.parameters(start), strict=True):
        unequal = _differ(this, that, 0.0)
        if unequal.any():
            yield f"start: {np.count_nonzero(unequal):,} of the {name} differ before step {start:,}"
    for of in ("weight_rates", "bias_rates", "slope_rates"):
        # no rates are factors of 1
        this, that = (1 if rates is None else rates for rates in (getattr(a.graph, of), getattr(b.graph, of)))
        if not np.all(this == that):
            yield f"frozen or scaled: the {of.replace('_', ' ')} differ"
    if a.run.status != b.run.status:
        yield f"status: {a.run.status} and {b.run.status}"
    if a.n_steps != b.n_steps:
        yield f"length: {a.n_steps:,} and {b.n_steps:,} steps; those that both have are compared"
