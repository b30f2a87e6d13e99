"""When training stops."""

import math
from dataclasses import dataclass, field

import pytest

from neuronsim.errors import SettingError
from neuronsim.training.stop import (
    STOPS,
    GradientNorm,
    Plateau,
    Seconds,
    StepSize,
    TargetLoss,
    check_monitors,
    first_reason,
    resolve,
)


@dataclass
class Report:
    history: dict = field(default_factory=dict)
    seconds: float = 0.0
    norm: float = 1.0
    step_size: float | None = None

    def gradient_norm(self):
        return self.norm


def loss_report(*losses, name="loss"):
    return Report(history={name: list(losses)})


def test_gradient_norm():
    assert GradientNorm(0.5).reason(Report(norm=0.6)) is None
    assert GradientNorm(0.5).reason(Report(norm=0.5)) == "the gradient's norm 0.5 is at most 0.5"
    assert GradientNorm(0.5).reason(Report(norm=math.nan)) is None


def test_step_size():
    assert StepSize(0.5).reason(Report(step_size=0.5)) is None
    assert "moved the parameters by 0.4" in StepSize(0.5).reason(Report(step_size=0.4))
    assert StepSize(0.5).reason(Report()) is None


def test_plateau_waits_for_patience():
    rule = Plateau(patience=2)
    assert rule.reason(loss_report(3.0)) is None
    assert rule.reason(loss_report(3.0, 3.0)) is None
    assert rule.reason(loss_report(3.0, 3.0, 3.5)) == "loss has not got better than 3 for 2 epochs"
    assert rule.reason(loss_report(3.0, 3.0, 2.5, 2.6)) is None


def test_plateau_counts_only_progress_above_min_delta():
    assert Plateau(2, min_delta=0.5).reason(loss_report(3.0, 2.8, 2.6)) is not None
    assert Plateau(2, min_delta=0.1).reason(loss_report(3.0, 2.8, 2.6)) is None


def test_plateau_of_an_accuracy_waits_for_a_rise():
    rule = Plateau(2, monitor="val_accuracy")
    assert rule.reason(loss_report(0.5, 0.6, 0.7, name="val_accuracy")) is None
    assert "better than 0.7" in rule.reason(loss_report(0.7, 0.6, 0.5, name="val_accuracy"))


def test_nan_is_no_progress():
    assert Plateau(2).reason(loss_report(math.nan, math.nan)) is not None


def test_target_loss():
    assert TargetLoss(0.1).reason(loss_report(0.05, 0.2)) is None
    assert TargetLoss(0.1).reason(loss_report(0.2, 0.1)) == "loss 0.1 is at most 0.1"
    assert TargetLoss(0.9, "val_accuracy").reason(loss_report(0.8, name="val_accuracy")) is None
    assert "at least" in TargetLoss(0.9, "val_accuracy").reason(loss_report(0.95, name="val_accuracy"))


def test_seconds():
    assert Seconds(10).reason(Report(seconds=9.9)) is None
    assert Seconds(10).reason(Report(seconds=10.1)) == "10.1 seconds have passed, the limit is 10"


@pytest.mark.parametrize(
    ("monitor", "hint"),
    [
        ("val_loss", r"give validation=\(X, T\);"),
        ("data_loss", "give evaluate=True;"),
        ("los", r"did you mean 'loss'\?"),
    ],
)
def test_a_monitored_value_that_is_not_there(monitor, hint):
    for rule in (Plateau(1, monitor=monitor), TargetLoss(0.1, monitor=monitor)):
        with pytest.raises(SettingError, match=f"no '{monitor}' to monitor; {hint} it has: loss"):
            check_monitors([rule], ["loss"])
    check_monitors([Plateau(1), TargetLoss(0.1), Seconds(3)], ["loss"])


def test_resolve():
    rules = (Plateau(3), Seconds(5))
    assert resolve(()) == ()
    assert resolve(rules[0]) == rules[:1]
    assert resolve(list(rules)) == rules
    for bad in ("plateau", 3, [Plateau]):
        with pytest.raises(SettingError, match="GradientNorm, StepSize, Plateau, TargetLoss, Seconds"):
            resolve(bad)


def test_the_first_rule_with_a_reason_speaks():
    report = Report(history={"loss": [1.0]}, seconds=20.0)
    assert first_reason([TargetLoss(0.5), Seconds(10.0)], report).startswith("20 seconds")
    assert first_reason([TargetLoss(0.5)], report) is None


@pytest.mark.parametrize(
    ("cls", "settings"),
    [
        (GradientNorm, {"tolerance": -1.0}),
        (StepSize, {"tolerance": math.nan}),
        (Plateau, {"patience": 0}),
        (Plateau, {"patience": 1.5}),
        (TargetLoss, {"value": "low"}),
        (Seconds, {"limit": True}),
    ],
)
def test_settings_out_of_range(cls, settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        cls(**settings)


def test_the_table_names_every_rule():
    assert list(STOPS) == ["gradient_norm", "step_size", "plateau", "target_loss", "seconds"]
