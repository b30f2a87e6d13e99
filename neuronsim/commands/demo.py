"""The demonstration: every worked number of the lectures beside ours, then a training run with a picture.

Numbers of networks come from the compiled kernels.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neuronsim import data, wiring
from neuronsim.basics.atomic import replacing
from neuronsim.formulas.descent import gradient_descent, numerical_gradient
from neuronsim.network import Network
from neuronsim.run import Run

Show = Callable[[str], object]


@dataclass(frozen=True)
class Row:
    """One number: as a lecture, L0 … L4, prints it, and as it comes out here.

    Attributes
    ----------
    expected : str
        As printed; its digits say how closely to compare, up to the 15 that float64 is good for.
    correction : str or None
        What should be printed, where the printed number is known to be off.
    """

    lecture: str
    quantity: str
    expected: str
    value: float
    correction: str | None = None

    @property
    def ours(self) -> str:
        """Our value in the digits of the lecture's."""
        mantissa, e, _ = self.expected.partition("e")
        decimals = len(mantissa.partition(".")[2])
        return f"{self.value:.{decimals}{'e' if e else 'f'}}"

    @property
    def ok(self) -> bool:
        """Whether all printed digits agree."""
        right = self.correction or self.expected
        digits = len(right.partition("e")[0].replace(".", "").lstrip("-0"))
        return self.ours == right or (digits > 15 and f"{self.value:.15g}" == f"{float(right):.15g}")

    def __str__(self) -> str:
        """One line of a table."""
        verdict = "ok" if self.ok else "DIFFERS"
        if self.correction:
            verdict += f" (the text is off: it is {self.correction})"
        return f"{self.lecture}  {self.quantity:<52} {self.expected:>20} {self.ours:>20}  {verdict}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return asdict(self) | {"ours": self.ours, "ok": self.ok}


def lectures(show: Show) -> list[Row]:
    """All rows, each shown as a line when it is known."""
    found = []
    show(f"{'':2}  {'quantity':<52} {'lecture':>20} {'here':>20}")
    for row in rows():
        show(str(row))
        found.append(row)
    n_ok = sum(row.ok for row in found)
    show(f"{n_ok} of {len(found)} numbers agree in every digit printed (15 at most)")
    return found


def rows() -> Iterator[Row]:
    """The worked numbers of the lectures, one after the other."""
    for part in (_l4_step, _l4_next_error, _l4_ten_thousand_steps, _l2_forward, _l2_others, _l4_descent):
        yield from part()


# L4's 2-2-2 net

_X, _T = (0.05, 0.10), (0.01, 0.99)


def _l4_net(train_biases: bool = False) -> Network:
    net = Network(rng=0)
    net.add_inputs("i1", "i2")
    net.add_neuron("h1", {"i1": 0.15, "i2": 0.20}, activation="sigmoid", bias=0.35)
    net.add_neuron("h2", {"i1": 0.25, "i2": 0.30}, activation="sigmoid", bias=0.35)
    net.add_neuron("o1", {"h1": 0.40, "h2": 0.45}, activation="sigmoid", bias=0.60)
    net.add_neuron("o2", {"h1": 0.50, "h2": 0.55}, activation="sigmoid", bias=0.60)
    net.set_outputs("o1", "o2")
    if not train_biases:
        net.freeze(biases=True)
    return net


def _l4_error(net: Network) -> float:
    return float(net.evaluate([_X], [_T]).loss)


