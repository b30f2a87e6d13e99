"""Networks as ``.json``: a neuron a line with its incoming weights by name, for people to read and compare.

Lossless: a number is written with as many digits as bring its bits back, a weight not drawn yet as ``null``.
"""

import json
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from neuronsim.basics.arrays import Reals
from neuronsim.errors import FileError, suggest
from neuronsim.formulas.activations import INITIAL_SLOPE
from neuronsim.graph.arrays import AllRates, Arrays
from neuronsim.graph.edges import unless_zero
from neuronsim.graph.initialisers import undrawn, undrawn_mark
from neuronsim.graph.memory import LEAKS_OF, Memory
from neuronsim.graph.rates import Rates
from neuronsim.graph.values import MOST_DELAY
from neuronsim.kernels.codes import NO_LEAK
from neuronsim.storage.namelist import named, short_names
from neuronsim.storage.state import DRAWING, State

FORMAT = 1
_KIND = "neuronsim network"


# The keys of the file and of one neuron's line, and what their values are.
_HEAD = {
    "kind": str, "format": int, "dtype": str, "seed": int, "init": str, "draws": int,
    "inputs": list, "outputs": list, "neurons": list,
}  # fmt: skip
_LINE = {
    "name": str, "activation": str, "bias": float, "slope": float, "weights": dict,
    "frozen": list, "rates": dict, "frozen_weights": list, "weight_rates": dict,
    "delayed": dict, "leak": float, "leak_of": str, "initial": float, "learned": list,
}  # fmt: skip
# Those of a table in "delayed", by the delay: {"1": {"weights": {"h1": 0.9}}}.
_EDGES = {"weights": dict, "frozen_weights": list, "weight_rates": dict}
_KINDS = {str: "text", int: "a whole number", float: "a number", list: "a list", dict: "a table"}

# What the bias and the slope are called in "frozen" and "rates".
_OF_NEURONS = {"bias": "biases", "slope": "slopes"}
# What may be learned, and the array of marks.
_LEARNED = {"leak": "learned_leaks", "initial": "learned_initials"}


# ── writing ──


def write(state: State, path: Path) -> None:
    """Write a state; the same state gives the same text."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(_lines(state))


def _lines(state: State) -> Iterator[str]:
    names = [_text(name) for name in state.names]
    head = {"kind": _KIND, "format": FORMAT, "dtype": state.arrays.weights.dtype.name}
    head |= {what: getattr(state, what) for what in DRAWING}
    yield "{\n"
    yield from (f" {_text(key)}: {_text(value)},\n" for key, value in head.items())
    yield f' "inputs": {_list(names[k] for k in state.inputs)},\n'
    yield f' "outputs": {_list(names[k] for k in state.outputs)},\n'
    yield ' "neurons": ['
    for k, line in enumerate(_neurons(state, names)):
        yield ",\n  " if k else "\n  "
        yield _table(_entries(line))
    yield "\n ]\n}\n"


def _neurons(state: State, names: Sequence[str]) -> Iterator[dict[str, str]]:
    """What stands on each neuron's line: keys, and values as JSON text."""
    arrays, inputs = state.arrays, set(state.inputs.tolist())
    weights, biases, slopes = (_numbers(values) for values in (arrays.weights, arrays.biases, arrays.slopes))
    for missing in np.flatnonzero(undrawn(arrays.weights)).tolist():
        weights[missing] = "null"
    factors = {kind: _numbers(rates.factors()) for kind, rates in arrays.rates._asdict().items()}
    frozen = {kind: rates.frozen().tolist() for kind, rates in arrays.rates._asdict().items()}
    kept = _memory(arrays.memory)
    for k, name in enumerate(names):
        line = {"name": name}
        if k not in inputs:
            line |= {"activation": _text(state.activations[arrays.codes[k]]), "bias": biases[k]}
        if slopes[k] != repr(INITIAL_SLOPE) or line.get("activation") == '"prelu"':
            line["slope"] = slopes[k]
        by_delay: dict[int, dict[str, str]] = {}
        for edges in _by_delay(arrays, k):
            source = {e: names[arrays.sources[e]] for e in edges}
            by_delay[arrays.delay(edges.start)] = {
                "weights": _table((source[e], weights[e]) for e in edges),
                "frozen_weights": _list(source[e] for e in edges if frozen["weights"][e]),
                "weight_rates": _table(
                    (source[e], factors["weights"][e]) for e in edges if factors["weights"][e] != "1.0"
                ),
            }
        at_once = by_delay.pop(0, {"weights": "{}"})
        line["weights"] = at_once.pop("weights")
        line["frozen"] = _list(_text(what) for what, kind in _OF_NEURONS.items() if frozen[kind][k])
        line["rates"] = _table(
            (_text(what), factors[kind][k]) for what, kind in _OF_NEURONS.items() if factors[kind][k] != "1.0"
        )
        line |= at_once
        line["delayed"] = _table((_text(str(delay)), _table(_entries(edges))) for delay, edges in by_delay.items())
        line |= kept[k]
        yield dict(_filled(line))


