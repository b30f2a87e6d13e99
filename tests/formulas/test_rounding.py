"""The yardstick for rounding: large enough for any order of summation, and no larger than it must be."""

import random

import pytest

from neuronsim.formulas import activations, losses
from neuronsim.formulas.neurons import Neuron
from neuronsim.formulas.reference import ReferenceNetwork
from neuronsim.formulas.rounding import gradient_absolute_sums, signal_absolute_sums

NAMES = [a.name for a in activations.ACTIVATIONS.values() if a.code < 16]
EPS = 2.0**-53


def random_neurons(draw, last):
    inputs, neurons = ["x0", "x1", "x2"], {}
    for k in range(20):
        earlier = [*inputs, *neurons]
        sources = draw.sample(earlier, min(len(earlier), 6))
        neurons[f"n{k}"] = Neuron(
            {b: draw.gauss(0, 1) for b in sources}, draw.choice(NAMES), draw.gauss(0, 1), draw.uniform(0.1, 0.9)
        )
    for k in range(3):
        neurons[f"o{k}"] = Neuron({b: draw.gauss(0, 1) for b in draw.sample(list(neurons)[:20], 9)}, last)
    return inputs, neurons, ["o0", "o1", "o2"]


def shuffled(draw, neurons):
    """The same neurons with their sources in another order."""
    result = {}
    for a, n in neurons.items():
        weights = list(n.weights.items())
        draw.shuffle(weights)
        result[a] = Neuron(dict(weights), n.activation, n.bias, n.slope)
    return result


@pytest.mark.parametrize("loss", losses.LOSSES)
@pytest.mark.parametrize("last", ["sigmoid", "softmax"])
@pytest.mark.parametrize("seed", range(4))
def test_another_order_of_summation_stays_within_a_few_roundings(loss, last, seed):
    draw = random.Random(seed)
    inputs, neurons, outputs = random_neurons(draw, last)
    x = [draw.gauss(0, 1) for _ in inputs]
    t = [draw.random() for _ in outputs]
    net = ReferenceNetwork(inputs, neurons, outputs)
    other = ReferenceNetwork(inputs, shuffled(draw, neurons), outputs)
    a, b = net.signals(x, t, loss), other.signals(x, t, loss)
    m = signal_absolute_sums(net, a, t, losses.LOSSES[loss])
    for what in ("z", "y", "error", "delta"):
        for key, value in getattr(a, what).items():
            bound = getattr(m, what)[key]
            assert abs(value) <= bound * (1 + 1e-12) + 1e-300
            assert abs(getattr(b, what)[key] - value) <= 20 * EPS * bound, (what, key)
    assert abs(a.loss - b.loss) <= 20 * EPS * m.loss
    bounds = gradient_absolute_sums(net, a, m)
    ours, theirs = net.sample_gradients(a), other.sample_gradients(b)
    assert set(bounds) == set(ours)
    for p, bound in bounds.items():
        assert abs(ours[p]) <= bound * (1 + 1e-12) + 1e-300
        assert abs(ours[p] - theirs[p]) <= 40 * EPS * bound, p


def test_a_sum_has_the_magnitude_of_its_terms():
    net = ReferenceNetwork(["x"], {"y": Neuron({"x": -2.0}, "identity", bias=5.0)}, ["y"])
    s = net.signals([3.0], [1.0])
    m = signal_absolute_sums(net, s, [1.0], losses.LOSSES["half_squared_error"])
    assert (s.z["y"], m.z["y"]) == (-1.0, 11.0)
