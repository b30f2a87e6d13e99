"""The page of a run: its numbers are the run's, it loads nothing, and a browser shows them without an error."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import warnings
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nets import T222, X222, net_222

import neuronsim as ns
from neuronsim import wiring
from neuronsim.commands import main as cli
from neuronsim.errors import DivergenceWarning, NotKnownError, SettingError
from neuronsim.page import content, keeping, numbers
from neuronsim.run import Run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""
IN_CI = os.environ.get("CI") == "true"
needs_browser = pytest.mark.skipif(not CHROMIUM and not IN_CI, reason="no chromium here: the page is not opened")


def lecture_run(n: int = 12, **settings: Any) -> Run:
    """L4's 2-2-2 network."""
    given = {"learning_rate": 0.5, "rng": 0} | settings
    return net_222(frozen=False).fit(np.tile(X222, (n, 1)), np.tile(T222, (n, 1)), **given)


def data_of(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def bits(values: Any, dtype: np.dtype[Any]) -> bytes:
    return np.array([float(v) for v in values], np.float64).astype(dtype).tobytes()


def after(data: dict[str, Any], k: int, name: str) -> Any:
    """Parameters after a shown step, which are not repeated where the next step begins with them."""
    return data["steps"][k].get(name + "a", data["steps"][min(k + 1, len(data["steps"]) - 1)][name])


def check_numbers(run: Run, data: dict[str, Any]) -> None:
    """Every number of every step on the page is bit for bit that of ``run.at``."""
    dtype, neurons = run.replay.graph.dtype, data["network"]["ids"]
    graph, network = run.replay.graph, data["network"]
    edges = [graph.edge(neurons[a], neurons[b]) for a, b in zip(network["sources"], network["sinks"], strict=True)]
    for k, shown in enumerate(data["steps"]):
        step = run.at(shown["number"])
        assert float(shown["loss"]) == step.loss
        assert bits(shown["w"], dtype) == step.weights[edges].tobytes()
        assert bits(after(data, k, "w"), dtype) == step.weights_after[edges].tobytes()
        assert bits(shown["b"], dtype) == step.biases[neurons].tobytes()
        assert bits(after(data, k, "b"), dtype) == step.biases_after[neurons].tobytes()
        if step.is_batch:
            assert bits(shown["g"], dtype) == step.weight_gradients[edges].tobytes()
            assert bits(shown["gb"], dtype) == step.bias_gradients[neurons].tobytes()
        for sample in shown["samples"]:
            one = step.sample(step.samples.tolist().index(sample["row"]))
            for name, values in (("z", one.z), ("y", one.y), ("d", one.delta)):
                assert bits(sample[name], dtype) == values[neurons].tobytes()
            for o, own in zip(data["network"]["outputs"], sample["own"], strict=True):
                assert float(own) == one[neurons[o]].own_delta


class TestNumbers:
    def test_every_number_is_the_run_s(self, tmp_path: Path) -> None:
        run = lecture_run()
        path = run.to_html(tmp_path / "run.html")
        assert path == tmp_path / "run.html"
        data = data_of(path)
        assert [step["number"] for step in data["steps"]] == list(range(12))
        check_numbers(run, data)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize(("optimizer", "batch_size"), [("sgd", 1), ("adam", 4), ("momentum", 1)])
    def test_of_other_rules_and_batches(self, dtype: str, optimizer: str, batch_size: int) -> None:
        rng = np.random.default_rng(1)
        net = wiring.random_dag(
            n_inputs=3, n_hidden=8, n_outputs=2, in_degree=3, activation="prelu", output="softmax", dtype=dtype, rng=2
        )
        run = net.fit(
            rng.normal(size=(10, 3)),
            rng.integers(0, 2, 10),
            optimizer=optimizer,
            batch_size=batch_size,
            epochs=3,
            rng=3,
        )
        data = json.loads(numbers.as_json(content(run, None)))
        check_numbers(run, data)
        assert data["steps"][0].get("rule", "") == "" if optimizer == "sgd" else "β" in data["steps"][0]["rule"]
        step = run.at(0)
        assert bits(data["steps"][0]["gs"], net.dtype) == step.slope_gradients.tobytes()

    @given(st.floats(width=32), st.floats())
    @settings(max_examples=200, deadline=None)
    def test_a_number_comes_back(self, single: float, double: float) -> None:
        for dtype, value in ((np.float32, single), (np.float64, double)):
            array = np.array([value], dtype)
            text = numbers.as_json(numbers.plain(array))
            back = np.array([float(v) for v in json.loads(text)]).astype(dtype)
            assert np.isnan(value) if np.isnan(back[0]) else back.tobytes() == array.tobytes()

    def test_the_step_that_diverged_is_shown(self, tmp_path: Path) -> None:
        net = wiring.layered([2, 3, 1], activation="identity", rng=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DivergenceWarning)
            run = net.fit([[0, 1], [1, 0], [1, 1.0]], [[0], [1], [1.0]], learning_rate=1e60, epochs=5, rng=0)
        data = data_of(run.to_html(tmp_path / "run.html"))
        assert run.status == "diverged"
        assert data["steps"][-1]["number"] == run.n_steps
        assert data["steps"][-1]["samples"][0]["y"][-1] in ("Infinity", "-Infinity", "NaN")
        assert data["findings"][0]["step"] == run.n_steps

    def test_blame_is_that_of_the_run(self) -> None:
        rng = np.random.default_rng(0)
        net = wiring.layered([2, 4, 1], activation="tanh", rng=1)
        run = net.fit(rng.normal(size=(20, 2)), rng.normal(size=(20, 1)), epochs=2, rng=0)
        data = content(run, [30])
        delta = run.blame("h1.2", 30).delta[:, 0]
        rows, values = data["steps"][0]["worst_of"][data["network"]["names"].index("h1.2")]
        assert rows == np.argsort(-np.abs(delta), kind="stable")[: len(rows)].tolist()
        assert values == delta[rows].tolist()


class TestWhatIsShown:
    def test_a_title_cannot_break_out(self, tmp_path: Path) -> None:
        text = lecture_run(2).to_html(tmp_path / "run.html", title="</script><b>&").read_text(encoding="utf-8")
        assert "</script><b>" not in text

    def test_a_name_cannot_break_out(self) -> None:
        assert "<" not in numbers.as_json(["</script>"])

    def test_steps_that_are_asked_for(self) -> None:
        data = content(lecture_run(), [3, np.int64(9), 3])
        assert [step["number"] for step in data["steps"]] == [3, 9]
        assert data["left_out"] == ["2 of 12 steps are on this page"]

    @pytest.mark.parametrize("steps", [[12], [-1], [1.5], [True]])
    def test_steps_that_are_not_there(self, steps: list[Any]) -> None:
        with pytest.raises(SettingError, match="whole numbers from 0 to 11"):
            content(lecture_run(), steps)

    def test_a_run_without_snapshots(self, tmp_path: Path) -> None:
        with pytest.raises(NotKnownError, match="snapshots"):
            lecture_run(snapshots=False).to_html(tmp_path / "run.html")
        assert not list(tmp_path.iterdir())

    def test_monitors_and_losses_are_curves(self) -> None:
        watch = ns.Monitor(["h1"], ["delta"], every=5)
        run = lecture_run(monitors=watch, epochs=3)
        data = content(run, [0])
        (curve,) = data["traces"]
        assert curve == {"name": "δ of h1", "x": watch.step.tolist(), "y": watch["h1"].delta.tolist()}
        assert data["loss_curve"] == [{"name": "mean of the epoch", "x": [11, 23, 35], "y": run.history["loss"]}]

    def test_a_monitor_of_a_later_run_is_left_out(self) -> None:
        watch = ns.Monitor(["h1"], ["delta"])
        first, second = lecture_run(monitors=watch), lecture_run(monitors=watch)
        assert content(first, [0])["traces"] == []
        assert len(content(second, [0])["traces"]) == 1

    @given(st.integers(1, 100_000), st.integers(2, 250))
    @settings(max_examples=100, deadline=None)
    def test_steps_are_spread(self, n_steps: int, n: int) -> None:
        chosen = keeping.spread(n_steps, n)
        assert chosen == sorted(set(chosen))
        assert chosen[0] == 0
        assert chosen[-1] == n_steps - 1
        assert len(chosen) <= n
        assert n_steps > n or chosen == list(range(n_steps))
        assert len(chosen) >= 0.8 * min(n, n_steps)


@pytest.fixture(scope="module")
def image_run() -> Run:
    """784 inputs that are images."""
    rng = np.random.default_rng(0)
    net = wiring.layered([784, 40, 10], activation="relu", output="softmax", dtype="float32", rng=0)
    return net.fit(
        rng.uniform(size=(60, 784)), rng.integers(0, 10, 60), learning_rate=0.01, epochs=2, rng=0,
        monitors=ns.Monitor("h1.7", "y"),
    )  # fmt: skip


class TestFolding:
    def test_numbers_of_what_is_kept(self, image_run: Run) -> None:
        check_numbers(image_run, content(image_run, [0, 1, 77]))

    def test_stays_below_2_mb(self, image_run: Run, tmp_path: Path) -> None:
        path = image_run.to_html(tmp_path / "run.html")
        assert path.stat().st_size < 2_000_000
        data = data_of(path)
        assert len(data["steps"]) > 20
        assert data["steps"][-1]["number"] == image_run.n_steps - 1

    def test_says_what_is_left_out(self, image_run: Run) -> None:
        data = content(image_run, [5])
        network = data["network"]
        assert network["folded"]
        assert network["image"] == 28
        assert network["levels"] == [784, 40, 10]
        assert {"h1.7", *(f"y{k}" for k in range(10))} <= set(network["names"])
        assert f"{len(network['names'])} of 834 neurons are drawn" in data["left_out"][1]

    def test_sums_include_what_is_left_out(self, image_run: Run) -> None:
        data, step = content(image_run, [5]), image_run.at(5)
        network, sample = data["network"], data["steps"][0]["samples"][0]
        for row, neuron in enumerate(network["ids"]):
            here = [e for e, sink in enumerate(network["sinks"]) if sink == row]
            shown = sum(data["steps"][0]["w"][e] * sample["y"][network["sources"][e]] for e in here)
            if not step[neuron].is_input:
                assert len(here) + network["other_sources"][row] == len(step[neuron].incoming)
                z = data["steps"][0]["b"][row] + shown + float(sample["rf"][row])
                assert z == pytest.approx(step[neuron].z, rel=1e-5, abs=1e-5)
            back = [e for e, source in enumerate(network["sources"]) if source == row]
            shown = sum(data["steps"][0]["w"][e] * sample["d"][network["sinks"][e]] for e in back)
            assert shown + float(sample["rb"][row]) == pytest.approx(step[neuron].aggregated, rel=1e-5, abs=1e-6)


class TestOffline:
    def test_it_loads_nothing(self, tmp_path: Path) -> None:
        text = lecture_run(2).to_html(tmp_path / "run.html").read_text(encoding="utf-8")
        assert "default-src 'none'" in text
        loads: list[tuple[str, str]] = []
        tags: set[str] = set()

        class Loads(HTMLParser):
            def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
                tags.add(tag)
                loads.extend((tag, name) for name, _ in attrs if name in ("src", "href", "action", "data"))

        Loads().feed(text.replace("<body>", "<body><img src=x>"))
        assert loads == [("img", "src")]  # the planted one alone
        assert {"script", "style", "body"} <= tags
        assert "Permission is hereby granted" in text

    def test_its_files_are_shipped(self) -> None:
        folder = Path(ns.__file__).parent / "page"
        needed = ["template.html", "page.css", "page.js", "guard.js"]
        needed += [f"uplot/{name}" for name in ("uPlot.iife.min.js", "uPlot.min.css", "LICENSE")]
        assert all((folder / name).stat().st_size for name in needed)
        project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
        # whole packages, files that are not Python included
        assert project["tool"]["hatch"]["build"]["targets"]["wheel"] == {"packages": ["neuronsim"]}


class Shown(HTMLParser):
    """What a browser made of a page: text by id, and the full numbers beneath each."""

    VOID = frozenset({"br", "hr", "img", "input", "meta", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, str]] = []
        self.text: dict[str, str] = {}
        self.numbers: dict[str, list[float]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in self.VOID:
            self.open.append((tag, given.get("id") or ""))
        if given.get("data-v"):
            for _, name in self.open:
                self.numbers.setdefault(name, []).append(float(given["data-v"] or "nan"))

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for _, name in self.open:
            self.text[name] = self.text.get(name, "") + data


def opened(path: Path, **place: Any) -> tuple[Shown, str]:
    """The page as headless chromium shows it at an address, and the lines of its console."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic"]
    command += ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += [f"--user-data-dir={path.parent / 'profile'}", "--enable-logging=stderr"]
    command += ["--virtual-time-budget=4000", "--dump-dom"]
    done = subprocess.run(
        [*command, f"{path.as_uri()}#{urlencode(place)}"], capture_output=True, text=True, timeout=120, check=True
    )
    shown = Shown()
    shown.feed(done.stdout)
    assert "data-ready" in done.stdout[:200], "the page did not finish"
    return shown, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


DRIVER = """
const told = {}, one = query => document.querySelector(query);
const tell = name => { told[name] = location.hash.slice(1); };
const so = { bubbles: true, cancelable: true };
const press = (key, on = document.body) => on.dispatchEvent(new KeyboardEvent("keydown", { key, ...so }));
const click = on => on.dispatchEvent(new MouseEvent("click", so));
const all = query => [...document.querySelectorAll(query)];
const neuron = name => all(".neuron").find(g => g.querySelector("title").textContent === name);
const link = name => all("#panel .link").find(made => made.textContent === name);
history.replaceState(null, "", "#step=0&phase=forward"); tell("loaded");
press("ArrowRight"); press("ArrowRight"); tell("right");
press("ArrowDown"); press("ArrowDown"); tell("down");
press(" "); press(" "); tell("space over the end of a step");
press("ArrowUp"); tell("up"); press("End"); tell("end"); press("Home"); tell("home");
one("#slider").value = 5; one("#slider").dispatchEvent(new Event("input")); tell("slider");
click(one("#phases").children[2]); tell("phase");
click(neuron("h1")); tell("neuron");
getSelection().selectAllChildren(one("#panel"));
const clipboardData = new DataTransfer();
document.dispatchEvent(new ClipboardEvent("copy", { clipboardData, ...so }));
told.copied = clipboardData.getData("text/plain");
press("Enter", neuron("o2")); tell("enter");
click(one(".touch")); tell("edge");
click(neuron("h1")); click(link("o1")); click(link("h2")); tell("table");
press("Escape"); tell("escape");
press("d"); told.digits = one("#loss .n").textContent; press("d");
click(one("#findings .link")); tell("finding");
click(one("#samples .link")); tell("sample");
press("t"); press("t"); press("?"); told.help = one("#keys").open ? "open" : "closed";
document.body.append(Object.assign(document.createElement("pre"), { id: "told", textContent: JSON.stringify(told) }));
"""


def driven(path: Path, folder: Path) -> dict[str, str]:
    """What happens on the page as one presses and clicks: the address after each, told by a script added to a copy."""
    text = path.read_text(encoding="utf-8")
    text = re.sub('script-src [^"]*', "script-src 'unsafe-inline'", text, count=1)
    text = text.replace('"findings":[', '"findings":[{"step":0,"sentence":"A finding.","advice":"None."}', 1)
    copy = folder / "driven.html"
    copy.write_text(text.replace("</body>", f"<script>{DRIVER}</script></body>"), encoding="utf-8")
    shown, console = opened(copy)
    assert console == ""
    assert "problem" not in shown.text
    told: dict[str, str] = json.loads(shown.text["told"])
    return told


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    run = lecture_run()
    return run, run.to_html(tmp_path_factory.mktemp("page") / "run.html")


@pytest.mark.skipif(not IN_CI, reason="only where the environment has CI=true: there the page must be opened")
def test_ci_has_a_browser() -> None:
    assert CHROMIUM, "no chromium: the page's JavaScript would be shipped unopened; .ci/run installs Debian's as root"


@needs_browser
class TestInTheBrowser:
    @pytest.mark.parametrize("phase", ["forward", "error", "backward", "update"])
    def test_the_loss(self, page: tuple[Run, Path], phase: str) -> None:
        run, path = page
        shown, console = opened(path, step=3, phase=phase)
        step = run.at(3)
        assert console == ""
        assert "problem" not in shown.text
        assert shown.text["where"].startswith("Step 3")
        assert shown.numbers["loss"] == [step.loss]
        o1 = step["o1"]
        row = [o1.y, 0.01, o1.y - 0.01, o1.own_error, o1.own_delta]
        assert shown.numbers["panel"][1:6] == row

    def test_a_neuron(self, page: tuple[Run, Path]) -> None:
        run, path = page
        shown, console = opened(path, step=7, phase="backward", neuron="h1")
        step = run.at(7)
        h1, found = step["h1"], shown.numbers["panel"]
        assert console == ""
        assert shown.text["panel"].startswith("h1")
        weights = [e.weight for e in h1.incoming]
        assert found[:6] == [h1.bias, weights[0], 0.05, weights[1], 0.1, h1.z]
        assert found[6:8] == [h1.z, h1.y]
        o1, o2 = step["h1", "o1"], step["h1", "o2"]
        assert found[8:14] == [h1.derivative, o1.weight, o1.delta, o2.weight, o2.delta, h1.delta]
        assert found[14:18] == [h1.bias, 0.5, h1.delta, h1.bias_after]
        tables = [[e.weight, e.y, e.weight * e.y, e.weight * h1.delta, e.gradient] for e in h1.incoming]
        tables += [[e.weight, e.weight * h1.y, e.delta, e.weight * e.delta, e.gradient] for e in h1.outgoing]
        assert found[18:38] == [number for row in tables for number in row]

    def test_an_edge(self, page: tuple[Run, Path]) -> None:
        run, path = page
        shown, console = opened(path, step=7, phase="update", source="h1", sink="o2", theme="dark")
        edge, found = run.at(7)["h1", "o2"], shown.numbers["panel"]
        assert console == ""
        assert shown.text["panel"].startswith("h1 → o2")
        assert found[:6] == [
            edge.weight,
            edge.y,
            edge.weight * edge.y,
            edge.weight,
            edge.delta,
            edge.weight * edge.delta,
        ]
        assert found[6:9] == [edge.delta, edge.y, edge.gradient]
        assert found[9:] == [edge.weight, 0.5, edge.gradient, edge.weight_after, edge.dw]

    def test_a_folded_network_of_float32(self, image_run: Run, tmp_path: Path) -> None:
        path = image_run.to_html(tmp_path / "run.html", steps=[0, 40])
        shown, console = opened(path, step=40, neuron="y3")
        step = image_run.at(40)
        assert console == ""
        assert "… 772 more" in shown.text["picture"]
        found = np.array(shown.numbers["panel"]).astype(np.float32)
        y3 = step["y3"]
        assert {np.float32(v) for v in (y3.z, y3.y, y3.delta, y3.bias, y3.bias_after)} <= set(found)

    def test_batches_of_adam(self, tmp_path: Path) -> None:
        run = lecture_run(optimizer="adam", batch_size=4, learning_rate=0.01)
        shown, console = opened(run.to_html(tmp_path / "run.html"), step=2, phase="update", source="i1", sink="h2")
        edge, found = run.at(2)["i1", "h2"], shown.numbers["panel"]
        assert console == ""
        assert {edge.gradient, edge.weight, edge.weight_after, edge.dw} <= set(found)
        assert "β₁ = 0.9" in shown.text["phase-says"]

    def test_keys_clicks_and_copies(self, page: tuple[Run, Path], tmp_path: Path) -> None:
        run, path = page
        told = driven(path, tmp_path)
        assert told["loaded"] == "step=0&phase=forward"
        assert told["right"] == "step=2&phase=forward"
        assert told["down"] == "step=2&phase=backward"
        assert told["space over the end of a step"] == "step=3&phase=forward"
        assert told["up"] == "step=2&phase=update"
        assert told["end"] == "step=11&phase=update"
        assert told["home"] == "step=0&phase=update"
        assert told["slider"] == "step=5&phase=update"
        assert told["phase"] == "step=5&phase=backward"
        assert told["neuron"] == "step=5&phase=backward&neuron=h1"
        assert told["enter"] == "step=5&phase=backward&neuron=o2"
        assert told["edge"] == "step=5&phase=backward&source=i1&sink=h1"
        assert told["table"] == "step=5&phase=backward&neuron=h2"
        assert told["escape"] == "step=5&phase=backward"
        assert told["finding"] == "step=0&phase=backward"
        assert told["sample"].startswith("step=")
        assert told["digits"] == repr(run.at(5).loss)
        assert repr(run.at(5)["h1"].z) in told["copied"].split()
        assert told["help"] == "open"

    def test_a_mistake_would_be_noticed(self, page: tuple[Run, Path], tmp_path: Path) -> None:
        broken = tmp_path / "broken.html"
        text = page[1].read_text(encoding="utf-8")
        broken.write_text(text.replace('"steps":[{', '"steps":[null,{', 1), encoding="utf-8")
        with pytest.raises(AssertionError, match="did not finish"):
            opened(broken)


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
        assert cli.main(["report", str(file), "-o", str(page), "--steps", "0,2", "--title", "Xor", "--json"]) == 0
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


def test_the_page_is_loaded_only_where_it_is_wanted() -> None:
    code = "import sys, neuronsim.run; print('neuronsim.page' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
