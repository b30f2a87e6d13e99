"""Numbers checked: what is one, which bounds hold, what the errors say."""

import math
from fractions import Fraction

import numpy as np
import pytest

from neuronsim.basics.checked import is_real, is_whole, real, whole
from neuronsim.errors import SettingError

HUGE = 10**400  # a whole number that no float can hold
NO_NUMBERS = [True, False, np.True_, "1", None, 1j, [1], np.ones(1)]


@pytest.mark.parametrize("value", [0, -3, HUGE, np.int8(4), np.uint64(2**64 - 1)])
def test_what_is_whole(value):
    assert is_whole(value)
    assert is_real(value)


@pytest.mark.parametrize("value", [0.5, math.nan, -math.inf, np.float32(2), np.float64(0), Fraction(1, 2)])
def test_what_is_real_and_not_whole(value):
    assert is_real(value)
    assert not is_whole(value)


@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_what_is_no_number(value):
    assert not is_whole(value)
    assert not is_real(value)
    for check in (whole, real):
        with pytest.raises(SettingError, match="n="):
            check("n", value)


class TestWhole:
    def test_bounds_are_allowed(self):
        assert whole("n", 1) == 1
        assert whole("n", 0, 0) == 0
        assert whole("n", 17, 1, 17) == 17

    def test_becomes_an_int(self):
        assert type(whole("n", np.int32(5))) is int

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("n", 0), "n=0: a whole number of at least 1 is needed"),
            (("n", 2.0), "n=2.0: a whole number of at least 1 is needed"),
            (("n", -1, 0), "n=-1: a whole number of at least 0 is needed"),
            (("n", 18, 1, 17), "n=18: a whole number from 1 to 17 is needed"),
            (("n", "{}", 2, None, "{name} is {value!r}, not {least}"), "n is '{}', not 2"),
        ],
    )
    def test_messages(self, arguments, message):
        with pytest.raises(SettingError) as caught:
            whole(*arguments)
        assert str(caught.value) == message


class TestReal:
    @pytest.mark.parametrize(
        ("interval", "inside", "outside"),
        [
            ("[0, inf)", [0, 0.0, 1e300, np.float32(3)], [-1e-300, math.inf, math.nan, HUGE]),
            ("(0, inf)", [5e-324, 7], [0, -0.0, math.inf]),
            ("(0, inf]", [math.inf, HUGE, np.inf], [0.0, -HUGE, math.nan]),
            ("[0, 1)", [0, math.nextafter(1, 0)], [1, 1.0, -0.5]),
            ("(0, 1]", [1, 0.5], [0, math.nextafter(1, 2)]),
            ("(-inf, inf)", [-1e308, 0], [-math.inf, math.inf]),
        ],
    )
    def test_intervals(self, interval, inside, outside):
        for value in inside:
            found = real("x", value, interval)
            assert type(found) is float
            assert found == value or (found == math.inf and value is HUGE)
        for value in outside:
            with pytest.raises(SettingError, match="x="):
                real("x", value, interval)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("x", -1), "x=-1: a finite number of at least 0 is needed"),
            (("x", "a", "(0, inf)"), "x='a': a positive number is needed"),
            (("x", 0, "(0, inf]"), "x=0: a positive number is needed"),
            (("x", 2, "[0, 1]"), "x=2: a number in [0, 1] is needed"),
            (("x", 1, "[0, 1)", "{name} is {value!r}; it must be in {interval}"), "x is 1; it must be in [0, 1)"),
        ],
    )
    def test_messages(self, arguments, message):
        with pytest.raises(SettingError) as caught:
            real(*arguments)
        assert str(caught.value) == message
