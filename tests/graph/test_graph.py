"""A graph's arrays, its missing weights, its copies."""

import copy
import math
import pickle

from nets import small_graph


def test_arrays():
    graph = small_graph()
    assert graph.row_start.tolist() == [0, 0, 0, 2, 3]
    assert graph.sources.tolist() == [0, 1, 2]
    assert graph.weights.tolist() == [0.15, 0.2, 0.5]
    assert graph.biases.tolist() == [0, 0, 0.35, 0]
    assert graph.slopes.tolist() == [0.25] * 4
    assert graph.activation_codes.tolist() == [0, 0, 1, 0]
    assert graph.is_input.tolist() == [True, True, False, False]
    assert (graph.inputs.tolist(), graph.outputs.tolist()) == ([0, 1], [3])
    assert graph.n_parameters == 3 + 2
    types = {"row_start": "i8", "sources": "i4", "activation_codes": "i2", "inputs": "i4", "outputs": "i4"}
    assert all(getattr(graph, name).dtype == dtype for name, dtype in types.items())


def test_only_missing_weights_are_drawn_and_a_computed_nan_stays():
    graph = small_graph()
    graph.weights[0] = math.nan
    graph.connect("i1", "o1")
    graph.draw_missing(0)
    assert math.isnan(graph.weights[0])
    assert graph.weights[1] == 0.2
    assert math.isfinite(graph.weights[2])
    drawn = graph.weights[2]
    graph.connect("i2", "o1")
    graph.draw_missing(0)
    assert graph.weights[2] == drawn
    assert graph.weights[3] != drawn


def test_reaching_an_output():
    graph = small_graph()
    graph.add_neuron("dead end", ["h1"])
    assert graph.reaches_output().tolist() == [True, True, True, True, False]


def test_copies_are_independent():
    graph = small_graph()
    for other in (graph.copy(), copy.deepcopy(graph), pickle.loads(pickle.dumps(graph))):
        other.weights[0] = 99.0
        other.add_neuron("new")
        assert graph.weights[0] == 0.15
        assert graph.n_neurons == 4
