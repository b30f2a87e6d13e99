"""Where neurons stand, what is folded, and that the picture says so."""

import numpy as np
from pictures import words

import neuronsim as ns
from neuronsim import wiring
from neuronsim.plots import network
from neuronsim.plots.layout import MOST_EDGES, MOST_LEVELS, MOST_NEURONS, lay_out


def test_large_levels_are_folded_and_the_picture_says_so() -> None:
    picture = network(ns.wiring.layered([784, 256, 128, 10], rng=0))
    counts = np.bincount(picture.layout.column)
    assert counts.tolist() == [MOST_NEURONS] * 3 + [10]
    said = words(picture)
    for text in ("… 760 more", "… 232 more", "… 104 more", "784", "256", "128", "10"):
        assert text in said.split("\n")
    assert "234,752 edges; 1,392 join neurons drawn here" in said


def test_of_too_many_edges_the_largest_are_drawn_and_the_picture_says_so() -> None:
    net = ns.wiring.shortcut([20, 24, 24, 24], rng=0)
    picture = network(net)
    assert len(picture.edges.get_paths()) == MOST_EDGES
    assert f"{net.n_edges:,} edges, the 2,000 largest drawn" in words(picture)
    assert np.abs(picture.edges.get_array()).min() >= np.sort(np.abs(net.weights))[-MOST_EDGES]


def test_deep_networks_fold_their_levels_and_the_picture_says_so() -> None:
    n = 200
    net = ns.wiring.from_edges(n, range(n - 1), range(1, n), inputs=[0], outputs=[n - 1], rng=0)
    picture = network(net)
    assert picture.layout.n_columns == MOST_LEVELS + 1
    assert len(picture.layout.ids) == MOST_LEVELS
    assert "… 160 more levels with 160 neurons …" in words(picture)


def test_outputs_within_a_large_level_are_drawn_in_any_case() -> None:
    net = wiring.layered([2, 100, 2], rng=0)
    net.set_outputs("h1.51", "y0", "y1")
    assert int(net.graph.id("h1.51")) in lay_out(net.graph).ids.tolist()
    assert int(net.graph.id("h1.52")) not in lay_out(net.graph).ids.tolist()


def test_a_gap_stands_where_neurons_are_left_out_if_they_lie_together_else_below() -> None:
    graph = wiring.layered([100, 2], rng=0).graph
    (middle,) = lay_out(graph).gaps
    (below,) = lay_out(graph, np.arange(102) % 2 * 1.0).gaps
    assert middle.n_neurons == below.n_neurons == 100 - MOST_NEURONS
    layout = lay_out(graph)
    assert layout.y[:100].min() < middle.y < layout.y[:100].max()
    assert below.y < layout.y.min() + 1e-9
