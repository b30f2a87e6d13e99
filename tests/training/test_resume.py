"""A run that goes on from another one: two fits of 5 epochs are one of 10; after edits survivors keep their state."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from nets import OPTIMIZERS, awkward_net, bits, data_of, fix_chunks, history_of

import neuronsim as ns
from neuronsim.engine.learning import SessionSettings
from neuronsim.engine.session import Session
from neuronsim.errors import DataError, NeuronsimError, SettingError
from neuronsim.formulas.losses import LOSSES
from neuronsim.page.content import content

dtypes = pytest.mark.parametrize("dtype", ["float64", "float32"])


def same_history(a: ns.Run, b: ns.Run) -> bool:
    return history_of(a) == history_of(b)


def signals(step) -> tuple[bytes, ...]:
    arrays = (step.z, step.y, step.delta, step.weights, step.biases, step.slopes, step.weights_after, step.biases_after)
    return tuple(np.asarray(values).tobytes() for values in arrays)


@dtypes
@pytest.mark.parametrize("batch_size", [1, 4, None])
@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
def test_two_fits_are_one(optimizer: str, batch_size: int | None, dtype: str) -> None:
    nets = [awkward_net(dtype) for _ in range(2)]
    X, T = data_of(nets[0], 13)
    given = {"optimizer": optimizer, "batch_size": batch_size, "momentum": OPTIMIZERS[optimizer].get("momentum")}
    given |= {"learning_rate": ns.schedules.Exponential(0.05, 0.9, per="step"), "evaluate": True}
    given |= {} if optimizer == "rprop" else {"weight_decay": 0.01}
    whole = nets[0].fit(X, T, epochs=6, rng=3, **given)
    first = nets[1].fit(X, T, epochs=2, rng=3, **given)
    second = nets[1].fit(X, T, epochs=3, resume=first, **given)
    third = nets[1].fit(X, T, epochs=1, resume=second, **given)
    assert bits(nets[1]) == bits(nets[0])
    assert (third.n_steps, third.n_epochs, third.seed) == (whole.n_steps, 6, 3)
    assert same_history(third, whole)
    assert third.history["seconds"] == sorted(third.history["seconds"])


@pytest.mark.parametrize("which", ["X", "T", "in place"])
def test_other_data_of_the_same_size_are_refused(which: str) -> None:
    net = awkward_net()
    X, T = data_of(net, 10)
    first = net.fit(X, T, epochs=2, rng=3)
    before, other = bits(net), {"X": X, "T": T} | ({} if which == "in place" else {which: {"X": X, "T": T}[which] + 1})
    if which == "in place":
        X[3, 0] += 1
    with pytest.raises(DataError, match=r"resume: [XT] is not what the run was trained on"):
        net.fit(*other.values(), resume=first)
    assert bits(net) == before


def test_another_network_is_refused() -> None:
    net = awkward_net()
    X, T = data_of(net, 10)
    run = net.fit(X, T, rng=3)
    net.graph.weights[0] = 0.25  # by hand
    other = awkward_net(seed=2)
    with pytest.raises(SettingError, match="not one of this network's weights is what the run left it with"):
        other.fit(X, T, resume=run)
    net.fit(X, T, resume=run)
    net = ns.wiring.layered([2, 3, 1], rng=0)
    run = net.fit(*ns.data.load("xor"), rng=0)
    net.fit(*ns.data.load("xor"), rng=0)
    with pytest.raises(SettingError, match="it has been trained since"):
        net.fit(*ns.data.load("xor"), resume=run)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_every_step_of_both_is_made_again(batch_size: int) -> None:
    nets = [awkward_net() for _ in range(2)]
    X, T = data_of(nets[0], 10)
    given = {"optimizer": "adam", "batch_size": batch_size, "learning_rate": 0.05}
    whole = nets[0].fit(X, T, epochs=4, rng=3, **given)
    first = nets[1].fit(X, T, epochs=2, rng=3, **given)
    run = nets[1].fit(X, T, epochs=2, resume=first, **given)
    order = np.random.default_rng(0).permutation(whole.n_steps).tolist()
    assert all(signals(run.at(q)) == signals(whole.at(q)) for q in order)
    assert [signals(s) for s in run.replay.walk()] == [signals(s) for s in whole.replay.walk()]
    for q in (0, first.n_steps, run.n_steps):
        assert run.replay.parameters(q).weights.tobytes() == whole.replay.parameters(q).weights.tobytes()
    assert run.blame("h1", 1).delta.tobytes() == whole.blame("h1", 1).delta.tobytes()
    assert str(run.ledger("x0", "h1")) == str(whole.ledger("x0", "h1"))
    again = pickle.loads(pickle.dumps(run))
    assert signals(again.at(1)) == signals(whole.at(1))
    with pytest.raises(SettingError, match="no step"):
        run.at(whole.n_steps)


def test_within_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that an alarm ended goes on in the middle of its epoch."""
    fix_chunks(monkeypatch, 3)
    nets = [awkward_net() for _ in range(2)]
    X, T = data_of(nets[0], 12)
    whole = nets[0].fit(X, T, epochs=4, rng=1, optimizer="momentum")
    name = nets[1].names[-1]
    alarm = ns.Alarm("z > -1e300", neurons=[name], stop=True)
    first = nets[1].fit(X, T, epochs=4, rng=1, optimizer="momentum", monitors=alarm)
    assert (first.status, first.n_epochs) == ("stopped", 0)
    assert 0 < first.n_steps < 12
    run = nets[1].fit(X, T, epochs=4, resume=first, optimizer="momentum")
    assert bits(nets[0]) == bits(nets[1])
    assert same_history(run, whole)


