"""Numbers as people write them."""

import pytest

from neuronsim.documents.written import written

NUMBERS = {
    "0.5933": (0.5933, 4),
    "0,5933": (0.5933, 4),
    " .59 ": (0.59, 2),
    "-,5": (-0.5, 1),
    "−0,0590": (-0.059, 3),
    "+12.50": (12.5, 4),
    "1/4": (0.25, 0),
    "-1,5/3": (-0.5, 0),
    "4.4e-4": (4.4e-4, 2),
    "4,4E-4": (4.4e-4, 2),
    "4.4·10^-4": (4.4e-4, 2),
    "4.4 * 10**(-4)": (4.4e-4, 2),
    "4.4 × 10⁻⁴": (4.4e-4, 2),
    "0": (0.0, 1),
}


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers(text):
    found = written(text)
    assert found.value == pytest.approx(NUMBERS[text][0], rel=1e-15)
    assert found.digits == NUMBERS[text][1]


@pytest.mark.parametrize("text", ["", "abc", "1,234.5", "1/0", "--1", "1e999", "nan", "inf", "1.2.3", "1/2/3", "(3)"])
def test_what_is_none(text):
    assert written(text) is None


def test_floats_are_exact():
    assert written(0.1 + 0.2) == (0.1 + 0.2, 0)
    assert written(float("nan")) is None
