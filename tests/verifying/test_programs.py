"""Programs given as functions: parameters, gradients, changes in place, momentum from the second step on."""

import numpy as np
import pytest

import neuronsim as ns
from neuronsim.errors import SettingError

X, T = np.random.default_rng(1).uniform(-1, 1, (4, 3)), np.random.default_rng(2).uniform(0.1, 0.9, (4, 2))
RATE = 0.5


@pytest.fixture
def net():
    return ns.wiring.layered([3, 4, 2], activation="sigmoid", rng=0)


def gradients(parameters, X, T):
    (w1, b1), (w2, b2) = parameters
    h = 1 / (1 + np.exp(-(X @ w1.T + b1)))
    y = 1 / (1 + np.exp(-(h @ w2.T + b2)))
    d2 = (y - T) * y * (1 - y) / len(X)
    d1 = d2 @ w2 * h * (1 - h)
    return [(d1.T @ X, d1.sum(axis=0)), (d2.T @ h, d2.sum(axis=0))]


def step(parameters, X, T):
    g = gradients(parameters, X, T)
    return [(w - RATE * dw, b - RATE * db) for (w, b), (dw, db) in zip(parameters, g, strict=True)]


def in_place(parameters, X, T):
    for (w, b), (dw, db) in zip(parameters, gradients(parameters, X, T), strict=True):
        w -= RATE * dw
        b -= RATE * db


def test_steps_gradients_and_changes_in_place(net):
    before = net.weights.copy()
    for function in (step, gradients, in_place):
        verdict = net.check_foreign(X, T, function, learning_rate=RATE)
        assert verdict.rule == "right", function
    assert net.check_foreign(X, T, gradients).ok
    assert (net.weights == before).all()


def test_mistakes(net):
    def doubled(parameters, X, T):
        return [(2 * w, 2 * b) for w, b in gradients(parameters, X, T)]

    assert net.check_foreign(X, T, doubled).rule.startswith("twice the gradient")
    assert net.check_foreign(X, T, lambda p, X, T: p, learning_rate=RATE).rule == "no step"


def test_momentum_shows_from_the_second_step_on(net):
    velocity = [0.0, 0.0, 0.0, 0.0]

    def with_momentum(parameters, X, T):
        flat = [a for pair in gradients(parameters, X, T) for a in pair]
        velocity[:] = [0.9 * v - RATE * g for v, g in zip(velocity, flat, strict=True)]
        return [a + v for a, v in zip([a for pair in parameters for a in pair], velocity, strict=True)]

    assert net.check_foreign(X, T, with_momentum, learning_rate=RATE).rule == "momentum of 0.9"


def test_decay_shows_at_once(net):
    def with_decay(parameters, X, T):
        g = gradients(parameters, X, T)
        return [(w - RATE * (dw + 0.01 * w), b - RATE * db) for (w, b), (dw, db) in zip(parameters, g, strict=True)]

    assert net.check_foreign(X, T, with_decay, learning_rate=RATE).rule == "weight decay of 0.01"


def test_other_wirings_get_rows(net):
    net = ns.wiring.shortcut([3, 4, 2], rng=0)

    def function(parameters, X, T):
        weights, biases = parameters
        assert weights.shape == (net.n_edges,)
        assert biases.shape == (net.n_neurons,)
        g = net.gradients(X, T)
        return g.weights, g.biases

    assert net.check_foreign(X, T, function).ok


def test_what_does_not_go_together(net):
    with pytest.raises(SettingError, match="neither gradients= nor previous="):
        net.check_foreign(X, T, step, learning_rate=RATE, previous=(net.weights, net.biases))
