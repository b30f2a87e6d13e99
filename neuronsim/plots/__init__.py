"""Pictures: a network or one of its steps, a run, its errors and traces, what a network has learned of a plane.

Every function draws on ``ax``, or without one on a figure of its own, and returns what it drew; none touches
pyplot or any setting. Notebooks show what is returned. To see it in a window, give it one of pyplot's axes:
``_, ax = plt.subplots()``.
"""

from neuronsim.plots.bands import BandsPicture, bands
from neuronsim.plots.curves import HistoryPicture, history
from neuronsim.plots.figures import Picture
from neuronsim.plots.film import animation
from neuronsim.plots.graph import NetworkPicture, network
from neuronsim.plots.heat import ErrorsPicture, errors
from neuronsim.plots.landscape import LandscapePicture, loss_landscape
from neuronsim.plots.notebooks import network_html, run_html, step_html
from neuronsim.plots.overview import overview
from neuronsim.plots.regions import BoundaryPicture, decision_boundary
from neuronsim.plots.surface import SurfacePicture, loss_surface
from neuronsim.plots.traces import TracePicture, trace

__all__ = [
    "BandsPicture",
    "BoundaryPicture",
    "ErrorsPicture",
    "HistoryPicture",
    "LandscapePicture",
    "NetworkPicture",
    "Picture",
    "SurfacePicture",
    "TracePicture",
    "animation",
    "bands",
    "decision_boundary",
    "errors",
    "history",
    "loss_landscape",
    "loss_surface",
    "network",
    "network_html",
    "overview",
    "run_html",
    "step_html",
    "trace",
]


def __dir__() -> list[str]:
    return __all__
