"""L2: handwritten digits by a 784-256-128-10 net with softmax and cross-entropy, 235,146 parameters.

The slide claims an error rate below 0.5 %; this prints what the net really reaches.

    python examples/mnist.py DIRECTORY [EPOCHS]

DIRECTORY holds the four files of MNIST, gzipped or not. `neuronsim run examples/mnist.toml` does the same.
"""

import sys
import time
from pathlib import Path

import numpy as np

import neuronsim as ns


def read(directory: str, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images as rows of numbers from 0 to 1, shape (n, 784), and their digits, shape (n,)."""
    images = ns.data.read_idx(found(directory, f"{part}-images-idx3-ubyte"))
    labels = ns.data.read_idx(found(directory, f"{part}-labels-idx1-ubyte"))
    return images.reshape(len(images), -1).astype(np.float32) / 255, labels.astype(np.int32)


def found(directory: str, name: str) -> Path:
    zipped = Path(directory) / f"{name}.gz"
    return zipped if zipped.exists() else zipped.with_suffix("")


def main(directory: str, epochs: str = "20") -> None:
    X, T = read(directory, "train")
    X_test, T_test = read(directory, "t10k")
    net = ns.wiring.layered([784, 256, 128, 10], activation="relu", output="softmax", dtype="float32", rng=0)
    print(f"{len(X):,} images to learn from, {len(X_test):,} to test on; {net.n_parameters:,} parameters")

    began = time.perf_counter()
    run = net.fit(
        X,
        T,
        optimizer="momentum",
        learning_rate=0.05,
        momentum=0.9,
        batch_size=64,
        epochs=int(epochs),
        validation=(X_test, T_test),
        rng=0,
    )
    seconds = time.perf_counter() - began
    print("epoch   loss   right of the test images")
    for epoch, (loss, right) in enumerate(zip(run.history["loss"], run.history["val_accuracy"], strict=True), 1):
        print(f"{epoch:5} {loss:7.4f} {right:8.2%}")
    error = 1 - net.evaluate(X_test, T_test).accuracy
    print(f"error rate {error:.2%} after {run.n_steps:,} steps in {seconds:.1f} s; the slide claims below 0.5 %")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
