"""One call of ``fit`` under way: epochs, in chunks of compiled steps; validation, stopping, divergence.

A chunk lasts about a tenth of a second. Between chunks Python looks around: at the clock, at a Ctrl-C, at the
parameters. The cut into chunks changes no bit.
"""

import math
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from neuronsim.basics.arrays import Array
from neuronsim.basics.words import counted
from neuronsim.engine.finite import NotFinite, first_parameter
from neuronsim.engine.session import Session
from neuronsim.formulas.losses import advice_outside
from neuronsim.graph.parameters import ParameterRef
from neuronsim.training import stop
from neuronsim.training.carry import Carry, carried
from neuronsim.training.order import Order
from neuronsim.training.pace import Pace
from neuronsim.training.result import RunResult
from neuronsim.training.settings import Resolved
from neuronsim.training.watching import Watching

CHUNK_SECONDS = 0.1
# Between two checkpoints; a power cut costs no more than that.
CHECKPOINT_SECONDS = 10.0
# Rates of more steps, 8 bytes each, would be fresh memory for each chunk: 5 ns of a tiny network's 60 a sample.
MOST_STEPS = 2**17


class Keeper(Protocol):
    """Where checkpoints of a run are kept."""

    def latest(self, X: Array, T: Array) -> RunResult | None:
        """The run as its newest whole checkpoint has it, with these data; None if there is none."""

    def write(self, run: RunResult, carry: Carry, ended: bool, watched: list[dict[str, Array]]) -> None:
        """Keep where the run is now, and what is recorded; what was kept before stays until this is whole."""

    def watched(self) -> list[dict[str, Array]]:
        """What was recorded up to that checkpoint."""


