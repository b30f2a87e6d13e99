"""``fit_many``: each run is the one that its seed makes alone."""

import dataclasses
import warnings
from typing import Any

import numpy as np
import pytest

import neuronsim as ns
from neuronsim.errors import DataError, DivergenceWarning, NeuronsimError, SettingError
from neuronsim.training.replicas import Replica, fit_replicas
from neuronsim.training.settings import FitSettings
from neuronsim.training.trainer import Trainer

RNG = np.random.default_rng(0)
X, T = RNG.normal(size=(60, 3)), RNG.normal(size=(60, 2))


def net(**given: Any) -> ns.Network:
    return ns.wiring.layered([3, 9, 2], output="identity", rng=0, **given)


def alone(start: ns.Network, seed: int, **given: Any) -> tuple[ns.Network, ns.Run]:
    own = start.copy()
    own.initialise(rng=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DivergenceWarning)
        return own, own.fit(X, T, rng=seed, **given)


def told(run: ns.Run) -> tuple[Any, ...]:
    history = {name: repr(values) for name, values in run.history.items() if name != "seconds"}
    return run.status, run.reason, run.n_steps, run.seed, run.restored, run.held_out.tolist(), history


def check_equal(start: ns.Network, run: ns.Run, seed: int, **given: Any) -> None:
    own, lone = alone(start, seed, **given)
    assert told(run) == told(lone)
    assert run.network.weights.tobytes() == own.weights.tobytes()
    assert run.network.biases.tobytes() == own.biases.tobytes()
    if lone.n_steps:
        q = lone.n_steps // 2
        assert run.at(q).z.tobytes() == lone.at(q).z.tobytes()
    assert lone.carry is not None
    assert run.carry is not None
    for one, other in zip(lone.carry.states, run.carry.states, strict=True):
        assert [a.tobytes() for a in one] == [a.tobytes() for a in other]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"dtype": "float32"},
        {"optimizer": "adam", "batch_size": 16},
        {"optimizer": "momentum", "momentum": 0.7, "batch_size": None, "shuffle": False},
        {"validation": 0.25, "evaluate": True},
        {"validation": (X[:9], T[:9]), "stop": ns.stop.Plateau(monitor="val_loss", patience=2, restore_best=True)},
        {"learning_rate": ns.schedules.Cosine(0.1, 100)},
        {"stop": ns.stop.TargetLoss(0.9)},
        {"stop": ns.stop.GradientNorm(0.02)},
        {"average": 3},
    ],
    ids=str,
)
def test_each_is_its_lone_run(given: dict[str, Any]) -> None:
    own = dict(given)
    start = net(dtype=own.pop("dtype", "float64"))
    own = {"epochs": 6, "learning_rate": 0.02} | own
    before = start.weights.tobytes()
    runs = ns.fit_many(start, X, T, seeds=[3, 1, 4, 15, 9, 2, 6, 5, 35, 8, 97], **own)
    assert start.weights.tobytes() == before
    assert runs.alone == {}
    for seed, run in zip([3, 1, 4, 15, 9, 2, 6, 5, 35, 8, 97], runs, strict=True):
        check_equal(start, run, seed, **own)


def test_lists_go_in_step_with_seeds() -> None:
    given = {"learning_rate": [0.01, 0.2, ns.schedules.Exponential(0.1, 0.9)], "batch_size": [1, 8, 1]}
    runs = ns.fit_many(net(), X, T, seeds=[0, 0, 5], epochs=3, **given)
    assert [run.settings["batch_size"] for run in runs] == [1, 8, 1]
    for k, (seed, run) in enumerate(zip([0, 0, 5], runs, strict=True)):
        check_equal(net(), run, seed, epochs=3, **{name: values[k] for name, values in given.items()})


@pytest.mark.parametrize("shuffle", [[False, True, False], [True, False, True]])
def test_in_order_and_shuffled_side_by_side(shuffle: list[bool]) -> None:
    runs = ns.fit_many(net(), X, T, seeds=[1, 2, 3], epochs=2, shuffle=shuffle)
    for seed, (own, run) in enumerate(zip(shuffle, runs, strict=True), start=1):
        check_equal(net(), run, seed, epochs=2, shuffle=own)


