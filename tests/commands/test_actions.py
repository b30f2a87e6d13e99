"""What each command does: its output, its files and its exit code."""

import json
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages import data_of
from PIL import Image

import neuronsim as ns
from neuronsim import wiring
from neuronsim.commands import main as cli
from neuronsim.errors import CheckError


class TestDraw:
    @pytest.fixture
    def file(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        ns.wiring.layered([2, 3, 1], rng=0).save("net.json")
        return "net.json"

    def test_a_network_file_becomes_a_picture_beside(self, file, tmp_path, capsys):
        assert cli.main(["draw", file]) == 0
        assert capsys.readouterr().out.strip() == "net.png"
        with Image.open(tmp_path / "net.png") as picture:
            assert picture.format == "PNG"

    def test_a_step_as_svg(self, file, tmp_path):
        before = (tmp_path / file).read_bytes()
        assert cli.main(["draw", file, "--x", "0.5,1", "--t", "1", "-o", "step.svg", "--color", "y"]) == 0
        assert "<svg" in (tmp_path / "step.svg").read_text()
        assert (tmp_path / file).read_bytes() == before

    def test_refused(self, file, tmp_path, capsys):
        assert cli.main(["draw", file, "--x", "0.5,1"]) == 2
        assert "--t" in capsys.readouterr().err
        assert cli.main(["draw", file, "-o", "net.xyz"]) == 2
        assert "xyz" in capsys.readouterr().err
        assert cli.main(["draw", file, "--color", "delt"]) == 3
        assert cli.main(["draw", "none.json"]) == 3
        assert not (tmp_path / "net.xyz").exists()


class TestReport:
    def test_a_run_directory(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file = tmp_path / "xor.toml"
        file.write_text(
            'seed = 0\nnetwork = { wiring = "layered", sizes = [2, 3, 1] }\ndata.name = "xor"\ntraining.epochs = 5\n'
        )
        assert cli.main(["run", str(file), "-o", str(tmp_path / "out")]) == 0
        capsys.readouterr()
        assert cli.main(["report", str(tmp_path / "out")]) == 0
        output = capsys.readouterr()
        assert output.out == f"{tmp_path / 'out' / 'report.html'}\n"
        assert "warning" not in output.err
        data = data_of(tmp_path / "out" / "report.html")
        net = ns.load(tmp_path / "out" / "network.safetensors")
        assert data["steps"][-1]["number"] == 19
        assert data["steps"][-1]["wa"] == net.weights.tolist()

    def test_an_experiment_file(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file = tmp_path / "xor.toml"
        file.write_text('seed = 0\nnetwork = { wiring = "layered", sizes = [2, 3, 1] }\ndata.name = "xor"\n')
        page = tmp_path / "page.html"
        assert (
            cli.main(
                ["report", str(file), "-o", str(page), "--steps", "0,2", "--neurons", "h*", "--title", "Xor", "--json"]
            )
            == 0
        )
        assert json.loads(capsys.readouterr().out)["page"] == str(page)
        assert [step["number"] for step in data_of(page)["steps"]] == [0, 2]
        assert "<title>Xor</title>" in page.read_text(encoding="utf-8")

    def test_says_where_the_run_came_out_otherwise(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file = tmp_path / "xor.toml"
        file.write_text('seed = 0\nnetwork = { wiring = "layered", sizes = [2, 3, 1] }\ndata.name = "xor"\n')
        assert cli.main(["run", str(file), "-o", str(tmp_path / "out")]) == 0
        net = ns.load(tmp_path / "out" / "network.safetensors")
        net.weights[0] += 1e-12
        net.save(tmp_path / "out" / "network.safetensors")
        capsys.readouterr()
        assert cli.main(["report", str(tmp_path / "out")]) == 0
        assert "came out otherwise" in capsys.readouterr().err

    def test_nothing_there(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["report", str(tmp_path)]) == 3
        assert "there is no experiment file" in capsys.readouterr().err
        assert cli.main(["report", str(tmp_path / "nothere")]) == 3
        assert "there is no run directory" in capsys.readouterr().err


XOR = """
seed = 0
network = { wiring = "layered", sizes = [2, 3, 1] }
data.name = "xor"
training = { epochs = 2 }
"""


@pytest.fixture
def xor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "xor.toml"
    path.write_text(XOR)
    return path


class TestNew:
    def test_the_file_runs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
        monkeypatch.chdir(tmp_path)
        assert cli.main(["new"]) == 0
        path, command = capsys.readouterr().out.splitlines()
        assert (path, command) == ("experiment.toml", "neuronsim run experiment.toml")
        assert cli.main([*command.split()[1:], "--set", "training.epochs=1"]) == 0
        assert cli.main(["new", "spirals.toml", "--data", "spirals", "--wiring", "random_dag", "--json"]) == 0
        assert '"experiment": "spirals.toml"' in capsys.readouterr().out

    def test_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
        monkeypatch.chdir(tmp_path)
        assert cli.main(["new"]) == 0
        before = Path("experiment.toml").read_bytes()
        assert cli.main(["new", "--data", "xor"]) == 3
        assert "is there already" in capsys.readouterr().err
        assert Path("experiment.toml").read_bytes() == before
        assert cli.main(["new", "none/a.toml"]) == 3


class TestRun:
    def test_writes_where_it_is_told(self, xor: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["run", str(xor), "-o", "out"]) == 0
        output = capsys.readouterr()
        assert output.out.startswith("finished after 2 epochs (8 steps)")
        assert Path("out", "network.safetensors").exists()

    def test_never_overwrites_unasked(self, xor: Path) -> None:
        for _ in range(3):
            assert cli.main(["run", str(xor)]) == 0
        assert sorted(path.name for path in Path("runs").iterdir()) == ["xor", "xor-2", "xor-3"]

    def test_json(self, xor: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["run", str(xor), "--json", "--seed", "5", "--set", "training.epochs=3"]) == 0
        outcome = json.loads(capsys.readouterr().out)
        assert outcome["seed"] == 5
        assert outcome["epochs"] == 3
        assert outcome["status"] == "finished"
        assert outcome["test_accuracy"] is None

    @pytest.mark.parametrize(
        ("extra", "code", "message"),
        [
            (["--set", "training.epcohs=3"], 3, "did you mean 'epochs'"),
            (["--set", "data.name=iriss"], 3, "did you mean 'iris'"),
            (["--set", "training.learning_rate=-1"], 3, "training.learning_rate is -1"),
            (["--set", "network.sizes=[3, 1]"], 3, "2 columns"),
            (["-o", "xor.toml/out"], 3, "xor.toml"),
        ],
    )
    def test_errors_are_one_sentence(
        self, xor: Path, extra: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.main(["run", str(xor), *extra]) == code
        output = capsys.readouterr()
        assert output.out == ""
        assert message in output.err
        assert output.err.splitlines()[-1].startswith("neuronsim: error: ")
        assert "Traceback" not in output.err

    def test_a_missing_file(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["run", "none.toml"]) == 3
        assert capsys.readouterr().err == "neuronsim: error: there is no experiment file none.toml\n"

    def test_divergence(self, xor: Path, capsys: pytest.CaptureFixture[str]) -> None:
        text = XOR.replace("epochs = 2", 'epochs = 200, learning_rate = 1e200, loss = "squared_error"')
        xor.write_text(text.replace("[2, 3, 1] }", '[2, 3, 1], activation = "identity" }'))
        assert cli.main(["run", str(xor), "-o", "out"]) == 4
        output = capsys.readouterr()
        assert "neuronsim: warning: " in output.err
        assert ".py" not in output.err
        assert output.out.startswith("diverged after")
        assert Path("out", "network.safetensors").exists()

    def test_interrupted(self, xor: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        def interrupt(*_: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("neuronsim.experiment.run", interrupt)
        assert cli.main(["run", str(xor)]) == 130
        assert capsys.readouterr().err.endswith("neuronsim: interrupted\n")

    def test_a_failed_check(self, xor: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: Any) -> None:
            raise CheckError("gradients differ")

        monkeypatch.setattr("neuronsim.experiment.run", fail)
        assert cli.main(["run", str(xor)]) == 1


@pytest.fixture
def l4(tmp_path: Path) -> str:
    """L4's 2-2-2 net, in a file."""
    net = wiring.layered([2, 2, 2], activation="sigmoid")
    net.weights[:] = [0.15, 0.20, 0.25, 0.30, 0.40, 0.45, 0.50, 0.55]
    net.biases[2:] = [0.35, 0.35, 0.60, 0.60]
    net.save(tmp_path / "l4.json")
    return str(tmp_path / "l4.json")


class TestExplain:
    SAMPLE = ("--x", "0.05,0.1", "--t", "0.01,0.99", "--learning-rate", "0.5")

    def test_a_neuron_an_edge_and_the_loss(self, l4: str, capsys: pytest.CaptureFixture[str]) -> None:
        before = Path(l4).read_bytes()
        for what, line in [
            (["h1.0"], "z                                =  0.3775"),
            (["h1.0", "y0"], "new     0.358916"),
            ([], "half_squared_error = 0.298371109"),
        ]:
            assert cli.main(["explain", l4, *what, *self.SAMPLE]) == 0
            assert line in capsys.readouterr().out
        assert Path(l4).read_bytes() == before

    @pytest.mark.parametrize(
        ("form", "begin", "end"),
        [
            ("--latex", "\\documentclass{article}\n", "\\end{document}\n"),
            ("--html", "<!DOCTYPE html>\n", "\n"),
            ("--json", "{\n", "}\n"),
            ("--worksheet", "neuron h1.0 (sigmoid) in step 0\n", "0.3456\n"),
        ],
    )
    def test_forms(self, l4: str, form: str, begin: str, end: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["explain", l4, "h1.0", *self.SAMPLE, form]) == 0
        out = capsys.readouterr().out
        assert out.startswith(begin)
        assert out.endswith(end)

    def test_a_worksheet_as_json_has_exact_answers(self, l4: str, capsys: pytest.CaptureFixture[str]) -> None:
        arguments = ["--worksheet", "--blanks", "2", "--digits", "3", "--json"]
        assert cli.main(["explain", l4, "h1.0", *self.SAMPLE, *arguments]) == 0
        found = json.loads(capsys.readouterr().out)
        assert len(found["answers"]) == 2
        assert "____(2)" in json.dumps(found["sheet"])

    def test_negative_numbers_and_digits(self, l4: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["explain", l4, "x0", "h1.0", "--x", "-1,.5", "--t", "-.5,1", "--digits", "2"]) == 0
        assert "0.15 · (−1)" in capsys.readouterr().out

    def test_a_class_number(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        wiring.layered([1, 3], output="softmax", rng=0).save(tmp_path / "net.json")
        assert cli.main(["explain", str(tmp_path / "net.json"), "y2", "--x", "1", "--t", "2"]) == 0
        assert "y − t (softmax with cross_entropy)" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("extra", "code", "message"),
        [
            (["h1.9"], 3, "no neuron 'h1.9'; did you mean"),
            (["h1.0", "h1.1"], 3, "no edge"),
            (["--loss", "cross"], 3, "unknown loss"),
            (["--blanks", "3"], 2, "--blanks goes with --worksheet"),
            (["--json", "--html"], 2, "--json goes with neither"),
            (["--digits", "0"], 2, "from 1 to 17"),
        ],
    )
    def test_errors(
        self, l4: str, extra: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.main(["explain", l4, *extra, *self.SAMPLE]) == code
        output = capsys.readouterr()
        assert output.out == ""
        assert message in output.err

    def test_a_wrong_sample_is_said(self, l4: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["explain", l4, "--x", "1", "--t", "0,1"]) == 3
        assert "the network has 2 inputs" in capsys.readouterr().err


class TestCheck:
    @pytest.fixture
    def data(self, tmp_path: Path) -> str:
        rows = np.random.default_rng(0).random((12, 4))
        lines = ["a,b,t0,t1", *(",".join(map(repr, row)) for row in rows.tolist())]
        (tmp_path / "d.csv").write_text("\n".join(lines))
        return str(tmp_path / "d.csv")

    def test_gradients(self, l4: str, data: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["check", l4, "--data", data]) == 0
        output = capsys.readouterr()
        assert output.out.startswith("12 gradients agree with central differences")
        assert "the first 10 of 12 samples are used; --rows takes more" in output.err
        assert cli.main(["check", l4, "--data", data, "--targets", "t0,t1", "--rows", "2", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["ok"] is True

    def test_a_wrong_gradient_fails(
        self, l4: str, data: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        from neuronsim.engine.engine import Engine

        right = Engine.parameter_gradients

        def wrong(*arguments: Any) -> Any:
            found = right(*arguments)
            found.weights[3] *= 1.5
            return found

        monkeypatch.setattr(Engine, "parameter_gradients", wrong)
        assert cli.main(["check", l4, "--data", data]) == 1
        assert capsys.readouterr().out.startswith("1 of 12 gradients differ")

    def test_the_step_of_another_program(
        self, l4: str, data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        from neuronsim import data as readers
        from neuronsim.storage import load

        net = load(l4)
        X, T = readers.read_csv(data, [-2, -1])
        after = str(tmp_path / "after.json")
        for reduction, code, rule in [("mean", 0, "right"), ("sum", 1, "summed instead of averaged")]:
            stepped = net.copy()
            stepped.fit(X, T, batch_size=None, learning_rate=0.5, reduction=reduction)
            stepped.save(after)
            arguments = ["check", l4, "--data", data, "--after", after, "--learning-rate", "0.5"]
            assert cli.main(arguments) == code
            assert capsys.readouterr().out.startswith(f"the step is: {rule}")
            assert cli.main([*arguments, "--json"]) == code
            assert json.loads(capsys.readouterr().out)["rule"] == rule

    def test_class_numbers(self, tmp_path: Path) -> None:
        wiring.layered([2, 3], output="softmax", rng=0).save(tmp_path / "net.json")
        (tmp_path / "d.csv").write_text("0.1,0.2,2\n0.3,-0.5,0\n")
        assert cli.main(["check", str(tmp_path / "net.json"), "--data", str(tmp_path / "d.csv"), "--classes"]) == 0

    @pytest.mark.parametrize(
        ("extra", "code", "message"),
        [
            (["--after", "n.json"], 2, "--after and --learning-rate go together"),
            (["--rows", "0"], 2, "at least 1"),
            (["--targets", "t2"], 3, "no column 't2'"),
            (["--after", "none.json", "--learning-rate", "1"], 3, "there is no network file"),
        ],
    )
    def test_errors(
        self, l4: str, data: str, extra: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.main(["check", l4, "--data", data, *extra]) == code
        assert message in capsys.readouterr().err


def test_runs_at_the_same_time_have_directories_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "big.toml").write_text(XOR)
    command = [sys.executable, "-m", "neuronsim", "run", "big.toml", "--json", "--seed"]
    running = [
        subprocess.Popen([*command, str(seed)], cwd=tmp_path, stdout=subprocess.PIPE, encoding="utf-8")
        for seed in range(3)
    ]
    outcomes = [json.loads(process.communicate(timeout=300)[0]) for process in running]
    assert sorted(outcome["directory"] for outcome in outcomes) == ["runs/big", "runs/big-2", "runs/big-3"]
    for outcome in outcomes:
        as_run = tomllib.loads((tmp_path / outcome["directory"] / "experiment.toml").read_text())
        assert as_run["seed"] == outcome["seed"]


@pytest.mark.parametrize(
    ("ctrl_c", "number"),
    [(signal.SIG_DFL, signal.SIGTERM), (signal.SIG_IGN, signal.SIGTERM), (signal.SIG_DFL, signal.SIGHUP)],
    ids=["in a terminal", "from a script, with &", "a terminal that is closed"],
)
def test_an_ended_process_keeps_what_it_has_learned(ctrl_c: Any, number: int, tmp_path: Path) -> None:
    (tmp_path / "long.toml").write_text(XOR)
    command = [
        sys.executable,
        "-m",
        "neuronsim",
        "run",
        "long.toml",
        "-o",
        "out",
        "--set",
        "training.epochs=100_000_000",
    ]
    subprocess.run(
        [sys.executable, "-m", "neuronsim", "run", "long.toml", "-o", "short"], cwd=tmp_path, check=True
    )  # compiles

    def begin() -> None:
        signal.signal(signal.SIGINT, ctrl_c)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)

    process = subprocess.Popen(command, cwd=tmp_path, preexec_fn=begin)
    claimed = tmp_path / "out" / "experiment.toml"
    deadline = time.monotonic() + 300
    while not claimed.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(3.0)
    process.send_signal(number)
    assert process.wait(timeout=120) == 130
    assert (tmp_path / "out" / "network.safetensors").exists()


def test_a_report_of_other_settings_goes_where_it_is_called_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text(XOR)
        assert cli.main(["report", f"{name}.toml", "--set", "training.epochs=2", "--seed", "5", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["n_steps"] == 8
    assert {path.name for path in tmp_path.glob("*.html")} == {"a-report.html", "b-report.html"}


class TestExplainTakesNamesBehindOptions:
    @pytest.mark.parametrize("ends", [["h1.0"], ["h1.0", "y0"], []])
    def test_the_same(self, l4: str, ends: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        sample = ["--x", "0.05,0.1", "--t", "0.01,0.99"]
        assert cli.main(["explain", l4, *ends, *sample]) == 0
        before = capsys.readouterr().out
        assert cli.main(["explain", l4, *sample, *ends]) == 0
        assert capsys.readouterr().out == before
        assert cli.main(["explain", l4, *ends[:1], *sample, *ends[1:]]) == 0
        assert capsys.readouterr().out == before

    @pytest.mark.parametrize("left", [["h1", "o1", "o2"], ["--what"]])
    def test_what_is_too_much(self, l4: str, left: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            cli.main(["explain", l4, "--x", "0.05,0.1", "--t", "0.01,0.99", *left])
        assert f"unrecognized arguments: {' '.join(left)}" in capsys.readouterr().err


def test_a_file_in_the_place_of_a_run_directory(xor: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "there").write_text("")
    assert cli.main(["run", str(xor), "-o", str(tmp_path / "there"), "--overwrite"]) == 3
    said = capsys.readouterr().err
    assert "there is a file, and a run is a directory" in said
    assert "--overwrite" not in said


class TestWrongArguments:
    """What people mistake for something else is said by its name."""

    def test_a_table_with_semicolons(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        Path("a.csv").write_text("a;b;t\n1;2;cat\n3;4;dog\n5;6;cat\n")
        Path("b.csv").write_text("0\t1\t0.5\n1\t0\t0.5\n")
        assert cli.main(["new", "a.toml", "--data", "a.csv", "--classes", "--delimiter", ";"]) == 0
        assert cli.main(["run", "a.toml", "--set", "training.epochs=1", "-o", "out"]) == 0
        ns.wiring.layered([2, 1], rng=0).save("net.json")
        assert cli.main(["check", "net.json", "--data", "b.csv", "--delimiter", "tab"]) == 0
        capsys.readouterr()
        assert cli.main(["new", "c.toml", "--data", "a.csv", "--delimiter", "x"]) == 3
        assert "a delimiter is one of" in capsys.readouterr().err

    def test_a_run_directory_in_the_place_of_a_file(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        Path("runs/a").mkdir(parents=True)
        ns.wiring.layered([2, 1], rng=0).save("runs/a/network.safetensors")
        Path("runs/a/experiment.toml").write_text("")
        for arguments, words in (
            (["draw", "runs/a"], "the network of that run is runs/a/network.safetensors"),
            (["info", "runs/a/"], "the network of that run is runs/a/network.safetensors"),
            (["run", "runs/a"], "the experiment of that run is runs/a/experiment.toml"),
        ):
            assert cli.main(arguments) == 3
            assert words in capsys.readouterr().err

    def test_an_error_is_json_as_well(self, tmp_path, capsys):
        assert cli.main(["check", str(tmp_path / "none.json"), "--data", "a.csv", "--json"]) == 3
        said = capsys.readouterr()
        assert "there is no network file" in json.loads(said.out)["error"]
        assert "there is no network file" in said.err

    def test_a_picture_s_ending_is_looked_at_first(self, capsys):
        assert cli.main(["draw", "none.json", "-o", "net.xyz"]) == 2
        assert "ends in .png, .svg, .pdf" in capsys.readouterr().err
