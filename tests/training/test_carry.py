"""What a run hands on, by name: edges that differ by their delay are two."""

from types import SimpleNamespace

import numpy as np

import neuronsim as ns
from neuronsim.graph.graph import Graph
from neuronsim.kernels.arguments import Parameters
from neuronsim.training.carry import Carry


def state_of(graph: Graph, first: float) -> Parameters:
    """Numbers that tell each parameter from the others."""
    sizes = graph.n_edges, graph.n_neurons, 0
    return Parameters(*(first + k * 100.0 + np.arange(n) for k, n in enumerate(sizes)))


def carry_of(graph: Graph) -> Carry:
    return Carry(
        n_steps=3, order=None, batch_size=1, optimizer=None, names=graph.names.copy(), row_start=graph.row_start,
        sources=graph.sources, states=(state_of(graph, 1.0), state_of(graph, 1001.0)), parameters=state_of(graph, 0.0),
        powers=np.ones(2), loss_sum=np.zeros(1), delays=graph.delays,
    )  # type: ignore[arg-type]  # fmt: skip


def test_survivors_keep_their_state_by_both_ends_and_delay() -> None:
    net = ns.wiring.elman(1, 2, 1, rng=0)
    net.connect("x0", "h0", 1.0, delay=3)
    carry = carry_of(net.graph)
    assert carry.same_wiring(net.graph)
    before = {(s, t, d): k for k, (s, t, *_, d) in enumerate(net.edges.tolist())}
    net.disconnect("h0", "h1", delay=1)
    net.connect("h0", "h1", 1.0, delay=2)
    net.connect("x0", "h0", 1.0, delay=1)
    assert not carry.same_wiring(net.graph)
    graph = net.graph
    zeros = [Parameters(np.zeros(graph.n_edges), np.zeros(graph.n_neurons), np.zeros(0)) for _ in range(2)]
    learning = SimpleNamespace(powers=np.zeros(2), first_state=zeros[0], second_state=zeros[1])
    carry.hand_over(SimpleNamespace(learning=learning, loss_sum=np.zeros(1), engine=SimpleNamespace(graph=graph)))
    expected = [float(before.get((s, t, d), -1) + 1) for s, t, *_, d in net.edges.tolist()]
    assert zeros[0].weights.tolist() == expected
    assert expected.count(0.0) == 2
    assert zeros[1].biases.tolist() == [1101.0, 1102.0, 1103.0, 1104.0]


def test_another_delay_is_another_wiring() -> None:
    one, other = (ns.wiring.from_edges(2, [0], [1], inputs=[0], outputs=[1], delays=d, rng=0).graph for d in (1, 2))
    assert not carry_of(one).same_wiring(other)
