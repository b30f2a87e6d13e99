"""Tables of an experiment file checked against what is allowed: keys by name; values by type, interval, names."""

import inspect
import types
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from neuronsim.basics.checked import is_real, real
from neuronsim.errors import SettingError, choose, suggest

_PLAIN: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a string",
    dict: "a table",
}


@dataclass(frozen=True)
class Key:
    """One key of a table: what may stand there, and what it means.

    Attributes
    ----------
    name : str
        As the file has it.
    meaning : str
        A phrase.
    type : type hint
        What its value may be, as `fits` reads it; None: as the function has it that takes the value.
    default : object
        What holds where the key is not there; None: what ``without`` says.
    without : str
        What holds without the key, where no value of it says so.
    interval : str
        Where numbers must lie, "[0, 1)"; "" leaves that to whoever takes the value.
    allowed : collection of str
        The names that there are, where a string is one of them; a registry is looked at anew each time.
    example : object
        A value to show where there is no default.
    required : bool
        Whether the table must have it.
    """

    name: str
    meaning: str
    type: Any = None
    default: Any = None
    without: str = ""
    interval: str = ""
    allowed: Collection[str] = ()
    example: Any = None
    required: bool = False

    def check(self, where: str, value: Any) -> None:
        """Whether this key of the table ``where`` may have a value.

        Raises
        ------
        SettingError
            It names the key, the value and what is allowed.
        """
        name = f"{where}.{self.name}" if where else self.name
        needed = f"{name} is {_shown(value)}; it must be {self.describe()}"
        if not fits(value, self.type):
            raise SettingError(needed)
        if self.interval and is_real(value):
            real(name, value, self.interval, needed.replace("{", "{{").replace("}", "}}"))
        if self.allowed:
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, str) and item not in _literals(self.type):
                    choose(name, item, dict.fromkeys(self.allowed))

    def describe(self) -> str:
        """What the value may be, in words: "a whole number of at least 1 or 'all'"."""
        return describe(self.type, _bounds(self.interval) if self.interval else "")


def keys_of(function: Callable[..., Any], entries: Iterable[Key]) -> tuple[Key, ...]:
    """Keys that become arguments of a function: with its types and defaults where the entries have none.

    Parameters
    ----------
    function : callable
        A function or a class.
    entries : iterable of Key
        What is said of each argument, by its name; entries for arguments that the function does not take are
        left out.
    """
    try:
        hints = get_type_hints(getattr(function, "__init__", function) if isinstance(function, type) else function)
    except NameError:  # a hint that only type checkers can see
        hints = {}
    parameters = inspect.signature(function).parameters
    intervals = {f.name: f.metadata.get("interval", "") for f in fields(function)} if is_dataclass(function) else {}
    keys = []
    for entry in entries:
        if entry.name not in parameters:
            continue
        default = parameters[entry.name].default
        keys.append(
            replace(
                entry,
                type=hints.get(entry.name, Any) if entry.type is None else entry.type,
                default=None if default is inspect.Parameter.empty or entry.without else default,
                interval=entry.interval or intervals.get(entry.name, ""),
                required=default is inspect.Parameter.empty,
            )
        )
    return tuple(keys)


def check_table(where: str, table: object, keys: Iterable[Key]) -> None:
    """Whether a table holds allowed keys only, all required ones, and values that they may have.

    Parameters
    ----------
    where : str
        What the table is called in the file, "training" or "data.train"; "" is the file's top level.
    table : object
        The table as TOML gave it.
    keys : iterable of Key
        The keys that may be there.

    Raises
    ------
    SettingError
        It names the key and the nearest valid one, or what the value must be.
    """
    if not isinstance(table, dict):
        raise SettingError(f"{where} is {table!r}; it must be a table: [{where}]")
    allowed = {key.name: key for key in keys}
    for given, value in table.items():
        if given not in allowed:
            name = f"{where}.{given}" if where else given
            near = suggest(given, allowed) or ";"
            raise SettingError(f"unknown key {name!r}{near} allowed here: {', '.join(allowed)}")
        allowed[given].check(where, value)
    missing = [key.name for key in allowed.values() if key.required and key.name not in table]
    if missing:
        raise SettingError(f"{where or 'the file'} lacks {' and '.join(map(repr, missing))}; add what is missing")


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


def describe(hint: Any, bounds: str = "") -> str:
    """A type hint in the words of the person who writes the file: "a whole number or a table".

    Parameters
    ----------
    hint : type hint
        What is allowed.
    bounds : str
        Where numbers must lie, in words.
    """
    if get_origin(hint) is Literal:
        parts = get_args(hint)
        return repr(parts[0]) if len(parts) == 1 else "one of " + ", ".join(map(repr, parts))
    if get_origin(hint) in (Union, types.UnionType):
        words = [describe(part, bounds) for part in get_args(hint) if part is not types.NoneType]
        return " or ".join(dict.fromkeys(words))
    plain = dict if get_origin(hint) is dict else hint
    if plain in _PLAIN:
        return _PLAIN[plain] + (f" {bounds}" if bounds and plain in (int, float) else "")
    if get_args(hint) and _is_sequence(get_origin(hint)):
        return "a list, each item " + describe(get_args(hint)[0])
    return "a whole number" if isinstance(hint, type) and issubclass(hint, np.integer) else "numbers"


def _bounds(interval: str) -> str:
    """An interval in words: "of at least 0 and below 1"."""
    low, high = interval[1:-1].split(", ")
    words = f"of at least {low}" if interval[0] == "[" else f"above {low}"
    if high == "inf":
        return words
    return f"{words} and at most {high}" if interval[-1] == "]" else f"{words} and below {high}"


def _literals(hint: Any) -> tuple[Any, ...]:
    """The values that a hint names one by one."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    return tuple(value for part in get_args(hint) for value in _literals(part))


def _is_sequence(origin: Any) -> bool:
    return origin in (list, tuple) or getattr(origin, "__module__", "") == "collections.abc"


def _shown(value: Any) -> str:
    kinds = {bool: "a boolean", str: "a string", int: "a number", float: "a number", list: "a list", dict: "a table"}
    return f"{value!r} ({kinds.get(type(value), type(value).__name__)})"
