"""No correct step is accused of a mistake: some of the 10,000 of ``correct_steps.py``, and those that were once."""

import pytest
from correct_steps import case, judge


def test_random_correct_steps_are_not_accused():
    counts, accused = judge(range(20_000, 20_080))
    assert not accused
    assert counts["right"] > 20
    assert counts["unknown"] < 8


@pytest.mark.parametrize("seed", [679, 1055, 2169, 4822, 5343, 5862, 5994, 6462, 7063, 7585, 7802, 8332])
def test_steps_that_were_accused_once(seed):
    one = case(seed)
    assert not one.is_accused(one.verdict())
