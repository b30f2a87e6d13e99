"""An experiment file read, overridden from the command line and checked, before anything is built."""

import os
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuronsim.errors import FileError, SettingError
from neuronsim.experiment.format import check, make, make_monitor
from neuronsim.experiment.keys import WIRINGS
from neuronsim.network import Network
from neuronsim.seeds import seed_of
from neuronsim.storage import load
from neuronsim.tracing.monitor import Monitor

# Paths are relative to the experiment file; from --set, to the working directory if there is such a file.
_PATHS = ("network.file", "data.directory", "data.csv", "data.test")


@dataclass(frozen=True)
class Experiment:
    """A checked experiment.

    Attributes
    ----------
    settings : dict
        The file's tables, overrides included, with a seed in any case.
    folder : Path
        What its paths are relative to.
    name : str
        The file's name without its ending.
    is_seed_drawn : bool
        Whether the seed was drawn, because the file has none.
    """

    settings: dict[str, Any]
    folder: Path
    name: str
    is_seed_drawn: bool = False

    @property
    def seed(self) -> int:
        """The seed of everything that has no ``rng`` of its own."""
        return int(self.settings["seed"])

    def build_network(self) -> Network:
        """The network that ``[network]`` describes: a new one, or one from a file."""
        table = dict(self.settings["network"])
        if "file" in table:
            return load(self.folder / table["file"])
        network: Network = WIRINGS[table.pop("wiring")](**({"rng": self.seed} | table))
        return network

    def monitor(self) -> Monitor | None:
        """What ``[trace]`` says to watch."""
        return make_monitor(self.settings["trace"]) if "trace" in self.settings else None

    def fit_arguments(self) -> dict[str, Any]:
        """``[training]`` as keyword arguments for ``net.fit``; validation data are added later."""
        table = {key: value for key, value in self.settings["training"].items() if key != "validation"}
        for key in ("optimizer", "learning_rate"):
            if isinstance(table.get(key), dict):
                table[key] = make(key, table[key])
        if "stop" in table:
            rules = table["stop"] if isinstance(table["stop"], list) else [table["stop"]]
            table["stop"] = tuple(make("stop", rule) for rule in rules)
        if table.get("batch_size") == "all":
            table["batch_size"] = None
        return {"rng": self.seed} | table


def read(path: str | os.PathLike[str], overrides: Iterable[str] = (), *, seed: int | None = None) -> Experiment:
    """Read and check an experiment file.

    Parameters
    ----------
    path : str or path
        The TOML file.
    overrides : iterable of str
        Settings like ``"training.epochs=3"`` that replace the file's.
    seed : int or None
        Replaces the file's seed. Without either a fresh one is drawn and kept.

    Raises
    ------
    FileError
        The file is missing or is no TOML.
    SettingError
        A key, a type or an override is wrong; the message names it and the nearest valid one.
    """
    path = Path(path)
    settings = read_tables(path, overrides)
    if seed is not None:
        settings["seed"] = seed
    return checked(settings, path.absolute().parent, path.stem)


def read_tables(path: Path, overrides: Iterable[str] = ()) -> dict[str, Any]:
    """The tables of a file, overridden, not checked yet."""
    settings = _toml(path)
    for override in overrides:
        _override(settings, override)
    return settings


def checked(settings: dict[str, Any], folder: Path, name: str) -> Experiment:
    """An experiment of these settings, which get a seed if they have none."""
    check(settings)
    given = settings.get("seed")
    settings["seed"] = seed_of(given)
    settings.setdefault("training", {})
    return Experiment(settings, folder, name, is_seed_drawn=given is None)


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileError(f"there is no experiment file {path}") from None
    except IsADirectoryError:
        inside = path / "experiment.toml"
        advice = f"the experiment of that run is {inside}" if inside.exists() else "an experiment is a TOML file"
        raise FileError(f"{path} cannot be read: it is a folder; {advice}") from None
    except OSError as problem:
        raise FileError(f"{path} cannot be read: {problem.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise FileError(f"{path} is no valid TOML: {problem}") from None


def _override(settings: dict[str, Any], override: str) -> None:
    """Put ``a.b=c`` into the tables; c is read as TOML, or as the text it is."""
    key, equals, text = override.partition("=")
    *tables, last = key.strip().split(".")
    if not equals or not all(part.strip() for part in [*tables, last]):
        raise SettingError(f"--set {override}: write it as table.key=value, as in --set training.epochs=3")
    table = settings
    for name in tables:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise SettingError(f"--set {override}: {name} is no table")
    table[last] = _override_value(key.strip(), text.strip(), table.get(last))


def _override_value(key: str, text: str, before: object) -> Any:
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    if isinstance(before, str) and not isinstance(value, str):
        value = text
    if key in _PATHS and isinstance(value, str) and Path(value).exists():
        return str(Path(value).absolute())
    return value
