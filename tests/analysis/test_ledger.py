"""The ledger: amounts that add up exactly, and are those that the equations say."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nets import T222, X222, classes_net, net_222
from strategies import cases

import neuronsim as ns
from neuronsim.analysis.ledger import _geometric
from neuronsim.errors import NotKnownError, SettingError, UnknownNameError
from neuronsim.formulas import optimizers

RULES = ["sgd", optimizers.Momentum(0.9), optimizers.Nesterov(0.8), optimizers.Momentum(0.0)]


def splits(ledger):
    return ledger.by_sample, ledger.by_class, ledger.by_epoch, ledger.by_step


def test_one_step_of_the_lectures_net():
    """L4's 2-2-2 net, its biases frozen."""
    net = net_222()
    run = net.fit([X222], [T222], learning_rate=0.5)
    ledger = run.ledger("h1", "o1")
    assert ledger.by_sample[0] == pytest.approx(-0.5 * 0.082167041, abs=5e-10)
    assert ledger.after == pytest.approx(0.35891648, abs=5e-9)
    assert run.ledger("i1", "h1").by_sample[0] == pytest.approx(-0.5 * 0.000438568, abs=5e-10)
    assert run.ledger("h1").total == 0.0
    assert run.blame("o1", step=0).change[0, 0] == pytest.approx(
        abs(ledger.total) + abs(run.ledger("h2", "o1").total), rel=1e-12
    )


def test_a_bias_learns_its_delta():
    net, X, T = classes_net(5, n=20)
    run = net.fit(X, T, learning_rate=0.5, shuffle=False)
    ledger = run.ledger("h1.2")
    assert ledger.parameter == "b[h1.2]"
    assert ledger.by_sample[3] == pytest.approx(-0.5 * run.at(3)["h1.2"].delta, rel=1e-15)
    assert ledger.after == net["h1.2"].bias


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("batch_size", [1, 7])
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_entries_add_up_exactly_and_rounding_is_small(rule, batch_size, dtype):
    net, X, T = classes_net(5, n=20, dtype=dtype)
    run = net.fit(X, T, optimizer=rule, batch_size=batch_size, epochs=3, learning_rate=0.1, weight_decay=0.01, rng=0)
    for what in (("x1", "h1.2"), ("h1.0", "y2"), ("h1.3",)):
        for start, stop in ((0, None), (4, run.n_steps - 2), (5, 5)):
            ledger = run.ledger(*what, start=start, stop=stop)
            assert all(split.total == ledger.total for split in splits(ledger))
            eps = float(np.finfo(dtype).eps)
            size = abs(ledger.before) + sum(abs(entry.amount) for entry in ledger.by_sample.entries)
            steps = ledger.stop - ledger.start
            assert sum(map(abs, ledger.by_sample.rounding)) <= 4 * eps * size * max(steps, 1)
            assert ("weight decay" in ledger.by_sample.others) == (len(what) == 2 and steps > 0)
    assert run.ledger("x1", "h1.2").after == net["x1", "h1.2"].weight


def test_a_samples_amount_is_what_its_gradients_wrote():
    """Momentum with the velocity written out: each sample's own share of v, step by step."""
    net, X, T = classes_net(5, n=20)
    rule = optimizers.Momentum(0.7)
    run = net.fit(X, T, optimizer=rule, batch_size=6, epochs=2, learning_rate=0.2, rng=3)
    shares, written = np.zeros(20), np.zeros(20)
    for step in run.replay.walk(0, run.n_steps):
        shares *= 0.7
        shares[step.samples] -= 0.2 / len(step.samples) * step["x0", "h1.1"].gradients
        written += shares
    ledger = run.ledger("x0", "h1.1")
    assert ledger.by_sample.keys.tolist() == list(range(20))
    assert ledger.by_sample.amounts == pytest.approx(written, rel=1e-12, abs=1e-17)
    for label in range(3):
        assert ledger.by_class[label] == pytest.approx(written[label == T].sum(), rel=1e-12, abs=1e-17)


def test_nesterov_and_the_velocity_from_before():
    net, X, T = classes_net(5, n=20)
    run = net.fit(X, T, optimizer=optimizers.Nesterov(0.7), batch_size=6, epochs=3, learning_rate=0.2, rng=3)
    start = 5
    v = run.at(start).state[0].weights[net.graph.edge("x0", "h1.1")]
    left, written = v, 0.0
    for _ in range(start, run.n_steps):
        left *= 0.7
        written += 0.7 * left
    ledger = run.ledger("x0", "h1.1", start=start)
    assert ledger.by_sample.others["velocity before"] == pytest.approx(written, rel=1e-12)
    assert sum(map(abs, ledger.by_sample.rounding)) < 1e-15


@pytest.mark.parametrize(
    "clipping", [{"clip_norm": 0.05}, {"clip_value": 0.003}, {"clip_norm": 0.1, "clip_value": 0.01}]
)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_clipped_gradients_are_booked_as_clipped(clipping, reduction):
    net, X, T = classes_net(5, n=20)
    run = net.fit(X, T, batch_size=5, epochs=2, learning_rate=0.5, reduction=reduction, rng=0, **clipping)
    ledger = run.ledger("x1", "h1.2")
    assert sum(map(abs, ledger.by_sample.rounding)) < 1e-14
    assert ledger.by_sample.total == ledger.total != 0.0


