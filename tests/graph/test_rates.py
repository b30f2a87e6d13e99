"""Frozen parameters and factors on the learning rate."""

import numpy as np
from nets import small_graph


def test_freezing_survives_edits_and_unfreezing_restores_the_rate():
    graph = small_graph()
    assert graph.weight_rates is graph.bias_rates is graph.slope_rates is None
    graph.scale_rate(0.5, "h1")
    graph.scale_rate(0.5, edges=np.array([graph.edge("i1", "h1")]))
    graph.freeze("h1")
    assert graph.weight_rates.tolist() == [-1, -1, 1]
    graph.add_neuron("h2", ["i1"], [3.0])
    graph.connect("h2", "o1", 1.0)
    graph.disconnect("i2", "h1")
    assert graph.weight_rates.tolist() == [-1, 1, 1, 1]
    assert graph.bias_rates.tolist() == [1, 1, -1, 1, 1]
    graph.freeze("h1", on=False)
    assert graph.weight_rates.tolist() == [0.25, 1, 1, 1]
    assert graph.slope_rates.tolist() == [1, 1, 0.5, 1, 1]
    graph.scale_rate(2.0, "h1")
    assert graph.bias_rates is None


def test_all_biases_freeze():
    graph = small_graph()
    graph.freeze(biases=True)
    assert graph.bias_rates.tolist() == [1, 1, -1, -1]
    assert graph.weight_rates is graph.slope_rates is None
    graph.scale_rate(0.0, "o1")
    assert graph.weight_rates.tolist() == [1, 1, 0]
