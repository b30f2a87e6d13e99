"""What real programs do otherwise than the lectures: each is named, with its numbers."""

import numpy as np
import pytest

import neuronsim as ns

X, T = np.random.default_rng(2).normal(size=(4, 3)), np.random.default_rng(3).random((4, 3))
RATE = 0.3


@pytest.fixture
def net():
    net = ns.wiring.layered([3, 4, 5, 3], activation="tanh", output="sigmoid", rng=1)
    net.biases[3:] = np.random.default_rng(5).normal(size=12)
    return net


def step(net, change=lambda g, p, layer: g, *, taken=None, rate=RATE):
    """(weights, biases) after p - μ change(g, p, layer), g being the gradient of ``taken``."""
    g = (net if taken is None else taken).gradients(X, T)
    layers = np.repeat([1, 2, 3], [12, 20, 15]), np.repeat([1, 2, 3], [4, 5, 3])
    of = ((g.weights, net.weights), (g.biases[3:], net.biases[3:]))
    return tuple(p - rate * change(g, p, layer) for (g, p), layer in zip(of, layers, strict=True))


def is_bias(layer):
    return len(layer) == 12


def sums_by_layer(g, p, layer):
    return np.array([g[layer == k].sum() for k in layer]) if is_bias(layer) else g


OTHERWISE = {
    "weight decay of 0.02": lambda g, p, layer: g + 0.02 * p * (not is_bias(layer)),
    "weight decay of 0.02, on biases, too": lambda g, p, layer: g + 0.02 * p,
    "weight decay of 0.02; twice the gradient (the loss's ½ left out)": (
        lambda g, p, layer: 2.0 * g + 0.02 * p * (not is_bias(layer))
    ),
    "one number for all biases of a layer, the sum of their gradients": sums_by_layer,
    "biases moved once per incoming weight": (
        lambda g, p, layer: g * np.array([3, 4, 5])[layer - 1] if is_bias(layer) else g
    ),
    "biases summed instead of averaged": lambda g, p, layer: 4.0 * g if is_bias(layer) else g,
    "the learning rate applied again in hidden layers": lambda g, p, layer: g * np.where(layer == 3, 1.0, RATE),
    "the learning rate applied again in each layer on the way back": lambda g, p, layer: g * RATE ** (3 - layer),
    "divided by the number of samples again in hidden layers": lambda g, p, layer: g * np.where(layer == 3, 1.0, 0.25),
    "first step of adam": lambda g, p, layer: g / (np.abs(g) + 1e-8),
    "first step of adam as in Keras": lambda g, p, layer: g / (np.abs(g) + 1e-7 / np.sqrt(1e-3)),
    "first step of rmsprop as in Keras": lambda g, p, layer: g / np.sqrt(0.1 * g * g + 1e-7),
    "first step of adagrad: 1 g / √(g² + 0.3)": lambda g, p, layer: g / np.sqrt(g * g + 0.3),
    "first step of adam or adagrad: 1 g / (|g| + 0.002)": lambda g, p, layer: g / (np.abs(g) + 0.002),
    "first step of rprop, or the gradient's sign alone, by 0.12": lambda g, p, layer: np.sign(g) * 0.4,
    "first step of adam, and decoupled weight decay of 0.01": (
        lambda g, p, layer: g / (np.abs(g) + 1e-8) + 0.01 * p * (not is_bias(layer))
    ),
    "each gradient clipped to 0.005": lambda g, p, layer: np.clip(g, -0.005, 0.005),
    "layer 2 b: 4.4 ×; layer 3 W: 2.2 ×; everything else right": (
        lambda g, p, layer: g * np.where(layer == (2 if is_bias(layer) else 3), 4.4 if is_bias(layer) else 2.2, 1.0)
    ),
    "layer 1 W: not moved; layer 3 b: -1 ×; everything else right": (
        lambda g, p, layer: g * np.where(layer == (3 if is_bias(layer) else 1), -1.0 if is_bias(layer) else 0.0, 1.0)
    ),
}


@pytest.mark.parametrize("rule", OTHERWISE)
def test_rules_and_handling(net, rule):
    found = net.check_foreign(X, T, step(net, OTHERWISE[rule]), learning_rate=RATE)
    assert found.rule == rule, found
    assert not found.ok


def test_blocks_that_are_wrong_are_listed(net):
    found = net.check_foreign(
        X, T, step(net, lambda g, p, layer: g * np.where(layer == 2, 1.7, 1.0)), learning_rate=RATE
    )
    assert found.where == ("layer 2 W", "layer 2 b")
    assert [part.what for part in found.by_block] == ["right", "right", "1.7 ×", "1.7 ×", "right", "right"]
    assert "by block: layer 2 W: 1.7 ×; layer 2 b: 1.7 ×; everything else right" in str(found)
    assert found.as_dict()["where"] == ["layer 2 W", "layer 2 b"]