def _l4_step() -> Iterator[Row]:
    net = _l4_net()
    step = net.step(_X, _T, learning_rate=0.5)
    yield Row("L4", "net_h1", "0.3775", step["h1"].z)
    yield Row("L4", "out_h1", "0.593269992", step["h1"].y)
    yield Row("L4", "out_h2", "0.596884378", step["h2"].y)
    yield Row("L4", "net_o1", "1.105905967", step["o1"].z)
    yield Row("L4", "out_o1", "0.75136507", step["o1"].y)
    yield Row("L4", "out_o2", "0.772928465", step["o2"].y)
    for name, target, expected in zip(("o1", "o2"), _T, ("0.274811083", "0.023560026"), strict=True):
        yield Row("L4", f"E_{name} = ½ (t − y)²", expected, 0.5 * (target - step[name].y) ** 2)
    yield Row("L4", "E", "0.298371109", step.loss)
    yield Row("L4", "∂E/∂w5", "0.082167041", step["h1", "o1"].gradient)
    yield Row("L4", "∂E/∂w1", "0.000438568", step["i1", "h1"].gradient)
    hidden = ("0.149780716", "0.19956143", "0.24975114", "0.29950229")
    output = ("0.35891648", "0.408666186", "0.511301270", "0.561370121")
    for k, (expected, weight) in enumerate(zip(hidden + output, net.weights, strict=True), 1):
        yield Row("L4", f"w{k} after one step", expected, float(weight))


def _l4_next_error() -> Iterator[Row]:
    what = "E after one step, "
    net = _l4_net()
    net.step(_X, _T, learning_rate=0.5)
    yield Row("L4", what + "biases frozen", "0.29102777369359933", _l4_error(net))
    yield Row("L4", what + "if δ used updated weights (wrong)", "0.29102792390544197", _l4_wrong_order())
    net = _l4_net(train_biases=True)
    net.step(_X, _T, learning_rate=0.5)
    yield Row("L4", what + "biases trained", "0.28047144679143016", _l4_error(net))


def _l4_wrong_order() -> float:
    """The error after a step with the well-known bug: outputs updated first, then used for the hidden δ."""
    net = _l4_net()
    step = net.step(_X, _T, learning_rate=0.5)
    for hidden in ("h1", "h2"):
        arriving = sum(net[hidden, out].weight * step[out].delta for out in ("o1", "o2"))
        delta = arriving * step[hidden].y * (1 - step[hidden].y)
        for source, x in zip(("i1", "i2"), _X, strict=True):
            net[source, hidden].weight = step[source, hidden].weight - 0.5 * delta * x
    return _l4_error(net)


def _l4_ten_thousand_steps() -> Iterator[Row]:
    net, n = _l4_net(), 10_000
    net.fit(np.tile(_X, (n, 1)), np.tile(_T, (n, 1)), learning_rate=0.5, rng=0, progress=False, snapshots=False)
    first, second = net.forward(_X)
    yield Row("L4", "out_o1 after 10,000 steps", "0.01591362044", float(first))
    # Exactly, in 40-digit arithmetic, 0.984064273514624.
    yield Row("L4", "out_o2 after 10,000 steps", "0.98406427352", float(second), "0.98406427351")


# L2


def _l2_forward() -> Iterator[Row]:
    net = Network(rng=0)
    net.add_inputs("x1", "x2", "x3")
    weights = ([0.1, 0.2, 0.5], [0.2, 0.3, 0.1], [0.1, 0.4, 0.6], [0.2, 0.3, 0.9])
    for k, row in enumerate(weights, 1):
        net.add_neuron(f"h{k}", dict(zip(net.names[:3], row, strict=True)), activation="sigmoid")
    last = {"h1": 0.4, "h2": 1.2, "h3": 4.1, "h4": 0.1}
    net.add_neuron("o", last, activation="sigmoid", bias=1.4)
    net.set_outputs("o")
    (y,) = net.forward([1, 1, 1])
    expected = zip(("0.8", "0.6", "1.1", "1.4"), ("0.689974", "0.645656", "0.750260", "0.802184"), strict=True)
    for k, (z_expected, y_expected) in enumerate(expected, 1):
        yield Row("L2", f"forward pass, z of hidden neuron {k}", z_expected, net[f"h{k}"].z)
        yield Row("L2", f"forward pass, y of hidden neuron {k}", y_expected, net[f"h{k}"].y)
    yield Row("L2", "forward pass, z of the output", "5.6071", net["o"].z)
    yield Row("L2", "forward pass, y of the output", "0.996", float(y))
    yield Row("L2", "forward pass, class", "1", float(y > 0.5))
    yield Row("L2", "forward pass, z from the slide's truncated y", "5.595", _l2_truncated(last))


