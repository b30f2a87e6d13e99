"""Matrices by layer in every form of other programs."""

import numpy as np
import pytest

import neuronsim as ns
from neuronsim.errors import DataError, SettingError
from neuronsim.verifying.handover import Layers

X, T = np.random.default_rng(1).uniform(-1, 1, (4, 3)), np.random.default_rng(2).uniform(0.1, 0.9, (4, 2))
RATE = 0.5


@pytest.fixture
def net():
    return ns.wiring.layered([3, 4, 2], activation="sigmoid", rng=0)


def stepped(net, wrong=1.0):
    g = net.gradients(X, T)
    return net.weights - wrong * RATE * g.weights, net.biases - wrong * RATE * g.biases


def layers_of(net, rows):
    return Layers(net.graph).split(*rows)


class Module:
    """What PyTorch modules offer."""

    def __init__(self, pairs):
        self.pairs = pairs

    def state_dict(self):
        return {
            f"{2 * k}.{name}": Tensor(a)
            for k, pair in enumerate(self.pairs)
            for name, a in zip(("weight", "bias"), pair, strict=True)
        }

    def __call__(self, x):
        raise AssertionError("a model is not asked for its steps")


class Tensor:
    """A parameter, which NumPy cannot read before it is detached."""

    def __init__(self, array):
        self.array = array

    def detach(self):
        return self.array

    def __array__(self, dtype=None):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad")


class Fitted:
    """What scikit-learn's MLPs offer."""

    def __init__(self, pairs):
        self.coefs_, self.intercepts_ = [w.T for w, _ in pairs], [b for _, b in pairs]


class Keras:
    """What Keras models offer."""

    def __init__(self, pairs):
        self.pairs = pairs

    def get_weights(self):
        return [a for w, b in self.pairs for a in (w.T, b)]


FORMS = {
    "W1, b1, W2, b2": lambda p: [a for pair in p for a in pair],
    "pairs": lambda p: p,
    "matrices, then biases": lambda p: ([w for w, _ in p], [b for _, b in p]),
    "biases, then matrices": lambda p: ([b for _, b in p], [w for w, _ in p]),
    "columns": lambda p: ([w for w, _ in p], [b[:, None] for _, b in p]),
    "turned": lambda p: ([w.T for w, _ in p], [b[None] for _, b in p]),
    "plain lists": lambda p: [[w.tolist(), b.tolist()] for w, b in p],
    "dictionary": lambda p: {"b2": p[1][1], "W2": p[1][0], "W1": p[0][0], "b1": p[0][1]},
    "of gradients' names": lambda p: {"dW1": p[0][0], "db1": p[0][1], "dW2": p[1][0], "db2": p[1][1]},
    "by name": lambda p: {"weights": [w for w, _ in p], "biases": [b for _, b in p]},
    "nested": lambda p: {"params": {f"Dense_{k}": {"kernel": w.T, "bias": b} for k, (w, b) in enumerate(p)}},
    "module": Module,
    "state_dict": lambda p: Module(p).state_dict(),
    "an iterator": lambda p: iter([Tensor(a) for pair in p for a in pair]),
    "parameters": lambda p: [Tensor(a) for pair in p for a in pair],
    "scikit-learn": Fitted,
    "keras": Keras,
    "tensors in rows": lambda p: tuple(
        Tensor(np.concatenate([np.ravel(a) for a in of])) for of in zip(*p, strict=True)
    ),
}


