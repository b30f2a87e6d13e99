"""The state of one training run: parameters, what the optimiser keeps of them, samples; ``advance`` makes steps."""

from functools import cached_property

import numpy as np

from neuronsim.basics.arrays import Array, Integers
from neuronsim.engine.engine import Engine, parallel_regions
from neuronsim.engine.learning import SessionSettings, make_learning
from neuronsim.engine.signals import Signals
from neuronsim.engine.workspace import make_samples
from neuronsim.formulas.losses import Loss
from neuronsim.kernels import codes
from neuronsim.kernels.arguments import Span, Task, Wiring
from neuronsim.kernels.batch.steps import BLOCK_SAMPLES, train_batches
from neuronsim.kernels.online.steps import train_online
from neuronsim.kernels.online.tiny import train_tiny
from neuronsim.kernels.update import SCALE
from neuronsim.kernels.watch.recorder import Recorder

State = list[Array]
"""What a step changes, as `Session.arrays` lists it."""


class Session:
    """One training run under way, on an engine's parameters."""

    def __init__(
        self,
        engine: Engine,
        X: Array,
        T: Array,
        loss: Loss,
        settings: SessionSettings | None = None,
        trained: Integers | None = None,
    ) -> None:
        self.settings = settings = settings or SessionSettings()
        self.engine = engine
        self.wiring = engine.wiring
        self.recorder: Recorder | None = None
        self.loss = loss
        self.mean = settings.mean
        self.batch_size = settings.batch_size
        self.data = (X, T)
        self._trained = trained
        self.learning = make_learning(engine, settings)
        self.task = Task(
            loss=loss.code,
            batch=self.batch_size,
            mean=self.mean,
            clip_norm=0.0 if settings.clip_norm is None else float(settings.clip_norm),
            fused=_is_plain(settings) and all(r.size == 0 for r in self.learning.rates),
        )
        self.loss_sum = np.zeros(1)
        if self.batch_size == 1:
            self.n_threads = 1
            self.work = engine.online_workspace()
        else:
            self.n_threads = engine.threads(min(self.batch_size, BLOCK_SAMPLES), settings.threads)
            self.work = engine.workspace(self.batch_size, self.n_threads)
        self._threads_now = self.n_threads
        self.cuts = engine.cuts(self.n_threads)

    @property
    def scale(self) -> float:
        """The factor on gradients of the last step, clipping by the norm included."""
        return float(self.learning.rule.numbers[SCALE])

    @property
    def n_samples(self) -> int:
        """How many samples an epoch has."""
        return len(self.data[0] if self._trained is None else self._trained)

    @property
    def n_losses(self) -> int:
        """How many losses an epoch has: one a sample."""
        return self.n_samples

    @cached_property
    def trained_data(self) -> tuple[Array, Array]:
        """X and T of the samples that an epoch has: a copy where some are held out."""
        X, T = self.data
        return (X, T) if self._trained is None else (X[self._trained], T[self._trained])

    @property
    def steps_per_epoch(self) -> int:
        """How many steps; the last one may be of a smaller batch."""
        return -(-self.n_samples // self.batch_size)

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

        Fewer than asked: the next step's loss was not finite, and its update was not made; or an alarm ended the call.
        """
        recorder = self.recorder if watched else None
        wiring = self.wiring if wiring is None else wiring
        learning, work, task = self.learning, self.work, self.task
        samples = make_samples(*self.data, order, self.engine.dtype)
        span = Span(first_step, rates, self.loss_sum)
        if task.batch > 1:
            with parallel_regions(self.cuts):
                return int(train_batches(recorder, wiring, learning, work, samples, task, span, self.cuts))
        if wiring.tiny and task.fused and task.loss == codes.HALF_SQUARED:
            return int(train_tiny(recorder, wiring, learning.parameters, work, samples, span))
        return int(train_online(recorder, wiring, learning, work, samples, task, span))

    def state(self) -> State:
        """A copy of everything that a step changes."""
        return [values.copy() for values in self.arrays()]

    def restore(self, state: State) -> None:
        """Go back to where ``state`` was called."""
        for values, old in zip(self.arrays(), state, strict=True):
            values[...] = old

    def arrays(self) -> State:
        """Everything that a step changes: parameters, optimiser state, running products, the sum of losses."""
        learning = self.learning
        parts = (learning.parameters, learning.first_state, learning.second_state)
        return [*(values for part in parts for values in part), learning.powers, self.loss_sum]

    def signals(self) -> Signals:
        """What an online step with the full wiring, before which the sum of losses was 0, was made with."""
        engine, work, wiring = self.engine, self.work, self.engine.wiring
        n = engine.graph.n_neurons
        z, y, delta = (values[:n].copy() for values in (work.z, work.y, work.delta))
        z[wiring.inputs] = y[wiring.inputs]  # kernels never read an input's z; people are shown z = y = x
        for row in np.flatnonzero(wiring.is_input[wiring.outputs]):
            delta[wiring.outputs[row]] += work.loss_delta[row]
        terms = work.slope_terms[: len(wiring.prelus)].copy()
        return Signals(z, y, delta, self.loss_sum.copy(), terms)


def step(engine: Engine, x: Array, t: Array, loss: Loss, learning_rate: float) -> Signals:
    """One online step of plain SGD, in place; z, y and δ are those that it was made with.

    Raises
    ------
    FloatingPointError
        If the loss or a parameter would not be finite; parameters are as before.
    """
    session = Session(engine, x[None, :], t.reshape(1, -1) if t.dtype.kind == "f" else t.reshape(1), loss)
    before = session.state()
    made = session.advance(np.zeros(1, np.int64), 0, np.array([float(learning_rate)]), engine.full_wiring)
    if not made:
        raise FloatingPointError("the loss is not finite")
    if not engine.is_finite():
        session.restore(before)
        raise FloatingPointError("the update makes a parameter not finite")
    return session.signals()


def _is_plain(settings: SessionSettings) -> bool:
    """Whether it is plain SGD with nothing in its way, which takes the fused pass."""
    plain = settings.optimizer.code == codes.SGD
    return plain and settings.weight_decay == 0 and settings.clip_norm is None and settings.clip_value is None
