"""Two runs of one wiring, side by side: the first step, and in it the first neuron or edge, at which they differ.

Runs that start, read and do the same are the same, bit for bit. So parameters are compared at the steps 0, 1, 2, 4, 8,
…, and between the last two of these by halving: parameters that once differ are taken to differ for good. From the
first step on that reads other data, all signals are compared; with ``every_step=True``, those of every step.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuronsim.errors import SettingError
from neuronsim.explaining.explain import Explanation, Section, pair

if TYPE_CHECKING:
    from neuronsim.graph.graph import Graph
    from neuronsim.tracing.replay import Replay
    from neuronsim.tracing.steps import Step

__all__ = ["Difference", "diff"]

Array = NDArray[Any]

# Settings that change what a step does; the others change when a run ends, or what it shows.
_SETTINGS = ("loss", "reduction", "optimizer", "learning_rate", "momentum", "batch_size", "shuffle", "rng",
             "weight_decay", "clip_norm", "clip_value")  # fmt: skip


@dataclass(frozen=True)
class Difference:
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
        Whether the parameter is the one behind the step's update; all else up to there agrees.
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

    def __str__(self) -> str:
        return str(self._explanation())

    def _repr_html_(self) -> str:
        return self._explanation()._repr_html_()


def diff(a: "Replay", b: "Replay", tolerance: float = 0.0, every_step: bool = False) -> Difference:
    """Find the first step of two runs that differs by more than ``tolerance``, absolutely; NaN equals NaN.

    Parameters
    ----------
    a, b : Replay
        Of networks with the same neurons and edges.
    tolerance : float
        0: any bit that makes a number another one.
    every_step : bool
        Compare all signals of all steps, one after the other.

    Raises
    ------
    SettingError
        If the wirings differ.
    """
    if not tolerance >= 0.0:
        raise SettingError(f"tolerance={tolerance!r}: a number of at least 0 is needed")
    _check_wiring(a.graph, b.graph)
    n = min(a.n_steps, b.n_steps)
    begin, end, looked_at = 0, n, f"all signals of {n:,} steps"
    if not every_step:
        begin, end, looked_at = _narrowed(a, b, n, tolerance)
    causes = tuple(_causes(a, b))
    order = a.graph.plan().order
    for step, its_twin in zip(a.walk(begin, end), b.walk(begin, end), strict=True):
        found = _first_in(step, its_twin, order, tolerance)
        if found is not None:
            what, where, after, sample, values = found
            return Difference(step.number, what, where, after, sample, values, causes, n, tolerance, looked_at)
    if not n and (start := _parameters(a, b, 0, tolerance)) is not None:
        what, where, values = start
        return Difference(0, what, where, False, None, values, causes, n, tolerance, looked_at)
    return Difference(None, "", "", False, None, (np.nan, np.nan), causes, n, tolerance, looked_at)


def _narrowed(a: "Replay", b: "Replay", n: int, tolerance: float) -> tuple[int, int, str]:
    """The steps that hold the first difference, from … to before …."""
    same, differs, looked = -1, None, 0
    for q in _powers(n):
        looked += 1
        if _parameters(a, b, q, tolerance) is not None:
            differs = q
            break
        same = q
    while differs is not None and differs - same > 1:
        middle = (same + differs) // 2
        looked += 1
        if _parameters(a, b, middle, tolerance) is None:
            same = middle
        else:
            differs = middle
    looked_at = f"the parameters before {looked} of them"
    end = n if differs is None else max(differs, min(1, n))
    begin = n if differs is None else max(differs - 1, 0)
    begin = min([begin, *_other_inputs(a, b, end)])
    walked = f" and all signals of steps {begin:,} to {end - 1:,}" if begin < end else ""
    return begin, end, looked_at + walked


def _powers(n: int) -> Iterator[int]:
    q = 0
    while q < n:
        yield q
        q = max(1, 2 * q)
    yield n


def _other_inputs(a: "Replay", b: "Replay", end: int) -> Iterator[int]:
    """The first step, if any, before ``end`` that reads other samples in the two runs."""
    if _same(a.X, b.X) and _same(a.T, b.T) and _same_order(a, b):
        return
    for q in range(end):
        rows, others = a.rows(q), b.rows(q)
        if not (_same(a.X[rows], b.X[others]) and _same(a.T[rows], b.T[others])):
            yield q
            return


def _same_order(a: "Replay", b: "Replay") -> bool:
    firsts = (0, a.steps_per_epoch)
    return a.batch_size == b.batch_size and all(_same(a.rows(q), b.rows(q)) for q in firsts)


def _same(a: Array, b: Array) -> bool:
    return a is b or np.array_equal(a, b)


def _first_in(
    step: "Step", other: "Step", order: Array, tolerance: float
) -> tuple[str, Any, bool, int | None, tuple[float, float]] | None:
    """In the order of computing: parameters, z and y with the flow, δ against it, parameters behind the update."""
    graph = step.graph
    before = _in_parameters(graph, _of(step), _of(other), tolerance)
    if before is not None:
        what, where, values = before
        return what, where, False, None, values
    mine, its = np.atleast_2d(step.z), np.atleast_2d(other.z)
    if len(mine) != len(its):
        return "samples", "", False, None, (float(len(mine)), float(len(its)))
    samples = np.arange(len(mine)) if step.samples is None else step.samples
    for what, columns in (("z", order), ("y", order), ("delta", order[::-1])):
        own, its = np.atleast_2d(getattr(step, what)), np.atleast_2d(getattr(other, what))
        bad = _differ(own, its, tolerance)
        if bad.any():
            neuron = int(columns[np.any(bad, axis=0)[columns].argmax()])
            row = int(bad[:, neuron].argmax())
            values = float(own[row, neuron]), float(its[row, neuron])
            return what, graph.name(neuron), False, int(samples[row]), values
    behind = _in_parameters(graph, _of(step, True), _of(other, True), tolerance)
    if behind is None:
        return None
    what, where, values = behind
    return what, where, True, None, values


def _of(step: "Step", after: bool = False) -> tuple[Array, Array, Array]:
    if after:
        return step.weights_after, step.biases_after, step.slopes_after
    return step.weights, step.biases, step.slopes


def _parameters(a: "Replay", b: "Replay", q: int, tolerance: float) -> tuple[str, Any, tuple[float, float]] | None:
    return _in_parameters(a.graph, a.parameters(q), b.parameters(q), tolerance)


def _in_parameters(
    graph: "Graph", these: tuple[Array, ...], those: tuple[Array, ...], tolerance: float
) -> tuple[str, Any, tuple[float, float]] | None:
    """The first weight, bias or slope that differs."""
    for what, this, that in zip(("weight", "bias", "slope"), these, those, strict=True):
        bad = _differ(this, that, tolerance)
        if bad.any():
            at = int(bad.argmax())
            where: Any = graph.name(at) if what != "weight" else _ends(graph, at)
            return what, where, (float(this[at]), float(that[at]))
    return None


def _ends(graph: "Graph", edge: int) -> tuple[str, str]:
    return graph.name(int(graph.sources[edge])), graph.name(int(graph.sinks()[edge]))


def _differ(a: Array, b: Array, tolerance: float) -> Array:
    if tolerance == 0.0 and np.array_equal(a, b):
        return np.zeros(a.shape, np.bool_)
    with np.errstate(all="ignore"):
        near = np.abs(a.astype(np.float64) - b.astype(np.float64)) <= tolerance
    bad: Array = ~(near | (a == b) | (np.isnan(a) & np.isnan(b)))
    return bad


def _check_wiring(a: "Graph", b: "Graph") -> None:
    if a.n_neurons != b.n_neurons:
        raise SettingError(f"the networks have {a.n_neurons:,} and {b.n_neurons:,} neurons; the same ones are needed")
    for this, that in zip(a.names, b.names, strict=True):
        if this != that:
            raise SettingError(f"the networks differ: {this!r} is called {that!r} in the other")
    if not (_same(a.row_start, b.row_start) and _same(a.sources, b.sources)):
        own = _edges(a)
        others = _edges(b)
        source, sink = min(own ^ others)
        has, lacks = ("this", "the other") if (source, sink) in own else ("the other", "this")
        edge = f"{a.name(source)} → {a.name(sink)}"
        raise SettingError(f"the networks differ: {has} has the edge {edge}, {lacks} has not")
    if not (_same(a.inputs, b.inputs) and _same(a.outputs, b.outputs)):
        raise SettingError("the networks differ: other neurons are inputs or outputs, or in another order")
    codes = np.flatnonzero(a.activation_codes != b.activation_codes)
    if len(codes):
        raise SettingError(f"the networks differ: {a.name(int(codes[0]))!r} has another activation")


def _edges(graph: "Graph") -> set[tuple[int, int]]:
    return set(zip(graph.sources.tolist(), graph.sinks().tolist(), strict=True))


def _causes(a: "Replay", b: "Replay") -> Iterator[str]:
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
    for name, start, its in zip(("weights", "biases", "slopes"), a.parameters(0), b.parameters(0), strict=True):
        unequal = _differ(start, its, 0.0)
        if unequal.any():
            yield f"start: {np.count_nonzero(unequal):,} of the {name} differ before step 0"
    for of in ("weight_rates", "bias_rates", "slope_rates"):
        if not _same_rates(getattr(a.graph, of), getattr(b.graph, of)):
            yield f"frozen or scaled: the {of.replace('_', ' ')} differ"
    if a.run.status != b.run.status:
        yield f"status: {a.run.status} and {b.run.status}"
    if a.n_steps != b.n_steps:
        yield f"length: {a.n_steps:,} and {b.n_steps:,} steps; those that both have are compared"


def _same_rates(a: Array | None, b: Array | None) -> bool:
    if a is None or b is None:
        rates = b if a is None else a
        return rates is None or bool((rates == 1).all())
    return _same(a, b)
