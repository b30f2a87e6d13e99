"""Networks and runs to draw, and the words of a picture."""

import matplotlib as mpl
import numpy as np

import neuronsim as ns
from neuronsim.run import Run

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
T = np.array([[0.0], [1.0], [1.0], [0.0]])


def small() -> ns.Network:
    net = ns.Network(rng=0)
    net.add_inputs("i1", "i2")
    net.add_neuron("h1", {"i1": 0.5, "i2": -1.0}, bias=0.25)
    net.add_neuron("o1", {"h1": 2.0, "i1": 0.1}, activation="identity", bias=-0.5)
    net.set_outputs("o1")
    return net


def run_of(**history: list[float]) -> Run:
    n = len(history["loss"])
    return Run(0, {"loss": "cross_entropy"}, {"epoch": [float(k) for k in range(n)], **history})


def words(picture: object) -> str:
    """All text in a figure, as it is drawn."""
    figure = picture.ax.figure
    figure.canvas.draw()
    return "\n".join(text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_visible())
