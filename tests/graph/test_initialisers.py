import numpy as np
import pytest

from neuronsim import wiring
from neuronsim.errors import SettingError
from neuronsim.formulas.activations import ACTIVATIONS, FIRST_USER_CODE
from neuronsim.graph.initialisers import INITIALISERS, check_name, draw
from neuronsim.network import Network
from neuronsim.seeds import ORDER, WEIGHTS, WIRING, generator, seed_of

LIMITS = {"he": (6 / 50) ** 0.5, "glorot": (6 / 80) ** 0.5, "lecun": (3 / 50) ** 0.5}


@pytest.mark.parametrize("init", LIMITS)
def test_limits_of_a_dense_layer(init):
    weights = wiring.layered([50, 30], init=init, rng=1).weights
    assert 0.99 * LIMITS[init] < np.abs(weights).max() <= LIMITS[init]
    assert abs(weights.mean()) < 0.05 * LIMITS[init]


BUILT_IN = [name for name, activation in ACTIVATIONS.items() if activation.code < FIRST_USER_CODE]


@pytest.mark.parametrize("name", BUILT_IN)
def test_auto_follows_the_table(name):
    named = next(init for init, i in INITIALISERS.items() if name in i.activations)
    auto = wiring.layered([5, 4], activation=name, rng=3).weights
    assert np.array_equal(auto, wiring.layered([5, 4], activation=name, init=named, rng=3).weights)


def test_each_neuron_has_its_own_fan_in_and_activation():
    net = Network(rng=5)
    net.add_inputs(*(f"x{k}" for k in range(8)))
    net.add_neuron("few", ["x0", "x1"], activation="relu")
    net.add_neuron("many", ["x*"], activation="identity")
    u = 2.0 * generator(5, WEIGHTS).random(10) - 1.0
    limits = np.repeat([np.sqrt(6 / 2), np.sqrt(3 / 8)], [2, 8])
    assert np.array_equal(net.weights, u * limits)


def test_both_dtypes_start_alike():
    single, double = (wiring.layered([7, 6, 5], dtype=dtype, rng=0) for dtype in ("float32", "float64"))
    assert np.array_equal(single.weights, double.weights.astype(np.float32))


def test_blocks_leave_no_seam(monkeypatch):
    whole = wiring.layered([30, 20, 10], rng=0).weights
    monkeypatch.setattr("neuronsim.graph.initialisers._BLOCK", 7)
    assert np.array_equal(whole, wiring.layered([30, 20, 10], rng=0).weights)


def test_later_draws_do_not_repeat_the_first():
    weights = np.zeros(4)
    again = weights.copy()
    wires = np.array([0, 0, 4]), np.zeros(4, np.int32), np.zeros(2, np.int16)
    draw(weights, np.ones(4, bool), *wires, "he", 0)
    draw(again, np.ones(4, bool), *wires, "he", 0, turn=1)
    assert not np.isin(weights, again).any()


def test_unknown_init():
    assert check_name("auto") == "auto"
    with pytest.raises(SettingError, match=r"unknown init 'hee'; did you mean 'he'\? allowed: auto, he, glorot, lecun"):
        Network(init="hee")


def test_seeds():
    assert seed_of(7) == seed_of(np.int64(7)) == 7
    assert seed_of(np.random.SeedSequence(1)) == seed_of(np.random.SeedSequence(1))
    assert seed_of(np.random.default_rng(1)) == seed_of(np.random.default_rng(1))
    assert seed_of(None) != seed_of(None)


@pytest.mark.parametrize("bad", [-1, True, 1.0, "0", [1]])
def test_bad_seeds(bad):
    with pytest.raises(SettingError, match="rng="):
        seed_of(bad)


def test_streams_are_those_of_numpy():
    expected = np.random.Generator(np.random.PCG64(np.random.SeedSequence(3, spawn_key=(ORDER, 4)))).random(3)
    assert np.array_equal(generator(3, ORDER, 4).random(3), expected)
    assert (WIRING, WEIGHTS, ORDER) == (0, 1, 2)
