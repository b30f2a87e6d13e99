"""Learning-rate schedules: the rate of every step, from settings alone.

A schedule counts epochs or steps (``per``), both from 0. No rate comes from the C library, whose last bits
change with the CPU: powers are repeated products, the cosine is a polynomial.
"""

import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, ClassVar

import numpy as np

from neuronsim.basics.arrays import Floats, Integers
from neuronsim.basics.checked import real, whole
from neuronsim.basics.listing import Listing, by_docstring
from neuronsim.errors import SettingError, choose, suggest

__all__ = ["SCHEDULES", "Constant", "Cosine", "Exponential", "InverseTime", "Schedule", "Step", "WarmUp", "available"]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """What all schedules share.

    Attributes
    ----------
    per : {"epoch", "step"}
        What the schedule counts.
    """

    per: str = "epoch"

    name: ClassVar[str]

    def __post_init__(self) -> None:
        choose("per", self.per, {"epoch": 0, "step": 0})
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name == "rate":
                _rate(value)
            elif f.type is int:
                whole(f.name, value, message="{name} is {value!r}; it must be a whole number, at least {least}")
            elif f.type is float:
                real(f.name, value, message="{name} is {value!r}; it must be a finite number, at least 0")

    def rates(self, first_step: int, n_steps: int, epoch: int) -> Floats:
        """The rates of some steps of one epoch.

        Parameters
        ----------
        first_step, n_steps : int
            Which steps, counted from 0 within the run, across epochs.
        epoch : int
            The epoch they all belong to, from 0.

        Returns
        -------
        array (n_steps,) of float64
        """
        if self.per == "step":
            return self.at(np.arange(first_step, first_step + n_steps, dtype=np.int64))
        return np.full(n_steps, self.at(np.array([epoch], dtype=np.int64))[0])

    def at(self, k: Integers) -> Floats:
        """The rates at counts k (epochs or steps)."""
        raise NotImplementedError


@dataclass(frozen=True)
class Constant(Schedule):
    """The same rate always.

    Attributes
    ----------
    rate : float
        0 or more.
    per : {"epoch", "step"}
        What k counts, from 0.
    """

    rate: float

    name: ClassVar[str] = "constant"

    def at(self, k: Integers) -> Floats:
        return np.full(len(k), float(self.rate))


@dataclass(frozen=True)
class Step(Schedule):
    """rate · factor^⌊k / every⌋.

    Attributes
    ----------
    rate : float
        The rate at the start, 0 or more.
    every : int
        So many counts have the same rate.
    factor : float
        What the rate is multiplied by then.
    per : {"epoch", "step"}
        What k counts, from 0.
    """

    rate: float
    every: int
    factor: float = 0.1

    name: ClassVar[str] = "step"

    def at(self, k: Integers) -> Floats:
        return self.rate * powers(self.factor, k // self.every)


@dataclass(frozen=True)
class Exponential(Schedule):
    """rate · gamma^k.

    Attributes
    ----------
    rate : float
        The rate at the start, 0 or more.
    gamma : float
        What the rate is multiplied by at each count.
    per : {"epoch", "step"}
        What k counts, from 0.
    """

    rate: float
    gamma: float

    name: ClassVar[str] = "exponential"

    def at(self, k: Integers) -> Floats:
        return self.rate * powers(self.gamma, k)


@dataclass(frozen=True)
class InverseTime(Schedule):
    """rate / (1 + decay · k).

    Attributes
    ----------
    rate : float
        The rate at the start, 0 or more.
    decay : float
        0 or more.
    per : {"epoch", "step"}
        What k counts, from 0.
    """

    rate: float
    decay: float

    name: ClassVar[str] = "inverse_time"

    def at(self, k: Integers) -> Floats:
        return self.rate / (1.0 + self.decay * k.astype(np.float64))


@dataclass(frozen=True)
class Cosine(Schedule):
    """From rate to final along half a cosine over ``total`` counts, then final.

    Attributes
    ----------
    rate : float
        The rate at the start, 0 or more.
    total : int
        The length of the way down.
    final : float
        The rate from there on.
    per : {"epoch", "step"}
        What k counts, from 0.
    """

    rate: float
    total: int
    final: float = 0.0

    name: ClassVar[str] = "cosine"

    def at(self, k: Integers) -> Floats:
        height = 0.5 * (1.0 + cosine_of_half_turns(np.minimum(k, self.total) / self.total))
        return self.final + (self.rate - self.final) * height


@dataclass(frozen=True)
class WarmUp(Schedule):
    """The rates of ``then``, times (k + 1) / steps for the first ``steps`` counts.

    ``then`` counts from the start as well, in its own unit; here ``per`` is "step" unless given.

    Attributes
    ----------
    steps : int
        The length of the way up.
    then : float or Schedule
        The rates that are reached.
    per : {"step", "epoch"}
        What k counts, from 0.
    """

    steps: int
    then: Schedule
    per: str = field(default="step", kw_only=True)

    name: ClassVar[str] = "warm_up"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.then, Schedule):
            object.__setattr__(self, "then", resolve(self.then))

    def rates(self, first_step: int, n_steps: int, epoch: int) -> Floats:
        return super().rates(first_step, n_steps, epoch) * self.then.rates(first_step, n_steps, epoch)

    def at(self, k: Integers) -> Floats:
        return np.minimum(k + 1, self.steps) / self.steps


