"""Numbers that people give, checked: whole ones from a least one on, real ones within an interval."""

import math
import numbers
import os
from functools import cache
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from neuronsim.errors import FileError, SettingError


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a value is a whole number, Python's or NumPy's. True and False are none."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def is_real(value: object) -> TypeGuard[float]:
    """Whether a value is a real number, Python's or NumPy's, finite or not. True and False are none."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def file_path(path: str | os.PathLike[str]) -> Path:
    """A path that a file can have.

    Raises
    ------
    FileError
        It holds a NUL character.
    """
    if "\0" in str(path):
        raise FileError(f"{str(path)!r} holds a NUL character: no file can be called so")
    return Path(path)


def whole(name: str, value: Any, least: int = 1, most: int | None = None, message: str | None = None) -> int:
    """A whole number from ``least`` to ``most``, as an int.

    Parameters
    ----------
    name : str
        What the number is called where it was given.
    value : object
        What was given.
    least, most : int, int or None
        The bounds, both allowed.
    message : str, optional
        What the error says, with places ``{name}``, ``{value!r}``, ``{least}`` and ``{most}``.

    Raises
    ------
    SettingError
        For everything else.

    Examples
    --------
    >>> whole("epochs", 0)
    Traceback (most recent call last):
    neuronsim.errors.SettingError: epochs=0: a whole number of at least 1 is needed
    """
    if is_whole(value) and value >= least and (most is None or value <= most):
        return int(value)
    bounds = "of at least {least}" if most is None else "from {least} to {most}"
    text = message or "{name}={value!r}: a whole number " + bounds + " is needed"
    raise SettingError(text.format(name=name, value=value, least=least, most=most))


def real(name: str, value: Any, interval: str = "[0, inf)", message: str | None = None) -> float:
    """A real number within an interval, as a float.

    Parameters
    ----------
    name : str
        What the number is called where it was given.
    value : object
        What was given.
    interval : str
        As it is written: ``"[0, 1)"`` has 0 and not 1, ``"(0, inf]"`` has infinity. NaN is in none.
    message : str, optional
        What the error says, with places ``{name}``, ``{value!r}`` and ``{interval}``.

    Raises
    ------
    SettingError
        For everything else.

    Examples
    --------
    >>> real("max_seconds", -1, "(0, inf)")
    Traceback (most recent call last):
    neuronsim.errors.SettingError: max_seconds=-1: a positive number is needed
    """
    number = _as_float(value) if is_real(value) else math.nan
    if _is_within(number, interval):
        return number
    text = message or "{name}={value!r}: " + _NEEDED.get(interval, "a number in {interval}") + " is needed"
    raise SettingError(text.format(name=name, value=value, interval=interval))


_NEEDED = {
    "[0, inf)": "a finite number of at least 0",
    "(0, inf)": "a positive number",
    "(0, inf]": "a positive number",
}


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number that no float can hold
        return math.inf if value > 0 else -math.inf


@cache
def _bounds(interval: str) -> tuple[float, float]:
    low, high = interval[1:-1].split(",")
    return float(low), float(high)


def _is_within(number: float, interval: str) -> bool:
    low, high = _bounds(interval)
    above = low <= number if interval[0] == "[" else low < number
    return above and (number <= high if interval[-1] == "]" else number < high)
