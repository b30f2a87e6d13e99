"""The picture of what a monitor recorded."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from pictures import small, words

import neuronsim as ns
from neuronsim.plots import trace


def watched(fields: list[str] | None = None, what: object = "h1", **settings: object) -> ns.Monitor:
    net = small()
    X = np.random.default_rng(0).normal(size=(20, 2))
    watch = ns.Monitor(what, fields, **settings)
    net.fit(X, X[:, :1] * X[:, 1:], epochs=3, batch_size=4, rng=0, monitors=watch)
    return watch


def test_signals_at_the_left_and_errors_at_the_right() -> None:
    watch = watched(every=2)
    picture = trace(watch, "h1")
    assert list(picture.lines) == ["z", "y", "delta"]
    assert picture.lines["z"][0].axes is picture.ax
    assert picture.lines["delta"][0].axes is picture.error_ax
    np.testing.assert_array_equal(picture.lines["delta"][0].get_ydata(), watch["h1"].delta)
    np.testing.assert_array_equal(picture.lines["delta"][0].get_xdata(), watch.step)
    assert {"h1", "z, y", "δ", "step (means over batches; every 2nd step, and the last)"} <= set(
        words(picture).split("\n")
    )


@pytest.mark.parametrize("fields", [["z"], ["delta", "db"]])
def test_one_kind_needs_one_axis(fields: list[str]) -> None:
    picture = trace(watched(fields), "h1")
    assert picture.error_ax is None
    assert list(picture.lines) == fields


def test_an_edge_at_steps_that_double() -> None:
    picture = trace(watched(what=("i1", "h1"), steps="log"), ("i1", "h1"))
    assert list(picture.lines) == ["w", "gradient", "dw"]
    assert picture.ax.get_xscale() == "symlog"
    assert "i1 → h1" in words(picture)


def test_chosen_samples_are_lines_through_the_steps_they_were_in() -> None:
    watch = watched(["delta"], every=1, samples=[3, 0])
    lines = trace(watch, "h1").lines["delta"]
    assert len(lines) == 2
    assert lines[0].get_xdata().tolist() == watch.step[watch.present[:, 0]].tolist()
    assert len(lines[1].get_xdata()) == 3


def test_a_trace_on_given_axes_and_without_steps() -> None:
    axes = Figure().subplots()
    assert trace(watched(), "h1", ax=axes).ax is axes
    net = small()
    net.weights[:] = 1e200
    watch = ns.Monitor("h1")
    with pytest.warns(ns.DivergenceWarning):
        net.fit([[1.0, 1.0]], [0.0], monitors=watch)
    with pytest.raises(ns.errors.DataError, match="no step"):
        trace(watch, "h1")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"every": 1}, "step (means over batches)"),
        ({}, "step (means over batches; every 100th step, and the last)"),
        ({"steps": [0, 3]}, "step (means over batches; chosen steps)"),
        ({"steps": "log"}, "step (means over batches; steps 0, 1, 2, 5, 10, …)"),
    ],
)
def test_says_which_steps_are_recorded(settings: dict, said: str) -> None:
    assert said in words(trace(watched(**settings), "h1")).split("\n")