def _by_delay(arrays: Arrays, neuron: int) -> Iterator[range]:
    """The edges into a neuron, those of one delay at a time."""
    start, end = int(arrays.row_start[neuron]), int(arrays.row_start[neuron + 1])
    delays = np.zeros(0) if arrays.delays is None else arrays.delays[start:end]
    starts = [start, *(start + 1 + np.flatnonzero(np.diff(delays.astype(np.int64)))).tolist()]
    if start < end:
        yield from (range(a, b) for a, b in pairwise([*starts, end]))


def _memory(memory: Memory) -> list[dict[str, str]]:
    """What stands on each neuron's line of its leak and its initial state."""
    leaks, initials = (
        _numbers(np.zeros(memory.n) if values is None else values) for values in (memory.leaks, memory.initials)
    )
    codes = [memory.leak(k)[1] for k in range(memory.n)]
    of = {code: _text(what) for what, code in LEAKS_OF.items()}
    learned = {what: getattr(memory, marks) for what, marks in _LEARNED.items()}
    lines: list[dict[str, str]] = []
    for k in range(memory.n):
        line = {"leak": leaks[k], "leak_of": of[codes[k]]} if codes[k] else {}
        if initials[k] != "0.0":
            line["initial"] = initials[k]
        line["learned"] = _list(_text(what) for what, marks in learned.items() if marks is not None and marks[k])
        lines.append(line)
    return lines


