"""The first step at which a condition holds, against a walk by hand."""

import warnings

import numpy as np
import pytest
from nets import classes_net

import neuronsim as ns
from neuronsim.errors import SettingError, UnknownNameError


def classes_run(**settings):
    net, X, T = classes_net(6, 4)
    return net.fit(X, T, learning_rate=0.2, epochs=3, rng=0, **settings)


def overflow_run():
    """z of h1 passes 1e308 at the first step that meets row 2."""
    net = ns.Network()
    net.add_inputs("x0")
    net.add_neuron("h0", {"x0": 1e155}, activation="identity")
    net.add_neuron("h1", {"h0": 3e152}, activation="sigmoid")
    net.add_neuron("o", {"h1": 1e-3}, activation="identity")
    net.set_outputs("o")
    net.freeze(edges=[("x0", "h0"), ("h0", "h1"), ("h1", "o")], biases=True)
    return net.fit([[1.0], [-1.0], [1e5], [2.0]], [[0.0]] * 4, learning_rate=1e-3, shuffle=False, epochs=2, rng=0)


@pytest.mark.parametrize("batch_size", [1, 7])
def test_against_a_walk_by_hand(batch_size):
    run = classes_run(batch_size=batch_size)
    found = run.first("(delta > 0.3) & (y > 0)", neurons="h2.*")
    graph = run.replay.graph
    for q in range(run.n_steps):
        step = run.at(q)
        delta, y = np.atleast_2d(step.delta), np.atleast_2d(step.y)
        holds = [
            (row, a)
            for row in range(len(delta))
            for a in graph.ids("h2.*").tolist()
            if delta[row, a] > 0.3 and y[row, a] > 0
        ]
        if holds:
            break
    row, a = holds[0]
    assert (found.step, found.epoch, found.sample, found.where) == (q, step.epoch, step.samples[row], graph.name(a))
    assert found.values == {"delta": delta[row, a], "y": y[row, a]}
    assert found.made


def test_never_and_ranges():
    run = classes_run()
    assert run.first("isnan(z)") is None
    assert run.first("isfinite(z)").step == 0
    assert run.first("isfinite(z)", start=11).step == 11
    assert run.first("isfinite(z)", start=11, stop=11) is None
    assert run.first("z == z", neurons="x0").where == "x0"  # inputs only where they are named
    assert run.first("z == z").where == "h1.0"


def test_running_order_is_not_id_order():
    net = ns.Network()
    net.add_inputs("x")
    net.add_neuron("last", activation="identity")
    net.add_neuron("middle", {"x": 1.0}, activation="identity")
    net.connect("middle", "last", 1.0)
    net.set_outputs("last")
    assert net.fit([[1.0]], [[0.0]], rng=0).first("z > 0").where == "middle"


def test_conditions_on_edges_and_biases():
    run = classes_run(batch_size=10)
    found = run.first("abs(dw) > 0.001", neurons="h2.1")
    step = run.at(found.step)
    source, sink = found.where
    assert sink == "h2.1"
    assert found.sample is None
    assert abs(step[source, sink].dw) > 0.001
    assert found.values == {"dw": step[source, sink].dw}
    biased = run.first("b != 0")
    assert biased.step == 1
    assert biased.sample is None
    assert run.first("db != 0").step == 0
    assert run.first("gradient > 0.01").values["gradient"] > 0.01
    assert run.first("w > 0").step == 0


def test_a_sum_that_overflows_on_the_way():
    found = overflow_run().first("isinf(z)")
    assert (found.step, found.sample, found.where, found.made) == (2, 2, "h1", True)
    assert found.values == {"z": np.inf}


def test_the_step_that_was_not_made():
    net = ns.wiring.layered([2, 4, 1], activation="identity", output="identity", rng=0)
    X, T = np.array([[1.0, 2.0], [3.0, -1.0]]), np.array([[1.0], [2.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ns.DivergenceWarning)
        run = net.fit(X, T, learning_rate=50.0, epochs=200, rng=0)
    assert run.status == "diverged"
    found = run.first("~isfinite(z) | ~isfinite(delta)")
    assert found.step == run.n_steps
    assert not found.made
    assert "this step diverged and was not made" in str(found)
    assert run.first("~isfinite(z) | ~isfinite(delta)", stop=run.n_steps) is None


def test_prints_and_refuses():
    run = classes_run()
    text = str(run.first("isfinite(z)"))
    assert "isfinite(z) holds first at" in text
    assert "step 0 (epoch 0), sample" in text
    assert "<table>" in run.first("isfinite(z)")._repr_html_()
    with pytest.raises(SettingError, match="no field 'x'"):
        run.first("x > 0")
    with pytest.raises(UnknownNameError, match="no neuron 'H1"):
        run.first("isnan(z)", neurons="H1.0")
    with pytest.raises(SettingError, match="start=91"):
        run.first("isnan(z)", start=91)
