"""Sweeps: many runs from one file, made anywhere, each known by what decides its bits; a sweep can always go on."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuronsim.basics.checked import real, whole
from neuronsim.basics.silence import silenced
from neuronsim.basics.spread import evenly_spread
from neuronsim.errors import FileError, SettingError, choose
from neuronsim.experiment import Experiment
from neuronsim.experiment.file import checked, read_tables
from neuronsim.experiment.tomltext import toml_text
from neuronsim.seeds import seed_of
from neuronsim.sweeps.attempt import KEEP, Job
from neuronsim.sweeps.coordinator import Coordinator, Progress
from neuronsim.sweeps.executors import Pool
from neuronsim.sweeps.halving import Halving, climb, halving_of
from neuronsim.sweeps.identity import NUMERICS, digest, files, run_id
from neuronsim.sweeps.plan import combinations, with_values
from neuronsim.sweeps.proposals import Proposals, proposals_of, search
from neuronsim.sweeps.result import NO_RESULT, Sweep, SweptRun
from neuronsim.sweeps.store import Store

__all__ = ["NO_RESULT", "NUMERICS", "Options", "Progress", "Sweep", "SweptRun", "sweep"]

_FORMAT = 1
#: From the values of runs to their jobs, and the values of those that differ.
Plan = Callable[[list[dict[str, Any]]], tuple[list[Job], list[dict[str, Any]]]]
#: Runs that can be made again: those that failed, and those that were lost too often.
RETRY = ("failed", "lost")


@dataclass(frozen=True)
class Options:
    """How a sweep is made; none of it decides a bit.

    Attributes
    ----------
    attempts : int
        How often a run is made that gets lost: its worker dies, or it takes too long.
    timeout : float
        Seconds that a run may take, from its data to its test; the first one of a worker compiles within it.
    keep : {"outcome", "history", "network"}
        What is kept of each run.
    part : pair of int or None
        (3, 8): the third of eight parts, which share a directory.
    retry : {"failed", "lost"} or None
        Which runs are made again: those that failed, after a mend; those that were lost too often.
    verify : float
        The part of the finished runs that is made once more, 0 to 1: other bits are an error.
    dry, collect : bool
        Plan and check alone; write the table of what is there alone.
    tell : callable
        Called with a `Progress` after every change.
    """

    attempts: int = 3
    timeout: float = math.inf
    keep: str = "history"
    part: tuple[int, int] | None = None
    retry: str | None = None
    verify: float = 0.0
    dry: bool = False
    collect: bool = False
    tell: Callable[[Progress], None] = lambda progress: None

    def __post_init__(self) -> None:
        choose("keep", self.keep, dict.fromkeys(KEEP))
        whole("attempts", self.attempts)
        real("timeout", self.timeout, "(0, inf]")
        real("verify", self.verify, "[0, 1]")
        if self.retry is not None:
            choose("retry", self.retry, dict.fromkeys(RETRY))
        if self.part is not None:
            k, n = self.part
            if not 1 <= whole("part", k) <= whole("parts", n):
                raise SettingError(f"part {k}/{n}: parts go from 1/{n} to {n}/{n}")


def sweep(
    file: str | os.PathLike[str],
    directory: str | os.PathLike[str] | None = None,
    *,
    executor: str | Executor | None = None,
    threads: int = 1,
    overrides: Iterable[str] = (),
    options: Options | None = None,
) -> Sweep:
    """Make every run of an experiment file's ``[sweep]`` that is not done yet.

    Parameters
    ----------
    file : str or path
        An experiment file with a ``[sweep]``; or the directory of a sweep, which goes on.
    directory : str or path, optional
        Where its files go; None: ``sweeps/NAME``. A sweep that is there goes on if it is the same one.
    executor : str or Executor, optional
        "threads:4", "processes:4", "loky:4", "dask://host:8786", "mpi", or any executor of ``concurrent.futures``;
        None: as many threads as there are cores.
    threads : int
        Of each run.
    overrides : iterable of str
        Settings like ``"training.epochs=3"`` that replace the file's.
    options : Options, optional
        Attempts, what is kept, parts.

    Returns
    -------
    Sweep
        ``.table``, ``.failed``, ``.runs[k].load()``, ``.frame()``. After Ctrl-C it holds what was done by then, and its
        ``.stopped`` is "interrupted".

    Raises
    ------
    SettingError, DataError
        Any of its runs is described wrongly; nothing has run then.
    FileError
        Another process writes into the directory, or it holds another sweep.
    CheckError
        A run came out with other bits than before.
    """
    options = options or Options()
    if not isinstance(file, str | os.PathLike):
        raise SettingError(f"sweep takes an experiment file, or the directory of a sweep, not {file!r:.60}")
    folder, tables = _described(Path(file), overrides)
    target = Path(directory) if directory is not None else folder or Path("sweeps") / Path(file).stem
    plan = _planner(Path(file), tables, whole("threads", threads), options)
    halving, proposals = halving_of(tables["sweep"]), proposals_of(tables["sweep"])
    if (halving is not None or proposals is not None) and options.part is not None:
        name = "halving" if proposals is None else "optuna"
        raise SettingError(f"{name} compares all runs, and a part has only some; leave one of both out")
    store = Store(target, "" if options.part is None else "{}of{}".format(*options.part))
    # of proposals only what they are drawn from is known before the first run
    jobs, values = plan(combinations(tables["sweep"]) if proposals is None else list(proposals.extremes()))
    described = _as_given(tables)
    if proposals is not None and (options.dry or options.collect):
        jobs, values = plan([row for _, row in store.plan()] if (target / "plan.csv").exists() else [])
    if options.dry:
        return Sweep(store, jobs, values)
    with silenced(), closing(Pool(executor)) as pool:
        try:
            target.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise FileError(f"{target} cannot be made: {problem.strerror or problem}") from None
        with store.locked():
            coordinator, stopped = Coordinator(store, pool, options.attempts, options.tell), ""
            if proposals is None:
                store.write_plan(described, [job.id for job in jobs], values)
            if proposals is None:
                jobs, stopped = _made(coordinator, jobs, halving, options)
            elif not options.collect:
                jobs, values, stopped = _searched(coordinator, proposals, plan, described, options)
            found = Sweep(store, jobs, values, stopped)
            store.write_results(found.table)
            return found


def _searched(
    coordinator: Coordinator, proposals: Proposals, plan: Plan, described: str, options: Options
) -> tuple[list[Job], list[dict[str, Any]], str]:
    """Make what Optuna proposes; the runs of the table, and why it stopped, or ""."""
    store = coordinator.store
    planned: list[Job] = []

    def extended(values: list[dict[str, Any]]) -> list[Job]:
        planned.extend(plan([row])[0][0] for row in values[len(planned) :])
        store.write_plan(described, [job.id for job in planned], values, grows=True)
        return planned

    def make(jobs: list[Job]) -> str:
        each = list({job.id: job for job in jobs}.values())  # the same run may be proposed twice
        return _made_of(coordinator, _to_do(store, each, options))

    jobs, values, stopped = search(store, proposals, extended, make)
    once = {job.id: (job, row) for job, row in zip(jobs, values, strict=True)}
    return [job for job, _ in once.values()], [row for _, row in once.values()], stopped


def _made(
    coordinator: Coordinator, jobs: list[Job], halving: Halving | None, options: Options
) -> tuple[list[Job], str]:
    """Make what is not done, and what is to be made twice; the runs of the table, and why it stopped, or ""."""
    store = coordinator.store

    def make(some: list[Job]) -> str:
        return _made_of(coordinator, _to_do(store, some, options))

    jobs, stopped = (jobs, make(jobs)) if halving is None else climb(store, jobs, halving, make)
    if options.verify and not stopped:
        stopped = _made_of(coordinator, _audited(store, jobs, options.verify))
    return jobs, stopped


def _made_of(coordinator: Coordinator, jobs: list[Job]) -> str:
    """Make jobs; why it stopped before all were made, or ""."""
    try:
        return coordinator.run(jobs).stopped
    except KeyboardInterrupt:
        return "interrupted"


def _described(path: Path, overrides: Iterable[str]) -> tuple[Path | None, dict[str, Any]]:
    """The directory of a sweep that is there, if that was given; and the tables of its file."""
    if path.is_dir():
        file = path / "sweep.toml"
        if not file.exists():
            raise FileError(f"{path} is a folder without a sweep.toml; give an experiment file, or a sweep's directory")
        if list(overrides):
            raise SettingError("a sweep that goes on takes no --set: its settings are in its sweep.toml")
        return path, read_tables(file)
    return None, read_tables(path, overrides)


def _planner(path: Path, tables: dict[str, Any], threads: int, options: Options) -> Plan:
    """From the values of runs to their jobs, checked; of runs that are the same, the first."""
    if "sweep" not in tables:
        raise SettingError(f'{path} has no [sweep]; write one as in [sweep] "training.learning_rate" = [0.01, 0.1]')
    described = tables.pop("described", {})
    tables.setdefault("seed", seed_of(None))
    folder = Path(described.get("folder", path.absolute().parent))
    name = str(described.get("name", path.stem))
    tables["described"] = {"format": _FORMAT, "numerics": NUMERICS, "name": name, "folder": str(folder)}

    def plan(rows: list[dict[str, Any]]) -> tuple[list[Job], list[dict[str, Any]]]:
        found: dict[str, tuple[Job, dict[str, Any]]] = {}
        for values in rows:
            own = checked(with_values({k: v for k, v in tables.items() if k != "described"}, values), folder, name)
            own.settings["training"]["threads"] = threads
            key = run_id(own.settings, folder)
            found.setdefault(key, (_job(own, key, options), values))
        read = dict.fromkeys(path for job, _ in found.values() for path in files(job.settings, folder))
        tables["described"] |= {"digests": {str(path): digest(path) for path in read}} if read else {}
        return [job for job, _ in found.values()], [values for _, values in found.values()]

    return plan


def _job(own: Experiment, key: str, options: Options) -> Job:
    settings = {name: value for name, value in own.settings.items() if name not in ("trace", "versions")}
    return Job(key, settings, str(own.folder), own.name, options.keep, timeout=options.timeout)


def _as_given(tables: dict[str, Any]) -> str:
    return "# a sweep; `neuronsim sweep` with this folder goes on\n" + toml_text(tables)


def _audited(store: Store, jobs: list[Job], part: float) -> list[Job]:
    """Runs to be made twice, evenly spread."""
    made = [job for job in jobs if (store.outcome(job.id) or {}).get("bits")]
    return [made[k] for k in evenly_spread(len(made), math.ceil(part * len(made))).tolist()]


def _to_do(store: Store, jobs: list[Job], options: Options) -> list[Job]:
    """The runs of this part that are not done."""
    chosen = [] if options.collect else jobs
    if options.part is not None:
        k, n = options.part
        chosen = jobs[k - 1 :: n]
    lost = {} if options.retry == "lost" else store.losses()
    waiting = []
    for job in chosen:
        outcome = store.outcome(job.id)
        if outcome and outcome["status"] == "failed" and options.retry == "failed":
            store.forget(job.id)
            outcome = None
        if outcome is None and len(lost.get(job.id, ())) < options.attempts:
            waiting.append(job)
    return waiting


def __dir__() -> list[str]:
    return __all__
