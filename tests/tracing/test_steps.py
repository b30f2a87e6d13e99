"""A step's records, its explanation, and the gradient check, on compiled networks."""

import math
import pickle

import numpy as np
import pytest
from nets import T222 as T
from nets import X222 as X
from nets import mixed_net, net_222

import neuronsim as ns
from neuronsim.errors import DataError, NeuronsimError, SettingError, UnknownNameError
from neuronsim.formulas import losses
from neuronsim.formulas.neurons import bias_of, slope_of, weight_of
from neuronsim.formulas.reference import ReferenceNetwork


class TestStep:
    def test_l4s_numbers(self):
        step = net_222().step(X, T, learning_rate=0.5)
        assert step["h1"].z == pytest.approx(0.3775, abs=1e-15)
        assert step["h1"].y == pytest.approx(0.593269992, abs=5e-10)
        assert step.loss == pytest.approx(0.298371109, abs=5e-10)
        assert step["h1", "o1"].gradient == pytest.approx(0.082167041, abs=5e-10)
        assert step["i1", "h1"].gradient == pytest.approx(0.000438568, abs=5e-10)
        assert step["h1", "o1"].weight == 0.40
        assert step["h1", "o1"].weight_after == pytest.approx(0.35891648, abs=5e-9)
        assert step["h1"].bias == step["h1"].bias_after == 0.35

    def test_hidden_errors_use_the_old_weights(self):
        net = net_222()
        net.step(X, T, learning_rate=0.5)
        error = net.evaluate([X], [T]).loss
        assert error != pytest.approx(0.29102792390544197, rel=0, abs=2e-10), "δ came from updated weights"
        assert error == pytest.approx(0.29102777369359933, rel=0, abs=1e-15)

    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    @pytest.mark.parametrize(
        ("loss", "last"),
        [
            ("half_squared_error", "tanh"),
            ("cross_entropy", "softmax"),
            ("binary_cross_entropy", "sigmoid"),
            ("squared_error", "softmax"),
        ],
    )
    def test_every_record_is_that_of_the_reference(self, dtype, loss, last):
        net = mixed_net(loss, last, dtype)
        reference = ReferenceNetwork.from_network(net)
        t = [0.2, 0.8, -0.3, 0.5][: net.n_outputs]
        x = [0.7, -1.1]
        step = net.step(x, t, loss=loss, learning_rate=0.25)
        near = {"rel": 1e-5, "abs": 1e-6} if dtype == "float32" else {"rel": 1e-12, "abs": 1e-14}
        gradients = reference.gradients([x], [t], loss)
        s = gradients.samples[0]
        reference.step(x, t, loss, 0.25)
        assert step.loss == pytest.approx(s.loss, **near)
        for a in range(net.n_neurons):
            n = step[a]
            assert (n.z, n.y, n.delta) == pytest.approx((s.z[a], s.y[a], s.delta[a]), **near), n
            assert n.error == pytest.approx(s.error[a], **near), n
            own = reference.own_delta(s.z, s.y, t, losses.LOSSES[loss]).get(a)
            assert n.own_delta == (None if own is None else pytest.approx(own, **near))
            if not n.is_input:
                assert n.bias_gradient == pytest.approx(gradients.parameters[bias_of(a)], **near)
                assert n.bias_after == pytest.approx(reference.neurons[a].bias, **near)
            if n.activation == "prelu":
                assert n.slope_gradient == pytest.approx(gradients.parameters[slope_of(a)], **near)
                assert n.slope_after == pytest.approx(reference.neurons[a].slope, **near)
            for e in n.incoming:
                p = weight_of(e.source_id, a)
                assert e.gradient == pytest.approx(gradients.parameters[p], **near)
                assert e.weight_after == pytest.approx(reference.value(p), **near)
                assert e.dw == pytest.approx(e.weight_after - e.weight, abs=1e-12)

    def test_later_steps_and_edits_leave_it_alone(self):
        net = net_222()
        step = net.step(X, T, learning_rate=0.5)
        before = str(step.explain("h1")), step["i1", "h1"].weight, step.weights_after.tolist()
        net.step(X, T, learning_rate=0.5)
        net.weights[:] = 0.0
        net["h1"].activation = "tanh"
        net.remove_neuron("h2")
        net.add_neuron("h2", {"i1": 9.0})
        assert before == (str(step.explain("h1")), step["i1", "h1"].weight, step.weights_after.tolist())
        assert step["h2"].sources == ["i1", "i2"]

    def test_its_arrays_are_read_only(self):
        step = net_222().step(X, T)
        for array in (step.z, step.delta, step.weights, step.weights_after, step.weight_gradients):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1.0

    def test_the_network_shows_the_same_signals(self):
        net = net_222()
        step = net.step(X, T)
        assert (net["h1"].z, net["o2"].delta) == (step["h1"].z, step["o2"].delta)

    def test_class_numbers(self):
        net = mixed_net("cross_entropy", "softmax")
        step = net.step([0.7, -1.1], 1)
        assert step.targets == [0.0, 1.0]
        assert step.loss == pytest.approx(-math.log(step["o1"].y))

    def test_a_step_can_be_pickled(self):
        step = net_222().step(X, T)
        assert str(pickle.loads(pickle.dumps(step)).explain("h1")) == str(step.explain("h1"))

    def test_unknown_names(self):
        step = net_222().step(X, T)
        with pytest.raises(UnknownNameError, match="no neuron 'H1'; did you mean 'h1'"):
            step["H1"]
        with pytest.raises(UnknownNameError, match="no edge 'i1' → 'o1'"):
            step["i1", "o1"]
        with pytest.raises(SettingError, match="explain one neuron"):
            step.explain("i1", "h1", "o1")

    @pytest.mark.parametrize(
        ("x", "t", "settings", "error"),
        [
            ([X], [T], {}, DataError),
            ([0.1], T, {}, DataError),
            ([math.nan, 0.1], T, {}, DataError),
            (X, [0.1], {}, DataError),
            (X, T, {"learning_rate": -1.0}, SettingError),
            (X, T, {"learning_rate": math.nan}, SettingError),
            (X, T, {"loss": "half_squared"}, SettingError),
        ],
    )
    def test_what_is_refused_changes_nothing(self, x, t, settings, error):
        net = net_222()
        before = net.weights.copy()
        with pytest.raises(error):
            net.step(x, t, **settings)
        assert np.array_equal(net.weights, before)

    def test_a_loss_that_is_not_finite_is_no_step(self):
        net = ns.Network()
        net.add_inputs("x")
        net.add_neuron("y", {"x": 1e200}, activation="identity")
        net.set_outputs("y")
        with pytest.raises(NeuronsimError, match="the step was not made"):
            net.step([1.0], [0.0])
        assert net.weights.tolist() == [1e200]
