"""A run kept in a directory: on another day every step is made again, and training goes on."""

import copy
import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nets import OPTIMIZERS, awkward_net, bits, data_of, history_of

import neuronsim as ns
from neuronsim.errors import DataError, DivergenceWarning, FileError, NeuronsimError, NotKnownError, SettingError

GIVEN = {"batch_size": 4, "validation": 0.2, "learning_rate": ns.schedules.WarmUp(3, ns.schedules.Cosine(0.05, 9))}


def same_steps(a: ns.Run, b: ns.Run) -> bool:
    return a.n_steps == b.n_steps and all(
        getattr(a.at(q), name).tobytes() == getattr(b.at(q), name).tobytes()
        for q in range(a.n_steps)
        for name in ("z", "y", "delta", "weights", "weights_after", "biases_after", "slopes_after")
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
def test_everything_comes_back_and_goes_on(optimizer: str, dtype: str, tmp_path: Path) -> None:
    net = awkward_net(dtype)
    X, T = data_of(net, 20)
    run = net.fit(X, T, epochs=2, rng=0, optimizer=optimizer, **GIVEN)
    kept = ns.load_run(run.save(tmp_path / "run"))
    assert (repr(kept), kept.seed, kept.reason, history_of(kept)) == (repr(run), 0, run.reason, history_of(run))
    assert kept.held_out.tolist() == run.held_out.tolist()
    assert same_steps(kept, run)
    assert str(kept.at(3).explain("h1")) == str(run.at(3).explain("h1"))
    assert str(kept.blame("h*")) == str(run.blame("h*"))
    assert bits(kept.network) == bits(run.network) == bits(net)
    other = kept.network
    again = other.fit(X, T, epochs=2, optimizer=optimizer, resume=kept, **GIVEN)
    net.fit(X, T, epochs=2, optimizer=optimizer, resume=run, **GIVEN)
    assert bits(other) == bits(net)
    assert again.n_epochs == 4


def test_runs_that_went_on_are_kept_with_those_before(tmp_path: Path) -> None:
    net = awkward_net()
    X, T = data_of(net, 20)
    run = net.fit(X, T, epochs=1, rng=0, **GIVEN)
    for _ in range(2):
        run = net.fit(X, T, epochs=1, resume=run, **GIVEN)
    kept = ns.load_run(run.save(tmp_path / "run"))
    assert same_steps(kept, run)
    assert kept.n_epochs == 3


def test_without_its_data(tmp_path: Path) -> None:
    net = awkward_net()
    X, T = data_of(net, 20)
    run = net.fit(X, T, epochs=2, rng=0, **GIVEN)
    folder = run.save(tmp_path / "run", data=False)
    assert not (folder / "data.safetensors").exists()
    kept = ns.load_run(folder)
    assert kept.history == run.history
    with pytest.raises(NotKnownError, match=r"without its data: ns\.load_run\(directory, data=\(X, T\)\)"):
        kept.at(0)
    with pytest.raises(SettingError, match="without its data"):
        net.fit(X, T, resume=kept, **GIVEN)
    assert same_steps(ns.load_run(folder, data=(X.tolist(), T)), run)
    with pytest.raises(DataError, match="X is not what the run"):
        ns.load_run(folder, data=(X + 1, T))


def test_the_network_after_a_run() -> None:
    """Whatever is done with the network since; the best parameters where a rule put them back."""
    X, T = np.linspace(-1, 1, 8)[:, None], np.ones((8, 1))
    net = ns.wiring.layered([1, 3, 1], rng=0)
    rule = ns.stop.Plateau(3, monitor="val_loss", restore_best=True)
    run = net.fit(X, T, epochs=20, validation=(X, -T), stop=rule, rng=0)
    after = bits(net)
    assert run.restored == 0
    net.fit(X, T, epochs=3, rng=1)
    assert bits(run.network) == after != bits(net)
    with pytest.raises(NotKnownError, match="snapshots=False"):
        net.fit(X, T, snapshots=False).network.forward(X)


def test_a_run_that_diverged(tmp_path: Path) -> None:
    net = ns.wiring.layered([2, 3, 1], activation="identity", rng=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DivergenceWarning)
        run = net.fit([[0, 1], [1, 0], [1, 1.0]], [[0], [1], [1.0]], learning_rate=1e60, epochs=5, rng=0)
    kept = ns.load_run(run.save(tmp_path / "run"))
    assert kept.status == "diverged"
    assert str(kept.diagnose()) == str(run.diagnose())


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    net = ns.wiring.layered([2, 3, 2], output="softmax", rng=0)
    X, T = np.random.default_rng(0).normal(size=(12, 2)), np.arange(12) % 2
    rule = ns.stop.Plateau(1, restore_best=True)
    return net.fit(X, T, epochs=3, rng=0, validation=0.25, stop=rule).save(tmp_path_factory.mktemp("kept") / "run")


class TestBadFiles:
    def test_what_is_there_is_kept(self, saved: Path) -> None:
        net = ns.wiring.layered([1, 1], rng=0)
        run = net.fit([[1.0]], [[1.0]], rng=0)
        before = (saved / "run.json").read_bytes()
        with pytest.raises(FileError, match=r"there is a run in .* already; .*overwrite=True"):
            run.save(saved)
        assert (saved / "run.json").read_bytes() == before

    def test_overwritten(self, saved: Path, tmp_path: Path) -> None:
        folder = Path(shutil.copytree(saved, tmp_path / "copy"))
        net = ns.wiring.layered([1, 1], rng=0)
        net.fit([[1.0]], [[1.0]], rng=0).save(folder, overwrite=True)
        assert ns.load_run(folder).network.n_inputs == 1

    def test_none_there(self, tmp_path: Path) -> None:
        with pytest.raises(FileError, match=r"there is no run in .*run\.save"):
            ns.load_run(tmp_path)
        (tmp_path / "run.json").write_text('{"kind": "another"}')
        with pytest.raises(FileError, match="is no run of neuronsim"):
            ns.load_run(tmp_path)
        (tmp_path / "run.json").write_text('{"kind": "neuronsim run", "format": 99}')
        with pytest.raises(FileError, match="its format is 99"):
            ns.load_run(tmp_path)
        (tmp_path / "file").write_text("")
        with pytest.raises(FileError):
            ns.wiring.layered([1, 1], rng=0).fit([[1.0]], [[1.0]], rng=0).save(tmp_path / "file")

    @pytest.mark.parametrize("name", ["network", "start", "states", "data"])
    def test_a_flipped_bit_anywhere(self, name: str, saved: Path, tmp_path: Path) -> None:
        folder = Path(shutil.copytree(saved, tmp_path / "copy"))
        path = folder / f"{name}.safetensors"
        content = path.read_bytes()
        for place in np.linspace(0, len(content) - 1, 25).astype(int).tolist():
            path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
            with pytest.raises(FileError, match="missing or damaged"):
                ns.load_run(folder)
        path.unlink()
        with pytest.raises(FileError, match="missing or damaged"):
            ns.load_run(folder)

    def test_every_key_forged(self, saved: Path, tmp_path: Path) -> None:
        """Whatever stands in run.json, the error is one of ours."""
        folder = Path(shutil.copytree(saved, tmp_path / "copy"))
        facts: dict[str, Any] = json.loads((folder / "run.json").read_text())
        forged = [None, -1, 10**9, 1e300, "x", [], [1, "x"], {}, {"name": "x"}, True, "gone"]
        ended = 0
        places = [(key,) for key in facts] + [("session", key) for key in facts["session"]]
        for place in places:
            for value in forged:
                changed = copy.deepcopy(facts)
                table = changed["session"] if len(place) == 2 else changed
                if value == "gone":
                    del table[place[-1]]
                else:
                    table[place[-1]] = value
                (folder / "run.json").write_text(json.dumps(changed))
                try:
                    ns.load_run(folder).at(0)
                except NeuronsimError:
                    ended += 1
                except Exception as problem:
                    raise AssertionError(f"{place} = {value!r}: {problem!r}") from problem
        assert ended > 5 * len(places)

    def test_what_is_not_registered(self, tmp_path: Path) -> None:
        net = ns.wiring.layered([1, 1], rng=0)
        folder = net.fit([[1.0]], [[1.0]], rng=0).save(tmp_path / "run")
        text = (folder / "run.json").read_text()
        (folder / "run.json").write_text(text.replace('"half_squared_error"', '"of_mine"'))
        with pytest.raises(FileError, match=r"'of_mine' is not registered here; ns\.losses\.register"):
            ns.load_run(folder)