@pytest.mark.parametrize("rule", ["rmsprop", "adam", "adamw", "rprop"])
def test_adaptive_rules_are_booked_by_step(rule):
    net, X, T = classes_net(5, n=20)
    run = net.fit(X, T, optimizer=rule, batch_size=5, epochs=2, rng=0)
    ledger = run.ledger("x1", "h1.2")
    assert ledger.by_step.total == ledger.by_epoch.total == ledger.total
    assert ledger.by_step[3] == run.at(3)["x1", "h1.2"].dw
    with pytest.raises(NotKnownError, match=f"{rule} divides each step by running means"):
        _ = ledger.by_sample
    assert f"{rule} is adaptive: booked by step, not by sample" in str(ledger)


def test_frozen_and_slowed_parameters():
    net, X, T = classes_net(5, n=20)
    net.freeze(edges=[("x0", "h1.0")])
    net.scale_rate(("x0", "h1.1"), 0.5)
    run = net.fit(X, T, optimizer="momentum", epochs=2, rng=0)
    frozen = run.ledger("x0", "h1.0")
    assert frozen.total == 0.0
    assert not frozen.by_sample.amounts.any()
    slowed = run.ledger("x0", "h1.1")
    assert sum(map(abs, slowed.by_sample.rounding)) < 1e-14
    assert slowed.by_sample.total == slowed.total != 0.0


@pytest.mark.filterwarnings("ignore::neuronsim.errors.DivergenceWarning")  # its books are kept up to there
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases(max_samples=12, max_hidden=8), st.integers(1, 5), st.sampled_from(RULES), st.data())
def test_any_wiring(case, batch_size, rule, data):
    if not case.net.graph.n_edges:
        return
    run = case.net.fit(
        case.X, case.T, loss=case.loss.name, optimizer=rule, batch_size=batch_size, epochs=2, learning_rate=1e-3, rng=0
    )
    graph = case.net.graph
    edge = data.draw(st.integers(0, graph.n_edges - 1))
    ends = int(graph.sources[edge]), int(graph.sinks()[edge])
    start = data.draw(st.integers(0, run.n_steps))
    ledger = run.ledger(*ends, start=start)
    for split in (ledger.by_sample, ledger.by_epoch, ledger.by_step):
        assert split.total == ledger.total
    assert ledger.after == float(graph.weights[edge])


@pytest.mark.parametrize("beta", [0.0, 0.3, 0.9, 0.999])
def test_geometric_sums(beta):
    for n in (0, 1, 2, 50):
        assert _geometric(beta, n) == pytest.approx(math.fsum(beta**j for j in range(n)), rel=1e-12)


def test_prints_and_refuses():
    net, X, T = classes_net(5, n=20)
    run = net.fit(X, T, epochs=2, rng=0)
    ledger = run.ledger("x1", "h1.2")
    text = str(ledger)
    for part in ("ledger of w[x1→h1.2]", "sgd, steps 0 to 39", "by sample", "by class", "by epoch", "the 8 largest of"):
        assert part in text
    assert "<table>" in ledger._repr_html_()
    sizes = [abs(entry.amount) for entry in ledger.by_sample.entries]
    assert sizes == sorted(sizes, reverse=True)
    with pytest.raises(UnknownNameError, match="no neuron 'h1"):
        run.ledger("x1", "h1.9")
    with pytest.raises(SettingError, match="'x1' is an input"):
        run.ledger("x1")
    with pytest.raises(SettingError, match="start=9 is behind stop=3"):
        run.ledger("x1", "h1.2", start=9, stop=3)
    with pytest.raises(SettingError, match="0 to 40 are allowed"):
        run.ledger("x1", "h1.2", stop=41)
    with pytest.raises(SettingError, match="no epoch 7"):
        ledger.by_epoch[7]


def test_targets_that_are_no_classes():
    net = ns.wiring.layered([2, 2, 2], rng=0)
    run = net.fit([[0.1, 0.2], [0.3, 0.4]], [[0.5, 0.1], [0.2, 0.3]], rng=0)
    with pytest.raises(NotKnownError, match="no classes"):
        _ = run.ledger("x0", "h1.0").by_class


def test_an_edit_between_two_fits_is_booked_as_one():
    net = ns.wiring.layered([2, 3, 1], rng=0)
    data = ns.data.load("xor")
    run = net.fit(*data, epochs=2, rng=0)
    before = net["x0", "h1.0"].weight
    net["x0", "h1.0"].weight = 3.0
    run = net.fit(*data, epochs=2, resume=run)
    found = run.ledger("x0", "h1.0")
    for split in (found.by_sample, found.by_step, found.by_epoch):
        assert split.others == {"edits between fits": 3.0 - before}
        assert math.fsum(abs(v) for v in split.rounding) < 1e-12
    assert "edits between fits" in str(found)
    assert run.ledger("x1", "h1.0").by_step.others == {}
