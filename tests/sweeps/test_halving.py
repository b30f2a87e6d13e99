"""Halving by rungs: who goes on, and that what goes on is the full run."""

from pathlib import Path

import pytest

import neuronsim as ns
from neuronsim.errors import SettingError
from neuronsim.sweeps import Options, attempt
from neuronsim.sweeps.coordinator import Coordinator
from neuronsim.sweeps.halving import Halving, halving_of

FILE = """\
network = { wiring = "layered", sizes = [2, 4, 1], output = "identity" }
data = { name = "moons", n = 40 }
training = { epochs = 8, optimizer = "momentum", batch_size = 4, loss = "half_squared_error" }
[sweep]
"training.learning_rate" = [0.01, 0.1, 1e200]
seed = { range = 4 }
"""
LINE = 'halving = { epochs = [2, 4, 8], keep = 0.5, by = "loss" }\n'


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = FILE.replace('name = "moons", n = 40', 'csv = "a.csv", targets = ["t"]')
    X, T = ns.data.load("moons", n=40)
    rows = [f"{a!r},{b!r},{t}" for (a, b), t in zip(X.tolist(), T.tolist(), strict=True)]
    Path("a.csv").write_text("a,b,t\n" + "\n".join(rows))
    Path("full.toml").write_text(text)
    Path("half.toml").write_text(text + LINE)


def epochs(found):
    return sorted(run.outcome["metrics"]["epochs"] for run in found.runs if run.status == "finished")


def test_what_goes_on_is_the_full_run(files, monkeypatch):
    unpacked = []
    zipped = attempt.ZipFile
    monkeypatch.setattr(attempt, "ZipFile", lambda *a: unpacked.append(len(a) == 1) or zipped(*a))
    full = {(tuple(run.values.items())): run for run in ns.sweep("full.toml").runs}
    half = ns.sweep("half.toml", executor="threads:2")
    assert epochs(half) == [2, 2, 4, 4, 4, 8, 8, 8]  # of 12, 4 of which diverge
    for run in half.runs:
        same = full[tuple(run.values.items())]
        if run.status == "finished" and run.outcome["metrics"]["epochs"] == 8:
            assert run.outcome["bits"] == same.outcome["bits"]
            assert run.id == same.id
    assert sum(unpacked) == 6 + 3  # six go on from 2 epochs, three of them from 4
    assert list(Path("sweeps/half").glob("runs/*/*/checkpoint.zip")) == []


def test_it_goes_on_where_it_ended(files):
    first = ns.sweep("half.toml")
    best = next(run for run in first.runs if run.outcome["metrics"].get("epochs") == 8)
    (best.directory / "outcome.json").unlink()
    again = ns.sweep("sweeps/half", executor="processes:1")
    assert [run.outcome["bits"] for run in again.runs] == [run.outcome["bits"] for run in first.runs]


def test_what_a_break_leaves_is_told(files, monkeypatch):
    run, calls = Coordinator.run, []

    def broken(self, jobs):
        calls.append(jobs)
        if len(calls) == 2:
            run(self, jobs[:2])
            raise KeyboardInterrupt
        return run(self, jobs)

    with monkeypatch.context() as patch:
        patch.setattr(Coordinator, "run", broken)
        found = ns.sweep("half.toml")
    assert found.stopped == "interrupted"
    assert epochs(found) == [2] * 6 + [4] * 2
    assert epochs(ns.sweep("sweeps/half")) == [2, 2, 4, 4, 4, 8, 8, 8]


def test_survivors():
    halving = Halving((1, 2), 0.5, "loss")
    metrics = {0: {"loss": 3.0}, 1: {"loss": 1.0}, 2: None, 3: {"loss": 2.0}, 4: {"loss": 1.0}}
    assert halving.survivors(metrics) == [1, 3, 4]
    assert Halving((1, 2), 0.3, "val_accuracy").survivors({0: {"val_accuracy": 0.5}, 1: {"val_accuracy": 0.9}}) == [1]
    with pytest.raises(SettingError, match="did you mean 'loss'"):
        Halving((1, 2), 0.3, "los").survivors({0: {"loss": 0.5}})


@pytest.mark.parametrize(
    "given",
    [
        3,
        {"epochs": [1, 2]},
        {"epochs": [2, 1], "keep": 0.5, "by": "loss"},
        {"epochs": [2], "keep": 0.5, "by": "loss"},
        {"epochs": [0, 2], "keep": 0.5, "by": "loss"},
        {"epochs": [1, 2], "keep": 1.0, "by": "loss"},
        {"epochs": [1, 2], "keep": 0.5, "by": "los"},
    ],
)
def test_refused(given):
    with pytest.raises(SettingError, match=r"sweep\.halving"):
        halving_of({"halving": given})


def test_parts_see_too_little(files):
    with pytest.raises(SettingError, match="a part has only some"):
        ns.sweep("half.toml", options=Options(part=(1, 2)))
