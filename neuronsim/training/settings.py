"""The arguments of ``fit``, as given and as understood."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from neuronsim.basics.checked import real, whole
from neuronsim.errors import SettingError
from neuronsim.formulas import optimizers, schedules
from neuronsim.formulas.losses import Loss
from neuronsim.formulas.optimizers import Optimizer
from neuronsim.formulas.schedules import Schedule
from neuronsim.seeds import RandomSource
from neuronsim.training import snapshots
from neuronsim.training import stop as stopping
from neuronsim.training.stop import Rule

_NO_LIMIT = "{name}={value!r}: a positive number is needed, or None for no limit"


@dataclass(frozen=True)
class FitSettings:
    """What ``Network.fit`` was given; it says there what each argument means."""

    loss: str | Loss | None = None
    reduction: str = "mean"
    optimizer: str | Optimizer = "sgd"
    learning_rate: float | Schedule | Mapping[str, Any] = 0.01
    momentum: float | None = None
    batch_size: int | None = 1
    epochs: int = 1
    shuffle: bool = True
    rng: RandomSource = None
    weight_decay: float = 0.0
    clip_norm: float | None = None
    clip_value: float | None = None
    validation: tuple[Any, Any] | float | None = None
    evaluate: bool = False
    average: int | None = None
    stop: Rule | Iterable[Rule] = ()
    monitors: Any = ()
    progress: bool | None = None
    snapshots: str | bool | int = "auto"
    checkpoint: str | os.PathLike[str] | None = None
    resume: Any = False
    threads: int | None = None
    lengths: ArrayLike | None = None
    mask: Any = None
    window: int | None = None
    reach: int | None = None

    def columns(self, has_classes: bool) -> list[str]:
        """Names of the history's columns; without classes there is no accuracy."""
        columns = ["epoch", "loss", "learning_rate", "seconds"]
        columns += ["data_loss"] if self.evaluate else []
        if self.validation is not None:
            columns += ["val_loss", "val_accuracy"] if has_classes else ["val_loss"]
        return columns

    def resolved(self) -> "Resolved":
        """Everything that can be understood without data.

        Raises
        ------
        SettingError
            For an argument that can't be.
        """
        if self.resume is True and self.checkpoint is None:
            raise SettingError("resume=True goes on from checkpoint=directory; resume=run from a run in memory")
        if self.checkpoint is not None and not isinstance(self.resume, bool):
            raise SettingError("resume=run goes on from a run in memory; with checkpoint= give resume=True or False")
        for name in ("shuffle", "evaluate"):
            if not isinstance(getattr(self, name), (bool, np.bool_)):
                raise SettingError(f"{name}={getattr(self, name)!r}: True or False is needed")
        if self.reduction not in ("mean", "sum"):
            raise SettingError(f"unknown reduction {self.reduction!r}; allowed: mean, sum")
        rule = optimizers.resolve(self.optimizer, momentum=self.momentum)
        understood: dict[str, Any] = {
            "optimizer": rule,
            "learning_rate": schedules.resolve(self.learning_rate),
            "stop": stopping.resolve(self.stop),
            "weight_decay": optimizers.effective_weight_decay(rule, self.weight_decay),
            "batch_size": None if self.batch_size is None else whole("batch_size", self.batch_size),
            "epochs": whole("epochs", self.epochs),
            "threads": None if self.threads is None else whole("threads", self.threads),
            "snapshots": snapshots.budget(self.snapshots),
        }
        self._check_average(understood["stop"])
        self._check_window()
        for name in ("clip_norm", "clip_value"):
            if getattr(self, name) is not None:
                real(name, getattr(self, name), "(0, inf)", _NO_LIMIT)
        return Resolved(**vars(self) | understood)

    def _check_window(self) -> None:
        """Raise SettingError for a reach that is shorter than the window, and not 0."""
        if self.window is not None:
            whole("window", self.window)
        if self.reach is None:
            return
        if self.window is None:
            raise SettingError(f"reach={self.reach}: it is how far δ goes back from a window; give window, too")
        if whole("reach", self.reach, 0) and self.reach < self.window:
            raise SettingError(f"reach={self.reach}: give at least window={self.window}, or 0: δ crosses no step")

    def _check_average(self, rules: tuple[Rule, ...]) -> None:
        """Raise SettingError for more epochs than there are, and where a rule wants other parameters at the end."""
        if self.average is None:
            return
        if whole("average", self.average) > self.epochs:
            raise SettingError(f"average={self.average}: the run has epochs={self.epochs}; average at most so many")
        if stopping.restoring(rules) is not None:
            raise SettingError("average and restore_best both say which parameters the network gets; leave one out")


@dataclass(frozen=True, kw_only=True)
class Resolved(FitSettings):
    """The arguments of ``fit``, understood; the weight decay is that which the optimiser takes."""

    optimizer: Optimizer
    learning_rate: Schedule
    stop: tuple[Rule, ...]
    snapshots: int  # bytes that they may take
