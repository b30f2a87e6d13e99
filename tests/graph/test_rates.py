"""Frozen parameters and factors on the learning rate."""

import numpy as np
from nets import small_graph

import neuronsim as ns


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


def test_marks_that_mark_nothing_decide_no_bit(tmp_path):
    """Online training takes its fused pass where no rate is stored; what can't be seen must not be stored."""
    net = ns.wiring.layered([2, 5, 1], activation="sigmoid", rng=0)
    net.add_neuron("g", ["x0"])
    net.add_neuron("s", ["x1"])
    net.freeze("g")
    net.scale_rate("s", 0.5)
    net.remove_neuron(["g", "s"])
    net.save(tmp_path / "net.json")
    other = ns.load(tmp_path / "net.json")
    assert net.graph.weight_rates is None
    X, T = np.random.default_rng(0).random((60, 2)), np.random.default_rng(1).random((60, 1))
    for each in (net, other):
        each.fit(X, T, epochs=20, learning_rate=0.3, rng=0)
    assert net.weights.tobytes() == other.weights.tobytes()
