"""A new experiment file that runs as it is and holds every key: what it leaves alone as comments, with the defaults."""

import os
import textwrap
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neuronsim.data import Dataset, load, read_csv
from neuronsim.errors import FileError, choose
from neuronsim.experiment import keys
from neuronsim.experiment.preparation import prepare
from neuronsim.experiment.settings import Key
from neuronsim.experiment.tomltext import toml_value

_WIDTH = 110
_HIDDEN = 16
_BATCH = 32
# So many samples leave enough to test on, and need fewer epochs.
_MANY = 40

_HEAD = """\
An experiment; run it with: neuronsim run {name}
Every key is here. Those behind a # are left alone: what stands there holds anyway, or is an example where
the comment says what holds. To change one, take its # away."""


def new(
    path: str | os.PathLike[str],
    data: str = "moons",
    wiring: str = "layered",
    *,
    targets: Iterable[str | int] = (-1,),
    features: Iterable[str | int] | None = None,
    classes: bool = False,
    delimiter: str = ",",
    header: bool | None = None,
) -> Dataset:
    """Write an experiment file that runs as it is; a file that is there is left as it is.

    Parameters
    ----------
    path : str or path
        The new file.
    data : str
        A data set of ``ns.data.load``, or the path of a CSV file.
    wiring : str
        A function of ``ns.wiring``.
    targets : iterable of str or int
        The columns of the CSV file to be predicted.
    features : iterable of str or int, optional
        Those to predict from; None: all others.
    classes : bool
        Whether the one target column of the CSV file holds classes.
    delimiter : str
        The character between the cells of the CSV file.
    header : bool or None
        Whether its first line holds names; None: it does if none of its cells is a number.

    Returns
    -------
    Dataset
        The samples that it is for.

    Raises
    ------
    FileError
        There is such a file already; or the CSV file is none.
    DataError
        There is nothing to learn in the data: one class, a target that never changes.
    SettingError
        There is no such data set or wiring.
    """
    path = Path(path)
    choose("wiring", wiring, keys.WIRINGS)
    source: dict[str, Any] = {"name": data}
    if Path(data).suffix or Path(data).is_file():
        columns = list(targets)
        others = None if features is None else list(features)
        samples = read_csv(data, columns, features=others, classes=classes, delimiter=delimiter, header=header)
        source = {"csv": _relative(data, path), "targets": columns} | ({"classes": True} if classes else {})
        source |= {} if others is None else {"features": others}
        source |= {} if delimiter == "," else {"delimiter": delimiter}
        source |= {} if header is None else {"header": header}
    else:
        samples = load(data)
    text = template(path.name, samples, source, wiring)
    # what `run` would refuse is refused here
    prepare(tomllib.loads(text)["data"], path.absolute().parent, seed=0, dtype=np.dtype(np.float64), validation=None)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise FileError(f"{path} is there already; give another name, or move it away") from None
    return samples


def template(name: str, samples: Dataset, source: Mapping[str, Any], wiring: str) -> str:
    """The text of a file of this name, for these samples, which ``source`` names as ``[data]`` does."""
    network = {"wiring": wiring, **_sized(wiring, samples)} | {"output": "softmax" if samples.classes else "identity"}
    data = {**source, "scale": "standardize"}
    data |= {} if samples.classes else {"scale_targets": "standardize"}
    many = len(samples.X) >= _MANY
    data |= {"test": 0.25} if many else {}
    training = {
        "optimizer": "adam",
        "learning_rate": 0.01,
        "batch_size": _BATCH if many else "all",
        "epochs": 100 if many else 1000,
    }
    lines = [*_prose(_HEAD.format(name=name)), "", *_keys(keys.TOP[:1], {"seed": 0})]
    lines += ["", "[network]", *_keys(keys.wiring_keys(wiring), network), *_other_wirings(wiring)]
    lines += ["", *_prose("Or, instead of all that:"), *_keys(keys.NETWORK_FILE, {})]
    lines += ["", "[data]", *_sources(source, data)]
    lines += ["", "[training]", *_keys(keys.TRAINING, training)]
    lines += ["", *_prose("What to record on the way, into trace.safetensors:"), "#[trace]", *_keys(keys.TRACE, {})]
    return "\n".join(lines) + "\n"


