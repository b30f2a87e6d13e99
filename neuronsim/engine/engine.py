"""Buffers of one network, and the only caller of kernels.

An engine belongs to one version of the wiring: it makes the plan, turns it into the flat arrays that kernels take,
and lends them its workspace. Everything that it is given has been checked before.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuronsim.engine.lowering import lower
from neuronsim.formulas.losses import Loss
from neuronsim.formulas.optimizers import Optimizer
from neuronsim.graph.graph import Graph, check_runnable
from neuronsim.graph.plan import Plan, make_plan
from neuronsim.kernels import codes, shapes
from neuronsim.kernels.batch import steps as batch
from neuronsim.kernels.jit import PARALLEL, worthwhile_threads
from neuronsim.kernels.lanes import BYTES, WIDTH
from neuronsim.kernels.records import Learning, Parameters, Samples, Wiring, Workspace
from neuronsim.kernels.update import (
    ADD,
    CLIP,
    CORRECTION_1,
    CORRECTION_2,
    EPSILON,
    FIRST,
    FIRST_REST,
    HIGHEST,
    LOWEST,
    N_RULE,
    SECOND,
    SECOND_REST,
    WRITE,
)
from neuronsim.kernels.watch import steps as watch
from neuronsim.kernels.watch.recorder import Recorder

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Signals:
    """z, y and δ of every neuron for one sample, by id; what a forward pass alone does not find is None.

    ``slope_terms`` are ∂L/∂slope of the neurons that learn one, by id.
    """

    z: Array
    y: Array
    delta: Array | None = None
    loss: float | None = None
    slope_terms: Array | None = None


@dataclass(frozen=True, eq=False)
class BlockSignals:
    """z, y and δ (n, n_neurons) and the losses (n,) of the samples from ``begin`` on; views, until the next block."""

    begin: int
    z: Array
    y: Array
    delta: Array
    losses: Array


@dataclass(frozen=True, eq=False)
class BatchGradients:
    """Gradients reduced over samples, and each sample's own δ, ∂L/∂x, loss and outputs; z, y where asked for."""

    loss: float
    losses: Array
    weights: Array
    biases: Array
    slopes: Array
    delta: Array
    inputs: Array
    outputs: Array
    z: Array | None = None
    y: Array | None = None
    slope_terms: Array | None = None