def test_every_setting_of_its_own_side_by_side() -> None:
    """Whatever may differ between two runs decides the group, or is a lane's own."""
    others: dict[str, Any] = {
        "loss": "huber", "reduction": "sum", "optimizer": "momentum", "learning_rate": 0.05, "batch_size": 7,
        "epochs": 2, "shuffle": False, "weight_decay": 0.01, "clip_norm": 0.5, "clip_value": 0.01, "validation": 0.25,
        "evaluate": True, "stop": ns.stop.TargetLoss(10.0), "momentum": 0.5, "snapshots": "auto", "threads": 1,
        "progress": False, "average": 2,
    }  # fmt: skip
    given = {field.name for field in dataclasses.fields(FitSettings)}
    assert set(others) == given - {"rng", "monitors", "checkpoint", "resume", "lengths", "mask", "window", "reach"}
    replicas, expected = [], []
    for name, value in others.items():
        own = (
            {"epochs": 3, "learning_rate": 0.02}
            | ({"optimizer": "nesterov"} if name == "momentum" else {})
            | {name: value}
        )
        start = net().copy()
        start.initialise(rng=4)
        replicas.append(Replica(start.runtime, FitSettings(rng=4, **own)))
        expected.append(own)
    fit_replicas(replicas, X, T, ns.Run, 1)
    for own, replica in zip(expected, replicas, strict=True):
        lone, run = alone(net(), 4, **own)
        assert replica.run is not None
        assert told(replica.run) == told(run), own
        assert replica.runtime.graph.weights.tobytes() == lone.weights.tobytes(), own


def test_a_ctrl_c_is_meant_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    train = Trainer.train

    def interrupted(self: Trainer, event: Any, bar: Any) -> bool:
        event.set()
        return train(self, event, bar)

    monkeypatch.setattr(Trainer, "train", interrupted)
    runs = ns.fit_many(net(), X, T, seeds=range(3), epochs=4, clip_norm=1.0)
    assert [run.status for run in runs] == ["interrupted"] * 3
    assert [run.n_steps > 0 for run in runs] == [True, False, False]
    assert runs[2].reason == "interrupted before its first step"


@pytest.mark.filterwarnings("ignore::neuronsim.errors.DivergenceWarning")
def test_those_that_diverge_say_where() -> None:
    rates = [0.01, 50.0, 0.02, 1e6]
    runs = ns.fit_many(net(activation="relu"), X, T, seeds=range(4), learning_rate=rates, epochs=4)
    assert [run.status for run in runs] == ["finished", "diverged", "finished", "diverged"]
    assert runs.alone == dict.fromkeys([1, 3], "it left the finite numbers")
    assert "2 finished, 2 diverged" in repr(runs)
    assert "2 alone (it left the finite numbers)" in repr(runs)
    for seed, (rate, run) in enumerate(zip(rates, runs, strict=True)):
        check_equal(net(activation="relu"), run, seed, learning_rate=rate, epochs=4)


@pytest.mark.parametrize("given", [{"clip_norm": 0.1}, {"stop": ns.stop.StepSize(1e-9)}], ids=str)
def test_what_lanes_cannot_do_is_fitted_alone_and_said(given: dict[str, Any]) -> None:
    runs = ns.fit_many(net(), X, T, seeds=range(2), epochs=2, **given)
    assert list(runs.alone) == [0, 1]
    for seed, run in enumerate(runs):
        check_equal(net(), run, seed, epochs=2, **given)


def test_any_number_of_threads() -> None:
    many = [ns.fit_many(net(), X, T, seeds=range(20), epochs=2, threads=n) for n in (1, 4)]
    for one, other in zip(*many, strict=True):
        assert told(one) == told(other)


def test_compared_as_repetitions() -> None:
    found = ns.compare(ns.fit_many(net(), X, T, seeds=range(5), epochs=2))
    assert [group.summary.n for group in found.groups] == [5]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rng": 3}, "fit_many takes no rng: each replica's is its seed"),
        ({"monitors": ns.Monitor("h1.0")}, "takes no monitors: monitors look at one run"),
        ({"epoch": 3}, "knows no 'epoch'; did you mean 'epochs'"),
        ({"learning_rate": [0.1, 0.2]}, "learning_rate has 2 values for 3 seeds"),
        ({"learning_rate": -1.0}, "the learning rate is -1.0"),
        ({"seeds": 3}, "seeds=3: several are needed"),
        ({"seeds": [1.5]}, "seeds"),
        ({"seeds": []}, "seeds is empty: at least one is needed"),
    ],
)
def test_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        ns.fit_many(net(), X, T, **{"seeds": range(3)} | given)


def test_wrong_data_are_refused() -> None:
    with pytest.raises(DataError):
        ns.fit_many(net(), X[:, :2], T)
    with pytest.raises(NeuronsimError, match="takes a network"):
        ns.fit_many(3, X, T)  # type: ignore[arg-type]
