"""Forward and backward passes from the formulas, neurons side by side."""

import numpy as np
import pytest

import neuronsim as ns
from neuronsim.formulas.losses import LOSSES
from neuronsim.formulas.reference import ReferenceNetwork
from neuronsim.verifying.layout import Layout
from neuronsim.verifying.passes import Given, Passes


def test_the_reference_agrees_with_our_own_formulas():
    """The right hypothesis is the reference's gradient, on a net with a skip and a prelu."""
    net = ns.Network(rng=3)
    net.add_inputs("x")
    net.add_neuron("p", {"x": -1.2}, activation="prelu", slope=0.3)
    net.add_neuron("y", {"p": 0.7, "x": 0.4}, activation="tanh")
    net.set_outputs("y", "p")
    layout = Layout(net.graph)
    flat = layout.flat(net.weights, net.biases, net.slopes)
    X, T = np.array([[0.5], [-0.3]]), np.array([[0.1, 0.2], [0.3, -0.4]])
    passes = Passes(layout, Given.of(net.graph, flat, X, T, LOSSES["squared_error"], 0.1, True))
    gradients = ReferenceNetwork.from_network(net).gradients(X.tolist(), T.tolist(), "squared_error")
    expected = [*gradients.weights.values(), *gradients.biases.values(), *gradients.slopes.values()]
    assert passes.gradient().values == pytest.approx(expected, rel=1e-13)
