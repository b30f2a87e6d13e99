"""What an experiment file may say: its tables, their keys, the type of each value, and what becomes of it."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from neuronsim import wiring
from neuronsim.data.sets import DATA_SETS
from neuronsim.errors import SettingError, choose
from neuronsim.experiment.preparation import SCALES, TARGET_SCALES
from neuronsim.experiment.settings import arguments_of, check_table
from neuronsim.formulas.optimizers import OPTIMIZERS
from neuronsim.tracing.monitor import Monitor
from neuronsim.training.stop import STOPS

WIRINGS: dict[str, Callable[..., Any]] = {name: getattr(wiring, name) for name in wiring.__all__}

_TABLES: dict[str, Any] = {"seed": int, **dict.fromkeys(("network", "data", "training", "trace", "versions"), dict)}

# Tables of the format that this version cannot run: refused rather than passed over in silence.
_LATER = {"sweep": "running the product of several settings"}
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

# What tables of [training] become: the kind for messages, and the classes by their names.
_OBJECTS: dict[str, tuple[str, Mapping[str, type[Any]]]] = {
    "optimizer": ("optimizer", OPTIMIZERS),
    "stop": ("stopping rule", STOPS),
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


def check(settings: dict[str, Any]) -> None:
    """Whether a file's tables, overrides included, hold what they may.

    Raises
    ------
    SettingError
        It names the key and the nearest valid one, or the type that is needed.
    """
    for name, what in _LATER.items():
        if name in settings:
            raise SettingError(f"[{name}]: {what} is not possible in this version; take the table out of the file")
    check_table("", settings, _TABLES, required=("network", "data"))
    _check_network(settings["network"])
    _check_data(settings["data"])
    training = settings.get("training", {})
    for key in _TRAINING_LATER:
        if key in training:
            raise SettingError(f"training.{key} is not possible from a file in this version; take it out")
    check_table("training", training, TRAINING)
    if "trace" in settings:
        check_table("trace", settings["trace"], TRACE, required=["watch"])
        make_monitor(settings["trace"])


def _check_network(table: dict[str, Any]) -> None:
    if "file" in table:
        check_table("network", table, {"file": str})
        return
    if "wiring" not in table:
        check_table("network", table, {"file": str, "wiring": str} | dict.fromkeys(table, Any))
        wirings = ", ".join(WIRINGS)
        raise SettingError(f'network lacks what to build; give file = "net.json", or wiring = one of {wirings}')
    make = choose("network.wiring", table["wiring"], WIRINGS)
    allowed, required = arguments_of(make)
    check_table("network", table, {"wiring": str} | allowed | {"dtype": str, "rng": int}, required)


def _check_data(table: dict[str, Any]) -> None:
    given = [key for key in _SOURCES if key in table]
    if len(given) != 1:
        found = f"{' and '.join(given)} are given" if given else "none is given"
        raise SettingError(f"data has one of name, csv and train (IDX files); {found}")
    allowed = _SOURCES[given[0]] | _SCALING
    if given[0] == "name":
        arguments, _ = arguments_of(choose("data set", table["name"], DATA_SETS))
        allowed = allowed | arguments | ({"rng": int} if "rng" in arguments else {})
    check_table("data", table, allowed)
    choose("data.scale", table.get("scale", "none"), SCALES)
    choose("data.scale_targets", table.get("scale_targets", "none"), TARGET_SCALES)
    for part in ("train", "test"):
        if isinstance(table.get(part), dict):
            check_table(f"data.{part}", table[part], _IDX, required=_IDX)


def make_monitor(table: dict[str, Any]) -> Monitor:
    """``[trace]`` as the monitor itself."""
    return Monitor(table["watch"], **{key: value for key, value in table.items() if key != "watch"})


def make(key: str, table: dict[str, Any]) -> Any:
    """``{ name = "adam", beta1 = 0.8 }`` of ``training.optimizer`` or ``training.stop`` as the object itself."""
    kind, classes = _OBJECTS[key]
    cls = choose(kind, table.get("name"), classes)
    allowed, required = arguments_of(cls)
    check_table(f"training.{key}", table, {"name": str} | allowed, ["name", *required])
    return cls(**{name: value for name, value in table.items() if name != "name"})
