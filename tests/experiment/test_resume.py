"""An experiment that was ended goes on from its checkpoint, to the same bits."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from experiments import XOR

from neuronsim import experiment
from neuronsim.basics.lock import locked
from neuronsim.commands import main as cli
from neuronsim.errors import DataError, FileError, SettingError
from neuronsim.experiment import execute
from neuronsim.storage import checkpoints
from neuronsim.storage.runs import load_run
from neuronsim.training import trainer

LONG = XOR.replace("epochs = 4", "epochs = 40")


class Ended(Exception):
    """Instead of a kill."""


def content(directory: Path) -> dict[str, bytes]:
    """What a run leaves behind, without what depends on the clock."""
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.suffix in (".safetensors", ".toml")}


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let the next run end after its third checkpoint."""
    monkeypatch.setattr(trainer, "CHECKPOINT_SECONDS", 0.0)
    whole, count = checkpoints.Checkpoints.write, 0

    def write(self: Any, *given: Any) -> None:
        nonlocal count
        whole(self, *given)
        count += 1
        if count == 3:
            raise Ended

    monkeypatch.setattr(checkpoints.Checkpoints, "write", write)


def test_to_the_same_bits(write: Any, tmp_path: Path, ended: Any) -> None:
    file = write(LONG)
    with pytest.raises(Ended):
        experiment.run(experiment.read(file), tmp_path / "out")
    assert not (tmp_path / "out" / "network.safetensors").exists()
    assert (tmp_path / "out" / "experiment.toml").exists()
    with pytest.raises(FileError, match="there is a run in"):
        experiment.run(experiment.read(file), tmp_path / "out")
    outcome = experiment.run(experiment.read(file), tmp_path / "out", resume=True)
    whole = experiment.run(experiment.read(file), tmp_path / "whole")
    assert content(tmp_path / "out") == content(tmp_path / "whole")
    assert (outcome.epochs, outcome.n_steps, outcome.loss) == (whole.epochs, whole.n_steps, whole.loss)


def test_from_the_shell(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    file = str(write(LONG))
    name = Path(file).stem
    assert cli.main(["run", file, "--resume"]) == 0  # nothing there yet
    assert cli.main(["run", file, "--resume", "--set", "training.epochs=60"]) == 0
    assert "finished after 60 epochs" in capsys.readouterr().out
    assert [path.name for path in Path("runs").iterdir()] == [name]
    assert cli.main(["run", file, "-o", f"runs/{name}", "--resume", "--seed", "9", "--set", "training.epochs=70"]) == 3
    assert "began with seed = 3, this one is to go on with seed = 9" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "training.learning_rate=0.9",
            r"began with training\.learning_rate = 0\.5, this one is to go on with .* = 0\.9",
        ),
        ("training.momentum=0.9", r"began without training\.momentum, .* with training\.momentum = 0\.9"),
        ("network.sizes=[2, 4, 1]", r"began with network\.sizes"),
        ("training.epochs=39", "was made with 40 epochs, more than epochs=39"),
    ],
)
def test_other_settings_are_refused(write: Any, tmp_path: Path, setting: str, message: str) -> None:
    file = write(LONG)
    experiment.run(experiment.read(file), tmp_path / "out")
    before = content(tmp_path / "out")
    with pytest.raises(SettingError, match=message):
        experiment.run(experiment.read(file, [setting]), tmp_path / "out", resume=True)
    assert content(tmp_path / "out") == before


def test_a_seed_that_was_drawn_is_gone_on_with(write: Any, tmp_path: Path) -> None:
    file = write(LONG.replace("seed = 3", ""))
    first = experiment.run(experiment.read(file), tmp_path / "out")
    longer = experiment.read(file, ["training.epochs=60"])
    assert longer.is_seed_drawn
    outcome = experiment.run(longer, tmp_path / "out", resume=True)
    assert (outcome.seed, outcome.epochs) == (first.seed, 60)
    experiment.run(experiment.read(file, ["training.epochs=60"], seed=first.seed), tmp_path / "whole")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_killed_before_the_first_checkpoint(write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: Any, **__: Any) -> None:
        raise Ended

    file, out = write(LONG.replace("seed = 3", "")), tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(trainer.Trainer, "train", killed)
        patch.setattr(execute, "_take_away", lambda *_: None)  # which a process that is killed does not do
        with pytest.raises(Ended):
            experiment.run(experiment.read(file), out)
    begun = tomllib.loads((out / "experiment.toml").read_text())
    assert not (out / "network.safetensors").exists()
    outcome = experiment.run(experiment.read(file), out, resume=True)
    assert (outcome.status, outcome.seed) == ("finished", begun["seed"])


