"""What the works share: their settings, and a race between systems on one case."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from types import ModuleType

from benchmarks.peers.ours import Ours
from benchmarks.problems import Problem, System
from benchmarks.results import OURS, Measurement, converted
from benchmarks.timing import Times, in_turn


@dataclass(frozen=True)
class Setup:
    """How to measure.

    Attributes
    ----------
    least : float
        Seconds that a turn lasts at least.
    limits : dict
        The machine's own, from `machine.limits`.
    """

    rounds: int
    least: float
    quick: bool
    huge: bool
    threads: int
    peers: dict[str, ModuleType]
    limits: dict[str, float]


@dataclass(frozen=True)
class Case:
    """A problem under a name, and the unit in which its results are given.

    Attributes
    ----------
    convert : callable
        From seconds a sample to the unit.
    limit : callable, optional
        From seconds a sample to the part of the machine's limit that is reached.
    """

    work: str
    name: str
    problem: Problem
    unit: str
    convert: Callable[[float], float]
    more_is_better: bool = False
    limit: Callable[[float], float] | None = None
    limit_name: str = ""
    shuffle: bool = True


Entrant = tuple[Callable[[Problem], System], Problem, str]


def race(
    setup: Setup, case: Case, *, shares: dict[str, int] | None = None, kind: str = "Layered", alone: bool = False
) -> list[Measurement]:
    """neuronsim and every peer that can do the case.

    Parameters
    ----------
    shares
        By peer, 1 / the part of the samples that it gets: slow ones would take minutes for all.
    kind
        The peers' class for such a problem.
    alone
        Let peers to whose users threads are left run on one thread, too.
    """
    shares = shares or {}
    entrants: dict[str, Entrant] = {OURS: (Ours, case.problem, "")}
    for name, peer in setup.peers.items():
        if hasattr(peer, kind):
            part = case.problem.part(max(case.problem.batch, case.problem.n_samples // shares.get(name, 1)))
            entrants[name] = (getattr(peer, kind), part, getattr(peer, kind.upper(), ""))
            if alone and setup.threads > 1 and getattr(peer, "ALSO_ALONE", False):
                entrants[f"{name} (1 thread)"] = (getattr(peer, kind), replace(part, threads=1), "")
    return race_between(setup, case, entrants)


def race_between(setup: Setup, case: Case, entrants: dict[str, Entrant]) -> list[Measurement]:
    """Build every entrant (one that can't do this says so by a ValueError), then time them in turn."""
    systems: dict[str, tuple[System, Problem, str]] = {}
    for name, (build, problem, note) in entrants.items():
        try:
            systems[name] = (build(problem), problem, note)
        except ValueError as reason:
            print(f"  {name} sits out: {reason}", file=sys.stderr)
    calls = {name: partial(system.train, shuffle=case.shuffle) for name, (system, _, _) in systems.items()}
    times = in_turn(calls, setup.rounds, setup.least)
    return list(_measurements(case, systems, times))


def _measurements(
    case: Case, systems: dict[str, tuple[System, Problem, str]], times: dict[str, Times]
) -> Iterator[Measurement]:
    for name, (_, problem, note) in systems.items():
        n = problem.n_samples
        yield Measurement(
            case.work,
            case.name,
            name,
            case.unit,
            converted(times[name].passes, lambda seconds, n=n: case.convert(seconds / n)),
            case.more_is_better,
            times[name].first,
            case.limit(times[name].median / n) if case.limit else None,
            case.limit_name,
            note,
        )
