"""The same step with other numbers."""

import numpy as np
import pytest
from explained import step_of
from nets import T222, X222, net_222

import neuronsim as ns
from neuronsim.errors import SettingError
from neuronsim.explaining.variants import variants_of


@pytest.fixture
def step():
    return net_222(frozen=False).step(X222, T222, learning_rate=0.5)


def test_numbers_have_two_decimals_and_everything_else_stays(step):
    for made in variants_of(step, 5, 0):
        for numbers in (made.weights, made.biases, made.y[made.graph.inputs], made.targets):
            assert np.allclose(numbers, np.round(numbers, 2))
        assert (made.learning_rate, made.loss_function) == (0.5, step.loss_function)
        assert list(made.graph.name_list(range(6))) == list(step.graph.name_list(range(6)))
        assert (made.weights != step.weights).all()
        assert np.abs(made.delta[2:]).min() > 1e-4
        assert all(0 < t < 1 for t in made.targets)


def test_the_same_seed_gives_the_same(step):
    first, same, other = (step.worksheets("h1", variants=2, rng=seed) for seed in (0, 0, 1))
    assert first == same
    assert first != other
    assert step.worksheets("h1", variants=5, rng=0)[:2] == first


def test_the_step_itself_is_left_alone(step):
    before = step.weights.copy(), step.weights_after.copy()
    step.worksheets(variants=2)
    assert (step.weights == before[0]).all()
    assert (step.weights_after == before[1]).all()


def test_biases_of_zero_and_classes_stay_so():
    net = ns.wiring.layered([3, 4, 3], activation="tanh", output="softmax", rng=0)
    for made in variants_of(net.step([0.1, 0.2, 0.3], 1), 4, 0):
        assert not made.biases.any()
        assert sorted(made.targets) == [0.0, 0.0, 1.0]


def test_what_cannot_be_varied_is_refused(step):
    with pytest.raises(SettingError, match="one sample"):
        variants_of(step_of("sgd", 6), 1, 0)
    with pytest.raises(SettingError, match="variants=0"):
        step.worksheets(variants=0)
