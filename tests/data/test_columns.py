"""Raw rows in, answers out: columns by name, scales and classes of the training data."""

import numpy as np
import pandas as pd
import pytest

from neuronsim.data import MinMaxScaler, Standardizer
from neuronsim.data.columns import Columns
from neuronsim.errors import DataError, FileError, UnknownNameError

X = np.array([[1.0, 10.0], [3.0, 20.0], [5.0, 60.0]])


@pytest.fixture
def columns():
    return Columns(("area", "rooms"), ("price",), (), Standardizer().fit(X), MinMaxScaler(-1, 1).fit([0.0, 50.0]))


def test_columns_by_name_in_any_order(columns, tmp_path):
    wanted = Standardizer().fit(X).transform(X)
    frame = pd.DataFrame({"rooms": X[:, 1], "other": ["a", "b", None], "area": X[:, 0]})
    (tmp_path / "a.csv").write_text("rooms;other;area\n10;a;1\n20;b;3\n60;;5\n")
    for table in (frame, dict(frame), tmp_path / "a.csv", X, X.tolist()):
        np.testing.assert_array_equal(columns.samples(table, delimiter=";"), wanted)
    np.testing.assert_array_equal(columns.samples([1.0, 10.0]), wanted[:1])


def test_images_are_divided():
    images = Columns(("x0", "x1"), ("class",), ("0", "1"), divisor=255.0)
    assert images.samples([[0, 255]]).tolist() == [[0.0, 1.0]]


def test_answers(columns):
    assert columns.answers(np.array([[-1.0], [0.0], [1.0]]))["price"].tolist() == [0.0, 25.0, 50.0]
    classes = Columns(("a",), ("kind",), ("cat", "dog"))
    answers = classes.answers(np.array([[0.75, 0.25], [0.1, 0.9]], np.float32))
    assert answers["kind"].tolist() == ["cat", "dog"]
    assert answers["p(cat)"].tolist() == pytest.approx([0.75, 0.1])


@pytest.mark.parametrize(
    ("table", "kind", "words"),
    [
        ({"area": [1.0]}, UnknownNameError, "no column 'rooms'; columns: area"),
        ({"area": [1.0], "room": [1.0]}, UnknownNameError, "did you mean 'room'"),
        ({"area": [1.0, np.nan], "rooms": [1.0, 2.0]}, DataError, "row 1, column 'area': nan; fill in what is missing"),
        ({"area": [1.0, None], "rooms": [1.0, 2.0]}, DataError, "row 1, column 'area'"),
        ({"area": ["x"], "rooms": [1.0]}, DataError, "column 'area' holds what is no number"),
        ({"area": [1.0], "rooms": [1.0, 2.0]}, DataError, "columns of [1, 2] rows"),
        ([[1.0, 2.0, 3.0]], DataError, "2 columns are needed (area, rooms), not shape (1, 3)"),
    ],
)
def test_refused(columns, table, kind, words):
    with pytest.raises(kind) as caught:
        columns.samples(table)
    assert words in str(caught.value)


def test_there_and_back(columns):
    again = Columns.of_dict(columns.as_dict())
    assert again.samples(X).tobytes() == columns.samples(X).tobytes()
    assert again.answers(np.array([[0.3]])) == columns.answers(np.array([[0.3]]))
    with pytest.raises(FileError, match="no columns of a table"):
        Columns.of_dict({"features": []})
    with pytest.raises(FileError, match="no scaler 'Other'"):
        Columns.of_dict(columns.as_dict() | {"scaler": {"kind": "Other"}})
