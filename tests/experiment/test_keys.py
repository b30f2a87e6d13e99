"""The table of keys: complete, and true of the functions that take the values."""

import inspect
from typing import Any

import pytest
from experiments import XOR

from neuronsim import experiment
from neuronsim.data.csvfile import read_csv
from neuronsim.data.sets import DATA_SETS
from neuronsim.errors import SettingError
from neuronsim.experiment import keys
from neuronsim.experiment.settings import Key, check_table
from neuronsim.network import Network
from neuronsim.tracing.monitor import Monitor

WIRED = [(name, function, keys.wiring_keys(name)) for name, function in keys.WIRINGS.items()]
SETS = [(name, function, keys.set_keys(name)) for name, function in DATA_SETS.items()]
MADE = [(name, cls, kind.keys(name)) for kind in keys.OBJECTS.values() for name, cls in kind.classes.items()]
READ = [("csv", read_csv, keys.CSV), ("trace", Monitor, keys.TRACE), ("fit", Network.fit, keys.TRAINING)]
EVERY = [*WIRED, *SETS, *MADE, *READ]

# What the file says elsewhere, or what lives in Python only.
NOT_IN_FILES = {
    "from_edges": {"delays"},
    "csv": {"path"},
    "trace": {"what"},
    "fit": {
        "self",
        "X",
        "T",
        "progress",
        "monitors",
        "snapshots",
        "checkpoint",
        "resume",
        "lengths",
        "mask",
        "window",
        "reach",
    },
}


@pytest.mark.parametrize(("name", "function", "table"), EVERY, ids=[name for name, *_ in EVERY])
def test_every_argument_has_its_key(name: str, function: Any, table: tuple[Key, ...]) -> None:
    parameters = inspect.signature(function).parameters
    named = {key.name for key in table}
    assert len(named) == len(table)
    assert set(parameters) - NOT_IN_FILES.get(name, set()) <= named


@pytest.mark.parametrize(("name", "function", "table"), EVERY, ids=[name for name, *_ in EVERY])
def test_keys_say_what_holds_without_them(name: str, function: Any, table: tuple[Key, ...]) -> None:
    parameters = inspect.signature(function).parameters
    for key in table:
        assert key.meaning
        assert not key.meaning.endswith(".")
        assert key.type is not None
        if key.name in parameters and not key.without:
            assert key.default == (None if key.required else parameters[key.name].default), key.name
        if not key.required and key.default is None:
            assert key.without, key.name
            assert key.example is not None, key.name
        for value in (key.default, key.example):
            if value is not None:
                key.check("", value)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("epochs", 0, r"training.epochs is 0 \(a number\); it must be a whole number of at least 1"),
        ("batch_size", 0, "a whole number of at least 1 or 'all'"),
        ("learning_rate", -0.1, "it must be a number of at least 0 or a table"),
        ("learning_rate", float("nan"), "it must be a number of at least 0"),
        ("momentum", 1, "of at least 0 and below 1"),
        ("clip_norm", 10**400, "a number above 0"),
        ("reduction", "man", "unknown training.reduction 'man'; did you mean 'mean'"),
        ("loss", "hubber", "unknown training.loss 'hubber'; did you mean 'huber'"),
        ("optimizer", "adma", "unknown training.optimizer 'adma'; did you mean 'adam'"),
    ],
)
def test_values_are_checked_by_the_table(key: str, value: Any, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        check_table("training", {key: value}, keys.TRAINING)


def test_names_in_lists_are_checked() -> None:
    with pytest.raises(SettingError, match=r"unknown network.activation 'tnh'"):
        check_table(
            "network", {"activation": ["tanh", "tnh"]}, [k for k in keys.wiring_keys("from_edges") if not k.required]
        )


@pytest.mark.parametrize(
    "wrong",
    [
        'optimizer = { name = "adam", beta1 = 1.5 }',
        'stop = [{ name = "plateau", patience = 3 }, { name = "plato", patience = 3 }]',
        'learning_rate = { schedule = "cosine", rate = 0.1 }',
    ],
)
def test_inner_tables_are_checked_when_the_file_is_read(write: Any, wrong: str) -> None:
    with pytest.raises(SettingError):
        experiment.read(write(XOR.replace("learning_rate = 0.5", wrong)))
