"""Time travel: every step of a run comes out again, bit for bit, wherever replay comes from."""

import pickle
import warnings
from dataclasses import replace

import numpy as np
import pytest
from nets import OPTIMIZERS, awkward_net, data_of

import neuronsim as ns
from neuronsim.engine.session import Session
from neuronsim.errors import DataError, DivergenceWarning, NotKnownError, SettingError
from neuronsim.step import Step
from neuronsim.training import snapshots
from neuronsim.training import trainer as training
from neuronsim.training.fit import Trainer

KINDS = ("weights", "biases", "slopes")


@pytest.fixture(autouse=True)
def _many_snapshots(monkeypatch):
    """One a chunk, however quick it was."""
    monkeypatch.setattr(snapshots, "LEAST_SECONDS", 0.0)


def witnessed(monkeypatch, net, X, T, **settings):
    """A run with what training itself held before each step, taken from it step by step, and after the last."""
    monkeypatch.setattr(training, "CHUNK_SECONDS", 0.0)  # one step a chunk
    states, works = [], []
    chunk = Trainer._make_chunk

    def watched(self, order, done, rates):
        states.append([values.copy() for values in self.session.arrays()])
        made = chunk(self, order, done, rates)
        works.append((self.session.work, self.session.work.y.copy(), self.session.work.delta.copy()))
        return made

    monkeypatch.setattr(Trainer, "_make_chunk", watched)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DivergenceWarning)
        run = net.fit(X, T, **settings)
    monkeypatch.undo()
    states.append([net.weights.copy(), net.biases.copy(), net.slopes.copy()])
    return run, states, works


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def assert_is(step: Step, before: list, after: list) -> None:
    """A step has the parameters and the optimiser's state that training had."""
    for kind, values in zip(KINDS, before, strict=False):
        assert same(getattr(step, kind), values), kind
    for kind, values in zip(KINDS, after, strict=False):
        assert same(getattr(step, f"{kind}_after"), values), f"{kind}_after"
    for k, part in enumerate(step.state, 1):
        assert all(same(a, b) for a, b in zip(part, before[3 * k : 3 * k + 3], strict=True))
    if len(after) > 3:
        for k, part in enumerate(step.state_after, 1):
            assert all(same(a, b) for a, b in zip(part, after[3 * k : 3 * k + 3], strict=True))
        assert step.powers == tuple(after[9].tolist())


def everything(step: Step) -> list[bytes]:
    arrays = [step.z, step.y, step.delta, step.losses, step.samples, step.weights, step.weights_after, step.biases]
    arrays += [step.biases_after, step.slopes, step.slopes_after, step.weight_gradients, step.bias_gradients]
    arrays += [step.slope_gradients, *(values for part in (*step.state, *step.state_after) for values in part)]
    return [values.tobytes() for values in arrays]


dtypes = pytest.mark.parametrize("dtype", ["float64", "float32"])
SETTINGS = {
    **{name: {"optimizer": name, **settings} for name, settings in OPTIMIZERS.items()},
    "all at once": {
        "optimizer": "adamw",
        "learning_rate": ns.schedules.WarmUp(5, ns.schedules.Cosine(0.02, total=3)),
        "clip_norm": 0.7,
        "clip_value": 0.1,
        "weight_decay": 0.05,
        "reduction": "sum",
        "rng": 5,
    },
    "decay": {"optimizer": "momentum", "weight_decay": 0.1, "shuffle": False, "learning_rate": 0.01},
    "norm": {"clip_norm": 0.5, "learning_rate": 0.05, "reduction": "sum"},
}