_CLASSES: tuple[type[Schedule], ...] = (Constant, Step, Exponential, InverseTime, Cosine, WarmUp)

SCHEDULES: dict[str, type[Schedule]] = {cls.name: cls for cls in _CLASSES}


def resolve(learning_rate: "float | Schedule | Mapping[str, Any]") -> Schedule:
    """The schedule meant: a number stays constant, a mapping is `from_settings`.

    Raises
    ------
    SettingError
        If the rate is negative, not finite or not a number.
    """
    if isinstance(learning_rate, Schedule):
        return learning_rate
    if isinstance(learning_rate, Mapping):
        return from_settings(learning_rate)
    return Constant(_rate(learning_rate))


def from_settings(settings: Mapping[str, Any]) -> Schedule:
    """The schedule that an experiment file describes: ``{schedule = "cosine", rate = 0.1, total = 20}``.

    Raises
    ------
    SettingError
        Naming the unknown or missing key.
    """
    rest = dict(settings)
    cls = choose("schedule", rest.pop("schedule", None), SCHEDULES)
    allowed = [f.name for f in fields(cls)]
    for key in rest:
        if key not in allowed:
            raise SettingError(
                f"the schedule {cls.name!r} takes no {key!r}{suggest(key, allowed) or ';'} "
                f"allowed: {', '.join(allowed)}"
            )
    try:
        return cls(**rest)
    except TypeError:
        missing = [f.name for f in fields(cls) if f.name not in rest and f.default is MISSING]
        raise SettingError(f"the schedule {cls.name!r} needs {', '.join(missing)}") from None


def to_settings(schedule: Schedule) -> dict[str, Any]:
    """What `from_settings` reads back as the same schedule."""
    settings = {"schedule": schedule.name} | asdict(schedule)
    if isinstance(schedule, WarmUp):
        settings["then"] = to_settings(schedule.then)
    return settings


def powers(base: float, exponents: Integers) -> Floats:
    """base^exponents for exponents >= 0, by binary powering: products only, the same bits everywhere."""
    result = np.ones(len(exponents))
    square = float(base)
    left = exponents.copy()
    while left.any():
        result = np.where(left & 1, result * square, result)
        square *= square
        left >>= 1
    return result


def cosine_of_half_turns(x: Floats) -> Floats:
    """cos(πx) for x in [0, 1], within 4e-16, from products and sums alone.

    Reduced to an angle of at most π/4, where the Taylor polynomials of degree 16 and 17 end below 1e-17.
    """
    mirrored = x > 0.5
    x = np.where(mirrored, 1.0 - x, x)
    near = x <= 0.25
    angle = math.pi * np.where(near, x, 0.5 - x)
    square = angle * angle
    cosine = _polynomial(square, [1.0 / math.factorial(2 * n) for n in range(9)])
    sine = angle * _polynomial(square, [1.0 / math.factorial(2 * n + 1) for n in range(9)])
    value = np.where(near, cosine, sine)
    return np.where(mirrored, -value, value)


def _polynomial(square: Floats, terms: list[float]) -> Floats:
    """Σ (-1)^n terms[n] square^n, from the highest term down."""
    total = np.zeros_like(square)
    for term in reversed(terms):
        total = term - square * total
    return total


def _rate(value: Any) -> float:
    message = "{name} is {value!r}; it must be a finite number, at least 0, or a schedule "
    return real("the learning rate", value, message=f"{message}({', '.join(SCHEDULES)})")


def available() -> Listing:
    """Every schedule with its rate at the count k, a line each."""
    return by_docstring(SCHEDULES)


def __dir__() -> list[str]:
    return __all__
