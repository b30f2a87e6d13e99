"""Graphs with memory: delays of edges, leaks, initial states."""

import copy
import pickle

import numpy as np
import pytest

import neuronsim as ns
from neuronsim.errors import CycleError, SettingError, UnknownNameError, WiringError
from neuronsim.graph.graph import Graph
from neuronsim.graph.memory import LEAK_OF_OUTPUT, LEAK_OF_POTENTIAL


def elman() -> ns.Network:
    """Two hidden neurons that hear each other and themselves a step later, one of them also at once."""
    net = ns.Network(rng=0)
    net.add_inputs("x")
    net.add_neuron("h1", {"x": 0.5, ("h1", 1): 0.9, ("x", 2): -0.1})
    net.add_neuron("h2", ["x", ("h1", 1), "h1", ("h2", 1)], weight=[1.0, 2.0, 3.0, 4.0])
    net.connect("h2", "h1", 0.3, delay=1)
    net.add_neuron("y", {"h1": 1.0, "h2": -1.0}, activation="identity")
    net.set_outputs("y")
    return net


def edges_of(net):
    return [(net.names[s], net.names[t], int(d), w) for s, t, w, *_, d in net.edges.tolist()]


def test_edges_are_ordered_by_sink_delay_and_source():
    assert edges_of(elman()) == [
        ("x", "h1", 0, 0.5), ("h1", "h1", 1, 0.9), ("h2", "h1", 1, 0.3), ("x", "h1", 2, -0.1),
        ("x", "h2", 0, 1.0), ("h1", "h2", 0, 3.0), ("h1", "h2", 1, 2.0), ("h2", "h2", 1, 4.0),
        ("h1", "y", 0, 1.0), ("h2", "y", 0, -1.0),
    ]  # fmt: skip
    assert elman().graph.delays.dtype == np.uint16


def test_there_is_no_array_of_delays_without_one():
    net = elman()
    net.disconnect("*", "h1", delay=1)
    net.disconnect("*", "h2", delay=1)
    assert net.graph.delays.tolist() == [0, 2, 0, 0, 0, 0]
    net.disconnect("x", "h1", delay=2)
    assert net.graph.delays is None
    assert net.edges["delay"].tolist() == [0] * 5
    assert ns.wiring.layered([2, 3, 1]).graph.delays is None


def test_an_edge_is_known_by_its_ends_and_its_delay():
    net = elman()
    assert (net["h1", "h2", 1].weight, net["h1", "h2", 0].weight, net["h2", "h1"].weight) == (2.0, 3.0, 0.3)
    net["h1", "h2", 1].weight = 7.0
    assert (net["h1", "h2", 1].w, net["h1", "h2", 0].w) == (7.0, 3.0)
    assert repr(net["h1", "h2", 1]) == "<edge 'h1' → 'h2', delay 1: w = 7>"
    assert (net["h2", "h1"].delay, net["x", "h2"].delay) == (1, 0)
    assert ("h1", "h2") in net
    assert ("h1", "h2", 1) in net
    assert ("h1", "h2", 2) not in net
    assert ("y", "h2") not in net
    with pytest.raises(WiringError, match="there are 2 edges 'h1' → 'h2', of delays 0, 1; say which"):
        net["h1", "h2"]
    with pytest.raises(UnknownNameError, match="no edge 'h1' → 'h2' of delay 5; 'h2' hears 'h1' with delay 0, 1"):
        net["h1", "h2", 5]
    with pytest.raises(UnknownNameError, match="no edge 'y' → 'h2'; 'h2' listens to x, h1, h2"):
        net["y", "h2"]
    assert (net["h2"].sources, net["h1"].sinks) == (["x", "h1", "h2"], ["h1", "h2", "y"])


def test_selections_mean_edges_of_every_delay_or_of_one():
    net = elman()
    graph = net.graph

    def found(*what):
        return [graph.arrays.ends.at([e]) for e in graph.edges_between(*what)]

    assert [(int(e.sources[0]), int(e.delays[0])) for e in found("h1", "h2")] == [(1, 0), (1, 1)]
    assert [(int(e.sources[0]), int(e.delays[0])) for e in found("*", "h1")] == [(0, 0), (0, 2), (1, 1), (2, 1)]
    assert [(int(e.sources[0]), int(e.delays[0])) for e in found("h*", "h2", 1)] == [(1, 1), (2, 1)]
    pairs = graph.edges_between(["h2", "x"], ["h1", "h2"]).tolist()
    assert pairs == [graph.edge("h2", "h1"), graph.edge("x", "h2")]
    with pytest.raises(UnknownNameError, match="'x' → 'y'"):
        graph.edges_between(["h2", "x"], ["h1", "y"])


