"""References to parameters: labels, values and rate factors from a graph."""

import pytest

import neuronsim as ns
from neuronsim.graph.parameters import ParameterRef


@pytest.fixture
def net() -> ns.Network:
    net = ns.Network(rng=0)
    net.add_inputs(["i1", "i2"])
    net.add_neuron("lonely", {}, activation="tanh", bias=0.25)
    net.add_neuron("h1", {"i1": 0.5, "i2": -1.5}, activation="prelu", bias=0.75)
    net.add_neuron("o1", {"h1": 2.0, "i2": 3.0, "lonely": 1.0}, activation="identity")
    net.set_outputs("o1")
    return net


def test_every_parameter_once_with_its_label_and_value(net):
    graph = net.graph
    assert {ref.label(graph): ref.value(graph) for ref in ParameterRef.every(graph)} == {
        "w[i1→h1]": 0.5,
        "w[i2→h1]": -1.5,
        "w[i2→o1]": 3.0,
        "w[lonely→o1]": 1.0,
        "w[h1→o1]": 2.0,
        "b[lonely]": 0.25,
        "b[h1]": 0.75,
        "b[o1]": 0.0,
        "slope[h1]": 0.25,
    }
    assert len(list(ParameterRef.every(graph))) == net.n_parameters


def test_ends(net):
    graph = net.graph
    weight, bias = ParameterRef("weights", graph.edge("i2", "o1")), ParameterRef("biases", graph.id("h1"))
    assert (weight.source(graph), weight.sink(graph)) == (graph.id("i2"), graph.id("o1"))
    assert (bias.source(graph), bias.sink(graph)) == (None, graph.id("h1"))


def test_a_weight_that_takes_time_says_so(net):
    net.connect("o1", "h1", 0.5, delay=1)
    net.connect("i1", "h1", 0.5, delay=3)
    labels = [ref.label(net.graph) for ref in ParameterRef.every(net.graph)]
    assert labels[:4] == ["w[i1→h1]", "w[i2→h1]", "w[o1→h1, 1 step ago]", "w[i1→h1, 3 steps ago]"]


def test_names_written_in_another_way(net):
    assert ParameterRef("weights", 0).label(net.graph, "<{}>".format) == "w[<i1>→<h1>]"


def test_values_around_a_step(net):
    step = net.step([1.0, 2.0], [0.0], learning_rate=0.1)
    ref = ParameterRef("biases", net.graph.id("o1"))
    assert ref.value(step) == 0.0
    assert ref.value(step.after) == step["o1"].bias_after == net["o1"].bias


def test_rate_factors(net):
    weight, other = ParameterRef("weights", 0), ParameterRef("weights", 1)
    assert weight.rate_factor(net.graph) == 1.0
    net.scale_rate(("i1", "h1"), 3.0)
    net.freeze(edges=[("i2", "h1")])
    assert weight.rate_factor(net.graph) == 3.0
    assert other.rate_factor(net.graph) < 0.0