def test_rules_see_the_whole_history() -> None:
    X, T = np.linspace(-1, 1, 8)[:, None], np.ones((8, 1))
    other = (X, -T)  # the validation wants something else: it gets worse from the first epoch on
    nets = [ns.wiring.layered([1, 3, 1], rng=0) for _ in range(2)]
    given = {"validation": other, "learning_rate": 0.05}
    rule = ns.stop.Plateau(6, monitor="val_loss", restore_best=True)
    whole = nets[0].fit(X, T, epochs=20, rng=0, stop=rule, **given)
    first = nets[1].fit(X, T, epochs=3, rng=0, **given)
    run = nets[1].fit(X, T, epochs=17, resume=first, stop=rule, **given)
    assert (run.status, run.n_epochs) == (whole.status, whole.n_epochs)
    assert same_history(run, whole)


@pytest.mark.parametrize("optimizer", ["momentum", "adam", "rprop"])
def test_after_edits_survivors_keep_their_state(optimizer: str) -> None:
    """Neurons and edges are known by name: what is new begins with no state, what is gone is forgotten."""
    net = ns.wiring.layered([3, 4, 2], rng=0)
    X, T = data_of(net, 9)
    first = net.fit(X, T, epochs=3, rng=0, optimizer=optimizer, batch_size=3)
    names, before = list(net.names), first.carry.states
    place = {(names[edge["source"]], names[edge["sink"]]): k for k, edge in enumerate(net.edges)}
    net.remove_neuron("h1.1")
    net.disconnect("x0", "h1.2")
    net.add_neuron("late", ["x1", "h1.0"])
    net.connect("late", "y0")
    states = handed_over(net, first)
    for n_th, (now, earlier) in enumerate(zip(states, before, strict=True)):
        start = 0.01 if (optimizer, n_th) == ("rprop", 1) else 0.0  # rprop's step sizes begin with the rate
        for k, edge in enumerate(net.edges if earlier.weights.size else ()):
            ends = net.names[edge["source"]], net.names[edge["sink"]]
            assert now.weights[k] == (earlier.weights[place[ends]] if ends in place else start)
        for k, name in enumerate(net.names if earlier.weights.size else ()):
            assert now.biases[k] == (earlier.biases[names.index(name)] if name in names else start)
    run = net.fit(X, T, epochs=1, resume=first, optimizer=optimizer, batch_size=3)
    assert (run.n_epochs, run.n_steps) == (4, 12)
    with pytest.raises(SettingError, match=r"before the wiring was edited .*; this one begins with step 9"):
        run.at(3)
    assert (run.at(9).number, first.at(3).number) == (9, 3)


