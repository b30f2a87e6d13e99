import time

import numpy as np
import pytest

from neuronsim import wiring
from neuronsim.errors import CycleError, SettingError, WiringError
from neuronsim.formulas.through_time import SequenceNetwork


def pairs(net):
    return list(zip(net.edges["source"].tolist(), net.edges["sink"].tolist(), strict=True))


def assert_well_formed(net):
    found = pairs(net)
    assert [(t, s) for s, t in found] == sorted({(t, s) for s, t in found})
    assert not net.graph.is_input[net.edges["sink"]].any()
    assert np.isfinite(net.weights).all()
    assert net.depth >= 1


def test_layered():
    net = wiring.layered([2, 3, 1], activation="relu", output="identity", rng=0)
    assert list(net.names) == ["x0", "x1", "h1.0", "h1.1", "h1.2", "y0"]
    assert pairs(net) == [(0, 2), (1, 2), (0, 3), (1, 3), (0, 4), (1, 4), (2, 5), (3, 5), (4, 5)]
    assert net.neurons["activation"].tolist() == ["identity"] * 2 + ["relu"] * 3 + ["identity"]
    assert (net.inputs.tolist(), net.outputs.tolist(), net.depth) == ([0, 1], [5], 2)


def test_the_lectures_classifier_has_235146_parameters():
    net = wiring.layered([784, 256, 128, 10], activation="relu", output="softmax", dtype="float32", rng=0)
    assert net.n_parameters == 235_146
    assert net["h2.127"].id == 784 + 256 + 127


def test_shortcut():
    net = wiring.shortcut([8, 4, 2, 1], rng=0)
    assert net.n_edges == 8 * 4 + 12 * 2 + 14
    assert net["y0"].sources == list(net.names)[:14]
    assert_well_formed(net)


@pytest.mark.parametrize("density", [0.001, 0.05, 0.5, 0.7, 1.0])
def test_sparse_layered(density):
    net = wiring.sparse_layered([60, 40, 10], density=density, rng=0)
    fan_in = np.diff(net.graph.row_start)
    assert set(fan_in[60:100]) == {max(1, round(density * 60))}
    assert set(fan_in[100:]) == {max(1, round(density * 40))}
    sources, sinks = net.edges["source"], net.edges["sink"]
    assert (sources[sinks < 100] < 60).all()
    assert (sources[sinks >= 100] >= 60).all()
    assert_well_formed(net)


def test_random_dag():
    net = wiring.random_dag(n_inputs=6, n_hidden=200, n_outputs=5, in_degree=32, rng=0)
    assert np.diff(net.graph.row_start).tolist() == [0] * 6 + [min(k, 32) for k in range(6, 206)] + [32] * 5
    assert (net.edges["source"] < net.edges["sink"]).all()
    assert net.edges["source"].max() < 206
    assert list(net.names)[5:7] + list(net.names)[-1:] == ["x5", "h0", "y4"]
    assert_well_formed(net)


def test_sources_are_chosen_evenly():
    net = wiring.random_dag(20, 0, 20_000, in_degree=7, rng=0)
    count = np.bincount(net.edges["source"], minlength=20)
    assert np.abs(count / 20_000 - 7 / 20).max() < 0.02
    net = wiring.random_dag(20, 0, 20_000, in_degree=15, rng=0)
    count = np.bincount(net.edges["source"], minlength=20)
    assert np.abs(count / 20_000 - 15 / 20).max() < 0.02


@pytest.mark.parametrize("rewire", [0.0, 0.3, 1.0])
def test_small_world(rewire):
    net = wiring.small_world([30, 50, 50, 4], neighbours=6, rewire=rewire, rng=0)
    assert np.diff(net.graph.row_start).tolist() == [0] * 30 + [6] * 100 + [13] * 4
    layer = np.repeat([0, 1, 2, 3], [30, 50, 50, 4])
    jump = layer[net.edges["sink"]] - layer[net.edges["source"]]
    assert (jump >= 1).all()
    assert (jump > 1).any() == (rewire > 0)
    assert_well_formed(net)


def test_small_world_without_rewiring_hears_everybody():
    net = wiring.small_world([100, 7, 30, 3], neighbours=2, rewire=0.0)
    assert set(net.edges["source"].tolist()) == set(range(137))


