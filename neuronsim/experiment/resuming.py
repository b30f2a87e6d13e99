"""An experiment that goes on where its directory ends: with the settings and the seed that it began with."""

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from neuronsim.errors import SettingError
from neuronsim.experiment.file import Experiment, read_tables
from neuronsim.experiment.tomltext import flat, toml_text

# More epochs make the same run longer; the others decide no bit, and data that moved are known by their digest.
_MAY_DIFFER = ("training.epochs", "training.threads", "training.progress", "data.directory", "network.file")
_NOT_COMPARED = ("versions", "trace")


def as_begun(experiment: Experiment, directory: Path, as_run: dict[str, Any]) -> Experiment:
    """The experiment, with the seed that was drawn when the run began if the file has none.

    Parameters
    ----------
    experiment : Experiment
    directory : Path
        Of the run.
    as_run : dict
        What ``experiment.toml`` would hold of the experiment.

    Raises
    ------
    SettingError
        It is not the one that the run began with.
    """
    begun = directory / "checkpoint" / "experiment.toml"  # a run that replaces another one writes its own at the end
    path = begun if begun.exists() else directory / "experiment.toml"
    if not path.exists():
        return experiment  # a checkpoint alone; it knows its seed and its optimiser
    before = read_tables(path)
    if experiment.is_seed_drawn and isinstance(before.get("seed"), int):
        experiment = replace(experiment, settings=experiment.settings | {"seed": before["seed"]})
        as_run = as_run | {"seed": before["seed"]}
    now, then = dict(flat(tomllib.loads(toml_text(as_run)))), dict(flat(before))
    for key in sorted(then | now):
        if then.get(key) != now.get(key) and key not in _MAY_DIFFER and key.split(".")[0] not in _NOT_COMPARED:
            raise SettingError(
                f"--resume: the run in {directory} began {_given(key, then)}, this one is to go on {_given(key, now)}; "
                "a run has the same settings from its first step to its last, but for a larger training.epochs: "
                "give another directory, or --overwrite"
            )
    return experiment


def _given(key: str, settings: dict[str, Any]) -> str:
    return f"with {key} = {settings[key]!r}" if key in settings else f"without {key}"
