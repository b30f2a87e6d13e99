"""The loss over two parameters."""

import numpy as np
import pytest
from pictures import T, X

import neuronsim as ns
from neuronsim.errors import SettingError
from neuronsim.plots import loss_surface


class TestLossSurfaces:
    def test_each_point_is_the_loss_there_and_the_network_is_left_alone(self):
        net = ns.wiring.layered([2, 3, 1], activation="sigmoid", rng=0)
        before = net.weights.copy(), net.biases.copy()
        picture = loss_surface(net, X, T, [("x0", "h1.0"), "y0"], span=(2.0, 1.0))
        np.testing.assert_array_equal(net.weights, before[0])
        np.testing.assert_array_equal(net.biases, before[1])
        assert picture.losses.shape == (len(picture.second), len(picture.first))
        for i, j in ((0, 0), (7, 30), (-1, -1)):
            moved = net.copy()
            moved["x0", "h1.0"].weight = picture.first[j]
            moved["y0"].bias = picture.second[i]
            assert picture.losses[i, j] == pytest.approx(moved.evaluate(X, T).loss, rel=1e-12)
        assert picture.first[[0, -1]] == pytest.approx(net["x0", "h1.0"].weight + np.array([-2, 2]))
        assert picture.second[[0, -1]] == pytest.approx(net["y0"].bias + np.array([-1, 1]))

    def test_refused(self):
        net = ns.wiring.layered([2, 3, 1], rng=0)
        with pytest.raises(SettingError, match="two"):
            loss_surface(net, X, T, ["y0"])
        with pytest.raises(SettingError, match="span"):
            loss_surface(net, X, T, ["y0", "h1.0"], span=-1)