def test_what_is_known_of_the_table_is_there_from_the_beginning(tmp_path: Path, ended: Any) -> None:
    (tmp_path / "t.csv").write_text("a,t\n" + "\n".join(f"{k},{k % 7}" for k in range(40)))
    (tmp_path / "t.toml").write_text(
        'network = { wiring = "layered", sizes = [1, 2, 1], output = "identity" }\n'
        'data = { csv = "t.csv", targets = ["t"], scale = "standardize" }\ntraining.epochs = 40'
    )
    with pytest.raises(Ended):
        experiment.run(experiment.read(tmp_path / "t.toml"), tmp_path / "out")
    run = load_run(tmp_path / "out")
    assert run.columns is not None
    assert run.columns.features == ("a",)
    assert len(run.predict({"a": [3.0]})["t"]) == 1


def test_data_that_changed_are_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,t\n1,2\n2,3\n3,1\n")
    (tmp_path / "t.toml").write_text(
        'seed = 0\nnetwork = { wiring = "layered", sizes = [1, 2, 1] }\ndata = { csv = "t.csv", targets = ["t"] }'
    )
    experiment.run(experiment.read(tmp_path / "t.toml"), tmp_path / "out")
    (tmp_path / "t.csv").write_text("a,t\n1,2\n2,3\n3,4\n")
    with pytest.raises(DataError, match=r"T is not what the run .*; has .*t\.csv changed since\?"):
        experiment.run(experiment.read(tmp_path / "t.toml"), tmp_path / "out", resume=True)


def test_a_run_that_is_under_way_is_not_replaced(write: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    experiment.run(experiment.read(write()), out)
    before = content(out)
    with locked(out / "lock"):
        for how in ({"overwrite": True}, {"resume": True}):
            with pytest.raises(FileError, match="is being written by process"):
                experiment.run(experiment.read(write()), out, **how)
    assert content(out) == before
    assert (out / "checkpoint").exists()
    experiment.run(experiment.read(write()), out, overwrite=True)


def test_go_on_or_replace(write: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", str(write()), "--resume", "--overwrite"]) == 2
    assert "give one of them" in capsys.readouterr().err


def test_a_replaced_run_takes_its_checkpoint_along(write: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    experiment.run(experiment.read(write(LONG)), out)
    before = content(out), sorted(path.name for path in (out / "checkpoint").rglob("*"))
    refused = experiment.read(
        write(LONG.replace("epochs = 40", 'epochs = 40\noptimizer = "rprop"\nweight_decay = 0.1'))
    )
    with pytest.raises(SettingError, match="weight_decay"):
        experiment.run(refused, out, overwrite=True)
    assert (content(out), sorted(path.name for path in (out / "checkpoint").rglob("*"))) == before
    experiment.run(experiment.read(write(LONG.replace("epochs = 40", "epochs = 50"))), out, overwrite=True)
    assert (
        experiment.run(experiment.read(write(LONG.replace("epochs = 40", "epochs = 50"))), out, resume=True).epochs
        == 50
    )
    assert not (out / "checkpoint.old").exists()


def test_two_that_go_on_at_once(write: Any, tmp_path: Path) -> None:
    plan = experiment.read(write())
    experiment.run(plan, tmp_path / "out")
    with locked(tmp_path / "out" / "lock"), pytest.raises(FileError, match="is being written by process"):
        experiment.run(plan, tmp_path / "out", resume=True)
    assert experiment.run(plan, tmp_path / "out", resume=True).status == "finished"
    assert not (tmp_path / "out" / "lock").exists()
