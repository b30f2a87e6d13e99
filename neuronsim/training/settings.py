"""The arguments of ``fit``, as given and as understood."""

import os
from dataclasses import dataclass, fields
from typing import Any

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

# Later versions record and resume; until then these arguments take their defaults only.
_RESERVED: dict[str, tuple[Any, ...]] = {"checkpoint": (None,), "resume": (False,)}


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

    def understood(self, resolved: "Resolved", seed: int, loss: Loss) -> dict[str, Any]:
        """By name, in the order of the arguments; the seed, and objects in place of names and numbers."""
        return {name: getattr(self, name) for name in self.names()} | {
            "rng": seed,
            "loss": loss.name,
            "optimizer": resolved.optimizer,
            "learning_rate": resolved.schedule,
        }

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
            if getattr(self, name) is not None:
                real(name, getattr(self, name), "(0, inf)", _NO_LIMIT)
        columns = ["epoch", "loss", "learning_rate", "seconds"]
        columns += ["data_loss"] if self.evaluate else []
        columns += ["val_loss", "val_accuracy"] if self.validation is not None else []
        stopping.check_monitors(rules, columns)
        return Resolved(
            optimizer=rule,
            schedule=schedule,
            stop=rules,
            weight_decay=decay,
            batch_size=None if self.batch_size is None else whole("batch_size", self.batch_size),
            epochs=epochs,
            threads=threads,
            columns=tuple(columns),
            snapshot_bytes=snapshots.budget(self.snapshots),
        )


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
    batch_size : int or None
        None: all samples.
    epochs : int
    threads : int or None
    columns : tuple of str
        Of the history.
    snapshot_bytes : int
        How much snapshots may take.
    """

    optimizer: Optimizer
    schedule: Schedule
    stop: tuple[Rule, ...]
    weight_decay: float
    batch_size: int | None
    epochs: int
    threads: int | None
    columns: tuple[str, ...]
    snapshot_bytes: int
