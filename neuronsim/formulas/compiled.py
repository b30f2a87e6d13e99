"""Functions that people register, compiled to be called by their address, and recognised when they come again."""

from collections.abc import Mapping
from types import FunctionType
from typing import Any, Protocol, TypeVar

from neuronsim.errors import SettingError


class Entry(Protocol):
    """What a table of activations or losses holds."""

    @property
    def originals(self) -> tuple[Any, Any] | None:
        """The functions that a user registered; None of the built-in ones."""


E = TypeVar("E", bound=Entry)


def compile_function(f: Any, what: str, parameters: tuple[str, ...]) -> Any:
    """``f`` as a compiled ``double f(double, ...)``: ``.ctypes`` calls it, ``.address`` is what kernels call.

    Parameters
    ----------
    f : callable
        In plain Python or jitted with Numba.
    what : str
        What messages call it.
    parameters : tuple of str
        The names of its floats, for messages.

    Raises
    ------
    SettingError
        If it is no Python function, or Numba can't compile it; the first line of its reason is given.
    """
    from numba import cfunc
    from numba.core.errors import NumbaError

    taken = f"one float {parameters[0]}" if len(parameters) == 1 else f"floats {' and '.join(parameters)}"
    if not callable(f):
        raise SettingError(f"{what} is {f!r}, not a function of {taken}")
    plain = getattr(f, "py_func", f)
    if not isinstance(plain, FunctionType):
        listed = ", ".join(parameters)
        raise SettingError(f"{what} is {f!r}; wrap it in a function: def f({listed}): return ...")
    try:
        return cfunc(f"float64({', '.join('float64' for _ in parameters)})", error_model="numpy")(plain)
    except (NumbaError, TypeError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = next((line for line in lines if not line.startswith("Failed in")), type(error).__name__)
        raise SettingError(
            f"{what} can't be compiled: {reason}; write it as a function of {taken}, "
            "with arithmetic and the math module"
        ) from None


def registered(kind: str, name: Any, functions: tuple[Any, Any], table: Mapping[str, E]) -> E | None:
    """The entry that the same functions made before, as when a notebook cell runs again; None if the name is free.

    Raises
    ------
    SettingError
        If it is no name, or that of another entry of the table.
    """
    if not isinstance(name, str) or not name:
        article = "an" if kind[0] in "aeiou" else "a"
        raise SettingError(f"the name of {article} {kind} is a non-empty str, not {name!r}")
    taken = table.get(name)
    if taken is None or (taken.originals and all(map(same_function, taken.originals, functions))):
        return taken
    raise SettingError(f"the {kind} {name!r} exists already; give yours another name")


def same_function(a: Any, b: Any) -> bool:
    """Whether two functions are one, or the same source read twice (a notebook cell run again)."""
    a, b = getattr(a, "py_func", a), getattr(b, "py_func", b)
    if a is b:
        return True
    if not (isinstance(a, FunctionType) and isinstance(b, FunctionType)) or a.__code__ != b.__code__:
        return False
    if a.__closure__ or b.__closure__ or a.__defaults__ != b.__defaults__:
        return False
    return all(a.__globals__.get(n) is b.__globals__.get(n) for n in a.__code__.co_names)
