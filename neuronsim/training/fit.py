"""``fit``: every argument checked before anything changes, then training, which Ctrl-C ends between two chunks."""

import math
import warnings
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from neuronsim import seeds
from neuronsim.basics import interrupts
from neuronsim.basics.arrays import Array, Integers
from neuronsim.basics.checked import is_real, real
from neuronsim.engine.border import has_classes
from neuronsim.engine.engine import Engine
from neuronsim.engine.learning import SessionSettings
from neuronsim.engine.runtime import Runtime
from neuronsim.engine.session import Session
from neuronsim.engine.timed import SequenceEngine, SequenceSession
from neuronsim.errors import DataError, DivergenceWarning, SettingError
from neuronsim.formulas.losses import Loss
from neuronsim.formulas.schedules import Schedule
from neuronsim.graph.graph import Graph
from neuronsim.kernels.sequences.arguments import Windows
from neuronsim.training import snapshots, stop
from neuronsim.training.carry import Carry
from neuronsim.training.order import Order, order_of
from neuronsim.training.result import RunResult
from neuronsim.training.settings import FitSettings, Resolved
from neuronsim.training.trainer import Keeper, Trainer
from neuronsim.training.watching import WatchedRun, Watcher, Watching

_FRACTION = "{name}={value!r}: validation takes a pair (X, T), or a fraction of the samples in {interval} to hold out"

# What the same call has, beside optimiser, schedule, loss and seed.
_OF_ONE_CALL = ("reduction", "batch_size", "shuffle", "weight_decay", "clip_norm", "clip_value", "average")

R = TypeVar("R", bound=RunResult)


def fit(
    runtime: Runtime,
    X: ArrayLike,
    T: ArrayLike,
    settings: FitSettings,
    result_type: type[R],
    keeper: Keeper | None = None,
) -> R:
    """Train a network from its parameters as they are, in place (L3, L4); ``Network.fit`` says how.

    Parameters
    ----------
    X : array (n_samples, n_inputs)
    T : array (n_samples, n_outputs), or class numbers (n_samples,) with cross-entropy
    result_type : type
        `RunResult`, or a class of it that people hold; monitors are handed that object.
    """
    with runtime.turns.training:
        _check_through_time(runtime.graph, keeper)
        kept = _kept(runtime, X, T, settings, keeper)
        if isinstance(kept, result_type) and kept.carry is not None and _is_complete(kept, settings):
            watching = _watching(_watched(runtime, X, kept, kept.carry), settings.monitors)
            _take(runtime, kept.carry)
            if watching is not None and keeper is not None:
                watching.go_on(keeper.watched())
                watching.end(kept)
            return kept
        trainer, run = prepare(runtime, X, T, settings, result_type, kept, keeper)
        runtime.forget()
        with trainer.engine.at_most(settings.threads), interrupts.noted() as interrupted:
            with trainer.bar(settings.progress) as bar, trainer.watched():
                is_complete = trainer.train(interrupted, bar)
            finish(trainer, is_complete)
            if keeper is not None and run.carry is not None:
                keeper.write(run, run.carry, True, trainer.recorded())
    if run.status == "diverged":
        warnings.warn(
            f"training {run.reason}; the network holds the state before that step. Try {trainer.advice}",
            DivergenceWarning,
            stacklevel=3,
        )
    return run


def _kept(runtime: Runtime, X: ArrayLike, T: ArrayLike, given: FitSettings, keeper: Keeper | None) -> RunResult | None:
    """The run of which a checkpoint is there, if it is asked for."""
    given.resolved()
    if keeper is None or given.resume is not True:
        return None
    x, t, _ = runtime.data(X, T, given.loss)
    kept = keeper.latest(x, t)
    if kept is not None and kept.carry is not None and not kept.carry.same_wiring(runtime.graph):
        raise DataError(f"the checkpoint in {given.checkpoint} is of another network: its neurons or edges differ")
    if kept is not None:
        _check_same_call(kept, given)
    return kept


def _check_same_call(kept: RunResult, given: FitSettings) -> None:
    """Refuse to go on from a checkpoint with settings that it was not made with: only more epochs are another call."""
    resolved = given.resolved()
    now = {name: getattr(given, name) for name in _OF_ONE_CALL}
    now |= {"optimizer": resolved.optimizer, "learning_rate": resolved.learning_rate}
    where = f"the checkpoint in {given.checkpoint} was made with"
    for name, value in now.items():
        if name in kept.settings and kept.settings[name] != value:
            raise SettingError(f"resume=True: {where} {name}={kept.settings[name]!r}, not {value!r}")
    if given.loss is not None and kept.settings.get("loss") not in (given.loss, getattr(given.loss, "name", None)):
        raise SettingError(f"resume=True: {where} loss={kept.settings.get('loss')!r}, not {given.loss!r}")
    if given.rng is not None and seeds.seed_of(given.rng) != kept.seed:
        raise SettingError(f"resume=True: {where} rng={kept.seed}, not {given.rng!r}")
    if kept.n_epochs > given.epochs:
        raise SettingError(f"resume=True: {where} {kept.n_epochs:,} epochs, more than epochs={given.epochs:,}")