@dataclass
class Trainer:
    """One call of ``fit`` under way; fills ``run`` as it goes on. ``chunk`` is how many steps the next chunk has."""

    session: Session
    run: RunResult
    settings: Resolved
    order: Order
    validation: tuple[Array, Array] | None
    watching: Watching | None
    chunk: int = 1
    advice: str = "a smaller learning_rate, clip_norm=1, or scaled data"  # where the run diverges
    keeper: Keeper | None = None
    best: tuple[int, list[Array]] | None = None  # an epoch, and the parameters after it
    sums: tuple[int, list[Array]] | None = None  # of so many last epochs, of the parameters after them
    begin: float = field(default_factory=time.perf_counter)
    seconds_before: float = 0.0  # of the runs that it goes on from

    def __post_init__(self) -> None:
        self.engine = self.session.engine
        n_threads, asked = self.session.n_threads, self.settings.threads is not None
        self.kept_at = self.begin
        self.seconds_before = max(self.run.history["seconds"], default=0.0)
        self.first_epoch = self.run.n_steps // self.session.steps_per_epoch
        self.pace = Pace([n_threads] if asked else sorted({n_threads, 1}, reverse=True))

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return self.seconds_before + time.perf_counter() - self.begin

    @property
    def epochs(self) -> range:
        """Those to be made."""
        return range(self.first_epoch, self.first_epoch + self.settings.epochs)

    @property
    def all_done(self) -> str:
        """The reason of a run that nothing ends."""
        return f"{counted(self.epochs.stop, 'epoch')} done"

    @property
    def asks_how_far(self) -> bool:
        """Whether a rule looks at how far an epoch takes the parameters."""
        return any(isinstance(rule, stop.StepSize) for rule in self.settings.stop)

    def train(self, interrupted: threading.Event, bar: Any) -> bool:
        """All epochs, until something ends them; whether it was a stopping rule, or the last epoch."""
        self.run.reason = self.all_done
        for epoch in self.epochs:
            before = [values.copy() for values in self.engine.parameters] if self.asks_how_far else None
            if not self._train_epoch(epoch, interrupted, bar):
                return False
            was_ended = self.run.status != "finished"  # by what ended its last step, and no rule
            goes_on = self.end_epoch(epoch, before)
            if was_ended:
                return False
            self._show(bar, epoch)
            if not goes_on:
                break
            self._keep_checkpoint()
        return True

    def end_epoch(self, epoch: int, before: list[Array] | None = None) -> bool:
        """Write an epoch into the history, and see whether a rule ends the run; whether it goes on.

        Parameters
        ----------
        epoch : int
            All its steps are made.
        before : list of arrays, optional
            The parameters before it, for a rule that asks how far they went.
        """
        self._write_history(epoch)
        if self.run.status != "finished":
            return False
        self._keep_best(epoch)
        self._add_up(epoch)
        why = stop.first_reason(self.settings.stop, self._report(before))
        if why is not None:
            self.run.status, self.run.reason = "stopped", why
        return why is None

    def carry(self) -> Carry:
        """What a run that goes on from here needs."""
        return carried(self.session, self.run.n_steps, self.order, self.best, self.sums)

    def recorded(self) -> list[dict[str, Array]]:
        """What monitors and alarms have by now."""
        return [] if self.watching is None else self.watching.kept()

    def _keep_checkpoint(self) -> None:
        """Write a checkpoint, unless the last one is young: the history speaks of complete epochs only."""
        now = time.perf_counter()
        if self.keeper is not None and now - self.kept_at >= CHECKPOINT_SECONDS:
            self.keeper.write(self.run, self.carry(), False, self.recorded())
            self.kept_at = time.perf_counter()

    def _keep_best(self, epoch: int) -> None:
        """Copy the parameters after an epoch that is the best so far, for a rule that wants them back."""
        rule = stop.restoring(self.settings.stop)
        if rule is not None and rule.is_new_best(self.run.history):
            self.best = epoch, [values.copy() for values in self.engine.parameters]

    def _add_up(self, epoch: int) -> None:
        """Add the parameters after one of the epochs that are averaged."""
        average = self.settings.average
        if average is None or epoch < self.epochs.stop - average:
            return
        n, sums = self.sums or (0, [np.zeros(values.shape) for values in self.engine.parameters])
        self.sums = n + 1, [total + values for total, values in zip(sums, self.engine.parameters, strict=True)]

    def put_mean(self) -> None:
        """Give the network w = (1/n) Σ w after each of the last n epochs (Izmailov et al. 2018), and say so."""
        if self.sums is None:
            return
        n, sums = self.sums
        for values, total in zip(self.engine.parameters, sums, strict=True):
            values[...] = total / n
        self.run.averaged = n
        self.run.reason += f"; the parameters are the means over the last {counted(n, 'epoch')}"

    def restore_best(self) -> None:
        """Put the best parameters back, and say so; what the run recorded of its steps stays."""
        if self.best is None or self.best[0] == self.run.history["epoch"][-1]:
            return
        epoch, kept = self.best
        for values, best in zip(self.engine.parameters, kept, strict=True):
            values[...] = best
        self.run.restored = epoch
        self.run.reason += f"; the parameters are those after epoch {epoch}, the best one"

    def _show(self, bar: Any, epoch: int) -> None:
        """Write on the bar how far the run is and how good."""
        shown = {"loss": "loss", "val_loss": "validation"}
        figures = [
            f"{word} {self.run.history[name][-1]:.4g}" for name, word in shown.items() if name in self.run.history
        ]
        bar.set_postfix_str(
            ", ".join([f"epoch {epoch + 1:,} of {self.first_epoch + self.settings.epochs:,}", *figures]), refresh=False
        )

    def _train_epoch(self, epoch: int, interrupted: threading.Event, bar: Any) -> bool:
        """All steps of an epoch; False where the run ended within it."""
        order = self.order.epoch(epoch)
        n_steps = self.session.steps_per_epoch
        done = self.run.n_steps - epoch * n_steps  # an earlier run may have ended within the epoch
        if not done:
            self.session.loss_sum[0] = 0.0
        while done < n_steps:
            made, finite = self._timed_chunk(order, done, epoch)
            done += made
            bar.update(made)
            if not finite:
                self._diverge(epoch, order, done)
                return False
            if self._is_ended(interrupted, done == n_steps):
                return done == n_steps
            if done < n_steps:
                self._keep_checkpoint()
        return True

    def _timed_chunk(self, order: Array, done: int, epoch: int) -> tuple[int, bool]:
        """Make the next chunk of an epoch of which some steps are done, on as many threads as seems best."""
        n_threads = self.pace.next()
        chunk = max(1, self.chunk // 8) if self.pace.tries(n_threads) else self.chunk
        n = min(chunk, self.session.steps_per_epoch - done)
        rates = self.settings.learning_rate.rates(self.run.n_steps, n, epoch)
        self.session.use_threads(n_threads)
        start = time.perf_counter()
        made, finite = self._make_chunk(order, done, rates)
        seconds = time.perf_counter() - start
        self._adapt(n, seconds)
        self.pace.note(n_threads, seconds / n)
        self.run.n_steps += made
        return made, finite

    def _is_ended(self, interrupted: threading.Event, at_end_of_epoch: bool) -> bool:
        """Whether the run ends between two chunks, and why."""
        run = self.run
        limit = min((r.limit for r in self.settings.stop if isinstance(r, stop.Seconds)), default=math.inf)
        if interrupted.is_set():
            run.status, run.reason = "interrupted", f"interrupted after step {run.n_steps - 1}"
        elif self.watching is not None and self.watching.stopped:
            run.status = "stopped"
        elif self.seconds > limit and not at_end_of_epoch:
            run.status, run.reason = "stopped", f"{limit:g} seconds are over"
        return run.status != "finished"

    def _make_chunk(self, order: Array, first: int, rates: Array) -> tuple[int, bool]:
        """Make steps; where something becomes non-finite, go back and stop before the very step that made it so."""
        before, watching = self.session.state(), self.watching
        marks = None if watching is None else watching.keep(len(rates))
        if self.run.recording is not None:
            self.run.recording.snapshots.keep(self.run.n_steps, before)

        def advance(n: int) -> int:
            if watching is not None:
                watching.begin(self.run.n_steps, n)
            return self.session.advance(order, first, rates[:n])

        def make(n: int) -> bool:
            self.session.restore(before)
            if watching is not None:
                watching.restore(marks)
            return advance(n) == n and self.engine.is_finite()

        made = advance(len(rates))
        stopped = watching is not None and watching.stopped
        if (stopped or made == len(rates)) and self.engine.is_finite():
            # the last step is recorded too, wherever an alarm ends the run
            return (made, make(made)) if stopped and made < len(rates) else (made, True)
        low, high = 0, made + 1  # low steps are good, high are not; what is not finite stays so
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if make(middle) else (low, middle)
        make(low)
        return low, False

    def _adapt(self, n: int, seconds: float) -> None:
        """Aim the next chunk at CHUNK_SECONDS."""
        factor = CHUNK_SECONDS / max(seconds, 1e-9)
        if n == self.chunk or factor < 1:
            self.chunk = max(1, min(int(n * min(factor, 8.0)), MOST_STEPS))

    def _write_history(self, epoch: int) -> None:
        """Write the epoch into the history."""
        session, history = self.session, self.run.history
        history["epoch"].append(epoch)
        history["loss"].append(float(session.loss_sum[0]) / session.n_losses)
        history["learning_rate"].append(float(self.settings.learning_rate.rates(self.run.n_steps - 1, 1, epoch)[0]))
        if self.settings.evaluate:
            history["data_loss"].append(self.engine.evaluated(*session.trained_data, session.loss)[0])
        if self.validation is not None:
            loss, share, _ = self.engine.evaluated(*self.validation, session.loss)
            history["val_loss"].append(loss)
            if share is not None:
                history["val_accuracy"].append(share)
        history["seconds"].append(self.seconds)

    def _report(self, before: list[Array] | None) -> stop.EpochReport:
        """What stopping rules look at, with the parameters before the epoch."""
        step_size = None
        if before is not None:
            squares = [_sum_of_squares(new - old) for new, old in zip(self.engine.parameters, before, strict=True)]
            step_size = math.sqrt(sum(squares))
        return stop.EpochReport(self.run.history, self.seconds, self._gradient_norm, step_size)

    def _gradient_norm(self) -> float:
        """‖∇L‖ over all data, of the parameters that are trained."""
        reduction = "mean" if self.session.mean else "sum"
        gradients = self.engine.parameter_gradients(*self.session.trained_data, self.session.loss, reduction)
        pairs = zip(gradients, self.session.learning.rates, strict=True)
        return math.sqrt(sum(_sum_of_squares(v[rates >= 0] if rates.size else v) for v, rates in pairs))

    def _diverge(self, epoch: int, order: Array, done: int) -> None:
        """Say at which step and neuron; the parameters are those before that step."""
        size = self.session.batch_size
        rows = order[done * size : (done + 1) * size]
        if self.watching is not None:
            self.watching.judge(*self.session.data, self.session.loss, rows, self.run.n_steps)
        X, T = self.session.data
        found = self.engine.first_not_finite(X[rows], T[rows], self.session.loss)
        self.advice = self._advice_on(found, rows)
        where = self._in_words(found, order, done)
        self.run.status = "diverged"
        self.run.reason = f"diverged at step {self.run.n_steps} (epoch {epoch}): {where}"

    def _advice_on(self, found: NotFinite | None, rows: Array) -> str:
        """What to try: outputs that the loss takes, where it takes logarithms of others."""
        if found is None or found.what != "loss":
            return self.advice
        row = rows[found.row : found.row + 1]
        outputs = self.engine.forward(self.session.data[0][row], threads=1)[0]
        return advice_outside(self.session.loss, outputs.tolist()) or self.advice

    def _in_words(self, found: NotFinite | None, order: Array, step: int) -> str:
        """What is not finite in the step that failed; see `neuronsim.engine.finite`."""
        graph = self.engine.graph
        if found is not None and found.neuron is not None:
            name = graph.name(found.neuron)
            return f"the first value that is not finite is {found.what} = {found.value} of neuron {name!r}"
        culprit = None if found is not None else self._first_parameter_not_finite(order, step)
        if culprit is None:
            return "the loss is not finite"
        return f"the update makes a parameter of neuron {graph.name(culprit.sink(graph))!r} not finite"

    def _first_parameter_not_finite(self, order: Array, step: int) -> ParameterRef | None:
        """What the update of the step that failed makes not finite; it is taken back."""
        before = self.session.state()
        epoch = self.run.n_steps // self.session.steps_per_epoch
        self.session.advance(order, step, self.settings.learning_rate.rates(self.run.n_steps, 1, epoch), watched=False)
        culprit = first_parameter(self.engine.graph, self.engine.parameters)
        self.session.restore(before)
        return culprit

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Monitors and alarms get what was recorded, however the run ends."""
        try:
            yield
        finally:
            if self.watching is not None:
                why = self.watching.end(self.run)
                if self.run.status == "stopped" and self.watching.stopped:
                    self.run.reason = why

    @contextmanager
    def bar(self, progress: bool | None) -> Iterator[Any]:
        """A progress bar on stderr, over steps."""
        shown = sys.stderr.isatty() if progress is None else progress
        total = self.settings.epochs * self.session.steps_per_epoch
        with tqdm(total=total, unit=" steps", unit_scale=True, disable=not shown, file=sys.stderr) as bar:
            yield bar


def _sum_of_squares(values: Array) -> float:
    return float(np.square(values, dtype=np.float64).sum())
