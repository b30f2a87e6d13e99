"""Runs proposed by Optuna: the same ones for any number of workers, before and after a break."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import neuronsim as ns
from neuronsim import sweeps
from neuronsim.errors import SettingError
from neuronsim.sweeps import Options
from neuronsim.sweeps.coordinator import Coordinator

FILE = """\
seed = 0
network = { wiring = "layered", sizes = [2, 4, 1], output = "identity" }
data.name = "xor"
training.epochs = 8
[sweep]
"training.learning_rate" = { log = [1e-3, 3.0] }
"training.momentum" = { linear = [0.0, 0.9] }
"training.optimizer" = ["momentum", "nesterov"]
"network.sizes" = [[2, 3, 1], [2, 6, 1]]
"network.activation" = ["tanh", "sigmoid"]
together = [["network.sizes", "network.activation"]]
optuna = { n = 14, generation = 4, by = "loss", seed = 1 }
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str = FILE) -> Path:
        (tmp_path / "xor.toml").write_text(text)
        return tmp_path / "xor.toml"

    return write


def rows(found: sweeps.Sweep) -> list[Any]:
    return [(run.id, dict(run.values), run.outcome and run.outcome["bits"]) for run in found.runs]


def test_the_same_runs_for_any_number_of_workers(write: Any, tmp_path: Path) -> None:
    found = [ns.sweep(write(), tmp_path / name, executor=f"threads:{name}") for name in "14"]
    assert rows(found[0]) == rows(found[1])
    assert len(found[0]) == 14
    for run in found[0].runs:
        values = run.values
        assert 1e-3 <= values["training.learning_rate"] <= 3.0
        assert (values["network.sizes"], values["network.activation"]) in (([2, 3, 1], "tanh"), ([2, 6, 1], "sigmoid"))
        assert run.status == "finished"
    assert ns.compare(tmp_path / "1").groups[0].summary.n == 1


def test_it_learns_where_to_look(write: Any, tmp_path: Path) -> None:
    """Later generations are better than the first one, which is drawn at random."""
    text = FILE.replace("n = 14, generation = 4", "n = 40, generation = 10")
    losses = [run.outcome["metrics"]["loss"] for run in ns.sweep(write(text), tmp_path / "out").runs if run.outcome]
    assert sorted(losses[-10:])[5] < sorted(losses[:10])[5]


def test_a_break_changes_nothing(write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ns.sweep(write(), tmp_path / "whole")
    run, calls = Coordinator.run, []

    def broken(self: Coordinator, jobs: Any) -> Any:
        calls.append(len(jobs))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return run(self, jobs)

    with monkeypatch.context() as patch:
        patch.setattr(Coordinator, "run", broken)
        assert ns.sweep(write(), tmp_path / "out").stopped == "interrupted"
    seen = ns.sweep(tmp_path / "out", options=Options(dry=True))
    assert [entry.status for entry in seen.runs] == ["finished"] * 8 + ["waiting"] * 4
    assert rows(ns.sweep(tmp_path / "out")) == rows(whole)
    assert rows(ns.sweep(tmp_path / "out", options=Options(collect=True))) == rows(whole)
    calls.clear()
    with monkeypatch.context() as patch:
        patch.setattr(Coordinator, "run", lambda self, jobs: calls.append(len(jobs)) or run(self, jobs))
        ns.sweep(tmp_path / "out")
    assert set(calls) == {0}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('by = "loss"', 'by = "los"', "'los'.*did you mean 'loss'"),
        ('by = "loss"', 'by = "val_loss"', "optuna by 'val_loss'; .*loss"),
        ("n = 14", "m = 14", "it must be a table"),
        ("seed = 1 }", "seed = 1 }\nrandom = { n = 3 }", "random would, too"),
        ('"nesterov"]', '"nestrov"]', "did you mean 'nesterov'"),
        ("linear = [0.0, 0.9]", "linear = [0.0, 1.5]", r"training\.momentum is 1\.5"),
    ],
)
def test_refused(write: Any, tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        ns.sweep(write(FILE.replace(old, new)), tmp_path / "out")


def test_without_optuna(write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr("neuronsim.sweeps.proposals.import_module", missing)
    with pytest.raises(SettingError, match=r"pip install 'neuronsim\[search\]'"):
        ns.sweep(write(), tmp_path / "out")
    with pytest.raises(SettingError, match="a part has only some"):
        ns.sweep(write(), tmp_path / "out", options=Options(part=(1, 2)))
