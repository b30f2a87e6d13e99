"""A sweep's directory: plain files are the truth, and one process writes them.

::

    sweep.toml        the file as given, with format, numerics and seed
    plan.csv          id and swept values of every run
    runs/3f/3f9c…/    outcome.json, renamed in last: the run is done; history.csv, network.safetensors if kept
    log.jsonl         what happened, a line each, appended
    results.csv       rebuilt whole, moved into place
    lock              who writes
"""

import csv
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from neuronsim.basics.atomic import replacing
from neuronsim.basics.csvtext import csv_text
from neuronsim.basics.jsonfile import read_or_nothing
from neuronsim.basics.lock import locked
from neuronsim.errors import CheckError, FileError
from neuronsim.sweeps.attempt import Answer

#: Ends of a run that are results; "failed" is one, too.
DONE = ("finished", "stopped", "diverged", "failed")


class Store:
    """The files of one sweep.

    Parameters
    ----------
    directory : Path
    part : str
        "" or "3of8": a part has a lock and a log of its own.
    """

    def __init__(self, directory: Path, part: str = "") -> None:
        self.directory = directory
        self._suffix = f".{part}" if part else ""

    # ── one writer ──

    def locked(self) -> AbstractContextManager[None]:
        """Hold the lock of the directory, or of this part of it."""
        return locked(self.directory / f"lock{self._suffix}")

    # ── what is planned ──

    def write_plan(
        self, described: str, ids: Sequence[str], values: Sequence[Mapping[str, Any]], grows: bool = False
    ) -> None:
        """``sweep.toml`` and ``plan.csv``, if they are not there; a plan that differs is refused.

        One that ``grows``, by generations, may go beyond what is there, and may be the beginning of it.

        Raises
        ------
        FileError
            The directory holds another sweep, or the same one with other data.
        """
        text = _csv([{"id": name} | dict(row) for name, row in zip(ids, values, strict=True)])
        plan = self.directory / "plan.csv"
        if plan.exists():
            there = plan.read_text(encoding="utf-8")
            if grows and text.startswith(there):
                with replacing(plan) as path:
                    path.write_text(text, encoding="utf-8")
            elif there != text and not (grows and there.startswith(text)):
                raise FileError(
                    f"{self.directory} holds another sweep: its plan differs (another file, other data, or a version "
                    "that computes other bits); name another directory"
                )
            return
        for name, content in (("sweep.toml", described), ("plan.csv", text)):
            with replacing(self.directory / name) as path:
                path.write_text(content, encoding="utf-8")

    def plan(self) -> list[tuple[str, dict[str, Any]]]:
        """The id and the swept values of every run, as ``plan.csv`` has them.

        Raises
        ------
        FileError
            It is missing, or no plan.
        """
        path = self.directory / "plan.csv"
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
            return [(row.pop("id"), {key: _read(cell) for key, cell in row.items() if cell}) for row in rows]
        except (OSError, ValueError, KeyError, AttributeError) as problem:
            raise FileError(f"{path} cannot be read: {problem}") from None

    # ── what is done ──

    def folder(self, name: str) -> Path:
        """The directory of a run."""
        return self.directory / "runs" / name[:2] / name

    def outcome(self, name: str) -> dict[str, Any] | None:
        """What became of a run; None where it has not been made."""
        found = read_or_nothing(self.folder(name) / "outcome.json")
        return found if found.get("status") in DONE else None

    def keep(self, answer: Answer) -> None:
        """Write what a worker handed back; ``outcome.json`` last.

        Raises
        ------
        CheckError
            The same run was made before, to other bits.
        """
        folder, before = self.folder(answer.id), self.outcome(answer.id)
        if before and before["bits"] and answer.outcome["bits"] and before["bits"] != answer.outcome["bits"]:
            hosts = f"on {answer.outcome['host']} than on {before['host']}"
            raise CheckError(f"run {answer.id} came out with other bits {hosts}: one of them computes wrongly")
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in answer.files.items():
            with replacing(folder / name) as path:
                path.write_bytes(content)
        with replacing(folder / "outcome.json") as path:
            path.write_text(json.dumps(answer.outcome, ensure_ascii=False, indent=1), encoding="utf-8")

    def forget(self, name: str) -> None:
        """Let a run be made again."""
        (self.folder(name) / "outcome.json").unlink(missing_ok=True)

    # ── what happened ──

    def log(self, event: str, ids: Iterable[str], **facts: Any) -> None:
        """Append a line."""
        line = json.dumps({"time": round(time.time(), 3), "event": event, "ids": list(ids)} | facts, ensure_ascii=False)
        with (self.directory / f"log{self._suffix}.jsonl").open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def losses(self) -> dict[str, list[str]]:
        """Why each run was lost, each time; a torn last line is passed over."""
        found: dict[str, list[str]] = {}
        for path in sorted(self.directory.glob("log*.jsonl")):
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                with suppress(ValueError):
                    entry = json.loads(line)
                    if isinstance(entry, dict) and entry.get("event") == "lost":
                        for name in entry["ids"]:
                            found.setdefault(name, []).append(str(entry.get("reason", "")))
        return found

    def write_results(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """``results.csv``, whole; with pyarrow ``results.parquet``, too."""
        with replacing(self.directory / "results.csv") as path:
            path.write_text(_csv(rows), encoding="utf-8")
        with suppress(ImportError):
            arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
            columns = dict.fromkeys(key for row in rows for key in row)
            table = {name: [_value(row.get(name)) for row in rows] for name in columns}
            with replacing(self.directory / "results.parquet") as path:
                parquet.write_table(arrow.table(table), path)


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV; columns in the order in which they first appear, lists as JSON."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return csv_text(columns, ([_cell(row.get(column)) for column in columns] for row in rows))


def _value(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | dict) else value


def _read(cell: str) -> Any:
    """The value of a cell: a number, a list, or the word that it is."""
    try:
        return json.loads(cell)
    except ValueError:
        return cell


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | dict | bool) else value
