"""The picture of a trace: what a monitor recorded of one neuron or edge, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from neuronsim.errors import DataError
from neuronsim.plots.figures import (
    INK,
    Picture,
    check_drawn,
    finite_or_nan,
    literally,
    new_axes,
    style_curves,
    style_right_axis,
)
from neuronsim.tracing.monitor import Monitor, Series

# By field: its label, its colour. Errors and changes are smaller than signals by far: they get an axis of their own.
_SIGNALS = {"z": ("z", "#2f7fc1"), "y": ("y", "#0b3c78"), "b": ("b", "#6b6b6b"), "w": ("w", "#2f7fc1")}
_ERRORS = {
    "delta": ("δ", "#d9761a"),
    "db": ("Δb", "#009e73"),
    "gradient": ("∂L/∂w", "#d9761a"),
    "dw": ("Δw", "#009e73"),
}


@dataclass(frozen=True, eq=False)
class TracePicture(Picture):
    """A drawn trace.

    Attributes
    ----------
    lines : dict of str to list of Line2D
        By field: one line, or with chosen samples one for each.
    error_ax : Axes or None
        The axes at the right, of δ, gradient, Δb and Δw; None where these, or all others, were not recorded.
    """

    lines: dict[str, list[Line2D]]
    error_ax: Axes | None


def trace(watch: Monitor, what: Any, ax: Axes | None = None) -> TracePicture:
    """Draw all that a monitor recorded of one neuron or edge.

    Parameters
    ----------
    watch : Monitor
        A monitor that a run has used.
    what : str, int or pair
        A neuron's name or id, or the pair of an edge's ends.
    ax : Axes or None
        Where to draw; None: on a new figure.

    Raises
    ------
    NotKnownError, UnknownNameError
        If nothing is recorded, or not of this one.
    DataError
        If the run made no step.
    """
    check_drawn(watch, "trace", Monitor)
    series = watch[what]
    if not len(watch):
        raise DataError("the run made no step: there is nothing to draw")
    axes, own = new_axes(ax, 6.4, 4.0)
    left = {field: look for field, look in _SIGNALS.items() if field in watch.fields}
    right = {field: look for field, look in _ERRORS.items() if field in watch.fields}
    error_ax = axes.twinx() if left and right else None
    lines = {field: _lines(axes, watch, series, field, *look) for field, look in left.items()}
    lines |= {field: _lines(error_ax or axes, watch, series, field, *look) for field, look in right.items()}
    _style(axes, watch, series, left or right)
    if error_ax is not None:
        error_ax.set_ylabel(", ".join(label for label, _ in right.values()), color=INK)
        style_right_axis(error_ax)
    axes.legend(
        handles=[of_field[0] for of_field in lines.values()], frameon=False, fontsize=9,
        loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=len(lines),
    )  # fmt: skip
    return TracePicture(axes, own, lines, error_ax)


def _lines(axes: Axes, watch: Monitor, series: Series, field: str, label: str, color: str) -> list[Line2D]:
    values = np.asarray(getattr(series, field), np.float64)
    marker = "o" if len(watch) <= 40 else ""
    style: dict[str, Any] = {"color": color, "linewidth": 1.4, "marker": marker, "markersize": 3}
    if values.ndim == 1:
        return axes.plot(watch.step, finite_or_nan(values), label=label, **style)
    style["alpha"] = max(0.25, values.shape[1] ** -0.5)
    # a sample is drawn through the steps that it was in
    there = watch.present & np.isfinite(values)
    columns = [(watch.step[here], column[here]) for column, here in zip(values.T, there.T, strict=True)]
    return [line for x, y in columns for line in axes.plot(x, y, label=label, **style)]


def _style(axes: Axes, watch: Monitor, series: Series, fields: dict[str, tuple[str, str]]) -> None:
    name = " → ".join(series.name) if isinstance(series.name, tuple) else series.name
    axes.set_title(literally(name), loc="right", color=INK)
    averaged = watch.samples is None and bool((watch.sample < 0).all())
    axes.set_ylabel(", ".join(label for label, _ in fields.values()), color=INK)
    remarks = [*(["means over batches"] if averaged else []), *([watch.pace] if watch.pace else [])]
    axes.set_xlabel(f"step ({'; '.join(remarks)})" if remarks else "step", color=INK)
    if isinstance(watch.at_steps, str):
        axes.set_xscale("symlog", linthresh=1)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, steps=[1, 2, 5, 10]))
    style_curves(axes)
