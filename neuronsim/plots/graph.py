"""The picture of a network or a step: neurons coloured by what they hold, edges by weight, skip edges as curves."""

import base64
import io
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PathCollection
from matplotlib.colors import Normalize, to_rgba
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.transforms import Affine2D, ScaledTranslation, Transform
from numpy.typing import NDArray

from neuronsim.errors import CycleError, SettingError, suggest
from neuronsim.plots.figures import INK, QUIET, SIGNED, Picture, new_axes, zero_centred
from neuronsim.plots.layout import Edges, Layout, choose_edges, counted, lay_out

if TYPE_CHECKING:
    from neuronsim.graph.graph import Graph
    from neuronsim.network import Network
    from neuronsim.tracing.result import StepResult as Step

__all__ = ["FIELDS", "NetworkPicture", "View", "draw", "image_html", "network", "network_html", "step_title", "view"]

FIELDS = {
    "delta": "error signal δ",
    "y": "output y",
    "z": "net input z",
    "bias": "bias b",
    "slope": "slope",
    "db": "change of the bias, db",
}
"""What neurons can be coloured by, and what the legend calls it."""

# Up to so many neurons and edges carry their numbers, and up to so many neurons their names.
_MOST_NUMBERED = 16
_MOST_NAMED = 48
_LONGEST_NAME = 16
# Notebooks get text for networks larger than this, and a bitmap for pictures with more edges.
_MOST_SHOWN = 1_000_000
_MOST_VECTOR_EDGES = 400

# Among more edges than this a few large weights do not take the colour from all others.
_MANY_EDGES = 100

_NEUTRAL = "#e9e9e9"


@dataclass(frozen=True, eq=False)
class NetworkPicture(Picture):
    """A drawn network.

    Attributes
    ----------
    neurons
        One marker each, in the order of ``layout.ids``.
    edges
        One path each, the largest |weight| last.
    color
        What neurons are coloured by; None: nothing.
    notes
        What the picture says in words: sizes, what is folded away, what is not known.
    layout
        Which neurons are drawn, and where.
    """

    neurons: PathCollection
    edges: PathCollection
    color: str | None
    notes: tuple[str, ...]
    layout: Layout


@dataclass(frozen=True, eq=False)
class View:
    """What a picture shows of a network or of a step.

    Attributes
    ----------
    graph
        The wiring.
    edges
        What colours the edges, shape (n_edges,).
    edge_label
        The legend's words for it.
    neurons
        What colours the neurons, shape (n_neurons,).
    has
        Which neurons have such a value: inputs have no bias.
    field
        Its key in `FIELDS`; None: nothing colours them.
    label
        The legend's words for it.
    title
        Above the picture.
    """

    graph: "Graph"
    edges: NDArray[np.floating]
    edge_label: str
    neurons: NDArray[np.float64]
    has: NDArray[np.bool_]
    field: str | None
    label: str
    title: str = ""


def network(net: "Network | Step", color: str | None = "delta", ax: Axes | None = None) -> NetworkPicture:
    """Draw a network or a step: levels from left to right, inputs at the left; nothing about it changes.

    Edges have the colour and width of their weights; those that skip a level are curves. Of large networks at
    most 24 neurons a level, 40 levels and the 2,000 largest edges between them are drawn, and the picture
    says so. Outputs have a thick rim.

    Parameters
    ----------
    net
        Any network without a cycle; or a step, ``run.at(731)``, as it was before its update: then the title has
        its number and its loss. Of a batch, signals are the means over its samples.
    color
        What neurons are coloured by: "delta" (L3's δ), "y", "z", "bias" or "b", "slope"; None: nothing.
        Of a step also "db", what the update added to each bias; edges then show dw.
        A network's signals are those of the last ``step()`` or 1-D ``forward``; where they are not known the
        biases are shown, and the legend says so.
    ax
        Where to draw; None: on a new figure.

    Raises
    ------
    SettingError
        For another ``color``.
    CycleError
        If neurons feed each other in a circle.
    """
    return draw(view(net, color), ax)


