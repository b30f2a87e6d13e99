"""A run's network as it was at one step, on samples of one's choice.

Signals are summed in batch order, whatever the run's batch size: those of an online run's own step, ``run.at(q)``,
agree with them to rounding.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuronsim.engine.engine import Engine
from neuronsim.errors import SettingError

if TYPE_CHECKING:
    from neuronsim.tracing.replay import Replay

__all__ = ["classes", "engine_at", "signals", "spread_rows", "step_number"]

Reals = NDArray[np.floating]


def engine_at(replay: "Replay", q: int) -> Engine:
    """An engine of its own for the parameters before step ``q``."""
    graph = replay.graph.copy()
    for values, kept in zip((graph.weights, graph.biases, graph.slopes), replay.parameters(q), strict=True):
        values[...] = kept
    return Engine(graph)


def step_number(replay: "Replay", step: Any, what: str = "step") -> int:
    """A step from 0 up to and with ``n_steps``, the state behind the last one; None is that one."""
    if step is None:
        return replay.n_steps
    if isinstance(step, (bool, np.bool_)) or not isinstance(step, (int, np.integer)):
        raise SettingError(f"{what}={step!r}: a whole number from 0 to {replay.n_steps} is needed")
    if not 0 <= step <= replay.n_steps:
        raise SettingError(f"{what}={step}: the run has {replay.n_steps:,} steps, so 0 to {replay.n_steps} are allowed")
    return int(step)


def classes(T: NDArray[Any]) -> NDArray[np.int64] | None:
    """Each sample's class (n,): class numbers, one-hot rows, or one column of zeros and ones; else None."""
    if T.ndim == 1:
        return T.astype(np.int64)
    if not ((T == 0) | (T == 1)).all():
        return None
    if T.shape[1] == 1:
        return T[:, 0].astype(np.int64)
    return T.argmax(axis=1).astype(np.int64) if (T.sum(axis=1) == 1).all() else None


def signals(engine: Engine, replay: "Replay", rows: NDArray[np.int64]) -> tuple[Reals, Reals, Reals, Reals]:
    """z, y, δ (n, n_neurons) and the losses (n,) of some rows of X."""
    parts = [
        (block.z.copy(), block.y.copy(), block.delta.copy(), block.losses.copy())
        for block in engine.signals(replay.X[rows], replay.T[rows], replay.loss)
    ]
    z, y, delta, losses = (np.concatenate(values) for values in zip(*parts, strict=True))
    return z, y, delta, losses


def spread_rows(n: int, most: int) -> NDArray[np.int64]:
    """Up to ``most`` of ``n`` rows, evenly spread, the same ones every time."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64))