def test_freezing_edges_by_delay():
    net = elman()
    net.freeze(edges=[("h1", "h2", 1), ("x", "h1")])
    assert [e[:3] for e, frozen in zip(edges_of(net), net.edges["frozen"], strict=True) if frozen] == [
        ("x", "h1", 0), ("x", "h1", 2), ("h1", "h2", 1),
    ]  # fmt: skip
    net.unfreeze(edges=("x", "h1", 2))
    net.scale_rate(("h1", "h2", 1), 0.5)
    assert net["h1", "h2", 1].rate == 0.5
    assert net["h1", "h2", 0].rate == 1.0
    assert not net["x", "h1", 2].frozen
    with pytest.raises(SettingError, match=r"\(source, sink, delay\)"):
        net.freeze(edges=[("x", "h1", "late")])


class TestPlan:
    def test_levels_look_at_what_is_heard_within_the_step(self):
        plan = elman().graph.plan()
        assert plan.levels.tolist() == [0, 1, 2, 3]
        assert plan.depth == 3

    def test_rows_of_sources(self):
        graph, n = elman().graph, 4
        expected = [0, 1 - n, 2 - n, 0 - 2 * n, 0, 1, 1 - n, 2 - n, 1, 2]
        assert graph.plan().source_rows.tolist() == expected
        assert graph.plan().source_rows.dtype == np.int32
        plain = ns.wiring.layered([2, 3, 1]).graph
        assert plain.plan().source_rows is plain.sources

    def test_bundles_hear_the_same_with_the_same_delays(self):
        net = ns.Network()
        net.add_inputs("x0", "x1")
        for k, delays in enumerate([(0, 1), (0, 1), (1, 0), (1, 1), (1, 1), (0, 0)]):
            net.add_neuron(f"h{k}", [("x0", delays[0]), ("x1", delays[1])])
        plan = net.graph.plan()
        bundles = dict(zip(plan.bundle_first.tolist(), plan.bundle_size.tolist(), strict=True))
        assert bundles == {2: 2, 4: 1, 5: 2, 7: 1}

    def test_a_cycle_within_a_step_is_named_and_a_delay_mends_it(self):
        net = ns.Network()
        net.add_inputs("x")
        net.add_neuron("h1", ["x"])
        net.add_neuron("h2", ["h1"])
        net.connect("h2", "h1")
        message = "^h1 → h2 → h1 feed each other within a step; give one of these edges delay=1$"
        with pytest.raises(CycleError, match=message):
            net.graph.plan()
        net.disconnect("h2", "h1")
        net.connect("h2", "h1", delay=1)
        assert net.depth == 2

    def test_a_delay_that_rows_cannot_count(self):
        n = 40_000
        net = ns.wiring.from_edges(n, [0, 1], [2, 2], inputs=[0, 1], outputs=[2], delays=[0, 60_000])
        with pytest.raises(WiringError, match="a delay of 60,000 steps; in a network of 40,000 neurons it is 53,687"):
            net.graph.plan()


class TestLeaks:
    def test_what_leaks(self):
        net = elman()
        assert (net["h1"].leak, net["h1"].leak_of) == (None, None)
        assert net.graph.memory.leaks is None
        net.add_neuron("l", ["x"], leak=0.2)
        net.add_neuron("v", ["x"], leak=0.5, leak_of="potential")
        assert (net["l"].leak, net["l"].leak_of, net["v"].leak_of) == (0.2, "output", "potential")
        assert net.graph.memory.leaks.tolist() == [1, 1, 1, 1, 0.2, 0.5]
        assert net.graph.memory.leak_codes.tolist() == [0, 0, 0, 0, LEAK_OF_OUTPUT, LEAK_OF_POTENTIAL]
        net["v"].leak = 0.75
        assert (net["v"].leak, net["v"].leak_of) == (0.75, "potential")
        net["v"].leak_of = "output"
        net["h1"].leak = 1.0
        assert (net["v"].leak_of, net["h1"].leak, net["h1"].leak_of) == ("output", 1.0, "output")
        net.remove_neuron(["l", "x"])
        assert net.graph.memory.leaks.tolist() == [1, 1, 1, 0.75]
        for name in ("v", "h1"):
            net[name].leak = None
        assert net.graph.memory.arrays() == {}

    def test_what_is_refused(self):
        net = elman()
        for leak in (0.0, 1.5, float("nan"), "a", True):
            with pytest.raises(SettingError, match="above 0 and at most 1"):
                net["h1"].leak = leak
        with pytest.raises(SettingError, match="unknown leak_of 'potental'; did you mean 'potential'"):
            net.add_neuron("v", leak=0.5, leak_of="potental")
        with pytest.raises(WiringError, match="'x' is an input: it has no leak"):
            net["x"].leak = 0.5
        with pytest.raises(SettingError, match="'h1' does not leak"):
            net["h1"].leak_of = "potential"
        with pytest.raises(SettingError, match=r"net\['h1'\]\.leak = 0\.3 makes it"):
            net.unfreeze(leaks="h*")
        assert "v" not in net
        assert net.graph.memory.arrays() == {}

    def test_a_leak_changes_what_the_network_is_and_its_value_does_not(self):
        graph = elman().graph
        version = graph.version
        graph.set_leak("h1", 0.5)
        graph.set_leak("h1", 0.25)
        assert graph.version == version + 1
        graph.set_leak("h1", 0.25, "potential")
        assert graph.version == version + 2


