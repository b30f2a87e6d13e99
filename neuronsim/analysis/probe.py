"""A run's network as it was at one step, on samples of one's choice.

Signals are summed in batch order, whatever the run's batch size: those of an online run's own step, ``run.at(q)``,
agree with them to rounding.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.arrays import Integers, Reals
from neuronsim.basics.checked import is_whole, whole
from neuronsim.engine.engine import Engine
from neuronsim.engine.signals import Signals
from neuronsim.engine.workspace import BlockSignals
from neuronsim.errors import SettingError
from neuronsim.kernels.arguments import Parameters
from neuronsim.tracing.replay import Replay


class Probe:
    """A run's network with parameters of one's choice, and some of its samples.

    Attributes
    ----------
    graph : Graph
        Of its own; holds the parameters loaded last, at first those of the start.
    rows : int64 array (n_samples,)
        Which rows of the run's X.
    X, T : array
        These rows.
    """

    def __init__(self, replay: Replay, rows: Integers | None = None) -> None:
        self.engine = Engine(replay.graph.copy())
        self.graph, self.loss = self.engine.graph, replay.loss
        self.X, self.T = (replay.X, replay.T) if rows is None else (replay.X[rows], replay.T[rows])
        self.rows = np.arange(len(self.X)) if rows is None else rows

    def load(self, parameters: Parameters) -> None:
        """Take these weights, biases and slopes."""
        for values, given in zip(self.engine.parameters, parameters, strict=True):
            values[...] = given

    def blocks(self, inputs: bool = True) -> Iterator[BlockSignals]:
        """All signals, a block of samples at a time; δ of inputs is NaN without ``inputs``."""
        return self.engine.blocks(self.X, self.T, self.loss, inputs)

    def signals(self) -> Signals:
        """All signals of all samples."""
        return self.engine.signals(self.X, self.T, self.loss)


def step_number(replay: Replay, step: Any, what: str = "step") -> int:
    """A step from 0 up to and with ``n_steps``, the state after the last one; None is that one."""
    if step is None:
        return replay.n_steps
    if is_whole(step) and not 0 <= step <= replay.n_steps:
        raise SettingError(f"{what}={step}: the run has {replay.n_steps:,} steps, so 0 to {replay.n_steps} are allowed")
    return whole(what, step, 0, replay.n_steps)


def first_number(replay: Replay, start: Any) -> int:
    """The step to begin with; None is the first one that can be made again."""
    return replay.begin if start is None else step_number(replay, start, "start")


def classes(T: NDArray[Any]) -> Integers | None:
    """Each sample's class (n,): class numbers, one-hot rows, or one column of zeros and ones; else None."""
    if T.ndim == 1:
        return T.astype(np.int64)
    if not ((T == 0) | (T == 1)).all():
        return None
    if T.shape[1] == 1:
        return T[:, 0].astype(np.int64)
    return T.argmax(axis=1).astype(np.int64) if (T.sum(axis=1) == 1).all() else None


def largest(values: Reals, k: int) -> tuple[Integers, Reals]:
    """Where the ``k`` largest values are, largest first, and how large; NaN counts as infinite, of equals the first."""
    sizes = np.where(np.isnan(values), np.inf, values)
    least = np.partition(sizes, -k)[-k] if k < len(sizes) else -np.inf
    places = np.flatnonzero(sizes >= least)
    places = places[np.argsort(-sizes[places], kind="stable")][:k]
    return places, sizes[places]
