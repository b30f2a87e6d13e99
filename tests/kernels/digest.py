"""Print one digest of all that was trained in every way there is, then one of each part of each run.

Run by test_same_bits.py with other processors' features.
"""

import hashlib
import sys

import numpy as np

import neuronsim as ns


def train(dtype: str, threads: int | None) -> list[list[bytes]]:
    """Weights, biases, slopes, outputs and history of a few runs."""
    trained = []
    rng = np.random.default_rng(7)
    X = rng.normal(size=(300, 12))
    classes = rng.integers(0, 5, 300)
    T = rng.random((300, 5))
    layered = ns.wiring.layered([12, 40, 24, 5], activation="gelu", output="softmax", dtype=dtype, rng=1)
    irregular = ns.wiring.random_dag(
        n_inputs=12, n_hidden=60, n_outputs=5, in_degree=9, activation="tanh", output="sigmoid", dtype=dtype, rng=2
    )
    mixed = ns.wiring.shortcut([12, 20, 5], activation="prelu", output="sine", dtype=dtype, rng=3)
    tiny = ns.wiring.random_dag(12, 20, 5, in_degree=6, activation="sigmoid", output="tanh", dtype=dtype, rng=4)
    names = ["elu", "selu", "softplus", "softsign", "silu", "gaussian", "scaled_tanh", "sigmoid", "sine", "tanh"]
    for i, name in enumerate(names):
        mixed.add_neuron(f"extra{i}", ["x0", "x3", "h1.2"], activation=name)
    settings = [
        (layered, classes, {"batch_size": 64, "optimizer": "momentum", "loss": "cross_entropy"}),
        (layered, classes, {"batch_size": 1, "optimizer": "sgd"}),
        (irregular, T, {"batch_size": 1, "loss": "mean_squared_error"}),
        (tiny, T, {"batch_size": 1, "loss": "half_squared_error", "learning_rate": 0.1}),
        (irregular, T, {"batch_size": 50, "optimizer": "adam", "loss": "binary_cross_entropy", "clip_norm": 0.5}),
        (irregular, T, {"batch_size": 1, "optimizer": "rmsprop", "loss": "huber", "learning_rate": 0.001}),
        (mixed, T, {"batch_size": None, "optimizer": "nesterov", "loss": "l2_norm", "weight_decay": 0.01}),
        (mixed, T, {"batch_size": 7, "optimizer": "rprop", "loss": "mean_squared_error"}),
        (mixed, T, {"batch_size": 7, "learning_rate": ns.schedules.Cosine(0.01, 5, per="epoch"), "evaluate": True}),
    ]
    for net, targets, options in settings:
        options = {"learning_rate": 0.01} | options
        if options["batch_size"] != 1:
            options["threads"] = threads
        run = net.fit(X, targets, epochs=2, rng=5, validation=(X[:50], targets[:50]), **options)
        arrays = (net.weights, net.biases, net.slopes, net.forward(X))
        history = {name: values for name, values in run.history.items() if name != "seconds"}
        trained.append([*(values.tobytes() for values in arrays), repr(sorted(history.items())).encode()])
    return trained


if __name__ == "__main__":
    asked = int(sys.argv[1]) if len(sys.argv) > 1 else None
    runs = {dtype: train(dtype, asked) for dtype in ("float64", "float32")}
    print(*(hashlib.sha256(b"".join(part for run in trained for part in run)).hexdigest() for trained in runs.values()))
    for dtype, trained in runs.items():
        for run in trained:
            print(dtype, *(hashlib.sha256(part).hexdigest()[:16] for part in run))