def test_from_edges_in_any_order():
    net = wiring.from_edges(
        5, [3, 0, 1, 0], [4, 3, 3, 2], inputs=[1, 0], outputs=[4], weights=[1.0, 2.0, 3.0, 4.0], biases=[9, 9, 1, 2, 3]
    )
    assert list(net.names) == ["x1", "x0", "n2", "n3", "y0"]
    assert pairs(net) == [(0, 2), (0, 3), (1, 3), (3, 4)]
    assert net.weights.tolist() == [4.0, 2.0, 3.0, 1.0]
    assert net.biases.tolist() == [0.0, 0.0, 1.0, 2.0, 3.0]
    assert net.inputs.tolist() == [1, 0]
    assert net["x0", "n3"].weight == 3.0


def test_from_edges_copies_what_it_is_given():
    sources, weights = np.array([0], np.int32), np.array([2.0])
    net = wiring.from_edges(2, sources, [1], inputs=[0], outputs=[1], weights=weights)
    net.weights[0] = 5.0
    assert weights[0] == 2.0
    sources[0] = 7
    assert pairs(net) == [(0, 1)]


def test_an_input_may_be_an_output():
    net = wiring.from_edges(2, [0], [1], inputs=[0], outputs=[1, 0], weights=1.0, activation="identity")
    assert list(net.names) == ["x0", "y0"]
    assert net.outputs.tolist() == [1, 0]


def delayed(net):
    return [(s, t) for s, t, d in net.edges[["source", "sink", "delay"]].tolist() if d == 1]


def test_recurrent_layers_hear_themselves_a_step_later():
    net = wiring.recurrent([2, 3, 2, 1], rng=0)
    assert list(net.names)[1:4] + list(net.names)[-2:] == ["x1", "h1.0", "h1.1", "h2.1", "y0"]
    assert delayed(net) == [(s, t) for t in (2, 3, 4) for s in (2, 3, 4)] + [(s, t) for t in (5, 6) for s in (5, 6)]
    assert (net.depth, net.graph.steps_back, net.n_edges) == (3, 1, 6 + 9 + 6 + 4 + 2)
    plan = net.graph.plan()
    assert plan.bundle_size.tolist() == [3, 2, 1]
    without = wiring.recurrent([2, 3, 2, 1], self_loops=False, rng=0)
    assert delayed(without) == [(s, t) for s, t in delayed(net) if s != t]
    assert wiring.recurrent([2, 1]).graph.delays is None


def test_elman_and_jordan():
    elman, jordan = wiring.elman(1, 3, 2, rng=0), wiring.jordan(1, 3, 2, rng=0)
    assert list(elman.names) == ["x0", "h0", "h1", "h2", "y0", "y1"]
    assert delayed(elman) == [(s, t) for t in (1, 2, 3) for s in (1, 2, 3)]
    assert delayed(jordan) == [(s, t) for t in (1, 2, 3) for s in (4, 5)]
    assert elman["h1"].activation == jordan["y0"].activation == "sigmoid"
    assert [elman[name].initial for name in ("x0", "h0", "h2", "y0")] == [0.0, 0.5, 0.5, 0.0]
    assert elman.depth == jordan.depth == 2
    with pytest.raises(SettingError, match="a softmax output feeds nobody"):
        wiring.jordan(1, 3, 2, output="softmax")
    assert wiring.elman(1, 3, 2, output="softmax").n_outputs == 2


def reservoir_matrix(net, n):
    W = np.zeros((n, n))
    edges = net.edges[net.edges["delay"] == 1]
    W[edges["sink"] - net.n_inputs, edges["source"] - net.n_inputs] = edges["weight"]
    return W


