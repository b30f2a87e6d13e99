"""L1 and L4: the ways of six optimisers down a ravine, off a saddle, and among several minima.

``python examples/surfaces.py surfaces.png`` draws them.
"""

import sys

import numpy as np
from matplotlib.figure import Figure

import neuronsim as ns

RATES = {"sgd": 0.02, "momentum": 0.02, "nesterov": 0.02, "rmsprop": 0.05, "adam": 0.1, "rprop": 0.05}
COLORS = dict(zip(RATES, ("#222222", "#d9761a", "#8f3a00", "#2f7fc1", "#009e73", "#cc79a7"), strict=True))

# name: f, its gradient, the start, and what is drawn: x from, to, y from, to
SURFACES = {
    "a ravine: ½ (x² + 30 y²)": (
        lambda x, y: 0.5 * (x * x + 30 * y * y),
        lambda p: np.array([p[0], 30 * p[1]]),
        (-3.0, 0.7),
        (-3.5, 1.5, -1.2, 1.2),
    ),
    "a saddle: ½ (x² − y²)": (
        lambda x, y: 0.5 * (x * x - y * y),
        lambda p: np.array([p[0], -p[1]]),
        (-2.0, 0.001),
        (-2.5, 1.5, -1.5, 1.5),
    ),
    "several minima: (x² − 1)² + y² + 0.3 x": (
        lambda x, y: (x * x - 1) ** 2 + y * y + 0.3 * x,
        lambda p: np.array([4 * p[0] * (p[0] ** 2 - 1) + 0.3, 2 * p[1]]),
        (1.9, 1.2),
        (-2.0, 2.2, -1.4, 1.6),
    ),
}


def ways() -> dict[str, dict[str, np.ndarray]]:
    """The points that each optimiser visits on each surface, (n_steps, 2)."""
    found = {}
    for name, (_, gradient, start, _) in SURFACES.items():
        found[name] = {
            optimizer: np.array(ns.gradient_descent(start, gradient, rate, 150, tol=1e-9, optimizer=optimizer).steps)
            for optimizer, rate in RATES.items()
        }
    return found


def draw(found: dict[str, dict[str, np.ndarray]], path: str) -> None:
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    for axes, (name, (f, _, _, (left, right, low, high))) in zip(figure.subplots(1, 3), SURFACES.items(), strict=True):
        x, y = np.meshgrid(np.linspace(left, right, 200), np.linspace(low, high, 200))
        axes.contour(x, y, f(x, y), 25, colors="#c8c8c8", linewidths=0.7)
        for optimizer, way in found[name].items():
            axes.plot(*way.T, "o-", color=COLORS[optimizer], label=optimizer, markersize=2, linewidth=1.2)
        axes.set(title=name, xlim=(left, right), ylim=(low, high))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=len(RATES), frameon=False)
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    found = ways()
    for name, of_each in found.items():
        f = SURFACES[name][0]
        print(name)
        for optimizer, way in of_each.items():
            x, y = way[-1]
            print(f"  {optimizer:<10} {len(way) - 1:3} steps to ({x:6.2f}, {y:6.2f}), f = {f(x, y):.4g}")
    if len(sys.argv) > 1:
        draw(found, sys.argv[1])
