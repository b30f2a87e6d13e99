"""``fit``: epochs of shuffled batches, in chunks of compiled steps; validation, stopping, divergence, Ctrl-C.

A chunk lasts about a tenth of a second. Between chunks Python looks around: at the clock, at a Ctrl-C, at the
parameters. The cut into chunks changes no bit.
"""

import math
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike
from tqdm import tqdm

from neuronsim import seeds
from neuronsim.engine.border import accuracy
from neuronsim.engine.engine import Engine, Session
from neuronsim.errors import DataError, DivergenceWarning, SettingError
from neuronsim.formulas import optimizers, schedules
from neuronsim.formulas.losses import Loss
from neuronsim.run import Run
from neuronsim.training import snapshots, stop
from neuronsim.training.recorder import Setting, Watcher, Watching

if TYPE_CHECKING:
    from neuronsim.network import Network

Array = npt.NDArray[Any]

CHUNK_SECONDS = 0.1
# Rates of more steps, 8 bytes each, would be fresh memory for each chunk: 5 ns of a tiny network's 60 a sample.
MOST_STEPS = 2**17
# Later versions record and resume; until then these arguments take their defaults only.
_RESERVED: dict[str, tuple[Any, ...]] = {
    "checkpoint": (None,),
    "resume": (False,),
}


@dataclass
class Report:
    """What stopping rules look at after an epoch (see ``stop.EpochReport``)."""

    history: dict[str, list[float]]
    seconds: float
    gradient_norm: Callable[[], float]
    step_size: float | None


def fit(
    net: "Network",
    X: ArrayLike,
    T: ArrayLike,
    *,
    loss: Any = None,
    reduction: str = "mean",
    optimizer: Any = "sgd",
    learning_rate: Any = 0.01,
    momentum: float | None = None,
    batch_size: int | None = 1,
    epochs: int = 1,
    shuffle: bool = True,
    rng: Any = None,
    weight_decay: float = 0.0,
    clip_norm: float | None = None,
    clip_value: float | None = None,
    validation: Any = None,
    evaluate: bool = False,
    stop: Any = (),
    monitors: Any = (),
    progress: bool | None = None,
    snapshots: Any = "auto",
    checkpoint: Any = None,
    resume: bool = False,
    threads: int | None = None,
) -> Run:
    """Train a network from its parameters as they are (L3, L4).

    Parameters
    ----------
    net : Network
        Its parameters are changed in place.
    X : array (n_samples, n_inputs)
    T : array (n_samples, n_outputs), or class numbers (n_samples,) with cross-entropy
    loss : str, optional
        None: cross_entropy where the outputs are softmax, else half_squared_error.
    reduction : {"mean", "sum"}
        Over the samples of a batch.
    optimizer : str or Optimizer
        sgd, momentum, nesterov, rmsprop, adam, adamw, rprop, or an object with settings of its own.
    learning_rate : float or Schedule
    momentum : float, optional
        β, for momentum and nesterov; 0.9 where not given.
    batch_size : int or None
        1 is online; None, or more than there are, is all. A short last batch counts and divides by its own length.
    epochs : int
    shuffle : bool
        A new order each epoch, from ``rng``.
    rng : int, Generator or None
        None draws a seed, which the run keeps.
    weight_decay : float
        Acts on weights, not on biases and slopes; decoupled in adamw.
    clip_norm, clip_value : float, optional
        The whole gradient's norm, then each of its elements, at most.
    validation : (X, T), optional
        Adds val_loss and val_accuracy to the history.
    evaluate : bool
        Adds data_loss, over all data after each epoch.
    stop : Rule or list of Rule
        See ``neuronsim.training.stop``.
    monitors : Monitor, Alarm, or list of them
        What to record, and what to look out for.
    progress : bool, optional
        A bar on stderr; None: where stderr is a terminal.
    snapshots : "auto", False or int
        How many bytes the states may take that are kept for ``run.at``; "auto" is a quarter of the free memory, at
        most 256 MB. X and T are referred to, not copied.
    threads : int, optional
        None: as many as the work is worth. The bits do not depend on it.

    Returns
    -------
    Run

    Raises
    ------
    SettingError, DataError, WiringError
        Before anything has changed.

    Warns
    -----
    DivergenceWarning
        A loss or a parameter was not finite; the network holds the state before that step.
    """
    settings = {name: value for name, value in locals().items() if name not in ("net", "X", "T")}
    for name, allowed in _RESERVED.items():
        if not any(settings[name] is value or settings[name] == value for value in allowed):
            raise SettingError(f"{name}={settings[name]!r}: this version does not record or resume runs")
    trainer = _prepare(net, X, T, settings)
    net._forget()
    with _interrupts() as interrupted, trainer.bar(progress) as bar, trainer.watched():
        trainer.train(interrupted, bar)
    trainer.keep_end()
    return trainer.run


