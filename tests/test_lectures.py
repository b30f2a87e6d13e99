"""Every worked number of the lectures; networks' come from the compiled kernels, online and in batches."""

from collections.abc import Callable, Iterable

import numpy as np
import pytest
from nets import T222 as T
from nets import X222 as X
from nets import net_222

import neuronsim as ns
from neuronsim.formulas.reference import ReferenceNetwork

RATE = 0.5

RIGHT_ORDER = 0.29102777369359933
WRONG_ORDER = 0.29102792390544197
BIASES_TRAINED = 0.28047144679143016


def printed(value: float, digits: str) -> bool:
    """Whether a value has the digits that a lecture prints."""
    mantissa, e, _ = digits.partition("e")
    places = len(mantissa.partition(".")[2])
    return f"{value:.{places}{'e' if e else 'f'}}" == digits


def all_printed(values: Iterable[float], digits: Iterable[str]) -> bool:
    return all(printed(value, d) for value, d in zip(values, digits, strict=True))


def error_of(net: ns.Network) -> float:
    return float(net.evaluate([X], [T]).loss)


def assert_error_after_one_step(error: float, tolerance: float = 1.2e-16) -> None:
    """Two units in the last place are allowed; the well-known wrong number is named."""
    if abs(error - WRONG_ORDER) <= tolerance:
        raise AssertionError(
            f"E after one step is {error!r}: hidden δ were computed from already updated weights. "
            f"With the old weights it is {RIGHT_ORDER}"
        )
    assert abs(error - RIGHT_ORDER) <= tolerance, f"E after one step is {error!r}, not {RIGHT_ORDER}"


# Ways to make one step with one sample. Twice the same sample, averaged, is a batch with the same gradient.


def by_step(net: ns.Network) -> None:
    net.step(X, T, learning_rate=RATE)


def by_online_fit(net: ns.Network) -> None:
    net.fit([X], [T], learning_rate=RATE, rng=0)


def by_batch(net: ns.Network) -> None:
    net.fit([X, X], [T, T], batch_size=2, learning_rate=RATE, rng=0)


def by_buffered_batch(net: ns.Network) -> None:
    net.fit([X, X], [T, T], batch_size=2, learning_rate=RATE, rng=0, clip_norm=1e9)


def by_buffered_step(net: ns.Network) -> None:
    net.fit([X], [T], learning_rate=RATE, rng=0, clip_norm=1e9)


def by_gradients(net: ns.Network) -> None:
    g = net.gradients([X], [T])
    net.weights -= RATE * g.weights
    if not net["h1"].frozen:
        net.biases -= RATE * g.biases


WAYS = [by_step, by_online_fit, by_batch, by_buffered_batch, by_buffered_step, by_gradients]
ways = pytest.mark.parametrize("make", WAYS, ids=[way.__name__ for way in WAYS])


def with_the_bug(net: ns.Network) -> None:
    """The planted bug: each layer is updated at once, and the errors go back through its new weights."""
    delta, y = deltas_from_updated_weights(net)
    for sink in delta:
        for source in net[sink].sources:
            net[source, sink].weight -= RATE * delta[sink] * y[source]


def deltas_from_updated_weights(net: ns.Network) -> tuple[dict[str, float], dict[str, float]]:
    net.forward(X)
    y = {neuron.name: neuron.y for neuron in net}
    delta = {o: (y[o] - t) * y[o] * (1 - y[o]) for o, t in zip(("o1", "o2"), T, strict=True)}
    for h in ("h1", "h2"):
        updated = {o: net[h, o].weight - RATE * delta[o] * y[h] for o in ("o1", "o2")}
        delta[h] = sum(updated[o] * delta[o] for o in updated) * y[h] * (1 - y[h])
    return delta, y


def ten_thousand(net: ns.Network, **settings: object) -> None:
    n = 10_000
    net.fit(np.tile(X, (n, 1)), np.tile(T, (n, 1)), learning_rate=RATE, rng=0, **settings)


