"""Time travel: any step of a run made again, bit for bit, from the nearest snapshot before it.

Replay trains a copy of the network as it was when the run began, with the same kernels, orders and rates. Where it has
come from far it leaves marks on the way, √gap apart, so that going back step by step is cheap, too.
"""

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.checked import is_whole
from neuronsim.basics.spread import evenly_spread
from neuronsim.engine.border import desired
from neuronsim.engine.engine import Engine
from neuronsim.engine.session import Session, State
from neuronsim.engine.signals import Signals
from neuronsim.errors import DataError, NotKnownError, SettingError
from neuronsim.formulas.losses import Loss
from neuronsim.formulas.optimizers import Optimizer
from neuronsim.formulas.schedules import Schedule
from neuronsim.graph.graph import Graph
from neuronsim.kernels.arguments import Parameters, Wiring
from neuronsim.tracing.result import StepResult
from neuronsim.training.result import RunResult
from neuronsim.training.snapshots import sealed


class Replay:
    """Makes a run's steps again, in any order; ``run.replay``.

    Attributes
    ----------
    run : RunResult
        What is replayed.
    graph : Graph
        The wiring and parameters at the start of the run.
    X, T : array
        As the run read them, in the network's dtype; T may be class numbers.
    loss : Loss
    rule : Optimizer
    schedule : Schedule
    batch_size : int
    mean : bool
        Whether gradients are means over a batch, or sums.
    steps_per_epoch, n_steps : int
    first_step : int
        That of a run which goes on from another one: steps before it are the other's.
    diverged : bool
        Whether the run ended because the step after its last one left the finite numbers: `failed` is that step.

    Raises
    ------
    NotKnownError
        If the run kept no start.
    """

    def __init__(self, run: RunResult, step_type: type[StepResult] = StepResult) -> None:
        if run.recording is None:
            raise NotKnownError(f"this run can't be replayed: {run.unrecorded}")
        self.run = run
        self._recording = recording = run.recording
        self._step_type = step_type  # of the steps that it makes
        self.n_steps = run.n_steps
        self.first_step = run.recording.snapshots.first
        self.diverged = run.status == "diverged"
        self.graph: Graph = recording.graph
        self.X, self.T = recording.X, recording.T
        self.loss: Loss = recording.loss
        self.schedule: Schedule = recording.schedule
        settings = recording.session
        self.rule: Optimizer = settings.optimizer
        self.batch_size: int = settings.batch_size
        self.mean: bool = settings.mean
        self.steps_per_epoch = recording.steps_per_epoch
        self._settings = settings
        self._engine = Engine(recording.graph.copy())
        self._engine.most_threads = settings.threads
        self._session = Session(self._engine, self.X, self.T, self.loss, settings)
        self._snapshots = recording.snapshots
        self._marks: dict[int, State] = {}
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, np.int64))
        self._here = self.first_step  # the session's arrays are those before this step
        self._state: State | None = self._snapshots.states[self.first_step]  # a copy of them, where there is one
        self._session.restore(self._state)
        self._last: StepResult | None = None

    @cached_property
    def before(self) -> "Replay | None":
        """That of the run which this one goes on from; None where there is none, or the wiring was edited since."""
        earlier = self.run.resumed
        if earlier is None or earlier.recording is None or earlier.carry is None:
            return None
        return Replay(earlier, self._step_type) if earlier.carry.same_wiring(self._recording.graph) else None

    @cached_property
    def begin(self) -> int:
        """The first step that can be made again: 0, or that of a run which goes on after an edit of the wiring."""
        return self.first_step if self.before is None else self.before.begin

    @cached_property
    def cut(self) -> str:
        """What keeps the steps before `begin`, if there are any, from being made again."""
        if self.before is not None:
            return self.before.cut
        kept = self.run.resumed is not None and self.run.resumed.recording is not None
        return "an edit of the wiring" if kept else "the end of a run without snapshots"

    def spread(self, stop: int, most: int, *, nearest: bool = False) -> list[int]:
        """Up to ``most`` of the steps before ``stop`` that can be made again, evenly spread."""
        steps: list[int] = (self.begin + evenly_spread(stop - self.begin, most, nearest=nearest)).tolist()
        return steps

    def _of(self, step: int) -> "Replay":
        """The replay that makes a step."""
        return self if step >= self.first_step or self.before is None else self.before._of(step)

    # ── what each step had ──

    def epoch(self, step: int) -> int:
        """In which epoch a step was, from 0."""
        return step // self.steps_per_epoch

    @property
    def trained(self) -> NDArray[np.int64]:
        """The rows of X that are trained on, ascending: all but those held out."""
        return self._recording.order.trained

    def rows(self, step: int) -> NDArray[np.int64]:
        """Which samples a step used: rows of X, in the order of the batch."""
        first = step % self.steps_per_epoch * self.batch_size
        return self._order_of(self.epoch(step))[first : first + self.batch_size]

    def use(self, row: int, near: int) -> int | None:
        """The step, of those made, that used a row of X closest to another; None if none did in the epochs beside."""
        found: list[int] = []
        for epoch in range(self.epoch(near) - 1, self.epoch(near) + 2):
            first = epoch * self.steps_per_epoch
            if 0 <= first < self.n_steps:
                places = np.flatnonzero(self._order_of(epoch) == row)
                found += (first + places // self.batch_size).tolist()
        return min((q for q in found if self.begin <= q < self.n_steps), key=lambda q: abs(q - near), default=None)

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        return float(self._of(step).schedule.rates(step, 1, self.epoch(step))[0])

    def at(self, step: int) -> StepResult:
        """Any step, 0 ≤ step < n_steps."""
        q = self._checked(step, self.n_steps)
        if q < self.first_step:
            return self._of(q).at(q)
        if self._last is None or self._last.number != q:
            self._last = self._make(q)
        return self._last

    def walk(self, start: int | None = None, stop: int | None = None) -> Iterator[StepResult]:
        """The steps from ``start``, None is `begin`, to before ``stop``, each made once."""
        start = self.begin if start is None else start
        stop = self.n_steps if stop is None else stop
        if start < stop:
            self._checked(start, self.n_steps)
            self._checked(stop - 1, self.n_steps)
        return (self._of(q)._make(q) for q in range(start, stop))

    def parameters(self, step: int) -> Parameters:
        """Weights, biases and slopes before a step; those before step ``n_steps`` are the final ones."""
        q = self._checked(step, self.n_steps + 1)
        if q < self.first_step:
            return self._of(q).parameters(q)
        self._seek(q)
        return Parameters(*self._copies()[:3])

    def signals(self, step: int) -> StepResult:
        """What has z, y, δ and loss of a step; of ``n_steps`` too, the one that was not made any more."""
        q = self._checked(step, self.n_steps + 1)
        return self.at(q) if q < self.n_steps else self._after_the_last()

    def failed(self) -> StepResult:
        """The step at which the run diverged, and which it took back: its number is ``n_steps``.

        Its signals or the parameters after it are not all finite. Where the loss was not, no update was made, and the
        parameters after it are NaN.

        Raises
        ------
        SettingError
            If the run did not diverge.
        """
        if not self.diverged:
            raise SettingError("this run did not diverge: it has no failed step")
        self._recording.check_data()
        return self._after_the_last()

    # ── going there ──

    def _checked(self, step: Any, end: int) -> int:
        """A step below ``end``, and data as they were."""
        if not is_whole(step):
            raise SettingError(f"a step is a whole number, not {step!r}")
        if 0 <= step < self.first_step and self._of(int(step)) is self:
            raise SettingError(
                f"step {step:,} was made by the run that this one goes on from, before the wiring was edited or "
                f"without snapshots: ask that one; this one begins with step {self.first_step:,}"
            )
        if not 0 <= step < end:
            span = f"steps go from 0 to {end - 1:,}" if end else "it made no step"
            failed = "; run.replay.failed() is the one at which it diverged" if self.diverged else ""
            raise SettingError(f"no step {step:,} in this run: {span}{failed}")
        self._recording.check_data()
        return int(step)

    def _order_of(self, epoch: int) -> NDArray[np.int64]:
        if self._order[0] != epoch:
            self._order = epoch, self._recording.order.epoch(epoch)
        return self._order[1]

    def _seek(self, q: int) -> None:
        """Bring the session's arrays to before step q."""
        if self._here == q:
            return
        snapshot = self._snapshots.before(q)
        mark = max((m for m in self._marks if m <= q), default=-1)
        here = self._here if self._here <= q else -1
        if here < max(snapshot, mark):
            states = self._snapshots.states if snapshot >= mark else self._marks
            self._load(max(snapshot, mark), states[max(snapshot, mark)])
        stride = math.isqrt(q - self._here)
        while 1 < stride < q - self._here:
            self._advance(self._here + stride)
            self._mark()
        self._advance(q)

    def _load(self, q: int, state: State) -> None:
        self._session.restore(state)
        self._here, self._state = q, state

    def _copies(self) -> State:
        """A copy of the session's arrays, as they are before the step that comes next."""
        if self._state is None:
            self._state = sealed(self._session.state())
        return self._state

    def _mark(self) -> None:
        """Remember this place for the way back; of too many marks one ahead goes, else the first on the way."""
        self._marks[self._here] = self._copies()
        if len(self._marks) > self._snapshots.capacity:
            farthest = max(self._marks)
            del self._marks[farthest if farthest > self._here else min(self._marks)]

    def _advance(self, q: int) -> None:
        """Make the steps before q."""
        while self._here < q:
            epoch, first = divmod(self._here, self.steps_per_epoch)
            n = min(q - self._here, self.steps_per_epoch - first)
            rates = self.schedule.rates(self._here, n, epoch)
            if self._session.advance(self._order_of(epoch), first, rates) < n:
                raise self._other_data()
            self._arrive(self._here + n)

    def _arrive(self, q: int) -> None:
        """The session is before step q; compare it with the snapshot, where there is one."""
        self._here, self._state = q, None
        kept = self._snapshots.states.get(q)
        if kept is None:
            return
        for values, old in zip(self._session.arrays()[:-1], kept, strict=False):
            if not np.array_equal(values.view(np.uint8), old.view(np.uint8)):
                raise self._other_data()

    def _other_data(self) -> DataError:
        self._load(self.first_step, self._snapshots.states[self.first_step])
        self._marks.clear()
        self._last = None
        return DataError(
            "the replay does not come out as the run did: X or T have changed since, which the run refers to; "
            "to change them later, hand fit copies, X.copy()"
        )

    # ── making a step ──

    def _make(self, q: int) -> StepResult:
        """Make step q and look at it; the session is then past it."""
        self._seek(q)
        step, made = self._look_and_make(q)
        if not made:
            raise self._other_data()
        return step

    def _after_the_last(self) -> StepResult:
        """The step after the last one, made and taken back."""
        self._seek(self.n_steps)
        before = self._copies()
        step, _ = self._look_and_make(self.n_steps)
        self._load(self.n_steps, before)
        return step

    def _look_and_make(self, q: int) -> tuple[StepResult, bool]:
        """Step q, which is next, and whether its update was made: not where the loss was not finite."""
        session, rows, rate = self._session, self.rows(q), self.rate(q)
        before = self._copies()
        with np.errstate(all="ignore"):
            signals, gradients, made = self._step_online(q) if self.batch_size == 1 else self._step_batch(q)
        if made:
            self._arrive(q + 1)
        after = self._copies() if made else sealed([np.full_like(values, np.nan) for values in before])
        learning, clip_factor = session.learning, 1.0
        if self._settings.clip_norm is not None:
            clip_factor = session.scale * (len(rows) if self.mean else 1)
        targets = desired(self.T[rows], self.graph.n_outputs)
        step = self._step_type(
            graph=self.graph.showing(*before[:3]),
            z=signals.z,
            y=signals.y,
            delta=signals.delta,
            losses=signals.losses,
            slope_terms=signals.slope_terms,
            reduced=gradients,
            targets=targets[0] if self.batch_size == 1 else targets,
            loss_function=self.loss,
            reduction=self._reduction,
            learning_rate=rate,
            after=Parameters(*after[:3]),
            number=q,
            epoch=self.epoch(q),
            samples=rows,
            rule=self.rule,
            state=self._rule_state(before),
            state_after=self._rule_state(after),
            powers=(float(learning.powers[0]), float(learning.powers[1])),
            clip_factor=clip_factor,
            weight_decay=self._settings.weight_decay,
            clip_value=self._settings.clip_value,
            clip_norm=self._settings.clip_norm,
        )
        return step, made

    def _step_online(self, q: int) -> tuple[Signals, None, bool]:
        """Make an online step; the signals that it was made with."""
        if self._step(q, self._engine.full_wiring):
            return self._session.signals(), None, True
        # the kernel stopped before the errors, and changed no parameter: all of it again, in batch order
        rows = self.rows(q)
        return self._engine.signals(self.X[rows], self.T[rows], self.loss).sample(0), None, False

    def _step_batch(self, q: int) -> tuple[Signals, Parameters, bool]:
        """Look at a mini-batch, then make its step; signals and gradients that it was made with."""
        rows = self.rows(q)
        seen = self._engine.signals_and_gradients(self.X[rows], self.T[rows], self.loss, self._reduction)
        return *seen, self._step(q)

    def _step(self, q: int, wiring: Wiring | None = None) -> bool:
        order, first = self._order_of(self.epoch(q)), q % self.steps_per_epoch
        self._session.loss_sum[0] = 0.0
        return self._session.advance(order, first, np.array([self.rate(q)]), wiring) == 1

    @property
    def _reduction(self) -> str:
        return "mean" if self.mean else "sum"

    def _rule_state(self, state: State) -> tuple[Parameters, ...]:
        return tuple(Parameters(*state[3 * k : 3 * k + 3]) for k in range(1, 1 + self.rule.n_state))
