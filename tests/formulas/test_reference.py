"""The oracle itself, against the lectures' worked numbers and central differences."""

import math
import random

import pytest

import neuronsim as ns
from neuronsim.errors import CycleError, DataError, WiringError
from neuronsim.formulas import activations, losses
from neuronsim.formulas.neurons import Neuron, bias_of, clipped, slope_of, weight_of
from neuronsim.formulas.reference import ReferenceNetwork

X222, T222 = (0.05, 0.10), (0.01, 0.99)
RIGHT_ERROR = 0.29102777369359933
ERROR_OF_WRONG_ORDER = 0.29102792390544197
ERROR_WITH_OWN_BIASES = 0.28047144679143016


@pytest.fixture(autouse=True)
def _as_before():
    """Forget what a test registers."""
    tables = (activations.ACTIVATIONS, activations._BY_CODE)
    copies = [dict(table) for table in tables]
    yield
    for table, copy in zip(tables, copies, strict=True):
        table.clear()
        table.update(copy)


def net_222(**settings):
    """L4's 2-2-2 net; its biases are not trained unless asked for."""
    neurons = {
        "h1": Neuron({"i1": 0.15, "i2": 0.20}, "sigmoid", bias=0.35),
        "h2": Neuron({"i1": 0.25, "i2": 0.30}, "sigmoid", bias=0.35),
        "o1": Neuron({"h1": 0.40, "h2": 0.45}, "sigmoid", bias=0.60),
        "o2": Neuron({"h1": 0.50, "h2": 0.55}, "sigmoid", bias=0.60),
    }
    settings.setdefault("frozen", [bias_of(a) for a in neurons])
    return ReferenceNetwork(["i1", "i2"], neurons, ["o1", "o2"], **settings)


def error_of(net, x=X222, t=T222):
    return net.signals(x, t).loss


def assert_update_used_old_weights(error):
    """The error after L4's step, with the classic bug called by its name."""
    if math.isclose(error, ERROR_OF_WRONG_ORDER, rel_tol=0.0, abs_tol=2e-10):
        pytest.fail(
            f"E after one step is {error!r}: the hidden δ were computed from the updated weights "
            "instead of the old ones"
        )
    assert error == pytest.approx(RIGHT_ERROR, rel=0.0, abs=1e-15)


