"""When to stop: rules that training asks at the end of each epoch (L4).

A rule carries no state: it looks at what the run has recorded so far, so that a resumed run stops where the
uninterrupted one would have.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from neuronsim.basics.checked import real, whole
from neuronsim.basics.listing import Listing, by_docstring
from neuronsim.basics.words import counted
from neuronsim.errors import SettingError, suggest

__all__ = ["STOPS", "GradientNorm", "Plateau", "Rule", "Seconds", "StepSize", "TargetLoss", "available"]


@dataclass(frozen=True)
class EpochReport:
    """What a rule may look at.

    Attributes
    ----------
    history : mapping of str to sequence of float
        The run's history up to this epoch: equally long lists.
    seconds : float
        Time since the run began.
    gradient_norm : callable
        Computes the Euclidean norm of the gradient over all data; costs a pass.
    step_size : float or None
        Euclidean norm of the change of all parameters over the epoch; None unless a StepSize rule asked.
    """

    history: Mapping[str, Sequence[float]]
    seconds: float
    gradient_norm: Callable[[], float]
    step_size: float | None


@dataclass(frozen=True)
class Rule:
    """What all stopping rules share."""

    name: ClassVar[str]

    def __post_init__(self) -> None:
        needed = "{name} of " + repr(self.name) + " is {value!r}; it must be a number, at least 0"
        for setting in ("tolerance", "min_delta", "limit"):
            if hasattr(self, setting):
                real(setting, getattr(self, setting), "[0, inf]", needed)

    def reason(self, epoch: EpochReport) -> str | None:
        """Why to stop now, as a sentence; None to go on."""
        raise NotImplementedError


@dataclass(frozen=True)
class GradientNorm(Rule):
    """Stop when ‖∇L‖ over all data is at most ``tolerance``.

    Attributes
    ----------
    tolerance : float
        0 or more.
    """

    tolerance: float
    name: ClassVar[str] = "gradient_norm"

    def reason(self, epoch: EpochReport) -> str | None:
        norm = epoch.gradient_norm()
        if norm <= self.tolerance:
            return f"the gradient's norm {norm:.6g} is at most {self.tolerance:g}"
        return None


@dataclass(frozen=True)
class StepSize(Rule):
    """Stop when an epoch moved all parameters together by less than ``tolerance``.

    Attributes
    ----------
    tolerance : float
        0 or more; the length of the parameters' change, all taken as one vector.
    """

    tolerance: float
    name: ClassVar[str] = "step_size"

    def reason(self, epoch: EpochReport) -> str | None:
        moved = epoch.step_size
        if moved is not None and moved < self.tolerance:
            return f"the epoch moved the parameters by {moved:.6g}, less than {self.tolerance:g}"
        return None


@dataclass(frozen=True)
class Plateau(Rule):
    """Stop after ``patience`` epochs in a row without a new best by more than ``min_delta``.

    A monitored accuracy should rise, everything else should fall. NaN is never a new best. With ``restore_best`` the
    network gets back the parameters after the best epoch, whether the rule or the last epoch ends the run; `Run.at`
    goes on showing the steps as they were made.

    Attributes
    ----------
    patience : int
        Epochs.
    min_delta : float
        What a new best must be better by.
    monitor : str
        A column of the history: "loss", "data_loss", "val_loss", "val_accuracy".
    restore_best : bool
    """

    patience: int
    min_delta: float = 0.0
    monitor: str = "loss"
    restore_best: bool = False
    name: ClassVar[str] = "plateau"

    def __post_init__(self) -> None:
        needed = "{name} of 'plateau' is {value!r}; it must be a whole number of epochs, at least {least}"
        whole("patience", self.patience, message=needed)
        if not isinstance(self.restore_best, bool):
            raise SettingError(f"restore_best of 'plateau' is {self.restore_best!r}; it must be True or False")
        super().__post_init__()

    def reason(self, epoch: EpochReport) -> str | None:
        values = epoch.history[self.monitor]
        sign = -1.0 if should_rise(self.monitor) else 1.0
        best, since = math.inf, 0
        for value in values:
            improved = sign * value < best - self.min_delta
            best, since = (sign * value, 0) if improved else (best, since + 1)
        if since >= self.patience:
            return f"{self.monitor} has not got better than {sign * best:.6g} for {counted(since, 'epoch')}"
        return None

    def is_new_best(self, history: Mapping[str, Sequence[float]]) -> bool:
        """Whether no epoch before the last one was as good."""
        sign = -1.0 if should_rise(self.monitor) else 1.0
        *earlier, last = (sign * value for value in history[self.monitor])
        return not math.isnan(last) and all(last < value or math.isnan(value) for value in earlier)


@dataclass(frozen=True)
class TargetLoss(Rule):
    """Stop when the monitored value has reached ``value``: at most, or for an accuracy at least.

    Attributes
    ----------
    value : float
    monitor : str
        A column of the history.
    """

    value: float
    monitor: str = "loss"
    name: ClassVar[str] = "target_loss"

    def __post_init__(self) -> None:
        real("value", self.value, "[-inf, inf]", "{name} of 'target_loss' is {value!r}; it must be a number")

    def reason(self, epoch: EpochReport) -> str | None:
        last = epoch.history[self.monitor][-1]
        rise = should_rise(self.monitor)
        if last >= self.value if rise else last <= self.value:
            return f"{self.monitor} {last:.6g} is at {'least' if rise else 'most'} {self.value:g}"
        return None


@dataclass(frozen=True)
class Seconds(Rule):
    """Stop after ``limit`` seconds.

    Attributes
    ----------
    limit : float
        From the start of the run on.
    """

    limit: float
    name: ClassVar[str] = "seconds"

    def reason(self, epoch: EpochReport) -> str | None:
        if epoch.seconds >= self.limit:
            return f"{epoch.seconds:.3g} seconds have passed, the limit is {self.limit:g}"
        return None


_CLASSES: tuple[type[Rule], ...] = (GradientNorm, StepSize, Plateau, TargetLoss, Seconds)

STOPS: dict[str, type[Rule]] = {cls.name: cls for cls in _CLASSES}
_CLASS_NAMES = ", ".join(cls.__name__ for cls in _CLASSES)


def resolve(stop: Rule | Iterable[Rule]) -> tuple[Rule, ...]:
    """One rule or several as a tuple.

    Raises
    ------
    SettingError
        If something else is among them.
    """
    rules = (stop,) if isinstance(stop, Rule) else stop
    if isinstance(rules, (str, bytes)) or not isinstance(rules, Iterable):
        raise SettingError(f"stop is {stop!r}; give rules of ns.stop: {_CLASS_NAMES}")
    rules = tuple(rules)
    for rule in rules:
        if not isinstance(rule, Rule):
            raise SettingError(f"{rule!r} is no stopping rule; give objects of ns.stop: {_CLASS_NAMES}")
    return rules


def restoring(rules: Iterable[Rule]) -> Plateau | None:
    """The first rule that wants the best parameters back."""
    return next((rule for rule in rules if isinstance(rule, Plateau) and rule.restore_best), None)


def first_reason(rules: Iterable[Rule], epoch: EpochReport) -> str | None:
    """The reason of the first rule that has one."""
    for rule in rules:
        reason = rule.reason(epoch)
        if reason is not None:
            return reason
    return None


def check_monitors(rules: Iterable[Rule], history: Collection[str]) -> None:
    """Refuse a rule that monitors what the history will not hold.

    Raises
    ------
    SettingError
        Naming what it will hold, and what to do.
    """
    for rule in rules:
        if isinstance(rule, (Plateau, TargetLoss)) and rule.monitor not in history:
            name = rule.monitor
            hint = suggest(name, history)
            if name == "val_accuracy" and "val_loss" in history:
                hint = "; targets of this loss are no classes;"
            elif name in ("val_loss", "val_accuracy"):
                hint = "; give validation=(X, T);"
            elif name == "data_loss":
                hint = "; give evaluate=True;"
            there = ", ".join(history)
            raise SettingError(f"the history has no {name!r} to monitor{hint or ';'} it has: {there}")


def should_rise(monitor: str) -> bool:
    return monitor.endswith("accuracy")


def available() -> Listing:
    """Every stopping rule, a line each."""
    return by_docstring(STOPS)


def __dir__() -> list[str]:
    return __all__
