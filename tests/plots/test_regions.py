"""The plane as a network divides it."""

import numpy as np
import pytest

import neuronsim as ns
from neuronsim.plots import decision_boundary


@pytest.mark.parametrize("outputs", [1, 2, 3])
def test_a_plane_shows_every_class_of_samples(outputs: int) -> None:
    net = ns.wiring.layered([2, 4, outputs], rng=0)
    X = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    classes = np.array([0, 1, 1, 0]) if outputs < 3 else np.array([0, 1, 2, 0])
    net.step(X[0], [0.5] * outputs)
    delta = net["y0"].delta
    picture = decision_boundary(net, X, classes)
    assert len(picture.samples) == max(outputs, 2)
    assert net["y0"].delta == delta  # what the last step made known stays known
    picture.ax.figure.canvas.draw()


def test_targets_by_columns_are_classes_as_well() -> None:
    net = ns.wiring.layered([2, 2], rng=0)
    assert len(decision_boundary(net, [[0, 0], [1, 1]], [[1, 0], [0, 1]]).samples) == 2


def test_only_a_plane_can_be_drawn() -> None:
    with pytest.raises(ns.errors.DataError, match="2 inputs, not 3"):
        decision_boundary(ns.wiring.layered([3, 1]), np.zeros((4, 3)), np.zeros(4))


def test_the_rows_of_a_plane_are_no_sequence() -> None:
    with pytest.raises(ns.errors.WiringError, match="its samples are sequences"):
        decision_boundary(ns.wiring.elman(2, 3, 1, rng=0), np.zeros((4, 2)), np.zeros(4))
