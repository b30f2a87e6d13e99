"""An experiment file read, overridden from the command line and checked, before anything is built."""

import os
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from neuronsim.errors import FileError, SettingError, choose
from neuronsim.experiment.preparation import SCALES, TARGET_SCALES
from neuronsim.experiment.settings import arguments_of, check_table
from neuronsim.seeds import seed_of

if TYPE_CHECKING:
    from neuronsim.network import Network
    from neuronsim.tracing.monitor import Monitor

__all__ = ["TRAINING", "Experiment", "read"]

_TABLES: dict[str, Any] = {
    "seed": int,
    "network": dict,
    "data": dict,
    "training": dict,
    "trace": dict,
    "versions": dict,
}

# Tables of the format that this version cannot run: refused rather than passed over in silence.
_LATER = {
    "sweep": "running the product of several settings",
}
_TRAINING_LATER = ("checkpoint", "monitors", "resume", "snapshots")

# The arguments of fit that a file can give.
TRAINING: dict[str, Any] = {
    "loss": str,
    "reduction": str,
    "optimizer": str | dict,
    "learning_rate": float | dict,
    "momentum": float,
    "batch_size": int | Literal["all"],
    "epochs": int,
    "shuffle": bool,
    "rng": int,
    "weight_decay": float,
    "clip_norm": float,
    "clip_value": float,
    "validation": bool | float,
    "evaluate": bool,
    "stop": dict | list[dict[str, Any]],
    "threads": int,
}

# The arguments of Monitor that a file can give.
TRACE: dict[str, Any] = {
    "watch": str | list[str | list[str]],
    "fields": str | list[str],
    "every": int,
    "steps": list[int] | Literal["log"],
    "samples": list[int],
    "keep_last": int,
    "max_bytes": float,
}

_SCALING = {"scale": str, "scale_targets": str}
_IDX = {"images": str, "labels": str}
_SOURCES: dict[str, dict[str, Any]] = {
    "name": {"name": str, "test": float},
    "csv": {
        "csv": str,
        "directory": str,
        "targets": str | int | list[str | int],
        "header": bool,
        "delimiter": str,
        "classes": bool,
        "test": str | float,
    },
    "train": {"train": dict, "directory": str, "test": dict | float},
}

# Paths are relative to the experiment file; from --set, to the working directory if there is such a file.
_PATHS = ("network.file", "data.directory", "data.csv", "data.test")


@dataclass(frozen=True)
class Experiment:
    """A checked experiment.

    Attributes
    ----------
    settings
        The file's tables, overrides included, with a seed in any case.
    folder
        What its paths are relative to.
    name
        The file's name without its ending.
    """

    settings: dict[str, Any]
    folder: Path
    name: str

    @property
    def seed(self) -> int:
        """The seed of everything that has no ``rng`` of its own."""
        return int(self.settings["seed"])

    def build_network(self) -> "Network":
        """The network that ``[network]`` describes: a new one, or one from a file."""
        table = dict(self.settings["network"])
        if "file" in table:
            from neuronsim.storage import load

            return load(self.folder / table["file"])
        make = _wirings()[table.pop("wiring")]
        network: Network = make(**({"rng": self.seed} | table))
        return network

    def monitor(self) -> "Monitor | None":
        """What ``[trace]`` says to watch."""
        return _monitor(self.settings["trace"]) if "trace" in self.settings else None

    def fit_arguments(self) -> dict[str, Any]:
        """``[training]`` as keyword arguments for ``net.fit``; validation data are added later."""
        table = {key: value for key, value in self.settings["training"].items() if key != "validation"}
        if isinstance(table.get("optimizer"), dict):
            table["optimizer"] = _optimizer(table["optimizer"])
        if isinstance(table.get("learning_rate"), dict):
            from neuronsim.formulas.schedules import from_settings

            table["learning_rate"] = from_settings(table["learning_rate"])
        if "stop" in table:
            rules = table["stop"] if isinstance(table["stop"], list) else [table["stop"]]
            table["stop"] = tuple(_stopping_rule(rule) for rule in rules)
        if table.get("batch_size") == "all":
            table["batch_size"] = None
        return {"rng": self.seed} | table


