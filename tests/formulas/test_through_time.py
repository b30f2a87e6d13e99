"""The oracle of networks with memory: against central differences, rewrites that must agree, and published numbers."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import cases, sequence_cases

import neuronsim as ns
from neuronsim.errors import CycleError, DataError, WiringError
from neuronsim.formulas.neurons import Neuron, bias_of, initial_of, leak_of, slope_of, weight_of
from neuronsim.formulas.reference import ReferenceNetwork
from neuronsim.formulas.through_time import SequenceNetwork, Weighted


def differences(net, value, p, h=2e-4):
    """∂value/∂p, by central differences extrapolated to order h⁴."""
    at = net.value(p)

    def slope(h):
        net.set_value(p, at + h)
        above = value()
        net.set_value(p, at - h)
        below = value()
        net.set_value(p, at)
        return (above - below) / (2.0 * h)

    return (4.0 * slope(h / 2) - slope(h)) / 3.0


def assert_gradients_are_differences(net, gradients, value):
    scale = 1.0 + abs(value()) + max((abs(g) for g in gradients.values()), default=0.0)
    for p, g in gradients.items():
        assert g == pytest.approx(differences(net, value, p), rel=0.0, abs=2e-8 * scale), p


class TestGradients:
    @settings(max_examples=60, deadline=None)
    @given(sequence_cases(), st.sampled_from(["mean", "sum"]))
    def test_every_parameter_s_is_that_of_central_differences(self, case, reduction):
        net = case.reference
        found = net.gradients(case.X, case.T, case.loss, reduction)
        assert set(found.parameters) == set(net.parameters())

        def value():
            each = [v for x, t in zip(case.X, case.T, strict=True) for v in net.signals(x, t, case.loss).losses]
            return sum(each) / (len(each) if reduction == "mean" else 1)

        assert value() == pytest.approx(found.loss, rel=1e-13)
        assert_gradients_are_differences(net, found.parameters, value)

    @settings(max_examples=25, deadline=None)
    @given(sequence_cases(max_samples=1), st.sampled_from([0.3, 1.0]))
    def test_with_teacher_forcing(self, case, forcing):
        net, x, t = case.reference, case.X[0], case.T[0]
        s = net.signals(x, t, case.loss, forcing=forcing)
        gradients = net.sample_gradients(s)
        assert_gradients_are_differences(net, gradients, lambda: net.signals(x, t, case.loss, forcing=forcing).loss)

    @settings(max_examples=25, deadline=None)
    @given(sequence_cases(max_samples=1))
    def test_of_a_window_whose_past_stays(self, case):
        net, x, t = case.reference, case.X[0], case.T[0]
        past = net.forward(x)
        s = net.signals(x, t, case.loss, before=past)
        states = [p for p in net.parameters() if p.kind == "initial"]
        assert all(net.sample_gradients(s)[p] == 0.0 for p in states)
        gradients = {p: g for p, g in net.sample_gradients(s).items() if p not in states}
        assert_gradients_are_differences(net, gradients, lambda: net.signals(x, t, case.loss, before=past).loss)

    @settings(max_examples=15, deadline=None)
    @given(sequence_cases(max_samples=1))
    def test_of_inputs(self, case):
        net, x, t = case.reference, case.X[0], case.T[0]
        s = net.signals(x, t, case.loss)
        for k in range(len(x)):
            for column, i in enumerate(net.inputs):

                def loss_at(moved, k=k, column=column):
                    changed = [list(row) for row in x]
                    changed[k][column] += moved
                    return net.signals(changed, t, case.loss).loss

                slopes = [(loss_at(h) - loss_at(-h)) / (2.0 * h) for h in (1e-4, 2e-4)]
                expected = (4.0 * slopes[0] - slopes[1]) / 3.0
                assert s.steps[k].delta[i] == pytest.approx(expected, rel=1e-6, abs=1e-7 * (1.0 + s.loss))


@settings(max_examples=25, deadline=None)
@given(cases(max_samples=2, max_hidden=8, dtypes=("float64",)))
def test_one_step_without_memory_is_a_sample_of_the_reference_bit_for_bit(case):
    plain, sequences = case.reference, SequenceNetwork.from_network(case.net)
    for x, t in case.samples:
        one, s = plain.signals(x, t, case.loss), sequences.signals([x], [t], case.loss)
        (here,) = s.steps
        assert (here.z, here.y, here.delta, here.error) == (one.z, one.y, one.delta, one.error)
        assert s.losses == [one.loss]
        assert sequences.sample_gradients(s) == plain.sample_gradients(one)


class TestWindows:
    @settings(max_examples=20, deadline=None)
    @given(sequence_cases(max_samples=1))
    def test_the_state_goes_on(self, case):
        net, x = case.reference, case.X[0]
        whole, parts = net.forward(x), []
        for x_k in x:
            parts += net.forward([x_k], parts)
        assert parts == whole

    @settings(max_examples=20, deadline=None)
    @given(sequence_cases(max_samples=1))
    def test_what_each_step_s_loss_sends_back_adds_up(self, case):
        """With a reach to the beginning, windows of one step give together the gradients of the whole."""
        net, x, t = case.reference, case.X[0], case.T[0]
        whole = net.sample_gradients(net.signals(x, t, case.loss))
        sums = dict.fromkeys(whole, 0.0)
        past = []
        for x_k, t_k in zip(x, t, strict=True):
            s = net.signals([x_k], [t_k], case.loss, before=past, reach=len(x))
            for p, g in net.sample_gradients(s).items():
                sums[p] += g
            past += s.steps[-1:]
        size = 1.0 + max(map(abs, whole.values()))
        assert sums == {p: pytest.approx(g, rel=1e-9, abs=1e-11 * size) for p, g in whole.items()}

    def test_reach_0_crosses_nothing(self):
        neurons = {
            "h": Neuron({"x": 1.0}, "identity", delayed={("h", 1): 0.5}),
            "y": Neuron({"h": 1.0}, "identity", leak=0.5),
        }
        net = SequenceNetwork(["x"], neurons, ["y"])
        s = net.signals([[1.0], [2.0]], [None, [0.0]], reach=0)
        y = 0.5 * 0.5 * 1.0 + 0.5 * 2.5
        assert (s.steps[1].y["y"], s.steps[1].delta["y"], s.steps[1].delta["h"]) == (y, 0.5 * y, 0.5 * y)
        assert s.steps[0].delta == {"y": 0.0, "h": 0.0, "x": 0.0}
        gradients = net.sample_gradients(s)
        assert gradients[weight_of("h", "h", 1)] == 0.5 * y * 1.0  # what came from before is data: Elman's nets
        assert gradients[weight_of("x", "h")] == 0.5 * y * 2.0

    def test_reach_goes_back_through_what_was_computed_then(self):
        net = SequenceNetwork(["x"], {"y": Neuron({"x": 1.0}, "identity", delayed={("y", 1): 0.5})}, ["y"])
        past = net.forward([[1.0], [1.0], [1.0]])
        net.neurons["y"].delayed["y", 1] = 2.0  # updated since
        s = net.signals([[0.0]], [[0.0]], before=past, reach=3)
        y = [1.0, 1.5, 1.75, 3.5]
        assert [here.y["y"] for here in s.steps] == y[1:]
        assert [here.delta["y"] for here in s.steps] == [14.0, 7.0, 3.5]
        assert net.sample_gradients(s)[weight_of("y", "y", 1)] == 14.0 * y[0] + 7.0 * y[1] + 3.5 * y[2]
        assert past[1].delta == {}


def one_hidden(w_in, w_back, w_out=None, activation="tanh", bias=0.0):
    """x → h with h heard by itself a step later, and an output if w_out is given."""
    neurons = {"h": Neuron({"x": w_in}, activation, bias, delayed={("h", 1): w_back})}
    if w_out is not None:
        neurons["y"] = Neuron({"h": w_out}, "identity")
    return SequenceNetwork(["x"], neurons, ["h" if w_out is None else "y"])


class TestPublishedNumbers:
    def test_flux_issue_2185_the_error_crosses_the_delay(self):
        """Flux printed 3, 38, 1: only what the last step itself did."""
        net = one_hidden(5.0, 4.0, activation="identity")
        net.initial["h"] = 7.0
        s = net.signals([[2.0], [3.0]], [None, [0.0]])
        output = s.steps[1].y["h"]
        gradients = {p: g / output for p, g in net.sample_gradients(s).items()}  # L = y(1), not half its square
        found = [gradients[p] for p in (weight_of("x", "h"), weight_of("h", "h", 1), bias_of("h"), initial_of("h"))]
        flux = [3.0, 38.0, 1.0]
        assert found[:3] != flux, "the error did not cross the delay"
        assert found == pytest.approx([11.0, 66.0, 5.0, 16.0], rel=1e-15)
        alone = net.sample_gradients(net.signals([[2.0], [3.0]], [None, [0.0]], reach=0))
        assert [alone[p] / output for p in (weight_of("x", "h"), weight_of("h", "h", 1), bias_of("h"))] == flux

    def test_flux_issue_1547(self):
        net = one_hidden(0.7, 0.001, activation="identity", bias=0.85)
        g = net.gradients([[[0.3], [2.5]]], [[[0.5], [1.0]]], "absolute_error", "sum")
        assert [here.y["h"] for here in g.samples[0].steps] == pytest.approx([1.06, 2.60106], rel=1e-15)
        assert g.loss == pytest.approx(2.16106, rel=1e-15)
        assert list(g.weights.values()) == pytest.approx([2.8003, 1.06], rel=1e-14)
        assert g.biases["h"] == pytest.approx(2.001, rel=1e-15)

    def test_pybrain_s_doctest(self):
        net = one_hidden(1.0, 0.5, 1.0, activation="identity")
        assert net.predict([[4.0], [-1.0], [0.0]]) == [[4.0], [1.0], [0.5]]
        assert net.predict([[0.0]]) == [[0.0]]  # nothing is kept from sequence to sequence

    def test_a_published_walkthrough(self):
        """It prints .7790 for the second h: the sum and the tanh were rounded."""
        net = one_hidden(0.5, 0.1, 2.0)
        g = net.gradients([[[1.0], [2.0]]], [[[1.0], [2.0]]], "half_squared_error", "sum")
        h = [here.y["h"] for here in g.samples[0].steps]
        assert h == pytest.approx([0.46211715726, 0.780329185039], abs=5e-13)
        assert g.loss == pytest.approx(0.0993807534391, abs=5e-14)
        expected = {("x", "h"): -0.833479155474, ("h", "h", 1): -0.158802420661, ("h", "y"): -0.377843719222}
        assert g.weights == {edge: pytest.approx(value, abs=5e-13) for edge, value in expected.items()}
        assert g.biases["h"] == pytest.approx(-0.489838115174, abs=5e-13)


def same_outputs_and_gradients(one, other, x, t, mapping):
    """Both give the same outputs, and the gradients of one are those of the other by name, times a factor."""
    a, b = (net.gradients([x], [t]) for net in (one, other))
    assert a.loss == pytest.approx(b.loss, rel=1e-12)
    for p, (q, factor) in mapping.items():
        assert a.parameters[p] == pytest.approx(factor * b.parameters[q], rel=1e-11), p


class TestRewrites:
    """Tests that cost nothing: the same network, written in another way."""

    rng = np.random.default_rng(5)
    x, t = rng.normal(size=(7, 1)).tolist(), rng.normal(size=(7, 1)).tolist()

    def net(self, **h):
        neurons = {"h": Neuron({"x": 0.7}, "tanh", 0.1, delayed={("h", 1): 0.5}), "y": Neuron({"h": 1.5}, "sigmoid")}
        for what, value in h.items():
            setattr(neurons["h"], what, value)
        return SequenceNetwork(["x"], neurons, ["y"])

    def test_a_delay_is_a_chain_of_identities(self):
        direct = self.net(delayed={("h", 2): 0.3, ("x", 3): -0.4})
        links = {"c1": "x", "c2": "c1", "d1": "h"}
        neurons = direct.neurons | {a: Neuron({}, "identity", delayed={(b, 1): 1.0}) for a, b in links.items()}
        neurons["h"] = Neuron({"x": 0.7}, "tanh", 0.1, delayed={("d1", 1): 0.3, ("c2", 1): -0.4})
        chain = SequenceNetwork(["x"], neurons, ["y"])
        assert direct.predict(self.x) == chain.predict(self.x)
        mapping = {p: (p, 1.0) for p in direct.parameters() if p.kind != "initial" and not p.delay}
        mapping[weight_of("x", "h", 3)] = weight_of("c2", "h", 1), 1.0
        mapping[weight_of("h", "h", 2)] = weight_of("d1", "h", 1), 1.0
        same_outputs_and_gradients(direct, chain, self.x, self.t, mapping)

    def test_a_leak_of_the_potential_is_an_identity_that_hears_itself(self):
        alpha = 0.3
        leaky = self.net(leak=alpha, leak_of="potential")
        neurons = {
            "v": Neuron({"x": alpha * 0.7}, "identity", alpha * 0.1, delayed={("h", 1): alpha * 0.5, ("v", 1): 0.7}),
            "h": Neuron({"v": 1.0}, "tanh"),
            "y": Neuron({"h": 1.5}, "sigmoid"),
        }
        rewritten = SequenceNetwork(["x"], neurons, ["y"])
        assert np.allclose(leaky.predict(self.x), rewritten.predict(self.x), rtol=1e-14)
        mapping = {
            weight_of("x", "h"): (weight_of("x", "v"), alpha),
            weight_of("h", "h", 1): (weight_of("h", "v", 1), alpha),
            bias_of("h"): (bias_of("v"), alpha),
            weight_of("h", "y"): (weight_of("h", "y"), 1.0),
            initial_of("h"): (initial_of("v"), 1.0),
        }
        # y(t < 0) of the leaky neuron is f(v0), and 0 = tanh(0) here
        other = rewritten.gradients([self.x], [self.t]).parameters
        share = 0.7 * other[initial_of("v")]  # v0 is heard by way of the leak, and as f(v0) by h itself
        assert share != 0.0
        found = leaky.gradients([self.x], [self.t]).parameters[initial_of("h")]
        assert found == pytest.approx(other[initial_of("v")] + other[initial_of("h")], rel=1e-12)
        del mapping[initial_of("h")]
        same_outputs_and_gradients(leaky, rewritten, self.x, self.t, mapping)

    def test_a_leak_of_the_output_is_an_identity_behind(self):
        alpha = 0.3
        leaky = self.net(leak=alpha)
        neurons = {
            "u": Neuron({"x": 0.7}, "tanh", 0.1, delayed={("h", 1): 0.5}),
            "h": Neuron({"u": alpha}, "identity", delayed={("h", 1): 1.0 - alpha}),
            "y": Neuron({"h": 1.5}, "sigmoid"),
        }
        rewritten = SequenceNetwork(["x"], neurons, ["y"])
        assert np.allclose(leaky.predict(self.x), rewritten.predict(self.x), rtol=1e-14)
        mapping = {
            weight_of("x", "h"): (weight_of("x", "u"), 1.0),
            weight_of("h", "h", 1): (weight_of("h", "u", 1), 1.0),
            bias_of("h"): (bias_of("u"), 1.0),
            weight_of("h", "y"): (weight_of("h", "y"), 1.0),
            initial_of("h"): (initial_of("h"), 1.0),
        }
        same_outputs_and_gradients(leaky, rewritten, self.x, self.t, mapping)
        g = rewritten.gradients([self.x], [self.t]).parameters
        of_alpha = g[weight_of("u", "h")] - g[weight_of("h", "h", 1)]
        assert leaky.gradients([self.x], [self.t]).parameters[leak_of("h")] == pytest.approx(of_alpha, rel=1e-11)

    @settings(max_examples=20, deadline=None)
    @given(sequence_cases(max_samples=1, max_steps=4))
    def test_steps_are_copies_of_an_unfolded_network(self, case):
        """T copies of every neuron, edges of delay d from copy t − d to copy t: gradients of the copies add up."""
        net, x, t = case.reference, case.X[0], case.T[0]
        if any(net.leak_of(a) for a in net.neurons):
            net = SequenceNetwork(net.inputs, {a: without_leak(n) for a, n in net.neurons.items()}, net.outputs)
        net.initial = {}
        neurons = {}
        for k in range(len(x)):
            for a, n in net.neurons.items():
                weights = {(b, k): w for b, w in n.weights.items()}
                for (b, d), w in n.delayed.items():
                    if k >= d:
                        weights[b, k - d, "late", d] = w
                neurons[a, k] = Neuron(weights, n.activation, n.bias, n.slope)
        heard = {b for n in neurons.values() for b in n.weights if len(b) == 4}
        for b in heard:
            neurons[b] = Neuron({b[:2]: 1.0}, "identity")
        inputs = [(i, k) for k in range(len(x)) for i in net.inputs]
        targets = [net.wanted(t_k) for t_k in t]
        whole = net.sample_gradients(net.signals(x, t, case.loss))
        sums = dict.fromkeys(whole, 0.0)
        for k, wanted in enumerate(targets):
            if wanted is None:
                continue
            outputs = [(o, k) for o in net.outputs]
            own = {a: n for a, n in neurons.items() if a[1] <= k and not (n.activation == "softmax" and a[1] != k)}
            unfolded = ReferenceNetwork([i for i in inputs if i[1] <= k], own, outputs)
            g = unfolded.sample_gradients(
                unfolded.signals([v for row in x[: k + 1] for v in row], wanted.target, case.loss)
            )
            for p, value in g.items():
                if len(p.sink) == 4:
                    continue
                source = p.source if p.source is None else p.source[0]
                delay = p.source[3] if p.source is not None and len(p.source) == 4 else 0
                sums[p._replace(sink=p.sink[0], source=source, delay=delay)] += wanted.weight * value
        size = 1.0 + max(map(abs, whole.values()))
        assert {p: g for p, g in sums.items() if p.kind != "initial"} == {
            p: pytest.approx(g, rel=1e-9, abs=1e-11 * size) for p, g in whole.items() if p.kind != "initial"
        }


def without_leak(n):
    return Neuron(n.weights, n.activation, n.bias, n.slope, n.delayed)


class TestTasks:
    def test_the_adding_problem_of_a_net_that_says_1(self):
        """The sum of two marked numbers from 0 to 1 is 1 in the mean: its variance, 1/6, is left."""
        rng = np.random.default_rng(0)
        net = SequenceNetwork(["value", "mark"], {"y": Neuron({}, "identity", bias=1.0)}, ["y"])
        X, T = [], []
        for _ in range(3000):
            values = rng.random(5)
            marked = rng.choice(5, 2, replace=False)
            X.append([[v, float(k in marked)] for k, v in enumerate(values.tolist())])
            T.append([None] * 4 + [[float(values[marked].sum())]])
        assert net.gradients(X, T, "squared_error").loss == pytest.approx(1 / 6, rel=0.05)

    def test_a_chain_copies_without_a_loss(self):
        neurons = {f"c{k}": Neuron({}, "identity", delayed={(f"c{k - 1}" if k else "x", 1): 1.0}) for k in range(4)}
        net = SequenceNetwork(["x"], neurons, ["c3"])
        x = [[float(v)] for v in (3, 1, 4, 1, 5, 9, 2, 6)]
        assert net.signals(x, [None] * 4 + x[:4]).loss == 0.0

    def test_the_order_of_sequences_changes_no_bit_of_theirs(self):
        net = one_hidden(0.7, 0.5, 1.5)
        rng = np.random.default_rng(2)
        X, T = rng.normal(size=(2, 5, 1)).tolist(), rng.normal(size=(2, 5, 1)).tolist()
        one, other = net.gradients(X, T), net.gradients(X[::-1], T[::-1])
        assert one.samples == other.samples[::-1]

    def test_an_rnn_as_layers_write_it(self):
        """h(t) = tanh(W x(t) + U h(t−1) + b_x + b_h) in NumPy, with its gradients by the chain rule of matrices."""
        rng = np.random.default_rng(3)
        n, m, T = 4, 3, 6
        W, U, b, V = rng.normal(size=(n, m)), rng.normal(size=(n, n)) / 2, rng.normal(size=n), rng.normal(size=(2, n))
        X, target, mask = rng.normal(size=(T, m)), rng.normal(size=(T, 2)), rng.random(T)
        h, Y = [np.zeros(n)], []
        for t in range(T):
            h.append(np.tanh(W @ X[t] + U @ h[-1] + b))
            Y.append(V @ h[-1])
        gW, gU, gb, gV, back = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b), np.zeros_like(V), np.zeros(n)
        for t in reversed(range(T)):
            error = mask[t] * (Y[t] - target[t])
            delta = (V.T @ error + back) * (1 - h[t + 1] ** 2)
            gV += np.outer(error, h[t + 1])
            gW += np.outer(delta, X[t])
            gU += np.outer(delta, h[t])
            gb += delta
            back = U.T @ delta
        neurons = {
            f"h{i}": Neuron(
                {f"x{j}": W[i, j] for j in range(m)}, "tanh", b[i], delayed={(f"h{j}", 1): U[i, j] for j in range(n)}
            )
            for i in range(n)
        }
        neurons |= {f"y{o}": Neuron({f"h{i}": V[o, i] for i in range(n)}, "identity") for o in range(2)}
        net = SequenceNetwork([f"x{j}" for j in range(m)], neurons, ["y0", "y1"])
        assert np.allclose(net.predict(X.tolist()), Y, rtol=1e-13)
        wanted = [Weighted(t, float(m)) for t, m in zip(target.tolist(), mask, strict=True)]
        g = net.gradients([X.tolist()], [wanted], reduction="sum")
        pairs = [(gW[i, j], g.weights[f"x{j}", f"h{i}"]) for i in range(n) for j in range(m)]
        pairs += [(gU[i, j], g.weights[f"h{j}", f"h{i}", 1]) for i in range(n) for j in range(n)]
        pairs += [(gV[o, i], g.weights[f"h{i}", f"y{o}"]) for o in range(2) for i in range(n)]
        pairs += [(gb[i], g.biases[f"h{i}"]) for i in range(n)]
        assert [a for a, _ in pairs] == pytest.approx([b for _, b in pairs], rel=1e-12)


class TestTraining:
    @pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "rprop"])
    def test_only_what_is_asked_for_learns(self, optimizer):
        neurons = {
            "h": Neuron({"x": 0.5}, "tanh", delayed={("h", 1): 0.5}, leak=0.5),
            "g": Neuron({"h": 0.5}, "tanh", leak=0.5, leak_of="potential"),
        }
        X, T = [[[1.0], [2.0], [0.5]]] * 2, [[None, [0.1], [0.2]]] * 2
        for learned in ([], [leak_of("g"), initial_of("h")]):
            net = SequenceNetwork(["x"], neurons, ["g"], learned=learned)
            history = net.fit(X, T, optimizer=optimizer, learning_rate=0.01, epochs=5, batch_size=None)
            assert history["loss"][-1] < history["loss"][0]
            assert (net.neurons["h"].leak, net.initial.get("g", 0.0)) == (0.5, 0.0)
            assert (net.neurons["g"].leak == 0.5) == (not learned)
            assert (net.initial.get("h", 0.0) == 0.0) == (not learned)
            assert net.neurons["h"].delayed != neurons["h"].delayed

    def test_a_mean_is_over_the_steps_that_have_a_target(self):
        net = one_hidden(1.0, 0.0, activation="identity")
        X, T = [[[1.0], [2.0]], [[3.0]]], [[[0.0], [0.0]], [Weighted([0.0], 2.0)]]
        g = net.gradients(X, T)
        assert (g.losses, g.loss) == ([0.5, 2.0, 9.0], pytest.approx(11.5 / 3))
        assert g.weights["x", "h"] == pytest.approx((1.0 + 4.0 + 2.0 * 9.0) / 3)


class TestFromANetwork:
    def test_everything_is_taken_over(self):
        net = ns.Network()
        net.add_inputs("x")
        net.add_neuron("h", {"x": 0.5, ("h", 1): 0.25, ("x", 2): 0.125}, activation="tanh", leak=0.5)
        net.add_neuron("y", {"h": 2.0, ("h", 1): 3.0}, activation="identity", leak=0.25, leak_of="potential")
        net.set_outputs("y")
        net["x"].initial, net["y"].initial = 1.0, 2.0
        net.freeze(edges=[("h", "y", 1)])
        net.unfreeze(leaks="h", initial="y")
        reference = SequenceNetwork.from_network(net)
        assert reference.neurons == {
            1: Neuron({0: 0.5}, "tanh", delayed={(1, 1): 0.25, (0, 2): 0.125}, leak=0.5),
            2: Neuron({1: 2.0}, "identity", delayed={(1, 1): 3.0}, leak=0.25, leak_of="potential"),
        }
        assert reference.initial == {0: 1.0, 2: 2.0}
        assert reference.frozen == {weight_of(1, 2, 1)}
        assert reference.learned == {leak_of(1), initial_of(2)}
        with pytest.raises(WiringError, match=r"has memory; .*SequenceNetwork"):
            ReferenceNetwork.from_network(net)

    def test_what_cannot_be(self):
        cycle = {"a": Neuron({"b": 1.0}), "b": Neuron({"a": 1.0}, delayed={("a", 1): 1.0})}
        with pytest.raises(CycleError):
            SequenceNetwork(["x"], cycle, ["a"])
        for n in (Neuron({}, "softmax", leak=0.5), Neuron({}, "softmax", delayed={("a", 1): 1.0})):
            with pytest.raises(WiringError, match="'a' is softmax"):
                SequenceNetwork(["x"], {"a": n}, ["a"])
        with pytest.raises(WiringError, match="'a' listens to 'q'"):
            SequenceNetwork(["x"], {"a": Neuron({}, delayed={("q", 1): 1.0})}, ["a"])
        net = one_hidden(1.0, 1.0)
        with pytest.raises(DataError, match="t has 1 steps, x has 2"):
            net.signals([[1.0], [1.0]], [[1.0]])

    def test_the_slope_of_a_potential_at_the_beginning(self):
        """f(v0) of a prelu is heard later: its slope has part in it."""
        a = Neuron({"x": 1.0}, "prelu", leak=0.5, leak_of="potential", slope=0.2)
        net = SequenceNetwork(["x"], {"a": a, "y": Neuron({}, "identity", delayed={("a", 1): 3.0})}, ["y"])
        net.initial["a"] = -2.0
        s = net.signals([[1.0]], [[0.0]])
        assert s.steps[0].y["y"] == pytest.approx(3.0 * 0.2 * -2.0)
        assert net.sample_gradients(s)[slope_of("a")] == pytest.approx(3.0 * -1.2 * -2.0)
        assert math.isclose(net.sample_gradients(s)[initial_of("a")], 3.0 * -1.2 * 0.2)
