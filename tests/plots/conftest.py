"""A run that pictures are made of."""

import pytest
from pictures import T, X

import neuronsim as ns


@pytest.fixture(scope="module")
def run() -> ns.Run:
    net = ns.wiring.layered([2, 3, 1], activation="sigmoid", rng=0)
    return net.fit(X, T, epochs=10, learning_rate=0.5, rng=0)
