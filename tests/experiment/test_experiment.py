"""Experiment files: checked word by word, run, and run again from what a run wrote."""

import csv
import inspect
import json
import struct
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open

import neuronsim as ns
from neuronsim import data, experiment, wiring
from neuronsim.errors import DataError, FileError, SettingError
from neuronsim.experiment.format import TRAINING
from neuronsim.experiment.preparation import prepare
from neuronsim.experiment.tomltext import toml_text
from neuronsim.formulas import optimizers, schedules
from neuronsim.network import Network
from neuronsim.storage import load
from neuronsim.training import stop

XOR = """
seed = 3
[network]
wiring = "layered"
sizes = [2, 3, 1]
activation = "tanh"
[data]
name = "xor"
[training]
learning_rate = 0.5
epochs = 4
"""


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(text: str = XOR, **replacements: str) -> Path:
        for old, new in replacements.items():
            text = text.replace(old, new)
        path = tmp_path / "xor.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def idx(path: Path, array: np.ndarray) -> None:
    code = {"uint8": 8, "float32": 0x0D}[array.dtype.name]
    head = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    path.write_bytes(head + array.astype(array.dtype.newbyteorder(">")).tobytes())


class TestReading:
    def test_settings_become_arguments(self, write: Any) -> None:
        plan = experiment.read(write())
        assert plan.seed == 3
        assert plan.name == "xor"
        assert plan.fit_arguments() == {"rng": 3, "learning_rate": 0.5, "epochs": 4}
        net = plan.build_network()
        expected = wiring.layered([2, 3, 1], rng=3)
        assert (net.seed, net.n_edges) == (expected.seed, expected.n_edges)

    def test_the_command_line_wins(self, write: Any) -> None:
        overrides = ["training.epochs=9", "training.optimizer=adam", "network.sizes=[2, 5, 1]", "data.scale='minmax'"]
        plan = experiment.read(write(), overrides, seed=8)
        assert plan.seed == 8
        assert plan.settings["training"] == {"learning_rate": 0.5, "epochs": 9, "optimizer": "adam"}
        assert plan.settings["network"]["sizes"] == [2, 5, 1]
        assert plan.settings["data"]["scale"] == "minmax"

    def test_a_table_can_come_from_the_command_line_alone(self, write: Any) -> None:
        path = write(XOR.partition("[training]")[0])
        assert experiment.read(path).fit_arguments() == {"rng": 3}
        assert experiment.read(path, ["training.epochs=2"]).fit_arguments()["epochs"] == 2

    def test_without_a_seed_one_is_drawn_and_kept(self, write: Any) -> None:
        path = write(XOR.replace("seed = 3", ""))
        assert experiment.read(path).seed != experiment.read(path).seed

    def test_text_stays_text(self, write: Any, tmp_path: Path) -> None:
        path = write(XOR.replace('name = "xor"', 'csv = "a.csv"\ntargets = ["t"]'))
        assert experiment.read(path, ["data.csv=2024"]).settings["data"]["csv"] == "2024"

    def test_paths_on_the_command_line_are_the_user_s(
        self, write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "elsewhere" / "digits").mkdir(parents=True)
        monkeypatch.chdir(tmp_path / "elsewhere")
        path = write(XOR.replace('name = "xor"', 'csv = "a.csv"\ntargets = ["t"]'))
        settings = experiment.read(path, ["data.directory=digits"]).settings
        assert settings["data"]["directory"] == str(tmp_path / "elsewhere" / "digits")
        assert experiment.read(path, ["data.directory=x"]).settings["data"]["directory"] == "x"

    def test_objects_from_tables(self, write: Any) -> None:
        plan = experiment.read(
            write(),
            [
                'training.optimizer={ name = "adam", beta1 = 0.8 }',
                'training.learning_rate={ schedule = "cosine", rate = 0.1, total = 20 }',
                'training.stop=[{ name = "plateau", patience = 3 }, { name = "seconds", limit = 60 }]',
                "training.batch_size=all",
            ],
        )
        arguments = plan.fit_arguments()
        assert arguments["optimizer"] == optimizers.Adam(beta1=0.8)
        assert arguments["learning_rate"] == schedules.Cosine(0.1, 20)
        assert arguments["stop"] == (stop.Plateau(3), stop.Seconds(60))
        assert arguments["batch_size"] is None

    def test_every_wiring_can_be_asked_for(self, write: Any) -> None:
        sizes = "sizes = [2, 3, 1]"
        for name, arguments in {
            "layered": sizes,
            "shortcut": sizes,
            "sparse_layered": sizes + "\ndensity = 0.9",
            "small_world": sizes + "\nneighbours = 2",
            "random_dag": "n_inputs = 2\nn_hidden = 5\nn_outputs = 1\nin_degree = 2",
            "from_edges": "n_neurons = 3\nsources = [0, 1]\nsinks = [2, 2]\ninputs = [0, 1]\noutputs = [2]",
        }.items():
            path = write(XOR.replace('"layered"', f'"{name}"').replace(sizes, arguments))
            assert experiment.read(path).build_network().n_inputs == 2
        assert set(wiring.__all__) >= {
            "layered",
            "shortcut",
            "sparse_layered",
            "small_world",
            "random_dag",
            "from_edges",
        }

    def test_a_file_can_say_whatever_fit_takes(self) -> None:
        fit = set(inspect.signature(Network.fit).parameters)
        live = {"self", "X", "T", "progress", "monitors", "snapshots", "checkpoint", "resume"}
        assert set(TRAINING) == fit - live

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("epochs", "epcohs", "unknown key 'training.epcohs'; did you mean 'epochs'"),
            ("epochs = 4", 'epochs = "four"', r"training.epochs is 'four' \(a string\); it must be a whole number"),
            ("epochs = 4", "epochs = 4.5", "it must be a whole number"),
            ("epochs = 4", "epochs = true", "it must be a whole number"),
            ("epochs = 4", "batch_size = 'most'", "a whole number or one of 'all'"),
            ("epochs = 4", "stop = [3]", "training.stop"),
            ("epochs = 4", "checkpoint = 'x'", "training.checkpoint is not possible"),
            ("learning_rate = 0.5", "learning_rate = '0.5'", "it must be a number or a table"),
            ("[training]", "[trianing]", "unknown key 'trianing'; did you mean 'training'"),
            ("[training]", "[trace]\nwach = ['y*']\n[training]", "unknown key 'trace.wach'; did you mean 'watch'"),
            ("[training]", "[trace]\nevery = 5\n[training]", "trace lacks 'watch'"),
            ("[training]", "[trace]\nwatch = ['y*']\nfields = ['w']\n[training]", "'w' is a field of edges"),
            ("[training]", "[trace]\nwatch = ['y*']\nevery = 0\n[training]", "every=0"),
            ("[training]", "[sweep]\n[training]", r"\[sweep\]: .* is not possible in this version"),
            ("seed = 3", "seed = 'x'", "seed is 'x'"),
            ("seed = 3", "seed = -1", "negative"),
            ("seed = 3", "sede = 3", "unknown key 'sede'; did you mean 'seed'"),
            ('"layered"', '"layerd"', "unknown network.wiring 'layerd'; did you mean 'layered'"),
            ("sizes", "szies", "unknown key 'network.szies'; did you mean 'sizes'"),
            ("sizes = [2, 3, 1]", "", "network lacks 'sizes'"),
            ("sizes = [2, 3, 1]", "sizes = [2, 'x']", "it must be a list, each item a whole number"),
            ("sizes = [2, 3, 1]", "sizes = 2", "it must be a list"),
            ('wiring = "layered"', "", "network lacks what to build"),
            ('wiring = "layered"', 'file = "net.json"', "unknown key 'network.sizes'"),
            ('activation = "tanh"', "activation = 3", "network.activation is 3"),
            ('activation = "tanh"', "dtype = 32", "network.dtype is 32"),
            ('name = "xor"', 'name = "xro"', "unknown data set 'xro'; did you mean 'xor'"),
            ('name = "xor"', "", "one of name, csv and train .*none is given"),
            ('name = "xor"', 'name = "xor"\ncsv = "d.csv"', "name and csv are given"),
            ('name = "xor"', 'name = "xor"\nnoise = 1', "unknown key 'data.noise'"),
            ('name = "xor"', 'name = "moons"\nnoise = "1"', "data.noise is '1'"),
            ('name = "xor"', 'name = "xor"\nscale = "minimax"', "unknown data.scale 'minimax'; did you mean 'minmax'"),
            ('name = "xor"', 'train = { images = "a" }', "data.train lacks 'labels'"),
            ('name = "xor"', 'train = { images = "a", lables = "b" }', "'data.train.lables'; did you mean 'labels'"),
        ],
    )
    def test_errors_name_the_key(self, write: Any, old: str, new: str, message: str) -> None:
        assert old in XOR
        with pytest.raises(SettingError, match=message):
            experiment.read(write(XOR.replace(old, new)))

    @pytest.mark.parametrize(
        ("table", "message"),
        [
            ({"optimizer": {"name": "adma"}}, "unknown optimizer 'adma'; did you mean 'adam'"),
            ({"optimizer": {"name": "adam", "beta3": 1}}, "unknown key 'training.optimizer.beta3'"),
            ({"stop": {"name": "plateau"}}, "training.stop lacks 'patience'"),
            ({"learning_rate": {"schedule": "cosin"}}, "unknown schedule 'cosin'; did you mean 'cosine'"),
        ],
    )
    def test_errors_in_tables_of_objects(self, write: Any, table: dict[str, Any], message: str) -> None:
        plan = experiment.read(write())
        plan.settings["training"] = table
        with pytest.raises(SettingError, match=message):
            plan.fit_arguments()

    def test_files_that_are_none(self, tmp_path: Path, write: Any) -> None:
        with pytest.raises(FileError, match="there is no experiment file"):
            experiment.read(tmp_path / "none.toml")
        with pytest.raises(FileError, match="cannot be read"):
            experiment.read(tmp_path)
        with pytest.raises(FileError, match="no valid TOML"):
            experiment.read(write("seed = "))

    @pytest.mark.parametrize("override", ["training.epochs", "=3", "training.=3", "seed.x=3"])
    def test_overrides_that_are_none(self, write: Any, override: str) -> None:
        with pytest.raises(SettingError, match="--set"):
            experiment.read(write(), [override])


