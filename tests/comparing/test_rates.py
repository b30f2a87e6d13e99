"""Short runs by learning rate, from the same starts."""

import numpy as np
import pytest

import neuronsim as ns
from neuronsim.comparing.rates import RateRange
from neuronsim.errors import SettingError


@pytest.fixture(scope="module")
def moons():
    return ns.data.load("moons", n=200, noise=0.1)


@pytest.fixture
def net():
    return ns.wiring.layered([2, 8, 2], output="softmax", rng=0)


def test_each_cell_is_a_run(net, moons):
    before = net.weights.tobytes()
    found = ns.learning_rate_range(net, *moons, rates=[0.1, 1e-3], seeds=[3, 5], steps=20, batch_size=10)
    assert found.rates.tolist() == [1e-3, 0.1]
    alone = net.copy()
    alone.initialise(rng=5)
    assert found.steps == 20
    alone.fit(*moons, learning_rate=0.1, batch_size=10, rng=5)  # 200 samples are 20 steps
    assert found.losses[1, 1] == alone.evaluate(*moons).loss
    assert net.weights.tobytes() == before


def test_small_data_make_several_epochs(net):
    xor = ns.data.load("xor")
    net = ns.wiring.layered([2, 3, 1], rng=0)
    found = ns.learning_rate_range(net, *xor, rates=[0.1], seeds=[0], steps=10, batch_size=3)
    assert found.steps == 10  # 2 steps an epoch


def test_a_range(net, moons):
    found = ns.learning_rate_range(net, *moons, rates=[1e-4, 1e-3, 0.1, 1.0, 1e4], seeds=range(3), steps=50)
    low, high = found.range
    assert low in (0.1, 1.0)
    assert high == 1.0
    assert found.medians[-1] > found.start
    assert f"rates from {low:g} to 1 make at least half" in str(found)
    assert found.figure().ax.get_xscale() == "log"


def test_what_diverges():
    X = np.linspace(-1, 1, 40)[:, None]
    net = ns.wiring.layered([1, 3, 1], output="identity", rng=0)
    found = ns.learning_rate_range(net, X, X, rates=[1e-2, 1e200], seeds=range(3), steps=30, batch_size=4)
    assert np.isnan(found.losses[1]).all()
    assert np.isinf(found.medians[1])
    assert "3 of 3" in str(found)
    assert found.range == (0.01, 0.01)


def test_where_nothing_improves():
    found = RateRange(np.array([0.1]), np.array([[2.0, 3.0]]), 1.0, 5)
    assert found.range is None
    assert "no rate made the loss smaller" in str(found)


@pytest.mark.parametrize(
    "given", [{"rates": [0.0]}, {"rates": []}, {"seeds": []}, {"steps": 0}, {"epochs": 3}, {"learning_rate": 0.1}]
)
def test_refused(net, moons, given):
    with pytest.raises(SettingError):
        ns.learning_rate_range(net, *moons, **given)
