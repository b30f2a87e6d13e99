"""Which steps and neurons a page keeps; its sums include all others."""

import base64
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import check_numbers, data_of

from neuronsim import wiring
from neuronsim.errors import SettingError, UnknownNameError
from neuronsim.page import content, keeping
from neuronsim.run import Run


class TestSteps:
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

    @given(st.integers(2, 5_000), st.integers(8, 200), st.sets(st.integers(0, 6_000), max_size=60))
    @settings(max_examples=100, deadline=None)
    def test_wanted_steps_take_the_place_of_others(self, n_steps: int, n: int, wanted: set[int]) -> None:
        wanted = set(sorted(wanted)[: n // 4])
        kept = sorted(wanted)[::2]
        chosen = keeping.with_wanted(keeping.spread(n_steps, n), wanted, n, keep=kept)
        assert chosen == sorted(set(chosen))
        assert {q for q in wanted if q < n_steps} <= set(chosen)
        assert (chosen[0], chosen[-1]) == (0, n_steps - 1)
        assert len(chosen) <= n


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
        assert sorted(network["names"] + network["others"]) == sorted(image_run.replay.graph.name_list(range(834)))
        assert network["level_inputs"] == [784, 0, 0]
        assert network["level_outputs"] == [0, 0, 10]

    def test_neurons_asked_for_are_drawn(self, image_run: Run) -> None:
        asked = ["h1.3", "h1.30", "x0"]
        assert set(asked) <= set(content(image_run, [5], neurons=asked)["network"]["names"])
        with pytest.raises(UnknownNameError, match=r"h1\.99"):
            content(image_run, neurons="h1.99")
        with pytest.raises(SettingError, match="784 neurons; a page draws at most 300"):
            content(image_run, neurons="x*")

    def test_what_findings_name_is_drawn(self) -> None:
        net = wiring.layered([4, 400, 2], activation="relu", rng=0)
        net.biases[4:404] = -1000.0
        rng = np.random.default_rng(0)
        run = net.fit(rng.uniform(size=(30, 4)), rng.uniform(size=(30, 2)), learning_rate=1e-4, rng=0)
        data = content(run)
        names = data["network"]["names"]
        found = [[names[row] for row in finding["neurons"]] for finding in data["findings"]]
        assert found == [list(finding.neurons[:3]) for finding in run.diagnose()]
        assert ["h1.0", "h1.1", "h1.2"] in found


class TestSamples:
    def test_classes_answers_and_pictures(self, image_run: Run) -> None:
        data = content(image_run, None)
        labels = dict(zip(data["blamed"]["rows"], data["blamed"]["labels"], strict=True))
        for shown in data["steps"]:
            rows, losses, answers = shown["worst"]
            blame = image_run.blame("y0", shown["number"])
            assert [labels[row] for row in rows] == blame.labels[rows].tolist()
            assert answers == blame.predicted[rows].tolist()
            assert np.array_equal(np.float32(losses), np.float32(blame.losses[rows]))
            assert set(rows) <= set(data["pictures"])
        row, packed = next(iter(data["pictures"].items()))
        pixels = np.frombuffer(base64.b64decode(packed), np.uint8)
        x = image_run.replay.X[row]
        assert np.stack([pixels >> 4, pixels & 15], 1).ravel() == pytest.approx(15 * (x - x.min()) / np.ptp(x), abs=0.5)

    def test_the_worst_are_found_on_a_step(self) -> None:
        rng = np.random.default_rng(0)
        net = wiring.layered([6, 20, 3], output="softmax", rng=0)
        run = net.fit(rng.normal(size=(3000, 6)), rng.integers(0, 3, 3000), batch_size=16, epochs=3, rng=0)
        data = content(run)
        shown = {sample["row"] for step in data["steps"] for sample in step["samples"]}
        for number in (0, run.n_steps - 1):
            (step,) = [step for step in data["steps"] if step["number"] == number]
            assert len(shown & set(step["worst"][0])) >= 10

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
