"""L3 and L4: all samples at once, mini-batches, one by one, and momentum: 16 seeds each, beside each other.

``python examples/batches.py batches.png`` draws the losses by epoch.
"""

import sys

import numpy as np

import neuronsim as ns

WAYS = {
    "all at once": {"batch_size": None, "learning_rate": 0.5},
    "batches of 16": {"batch_size": 16, "learning_rate": 0.1},
    "one by one": {"batch_size": 1, "learning_rate": 0.02},
    "batches of 16, momentum": {"batch_size": 16, "learning_rate": 0.05, "optimizer": "momentum"},
}


def runs(epochs: int, seeds: range) -> dict[str, list[ns.Run]]:
    """A run for each way and seed."""
    data = ns.data.load("moons", n=300, noise=0.15)
    found: dict[str, list[ns.Run]] = {}
    for name, how in WAYS.items():
        found[name] = []
        for seed in seeds:
            net = ns.wiring.layered([2, 12, 2], output="softmax", rng=seed)
            found[name].append(net.fit(*data, epochs=epochs, rng=seed, snapshots=False, evaluate=True, **how))
    return found


if __name__ == "__main__":
    found = runs(60, range(16))
    for name, of_seeds in found.items():
        losses = [run.history["data_loss"][-1] for run in of_seeds]
        low, middle, high = np.percentile(losses, [25, 50, 75])
        print(f"{name:<24} {of_seeds[0].n_steps:6,} steps: loss {middle:.4f} (25 to 75 %: {low:.4f} to {high:.4f})")
    if len(sys.argv) > 1:
        curves = {
            name: [(np.array(run.history["epoch"]) + 1.0, np.array(run.history["data_loss"])) for run in of_seeds]
            for name, of_seeds in found.items()
        }
        ns.plot.bands(curves, "epochs", "loss").save(sys.argv[1], dpi=80)
