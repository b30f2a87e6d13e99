"""A run's network at one step, and which values are the largest."""

import numpy as np
import pytest

import neuronsim as ns
from neuronsim.analysis.probe import Probe, classes, largest


@pytest.mark.parametrize("k", [1, 2, 3, 9])
def test_the_largest_nan_as_infinite_and_of_equals_the_first(k: int) -> None:
    values = np.array([1.0, np.nan, 3.0, 1.0, np.inf, 3.0])
    places, sizes = largest(values, k)
    assert places.tolist() == [1, 4, 2, 5, 0, 3][:k]
    assert sizes.tolist() == [np.inf, np.inf, 3.0, 3.0, 1.0, 1.0][:k]


def test_a_probe_takes_parameters_and_leaves_the_run_alone() -> None:
    net = ns.wiring.layered([2, 3, 1], rng=0)
    rng = np.random.default_rng(1)
    X, T = rng.normal(size=(12, 2)), rng.random((12, 1))
    start = net.copy()
    run = net.fit(X, T, epochs=2, rng=1)
    probe = Probe(run.replay, np.array([3, 7]))
    expected = start.gradients(X[[3, 7]], T[[3, 7]])
    assert np.array_equal(probe.signals().delta, expected.delta)
    probe.load(run.replay.parameters(run.n_steps))
    expected = net.gradients(X[[3, 7]], T[[3, 7]])
    found = probe.signals()
    assert np.array_equal(found.delta, expected.delta)
    assert np.array_equal(found.losses, expected.losses)
    assert found.sample(1).losses.tolist() == [found.losses[1]]
    assert np.array_equal(run.at(0).weights, start.weights)


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        (np.array([2, 0], np.int32), [2, 0]),
        (np.array([[0.0, 1.0], [1.0, 0.0]]), [1, 0]),
        (np.array([[1.0], [0.0]]), [1, 0]),
        (np.array([[0.5], [0.0]]), None),
        (np.array([[1.0, 1.0]]), None),
        (np.array([2, 0, 1]), [2, 0, 1]),
        (np.array([[0.0, 0.0], [1.0, 0.0]]), None),
        (np.array([[0.3], [1.0]]), None),
        (np.array([[0.0], [1.0]]), [0, 1]),
    ],
)
def test_what_targets_are_classes(targets: np.ndarray, expected: list[int] | None) -> None:
    found = classes(targets)
    assert (None if found is None else found.tolist()) == expected
