"""The optimisers against numbers worked out by hand from L3's and PyTorch's formulas."""

import math

import pytest

from neuronsim.errors import SettingError
from neuronsim.formulas.optimizers import (
    OPTIMIZERS,
    SGD,
    Adam,
    AdamW,
    Momentum,
    Nesterov,
    RMSprop,
    Rprop,
    decayed,
    effective_weight_decay,
    resolve,
)


def steps(optimizer, gradients, rate, w=1.0):
    """The parameter after each of some gradients, from zero state."""
    state, path = [0.0] * optimizer.n_state, []
    for t, g in enumerate(gradients, 1):
        w, state = optimizer.reference_update(w, g, state, rate, t)
        path.append(w)
    return path


def test_codes_and_state_are_those_the_kernels_know():
    assert [(name, cls.code, cls.n_state) for name, cls in OPTIMIZERS.items()] == [
        ("sgd", 0, 0),
        ("momentum", 1, 1),
        ("nesterov", 2, 1),
        ("rmsprop", 3, 1),
        ("adam", 4, 2),
        ("adamw", 5, 2),
        ("rprop", 6, 2),
    ]


def test_sgd():
    assert steps(SGD(), [2.0, -1.0], 0.1) == pytest.approx([0.8, 0.9])


def test_momentum_is_l3s():
    """V = -0.2, then 0.5·(-0.2) + 0.1 = 0."""
    assert steps(Momentum(0.5), [2.0, -1.0], 0.1) == pytest.approx([0.8, 0.8])


def test_nesterov():
    """V = -0.2: w += 0.5·(-0.2) - 0.2; then v = 0: w += 0 + 0.1."""
    assert steps(Nesterov(0.5), [2.0, -1.0], 0.1) == pytest.approx([0.7, 0.8])


def test_rmsprop():
    s1 = 0.1 * 4.0
    s2 = 0.9 * s1 + 0.1 * 1.0
    first = 1.0 - 0.1 * 2.0 / (math.sqrt(s1) + 1e-8)
    assert steps(RMSprop(alpha=0.9), [2.0, -1.0], 0.1) == pytest.approx(
        [first, first + 0.1 / (math.sqrt(s2) + 1e-8)], rel=1e-15
    )


def test_adam():
    """The first step is of size rate · sign(g); the second has m̂ = 0.08/0.19, ŝ = 0.004996/0.001999."""
    first, second = steps(Adam(), [2.0, -1.0], 0.1)
    assert first == pytest.approx(1.0 - 0.1 * 2.0 / (2.0 + 1e-8), abs=1e-15)
    second_step = 0.1 * (0.08 / 0.19) / (math.sqrt(0.004996 / 0.001999) + 1e-8)
    assert second == pytest.approx(first - second_step, abs=1e-14)


def test_adamw_shrinks_weights_first():
    assert decayed(AdamW(), 2.0, 5.0, 0.1, 0.01) == (2.0 * 0.999, 5.0)
    assert decayed(Adam(), 2.0, 5.0, 0.1, 0.01) == (2.0, 5.02)
    assert steps(AdamW(), [2.0, -1.0], 0.1) == steps(Adam(), [2.0, -1.0], 0.1)
    assert AdamW().settings() == Adam().settings()


def test_rprop():
    """Step sizes 0.1, 0.12, then a change of sign: 0.06 and no move, then 0.06 again."""
    path = steps(Rprop(), [1.0, 3.0, -0.5, -0.5, -0.1], 0.1)
    assert path == pytest.approx([0.9, 0.78, 0.78, 0.84, 0.912])


def test_rprop_keeps_its_step_within_bounds():
    assert steps(Rprop(step_max=0.11), [1.0, 1.0], 0.1) == pytest.approx([0.9, 0.79])
    assert steps(Rprop(step_min=0.09), [1.0, -1.0, -1.0], 0.1) == pytest.approx([0.9, 0.9, 0.99])


@pytest.mark.parametrize("cls", OPTIMIZERS.values())
def test_a_rate_of_0_changes_nothing(cls):
    assert steps(cls(), [2.0, -1.0, 0.5], 0.0) == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("cls", OPTIMIZERS.values())
def test_nan_in_nan_out(cls):
    assert all(map(math.isnan, steps(cls(), [math.nan, 1.0], 0.1)))


@pytest.mark.parametrize("cls", OPTIMIZERS.values())
def test_a_gradient_of_0_from_the_start_moves_nothing(cls):
    assert steps(cls(), [0.0, 0.0], 0.1) == [1.0, 1.0]


class TestResolve:
    def test_names(self):
        assert resolve("momentum") == Momentum(0.9)
        assert resolve("momentum", momentum=0.5) == Momentum(0.5)
        assert resolve("nesterov", momentum=0.0) == Nesterov(0.0)
        assert {name: resolve(name).name for name in OPTIMIZERS} == {name: name for name in OPTIMIZERS}

    def test_objects(self):
        assert resolve(Adam(beta1=0.8)) == Adam(beta1=0.8)
        assert resolve(Momentum(0.8), momentum=0.8) == Momentum(0.8)

    def test_momentum_for_one_that_takes_none(self):
        with pytest.raises(SettingError, match="'sgd' takes no momentum; those that do: 'momentum', 'nesterov'"):
            resolve("sgd", momentum=0.9)

    def test_momentum_given_twice(self):
        with pytest.raises(SettingError, match="given twice"):
            resolve(Momentum(0.8), momentum=0.9)

    @pytest.mark.parametrize("name", ["adm", "SGD", 3, None, SGD])
    def test_unknown(self, name):
        with pytest.raises(SettingError, match="unknown optimizer"):
            resolve(name)


@pytest.mark.parametrize(
    ("cls", "setting"),
    [
        (Momentum, {"momentum": 1.0}),
        (Momentum, {"momentum": -0.1}),
        (Momentum, {"momentum": math.nan}),
        (Momentum, {"momentum": "0.9"}),
        (Nesterov, {"momentum": True}),
        (RMSprop, {"alpha": 1.5}),
        (Adam, {"eps": -1e-8}),
        (Adam, {"beta2": 1.0}),
        (AdamW, {"weight_decay": math.inf}),
        (Rprop, {"eta_minus": 1.0}),
        (Rprop, {"step_min": 0.0}),
        (Rprop, {"step_min": 2.0, "step_max": 1.0}),
    ],
)
def test_settings_out_of_range(cls, setting):
    with pytest.raises(SettingError, match=next(iter(setting))):
        cls(**setting)


def test_settings_for_the_kernels():
    assert Adam(0.8, 0.9, 1e-6).settings() == (0.8, 0.9, 1e-6)
    assert SGD().settings() == ()
    assert Rprop().settings() == (0.5, 1.2, 1e-6, 50.0)


def test_weight_decay():
    assert effective_weight_decay(SGD(), 0.1) == 0.1
    assert effective_weight_decay(AdamW(), 0.0) == 0.01
    assert effective_weight_decay(AdamW(), 0.2) == 0.2
    assert effective_weight_decay(AdamW(weight_decay=0.0), 0.0) == 0.0
    with pytest.raises(SettingError, match="'rprop' takes no weight_decay"):
        effective_weight_decay(Rprop(), 0.1)
    for bad in (-0.1, math.nan, math.inf, True):
        with pytest.raises(SettingError, match="weight_decay is"):
            effective_weight_decay(SGD(), bad)