class TestL4TwoTwoTwo:
    def test_forward(self):
        z, y = net_222().forward(X222)
        assert z["h1"] == pytest.approx(0.3775, abs=1e-15)
        assert y["h1"] == pytest.approx(0.593269992, abs=5e-10)
        assert y["h2"] == pytest.approx(0.596884378, abs=5e-10)
        assert z["o1"] == pytest.approx(1.105905967, abs=5e-10)
        assert y["o1"] == pytest.approx(0.75136507, abs=5e-9)
        assert y["o2"] == pytest.approx(0.772928465, abs=5e-10)

    def test_errors(self):
        _, y = net_222().forward(X222)
        assert losses.half_squared_error([y["o1"]], [0.01]) == pytest.approx(0.274811083, abs=5e-10)
        assert losses.half_squared_error([y["o2"]], [0.99]) == pytest.approx(0.023560026, abs=5e-10)
        assert error_of(net_222()) == pytest.approx(0.298371109, abs=5e-10)

    def test_gradients(self):
        gradients = net_222().gradients([X222], [T222]).weights
        assert gradients["h1", "o1"] == pytest.approx(0.082167041, abs=5e-10)
        assert gradients["i1", "h1"] == pytest.approx(0.000438568, abs=5e-10)

    def test_weights_after_one_step(self):
        net = net_222()
        net.step(X222, T222, learning_rate=0.5)
        after = {(b, a): w for a, n in net.neurons.items() for b, w in n.weights.items()}
        assert after["h1", "o1"] == pytest.approx(0.35891648, abs=5e-9)
        assert after["h2", "o1"] == pytest.approx(0.408666186, abs=5e-10)
        assert after["h1", "o2"] == pytest.approx(0.511301270, abs=5e-10)
        assert after["h2", "o2"] == pytest.approx(0.561370121, abs=5e-10)
        assert after["i1", "h1"] == pytest.approx(0.149780716, abs=5e-10)
        assert after["i2", "h1"] == pytest.approx(0.19956143, abs=5e-9)
        assert after["i1", "h2"] == pytest.approx(0.24975114, abs=5e-9)
        assert after["i2", "h2"] == pytest.approx(0.29950229, abs=5e-9)
        assert [n.bias for n in net.neurons.values()] == [0.35, 0.35, 0.60, 0.60]

    def test_error_after_one_step(self):
        net = net_222()
        net.step(X222, T222, learning_rate=0.5)
        assert_update_used_old_weights(error_of(net))

    def test_the_update_order_bug_is_named(self):
        """Plant the bug: move the outputs' weights first, then compute the hidden δ from them."""
        net, outputs_moved = net_222(), net_222()
        hidden = [weight_of(b, a) for a in ("h1", "h2") for b in ("i1", "i2")]
        outputs_moved.frozen |= set(hidden)
        outputs_moved.step(X222, T222, learning_rate=0.5)
        s = net.signals(X222, T222)
        for h in ("h1", "h2"):
            pushed = sum(outputs_moved.neurons[o].weights[h] * s.delta[o] for o in ("o1", "o2"))
            s.delta[h] = pushed * net.derivative(h, s.z)
        wrong = net.sample_gradients(s)
        for p in hidden:
            outputs_moved.set_value(p, outputs_moved.value(p) - 0.5 * wrong[p])
        error = error_of(outputs_moved)
        assert error == pytest.approx(ERROR_OF_WRONG_ORDER, rel=0.0, abs=1e-15)
        with pytest.raises(pytest.fail.Exception, match="from the updated weights instead of the old"):
            assert_update_used_old_weights(error)

    def test_error_after_one_step_with_own_biases(self):
        net = net_222(frozen=())
        net.step(X222, T222, learning_rate=0.5)
        assert error_of(net) == pytest.approx(ERROR_WITH_OWN_BIASES, rel=0.0, abs=1e-15)

    def test_outputs_after_10000_steps(self):
        """Against 40-digit decimal arithmetic; the lectures' page prints 0.01591362044 and 0.98406427352."""
        net = net_222()
        net.fit([X222], [T222], learning_rate=0.5, epochs=10_000)
        o1, o2 = net.predict(X222)
        assert o1 == pytest.approx(0.015913620443550627, abs=1e-13)
        assert o2 == pytest.approx(0.984064273514623757, abs=1e-13)


class TestL2:
    def test_forward_pass(self):
        rows = [[0.1, 0.2, 0.5], [0.2, 0.3, 0.1], [0.1, 0.4, 0.6], [0.2, 0.3, 0.9]]
        hidden = {f"h{k}": Neuron(dict(zip("abc", row, strict=True))) for k, row in enumerate(rows)}
        output = Neuron(dict(zip(hidden, [0.4, 1.2, 4.1, 0.1], strict=True)), bias=1.4)
        net = ReferenceNetwork("abc", hidden | {"o": output}, ["o"])
        z, y = net.forward([1, 1, 1])
        assert [z[h] for h in hidden] == pytest.approx([0.8, 0.6, 1.1, 1.4])
        assert [y[h] for h in hidden] == pytest.approx([0.689974, 0.645656, 0.750260, 0.802184], abs=5e-7)
        assert z["o"] == pytest.approx(5.6071, abs=5e-5)
        assert y["o"] == pytest.approx(0.996, abs=5e-4)
        assert y["o"] > 0.5

    def test_chain_rule(self):
        """F(u) = 7u + u², u = x³: registered functions as neurons, δ of the input is df/dx."""
        activations.register("test_cube", lambda z: z**3, lambda z: 3 * z**2)
        activations.register("test_7u+u²", lambda z: 7 * z + z * z, lambda z: 7 + 2 * z)
        neurons = {"u": Neuron({"x": 1.0}, "test_cube"), "f": Neuron({"u": 1.0}, "test_7u+u²")}
        net = ReferenceNetwork(["x"], neurons, ["f"])
        x = 1.3
        f = net.predict([x])[0]
        s = net.signals([x], [f - 1.0])
        assert s.delta["x"] == pytest.approx(21 * x**2 + 6 * x**5)


