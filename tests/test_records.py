"""Neurons and edges as people see them."""

import numpy as np
import pytest
from nets import shortcut_net

import neuronsim as ns
from neuronsim.errors import SettingError, UnknownNameError


@pytest.fixture
def net():
    return shortcut_net()


def test_neuron_record(net):
    h1 = net["h1"]
    assert (h1.id, h1.name, h1.activation, h1.bias, h1.b, h1.slope) == (2, "h1", "sigmoid", 0.35, 0.35, 0.25)
    assert (h1.sources, h1.sinks) == (["i1", "i2"], ["o1"])
    assert (h1.is_input, h1.is_output, net["i1"].is_input, net["o1"].is_output) == (False, False, True, True)
    h1.b = 0.5
    h1.slope = 0.1
    h1.activation = "tanh"
    assert (net.biases[2], net.slopes[2], net.neurons["activation"][2]) == (0.5, 0.1, "tanh")
    assert net[2].name == net[np.int32(2)].name == "h1"
    assert [n.name for n in net] == ["i1", "i2", "h1", "o1"]
    with pytest.raises(SettingError, match="not finite"):
        h1.bias = np.nan
    assert "h1" in repr(h1)


def test_records_follow_their_name_when_rows_move(net):
    o1, edge = net["o1"], net["i2", "o1"]
    net.remove_neuron("i1")
    assert o1.id == 2
    assert edge.weight == 0.3
    net.remove_neuron("o1")
    with pytest.raises(UnknownNameError, match="no neuron 'o1'"):
        _ = o1.bias


def test_edge_record(net):
    edge = net["i1", "h1"]
    assert (edge.source, edge.sink, edge.weight, edge.w, edge.frozen, edge.rate) == ("i1", "h1", 0.15, 0.15, False, 1.0)
    edge.w = 0.25
    assert net.weights[0] == net[0, 2].weight == 0.25
    net.freeze(edges=[("i1", "h1")])
    net.scale_rate(("i1", "h1"), 0.1)
    assert (edge.frozen, edge.rate) == (True, 0.1)
    assert "frozen" in repr(edge)
    with pytest.raises(UnknownNameError, match="no edge 'i1' → 'o1'; 'o1' listens to i2, h1"):
        net["i1", "o1"]
    assert ("i1", "h1") in net
    assert "zz" not in net


def test_tables_are_read_only_copies(net):
    assert net.neurons["name"].tolist() == ["i1", "i2", "h1", "o1"]
    assert net.edges[["source", "sink", "weight"]].tolist() == [(0, 2, 0.15), (1, 2, 0.2), (1, 3, 0.3), (2, 3, 0.5)]
    for table in (net.neurons, net.edges):
        with pytest.raises(ValueError, match="read-only"):
            table[table.dtype.names[0]] = 0
    assert len(ns.Network().neurons) == len(ns.Network().edges) == 0
