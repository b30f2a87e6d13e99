"""The curves of a page: losses by step, and what monitors recorded."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from neuronsim.basics.spread import evenly_spread
from neuronsim.page.numbers import plain
from neuronsim.run import Run
from neuronsim.tracing.monitor import Monitor

_LOSSES = {"loss": "mean of the epoch", "data_loss": "all data", "val_loss": "validation"}
_SYMBOLS = {"delta": "δ", "gradient": "∂L/∂w", "dw": "Δw", "db": "Δb"}

# Points of a curve.
_MOST_POINTS = 500


def loss_curves(run: Run) -> list[dict[str, Any]]:
    """The losses of the history, at the last step of each epoch."""
    ends = (np.arange(run.n_epochs) + 1) * run.replay.steps_per_epoch - 1
    at = evenly_spread(len(ends), _MOST_POINTS, nearest=True)
    return [
        {"name": text, "x": ends[at].tolist(), "y": plain(np.array(run.history[name])[at])}
        for name, text in _LOSSES.items()
        if run.n_epochs and name in run.history
    ]


def traces(monitors: Sequence[Monitor]) -> list[dict[str, Any]]:
    """What monitors recorded, a curve for each neuron or edge and field; of chosen samples for each of them."""
    found = []
    for watch in monitors:
        for thing in (*watch.neurons, *watch.edges):
            for field in watch.fields:
                of = f"{_SYMBOLS.get(field, field)} of {' → '.join(thing) if isinstance(thing, tuple) else thing}"
                name = f"{of} ({watch.pace})" if watch.pace else of
                values = getattr(watch[thing], field)
                if values.ndim == 1:
                    found.append(_curve(name, watch.step, values))
                else:
                    samples = np.asarray(watch.samples)
                    found += [
                        _curve(f"{name}, sample {row}", watch.step[there], column[there])
                        for row, column, there in zip(samples.tolist(), values.T, watch.present.T, strict=True)
                    ]
    return found


def _curve(name: str, step: Any, values: Any) -> dict[str, Any]:
    at = evenly_spread(len(step), _MOST_POINTS, nearest=True)
    return {"name": name, "x": step[at].tolist(), "y": plain(values[at])}