class TestForms:
    @pytest.mark.parametrize("form", FORMS)
    def test_right_and_wrong_steps(self, net, form):
        after = FORMS[form](layers_of(net, stepped(net)))
        assert net.check_foreign(X, T, after, learning_rate=RATE).rule == "right"
        after = FORMS[form](layers_of(net, stepped(net, wrong=-1.0)))
        assert net.check_foreign(X, T, after, learning_rate=RATE).rule == "wrong sign"

    def test_matrices_alone(self, net):
        matrices = [w for w, _ in layers_of(net, stepped(net))]
        verdict = net.check_foreign(X, T, matrices, learning_rate=RATE)
        assert verdict.ok
        assert "bias" not in verdict.fits

    def test_square_matrices_are_turned_to_where_they_are_near(self):
        net = ns.wiring.layered([3, 3, 3], activation="tanh", rng=0)
        targets = np.c_[T, T[:, 0]]
        g = net.gradients(X, targets)
        pairs = Layers(net.graph).split(net.weights - RATE * g.weights, net.biases - RATE * g.biases)
        for form in ("pairs", "turned", "scikit-learn"):
            assert net.check_foreign(X, targets, FORMS[form](pairs), learning_rate=RATE).ok, form

    def test_neurons_wired_in_another_order(self):
        net = ns.Network(rng=0)
        net.add_inputs("a", "b", "c")
        for name in ("o1", "h1", "h2", "o2"):
            sources = ["a", "b", "c"] if name[0] == "h" else []
            net.add_neuron(name, sources, activation="sigmoid")
        for h in ("h1", "h2"):
            for o in ("o1", "o2"):
                net.connect(h, o)
        net.set_outputs("o2", "o1")
        before = layers_of(net, (net.weights, net.biases)) if net.forward(X) is not None else None
        (w1, b1), (w2, b2) = before
        hidden = 1 / (1 + np.exp(-(X @ w1.T + b1)))
        assert np.allclose(1 / (1 + np.exp(-(hidden @ w2.T + b2))), net.forward(X))
        assert net.check_foreign(X, T, layers_of(net, stepped(net)), learning_rate=RATE).ok

    def test_float32_of_a_library(self, net):
        after = [a.astype(np.float32) for pair in layers_of(net, stepped(net)) for a in pair]
        assert net.check_foreign(X, T, after, learning_rate=RATE).ok

    @pytest.mark.parametrize(
        ("after", "message"),
        [
            ([np.zeros((4, 2)), np.zeros((2, 4))], r"after has \(4, 2\), \(2, 4\); the layers need"),
            ([np.zeros((4, 3)), np.zeros((4, 2))], "some matrices as .n_out, n_in. and some as"),
            ({"W1": "abc"}, "which is no array of numbers"),
            ({"W1": np.zeros((4, 3))}, "the layers need W and b"),
        ],
    )
    def test_what_cannot_be_read_is_refused(self, net, after, message):
        with pytest.raises(DataError, match=message):
            net.check_foreign(X, T, after, learning_rate=RATE)

    def test_other_wirings_have_no_matrices(self):
        net = ns.wiring.shortcut([3, 4, 2], rng=0)
        with pytest.raises(DataError, match="not fully connected"):
            net.check_foreign(X, T, [np.zeros((4, 3)), np.zeros((2, 4))], learning_rate=RATE)


class TestGradients:
    @pytest.mark.parametrize("form", FORMS)
    def test_alone(self, net, form):
        g = net.gradients(X, T)
        given = FORMS[form](layers_of(net, (g.weights, g.biases)))
        assert net.check_foreign(X, T, gradients=given).rule == "right"
        doubled = FORMS[form](layers_of(net, (2 * g.weights, 2 * g.biases)))
        assert net.check_foreign(X, T, gradients=doubled).rule == "twice the gradient (the loss's ½ left out)"

    def test_small_ones_of_float32_are_told(self):
        net = ns.wiring.layered([3, 4, 2], activation="sigmoid", dtype="float32", rng=0)
        g = net.gradients(X, T)
        small = g.weights * np.float32(1.001), g.biases * np.float32(1.001)
        assert net.check_foreign(X, T, gradients=(g.weights, g.biases)).ok
        assert not net.check_foreign(X, T, gradients=small).ok

    def test_tiny_ones_are_not_lost_beside_the_parameters(self):
        net = ns.wiring.layered([3, 4, 2], activation="sigmoid", dtype="float32", rng=0)
        tiny = 1e-5 * X
        g = net.gradients(tiny, T)
        wrong = np.where(net.graph.is_input[net.graph.sources], 1.5, 1.0).astype(np.float32) * g.weights
        assert net.check_foreign(tiny, T, gradients=(g.weights, g.biases)).ok
        assert not net.check_foreign(tiny, T, gradients=(wrong, g.biases)).ok

    def test_either_is_needed_and_one_alone(self, net):
        after = stepped(net)
        for given in ({}, {"after": after, "gradients": after}):
            with pytest.raises(SettingError, match="parameters after the step, or its gradients="):
                net.check_foreign(X, T, **given, learning_rate=RATE)
        with pytest.raises(SettingError, match="take its learning_rate="):
            net.check_foreign(X, T, after)