def _is_complete(kept: RunResult, given: FitSettings) -> bool:
    """Whether a checkpoint is of a run that has ended as this call would."""
    return kept.ended and (kept.status in ("stopped", "diverged") or kept.n_epochs >= given.epochs)


def _watched(runtime: Runtime, X: ArrayLike, kept: RunResult, carry: Carry) -> WatchedRun:
    """A run that has ended, for monitors that read what a checkpoint has of it."""
    return WatchedRun(runtime.engine(), kept.n_steps, len(np.asarray(X)), carry.batch_size, kept.n_steps)


def _take(runtime: Runtime, carry: Carry) -> None:
    """Give the network the parameters of a checkpoint."""
    runtime.forget()
    for values, kept in zip(runtime.engine().parameters, carry.parameters, strict=True):
        values[...] = kept


def finish(trainer: Trainer, is_complete: bool) -> None:
    """What a run keeps of its end.

    Parameters
    ----------
    trainer : Trainer
    is_complete : bool
        Whether a stopping rule or the last epoch ended it; else the best parameters are not put back.
    """
    run = trainer.run
    if run.recording is not None:
        run.recording.snapshots.keep_end(run.n_steps, trainer.session.state())
    if is_complete:
        trainer.restore_best()
        trainer.put_mean()
    run.carry = trainer.carry()


def prepare(
    runtime: Runtime,
    X: ArrayLike,
    T: ArrayLike,
    given: FitSettings,
    result_type: type[R],
    kept: RunResult | None = None,
    keeper: Keeper | None = None,
) -> tuple[Trainer, R]:
    """Check every argument, before anything changes; arguments as of `fit`, ``kept`` is a checkpoint's run."""
    settings = given.resolved()
    engine = runtime.engine()
    x, t, loss = data_of(runtime, X, T, given)
    columns = settings.columns(has_classes(loss))
    stop.check_monitors(settings.stop, columns)
    earlier = given.resume if kept is None else kept
    before = _run_before(given, earlier)
    seed = seeds.seed_of(given.rng) if before is None else before.order.seed
    order, validation = _division(runtime, (x, t), given, seed)
    trained = order.trained if len(order.held_out) else None
    session = _session(engine, (x, t), loss, settings, order.n_samples, trained)
    if before is not None:
        before.check(session, order)
        if kept is None:  # else it was read with these data, and has its own parameters
            before.check_parameters(runtime.graph)
            if earlier.recording is not None:
                earlier.recording.check_same(x, t)
        before.hand_over(session)
    schedule, most_bytes = settings.learning_rate, settings.snapshots
    if keeper is not None:  # which keeps the start, too
        most_bytes = max(most_bytes, snapshots.bytes_of(session.arrays()))
    understood = {
        "resume": before is not None,
        "rng": seed,
        "loss": loss.name,
        "optimizer": settings.optimizer,
        "learning_rate": schedule,
    }
    run = result_type(
        seed,
        vars(given) | understood,
        {name: [] for name in columns},
        unrecorded=_why_unrecorded(session, most_bytes),
        held_out=order.held_out,
    )
    if before is not None:
        _go_on(run, before, earlier)
    first_epoch = run.n_steps // session.steps_per_epoch
    if kept is not None:  # the same call again: its epochs are those of the whole run
        settings = replace(settings, epochs=settings.epochs - first_epoch)
    n_steps = (first_epoch + settings.epochs) * session.steps_per_epoch
    watching = _watching(WatchedRun(engine, n_steps, len(x), session.batch_size, run.n_steps), given.monitors)
    if watching is not None:
        session.watch(watching.recorder, watching.wants_inputs)
        if kept is not None and keeper is not None:
            watching.go_on(keeper.watched())
    if kept is not None and before is not None:
        _take(runtime, before)
    if not run.unrecorded:
        run.recording = _recording(session, schedule, order, most_bytes, run, kept)
    best = None if before is None else before.best
    sums = None if kept is None or before is None else before.sums
    return Trainer(session, run, settings, order, validation, watching, keeper=keeper, best=best, sums=sums), run


def data_of(
    runtime: Runtime, X: Any, T: Any, given: FitSettings, called: tuple[str, str] = ("X", "T")
) -> tuple[Any, Any, Loss]:
    """X, T and the loss as kernels read them: samples, or of a network with memory sequences."""
    if runtime.graph.steps_back:
        lengths, mask = (given.lengths, given.mask) if called == ("X", "T") else (None, None)
        return runtime.sequence_data(X, T, given.loss, lengths, mask, called)
    return runtime.data(X, T, given.loss, called)