def _filled(line: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Keys and values, without empty lists and tables."""
    return ((key, value) for key, value in line.items() if value not in ("[]", "{}"))


def _entries(line: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((_text(key), value) for key, value in _filled(line))


def _numbers(values: Reals) -> list[str]:
    """Each number in the fewest digits that bring its bits back; infinities and NaN in Python's way."""
    exact = values.astype(np.float64)
    texts = [repr(value) for value in exact.tolist()]
    if values.dtype == np.float32:
        shorter = np.array([str(value) for value in values], np.str_)
        # A float32's digits are read as a float64 first, and rounding twice can, rarely, end next door.
        same = shorter.astype(np.float64).astype(np.float32) == values
        texts = [repr(float(short)) if ok else text for short, ok, text in zip(shorter, same, texts, strict=True)]
    for k in np.flatnonzero(~np.isfinite(exact)):
        texts[k] = json.dumps(float(exact[k]))
    return texts


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _list(items: Iterable[str]) -> str:
    return f"[{', '.join(items)}]"


def _table(entries: Iterable[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in entries) + "}"


# ── reading ──


def read(path: Path) -> State:
    """The state in a file.

    Raises
    ------
    FileError
        The file is no such text; the message says where and what is wrong.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_distinct_keys)
    except FileError:
        raise
    except UnicodeDecodeError as problem:
        raise FileError(f"it is no UTF-8 text ({problem.reason} at byte {problem.start})") from None
    except json.JSONDecodeError as problem:
        at = f"line {problem.lineno}, column {problem.colno}"
        raise FileError(f"it is truncated, damaged or no JSON ({problem.msg} at {at})") from None
    except (RecursionError, ValueError) as problem:
        raise FileError(f"it is no JSON that can be read ({problem})") from None
    if not isinstance(content, dict) or content.get("kind") != _KIND:
        raise FileError(f'it is no network of neuronsim (it does not say "kind": "{_KIND}")')
    if content.get("format") != FORMAT:
        raise FileError(f"its format is {content.get('format')!r}, this version of neuronsim reads {FORMAT}")
    _check_keys("the file", content, _HEAD, required=_HEAD)
    inputs = {name for name in content["inputs"] if isinstance(name, str)}
    lines = [_line(k, line, inputs) for k, line in enumerate(content["neurons"])]
    return _state(content, lines)


def _distinct_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise FileError(f"{twice!r} is there twice in one table")
    return table


def _line(k: int, line: object, inputs: Container[str]) -> dict[str, Any]:
    """One neuron's line, checked, with all keys."""
    if not isinstance(line, dict) or not isinstance(line.get("name"), str):
        raise FileError(f"neuron {k} has no name")
    where = f"neuron {line['name']!r}"
    is_input = line["name"] in inputs
    _check_keys(where, line, _LINE, required=() if is_input else ("activation",))
    if is_input and "activation" in line:
        raise FileError(f"{where} is an input and has no activation")
    for delay, table in line.get("delayed", {}).items():
        if not re.fullmatch("[1-9][0-9]{0,4}", delay) or int(delay) > MOST_DELAY:
            raise FileError(f"'delayed' of {where} has a delay {delay!r}; it is a whole number from 1 to {MOST_DELAY}")
        if not isinstance(table, dict):
            raise FileError(f"'delayed' of {where} has {table!r}, it must be a table")
        _check_keys(f"'delayed' of {where}", table, _EDGES, required=("weights",))
    for what in line.get("learned", ()):
        if what not in _LEARNED:
            raise FileError(f"'learned' of {where} names {what!r}; allowed: {', '.join(_LEARNED)}")
    if ("leak" in line) != ("leak_of" in line) or line.get("leak_of", "output") not in LEAKS_OF:
        raise FileError(f"{where} must say both how much leaks and what, which is one of: {', '.join(LEAKS_OF)}")
    return {"activation": "identity", "bias": 0.0, "slope": INITIAL_SLOPE} | line


def _check_keys(where: str, table: Mapping[str, Any], allowed: Mapping[str, type], required: Iterable[str]) -> None:
    for key in required:
        if key not in table:
            raise FileError(f"{where} lacks {key!r}")
    for key, value in table.items():
        if key not in allowed:
            raise FileError(f"{where} has an unknown key {key!r}{suggest(key, allowed)}")
        if not _is(value, allowed[key]):
            raise FileError(f"{key!r} of {where} is {value!r}, it must be {_KINDS[allowed[key]]}")


def _is(value: object, kind: type) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int | float) if kind is float else isinstance(value, kind)


def _state(head: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> State:
    if head["dtype"] not in ("float32", "float64"):
        raise FileError(f"its dtype is {head['dtype']!r}, allowed are float32 and float64")
    dtype = np.dtype(head["dtype"])
    ids = {line["name"]: k for k, line in enumerate(lines)}
    names = named(list(short_names(line["name"] for line in lines)), len(lines))
    edges = [_incoming(line, ids) for line in lines]
    sources = [source for incoming in edges for _, source in incoming]
    delays = np.array([delay for incoming in edges for delay, _ in incoming], np.uint16)
    used = sorted({line["activation"] for line in lines})
    weights = [
        _edges(line, d)["weights"][lines[s]["name"]] for line, into in zip(lines, edges, strict=True) for d, s in into
    ]
    arrays = Arrays(
        row_start=np.cumsum([0, *map(len, edges)], dtype=np.int64),
        sources=np.array(sources, np.int32),
        weights=_reals("the weights", weights, dtype, gaps=True),
        biases=_reals("the biases", [line["bias"] for line in lines], dtype),
        slopes=_reals("the slopes", [line["slope"] for line in lines], dtype),
        codes=np.array([used.index(line["activation"]) for line in lines], np.int16),
        rates=AllRates(
            _weight_rates(lines, edges, dtype), *(_neuron_rates(lines, what, dtype) for what in _OF_NEURONS)
        ),
        delays=unless_zero(delays),
        memory=_memory_of(lines, dtype),
    )
    return State(
        names=names,
        arrays=arrays,
        activations=used,
        inputs=np.array([_id(ids, name, "the inputs") for name in head["inputs"]], np.int32),
        outputs=np.array([_id(ids, name, "the outputs") for name in head["outputs"]], np.int32),
        **{what: head[what] for what in DRAWING},
    )


def _edges(line: Mapping[str, Any], delay: int) -> Mapping[str, Any]:
    """What a neuron's line says of its edges of one delay."""
    edges: Mapping[str, Any] = line["delayed"][str(delay)] if delay else line
    return edges


def _incoming(line: Mapping[str, Any], ids: Mapping[str, int]) -> list[tuple[int, int]]:
    """Delay and source of the edges into a neuron, in order."""
    where = f"the weights of {line['name']!r}"
    found: list[tuple[int, int]] = []
    for delay in (0, *map(int, line.get("delayed", ()))):
        edges = _edges(line, delay)
        for key in ("frozen_weights", "weight_rates"):
            for source in edges.get(key, ()):
                if not isinstance(source, str) or source not in edges.get("weights", {}):
                    raise FileError(f"{key!r} of {line['name']!r} names {source!r}, which is none of its sources")
        found += [(delay, _id(ids, source, where)) for source in edges.get("weights", {})]
    return sorted(found)


def _memory_of(lines: Sequence[Mapping[str, Any]], dtype: np.dtype[Any]) -> Memory:
    """Leaks and initial states."""
    codes = np.array([LEAKS_OF[line["leak_of"]] if "leak" in line else NO_LEAK for line in lines], np.int8)
    initials = _reals("the initial states", [line.get("initial", 0.0) for line in lines], dtype)
    learned = {
        marks: np.array([what in line.get("learned", ()) for line in lines], np.bool_)
        for what, marks in _LEARNED.items()
    }
    kept: dict[str, Any] = {marks: values for marks, values in learned.items() if values.any()}
    if codes.any():
        kept |= {"leak_codes": codes, "leaks": _reals("the leaks", [line.get("leak", 1.0) for line in lines], dtype)}
    if initials.any() or "learned_initials" in kept:
        kept["initials"] = initials
    return Memory(len(lines), dtype, **kept)


def _id(ids: Mapping[str, int], name: object, where: str) -> int:
    if isinstance(name, str) and name in ids:
        return ids[name]
    raise FileError(f"{where} name a neuron {name!r} that is not there{suggest(str(name), ids)}")


def _reals(what: str, values: Sequence[object], dtype: np.dtype[Any], gaps: bool = False) -> Reals:
    """Numbers in the network's dtype; with ``gaps``, null stands for one that is not drawn yet."""
    for value in values:
        if not _is(value, float) and not (gaps and value is None):
            raise FileError(f"one of {what} is {value!r}, it must be a number{' or null' if gaps else ''}")
    try:
        exact = np.array([0.0 if value is None else value for value in values], np.float64)
    except OverflowError:
        raise FileError(f"one of {what} is too large for {dtype}") from None
    with np.errstate(over="ignore"):
        reals = exact.astype(dtype)
    if (np.isinf(reals) & np.isfinite(exact)).any():
        raise FileError(f"one of {what} is too large for {dtype}")
    reals[[k for k, value in enumerate(values) if value is None]] = undrawn_mark(dtype)
    return reals


def _neuron_rates(lines: Sequence[Mapping[str, Any]], what: str, dtype: np.dtype[Any]) -> Rates:
    """Rates of biases or slopes."""
    for line in lines:
        for key in ("frozen", "rates"):
            for name in line.get(key, ()):
                if not isinstance(name, str) or name not in _OF_NEURONS:
                    raise FileError(f"{key!r} of {line['name']!r} names {name!r}; allowed: {', '.join(_OF_NEURONS)}")
    factors = [line.get("rates", {}).get(what, 1.0) for line in lines]
    return _rate_arrays(factors, [what in line.get("frozen", ()) for line in lines], dtype)


def _weight_rates(
    lines: Sequence[Mapping[str, Any]], edges: Sequence[Sequence[tuple[int, int]]], dtype: np.dtype[Any]
) -> Rates:
    factors, frozen = [], []
    for line, into in zip(lines, edges, strict=True):
        for delay, source in into:
            of_delay, name = _edges(line, delay), lines[source]["name"]
            factors.append(of_delay.get("weight_rates", {}).get(name, 1.0))
            frozen.append(name in of_delay.get("frozen_weights", ()))
    return _rate_arrays(factors, frozen, dtype)


def _rate_arrays(factors: Sequence[object], frozen: Sequence[bool], dtype: np.dtype[Any]) -> Rates:
    return Rates(
        len(factors),
        dtype,
        _reals("the rates", factors, dtype) if any(factor != 1.0 for factor in factors) else None,
        np.array(frozen, np.bool_) if any(frozen) else None,
    )
