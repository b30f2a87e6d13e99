"""The picture of a run: losses, and the accuracy beside them."""

import numpy as np
import pytest
from pictures import run_of, words

import neuronsim as ns
from neuronsim.plots import history
from neuronsim.run import Run


def test_losses_share_an_axis_and_accuracy_has_its_own() -> None:
    picture = history(run_of(loss=[1.0, 0.5], data_loss=[0.8, 0.4], val_loss=[1.1, 0.9], val_accuracy=[0.5, 0.75]))
    assert list(picture.lines) == ["loss", "data_loss", "val_loss", "val_accuracy"]
    assert picture.accuracy_ax is not None
    assert picture.lines["val_accuracy"].axes is picture.accuracy_ax
    assert picture.lines["loss"].get_ydata().tolist() == [1.0, 0.5]
    legend = [text.get_text() for text in picture.ax.get_legend().get_texts()]
    assert legend == ["loss while training", "loss after the epoch", "validation loss", "validation accuracy"]
    assert picture.ax.get_ylabel() == "cross entropy"


@pytest.mark.parametrize(("losses", "scale"), [([1.0, 1e-3], "log"), ([1.0, 0.5], "linear"), ([1.0, 0.0], "linear")])
def test_losses_that_span_decades_get_a_logarithmic_scale(losses: list[float], scale: str) -> None:
    picture = history(run_of(loss=losses))
    assert picture.ax.get_yscale() == scale
    assert picture.accuracy_ax is None


def test_accuracies_that_are_not_known_are_not_drawn() -> None:
    assert history(run_of(loss=[1.0], val_accuracy=[np.nan])).accuracy_ax is None


def test_a_diverged_run_can_be_drawn_and_says_how_it_ended() -> None:
    run = run_of(loss=[1.0, np.inf, np.nan])
    run.status = "diverged"
    assert "diverged" in words(history(run))


def test_a_run_without_epochs_is_an_error() -> None:
    with pytest.raises(ns.errors.DataError, match="no complete epoch"):
        history(Run(0, {}))


@pytest.mark.parametrize(
    "losses", [[1e81, 1e175, 1e283], [1e-320, 1.0, 1.7e308], [1e308, 1.7e308, np.inf], [np.nan, np.inf, np.nan]]
)
def test_a_run_that_diverged_is_drawn(losses, tmp_path):
    run = ns.wiring.layered([2, 1], rng=0).fit(np.ones((3, 2)), np.ones((3, 1)), epochs=3)
    run.history["loss"][:] = losses
    ns.plot.history(run).save(tmp_path / "x.png")
    assert (tmp_path / "x.png").exists()
