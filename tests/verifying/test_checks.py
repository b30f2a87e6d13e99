"""The gradient check: it agrees on right kernels, and names what is wrong on others."""

from dataclasses import replace

import numpy as np
import pytest
from nets import T222 as T
from nets import X222 as X
from nets import mixed_net, net_222

import neuronsim as ns
from neuronsim.errors import CheckError, SettingError
from neuronsim.verifying.checks import MOST_PARAMETERS, check_step, in_float64


class TestCheck:
    @pytest.mark.parametrize(
        ("loss", "last"),
        [
            ("half_squared_error", "tanh"),
            ("cross_entropy", "softmax"),
            ("binary_cross_entropy", "sigmoid"),
            ("huber", "softmax"),
            ("l2_norm", "tanh"),
        ],
    )
    def test_right_gradients_pass(self, loss, last):
        net = mixed_net(loss, last)
        X = [[0.7, -1.1], [0.2, 0.4]]
        T = [[0.2, 0.8, -0.3, 0.5][: net.n_outputs], [0.5, 0.5, 0.1, 0.9][: net.n_outputs]]
        found = net.check(X, T, loss=loss)
        found.assert_ok()
        assert len(found.comparisons) == net.n_parameters == found.n_parameters
        errors = [c.error for c in found.comparisons]
        assert errors == sorted(errors, reverse=True)
        assert str(found).startswith(f"{net.n_parameters} gradients agree")
        assert "<table>" in found._repr_html_()

    def test_a_float32_network_is_checked_in_float64(self):
        net = mixed_net(dtype="float32")
        before = net.weights.copy()
        net.check([0.7, -1.1], [0.2, 0.8, -0.3, 0.5]).assert_ok()
        assert np.array_equal(net.weights, before)

    def test_a_step_checks_its_own_gradients(self):
        for dtype in ("float64", "float32"):
            mixed_net(dtype=dtype).step([0.7, -1.1], [0.2, 0.8, -0.3, 0.5], learning_rate=0.5).check().assert_ok()

    def test_hidden_errors_from_updated_weights_fail_and_are_named(self):
        """The update-order bug, planted: δ of h1 computed with the outputs' new weights."""
        step = net_222().step(X, T, learning_rate=0.5)
        delta = step.delta.copy()
        new = [step["h1", o].weight_after * step[o].delta for o in ("o1", "o2")]
        delta[step["h1"].id] = sum(new) * step["h1"].derivative
        wrong = replace(step, delta=delta)
        found = check_step(wrong)
        assert {c.name for c in found.failures} == {"b[h1]", "w[i1→h1]", "w[i2→h1]"}
        with pytest.raises(
            CheckError, match=r"3 of 12 gradients differ from .* \(hidden deltas from updated weights\)"
        ):
            found.assert_ok()

    def test_large_networks_are_sampled_and_say_so(self):
        net = mixed_net()
        found = net.check([0.7, -1.1], [0.2, 0.8, -0.3, 0.5], most=5)
        assert len(found.comparisons) == 5
        assert str(found).startswith(f"5 of {net.n_parameters} gradients agree")
        assert MOST_PARAMETERS == 10_000

    def test_unknown_reduction(self):
        with pytest.raises(SettingError, match="unknown reduction"):
            net_222().check([X], [T], reduction="max")


def test_what_is_not_shown_is_counted() -> None:
    check = net_222().check(X, T)
    assert str(check).endswith("and 9 more that agree")
    assert "<p>and 9 more that agree</p>" in check._repr_html_()
    wrong = replace(check, comparisons=tuple(replace(c, error=2.0) for c in check.comparisons))
    assert str(wrong).endswith("and 2 more that differ")


def test_the_float64_copy_keeps_the_memory():
    net = ns.wiring.elman(1, 2, 1, dtype="float32", rng=0)
    net["h0"].leak = 0.3
    net.unfreeze(leaks="h0", initial="h*")
    copy = in_float64(net.graph)
    assert copy.delays.tolist() == net.graph.delays.tolist()
    arrays, copies = net.graph.memory.arrays(), copy.memory.arrays()
    assert {name: values.tolist() for name, values in copies.items()} == {
        name: values.tolist() for name, values in arrays.items()
    }
    assert copies["leaks"].dtype == copies["initials"].dtype == np.float64
