"""Conditions: read, refused, and evaluated as Python would."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuronsim.errors import SettingError
from neuronsim.kernels.watch import conditions as kernels
from neuronsim.tracing.conditions import FIELDS, parse

VALUES = {
    "z": np.array([-np.inf, -2.0, -0.0, 0.5, 11.0, np.nan]),
    "delta": np.array([np.nan, -20.0, 0.1, 0.0, 3.0, 1.0]),
    "y": np.float32([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("isnan(z)", [0, 0, 0, 0, 0, 1]),
        ("isnan(z) | (abs(delta) > 10)", [0, 1, 0, 0, 0, 1]),
        ("isnan(z) | abs(delta) > 10", [0, 1, 0, 0, 0, 1]),
        ("isnan(z) or not isfinite(delta)", [1, 0, 0, 0, 0, 1]),
        ("~isnan(z) & z >= 0", [0, 0, 1, 1, 1, 0]),
        ("z > 0 | z < -1 & delta < 0", [0, 1, 0, 1, 1, 0]),
        ("-z * 2 - 1 <= -2.", [0, 0, 0, 1, 1, 0]),
        ("z - 1 - 1 == 9", [0, 0, 0, 0, 1, 0]),
        ("8 / z / 2 == 8", [0, 0, 0, 1, 0, 0]),
        ("z == -inf", [1, 0, 0, 0, 0, 0]),
        ("sqrt(abs(z)) != sqrt(2)", [1, 0, 1, 1, 1, 1]),
        ("y > 0.1", [1, 1, 1, 1, 1, 1]),  # float32's 0.1 is larger than float64's
    ],
)
def test_holds_where_it_should(text, expected):
    assert parse(text).evaluate(VALUES).tolist() == [bool(v) for v in expected]


def test_many_values_and_shapes_that_broadcast():
    rng = np.random.default_rng(0)
    z, b = rng.normal(size=(300, 101)).astype(np.float32), rng.normal(size=101)
    assert z.size > 2**14  # several blocks
    assert np.array_equal(parse("z > b").evaluate({"z": z, "b": b}), z > b)
    assert parse("z > 0").evaluate({"z": 1.0}).shape == ()
    assert parse("z > 0").evaluate({"z": np.empty((0, 4))}).shape == (0, 4)


def test_fields_and_program():
    condition = parse("(delta > 1e1) & isnan(z)")
    assert condition.fields == ("z", "delta")
    assert not condition.on_edges
    assert condition.postfix == ("delta", 10.0, ">", "z", "isnan", "&")
    # rows: z, delta, 10.0, and two for what is computed; the truth goes to row 0
    expected = [(kernels.GREATER, 1, 2, 3), (kernels.IS_NAN, 0, 0, 4), (kernels.AND, 3, 4, 0)]
    assert condition.program.instructions.tolist() == expected
    assert condition.program.rows(7)[2].tolist() == [10.0] * 7
    assert len(condition.program.rows(7)) == 5
    assert parse("abs(dw) > 1").on_edges
    assert str(condition) == "(delta > 1e1) & isnan(z)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("isnan(dlta)", "no field 'dlta'; did you mean 'delta'?"),
        ("isnann(z)", "no function 'isnann'; did you mean 'isnan'?"),
        ("__import__('os')", '"\'" at character 12'),
        ("z.real > 0", "'.' at character 2"),
        ("z = 3", "'=' at character 3 is not understood; equality is =="),
        ("1e > z", "'1' at character 1"),
        ("z", "a number, not a condition"),
        ("1 < 2", "reads no field"),
        ("", "ends too early"),
        ("z >", "ends too early"),
        ("0 < z < 1", "compare two values at a time"),
        ("(0 < z < 1)", "compare two values at a time"),
        ("isnan(z) + 1 > 0", "'+' stands between two numbers"),
        ("isnan(z) | delta", "'|' joins two conditions"),
        ("~z", "'~' turns a condition round"),
        ("-isnan(z) > 0", "'-' takes a number"),
        ("isnan(z > 0)", "'isnan' takes a number"),
        ("isnan z", "'isnan' is a function"),
        ("(z > 0", "')' is missing before the end"),
        ("z > 0)", "')' is not expected there"),
        ("z z", "'z' is not expected there"),
        ("z > * 2", "'*' is not expected there"),
        ("(z > 0) & (w > 0)", "'z' belongs to neurons and 'w' to edges"),
        ("(" * 60 + "z > 0" + ")" * 60, "nested more than 50 deep"),
        ("~" * 60 + "(z > 0)", "nested more than 50 deep"),
        ("z > 0 | " * 200 + "z > 0", "1,605 characters"),
        (3, "a condition is a str"),
    ],
)
def test_says_what_is_wrong(text, message):
    with pytest.raises(SettingError, match=re.escape(message)):
        parse(text)


@given(st.text("zy0.1<=>&|~()+-*/ isnadelt", max_size=30))
def test_any_text_is_read_or_refused(text):
    try:
        condition = parse(text)
    except SettingError:
        return
    assert condition.evaluate(dict.fromkeys(FIELDS, np.ones(3))).dtype == bool
