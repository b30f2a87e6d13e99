"""What a page holds: its numbers are the run's."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages import bits, check_numbers, data_of, lecture_run

from neuronsim import wiring
from neuronsim.errors import DivergenceWarning, NotKnownError, SettingError
from neuronsim.page import content, numbers


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
