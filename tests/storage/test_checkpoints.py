"""A run that outlives its process: killed at any moment, the same call with resume=True ends with the same bits."""

import random
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nets import OPTIMIZERS, awkward_net, bits, data_of, fix_chunks, history_of

import neuronsim as ns
from neuronsim.errors import CheckpointWarning, DataError, FileError, NeuronsimError, SettingError
from neuronsim.storage import checkpoints
from neuronsim.training import trainer

SCRIPT = """
import hashlib, sys
import numpy as np
import neuronsim as ns
from neuronsim.training import trainer

trainer.CHECKPOINT_SECONDS, trainer.CHUNK_SECONDS = 0.03, 0.01
rng = np.random.default_rng(0)
X, T = rng.normal(size=(400, 8)), rng.integers(0, 3, 400)
net = ns.wiring.layered([8, 24, 3], activation="tanh", output="softmax", rng=0)
given = {"optimizer": "adam", "learning_rate": ns.schedules.Cosine(0.01, EPOCHS), "batch_size": 4, "epochs": EPOCHS}
run = net.fit(X, T, rng=1, validation=0.1, checkpoint=sys.argv[1], resume=True, **given)
print(hashlib.sha256(net.weights.tobytes() + net.biases.tobytes()).hexdigest(), run.n_steps, run.n_epochs)
print(hashlib.sha256(repr([run.history[name] for name in run.history if name != "seconds"]).encode()).hexdigest())
print(hashlib.sha256(run.at(123).weights.tobytes()).hexdigest())
""".replace("EPOCHS", "300")


def start(folder: Path) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder)], stdout=pipe, stderr=pipe, text=True)


def written(folder: Path) -> int:
    """When the checkpoint was written last, in nanoseconds."""
    times = [0]
    for file in folder.glob("*/run.json"):
        with suppress(FileNotFoundError):  # it is being replaced
            times.append(file.stat().st_mtime_ns)
    return max(times)


