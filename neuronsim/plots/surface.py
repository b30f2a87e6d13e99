"""The loss over two parameters: the landscape in which gradients lead downhill (L1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.contour import QuadContourSet
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter
from numpy.typing import ArrayLike

from neuronsim.basics.arrays import Array, Floats, Reals
from neuronsim.errors import DataError, SettingError
from neuronsim.formulas.losses import Loss
from neuronsim.network import Network
from neuronsim.plots.figures import INK, Picture, check_drawn, literally, new_axes, spans_decades, write

_RESOLUTION = 41
_N_LEVELS = 13


@dataclass(frozen=True, eq=False)
class SurfacePicture(Picture):
    """A drawn loss.

    Attributes
    ----------
    contours : QuadContourSet
        Filled, one level each.
    present : Line2D
        Where the network is now.
    first, second : float64 arrays
        Values of the two parameters, those along x and along y.
    losses : float64 (len(second), len(first))
        NaN where a loss is not finite.
    """

    contours: QuadContourSet
    present: Line2D
    first: Floats
    second: Floats
    losses: Floats


def loss_surface(
    net: Network,
    X: ArrayLike,
    T: ArrayLike,
    parameters: Sequence[Any],
    span: float | tuple[float, float] | None = None,
    ax: Axes | None = None,
    *,
    loss: str | Loss | None = None,
) -> SurfacePicture:
    """Draw the mean loss over two parameters, all others as they are; the network is not changed.

    Parameters
    ----------
    net : Network
        Any network.
    X, T : arrays
        Samples as `Network.evaluate` takes them.
    parameters : sequence of two
        Two of them: an edge as the pair of its ends, ``("i1", "h1")``, a bias as its neuron, ``"h1"``.
    span : float, pair of float or None
        How far to go to either side; a pair: along each. None: twice the parameter's size, at least 2.
    ax : Axes or None
        Where to draw; None: on a new figure.
    loss : str, Loss or None
        As in `Network.evaluate`.

    Raises
    ------
    SettingError
        For parameters that are not two, or for a span that is not positive.
    DataError
        If the loss is finite nowhere.
    """
    check_drawn(net, "loss_surface", Network)
    copy = net.copy()
    (along_x, i, name_x), (along_y, j, name_y) = _two(copy, parameters)
    here = float(along_x[i]), float(along_y[j])
    spans = _spans(span, here)
    first, second = (np.linspace(c - s, c + s, _RESOLUTION) for c, s in zip(here, spans, strict=True))
    now = copy.evaluate(X, T, loss=loss).loss
    losses = np.empty((_RESOLUTION, _RESOLUTION))
    with np.errstate(all="ignore"):
        for row, y in enumerate(second):
            along_y[j] = y
            for column, x in enumerate(first):
                along_x[i] = x
                losses[row, column] = copy.evaluate(X, T, loss=loss).loss
    losses[~np.isfinite(losses)] = np.nan
    if np.isnan(losses).all():
        raise DataError("the loss is finite nowhere here; a smaller span may help")
    axes, own = new_axes(ax, 5.6, 4.4)
    contours = paint(axes, first, second, losses)
    present = _mark(axes, here, now)
    axes.set_xlabel(literally(name_x), color=INK)
    axes.set_ylabel(literally(name_y), color=INK)
    return SurfacePicture(axes, own, contours, present, first, second, losses)


def _two(net: Network, parameters: Sequence[Any]) -> list[tuple[Reals, int, str]]:
    """Of each parameter the array that holds it, its place there, and its name."""
    if isinstance(parameters, str) or len(parameters) != 2:
        raise SettingError(f'two parameters, as in (("i1", "h1"), "h1"), not {parameters!r}')
    graph, found = net.graph, []
    for what in parameters:
        if isinstance(what, tuple) and len(what) == 2:
            edge = graph.edge(*what)
            source, sink = net[what].source, net[what].sink
            found.append((net.weights, edge, f"weight w of {source} → {sink}"))
            continue
        neuron = graph.id(what)
        if graph.is_input[neuron]:
            raise SettingError(f"{graph.name(neuron)!r} is an input, which has no bias")
        found.append((net.biases, neuron, f"bias b of {graph.name(neuron)}"))
    if found[0][2] == found[1][2]:
        raise SettingError(f"twice the same parameter: {found[0][2]}")
    return found


def _spans(span: Any, here: tuple[float, float]) -> list[float]:
    if span is None:
        return [max(2.0, 2 * abs(value)) for value in here]
    spans = [float(s) for s in (span if np.ndim(span) else (span, span))]
    if len(spans) != 2 or not all(0 < s < np.inf for s in spans):
        raise SettingError(f"span={span!r}: how far to go to either side, a positive number, or one for each")
    return spans


def paint(axes: Axes, first: Array, second: Array, losses: Floats) -> QuadContourSet:
    """Filled contours of losses (len(second), len(first)), logarithmic where they span decades, and their scale."""
    low, high = float(np.nanmin(losses)), float(np.nanmax(losses))
    if low == high:
        low, high = low - 0.5, high + 0.5
    logarithmic = spans_decades(low, high)
    levels = np.geomspace(low, high, _N_LEVELS) if logarithmic else np.linspace(low, high, _N_LEVELS)
    levels[0], levels[-1] = low, high
    look: dict[str, Any] = {"norm": "log"} if logarithmic else {}
    shown = np.ma.masked_invalid(losses)
    axes.set_facecolor("#b0b0b0")  # shows where there is no loss to draw
    contours = axes.contourf(first, second, shown, levels=levels, cmap=colormaps["cividis"], **look)
    axes.contour(first, second, shown, levels=levels, colors="white", linewidths=0.5, alpha=0.7)
    colorbar = axes.figure.colorbar(contours, ax=axes, pad=0.02, ticks=levels[::2])
    colorbar.ax.minorticks_off()
    colorbar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    colorbar.outline.set_visible(False)
    missing = " (grey: not finite)" if np.isnan(losses).any() else ""
    colorbar.set_label(f"mean loss{', levels logarithmic' if logarithmic else ''}{missing}", color=INK)
    return contours


def _mark(axes: Axes, here: tuple[float, float], loss: float) -> Line2D:
    """The present point, and its loss."""
    (present,) = axes.plot(
        *here, "o", color="#d9761a", markeredgecolor="white", markeredgewidth=1.2, markersize=8, zorder=3
    )
    write(axes, here, f"now: {loss:.4g}", halo=True, xytext=(0, 9), va="baseline", fontsize=9)
    return present
