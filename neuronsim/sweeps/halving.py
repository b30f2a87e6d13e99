"""Synchronous halving: all runs for a few epochs, the best part of them for more, up to the last rung.

What goes on does so from its checkpoint, and is the full run, bit for bit. Who is kept is decided when a rung is
complete, so that it does not depend on which run arrives first.
"""

import math
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from neuronsim.basics.checked import is_whole, real
from neuronsim.errors import SettingError, choose, suggest
from neuronsim.sweeps.attempt import CHECKPOINT, METRICS, Job
from neuronsim.sweeps.identity import run_id
from neuronsim.sweeps.store import Store
from neuronsim.training.stop import should_rise

_KEYS = ("epochs", "keep", "by")


@dataclass(frozen=True)
class Halving:
    """How runs are thinned out.

    Attributes
    ----------
    epochs : tuple of int
        Of the rungs, ascending; those of the last one are the full run's.
    keep : float
        The part that goes on, rounded up.
    by : str
        The metric; of accuracies more is better, of all else less.
    """

    epochs: tuple[int, ...]
    keep: float
    by: str

    def survivors(self, metrics: Mapping[int, Mapping[str, Any] | None]) -> list[int]:
        """Which runs go on; those without a value last, of equals the first.

        Parameters
        ----------
        metrics : mapping of int to dict or None
            By run.

        Raises
        ------
        SettingError
            No run has that metric.
        """
        values = {k: (found or {}).get(self.by) for k, found in metrics.items()}
        if all(value is None for value in values.values()):
            known = list(dict.fromkeys(name for found in metrics.values() for name in found or {}))
            raise SettingError(f"halving by {self.by!r}{suggest(self.by, known) or ':'} there are {', '.join(known)}")
        sign = -1.0 if should_rise(self.by) else 1.0
        ranks = {k: math.inf if value is None else sign * value for k, value in values.items()}
        ranked = sorted(ranks, key=lambda k: ranks[k])
        return sorted(ranked[: math.ceil(self.keep * len(ranked))])


def halving_of(table: Mapping[str, Any]) -> Halving | None:
    """What ``[sweep]`` says of halving.

    Raises
    ------
    SettingError
        It is described wrongly.
    """
    given = table.get("halving")
    if given is None:
        return None
    if not isinstance(given, dict) or set(given) != set(_KEYS):
        raise SettingError(
            f'sweep.halving is {given!r}; it must be {{ epochs = [2, 6, 20], keep = 0.34, by = "val_loss" }}'
        )
    epochs = given["epochs"]
    ascend = isinstance(epochs, list) and len(epochs) > 1 and all(map(is_whole, epochs)) and epochs[0] > 0
    if not ascend or any(b <= a for a, b in pairwise(epochs)):
        raise SettingError(f"sweep.halving.epochs is {epochs!r}; it must be whole numbers that grow, as in [2, 6, 20]")
    choose("sweep.halving.by", given["by"], dict.fromkeys(METRICS))
    return Halving(tuple(epochs), real("sweep.halving.keep", given["keep"], "(0, 1)"), given["by"])


def at_epochs(job: Job, epochs: int) -> Job:
    """The same run with another number of epochs, which is another run."""
    settings = deepcopy(job.settings)
    settings["training"]["epochs"] = epochs
    return replace(job, settings=settings, id=run_id(settings, Path(job.folder)))


def climb(store: Store, jobs: list[Job], halving: Halving, make: Callable[[list[Job]], str]) -> tuple[list[Job], str]:
    """Make every rung.

    Parameters
    ----------
    store : Store
    jobs : list of Job
        Of every combination.
    halving : Halving
    make : callable
        Makes jobs; why it stopped, or "".

    Returns
    -------
    list of Job
        Of every combination the one of the highest rung that it reached; and why it stopped, or "".
    """
    reached, alive, last = list(jobs), list(range(len(jobs))), len(halving.epochs) - 1
    below: dict[int, Job] = {}
    for rung, epochs in enumerate(halving.epochs):
        here = {k: at_epochs(jobs[k], epochs) for k in alive}
        for k, job in here.items():
            reached[k] = job
        waiting = [
            replace(job, checkpoint=_checkpoint(store, below.get(k)), keeps_checkpoint=rung < last)
            for k, job in here.items()
        ]
        stopped = make(waiting)
        if stopped:  # what this rung has not got to is still where the one below left it
            for k, job in here.items():
                reached[k] = job if store.outcome(job.id) else below.get(k, job)
            return reached, stopped
        for job in below.values():
            (store.folder(job.id) / CHECKPOINT).unlink(missing_ok=True)
        if rung < last:
            outcomes = {k: store.outcome(job.id) for k, job in here.items()}
            alive = halving.survivors({k: found and found["metrics"] for k, found in outcomes.items()})
        below = here
    return reached, ""


def _checkpoint(store: Store, job: Job | None) -> bytes:
    """Where a run was at the end of the rung below; where that is gone it begins anew, to the same bits."""
    path = None if job is None else store.folder(job.id) / CHECKPOINT
    return path.read_bytes() if path is not None and path.exists() else b""
