"""The words in the picture of a network: names, numbers, what is folded away, scales, the line below."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PathCollection
from matplotlib.colors import Normalize
from matplotlib.path import Path
from matplotlib.transforms import Affine2D, ScaledTranslation, Transform

from neuronsim.basics.arrays import Floats, Marks
from neuronsim.documents.notation import number
from neuronsim.plots.figures import INK, QUIET, SIGNED, write
from neuronsim.plots.layout import Layout
from neuronsim.plots.shapes import diameter, size_in_inches

# Up to so many neurons carry their names, and names are cut at so many characters.
_MOST_NAMED = 48
_LONGEST_NAME = 16
# An output is named in any case, by so many.
_SHORTEST_NAME = 6
# The width of a letter, in points, at the sizes used beside neurons.
_LETTER = 4.4


def write_names(axes: Axes, names: list[str], layout: Layout, neurons: PathCollection, is_output: Marks) -> None:
    """Write names in the neurons where all fit, else beside them; of many neurons only inputs' and outputs'."""
    size = float(np.sqrt(neurons.get_sizes()[0]))
    fills = np.asarray(neurons.get_facecolor())
    all_named = len(names) <= _MOST_NAMED
    longest = min(max(map(len, names), default=0), _LONGEST_NAME)
    inside = 1.25 * size >= 6.5 * max(longest, 2)
    # between two levels there is room for so many letters, above a neuron and beside it
    between = 72 * size_in_inches(axes)[0] / max(layout.n_columns, 1)
    above, beside = (min(_LONGEST_NAME, int(room / _LETTER)) for room in (between, between - size - 6))
    for row, (x, y, column) in enumerate(zip(layout.x, layout.y, layout.column.tolist(), strict=True)):
        last = column == layout.n_columns - 1
        if inside:
            name = fitted(names[row], _LONGEST_NAME)
            font = min(10.0, 1.25 * size / max(len(name), 2))
            write(axes, (x, y), name, fontsize=font, color=_readable(fills[row]))
        elif column == 0 or last:
            style: dict[str, Any] = {"xytext": (-size / 2 - 3, 0), "ha": "right"}
            if last:
                style = {"xytext": (size / 2 + 3, 0), "ha": "left", "halo": True}
            write(axes, (x, y), fitted(names[row], _LONGEST_NAME), fontsize=7.5, **style)
        elif all_named and above > 2:
            write(axes, (x, y), fitted(names[row], above), xytext=(0, size / 2 + 5), fontsize=7, halo=True)
        elif is_output[row]:
            style = {"xytext": (size / 2 + 3, 0), "ha": "left", "halo": True}
            write(axes, (x, y), fitted(names[row], max(beside, _SHORTEST_NAME)), fontsize=7, **style)


def fitted(name: str, most: int) -> str:
    """As much of a name as fits: its middle goes, for names differ at their ends."""
    if len(name) <= most:
        return name
    end = (most - 1) // 2
    return f"{name[: most - 1 - end]}…{name[len(name) - end :]}"


def _readable(fill: Floats) -> str:
    """White or ink, whichever can be read on a fill."""
    return "white" if 0.3 * fill[0] + 0.59 * fill[1] + 0.11 * fill[2] < 0.55 else INK


def write_values(axes: Axes, layout: Layout, symbol: str, values: Floats, has: Marks) -> None:
    """Write beneath each neuron that has one the value that colours it."""
    below = (0, -diameter(axes, layout) / 2 - 7)
    for x, y, value in zip(layout.x[has], layout.y[has], values[has], strict=True):
        write(axes, (x, y), f"{symbol} = {number(value, 3)}", xytext=below, fontsize=8, halo=True)


def write_weights(axes: Axes, paths: list[Path], weights: Floats) -> None:
    """Write its weight on each edge."""
    for path, weight in zip(paths, weights, strict=True):
        x, y = _along(path, 0.3 if len(path) == 2 else 0.5)
        write(axes, (x, y), number(weight, 3), fontsize=8, halo=True)


def _along(path: Path, t: float) -> tuple[float, float]:
    """The point at ``t`` (0 … 1) of a line or a cubic curve."""
    points = np.asarray(path.vertices, np.float64)
    while len(points) > 1:
        points = (1 - t) * points[:-1] + t * points[1:]
    return float(points[0, 0]), float(points[0, 1])


def write_gaps(axes: Axes, layout: Layout) -> tuple[str, ...]:
    """Write what is folded away, and how large each level is; return what a shorter form means."""
    if not layout.gaps:
        return ()
    style: dict[str, Any] = {"color": QUIET, "halo": True}
    roomy = 72 * size_in_inches(axes)[0] / layout.n_columns >= 60
    for gap in layout.gaps:
        text = gap.text if roomy or gap.n_levels else f"+{gap.n_neurons:,}"
        font = 8 if roomy or gap.n_levels else 6
        write(axes, (gap.x, gap.y), text, fontsize=font, style="italic", rotation=90 * bool(gap.n_levels), **style)
    if not roomy:
        return tuple(["+n: n more neurons of the level"] * any(not gap.n_levels for gap in layout.gaps))
    top = axes.get_ylim()[1]
    for x, n in layout.sizes:
        write(axes, (x, top), f"{n:,}", fontsize=9, **style)
    return ()


def write_scale(axes: Axes, scale: Normalize, title: str, x: float, values: Floats) -> None:
    """Draw a colour bar beneath the picture; with arrows where values lie outside."""
    box = axes.inset_axes((-75, -18, 150, 7), transform=_points_from(axes, x))
    largest = float(scale.vmax or 1.0)
    beyond = bool((np.abs(values) > largest).any())
    colorbar = axes.figure.colorbar(
        ScalarMappable(scale, SIGNED), cax=box, orientation="horizontal", extend="both" if beyond else "neither"
    )
    colorbar.outline.set_visible(False)
    colorbar.set_ticks([-largest, 0.0, largest], labels=[number(-largest, 3), "0", number(largest, 3)])
    colorbar.ax.tick_params(labelsize=7.5, length=0, pad=2, colors=INK)
    colorbar.set_label(title, fontsize=8, labelpad=1, color=INK)


def write_below(axes: Axes, words: str) -> None:
    """Write the line beneath everything."""
    write(axes, (0.5, 0.0), words, xytext=(0, -52), xycoords="axes fraction", va="top", fontsize=8, color=QUIET)


def _points_from(axes: Axes, x: float) -> Transform:
    """Points (1/72 inch) counted from a place on the lower edge of the axes."""
    origin = ScaledTranslation(x, 0.0, axes.transAxes)  # type: ignore[arg-type]
    return Affine2D().scale(1 / 72) + axes.figure.dpi_scale_trans + origin
