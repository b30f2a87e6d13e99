"""The picture of a network or a step: neurons coloured by what they hold, edges by weight, skip edges as curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import Normalize

from neuronsim.graph.describing import sizes
from neuronsim.network import Network
from neuronsim.plots import labels, shapes
from neuronsim.plots.figures import INK, Picture, literally, new_axes, zero_centred
from neuronsim.plots.layout import Layout, choose_edges, lay_out
from neuronsim.plots.view import View, view
from neuronsim.tracing.result import StepResult

# Up to so many neurons and edges carry their numbers.
_MOST_NUMBERED = 16
# Among more edges than this the 2 % with the largest weights do not take the colour from all others.
_MANY_EDGES = 100


@dataclass(frozen=True, eq=False)
class NetworkPicture(Picture):
    """A drawn network.

    Attributes
    ----------
    neurons : PathCollection
        One marker each, in the order of ``layout.ids``.
    edges : PathCollection
        One path each, the largest |weight| last.
    color : str or None
        What neurons are coloured by; None: nothing.
    notes : tuple of str
        What the picture says in words: sizes, what is folded away, what is not known.
    layout : Layout
        Which neurons are drawn, and where.
    """

    neurons: PathCollection
    edges: PathCollection
    color: str | None
    notes: tuple[str, ...]
    layout: Layout


def network(net: Network | StepResult, color: str | None = "delta", ax: Axes | None = None) -> NetworkPicture:
    """Draw a network or a step: levels from left to right, inputs at the left; nothing about it changes.

    Edges have the colour and width of their weights; those that skip a level, or stay in one, are curves. Of large
    networks 24 neurons a level, 40 levels and the 2,000 largest edges between them are drawn, and the picture says so:
    the neurons with the largest |δ| where it is known, else the first and the last of each level; and the first 24
    outputs in any case. Outputs have a thick rim.

    Parameters
    ----------
    net : Network or Step
        Any network that can run; or a step, ``run.at(731)``, as it was before its update: then the title has
        its number and its loss. Of a batch, signals are the means over its samples.
    color : str or None
        What neurons are coloured by: "delta" (L3's δ), "y", "z", "bias" or "b", "slope"; None: nothing.
        Of a step also "db", what the update added to each bias; edges then show dw.
        A network's signals are those of the last ``step()`` or 1-D ``forward``; where they are not known the
        biases are shown, and the legend says so.
    ax : Axes or None
        Where to draw; None: on a new figure.

    Returns
    -------
    NetworkPicture
        What was drawn; notebooks show it.

    Raises
    ------
    SettingError
        For another ``color``.
    CycleError
        If neurons feed each other in a circle.
    """
    return draw(view(net, color), ax)


def draw(
    view: View,
    ax: Axes | None = None,
    neuron_scale: Normalize | None = None,
    edge_scale: Normalize | None = None,
    scaled: bool = True,
) -> NetworkPicture:
    """Draw a view; with scales given instead of its own, to be compared with other views, or without their bars."""
    graph, layout = view.graph, lay_out(view.graph, view.scores)
    edges = choose_edges(graph, view.edges, layout)
    numbered = max(len(layout.ids), len(edges.weights)) <= _MOST_NUMBERED
    axes, own = new_axes(ax, *_size(layout, numbered))
    values, has = view.neurons[layout.ids], view.has[layout.ids]
    is_output = np.isin(layout.ids, graph.outputs)
    edge_scale = edge_scale or zero_centred(edges.weights, 0.98 if len(edges.weights) > _MANY_EDGES else 1.0)
    neuron_scale = neuron_scale or zero_centred(values[has])

    paths = shapes.edge_paths(layout, edges)
    shapes.set_limits(axes, layout, paths)
    drawn_edges = shapes.draw_edges(axes, paths, edges.weights, edge_scale)
    neurons = shapes.draw_neurons(axes, layout, values, has, is_output, neuron_scale)

    labels.write_names(axes, list(graph.name_list(layout.ids)), layout, neurons, is_output)
    if numbered and view.symbol:
        labels.write_values(axes, layout, view.symbol, values, has)
    if numbered:
        labels.write_weights(axes, paths, edges.weights)
    notes = (
        sizes(graph),
        edges.in_words(),
        *labels.write_gaps(axes, layout),
        *_folded(view, layout),
        *view.not_finite(),
    )
    if scaled:
        labels.write_scale(axes, edge_scale, view.edge_label, 0.25 if view.label else 0.5, edges.weights)
    if scaled and view.label:
        labels.write_scale(axes, neuron_scale, view.label, 0.75, values[has])
    if view.title:
        axes.set_title(literally(view.title), fontsize=10, color=INK, pad=16 if layout.gaps else 8)
    labels.write_below(axes, " · ".join(notes))
    all_notes = (*notes, *([view.label] if view.label else []))
    return NetworkPicture(axes, own, neurons, drawn_edges, view.field, all_notes, layout)


def _size(layout: Layout, numbered: bool) -> tuple[float, float]:
    """Width and height of a figure for it, in inches."""
    per_row = 1.1 if numbered else min(0.62, 6.6 / max(layout.height, 1.0))
    width = 2.4 + (2.2 if numbered else 1.7) * (layout.n_columns - 1)
    return min(15.0, max(4.8, width)), 1.9 + per_row * layout.height


def _folded(view: View, layout: Layout) -> tuple[str, ...]:
    """The remark on which neurons of a folded level are drawn, where it is not the first and the last."""
    by_relevance = view.scores is not None and not all(gap.n_levels for gap in layout.gaps)
    return ("of larger levels those with the largest |δ|",) if by_relevance else ()
