"""Nested dicts written as TOML text, or by key with dots; reading is the standard library's ``tomllib``."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def toml_text(table: Mapping[str, Any]) -> str:
    """``table`` as TOML that ``tomllib.loads`` reads back to equal values.

    Parameters
    ----------
    table : mapping
        Its values are booleans, numbers, strings, lists and such tables; None is left out.
    """
    return "\n".join(_lines(table, "")).lstrip("\n") + "\n"


def _lines(table: Mapping[str, Any], heading: str) -> list[str]:
    present = {key: value for key, value in table.items() if value is not None}
    lines = [f"{_key(k)} = {toml_value(v)}" for k, v in present.items() if not isinstance(v, Mapping)]
    if heading and (lines or not present):
        lines[:0] = ["", f"[{heading}]"]
    for key, value in present.items():
        if isinstance(value, Mapping):
            lines += _lines(value, f"{heading}.{_key(key)}" if heading else _key(key))
    return lines


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _string(key)


def _string(text: str) -> str:
    # JSON's escapes are TOML's, but for DEL, which JSON does not escape.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def flat(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested tables by key with dots, ``training.epochs``.

    Parameters
    ----------
    table : mapping
    before : str
        Stands before each key.
    """
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def toml_value(value: Any) -> str:
    """A value as it stands behind the ``=``; a table in braces, on the line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(k)} = {toml_value(v)}" for k, v in value.items() if v is not None)
        return "{ " + inner + " }" if inner else "{}"
    raise TypeError(f"TOML has no {type(value).__name__}: {value!r}")
