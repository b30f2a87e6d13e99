"""Rounds in turn, A B C A B C …: what disturbs the machine for a while disturbs every system alike."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

Clock = Callable[[], float]

#: Seconds between two turns, in which threads of the system before fall asleep.
PAUSE = 0.02


@dataclass(frozen=True)
class Times:
    """What one system took.

    Attributes
    ----------
    first : float
        Seconds of its first call, for one pass: what compiles at all compiles there.
    passes : list of float
        Seconds of one pass, a value for each round.
    """

    first: float
    passes: list[float]

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return median(self.passes)


def in_turn(
    calls: Mapping[str, Callable[[int], object]],
    rounds: int,
    least: float = 0.5,
    *,
    clock: Clock = time.perf_counter,
    pause: float = PAUSE,
) -> dict[str, Times]:
    """Time every call once a round.

    Parameters
    ----------
    calls
        By name; each takes the number of passes that it makes over its work.
    rounds
        How many times each has its turn, after a first call that may compile and a second one that tells how
        many passes fill a turn.
    least
        Seconds that a turn shall last: quick systems make several passes in one.
    """
    first, passes = {}, {}
    for name, call in calls.items():
        first[name] = _seconds(call, 1, clock)
        passes[name] = max(1, math.ceil(least / max(_seconds(call, 1, clock), 1e-9)))
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            time.sleep(pause)
            seconds[name].append(_seconds(call, passes[name], clock) / passes[name])
    return {name: Times(first[name], seconds[name]) for name in calls}


def _seconds(call: Callable[[int], object], passes: int, clock: Clock) -> float:
    start = clock()
    call(passes)
    return clock() - start
