"""The page in a browser: it shows the run's numbers, without an error."""

import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from nets import T222, X222, net_222
from pages import data_of, lecture_run

import neuronsim as ns
from neuronsim import experiment, wiring
from neuronsim.run import Run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""


IN_CI = os.environ.get("CI") == "true"


needs_browser = pytest.mark.skipif(not CHROMIUM and not IN_CI, reason="no chromium here: the page is not opened")


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


def opened(path: Path, width: int = 1200, **place: Any) -> tuple[Shown, str]:
    """The page as headless chromium shows it at an address, and the lines of its console."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic"]
    command += ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += [f"--user-data-dir={path.parent / 'profile'}", "--enable-logging=stderr"]
    command += ["--virtual-time-budget=4000", "--dump-dom", f"--window-size={width},900"]
    done = subprocess.run(
        [*command, f"{path.as_uri()}#{urlencode(place)}"], capture_output=True, text=True, timeout=120, check=True
    )
    shown = Shown()
    shown.feed(done.stdout)
    assert "data-ready" in done.stdout[:200], "the page did not finish"
    return shown, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


def script(name: str) -> str:
    """A script that is added to a copy of a page; it writes what it sees beneath the page, as #told."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def driven(path: Path, folder: Path) -> dict[str, str]:
    """What happens on the page as one presses and clicks: the address after each, told by a script added to a copy."""
    text = path.read_text(encoding="utf-8")
    text = re.sub('script-src [^"]*', "script-src 'unsafe-inline'", text, count=1)
    text = text.replace(
        '"findings":[', '"findings":[{"step":0,"sentence":"A finding.","advice":"None.","neurons":[2,3]}', 1
    )
    copy = folder / "driven.html"
    copy.write_text(text.replace("</body>", f"<script>{script('drive.js')}</script></body>"), encoding="utf-8")
    shown, console = opened(copy)
    assert console == ""
    assert "problem" not in shown.text
    told: dict[str, str] = json.loads(shown.text["told"])
    return told


ASKED = """
const asked = [], drawn = uPlot;
uPlot = function (options, ...others) {
  asked.push(...options.axes.map(axis => axis.label));
  return new drawn(options, ...others);
};
uPlot.rangeNum = drawn.rangeNum;
"""


def measured(path: Path, width: int, **place: Any) -> dict[str, Any]:
    """How large things are on the page, what covers what, and in which order the cards stand."""
    copy = path.with_name("measured.html")
    text = re.sub('script-src [^"]*', "script-src 'unsafe-inline'", path.read_text(encoding="utf-8"), count=1)
    # uPlot writes the titles of axes on its canvas: what it is asked to write is kept
    text = text.replace('<script>"use strict";\n(() => {', f"<script>{ASKED}</script><script>(() => {{", 1)
    copy.write_text(text.replace("</body>", f"<script>{script('measure.js')}</script></body>"), encoding="utf-8")
    shown, console = opened(copy, width, **place)
    assert console == ""
    told: dict[str, Any] = json.loads(shown.text["told"])
    return told


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    run = lecture_run()
    return run, run.to_html(tmp_path_factory.mktemp("page") / "run.html")


@pytest.mark.skipif(not IN_CI, reason="only where the environment has CI=true: there the page must be opened")
def test_ci_has_a_browser() -> None:
    assert CHROMIUM, "no chromium: the page's JavaScript would be shipped unopened; .ci/run installs Debian's as root"