def random_net(seed, loss="half_squared_error", last="tanh"):
    """A random graph with skips, a bias-only neuron, an output that feeds, an input as output."""
    draw = random.Random(seed)
    names = [a.name for a in activations.ACTIVATIONS.values() if a.code < activations.ACTIVATIONS["step"].code]
    inputs, neurons = ["x0", "x1", "x2"], {}
    for k in range(14):
        earlier = [*inputs, *neurons]
        sources = [] if k == 3 else draw.sample(earlier, min(len(earlier), 3))
        weights = {b: draw.gauss(0, 1) for b in sources}
        neurons[f"n{k}"] = Neuron(weights, draw.choice(names), draw.gauss(0, 0.5), draw.uniform(0.1, 0.9))
    for k in range(3):
        weights = {b: draw.gauss(0, 0.7) for b in draw.sample(list(neurons)[:14], 4)}
        neurons[f"o{k}"] = Neuron(weights, last, draw.gauss(0, 0.5))
    outputs = ["o0", "o1", "o2"]
    if loss not in ("cross_entropy", "binary_cross_entropy") and last != "softmax":
        outputs += ["n13", "x0"]
    keys = list(neurons)
    draw.shuffle(keys)
    return ReferenceNetwork(inputs, {k: neurons[k] for k in keys}, outputs), draw


CASES = [(loss, last) for loss in losses.LOSSES for last in ("sigmoid", "softmax")] + [
    ("half_squared_error", "prelu"),
    ("huber", "tanh"),
]


@pytest.mark.parametrize(("loss", "last"), CASES)
@pytest.mark.parametrize("seed", range(3))
def test_gradients_are_central_differences(loss, last, seed):
    net, draw = random_net(seed, loss, last)
    X = [[draw.gauss(0, 1) for _ in net.inputs] for _ in range(2)]
    T = [[draw.random() for _ in net.outputs] for _ in range(2)]
    found = net.gradients(X, T, loss)

    def mean_loss():
        return sum(net.signals(x, t, loss).loss for x, t in zip(X, T, strict=True)) / len(X)

    eps = 1e-6
    for p in net.parameters():
        value = net.value(p)
        net.set_value(p, value + eps)
        above = mean_loss()
        net.set_value(p, value - eps)
        below = mean_loss()
        net.set_value(p, value)
        assert found.parameters[p] == pytest.approx((above - below) / (2 * eps), rel=2e-5, abs=2e-8), p
    for k, i in enumerate(net.inputs):
        above, below = list(X[0]), list(X[0])
        above[k] += eps
        below[k] -= eps
        slope = (net.signals(above, T[0], loss).loss - net.signals(below, T[0], loss).loss) / (2 * eps)
        assert found.delta[0][i] == pytest.approx(slope, rel=2e-5, abs=2e-8), i


class TestAwkwardGraphs:
    def test_an_output_that_feeds_adds_both_parts(self):
        neurons = {"a": Neuron({"x": 1.0}, "identity"), "b": Neuron({"a": 2.0}, "identity")}
        net = ReferenceNetwork(["x"], neurons, ["a", "b"])
        s = net.signals([1.0], [0.0, 0.0])
        assert s.delta == {"b": 2.0, "a": 1.0 + 2.0 * 2.0, "x": 5.0}

    def test_a_neuron_without_sources_learns_its_bias(self):
        net = ReferenceNetwork([], {"a": Neuron({}, "identity", bias=1.0)}, ["a"])
        net.fit([[]] * 100, [[3.0]] * 100, learning_rate=0.5)
        assert net.neurons["a"].bias == pytest.approx(3.0)

    def test_a_neuron_that_reaches_no_output_has_delta_0(self):
        neurons = {"a": Neuron({"x": 1.0}), "lost": Neuron({"a": 1.0, "x": 2.0})}
        s = ReferenceNetwork(["x"], neurons, ["a"]).signals([1.0], [0.0])
        assert s.delta["lost"] == 0.0
        assert s.y["lost"] > 0.0

    def test_an_input_as_output(self):
        s = ReferenceNetwork(["x"], {}, ["x"]).signals([2.0], [0.5])
        assert s.y["x"] == 2.0
        assert s.delta["x"] == 1.5

    def test_a_cycle_is_an_error(self):
        with pytest.raises(CycleError, match="a, b"):
            ReferenceNetwork(["x"], {"a": Neuron({"b": 1.0, "x": 1.0}), "b": Neuron({"a": 1.0})}, ["b"])

    def test_an_unknown_source_is_an_error(self):
        with pytest.raises(WiringError, match="'a' listens to 'q'"):
            ReferenceNetwork(["x"], {"a": Neuron({"q": 1.0})}, ["a"])

    def test_softmax_must_be_an_output_and_feed_nobody(self):
        neurons = {"a": Neuron({"x": 1.0}, "softmax"), "b": Neuron({"a": 1.0}, "softmax")}
        for outputs in (["b"], ["a", "b"]):
            with pytest.raises(WiringError, match="'a' is softmax"):
                ReferenceNetwork(["x"], neurons, outputs)

    def test_wrong_numbers_of_values(self):
        with pytest.raises(DataError, match="x has 3 values, the network has 2 inputs"):
            net_222().forward([1.0, 2.0, 3.0])
        with pytest.raises(DataError, match="t has 1 values, the network has 2 outputs"):
            net_222().signals([1.0, 2.0], [0.0])