class TestData:
    @staticmethod
    def prepare(table: dict[str, Any], folder: Path, validation: Any = None, dtype: str = "float64") -> Any:
        return prepare(table, folder, seed=3, dtype=np.dtype(dtype), validation=validation)

    def test_scaling_learns_from_the_training_data_alone(self, tmp_path: Path) -> None:
        table = {"name": "moons", "n": 40, "noise": 0.1, "test": 0.25, "scale": "standardize"}
        prepared = self.prepare(table, tmp_path, validation=0.2).data
        np.testing.assert_allclose(prepared.X.mean(0), 0, atol=1e-14)
        np.testing.assert_allclose(prepared.X.std(0), 1)
        assert len(prepared.X) == 24
        assert len(prepared.X_test) == 10

    def test_targets_can_be_scaled(self, tmp_path: Path) -> None:
        data_ = self.prepare({"name": "fever", "scale": "minmax", "scale_targets": "minmax"}, tmp_path).data
        assert (data_.T.min(), data_.T.max()) == (0, 1)
        with pytest.raises(SettingError, match="class numbers stay"):
            self.prepare({"name": "moons", "scale_targets": "minmax"}, tmp_path)

    def test_what_is_looked_at_after_each_epoch(self, tmp_path: Path) -> None:
        table = {"name": "moons", "n": 40, "test": 0.25}
        assert len(self.prepare(table, tmp_path).validation[0]) == 10
        assert len(self.prepare(table, tmp_path, validation=True).validation[0]) == 10
        assert self.prepare(table, tmp_path, validation=False).validation is None
        held_out = self.prepare(table, tmp_path, validation=0.1)
        assert len(held_out.validation[0]) == 3
        assert len(held_out.data.X) == 27
        assert self.prepare({"name": "moons"}, tmp_path).validation is None
        with pytest.raises(SettingError, match="needs test data"):
            self.prepare({"name": "moons"}, tmp_path, validation=True)
        with pytest.raises(SettingError, match="between 0 and 1"):
            self.prepare({"name": "moons", "test": 1}, tmp_path)

    def test_generated_sets_take_the_experiment_s_seed(self, tmp_path: Path) -> None:
        found = self.prepare({"name": "moons", "noise": 0.2}, tmp_path).data
        np.testing.assert_array_equal(found.X, data.load("moons", noise=0.2, rng=3).X)

    def test_csv(self, tmp_path: Path) -> None:
        (tmp_path / "d").mkdir()
        (tmp_path / "d" / "a.csv").write_text("a,t\n1,2\n3,4\n")
        (tmp_path / "d" / "b.csv").write_text("a,t\n5,6\n")
        table = {"csv": "a.csv", "directory": "d", "targets": ["t"], "test": "b.csv"}
        found = self.prepare(table, tmp_path).data
        assert (found.X.tolist(), found.T.tolist()) == ([[1], [3]], [[2], [4]])
        assert (found.X_test.tolist(), found.T_test.tolist()) == ([[5]], [[6]])

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_images(self, tmp_path: Path, dtype: str) -> None:
        pixels = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
        idx(tmp_path / "images", pixels)
        idx(tmp_path / "labels", np.array([0, 1, 2, 1], np.uint8))
        files = {"images": "images", "labels": "labels"}
        found = self.prepare({"train": files, "test": files, "scale": "images"}, tmp_path, dtype=dtype).data
        assert found.X.dtype == dtype
        np.testing.assert_array_equal(found.X, (pixels.reshape(4, 64) / 255).astype(dtype))
        assert found.T_test.tolist() == [0, 1, 2, 1]

    def test_images_that_do_not_fit(self, tmp_path: Path) -> None:
        idx(tmp_path / "images", np.zeros((2, 2, 2), np.uint8))
        idx(tmp_path / "wide", np.zeros((2, 3), np.uint8))
        idx(tmp_path / "labels", np.zeros(2, np.uint8))
        idx(tmp_path / "few", np.zeros(1, np.uint8))
        idx(tmp_path / "real", np.zeros(2, np.float32))
        good = {"images": "images", "labels": "labels"}
        for train, test, message in (
            (good | {"labels": "few"}, good, "images has 2 samples, few has 1"),
            (good | {"labels": "real"}, good, "real holds 1-dimensional float32"),
            (good | {"labels": "images"}, good, "3-dimensional"),
            (good, good | {"images": "wide"}, "test images have 3 numbers, those to train on 4"),
        ):
            with pytest.raises(DataError, match=message):
                self.prepare({"train": train, "test": test}, tmp_path)
        with pytest.raises(FileError, match="there is no file"):
            self.prepare({"train": good | {"images": "none"}}, tmp_path)


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


scalars = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
rows = st.lists(scalars, max_size=3)
values = scalars | rows | st.dictionaries(st.text('ab .-é"', max_size=3), scalars | rows, max_size=3)


@given(st.dictionaries(st.text('abc_-. "é', max_size=4), values, max_size=5))
def test_toml_comes_back(table: dict[str, Any]) -> None:
    assert tomllib.loads(toml_text(table)) == table


def test_toml_reads_well() -> None:
    text = toml_text({"seed": 1, "a": {"x": [1, 2.5, "y"], "none": None, "deep": {"z": True}}})
    assert text == 'seed = 1\n\n[a]\nx = [1, 2.5, "y"]\n\n[a.deep]\nz = true\n'
    with pytest.raises(TypeError, match="TOML has no complex"):
        toml_text({"x": 1j})


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

    def test_edges(self, write: Any) -> None:
        watch = experiment.read(write(XOR + "[trace]\nwatch = [['x*', 'h1.1']]\nsteps = 'log'\n")).monitor()
        assert watch is not None
        assert watch.fields == ("w", "gradient", "dw")
