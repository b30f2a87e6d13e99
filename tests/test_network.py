import copy
import dataclasses
import inspect
import pickle
import re

import numpy as np
import pytest
from nets import shortcut_net

import neuronsim as ns
from neuronsim.errors import DataError, NotKnownError, SettingError, UnknownNameError, WiringError
from neuronsim.training.settings import FitSettings


@pytest.fixture
def net():
    return shortcut_net()


def test_counts(net):
    counts = net.n_neurons, net.n_edges, net.n_inputs, net.n_outputs, net.n_parameters, net.depth
    assert counts == (4, 4, 2, 1, 6, 2)
    net["o1"].activation = "prelu"
    assert net.n_parameters == 7


def test_assigning_and_augmenting_arrays(net):
    weights = net.weights
    net.weights -= 0.05
    net.biases = [0, 0, 1, 2]
    assert net.weights is weights
    assert weights[0] == 0.15 - 0.05
    assert net["o1"].bias == 2
    with pytest.raises(SettingError, match="shape"):
        net.weights = [1.0, 2.0]


def test_missing_weights_are_drawn_once_and_edits_keep_all(net):
    net.add_neuron("h2", ["i*"])
    assert np.isfinite(net.weights).all()
    before = {(s, t): net[s, t].w for s, t in [("i1", "h2"), ("i2", "h2"), ("i1", "h1"), ("h1", "o1")]}
    net.connect("h2", "o1")
    net.disconnect("i2", "o1")
    net.remove_neuron("i2")
    assert {ends: net[ends].w for ends in before if "i2" not in ends} == {
        e: w for e, w in before.items() if "i2" not in e
    }


def test_the_same_seed_the_same_weights():
    one, two = ns.wiring.layered([3, 4, 2], rng=7), ns.wiring.layered([3, 4, 2], rng=8)
    two.initialise(rng=7)
    assert np.array_equal(one.weights, two.weights)
    two.biases[:] = 3.0
    two.initialise()
    assert not two.biases.any()
    assert not np.array_equal(one.weights, two.weights)


def test_copies(net):
    net.freeze("h1")
    net.forward([1.0, 2.0])
    for other in (net.copy(), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert np.array_equal(other.forward([[1.0, 2.0]]), net.forward([[1.0, 2.0]]))
        assert np.array_equal(other.edges, net.edges)
        other.weights[0] = 99.0
        other.remove_neuron("i1")
        assert net["i1", "h1"].weight == 0.15


def test_user_activations_travel_by_name():
    ns.activations.register("test_network_cube", lambda z: z * z * z, lambda z: 3.0 * z * z)
    net = ns.wiring.layered([2, 1], activation="test_network_cube", rng=0)
    again = pickle.loads(pickle.dumps(net))
    assert again["y0"].activation == "test_network_cube"


def test_forward(net):
    h1 = 1 / (1 + np.exp(-(0.35 + 0.15 * 1 + 0.2 * 2)))
    assert net.forward([[1, 2]]) == pytest.approx(np.array([[0.5 * h1 + 0.6]]))
    assert net.forward([1, 2]) == pytest.approx(np.array([0.5 * h1 + 0.6]))


def test_signals_are_known_after_one_sample_only(net):
    with pytest.raises(NotKnownError, match=r"^z is not known: call step\(\)"):
        _ = net["h1"].z
    net.forward([1.0, 2.0])
    assert net["h1"].z == pytest.approx(0.9)
    assert net["i2"].y == net["i2"].z == 2.0
    with pytest.raises(
        NotKnownError, match=r"^delta is not known: step\(x, t\) makes it known.*; gradients\(X, T\).delta returns it"
    ):
        _ = net["h1"].delta
    with pytest.raises(NotKnownError, match=r"^gradient is not known: step"):
        _ = net["i1", "h1"].gradient


@pytest.mark.parametrize(
    "change",
    [
        lambda net: net.forward([[1.0, 2.0]]),
        lambda net: net.gradients([[1.0, 2.0]], [1.0]),
        lambda net: net.connect("i1", "o1"),
        lambda net: net.disconnect("i1", "h1"),
        lambda net: net.add_neuron("n"),
        lambda net: net.add_inputs("n"),
        lambda net: net.remove_neuron("i1"),
        lambda net: net.set_outputs("h1"),
        lambda net: net.initialise(),
        lambda net: setattr(net["h1"], "bias", 1.0),
        lambda net: setattr(net["i1", "h1"], "w", 1.0),
    ],
)
def test_signals_are_forgotten(net, change):
    net.forward([1.0, 2.0])
    change(net)
    with pytest.raises(NotKnownError, match=r"y is not known: .*Batches, fits and edits forget it"):
        _ = net[0].y


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([1.0, 2.0, 3.0], r"^x has 3 values, the network has 2 inputs \(i1, i2\)$"),
        ([[1.0, 2.0, 3.0]], r"^X has 3 columns, the network has 2 inputs \(i1, i2\)$"),
        ([1.0, np.nan], "nan"),
        ([[1.0, 2.0], [3.0]], "rows may differ in length"),
        (3.0, r"shape \(\)"),
    ],
)
def test_bad_data(net, X, message):
    with pytest.raises(DataError, match=message):
        net.forward(X)


def test_no_outputs():
    net = ns.Network()
    net.add_inputs("a")
    with pytest.raises(WiringError, match="set_outputs"):
        net.forward([1.0])