def view(net: "Network | Step", color: str | None) -> View:
    """What a picture of a network or a step shows; it is left alone."""
    from neuronsim.tracing.result import StepResult as Step

    field = _field(color)
    if isinstance(net, Step):
        return _view_of_step(net, field)
    graph = net.graph
    values, has, shown, label = _values(net, field)
    return View(graph, _weights(net), "weight w of an edge", values, has, shown, label)


def draw(
    view: View,
    ax: Axes | None = None,
    neuron_scale: Normalize | None = None,
    edge_scale: Normalize | None = None,
) -> NetworkPicture:
    """Draw a view; with scales given instead of its own, to be compared with other views."""
    graph, field = view.graph, view.field
    layout = lay_out(graph)
    edges = choose_edges(graph, view.edges, layout)
    few = max(len(layout.ids), len(edges.weights)) <= _MOST_NUMBERED
    axes, own = new_axes(ax, *_size(layout, few))
    values, has = view.neurons[layout.ids], view.has[layout.ids]
    paths = _edge_paths(layout, edges)
    _frame(axes, layout, paths)

    edge_scale = edge_scale or zero_centred(edges.weights, 0.98 if len(paths) > _MANY_EDGES else 1.0)
    drawn_edges = _draw_edges(axes, paths, edges, edge_scale)
    is_output = np.isin(layout.ids, graph.outputs)
    neuron_scale = neuron_scale or zero_centred(values[has])
    neurons = _draw_neurons(axes, layout, values, has, is_output, neuron_scale)
    _write_names(axes, graph, layout, neurons, is_output)
    if few:
        symbol = {"delta": "δ", "bias": "b"}.get(field or "", field)
        _write_numbers(axes, layout, paths, edges, values, has, symbol)
    notes = (_sizes(graph), edges.in_words(), *_write_gaps(axes, layout), *_not_finite(view))
    _write_scale(axes, edge_scale, view.edge_label, 0.25 if view.label else 0.5, edges.weights)
    if view.label:
        _write_scale(axes, neuron_scale, view.label, 0.75, values[has])
    if view.title:
        axes.set_title(view.title, fontsize=10, color=INK, pad=16 if layout.gaps else 8)
    _write_below(axes, " · ".join(notes))
    all_notes = (*notes, *([view.label] if view.label else []))
    return NetworkPicture(axes, own, neurons, drawn_edges, field, all_notes, layout)


def network_html(net: "Network") -> str:
    """A notebook's view of a network: its picture, and in words what ``print`` says."""
    words = f"<pre>{escape(str(net))}</pre>"
    if not net.n_neurons or net.n_edges > _MOST_SHOWN:
        return words
    try:
        picture = network(net)
    except CycleError:
        return words
    few = len(picture.edges.get_paths()) <= _MOST_VECTOR_EDGES
    return image_html(picture, repr(net), "svg" if few else "png") + words


def image_html(picture: Picture, words: str, kind: str = "png") -> str:
    """A picture as an HTML element that needs no other file; ``words`` are for those who can't see it."""
    buffer = io.BytesIO()
    picture.ax.figure.savefig(buffer, format=kind, dpi=110)  # type: ignore[union-attr]
    mime = "image/svg+xml" if kind == "svg" else "image/png"
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<img alt="{escape(words, quote=True)}" style="max-width:100%" src="data:{mime};base64,{data}">'


def _field(color: str | None) -> str | None:
    if color is None:
        return None
    field = {"b": "bias"}.get(color, color)
    if field not in FIELDS:
        near = suggest(str(color), FIELDS)
        raise SettingError(f"unknown color {color!r}{near or ';'} allowed: {', '.join(FIELDS)}, None")
    return field


def _weights(net: "Network") -> NDArray[np.floating]:
    """The weights; missing ones as they would be drawn now, but on a copy: looking changes nothing."""
    missing = bool(np.isnan(net.graph.weights).any())
    return net.copy().weights if missing else net.graph.weights


Values = tuple[NDArray[np.float64], NDArray[np.bool_], str | None, str]


