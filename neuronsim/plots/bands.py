"""Curves of several groups of runs: the median, the band of the middle half, single seeds as thin lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from neuronsim.basics.arrays import Floats
from neuronsim.errors import DataError, SettingError
from neuronsim.plots.figures import (
    CLASS_COLORS,
    INK,
    Picture,
    finite_or_nan,
    literally,
    new_axes,
    spans_decades,
    style_curves,
)

_MOST_LINES = 16
_MOST_GROUPS = 8


@dataclass(frozen=True, eq=False)
class BandsPicture(Picture):
    """Drawn groups.

    Attributes
    ----------
    lines : dict of str to Line2D
        The median of each group by its label.
    """

    lines: dict[str, Line2D]


def bands(
    curves: Mapping[str, Sequence[tuple[Floats, Floats]]], x: str, metric: str, ax: Axes | None = None
) -> BandsPicture:
    """Draw groups of curves.

    Parameters
    ----------
    curves : mapping of str to list of (x, y)
        Of each group, those of its runs; the first 8 groups are drawn.
    x, metric : str
        What the axes show.
    ax : Axes, optional

    Raises
    ------
    DataError
        No group has a curve.
    """
    if not isinstance(curves, Mapping) or not all(isinstance(group, Sequence) for group in curves.values()):
        raise SettingError(f"bands draws groups of curves, {{'label': [(x, y), …]}}, not {curves!r:.60}")
    drawn = {label: group for label, group in curves.items() if any(np.isfinite(values).any() for _, values in group)}
    if not drawn:
        raise DataError(f"no run has a history of {metric}; sweeps keep it with keep='history'")
    axes, own = new_axes(ax, 7.2, 4.2)
    lines, everything = {}, []
    for (label, group), color in zip(list(drawn.items())[:_MOST_GROUPS], CLASS_COLORS, strict=False):
        at = max((points for points, _ in group), key=len)
        table = np.full((len(group), len(at)), np.nan)
        for row, (_, values) in zip(table, group, strict=True):
            row[: len(values)] = finite_or_nan(values)
        everything.append(table)
        if 1 < len(group) <= _MOST_LINES:
            axes.plot(at, table.T, color=color, linewidth=0.5, alpha=0.35)
        known = np.isfinite(table).any(axis=0)
        low, middle, high = np.nanpercentile(table[:, known], [25, 50, 75], axis=0)
        if len(group) > 1:
            axes.fill_between(at[known], low, high, color=color, alpha=0.2, linewidth=0)
        (lines[label],) = axes.plot(at[known], middle, color=color, linewidth=2, label=literally(label))
    values = np.concatenate([table[np.isfinite(table)] for table in everything])
    if values.size and spans_decades(values.min(), values.max()):
        axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=x == "epochs", nbins=8))
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(metric.replace("_", " "), color=INK)
    style_curves(axes)
    left_out = f"; {len(drawn) - _MOST_GROUPS} more are not drawn" if len(drawn) > _MOST_GROUPS else ""
    title = f"median of the seeds, band from 25 to 75 %{left_out}"
    axes.legend(title=title, title_fontsize=8, fontsize=8, frameon=False)
    return BandsPicture(axes, own, lines)