@pytest.mark.parametrize(("n", "degree", "radius"), [(300, 10, 0.9), (60, 3, 1.25), (10, 20, 0.5), (40, 1, 0.9)])
def test_a_reservoir_has_its_radius_and_only_the_readout_learns(n, degree, radius):
    net = wiring.reservoir(2, n, 3, degree=degree, radius=radius, leak=0.25, input_scale=0.5, rng=4)
    W = reservoir_matrix(net, n)
    assert np.abs(np.linalg.eigvals(W)).max() == pytest.approx(radius, rel=0.005)
    assert ((W != 0).sum(axis=1) == min(degree, n)).all()
    sinks, sources = net.edges["sink"], net.edges["source"]
    into = net.edges[sources < 2]
    assert len(into) == 2 * n
    assert 0.3 < np.abs(into["weight"]).max() <= 0.5
    assert (net.edges["frozen"] == (sinks < 2 + n)).all()
    assert net.neurons["frozen"].tolist() == [False] * 2 + [True] * n + [False] * 3
    assert {net[2].leak, net[1 + n].leak} == {0.25}
    assert (net["y0"].leak, net["y0"].activation, net["y2"].sources) == (None, "identity", list(net.names)[2 : 2 + n])
    assert wiring.reservoir(1, 5, 1, leak=None).graph.memory.leaks is None


def test_a_reservoir_s_seed_gives_one_wiring_in_both_dtypes():
    one, two, other = (
        wiring.reservoir(1, 30, 1, rng=seed, dtype=t) for seed, t in ((1, "float32"), (1, "float64"), (2, "float64"))
    )
    assert pairs(one) == pairs(two) != pairs(other)
    assert np.array_equal(one.weights, two.weights.astype("f4"))


def test_a_reservoir_runs_as_its_equation_says():
    """r(t) = (1 − α) r(t−1) + α tanh(W r(t−1) + W_in u(t)), as ReservoirPy has it."""
    net = wiring.reservoir(1, 20, 1, rng=0)
    W, W_in = reservoir_matrix(net, 20), np.array([net["x0", f"h{k}"].weight for k in range(20)])
    U, r, states = np.random.default_rng(1).normal(size=6), np.zeros(20), []
    for u in U:
        r = 0.7 * r + 0.3 * np.tanh(W @ r + W_in * u)
        states.append(r)
    steps = SequenceNetwork.from_network(net).forward(U[:, None].tolist())
    assert np.allclose([[here.y[1 + k] for k in range(20)] for here in steps], states, rtol=1e-13)


def test_a_synchronous_net_as_neat_runs_it():
    """neat-python's CTRNN: y += dt/τ · (f(b + Σ w·y before) − y); inputs are heard at once, all else a step later."""
    rng = np.random.default_rng(2)
    W, w_in, b, tau, dt = rng.normal(size=(3, 3)), rng.normal(size=3), rng.normal(size=3), 0.5, 0.1
    sources, sinks = np.tile([0, 1, 2, 3], 3), np.repeat([1, 2, 3], 4)
    weights = np.concatenate([w_in[:, None], W], axis=1).ravel()
    net = wiring.from_edges(
        4, sources, sinks, inputs=[0], outputs=[3], weights=weights, biases=[0, *b], delays=(sources > 0).astype(int)
    )
    for k in (1, 2, 3):
        net[k].leak = dt / tau
    X, y, expected = rng.normal(size=5), np.zeros(3), []
    for x in X:
        y = y + dt / tau * (np.tanh(b + w_in * x + W @ y) - y)
        expected.append([y[2]])
    assert np.allclose(SequenceNetwork.from_network(net).predict(X[:, None].tolist()), expected, rtol=1e-13)