def _values(net: "Network", field: str | None) -> Values:
    """What colours the neurons, which of them have it, which field that is, and the legend's words for it."""
    graph = net.graph
    n = graph.n_neurons
    if field is None:
        return np.full(n, np.nan), np.zeros(n, np.bool_), None, ""
    if field == "db":
        raise SettingError('color="db" is what an update changed, which a step knows: draw run.at(q) or net.step(x, t)')
    if field in ("delta", "y", "z"):
        signals = getattr(net.runtime.signals, field, None)
        if signals is not None:
            return signals.astype(np.float64), np.ones(n, np.bool_), field, FIELDS[field]
        symbol = "δ" if field == "delta" else field
        call = "step()" if field == "delta" else "step() or forward(x)"
        label = f"bias b ({symbol} is not known yet: call {call})"
        return graph.biases.astype(np.float64), ~graph.is_input, "bias", label
    parameters = graph.biases if field == "bias" else graph.slopes
    return parameters.astype(np.float64), ~graph.is_input, field, FIELDS[field]


def _view_of_step(step: "Step", field: str | None) -> View:
    graph, n = step.graph, step.graph.n_neurons
    edges, edge_label = step.weights, "weight w of an edge"
    label = "" if field is None else FIELDS[field]
    if field is None:
        values, has = np.full(n, np.nan), np.zeros(n, np.bool_)
    elif field in ("delta", "y", "z"):
        signals = np.asarray(getattr(step, field), np.float64)
        with np.errstate(all="ignore"):
            values = signals.mean(axis=0) if step.is_batch else signals
        has = np.ones(n, np.bool_)
        label += f", mean over {counted(len(step), 'sample')}" if step.is_batch else ""
    else:
        before, after = (np.asarray(b, np.float64) for b in (step.biases, step.biases_after))
        values = {"bias": before, "slope": np.asarray(step.slopes, np.float64)}.get(field, after - before)
        has = ~graph.is_input
    if field == "db":
        edges, edge_label = step.weights_after.astype(np.float64) - step.weights, "change dw of an edge"
    return View(graph, edges, edge_label, values, has, field, label, step_title(step))


def step_title(step: "Step") -> str:
    """``step 731, epoch 3 · half squared error 0.0123``."""
    place = "one step" if step.epoch is None else f"step {step.number:,}, epoch {step.epoch:,}"
    if step.is_batch:
        place += f", {counted(len(step), 'sample')}"
        how = f", their {step.reduction}"
    else:
        place += "" if step.samples is None else f", row {step.samples[0]:,} of X"
        how = ""
    return f"{place} · {step.loss_function.name.replace('_', ' ')} {step.loss:.4g}{how}"


def _not_finite(view: View) -> tuple[str, ...]:
    n = int(np.count_nonzero(view.has & ~np.isfinite(view.neurons)))
    return (f"black: not finite, {counted(n, 'neuron')}",) if n else ()


# ── the parts of the picture ──


def _size(layout: Layout, few: bool) -> tuple[float, float]:
    """Width and height of a figure for it, in inches."""
    per_row = 1.1 if few else min(0.62, 6.6 / max(layout.height, 1.0))
    width = 2.4 + (2.2 if few else 1.7) * (layout.n_columns - 1)
    return min(15.0, max(4.8, width)), 1.9 + per_row * layout.height


def _frame(axes: Axes, layout: Layout, paths: list[Path]) -> None:
    """Limits that hold all neurons and curves."""
    ys = np.concatenate([layout.y, *(path.get_extents().intervaly for path in paths if len(path) > 2), np.zeros(1)])
    margin = max(0.6, 0.04 * layout.height)
    axes.set_axis_off()
    axes.set_xlim(-0.5, max(layout.n_columns, 1) - 0.5)
    axes.set_ylim(float(ys.min()) - margin, float(ys.max()) + margin)


def _inches(axes: Axes) -> tuple[float, float]:
    """Width and height of the axes."""
    box = axes.get_window_extent()
    dpi = axes.get_figure(root=True).dpi  # type: ignore[union-attr]
    return box.width / dpi, box.height / dpi


def _draw_edges(axes: Axes, paths: list[Path], edges: Edges, scale: Normalize) -> PathCollection:
    crowd = 30 / max(len(paths), 1)
    thick = float(np.clip(3.2 * crowd**0.25, 0.7, 3.2))
    share = np.minimum(np.abs(edges.weights) / (scale.vmax or 1.0), 1.0)
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
    collection.set_array(edges.weights)
    axes.add_collection(collection, autolim=False)
    return collection