def _prepare(net: "Network", X: ArrayLike, T: ArrayLike, given: dict[str, Any]) -> "Trainer":
    """Check every argument, before anything changes."""
    if given["reduction"] not in ("mean", "sum"):
        raise SettingError(f"unknown reduction {given['reduction']!r}; allowed: mean, sum")
    rule = optimizers.resolve(given["optimizer"], momentum=given["momentum"])
    schedule = schedules.resolve(given["learning_rate"])
    rules = stop.resolve(given["stop"])
    decay = optimizers.effective_weight_decay(rule, given["weight_decay"])
    epochs = _whole("epochs", given["epochs"])
    threads = None if given["threads"] is None else _whole("threads", given["threads"])
    for name in ("clip_norm", "clip_value"):
        _positive_or_none(name, given[name])
    names = ["epoch", "loss", "learning_rate", "seconds"]
    names += ["data_loss"] if given["evaluate"] else []
    names += ["val_loss", "val_accuracy"] if given["validation"] is not None else []
    stop.check_monitors(rules, names)
    engine = net._engine()
    x, t, loss = net._data(X, T, given["loss"])
    validation = None
    if given["validation"] is not None:
        try:
            Xv, Tv = given["validation"]
        except (TypeError, ValueError):
            raise DataError("validation takes a pair (X, T)") from None
        validation = net._data(Xv, Tv, given["loss"], ("Xv", "Tv"))[:2]
    size = given["batch_size"]
    batch_size = len(x) if size is None else min(_whole("batch_size", size), len(x))
    seed = seeds.seed_of(given["rng"])
    most_bytes = snapshots.budget(given["snapshots"])
    making = {
        "optimizer": rule,
        "batch_size": batch_size,
        "mean": given["reduction"] == "mean",
        "weight_decay": decay,
        "clip_norm": given["clip_norm"],
        "clip_value": given["clip_value"],
        "initial_rate": float(schedule.rates(0, 1, 0)[0]),
        "threads": threads,
    }
    session = Session(engine, x, t, loss, **making)
    recording = snapshots.record(
        most_bytes,
        net.graph,
        session.arrays(),
        (x, t),
        loss=loss,
        schedule=schedule,
        shuffle=bool(given["shuffle"]),
        seed=seed,
        session=making,
    )
    settings = given | {"rng": seed, "loss": loss.name, "optimizer": rule, "learning_rate": schedule}
    run = Run(seed, settings, {name: [] for name in names}, recording=recording)
    n_steps = epochs * -(-len(x) // batch_size)
    watching = _watching(Setting(engine, n_steps, len(x), batch_size), given["monitors"])
    if watching is not None:
        session.watch(watching.recorder, watching.wants_inputs)
    return Trainer(
        engine, session, run, loss, schedule, rules, (x, t), validation, given["shuffle"], given["evaluate"], epochs,
        watching,
    )  # fmt: skip


def _watching(setting: Setting, monitors: Any) -> Watching | None:
    """What monitors and alarms ask for, or None; it checks them."""
    given = () if monitors is None else monitors
    listed: list[Watcher] = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    for watcher in listed:
        if not hasattr(watcher, "_begin") or sum(watcher is other for other in listed) > 1:
            raise SettingError(f"monitors has {watcher!r}; give Monitor and Alarm objects, each once")
    return Watching(setting, listed) if listed else None


class Pace:
    """Which number of threads is the faster one at the moment.

    Threads that share their processors with other programs wait for each other at every step: two were then fifteen
    times as slow as one. So both are timed, a chunk each, and now and then again. The bits do not depend on it.
    """

    AGAIN = 30

    def __init__(self, counts: list[int]) -> None:
        self.counts = counts
        self.chunks = dict.fromkeys(counts, 0)
        self.seconds: dict[int, float] = {}

    def next(self) -> int:
        """How many threads the next chunk takes."""
        untimed = [n for n in self.counts if n not in self.seconds]
        if untimed:
            return untimed[0]
        ranked = sorted(self.counts, key=self.seconds.__getitem__)
        return ranked[-1] if sum(self.chunks.values()) % self.AGAIN == 0 else ranked[0]

    def tries(self, n: int) -> bool:
        """Whether another count is known to be fast: a short chunk will tell whether this one is faster."""
        others = [seconds for count, seconds in self.seconds.items() if count != n]
        return bool(others) and min(others) < self.seconds.get(n, math.inf)

    def note(self, n: int, seconds_per_step: float) -> None:
        """What a chunk took; the first of each count may have compiled, and does not count."""
        self.chunks[n] += 1
        if self.chunks[n] > 1:
            self.seconds[n] = seconds_per_step


@dataclass
class Trainer:
    """One call of ``fit`` under way."""

    engine: Engine
    session: Session
    run: Run
    loss: Loss
    schedule: schedules.Schedule
    rules: tuple[stop.Rule, ...]
    data: tuple[Array, Array]
    validation: tuple[Array, Array] | None
    shuffle: bool
    evaluate: bool
    epochs: int
    watching: Watching | None = None
    chunk: int = 1

    def __post_init__(self) -> None:
        self.n_samples = len(self.data[0])
        self.steps_per_epoch = -(-self.n_samples // self.session.batch_size)
        self.begin = time.perf_counter()
        recording = self.run.recording
        self.snapshots = recording.snapshots if isinstance(recording, snapshots.Recording) else None
        asked = self.run.settings["threads"] is not None
        self.pace = Pace([self.session.n_threads] if asked else sorted({self.session.n_threads, 1}, reverse=True))

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.perf_counter() - self.begin

    def train(self, interrupted: threading.Event, bar: Any) -> None:
        """All epochs, until something ends them."""
        self.run.reason = f"all {self.epochs} epochs done"
        for epoch in range(self.epochs):
            before = self._parameter_copies()
            if not self._run_epoch(epoch, interrupted, bar):
                return
            self._record(epoch)
            if self.run.status != "finished":
                return
            bar.set_postfix_str(f"loss {self.run.history['loss'][-1]:.4g}", refresh=False)
            why = stop.first_reason(self.rules, self._report(before))
            if why is not None:
                self.run.status, self.run.reason = "stopped", why
                return

    def _run_epoch(self, epoch: int, interrupted: threading.Event, bar: Any) -> bool:
        """All steps of an epoch; False where the run ended within it."""
        order = self._order(epoch)
        self.session.loss_sum[0] = 0.0
        limit = min((r.limit for r in self.rules if isinstance(r, stop.Seconds)), default=math.inf)
        done = 0
        while done < self.steps_per_epoch:
            n_threads = self.pace.next()
            chunk = max(1, self.chunk // 8) if self.pace.tries(n_threads) else self.chunk
            n = min(chunk, self.steps_per_epoch - done)
            rates = self.schedule.rates(self.run.n_steps, n, epoch)
            self.session.use_threads(n_threads)
            start = time.perf_counter()
            made, finite = self._run_chunk(order, done, rates)
            seconds = time.perf_counter() - start
            self._adapt(n, seconds)
            self.pace.note(n_threads, seconds / n)
            done += made
            self.run.n_steps += made
            bar.update(made)
            if not finite:
                self._diverge(epoch, order, done)
                return False
            if interrupted.is_set():
                self.run.status, self.run.reason = "interrupted", f"interrupted after step {self.run.n_steps - 1}"
                return done == self.steps_per_epoch
            if self.watching is not None and self.watching.stopped:
                self.run.status = "stopped"
                return done == self.steps_per_epoch
            if self.seconds > limit and done < self.steps_per_epoch:
                self.run.status, self.run.reason = "stopped", f"{limit:g} seconds are over"
                return False
        return True

    def _run_chunk(self, order: Array, first: int, rates: Array) -> tuple[int, bool]:
        """Make steps; where something becomes non-finite, go back and stop before the very step that made it so."""
        arrays = self.session.arrays()
        kept = [values.copy() for values in arrays]
        watching = self.watching
        marks = None if watching is None else watching.keep()
        if self.snapshots is not None:
            self.snapshots.keep(self.run.n_steps, kept)

        def advance(n: int) -> int:
            if watching is not None:
                watching.begin(self.run.n_steps, n)
            return self.session.advance(order, first, rates[:n])

        def make(n: int) -> bool:
            for values, old in zip(arrays, kept, strict=True):
                values[...] = old
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

    def keep_end(self) -> None:
        """Keep the state behind the last step, too."""
        if self.snapshots is not None:
            self.snapshots.keep_end(self.run.n_steps, [values.copy() for values in self.session.arrays()])

    def _order(self, epoch: int) -> Array:
        return seeds.sample_order(self.run.seed, epoch, self.n_samples, self.shuffle)

    def _record(self, epoch: int) -> None:
        history = self.run.history
        history["epoch"].append(epoch)
        history["loss"].append(float(self.session.loss_sum[0]) / self.n_samples)
        history["learning_rate"].append(float(self.schedule.rates(self.run.n_steps - 1, 1, epoch)[0]))
        if self.evaluate:
            losses, _ = self.engine.losses(*self.data, self.loss)
            history["data_loss"].append(_mean(losses))
        if self.validation is not None:
            losses, Y = self.engine.losses(*self.validation, self.loss)
            share = accuracy(Y, self.validation[1], self.loss)
            history["val_loss"].append(_mean(losses))
            history["val_accuracy"].append(math.nan if share is None else share)
        history["seconds"].append(self.seconds)

    def _parameter_copies(self) -> list[Array] | None:
        if not any(isinstance(r, stop.StepSize) for r in self.rules):
            return None
        return [values.copy() for values in self.engine.parameters]

    def _report(self, before: list[Array] | None) -> Report:
        step_size = None
        if before is not None:
            squares = [_sum_of_squares(new - old) for new, old in zip(self.engine.parameters, before, strict=True)]
            step_size = math.sqrt(sum(squares))
        return Report(self.run.history, self.seconds, self._gradient_norm, step_size)

    def _gradient_norm(self) -> float:
        """‖∇L‖ over all data, of the parameters that are trained."""
        g = self.engine.gradients(*self.data, self.loss, "mean" if self.session.mean else "sum")
        pairs = zip((g.weights, g.biases, g.slopes), self.session.learning.rates, strict=True)
        return math.sqrt(sum(_sum_of_squares(v[rates >= 0] if rates.size else v) for v, rates in pairs))

    def _diverge(self, epoch: int, order: Array, done: int) -> None:
        """Say at which step and neuron; the parameters are those before that step."""
        size = self.session.batch_size
        rows = order[done * size : (done + 1) * size]
        if self.watching is not None:
            self.watching.judge(*self.data, self.loss, rows, self.run.n_steps)
        where = self._first_not_finite(order, done, rows)
        self.run.status = "diverged"
        self.run.reason = f"diverged at step {self.run.n_steps} (epoch {epoch}): {where}"
        warnings.warn(
            f"training {self.run.reason}; the network holds the state before that step. "
            "Try a smaller learning_rate, clip_norm=1, or scaled data",
            DivergenceWarning,
            stacklevel=6,
        )

    def _first_not_finite(self, order: Array, step: int, rows: Array) -> str:
        X, T = self.data
        found = self.engine.first_not_finite(X[rows], T[rows], self.loss)
        if found is not None:
            what, neuron, value = found
            return (
                f"the first value that is not finite is {what} = {value} of neuron {self.engine.graph.name(neuron)!r}"
            )
        arrays = self.session.arrays()
        kept = [values.copy() for values in arrays]
        epoch = self.run.n_steps // self.steps_per_epoch
        self.session.advance(order, step, self.schedule.rates(self.run.n_steps, 1, epoch), watched=False)
        culprit = self.engine.first_parameter_not_finite()
        for values, old in zip(arrays, kept, strict=True):
            values[...] = old
        if culprit is None:
            return "the loss is not finite"
        return f"the update makes a parameter of neuron {self.engine.graph.name(culprit)!r} not finite"

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Monitors and alarms get what was recorded, however the run ends."""
        try:
            yield
        finally:
            if self.watching is not None:
                self.watching.end(self.run)
                if self.run.status == "stopped" and self.watching.stopped:
                    self.run.reason = self.watching.reason()

    @contextmanager
    def bar(self, progress: bool | None) -> Iterator[Any]:
        """A progress bar on stderr, over steps."""
        shown = sys.stderr.isatty() if progress is None else progress
        total = self.epochs * self.steps_per_epoch
        with tqdm(total=total, unit=" steps", unit_scale=True, disable=not shown, file=sys.stderr) as bar:
            yield bar


@contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """Ctrl-C sets an event, a second one interrupts as ever; outside the main thread signals are left alone."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    usual = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: Any) -> None:
        if event.is_set() and callable(usual):
            usual(number, frame)
        event.set()

    signal.signal(signal.SIGINT, note)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, usual)


def _mean(losses: Array) -> float:
    return float(losses.sum(dtype=np.float64) / len(losses))


def _sum_of_squares(values: Array) -> float:
    return float(np.square(values, dtype=np.float64).sum())


def _whole(name: str, value: Any) -> int:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)) or value < 1:
        raise SettingError(f"{name}={value!r}: a whole number of at least 1 is needed")
    return int(value)


def _positive_or_none(name: str, value: Any) -> None:
    if value is None:
        return
    number = isinstance(value, (int, float, np.floating, np.integer)) and not isinstance(value, bool)
    if not number or not 0 < value < math.inf:
        raise SettingError(f"{name}={value!r}: a positive number is needed, or None for no limit")
