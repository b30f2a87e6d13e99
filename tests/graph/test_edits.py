"""Edits against a dictionary: whatever is edited, the arrays say the same as a plain model does."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nets import small_graph

from neuronsim.errors import CycleError, NeuronsimError, SettingError, UnknownNameError, WiringError
from neuronsim.graph.graph import Graph


class Model:
    """Names in order, and weights by names of both ends and the delay."""

    def __init__(self):
        self.names, self.inputs, self.edges, self.biases = [], set(), {}, {}

    def remove(self, name):
        self.names.remove(name)
        self.inputs.discard(name)
        self.edges = {ends: w for ends, w in self.edges.items() if name not in ends[:2]}

    def key(self, ends):
        return self.names.index(ends[1]), ends[2], self.names.index(ends[0])

    def check(self, graph):
        assert list(graph.names) == self.names
        assert graph.n_neurons == len(self.names)
        assert graph.n_edges == len(self.edges)
        ordered = sorted(self.edges, key=self.key)
        assert (graph.delays is None) == (not any(delay for _, _, delay in ordered))
        delays = [0] * graph.n_edges if graph.delays is None else graph.delays.tolist()
        sources, sinks = (map(graph.name, ids) for ids in (graph.sources, graph.sinks()))
        assert list(zip(sources, sinks, delays, strict=True)) == ordered
        assert [graph.edge(*ends) for ends in ordered] == list(range(graph.n_edges))
        assert graph.weights.tolist() == [self.edges[ends] for ends in ordered]
        assert graph.biases.tolist() == [self.biases.get(name, 0.0) for name in self.names]
        assert [graph.name(i) for i in graph.inputs] == [n for n in self.names if n in self.inputs]
        assert [graph.id(name) for name in self.names] == list(range(len(self.names)))


actions = st.lists(
    st.tuples(
        st.sampled_from(["input", "neuron", "neuron", "connect", "connect", "disconnect", "remove", "merge", "array"]),
        st.integers(0, 10**6),
        st.integers(0, 10**6),
        st.booleans(),
        st.sampled_from([0, 0, 1, 3]),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(actions)
def test_any_edits_agree_with_a_plain_model(edits):
    graph, model = Graph(), Model()
    for step, edit in enumerate(edits):
        apply(graph, model, step, *edit)
        assert graph.n_neurons == len(model.names)
    model.check(graph)
    model.check(graph.copy())
    model.check(pickle.loads(pickle.dumps(graph)))


def apply(graph, model, step, action, a, b, by_name, delay):
    n = len(model.names)
    if action == "merge":
        model.check(graph)
    elif action == "input":
        graph.add_inputs([f"i{step % 7}"]) if f"i{step % 7}" not in model.names else None
        model.names += [f"i{step % 7}"] if f"i{step % 7}" not in model.names else []
        model.inputs.add(f"i{step % 7}")
    elif action == "neuron":
        chosen = sorted({a % n, b % n}) if n else []
        own = [f"h{step}"] if delay else []
        sources = [(model.names[i] if by_name else i) for i in chosen] + own
        graph.add_neuron(f"h{step}", {((s, delay) if delay else s): float(step) for s in sources}, bias=float(step))
        model.edges.update({(s, f"h{step}", delay): float(step) for s in [*(model.names[i] for i in chosen), *own]})
        model.names.append(f"h{step}")
        model.biases[f"h{step}"] = float(step)
    elif n:
        edit_edges(graph, model, step, action, a % n, b % n, by_name, delay)


def edit_edges(graph, model, step, action, a, b, by_name, delay):
    ends = model.names[a], model.names[b]
    args = ends if by_name else (a, b)
    if action == "remove":
        graph.remove(args[0])
        model.remove(ends[0])
    elif action == "disconnect":
        which = None if delay == 3 else delay
        gone = [edge for edge in model.edges if edge[:2] == ends and which in (None, edge[2])]
        if gone:
            graph.disconnect(*args, which)
            for edge in gone:
                del model.edges[edge]
        else:
            with pytest.raises(UnknownNameError, match="no edge"):
                graph.disconnect(*args, which)
    else:
        sources = list(range(len(model.names))) if action == "array" else [a]
        pairs = [(model.names[s], ends[1], delay) for s in sources]
        loop = not delay and any(p[0] == p[1] for p in pairs)
        legal = not loop and not any(p in model.edges for p in pairs) and ends[1] not in model.inputs
        version = graph.version
        if legal:
            graph.connect(np.array(sources) if action == "array" else args[0], args[1], step, delay)
            model.edges.update(dict.fromkeys(pairs, float(step)))
        else:
            with pytest.raises(WiringError):
                graph.connect(np.array(sources) if action == "array" else args[0], args[1], step, delay)
            assert graph.version == version


def test_the_arrays_stay_the_same_objects_until_the_wiring_is_edited():
    graph = small_graph()
    weights, biases, slopes = graph.weights, graph.biases, graph.slopes
    graph.set_outputs(["o1", "h1"])
    graph.set_activation("h1", "tanh")
    graph.freeze("h1")
    assert graph.weights is weights
    weights[0] = 7.0
    graph.connect("i1", "o1", 1.0)
    for stale in (weights, biases, slopes):
        with pytest.raises(ValueError, match="read-only"):
            stale[0] = 9.0
    assert graph.weights.tolist() == [7.0, 0.2, 1.0, 0.5]
    for fresh in (graph.weights, graph.biases, graph.slopes):
        assert fresh.flags.writeable


def test_adding_a_neuron_alone_also_makes_old_arrays_stale():
    graph = small_graph()
    weights = graph.weights
    graph.add_neuron("lonely")
    with pytest.raises(ValueError, match="read-only"):
        weights[0] = 9.0
    graph.weights[0] = 9.0


@pytest.mark.parametrize(
    ("edit", "error", "message"),
    [
        (lambda g: g.connect("i1", "h1"), WiringError, "there is an edge 'i1' → 'h1' already"),
        (lambda g: g.connect(["i1", "i1"], "o1"), WiringError, "the edge 'i1' → 'o1' is given twice"),
        (lambda g: g.connect("h1", "h1"), CycleError, "'h1' would feed itself"),
        (lambda g: g.connect(["i1", "h1"], "h1"), WiringError, "'h1'"),
        (lambda g: g.connect("h1", "i1"), WiringError, "'i1' is an input"),
        (lambda g: g.connect("H1", "o1"), UnknownNameError, "^no neuron 'H1'; did you mean 'h1'\\?$"),
        (lambda g: g.connect(9, "o1"), UnknownNameError, "no neuron with id 9; ids go from 0 to 3"),
        (lambda g: g.connect(-1, "o1"), UnknownNameError, "no neuron with id -1"),
        (lambda g: g.connect(True, "o1"), UnknownNameError, "not by True \\(bool\\)"),
        (lambda g: g.connect(np.True_, "o1"), UnknownNameError, "name \\(str\\) or id \\(int\\)"),
        (lambda g: g.connect(1.0, "o1"), UnknownNameError, "not by 1.0 \\(float\\)"),
        (lambda g: g.connect("q*", "o1"), UnknownNameError, "no neuron matches 'q\\*'"),
        (lambda g: g.connect(["i1", "i2"], ["h1", "o1", "o1"]), WiringError, "do not pair up"),
        (lambda g: g.connect("i1", "o1", math.nan), SettingError, "not finite"),
        (lambda g: g.connect("i1", "o1", "a"), SettingError, "not a number"),
        (lambda g: g.connect("i1", "o1", True), SettingError, "not a number"),
        (lambda g: g.connect("i1", "o1", 10**400), SettingError, "not finite"),
        (lambda g: g.connect(["i1", "i2"], "o1", [1.0, math.inf]), SettingError, r"weight\[1\] is inf"),
        (lambda g: g.connect(["i1", "i2"], "o1", [1.0]), SettingError, r"shape \(1,\)"),
        (lambda g: g.disconnect("i1", "o1"), UnknownNameError, "no edge 'i1' → 'o1'; 'o1' listens to h1"),
        (lambda g: g.add_inputs(["h1"]), WiringError, "there is a neuron 'h1' already"),
        (lambda g: g.add_inputs(["a", "b", "a"]), WiringError, "'a' is given twice"),
        (lambda g: g.add_inputs(["a", "h1"]), WiringError, "'h1'"),
        (lambda g: g.add_inputs(["a*"]), WiringError, "kept for patterns"),
        (lambda g: g.add_neuron("n", ["i1", "i1"]), WiringError, "'i1' → 'n' is given twice"),
        (lambda g: g.add_neuron("n", ["i1", "n"]), CycleError, "'n' would feed itself"),
        (lambda g: g.add_neuron("n", {"i1": 1.0}, [1.0]), SettingError, "given twice"),
        (lambda g: g.add_neuron("n", {"i1": "a"}), SettingError, "not a number"),
        (lambda g: g.add_neuron("n", activation="sigmoidd"), SettingError, "did you mean 'sigmoid'"),
        (lambda g: g.add_neuron("n", bias=math.inf), SettingError, "not finite"),
        (lambda g: g.set_outputs([]), WiringError, "at least one"),
        (lambda g: g.set_outputs(["o1", "o1"]), WiringError, "'o1' is given twice"),
        (lambda g: g.set_activation("i1", "tanh"), WiringError, "'i1' is an input"),
        (lambda g: g.set_bias("i1", 1.0), WiringError, "'i1' is an input"),
        (lambda g: g.remove(["o1", "zz"]), UnknownNameError, "no neuron 'zz'"),
        (lambda g: g.scale_rate(-1.0, "h1"), SettingError, "negative"),
        (lambda g: g.scale_rate(math.nan, "h1"), SettingError, "not finite"),
        (lambda g: g.freeze("i*"), SettingError, "'i1' is an input"),
    ],
)
def test_a_failed_edit_says_why_and_changes_nothing(edit, error, message):
    graph = small_graph()
    graph.add_neuron("extra", ["h1"], [2.0])
    graph.remove("extra")
    before = pickle.dumps(small_graph().weights), graph.version
    with pytest.raises(error, match=message):
        edit(graph)
    assert issubclass(error, NeuronsimError)
    assert (pickle.dumps(graph.weights), graph.version) == before
    assert list(graph.names) == ["i1", "i2", "h1", "o1"]
    assert graph.outputs.tolist() == [3]
    assert graph.weight_rates is None


def test_large_arrays_of_edges_merge_with_what_waits():
    graph = Graph()
    graph.add_inputs([f"i{k}" for k in range(50)])
    for k in range(60):
        graph.add_neuron(f"h{k}")
    graph.connect(0, "h0", 5.0)
    rng = np.random.default_rng(0)
    keys = rng.permutation(np.setdiff1d(np.arange(50 * 60), 0))[:2000]
    graph.connect(keys % 50, 50 + keys // 50, keys)
    assert graph.n_edges == 2001
    sinks = graph.sinks()
    found = {(int(s), int(t)): float(w) for s, t, w in zip(graph.sources, sinks, graph.weights, strict=True)}
    assert found == {(0, 50): 5.0} | {(int(k) % 50, 50 + int(k) // 50): float(k) for k in keys}
