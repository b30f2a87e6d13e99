"""Finished runs to compare, from whatever holds them: runs in memory, sweeps, run directories."""

import csv
import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neuronsim.errors import FileError, SettingError
from neuronsim.experiment.file import read_tables
from neuronsim.experiment.tomltext import flat
from neuronsim.run import Run
from neuronsim.storage.runs import digest
from neuronsim.sweeps import Sweep
from neuronsim.sweeps.plan import with_values
from neuronsim.sweeps.store import Store
from neuronsim.training.result import last_measured

# What fit is told that decides nothing about what is learned.
_NO_SETTINGS = (
    "rng", "monitors", "progress", "snapshots", "checkpoint", "resume", "threads", "validation", "evaluate",
)  # fmt: skip


@dataclass(frozen=True)
class Record:
    """One run.

    Attributes
    ----------
    settings : dict
        By key with dots, without seeds.
    seed : int or None
    history : dict of str to list of float
        Columns by epoch; empty where it was not kept.
    metrics : dict of str to float or None
        The last of each column, and more where a sweep measured it.
    status, bits, source : str
    n_samples : int or None
        Of an epoch, where it is known.
    """

    settings: Mapping[str, Any]
    seed: int | None
    history: Mapping[str, list[float]]
    metrics: Mapping[str, float | None]
    status: str
    bits: str
    source: str
    n_samples: int | None = None

    @property
    def identity(self) -> str:
        """The same for runs of equal settings, whatever their seeds."""
        return json.dumps(self.settings, sort_keys=True, default=str)


def records(given: Iterable[Any]) -> list[Record]:
    """The runs in what was given: runs, lists of them, sweeps, directories of runs or of sweeps.

    Raises
    ------
    SettingError
        For anything else.
    FileError
        For a directory that holds neither.
    """
    return [record for one in given for record in _of(one)]


def _of(given: Any) -> Iterator[Record]:
    if isinstance(given, Run):
        yield _of_run(given)
    elif isinstance(given, Sweep):
        yield from _of_sweep(given)
    elif isinstance(given, str | os.PathLike):
        yield from _of_directory(Path(given))
    elif isinstance(given, list | tuple):
        yield from records(given)
    else:
        raise SettingError(f"compare takes runs, lists of runs, sweeps and directories, not {given!r:.60}")


def _of_run(run: Run) -> Record:
    settings = {k: _plain(v) for k, v in run.settings.items() if k not in _NO_SETTINGS and v is not None}
    if run.recording is not None:
        graph = run.recording.graph
        wired = hashlib.sha256()
        arrays = (graph.row_start, graph.sources, graph.activation_codes, graph.outputs)
        for values in (*arrays, *([] if graph.delays is None else [graph.delays])):
            wired.update(np.ascontiguousarray(values).tobytes())
        settings["network"] = f"{graph.n_neurons} neurons, {graph.n_edges} edges, {wired.hexdigest()[:6]}"
    found = hashlib.sha256()
    if run.carry is not None:
        for values in run.carry.parameters:
            found.update(values.tobytes())
    n = None if run.carry is None else run.carry.order.n_samples
    return Record(
        settings, run.seed, run.history, last_measured(run.history), run.status, found.hexdigest(), repr(run), n
    )


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool) else repr(value)


def _of_sweep(found: Sweep) -> Iterator[Record]:
    for run in found.runs:
        if run.outcome is None:
            continue
        yield _of_outcome(run.settings, run.outcome, run.directory)


def _of_outcome(settings: Mapping[str, Any], outcome: Mapping[str, Any], directory: Path) -> Record:
    history = read_history(directory / "history.csv") if (directory / "history.csv").exists() else {}
    return Record(
        {key: value for key, value in flat(settings) if not _is_seed(key)},
        int(settings["seed"]),
        history,
        last_measured(history) | dict(outcome["metrics"]),
        str(outcome["status"]),
        outcome["bits"],
        str(directory),
        outcome["metrics"].get("n_samples"),
    )


def _of_sweep_directory(path: Path) -> Iterator[Record]:
    """What its files hold: neither the data nor the experiment file need be there any more."""
    tables, store = read_tables(path / "sweep.toml"), Store(path)
    for name, values in store.plan():
        outcome = store.outcome(name)
        if outcome is not None:
            yield _of_outcome(with_values(tables, values), outcome, store.folder(name))


def _of_directory(path: Path) -> Iterator[Record]:
    if (path / "sweep.toml").exists():
        yield from _of_sweep_directory(path)
    elif (path / "experiment.toml").exists() and (path / "history.csv").exists():
        yield _of_run_directory(path)
    else:
        holds = "of a run (experiment.toml, history.csv) nor of a sweep (sweep.toml)"
        raise FileError(f"{path} is neither the directory {holds}")


def _of_run_directory(path: Path) -> Record:
    tables = read_tables(path / "experiment.toml")
    history = read_history(path / "history.csv")
    network = path / "network.safetensors"
    bits = digest(network) if network.exists() else ""
    settings = {k: v for k, v in flat(tables) if not _is_seed(k) and not k.startswith(("versions", "trace"))}
    settings.pop("training.threads", None)
    status = "finished" if all(math.isfinite(v) for v in history.get("loss", [])) else "diverged"
    return Record(settings, tables.get("seed"), history, last_measured(history), status, bits, str(path))


def _is_seed(key: str) -> bool:
    return key == "seed" or key.endswith(".rng")


def read_history(path: Path) -> dict[str, list[float]]:
    """The columns of a history.csv."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        return {name: [float(row[k]) for row in rows[1:]] for k, name in enumerate(rows[0])}
    except (OSError, ValueError, IndexError) as problem:
        raise FileError(f"{path} cannot be read: {problem}") from None