def _session(
    engine: Engine, data: tuple[Any, Any], loss: Loss, settings: Resolved, n_samples: int, trained: Integers | None
) -> Session:
    """A training run on samples, or on sequences."""
    own = _session_settings(settings, n_samples)
    if isinstance(engine, SequenceEngine):
        windows = Windows(settings.window or 0, -1 if settings.reach is None else settings.reach)
        return SequenceSession(engine, *data, loss, own, trained, windows)
    return Session(engine, *data, loss, own, trained)


def _recording(
    session: Session, schedule: Schedule, order: Order, most_bytes: int, run: RunResult, kept: RunResult | None
) -> snapshots.Recording:
    """From here on; or from the start of the run of a checkpoint that had the same settings: then it is one run."""
    same = None if kept is None else kept.recording
    if same is None or (same.schedule, same.session, same.loss) != (schedule, session.settings, session.loss):
        return snapshots.begin_recording(session, schedule, order, most_bytes, run.n_steps)
    run.resumed, first = None, same.snapshots.first
    states = snapshots.Snapshots(same.snapshots.states[first], most_bytes, first)
    states.states[run.n_steps] = snapshots.sealed(session.state())
    return replace(same, snapshots=states)


def _check_through_time(graph: Graph, keeper: Keeper | None) -> None:
    """Refuse what runs on sequences do not have."""
    if not graph.steps_back:
        return
    if keeper is not None:
        raise SettingError("checkpoint: runs of networks with memory are not kept on the way; resume=run goes on")
    if graph.memory.learned_leaks is not None or graph.memory.learned_initials is not None:
        raise SettingError("leaks and initial states are not trained by fit; freeze(leaks=…, initial=…) keeps them")


def _why_unrecorded(session: Session, most_bytes: int) -> str:
    """Why the steps of a run cannot be looked at; empty where they can."""
    if isinstance(session, SequenceSession):
        return "steps of networks with memory are not recorded"
    return snapshots.refusal(most_bytes, session.arrays())


def _run_before(given: FitSettings, run: Any) -> Carry | None:
    """The end of the run to go on from, if there is one."""
    if run is False or run is None or run is True:  # True: there is no checkpoint yet
        return None
    if not isinstance(run, RunResult):
        raise SettingError(f"resume takes a run, what fit returned, not {run!r:.60}")
    if run.carry is None:
        raise SettingError(f"resume: nothing can go on from this run: {run.unrecorded}")
    if given.rng is not None and seeds.seed_of(given.rng) != run.seed:
        raise SettingError(f"rng={given.rng!r}: the run to go on from has the seed {run.seed}; leave rng out")
    return run.carry


def _go_on(run: RunResult, before: Carry, earlier: RunResult) -> None:
    """Count steps and epochs from where the earlier run ended; what it did not look at is not known."""
    run.n_steps, run.resumed = before.n_steps, earlier
    unknown = [math.nan] * earlier.n_epochs
    for name, column in run.history.items():
        column.extend(earlier.history.get(name, unknown))


def _session_settings(settings: Resolved, n_samples: int) -> SessionSettings:
    """How steps are made."""
    return SessionSettings(
        optimizer=settings.optimizer,
        batch_size=n_samples if settings.batch_size is None else min(settings.batch_size, n_samples),
        mean=settings.reduction == "mean",
        weight_decay=settings.weight_decay,
        clip_norm=settings.clip_norm,
        clip_value=settings.clip_value,
        initial_rate=float(settings.learning_rate.rates(0, 1, 0)[0]),
        threads=settings.threads,
    )


def _division(
    runtime: Runtime, data: tuple[Any, Any], given: FitSettings, seed: int
) -> tuple[Order, tuple[Array, Array] | None]:
    """Which samples are trained on, in which order; and X and T of the validation, if there is one."""
    n, shuffle = len(data[0]), bool(given.shuffle)
    validation: Any = given.validation
    if isinstance(validation, bool | np.bool_):
        raise DataError(f"validation={validation}: give a pair (X, T), or a fraction of the samples to hold out")
    if is_real(validation):
        order = order_of(n, seed, shuffle, real("validation", validation, "(0, 1)", _FRACTION))
        return order, (data[0][order.held_out], data[1][order.held_out])
    order = order_of(n, seed, shuffle)
    if validation is None:
        return order, None
    try:
        X, T = validation
    except (TypeError, ValueError):
        raise DataError("validation takes a pair (X, T), or a fraction of the samples to hold out") from None
    return order, data_of(runtime, X, T, given, ("Xv", "Tv"))[:2]


def _watching(watched: WatchedRun, monitors: Any) -> Watching | None:
    """What monitors and alarms ask for, or None; it checks them."""
    given = () if monitors is None else monitors
    listed: list[Watcher] = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    for watcher in listed:
        if not isinstance(watcher, Watcher) or sum(watcher is other for other in listed) > 1:
            raise SettingError(f"monitors has {watcher!r}; give Monitor and Alarm objects, each once")
    if listed and isinstance(watched.engine, SequenceEngine):
        raise SettingError("monitors and alarms look at one step of a network without memory; leave them out")
    return Watching(watched, listed) if listed else None
