"""Runs proposed by Optuna from what earlier ones came to, by generations: the same ones for any number of workers.

A generation is asked for at once and told in its order when all of it is done: nothing depends on which run ends
first. A sweep that goes on asks and tells again, and is proposed the same.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from neuronsim.basics.checked import whole
from neuronsim.errors import SettingError, choose, suggest
from neuronsim.sweeps.attempt import METRICS, Job
from neuronsim.sweeps.plan import Axis, groups_of, rounded
from neuronsim.sweeps.store import Store
from neuronsim.training.stop import should_rise

_KEYS = ("n", "generation", "by", "seed")


@dataclass(frozen=True)
class Proposals:
    """What ``[sweep] optuna`` says.

    Attributes
    ----------
    n, generation : int
        How many runs, and how many of them at a time.
    by : str
        The metric; of accuracies more is better, of all else less.
    seed : int
    groups : list of list of Axis
        Axes that move in step side by side, the others alone.
    """

    n: int
    generation: int
    by: str
    seed: int
    groups: list[list[Axis]]

    def extremes(self) -> Iterator[dict[str, Any]]:
        """Every value of a list, and the ends of every range, one at a time: what can be checked before any run."""
        first = {axis.key: axis.values[0] for group in self.groups for axis in group}
        yield first
        for group in self.groups:
            for k in range(1, len(group[0].values)):
                yield first | {axis.key: axis.values[k] for axis in group}

    def distributions(self, optuna: Any) -> dict[str, Any]:
        """What Optuna draws from: places in lists, numbers between two ends."""
        found = {}
        for group in self.groups:
            axis = group[0]
            if len(group) == 1 and axis.kind != "list":
                low, high = axis.values[0], axis.values[-1]
                found[axis.key] = optuna.distributions.FloatDistribution(low, high, log=axis.kind == "log")
            else:
                found[axis.key] = optuna.distributions.CategoricalDistribution(range(len(axis.values)))
        return found

    def values(self, drawn: Mapping[str, Any]) -> dict[str, Any]:
        """The values of one run."""
        found: dict[str, Any] = {}
        for group in self.groups:
            given = drawn[group[0].key]
            if isinstance(given, float):
                found[group[0].key] = rounded(given)
            else:
                found |= {axis.key: axis.values[given] for axis in group}
        return found


def proposals_of(table: Mapping[str, Any]) -> Proposals | None:
    """What ``[sweep]`` says of Optuna.

    Raises
    ------
    SettingError
        It is described wrongly, or stands beside what it cannot be combined with.
    """
    given = table.get("optuna")
    if given is None:
        return None
    if not isinstance(given, dict) or not {"n", "by"} <= set(given) <= set(_KEYS):
        shown = '{ n = 60, generation = 8, by = "val_loss", seed = 0 }'
        raise SettingError(f"sweep.optuna is {given!r}; it must be a table: {shown}")
    for other in ("random", "halving"):
        if other in table:
            raise SettingError(f"sweep.optuna proposes the runs, and {other} would, too: leave one of them out")
    n = whole("sweep.optuna.n", given["n"])
    generation = whole("sweep.optuna.generation", given.get("generation", min(8, n)))
    seed = whole("sweep.optuna.seed", given.get("seed", 0), 0, 2**32 - 1)
    # by name: a file that is written anew has its keys in another order, and what is drawn depends on it
    groups = sorted((sorted(group, key=_key) for group in groups_of(table)), key=lambda group: _key(group[0]))
    choose("sweep.optuna.by", given["by"], dict.fromkeys(METRICS))
    return Proposals(n, generation, given["by"], seed, groups)


def _key(axis: Axis) -> str:
    return axis.key


def search(
    store: Store,
    proposals: Proposals,
    plan: Callable[[list[dict[str, Any]]], list[Job]],
    make: Callable[[list[Job]], str],
) -> tuple[list[Job], list[dict[str, Any]], str]:
    """Ask for runs and make them, a generation at a time.

    Parameters
    ----------
    store : Store
    proposals : Proposals
    plan : callable
        Checks the runs asked for so far, writes them into the plan, and gives their jobs.
    make : callable
        Makes jobs; why it stopped, or "".

    Returns
    -------
    jobs, values, stopped
        Of all runs asked for; and why it stopped, or "".
    """
    with _quiet() as optuna:
        direction = "maximize" if should_rise(proposals.by) else "minimize"
        study = optuna.create_study(direction=direction, sampler=optuna.samplers.TPESampler(seed=proposals.seed))
        jobs: list[Job] = []
        values: list[dict[str, Any]] = []
        while len(values) < proposals.n:
            size = min(proposals.generation, proposals.n - len(values))
            trials = [study.ask(proposals.distributions(optuna)) for _ in range(size)]
            values += [proposals.values(trial.params) for trial in trials]
            jobs = plan(values)
            stopped = make(jobs[-size:])
            if stopped:
                return jobs, values, stopped
            found = [_metric(store, job, proposals.by) for job in jobs[-size:]]
            if len(values) == size and all(value is None for value in found):
                _refuse(store, jobs, proposals.by)
            for trial, value in zip(trials, found, strict=True):
                study.tell(trial, value, state=optuna.trial.TrialState.FAIL if value is None else None)
    return jobs, values, ""


def _metric(store: Store, job: Job, name: str) -> float | None:
    """What a run came to; None where it has no such number: it diverged or failed."""
    outcome = store.outcome(job.id) or {}
    value = outcome.get("metrics", {}).get(name) if outcome.get("status") != "diverged" else None
    return None if value is None else float(value)


def _refuse(store: Store, jobs: list[Job], by: str) -> None:
    """Raise SettingError where runs have other metrics; where they have none, that is what they are."""
    known = list(dict.fromkeys(name for job in jobs for name in (store.outcome(job.id) or {}).get("metrics", {})))
    if known and by not in known:
        raise SettingError(f"optuna by {by!r}{suggest(by, known) or ':'} there are {', '.join(known)}")


@contextmanager
def _quiet() -> Iterator[Any]:
    """Optuna, which tells every trial otherwise."""
    try:
        optuna = import_module("optuna")
    except ImportError:
        raise SettingError("sweep.optuna needs Optuna: pip install 'neuronsim[search]'") from None
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield optuna
    finally:
        optuna.logging.set_verbosity(before)
