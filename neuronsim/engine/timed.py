"""Runs sequences through a network with memory: its engine, and the state of one training run."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from neuronsim.basics.arrays import Array, Integers
from neuronsim.engine.border import accuracy
from neuronsim.engine.engine import Engine, parallel_regions
from neuronsim.engine.finite import NotFinite, first_signal
from neuronsim.engine.learning import SessionSettings, make_learning
from neuronsim.engine.sequences import Sequences, State
from neuronsim.engine.session import Session
from neuronsim.engine.signals import ForwardSignals, ReducedGradients
from neuronsim.engine.unfolding import Unfolding, sequences_together, unfold
from neuronsim.engine.workspace import gathered, writable
from neuronsim.errors import DataError
from neuronsim.formulas.losses import Loss
from neuronsim.graph.graph import Graph
from neuronsim.kernels import codes
from neuronsim.kernels.arguments import Parameters, Pass, Span, Task, Wiring
from neuronsim.kernels.batch.steps import BACKWARD, FORWARD, LOSS
from neuronsim.kernels.sequences.arguments import SequenceData, Unfolded, Windows
from neuronsim.kernels.sequences.steps import run_block, sum_gradients, train_sequences
from neuronsim.kernels.watch.recorder import Recorder


@dataclass(frozen=True, eq=False)
class TimedBlock:
    """Sequences that have run through the network together: what the buffers hold of them, until the next block runs.

    Attributes
    ----------
    unfolding : Unfolding
    wiring : Wiring
        That they ran through.
    X : Sequences
        All sequences.
    begin, count : int
        The first one, and how many these are.
    steps : int
        Of the longest one.
    """

    unfolding: Unfolding
    wiring: Wiring
    X: Sequences
    begin: int
    count: int
    steps: int

    @property
    def _of(self) -> Unfolded:
        return self.unfolding.unfolded

    @property
    def rows(self) -> slice:
        """Their rows in the data."""
        return slice(int(self.X.starts[self.begin]), int(self.X.starts[self.begin + self.count]))

    @property
    def z(self) -> Array:
        """Net inputs, shape (n_rows, n_neurons); an input's is x."""
        leaks = self._of.leaks
        found = self.arguments
        if leaks.codes.size:  # where the potential leaks, its place has v
            kept = self._read(leaks.kept, int(leaks.rows.max()) + 1)
            leaking = np.flatnonzero(leaks.codes == codes.LEAK_OF_POTENTIAL)
            found[:, leaking] = kept[:, leaks.rows[leaking]]
        return found

    @property
    def arguments(self) -> Array:
        """What f is applied to, shape (n_rows, n_neurons): z, or the potential where that leaks."""
        return self._with_inputs(self._of.work.z)

    @property
    def y(self) -> Array:
        """Outputs of all neurons, shape (n_rows, n_neurons)."""
        return self._with_inputs(self._of.work.y)

    @property
    def outputs(self) -> Array:
        """y of the network's outputs, shape (n_rows, n_outputs)."""
        return self._read(self._of.work.y, len(self.wiring.is_input))[:, self.wiring.outputs]

    @property
    def ends(self) -> State:
        """What the sequences end with."""
        return self.unfolding.ends(self.X, self.begin, self.count)

    @property
    def delta(self) -> Array:
        """δ, shape (n_rows, n_neurons); an input's is ∂L/∂x, NaN where the wiring wants none."""
        wiring, work = self.wiring, self._of.work
        delta = self._read(work.delta, len(wiring.is_input))
        if len(wiring.cleared) < len(wiring.is_input):
            delta[:, wiring.inputs] = np.nan
        for row in np.flatnonzero(wiring.is_input[wiring.outputs]):
            delta[:, wiring.outputs[row]] += self._read(work.loss_delta, len(wiring.outputs))[:, row]
        return delta

    @property
    def losses(self) -> Array:
        """Each row's loss times its weight, shape (n_rows,)."""
        return self._read(self._of.work.losses, 1)[:, 0]

    def _with_inputs(self, values: Array) -> Array:
        found = self._read(values, len(self.wiring.is_input))
        found[:, self.wiring.inputs] = self.X.rows[self.rows]
        return found

    def _read(self, values: Array, rows: int) -> Array:
        """A buffer as (n_rows, rows), a copy."""
        lengths = self.X.lengths[self.begin : self.begin + self.count]
        by_step = self.unfolding.by_step(values, rows, self.steps, self.count)
        return by_step[np.arange(self.steps) < lengths[:, None]]


