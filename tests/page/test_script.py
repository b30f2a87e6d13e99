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
from pages import lecture_run

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