def _l2_truncated(weights: dict[str, float]) -> float:
    net = Network(rng=0)
    net.add_inputs(*weights)
    net.add_neuron("o", weights, activation="sigmoid", bias=1.4)
    net.set_outputs("o")
    net.forward([0.68, 0.64, 0.75, 0.80])
    return float(net["o"].z)


def _l2_others() -> Iterator[Row]:
    def chain(x: float) -> float:
        u = x**3
        return 7 * u + u**2

    for x in (1, 2):
        slope = numerical_gradient(chain, float(x))
        yield Row("L2", f"chain rule, 21x² + 6x⁵ at x = {x}", f"{21 * x**2 + 6 * x**5}.000", slope)
    net = wiring.layered([784, 256, 128, 10], activation="relu", output="softmax", dtype="float32", rng=0)
    yield Row("L2", "MNIST, parameters of 784-256-128-10", "235146", net.n_parameters)


# L4's gradient descent


def _l4_descent() -> Iterator[Row]:
    def slope(x: float) -> float:
        return 2 * x

    steps = gradient_descent(-4.0, slope, 0.8, 30, tol=0).steps
    for k, expected in enumerate(("2.4", "-1.44", "0.864", "-0.5184", "0.31104"), 1):
        yield Row("L4", f"gradient descent on x², x after {k} steps", expected, steps[k])
    yield Row("L4", "gradient descent on x², x after 30 steps", "-8.84296e-07", steps[30])
    stopped = gradient_descent(-4.0, slope, 0.8, 30)
    yield Row("L4", "gradient descent on x², steps with its default tol", "13", len(stopped.steps) - 1)
    yield Row("L4", "gradient descent on x², x with its default tol", "0.0052243", stopped.x)


# a run of our own


def spirals(directory: str | os.PathLike[str], show: Show) -> dict[str, Any]:
    """Train an arbitrarily wired network on two spirals, and draw it.

    Parameters
    ----------
    directory : str or path
        Gets ``neuronsim-demo.png``, and ``neuronsim-demo.html``, the page of the run.
    show : function of str
        Gets lines for people; what is returned holds the same as values.
    """
    from neuronsim import plots  # matplotlib is slow to load: where something is drawn only

    samples = data.load("spirals", n=600, noise=0.02, rng=0).split(test=0.25, rng=0)
    net = wiring.random_dag(
        n_inputs=2, n_hidden=60, n_outputs=2, in_degree=10, activation="tanh", output="softmax", rng=0
    )
    began = time.perf_counter()
    run: Run = net.fit(
        samples.X,
        samples.T,
        optimizer="adam",
        learning_rate=0.01,
        batch_size=32,
        epochs=150,
        rng=0,
        validation=(samples.X_test, samples.T_test),
    )
    seconds = time.perf_counter() - began
    accuracy = float(run.history["val_accuracy"][-1])
    path = Path(directory) / "neuronsim-demo.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as beside:
        plots.overview(net, run, samples.X, samples.T).savefig(beside, dpi=120)
    page = run.to_html(path.with_suffix(".html"), title="Two spirals on a random wiring")
    show(f"\ntwo spirals on a random wiring: {net.n_neurons} neurons, {net.n_edges} edges, depth {net.depth}")
    show(f"  {run.n_steps:,} steps in {seconds:.1f} s; {100 * accuracy:.1f} % of unseen samples right")
    show(f"  picture: {path}")
    show(f"  page: {page}")
    return {
        "n_neurons": net.n_neurons,
        "n_edges": net.n_edges,
        "depth": net.depth,
        "n_steps": run.n_steps,
        "seconds": seconds,
        "accuracy": accuracy,
        "picture": str(path),
        "page": str(page),
    }