def test_from_a_network():
    net = ns.Network()
    net.add_inputs("x0", "x1")
    net.add_neuron("h", {"x1": 0.5, "x0": -1.5}, activation="prelu", bias=0.25, slope=0.1)
    net.add_neuron("y", {"h": 2.0, "x0": 1.0}, activation="identity")
    net.set_outputs("y", "h")
    net.freeze(edges=[("x0", "h")])
    net.scale_rate("y", 0.5)
    reference = ReferenceNetwork.from_network(net)
    assert (reference.inputs, reference.outputs) == ([0, 1], [3, 2])
    assert reference.neurons == {
        2: Neuron({0: -1.5, 1: 0.5}, "prelu", bias=0.25, slope=0.1),
        3: Neuron({0: 1.0, 2: 2.0}, "identity"),
    }
    assert reference.frozen == {weight_of(0, 2)}
    assert {weight_of(0, 3): 0.5, weight_of(2, 3): 0.5, bias_of(3): 0.5}.items() <= reference.rates.items()
    assert [(p.source, p.sink) for p in reference.parameters() if p.kind == "weight"] == [
        tuple(row) for row in net.edges[["source", "sink"]].tolist()
    ]


class TestClasses:
    def net(self, z):
        return ReferenceNetwork([], {k: Neuron({}, "softmax", bias=v) for k, v in enumerate(z)}, range(len(z)))

    def test_class_numbers(self):
        net = self.net([0.1, 0.7, -0.3])
        one_hot = net.signals([], [0.0, 1.0, 0.0])
        assert net.signals([], 1) == one_hot
        assert one_hot.loss == pytest.approx(-math.log(net.predict([])[1]))

    def test_fused_at_1000(self):
        s = self.net([1000.0, -1000.0]).signals([], 1)
        assert s.loss == 2000.0
        assert s.delta == {1: -1.0, 0: 1.0}

    def test_sigmoid_with_binary_cross_entropy_at_1000(self):
        net = ReferenceNetwork([], {"a": Neuron({}, "sigmoid", bias=1000.0)}, ["a"])
        s = net.signals([], [0.0], "binary_cross_entropy")
        assert (s.loss, s.delta["a"]) == (1000.0, 1.0)