def handed_over(net: ns.Network, run: ns.Run) -> tuple:
    """The optimiser's state that a session begins with which goes on from a run."""
    settings = SessionSettings(run.settings["optimizer"], 3, initial_rate=0.01)
    data = np.zeros((9, net.n_inputs)), np.zeros((9, net.n_outputs))
    session = Session(net.runtime.engine(), *data, LOSSES["half_squared_error"], settings)
    run.carry.hand_over(session)
    return session.learning.first_state, session.learning.second_state


def test_a_part_held_out_stays_held_out() -> None:
    rng = np.random.default_rng(0)
    X, T = rng.normal(size=(20, 3)), rng.integers(0, 2, 20)
    nets = [ns.wiring.layered([3, 4, 2], output="softmax", rng=0) for _ in range(2)]
    whole = nets[0].fit(X, T, epochs=4, validation=0.25, rng=2)
    first = nets[1].fit(X, T, epochs=2, validation=0.25, rng=2)
    run = nets[1].fit(X, T, epochs=2, validation=0.25, resume=first)
    assert (run.held_out == whole.held_out).all()
    assert bits(nets[0]) == bits(nets[1])
    assert same_history(run, whole)


def test_what_was_not_looked_at_is_not_known() -> None:
    net = ns.wiring.layered([1, 1], rng=0)
    X = np.ones((4, 1))
    run = net.fit(X, X, epochs=1, evaluate=True, resume=net.fit(X, X, epochs=2, rng=0))
    assert np.isnan(run.history["data_loss"]).tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 2}, "the run had batch_size=1, not 2"),
        ({"optimizer": "adam"}, r"the run had SGD\(\), not Adam"),
        ({"rng": 7}, "has the seed 0; leave rng out"),
        ({"shuffle": False}, "the run had shuffle=True"),
        ({"validation": 0.5}, "4 samples to train on, not 2"),
        ({"resume": "run"}, "resume takes a run, what fit returned, not 'run'"),
        ({"resume": True}, "resume=run from a run in memory"),
        ({"checkpoint": "there"}, "with checkpoint= give resume=True or False"),
    ],
)
def test_refused(settings: dict, message: str) -> None:
    net = ns.wiring.layered([1, 1], rng=0)
    X = np.ones((4, 1))
    run = net.fit(X, X, rng=0)
    before = bits(net)
    with pytest.raises(NeuronsimError, match=message):
        net.fit(X, X, **({"resume": run} | settings))
    with pytest.raises(DataError, match="4 samples to train on, not 3"):
        net.fit(X[:3], X[:3], resume=run)
    assert bits(net) == before
    assert net.fit(X, X, rng=0, resume=run).n_epochs == 2


@pytest.mark.parametrize("batch_size", [1, 4])
def test_monitors_count_steps_from_the_first_run(batch_size: int) -> None:
    nets = [awkward_net() for _ in range(2)]
    X, T = data_of(nets[0], 13)

    def watchers() -> list[ns.Monitor]:
        every, listed = ns.Monitor("h1", ["y", "delta"], every=3), ns.Monitor("h1", "y", steps=[1, 5, 14, 15])
        return [every, listed, ns.Monitor("h1", "y", every=1, keep_last=4)]

    given = {"batch_size": batch_size, "learning_rate": 0.05}
    whole, rest = watchers(), watchers()
    n_steps = nets[0].fit(X, T, epochs=4, rng=0, monitors=whole, **given).n_steps
    first = nets[1].fit(X, T, epochs=1, rng=0, **given)
    nets[1].fit(X, T, epochs=3, resume=first, monitors=rest, **given)
    for a, b in zip(whole, rest, strict=True):
        later = a.step >= first.n_steps
        assert b.step.tolist() == a.step[later].tolist()
        assert b["h1"].y.tobytes() == a["h1"].y[later].tobytes()
    assert rest[2].step.tolist() == list(range(n_steps - 4, n_steps))


