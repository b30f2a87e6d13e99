"""What a network says of itself."""

import pytest
from nets import shortcut_net

import neuronsim as ns


@pytest.fixture
def net():
    return shortcut_net()


def test_print_is_five_lines(net):
    net.add_neuron("dead end", ["h1"])
    net.freeze(edges=[("i1", "h1")])
    lines = str(net).splitlines()
    assert len(lines) == 5
    assert lines[0] == "Network of 5 neurons, 2 of them inputs, float64"
    assert lines[1] == "  parameters: 8 (5 edges), 1 frozen"
    assert lines[3] == "  inputs: i1, i2; outputs: o1"
    assert lines[4] == "  depth 2; 1 neuron with no path to an output"
    assert repr(net) == "<Network float64: 5 neurons, 5 edges, 2 inputs, 1 output>"


def test_print_works_for_what_cannot_run():
    net = ns.Network()
    assert len(str(net).splitlines()) == 5
    net.add_neuron("a")
    net.add_neuron("b", ["a"])
    net.connect("b", "a")
    assert "a" in str(net).splitlines()[4]
    assert len(str(net).splitlines()) == 5
