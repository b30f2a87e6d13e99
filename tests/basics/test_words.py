"""Numbers put into words."""

import pytest

from neuronsim.basics.words import counted, ordinal


@pytest.mark.parametrize(
    ("n", "text"), [(0, "0 edges"), (1, "1 edge"), (2, "2 edges"), (999, "999 edges"), (1_234_567, "1,234,567 edges")]
)
def test_counted(n, text):
    assert counted(n, "edge") == text


def test_without_a_separator():
    assert counted(1234, "row", "") == "1234 rows"
    assert counted(1, "row", "") == "1 row"


def test_ordinal():
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 111, 1002)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "111th", "1,002nd",
    ]  # fmt: skip
