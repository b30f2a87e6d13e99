"""The loop that hands runs to workers and keeps what they bring back; lost ones are made again, alone."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from statistics import median

from neuronsim.sweeps.attempt import Answer, Job, attempt
from neuronsim.sweeps.executors import Pool
from neuronsim.sweeps.store import Store

# Small runs go to a worker together, for about so many seconds.
_SECONDS_TOGETHER = 2.0
_MOST_TOGETHER = 64
# So many first runs that all fail alike end the sweep.
_ALIKE = 10


@dataclass
class Progress:
    """How far a sweep is.

    Attributes
    ----------
    n, done, running, failed, lost : int
        All runs that were to be made; those made (failed ones included), under way, failed, given up.
    seconds : list of float
        What each took.
    stopped : str
        Why it ended before its end, or "".
    """

    n: int
    done: int = 0
    running: int = 0
    failed: int = 0
    lost: int = 0
    seconds: list[float] = field(default_factory=list)
    stopped: str = ""

    def left(self) -> float:
        """Seconds of computing that are left, from the median run; NaN before there is one."""
        return median(self.seconds) * (self.n - self.done - self.lost) if self.seconds else math.nan


class Coordinator:
    """Runs jobs in a pool.

    Parameters
    ----------
    store : Store
        Where results go; its lock is held.
    pool : Pool
    attempts : int
        How often a run that gets lost is made, in all.
    tell : callable
        Called with the progress after every change.
    """

    def __init__(self, store: Store, pool: Pool, attempts: int, tell: Callable[[Progress], None]) -> None:
        self.store, self.pool, self.attempts, self.tell = store, pool, attempts, tell
        self._reasons: list[str] = []
        self._flying: dict[Future[list[Answer]], tuple[Job, ...]] = {}
        self._suspects: deque[Job] = deque()
        self._tried = {name: len(reasons) for name, reasons in store.losses().items()}

    def run(self, jobs: Sequence[Job]) -> Progress:
        """Make all runs; what was there when Ctrl-C came is kept.

        Raises
        ------
        CheckError
            A run came out with other bits than before.
        KeyboardInterrupt
            Once what can be kept is kept.
        """
        waiting, progress = deque(jobs), Progress(len(jobs))
        try:
            while (waiting or self._flying or self._suspects) and not progress.stopped:
                self._hand_out(waiting, progress)
                self.tell(progress)
                finished, _ = wait(self._flying, return_when=FIRST_COMPLETED)
                for future in finished:
                    self._take_in(future, progress)
        finally:
            for future in self._flying:
                future.cancel()
            self._flying.clear()
        self.tell(progress)
        return progress

    def _hand_out(self, waiting: deque[Job], progress: Progress) -> None:
        """Up to twice as many groups as there are workers; runs that got lost when all others are done, one by one."""
        most = 2 * self.pool.n_workers
        while waiting and len(self._flying) < most:
            n = self._together(progress, len(waiting))
            self._submit(tuple(waiting.popleft() for _ in range(n)), progress)
        if not waiting and not self._flying and self._suspects:
            self._submit((self._suspects.popleft(),), progress)

    def _together(self, progress: Progress, n_waiting: int) -> int:
        """How many runs go to a worker at once."""
        if not progress.seconds:
            return 1
        fair = -(-n_waiting // (2 * self.pool.n_workers))
        in_time = int(_SECONDS_TOGETHER / max(median(progress.seconds), 1e-3))
        return max(1, min(_MOST_TOGETHER, fair, n_waiting, in_time))

    def _submit(self, jobs: tuple[Job, ...], progress: Progress) -> None:
        number = 1 + max(self._tried.get(job.id, 0) for job in jobs)
        ids = [job.id for job in jobs]
        self.store.log("submitted", ids, attempt=number)
        progress.running += len(jobs)
        try:
            self._flying[self.pool.executor.submit(attempt, jobs, number)] = jobs
        except RuntimeError as problem:  # the pool has broken since
            progress.running -= len(jobs)
            self._lose(jobs, problem, progress)

    def _take_in(self, future: Future[list[Answer]], progress: Progress) -> None:
        jobs = self._flying.pop(future)
        progress.running -= len(jobs)
        try:
            answers = future.result()
        except KeyboardInterrupt:
            raise
        except BaseException as problem:  # whatever became of a worker
            self._lose(jobs, problem, progress)
            return
        for answer in answers:
            self.store.keep(answer)
            status, reason = answer.outcome["status"], answer.outcome["reason"]
            progress.done += 1
            progress.seconds.append(answer.outcome["seconds"])
            if status == "failed":
                progress.failed += 1
                self.store.log("failed", [answer.id], reason=reason)
            else:
                self.store.log("done", [answer.id], status=status)
            self._look_for_alike(reason if status == "failed" else "", progress)

    def _lose(self, jobs: tuple[Job, ...], problem: BaseException, progress: Progress) -> None:
        """A worker died, or could not be reached: its runs are made again by themselves, for pools blame innocents."""
        self.store.log("lost", [job.id for job in jobs], reason=f"{type(problem).__name__}: {problem}"[:500])
        for job in jobs:
            self._tried[job.id] = self._tried.get(job.id, 0) + 1
            if self._tried[job.id] < self.attempts:
                self._suspects.append(job)
            else:
                progress.lost += 1
        if self._is_broken() and not self.pool.renew():
            progress.stopped = f"the executor is broken: {problem}; what is not done can be made by the same call again"

    def _is_broken(self) -> bool:
        """Whether the executor takes nothing any more."""
        try:
            self.pool.executor.submit(int).cancel()
        except RuntimeError:
            return True
        return False

    def _look_for_alike(self, reason: str, progress: Progress) -> None:
        self._reasons.append(reason)
        first = self._reasons[:_ALIKE]
        if len(self._reasons) == _ALIKE and first[0] and len(set(first)) == 1:
            progress.stopped = f"the first {_ALIKE} runs all failed alike: {reason}"
