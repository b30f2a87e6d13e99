"""Numbers as JSON come back bit for bit, and end no script."""

import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from neuronsim.page import numbers


class TestNumbers:
    @given(st.floats(width=32), st.floats())
    @settings(max_examples=200, deadline=None)
    def test_a_number_comes_back(self, single: float, double: float) -> None:
        for dtype, value in ((np.float32, single), (np.float64, double)):
            array = np.array([value], dtype)
            text = numbers.as_json(numbers.plain(array))
            back = np.array([float(v) for v in json.loads(text)]).astype(dtype)
            assert np.isnan(value) if np.isnan(back[0]) else back.tobytes() == array.tobytes()


class TestText:
    def test_a_name_cannot_break_out(self) -> None:
        assert "<" not in numbers.as_json(["</script>"])
