"""Cells as mathematics, whatever the names in them."""

import re

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


def test_old_and_new_never_look_alike_when_they_differ():
    assert notation.pair(0.15, 0.15) == ("0.15", "0.15")
    assert notation.pair(0.15, 0.1500001) == ("0.15", "0.1500001")
    assert notation.pair(0.15, 0.15000000000000002) == ("0.15", "0.15000000000000002")