class TestTraining:
    def test_batches_the_last_one_shorter_divides_by_its_own_length(self):
        X, T = [[1.0], [2.0], [4.0]], [[0.0], [0.0], [0.0]]
        net = ReferenceNetwork(["x"], {"y": Neuron({"x": 1.0}, "identity")}, ["y"], frozen=[bias_of("y")])
        history = net.fit(X, T, batch_size=2, learning_rate=0.1)
        first = 1.0 - 0.1 * (1.0 + 4.0) / 2
        assert net.neurons["y"].weights["x"] == pytest.approx(first - 0.1 * 16.0 * first)
        assert history["loss"] == [pytest.approx((0.5 + 2.0 + 8.0 * first**2) / 3)]

    def test_sum_reduction(self):
        net = net_222()
        one, two = net.gradients([X222], [T222]), net.gradients([X222] * 2, [T222] * 2, reduction="sum")
        assert two.loss == 2 * one.loss
        assert two.weights == {k: 2 * g for k, g in one.weights.items()}

    def test_orders_are_those_of_each_epoch(self):
        X, T = [[1.0], [2.0]], [[0.5], [-1.0]]
        neurons = {"y": Neuron({"x": 1.0}, "tanh")}
        shuffled, by_hand = (ReferenceNetwork(["x"], neurons, ["y"]) for _ in range(2))
        shuffled.fit(X, T, epochs=2, orders=[[1, 0], [0, 1]], learning_rate=0.3)
        for s in (1, 0, 0, 1):
            by_hand.step(X[s], T[s], learning_rate=0.3)
        assert shuffled.neurons == by_hand.neurons

    @pytest.mark.parametrize("optimizer", ["momentum", "nesterov", "rmsprop", "adam", "adamw", "rprop"])
    def test_a_frozen_parameter_is_left_alone(self, optimizer):
        decay = 0.0 if optimizer == "rprop" else 0.1
        net = net_222(frozen=[weight_of("i1", "h1"), bias_of("o1")])
        net.fit([X222], [T222], optimizer=optimizer, weight_decay=decay, epochs=3)
        assert net.neurons["h1"].weights["i1"] == 0.15
        assert net.neurons["o1"].bias == 0.60
        assert net.neurons["h1"].weights["i2"] != 0.20

    def test_a_rate_factor_multiplies_the_learning_rate(self):
        plain, scaled = net_222(), net_222(rates={weight_of("h1", "o1"): 0.1})
        for net in (plain, scaled):
            net.step(X222, T222, learning_rate=0.5)
        full = 0.40 - plain.neurons["o1"].weights["h1"]
        assert 0.40 - scaled.neurons["o1"].weights["h1"] == pytest.approx(0.1 * full)

    def test_weight_decay_spares_biases_and_slopes(self):
        neurons = {"y": Neuron({"x": 2.0}, "prelu", bias=1.0)}
        net = ReferenceNetwork(["x"], neurons, ["y"])
        net.fit([[1.0]], [[3.0]], weight_decay=0.5, learning_rate=0.1)
        assert net.neurons["y"] == Neuron({"x": 2.0 - 0.1 * 0.5 * 2.0}, "prelu", bias=1.0)

    def test_adamw_decays_by_its_own_default(self):
        net = ReferenceNetwork(["x"], {"y": Neuron({"x": 2.0}, "identity")}, ["y"])
        net.fit([[1.0]], [[2.0]], optimizer="adamw", learning_rate=0.1)
        assert net.neurons["y"].weights["x"] == pytest.approx(2.0 * (1 - 0.1 * 0.01))

    def test_clipping_leaves_frozen_gradients_out_of_the_norm(self):
        net = ReferenceNetwork(["x"], {"y": Neuron({"x": 0.0}, "identity")}, ["y"], frozen=[bias_of("y")])
        net.fit([[4.0]], [[1.0]], learning_rate=1.0, clip_norm=0.5)
        assert net.neurons["y"].weights["x"] == pytest.approx(0.5)

    def test_clipped_first_by_norm_then_by_value(self):
        g = {bias_of("a"): 3.0, bias_of("b"): -4.0}
        assert clipped(g, None, None) == g
        assert list(clipped(g, 10.0, None).values()) == [3.0, -4.0]
        assert list(clipped(g, 1.0, None).values()) == pytest.approx([0.6, -0.8])
        assert list(clipped(g, None, 3.5).values()) == [3.0, -3.5]
        assert list(clipped(g, 1.0, 0.7).values()) == pytest.approx([0.6, -0.7])

    def test_a_prelu_learns_its_slope(self):
        net = ReferenceNetwork(["x"], {"y": Neuron({"x": 1.0}, "prelu", slope=0.0)}, ["y"])
        g = net.gradients([[-2.0]], [[-1.0]])
        assert g.slopes == {"y": (0.0 + 1.0) * -2.0}
        assert g.biases == {"y": 0.0}
        assert slope_of("y") in net.parameters()