def _sized(wiring: str, samples: Dataset) -> dict[str, Any]:
    """What a wiring needs to be told, such that it fits the samples: one hidden layer, or none of edges one by one."""
    n_in, n_out = samples.X.shape[1], len(samples.classes) or samples.T.shape[1]
    inputs, outputs = list(range(n_in)), list(range(n_in, n_in + n_out))
    known = {
        "sizes": [n_in, _HIDDEN, n_out],
        "n_inputs": n_in,
        "n_hidden": _HIDDEN,
        "n_outputs": n_out,
        "n_neurons": n_in + n_out,
        "sources": inputs * n_out,
        "sinks": [sink for sink in outputs for _ in inputs],
        "inputs": inputs,
        "outputs": outputs,
    }
    return {key.name: known[key.name] for key in keys.wiring_keys(wiring) if key.name in known}


def _relative(data: str, path: Path) -> str:
    """A file's path as seen from the folder of the experiment file."""
    return os.path.relpath(data, path.parent)


def _sources(source: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[str]:
    """``[data]``: the keys of the source that was chosen, then of the others as comments."""
    named = keys.set_keys(source.get("name", "moons"))
    common = {key.name for key in keys.SCALING}
    blocks = {"name": named, "csv": keys.CSV, "train": keys.IDX}
    chosen = next(key for key in blocks if key in source)
    yield from _keys(blocks.pop(chosen), data)
    for block in blocks.values():
        yield ""
        yield from _prose("Or, instead:")
        yield from _keys((key for key in block if key.name not in common), {})


def _other_wirings(wiring: str) -> Iterator[str]:
    yield from _prose("Other wirings, and what they take:")
    own = {key.name for key in keys.wiring_keys(wiring)} - {"sizes"}
    for name in keys.WIRINGS:
        if name != wiring:
            takes = [key for key in keys.wiring_keys(name) if key.name not in own]
            shown = (key.name if key.default is None else f"{key.name} = {toml_value(key.default)}" for key in takes)
            yield from _prose(f"  {name}: {', '.join(shown)}")


def _keys(table: Iterable[Key], values: Mapping[str, Any]) -> Iterator[str]:
    """Each key with what it means: set to its value, or as a comment with what holds without it."""
    named: list[Any] = []
    for key in table:
        yield from _prose(_sentence(key, key.allowed not in named))
        named.append(key.allowed)
        live = key.name in values
        yield f"{'' if live else '#'}{key.name} = {written(values[key.name] if live else shown(key))}"
        for example in objects(key.name):
            yield f"#{key.name} = {toml_value(example)}"


def _sentence(key: Key, with_names: bool) -> str:
    """What a key means, the names that it may have, and what holds without it."""
    first = key.meaning[0].upper() if key.meaning[0].isascii() else key.meaning[0]
    names = f" One of {', '.join(key.allowed)}." if key.allowed and with_names else ""
    without = f" Left out: {key.without}." if key.without else ""
    return f"{first}{key.meaning[1:]}.{names}{without}"


def objects(key: str) -> Iterator[dict[str, Any]]:
    """Each table that may stand for a key of ``[training]``, with all its settings: optimisers, schedules, rules."""
    if key in keys.OBJECTS:
        kind = keys.OBJECTS[key]
        for name in kind.classes:
            chooser, *settings = kind.keys(name)
            yield {chooser.name: name} | {setting.name: shown(setting) for setting in settings}


def shown(key: Key) -> Any:
    """What holds where a key is not there; an example where no value says so."""
    return key.example if key.default is None else key.default


def written(value: Any) -> str:
    """A value in TOML, long numbers in short: 1e+09."""
    if isinstance(value, float) and float(f"{value:g}") == value and value >= 1e6:
        return f"{value:g}"
    return toml_value(value)


def _prose(text: str) -> list[str]:
    return [f"# {line}" for part in text.splitlines() for line in textwrap.wrap(part, _WIDTH - 2)]
