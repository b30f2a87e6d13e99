"""Small experiments side by side: each to the bits and the outcome that it has alone."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import neuronsim as ns
from neuronsim import experiment
from neuronsim.experiment.together import trained_together
from neuronsim.sweeps.attempt import Job, attempt
from neuronsim.sweeps.identity import run_id

FILE = """\
seed = 0
network = { wiring = "layered", sizes = [2, 5, 2], output = "softmax" }
data = { name = "moons", n = 60, rng = 1, scale = "standardize" }
training = { epochs = 6, learning_rate = 0.1, optimizer = "momentum" }
"""


def read(folder: Path, *overrides: str, text: str = FILE) -> experiment.Experiment:
    (folder / "moons.toml").write_text(text)
    return experiment.read(folder / "moons.toml", overrides)


def told(outcome: experiment.Outcome) -> dict[str, Any]:
    return {name: value for name, value in asdict(outcome).items() if name != "seconds"}


@pytest.mark.filterwarnings("ignore::neuronsim.errors.DivergenceWarning")
def test_as_alone(tmp_path: Path) -> None:
    settings = [f"seed={seed}" for seed in range(4)]
    settings += ["training.learning_rate=0.3", "training.optimizer=adam", "training.batch_size=8", "training.epochs=3"]
    settings += ["training.evaluate=true", "training.weight_decay=0.01"]
    alone = ["training.learning_rate=1e308", "network.sizes=[2, 600, 2]", "network.sizes=[2, 7, 2]", "data.n=40"]
    alone += ["training.validation=0.25"]  # other data to train on
    experiments = [read(tmp_path, one) for one in [*settings, *alone]]
    found = trained_together(experiments)
    assert [one is None for one in found] == [False] * len(settings) + [True] * len(alone)
    for one, other in zip(found[: len(settings)], experiments, strict=False):
        assert one is not None
        net, run, outcome = experiment.trained(other)
        assert one[0].weights.tobytes() == net.weights.tobytes()
        assert told(one[2]) == told(outcome)
        for name, column in run.history.items():
            assert name == "seconds" or repr(one[1].history[name]) == repr(column)


def test_a_refused_one_is_left_to_itself(tmp_path: Path) -> None:
    good, other = read(tmp_path), read(tmp_path, "seed=1")
    wrong = read(tmp_path, 'training.loss="binary_cross_entropy"', "training.optimizer=rprop", "training.batch_size=7")
    found = trained_together([good, other, wrong])
    assert found[2] is None or found[2][2].status == "finished"


def test_a_worker_puts_them_side_by_side(tmp_path: Path) -> None:
    jobs = []
    for seed in range(5):
        one = read(tmp_path, f"seed={seed}")
        jobs.append(Job(run_id(one.settings, one.folder), one.settings, str(one.folder), one.name))
    many, each = attempt(tuple(jobs), 1), [attempt((job,), 1)[0] for job in jobs]
    for one, other in zip(many, each, strict=True):
        assert one.outcome["lanes"] == 5
        assert "lanes" not in other.outcome
        for name in ("status", "reason", "metrics", "bits"):
            assert one.outcome[name] == other.outcome[name]
        assert [line.rsplit(b",", 1)[0] for line in one.files["history.csv"].splitlines()] == [
            line.rsplit(b",", 1)[0] for line in other.files["history.csv"].splitlines()
        ]


def test_a_sweep_says_so(tmp_path: Path) -> None:
    (tmp_path / "moons.toml").write_text(FILE + "[sweep]\nseed = { range = 12 }\n")
    found = ns.sweep(tmp_path / "moons.toml", tmp_path / "out", executor="threads:1")
    assert "were trained side by side" in str(found)
    assert {run.status for run in found.runs} == {"finished"}
