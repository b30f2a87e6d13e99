"""A table with a header becomes a network that answers for raw rows, on another day too."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import neuronsim as ns
from neuronsim import experiment
from neuronsim.commands import main as cli
from neuronsim.errors import NotKnownError

FILE = """\
seed = 0
network = { wiring = "layered", sizes = [2, 6, 2], output = "softmax" }
data = { csv = "homes.csv", targets = ["kind"], classes = true, test = 0.25, scale = "standardize" }
training = { epochs = 40, learning_rate = 0.1 }
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{40 + k},{'flat' if k < 30 else 'house'},{1 + k % 4}" for k in range(60)]
    Path("homes.csv").write_text("\n".join(["area,kind,rooms", *rows]))
    Path("homes.toml").write_text(FILE)
    experiment.run(experiment.read("homes.toml"), "out")
    return tmp_path


def test_raw_rows_on_another_day(folder):
    frame = pd.DataFrame({"rooms": [1, 2], "area": [42.0, 95.0]}, index=["small", "large"])
    answers = ns.load_run("out").predict(frame)
    assert answers.index.tolist() == ["small", "large"]
    assert answers["kind"].tolist() == ["flat", "house"]
    np.testing.assert_allclose(answers["p(flat)"] + answers["p(house)"], 1.0)
    same = experiment.again(experiment.read("homes.toml"))[1].predict(frame)
    pd.testing.assert_frame_equal(answers, same)


def test_a_run_that_is_saved_keeps_its_columns(folder):
    run = experiment.again(experiment.read("homes.toml"))[1]
    run.save("kept", data=False)
    given = {"area": [42.0], "rooms": [3]}
    assert ns.load_run("kept").predict(given)["p(flat)"] == run.predict(given)["p(flat)"]


def test_targets_come_back_in_their_unit(folder):
    text = FILE.replace('"kind"', '"area"').replace("classes = true", 'features = ["rooms"], scale_targets = "minmax"')
    Path("area.toml").write_text(text.replace("[2, 6, 2]", "[1, 6, 1]").replace("softmax", "identity"))
    experiment.run(experiment.read("area.toml"), "area")
    assert 60 < ns.load_run("area").predict({"rooms": [2]})["area"][0] < 80


def test_the_command(folder, capsys):
    Path("new.csv").write_text("rooms,area,note\n1,42,\n2,95,big\n")
    assert cli.main(["predict", "out", "new.csv"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [row["kind"] for row in rows] == ["flat", "house"]
    assert cli.main(["predict", "out", "new.csv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == ["flat", "house"]
    assert cli.main(["predict", "out", "new.csv", "-o", "answers.csv"]) == 0
    assert Path("answers.csv").read_text().startswith("kind,p(flat),p(house)\nflat,")
    Path("bad.csv").write_text("rooms,are\n1,42\n")
    assert cli.main(["predict", "out", "bad.csv"]) == 3
    assert "no column 'area'" in capsys.readouterr().err


def test_a_run_without_a_table():
    run = ns.wiring.layered([2, 1], rng=0).fit(*ns.data.load("xor"), rng=0)
    with pytest.raises(NotKnownError, match="knows no columns"):
        run.predict([[0, 1]])
