"""The shapes in the picture of a network: edges as lines, those that skip a level or stay in one as arcs, neurons."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import Normalize, to_rgba
from matplotlib.path import Path

from neuronsim.basics.arrays import Floats, Marks
from neuronsim.plots.figures import INK, SIGNED
from neuronsim.plots.layout import Edges, Layout

_NEUTRAL = "#e9e9e9"


def set_limits(axes: Axes, layout: Layout, paths: list[Path]) -> None:
    """Limits that hold all neurons, gaps and arcs."""
    arcs = [path.get_extents().intervaly for path in paths if len(path) > 2]
    ys = np.concatenate([layout.y, *arcs, [gap.y for gap in layout.gaps], np.zeros(1)])
    margin = max(0.6, 0.04 * layout.height)
    axes.set_axis_off()
    axes.set_xlim(-0.5, max(layout.n_columns, 1) - 0.5)
    axes.set_ylim(float(ys.min()) - margin, float(ys.max()) + margin)


def size_in_inches(axes: Axes) -> tuple[float, float]:
    """Width and height of the axes."""
    box = axes.get_window_extent()
    dpi = axes.get_figure(root=True).dpi  # type: ignore[union-attr]
    return box.width / dpi, box.height / dpi


def edge_paths(layout: Layout, edges: Edges) -> list[Path]:
    """The way of each edge: a line to the next level, else an arc; edges that take time may lead anywhere."""
    start = np.stack([layout.x[edges.source], layout.y[edges.source]], axis=1)
    end = np.stack([layout.x[edges.sink], layout.y[edges.sink]], axis=1)
    span = layout.column[edges.sink] - layout.column[edges.source]
    ways = {1: _line, 0: _within_a_level}
    return [ways.get(s, _arc)(a, b, s, layout) for a, b, s in zip(start, end, span.tolist(), strict=True)]


def _line(start: Floats, end: Floats, span: int, layout: Layout) -> Path:
    return Path(np.stack([start, end]))


def _within_a_level(start: Floats, end: Floats, span: int, layout: Layout) -> Path:
    """Of an edge that takes time: downwards on the right, upwards on the left; of a neuron to itself a loop above."""
    if (start == end).all():
        # it ends below the neuron above
        first, second = (start + np.array([side, 0.85 * layout.pitch]) for side in (-0.22, 0.22))
    else:
        rows = abs(end[1] - start[1]) / layout.pitch
        aside = np.sign(start[1] - end[1]) * min(0.12 + 0.06 * rows, 0.4)
        first, second = (point + np.array([aside, 0.0]) for point in (start, end))
    return _cubic(start, first, second, end)


def _cubic(*points: Floats) -> Path:
    return Path(np.array(points), [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4])


def _arc(start: Floats, end: Floats, span: int, layout: Layout) -> Path:
    """An arc around what lies between, away from the middle; along the middle by turns above and below."""
    middle = float(start[1] + end[1]) / 2
    side = float(np.sign(round(middle, 9))) or (1.0 if (int(start[0]) + span) % 2 else -1.0)
    bulge = side * min(0.55 * layout.pitch + 0.22 * span, 0.5 * max(layout.height, 1.6))
    third = (end[0] - start[0]) / 3
    first, second = (start[0] + third, start[1] + bulge), (end[0] - third, end[1] + bulge)
    return _cubic(start, np.array(first), np.array(second), end)


def draw_edges(axes: Axes, paths: list[Path], weights: Floats, scale: Normalize) -> PathCollection:
    """Draw the edges in the colour and width of their weights; many are thinner and paler than few."""
    crowd = 30 / max(len(paths), 1)
    thick = float(np.clip(3.2 * crowd**0.25, 0.7, 3.2))
    share = np.minimum(np.abs(weights) / (scale.vmax or 1.0), 1.0)
    widths = thick * (0.15 + 0.85 * share)
    collection = PathCollection(
        paths,
        facecolors="none",
        linewidths=np.nan_to_num(widths, nan=0.5),
        capstyle="round",
        alpha=float(np.clip(2 * crowd**0.25, 0.6, 1.0)),
        cmap=SIGNED,
        norm=scale,
        clip_on=False,
        zorder=1,
    )
    collection.set_array(weights)
    axes.add_collection(collection, autolim=False)
    return collection


def draw_neurons(
    axes: Axes, layout: Layout, values: Floats, has: Marks, is_output: Marks, scale: Normalize
) -> PathCollection:
    """Draw the neurons in the colour of their values: black where one is not finite, grey where there is none."""
    colors = SIGNED(scale(np.nan_to_num(values)))
    colors[~np.isfinite(values)] = to_rgba(INK)
    colors[~has] = to_rgba(_NEUTRAL)
    return axes.scatter(
        layout.x,
        layout.y,
        s=diameter(axes, layout) ** 2,
        c=colors,
        edgecolors=INK,
        linewidths=np.where(is_output, 2.2, 0.9).tolist(),
        zorder=3,
        clip_on=False,
    )


def diameter(axes: Axes, layout: Layout) -> float:
    """Of a neuron, in points: as large as its neighbours allow."""
    width, height = size_in_inches(axes)
    low, high = axes.get_ylim()
    apart = 72 * min(height * layout.pitch / (high - low), width / (layout.n_columns + 0.1))
    return float(np.clip(0.62 * apart, 3.0, 34.0))