class TestFrozenUnlessAskedFor:
    def test_leaks_and_initial_states(self):
        net = elman()
        net.add_neuron("l", ["x"], leak=0.2)
        n = net.n_parameters
        net["h1"].initial = 0.5
        assert (net["h1"].initial, net["h2"].initial) == (0.5, 0.0)
        memory = net.graph.memory
        assert memory.learned_leaks is None
        assert memory.learned_initials is None
        net.unfreeze(leaks="*", initial="h*")
        assert memory.learned("leaks").tolist() == [False] * 4 + [True]
        assert memory.learned("initials").tolist() == [False, True, True, False, False]
        assert net.n_parameters == n + 3
        net.freeze("h1", "l")
        assert memory.learned_leaks is None
        assert memory.learned("initials").tolist() == [False, False, True, False, False]
        net.unfreeze()
        assert net.n_parameters == n + 1
        net.freeze(initial="h2")
        assert net.n_parameters == n

    def test_a_leak_that_is_taken_away_is_not_learned_when_it_comes_back(self):
        net = elman()
        net["h1"].leak = net["h2"].leak = 0.5
        net.unfreeze(leaks="h*")
        net["h1"].leak = None
        net["h1"].leak = 0.5
        assert net.graph.memory.learned("leaks").tolist() == [False, False, True, False]

    def test_arrays_exist_once_used(self):
        graph = elman().graph
        assert graph.memory.initials is None
        graph.learn_memory(*graph.chosen_memory((), "h2"), on=True)
        assert graph.memory.initials.tolist() == [0.0] * 4
        graph.learn_memory(*graph.chosen_memory((), "h2"), on=False)
        assert graph.memory.initials is None

    def test_new_neurons_and_removed_ones(self):
        net = elman()
        net["h2"].initial = 2.0
        net.unfreeze(initial="h2")
        net.add_neuron("late", ["h2"])
        net.remove_neuron("h1")
        assert net["h2"].initial == 2.0
        assert net.graph.memory.learned("initials").tolist() == [False, True, False, False]


