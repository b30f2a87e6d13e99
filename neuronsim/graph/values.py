"""Values that people give for parameters, checked: finite numbers that the graph's dtype can hold."""

import math
import numbers
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from neuronsim.basics.arrays import Reals
from neuronsim.basics.checked import is_whole, real
from neuronsim.errors import SettingError, WiringError, choose
from neuronsim.graph.edges import Delays, unless_zero
from neuronsim.graph.memory import LEAKS_OF
from neuronsim.kernels.codes import NO_LEAK

MOST_DELAY = 2**16 - 1
"""Steps that an edge may take."""

# A float up to here fits both dtypes: what a network is wired with edge by edge takes half the time so.
_ANY_DTYPE = 3.4e38


def check_dtype(dtype: object) -> np.dtype[np.floating]:
    """``float32`` or ``float64``, from its name or NumPy type."""
    table: dict[str, type[np.floating]] = {"float64": np.float64, "float32": np.float32}
    try:
        name = dtype if isinstance(dtype, str) else np.dtype(dtype).name  # type: ignore[call-overload]
    except TypeError:
        name = dtype
    return np.dtype(choose("dtype", name, table))


def checked(what: str, value: object, dtype: np.dtype[np.floating]) -> float:
    """A finite number that the dtype can hold, or SettingError; ``what`` names it in the message."""
    if type(value) is float and abs(value) <= _ANY_DTYPE:
        return value
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (numbers.Real, np.ndarray)):
        raise SettingError(f"{what}={value!r} is not a number")
    number = np.asarray(value)
    if number.ndim or number.dtype.kind not in "iufO":
        raise SettingError(f"{what}={value!r} is not a number")
    try:
        real = float(number)
    except OverflowError:
        real = math.inf
    if not math.isfinite(real):
        raise SettingError(f"{what}={value!r} is not finite")
    with np.errstate(over="ignore"):
        if not np.isfinite(dtype.type(real)):
            raise SettingError(f"{what}={value!r} is too large for {dtype}")
    return real


def checked_array(what: str, values: ArrayLike, n: int, dtype: np.dtype[np.floating]) -> Reals:
    """One such number for all, or an array of n, as an array (n,) of the dtype; or SettingError."""
    try:
        given = np.asarray(values)
    except ValueError:
        raise SettingError(f"{what} is not an array of numbers") from None
    if given.ndim == 0:
        return np.full(n, checked(what, given.item() if given.dtype != object else values, dtype), dtype)
    if given.dtype.kind not in "iuf":
        raise SettingError(f"{what} is an array of {given.dtype}; it must hold numbers")
    if given.shape != (n,):
        raise SettingError(f"{what} has shape {given.shape}; it must be one number, or ({n},)")
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = given.astype(dtype, copy=False)
    if not np.isfinite(rounded).all():
        first = int(np.argmin(np.isfinite(rounded)))
        raise SettingError(f"{what}[{first}] is {given[first]}, not a finite {dtype}")
    return rounded


def checked_delay(value: object, what: str = "delay") -> int:
    """How many steps an edge takes, or WiringError."""
    if not is_whole(value) or not 0 <= value <= MOST_DELAY:
        raise WiringError(f"{what}={value!r} is not allowed; it is a whole number of steps from 0 to {MOST_DELAY:,}")
    return int(value)


def checked_delays(delays: ArrayLike, n: int, what: str = "delay") -> Delays | None:
    """One delay for all, or an array of n, as an array (n,), None where all are 0; or WiringError."""
    try:
        given = np.asarray(delays)
    except ValueError:
        raise WiringError(f"{what} is not an array of whole numbers") from None
    if given.ndim == 0:
        delay = checked_delay(given.item(), what)
        return np.full(n, delay, np.uint16) if delay else None
    if given.dtype.kind not in "iu" and given.size:
        raise WiringError(f"{what} is an array of {given.dtype}; it must hold whole numbers of steps")
    if given.shape != (n,):
        raise WiringError(f"{what} has shape {given.shape}; it must be one number, or ({n},)")
    for k in (int(given.argmin()), int(given.argmax())) if n else ():
        checked_delay(given[k].item(), f"{what}[{k}]")
    return unless_zero(given.astype(np.uint16))


def checked_leak(leak: object, leak_of: object) -> tuple[float, int]:
    """α and the code of what leaks; (1, 0) for None. Or SettingError."""
    code = choose("leak_of", leak_of, LEAKS_OF)
    if leak is None:
        return 1.0, NO_LEAK
    message = "{name}={value!r} is not allowed; it is above 0 and at most 1, the part of what is new in a step: dt / τ"
    return real("leak", leak, "(0, 1]", message), code


def write(array: Reals, values: ArrayLike, what: str) -> None:
    """``net.weights = values`` writes into the array; after ``net.weights -= …`` nothing is left to do."""
    if values is array:
        return
    given = np.asarray(values)
    if given.shape not in ((), array.shape) or given.dtype.kind not in "fiu":
        raise SettingError(f"net.{what} has shape {array.shape}, not {given.shape} of {given.dtype}")
    array[...] = given


def either(long: str, value: Any, short: str, other: Any, default: Any = None) -> Any:
    """The value given under a long or a short name."""
    if value is not None and other is not None:
        raise SettingError(f"{long} and {short} are the same: give one of them")
    given = other if value is None else value
    return default if given is None else given
