"""What an experiment file may say, checked against the table of keys, and what becomes of its inner tables."""

from typing import Any

from neuronsim.data.sets import DATA_SETS
from neuronsim.errors import SettingError, choose
from neuronsim.experiment import keys
from neuronsim.experiment.settings import check_table
from neuronsim.formulas.schedules import from_settings
from neuronsim.tracing.monitor import Monitor

# Keys that a file cannot give: refused rather than passed over in silence.
_TRAINING_LATER = ("checkpoint", "monitors", "resume", "snapshots")

# Where samples come from: the key that says so, and what may stand beside it.
_SOURCES = {"name": (), "csv": keys.CSV, "train": keys.IDX}


def check(settings: dict[str, Any]) -> None:
    """Whether a file's tables, overrides included, hold what they may.

    Raises
    ------
    SettingError
        It names the key and the nearest valid one, or what its value must be.
    """
    _check_places(settings)
    check_table("", settings, keys.TOP)
    _check_network(settings["network"])
    _check_data(settings["data"])
    _check_training(settings.get("training", {}))
    if "trace" in settings:
        check_table("trace", settings["trace"], keys.TRACE)
        make_monitor(settings["trace"])


def _check_places(settings: dict[str, Any]) -> None:
    """Whether a key stands at the top that belongs into a table."""
    top = {key.name for key in keys.TOP}
    tables = {"training": keys.TRAINING, "trace": keys.TRACE, "network": keys.wiring_keys("layered"), "data": keys.CSV}
    for given in settings:
        home = next((name for name, table in tables.items() if given in {key.name for key in table}), None)
        if given not in top and home:
            raise SettingError(f"{given!r} is a key of [{home}], not of the top; write it as {home}.{given}")


def _check_network(table: dict[str, Any]) -> None:
    if "file" in table:
        check_table("network", table, keys.NETWORK_FILE)
        return
    if "wiring" not in table:
        wirings = ", ".join(keys.WIRINGS)
        raise SettingError(f'network lacks what to build; give file = "net.json", or wiring = one of {wirings}')
    choose("network.wiring", table["wiring"], keys.WIRINGS)
    check_table("network", table, keys.wiring_keys(table["wiring"]))


def _check_data(table: dict[str, Any]) -> None:
    given = [key for key in _SOURCES if key in table]
    if len(given) != 1:
        found = f"{' and '.join(given)} are given" if given else "none is given"
        raise SettingError(f"data has one of name, csv and train (IDX files); {found}")
    allowed = _SOURCES[given[0]]
    if given[0] == "name":
        choose("data set", table["name"], DATA_SETS)
        allowed = keys.set_keys(table["name"])
    check_table("data", table, allowed)
    for part in ("train", "test"):
        if isinstance(table.get(part), dict):
            check_table(f"data.{part}", table[part], keys.IDX_FILES)
    if "distort" in table:
        check_table("data.distort", table["distort"], keys.DISTORT)


def _check_training(table: dict[str, Any]) -> None:
    for key in _TRAINING_LATER:
        if key in table:
            raise SettingError(f"training.{key} is not possible from a file in this version; take it out")
    check_table("training", table, keys.TRAINING)
    for key in keys.OBJECTS:
        inner = table.get(key)
        for part in inner if isinstance(inner, list) else [inner]:
            if isinstance(part, dict):
                make(key, part)


def make_monitor(table: dict[str, Any]) -> Monitor:
    """``[trace]`` as the monitor itself."""
    return Monitor(table["watch"], **{key: value for key, value in table.items() if key != "watch"})


def make(key: str, table: dict[str, Any]) -> Any:
    """``{ name = "adam", beta1 = 0.8 }`` of ``training.optimizer``, say, as the object itself."""
    objects = keys.OBJECTS[key]
    if objects.chooser not in table:
        raise SettingError(
            f"training.{key} has {', '.join(table) or 'nothing'}, but no {objects.chooser!r}, which says what "
            f"{objects.kind} it is: {', '.join(objects.classes)}"
        )
    name = table[objects.chooser]
    cls = choose(objects.kind, name, objects.classes)
    check_table(f"training.{key}", table, objects.keys(cls.name))
    if key == "learning_rate":
        return from_settings(table)
    return cls(**{name: value for name, value in table.items() if name != objects.chooser})
