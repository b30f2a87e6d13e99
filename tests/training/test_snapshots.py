"""Snapshots of a run: evenly spread, within their bytes."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import neuronsim as ns
from neuronsim.errors import SettingError
from neuronsim.training import snapshots
from neuronsim.training.snapshots import MOST_BYTES, Snapshots, budget, bytes_of, fingerprint


@pytest.fixture(autouse=True)
def _every_chunk(monkeypatch):
    """However quick it was."""
    monkeypatch.setattr(snapshots, "LEAST_SECONDS", 0.0)


def state(step: int, n: int = 1) -> list[np.ndarray]:
    return [np.full(n, float(step))]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 40), st.lists(st.integers(1, 50), max_size=300))
def test_a_run_of_any_length_keeps_evenly_spread_states(capacity, chunks):
    kept = Snapshots(state(0), capacity * bytes_of(state(0)))
    step = 0
    for chunk in chunks:
        kept.keep(step, state(step))
        step += chunk
        assert len(kept.states) <= capacity
    kept.keep_end(step, state(step))
    steps = list(kept.states)
    assert steps == sorted(steps)
    assert steps[0] == 0
    assert len(steps) <= capacity
    assert all(kept.states[q][0][0] == q for q in steps), "a state is that of its own step"
    if capacity > 1:
        assert steps[-1] == step
    gaps = np.diff(steps)
    # thinning at most doubles an interval and what lies to the next chunk's beginning; the end may replace one more
    assert (gaps <= 3 * (kept.interval + 50)).all()
    assert (gaps[:-1] >= kept.interval).all()
    if capacity > 4 and step > 60 * capacity:
        assert len(steps) > capacity / 8


def test_they_can_not_be_written_to():
    kept = Snapshots(state(0), 10_000)
    kept.keep(3, state(3))
    for arrays in kept.states.values():
        with pytest.raises(ValueError, match="read-only"):
            arrays[0][0] = 1.0


def test_the_nearest_before():
    kept = Snapshots(state(0), 10_000)
    kept.keep(10, state(10))
    kept.keep(20, state(20))
    assert [kept.before(q) for q in (0, 9, 10, 11, 19, 20, 99)] == [0, 0, 10, 10, 10, 20, 20]


def test_budgets():
    assert budget(False) == 0
    assert 0 < budget("auto") <= MOST_BYTES
    assert budget(12345) == 12345
    with pytest.raises(SettingError):
        budget("all")


def test_what_training_keeps_stays_within_the_bytes():
    net = ns.wiring.layered([5, 8, 1], rng=1)
    rng = np.random.default_rng(0)
    X, T = rng.normal(size=(3, 5)), rng.normal(size=(3, 1))
    most = 20_000
    run = net.fit(X, T, epochs=300, rng=1, snapshots=most)
    states = run.recording.snapshots.states
    assert len(states) > 2
    assert sum(bytes_of(s) for s in states.values()) <= most
    assert list(states)[-1] == 900


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (5000, 3), (2, 40_000), (100_000, 1)])
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_fingerprints(shape, dtype):
    X = np.random.default_rng(0).integers(-99, 99, shape).astype(dtype)
    before = fingerprint(X)
    assert fingerprint(X.copy()) == before
    for at in ((0, 0), (-1, -1)):
        X[at] += 1
        assert fingerprint(X) != before
        X[at] -= 1
    assert fingerprint(X[:, 0]) != fingerprint(X[:, :1])
    assert fingerprint(np.concatenate([X, X])) != before
    assert fingerprint(X[::-1].copy()) != before or len(X) == 1
