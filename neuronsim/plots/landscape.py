"""The loss around a trained network along two random directions, and the way that training took to it.

Li, Xu, Taylor, Studer and Goldstein (2018): directions are normalised filter by filter; here a filter is a neuron's
incoming weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.contour import QuadContourSet
from matplotlib.lines import Line2D

from neuronsim.analysis.probe import Probe
from neuronsim.basics.arrays import Floats
from neuronsim.basics.checked import real, whole
from neuronsim.basics.spread import evenly_spread
from neuronsim.errors import DataError
from neuronsim.graph.graph import Graph
from neuronsim.kernels.arguments import Parameters
from neuronsim.plots.figures import INK, Picture, check_drawn, new_axes, write
from neuronsim.plots.surface import paint
from neuronsim.run import Run
from neuronsim.seeds import NOISE, RandomSource, generator, seed_of

_SAMPLES = 1024
_STEPS = 60


@dataclass(frozen=True, eq=False)
class LandscapePicture(Picture):
    """A drawn landscape.

    Attributes
    ----------
    contours : QuadContourSet
    way : Line2D
        The run's steps in the plane, the last one at (0, 0).
    along : float64 array (resolution,)
        Multiples of the directions, the same for both.
    losses : float64 (resolution, resolution)
        NaN where a loss is not finite.
    outside : float
        The part of the way that the plane does not show: √ (Σ distance² from the plane / Σ distance² from the end).
    """

    contours: QuadContourSet
    way: Line2D
    along: Floats
    losses: Floats
    outside: float


def loss_landscape(
    run: Run, ax: Axes | None = None, *, span: float = 1.0, resolution: int = 31, rng: RandomSource = 0
) -> LandscapePicture:
    """Draw the loss along two random directions around the end of a run, and the run's way, projected.

    Two random directions of thousands hold little of a way that training took: the picture says how much is outside.

    Parameters
    ----------
    run : Run
        What ``net.fit`` returned, with snapshots.
    ax : Axes or None
        Where to draw; None: on a new figure.
    span : float
        How far to go at least, in multiples of the weights' own sizes; farther where the way does.
    resolution : int
        Points along each direction; the mean loss of up to 1,024 samples is taken at each.
    rng : int, Generator or None
        Draws the directions.

    Raises
    ------
    NotKnownError
        If the run kept no snapshots.
    DataError
        If the network has no weights, or the loss is finite nowhere.
    """
    check_drawn(run, "loss_landscape", Run)
    n, span = whole("resolution", resolution, 3), real("span", span, "(0, inf)")
    replay = run.replay
    probe = Probe(replay, evenly_spread(len(replay.X), _SAMPLES))
    end = replay.parameters(replay.n_steps)
    if not len(end.weights):
        raise DataError("a network without weights has no landscape")
    directions = _directions(probe.graph, end.weights, generator(seed_of(rng), NOISE))
    moved = np.array([replay.parameters(q).weights - end.weights for q in replay.spread(replay.n_steps + 1, _STEPS)])
    places, *_ = np.linalg.lstsq(directions.T, moved.T.astype(np.float64), rcond=None)
    whole_way = float(np.square(moved).sum())
    outside = float(np.sqrt(np.square(moved - places.T @ directions).sum() / whole_way)) if whole_way else 0.0
    reach = max(span, 1.1 * float(np.abs(places).max(initial=0.0)))
    along = np.linspace(-reach, reach, n)
    losses = np.array([[_loss(probe, end, x * directions[0] + y * directions[1]) for x in along] for y in along])
    losses[~np.isfinite(losses)] = np.nan
    if np.isnan(losses).all():
        raise DataError("the loss is finite nowhere here; a smaller span may help")
    axes, own = new_axes(ax, 5.6, 4.4)
    contours = paint(axes, along, along, losses)
    (way,) = axes.plot(*places, "o-", color="#d9761a", markersize=2.5, linewidth=1.2)
    write(axes, (float(places[0, 0]), float(places[1, 0])), "start", halo=True, xytext=(0, 7), fontsize=9)
    axes.plot(0, 0, "o", color="#d9761a", markeredgecolor="white", markersize=8, zorder=3)
    axes.set_xlabel("first direction", color=INK)
    axes.set_ylabel("second direction", color=INK)
    axes.set_title(f"{outside:.0%} of the way lies outside this plane", fontsize=9, color=INK)
    return LandscapePicture(axes, own, contours, way, along, losses, outside)


def _directions(graph: Graph, weights: Any, draws: np.random.Generator) -> Floats:
    """Two directions (2, n_edges), each neuron's part as long as its own incoming weights."""
    sinks = graph.sinks()
    drawn = draws.standard_normal((2, len(weights)))
    own = np.sqrt(np.bincount(sinks, np.square(weights.astype(np.float64)), graph.n_neurons))
    for direction in drawn:
        length = np.sqrt(np.bincount(sinks, np.square(direction), graph.n_neurons))
        direction *= (own / np.where(length == 0, 1.0, length))[sinks]
    return drawn


def _loss(probe: Probe, end: Parameters, change: Floats) -> float:
    """The mean loss with the weights changed."""
    with np.errstate(all="ignore"):
        probe.load(Parameters(end.weights + change, end.biases, end.slopes))
        each, _ = probe.engine.losses(probe.X, probe.T, probe.loss)
        return float(each.mean(dtype=np.float64))
