"""Pictures: a network, a training run, a trace, what a network has learned of a plane.

Every function draws on ``ax``, or without one on a figure of its own, and returns what it drew; none touches
pyplot or any setting. Notebooks show what is returned. To see it in a window, give it one of pyplot's axes:
``_, ax = plt.subplots()``.
"""

from neuronsim.plots.curves import HistoryPicture, history
from neuronsim.plots.figures import Picture
from neuronsim.plots.graph import NetworkPicture, network, network_html
from neuronsim.plots.overview import overview
from neuronsim.plots.regions import BoundaryPicture, decision_boundary
from neuronsim.plots.traces import TracePicture, trace

__all__ = [
    "BoundaryPicture",
    "HistoryPicture",
    "NetworkPicture",
    "Picture",
    "TracePicture",
    "decision_boundary",
    "history",
    "network",
    "network_html",
    "overview",
    "trace",
]
