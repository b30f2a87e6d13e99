"""A run directory in the place of a network: raw samples are scaled as its table was; nothing is written over."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuronsim as ns
from neuronsim import experiment
from neuronsim.commands import main as cli

CLASSES = """\
seed = 0
network = { wiring = "layered", sizes = [2, 3, 2], output = "softmax" }
data = { csv = "homes.csv", targets = ["kind"], classes = true, scale = "standardize" }
training = { epochs = 2 }
"""
NUMBERS = """\
seed = 0
network = { wiring = "layered", sizes = [1, 3, 1], output = "identity" }
data = { csv = "homes.csv", targets = ["area"], features = ["rooms"], scale_targets = "minmax" }
training = { epochs = 2 }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs, of classes and of numbers."""
    monkeypatch.chdir(tmp_path)
    rows = [f"{40 + k},{'flat' if k < 30 else 'house'},{1 + k % 4}" for k in range(60)]
    Path("homes.csv").write_text("\n".join(["area,kind,rooms", *rows]))
    for name, text in (("kinds", CLASSES), ("areas", NUMBERS)):
        Path(f"{name}.toml").write_text(text)
        experiment.run(experiment.read(f"{name}.toml"), name)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, str]:
    """What a command that works writes on both streams."""
    assert cli.main(arguments) == 0
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_raw_samples_are_scaled(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = ns.load_run("kinds")
    assert run.columns is not None
    x = run.columns.samples([[70.0, 2.0]])[0]
    out, err = said(capsys, "explain", "kinds", "--x", "70,2", "--t", "house")
    scaled = ",".join(map(repr, x.tolist()))
    assert f"as kinds scales its table: area = {x[0]:.6g}, rooms = {x[1]:.6g}; kind = house (class 1)" in err
    by_hand, note = said(capsys, "explain", "kinds/network.safetensors", f"--x={scaled}", "--t", "1")
    assert out == by_hand
    assert "samples are taken as they are; kinds scales its table" in note
    areas = ns.load_run("areas")
    assert areas.columns is not None
    out, err = said(capsys, "explain", "areas", "--x", "2", "--t", "69.5")
    assert "rooms = 2; area = 0.5" in err
    assert "0.5" in out


def test_a_class_that_is_not_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", "kinds", "--x", "70,2", "--t", "hous"]) == 3
    assert "no class 'hous'; did you mean 'house'?; classes: flat, house" in capsys.readouterr().err
    ns.wiring.layered([2, 1], rng=0).save("net.json")
    assert cli.main(["explain", "net.json", "--x", "70,2", "--t", "house"]) == 3
    assert "class names are known of a run directory alone" in capsys.readouterr().err


def test_check_takes_the_table_as_it_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("kinds", "areas"):
        facts = json.loads(said(capsys, "check", name, "--data", "homes.csv", "--json")[0])
        run = experiment.again(experiment.read(f"{name}.toml"))[1]
        X, T = run.replay.X[:10], run.replay.T[:10]
        expected = ns.load_run(name).network.check(X, T).as_dict()
        assert facts == json.loads(json.dumps(expected))
    assert cli.main(["check", "areas", "--data", "homes.csv", "--features", "rooms", "--targets", "area"]) == 0


def test_pictures_and_facts_of_a_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "draw", "kinds")[0].strip() == "kinds.png"
    assert said(capsys, "draw", "areas", "--x", "2", "--t", "69.5")[0].strip() == "areas.png"
    assert said(capsys, "info", "kinds")[0] == said(capsys, "info", "kinds/network.safetensors")[0]


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (["draw", "kinds"], ["kinds.png"]),
        (["draw", "kinds", "-o", "mine.svg"], ["mine.svg"]),
        (["predict", "kinds", "homes.csv", "-o", "mine.csv"], ["mine.csv"]),
        (["report", "kinds.toml", "-o", "mine.html"], ["mine.html"]),
        (["compare", "kinds", "areas", "-o", "."], ["comparison.html", "comparison.png"]),
    ],
)
def test_nothing_is_written_over_unasked(
    folder: Path, arguments: list[str], files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for file in files:
        Path(file).write_text("work of days")
        assert cli.main(arguments) == 3
        assert f"{file} is there already; give another name with -o" in capsys.readouterr().err
        assert Path(file).read_text() == "work of days"
        assert cli.main([*arguments, "--overwrite"]) == 0
        assert Path(file).read_bytes() != b"work of days"
        Path(file).unlink()


def test_never_over_what_is_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["predict", "kinds", "homes.csv", "-o", "homes.csv"],
        ["report", "kinds.toml", "-o", "kinds.toml"],
    ):
        before = Path(arguments[-1]).read_bytes()
        assert cli.main([*arguments, "--overwrite"]) == 3
        assert "is what is to be read" in capsys.readouterr().err
        assert Path(arguments[-1]).read_bytes() == before


def test_a_first_line_of_numbers_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("years.csv").write_text("2019,2020,2021\n1,2,3\n2,3,5\n3,4,6\n")
    assert cli.main(["new", "a.toml", "--data", "years.csv"]) == 0
    assert "the first line of years.csv holds numbers, and is taken as data" in capsys.readouterr().err
    for arguments in (
        ["--data", "years.csv", "--header", "yes"],
        ["--data", "homes.csv", "--features", "rooms,area", "--classes", "--targets", "kind"],
        [],
    ):
        Path("b.toml").unlink(missing_ok=True)
        assert cli.main(["new", "b.toml", *arguments]) == 0
        assert capsys.readouterr().err == ""


def test_advice_of_predict_is_for_the_cell(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("new.csv").write_text("area;rooms\n70,5;2\n")
    assert cli.main(["predict", "kinds", "new.csv", "--delimiter", ";"]) == 3
    message = capsys.readouterr().err
    assert "with a point: 70.5" in message
    assert "classes" not in message


def test_desired_by_name_and_by_number(folder: Path) -> None:
    columns: Any = ns.load_run("kinds").columns
    assert (columns.desired("house"), columns.desired(0)) == (1, 0)
    np.testing.assert_array_equal(ns.load_run("areas").columns.desired([40.0]), [0.0])  # type: ignore[union-attr]
