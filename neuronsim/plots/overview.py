"""A network, its training and what it learned, side by side."""

from __future__ import annotations

from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from neuronsim.network import Network
from neuronsim.plots.curves import history
from neuronsim.plots.figures import new_figure
from neuronsim.plots.graph import network
from neuronsim.plots.regions import decision_boundary
from neuronsim.run import Run


def overview(net: Network, run: Run, X: ArrayLike, T: ArrayLike, *, color: str | None = "bias") -> Figure:
    """One figure: the network above, the run and the plane it has learned below.

    Parameters
    ----------
    net, run : Network, Run
        A network with two inputs, and its training.
    X, T : arrays
        Samples as `decision_boundary` takes them.
    color : str or None
        What neurons are coloured by.
    """
    figure = new_figure(11.0, 9.0)
    places = figure.subplot_mosaic(
        [["net", "net"], ["run", "plane"]], height_ratios=[1.0, 1.0], width_ratios=[1.4, 1.0]
    )
    network(net, color, ax=places["net"])
    history(run, ax=places["run"])
    decision_boundary(net, X, T, ax=places["plane"])
    return figure
