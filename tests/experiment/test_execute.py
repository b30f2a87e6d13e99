"""An experiment run, and run again from what a run wrote."""

import csv
import errno
import json
import os
import signal
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from experiments import XOR
from safetensors import safe_open

import neuronsim as ns
from neuronsim import data, experiment, wiring
from neuronsim.experiment import keys
from neuronsim.storage import load


class TestRunning:
    def test_same_bits_as_the_python_calls(self, write: Any, tmp_path: Path) -> None:
        outcome = experiment.run(experiment.read(write()), tmp_path / "out")
        net = wiring.layered([2, 3, 1], activation="tanh", rng=3)
        run = net.fit(*data.load("xor"), learning_rate=0.5, epochs=4, rng=3)
        trained = load(tmp_path / "out" / "network.safetensors")
        assert trained.weights.tobytes() == net.weights.tobytes()
        assert trained.biases.tobytes() == net.biases.tobytes()
        assert outcome.loss == run.history["loss"][-1]
        assert (outcome.status, outcome.epochs, outcome.n_steps) == ("finished", 4, 16)

    def test_a_run_directory(self, write: Any, tmp_path: Path) -> None:
        out = tmp_path / "deep" / "out"
        experiment.run(experiment.read(write()), out)
        assert sorted(path.name for path in out.iterdir()) == [
            "checkpoint",
            "experiment.toml", "history.csv", "history.png", "network.safetensors",
        ]  # fmt: skip
        with (out / "history.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["epoch"] for row in rows] == ["0", "1", "2", "3"]
        assert (out / "history.png").read_bytes().startswith(b"\x89PNG")
        as_run = tomllib.loads((out / "experiment.toml").read_text())
        assert as_run["seed"] == 3
        assert set(as_run["versions"]) >= {"neuronsim", "python", "numba", "numpy"}

    def test_what_was_run_can_be_run_again(self, write: Any, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("a,b,t\n0,1,1\n1,1,0\n1,0,1\n")
        path = write(XOR.replace("seed = 3", "").replace('name = "xor"', 'csv = "a.csv"\ntargets = ["t"]'))
        first, again = tmp_path / "first", tmp_path / "deeper" / "again"
        experiment.run(experiment.read(path), first)
        experiment.run(experiment.read(first / "experiment.toml"), again)
        assert (first / "network.safetensors").read_bytes() == (again / "network.safetensors").read_bytes()

    def test_from_a_network_file(self, write: Any, tmp_path: Path) -> None:
        net = wiring.layered([2, 2, 1], rng=1)
        net.save(tmp_path / "net.json")
        path = write('network.file = "net.json"\ndata.name = "xor"\ntraining = { epochs = 2 }\nseed = 0')
        experiment.run(experiment.read(path), tmp_path / "out")
        net.fit(*data.load("xor"), epochs=2, rng=0)
        assert load(tmp_path / "out" / "network.safetensors").weights.tobytes() == net.weights.tobytes()

    def test_tested_on_what_was_not_trained_on(self, write: Any, tmp_path: Path) -> None:
        path = write(
            XOR.replace('name = "xor"', 'name = "moons"\ntest = 0.25')
            .replace("[2, 3, 1]", "[2, 3, 2]")
            .replace('"tanh"', '"tanh"\noutput = "softmax"')
        )
        outcome = experiment.run(experiment.read(path), tmp_path / "out")
        assert outcome.n_samples == 150
        assert outcome.test_accuracy is not None
        assert outcome.test_accuracy > 0.5
        assert "accuracy" in str(outcome)
        header = (tmp_path / "out" / "history.csv").read_text().splitlines()[0]
        assert header.split(",")[-2:] == ["val_loss", "val_accuracy"]

    def test_errors_in_the_unit_of_the_targets(self, write: Any, tmp_path: Path) -> None:
        """The loss of scaled targets has no unit that anybody knows."""
        rng = np.random.default_rng(0)
        x = rng.uniform(size=200)
        price, weight = 1000 + 500 * x + rng.normal(size=200), 3 - x
        rows = "\n".join(f"{a},{b},{c}" for a, b, c in zip(x, price, weight, strict=True))
        (tmp_path / "sales.csv").write_text(f"x,price,weight\n{rows}\n")
        outcome = {}
        for scale in ("standardize", "minmax"):
            data = f'csv = "sales.csv"\ntargets = ["price", "weight"]\ntest = 0.25\nscale_targets = "{scale}"'
            file = tmp_path / f"{scale}.toml"
            file.write_text(
                f'seed = 0\n[network]\nwiring = "layered"\nsizes = [1, 2]\noutput = "identity"\n[data]\n{data}\n'
                "[training]\nepochs = 200\nlearning_rate = 0.1\n"
            )
            outcome[scale] = experiment.run(experiment.read(file), tmp_path / scale)
            found = outcome[scale].test_rms_error
            assert found.keys() == {"price", "weight"}
            assert 0.8 < found["price"] < 1.6  # the noise
            assert found["weight"] < 0.01
            assert f"rms error: price {found['price']:.4g}, weight" in str(outcome[scale])
        assert outcome["minmax"].as_dict()["rms_error"]["price"] == pytest.approx(1.0, abs=0.4)

    def test_classes_have_no_such_error(self, write: Any, tmp_path: Path) -> None:
        file = tmp_path / "xor.toml"
        file.write_text('seed = 0\nnetwork = { wiring = "layered", sizes = [2, 3, 1] }\ndata.name = "xor"\n')
        assert experiment.run(experiment.read(file), tmp_path / "xor").rms_error is None


class TestTrace:
    @pytest.mark.parametrize("samples", ["", "samples = [2, 0]"])
    def test_what_was_watched_is_kept(self, write: Any, tmp_path: Path, samples: str) -> None:
        path = write(XOR + f"[trace]\nwatch = ['y*', 'h1.1']\nfields = ['y', 'b']\nevery = 5\n{samples}\n")
        plan = experiment.read(path)
        experiment.run(plan, tmp_path / "run")
        watch = ns.Monitor(["y*", "h1.1"], ["y", "b"], every=5, samples=[2, 0] if samples else None)
        X, T = (lambda d: (d.X, d.T))(data.load("xor"))
        plan.build_network().fit(X, T, monitors=watch, **plan.fit_arguments())
        with safe_open(tmp_path / "run" / "trace.safetensors", framework="numpy") as file:
            facts = json.loads(file.metadata()["neuronsim trace"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        assert facts["neurons"] == ["y0", "h1.1"]
        assert facts["samples"] == ([2, 0] if samples else None)
        assert arrays["step"].tolist() == watch.step.tolist() == [0, 5, 10, 15]
        np.testing.assert_array_equal(arrays["y"][:, 1], watch["h1.1"].y)
        np.testing.assert_array_equal(arrays["b"][:, 0], watch["y0"].b)


class TestTheDirectory:
    def test_a_run_that_is_there_is_kept(self, write: Any, tmp_path: Path) -> None:
        plan, out = experiment.read(write()), tmp_path / "out"
        experiment.run(plan, out)
        before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
        with pytest.raises(ns.errors.FileError, match=r"there is a run in .*out already.*--overwrite"):
            experiment.run(plan, out)
        assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
        other = experiment.read(write(), ["training.epochs=2"])
        experiment.run(other, out, overwrite=True)
        assert tomllib.loads((out / "experiment.toml").read_text())["training"]["epochs"] == 2

    @pytest.mark.parametrize("overwrite", [False, True])
    def test_a_refused_run_leaves_nothing_and_changes_nothing(
        self, write: Any, tmp_path: Path, overwrite: bool
    ) -> None:
        refused = experiment.read(write(XOR + "[trace]\nwatch = 'nobody'\n"))
        with pytest.raises(ns.errors.NeuronsimError, match="nobody"):
            experiment.run(refused, tmp_path / "deep" / "out", overwrite=overwrite)
        assert not (tmp_path / "deep").exists()
        experiment.run(experiment.read(write()), tmp_path / "good")
        before = {path: path.read_bytes() for path in (tmp_path / "good").rglob("*") if path.is_file()}
        with pytest.raises(ns.errors.NeuronsimError):
            experiment.run(refused, tmp_path / "good", overwrite=overwrite)
        assert {path: path.read_bytes() for path in (tmp_path / "good").rglob("*") if path.is_file()} == before

    def test_the_network_is_kept_where_the_rest_cannot_be(
        self, write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: Any, **__: Any) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(csv, "writer", full)
        with pytest.raises(ns.errors.FileError, match=r"No space left.*the trained network is kept in .*safetensors"):
            experiment.run(experiment.read(write()), tmp_path / "out")
        load(tmp_path / "out" / "network.safetensors")
        assert tomllib.loads((tmp_path / "out" / "experiment.toml").read_text())["seed"] == 3

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_after_training_waits_for_the_files(
        self, number: int, write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
    ) -> None:
        save = ns.Network.save
        earlier = signal.signal(number, signal.default_int_handler)  # whatever these tests were started from
        request.addfinalizer(lambda: signal.signal(number, earlier))

        def interrupted(net: ns.Network, path: Path) -> None:
            os.kill(os.getpid(), number)
            save(net, path)

        monkeypatch.setattr(ns.Network, "save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            experiment.run(experiment.read(write()), tmp_path / "out")
        assert {path.suffix for path in (tmp_path / "out").iterdir() if path.is_file()} == {
            ".toml",
            ".csv",
            ".png",
            ".safetensors",
        }


CLASSES = """
seed = 0
[network]
wiring = "layered"
sizes = [1, 4, 3]
output = "softmax"
[data]
csv = "train.csv"
targets = ["kind"]
classes = true
test = "test.csv"
[training]
epochs = 3
"""


class TestClasses:
    def test_a_table_with_names_becomes_a_trained_network(self, write: Any, tmp_path: Path) -> None:
        rows = [f"{k},{('dog', 'cat', 'eel')[k % 3]}" for k in range(30)]
        (tmp_path / "train.csv").write_text("\n".join(["a,kind", *rows]))
        (tmp_path / "test.csv").write_text("a,kind\n1,eel\n2,dog\n")  # numbered as in the training data
        outcome = experiment.run(experiment.read(write(CLASSES)), tmp_path / "out")
        net, Xt = load(tmp_path / "out" / "network.safetensors"), np.array([[1.0], [2.0]])
        assert outcome.test_loss == net.evaluate(Xt, [2, 1]).loss
        (tmp_path / "test.csv").write_text("a,kind\n1,ape\n2,dog\n")
        with pytest.raises(ns.errors.DataError, match=r"'ape'.*cat, dog, eel"):
            experiment.run(experiment.read(write(CLASSES)), tmp_path / "other")

    def test_a_stop_does_not_choose_by_the_test_data(self, write: Any, tmp_path: Path) -> None:
        stop = "stop = { rule = 'plateau', patience = 1, min_delta = 100.0, monitor = 'val_loss' }\n"
        path = write(
            XOR.replace('name = "xor"', 'name = "moons"\ntest = 0.25').replace("[2, 3, 1]", "[2, 3, 2]")
            .replace('"tanh"', '"tanh"\noutput = "softmax"') + stop.replace("rule", keys.OBJECTS["stop"].chooser)
        )  # fmt: skip
        outcome = experiment.run(experiment.read(path), tmp_path / "out")
        assert outcome.n_samples == 120  # of 150 that are not for the test
        assert outcome.status == "stopped"
        assert "val_loss has not got better" in str(outcome).splitlines()[0]


class TestRemarks:
    """What is wrong with a run that did not fail stands in its summary."""

    def test_targets_out_of_reach(self, write: Any, tmp_path: Path) -> None:
        table = XOR.replace('name = "xor"', 'csv = "a.csv"\ntargets = ["t"]')
        (tmp_path / "a.csv").write_text("a,b,t\n0,1,3\n1,1,0\n1,0,1\n0,0,-2\n")
        outcome = experiment.run(experiment.read(write(table)), tmp_path / "out")
        said = "output y0 is tanh, which gives −1 to 1, and targets go from −2 to 3: 2 samples of 4 cannot be met"
        assert outcome.remarks[0] == f'{said}; say output = "identity", or scale the targets'
        assert f"  remark   {said}" in str(outcome)
        assert outcome.as_dict()["remarks"] == outcome.remarks

    def test_a_loss_above_that_of_the_mean(self, write: Any, tmp_path: Path) -> None:
        wild = XOR.replace('activation = "tanh"', 'output = "identity"') + "\n"
        plan = experiment.read(write(wild), ["training.learning_rate=1e30", "training.epochs=1"])
        outcome = experiment.run(plan, tmp_path / "out")
        if outcome.status == "finished":
            assert "nothing has been learned yet" in outcome.remarks[-1]
        calm = experiment.run(experiment.read(write(XOR), ["training.epochs=2000"]), tmp_path / "calm")
        assert calm.loss < 0.1
        assert calm.remarks == ()

    def test_more_classes_than_outputs(self, write: Any, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("a,t\n0,cat\n1,dog\n2,cow\n")
        text = 'network = { wiring = "layered", sizes = [1, 2], output = "softmax" }\n'
        text += 'data = { csv = "a.csv", targets = ["t"], classes = true }\ntraining.epochs = 1\n'
        with pytest.raises(ns.errors.DataError, match=r"3 classes \(cat, cow, dog\), the network has 2 outputs"):
            experiment.run(experiment.read(write(text)), tmp_path / "out")

    def test_neurons_are_counted_with_their_inputs(self, write: Any, tmp_path: Path) -> None:
        outcome = experiment.run(experiment.read(write()), tmp_path / "out")
        assert "  network  6 neurons, 2 of them inputs; 13 parameters\n" in str(outcome)
        assert "  data     4 samples\n" in str(outcome)