class SequenceEngine(Engine):
    """Runs one version of a wiring with memory: samples are sequences."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self._unfoldings: dict[tuple[int, int, int, bool], Unfolding] = {}

    def unfolding(self, n_sequences: int, steps: int, n_threads: int, inputs: bool = False) -> Unfolding:
        """Room for sequences, with δ of inputs where it is asked for; the last one is kept."""
        asked = n_sequences, steps, n_threads, inputs
        if asked not in self._unfoldings:
            wiring = self.full_wiring if inputs else self.wiring
            self._unfoldings = {asked: unfold(self.graph, wiring, n_sequences, steps, n_threads)}
        found = self._unfoldings[asked]
        found.begin(self.graph)
        return found

    def cuts(self, n_threads: int) -> Array | None:
        """Ids at which the neurons are cut, about as many edges to each thread; None for one thread."""
        cuts = super().cuts(n_threads)
        if cuts is None:
            return None
        ids = np.append(np.flatnonzero(~self.wiring.is_input), self.graph.n_neurons)
        return ids[cuts]

    def threads_of(self, n_sequences: int, steps: int, asked: int | None) -> int:
        """How many threads a batch of so many sequences is worth."""
        return self.threads(n_sequences * steps, asked)

    def outputs(self, X: Sequences, state: State | None = None, ends: list[State] | None = None) -> Array:
        """Outputs of every step, (n_rows, n_outputs); ``ends`` gains what the sequences of each block end with."""
        return self._forward(X, lambda block: (block.outputs,), state, ends)[0]

    def signals_of_one(
        self, X: Sequences, state: State | None = None, ends: list[State] | None = None
    ) -> ForwardSignals:
        """z and y of all neurons for one sequence, (n_steps, n_neurons) each."""
        return ForwardSignals(*self._forward(X, lambda block: (block.z, block.y), state, ends))

    def losses_by_row(self, X: Sequences, T: Sequences, loss: Loss) -> tuple[Array, Array]:
        """Loss of each row (n_rows,), 0 of one without a target, and the outputs (n_rows, n_outputs)."""
        blocks = self._sequences(X, T, loss.code, LOSS)
        losses, outputs = gathered(blocks, len(X.rows), lambda block: (block.losses, block.outputs))
        return losses, outputs

    def signals_by_row(self, X: Any) -> ForwardSignals:
        """What f is applied to, a potential where that leaks, and y of all neurons at each step, by row."""
        return ForwardSignals(*self._forward(X, lambda block: (block.arguments, block.y)))

    def total_loss(self, X: Any, T: Any, loss: Loss) -> tuple[float, int]:
        """The sum of all losses, and how many steps have one."""
        losses, _ = self.losses_by_row(X, T, loss)
        return float(losses.sum(dtype=np.float64)), len(T.wanted)

    def evaluated(self, X: Any, T: Any, loss: Loss) -> tuple[float, float | None, Array]:
        """Mean loss over all steps that have a target, the share of them that is right, and outputs by row."""
        losses, outputs = self.losses_by_row(X, T, loss)
        mean = float(losses.sum(dtype=np.float64) / max(len(T.wanted), 1))
        return mean, accuracy(outputs[T.wanted], T.rows[T.wanted], loss), outputs

    def parameter_gradients(self, X: Any, T: Any, loss: Loss, reduction: str = "mean") -> Parameters:
        """Gradients over the sequences, and nothing else."""
        return self._through_time(X, T, loss, reduction, lambda block: ())[0]

    def gradients_through_time(self, X: Sequences, T: Sequences, loss: Loss, reduction: str) -> ReducedGradients:
        """Gradients over the sequences, and of every row its loss, δ, ∂L/∂x and outputs."""
        sums, (losses, delta, outputs) = self._through_time(
            X, T, loss, reduction, lambda block: (block.losses, block.delta, block.outputs)
        )
        total = float(losses.sum(dtype=np.float64))
        value = total / max(len(T.wanted), 1) if reduction == "mean" else total
        return ReducedGradients(value, losses, *sums, delta, delta[:, self.wiring.inputs], outputs)

    def first_not_finite(self, X: Any, T: Any, loss: Loss) -> NotFinite | None:
        """The first signal of these sequences that is not finite; its ``row`` is the sequence."""
        found = []
        for block in self._sequences(X, T, loss.code, BACKWARD):
            lengths = X.lengths[block.begin : block.begin + block.count]
            sequence = block.begin + np.repeat(np.arange(block.count), lengths)
            bad = first_signal(self.plan.order, block.z, block.y, block.losses, block.delta)
            if bad is not None:
                found.append(bad._replace(row=int(sequence[bad.row])))
        return min(found, default=None)

    def _forward(
        self,
        X: Sequences,
        pick: Callable[[TimedBlock], tuple[Array, ...]],
        state: State | None = None,
        ends: list[State] | None = None,
    ) -> list[Array]:
        """What ``pick`` takes of sequences that go forward, by row."""

        def picked(block: TimedBlock) -> tuple[Array, ...]:
            if ends is not None:
                ends.append(block.ends)
            return pick(block)

        return gathered(self._sequences(X, None, codes.HALF_SQUARED, FORWARD, state=state), len(X.rows), picked)

    def _through_time(
        self, X: Sequences, T: Sequences, loss: Loss, reduction: str, pick: Callable[[TimedBlock], tuple[Array, ...]]
    ) -> tuple[Parameters, list[Array]]:
        """Gradients over the sequences, and of each block of them what ``pick`` takes."""
        sums, n_threads = self.like_parameters(), self.threads_of(len(X), X.longest, None)
        learning, cuts = self.gradients_into(sums), self.cuts(n_threads)

        def summed(block: TimedBlock) -> tuple[Array, ...]:
            with parallel_regions(cuts):
                sum_gradients(block.unfolding.unfolded, learning, 0, block.steps, block.begin == 0, cuts)
            return pick(block)

        picked = gathered(self._sequences(X, T, loss.code, BACKWARD, inputs=True), len(X.rows), summed)
        scale = self.dtype.type(1.0 / max(len(T.wanted), 1) if reduction == "mean" else 1.0)
        return Parameters(*(values * scale for values in sums)), picked

    def _sequences(
        self, X: Sequences, T: Sequences | None, loss: int, depth: int, inputs: bool = False, state: State | None = None
    ) -> Iterator[TimedBlock]:
        """Run blocks of sequences through time, one after the other."""
        n_threads = self.threads_of(len(X), X.longest, None)
        unfolding = self.unfolding(len(X), X.longest, n_threads, inputs)
        data, cuts = as_data(X, T, np.arange(len(X)), self.dtype), self.cuts(n_threads)
        for begin in range(0, len(X), unfolding.n_lanes):
            count, asked = min(unfolding.n_lanes, len(X) - begin), Pass(loss, depth)
            if state is not None:
                unfolding.go_on(state, begin, count)
            with parallel_regions(cuts):
                steps = run_block(unfolding.unfolded, self.parameters, data, asked, begin, count, cuts)
            yield TimedBlock(unfolding, self.full_wiring if inputs else self.wiring, X, begin, count, int(steps))


class SequenceSession(Session):
    """One training run on sequences under way; a step is a batch of them."""

    def __init__(
        self,
        engine: SequenceEngine,
        X: Sequences,
        T: Sequences,
        loss: Loss,
        settings: SessionSettings | None = None,
        trained: Integers | None = None,
        windows: Windows | None = None,
    ) -> None:
        self.settings = settings = settings or SessionSettings()
        self.windows = windows or Windows(0, -1)
        self.engine: SequenceEngine = engine
        self.wiring = engine.wiring
        self.recorder: Recorder | None = None
        self.loss, self.mean, self.batch_size = loss, settings.mean, settings.batch_size
        self.data: Any = (X, T)
        self._trained = trained
        self.learning = make_learning(engine, settings, buffered=True)
        clip = 0.0 if settings.clip_norm is None else float(settings.clip_norm)
        self.task = Task(loss.code, self.batch_size, self.mean, clip, fused=False)
        self.loss_sum = np.zeros(1)
        self.n_threads = engine.threads_of(self.batch_size, X.longest, settings.threads)
        self._threads_now = self.n_threads
        self.cuts = engine.cuts(self.n_threads)
        most = sequences_together(engine.graph, X.longest, engine.width)
        if self.windows.length and min(self.batch_size, len(X)) > most:
            raise DataError(
                f"window: a batch goes through its windows together, and {most:,} sequences of {X.longest:,} steps are "
                f"as many as are laid out; batch_size={most} at most"
            )

    @cached_property
    def unfolding(self) -> Unfolding:
        """Room of its own: for validation the engine lays out another one, and keeps the last."""
        return self.engine.unfolding(self.batch_size, self.data[0].longest, self.n_threads)

    @cached_property
    def n_losses(self) -> int:
        """How many steps of all sequences of an epoch have a target."""
        T: Any = self.trained_data[1]
        return len(T.wanted)

    def advance(
        self, order: Array, first_step: int, rates: Array, wiring: Wiring | None = None, watched: bool = True
    ) -> int:
        """Make ``len(rates)`` steps of an epoch from ``first_step`` on; returns how many were made."""
        X, T = self.data
        self.unfolding.begin(self.engine.graph)
        unfolded, data = self.unfolding.unfolded, as_data(X, T, order, self.engine.dtype)
        span = Span(first_step, rates, self.loss_sum)
        with parallel_regions(self.cuts):
            made = train_sequences(unfolded, self.learning, data, self.task, self.windows, span, self.cuts)
        return int(made)


def as_data(X: Sequences, T: Sequences | None, order: Array, dtype: np.dtype[Any]) -> SequenceData:
    """Sequences and their order, as kernels take them."""
    targets, classes = np.empty((0, 0), dtype), np.empty(0, np.int32)
    weights = np.zeros(len(X.rows), dtype)
    if T is not None:
        weights = np.ones(len(X.rows), dtype) if T.weights is None else T.weights
        targets, classes = (T.rows, classes) if T.rows.dtype.kind == "f" else (targets, T.rows)
    arrays = (X.rows.reshape(-1), targets, classes, weights, X.starts, order)
    return SequenceData(*(writable(values) for values in arrays))
