"""Tables of an experiment file checked against what is allowed: the keys by name, the values by type hint."""

import inspect
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from neuronsim.errors import SettingError, suggest

_PLAIN: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a string",
    dict: "a table",
}


def check_table(where: str, table: object, allowed: Mapping[str, Any], required: Iterable[str] = ()) -> None:
    """Whether a table holds allowed keys only, all required ones, and values of the right types.

    Parameters
    ----------
    where : str
        What the table is called in the file, "training" or "data.train"; "" is the file's top level.
    table : object
        The table as TOML gave it.
    allowed : mapping of str to type hints
        The type hint of each key that may be there.
    required : iterable of str
        Keys that must be there.

    Raises
    ------
    SettingError
        It names the key and the nearest valid one, or the type that is needed.
    """
    if not isinstance(table, dict):
        raise SettingError(f"{where} is {table!r}; it must be a table: [{where}]")
    for key, value in table.items():
        name = f"{where}.{key}" if where else key
        if key not in allowed:
            raise SettingError(f"unknown key {name!r}{suggest(key, allowed) or ';'} allowed here: {', '.join(allowed)}")
        if not fits(value, allowed[key]):
            raise SettingError(f"{name} is {_shown(value)}; it must be {describe(allowed[key])}")
    missing = [key for key in required if key not in table]
    if missing:
        raise SettingError(f"{where} lacks {' and '.join(map(repr, missing))}; add what is missing")


def arguments_of(function: Callable[..., Any]) -> tuple[dict[str, Any], list[str]]:
    """The type hint of each argument of a function, and which of them have no default."""
    try:
        hints = get_type_hints(function)
    except NameError:  # a hint that only type checkers can see
        hints = {}
    parameters = inspect.signature(function).parameters.values()
    allowed = {p.name: hints.get(p.name, Any) for p in parameters if p.kind is not p.VAR_KEYWORD}
    return allowed, [p.name for p in parameters if p.name in allowed and p.default is p.empty]


def fits(value: Any, hint: Any) -> bool:
    """Whether a value from a TOML file may stand where ``hint`` is asked for.

    TOML knows strings, numbers, booleans, lists and tables; hints for anything else (arrays, objects) take
    numbers and lists, and the function that gets them looks closer.
    """
    if hint is Any or hint is object:
        return True
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(fits(value, part) for part in parts)
    if origin is Literal:
        return value in parts
    if hint in (bool, str):
        return isinstance(value, hint)
    if hint is dict or origin is dict:
        return isinstance(value, dict)
    if hint is types.NoneType:
        return value is None
    if isinstance(value, bool):
        return False
    if isinstance(hint, type) and issubclass(hint, int | np.integer):
        return isinstance(value, int)
    if hint is float:
        return isinstance(value, int | float)
    if _is_sequence(origin):
        return isinstance(value, list) and (not parts or all(fits(v, parts[0]) for v in value))
    return isinstance(value, int | float | list)


def describe(hint: Any) -> str:
    """A type hint in the words of the person who writes the file: "a whole number or a table"."""
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(repr(part) for part in get_args(hint))
    if get_origin(hint) in (Union, types.UnionType):
        words = [describe(part) for part in get_args(hint) if part is not types.NoneType]
        return " or ".join(dict.fromkeys(words))
    plain = dict if get_origin(hint) is dict else hint
    if plain in _PLAIN:
        return _PLAIN[plain]
    if get_args(hint) and _is_sequence(get_origin(hint)):
        return "a list, each item " + describe(get_args(hint)[0])
    return "a whole number" if isinstance(hint, type) and issubclass(hint, np.integer) else "numbers"


def _is_sequence(origin: Any) -> bool:
    return origin in (list, tuple) or getattr(origin, "__module__", "") == "collections.abc"


def _shown(value: Any) -> str:
    kinds = {bool: "a boolean", str: "a string", int: "a number", float: "a number", list: "a list", dict: "a table"}
    return f"{value!r} ({kinds.get(type(value), type(value).__name__)})"
