"""Kinks of activations and losses: named, and no failure."""

import neuronsim as ns


def test_a_kink_is_named_and_does_not_fail():
    net = ns.Network()
    net.add_inputs("x")
    net.add_neuron("r", {"x": 1.0}, activation="relu", bias=0.0)
    net.add_neuron("y", {"r": 1.0}, activation="identity")
    net.set_outputs("y")
    found = net.check([0.0], [1.0])
    found.assert_ok()
    assert [c.name for c in found.kinks] == ["b[r]"]
    assert "a kink lies between: b[r] (relu of r at z = 0 of sample 0)" in str(found)


def test_a_kink_of_the_loss():
    net = ns.Network()
    net.add_inputs("x")
    net.add_neuron("y", {"x": 1.0}, activation="identity")
    net.set_outputs("y")
    found = net.check([1.0], [1.0], loss="l2_norm")
    found.assert_ok()
    found = net.check([1.0], [1.0 + 1e-6], loss="absolute_error")
    assert [c.kink for c in found.kinks] in ([], ["absolute_error at y = t of y of sample 0"] * 2)
