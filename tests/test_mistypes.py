"""What people type instead of what is meant, and what they are told."""

import numpy as np
import pytest

import neuronsim as ns


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda net, run: run.history["val_los"], ns.errors.UnknownNameError, "columns: epoch, loss"),
        (lambda net, run: run.history["los"], ns.errors.UnknownNameError, "did you mean 'loss'"),
        (lambda net, run: run.blame("h1.0", "h1.1"), ns.errors.SettingError, "blame(['h1.0', 'h1.1'])"),
        (lambda net, run: net["q7"], ns.errors.UnknownNameError, "neurons: x0, x1, h1.0, h1.1, h1.2, y0"),
        (lambda net, run: ns.Network()["h"], ns.errors.UnknownNameError, "there are none yet"),
        (lambda net, run: net.fit([], []), ns.errors.DataError, "X has no samples"),
        (lambda net, run: net.fit({}, {}), ns.errors.DataError, "X holds Python objects: it is a dict"),
        (lambda net, run: net.fit(None, None), ns.errors.DataError, "it is None"),
        (lambda net, run: ns.wiring.layered("3,2"), ns.errors.SettingError, "sizes='3,2' is not a list"),
        (lambda net, run: ns.wiring.layered([2, 1], activation=np.tanh), ns.errors.SettingError, "say 'tanh'"),
        (lambda net, run: ns.wiring.layered([2, 1], activation=abs), ns.errors.SettingError, "activations.register"),
        (
            lambda net, run: net.fit(*ns.data.load("xor"), optimizer=ns.optimizers.Adam),
            ns.errors.SettingError,
            "give an object of it, Adam()",
        ),
        (lambda net, run: ns.sweep(3), ns.errors.SettingError, "sweep takes an experiment file"),
        (lambda net, run: ns.learning_rate_range(3, [], []), ns.errors.SettingError, "takes a network, not 3"),
        (lambda net, run: ns.learning_rate_range(net, [], [], rates=0.1), ns.errors.SettingError, "rates=0.1: several"),
        (lambda net, run: ns.learning_rate_range(net, [], [], seeds=3), ns.errors.SettingError, "seeds=3: several"),
        (lambda net, run: ns.plot.bands({"a": 3}, "x", "y"), ns.errors.SettingError, "bands draws groups of curves"),
        (lambda net, run: ns.plot.bands([1], "x", "y"), ns.errors.SettingError, "bands draws groups of curves"),
        (lambda net, run: ns.plot.network(net).save("q.foo"), ns.errors.SettingError, "ends in .png, .svg or .pdf"),
        (lambda net, run: ns.plot.network(net).save("none/q.png"), ns.errors.FileError, "none/q.png cannot be written"),
    ],
)
def test_what_people_mistype_is_answered(call, kind, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net = ns.wiring.layered([2, 3, 1], rng=0)
    with pytest.raises(kind) as caught:
        call(net, net.fit(*ns.data.load("xor"), rng=0))
    assert words in str(caught.value)


def test_a_file_is_no_run(tmp_path):
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(ns.errors.FileError, match="is a file, and a run is a directory"):
        ns.load_run(tmp_path / "a.json")


def test_paths_are_those_of_the_last_step():
    net = ns.wiring.layered([2, 3, 1], rng=0)
    run = net.fit(*ns.data.load("xor"), rng=0)
    assert str(run.paths("h1.0")) == str(run.paths("h1.0", step=3))