class TestTheTwoTwoTwoNet:
    """L4's worked step."""

    def test_forward(self):
        net = net_222()
        net.forward(X)
        assert printed(net["h1"].z, "0.3775")
        assert printed(net["h1"].y, "0.593269992")
        assert printed(net["h2"].y, "0.596884378")
        assert printed(net["o1"].z, "1.105905967")
        assert printed(net["o1"].y, "0.75136507")
        assert printed(net["o2"].y, "0.772928465")

    def test_a_batchs_outputs(self):
        Y = net_222().forward([X] * 9)
        assert all(printed(y, "0.75136507") for y in Y[:, 0])
        assert all(printed(y, "0.772928465") for y in Y[:, 1])

    def test_the_steps_own_signals_are_those_before_the_update(self):
        step = net_222().step(X, T, learning_rate=RATE)
        assert printed(step["h1"].z, "0.3775")
        assert printed(step["o1"].y, "0.75136507")
        assert printed(step.loss, "0.298371109")

    def test_errors(self):
        net = net_222()
        y = net.forward(X)
        assert printed(0.5 * (T[0] - y[0]) ** 2, "0.274811083")
        assert printed(0.5 * (T[1] - y[1]) ** 2, "0.023560026")
        assert printed(error_of(net), "0.298371109")
        assert printed(net.gradients([X], [T]).loss, "0.298371109")
        assert printed(net.fit([X], [T], rng=0).history["loss"][0], "0.298371109")

    def test_each_outputs_error_alone(self):
        for output, t, expected in (("o1", T[0], "0.274811083"), ("o2", T[1], "0.023560026")):
            net = net_222()
            net.set_outputs(output)
            assert printed(net.evaluate([X], [[t]]).loss, expected)

    def test_gradients(self):
        step = net_222().step(X, T, learning_rate=RATE)
        assert printed(step["h1", "o1"].gradient, "0.082167041")
        assert printed(step["i1", "h1"].gradient, "0.000438568")
        net = net_222()
        g = net.gradients([X, X, X], [T, T, T])
        w1, _, _, _, w5, *_ = g.weights
        assert printed(w5, "0.082167041")
        assert printed(w1, "0.000438568")

    @ways
    def test_weights_after_one_step(self, make: Callable[[ns.Network], None]):
        net = net_222()
        make(net)
        hidden = ("0.149780716", "0.19956143", "0.24975114", "0.29950229")
        outer = ("0.35891648", "0.408666186", "0.511301270", "0.561370121")
        assert all_printed(net.weights, hidden + outer)
        np.testing.assert_array_equal(net.biases, [0, 0, 0.35, 0.35, 0.6, 0.6])

    @ways
    def test_error_after_one_step(self, make: Callable[[ns.Network], None]):
        net = net_222()
        make(net)
        assert_error_after_one_step(error_of(net))

    @ways
    def test_error_after_one_step_of_nets_that_train_biases(self, make: Callable[[ns.Network], None]):
        """Plain SGD without frozen parameters is a kernel of its own; the biases are put back for L4's number."""
        net = net_222(frozen=False)
        biases = net.biases.copy()
        make(net)
        assert (net.biases[2:] != biases[2:]).all()
        net.biases = biases
        assert_error_after_one_step(error_of(net))

    @ways
    def test_error_after_one_step_in_float32(self, make: Callable[[ns.Network], None]):
        net = net_222("float32")
        make(net)
        # 1.5e-7 lie between the right and the wrong order, 6e-8 are two units in the last place
        assert_error_after_one_step(error_of(net), tolerance=7e-8)

    def test_error_after_one_step_of_the_reference(self):
        reference = ReferenceNetwork.from_network(net_222())
        reference.step(X, T, learning_rate=RATE)
        assert_error_after_one_step(reference.signals(X, T).loss)

    def test_the_update_order_bug_is_named(self):
        net = net_222()
        with_the_bug(net)
        with pytest.raises(AssertionError, match="hidden δ were computed from already updated weights"):
            assert_error_after_one_step(error_of(net))

    def test_another_wrong_number_is_not_called_that_bug(self):
        with pytest.raises(AssertionError, match=r"^E after one step is 0\.2910279"):
            assert_error_after_one_step(0.29102790)

    @ways
    def test_error_if_biases_are_trained_too(self, make: Callable[[ns.Network], None]):
        net = net_222(frozen=False)
        make(net)
        assert abs(error_of(net) - BIASES_TRAINED) <= 1.2e-16

    # the lecture's source prints 0.98406427352; in 40 digits it is 0.984064273514624
    OUTPUTS = (0.01591362044, 0.98406427351462)

    @pytest.mark.parametrize(
        "settings", [{}, {"shuffle": False}, {"clip_norm": 1e9}], ids=["fused", "in order", "buffered"]
    )
    def test_outputs_after_ten_thousand_steps(self, settings: dict[str, object]):
        net = net_222()
        ten_thousand(net, **settings)
        y = net.forward(X)
        assert printed(y[0], "0.01591362044")
        assert y == pytest.approx(self.OUTPUTS, abs=1e-11)

    def test_outputs_after_ten_thousand_batches(self):
        net = net_222()
        net.fit([X, X], [T, T], batch_size=2, epochs=10_000, learning_rate=RATE, rng=0)
        assert net.forward(X) == pytest.approx(self.OUTPUTS, abs=1e-11)

    def test_a_hundred_steps_of_step_are_those_of_fit(self):
        online, fitted = net_222(), net_222()
        for _ in range(100):
            online.step(X, T, learning_rate=RATE)
        fitted.fit([X] * 100, [T] * 100, learning_rate=RATE, rng=0)
        np.testing.assert_array_equal(online.weights, fitted.weights)

    def test_outputs_after_ten_thousand_steps_in_float32(self):
        net = net_222("float32")
        ten_thousand(net)
        assert net.forward(X) == pytest.approx(self.OUTPUTS, abs=2e-5)

    def test_the_blog_posts_outputs_do_not_come_out(self):
        net = net_222()
        ten_thousand(net)
        assert net.forward(X) != pytest.approx((0.015912196, 0.984065734), abs=1e-6)