def test_killed_again_and_again(tmp_path: Path) -> None:
    whole, error = start(tmp_path / "whole").communicate(timeout=120)
    assert whole, error
    draw, kills, done = random.Random(0), 0, ""
    while not done:
        process = start(tmp_path / "killed")
        if kills < 5:  # each time after it has come further than before, at whatever it does then
            kept = written(tmp_path / "killed")
            while process.poll() is None and written(tmp_path / "killed") <= kept:
                time.sleep(0.002)
            time.sleep(draw.uniform(0.0, 0.05))
            process.kill()
        out, error = process.communicate(timeout=120)
        kills += not out
        assert out or kills < 12, error
        done = out
    assert kills >= 3
    assert done == whole


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint after every chunk of 3 steps."""
    fix_chunks(monkeypatch, 3)
    monkeypatch.setattr(trainer, "CHECKPOINT_SECONDS", 0.0)


class Ended(Exception):
    """Instead of a kill."""


def cut(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """The process ends when so many checkpoints have been written."""
    whole, count = checkpoints.Checkpoints.write, 0

    def write(self: Any, *given: Any) -> None:
        nonlocal count
        whole(self, *given)
        count += 1
        if count == after:
            raise Ended

    monkeypatch.setattr(checkpoints.Checkpoints, "write", write)


@pytest.mark.parametrize("after", [1, 4, 7])
@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
def test_every_optimizer(
    optimizer: str, batch_size: int, after: int, often: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nets = [awkward_net() for _ in range(3)]
    X, T = data_of(nets[0], 13)
    given = {"optimizer": optimizer, "batch_size": batch_size, "epochs": 4, "rng": 1, "evaluate": True}
    whole = nets[0].fit(X, T, **given)
    with monkeypatch.context() as patched:
        cut(patched, after)
        with pytest.raises(Ended):
            nets[1].fit(X, T, checkpoint=tmp_path / "there", **given)
    run = nets[2].fit(X, T, checkpoint=tmp_path / "there", resume=True, **given)
    assert bits(nets[2]) == bits(nets[0])
    assert history_of(run) == history_of(whole)
    assert (run.n_steps, run.reason, run.resumed) == (whole.n_steps, whole.reason, None)
    for q in (0, whole.n_steps - 1, whole.n_steps // 2):
        assert run.at(q).weights_after.tobytes() == whole.at(q).weights_after.tobytes()


def watchers() -> list[Any]:
    return [
        ns.Monitor("*", ["y", "delta", "b"], every=3),
        ns.Monitor(["*"], ["z"], every=1, keep_last=5),
        ns.Alarm("abs(delta) > 1e-4"),
        ns.Monitor(["*"], ["y"], steps=[0, 2, 9, 11], samples=[3]),
    ]


def recorded(watched: list[Any]) -> list[Any]:
    alarm = next(one for one in watched if isinstance(one, ns.Alarm))
    found = {
        str(one.fields) + str(one.every): (one.step.tolist(), one.sample.tolist(), one._records.values.tobytes())
        for one in watched
        if isinstance(one, ns.Monitor)
    }
    return [found, alarm.count, alarm.firings.tobytes()]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("after", [3, 8, 11])
def test_sums_of_what_is_averaged(
    after: int, dtype: str, often: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nets = [awkward_net(dtype) for _ in range(3)]
    X, T = data_of(nets[0], 13)
    given = {"batch_size": 4, "epochs": 6, "rng": 1, "average": 4}
    whole = nets[0].fit(X, T, **given)
    with monkeypatch.context() as patched:
        cut(patched, after)
        with pytest.raises(Ended):
            nets[1].fit(X, T, checkpoint=tmp_path / "there", **given)
    with pytest.raises(SettingError, match="average=4, not 3"):
        nets[2].fit(X, T, checkpoint=tmp_path / "there", resume=True, **given | {"average": 3})
    run = nets[2].fit(X, T, checkpoint=tmp_path / "there", resume=True, **given)
    assert bits(nets[2]) == bits(nets[0])
    assert (run.averaged, run.reason) == (whole.averaged, whole.reason) == (4, whole.reason)


@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("after", [1, 2, 3, 5, 6])
def test_what_was_recorded_before_the_end_is_there(
    after: int, batch_size: int, often: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nets, all_watchers = [awkward_net() for _ in range(4)], [watchers() for _ in range(4)]
    X, T = data_of(nets[0], 13)
    given = {"batch_size": batch_size, "epochs": 4, "rng": 1}
    nets[0].fit(X, T, monitors=all_watchers[0], **given)
    with monkeypatch.context() as patched:
        cut(patched, after)
        with pytest.raises(Ended):
            nets[1].fit(X, T, checkpoint=tmp_path / "there", monitors=all_watchers[1], **given)
    nets[2].fit(X, T, checkpoint=tmp_path / "there", resume=True, monitors=all_watchers[2], **given)
    assert recorded(all_watchers[2]) == recorded(all_watchers[0])
    # a run that has ended hands out what it recorded; what it did not record is not there
    other = ns.Monitor("*", "b", every=1)
    nets[3].fit(X, T, checkpoint=tmp_path / "there", resume=True, monitors=[*all_watchers[3][::-1], other], **given)
    assert recorded(all_watchers[3]) == recorded(all_watchers[0])
    assert len(other.step) == 0


def test_a_run_that_has_ended_is_there_again(tmp_path: Path) -> None:
    nets = [awkward_net() for _ in range(3)]
    X, T = data_of(nets[0], 13)
    rule = ns.stop.Plateau(2, restore_best=True)
    given = {"epochs": 6, "rng": 1, "stop": rule, "checkpoint": tmp_path / "there", "learning_rate": 0.3}
    first = nets[0].fit(X, T, **given)
    again = nets[1].fit(X, T, resume=True, **given)
    assert bits(nets[1]) == bits(nets[0])
    assert (again.status, again.reason, again.n_steps) == (first.status, first.reason, first.n_steps)
    more = nets[2].fit(X, T, epochs=3, rng=1, checkpoint=tmp_path / "other", resume=True)
    assert more.n_epochs == 3
    more = nets[2].fit(X, T, epochs=5, rng=1, checkpoint=tmp_path / "other", resume=True)
    assert more.n_epochs == 5
    assert bits(nets[2]) == bits(awkward_fitted(X, T, epochs=5, rng=1))


def awkward_fitted(X: np.ndarray, T: np.ndarray, **given: Any) -> ns.Network:
    net = awkward_net()
    net.fit(X, T, **given)
    return net


class TestRefused:
    def test_what_is_there_is_not_overwritten(self, tmp_path: Path) -> None:
        net = awkward_net()
        X, T = data_of(net, 5)
        net.fit(X, T, rng=0, checkpoint=tmp_path)
        before = bits(net)
        with pytest.raises(FileError, match=r"there are checkpoints in .* already: give resume=True"):
            net.fit(X, T, rng=0, checkpoint=tmp_path)
        assert bits(net) == before

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"rng": 5}, "was made with rng=0, not 5"),
            ({"batch_size": 2}, "was made with batch_size=1, not 2"),
            ({"learning_rate": 0.5}, r"was made with learning_rate=Constant\(.*0\.01.*\), not .*0\.5"),
            ({"optimizer": "adam"}, r"was made with optimizer=SGD\(\), not Adam"),
            ({"loss": "huber"}, "was made with loss='half_squared_error', not 'huber'"),
            ({"reduction": "sum"}, "was made with reduction='mean', not 'sum'"),
        ],
    )
    def test_another_call(self, given: dict[str, Any], message: str, tmp_path: Path) -> None:
        net = awkward_net()
        X, T = data_of(net, 5)
        net.fit(X, T, rng=0, checkpoint=tmp_path)
        before = bits(net)
        with pytest.raises(NeuronsimError, match=message):
            net.fit(X, T, epochs=2, checkpoint=tmp_path, resume=True, **({"rng": 0} | given))
        with pytest.raises(DataError, match="X is not what the run"):
            net.fit(X + 1, T, epochs=2, checkpoint=tmp_path, resume=True)
        other = ns.wiring.layered([3, 4, 4], rng=0)
        with pytest.raises(DataError, match="is of another network"):
            other.fit(X, T, epochs=2, checkpoint=tmp_path, resume=True)
        assert bits(net) == before

    def test_a_damaged_one_falls_back_to_the_one_before(
        self, often: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        nets = [awkward_net() for _ in range(2)]
        X, T = data_of(nets[0], 13)
        with monkeypatch.context() as patched:
            cut(patched, 3)
            with pytest.raises(Ended):
                nets[0].fit(X, T, rng=0, epochs=3, checkpoint=tmp_path)
        for place in ("a", "b"):
            copy = Path(shutil.copytree(tmp_path, tmp_path.with_name(f"copy_{place}")))
            (copy / place / "states.safetensors").write_bytes(b"cut off")
            net = awkward_net()
            net.fit(X, T, rng=0, epochs=3, checkpoint=copy, resume=True)
            assert bits(net) == bits(awkward_fitted(X, T, rng=0, epochs=3))
        for place in ("a", "b"):
            (tmp_path / place / "states.safetensors").write_bytes(b"cut off")
        with pytest.raises(FileError, match="missing or damaged"):
            nets[1].fit(X, T, rng=0, epochs=3, checkpoint=tmp_path, resume=True)

    def test_a_full_disk_costs_the_checkpoint_alone(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        def full(*given: Any) -> None:
            raise OSError(28, "No space left on device")

        net = awkward_net()
        X, T = data_of(net, 13)
        monkeypatch.setattr(checkpoints, "write_arrays", full)
        with pytest.warns(CheckpointWarning, match="No space left on device; the run goes on"):
            run = net.fit(X, T, rng=0, checkpoint=tmp_path / "there")
        assert run.status == "finished"
        assert bits(net) == bits(awkward_fitted(X, T, rng=0))

    def test_resume_alone(self) -> None:
        with pytest.raises(SettingError, match="resume=True goes on from checkpoint=directory"):
            awkward_fitted(*data_of(awkward_net(), 5), resume=True)
