"""Networks as ``.safetensors``: arrays as they are in memory, metadata as JSON text, a digest of both."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from neuronsim.basics.arrays import Array
from neuronsim.errors import FileError
from neuronsim.graph.arrays import AllRates, Arrays
from neuronsim.graph.edges import unless_zero
from neuronsim.graph.memory import Memory
from neuronsim.graph.rates import Rates
from neuronsim.storage.namelist import named, short_names
from neuronsim.storage.state import DRAWING, State

FORMAT = 1
_KEY = "neuronsim network"

_DTYPES: dict[str, str] = {
    "row_start": "i8",
    "sources": "i4",
    "codes": "i2",
    "inputs": "i4",
    "outputs": "i4",
    "names": "u1",
}
_VALUES = ("weights", "biases", "slopes")
_FIELDS = ("row_start", "sources", "codes", *_VALUES)  # of the graph's arrays
# Of networks with memory, where one is in use; "" stands for the weights' type.
_MEMORY: dict[str, str] = {
    "delays": "u2",
    "leaks": "",
    "leak_codes": "i1",
    "initials": "",
    "learned_leaks": "u1",
    "learned_initials": "u1",
}
_RATES = {f"{kind}.{what}" for kind in _VALUES for what in ("factors", "frozen")}


def write(state: State, path: Path) -> None:
    """Write a state; the same state gives the same bytes."""
    arrays: dict[str, Array] = {name: getattr(state.arrays, name) for name in _FIELDS}
    arrays |= {"inputs": state.inputs, "outputs": state.outputs}
    if state.arrays.delays is not None:
        arrays["delays"] = state.arrays.delays
    for name, values in state.arrays.memory.arrays().items():
        arrays[name] = values.view(np.uint8) if values.dtype == np.bool_ else values
    names = json.dumps(list(short_names(state.names)), ensure_ascii=False, separators=(",", ":"))
    arrays["names"] = np.frombuffer(names.encode(), np.uint8)
    for kind, rates in state.arrays.rates._asdict().items():
        if (rates.factors() != 1).any():
            arrays[f"{kind}.factors"] = rates.factors()
        if rates.n_frozen:
            arrays[f"{kind}.frozen"] = rates.frozen().view(np.uint8)
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    facts = {"format": FORMAT, "activations": list(state.activations)}
    facts |= {what: getattr(state, what) for what in DRAWING}
    facts["digest"] = _digest(arrays, facts)
    try:
        save_file(arrays, path, {_KEY: json.dumps(facts)})
    except SafetensorError as problem:
        raise OSError(None, str(problem)) from problem


def read(path: Path) -> State:
    """The state in a file.

    Raises
    ------
    FileError
        Anything in the file is not as ``write`` wrote it.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            facts = _facts(file.metadata())
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as problem:
        raise FileError(f"it is truncated, damaged or no .safetensors file ({problem})") from None
    except FileError:
        raise
    except (TypeError, AttributeError, ValueError, LookupError) as problem:  # a type that NumPy lacks
        raise FileError(f"it holds arrays that no network has ({problem})") from None
    if facts.pop("digest", None) != _digest(arrays, facts):
        raise FileError("it is damaged: its content does not match its digest")
    _check_arrays(arrays)
    try:
        return _state(arrays, facts)
    except FileError:
        raise
    except (LookupError, TypeError, ValueError) as problem:
        raise FileError(f"its metadata are damaged ({type(problem).__name__}: {problem})") from None


def _facts(metadata: Mapping[str, str] | None) -> dict[str, Any]:
    try:
        facts = json.loads((metadata or {})[_KEY])
        version = facts["format"]
    except (KeyError, TypeError, ValueError):
        raise FileError("it is no network of neuronsim (its metadata do not say so)") from None
    if version != FORMAT:
        raise FileError(f"its format is {version!r}, this version of neuronsim reads {FORMAT}")
    return dict(facts)


def _check_arrays(arrays: Mapping[str, Array]) -> None:
    needed = (*_DTYPES, *_VALUES)
    for name in needed:
        if name not in arrays:
            raise FileError(f"it lacks the array {name!r}")
    real = arrays["weights"].dtype
    if real not in (np.float32, np.float64):
        raise FileError(f"its array 'weights' is {real}, allowed are float32 and float64")
    for name, array in arrays.items():
        if name not in needed and name not in _RATES and name not in _MEMORY:
            raise FileError(f"it holds an array {name!r} that no network has")
        expected = _DTYPES.get(name) or _MEMORY.get(name) or ("u1" if name.endswith(".frozen") else real)
        if array.dtype != np.dtype(expected) or array.ndim != 1:
            raise FileError(f"its array {name!r} is {array.ndim}-dimensional {array.dtype}")


def _state(arrays: Mapping[str, Array], facts: Mapping[str, Any]) -> State:
    entries = [
        entry if isinstance(entry, str) else (str(entry[0]), int(entry[1]), int(entry[2]))
        for entry in json.loads(arrays["names"].tobytes())
    ]
    fields: dict[str, Any] = {name: arrays[name] for name in _FIELDS}
    kept: dict[str, Any] = {
        name: values.astype(np.bool_) if name.startswith("learned") else values
        for name, values in arrays.items()
        if name in _MEMORY and name != "delays"
    }
    memory = Memory(len(arrays["biases"]), arrays["weights"].dtype, **kept)
    fields |= {"memory": memory, "delays": unless_zero(arrays.get("delays"))}
    return State(
        names=named(entries, len(arrays["biases"])),
        arrays=Arrays(**fields, rates=AllRates(*(_rates(arrays, kind) for kind in _VALUES))),
        activations=[str(name) for name in facts["activations"]],
        inputs=arrays["inputs"],
        outputs=arrays["outputs"],
        seed=int(facts["seed"]),
        init=str(facts["init"]),
        draws=int(facts["draws"]),
    )


def _rates(arrays: Mapping[str, Array], kind: str) -> Rates:
    frozen = arrays.get(f"{kind}.frozen")
    marks = None if frozen is None else frozen.astype(np.bool_)
    return Rates(len(arrays[kind]), arrays["weights"].dtype, arrays.get(f"{kind}.factors"), marks)


def _digest(arrays: Mapping[str, Array], facts: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
