"""Networks and data that several files test with."""

import numpy as np

import neuronsim as ns

N = 14

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
    """Skip edges, bundles, learned slopes, a neuron without sources, a dead end, an output that feeds others, an input
    that is an output."""
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


def data_of(net: ns.Network, n: int = N, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, net.n_inputs)), rng.normal(size=(n, net.n_outputs))


def bits(net: ns.Network) -> bytes:
    return net.weights.tobytes() + net.biases.tobytes() + net.slopes.tobytes()
