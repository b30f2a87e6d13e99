"""A run on images, which a page folds."""

import numpy as np
import pytest

import neuronsim as ns
from neuronsim import wiring
from neuronsim.run import Run


@pytest.fixture(scope="module")
def image_run() -> Run:
    """784 inputs that are images."""
    rng = np.random.default_rng(0)
    net = wiring.layered([784, 40, 10], activation="relu", output="softmax", dtype="float32", rng=0)
    return net.fit(
        rng.uniform(size=(60, 784)), rng.integers(0, 10, 60), learning_rate=0.01, epochs=2, rng=0,
        monitors=ns.Monitor("h1.7", "y"),
    )  # fmt: skip