def _edge_paths(layout: Layout, edges: Edges) -> list[Path]:
    start = np.stack([layout.x[edges.source], layout.y[edges.source]], axis=1)
    end = np.stack([layout.x[edges.sink], layout.y[edges.sink]], axis=1)
    span = layout.column[edges.sink] - layout.column[edges.source]
    return [
        Path(np.stack([a, b])) if s == 1 else _curve(a, b, s, layout)
        for a, b, s in zip(start, end, span.tolist(), strict=True)
    ]


def _curve(start: NDArray[np.float64], end: NDArray[np.float64], span: int, layout: Layout) -> Path:
    """An arc around what lies between, away from the middle; along the middle by turns above and below."""
    middle = float(start[1] + end[1]) / 2
    side = float(np.sign(round(middle, 9))) or (1.0 if (int(start[0]) + span) % 2 else -1.0)
    bulge = side * min(0.55 * layout.pitch + 0.22 * span, 0.5 * max(layout.height, 1.6))
    third = (end[0] - start[0]) / 3
    first, second = (start[0] + third, start[1] + bulge), (end[0] - third, end[1] + bulge)
    return Path(np.array([start, first, second, end]), [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4])


def _draw_neurons(
    axes: Axes,
    layout: Layout,
    values: NDArray[np.float64],
    has: NDArray[np.bool_],
    is_output: NDArray[np.bool_],
    scale: Normalize,
) -> PathCollection:
    colors = SIGNED(scale(np.nan_to_num(values)))
    colors[~np.isfinite(values)] = to_rgba(INK)
    colors[~has] = to_rgba(_NEUTRAL)
    return axes.scatter(
        layout.x,
        layout.y,
        s=_diameter(axes, layout) ** 2,
        c=colors,
        edgecolors=INK,
        linewidths=np.where(is_output, 2.2, 0.9).tolist(),
        zorder=3,
        clip_on=False,
    )


def _diameter(axes: Axes, layout: Layout) -> float:
    """Of a neuron, in points: as large as its neighbours allow."""
    width, height = _inches(axes)
    low, high = axes.get_ylim()
    apart = 72 * min(height * layout.pitch / (high - low), width / (layout.n_columns + 0.1))
    return float(np.clip(0.62 * apart, 3.0, 34.0))


def _write_names(
    axes: Axes, graph: "Graph", layout: Layout, neurons: PathCollection, is_output: NDArray[np.bool_]
) -> None:
    """Names in the neurons where all fit, else beside them; of many neurons only inputs' and outputs'."""
    names = graph.name_list(layout.ids)
    size = float(np.sqrt(neurons.get_sizes()[0]))
    fills = np.asarray(neurons.get_facecolor())
    few = len(names) <= _MOST_NAMED
    longest = min(max(map(len, names), default=0), _LONGEST_NAME)
    inside = 1.25 * size >= 6.5 * max(longest, 2)
    for row, (x, y, column) in enumerate(zip(layout.x, layout.y, layout.column.tolist(), strict=True)):
        name = names[row] if len(names[row]) <= _LONGEST_NAME else names[row][: _LONGEST_NAME - 1] + "…"
        if inside:
            font = min(10.0, 1.25 * size / max(len(name), 2))
            _text(axes, x, y, name, fontsize=font, color=_readable(fills[row]))
        elif column == 0:
            _text(axes, x, y, name, shift=(-size / 2 - 3, 0), ha="right", fontsize=7.5)
        elif is_output[row] or column == layout.n_columns - 1:
            _text(axes, x, y, name, shift=(size / 2 + 3, 0), ha="left", fontsize=7.5, halo=True)
        elif few:
            _text(axes, x, y, name, shift=(0, size / 2 + 5), fontsize=7, halo=True)


def _readable(fill: NDArray[np.float64]) -> str:
    """White or ink, whichever can be read on a fill."""
    return "white" if 0.3 * fill[0] + 0.59 * fill[1] + 0.11 * fill[2] < 0.55 else INK