def test_a_guess_is_made_only_where_it_explains_something(net):
    noise = np.random.default_rng(0)
    found = net.check_foreign(X, T, step(net, lambda g, p, layer: noise.normal(size=g.shape)), learning_rate=RATE)
    assert found.rule == "unknown"
    assert str(found).startswith("unknown: no rule fits, and none comes near")


@pytest.mark.parametrize(
    ("only_weights", "rule"), [(False, "momentum of 0.8"), (True, "momentum of 0.8 on weights only")]
)
def test_momentum(net, only_weights, rule):
    second = net.copy()
    second.weights[:], second.biases[3:] = step(net)
    w, b = step(second)
    velocity = second.weights - net.weights, (second.biases - net.biases)[3:]
    after = w + 0.8 * velocity[0], b + 0.8 * velocity[1] * (not only_weights)
    assert second.check_foreign(X, T, after, learning_rate=RATE, previous=net).rule == rule


@pytest.mark.parametrize(
    ("hidden", "last", "rule"),
    [
        ("sigmoid", "sigmoid", "hidden neurons are sigmoid"),
        ("tanh", "identity", "outputs are identity"),
        ("relu", "relu", "all neurons are relu"),
    ],
)
def test_another_activation_than_was_said(net, hidden, last, rule):
    other = ns.wiring.layered([3, 4, 5, 3], activation=hidden, output=last, rng=1)
    other.weights[:], other.biases[:] = net.weights, net.biases
    assert rule in net.check_foreign(X, T, step(net, taken=other), learning_rate=RATE).fits


@pytest.mark.parametrize("steepness", [0.5, 0.37])
def test_steepness(steepness):
    """f(s z) is f with all weights and biases times s, and a gradient times s."""
    net = ns.wiring.layered([3, 4, 5, 3], activation="tanh", rng=1)
    other = net.copy()
    other.weights *= steepness
    found = net.check_foreign(X, T, step(net, lambda g, p, layer: steepness * g, taken=other), learning_rate=RATE)
    assert found.rule == f"all neurons are of steepness {steepness}"


@pytest.mark.parametrize(("loss", "rule"), [("huber", "right"), ("l2_norm", "the loss is another: l2_norm")])
def test_another_loss_than_was_said(net, loss, rule):
    after = net.copy()
    after.fit(X, T, loss=loss, batch_size=None, learning_rate=RATE)
    assert net.check_foreign(X, T, after, learning_rate=RATE).rule == rule


def test_cross_entropys_way_back_is_said_of_a_missing_derivative(net):
    after = net.copy()
    after.fit(X, T, loss="binary_cross_entropy", batch_size=None, learning_rate=RATE)
    found = net.check_foreign(X, T, after, learning_rate=RATE)
    assert found.fits == ("derivative missing at the output", "the loss is another: binary_cross_entropy")


def test_transposed_matrices(net):
    w, b = step(net)
    shapes, ends = [(4, 3), (5, 4), (3, 5)], [0, 12, 32, 47]
    turned = [w[i:j].reshape(shape).T.ravel() for i, j, shape in zip(ends, ends[1:], shapes, strict=False)]
    found = net.check_foreign(X, T, (np.concatenate(turned), b), learning_rate=RATE)
    assert found.rule == "the matrices after are transposed: give W.T.ravel()"


class TestLowPrecision:
    """A program that looks its sigmoid up in a table is right to some tenths of a percent."""

    def after(self, net, off):
        noise = np.random.default_rng(1)
        return step(net, lambda g, p, layer: g + off * np.abs(g) * noise.uniform(-1.0, 1.0, size=g.shape))

    def test_right_to_what_is_allowed(self, net):
        found = net.check_foreign(X, T, self.after(net, 0.002), learning_rate=RATE, rtol=0.003)
        assert found.ok
        assert found.rule.startswith("right to 0.")
        found.assert_ok()
        assert net.check_foreign(X, T, self.after(net, 0.002), learning_rate=RATE).rule == "unknown"

    def test_mistakes_are_named_all_the_same(self, net):
        wrong = step(net, lambda g, p, layer: 2.0 * g * (1.0 + 0.001 * np.sign(g)))
        found = net.check_foreign(X, T, wrong, learning_rate=RATE, rtol=0.003)
        assert found.rule == "twice the gradient (the loss's ½ left out)"

    def test_of_what_was_computed_in_float32(self, net):
        found = net.check_foreign(X, T, self.after(net, 1e-7), learning_rate=RATE)
        assert (found.rule, found.ok) == ("right (as float32 computes)", True)


@pytest.mark.parametrize("rtol", [-0.1, 1.0, float("nan")])
def test_rtol_is_a_part(net, rtol):
    with pytest.raises(ns.NeuronsimError, match="a part of the step"):
        net.check_foreign(X, T, net, learning_rate=RATE, rtol=rtol)
