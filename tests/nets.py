"""Networks, data and runs that several files test with."""

import warnings

import numpy as np
import pytest

import neuronsim as ns
from neuronsim.training.trainer import Trainer

N = 14
X222, T222 = (0.05, 0.10), (0.01, 0.99)  # the sample of L4's net

OPTIMIZERS = {
    "sgd": {"learning_rate": 0.1},
    "momentum": {"learning_rate": 0.02, "momentum": 0.8},
    "nesterov": {"learning_rate": 0.02},
    "rmsprop": {"learning_rate": 0.01},
    "adam": {"learning_rate": 0.02},
    "adamw": {"learning_rate": 0.02},
    "rprop": {"learning_rate": 0.01},
}


def awkward_net(dtype: str = "float64", seed: int = 1, output: str = "identity") -> ns.Network:
    """What kernels must not stumble over.

    Skip edges, bundles, learned slopes, a neuron without sources, a dead end, an output that feeds others, an input
    that is an output.
    """
    net = ns.Network(dtype, rng=seed)
    net.add_inputs("x0", "x1", "x2")
    net.add_neuron("bias", activation="sine", bias=0.4)
    for i in range(4):
        net.add_neuron(f"h{i}", ["x0", "x1", "x2"], activation="tanh", bias=0.1 * i)
    net.add_neuron("p0", ["h*", "x1"], activation="prelu", bias=0.3)
    net.add_neuron("p1", ["h*", "x1"], activation="prelu", slope=-0.4)
    for i, activation in enumerate(["sigmoid", "gelu", "softplus"]):
        net.add_neuron(f"g{i}", ["x*", "bias", "h*", "p*"], activation=activation, bias=-0.2)
    net.add_neuron("dead", ["h0", "x2"])
    net.add_neuron("y0", ["g*", "h1"], activation=output, bias=0.2)
    net.add_neuron("y1", ["g0", "p1", "x0"], activation=output)
    net.set_outputs(*(["y1", "y0"] if output == "softmax" else ["y1", "h2", "x1", "y0"]))
    return net


def net_222(dtype: str = "float64", *, frozen: bool = True) -> ns.Network:
    """L4's net; its biases are not trained."""
    net = ns.Network(dtype, rng=0)
    net.add_inputs("i1", "i2")
    net.add_neuron("h1", {"i1": 0.15, "i2": 0.20}, activation="sigmoid", bias=0.35)
    net.add_neuron("h2", {"i1": 0.25, "i2": 0.30}, activation="sigmoid", bias=0.35)
    net.add_neuron("o1", {"h1": 0.40, "h2": 0.45}, activation="sigmoid", bias=0.60)
    net.add_neuron("o2", {"h1": 0.50, "h2": 0.55}, activation="sigmoid", bias=0.60)
    net.set_outputs("o1", "o2")
    if frozen:
        net.freeze(biases=True)
    return net


def mixed_net(loss: str = "half_squared_error", last: str = "tanh", dtype: str = "float64") -> ns.Network:
    """A skip, a prelu, an output that feeds, an input that is an output, a neuron without sources and a lost one."""
    net = ns.Network(dtype, rng=3)
    net.add_inputs("x0", "x1")
    net.add_neuron("p", {"x0": -1.2, "x1": 0.4}, activation="prelu", bias=-0.1, slope=0.3)
    net.add_neuron("c", activation="identity", bias=0.7)
    net.add_neuron("m", {"p": 0.8, "c": -0.5, "x1": 0.3}, activation="gelu", bias=0.2)
    net.add_neuron("lost", {"m": 1.0}, activation="tanh")
    net.add_neuron("o0", {"m": 0.9, "p": -0.7}, activation=last, bias=0.1)
    net.add_neuron("o1", {"m": -0.4, "x0": 0.6}, activation=last)
    unbounded = last != "softmax" and loss == "half_squared_error"
    net.set_outputs("o0", "o1", *(("m", "x1") if unbounded else ()))
    return net


def small_net(dtype: str = "float64") -> ns.Network:
    """All that a file has to keep: missing weights, frozen and scaled parameters, a name with every kind of sign."""
    net = ns.Network(dtype, rng=7, init="he")
    net.add_inputs("i1", "i2")
    net.add_neuron("h1", {"i1": 0.15, "i2": 0.20}, activation="sigmoid", bias=0.35)
    net.add_neuron("δ 'prelu' \"x\"", ["i1", "h1"], activation="prelu")
    net.add_neuron("o1", {"h1": 1 / 3}, activation="identity", bias=-0.0)
    net.connect("i2", "o1")
    net.set_outputs("o1", "h1")
    net.freeze("h1")
    net.freeze(edges=[("h1", "o1")])
    net.scale_rate("o1", 0.1)
    return net


def net_with_rates(dtype: str = "float64") -> ns.Network:
    """`mixed_net` with a frozen edge and a rate."""
    net = mixed_net(dtype=dtype)
    net.freeze(edges=[("c", "m")])
    net.scale_rate("o1", 0.5)
    return net


def classes_net(*hidden: int, n: int = 30, dtype: str = "float64") -> tuple[ns.Network, np.ndarray, np.ndarray]:
    """Layers that sort samples into three classes, and n samples: X (n, 3), class numbers (n,)."""
    net = ns.wiring.layered([3, *hidden, 3], activation="tanh", output="softmax", dtype=dtype, rng=1)
    rng = np.random.default_rng(0)
    return net, rng.normal(size=(n, 3)), rng.integers(0, 3, n)


def data_of(net: ns.Network, n: int = N, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, net.n_inputs)), rng.normal(size=(n, net.n_outputs))


def bits(net: ns.Network) -> bytes:
    return net.weights.tobytes() + net.biases.tobytes() + net.slopes.tobytes()


def history_of(run: ns.Run) -> dict[str, list[float]]:
    """The history, without what depends on the clock."""
    return {name: values for name, values in run.history.items() if name != "seconds"}


def fix_chunks(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    """Chunks of exactly so many steps."""
    monkeypatch.setattr(Trainer, "_adapt", lambda self, n, seconds: setattr(self, "chunk", length))


def chain_of(weights, activation="identity", dtype="float64"):
    """x → h0 → h1 → …, one neuron after the other; the last one is the output."""
    net = ns.Network(dtype)
    net.add_inputs("x")
    source = "x"
    for k, w in enumerate(weights):
        net.add_neuron(f"h{k}", {source: w}, activation=activation)
        source = f"h{k}"
    net.set_outputs(source)
    return net


def diverging(net, X, T, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ns.DivergenceWarning)
        run = net.fit(X, T, rng=0, **settings)
    assert run.status == "diverged"
    return run


def blobs(n=200, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    T = rng.integers(0, n_classes, n)
    centres = 3.0 * rng.normal(size=(n_classes, 4))
    return centres[T] + rng.normal(size=(n, 4)), T
