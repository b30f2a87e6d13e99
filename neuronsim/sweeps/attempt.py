"""What a worker does: train one run, or a few, and hand back what its directory is to hold, as bytes."""

import hashlib
import io
import math
import platform
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

from neuronsim import experiment
from neuronsim.basics import interrupts
from neuronsim.basics.silence import silenced
from neuronsim.errors import NeuronsimError
from neuronsim.experiment import together
from neuronsim.experiment.execute import history_csv, versions
from neuronsim.network import Network
from neuronsim.run import Run
from neuronsim.sweeps.identity import NUMERICS, run_id
from neuronsim.training.result import last_measured

#: What is kept of each run, beside its outcome.
KEEP = ("outcome", "history", "network")
#: What runs can come to; a run has those of its history, and of a test if it has test data.
METRICS = (
    *("loss", "val_loss", "val_accuracy", "best_val_loss", "best_val_accuracy", "test_loss", "test_accuracy"),
    *("data_loss", "epochs", "n_steps", "n_samples"),
)
#: Where a run of a lower rung is kept until the next rung is complete.
CHECKPOINT = "checkpoint.zip"


@dataclass(frozen=True)
class Job:
    """One run that is to be made.

    Attributes
    ----------
    id : str
        See `neuronsim.sweeps.identity`.
    settings : dict
        Checked, with its seed.
    folder, name : str
        What its paths are relative to; what it is called.
    keep : {"outcome", "history", "network"}
    numerics : int
        The coordinator's; a worker of another version refuses.
    checkpoint : bytes
        What it goes on from, as `CHECKPOINT` holds it; empty: from the start.
    keeps_checkpoint : bool
        Whether another run will go on from it.
    timeout : float
        Seconds after which it is given up.
    """

    id: str
    settings: dict[str, Any]
    folder: str
    name: str
    keep: str = "history"
    numerics: int = NUMERICS
    checkpoint: bytes = field(default=b"", repr=False)
    keeps_checkpoint: bool = False
    timeout: float = math.inf

    @property
    def experiment(self) -> experiment.Experiment:
        """As an experiment that can be run."""
        return experiment.Experiment(self.settings, Path(self.folder), self.name)


@dataclass(frozen=True)
class Answer:
    """What became of a job: its outcome, and files of its directory by name."""

    id: str
    outcome: dict[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)


def attempt(jobs: tuple[Job, ...], number: int) -> list[Answer]:
    """Make each run; what is wrong with a run itself becomes its outcome, "failed".

    Parameters
    ----------
    jobs : tuple of Job
    number : int
        Which attempt it is, from 1: another number is another call for engines that remember results.

    Raises
    ------
    TimeoutError
        A run takes longer than it may.
    """
    made = _side_by_side(jobs, number)
    return [made.get(job.id) or _answer(job, number) for job in jobs]


def _side_by_side(jobs: tuple[Job, ...], number: int) -> dict[str, Answer]:
    """The answers of jobs that can be trained in lanes; of others nothing."""
    plain = [job for job in jobs if not (job.checkpoint or job.keeps_checkpoint) and _is_right_worker(job)]
    if len(plain) < 2:
        return {}
    with _silence(), _in_time(sum(job.timeout for job in plain)):
        found = together.trained_together([job.experiment for job in plain])
    made = [(job, trained) for job, trained in zip(plain, found, strict=True) if trained is not None]
    facts = _facts(number) | {"lanes": len(made)}
    return {job.id: _made(job, facts, *trained, trained[2].seconds, {}) for job, trained in made}


def _silence() -> AbstractContextManager[None]:
    return silenced() if threading.current_thread() is threading.main_thread() else nullcontext()


@contextmanager
def _in_time(seconds: float) -> Iterator[None]:
    """Raise TimeoutError if the time was over before training was; it looks at the clock ten times a second."""
    if math.isinf(seconds):
        yield
        return
    with interrupts.limited(seconds) as over:
        yield
        if over.is_set():
            raise TimeoutError(f"it took longer than timeout={seconds:g} seconds")


def _facts(number: int) -> dict[str, Any]:
    return {"attempts": number, "host": platform.node(), "versions": versions()}


def _is_right_worker(job: Job) -> bool:
    try:
        _check_worker(job)
    except NeuronsimError:
        return False
    return True