class TestEveryStep:
    @dtypes
    @pytest.mark.parametrize("batch_size", [1, 4, None])
    @pytest.mark.parametrize("settings", SETTINGS.values(), ids=list(SETTINGS))
    def test_has_what_training_had(self, monkeypatch, settings, batch_size, dtype):
        net = awkward_net(dtype)
        net.freeze("h1")
        net.scale_rate("g0", 0.5)
        X, T = data_of(net)
        options = {"rng": 3, "epochs": 3, "batch_size": batch_size} | settings
        run, states, works = witnessed(monkeypatch, net, X, T, **options)
        assert run.n_steps == len(states) - 1 > 2
        for q, step in enumerate(run.replay.walk()):
            assert_is(step, states[q], states[q + 1])
            assert (step.number, step.epoch) == (q, q // run.replay.steps_per_epoch)
            self._compare_signals(step, works[q], batch_size)

    @staticmethod
    def _compare_signals(step: Step, work, batch_size: int | None) -> None:
        """y of all and δ of what is no input, as they lay in training's own buffers."""
        buffers, y, delta = work
        stride = int(buffers.places[1]) if step.is_batch else 1
        n, count = step.graph.n_neurons, len(step)
        there = ~step.graph.is_input
        assert step.is_batch == (batch_size != 1)
        for values, mine in ((y, step.y), (delta, step.delta)):
            theirs = values[: n * stride].reshape(n, stride).T[:count]
            assert same(np.ascontiguousarray(theirs[:, there]), np.ascontiguousarray(np.atleast_2d(mine)[:, there]))

    @dtypes
    @pytest.mark.parametrize("kind", ["dense", "sparse"])
    @pytest.mark.parametrize("batch_size", [7, 32, None])
    def test_reduced_gradients_are_those_that_the_update_used(self, kind, batch_size, dtype):
        """Plain SGD: the change is the gradient times -μ, rounded once; and the network must end there."""
        if kind == "dense":
            net = ns.wiring.layered([9, 40, 33, 3], activation="tanh", dtype=dtype, rng=1)
        else:
            net = ns.wiring.random_dag(
                n_inputs=9, n_hidden=60, n_outputs=3, in_degree=5, activation="prelu", dtype=dtype, rng=1
            )
        n = 1300 if batch_size is None else 40
        X, T = data_of(net, n)
        run = net.fit(X, T, batch_size=batch_size, learning_rate=2**-6, epochs=2, rng=1)
        rate = net.dtype.type(2**-6)  # a power of two: the product is exact, the sum is rounded once, as in the fma
        for step in run.replay.walk():
            assert same(step.weights_after, step.weights - rate * step.weight_gradients)
            assert same(step.biases_after, step.biases - rate * step.bias_gradients)
            assert same(step.slopes_after, step.slopes - rate * step.slope_gradients)
        assert same(step.weights_after, net.weights)

    def test_of_one_sample_is_net_steps(self):
        net, twin = awkward_net(), awkward_net()
        X, T = data_of(net)
        run = net.fit(X, T, shuffle=False, learning_rate=0.3)
        for q in range(len(X)):
            mine, other = run.at(q), twin.step(X[q], T[q], learning_rate=0.3)
            assert everything(mine)[5:] == everything_but_samples(other)
            for a in range(net.n_neurons):
                assert repr(mine[a]) == repr(other[a]).replace("step 0", f"step {q}")
            assert str(mine.explain("p0")).splitlines()[1:] == str(other.explain("p0")).splitlines()[1:]

    @pytest.mark.parametrize("reduction", ["mean", "sum"])
    @pytest.mark.parametrize("batch_size", [1, 5])
    def test_clipping_scales_the_reduced_gradient(self, batch_size, reduction):
        net = awkward_net()
        X, T = data_of(net)
        run = net.fit(X, T, rng=1, batch_size=batch_size, clip_norm=0.3, learning_rate=0.1, reduction=reduction)
        for step in run.replay.walk():
            gradients = (step.weight_gradients, step.bias_gradients, step.slope_gradients)
            norm = np.sqrt(sum(float((g * g).sum()) for g in gradients))
            assert step.clip_factor == pytest.approx(min(1.0, 0.3 / norm))
            dw = step.weights_after - step.weights
            np.testing.assert_allclose(dw, -0.1 * step.clip_factor * step.weight_gradients, rtol=1e-9, atol=1e-12)

    @dtypes
    def test_of_a_tiny_network(self, monkeypatch, dtype):
        """Its training has a kernel of its own."""
        net = ns.wiring.layered([2, 3, 1], activation="tanh", dtype=dtype, rng=1)
        X, T = data_of(net, 8)
        run, states, works = witnessed(monkeypatch, net, X, T, rng=1, epochs=3, learning_rate=0.1)
        assert net.runtime.engine().wiring.tiny
        for q, step in enumerate(run.replay.walk()):
            assert_is(step, states[q], states[q + 1])
            self._compare_signals(step, works[q], 1)
            step.check().assert_ok()

    @pytest.mark.parametrize("threads", [1, 2])
    def test_threads_change_nothing(self, threads):
        net = ns.wiring.layered([40, 64, 64, 4], activation="relu", dtype="float32", rng=1)
        X, T = data_of(net, 96)
        run = net.fit(X, T, batch_size=32, epochs=2, rng=1, threads=threads, optimizer="adam")
        assert same(run.at(run.n_steps - 1).weights_after, net.weights)


def everything_but_samples(step: Step) -> list[bytes]:
    return everything(replace(step, samples=np.zeros(0)))[5:]


class TestTravelling:
    def run_of(self, monkeypatch=None, n=50, epochs=40, **settings):
        net = awkward_net()
        X, T = data_of(net, n)
        return net, net.fit(X, T, epochs=epochs, rng=1, optimizer="momentum", learning_rate=0.001, **settings)

    def test_forwards_backwards_and_at_random_are_the_same(self):
        net, run = self.run_of()
        n = run.n_steps
        assert n == 2000
        forwards = [everything(step) for step in run.replay.walk(900, 1100)]
        assert [everything(run.at(q)) for q in range(1099, 899, -1)] == forwards[::-1]
        for q in np.random.default_rng(0).integers(900, 1100, 50).tolist():
            assert everything(run.at(q)) == forwards[q - 900]
        assert same(run.at(n - 1).weights_after, net.weights)
        assert same(run.at(0).weights, awkward_net().weights)

    def test_with_the_start_alone(self):
        _, rich = self.run_of(epochs=4)
        _, poor = self.run_of(epochs=4, snapshots=snapshots.bytes_of(rich.recording.snapshots.states[0]))
        assert list(poor.recording.snapshots.states) == [0]
        for q in (199, 0, 120, 119, 118):
            assert everything(rich.at(q)) == everything(poor.at(q))

    def test_rates_by_step_and_adams_products_go_along(self):
        net = awkward_net()
        X, T = data_of(net, 60)
        schedule = ns.schedules.InverseTime(0.01, 0.1, per="step")
        run = net.fit(X, T, epochs=3, rng=1, optimizer="adam", learning_rate=schedule, snapshots=9_000)
        steps = list(run.replay.walk())
        assert same(steps[-1].weights_after, net.weights)
        assert [step.learning_rate for step in steps] == schedule.at(np.arange(180)).tolist()
        for q in (150, 40, 179, 61, 0, 100):
            run._replay = None
            assert everything(run.at(q)) == everything(steps[q])
            assert run.at(q).powers == steps[q].powers

    def test_walking_back_replays_little(self, monkeypatch):
        """From the start of 2,000 steps alone: once all of them, then never more than some √."""
        net = awkward_net()
        X, T = data_of(net, 2000)
        run = net.fit(X, T, rng=1)
        kept = run.recording.snapshots
        for step in list(kept.states)[1:]:
            del kept.states[step]
        kept.capacity = 100
        made = []
        advance = Session.advance
        monkeypatch.setattr(
            Session, "advance", lambda self, o, f, rates, *w: made.append(len(rates)) or advance(self, o, f, rates, *w)
        )
        run.at(1999)
        assert sum(made) == 2000
        for q in range(1998, 998, -1):
            made.clear()
            run.at(q)
            assert sum(made) <= 46
        made.clear()
        for _ in run.replay.walk(1100, 1200):
            pass
        assert sum(made) <= 46 + 100

    def test_parameters_before_any_step(self):
        net, run = self.run_of(epochs=1)
        for q in (50, 0, 17, 49):
            weights, biases, slopes = run.replay.parameters(q)
            if q < 50:
                step = run.at(q)
                assert same(weights, step.weights)
                assert same(biases, step.biases)
                assert same(slopes, step.slopes)
        assert same(run.replay.parameters(50).weights, net.weights)

    def test_rows_and_samples(self):
        net = awkward_net()
        X, T = data_of(net, 10)
        run = net.fit(X, T, batch_size=4, epochs=2, rng=1)
        replay = run.replay
        for epoch in range(2):
            rows = [replay.rows(3 * epoch + k) for k in range(3)]
            assert [len(r) for r in rows] == [4, 4, 2]
            assert sorted(np.concatenate(rows).tolist()) == list(range(10))
        step = run.at(4)
        assert (step.samples == replay.rows(4)).all()
        inputs = net.inputs
        assert np.array_equal(step.y[:, inputs], X[step.samples])
        assert np.array_equal(step.z[:, inputs], X[step.samples])
        assert np.array_equal(step.targets, T[step.samples])

    def test_where_a_sample_was_used(self):
        net = awkward_net()
        replay = net.fit(*data_of(net, 10), batch_size=3, epochs=3, rng=0).replay
        for row in range(10):
            uses = [q for q in range(replay.n_steps) if row in replay.rows(q)]
            for near in range(replay.n_steps + 1):
                assert replay.use(row, near) == min(uses, key=lambda q: abs(q - near))
        assert replay.use(10, 0) is None

    def test_after_further_training_and_edits(self):
        net, run = self.run_of(epochs=2)
        before = [everything(run.at(q)) for q in (3, 60, 99)]
        run._replay = None
        net.fit(*data_of(net, 20), rng=9, learning_rate=0.2)
        net.freeze("h0")
        net.scale_rate("h1", 3.0)
        net.weights *= 2.0
        net["h0"].activation = "relu"
        net.remove_neuron("dead")
        net.disconnect("g0", "y0")
        net.add_neuron("new", ["x0"])
        net.set_outputs("new")
        assert [everything(run.at(q)) for q in (3, 60, 99)] == before
        assert run.at(3).graph.id("dead") == awkward_net().graph.id("dead")

    def test_a_run_can_be_pickled(self):
        _, run = self.run_of(epochs=1)
        run.at(3)
        again = pickle.loads(pickle.dumps(run))
        assert everything(again.at(7)) == everything(run.at(7))


class TestBatches:
    def step_of(self, **settings):
        net = awkward_net()
        X, T = data_of(net)
        return net.fit(X, T, batch_size=5, rng=1, learning_rate=0.1, **settings).at(1)

    def test_a_sample_is_a_step_of_its_own(self):
        step = self.step_of()
        assert step.is_batch
        assert len(step) == 5
        one = step.sample(2)
        assert not one.is_batch
        assert one.batch is step
        assert one.sample(0) is one
        assert one["h0"].z == step["h0"].z[2]
        assert one["h0"].delta == step["h0"].delta[2]
        assert one["h0", "g0"].gradient == step["h0", "g0"].gradients[2]
        assert one["p0"].slope_gradient == pytest.approx(one["p0"].error * min(one["p0"].z, 0.0), rel=1e-12)
        assert one.loss == step.losses[2]
        assert one.samples.tolist() == [step.samples[2]]
        assert one.weights_after is step.weights_after
        assert "forward" in str(one.explain("h0"))
        one.check().assert_ok()

    @pytest.mark.parametrize("reduction", ["mean", "sum"])
    def test_gradients_are_reduced(self, reduction):
        step = self.step_of(reduction=reduction)
        reduce = np.mean if reduction == "mean" else np.sum
        edge, neuron = step["h0", "g0"], step["h0"]
        assert edge.gradient == pytest.approx(reduce(edge.gradients))
        assert neuron.bias_gradient == pytest.approx(reduce(neuron.delta))
        assert step["p0"].slope_gradient == pytest.approx(
            reduce([step.sample(k)["p0"].slope_gradient for k in range(5)])
        )
        assert step.loss == pytest.approx(reduce(step.losses))
        step.check().assert_ok()

    def test_errors_reach_the_inputs(self):
        net = awkward_net()
        X, T = data_of(net)
        expected = awkward_net().gradients(X, T).inputs
        step = net.fit(X, T, batch_size=None, shuffle=False).at(0)
        assert same(np.ascontiguousarray(step.delta[:, net.inputs]), np.ascontiguousarray(expected))

    def test_a_wrong_gradient_fails(self):
        step = self.step_of()
        wrong = step.weight_gradients.copy()
        wrong[3] += 1e-3
        assert len(replace(step, reduced=step.gradients._replace(weights=wrong)).check().failures) == 1

    def test_what_one_sample_has_refuses(self):
        step = self.step_of()
        for ask in (lambda: step["h0"].messages, lambda: step["h0"].derivative, lambda: step.own_errors):
            with pytest.raises(SettingError, match=r"step 1 has 5 samples, and one is meant here: step\.sample\(k\)"):
                ask()
        with pytest.raises(SettingError, match="sample 5 of a step with 5"):
            step.sample(5)

    def test_a_batch_of_one_sample_is_a_batch(self):
        net = awkward_net()
        X, T = data_of(net, 5)
        step = net.fit(X, T, batch_size=4, rng=1).at(1)
        assert step.is_batch
        assert step.z.shape == (len(step), net.n_neurons) == (1, net.n_neurons)

    def test_class_numbers(self):
        net = awkward_net(output="softmax")
        X, _ = data_of(net)
        T = np.arange(len(X)) % 2
        for size in (1, 5):
            run = net.fit(X, T, batch_size=size, rng=1)
            step = run.at(0)
            assert np.array_equal(np.atleast_2d(step.targets).argmax(axis=1), T[step.samples])
            step.check().assert_ok()


class TestEnds:
    @pytest.mark.parametrize("batch_size", [1, 4])
    def test_stopped_runs(self, batch_size):
        net = awkward_net()
        X, T = data_of(net)
        run = net.fit(X, T, batch_size=batch_size, epochs=9, rng=1, stop=ns.stop.TargetLoss(1e9))
        assert run.status == "stopped"
        assert same(run.at(run.n_steps - 1).weights_after, net.weights)

    @pytest.mark.parametrize("batch_size", [1, 3])
    def test_the_step_at_which_a_run_diverged(self, batch_size):
        net = ns.wiring.layered([2, 3, 1], activation="identity", rng=1)
        X, T = data_of(net, 6)
        with pytest.warns(DivergenceWarning):
            run = net.fit(X, T, batch_size=batch_size, learning_rate=50.0, epochs=99, rng=1)
        q = run.n_steps
        assert same(run.at(q - 1).weights_after, net.weights)
        failed = run.replay.failed()
        assert failed.number == q
        assert same(failed.weights, net.weights)
        assert not np.isfinite(failed.weights_after).all()
        signals = run.replay.signals(q)
        assert same(signals.z, failed.z)
        assert same(signals.delta, failed.delta)
        assert same(run.replay.parameters(q).weights, net.weights), "the failed step was taken back"
        with pytest.raises(SettingError, match=rf"no step {q:,} .* run\.replay\.failed\(\)"):
            run.at(q)

    def test_where_the_loss_itself_was_not_finite_no_update_was_made(self):
        net = ns.wiring.layered([1, 1], activation="identity", rng=1)
        net.weights[:] = 1e200
        with pytest.warns(DivergenceWarning):
            run = net.fit([[1e200]], [[0.0]])
        failed = run.replay.failed()
        assert run.n_steps == 0
        assert failed.z.tolist()[1] == failed.loss == np.inf
        assert np.isnan(failed.weights_after).all()
        assert np.isfinite(failed.weights).all()
        with pytest.raises(SettingError, match="it made no step"):
            run.at(0)

    @pytest.mark.parametrize("batch_size", [1, 2])
    def test_a_failed_step_can_be_looked_at_again(self, batch_size):
        net = ns.wiring.layered([1, 1], activation="identity", rng=1)
        net.weights[:] = 1e200
        with pytest.warns(DivergenceWarning):
            run = net.fit([[1e200], [1e200]], [[0.0], [0.0]], optimizer="adam", batch_size=batch_size)
        failed = [run.replay.failed() for _ in range(2)]
        assert failed[0].powers == failed[1].powers == (0.9, 0.999)
        assert same(failed[0].z, failed[1].z)

    def test_signals_without_the_update(self):
        net = awkward_net()
        X, T = data_of(net)
        run = net.fit(X, T, rng=1)
        for q in (3, 0, len(X)):
            s = run.replay.signals(q)
            if q < len(X):
                assert same(s.delta, run.at(q).delta)
        row = run.replay.rows(len(X))[0]
        assert np.allclose(s.y[net.outputs], net.forward(X[row]), rtol=1e-12)
        with pytest.raises(SettingError, match="did not diverge"):
            run.replay.failed()


class TestRefusals:
    def test_steps_that_are_none(self):
        net = awkward_net()
        run = net.fit(*data_of(net), rng=1)
        for q in (-1, 14, 10**6):
            with pytest.raises(SettingError, match=f"no step {q:,} in this run: steps go from 0 to 13"):
                run.at(q)
        for q in (1.0, True, "h0", None):
            with pytest.raises(SettingError, match="a step is a whole number"):
                run.at(q)

    def test_without_snapshots(self):
        net = awkward_net()
        run = net.fit(*data_of(net), rng=1, snapshots=False)
        with pytest.raises(NotKnownError, match="can't be replayed: it was fitted with snapshots=False"):
            run.at(0)

    def test_a_start_that_does_not_fit(self):
        net = ns.wiring.layered([300, 300, 1], rng=1)
        run = net.fit(*data_of(net, 3), rng=1, snapshots=100_000)
        with pytest.raises(NotKnownError, match=r"takes 0\.7 MB, more than the 0\.1 MB .* snapshots=\d+\) keeps"):
            run.at(0)

    @pytest.mark.parametrize("wrong", [True, 0, -1, "no", np.nan, None])
    def test_odd_budgets(self, wrong):
        net = awkward_net()
        with pytest.raises(SettingError, match=r'snapshots=.*: "auto", False, or how many bytes'):
            net.fit(*data_of(net), snapshots=wrong)

    @pytest.mark.parametrize("which", ["X", "T"])
    def test_changed_data(self, which):
        net = awkward_net()
        X, T = data_of(net)
        run = net.fit(X, T, rng=1)
        before = everything(run.at(5))
        array = {"X": X, "T": T}[which]
        array[7] += 1.0
        with pytest.raises(DataError, match=rf"{which} has changed since the run.*{which}\.copy\(\)"):
            run.at(5)
        array[7] -= 1.0
        array[:] = data_of(net)[which == "T"]
        assert everything(run.at(5)) == before

    def test_data_of_another_dtype_were_copied_anyway(self):
        net = awkward_net("float32")
        X, T = data_of(net)
        run = net.fit(X, T, rng=1)
        before = everything(run.at(5))
        X[:] = 0.0
        assert everything(run.at(5)) == before


@pytest.mark.parametrize("place", [0, 7, 198_405, 299_999])
def test_a_change_anywhere_in_the_data_is_noticed(place):
    X, T = np.random.default_rng(0).normal(size=(100_000, 3)), np.zeros((100_000, 1))
    run = ns.wiring.layered([3, 1], rng=0).fit(X, T, batch_size=100)
    run.at(310)
    X.reshape(-1)[place] += 5
    with pytest.raises(ns.errors.DataError, match="X has changed"):
        run.at(310)
    X.reshape(-1)[place] -= 5


def test_rows_that_change_places_are_noticed():
    X, T = np.random.default_rng(0).normal(size=(100_000, 3)), np.zeros((100_000, 1))
    run = ns.wiring.layered([3, 1], rng=0).fit(X, T, batch_size=100)
    X[[20_000, 20_001]] = X[[20_001, 20_000]]
    with pytest.raises(ns.errors.DataError, match="X has changed"):
        run.at(1)
