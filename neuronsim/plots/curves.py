"""The picture of a training run: losses by epoch, and the accuracy beside them."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, PercentFormatter
from numpy.typing import ArrayLike

from neuronsim.errors import DataError
from neuronsim.plots.figures import (
    INK,
    Picture,
    check_drawn,
    finite_or_nan,
    new_axes,
    spans_decades,
    style_curves,
    style_right_axis,
)
from neuronsim.run import Run

_LOSSES = {
    "loss": ("loss while training", "#2f7fc1", "-"),
    "data_loss": ("loss after the epoch", "#0b3c78", "--"),
    "val_loss": ("validation loss", "#d9761a", "-"),
}
# Matplotlib sets ticks some strides beyond the largest value.
_LARGEST_TICKED = 1e100
_ACCURACY = ("validation accuracy", "#009e73", ":")


@dataclass(frozen=True, eq=False)
class HistoryPicture(Picture):
    """A drawn training run.

    Attributes
    ----------
    lines : dict of str to Line2D
        By their names in ``run.history``.
    accuracy_ax : Axes or None
        The axes at the right; None without an accuracy.
    """

    lines: dict[str, Line2D]
    accuracy_ax: Axes | None


def history(run: Run, ax: Axes | None = None) -> HistoryPicture:
    """Draw ``loss``, ``data_loss`` and ``val_loss`` by epoch, and ``val_accuracy`` on an axis of its own.

    Parameters
    ----------
    run : Run
        What ``net.fit`` returned.
    ax : Axes or None
        Where to draw; None: on a new figure.

    Raises
    ------
    DataError
        If no epoch was completed.
    """
    check_drawn(run, "history", Run)
    epochs = run.history.get("epoch", [])
    if not epochs:
        raise DataError(f"the run has no complete epoch to draw (status: {run.status})")
    axes, own = new_axes(ax, 6.4, 4.0)
    marker = "o" if len(epochs) <= 12 else ""
    lines = {
        name: _line(axes, epochs, run.history[name], *look, marker)
        for name, look in _LOSSES.items()
        if name in run.history
    }
    _loss_axis(axes, run, list(lines))
    accuracy_ax = None
    accuracies = np.asarray(run.history.get("val_accuracy", []), np.float64)
    if np.isfinite(accuracies).any():
        accuracy_ax = axes.twinx()
        lines["val_accuracy"] = _line(accuracy_ax, epochs, accuracies, *_ACCURACY, marker)
        _accuracy_axis(accuracy_ax)
    axes.legend(handles=list(lines.values()), frameon=False, fontsize=9, **_place(accuracy_ax is not None))
    return HistoryPicture(axes, own, lines, accuracy_ax)


def _line(
    axes: Axes, epochs: list[float], values: ArrayLike, label: str, color: str, style: str, marker: str
) -> Line2D:
    finite = finite_or_nan(values)
    (line,) = axes.plot(epochs, finite, style, color=color, label=label, marker=marker, markersize=4, linewidth=1.8)
    return line


def _loss_axis(axes: Axes, run: Run, names: list[str]) -> None:
    values = np.concatenate([np.asarray(run.history[name], np.float64) for name in names])
    values = values[np.isfinite(values)]
    if values.size and values.max() > _LARGEST_TICKED and values.min() > 0:
        _scale_far(axes, math.floor(math.log10(values.min())), math.floor(math.log10(values.max())))
    elif values.size and spans_decades(values.min(), values.max()):
        axes.set_yscale("log")
    elif values.size and values.min() >= 0:
        axes.set_ylim(bottom=0)
    loss = run.settings.get("loss")
    axes.set_ylabel(str(loss).replace("_", " ") if isinstance(loss, str) else "loss", color=INK)
    ending = "" if run.status == "finished" else f" ({run.reason or run.status})"
    axes.set_xlabel(f"epoch{ending}", color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10, steps=[1, 2, 5, 10]))
    style_curves(axes)


def _scale_far(axes: Axes, low: int, high: int) -> None:
    """A logarithmic axis from 10^low to 10^high, of a run that diverged: matplotlib's own ticks go on to infinity."""
    low = max(low - 1, -307)
    axes.set_ylim(10.0**low, min(2.0 * 10.0**high, sys.float_info.max))  # first: no margins are added any more then
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(FixedLocator([10.0**k for k in range(low, high + 1, max(1, (high - low) // 6))]))
    axes.yaxis.set_minor_locator(NullLocator())


def _accuracy_axis(axes: Axes) -> None:
    axes.set_ylabel(_ACCURACY[0], color=INK)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    low, high = axes.dataLim.intervaly
    axes.set_ylim(max(0.0, low - 0.1 * (high - low) - 0.002), min(1.0, high) + 0.05 * (high - low) + 0.002)
    style_right_axis(axes)


def _place(beside: bool) -> dict[str, Any]:
    """Above the curves when there are two axes, so that the legend hides neither."""
    if not beside:
        return {"loc": "best"}
    return {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 2}
