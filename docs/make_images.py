"""Makes the pictures of the README: ``python docs/make_images.py``."""

import io
import subprocess
import sys
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

import neuronsim as ns

IMAGES = Path(__file__).parent / "images"


def step() -> None:
    """L4's 2-2-2 net after one step, its neurons coloured by δ."""
    net = ns.Network()
    net.add_inputs("i1", "i2")
    net.add_neuron("h1", {"i1": 0.15, "i2": 0.20}, activation="sigmoid", bias=0.35)
    net.add_neuron("h2", {"i1": 0.25, "i2": 0.30}, activation="sigmoid", bias=0.35)
    net.add_neuron("o1", {"h1": 0.40, "h2": 0.45}, activation="sigmoid", bias=0.60)
    net.add_neuron("o2", {"h1": 0.50, "h2": 0.55}, activation="sigmoid", bias=0.60)
    net.set_outputs("o1", "o2")
    net.freeze(biases=True)
    step = net.step([0.05, 0.10], [0.01, 0.99], learning_rate=0.5)
    ns.plot.network(step).save(IMAGES / "step.png", dpi=80)


def spirals() -> ns.Run:
    """A random graph that has learned two spirals."""
    data = ns.data.load("spirals", n=400, noise=0.02, turns=1.25, rng=0)
    net = ns.wiring.random_dag(2, 48, 2, in_degree=8, activation="gelu", output="softmax", rng=0)
    run = net.fit(data.X, data.T, optimizer="adam", learning_rate=0.01, batch_size=16, epochs=60, validation=0.2, rng=0)
    save(ns.plot.overview(net, run, data.X, data.T), "spirals.png", dpi=80)
    return run


def gallery() -> None:
    """The other pictures of docs/gallery.md."""
    save(ns.plot.errors(spirals()).figure, "errors.png", dpi=80)
    data = ns.data.load("moons", n=200, noise=0.1, rng=0)
    net = ns.wiring.layered([2, 5, 2], output="softmax", rng=0)
    watch = ns.Monitor("h1.0", ["y", "delta"], every=20)
    net.fit(data.X, data.T, learning_rate=0.1, epochs=20, monitors=watch, rng=0)
    save(ns.plot.trace(watch, "h1.0").figure, "trace.png", dpi=80)
    weights = [("x0", "h1.0"), ("x1", "h1.0")]
    save(ns.plot.loss_surface(net, data.X, data.T, weights, span=4.0).figure, "surface.png", dpi=80)


def landscape() -> None:
    """The way of a run over the loss around its end."""
    data = ns.data.load("moons", n=200, noise=0.1, rng=0)
    net = ns.wiring.layered([2, 5, 2], output="softmax", rng=0)
    run = net.fit(data.X, data.T, learning_rate=0.1, epochs=20, rng=0)
    save(ns.plot.loss_landscape(run).figure, "landscape.png", dpi=80)


def examples() -> None:
    """What the examples draw."""
    for name in ("surfaces", "batches", "vanishing"):
        path = IMAGES / f"{name}.png"
        subprocess.run([sys.executable, IMAGES.parent.parent / "examples" / f"{name}.py", path], check=True)
        Image.open(path).convert("RGB").quantize(256, kmeans=3).save(path, optimize=True)


def save(figure: Figure, name: str, dpi: float) -> None:
    """In 256 colours: a README's pictures are small files."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=dpi)
    Image.open(buffer).convert("RGB").quantize(256, kmeans=3).save(IMAGES / name, optimize=True)


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    step()
    gallery()
    landscape()
    examples()