def test_from_edges_with_delays_in_any_order():
    net = wiring.from_edges(
        3, [2, 0, 2, 0], [2, 2, 1, 2], inputs=[0], outputs=[1], weights=[1.0, 2.0, 3.0, 4.0], delays=[1, 5, 0, 0]
    )
    assert [(*row,) for row in net.edges[["source", "sink", "delay", "weight"]].tolist()] == [
        (2, 1, 0, 3.0), (0, 2, 0, 4.0), (2, 2, 1, 1.0), (0, 2, 5, 2.0),
    ]  # fmt: skip
    late = wiring.from_edges(2, [0], [1], inputs=[0], outputs=[1], delays=2)
    assert late["x0", "y0"].delay == 2


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"sinks": [2, 9]}, WiringError, r"sinks\[1\] is 9; ids go from 0 to 3"),
        ({"sources": [-1, 1]}, WiringError, r"sources\[0\] is -1"),
        ({"sources": [0.0, 1.0]}, WiringError, "float64"),
        ({"sources": [True, True]}, WiringError, "bool"),
        ({"sources": [0]}, WiringError, "1 sources and 2 sinks"),
        ({"sources": [0, 0]}, WiringError, "'x0' → 'n2' is given twice"),
        ({"sources": [0, 2]}, CycleError, "'n2' would feed itself"),
        ({"sinks": [2, 0]}, WiringError, "'x0' is an input.* 'x1' should"),
        ({"delays": [1, -1]}, WiringError, r"delays\[1\]=.*-1"),
        ({"delays": 70_000}, WiringError, "delays=70000"),
        ({"delays": [1]}, WiringError, r"delays has shape \(1,\)"),
        ({"delays": [0.5, 1]}, WiringError, "float64"),
        ({"sources": [0, 2], "delays": [1, 0]}, CycleError, "'n2' would feed itself"),
        ({"inputs": [0, 0]}, WiringError, "inputs holds the id 0 twice"),
        ({"outputs": []}, WiringError, "at least one"),
        ({"weights": [1.0, np.nan]}, SettingError, r"weights\[1\] is nan"),
        ({"weights": [1.0]}, SettingError, "shape"),
        ({"biases": [1.0]}, SettingError, "biases has shape"),
        ({"activation": ["tanh"]}, SettingError, "1 activations for 4 neurons"),
        ({"activation": "tahn"}, SettingError, "did you mean 'tanh'"),
        ({"n_neurons": 0}, SettingError, "n_neurons=0"),
    ],
)
def test_from_edges_refuses(changes, error, message):
    arguments = {"n_neurons": 4, "sources": [0, 1], "sinks": [2, 2], "inputs": [0, 1], "outputs": [3]}
    with pytest.raises(error, match=message):
        wiring.from_edges(**arguments | changes)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: wiring.layered([3]), "two layers"),
        (lambda: wiring.layered([3, 0]), r"sizes\[1\]=0"),
        (lambda: wiring.layered([3, 1.5]), r"sizes\[1\]=1.5"),
        (lambda: wiring.layered(5), "not a list"),
        (lambda: wiring.layered([3, True]), "True"),
        (lambda: wiring.sparse_layered([3, 2], density=0), "density=0"),
        (lambda: wiring.sparse_layered([3, 2], density=float("nan")), "density=nan"),
        (lambda: wiring.random_dag(1, 1, 1, in_degree=0), "in_degree=0"),
        (lambda: wiring.small_world([3, 2], rewire=1.5), "rewire=1.5"),
        (lambda: wiring.layered([3, 1], output="softmx"), "did you mean 'softmax'"),
        (lambda: wiring.layered([3, 1], dtype="float16"), "float16"),
        (lambda: wiring.layered([3, 1], rng=-1), "rng=-1"),
        (lambda: wiring.recurrent([3]), "two layers"),
        (lambda: wiring.elman(1, 2, 1, initial=float("nan")), "initial=nan"),
        (lambda: wiring.reservoir(1, 0, 1), "n_hidden=0"),
        (lambda: wiring.reservoir(1, 5, 1, radius=-1), "radius=-1"),
        (lambda: wiring.reservoir(1, 5, 1, leak=0), "leak=0"),
        (lambda: wiring.reservoir(1, 5, 1, degree=0), "degree=0"),
    ],
)
def test_refused_settings(build, message):
    with pytest.raises(SettingError, match=message):
        build()


@pytest.mark.parametrize(
    "build",
    [
        lambda **k: wiring.random_dag(5, 50, 3, in_degree=4, **k),
        lambda **k: wiring.sparse_layered([20, 20, 5], density=0.3, **k),
        lambda **k: wiring.small_world([20, 20, 5], **k),
    ],
)
def test_a_seed_gives_one_wiring_in_both_dtypes(build):
    one, two, other = build(rng=1, dtype="float32"), build(rng=1), build(rng=2)
    assert pairs(one) == pairs(two) != pairs(other)
    assert np.array_equal(one.weights, two.weights.astype("f4"))


def test_a_million_edges_take_about_a_second():
    rng = np.random.default_rng(0)
    keys = rng.permutation(50_000_000)[:1_000_000]
    sources, sinks = keys % 5_000, 5_000 + keys // 5_000
    start = time.perf_counter()
    net = wiring.from_edges(15_000, sources, sinks, inputs=range(5000), outputs=[14_999], weights=rng.random(10**6))
    assert net.n_edges == 10**6
    assert time.perf_counter() - start < 2.0
