"""Blame: δ and |Δw| of every sample, as the reference computes them one by one."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from nets import classes_net
from strategies import cases

import neuronsim as ns
from neuronsim.errors import NotKnownError, SettingError, UnknownNameError


def classes_run(n=30, **settings):
    net, X, T = classes_net(6, 4, n=n)
    return net, X, T, net.fit(X, T, learning_rate=0.1, rng=0, **settings)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases(max_samples=8, max_hidden=8))
def test_any_wiring_against_the_reference(case):
    run = case.net.fit(case.X, case.T, loss=case.loss.name, learning_rate=0.0, rng=0)
    every = list(range(case.net.n_neurons))
    found = run.blame(every)
    assert found.delta.shape == (len(case.X), len(every))
    reference = case.reference
    tolerance = 1e-9 if case.net.dtype == np.float64 else 2e-3
    for row, (x, t) in enumerate(case.samples):
        expected = reference.signals(x, t, case.loss)
        delta = np.array([expected.delta[a] for a in every])
        scale = max(1.0, np.abs(delta).max())
        assert np.abs(found.delta[row] - delta).max() <= tolerance * scale


def test_change_is_what_a_step_alone_writes():
    net, X, T, run = classes_run(epochs=2)
    net.freeze(edges=[("h1.0", "h2.1")])
    net.scale_rate(("h1.1", "h2.1"), 0.25)
    run = net.fit(X, T, learning_rate=0.1, epochs=1, rng=0)
    found = run.blame(["h2.1", "h1.3", "x0", "h2.0"])
    start, end = net.graph.row_start[net.graph.id("h2.1")], net.graph.row_start[net.graph.id("h2.1") + 1]
    for row in (0, 7, 29):
        single = net.copy()
        step_run = single.fit(X[row : row + 1], T[row : row + 1], learning_rate=0.1, rng=0)
        written = np.abs(step_run.at(0).weights_after[start:end] - step_run.at(0).weights[start:end]).sum()
        assert found.change[row, 0] == pytest.approx(written, rel=1e-9)
    # the same sources, none of them frozen or slowed
    for row in range(30):
        net.forward(X[row])
        received = sum(abs(net[f"h1.{k}"].y) for k in range(6))
        assert found.change[row, 3] == pytest.approx(0.1 * abs(found.delta[row, 3]) * received, rel=1e-9)
    assert found.change.shape == (30, 4)
    assert not found.change[:, 2].any()  # an input has no weights; its δ is ∂L/∂x
    assert found.delta[:, 2].any()


def test_rows_held_out_are_not_blamed():
    net, X, T, run = classes_run(validation=0.3, epochs=2)
    found = run.blame("h1.*")
    trained = np.setdiff1d(np.arange(30), run.held_out)
    assert found.samples.tolist() == trained.tolist()
    assert (found.delta == net.gradients(X, T).delta[trained][:, net.graph.ids("h1.*")]).all()
    assert sum(c.n_samples for c in found.by_class() if c.neuron == "h1.0") == len(trained)
    with pytest.raises(SettingError, match=r"is not in this table; .* but for those held out"):
        found.sample(int(run.held_out[0]))


def test_same_bits_as_gradients_and_any_step():
    net, X, T, run = classes_run(epochs=2, batch_size=8)
    assert (run.blame("*").delta == net.gradients(X, T).delta).all()
    then = run.blame("h1.*", step=3)
    step = run.at(3)
    columns = [net.graph.id(name) for name in then.neurons]
    assert (then.delta[step.samples] == step.delta[:, columns]).all()
    assert (then.losses[step.samples] == step.losses).all()


def test_more_samples_than_a_block():
    net, X, T, run = classes_run(n=2500, batch_size=500)
    found = run.blame("h*")
    assert (found.delta == net.gradients(X, T).delta[:, 3:13]).all()
    assert (found.losses == net.gradients(X, T).losses).all()


def test_top_by_class_and_sample():
    _, _, T, run = classes_run(epochs=3)
    found = run.blame(["h2.0", "h2.1"])
    sizes = np.sort(np.abs(found.delta).ravel())[::-1]
    top = found.top(5)
    assert [abs(cell.delta) for cell in top] == sizes[:5].tolist()
    assert all(cell.label == T[cell.sample] for cell in top)
    changes = np.sort(found.change.ravel())[::-1]
    assert [cell.change for cell in found.top(4, by="change")] == changes[:4].tolist()
    assert len(found.top(1000)) == 60
    table = found.by_class()
    assert [(c.neuron, c.label) for c in table] == [(f"h2.{k}", label) for k in (0, 1) for label in (0, 1, 2)]
    assert sum(c.share for c in table[:3]) == pytest.approx(1.0)
    assert table[1].mean_delta == pytest.approx(found.delta[T == 1, 0].mean())
    assert sum(c.n_samples for c in table[3:]) == 30
    assert [cell.delta for cell in found.sample(4)] == found.delta[4].tolist()


def test_prints_and_refuses():
    _, _, _, run = classes_run()
    found = run.blame("h2.*")
    for part in (
        "δ of 30 samples at h2.0, h2.1",
        "before step 30",
        "by sample",
        "the 10 largest |δ| of 120",
        "by class",
    ):
        assert part in str(found)
    assert "<table>" in found._repr_html_()
    assert repr(found) == "<Blame: 30 samples, 4 neurons, step 30>"
    with pytest.raises(UnknownNameError, match="did you mean"):
        run.blame("H2.0")
    with pytest.raises(SettingError, match="0 to 30 are allowed"):
        run.blame("h2.0", step=31)
    with pytest.raises(SettingError, match=r"step=1\.5"):
        run.blame("h2.0", step=1.5)
    with pytest.raises(SettingError, match="by='loss'"):
        found.top(3, by="loss")
    with pytest.raises(SettingError, match="row 30 of X"):
        found.sample(30)


def test_regression_has_no_classes():
    net = ns.wiring.layered([2, 3, 1], rng=0)
    run = net.fit([[0.1, 0.2], [0.3, 0.4]], [[0.5], [0.1]], rng=0)
    found = run.blame("h1.0")
    assert "class" not in str(found)
    assert found.top(1)[0].label is None
    with pytest.raises(NotKnownError, match="no classes"):
        found.by_class()
