"""The arguments of ``fit``, as given and as understood."""

import math
import os
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from neuronsim.errors import SettingError
from neuronsim.formulas import optimizers, schedules
from neuronsim.formulas.losses import Loss
from neuronsim.formulas.optimizers import Optimizer
from neuronsim.formulas.schedules import Schedule
from neuronsim.seeds import RandomSource
from neuronsim.training import stop as stopping
from neuronsim.training.stop import Rule

__all__ = ["FitSettings", "Resolved"]

# Later versions record and resume; until then these arguments take their defaults only.
_RESERVED: dict[str, tuple[Any, ...]] = {
    "checkpoint": (None,),
    "resume": (False,),
}


@dataclass(frozen=True)
class FitSettings:
    """What ``Network.fit`` was given; it says there what each argument means."""

    loss: str | Loss | None = None
    reduction: str = "mean"
    optimizer: Any = "sgd"
    learning_rate: Any = 0.01
    momentum: float | None = None
    batch_size: int | None = 1
    epochs: int = 1
    shuffle: bool = True
    rng: RandomSource = None
    weight_decay: float = 0.0
    clip_norm: float | None = None
    clip_value: float | None = None
    validation: Any = None
    evaluate: bool = False
    stop: Any = ()
    monitors: Any = ()
    progress: bool | None = None
    snapshots: Any = "auto"
    checkpoint: str | os.PathLike[str] | None = None
    resume: bool = False
    threads: int | None = None

    @classmethod
    def names(cls) -> list[str]:
        """Names of the arguments, in their order."""
        return [field.name for field in fields(cls)]

    def as_dict(self) -> dict[str, Any]:
        """By name, in the order of the arguments."""
        return {name: getattr(self, name) for name in self.names()}

    def resolved(self) -> "Resolved":
        """Everything that can be understood without data.

        Raises
        ------
        SettingError
            For an argument that can't be.
        """
        for name, allowed in _RESERVED.items():
            given = getattr(self, name)
            if not any(given is value or given == value for value in allowed):
                raise SettingError(f"{name}={given!r}: this version does not record or resume runs")
        if self.reduction not in ("mean", "sum"):
            raise SettingError(f"unknown reduction {self.reduction!r}; allowed: mean, sum")
        rule = optimizers.resolve(self.optimizer, momentum=self.momentum)
        schedule = schedules.resolve(self.learning_rate)
        rules = stopping.resolve(self.stop)
        decay = optimizers.effective_weight_decay(rule, self.weight_decay)
        epochs = whole("epochs", self.epochs)
        threads = None if self.threads is None else whole("threads", self.threads)
        for name in ("clip_norm", "clip_value"):
            _positive_or_none(name, getattr(self, name))
        columns = ["epoch", "loss", "learning_rate", "seconds"]
        columns += ["data_loss"] if self.evaluate else []
        columns += ["val_loss", "val_accuracy"] if self.validation is not None else []
        stopping.check_monitors(rules, columns)
        return Resolved(rule, schedule, rules, decay, epochs, threads, tuple(columns))


@dataclass(frozen=True)
class Resolved:
    """The arguments of ``fit``, understood.

    Attributes
    ----------
    optimizer : Optimizer
    schedule : Schedule
        Of the learning rate.
    stop : tuple of Rule
    weight_decay : float
        As the optimiser takes it.
    epochs : int
    threads : int or None
    columns : tuple of str
        Of the history.
    """

    optimizer: Optimizer
    schedule: Schedule
    stop: tuple[Rule, ...]
    weight_decay: float
    epochs: int
    threads: int | None
    columns: tuple[str, ...]


def whole(name: str, value: Any) -> int:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)) or value < 1:
        raise SettingError(f"{name}={value!r}: a whole number of at least 1 is needed")
    return int(value)


def _positive_or_none(name: str, value: Any) -> None:
    if value is None:
        return
    number = isinstance(value, (int, float, np.floating, np.integer)) and not isinstance(value, bool)
    if not number or not 0 < value < math.inf:
        raise SettingError(f"{name}={value!r}: a positive number is needed, or None for no limit")
