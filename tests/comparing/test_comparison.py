"""Runs compared: from memory, sweeps and directories."""

import json
import math
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import neuronsim as ns
from neuronsim import experiment
from neuronsim.commands import main as cli
from neuronsim.errors import DataError, FileError, SettingError
from neuronsim.sweeps import Options

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")

FILE = """\
network = { wiring = "layered", sizes = [2, 4, 1], output = "identity" }
data.name = "xor"
training.epochs = 6
sweep = { "training.learning_rate" = [0.1, 0.3, 1e300], seed = { range = 5 } }
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "xor.toml").write_text(FILE)
    ns.sweep(folder / "xor.toml", folder / "out")
    return folder


@pytest.fixture
def found(folder):
    return ns.compare(folder / "out", target="loss=0.2")


def runs(rate, seeds, **settings):
    made = []
    for seed in seeds:
        net = ns.wiring.layered([2, 4, 1], output="identity", rng=seed)
        made.append(net.fit(*ns.data.load("xor"), learning_rate=rate, epochs=6, rng=seed, **settings))
    return made


class TestGroups:
    def test_of_a_sweep(self, found):
        assert found.differing == ("training.learning_rate",)
        assert [len(group.runs) for group in found.groups] == [5, 5, 5]
        assert found.groups[-1].label == "learning_rate = 1e+300"
        assert found.groups[-1].summary.n_without == 5
        assert found.groups[0].summary.median <= found.groups[1].summary.median

    def test_of_runs_in_memory_as_of_the_sweep(self, found):
        in_memory = ns.compare(runs(0.1, range(5)), runs(0.3, range(5)), target="loss=0.2")
        assert in_memory.differing == ("learning_rate",)
        for group, other in zip(in_memory.groups, found.groups, strict=False):
            assert group.summary == other.summary
            assert group.reached == other.reached
        assert in_memory.pairs[0].p == found.pairs[0].p

    def test_of_directories(self, tmp_path):
        tables = FILE.partition("sweep =")[0]
        for seed in (0, 1):
            (tmp_path / "a.toml").write_text(f"seed = {seed}\n{tables}")
            experiment.run(experiment.read(tmp_path / "a.toml"), tmp_path / str(seed))
        found = ns.compare(tmp_path / "0", tmp_path / "1")
        assert [(group.label, sorted(group.values)) for group in found.groups] == [("all", [0, 1])]
        assert found.pairs == []

    def test_a_run_made_four_times_counts_once(self, folder):
        found = ns.compare([runs(0.1, [0])[0] for _ in range(4)], runs(0.1, [1]))
        assert [(group.summary.n, len(group.runs)) for group in found.groups] == [(2, 2)]
        assert "3 runs are others made once more, with the same seed and bits, and left out" in str(found)
        assert found.as_dict()["n_same"] == found.n_same == 3
        assert ns.compare(folder / "out", folder / "out").n_same == 15
        other = ns.wiring.layered([2, 4, 1], output="identity", rng=7)  # begins elsewhere: a sample of its own
        again = other.fit(*ns.data.load("xor"), learning_rate=0.1, epochs=6, rng=0)
        assert ns.compare(runs(0.1, [0]), again).groups[0].summary.n == 2

    def test_other_wirings_are_other_groups(self):
        net = ns.wiring.layered([2, 5, 1], output="identity", rng=0)
        other = net.fit(*ns.data.load("xor"), learning_rate=0.1, epochs=6, rng=0)
        found = ns.compare(runs(0.1, [0]), other)
        assert found.differing == ("network",)
        assert len(found.groups) == 2

    def test_of_a_sweep_whose_experiment_is_gone(self, folder, tmp_path):
        shutil.copytree(folder / "out", tmp_path / "moved")
        tables = (tmp_path / "moved" / "sweep.toml").read_text().replace('name = "xor"', 'csv = "gone.csv"')
        assert "gone.csv" in tables
        (tmp_path / "moved" / "sweep.toml").write_text(tables)
        moved = ns.compare(tmp_path / "moved")
        assert [group.summary for group in moved.groups] == [
            group.summary for group in ns.compare(folder / "out").groups
        ]
        (tmp_path / "moved" / "plan.csv").unlink()
        with pytest.raises(FileError, match=r"plan.csv cannot be read"):
            ns.compare(tmp_path / "moved")


class TestNumbers:
    def test_pairs_by_seed(self, found):
        a, b = found.groups[:2]
        differences = [a.values[seed] - b.values[seed] for seed in range(5)]
        pair = found.pairs[0]
        assert (pair.n, pair.n_better) == (5, sum(d < 0 for d in differences))
        assert pair.difference == float(np.median(differences))
        assert pair.p >= 0.0625
        assert "with 5 seeds in common no p can be below 0.0625" in str(found)
        assert found.pairs[1].n == 0  # all have diverged
        assert math.isnan(found.pairs[1].difference)

    def test_time_to_target(self):
        made = runs(0.3, range(4))
        threshold = float(np.median([run.history["loss"][-1] for run in made]))
        n, epoch, each = ns.compare(made, target=f"loss={threshold!r}").groups[0].reached
        first = [next((k + 1 for k, v in enumerate(r.history["loss"]) if v <= threshold), math.inf) for r in made]
        assert n == sum(map(math.isfinite, first))
        assert epoch == np.mean(sorted(first)[1:3])
        assert each == sum(6 if math.isinf(k) else k for k in first) / n
        never = ns.compare(made, target="loss=-1").groups[0].reached
        assert never == (0, math.inf, math.inf)

    def test_where(self, folder):
        below = ns.compare(folder / "out", where="training.learning_rate < 0.2")
        assert [len(group.runs) for group in below.groups] == [5]
        words = ns.compare(folder / "out", where="network.wiring == layered")
        assert len(words.groups) == 3

    def test_bits(self, folder):
        assert ns.compare(folder / "out", folder / "out", bits=True).bits == []
        one, two = runs(0.1, [0]), runs(0.1, [0])
        assert ns.compare(one, two, bits=True).bits == []
        two[0].history["loss"][3] += 1e-9
        two[0].carry.parameters.weights[0] += 1e-9
        (line,) = ns.compare(one, two, bits=True).bits
        assert "differ from epoch 3 on: loss" in line


class TestRefused:
    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"metric": "los"}, "did you mean 'loss'"),
            ({"target": "los=3"}, "columns: epoch, loss"),
            ({"target": "loss=x"}, "'x' is no number"),
            ({"where": "learning"}, "write a setting"),
            ({"where": "training.learning_rat < 3"}, "did you mean 'training.learning_rate'"),
            ({"where": "training.learning_rate < a"}, "words are compared by == and !="),
            ({"where": "training.learning_rate < 0.01"}, "there are no runs to compare where"),
        ],
    )
    def test_arguments(self, folder, given, words):
        with pytest.raises(SettingError) as caught:
            ns.compare(folder / "out", **given)
        assert words in str(caught.value)

    def test_what_holds_no_runs(self, tmp_path):
        with pytest.raises(FileError, match="is neither the directory"):
            ns.compare(tmp_path)
        with pytest.raises(SettingError, match="compare takes runs"):
            ns.compare(3)
        with pytest.raises(SettingError, match="no runs to compare"):
            ns.compare()


class TestShown:
    def test_a_figure(self, found):
        picture = found.figure()
        assert list(picture.lines) == [group.label for group in found.groups[:2]]
        own = [record.history["loss"] for record in found.groups[0].runs]
        np.testing.assert_allclose(picture.lines[found.groups[0].label].get_ydata(), np.median(own, axis=0))
        assert "band from 25 to 75 %" in picture.ax.get_legend().get_title().get_text()
        assert found.figure("seconds").ax.get_xlabel() == "seconds"
        assert found.figure("samples").lines[found.groups[0].label].get_xdata().tolist() == [4, 8, 12, 16, 20, 24]
        with pytest.raises(SettingError, match="x='steps'"):
            found.figure("steps")

    def test_without_curves(self, tmp_path):
        (tmp_path / "xor.toml").write_text(FILE)
        ns.sweep(tmp_path / "xor.toml", tmp_path / "out", options=Options(keep="outcome"))
        found = ns.compare(tmp_path / "out")
        with pytest.raises(DataError, match="keep='history'"):
            found.figure()
        assert "<img" not in found.to_html(tmp_path / "a.html").read_text()
        assert cli.main(["compare", str(tmp_path / "out"), "-o", str(tmp_path / "c")]) == 0
        assert [path.name for path in (tmp_path / "c").iterdir()] == ["comparison.html"]

    def test_a_page_that_sorts(self, found, tmp_path):
        page = found.to_html(tmp_path / "a.html")
        text = page.read_text()
        assert "://" not in re.sub(r'base64,[^"]*', "", text)
        assert text.count("<tr>") >= 4
        assert "script-src 'sha256-" in text

    @pytest.mark.skipif(not CHROMIUM, reason="no chromium")
    def test_the_table_sorts_in_a_browser(self, found, tmp_path):
        page = found.to_html(tmp_path / "a.html")
        text = re.sub("<meta http-equiv[^>]*>", "", page.read_text())  # which lets no other script in
        click = '<script>document.querySelectorAll("th button")[2].click();</script></body>'
        page.write_text(text.replace("</body>", click))
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
        done = subprocess.run([*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=60)
        body = done.stdout.partition("<tbody>")[2].partition("</tbody>")[0]
        means = [re.findall("<td>(.*?)</td>", row)[2] for row in body.split("</tr>")[:-1]]
        known = [float(mean) for mean in means if mean]
        assert known == sorted(known)
        assert means[-1] == ""  # without a value: last
        assert 'aria-sort="ascending"' in done.stdout

    def test_the_command(self, folder, tmp_path, capsys):
        out = str(folder / "out")
        assert cli.main(["compare", out, "--target", "loss=0.2", "-o", str(tmp_path / "c")]) == 0
        said = capsys.readouterr().out
        assert "15 runs in 3 groups; they differ in training.learning_rate" in said
        assert sorted(path.name for path in Path(tmp_path / "c").iterdir()) == ["comparison.html", "comparison.png"]
        assert cli.main(["compare", out, "--json"]) == 0
        assert len(json.loads(capsys.readouterr().out)["groups"]) == 3
        assert cli.main(["compare", out, "--metric", "x"]) == 3
