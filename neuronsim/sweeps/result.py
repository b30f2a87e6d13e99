"""What a sweep found: a table of its runs, each of which can be made again in memory, to the same bits."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from neuronsim import experiment
from neuronsim.basics.words import counted
from neuronsim.errors import SettingError
from neuronsim.run import Run
from neuronsim.sweeps.attempt import Job
from neuronsim.sweeps.store import Store

#: Statuses of runs that have no result.
NO_RESULT = ("failed", "lost", "waiting")


@dataclass(frozen=True)
class SweptRun:
    """One run of a sweep.

    Attributes
    ----------
    id : str
    values : dict
        The swept keys, and what they are here.
    outcome : dict or None
        Status, reason, metrics, bits, host and seconds; None where it has not been made.
    directory : Path
        Where its files are.
    """

    id: str
    values: Mapping[str, Any]
    outcome: Mapping[str, Any] | None
    directory: Path
    _job: Job
    _lost: str = ""  # why no worker brought it back, if one had it

    @property
    def settings(self) -> Mapping[str, Any]:
        """All settings of the run."""
        return self._job.settings

    @property
    def status(self) -> str:
        """How it ended: finished, stopped, diverged or failed; of one without a result "lost" or "waiting"."""
        if self.outcome is None:
            return "lost" if self._lost else "waiting"
        return str(self.outcome["status"])

    def load(self) -> Run:
        """The run made again, to the same bits, such that every step can be looked at."""
        return experiment.again(self._job.experiment)[1]

    def row(self) -> dict[str, Any]:
        """A line of the table."""
        known = self.outcome or {}
        facts = {name: known.get(name) for name in ("seconds", "host", "attempts", "bits")}
        return (
            {"id": self.id}
            | dict(self.values)
            | {"status": self.status, "reason": known.get("reason", self._lost)}
            | dict(known.get("metrics", {}))
            | facts
        )


class Sweep:
    """What `neuronsim.sweep` returns.

    Attributes
    ----------
    directory : Path
    runs : list of SweptRun
        In the order of the plan.
    stopped : str
        Why it ended before its end: "interrupted", or a sentence; "" if it did not.
    """

    def __init__(self, store: Store, jobs: list[Job], values: list[dict[str, Any]], stopped: str = "") -> None:
        self.directory, self.stopped = store.directory, stopped
        lost = {name: reasons[-1] for name, reasons in store.losses().items()}
        self.runs = [
            SweptRun(job.id, own, store.outcome(job.id), store.folder(job.id), job, lost.get(job.id, ""))
            for job, own in zip(jobs, values, strict=True)
        ]

    @property
    def table(self) -> list[dict[str, Any]]:
        """A dict for each run: id, swept values, status, reason, metrics, seconds, host, attempts, bits."""
        return [run.row() for run in self.runs]

    @property
    def failed(self) -> list[SweptRun]:
        """The runs without a result: those that failed, and those that were lost or not made yet."""
        return [run for run in self.runs if run.status in NO_RESULT]

    def frame(self) -> Any:
        """The table as a pandas DataFrame.

        Raises
        ------
        SettingError
            pandas is not installed.
        """
        try:
            return import_module("pandas").DataFrame(self.table)
        except ImportError:
            raise SettingError("frame() needs pandas: pip install pandas; .table is the same as a list") from None

    def __len__(self) -> int:
        return len(self.runs)

    def __str__(self) -> str:
        """How many runs ended how, and where they are."""
        if not self.runs:
            return "no run is planned yet: Optuna proposes them, a generation at a time"
        counts = Counter(run.status for run in self.runs)
        ended = ", ".join(f"{n:,} {status}" for status, n in counts.items())
        lines = [f"{counted(len(self.runs), 'run')}: {ended}"]
        lines += [f"  table    {os.path.join(self.directory, 'results.csv')}"]
        n_lanes = sum(1 for run in self.runs if run.outcome and run.outcome.get("lanes"))
        lines += [f"  lanes    {n_lanes:,} were trained side by side"] if n_lanes else []
        for status in ("failed", "lost"):
            reasons = Counter(run.row()["reason"] for run in self.runs if run.status == status)
            lines += [f"  {status:<8} {n:,} ×: {reason}" for reason, n in reasons.most_common(3)]
        if self.stopped:
            lines.append(f"  stopped  {self.stopped}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Sweep {self.directory}: {counted(len(self.runs), 'run')}>"
