"""``fit``: every argument checked before anything changes, then training, which Ctrl-C ends between two chunks."""

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy.typing as npt
from numpy.typing import ArrayLike

from neuronsim import seeds
from neuronsim.engine.runtime import Runtime
from neuronsim.engine.session import Session, SessionSettings
from neuronsim.errors import DataError, SettingError
from neuronsim.training import snapshots
from neuronsim.training.result import RunResult
from neuronsim.training.settings import FitSettings, whole
from neuronsim.training.trainer import Trainer
from neuronsim.training.watching import WatchedRun, Watcher, Watching

__all__ = ["fit"]

Array = npt.NDArray[Any]
R = TypeVar("R", bound=RunResult)


def fit(runtime: Runtime, X: ArrayLike, T: ArrayLike, settings: FitSettings, made: type[R]) -> R:
    """Train a network from its parameters as they are, in place (L3, L4); ``Network.fit`` says how.

    Parameters
    ----------
    runtime : Runtime
    X : array (n_samples, n_inputs)
    T : array (n_samples, n_outputs), or class numbers (n_samples,) with cross-entropy
    settings : FitSettings
    made : type
        `RunResult`, or what is made in its place.
    """
    trainer, run = _prepare(runtime, X, T, settings, made)
    runtime.forget()
    with _interrupts() as interrupted, trainer.bar(settings.progress) as bar, trainer.watched():
        trainer.train(interrupted, bar)
    trainer.keep_end()
    return run


def _prepare(runtime: Runtime, X: ArrayLike, T: ArrayLike, given: FitSettings, made: type[R]) -> tuple[Trainer, R]:
    """Check every argument, before anything changes."""
    resolved = given.resolved()
    engine = runtime.engine()
    x, t, loss = runtime.data(X, T, given.loss)
    validation = _validation(runtime, given)
    batch_size = len(x) if given.batch_size is None else min(whole("batch_size", given.batch_size), len(x))
    seed = seeds.seed_of(given.rng)
    most_bytes = snapshots.budget(given.snapshots)
    making = SessionSettings(
        optimizer=resolved.optimizer,
        batch_size=batch_size,
        mean=given.reduction == "mean",
        weight_decay=resolved.weight_decay,
        clip_norm=given.clip_norm,
        clip_value=given.clip_value,
        initial_rate=float(resolved.schedule.rates(0, 1, 0)[0]),
        threads=resolved.threads,
    )
    session = Session(engine, x, t, loss, making)
    recording = snapshots.record(
        most_bytes,
        runtime.graph,
        session.arrays(),
        (x, t),
        loss=loss,
        schedule=resolved.schedule,
        shuffle=bool(given.shuffle),
        seed=seed,
        session=making,
    )
    understood = {
        "rng": seed,
        "loss": loss.name,
        "optimizer": resolved.optimizer,
        "learning_rate": resolved.schedule,
    }
    history: dict[str, list[float]] = {name: [] for name in resolved.columns}
    run = made(seed, given.as_dict() | understood, history, recording=recording)
    n_steps = resolved.epochs * -(-len(x) // batch_size)
    watching = _watching(WatchedRun(engine, n_steps, len(x), batch_size), given.monitors)
    if watching is not None:
        session.watch(watching.recorder, watching.wants_inputs)
    return Trainer(session, run, given, resolved, validation, watching), run


def _validation(runtime: Runtime, given: FitSettings) -> tuple[Array, Array] | None:
    """X and T of the validation, if there is one."""
    if given.validation is None:
        return None
    try:
        X, T = given.validation
    except (TypeError, ValueError):
        raise DataError("validation takes a pair (X, T)") from None
    return runtime.data(X, T, given.loss, ("Xv", "Tv"))[:2]


def _watching(watched: WatchedRun, monitors: Any) -> Watching | None:
    """What monitors and alarms ask for, or None; it checks them."""
    given = () if monitors is None else monitors
    listed: list[Watcher] = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    for watcher in listed:
        if not isinstance(watcher, Watcher) or sum(watcher is other for other in listed) > 1:
            raise SettingError(f"monitors has {watcher!r}; give Monitor and Alarm objects, each once")
    return Watching(watched, listed) if listed else None


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
