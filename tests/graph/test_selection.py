"""Which neurons are meant, and what happens to inputs and outputs that are removed."""

import numpy as np
from nets import small_graph

from neuronsim.graph.graph import Graph


def test_globs_pair_each_with_each_and_lists_go_in_step():
    graph = Graph()
    graph.add_inputs(["a", "b"])
    for name in ("h1", "h2"):
        graph.add_neuron(name)
    graph.connect("[ab]", "h*", 1.0)
    assert graph.n_edges == 4
    graph.add_neuron("o1")
    graph.add_neuron("o2")
    graph.connect(["h1", "h2"], np.array([4, 5]), [2.0, 3.0])
    assert graph.weights[graph.edge("h2", "o2")] == 3.0
    graph.disconnect("*", "h1")
    assert graph.n_edges == 4


def test_removing_an_output_or_an_input_takes_its_column_along():
    graph = small_graph()
    graph.set_outputs(["o1", "h1"])
    graph.remove("o1")
    assert [graph.name(i) for i in graph.outputs] == ["h1"]
    graph.remove("i1")
    assert [graph.name(i) for i in graph.inputs] == ["i2"]
    assert graph.outputs.tolist() == [1]
