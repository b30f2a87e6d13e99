"""Names in a file: runs of numbered ones stay short."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuronsim.errors import FileError
from neuronsim.storage.namelist import named, short_names


class TestNames:
    @given(
        st.lists(
            st.builds("{}{}".format, st.sampled_from(["h", "h1.", "n0", ""]), st.integers(0, 400))
            | st.sampled_from(["h", "h007", "x-1"]),
            unique=True,
            max_size=40,
        ),
        st.integers(0, 40),
        st.integers(0, 30),
    )
    def test_come_back_by_name_and_by_row(self, single: list[str], at: int, first: int) -> None:
        run = [f"h{k}" for k in range(first, first + 30)]
        kept = [name for name in single if name not in run]
        names = [*kept[:at], *run, *kept[at:]]
        entries = list(short_names(names))
        back = named(entries, len(names))
        assert list(back) == names
        assert [back.row(name) for name in names] == list(range(len(names)))
        assert back.row("h4000") is None
        assert back.row("h" + str(first + 30)) == (names.index(f"h{first + 30}") if f"h{first + 30}" in names else None)

    def test_numbered_names_stay_short(self) -> None:
        names = [f"x{k}" for k in range(784)] + [f"h1.{k}" for k in range(256)] + ["out"]
        assert list(short_names(names)) == [("x", 0, 784), ("h1.", 0, 256), "out"]

    @pytest.mark.parametrize(
        ("entries", "n", "message"),
        [
            (["a", "a"], 2, "'a' is there twice"),
            ([("h", 0, 10), "h9"], 11, "'h9' is there twice"),
            ([("h", 0, 10), ("h", 9, 10)], 20, "'h9' is there twice"),
            ([""], 1, "empty"),
            ([("h*", 0, 10)], 10, "patterns"),
            ([("h", -1, 10)], 10, "negative"),
            ([("h", 0, 10)], 11, "10 names for 11 neurons"),
            ([("h", 0, 10**15)], 1, "names for 1 neurons"),
        ],
    )
    def test_impossible_lists(self, entries: list[Any], n: int, message: str) -> None:
        with pytest.raises(FileError, match=message):
            named(entries, n)

    def test_a_run_that_starts_high(self) -> None:
        assert list(named([("n", 10**12, 10)], 10))[:2] == [f"n{10**12}", f"n{10**12 + 1}"]
