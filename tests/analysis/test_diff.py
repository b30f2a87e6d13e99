"""Two runs compared: where they part, and why."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nets import classes_net
from strategies import cases

import neuronsim as ns
from neuronsim.errors import SettingError

_, X, T = classes_net(6, 4)


def net(**changes):
    made, _, _ = classes_net(6, 4)
    for name, value in changes.items():
        made[name.replace("_", ".")].bias = value
    return made


def run(given=None, X=X, T=T, **settings):
    return (given or net()).fit(X, T, **({"learning_rate": 0.2, "epochs": 3, "rng": 0} | settings))


@pytest.mark.parametrize("every_step", [False, True])
def test_equal_runs(every_step):
    found = run().diff(run(threads=1), every_step=every_step)
    assert not found
    assert found.step is None
    assert found.causes == ()
    assert "no difference above 0 over 90 steps" in str(found)


@pytest.mark.parametrize("every_step", [False, True])
def test_one_sample_differs(every_step):
    changed = X.copy()
    changed[17, 1] += 1e-3
    one, other = run(), run(X=changed)
    found = one.diff(other, every_step=every_step)
    q = next(q for q in range(90) if one.at(q).samples[0] == 17)
    assert (found.step, found.what, found.where, found.sample) == (q, "z", "x1", 17)
    assert found.values == (X[17, 1], changed[17, 1])
    assert found.causes == ("X: 1 of 30 rows, the first is row 17",)
    assert bool(found)


@pytest.mark.parametrize("every_step", [False, True])
def test_another_rate_from_some_step_on(every_step):
    one = run(learning_rate=ns.schedules.Step(0.2, every=1, factor=0.5))
    found = one.diff(run(), every_step=every_step)
    q = next(q for q in range(90) if (one.at(q).weights_after != run().at(q).weights_after).any())
    assert q == 30
    assert (found.step, found.after, found.sample) == (q, True, None)
    assert found.what == "weight"
    assert found.values == (one.at(q)[found.where].weight_after, run().at(q)[found.where].weight_after)
    assert found.causes[0].startswith("learning_rate: Step")
    assert "behind the update" in str(found)


def test_tolerance_skips_small_differences():
    one, other = run(), run(net(h1_2=1e-6))
    assert one.diff(other).step == 0
    assert one.diff(other).what == "bias"
    assert one.diff(other).where == "h1.2"
    assert one.diff(other).values == (0.0, 1e-6)
    assert one.diff(other).causes == ("start: 1 of the biases differ before step 0",)
    assert not one.diff(other, tolerance=1.0)
    some = one.diff(other, tolerance=1.5e-6, every_step=True)
    assert some.step is None or some.step > 0


def test_a_difference_that_leaves_no_mark():
    """A rate of 0: other data change signals, never parameters."""
    changed = T.copy()
    changed[4] = (changed[4] + 1) % 3
    one, other = run(learning_rate=0.0), run(T=changed, learning_rate=0.0)
    found = one.diff(other)
    q = next(q for q in range(90) if one.at(q).samples[0] == 4)
    assert (found.step, found.what, found.sample) == (q, "delta", 4)
    assert found.where in ("y0", "y1", "y2")
    assert found.causes == ("T: 1 of 30 rows, the first is row 4",)


def test_other_settings_and_lengths():
    found = run().diff(run(epochs=1))
    assert not found
    assert found.n_steps == 30
    assert found.causes == ("length: 90 and 30 steps; those that both have are compared",)
    batches = run().diff(run(batch_size=4))
    assert (batches.step, batches.what, batches.values) == (0, "samples", (1.0, 4.0))
    seeds = run().diff(run(rng=5))
    assert seeds.step == 0
    assert seeds.causes == ("seed: 0 and 5",)
    frozen = net()
    frozen.freeze("h1.0")
    assert run().diff(run(frozen)).causes[0].startswith("frozen or scaled")


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases(max_samples=6, max_hidden=8), st.integers(1, 3), st.data())
def test_any_wiring(case, batch_size, data):
    """One parameter a little larger is found, and nothing where nothing differs."""
    how = {"loss": case.loss.name, "batch_size": batch_size, "learning_rate": 1e-3, "rng": 0}
    other = case.net.copy()
    one = case.net.copy().fit(case.X, case.T, **how)
    assert not one.diff(case.net.copy().fit(case.X, case.T, **how), every_step=True)
    a = data.draw(st.sampled_from(np.flatnonzero(~other.graph.is_input).tolist()))
    other[a].bias += 0.5
    found = one.diff(other.fit(case.X, case.T, **how))
    assert (found.step, found.what, found.where) == (0, "bias", other.graph.name(a))


def test_prints_and_refuses():
    text = str(run().diff(run(net(h1_2=0.5))))
    for part in ("the runs differ first at step 0: bias[h1.2]", "this run", "the other", "start: 1 of the biases"):
        assert part in text
    assert "<table>" in run().diff(run(net(h1_2=0.5)))._repr_html_()
    with pytest.raises(SettingError, match="tolerance=-1"):
        run().diff(run(), tolerance=-1)
    with pytest.raises(SettingError, match=r"compares with another run.* not 3"):
        run().diff(3)
    larger = ns.wiring.layered([3, 6, 5, 3], activation="tanh", output="softmax", rng=1)
    with pytest.raises(SettingError, match="16 and 17 neurons"):
        run().diff(run(larger))
    other = net()
    other.disconnect("h1.0", "h2.1")
    with pytest.raises(SettingError, match=r"this has the edge h1\.0 → h2\.1, the other has not"):
        run().diff(run(other))
    other = net()
    other["h1.3"].activation = "relu"
    with pytest.raises(SettingError, match=r"'h1\.3' has another activation"):
        run().diff(run(other))
