"""The order of summation that the plan states is that of the kernels: repeated by hand, it gives their bits."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from strategies import cases

import neuronsim as ns
from neuronsim.graph import summation
from neuronsim.graph.summation import Summation


def added(terms, order: Summation, start: float = 0.0) -> float:
    """Σ a·b of pairs, rounded as ``order`` says: exact products, one rounding with each addition."""
    blocks = [_block(terms[k : k + order.block], order.partial_sums, start) for k in range(0, len(terms), order.block)]
    return sum(blocks[1:], blocks[0])


def _block(terms, n: int, start: float) -> float:
    sums = [start if n == 1 else 0.0] * n
    for k, (a, b) in enumerate(terms):
        sums[k % n] = float(Fraction(a) * Fraction(b) + Fraction(sums[k % n]))
    while n > 1:
        n //= 2
        sums = [sums[j] + sums[j + n] for j in range(n)]
    return sums[0]


def fan_in(n_sources: int, n_neurons: int = 1) -> ns.Network:
    """Neurons that listen to all inputs but every third, so that few of them are dense; the last to all."""
    net = ns.Network(rng=5)
    net.add_inputs(*(f"x{k}" for k in range(n_sources)))
    for k in range(n_neurons):
        net.add_neuron(f"h{k}", [f"x{i}" for i in range(n_sources) if i % 3], bias=0.3, activation="identity")
    net.add_neuron("all", ["x*"], bias=-0.2, activation="identity")
    net.set_outputs("h*", "all")
    return net


@pytest.mark.parametrize("n_sources", [3, 10, 12, 40, 70])
@pytest.mark.parametrize("online", [False, True])
def test_a_net_input(n_sources, online):
    net = fan_in(n_sources)
    x = np.random.default_rng(1).normal(size=n_sources)
    graph = net.graph.copy()
    weights = net.weights.tolist()
    z = net.step(x, np.zeros(2), learning_rate=0.0).z if online else None
    if not online:
        net.forward(x)
    for name in ("h0", "all"):
        neuron = net[name].id
        order = summation.net_input(graph, neuron, online)
        edges = range(graph.row_start[neuron], graph.row_start[neuron + 1])
        terms = [(weights[e], float(x[graph.sources[e]])) for e in edges]
        bias = float(graph.biases[neuron])
        expected = added(terms, order, bias) if order.partial_sums == 1 else bias + added(terms, order)
        assert expected == (net[name].z if z is None else float(z[neuron]))


@pytest.mark.parametrize(("n_sources", "n_neurons"), [(6, 1), (6, 5), (70, 2)])
@pytest.mark.parametrize("n_samples", [5, 21, 1500])
def test_a_gradient_over_a_batch(n_sources, n_neurons, n_samples):
    net = fan_in(n_sources, n_neurons)
    rng = np.random.default_rng(2)
    X, T = rng.normal(size=(n_samples, n_sources)), rng.normal(size=(n_samples, net.n_outputs))
    g = net.gradients(X, T, reduction="sum")
    for edge in (0, net.n_edges - 1):
        sink, source = net.graph.sink(edge), int(net.graph.sources[edge])
        delta = g.delta[:, sink].tolist()
        order = summation.weight_gradient(net.graph, sink)
        assert added(list(zip(delta, X[:, source].tolist(), strict=True)), order) == g.weights[edge]
        assert added([(d, 1.0) for d in delta], summation.neuron_gradient(net.graph)) == g.biases[sink]


def test_both_orders_of_gradients_occur():
    net = fan_in(70)
    plan = net.graph.plan()
    assert not plan.is_dense[net["h0"].id]
    assert plan.is_dense[net["all"].id]
    assert summation.weight_gradient(net.graph, net["h0"].id).partial_sums == 8
    assert summation.weight_gradient(net.graph, net["all"].id).partial_sums == 1


@settings(max_examples=60, deadline=None)
@given(cases())
def test_marks_of_neurons_follow_their_bundles(case):
    graph = case.net.graph
    plan = graph.plan()
    expected = np.zeros((2, graph.n_neurons), bool)
    for first, size, count, dense in zip(
        plan.bundle_first, plan.bundle_size, plan.bundle_sources, plan.bundle_is_dense, strict=True
    ):
        expected[:, first : first + size] = [[dense], [count < 8]]
    assert (plan.is_dense == expected[0]).all()
    assert (plan.is_short == expected[1]).all()
    assert graph.plan() is plan


def test_an_edit_makes_a_new_plan():
    net = fan_in(6)
    plan = net.graph.plan()
    net.disconnect("x0", "all")
    assert net.graph.plan() is not plan