class Engine:
    """Runs one version of a wiring."""

    def __init__(self, graph: Graph) -> None:
        graph.consolidate()
        check_runnable(graph)
        self.graph = graph
        self.plan: Plan = make_plan(graph)
        self.dtype = np.dtype(graph.dtype)
        self.width = WIDTH[self.dtype]
        self.wiring = lower(graph, self.plan, wants_inputs=False)
        self._spaces: dict[tuple[int, int, int], Workspace] = {}
        self._full_wiring: Wiring | None = None

    @property
    def parameters(self) -> Parameters:
        """The graph's own arrays: kernels change them in place."""
        return Parameters(self.graph.weights, self.graph.biases, self.graph.slopes)

    @property
    def rates(self) -> Parameters:
        """Learning-rate factors, −1 where frozen; empty arrays where all are 1."""
        graph, none = self.graph, np.empty(0, self.dtype)
        rates = (graph.weight_rates, graph.bias_rates, graph.slope_rates)
        return Parameters(*(none if r is None else r for r in rates))

    @property
    def is_dense(self) -> Array:
        """By neuron, whether its gradients are summed sample after sample, as those of dense bundles are."""
        dense = np.zeros(self.graph.n_neurons, np.bool_)
        dense[~self.graph.is_input] = np.repeat(self.wiring.run_dense, self.wiring.run_size)
        return dense

    @property
    def full_wiring(self) -> Wiring:
        """The wiring with δ pushed into inputs too: ∂L/∂x is computed where someone asks."""
        if self._full_wiring is None:
            self._full_wiring = lower(self.graph, self.plan, wants_inputs=True)
        return self._full_wiring

    # --- simulate

    def forward(self, X: Array, threads: int | None = None) -> Array:
        """Outputs (n, n_outputs) of the samples X (n, n_inputs)."""
        Y = np.empty((len(X), self.graph.n_outputs), self.dtype)
        for begin, count, work in self._blocks(self.wiring, X, None, codes.HALF_SQUARED, batch.FORWARD, threads):
            Y[begin : begin + count] = self._by_sample(work.y, work)[:count, self.wiring.outputs]
        return Y

    def forward_one(self, x: Array) -> Signals:
        """z and y of all neurons for one sample x (n_inputs,), summed in batch order."""
        for _, _, work in self._blocks(self.wiring, x[None, :], None, codes.HALF_SQUARED, batch.FORWARD, 1):
            z, y = (self._by_sample(values, work)[0].copy() for values in (work.z, work.y))
        return Signals(self._with_inputs(z, y), y)

    def losses(self, X: Array, T: Array, loss: Loss, threads: int | None = None) -> tuple[Array, Array]:
        """Loss of each sample (n,) and the outputs (n, n_outputs)."""
        losses = np.empty(len(X), self.dtype)
        Y = np.empty((len(X), self.graph.n_outputs), self.dtype)
        for begin, count, work in self._blocks(self.wiring, X, T, loss.code, batch.LOSS, threads):
            losses[begin : begin + count] = self._by_sample(work.losses, work, 1)[:count, 0]
            Y[begin : begin + count] = self._by_sample(work.y, work)[:count, self.wiring.outputs]
        return losses, Y

    def gradients(
        self, X: Array, T: Array, loss: Loss, reduction: str = "mean", signals: bool = False
    ) -> BatchGradients:
        """Gradients over the samples, and every sample's δ and ∂L/∂x; with ``signals`` its z, y and slope terms too."""
        n = len(X)
        n_threads = self.threads(min(n, batch.BLOCK_SAMPLES), None)
        sums = self.like_parameters()
        losses = np.empty(n, self.dtype)
        delta = np.empty((n, self.graph.n_neurons), self.dtype)
        Y = np.empty((n, self.graph.n_outputs), self.dtype)
        z, y = (np.empty_like(delta) for _ in range(2)) if signals else (None, None)
        terms = np.empty((n, len(self.wiring.prelus)), self.dtype) if signals else None
        for begin, count, work in self._blocks(self.full_wiring, X, T, loss.code, batch.BACKWARD, None):
            self._run_neurons(self.full_wiring, work, sums, WRITE if begin == 0 else ADD, count, n_threads)
            losses[begin : begin + count] = self._by_sample(work.losses, work, 1)[:count, 0]
            delta[begin : begin + count] = self._by_sample(work.delta, work)[:count]
            Y[begin : begin + count] = self._by_sample(work.y, work)[:count, self.wiring.outputs]
            if z is not None and y is not None and terms is not None:
                z[begin : begin + count] = self._by_sample(work.z, work)[:count]
                y[begin : begin + count] = self._by_sample(work.y, work)[:count]
                terms[begin : begin + count] = self._by_sample(work.slope_terms, work, len(self.wiring.prelus))[:count]
        if z is not None and y is not None:
            z[:, self.wiring.inputs] = y[:, self.wiring.inputs] = X
        self._add_own_to_inputs(delta, X, T, loss)
        scale = self.dtype.type(1.0 / n if reduction == "mean" else 1.0)
        weights, biases, slopes = (values * scale for values in sums)
        total = float(np.add.reduce(losses, dtype=np.float64))
        return BatchGradients(
            total / n if reduction == "mean" else total,
            losses,
            weights,
            biases,
            slopes,
            delta,
            delta[:, self.wiring.inputs],
            Y,
            z,
            y,
            terms,
        )

    def signals(self, X: Array, T: Array, loss: Loss, inputs: bool = True) -> Iterator[BlockSignals]:
        """All signals of all samples, a block of them at a time; δ of an input is ∂L/∂x, NaN where not asked for."""
        wiring = self.full_wiring if inputs else self.wiring
        for begin, count, work in self._blocks(wiring, X, T, loss.code, batch.BACKWARD, None):
            z, y, delta = (self._by_sample(values, work)[:count] for values in (work.z, work.y, work.delta))
            z[:, wiring.inputs] = y[:, wiring.inputs] = X[begin : begin + count]
            if inputs:
                own = self._by_sample(work.own, work, self.graph.n_outputs)[:count]
                for row in np.flatnonzero(wiring.is_input[wiring.outputs]):
                    delta[:, wiring.outputs[row]] += own[:, row]
            else:
                delta[:, wiring.inputs] = np.nan
            yield BlockSignals(begin, z, y, delta, self._by_sample(work.losses, work, 1)[:count, 0])

    def jacobian(self, X: Array) -> Array:
        """∂y/∂x for each sample: (n, n_outputs, n_inputs)."""
        J = np.empty((len(X), self.graph.n_outputs, self.graph.n_inputs), self.dtype)
        T = np.zeros((len(X), self.graph.n_outputs), self.dtype)
        for o, output in enumerate(self.wiring.outputs):
            code = codes.SINGLE_OUTPUT + o
            for begin, count, work in self._blocks(self.full_wiring, X, T, code, batch.BACKWARD, None):
                J[begin : begin + count, o] = self._by_sample(work.delta, work)[:count, self.wiring.inputs]
            if self.wiring.is_input[output]:
                J[:, o, self.wiring.inputs == output] += 1
        return J

    # --- one step

    def step(self, x: Array, t: Array, loss: Loss, learning_rate: float) -> Signals:
        """One online step of plain SGD, in place; z, y and δ are those that it was made with."""
        session = Session(self, x[None, :], t.reshape(1, -1) if t.dtype.kind == "f" else t.reshape(1), loss)
        kept = [values.copy() for values in self.parameters]
        made = session.advance(np.zeros(1, np.int64), 0, np.array([float(learning_rate)]), self.full_wiring)
        if not made:
            raise FloatingPointError("the loss is not finite")
        if not self.is_finite():
            for values, old in zip(self.parameters, kept, strict=True):
                values[...] = old
            raise FloatingPointError("the update makes a parameter not finite")
        return self.online_signals(session)

    def online_signals(self, session: "Session") -> Signals:
        """What an online step with ``full_wiring``, before which the sum of losses was 0, was made with."""
        n, work = self.graph.n_neurons, session.work
        delta = work.delta[:n].copy()
        for row, output in enumerate(self.wiring.outputs):
            if self.wiring.is_input[output]:
                delta[output] += work.own[row]
        y = work.y[:n].copy()
        terms = work.slope_terms[: len(self.wiring.prelus)].copy()
        return Signals(self._with_inputs(work.z[:n].copy(), y), y, delta, float(session.loss_sum[0]), terms)

    def _with_inputs(self, z: Array, y: Array) -> Array:
        """Kernels never read an input's z; people are shown z = y = x."""
        z[self.wiring.inputs] = y[self.wiring.inputs]
        return z

    # --- what went wrong

    def is_finite(self) -> bool:
        """Whether all parameters are finite."""
        with np.errstate(all="ignore"):
            # a sum is quick, and finite only where its terms are; where it overflows, look at each
            return all(bool(np.isfinite(values.sum()) or np.isfinite(values).all()) for values in self.parameters)

    def first_not_finite(self, X: Array, T: Array, loss: Loss) -> tuple[str, int, float] | None:
        """The first z (in running order), else the first δ (in reverse), that is not finite for these samples."""
        order = self.plan.order
        for _, count, work in self._blocks(self.full_wiring, X, T, loss.code, batch.BACKWARD, 1):
            for what, values, ids in (("z", work.z, order), ("delta", work.delta, order[::-1])):
                found: Array = np.logical_not(np.isfinite(self._by_sample(values, work)[:count]))
                bad: Array = np.any(found, axis=0)[ids]
                if bad.any():
                    neuron = int(ids[bad.argmax()])
                    sample = int(found[:, neuron].argmax())
                    return what, neuron, float(self._by_sample(values, work)[sample, neuron])
        return None

    def judge(self, recorder: Recorder, X: Array, T: Array, loss: Loss, rows: Array) -> None:
        """Let alarms look at the samples ``rows`` of X with the parameters as they are."""
        samples = make_samples(X, T, rows, self.dtype)
        blocks = self._blocks(self.full_wiring, X[rows], T[rows], loss.code, batch.BACKWARD, 1)
        for begin, count, work in blocks:
            watch.judge_block(recorder, work, samples, self.parameters, begin, count, self._stride(work))

    def first_parameter_not_finite(self) -> int | None:
        """The neuron with the lowest id that has a weight, bias or slope that is not finite."""
        weights, biases, slopes = self.parameters
        edges = np.flatnonzero(~np.isfinite(weights))
        sinks = np.searchsorted(self.wiring.row_start, edges[:1], side="right") - 1
        found = [*sinks, *np.flatnonzero(~np.isfinite(biases) | ~np.isfinite(slopes))[:1]]
        return int(min(found)) if found else None

    # --- buffers

    def cuts(self, n_threads: int) -> Array | None:
        """Where the neurons of runs that are not shared, by id, are cut: about as many edges to each thread.

        None for one thread.
        """
        if n_threads == 1:
            return None
        shared, run_size = self.wiring.run_shared, self.wiring.run_size
        in_degree = np.diff(self.wiring.row_start)[~self.wiring.is_input][np.repeat(~shared, run_size)]
        cost = np.concatenate(([0], np.cumsum(in_degree + 8)))
        cuts = np.searchsorted(cost, cost[-1] * np.arange(1, n_threads) / n_threads)
        run_starts = np.concatenate(([0], np.cumsum(np.where(shared, 0, run_size))))
        within = run_starts[np.searchsorted(run_starts, cuts, side="right") - 1]
        cuts = within + (cuts - within) // shapes.ROWS * shapes.ROWS
        return np.concatenate(([0], cuts, [len(in_degree)])).astype(np.int64)

    def threads(self, samples: int, asked: int | None) -> int:
        """How many threads a step of so many samples is worth."""
        if asked is not None:
            return asked
        return worthwhile_threads(3.0 * samples * max(self.graph.n_edges, 1))

    def workspace(self, samples: int, n_threads: int) -> tuple[Workspace, int]:
        """Buffers for blocks of up to ``samples``, and their row length."""
        vectors = -(-min(samples, batch.BLOCK_SAMPLES) // self.width)
        planes = min(-(-vectors // (n_threads * batch.VECTORS_TOGETHER)) * n_threads, vectors)
        stride = -(-vectors // planes) * self.width
        return self._kept_workspace(stride, planes, n_threads), stride

    def online_workspace(self) -> Workspace:
        """Buffers for one sample at a time."""
        return self._kept_workspace(1, 1, 1)

    def _kept_workspace(self, stride: int, planes: int, n_threads: int) -> Workspace:
        """The last one asked for is kept."""
        key = (stride, planes, n_threads)
        if key not in self._spaces:
            self._spaces = {key: self._make_workspace(stride, planes, n_threads)}
        return self._spaces[key]

    def _make_workspace(self, stride: int, planes: int, n_threads: int) -> Workspace:
        n, n_outputs = self.graph.n_neurons, self.graph.n_outputs
        # a tile may read, never write, up to four lane vectors behind the last value it needs, or the rows of one tile
        spare = 4 * self.width
        behind = (shapes.ROWS - 1) * stride + spare if stride > 1 else spare
        sizes = [rows * stride + behind for rows in (n, n, n, n_outputs, n_outputs, len(self.wiring.prelus), 1)]
        sizes = [-(-size // self.width) * self.width for size in sizes]
        pitch = sum(sizes)
        # each buffer reaches to the last plane's end
        planes_of_all = _aligned_zeros(planes * pitch, self.dtype)
        y, z, delta, own, target, slope_terms, losses = (planes_of_all[at:] for at in np.cumsum([0, *sizes[:-1]]))
        degrees = np.diff(self.wiring.row_start)
        longest = int(degrees.max()) if degrees.size else 0
        panels = -(-n // (2 * self.width)) if stride > 1 and bool(self.wiring.run_dense.any()) else 0
        rows = panels * 2 * self.width * stride
        own_rows = -(-self.wiring.inputs_end // (2 * self.width)) * 2 * self.width * stride if panels else 0
        # one thread needs no copies of its own
        copies = n_threads if n_threads > 1 and self.wiring.leading > 0 else 0
        heard = self.wiring.inputs_end
        scratch = (longest // self.width * self.width + 3 * spare) * (shapes.ROWS if stride > 1 else 1)
        return Workspace(
            pitch=pitch if planes > 1 else 0,
            y=y,
            z=z,
            delta=delta,
            own=own,
            target=target,
            slope_terms=slope_terms,
            losses=losses,
            row_pitch=rows,
            rows=_aligned_zeros(planes * rows, self.dtype),
            starts=np.zeros(n_threads * planes * stride, np.int64),
            places=np.arange(self.width) * stride,
            steps=_aligned_zeros(n + spare if stride == 1 else 0, self.dtype),
            primes=_aligned_zeros(n + spare if stride == 1 else 0, self.dtype),
            scratch=_aligned_zeros(n_threads * scratch, self.dtype),
            own_inputs=_aligned_zeros(copies * (planes * heard * stride + spare), self.dtype),
            own_row_pitch=own_rows,
            own_rows=_aligned_zeros(copies * planes * own_rows, self.dtype),
        )

    def like_parameters(self) -> Parameters:
        """Zeros for every parameter."""
        return Parameters(*(np.zeros_like(values) for values in self.parameters))

    def no_parameters(self) -> Parameters:
        """Empty arrays, where nothing is kept."""
        return Parameters(*(np.empty(0, self.dtype) for _ in range(3)))

    def _stride(self, work: Workspace) -> int:
        """The row length of a workspace's buffers."""
        return int(work.places[1])

    def _by_sample(self, values: Array, work: Workspace, rows: int | None = None) -> Array:
        """A buffer as (samples, rows), one row for each neuron if not told otherwise."""
        stride, rows = self._stride(work), self.graph.n_neurons if rows is None else rows
        starts = range(0, values.size, work.pitch) if work.pitch else (0,)
        planes = [values[at : at + rows * stride].reshape(rows, stride).T for at in starts]
        return planes[0] if len(planes) == 1 else np.concatenate(planes)

    def _blocks(self, wiring: Wiring, X: Array, T: Array | None, loss: int, depth: int, threads: int | None) -> Any:
        """Run blocks of samples through the samples' phase; yields (first sample, count, workspace) after each."""
        n = len(X)
        n_threads = self.threads(min(n, batch.BLOCK_SAMPLES), threads)
        work, stride = self.workspace(n, n_threads)
        samples, cuts = make_samples(X, T, np.arange(n), self.dtype), self.cuts(n_threads)
        for begin in range(0, n, batch.BLOCK_SAMPLES):
            count = min(batch.BLOCK_SAMPLES, n - begin)
            with alone(cuts):
                batch.block_samples(wiring, self.parameters, work, samples, loss, depth, begin, count, stride, cuts)
            yield begin, count, work

    def _run_neurons(
        self, wiring: Wiring, work: Workspace, sums: Parameters, mode: int, count: int, n_threads: int
    ) -> None:
        stride = self._stride(work)
        none, cuts = self.no_parameters(), self.cuts(n_threads)
        zero, unused = self.dtype.type(0), np.zeros(2)
        keep = Learning(mode, np.zeros(N_RULE, self.dtype), unused, unused, zero, sums, none, none, none)
        with alone(cuts):
            batch.block_neurons(wiring, work, keep, count, stride, cuts)

    def _add_own_to_inputs(self, delta: Array, X: Array, T: Array, loss: Loss) -> None:
        """An input that is an output gets the loss's part on top of what its sinks send back."""
        for row, output in enumerate(self.wiring.outputs):
            if self.wiring.is_input[output]:
                for begin, count, work in self._blocks(self.wiring, X, T, loss.code, batch.LOSS, None):
                    own = self._by_sample(work.own, work, self.graph.n_outputs)
                    delta[begin : begin + count, output] += own[:count, row]


class Session:
    """One training run's state: optimiser state, samples, buffers. ``advance`` makes steps, in place."""

    def __init__(
        self,
        engine: Engine,
        X: Array,
        T: Array,
        loss: Loss,
        *,
        optimizer: Optimizer | None = None,
        batch_size: int = 1,
        mean: bool = True,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        initial_rate: float = 0.0,
        threads: int | None = None,
    ) -> None:
        self.engine = engine
        self.wiring = engine.wiring
        self.recorder: Recorder | None = None
        self.loss = loss
        self.mean = mean
        self.batch_size = batch_size
        dtype = engine.dtype
        self.data = (X, T)
        code = codes.SGD if optimizer is None else optimizer.code
        n_state = 0 if optimizer is None else optimizer.n_state
        none = engine.no_parameters()
        settings, numbers = _rule(optimizer, clip_value, dtype)
        self.clip_norm = 0.0 if clip_norm is None else float(clip_norm)
        self.learning = Learning(
            optimizer=code,
            numbers=numbers,
            settings=settings,
            powers=np.ones(2),
            decay=dtype.type(weight_decay),
            parameters=engine.parameters,
            first_state=engine.like_parameters() if n_state > 0 else none,
            second_state=engine.like_parameters() if n_state > 1 else none,
            rates=engine.rates,
        )
        if code == codes.RPROP:
            for steps, factors in zip(self.learning.second_state, self.learning.rates, strict=True):
                steps[:] = initial_rate
                if factors.size:
                    steps *= np.maximum(factors, 0)
        buffered = clip_norm is not None or batch_size > batch.BLOCK_SAMPLES
        self.gradient = engine.like_parameters() if buffered else none
        # plain SGD with nothing in its way takes the fused pass
        plain = code == codes.SGD and weight_decay == 0 and clip_norm is None and clip_value is None
        self.fused = plain and all(r.size == 0 for r in self.learning.rates)
        self.loss_sum = np.zeros(1)
        if batch_size == 1:
            self.n_threads, self.stride = 1, 1
            self.work = engine.online_workspace()
        else:
            self.n_threads = engine.threads(min(batch_size, batch.BLOCK_SAMPLES), threads)
            self.work, self.stride = engine.workspace(batch_size, self.n_threads)
        self._threads_now = self.n_threads
        self.cuts = engine.cuts(self.n_threads)

    def use_threads(self, n: int) -> None:
        """Make the next steps on so many threads, at most those that the session was made for."""
        if n != self._threads_now:
            self._threads_now, self.cuts = n, self.engine.cuts(n)

    def watch(self, recorder: Recorder, wants_inputs: bool) -> None:
        """Have the steps from now on recorded; ``wants_inputs``: ∂L/∂x too."""
        self.recorder = recorder
        if wants_inputs:
            self.wiring = self.engine.full_wiring

    def advance(
        self, order: Array, first_step: int, rates: Array, wiring: Wiring | None = None, watched: bool = True
    ) -> int:
        """Make ``len(rates)`` steps of an epoch from ``first_step`` on; returns how many were made.

        Fewer than asked: the next step's loss was not finite, and its update was not made.
        """
        engine = self.engine
        samples = make_samples(*self.data, order, engine.dtype)
        recorder = self.recorder if watched else None
        wiring = self.wiring if wiring is None else wiring
        common = (
            recorder,
            wiring,
            self.learning,
            self.gradient,
            self.work,
            samples,
            self.loss.code,
            self.clip_norm,
            first_step,
            rates,
            self.loss_sum,
        )
        if wiring.tiny and self.batch_size == 1 and self.fused and self.loss.code == codes.HALF_SQUARED:
            made = watch.watch_tiny(
                recorder, wiring, engine.parameters, self.work, samples, first_step, rates, self.loss_sum
            )
        elif self.batch_size == 1:
            made = watch.watch_online(*common, self.fused)
        else:
            with alone(self.cuts):
                made = watch.watch_batches(*common, self.mean, self.batch_size, self.stride, self.cuts)
        return int(made)

    def arrays(self) -> list[Array]:
        """Everything that a step changes: parameters, optimiser state, running products, the sum of losses."""
        learning = self.learning
        parts = (learning.parameters, learning.first_state, learning.second_state)
        return [*(values for part in parts for values in part), learning.powers, self.loss_sum]


def _aligned_zeros(n: int, dtype: np.dtype[Any]) -> Array:
    """Zeros that begin a cache line: a lane vector across two of them costs two loads."""
    values = np.zeros(n + BYTES // dtype.itemsize, dtype)
    begin = -values.ctypes.data % BYTES // dtype.itemsize
    return values[begin : begin + n]


def alone(cuts: Array | None) -> AbstractContextManager[Any]:
    """Let one Python thread at a time open parallel regions; those that open none need not wait."""
    return nullcontext() if cuts is None else PARALLEL


def make_samples(X: Array, T: Array | None, order: Array, dtype: np.dtype[Any]) -> Samples:
    """X, T (values or class numbers, or none) and their order, as kernels take them."""
    targets, classes = np.empty((0, 0), dtype), np.empty(0, np.int32)
    if T is not None and T.dtype.kind == "f":
        targets = T
    elif T is not None:
        classes = T
    return Samples(*(_writable(values) for values in (X.reshape(-1), targets, classes, order)))


@dataclass(frozen=True)
class _Memory:
    """An array's memory, seen as writable."""

    __array_interface__: dict[str, Any]


def _writable(values: Array) -> Array:
    """A view that Numba types like any other array; kernels never write to samples."""
    if values.flags.writeable:
        return values
    interface = values.__array_interface__
    return np.asarray(_Memory(interface | {"data": (interface["data"][0], False)}))


def _rule(optimizer: Optimizer | None, clip_value: float | None, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    """An optimiser's settings in float64, and the numbers of a step in the network's dtype, by place."""
    settings = np.zeros(N_RULE)
    settings[CLIP] = np.inf if clip_value is None else clip_value
    settings[CORRECTION_1] = settings[CORRECTION_2] = 1.0
    values = () if optimizer is None else optimizer.settings()
    if optimizer is not None and optimizer.code == codes.RPROP:
        places: tuple[int, ...] = (FIRST, SECOND, LOWEST, HIGHEST)
    elif optimizer is not None and optimizer.code == codes.RMSPROP:
        places = (FIRST, EPSILON)
    else:
        places = (FIRST, SECOND, EPSILON)[: len(values)]
    settings[list(places)] = values
    settings[FIRST_REST], settings[SECOND_REST] = 1.0 - settings[FIRST], 1.0 - settings[SECOND]
    return settings, settings.astype(dtype)
