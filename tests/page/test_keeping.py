"""Which steps and neurons a page keeps; its sums include all others."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import check_numbers, data_of

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
