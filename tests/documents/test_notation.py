"""Cells as mathematics, whatever the names in them."""

import math
import re

import numpy as np
import pytest
from explained import everything
from hypothesis import given
from hypothesis import strategies as st

from neuronsim.documents import notation


def test_cells_are_mathematics():
    """Every cell is parsed by matplotlib, whose mathematics is a part of LaTeX's."""
    from matplotlib import mathtext

    parser = mathtext.MathTextParser("path")
    seen = set()
    for explanation in everything():
        for section in explanation.sections:
            for cell in (c for row in section.rows for c in row if c):
                formula = notation.latex(cell)
                if re.sub(r"[\d.]+", "1", formula) not in seen:
                    seen.add(re.sub(r"[\d.]+", "1", formula))
                    parser.parse(f"${formula}$")
    assert len(seen) > 60


@given(st.text(min_size=1, max_size=12))
def test_any_name_is_escaped(text):
    source = notation.latex(f"y[{notation.name(text)}]")
    inner = re.fullmatch(r"y_\{\\text\{(.*)\}\}", source, re.DOTALL)[1]
    inner = re.sub(r"\\ensuremath\{\\[A-Za-z]+\}|\\text[a-z]+\{\}|\\[{}#$%&_]|\{[\[\]]\}", "", inner)
    assert not re.search(r"[\\{}#$%&_^~<>|\"]", inner)


@pytest.mark.parametrize(
    ("value", "digits", "printed"),
    [
        (-0.0380982365, 4, "−0.03810"),  # rounded: its zeros are kept
        (0.35, 4, "0.35"),  # as it is
        (0.1 * 0.2, 9, "0.02"),  # 0.020000000000000004: noise of float64
        (0.30000000001, 9, "0.300000000"),
        (float(np.float32(0.15)), 9, "0.150000006"),
        (12345.6, 5, "12346"),
        (10004.0, 3, "1.00e+04"),
        (-1.5e-7, 9, "−1.5e−07"),
        (6.04e-9, 1, "6e−09"),
        (-0.0, 9, "0"),
        (-0.0, 17, "0"),
        (0.1 * 0.2, 17, "0.020000000000000004"),
        (-math.inf, 4, "−inf"),
        (math.nan, 4, "nan"),
    ],
)
def test_how_a_number_is_printed(value, digits, printed):
    assert notation.number(value, digits) == printed


@pytest.mark.parametrize("operator", ["·", "×", "÷", "/", "+", "−"])
def test_a_negative_number_behind_an_operator_stands_in_brackets(operator):
    cell = f"{notation.given(-0.5)} {operator} {notation.known(-0.25)} = {notation.answer(-1.0)}"
    assert notation.text(cell) == notation.html(cell) == f"−0.5 {operator} (−0.25) = −1"
    assert notation.latex(cell).startswith("-0.5 ")
    assert notation.latex(cell).endswith("(-0.25) = -1")


def test_brackets_where_the_square_would_bind_to_a_part():
    assert [notation.text(f"{notation.known(v)}²") for v in (0.5, -0.5, 1e-7)] == ["0.5²", "(−0.5)²", "(1e−07)²"]
    assert notation.latex(f"{notation.known(1e-7)}²") == r"(1 \times 10^{-7})^{2}"


def test_brackets_are_not_doubled():
    """A blank that is referred to in brackets can't be mistaken for a number there: f'(3) would be the slope at 3."""
    reference = notation.blank(3, to_fill=False)
    assert notation.text(f"0.4 · {reference}") == "0.4 · (3)"
    assert (
        notation.text(f"f'({reference})") == notation.html(f"f'({reference})").replace("&#x27;", "'") == "f'(blank 3)"
    )
    assert notation.latex(f"f'({reference})") == r"f'(\text{blank 3})"
    for explanation in everything():
        sheet = explanation.worksheet()
        assert "((" not in sheet.text() + sheet.html()


def test_a_bracket_of_the_text_stays_in_the_text():
    assert notation.latex_text("step 0 (epoch 0, row 3 of X)") == "step 0 (epoch 0, row 3 of $X$)"
    assert notation.latex_text("the slope f'(z)") == "the slope $f'(z)$"


def test_no_hyphen_stands_for_a_minus():
    for explanation in everything():
        for form in (explanation.text(), explanation.html(), explanation.worksheet().text()):
            assert re.findall(r"(?<![a-z])-|- ", form) == []


def test_old_and_new_never_look_alike_when_they_differ():
    assert notation.pair(0.15, 0.15) == ("0.15", "0.15")
    assert notation.pair(0.15, 0.1500001) == ("0.15", "0.1500001")
    assert notation.pair(0.15, 0.15000000000000002) == ("0.15", "0.15000000000000002")
