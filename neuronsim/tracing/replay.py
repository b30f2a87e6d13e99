"""Time travel: any step of a run made again, bit for bit, from the nearest snapshot before it.

Replay trains a copy of the network as it was when the run began, with the same kernels, orders and rates. Where it has
come from far it leaves marks on the way, √gap apart, so that going back step by step is cheap, too.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuronsim.engine.engine import Engine
from neuronsim.engine.session import Session
from neuronsim.engine.signals import Signals
from neuronsim.errors import DataError, NotKnownError, SettingError
from neuronsim.formulas.losses import Loss
from neuronsim.formulas.optimizers import Optimizer
from neuronsim.formulas.schedules import Schedule
from neuronsim.graph.graph import Graph
from neuronsim.kernels.arguments import Parameters
from neuronsim.tracing.steps import StepResult, desired
from neuronsim.training.result import RunResult
from neuronsim.training.snapshots import Recording, State, sealed

__all__ = ["Replay", "replay"]


def replay(run: RunResult, made: type[StepResult] = StepResult) -> "Replay":
    """A run's replay, which makes steps of the class ``made``.

    Raises
    ------
    NotKnownError
        If the run kept no start.
    """
    if not isinstance(run.recording, Recording):
        raise NotKnownError(f"this run can't be replayed: {run.recording}")
    return Replay(run, run.recording, made)


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
    diverged : bool
        Whether the run ended because the step after its last one left the finite numbers: `failed` is that step.
    """

    def __init__(self, run: RunResult, recording: Recording, made: type[StepResult]) -> None:
        self.run = run
        self._recording = recording
        self._made = made
        self.n_steps = run.n_steps
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
        self._session = Session(self._engine, self.X, self.T, self.loss, settings)
        self._snapshots = recording.snapshots
        self._marks: dict[int, State] = {}
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, np.int64))
        self._here = 0  # the session's arrays are those before this step
        self._state: State | None = self._snapshots.states[0]  # a copy of them, where there is one
        self._last: StepResult | None = None

    # ── what each step had ──

    def epoch(self, step: int) -> int:
        """In which epoch a step was, from 0."""
        return step // self.steps_per_epoch

    def rows(self, step: int) -> NDArray[np.int64]:
        """Which samples a step used: rows of X, in the order of the batch."""
        first = step % self.steps_per_epoch * self.batch_size
        return self._order_of(self.epoch(step))[first : first + self.batch_size]

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        return float(self.schedule.rates(step, 1, self.epoch(step))[0])

    def at(self, step: int) -> StepResult:
        """Any step, 0 ≤ step < n_steps."""
        q = self._checked(step, self.n_steps)
        if self._last is None or self._last.number != q:
            self._last = self._make(q)
        return self._last

    def walk(self, start: int = 0, stop: int | None = None) -> Iterator[StepResult]:
        """The steps from ``start`` to before ``stop``, each made once."""
        stop = self.n_steps if stop is None else stop
        if start < stop:
            self._checked(start, self.n_steps)
            self._checked(stop - 1, self.n_steps)
        return (self._make(q) for q in range(start, stop))

    def parameters(self, step: int) -> Parameters:
        """Weights, biases and slopes before a step; those before step ``n_steps`` are the final ones."""
        self._seek(self._checked(step, self.n_steps + 1))
        return Parameters(*self._copies()[:3])

    def signals(self, step: int) -> Signals:
        """z, y, δ and loss of a step, shaped as a `Step`'s; of ``n_steps`` too, the one that was not made any more."""
        q = self._checked(step, self.n_steps + 1)
        made = self.at(q) if q < self.n_steps else self._after_the_last()
        return Signals(made.z, made.y, made.delta, made.loss)

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
        if isinstance(step, (bool, np.bool_)) or not isinstance(step, (int, np.integer)):
            raise SettingError(f"a step is a whole number, not {step!r}")
        if not 0 <= step < end:
            span = f"steps go from 0 to {end - 1:,}" if end else "it made no step"
            failed = "; run.replay.failed() is the one at which it diverged" if self.diverged else ""
            raise SettingError(f"no step {step:,} in this run: {span}{failed}")
        self._recording.check_data()
        return int(step)

    def _order_of(self, epoch: int) -> NDArray[np.int64]:
        if self._order[0] != epoch:
            self._order = epoch, self._recording.order(epoch)
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
        for values, kept in zip(self._session.arrays(), state, strict=True):
            values[...] = kept
        self._here, self._state = q, state

    def _copies(self) -> State:
        """A copy of the session's arrays, as they are before the step that comes next."""
        if self._state is None:
            self._state = sealed([values.copy() for values in self._session.arrays()])
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
        self._load(0, self._snapshots.states[0])
        self._marks.clear()
        self._last = None
        return DataError(
            "the replay does not come out as the run did: X or T have changed since, which the run refers to; "
            "to change them later, hand fit copies, X.copy()"
        )

    # ── making a step ──

    def _make(self, q: int) -> StepResult:
        """Make step q and look at it; the session is then behind it."""
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
        """StepResult q, which is next, and whether its update was made: not where the loss was not finite."""
        session, rows, rate = self._session, self.rows(q), self.rate(q)
        before = self._copies()
        online = self.batch_size == 1
        with np.errstate(all="ignore"):
            looked = {} if online else self._look_at_batch(rows)
            wiring = self._engine.full_wiring if online else None
            order, first = self._order_of(self.epoch(q)), q % self.steps_per_epoch
            session.loss_sum[0] = 0.0
            made = session.advance(order, first, np.array([rate]), wiring) == 1
            if online:
                looked = self._look_at_sample(rows, made)
        if made:
            self._arrive(q + 1)
        after = self._copies() if made else sealed([np.full_like(values, np.nan) for values in before])
        learning, clip_factor = session.learning, 1.0
        if self._settings.clip_norm is not None:
            clip_factor = session.scale * (len(rows) if self.mean else 1)
        step = self._made(
            self.graph.showing(*before[:3]),
            **looked,
            loss_function=self.loss,
            reduction="mean" if self.mean else "sum",
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

    def _look_at_sample(self, rows: NDArray[np.int64], made: bool) -> dict[str, Any]:
        """What an online step was made with."""
        targets = desired(self.T[rows], self.graph.n_outputs)[0]
        if made:
            s = self._session.signals()
            single = {"z": s.z, "y": s.y, "delta": s.delta, "slope_terms": s.slope_terms}
            return single | {"losses": [s.loss], "targets": targets}
        # the kernel stopped before the errors, and changed no parameter: all of it again, in batch order
        looked = self._look_at_batch(rows)
        single = {name: looked[name][0] for name in ("z", "y", "delta", "slope_terms")}
        return single | {"losses": looked["losses"], "targets": targets}

    def _look_at_batch(self, rows: NDArray[np.int64]) -> dict[str, Any]:
        """What a mini-batch step is going to be made with."""
        X, T = self.X[rows], self.T[rows]
        g = self._engine.gradients(X, T, self.loss, "mean" if self.mean else "sum", signals=True)
        return {
            "z": g.z,
            "y": g.y,
            "delta": g.delta,
            "slope_terms": g.slope_terms,
            "losses": g.losses,
            "gradients": Parameters(g.weights, g.biases, g.slopes),
            "targets": desired(T, self.graph.n_outputs),
        }

    def _rule_state(self, state: State) -> tuple[Parameters, ...]:
        return tuple(Parameters(*state[3 * k : 3 * k + 3]) for k in range(1, 1 + self.rule.n_state))