def _write_numbers(
    axes: Axes,
    layout: Layout,
    paths: list[Path],
    edges: Edges,
    values: NDArray[np.float64],
    has: NDArray[np.bool_],
    symbol: str | None,
) -> None:
    """The weights at the edges, and beneath each neuron what colours it."""
    size = _diameter(axes, layout)
    for x, y, value, there in zip(layout.x, layout.y, values, has, strict=True):
        if symbol and there:
            _text(axes, x, y, f"{symbol} = {_number(value)}", shift=(0, -size / 2 - 7), fontsize=8, halo=True)
    for path, weight in zip(paths, edges.weights, strict=True):
        x, y = _along(path, 0.3 if len(path) == 2 else 0.5)
        _text(axes, x, y, _number(weight), fontsize=8, halo=True)


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _along(path: Path, t: float) -> tuple[float, float]:
    """The point at ``t`` (0 … 1) of a line or a cubic curve."""
    points = np.asarray(path.vertices, np.float64)
    while len(points) > 1:
        points = (1 - t) * points[:-1] + t * points[1:]
    return float(points[0, 0]), float(points[0, 1])


def _write_gaps(axes: Axes, layout: Layout) -> tuple[str, ...]:
    """What is folded away, where it is folded, and how large each level is; what a shorter form means."""
    if not layout.gaps:
        return ()
    style: dict[str, Any] = {"color": QUIET, "halo": True}
    roomy = 72 * _inches(axes)[0] / layout.n_columns >= 60
    for gap in layout.gaps:
        text = gap.text if roomy or gap.n_levels else f"+{gap.n_neurons:,}"
        font = 8 if roomy or gap.n_levels else 6
        _text(axes, gap.x, gap.y, text, fontsize=font, style="italic", rotation=90 * bool(gap.n_levels), **style)
    if not roomy:
        return tuple(["+n: n more neurons of the level"] * any(not gap.n_levels for gap in layout.gaps))
    top = axes.get_ylim()[1]
    for x, n in layout.sizes:
        _text(axes, x, top, f"{n:,}", fontsize=9, **style)
    return ()


def _sizes(graph: "Graph") -> str:
    n_inputs = int(np.count_nonzero(graph.is_input))
    return f"{counted(graph.n_neurons - n_inputs, 'neuron')}, {counted(n_inputs, 'input')}"


def _text(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    *,
    shift: tuple[float, float] = (0.0, 0.0),
    halo: bool = False,
    **style: Any,
) -> Text:
    """Text at a place, shifted by points; with a halo it can be read on edges."""
    given: dict[str, Any] = {
        "ha": "center",
        "va": "center",
        "color": INK,
        "zorder": 6,
        "annotation_clip": False,
    } | style
    written = axes.annotate(text, (x, y), shift, textcoords="offset points", **given)
    if halo:
        written.set_path_effects([withStroke(linewidth=2.5, foreground="white")])
    return written


def _write_scale(axes: Axes, scale: Normalize, title: str, x: float, values: NDArray[np.float64]) -> None:
    """A colour bar beneath the picture; with arrows where values lie outside."""
    box = axes.inset_axes((-75, -18, 150, 7), transform=_points_from(axes, x))
    largest = float(scale.vmax or 1.0)
    beyond = bool((np.abs(values) > largest).any())
    colorbar = axes.figure.colorbar(
        ScalarMappable(scale, SIGNED),
        cax=box,
        orientation="horizontal",
        extend="both" if beyond else "neither",
    )
    colorbar.outline.set_visible(False)
    colorbar.set_ticks([-largest, 0.0, largest], labels=[_number(-largest), "0", _number(largest)])
    colorbar.ax.tick_params(labelsize=7.5, length=0, pad=2, colors=INK)
    colorbar.set_label(title, fontsize=8, labelpad=1, color=INK)


def _write_below(axes: Axes, words: str) -> None:
    axes.annotate(
        words,
        (0.5, 0.0),
        (0, -52),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=8,
        color=QUIET,
    )


def _points_from(axes: Axes, x: float) -> Transform:
    """Points (1/72 inch) counted from a place on the lower edge of the axes."""
    origin = ScaledTranslation(x, 0.0, axes.transAxes)  # type: ignore[arg-type]
    return Affine2D().scale(1 / 72) + axes.figure.dpi_scale_trans + origin