def named_run() -> Run:
    """Long names, outputs in middle levels, edges past levels."""
    net = ns.Network()
    inputs = [f"a very long input name {k}" for k in range(4)]
    middle = [f"middle layer neuron number {k}" for k in range(4)]
    last = [f"probability of class {k}" for k in range(4)]
    net.add_inputs(inputs)
    for name in middle:
        net.add_neuron(name, dict.fromkeys(inputs, 0.1), activation="tanh")
    for k in range(3):
        net.add_neuron(f"deep {k}", dict.fromkeys(middle, 0.2 * k - 0.1) | {inputs[0]: 0.3}, activation="tanh")
    for k, name in enumerate(last):
        net.add_neuron(
            name, {f"deep {j}": 0.2 * k - 0.3 * j for j in range(3)} | {middle[k]: 0.4}, activation="sigmoid"
        )
    net.set_outputs(*last, middle[0], middle[1])
    rng = np.random.default_rng(0)
    return net.fit(rng.uniform(size=(10, 4)), rng.uniform(size=(10, 6)), learning_rate=0.5, rng=0)


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
        assert re.search(r"class\s*predicted", shown.text["samples"])
        assert shown.text["samples"].count("✓") + shown.text["samples"].count("✗") == 5
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
        assert told["finding"] == "step=0&phase=backward&neuron=h1"
        assert told["a finding's neuron"] == "step=0&phase=backward&neuron=h2"
        assert told["unknown"] == "There is no neuron h7."
        assert told["kept focus"] == "find"
        assert told["left find"] == ""
        assert told["known"] == ""
        assert told["found"] == "step=0&phase=backward&neuron=h2"
        assert told["arrow after find"] == "step=1&phase=backward&neuron=h2"
        assert "new w" in told["update"]
        assert (told["paper"], told["screen"]) == ("light", "dark")
        assert told["sample"].startswith("step=")
        assert told["digits"] == repr(run.at(5).loss)
        assert repr(run.at(5)["h1"].z) in told["copied"].split()
        assert told["help"] == "open"

    @pytest.mark.parametrize("width", [500, 1400])
    def test_everything_can_be_read_and_hit(self, tmp_path: Path, width: int) -> None:
        told = measured(named_run().to_html(tmp_path / "run.html"), width, phase="backward", neuron="deep 0")
        assert told["letters"] >= 11
        assert told["pairs"] == []
        assert told["clipped"] == []
        assert told["small"] == []
        words = ["4 inputs", "level 1", "2 of 6 outputs", "level 2", "level 3", "4 of 6 outputs"]
        assert set(told["words"]) <= set(words) if width == 500 else told["words"] == words
        assert {"probabil…class 3", "a very l… name 0"} <= set(told["names"])
        assert told["titles"] == ["step", "loss", "step", "z", "step", "y", "step", "δ"]
        if width == 500:
            assert told["order"][1] == "panel"

    def test_weights_stand_on_their_edges(self, tmp_path: Path) -> None:
        net = net_222(frozen=False)
        net.connect("i1", "o2", 0.3)
        run = net.fit(X222, T222, learning_rate=0.5, rng=0)
        told = measured(run.to_html(tmp_path / "run.html"), 1400)
        assert told["pairs"] == []
        assert told["off"] == []
        assert told["covered"] == []

    def test_a_small_network_scrolls_nothing(self, page: tuple[Run, Path]) -> None:
        for place in ({}, {"neuron": "h1", "phase": "backward"}):
            assert measured(page[1], 1400, step=3, **place)["scrollbars"] == 0

    def test_a_step_that_is_not_there(self, image_run: Run, tmp_path: Path) -> None:
        path = image_run.to_html(tmp_path / "run.html", steps=[0, 40])
        assert "Step 31 is not on this page: the nearest is shown." in opened(path, step=31)[0].text["where"]
        assert "is not on this page" not in opened(path, step=40)[0].text["where"]

    def test_an_address_scrolls_to_its_neuron(self, tmp_path: Path) -> None:
        net = wiring.layered([2, *[2] * 40, 1], rng=0)
        path = net.fit([[0.0, 1.0]], [1.0], rng=0).to_html(tmp_path / "run.html")
        assert measured(path, 900, neuron="x0")["scrolled"] == 0
        assert measured(path, 900, neuron="y0")["scrolled"] > 300

    def test_seven_in_a_level(self, tmp_path: Path) -> None:
        path = wiring.layered([7, 7, 1], rng=0).fit(np.eye(7), np.zeros(7), rng=0).to_html(tmp_path / "run.html")
        assert measured(path, 1400)["touching"] == []

    def test_columns_and_classes_by_name(self, tmp_path: Path) -> None:
        rows = [f"{40 + k},{'flat' if k < 30 else 'house'},{1 + k % 4}" for k in range(60)]
        (tmp_path / "homes.csv").write_text("\n".join(["area,kind,rooms", *rows]))
        (tmp_path / "homes.toml").write_text(
            'network = { wiring = "layered", sizes = [2, 3, 2], output = "softmax" }\n'
            'data = { csv = "homes.csv", targets = ["kind"], classes = true }'
        )
        run = experiment.again(experiment.read(tmp_path / "homes.toml"))[1]
        path = run.to_html(tmp_path / "run.html")
        shown = opened(path)[0]
        assert re.search(r"y0\s*· flat", shown.text["panel"])
        assert re.search(r"(flat|house)\s*(flat|house) [✓✗]", shown.text["samples"])
        assert "rooms" in opened(path, neuron="x1")[0].text["panel"][:60]

    def test_a_neuron_that_was_asked_for_comes_with_its_sources(self, tmp_path: Path) -> None:
        net = wiring.layered([30, 200, 200, 2], rng=0)
        run = net.fit(np.eye(30), np.zeros((30, 2)), rng=0)
        path = run.to_html(tmp_path / "run.html", neurons="h2.177", steps=[0, 5])
        told = measured(path, 1400, neuron="h2.177")
        assert "h2.177" in told["names"]
        data = data_of(path)["network"]
        row = data["names"].index("h2.177")
        assert data["sinks"].count(row) >= 12
        assert data["sources"].count(row) >= 2
        assert re.search(r"1[78]\d others", opened(path, step=0, neuron="h2.177")[0].text["panel"])

    def test_a_mistake_would_be_noticed(self, page: tuple[Run, Path], tmp_path: Path) -> None:
        broken = tmp_path / "broken.html"
        text = page[1].read_text(encoding="utf-8")
        broken.write_text(text.replace('"steps":[{', '"steps":[null,{', 1), encoding="utf-8")
        with pytest.raises(AssertionError, match="did not finish"):
            opened(broken)
