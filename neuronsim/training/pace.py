"""How many threads train fastest at the moment."""

import math


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
