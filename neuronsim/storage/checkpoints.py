"""Checkpoints of a run: two directories in turn, so that one is whole whenever the process ends."""

import os
import warnings
from pathlib import Path

from safetensors.numpy import load_file

from neuronsim.basics.arrays import Array
from neuronsim.errors import CheckpointWarning, FileError
from neuronsim.storage.runs import FILES, digest, load_run, write_arrays, write_facts, write_safetensors
from neuronsim.training.carry import Carry
from neuronsim.training.result import RunResult

_PLACES = ("a", "b")
_WATCHED = "watched.safetensors"


class Checkpoints:
    """The checkpoints in a directory.

    Parameters
    ----------
    directory : str or path
    goes_on : bool
        Whether those that are there are wanted; else there must be none.
    """

    def __init__(self, directory: str | os.PathLike[str], goes_on: bool) -> None:
        self.folder = Path(directory)
        self._turn = 0
        if not goes_on and any((self.folder / place / "run.json").exists() for place in _PLACES):
            raise FileError(
                f"there are checkpoints in {self.folder} already: give resume=True to go on, or another directory"
            )

    def latest(self, X: Array, T: Array) -> RunResult | None:
        """The run as the newest whole checkpoint has it; None if there is none."""
        found, broken = [], None
        for turn, place in enumerate(_PLACES):
            if (self.folder / place / "run.json").exists():
                try:
                    found.append((load_run(self.folder / place, data=(X, T)), turn))
                except FileError as problem:
                    broken = problem  # it was being written; the other one is whole
        if not found:
            if broken is not None:
                raise broken
            return None
        run, turn = max(found, key=lambda one: (one[0].n_steps, one[0].ended))
        self._turn = 1 - turn
        return run

    def watched(self) -> list[dict[str, Array]]:
        """What monitors and alarms had recorded up to the checkpoint that `latest` gave."""
        path = self.folder / _PLACES[1 - self._turn] / _WATCHED
        found: dict[int, dict[str, Array]] = {}
        if path.exists():
            for name, values in load_file(path).items():
                turn, _, what = name.partition(".")
                found.setdefault(int(turn), {})[what] = values
        return [found[turn] for turn in sorted(found)]

    def write(self, run: RunResult, carry: Carry, ended: bool, watched: list[dict[str, Array]]) -> None:
        """Write where the run is in the place of the older checkpoint; a full disk costs the checkpoint, not the run.

        Warns
        -----
        CheckpointWarning
            If it could not be written.
        """
        recording, folder = run.recording, self.folder / _PLACES[self._turn]
        if recording is None:
            return
        first = recording.snapshots.first
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "run.json").unlink(missing_ok=True)
            write_arrays(folder, recording, carry, {first: recording.snapshots.states[first]})
            arrays = {f"{k}.{what}": values for k, one in enumerate(watched) for what, values in one.items()}
            write_safetensors(folder / _WATCHED, arrays)
            written = {name: digest(folder / f"{name}.safetensors") for name in (*FILES, "watched")}
            write_facts(folder, run, recording, carry, written, ended)
        except (FileError, OSError) as problem:
            warnings.warn(f"no checkpoint in {folder}: {problem}; the run goes on", CheckpointWarning, stacklevel=2)
        else:
            self._turn = 1 - self._turn
