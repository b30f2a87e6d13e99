"""The loss along two directions, and the run's way projected on them."""

import numpy as np
import pytest

import neuronsim as ns
from neuronsim.errors import DataError, NotKnownError, SettingError


@pytest.fixture(scope="module")
def trained():
    data = ns.data.load("moons", n=60, noise=0.1)
    net = ns.wiring.layered([2, 4, 2], output="softmax", rng=0)
    return net, net.fit(*data, learning_rate=0.1, epochs=5, rng=0), data


def test_the_middle_is_the_trained_network(trained):
    net, run, data = trained
    picture = ns.plot.loss_landscape(run, resolution=5)
    assert picture.losses.shape == (5, 5)
    assert picture.losses[2, 2] == pytest.approx(net.evaluate(*data).loss)
    assert picture.way.get_xydata()[-1].tolist() == pytest.approx([0.0, 0.0], abs=1e-12)
    assert np.abs(picture.way.get_xydata()).max() <= picture.along[-1]
    assert f"{picture.outside:.0%} of the way" in picture.ax.get_title()


def test_the_projection_by_hand(trained):
    _, run, _ = trained
    picture = ns.plot.loss_landscape(run, resolution=3, rng=4)
    start, end = run.replay.parameters(0).weights, run.replay.parameters(run.n_steps).weights
    again = ns.plot.loss_landscape(run, resolution=3, rng=4)
    np.testing.assert_array_equal(picture.losses, again.losses)
    other = ns.plot.loss_landscape(run, resolution=3, rng=5)
    assert not np.array_equal(picture.losses, other.losses)
    assert 0.0 < picture.outside <= 1.0
    x, y = picture.way.get_xydata()[0]
    assert np.hypot(x, y) * np.linalg.norm(end) <= 2.5 * np.linalg.norm(start - end)  # a projection is no longer


def test_of_one_weight_the_plane_is_the_whole_way():
    net = ns.wiring.layered([1, 1], activation="identity", rng=0)
    run = net.fit([[1.0], [2.0]], [[3.0], [6.0]], learning_rate=0.1, epochs=5, rng=0)
    assert ns.plot.loss_landscape(run, resolution=3).outside == pytest.approx(0.0, abs=1e-12)


def test_refused(trained):
    _, run, data = trained
    with pytest.raises(SettingError, match="resolution=2"):
        ns.plot.loss_landscape(run, resolution=2)
    with pytest.raises(SettingError, match="draws a Run"):
        ns.plot.loss_landscape(3)
    net = ns.wiring.layered([2, 4, 2], output="softmax", rng=0)
    with pytest.raises(NotKnownError):
        ns.plot.loss_landscape(net.fit(*data, snapshots=False, rng=0))
    alone = ns.Network()
    alone.add_inputs("x")
    alone.add_neuron("y", [], activation="identity")
    alone.set_outputs("y")
    with pytest.raises(DataError, match="no landscape"):
        ns.plot.loss_landscape(alone.fit([[1.0]], [[1.0]], rng=0))
