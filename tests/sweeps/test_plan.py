"""The runs that a ``[sweep]`` table means."""

import pytest

from neuronsim.errors import SettingError
from neuronsim.sweeps.plan import combinations, with_values


def values(table):
    return [tuple(row.values()) for row in combinations(table)]


def test_the_product_in_the_order_of_the_file():
    assert values({"a.b": [1, 2], "seed": {"range": 3}}) == [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"log": [1e-4, 1.0], "n": 5}, [1e-4, 1e-3, 0.01, 0.1, 1.0]),
        ({"log": [1.0, 2.0], "n": 3}, [1.0, 1.41421, 2.0]),
        ({"linear": [0.0, 1.0], "n": 4}, [0.0, 0.333333, 0.666667, 1.0]),
        ({"range": [3, 6]}, [3, 4, 5]),
        ([[2, 3], [2, 4]], [[2, 3], [2, 4]]),
    ],
)
def test_lists_and_ranges(given, wanted):
    assert [row["k"] for row in combinations({"k": given})] == wanted


def test_keys_without_quotes_are_tables_in_tables():
    assert combinations({"training": {"epochs": [1, 2]}}) == [{"training.epochs": 1}, {"training.epochs": 2}]


def test_keys_that_move_in_step():
    table = {"a": [1, 2], "seed": [0, 1], "b": ["x", "y"], "together": [["a", "b"]]}
    assert combinations(table) == [
        {"a": 1, "b": "x", "seed": 0}, {"a": 1, "b": "x", "seed": 1},
        {"a": 2, "b": "y", "seed": 0}, {"a": 2, "b": "y", "seed": 1},
    ]  # fmt: skip


def test_draws():
    table = {
        "rate": {"log": [1e-4, 1.0]},
        "decay": {"linear": [0.0, 0.5]},
        "size": [8, 16],
        "random": {"n": 400, "seed": 3},
    }
    drawn = combinations(table)
    assert drawn == combinations(table)
    assert drawn != combinations(table | {"random": {"n": 400, "seed": 4}})
    rates = [row["rate"] for row in drawn]
    assert len(drawn) == 400
    assert all(1e-4 <= rate <= 1.0 and rate == float(f"{rate:.6g}") for rate in rates)
    assert 0.35 < sum(rate < 0.01 for rate in rates) / 400 < 0.65  # even in the logarithm
    assert {row["size"] for row in drawn} == {8, 16}
    assert 0.1 < sum(row["decay"] for row in drawn) / 400 < 0.4


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({}, "names no key"),
        (3, "must be a table"),
        ({"a": []}, "empty list"),
        ({"a": 3}, "must be a list of values"),
        ({"a": {"logg": [1, 2], "n": 3}}, "must be a list of values"),
        ({"a": {"log": [0, 2], "n": 3}}, "above 0"),
        ({"a": {"log": [1], "n": 3}}, "two numbers"),
        ({"a": {"log": [1, 2], "n": 0}}, "sweep.a.n=0"),
        ({"a": {"range": [3, 3]}}, "the first below the other"),
        ({"a": {"range": 0}}, "range = 0"),
        ({"a": [1], "together": ["a"]}, "lists of keys"),
        ({"a": [1], "together": [["a", "aa"]]}, "did you mean 'a'"),
        ({"a": [1], "b": [1, 2], "together": [["a", "b"]]}, "a has 1, b has 2"),
        ({"a": [1], "b": [1], "together": [["a", "b"], ["a"]]}, "names 'a' twice"),
        ({"a": [1], "random": {"m": 3}}, "sweep.random"),
    ],
)
def test_refused(table, words):
    with pytest.raises(SettingError) as caught:
        combinations(table)
    assert words in str(caught.value)


def test_settings_of_one_run_are_its_own():
    base = {"sweep": {}, "training": {"epochs": 1}, "seed": 0}
    own = with_values(base, {"training.epochs": 3, "network.sizes": [2, 1], "seed": 5})
    assert own == {"training": {"epochs": 3}, "seed": 5, "network": {"sizes": [2, 1]}}
    assert base["training"] == {"epochs": 1}
    with pytest.raises(SettingError, match="seed is no table"):
        with_values(base, {"seed.x": 1})
