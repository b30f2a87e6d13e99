"""How large errors are in each level, step by step: where they fade on their way back, or explode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.image import AxesImage
from matplotlib.patches import Patch, Rectangle

from neuronsim.basics.arrays import Array, Floats, Integers
from neuronsim.basics.spread import evenly_spread
from neuronsim.errors import DataError, SettingError
from neuronsim.graph.edges import same_delays
from neuronsim.plots.figures import INK, QUIET, Picture, new_axes
from neuronsim.run import Run
from neuronsim.tracing.result import StepResult

_MOST_STEPS = 100
_MOST_TICKS = 9
_MOST_ROWS_NAMED = 24
# Colours span at most so many decades below the largest; what is smaller is drawn as the least of them.
_DECADES = 12

_ZERO, _ABSENT = "#000000", "#9a9a9a"


@dataclass(frozen=True, eq=False)
class ErrorsPicture(Picture):
    """A drawn map of errors.

    Attributes
    ----------
    image : AxesImage
        Its cells.
    values : float64 (n_levels, n_steps)
        Mean |δ|, level 0, the inputs, first; NaN where a δ is not finite.
    steps : int64 (n_steps,)
        Number of each step.
    """

    image: AxesImage
    values: Floats
    steps: Integers


def errors(run: Run | Sequence[StepResult], steps: Any = None, ax: Axes | None = None) -> ErrorsPicture:
    """Draw the mean |δ| of each level's neurons, over the samples of each step, as a map on a logarithmic scale.

    Levels go upwards from the inputs, whose δ is ∂L/∂x, so that errors come from above. What is 0 is black; where a δ
    is not finite there is no cell but hatching.

    Parameters
    ----------
    run : Run or sequence of Step
        What ``net.fit`` returned, which is replayed; or steps, in their order.
    steps : iterable of int or None
        Which steps of the run, from 0; None: 100 from first to last (after an edit of the wiring: from
        the first after it). Of a run that diverged also the step that failed.
    ax : Axes or None
        Where to draw; None: on a new figure.

    Raises
    ------
    DataError
        If there is no step, or if steps are not of one wiring.
    NotKnownError
        If the run kept no snapshots.
    """
    chosen = _steps(run, steps)
    numbers, columns, graph = [], [], None
    for step in chosen:
        if graph is None:
            graph = step.graph
            levels = np.asarray(graph.plan().levels)
            sizes = np.bincount(levels)
        elif not (
            step.graph.n_neurons == graph.n_neurons
            and np.array_equal(step.graph.sources, graph.sources)
            and same_delays(step.graph.delays, graph.delays)
        ):
            raise DataError("these steps are not of one wiring: give the steps of one network")
        numbers.append(step.number)
        columns.append(_level_means(np.atleast_2d(step.delta), levels, sizes))
    if graph is None:
        raise DataError("there is no step to draw")
    at = np.asarray(numbers, np.int64)
    if (np.diff(at) <= 0).any():  # steps of net.step, which all have number 0
        at = np.arange(len(at))
    values = np.stack(columns, axis=1)
    axes, own = new_axes(ax, 7.2, float(np.clip(1.8 + 0.3 * len(sizes), 2.6, 7.0)))
    image = _paint(axes, values)
    _write_rows(axes, sizes)
    _write_columns(axes, at)
    return ErrorsPicture(axes, own, image, values, at)


def _steps(run: Run | Sequence[StepResult], steps: Any) -> Any:
    if not isinstance(run, Run):
        if steps is not None:
            raise SettingError("steps= chooses among those of a run; of a list of steps all are drawn")
        return run
    replay = run.replay
    if steps is None:
        chosen = (replay.at(q) for q in replay.spread(run.n_steps, _MOST_STEPS, nearest=True))
        return [*chosen, replay.failed()] if replay.diverged else chosen
    return (replay.at(int(q)) for q in np.unique(np.asarray(list(steps), np.int64)).tolist())


def _level_means(delta: Array, levels: Array, sizes: Array) -> Floats:
    """Mean |δ| of each level, over neurons and samples; NaN where any is not finite."""
    with np.errstate(over="ignore"):
        each = np.abs(delta.astype(np.float64)).mean(axis=0)
        means = np.bincount(levels, weights=each, minlength=len(sizes)) / sizes
    return np.where(np.isfinite(means), means, np.nan)


def _paint(axes: Axes, values: Floats) -> AxesImage:
    finite = values[np.isfinite(values)]
    positive = finite[finite > 0]
    high = float(positive.max()) if positive.size else 1.0
    low = max(float(positive.min()), high * 10.0**-_DECADES) if positive.size else 0.1
    if low == high:
        low, high = low / 2, high * 2
    zeros = bool((finite == 0).any())
    colors = colormaps["viridis"].with_extremes(bad=(0, 0, 0, 0), under=_ZERO)
    # 0 has no logarithm and would vanish: as a number below the scale it keeps its cell, and gets its colour
    cells = np.where(values == 0, low / 10, np.where(values > 0, np.maximum(values, low), np.nan))
    n_levels, n_steps = values.shape
    absent = Rectangle(
        (-0.5, -0.5), n_steps, n_levels, facecolor="white", edgecolor=_ABSENT, hatch="////", linewidth=0, zorder=-1
    )
    axes.add_patch(absent)
    image = axes.imshow(
        np.ma.masked_invalid(cells),
        cmap=colors,
        norm=LogNorm(low, high),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
    )
    colorbar = axes.figure.colorbar(image, ax=axes, pad=0.02, aspect=14, extend="min" if zeros else "neither")
    colorbar.outline.set_visible(False)
    colorbar.set_label("mean |δ| of a level", color=INK)
    legend = [Patch(facecolor=_ZERO, label="exactly 0")] if zeros else []
    if np.isnan(values).any():
        legend.append(Patch(facecolor="white", edgecolor=_ABSENT, hatch="////", label="not finite: no value"))
    if legend:
        axes.legend(handles=legend, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False, fontsize=8)
    return image


def _write_rows(axes: Axes, sizes: Array) -> None:
    n = len(sizes)
    shown = range(n) if n <= _MOST_ROWS_NAMED else range(0, n, -(-n // _MOST_ROWS_NAMED))
    names = [f"{'inputs' if level == 0 else f'level {level}'} ({sizes[level]:,})" for level in shown]
    axes.set_yticks(list(shown), names, fontsize=8.5, color=INK)
    axes.tick_params(axis="y", length=0)
    axes.spines[:].set_color(QUIET)


def _write_columns(axes: Axes, at: Integers) -> None:
    places = evenly_spread(len(at), _MOST_TICKS, nearest=True).tolist()
    axes.set_xticks(places, [f"{at[k]:,}" for k in places], fontsize=8.5, color=INK)
    axes.set_xlabel("step", color=INK)
    axes.set_xlim(-0.5, len(at) - 0.5)
    axes.set_ylim(bottom=-0.5)
