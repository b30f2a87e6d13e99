"""What a network with two inputs has made of the plane: its output as colour, the samples on top."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import ListedColormap
from matplotlib.image import AxesImage
from numpy.typing import ArrayLike

from neuronsim.basics.arrays import Array, Floats, Integers
from neuronsim.errors import DataError
from neuronsim.graph.runnable import check_within_a_step
from neuronsim.network import Network
from neuronsim.plots.figures import CLASS_COLORS, INK, SIGNED, Picture, check_drawn, literally, new_axes

_RESOLUTION = 200
_MARKERS = "os^Dv<>P"


@dataclass(frozen=True, eq=False)
class BoundaryPicture(Picture):
    """A drawn plane.

    Attributes
    ----------
    image : AxesImage
        The network's decision everywhere: between two classes by how much, of more classes which.
    samples : tuple of PathCollection
        The points of each class.
    """

    image: AxesImage
    samples: tuple[PathCollection, ...]


def decision_boundary(net: Network, X: ArrayLike, T: ArrayLike, ax: Axes | None = None) -> BoundaryPicture:
    """Draw which class a network with two inputs chooses where, and the samples; the network is not changed.

    Parameters
    ----------
    net : Network
        Two inputs; one output a class, or one output, at which the middle between the targets divides two.
    X : array (n_samples, 2)
        Samples.
    T : array (n_samples,) or (n_samples, n_outputs)
        Class numbers, or targets.
    ax : Axes or None
        Where to draw; None: on a new figure.

    Raises
    ------
    DataError
        If there are not two inputs, or no samples to show the region of.
    """
    check_drawn(net, "decision_boundary", Network)
    points = np.asarray(X, np.float64)
    if net.n_inputs != 2 or points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise DataError(
            f"the plane has two axes: give a network with 2 inputs, not {net.n_inputs}, "
            f"and X of shape (n_samples, 2), not {points.shape}"
        )
    check_within_a_step(net.graph)
    labels, middle = _classes(np.asarray(T), len(points), net.n_outputs)
    axes, own = new_axes(ax, 4.6, 4.6)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.08 * np.where(high > low, high - low, 1.0)
    xs, ys = (np.linspace(a - m, b + m, _RESOLUTION) for a, b, m in zip(low, high, margin, strict=True))
    grid = np.stack([a.ravel() for a in np.meshgrid(xs, ys)], axis=1)
    outputs = net.copy().forward(grid).astype(np.float64).reshape(_RESOLUTION, _RESOLUTION, -1)
    image = _paint(axes, outputs, middle, xs, ys)
    samples = tuple(_scatter(axes, points[labels == k], k) for k in np.unique(labels).tolist())
    axes.set_xlim(xs[0], xs[-1])
    axes.set_ylim(ys[0], ys[-1])
    names = net.graph.name_list(net.inputs)
    axes.set_xlabel(literally(names[0]), color=INK)
    axes.set_ylabel(literally(names[1]), color=INK)
    return BoundaryPicture(axes, own, image, samples)


def _classes(T: Array, n_samples: int, n_outputs: int) -> tuple[Integers, float]:
    """The class of every sample, and what divides the classes where there is one output."""
    if len(T) != n_samples:
        raise DataError(f"there are {n_samples} samples and {len(T)} targets")
    if T.ndim == 2 and T.shape[1] > 1:
        return T.argmax(axis=1), 0.0
    column = T.reshape(n_samples)
    if n_outputs > 1:
        return column.astype(np.int64), 0.0
    middle = (float(column.min()) + float(column.max())) / 2
    return (column > middle).astype(np.int64), middle


def _paint(axes: Axes, outputs: Floats, middle: float, xs: Floats, ys: Floats) -> AxesImage:
    extent = (float(xs[0]), float(xs[-1]), float(ys[0]), float(ys[-1]))
    n = outputs.shape[2]
    look: dict[str, Any] = {"extent": extent, "origin": "lower", "aspect": "auto", "alpha": 0.45, "zorder": 0}
    if n > 2:
        colors = ListedColormap([CLASS_COLORS[k % len(CLASS_COLORS)] for k in range(n)])
        return axes.imshow(
            outputs.argmax(axis=2), cmap=colors, vmin=-0.5, vmax=n - 0.5, interpolation="nearest", **look
        )
    towards_second = outputs[..., 0] - middle if n == 1 else outputs[..., 1] - outputs[..., 0]
    largest = float(np.abs(towards_second).max()) or 1.0
    if towards_second.min() < 0 < towards_second.max():
        axes.contour(xs, ys, towards_second, levels=[0.0], colors=INK, linewidths=1.0, zorder=1)
    return axes.imshow(towards_second, cmap=SIGNED, vmin=-largest, vmax=largest, interpolation="bilinear", **look)


def _scatter(axes: Axes, points: Floats, k: int) -> PathCollection:
    return axes.scatter(
        points[:, 0],
        points[:, 1],
        s=16,
        color=CLASS_COLORS[k % len(CLASS_COLORS)],
        marker=_MARKERS[k % len(_MARKERS)],
        edgecolors="white",
        linewidths=0.5,
        label=f"class {k}",
        zorder=2,
    )
