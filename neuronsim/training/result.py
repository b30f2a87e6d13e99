"""What a training run leaves behind: its history, how it ended, and the settings that make it again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neuronsim.basics.arrays import Integers
from neuronsim.basics.words import counted
from neuronsim.data.columns import Columns
from neuronsim.errors import UnknownNameError, suggest
from neuronsim.training.carry import Carry
from neuronsim.training.snapshots import Recording

_MEASURES_NOTHING = ("epoch", "seconds", "learning_rate")


class History(dict[str, list[float]]):
    """Columns by name; one that is not there is refused with those that are."""

    def __missing__(self, name: object) -> list[float]:
        near = suggest(name, self) if isinstance(name, str) else ""
        raise UnknownNameError(f"no column {name!r} in the history{near or ';'} columns: {', '.join(self)}")


def last_measured(history: Mapping[str, list[float]]) -> dict[str, float | None]:
    """The last value of each column that measures something."""
    return {name: column[-1] for name, column in history.items() if column and name not in _MEASURES_NOTHING}


@dataclass(eq=False)
class RunResult:
    """What happened in one call of ``fit``.

    Attributes
    ----------
    history : dict of str to list of float
        Equally long lists, an entry an epoch: ``epoch`` (from 0), ``loss`` (the mean over all samples of the epoch,
        each before the update that used it), ``learning_rate`` (of the epoch's last step), ``seconds`` (since the run
        began), and where asked ``data_loss``, ``val_loss``, ``val_accuracy`` (NaN where targets are not classes).
    n_steps : int
        Updates made; steps are numbered from 0.
    seed : int
        With it, the same data and settings, the run comes out again, bit for bit.
    status : {"finished", "stopped", "interrupted", "diverged"}
        How it ended.
    reason : str
        The same in a sentence.
    settings : dict
        The arguments of ``fit``, defaults included.
    recording : Recording or None
        How the run began and its snapshots, from which steps are made again.
    unrecorded : str
        Why there are none.
    held_out : int64 array
        The rows of X that ``validation=0.2`` kept from training, ascending; empty without.
    resumed : RunResult or None
        The run that it goes on from; steps and epochs are counted from the first run's.
    carry : Carry or None
        What the next run needs to go on.
    restored : int or None
        The epoch whose parameters a rule put back at the end.
    averaged : int or None
        How many epochs the network's parameters are the mean of, with ``average``.
    ended : bool
        False of a checkpoint that was written on the way.
    columns : Columns or None
        The columns, classes and scales of the table that it was trained on; an experiment knows them.
    """

    seed: int
    settings: dict[str, Any]
    history: dict[str, list[float]] = field(default_factory=dict)
    n_steps: int = 0
    status: str = "finished"
    reason: str = ""
    recording: Recording | None = field(default=None, repr=False)
    unrecorded: str = field(default="it was not made by fit", repr=False)
    held_out: Integers = field(default_factory=lambda: np.empty(0, np.int64), repr=False)
    resumed: "RunResult | None" = field(default=None, repr=False)
    carry: Carry | None = field(default=None, repr=False)
    restored: int | None = field(default=None, repr=False)
    averaged: int | None = field(default=None, repr=False)
    ended: bool = field(default=True, repr=False)
    columns: Columns | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.history = History(self.history)

    @property
    def n_epochs(self) -> int:
        """Complete epochs."""
        return len(self.history.get("loss", ()))

    def __repr__(self) -> str:
        if not self.n_epochs:
            return f"<Run {self.status}: {counted(self.n_steps, 'step')}>"
        loss = f"loss {self.history['loss'][0]:.6g} → {self.history['loss'][-1]:.6g}"
        return f"<Run {self.status}: {counted(self.n_epochs, 'epoch')}, {counted(self.n_steps, 'step')}, {loss}>"