class TestL2:
    LAYER = ((0.1, 0.2, 0.5), (0.2, 0.3, 0.1), (0.1, 0.4, 0.6), (0.2, 0.3, 0.9))
    LAST = (0.4, 1.2, 4.1, 0.1)

    def net(self, dtype: str = "float64") -> ns.Network:
        net = ns.Network(dtype, rng=0)
        net.add_inputs("x1", "x2", "x3")
        for k, row in enumerate(self.LAYER, 1):
            net.add_neuron(f"h{k}", dict(zip(("x1", "x2", "x3"), row, strict=True)), activation="sigmoid")
        weights = dict(zip(("h1", "h2", "h3", "h4"), self.LAST, strict=True))
        net.add_neuron("o", weights, activation="sigmoid", bias=1.4)
        net.set_outputs("o")
        return net

    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_forward_pass(self, dtype: str):
        net = self.net(dtype)
        (y,) = net.forward([1, 1, 1])
        hidden = [net[f"h{k}"] for k in range(1, 5)]
        assert all_printed([h.z for h in hidden], ["0.8", "0.6", "1.1", "1.4"])
        assert [h.z for h in hidden] == pytest.approx([0.8, 0.6, 1.1, 1.4], rel=1e-6)
        assert all_printed([h.y for h in hidden], ["0.689974", "0.645656", "0.750260", "0.802184"])
        assert printed(net["o"].z, "5.6071")
        assert printed(y, "0.996")
        assert y > 0.5  # class 1

    def test_forward_pass_of_a_batch(self):
        Y = self.net().forward(np.ones((20, 3)))
        assert Y.shape == (20, 1)
        assert all(printed(y, "0.996") for y in Y[:, 0])

    def test_the_slides_truncated_outputs_explain_its_z(self):
        net = ns.Network(rng=0)
        net.add_inputs("h1", "h2", "h3", "h4")
        net.add_neuron("o", dict(zip(net.names, self.LAST, strict=True)), bias=1.4)
        net.set_outputs("o")
        net.forward([0.68, 0.64, 0.75, 0.80])
        assert printed(net["o"].z, "5.595")

    @pytest.mark.parametrize("x", [-1.5, -0.5, 0.0, 1.0, 2.0])
    def test_chain_rule(self, x: float):
        def f(x: float) -> float:
            u = x**3
            return 7 * u + u**2

        expected = 21 * x**2 + 6 * x**5
        assert ns.numerical_gradient(f, x) == pytest.approx(expected, rel=1e-6, abs=1e-6)

    @pytest.mark.parametrize("x", [-1.5, -0.5, 0.0, 1.0, 2.0])
    def test_chain_rule_as_a_network(self, x: float):
        cube = ns.activations.register("lecture_cube", lambda u: u * u * u, lambda u: 3 * u * u)
        outer = ns.activations.register("lecture_outer", lambda u: 7 * u + u * u, lambda u: 7 + 2 * u)
        net = ns.Network(rng=0)
        net.add_inputs("x")
        net.add_neuron("u", {"x": 1.0}, activation=cube.name)
        net.add_neuron("f", {"u": 1.0}, activation=outer.name)
        net.set_outputs("f")
        assert net.jacobian([[x]]) == pytest.approx(21 * x**2 + 6 * x**5, rel=1e-14, abs=1e-14)

    def test_parameters_of_the_mnist_net(self):
        net = ns.wiring.layered([784, 256, 128, 10], activation="relu", output="softmax", dtype="float32", rng=0)
        assert net.n_parameters == 235_146


