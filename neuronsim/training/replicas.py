"""Runs of one wiring side by side in lanes, each as it would be alone; what can't be a lane is fitted alone."""

import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Generic

from numpy.typing import ArrayLike
from tqdm import tqdm

from neuronsim.basics import interrupts
from neuronsim.basics.arrays import Array
from neuronsim.engine.replicas import Replicas, why_not
from neuronsim.engine.runtime import Runtime
from neuronsim.engine.timed import SequenceSession
from neuronsim.formulas.schedules import Constant
from neuronsim.kernels.jit import most_threads
from neuronsim.training.fit import R, finish, fit, prepare
from neuronsim.training.settings import FitSettings
from neuronsim.training.trainer import MOST_STEPS, Trainer


@dataclass
class Replica(Generic[R]):
    """A network and how it is to be fitted; then its run, and why it was fitted alone, if it was."""

    runtime: Runtime
    settings: FitSettings
    run: R | None = None
    alone: str = ""


def fit_replicas(
    replicas: Sequence[Replica[R]],
    X: ArrayLike,
    T: ArrayLike,
    result_type: type[R],
    n_threads: int | None = None,
    alone_too: bool = True,
) -> None:
    """Fit each as `fit` would, bit for bit, as many at a time as there are lanes.

    Parameters
    ----------
    replicas : sequence of Replica
        Networks of equal wiring, each one's own; their runs are filled in.
    X, T : array
    result_type : type
    n_threads : int or None
        Groups of lanes that are trained at the same time; None: as many as there are threads.
    alone_too : bool
        Whether those that can't be lanes are fitted as well; else they are left as they were.
    """
    together: dict[Any, list[tuple[Replica[R], Trainer]]] = {}
    prepared: list[tuple[Replica[R], Trainer]] = []
    for replica in replicas:
        trainer, replica.run = prepare(replica.runtime, X, T, replica.settings, result_type)
        prepared.append((replica, trainer))
        replica.alone = _why_alone(trainer)
        if not replica.alone:
            together.setdefault(_alike(trainer), []).append((replica, trainer))
    groups = []
    for members in together.values():
        width = members[0][1].engine.width
        groups += [members[k : k + width] for k in range(0, len(members), width)]
    progress = replicas[0].settings.progress if replicas else False
    shown = sys.stderr.isatty() if progress is None else progress
    n_steps = sum(len(t.epochs) * t.session.steps_per_epoch for group in groups for _, t in group)
    with (
        interrupts.noted() as interrupted,
        tqdm(total=n_steps, unit=" steps", unit_scale=True, disable=not shown, file=sys.stderr) as bar,
        ThreadPoolExecutor(max(1, min(n_threads or most_threads(), len(groups)))) as pool,
    ):
        train = [pool.submit(_train, group, interrupted, bar.update) for group in groups]
        for done in train:
            done.result()
        for replica, trainer in prepared if alone_too else ():
            if replica.alone and interrupted.is_set():
                trainer.run.status, trainer.run.reason = "interrupted", "interrupted before its first step"
                finish(trainer, is_complete=False)
            elif replica.alone:
                replica.run = fit(replica.runtime, X, T, replica.settings, result_type)
                if replica.run.status == "interrupted":  # by the Ctrl-C that is meant for all
                    interrupted.set()


def _why_alone(trainer: Trainer) -> str:
    """Why a run can't be a lane; empty where it can."""
    if isinstance(trainer.session, SequenceSession):
        return "samples of a network with memory are sequences"
    if trainer.asks_how_far:
        return "StepSize looks at all parameters of a run before and after each epoch"
    if trainer.watching is not None:
        return "monitors look at one run"
    return why_not(trainer.session)


def _alike(trainer: Trainer) -> tuple[Any, ...]:
    """What replicas in one group have in common; rates may differ."""
    session = trainer.session
    settings = replace(session.settings, initial_rate=0.0, threads=None)
    return settings, session.loss, trainer.settings.epochs, session.n_samples, trainer.order.shuffle


def _train(group: list[tuple[Replica[R], Trainer]], interrupted: threading.Event, tell: Callable[[int], Any]) -> None:
    """All epochs of a group; what leaves the finite numbers in it is to be fitted alone, which says where and why."""
    trainers = [trainer for _, trainer in group]
    starts = [trainer.session.state() for trainer in trainers]
    lanes = Replicas([trainer.session for trainer in trainers])
    for trainer in trainers:
        trainer.run.reason = trainer.all_done
    under_way = list(range(len(group)))
    for epoch in trainers[0].epochs:
        _make_epoch(lanes, trainers, epoch)
        is_finite = lanes.is_finite()
        for k in list(under_way):
            trainer = trainers[k]
            if not is_finite[k]:
                group[k][0].alone = "it left the finite numbers"
                trainer.session.restore(starts[k])
                under_way.remove(k)
                continue
            trainer.run.n_steps += trainer.session.steps_per_epoch
            if _looks_at_parameters(trainer):
                lanes.hand_back(k)
            else:
                trainer.session.loss_sum[0] = lanes.loss_sums[k]
            if not trainer.end_epoch(epoch):
                _end(lanes, trainer, k)
                under_way.remove(k)
        tell(trainers[0].session.steps_per_epoch * len(group))
        if interrupted.is_set() or not under_way:
            break
    for k in under_way:
        run = trainers[k].run
        if run.n_epochs < trainers[k].epochs.stop:
            run.status, run.reason = "interrupted", f"interrupted after step {run.n_steps - 1}"
        _end(lanes, trainers[k], k)


def _make_epoch(lanes: Replicas, trainers: list[Trainer], epoch: int) -> None:
    """All steps of an epoch, of every lane."""
    n_steps = trainers[0].session.steps_per_epoch
    orders = _orders(trainers, epoch)
    lanes.loss_sums[:] = 0.0
    for first in range(0, n_steps, MOST_STEPS):
        n = min(MOST_STEPS, n_steps - first)
        at = epoch * n_steps + first
        schedules = [trainer.settings.learning_rate for trainer in trainers]
        # one rate for all steps is not written out for each
        listed = 1 if all(isinstance(schedule, Constant) for schedule in schedules) else n
        lanes.advance(orders, first, n, [schedule.rates(at, listed, epoch) for schedule in schedules])


def _orders(trainers: list[Trainer], epoch: int) -> list[Array]:
    """The rows of an epoch, of every lane; one array where all come in the same order."""
    if not any(trainer.order.shuffle or len(trainer.order.held_out) for trainer in trainers):
        return [trainers[0].order.epoch(epoch)] * len(trainers)
    return [trainer.order.epoch(epoch) for trainer in trainers]


def _looks_at_parameters(trainer: Trainer) -> bool:
    """Whether the end of an epoch needs them: to measure, or to keep the best."""
    given = trainer.settings
    return given.evaluate or given.average is not None or trainer.validation is not None or bool(given.stop)


def _end(lanes: Replicas, trainer: Trainer, lane: int) -> None:
    """The network, and what its run keeps."""
    lanes.hand_back(lane)
    finish(trainer, is_complete=trainer.run.status != "interrupted")
