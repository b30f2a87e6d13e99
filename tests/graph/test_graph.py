"""The graph against a dictionary: whatever is edited, the arrays say the same as a plain model does."""

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuronsim.errors import CycleError, NeuronsimError, SettingError, UnknownNameError, WiringError
from neuronsim.graph.graph import Graph
from neuronsim.graph.runnable import check_runnable


class Model:
    """Names in order, and weights by names of both ends."""

    def __init__(self):
        self.names, self.inputs, self.edges, self.biases = [], set(), {}, {}

    def remove(self, name):
        self.names.remove(name)
        self.inputs.discard(name)
        self.edges = {ends: w for ends, w in self.edges.items() if name not in ends}

    def key(self, ends):
        return self.names.index(ends[1]), self.names.index(ends[0])

    def check(self, graph):
        assert list(graph.names) == self.names
        assert graph.n_neurons == len(self.names)
        assert graph.n_edges == len(self.edges)
        ordered = sorted(self.edges, key=self.key)
        assert [(graph.name(s), graph.name(t)) for s, t in zip(graph.sources, graph.sinks(), strict=True)] == ordered
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
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(actions)
def test_any_edits_agree_with_a_plain_model(edits):
    graph, model = Graph(), Model()
    for step, (action, a, b, by_name) in enumerate(edits):
        apply(graph, model, step, action, a, b, by_name)
        assert graph.n_neurons == len(model.names)
    model.check(graph)
    model.check(graph.copy())
    model.check(pickle.loads(pickle.dumps(graph)))


def apply(graph, model, step, action, a, b, by_name):
    n = len(model.names)
    if action == "merge":
        model.check(graph)
    elif action == "input":
        graph.add_inputs([f"i{step % 7}"]) if f"i{step % 7}" not in model.names else None
        model.names += [f"i{step % 7}"] if f"i{step % 7}" not in model.names else []
        model.inputs.add(f"i{step % 7}")
    elif action == "neuron":
        chosen = sorted({a % n, b % n}) if n else []
        sources = {(model.names[i] if by_name else i): float(step) for i in chosen}
        graph.add_neuron(f"h{step}", sources, bias=float(step))
        model.edges.update({(model.names[i], f"h{step}"): float(step) for i in chosen})
        model.names.append(f"h{step}")
        model.biases[f"h{step}"] = float(step)
    elif n:
        edit_edges(graph, model, step, action, a % n, b % n, by_name)


def edit_edges(graph, model, step, action, a, b, by_name):
    ends = model.names[a], model.names[b]
    args = ends if by_name else (a, b)
    if action == "remove":
        graph.remove(args[0])
        model.remove(ends[0])
    elif action == "disconnect":
        if ends in model.edges:
            graph.disconnect(*args)
            del model.edges[ends]
        else:
            with pytest.raises(UnknownNameError, match="no edge"):
                graph.disconnect(*args)
    else:
        sources = list(range(len(model.names))) if action == "array" else [a]
        pairs = [(model.names[s], ends[1]) for s in sources]
        legal = not any(p in model.edges or p[0] == p[1] for p in pairs) and ends[1] not in model.inputs
        version = graph.version
        if legal:
            graph.connect(np.array(sources) if action == "array" else args[0], args[1], step)
            model.edges.update(dict.fromkeys(pairs, float(step)))
        else:
            with pytest.raises(WiringError):
                graph.connect(np.array(sources) if action == "array" else args[0], args[1], step)
            assert graph.version == version


def small():
    graph = Graph()
    graph.add_inputs(["i1", "i2"])
    graph.add_neuron("h1", {"i1": 0.15, "i2": 0.2}, activation="sigmoid", bias=0.35)
    graph.add_neuron("o1", ["h1"], [0.5], activation="identity")
    graph.set_outputs("o1")
    return graph


def test_arrays():
    graph = small()
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


def test_the_arrays_stay_the_same_objects_until_the_wiring_is_edited():
    graph = small()
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
    graph = small()
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
    graph = small()
    graph.add_neuron("extra", ["h1"], [2.0])
    graph.remove("extra")
    before = pickle.dumps(small().weights), graph.version
    with pytest.raises(error, match=message):
        edit(graph)
    assert issubclass(error, NeuronsimError)
    assert (pickle.dumps(graph.weights), graph.version) == before
    assert list(graph.names) == ["i1", "i2", "h1", "o1"]
    assert graph.outputs.tolist() == [3]
    assert graph.weight_rates is None


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


def test_removing_an_output_or_an_input_takes_its_column_along():
    graph = small()
    graph.set_outputs(["o1", "h1"])
    graph.remove("o1")
    assert [graph.name(i) for i in graph.outputs] == ["h1"]
    graph.remove("i1")
    assert [graph.name(i) for i in graph.inputs] == ["i2"]
    assert graph.outputs.tolist() == [1]


def test_freezing_survives_edits_and_unfreezing_restores_the_rate():
    graph = small()
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
    graph = small()
    graph.freeze(biases=True)
    assert graph.bias_rates.tolist() == [1, 1, -1, -1]
    assert graph.weight_rates is graph.slope_rates is None
    graph.scale_rate(0.0, "o1")
    assert graph.weight_rates.tolist() == [1, 1, 0]


def test_only_missing_weights_are_drawn_and_a_computed_nan_stays():
    graph = small()
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
    graph = small()
    graph.add_neuron("dead end", ["h1"])
    assert graph.reaches_output().tolist() == [True, True, True, True, False]


def test_runnable():
    graph = small()
    check_runnable(graph)
    graph.set_activation("h1", "softmax")
    with pytest.raises(WiringError, match="'h1' has the activation softmax and is not an output"):
        check_runnable(graph)
    graph.set_outputs(["o1", "h1"])
    with pytest.raises(WiringError, match="'h1' has the activation softmax and feeds 'o1'"):
        check_runnable(graph)
    graph.disconnect("h1", "o1")
    check_runnable(graph)
    with pytest.raises(WiringError, match="set_outputs"):
        check_runnable(Graph())


def test_float32_refuses_what_it_cannot_hold():
    graph = Graph("float32")
    graph.add_inputs(["a"])
    for weight in (1e39, 3.41e38, np.float64(3.41e38)):
        with pytest.raises(SettingError, match="too large for float32"):
            graph.add_neuron("b", {"a": weight})
    graph.add_neuron("b", {"a": 3.4028234e38}, bias=-3.4e38)
    assert np.isfinite(graph.weights).all()
    assert np.isfinite(graph.biases).all()
    assert graph.weights.dtype == np.float32


@pytest.mark.parametrize("dtype", ["float16", "int64", int, "", None, object()])
def test_unknown_dtypes(dtype):
    if dtype is None:
        assert Graph(dtype).dtype == np.float64
        return
    with pytest.raises(SettingError, match="allowed: float64, float32"):
        Graph(dtype)


def test_copies_are_independent():
    graph = small()
    for other in (graph.copy(), copy.deepcopy(graph), pickle.loads(pickle.dumps(graph))):
        other.weights[0] = 99.0
        other.add_neuron("new")
        assert graph.weights[0] == 0.15
        assert graph.n_neurons == 4
