"""Experiment files read, and overridden from the command line."""

from pathlib import Path
from typing import Any

import pytest
from experiments import XOR

from neuronsim import experiment, wiring
from neuronsim.errors import FileError, SettingError
from neuronsim.formulas import optimizers, schedules
from neuronsim.training import stop


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

    def test_files_that_are_none(self, tmp_path: Path, write: Any) -> None:
        with pytest.raises(FileError, match="there is no experiment file"):
            experiment.read(tmp_path / "none.toml")
        with pytest.raises(FileError, match="cannot be read"):
            experiment.read(tmp_path)
        (tmp_path / "experiment.toml").write_text("")
        with pytest.raises(FileError, match=r"is a folder; the experiment of that run is .*experiment.toml"):
            experiment.read(tmp_path)
        with pytest.raises(FileError, match="no valid TOML"):
            experiment.read(write("seed = "))

    @pytest.mark.parametrize("override", ["training.epochs", "=3", "training.=3", "seed.x=3"])
    def test_overrides_that_are_none(self, write: Any, override: str) -> None:
        with pytest.raises(SettingError, match="--set"):
            experiment.read(write(), [override])


class TestTrace:
    def test_edges(self, write: Any) -> None:
        watch = experiment.read(write(XOR + "[trace]\nwatch = [['x*', 'h1.1']]\nsteps = 'log'\n")).monitor()
        assert watch is not None
        assert watch.fields == ("w", "gradient", "dw")