def test_copies_keep_the_memory_and_share_none_of_it():
    net = elman()
    net["h1"].leak, net["h1"].initial = 0.5, 0.25
    for other in (net.copy(), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert edges_of(other) == edges_of(net)
        other["h1"].leak, other["h1"].initial = 0.75, 1.0
        assert (net["h1"].leak, net["h1"].initial) == (0.5, 0.25)


@pytest.mark.parametrize(
    ("edit", "error", "message"),
    [
        (lambda g: g.connect("h1", "h1"), CycleError, "'h1' would feed itself within a step.*delay=1"),
        (lambda g: g.connect(["i1", "h1"], "h1", None, [1, 0]), CycleError, "'h1' would feed itself"),
        (lambda g: g.add_neuron("n", {("n", 0): 1.0}), CycleError, "'n' would feed itself"),
        (lambda g: g.connect("i1", "h1", None, 1), WiringError, "of delay 1 already; net\\['i1', 'h1', 1\\]"),
        (lambda g: g.connect(["i1", "i1"], "o1", None, 2), WiringError, "'i1' → 'o1' of delay 2 is given twice"),
        (lambda g: g.add_neuron("n", [("n", 1), ("n", 1)]), WiringError, "'n' → 'n' of delay 1 is given twice"),
        (lambda g: g.connect("h1", "i1", None, 1), WiringError, "'i1' is an input"),
        (lambda g: g.connect("i1", "o1", None, -1), WiringError, "delay=-1 is not allowed; it is a whole number"),
        (lambda g: g.connect("i1", "o1", None, 65_536), WiringError, "from 0 to 65,535"),
        (lambda g: g.connect("i1", "o1", None, 1.0), WiringError, "delay=1.0"),
        (lambda g: g.connect("i1", "o1", None, True), WiringError, "delay=True"),
        (lambda g: g.connect(["i1", "h1"], "o1", None, [1, 70_000]), WiringError, r"delay\[1\]=.*70000"),
        (lambda g: g.connect(["i1", "h1"], "o1", None, [1]), WiringError, r"delay has shape \(1,\)"),
        (lambda g: g.connect(["i1", "h1"], "o1", None, [0.5, 1]), WiringError, "array of float64"),
        (lambda g: g.add_neuron("n", {("zz", 1): 1.0}), UnknownNameError, "no neuron 'zz'"),
        (lambda g: g.disconnect("i1", "h1", 3), UnknownNameError, "no edge 'i1' → 'h1' of delay 3"),
        (lambda g: g.set_initial("h1", float("inf")), SettingError, "not finite"),
    ],
)
def test_a_failed_edit_says_why_and_changes_nothing(edit, error, message):
    graph = Graph()
    graph.add_inputs(["i1", "i2"])
    graph.add_neuron("h1", ["i1", ("i1", 1)])
    graph.add_neuron("o1", ["h1"])
    before = graph.version, graph.n_edges
    with pytest.raises(error, match=message):
        edit(graph)
    assert (graph.version, graph.n_edges, list(graph.names)) == (*before, ["i1", "i2", "h1", "o1"])
    assert graph.delays.tolist() == [0, 1, 0]


def test_an_edge_is_removed_once_and_may_come_back_before_a_merge():
    net = elman()
    net.graph.arrays  # noqa: B018
    net.disconnect("h1", "h2")
    for delay in (None, 0, 1):
        with pytest.raises(UnknownNameError, match="no edge 'h1' → 'h2'"):
            net.disconnect("h1", "h2", delay=delay)
    net.connect("h1", "h2", 5.0, delay=1)
    net.disconnect("h1", "h2", delay=1)
    net.connect("h1", "h2", 6.0, delay=1)
    assert [edge for edge in edges_of(net) if edge[:2] == ("h1", "h2")] == [("h1", "h2", 1, 6.0)]


def test_large_arrays_of_edges_with_delays():
    rng = np.random.default_rng(0)
    keys = rng.permutation(30 * 30 * 5)[:3000]
    sources, sinks, delays = keys % 30, 30 + keys // 30 % 30, keys // 900
    graph = Graph()
    graph.add_inputs([f"i{k}" for k in range(30)])
    for k in range(30):
        graph.add_neuron(f"h{k}")
    graph.connect(int(sources[0]), int(sinks[0]), float(keys[0]), int(delays[0]))
    graph.connect(sources[1:], sinks[1:], keys[1:], delays[1:])
    rows = zip(graph.sinks(), graph.delays, graph.sources, graph.weights, strict=True)
    wanted = zip(sinks, delays, sources, keys, strict=True)
    assert [tuple(map(int, row)) for row in rows] == sorted(tuple(map(int, row)) for row in wanted)


def test_print_tells_the_memory():
    net = elman()
    assert str(net).splitlines()[-1] == (
        "  depth 3; memory of 2 steps (5 delayed edges); 0 neurons with no path to an output"
    )
    net["y"].leak = 0.5
    assert "memory of 2 steps (5 delayed edges, 1 leak)" in str(net)
    assert "memory" not in str(ns.wiring.layered([2, 3, 1]))


def test_softmax_has_no_leak():
    net = ns.wiring.layered([2, 3], activation="softmax", rng=0)
    net["y1"].leak = 0.5
    with pytest.raises(WiringError, match="'y1' has the activation softmax and a leak"):
        net.forward([[1.0, 2.0]])


@pytest.mark.parametrize(
    "use",
    [
        lambda net: net.step([1.0], [1.0]),
        lambda net: net.jacobian([[1.0]]),
        lambda net: net.check_foreign([[1.0]], [[1.0]], net, learning_rate=0.1),
    ],
)
def test_what_takes_no_sequences_says_so(use):
    for net in (elman(), ns.wiring.layered([1, 2, 1])):
        net["y" if "y" in net else "y0"].leak = 0.5
        with pytest.raises(WiringError, match="its samples are sequences"):
            use(net)