def read(path: str | os.PathLike[str], overrides: Iterable[str] = (), *, seed: int | None = None) -> Experiment:
    """Read and check an experiment file.

    Parameters
    ----------
    path
        The TOML file.
    overrides
        Settings like ``"training.epochs=3"`` that replace the file's.
    seed
        Replaces the file's seed. Without either a fresh one is drawn and kept.

    Raises
    ------
    FileError
        The file is missing or is no TOML.
    SettingError
        A key, a type or an override is wrong; the message names it and the nearest valid one.
    """
    path = Path(path)
    settings = _toml(path)
    for override in overrides:
        _override(settings, override)
    if seed is not None:
        settings["seed"] = seed
    _check(settings)
    settings["seed"] = seed_of(settings.get("seed"))
    settings.setdefault("training", {})
    return Experiment(settings, path.absolute().parent, path.stem)


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileError(f"there is no experiment file {path}") from None
    except OSError as problem:
        raise FileError(f"{path} cannot be read: {problem.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
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


def _check(settings: dict[str, Any]) -> None:
    for name, what in _LATER.items():
        if name in settings:
            raise SettingError(f"[{name}]: {what} is not possible in this version; take the table out of the file")
    check_table("", settings, _TABLES, required=("network", "data"))
    _check_network(settings["network"])
    _check_data(settings["data"])
    _check_training(settings.get("training", {}))
    if "trace" in settings:
        check_table("trace", settings["trace"], TRACE, required=["watch"])
        _monitor(settings["trace"])


def _check_network(table: dict[str, Any]) -> None:
    if "file" in table:
        check_table("network", table, {"file": str})
        return
    if "wiring" not in table:
        check_table("network", table, {"file": str, "wiring": str} | dict.fromkeys(table, Any))
        wirings = ", ".join(_wirings())
        raise SettingError(f'network lacks what to build; give file = "net.json", or wiring = one of {wirings}')
    make = choose("network.wiring", table["wiring"], _wirings())
    allowed, required = arguments_of(make)
    check_table("network", table, {"wiring": str} | allowed | {"dtype": str, "rng": int}, required)


def _check_data(table: dict[str, Any]) -> None:
    given = [key for key in _SOURCES if key in table]
    if len(given) != 1:
        found = f"{' and '.join(given)} are given" if given else "none is given"
        raise SettingError(f"data has one of name, csv and train (IDX files); {found}")
    allowed = _SOURCES[given[0]] | _SCALING
    if given[0] == "name":
        from neuronsim.data.sets import DATA_SETS

        arguments, _ = arguments_of(choose("data set", table["name"], DATA_SETS).make)
        allowed = allowed | arguments | ({"rng": int} if "rng" in arguments else {})
    check_table("data", table, allowed)
    choose("data.scale", table.get("scale", "none"), SCALES)
    choose("data.scale_targets", table.get("scale_targets", "none"), TARGET_SCALES)
    for part in ("train", "test"):
        if isinstance(table.get(part), dict):
            check_table(f"data.{part}", table[part], _IDX, required=_IDX)


def _check_training(table: dict[str, Any]) -> None:
    for key in _TRAINING_LATER:
        if key in table:
            raise SettingError(f"training.{key} is not possible from a file in this version; take it out")
    check_table("training", table, TRAINING)


def _wirings() -> dict[str, Callable[..., Any]]:
    from neuronsim import wiring

    return {name: getattr(wiring, name) for name in wiring.__all__}


def _monitor(table: dict[str, Any]) -> "Monitor":
    """``[trace]`` as the monitor itself."""
    from neuronsim.tracing.monitor import Monitor

    return Monitor(table["watch"], **{key: value for key, value in table.items() if key != "watch"})


def _optimizer(table: dict[str, Any]) -> Any:
    """``{ name = "adam", beta1 = 0.8 }`` as the optimiser itself."""
    from neuronsim.formulas.optimizers import OPTIMIZERS

    return _made("training.optimizer", "optimizer", table, OPTIMIZERS)


def _stopping_rule(table: dict[str, Any]) -> Any:
    """``{ name = "plateau", patience = 3 }`` as the rule itself."""
    from neuronsim.training.stop import STOPS

    return _made("training.stop", "stopping rule", table, STOPS)


def _made(where: str, kind: str, table: dict[str, Any], classes: dict[str, Any]) -> Any:
    cls = choose(kind, table.get("name"), classes)
    allowed, required = arguments_of(cls)
    check_table(where, table, {"name": str} | allowed, ["name", *required])
    return cls(**{key: value for key, value in table.items() if key != "name"})
