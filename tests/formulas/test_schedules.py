"""Learning-rate schedules: their rates, that bits do not depend on the C library, and how they refuse."""

import math

import numpy as np
import pytest

from neuronsim.errors import SettingError
from neuronsim.formulas.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    Exponential,
    InverseTime,
    Step,
    WarmUp,
    cosine_of_half_turns,
    from_settings,
    powers,
    resolve,
    to_settings,
)


def per_epoch(schedule, n):
    return [float(schedule.rates(10 * e, 3, e)[0]) for e in range(n)]


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (Constant(0.1), [0.1] * 5),
        (Step(0.1, every=2), [0.1, 0.1, 0.01, 0.01, 0.001]),
        (Exponential(0.1, gamma=0.5), [0.1, 0.05, 0.025, 0.0125, 0.00625]),
        (InverseTime(0.1, decay=1.0), [0.1, 0.05, 0.1 / 3, 0.025, 0.02]),
        (Cosine(0.1, total=4), [0.1, 0.05 * (1 + math.sqrt(0.5)), 0.05, 0.05 * (1 - math.sqrt(0.5)), 0.0]),
        (Cosine(0.1, total=2, final=0.02), [0.1, 0.06, 0.02, 0.02, 0.02]),
        (WarmUp(3, Constant(0.3), per="epoch"), [0.1, 0.2, 0.3, 0.3, 0.3]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_rates(schedule, rates):
    assert per_epoch(schedule, 5) == pytest.approx(rates, abs=1e-16)


def test_per_epoch_the_rate_is_the_same_in_all_steps():
    rates = Exponential(0.1, 0.5).rates(first_step=30, n_steps=4, epoch=2)
    assert rates.tolist() == [0.025] * 4
    assert rates.dtype == np.float64


def test_per_step_the_epoch_does_not_matter():
    schedule = InverseTime(1.0, 1.0, per="step")
    assert schedule.rates(2, 3, epoch=7).tolist() == [1 / 3, 1 / 4, 1 / 5]


@pytest.mark.parametrize("cls", SCHEDULES.values())
def test_rates_do_not_depend_on_how_steps_are_cut_into_chunks(cls):
    schedule = {
        "constant": Constant(0.1),
        "step": Step(0.1, 7, per="step"),
        "exponential": Exponential(0.1, 0.97, per="step"),
        "inverse_time": InverseTime(0.1, 0.3, per="step"),
        "cosine": Cosine(0.1, 50, per="step"),
        "warm_up": WarmUp(10, Cosine(0.1, 50, per="step")),
    }[cls.name]
    whole = schedule.rates(0, 100, 0)
    parts = [schedule.rates(first, 20, 0) for first in range(0, 100, 20)]
    assert np.array_equal(whole, np.concatenate(parts))


def test_warm_up_per_step_over_a_schedule_per_epoch():
    schedule = WarmUp(4, Exponential(0.1, 0.5))
    assert schedule.rates(0, 3, 0).tolist() == pytest.approx([0.025, 0.05, 0.075])
    assert schedule.rates(3, 2, 1).tolist() == pytest.approx([0.05, 0.05])


def test_powers_are_products():
    exponents = np.array([0, 1, 2, 3, 10, 1000])
    assert powers(0.97, exponents) == pytest.approx(0.97**exponents, rel=1e-13)
    assert powers(2.0, exponents[:5]).tolist() == [1.0, 2.0, 4.0, 8.0, 1024.0]
    assert powers(0.0, exponents[:3]).tolist() == [1.0, 0.0, 0.0]


def test_cosine_is_within_4e_16():
    mpmath = pytest.importorskip("mpmath")
    x = np.linspace(0.0, 1.0, 2001)
    true = [mpmath.cos(mpmath.pi * mpmath.mpf(float(v))) for v in x]
    worst = max(abs(float(value) - t) for value, t in zip(cosine_of_half_turns(x), true, strict=True))
    assert worst < 4e-16
    assert cosine_of_half_turns(np.array([0.0, 0.5, 1.0])).tolist() == [1.0, 0.0, -1.0]


def test_these_bits_are_fixed():
    """A change of these digits is a change of what every old run computed."""
    assert Cosine(0.1, 7).rates(0, 1, 3)[0].hex() == "0x1.f4be9c700744fp-5"
    assert Exponential(0.1, 0.97).rates(0, 1, 11)[0].hex() == "0x1.24fcc9d4dfbb3p-4"


class TestResolve:
    def test_a_number_stays_constant(self):
        assert resolve(0.3) == Constant(0.3)
        assert resolve(1) == Constant(1.0)
        assert resolve(np.float32(0.5)) == Constant(0.5)
        assert resolve(0.0) == Constant(0.0)

    def test_a_schedule_is_itself(self):
        schedule = Cosine(0.1, 5)
        assert resolve(schedule) is schedule

    @pytest.mark.parametrize("bad", [-0.1, math.nan, math.inf, True, "0.1", None, [0.1]])
    def test_refused(self, bad):
        with pytest.raises(SettingError, match=r"the learning rate is .*; it must be a finite number"):
            resolve(bad)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Step(0.1, 0), "every is 0"),
        (lambda: Step(0.1, 1.5), "every is 1.5"),
        (lambda: Step(-0.1, 1), "learning rate is -0.1"),
        (lambda: Exponential(0.1, -1.0), "gamma is -1.0"),
        (lambda: InverseTime(0.1, math.nan), "decay is nan"),
        (lambda: Cosine(0.1, 10, final=-1.0), "final is -1.0"),
        (lambda: Cosine(0.1, 10, per="epochs"), "did you mean 'epoch'"),
        (lambda: WarmUp(0, Constant(0.1)), "steps is 0"),
        (lambda: WarmUp(3, "fast"), "learning rate is 'fast'"),
    ],
)
def test_settings_out_of_range(make, words):
    with pytest.raises(SettingError, match=words):
        make()


class TestExperimentFiles:
    @pytest.mark.parametrize(
        "schedule",
        [
            Constant(0.1),
            Step(0.1, 3, 0.5),
            Exponential(0.1, 0.9, per="step"),
            InverseTime(0.1, 0.5),
            Cosine(0.1, 20, 0.01),
            WarmUp(100, Cosine(0.1, 20)),
        ],
    )
    def test_there_and_back(self, schedule):
        assert from_settings(to_settings(schedule)) == schedule
        assert resolve(to_settings(schedule)) == schedule

    def test_a_table_of_an_experiment_file(self):
        assert resolve({"schedule": "cosine", "rate": 0.1, "total": 20}) == Cosine(0.1, 20)
        assert resolve({"schedule": "warm_up", "steps": 5, "then": 0.1}) == WarmUp(5, Constant(0.1))

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"schedule": "cosin", "rate": 0.1}, "did you mean 'cosine'"),
            ({"rate": 0.1}, "unknown schedule None"),
            ({"schedule": "cosine", "rate": 0.1, "totl": 3}, "takes no 'totl'; did you mean 'total'"),
            ({"schedule": "cosine", "rate": 0.1}, "'cosine' needs total"),
        ],
    )
    def test_mistakes(self, settings, words):
        with pytest.raises(SettingError, match=words):
            from_settings(settings)
