"""`neuronsim new`: a file that runs as it is, and of which every commented key may be used."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from neuronsim import data, experiment
from neuronsim.data.sets import DATA_SETS
from neuronsim.errors import DataError, FileError, SettingError
from neuronsim.experiment import keys
from neuronsim.experiment.template import written

COMMENTED = re.compile(r"^#(?=[a-z_]+ = )", re.MULTILINE)
OTHER = "# Or, instead"


@pytest.fixture
def text(tmp_path: Path) -> str:
    experiment.new(tmp_path / "new.toml")
    return (tmp_path / "new.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", DATA_SETS)
def test_fits_each_data_set(tmp_path: Path, name: str) -> None:
    experiment.new(tmp_path / "new.toml", name)
    plan = experiment.read(tmp_path / "new.toml", ["training.epochs=1"])
    outcome = experiment.run(plan, tmp_path / "out")
    assert outcome.n_steps > 0
    assert (outcome.test_loss is not None) == (len(data.load(name).X) >= 40)


@pytest.mark.parametrize("wiring", keys.WIRINGS)
def test_fits_each_wiring(tmp_path: Path, wiring: str) -> None:
    experiment.new(tmp_path / "new.toml", wiring=wiring)
    net = experiment.read(tmp_path / "new.toml").build_network()
    assert (net.n_inputs, net.n_outputs) == (2, 2)


def test_learns(tmp_path: Path) -> None:
    experiment.new(tmp_path / "new.toml")
    outcome = experiment.run(experiment.read(tmp_path / "new.toml"), tmp_path / "out")
    assert outcome.test_accuracy is not None
    assert outcome.test_accuracy > 0.95


def test_a_csv_file(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,b,t\n0,1,1\n1,1,0\n1,0,1\n")
    (tmp_path / "deep").mkdir()
    experiment.new(tmp_path / "deep" / "new.toml", str(tmp_path / "table.csv"))
    plan = experiment.read(tmp_path / "deep" / "new.toml")
    assert plan.settings["network"]["sizes"] == [2, 16, 1]
    assert experiment.run(plan, tmp_path / "out").n_samples == 3
    experiment.new(tmp_path / "classes.toml", str(tmp_path / "table.csv"), targets=["t"], classes=True)
    assert experiment.read(tmp_path / "classes.toml").build_network().n_outputs == 2


def test_every_key_is_there(text: str) -> None:
    every = [*keys.NETWORK_FILE, *keys.wiring_keys("layered"), *keys.set_keys("moons"), *keys.CSV, *keys.IDX]
    for key in [keys.TOP[0], *every, *keys.TRAINING, *keys.TRACE]:
        assert re.search(rf"^#?{key.name} = ", text, re.MULTILINE), key.name
    for kind in keys.OBJECTS.values():
        for name in kind.classes:
            assert f'#{kind.key} = {{ {kind.chooser} = "{name}"' in text
    assert max(map(len, text.splitlines())) < 120


def test_each_comment_may_become_a_setting(text: str, tmp_path: Path) -> None:
    """A key uncommented replaces the live one of its name; those of other sources go with the live one out."""
    places = [match.start() for match in COMMENTED.finditer(text)]
    assert len(places) > 50
    read = 0
    for place in places:
        before, after = text[:place], text[place + 1 :]
        name = after.partition(" ")[0]
        block = before.rpartition("\n\n")[2]
        if OTHER in block:
            continue
        if "#[trace]" in block:
            before = before.replace("#[trace]", "[trace]")
            before = before if name == "watch" else before.replace("#watch", "watch")
        head, table, inside = before.rpartition("\n[")
        inside = re.sub(rf"^{name} = .*\n", "", inside, flags=re.MULTILINE)
        (tmp_path / "one.toml").write_text(head + table + inside + after, encoding="utf-8")
        setting = tomllib.loads(after.partition("\n")[0])
        settings = experiment.read(tmp_path / "one.toml").settings
        assert any(setting.items() <= part.items() for part in settings.values() if isinstance(part, dict)), name
        read += 1
    assert read > 40


@pytest.mark.parametrize("source", ["csv", "train"])
def test_other_sources_may_be_used(text: str, source: str, tmp_path: Path) -> None:
    block = next(part for part in text.split("\n\n") if OTHER in part and f"#{source} = " in part)
    used = f'[network]\nwiring = "layered"\nsizes = [2, 1]\n[data]\n{COMMENTED.sub("", block)}'
    (tmp_path / "other.toml").write_text(used, encoding="utf-8")
    assert source in experiment.read(tmp_path / "other.toml").settings["data"]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "new.toml"
    path.write_text("mine")
    with pytest.raises(FileError, match="is there already"):
        experiment.new(path)
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("text", "given", "message"),
    [
        ("a,kind\n1,cat\n2,cat\n3,cat\n", {"classes": True}, "of class 'cat': there is nothing to tell apart"),
        ("a,t\n1,5\n2,5\n3,5\n", {}, "target 't' is 5 in all 3 samples"),
    ],
)
def test_what_a_run_would_refuse(tmp_path: Path, text: str, given: dict, message: str) -> None:
    (tmp_path / "d.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        experiment.new(tmp_path / "new.toml", str(tmp_path / "d.csv"), **given)
    assert not (tmp_path / "new.toml").exists()


def test_a_line_of_names_that_are_numbers(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("2023,2024\n1,5\n2,6\n")
    experiment.new(tmp_path / "new.toml", str(tmp_path / "d.csv"), header=True)
    assert "\nheader = true\n" in (tmp_path / "new.toml").read_text()
    assert experiment.run(experiment.read(tmp_path / "new.toml"), tmp_path / "out").n_samples == 2


def test_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "new.toml"
    with pytest.raises(SettingError, match="did you mean 'moons'"):
        experiment.new(path, "mons")
    with pytest.raises(SettingError, match="did you mean 'layered'"):
        experiment.new(path, wiring="layerd")
    with pytest.raises(FileError):
        experiment.new(path, str(tmp_path / "none.csv"))
    assert not path.exists()


@pytest.mark.parametrize(("value", "text"), [(1e9, "1e+09"), (0.01, "0.01"), (50.0, "50.0"), (True, "true")])
def test_numbers_are_short(value: Any, text: str) -> None:
    assert written(value) == text
    assert tomllib.loads(f"v = {text}")["v"] == value
