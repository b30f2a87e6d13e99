"""L4: errors that vanish or explode on their way back: the size of δ by depth, for four ways to begin.

``python examples/vanishing.py vanishing.png`` draws it.
"""

import sys

import numpy as np
from matplotlib.figure import Figure

import neuronsim as ns

N_LAYERS, WIDTH = 20, 32


def deltas(activation: str, weight: float | None) -> list[float]:
    """The root of the mean δ² of each layer before training; weights as they are drawn, or normal × ``weight``."""
    net = ns.wiring.layered([8, *[WIDTH] * N_LAYERS, 1], activation=activation, output="identity", rng=0)
    rng = np.random.default_rng(0)
    if weight is not None:
        net.weights = weight * rng.standard_normal(net.n_edges)
    X, T = rng.normal(size=(64, 8)), rng.normal(size=(64, 1))
    run = net.fit(X, T, batch_size=None, learning_rate=1e-12, rng=0)
    return [level.delta for level in run.diagnose().levels]


WAYS = {
    "sigmoid, drawn by Glorot": ("sigmoid", None),
    "tanh, weights of 0.1": ("tanh", 0.1),
    "relu, drawn by He": ("relu", None),
    "relu, weights of 0.4": ("relu", 0.4),
}

if __name__ == "__main__":
    found = {name: deltas(*way) for name, way in WAYS.items()}
    for name, sizes in found.items():
        per_layer = (sizes[0] / sizes[-1]) ** (1 / (len(sizes) - 1))
        first, last = (f"{size:.2e}" for size in (sizes[0], sizes[-1]))
        print(f"{name:<26} δ of the first layer {first}, of the output {last}: × {per_layer:.3f} a layer")
    if len(sys.argv) > 1:
        figure = Figure(figsize=(7.2, 4.2), layout="constrained")
        axes = figure.subplots()
        for (name, sizes), color in zip(found.items(), ("#d9761a", "#2f7fc1", "#009e73", "#cc79a7"), strict=True):
            axes.semilogy(range(1, len(sizes) + 1), sizes, "o-", color=color, label=name, markersize=4)
        axes.set(xlabel="layer", ylabel="root of the mean δ²")
        axes.set_xticks(range(1, N_LAYERS + 2, 2))
        axes.legend(frameon=False)
        axes.grid(color="#e3e3e3")
        figure.savefig(sys.argv[1], dpi=80)