@pytest.fixture
def edited() -> ns.Run:
    """A run of 6 steps that goes on from one of 6, after an edit which added a dead relu."""
    net = ns.wiring.layered([2, 3, 1], activation="relu", output="identity", rng=0)
    X, T = data_of(net, 3)
    first = net.fit(X, T, epochs=2, rng=0)
    net.add_neuron("late", ["x0", "x1"], activation="relu", bias=-100.0)
    net.connect("late", "y0")
    return net.fit(X, T, epochs=2, resume=first)


def test_what_looks_at_a_whole_run_begins_with_the_first_step_after_an_edit(edited: ns.Run, tmp_path: Path) -> None:
    assert (edited.replay.begin, edited.n_steps) == (6, 12)
    (dead,) = edited.diagnose().of("dead")
    assert dead.neurons == ("late",)
    assert "from step 6 on, the first after an edit" in dead.sentence
    assert edited.first("delta < 1e9").step == 6
    ledger = edited.ledger("late", "y0")
    assert (ledger.start, ledger.stop) == (6, 12)
    assert [step.number for step in edited.replay.walk()] == list(range(6, 12))
    assert ns.plot.errors(edited).steps.tolist() == list(range(6, 12))
    assert ns.plot.animation(edited, tmp_path / "film.gif").stat().st_size > 1000
    assert not edited.diff(edited, every_step=True)
    assert not edited.diff(edited)
    for ask in (lambda: edited.first("z > 0", start=0), lambda: edited.ledger("late", start=3), lambda: edited.at(5)):
        with pytest.raises(SettingError, match="before the wiring was edited"):
            ask()


def test_the_page_of_a_run_after_an_edit(edited: ns.Run, tmp_path: Path) -> None:
    found = content(edited)
    assert [step["number"] for step in found["steps"]] == list(range(6, 12))
    assert "the first 6 steps were made before an edit of the wiring, and are not here" in found["left_out"]
    assert edited.to_html(tmp_path / "page.html").exists()
    with pytest.raises(SettingError, match="from 6 to 11"):
        edited.to_html(tmp_path / "page.html", steps=[0])
    assert [step["number"] for step in content(edited.resumed)["steps"]] == list(range(6))


def test_two_runs_that_differ_after_an_edit(edited: ns.Run) -> None:
    net, data = edited.network, (edited.recording.X, edited.recording.T)
    net.weights[...] = edited.replay.parameters(6).weights
    other = net.fit(*data, epochs=2, resume=edited.resumed)
    assert (other.replay.begin, edited.diff(other).step) == (6, 6)
    net.weights[...] = 1.0
    causes = edited.diff(net.fit(*data, epochs=2, resume=edited.resumed)).causes
    assert any(cause.endswith("of the weights differ before step 6") for cause in causes)


def test_what_goes_on_from_a_run_without_snapshots_says_so(tmp_path: Path) -> None:
    net = ns.wiring.layered([2, 3, 1], activation="relu", rng=0)
    net["h1.0"].bias = -100.0
    X, T = data_of(net, 3)
    run = net.fit(X, T, epochs=2, resume=net.fit(X, T, epochs=2, rng=0, snapshots=False))
    run.save(tmp_path / "kept")
    for one in (run, ns.load_run(tmp_path / "kept")):
        assert "from step 6 on, the first after the end of a run without snapshots" in str(one.diagnose())
        assert (
            "the first 6 steps were made before the end of a run without snapshots, and are not here"
            in (content(one)["left_out"])
        )