def test_gradients_by_name_and_one_sample(net):
    g = net.gradients([1.0, 2.0], [0.0])
    y = float(net.forward([1.0, 2.0])[0])
    assert g.loss == pytest.approx(0.5 * y * y)
    assert g["i2", "o1"] == pytest.approx(y * 2.0)
    assert g["o1"] == pytest.approx(y)
    assert (g.delta.shape, g.inputs.shape, g.weights.shape, g.biases.shape) == ((1, 4), (1, 2), (4,), (4,))
    with pytest.raises(SettingError, match="unknown reduction"):
        net.gradients([1.0, 2.0], [0.0], reduction="max")
    net.add_neuron("n")
    with pytest.raises(NotKnownError, match="edited"):
        _ = g["o1"]


@pytest.mark.parametrize("t", [1, [1], np.int8(1), [[0.0, 1.0]], [0.0, 1.0], [0, 1]])
def test_the_target_of_one_sample(t):
    classes = ns.wiring.layered([2, 2], output="softmax", rng=0)
    expected = classes.gradients([[0.3, 0.4]], np.array([1]))
    assert classes.gradients([0.3, 0.4], t).loss == expected.loss
    assert classes.gradients(np.array([0.3, 0.4]), t).weights.tolist() == expected.weights.tolist()


@pytest.mark.parametrize("t", [[1.0, 2.0], [[1.0], [2.0, 3.0]], "a", [np.nan]])
def test_bad_targets_of_one_sample(net, t):
    with pytest.raises(DataError, match="T"):
        net.gradients([1.0, 2.0], t)


def test_jacobian(net):
    J = net.jacobian([[1.0, 2.0]])
    eps = 1e-6
    numeric = (net.forward([1.0, 2.0 + eps]) - net.forward([1.0, 2.0 - eps])) / (2 * eps)
    assert J.shape == (1, 1, 2)
    assert J[0, 0, 1] == pytest.approx(numeric[0], rel=1e-8)


def test_evaluate(net):
    e = net.evaluate([[1.0, 2.0], [3.0, 4.0]], [0.0, 1.0])
    Y = net.forward([[1.0, 2.0], [3.0, 4.0]])[:, 0]
    assert e.loss == pytest.approx(0.5 * (Y[0] ** 2 + (Y[1] - 1) ** 2) / 2)
    assert e.accuracy is None
    classes = ns.wiring.layered([2, 3], output="softmax", rng=0)
    X = np.random.default_rng(0).random((5, 2))
    assert classes.evaluate(X, classes.forward(X).argmax(axis=1)).accuracy == 1.0


def test_freezing_and_rates(net):
    net.freeze("h*")
    net.freeze(edges=[("i2", "*")])
    assert net.edges["frozen"].tolist() == [True, True, True, False]
    assert net["h1"].frozen
    net.unfreeze(edges=("i2", "o1"))
    assert net.edges["frozen"].tolist() == [True, True, False, False]
    net.freeze(biases=True)
    assert net.neurons["frozen"].tolist() == [False, False, True, True]
    net.unfreeze()
    assert not net.neurons["frozen"].any()
    assert net.graph.weight_rates is None
    net.scale_rate(["h1", "o1"], 0.5)
    net.scale_rate("h1", 0.0)
    assert net.edges["rate"].tolist() == [0, 0, 0.5, 0.5]
    with pytest.raises(SettingError, match="freeze what"):
        net.freeze()
    with pytest.raises(SettingError, match="pair"):
        net.freeze(edges=["i1"])
    with pytest.raises(UnknownNameError, match="no edge"):
        net.freeze(edges=[("i1", "o1")])


def test_short_names_for_weight_and_bias():
    net = ns.Network()
    net.add_inputs(["a", "b"])
    net.add_neuron("n", "a", w=2.0, b=1.0)
    net.connect("b", "n", w=3.0)
    assert (net["n"].b, net.weights.tolist()) == (1.0, [2.0, 3.0])
    with pytest.raises(SettingError, match="weight and w are the same"):
        net.add_neuron("m", "a", w=2.0, weight=1.0)


def test_outputs_in_the_order_given(net):
    net.set_outputs("o1", "h*", 0)
    assert net.outputs.tolist() == [3, 2, 0]
    assert net.forward([1.0, 2.0])[2] == 1.0
    with pytest.raises(WiringError, match="at least one"):
        net.set_outputs()


def test_find(net):
    assert net.find(["o1", "i*", 2]).tolist() == [3, 0, 1, 2]
    with pytest.raises(UnknownNameError, match="pattern"):
        net["i*"]
    with pytest.raises(UnknownNameError, match="name"):
        net[1.5]


def test_fit_takes_the_settings_of_a_run_with_their_defaults_and_types():
    arguments = list(inspect.signature(ns.Network.fit).parameters.values())[3:]
    settings = dataclasses.fields(FitSettings)
    assert [(a.name, a.default) for a in arguments] == [(s.name, s.default) for s in settings]
    assert all(a.kind is a.KEYWORD_ONLY for a in arguments)
    as_written = [re.sub(r"\b(?:\w+\.)+(?=[A-Z])", "", inspect.formatannotation(s.type)) for s in settings]
    for argument, written in zip(arguments, as_written, strict=True):
        assert argument.annotation.replace("os.", "") == written or argument.name in (
            "monitors",
            "rng",
            "resume",
            "lengths",
        )


def test_from_graph_takes_graphs():
    with pytest.raises(ns.errors.WiringError, match="takes a Graph, not int"):
        ns.Network.from_graph(3)


def test_a_name_that_no_file_can_keep():
    with pytest.raises(ns.errors.WiringError, match="surrogate"):
        ns.Network().add_inputs("\ud800")
