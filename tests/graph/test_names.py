import numpy as np
import pytest

from neuronsim.errors import WiringError
from neuronsim.graph.names import NameList, Names, valid_name


@pytest.fixture
def names():
    names = Names()
    names.append_series("x", 3)
    names.append_series("h1.", 12)
    names.append("out")
    return names


def test_both_directions(names):
    assert list(names) == ["x0", "x1", "x2", *(f"h1.{i}" for i in range(12)), "out"]
    assert [names.row(name) for name in names] == list(range(16))


@pytest.mark.parametrize("unknown", ["x3", "x", "x01", "h1.12", "h1.", "", "y0", "x-1", "x0 "])
def test_unknown(names, unknown):
    assert names.row(unknown) is None


@pytest.mark.parametrize(
    ("pattern", "rows"),
    [("x*", [0, 1, 2]), ("h1.1?", [13, 14]), ("*", range(16)), ("[xo]*", [0, 1, 2, 15]), ("q*", []), ("h*.3", [6])],
)
def test_globs(names, pattern, rows):
    assert names.match(pattern).tolist() == list(rows)


def test_names_stay_when_rows_move(names):
    kept = np.ones(16, bool)
    kept[[1, 5, 15]] = False
    names.keep(kept)
    assert list(names) == ["x0", "x2", "h1.0", "h1.1", *(f"h1.{i}" for i in range(3, 12))]
    assert names.row("h1.2") is None
    assert names.row("out") is None
    assert names.append("out") == 13
    assert names.append("h1.2") == 14
    assert names.row("h1.2") == 14
    names.keep(np.arange(15) != 0)
    assert names.name(13) == "h1.2"
    assert [names.row(name) for name in names] == list(range(14))
    assert names.match("h1.*").tolist() == [*range(1, 12), 13]


def test_renamed_runs_cover_the_general_one():
    names = Names()
    names.append_series("n", 5)
    names.rename_series("x", np.array([3, 0]))
    assert list(names) == ["x1", "n1", "n2", "x0", "n4"]
    assert names.row("n3") is None
    assert names.row("x0") == 3
    assert names.match("n*").tolist() == [1, 2, 4]


def test_a_million_names_cost_nothing_and_copies_are_independent():
    names = Names()
    names.append_series("h", 10**9)
    assert names.row("h987654321") == 987654321
    other = names.copy()
    other.append("extra")
    assert names.row("extra") is None
    assert len(names) == 10**9


@pytest.mark.parametrize("bad", ["", "a*", "b?", "[c", "d]", 3, None])
def test_names_that_cannot_be(bad):
    with pytest.raises(WiringError):
        valid_name(bad)


def test_name_list(names):
    listed = NameList(names, np.arange(16))
    assert (len(listed), listed[15], list(listed[:2])) == (16, "out", ["x0", "x1"])
    assert str(listed) == "x0, x1, …, out"
    assert str(listed[:2]) == "x0, x1"