def _made(
    job: Job,
    facts: dict[str, Any],
    net: Network,
    run: Run,
    outcome: experiment.Outcome,
    seconds: float,
    files: dict[str, bytes],
) -> Answer:
    """The answer of a run that was made."""
    made = {
        "status": outcome.status,
        "reason": outcome.reason,
        "metrics": _metrics(run, outcome),
        "bits": _bits(net, run),
        "seconds": seconds,
    }
    return Answer(job.id, {"id": job.id} | facts | made, _files(job, net, run) | files)


def _answer(job: Job, number: int) -> Answer:
    began = time.perf_counter()
    facts = {"id": job.id} | _facts(number)
    try:
        _check_worker(job)
        with _silence(), _in_time(job.timeout):
            net, run, outcome, checkpoint = _trained(job)
    except (MemoryError, TimeoutError):
        raise
    except Exception as problem:  # of the run itself: recorded, and not made again
        name = "" if isinstance(problem, NeuronsimError) else f"{type(problem).__name__}: "
        reason = {"status": "failed", "reason": f"{name}{problem}", "metrics": {}, "bits": ""}
        return Answer(job.id, facts | reason | {"seconds": time.perf_counter() - began})
    return _made(job, facts, net, run, outcome, time.perf_counter() - began, checkpoint)


def _trained(job: Job) -> tuple[Network, Run, experiment.Outcome, dict[str, bytes]]:
    """Train; with what is kept of the way, where another run goes on from it."""
    if not (job.checkpoint or job.keeps_checkpoint):
        return *experiment.trained(job.experiment), {}
    with TemporaryDirectory() as folder:
        place = Path(folder) / "checkpoint"
        if job.checkpoint:
            with ZipFile(io.BytesIO(job.checkpoint)) as packed:
                packed.extractall(place)
        made = experiment.trained(job.experiment, place)
        return *made, {CHECKPOINT: _packed(place)} if job.keeps_checkpoint else {}


def _packed(place: Path) -> bytes:
    """A directory as the bytes of a zip file."""
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED) as packed:
        for path in sorted(place.rglob("*")):
            if path.is_file():
                packed.write(path, path.relative_to(place))
    return buffer.getvalue()


def _check_worker(job: Job) -> None:
    """Refuse to compute what would have other bits, or other data, than the coordinator means."""
    if job.numerics != NUMERICS:
        raise NeuronsimError(
            f"this worker's neuronsim computes other bits (numerics {NUMERICS}, the sweep has {job.numerics}); "
            "install the same version everywhere"
        )
    if run_id(job.settings, Path(job.folder)) != job.id:
        raise NeuronsimError(
            f"the data in {job.folder} are others on {platform.node()} than where the sweep was planned"
        )


def _metrics(run: Run, outcome: experiment.Outcome) -> dict[str, float | None]:
    """Numbers to compare: the last of each column of the history, the best of those that validate, and the test."""
    trained_on = outcome.n_samples - len(run.held_out)
    found: dict[str, float | None] = {"epochs": outcome.epochs, "n_steps": outcome.n_steps, "n_samples": trained_on}
    found |= last_measured(run.history)
    for name, choose in (("val_loss", min), ("val_accuracy", max)):
        if run.history.get(name):
            found[f"best_{name}"] = choose(run.history[name])
    tested = {"test_loss": outcome.test_loss, "test_accuracy": outcome.test_accuracy}
    found |= {name: value for name, value in tested.items() if value is not None}
    return {name: value if value is not None and math.isfinite(value) else None for name, value in found.items()}


def _bits(net: Network, run: Run) -> str:
    """SHA-256 of the parameters and of the history without times."""
    found = hashlib.sha256()
    for values in (net.weights, net.biases, net.slopes):
        found.update(values.tobytes())
    for name, column in run.history.items():
        if name != "seconds":
            found.update(name.encode() + np.asarray(column, np.float64).tobytes())
    return found.hexdigest()


def _files(job: Job, net: Network, run: Run) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    if job.keep in ("history", "network"):
        files["history.csv"] = history_csv(run).encode()
    if job.keep == "network":
        with TemporaryDirectory() as folder:
            path = Path(folder) / "network.safetensors"
            net.save(path)
            files[path.name] = path.read_bytes()
    return files
