"""TOML text reads back."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuronsim.experiment.tomltext import toml_text

scalars = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)


rows = st.lists(scalars, max_size=3)


values = scalars | rows | st.dictionaries(st.text('ab .-é"', max_size=3), scalars | rows, max_size=3)


@given(st.dictionaries(st.text('abc_-. "é', max_size=4), values, max_size=5))
def test_toml_comes_back(table: dict[str, Any]) -> None:
    assert tomllib.loads(toml_text(table)) == table


def test_toml_reads_well() -> None:
    text = toml_text({"seed": 1, "a": {"x": [1, 2.5, "y"], "none": None, "deep": {"z": True}}})
    assert text == 'seed = 1\n\n[a]\nx = [1, 2.5, "y"]\n\n[a.deep]\nz = true\n'
    with pytest.raises(TypeError, match="TOML has no complex"):
        toml_text({"x": 1j})