class TestL4sGradientDescent:
    """f(x) = x², step 0.8 from −4."""

    def test_the_first_steps(self):
        steps = ns.gradient_descent(-4.0, lambda x: 2 * x, 0.8, 30, tol=0).steps
        assert all_printed(steps[1:6], ["2.4", "-1.44", "0.864", "-0.5184", "0.31104"])
        assert steps[:6] == pytest.approx([-4, 2.4, -1.44, 0.864, -0.5184, 0.31104], abs=1e-14)

    def test_thirty_steps(self):
        found = ns.gradient_descent(-4.0, lambda x: 2 * x, 0.8, 30, tol=0)
        assert len(found.steps) == 31
        assert printed(found.x, "-8.84296e-07")

    def test_its_default_tolerance(self):
        found = ns.gradient_descent(-4.0, lambda x: 2 * x, 0.8, 30)
        assert len(found.steps) - 1 == 13
        assert printed(found.x, "0.0052243")

    def test_a_network_descends_the_same_parabola(self):
        # squared error of b against 0 is b²: one neuron without sources learns its bias
        net = ns.Network(rng=0)
        net.add_inputs("x")
        net.add_neuron("b", activation="identity", bias=-4.0)
        net.set_outputs("b")
        steps = [-4.0]
        for _ in range(30):
            net.step([0.0], [0.0], loss="squared_error", learning_rate=0.8)
            steps.append(float(net["b"].bias))
        assert steps[:6] == pytest.approx([-4, 2.4, -1.44, 0.864, -0.5184, 0.31104], abs=1e-14)
        assert printed(steps[30], "-8.84296e-07")


def test_l3_momentum():
    """v := β v − μ Δw, w := w + v: by hand for two steps of one weight."""
    net = ns.Network(rng=0)
    net.add_inputs("x")
    net.add_neuron("y", {"x": 1.0}, activation="identity")
    net.set_outputs("y")
    net.freeze(biases=True)
    net.fit([[1.0]], [[0.0]], optimizer="momentum", momentum=0.9, learning_rate=0.1, epochs=2, rng=0)
    v = -0.1 * 1.0
    w = 1.0 + v
    v = 0.9 * v - 0.1 * w
    assert net["x", "y"].weight == pytest.approx(w + v, abs=1e-15)
