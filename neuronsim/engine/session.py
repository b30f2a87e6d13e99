"""The state of one training run: parameters, what the optimiser keeps of them, samples; ``advance`` makes steps."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from neuronsim.engine.engine import Engine, alone
from neuronsim.engine.signals import Signals
from neuronsim.engine.workspace import make_samples
from neuronsim.formulas.losses import Loss
from neuronsim.formulas.optimizers import SGD, Optimizer
from neuronsim.kernels import codes
from neuronsim.kernels.arguments import Learning, Wiring
from neuronsim.kernels.batch.steps import BLOCK_SAMPLES
from neuronsim.kernels.update import (
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
)
from neuronsim.kernels.watch import steps as watch
from neuronsim.kernels.watch.recorder import Recorder

__all__ = ["Session", "SessionSettings", "State", "step"]

Array = npt.NDArray[Any]
State = list[Array]
"""What a step changes, as `Session.arrays` lists it."""


@dataclass(frozen=True)
class SessionSettings:
    """How a session changes parameters.

    Attributes
    ----------
    optimizer : Optimizer
    batch_size : int
    mean : bool
        Gradients are means over a batch, else sums.
    weight_decay : float
    clip_norm, clip_value : float or None
    initial_rate : float
        Of the first step: rprop's step sizes start with it.
    threads : int or None
        None: as many as the work is worth.
    """

    optimizer: Optimizer = field(default_factory=SGD)
    batch_size: int = 1
    mean: bool = True
    weight_decay: float = 0.0
    clip_norm: float | None = None
    clip_value: float | None = None
    initial_rate: float = 0.0
    threads: int | None = None


class Session:
    """One training run under way, on an engine's parameters."""

    def __init__(self, engine: Engine, X: Array, T: Array, loss: Loss, settings: SessionSettings | None = None) -> None:
        self.settings = settings = settings or SessionSettings()
        self.engine = engine
        self.wiring = engine.wiring
        self.recorder: Recorder | None = None
        self.loss = loss
        self.mean = settings.mean
        self.batch_size = settings.batch_size
        self.data = (X, T)
        self.clip_norm = 0.0 if settings.clip_norm is None else float(settings.clip_norm)
        self.learning = _learning(engine, settings)
        buffered = settings.clip_norm is not None or self.batch_size > BLOCK_SAMPLES
        self.gradient = engine.like_parameters() if buffered else engine.no_parameters()
        self.fused = _is_plain(settings) and all(r.size == 0 for r in self.learning.rates)
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
    def n_samples(self) -> int:
        """How many samples an epoch has."""
        return len(self.data[0])

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
                made = watch.watch_batches(*common, self.mean, self.batch_size, self.work.stride, self.cuts)
        return int(made)

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
            delta[wiring.outputs[row]] += work.own[row]
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


def _learning(engine: Engine, settings: SessionSettings) -> Learning:
    """The optimiser, its numbers, and its state at the start."""
    rule, none = settings.optimizer, engine.no_parameters()
    in_float64, numbers = _rule(rule, settings.clip_value, engine.dtype)
    learning = Learning(
        optimizer=rule.code,
        numbers=numbers,
        settings=in_float64,
        powers=np.ones(2),
        decay=engine.dtype.type(settings.weight_decay),
        parameters=engine.parameters,
        first_state=engine.like_parameters() if rule.n_state > 0 else none,
        second_state=engine.like_parameters() if rule.n_state > 1 else none,
        rates=engine.rates,
    )
    if learning.optimizer == codes.RPROP:
        for steps, factors in zip(learning.second_state, learning.rates, strict=True):
            steps[:] = settings.initial_rate
            if factors.size:
                steps *= np.maximum(factors, 0)
    return learning


def _rule(optimizer: Optimizer, clip_value: float | None, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    """An optimiser's settings in float64, and the numbers of a step in the network's dtype, by place."""
    settings = np.zeros(N_RULE)
    settings[CLIP] = np.inf if clip_value is None else clip_value
    settings[CORRECTION_1] = settings[CORRECTION_2] = 1.0
    values = optimizer.settings()
    if optimizer.code == codes.RPROP:
        places: tuple[int, ...] = (FIRST, SECOND, LOWEST, HIGHEST)
    elif optimizer.code == codes.RMSPROP:
        places = (FIRST, EPSILON)
    else:
        places = (FIRST, SECOND, EPSILON)[: len(values)]
    settings[list(places)] = values
    settings[FIRST_REST], settings[SECOND_REST] = 1.0 - settings[FIRST], 1.0 - settings[SECOND]
    return settings, settings.astype(dtype)
