"""When a fit under way ends: stopping rules, Ctrl-C, divergence; and its progress bar."""

import os
import re
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from nets import OPTIMIZERS, N, awkward_net, bits, data_of, fix_chunks, history_of

import neuronsim as ns
from neuronsim import seeds
from neuronsim.errors import DivergenceWarning

optimizers = pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
dtypes = pytest.mark.parametrize("dtype", ["float64", "float32"])
sizes = pytest.mark.parametrize("batch_size", [1, 4, None], ids=["online", "batch", "all"])


class TestStopping:
    def fit(self, rule: object, **settings) -> tuple[ns.Run, ns.Run, ns.Network]:
        """The run that a rule stops, the run that goes on, and the stopped network."""
        stopped, free = awkward_net(), awkward_net()
        X, T = data_of(stopped)
        options = {"epochs": 60, "learning_rate": 0.05, "rng": 0, "batch_size": None, "evaluate": True} | settings
        run = stopped.fit(X, T, stop=rule, **options)
        return run, free.fit(X, T, **options), stopped

    def check(self, run: ns.Run, free: ns.Run) -> int:
        """What every stopped run has in common; returns its number of epochs."""
        n = run.n_epochs
        assert run.status == "stopped"
        assert 1 < n < 60
        assert free.status == "finished"
        assert history_of(run) == {name: values[:n] for name, values in history_of(free).items()}
        assert {len(values) for values in run.history.values()} == {n}
        assert run.n_steps == n
        return n

    def test_target_loss(self):
        target = 2.0
        run, free, _ = self.fit(ns.stop.TargetLoss(target))
        n = self.check(run, free)
        assert free.history["loss"][n - 1] <= target < free.history["loss"][n - 2]
        assert run.reason.startswith("loss ")

    def test_target_of_other_histories(self):
        run, free, _ = self.fit(ns.stop.TargetLoss(2.0, monitor="data_loss"))
        n = self.check(run, free)
        assert free.history["data_loss"][n - 1] <= 2.0 < free.history["data_loss"][n - 2]
        X, T = data_of(awkward_net())
        run, _, _ = self.fit(ns.stop.TargetLoss(2.0, monitor="val_loss"), validation=(X[:5], T[:5]))
        assert run.history["val_loss"][-1] <= 2.0 < run.history["val_loss"][-2]

    def test_plateau(self):
        run, free, _ = self.fit(ns.stop.Plateau(2, min_delta=0.05))
        n = self.check(run, free)
        losses = free.history["loss"]
        assert min(losses[n - 2 : n]) > min(losses[: n - 2]) - 0.05
        assert run.reason.startswith("loss has not got better")

    def test_gradient_norm(self):
        run, free, net = self.fit(ns.stop.GradientNorm(0.5))
        n = self.check(run, free)
        X, T = data_of(net)
        assert self.norm(net, X, T) <= 0.5
        earlier = awkward_net()
        earlier.fit(X, T, batch_size=None, epochs=n - 1, learning_rate=0.05, rng=0)
        assert self.norm(earlier, X, T) > 0.5
        assert run.reason == f"the gradient's norm {self.norm(net, X, T):.6g} is at most 0.5"

    def test_gradient_norm_counts_every_kind_of_parameter(self):
        net = ns.Network(rng=0)
        net.add_inputs("x")
        net.add_neuron("y", {"x": -1.0}, activation="prelu", slope=0.5, bias=-0.5)
        net.set_outputs("y")
        # z = −1.5, y = −0.75, e = −1.75: ∂w = e·f'·x, ∂b = e·f', ∂slope = e·z
        norm = np.sqrt(0.875**2 + 0.875**2 + (1.75 * 1.5) ** 2)
        run = net.fit([[1.0]], [[1.0]], learning_rate=0, stop=ns.stop.GradientNorm(100))
        assert run.reason == f"the gradient's norm {norm:.6g} is at most 100"

    @staticmethod
    def norm(net: ns.Network, X: np.ndarray, T: np.ndarray, reduction: str = "mean") -> float:
        g = net.gradients(X, T, reduction=reduction)
        return float(np.sqrt(sum((values**2).sum() for values in (g.weights, g.biases, g.slopes))))

    def test_gradient_norm_of_the_sum(self):
        limit = 0.5 * N
        run, free, net = self.fit(ns.stop.GradientNorm(limit), reduction="sum", learning_rate=0.05 / N)
        self.check(run, free)
        assert self.norm(net, *data_of(net), "sum") <= limit

    def test_step_size(self):
        run, free, net = self.fit(ns.stop.StepSize(0.02))
        n = self.check(run, free)
        X, T = data_of(net)
        before = awkward_net()
        before.fit(X, T, batch_size=None, epochs=n - 1, learning_rate=0.05, rng=0)
        moved = [getattr(net, a) - getattr(before, a) for a in ("weights", "biases", "slopes")]
        assert np.sqrt(sum((m**2).sum() for m in moved)) <= 0.02

    def test_seconds_between_epochs(self):
        net = awkward_net()
        run = net.fit(*data_of(net), epochs=10**6, stop=ns.stop.Seconds(0.05))
        assert run.status == "stopped"
        assert 0.04 <= run.history["seconds"][-1] < 5  # noted just before the rule looks at the clock
        assert {len(values) for values in run.history.values()} == {run.n_epochs}

    def test_seconds_within_an_epoch(self):
        net = awkward_net()
        X, T = data_of(net, 2_000_000)
        begin = time.perf_counter()
        run = net.fit(X, T, stop=[ns.stop.Seconds(0.2), ns.stop.Seconds(50)])
        assert time.perf_counter() - begin < 5
        assert run.status == "stopped"
        assert 0 < run.n_steps < 2_000_000
        assert run.history["loss"] == []
        assert "0.2 seconds" in run.reason

    def test_the_first_of_several_rules(self):
        run, free, _ = self.fit([ns.stop.Plateau(50), ns.stop.TargetLoss(2.0), ns.stop.GradientNorm(1e-9)])
        self.check(run, free)
        assert run.reason.startswith("loss 1.")

    def test_a_rule_that_never_holds(self):
        net = awkward_net()
        run = net.fit(*data_of(net), epochs=3, stop=ns.stop.TargetLoss(-1))
        assert (run.status, run.n_epochs) == ("finished", 3)


@pytest.fixture
def control_c() -> Iterator[Callable[[], None]]:
    """Presses Ctrl-C a moment after a fit has begun to listen."""
    found = signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever these tests were started from
    earlier = signal.getsignal(signal.SIGINT)

    def press() -> None:
        limit = time.perf_counter() + 20
        while signal.getsignal(signal.SIGINT) is earlier and time.perf_counter() < limit:
            time.sleep(0.01)
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    threads: list[threading.Thread] = []

    def start() -> None:
        threads.append(threading.Thread(target=press))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join()
    assert signal.getsignal(signal.SIGINT) is earlier
    signal.signal(signal.SIGINT, found)


class TestInterrupts:
    @pytest.mark.parametrize("n", [200, 3_000_000], ids=["between epochs", "within an epoch"])
    def test_control_c(self, n: int, control_c: Callable[[], None]):
        net, again = awkward_net(), awkward_net()
        X, T = data_of(net, n)
        net.fit(X[:1], T[:1], learning_rate=0)  # compiled now
        control_c()
        begin = time.perf_counter()
        settings = {"learning_rate": 1e-4, "shuffle": False}
        run = net.fit(X, T, epochs=10**6, progress=False, stop=ns.stop.Seconds(20), **settings)
        assert time.perf_counter() - begin < 20
        assert run.status == "interrupted"
        assert f"after step {run.n_steps - 1}" in run.reason
        assert {len(values) for values in run.history.values()} == {run.n_epochs}
        whole, rest = divmod(run.n_steps, n)
        assert run.n_epochs in (whole, whole - 1)
        if whole:
            again.fit(X, T, epochs=whole, **settings)
        if rest:
            again.fit(X[:rest], T[:rest], **settings)
        assert bits(net) == bits(again)
        assert net.fit(X[:5], T[:5]).status == "finished"

    def test_outside_the_main_thread(self):
        net = awkward_net()
        runs: list[ns.Run] = []
        thread = threading.Thread(target=lambda: runs.append(net.fit(*data_of(net))))
        thread.start()
        thread.join()
        assert runs[0].status == "finished"


# without a limit on steps that a rule takes, rates as large as numbers get
WILD = {
    "sgd": {"learning_rate": 1e3},
    "momentum": {"learning_rate": 1e3},
    "nesterov": {"learning_rate": 1e3},
    "rmsprop": {"learning_rate": 1e306},
    "adam": {"learning_rate": 3e307},
    "adamw": {"learning_rate": 3e307, "weight_decay": 1e-310},
    "rprop": {"optimizer": ns.optimizers.Rprop(step_max=1e308), "learning_rate": 1e300},
}


class TestDivergence:
    """The status, the warning, and the state before the step that diverged."""

    def diverge(self, net: ns.Network, X: np.ndarray, T: np.ndarray, **settings) -> tuple[ns.Run, str]:
        with pytest.warns(DivergenceWarning) as caught:
            run = net.fit(X, T, **settings)
        (warning,) = caught
        assert run.status == "diverged"
        assert all(np.isfinite(values).all() for values in (net.weights, net.biases, net.slopes))
        assert {len(values) for values in run.history.values()} == {run.n_epochs}
        message = str(warning.message)
        assert run.reason in message
        assert f"step {run.n_steps} " in message
        assert "the network holds the state before that step" in message
        return run, message

    @pytest.mark.parametrize("chunk", [1, 4, 1000])
    @pytest.mark.parametrize("batch_size", [1, 5])
    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    @optimizers
    def test_holds_the_state_before_that_step(
        self, optimizer: str, dtype: str, batch_size: int, chunk: int, monkeypatch: pytest.MonkeyPatch
    ):
        fix_chunks(monkeypatch, chunk)
        net, again = awkward_net(dtype), awkward_net(dtype)
        X, T = data_of(net, 600)
        settings = {"optimizer": optimizer, "batch_size": batch_size, "shuffle": False} | WILD[optimizer]
        if dtype == "float32":
            settings["learning_rate"] = min(settings["learning_rate"], 1e37)
            if optimizer == "adamw":
                settings["weight_decay"] = 1e-40
            if optimizer == "rprop":
                settings |= {"optimizer": ns.optimizers.Rprop(step_max=1e38), "learning_rate": 1e36}
        run, _ = self.diverge(net, X, T, epochs=3, **settings)
        steps = run.n_steps
        assert steps < 600 // batch_size  # within the first epoch: the same steps can be made alone
        if steps:
            rerun = again.fit(X[: steps * batch_size], T[: steps * batch_size], **settings)
            assert (rerun.status, rerun.n_steps) == ("finished", steps)
        assert bits(net) == bits(again)
        one_more = awkward_net(dtype)
        n = (steps + 1) * batch_size
        again_diverged, _ = self.diverge(one_more, X[:n], T[:n], **settings)
        assert again_diverged.n_steps == steps

    @dtypes
    @pytest.mark.parametrize("chunk", [8, 1000])
    @pytest.mark.parametrize("batch_size", [1, 5])
    @optimizers
    def test_going_back_repeats_the_very_steps(
        self, optimizer: str, batch_size: int, chunk: int, dtype: str, monkeypatch: pytest.MonkeyPatch
    ):
        """The steps before, made once more, need the optimiser's state as it was too."""
        fix_chunks(monkeypatch, chunk)
        net, again = awkward_net(dtype), awkward_net(dtype)
        X, T = data_of(net, 200)
        T[152] = 1e200 if dtype == "float64" else 1e30
        settings = {"optimizer": optimizer, "batch_size": batch_size, "shuffle": False} | OPTIMIZERS[optimizer]
        run, _ = self.diverge(net, X, T, **settings)
        steps = 152 // batch_size
        assert run.n_steps == steps
        again.fit(X[: steps * batch_size], T[: steps * batch_size], **settings)
        assert bits(net) == bits(again)

    @pytest.mark.parametrize("chunk", [1, 7, 1000])
    @pytest.mark.parametrize("batch_size", [1, 4, 1100])
    @pytest.mark.parametrize("epoch", [0, 2])
    def test_names_the_step_and_the_first_neuron(
        self, epoch: int, batch_size: int, chunk: int, monkeypatch: pytest.MonkeyPatch
    ):
        """One sample is so large that h1 overflows in whatever step it is used."""
        fix_chunks(monkeypatch, chunk)
        net = self.chain()
        n = 2300
        X, T = data_of(net, n)
        X, T = np.abs(X), T
        X[1777] = 1e304
        net["x0", "h1"].weight = 1.0
        if epoch:
            order = {epoch: np.arange(n)}
            monkeypatch.setattr(seeds, "sample_order", lambda seed, e, *_: order.get(e, np.zeros(n, np.int64)))
        run, message = self.diverge(net, X, T, epochs=4, batch_size=batch_size, shuffle=False, learning_rate=0)
        steps = -(-n // batch_size)
        assert run.n_steps == epoch * steps + 1777 // batch_size
        assert run.n_epochs == epoch
        assert f"(epoch {epoch})" in message
        assert "the first value that is not finite is z = inf of neuron 'h1'" in message

    def chain(self) -> ns.Network:
        net = ns.Network(rng=0)
        net.add_inputs("x0")
        net.add_neuron("h0", {"x0": 1e3}, activation="identity")
        net.add_neuron("h1", {"x0": 1.0, "h0": 1e3}, activation="identity")
        net.add_neuron("h2", {"h1": 1.0}, activation="sigmoid")
        net.add_neuron("y", {"h2": 1.0}, activation="identity")
        net.set_outputs("y")
        return net

    @pytest.mark.parametrize("batch_size", [1, 2])
    def test_the_first_is_that_of_the_running_order_not_of_the_ids(self, batch_size: int):
        net = ns.Network(rng=0)
        net.add_inputs("x0")
        net.add_neuron("late", activation="sigmoid")
        net.add_neuron("early", {"x0": 1e10}, activation="identity")
        net.connect("early", "late", weight=1.0)
        net.set_outputs("late")
        _, message = self.diverge(net, [[1e300]] * 2, [[0.0]] * 2, batch_size=batch_size)
        assert "is z = inf of neuron 'early'" in message

    def test_names_the_first_delta(self):
        net = ns.Network(rng=0)
        net.add_inputs("x")
        net.add_neuron("a", {"x": 1.0}, activation="identity")
        net.add_neuron("b", {"a": 1.0}, activation="identity")
        net.add_neuron("y", {"b": 1e200}, activation="identity")
        net.set_outputs("y")
        # y − t = 1e150, and 1e150 · 1e200 is too large
        _, message = self.diverge(net, [[0.0]], [[1e150]], learning_rate=1e-300)
        assert "is delta = -inf of neuron 'b'" in message

    def test_names_the_neuron_whose_update_overflows(self):
        net = ns.Network(rng=0)
        net.add_inputs("x")
        net.add_neuron("a", {"x": 1.0}, activation="identity")
        net.add_neuron("y", {"a": 1.0}, activation="identity")
        net.set_outputs("y")
        net.freeze("a")
        run, message = self.diverge(net, [[1.0]], [[100.0]], learning_rate=1e308)
        assert run.n_steps == 0
        assert "the update makes a parameter of neuron 'y' not finite" in message

    @pytest.mark.parametrize("by_weight", [False, True])
    def test_names_the_first_of_several_whose_update_overflows(self, by_weight: bool):
        net = ns.Network(rng=0)
        net.add_inputs("x")
        for name in ("a", "b", "c"):
            net.add_neuron(name, {"x": 1.0}, activation="identity")
        net.set_outputs("c", "b", "a")
        net.freeze("a")
        net.freeze(biases=True) if by_weight else net.freeze(edges=[("x", "b")])
        _, message = self.diverge(net, [[1.0]], [[100.0] * 3], learning_rate=1e308)
        assert "parameter of neuron 'b' not finite" in message

    def test_a_loss_that_is_not_finite_by_itself(self):
        net = ns.Network(rng=0)
        net.add_inputs("x")
        net.add_neuron("y", {"x": 1.0}, activation="identity")
        net.set_outputs("y")
        # the logarithm of −1 is not a number, yet all z, y and δ are
        data = [[1.0], [-1.0]], [[1.0], [1.0]]
        run, message = self.diverge(net, *data, loss="binary_cross_entropy", shuffle=False, learning_rate=0)
        assert run.n_steps == 1
        assert "the loss is not finite" in message

    @sizes
    @optimizers
    def test_nothing_stays_behind(self, optimizer: str, batch_size: int | None):
        """A later fit is that of a network that never diverged."""
        net, never = awkward_net(), awkward_net()
        X, T = data_of(net)
        poisoned = T.copy()
        poisoned[0] = 1e200
        settings = {"optimizer": optimizer, "batch_size": batch_size, "shuffle": False} | OPTIMIZERS[optimizer]
        run, _ = self.diverge(net, X, poisoned, **settings)
        assert run.n_steps == 0
        net.fit(X, T, **settings)
        never.fit(X, T, **settings)
        assert bits(net) == bits(never)

    def test_the_warning_points_at_the_callers_line(self):
        net = awkward_net()
        X, T = data_of(net)
        with pytest.warns(DivergenceWarning) as caught:
            net.fit(X, T, learning_rate=1e9, epochs=50)
        assert caught[0].filename == __file__

    def test_as_an_error_it_leaves_the_same_state(self):
        warned, raised = awkward_net(), awkward_net()
        X, T = data_of(warned)
        self.diverge(warned, X, T, learning_rate=1e6, epochs=50, rng=0)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(DivergenceWarning):
                raised.fit(X, T, learning_rate=1e6, epochs=50, rng=0)
        assert bits(warned) == bits(raised)

    def test_huge_but_finite_parameters_go_on(self):
        net = ns.Network(rng=0)
        net.add_inputs("x")
        net.add_neuron("a", {"x": 1e308}, activation="sigmoid", bias=1e308)
        net.add_neuron("b", {"x": 1e308}, activation="sigmoid", bias=1e308)
        net.add_neuron("y", {"a": 1.0, "b": 1.0})
        net.set_outputs("y")
        assert net.fit([[0.5]], [[0.5]]).status == "finished"  # whose sum overflows

    def test_stopping_at_the_last_step(self):
        net = self.chain()
        run, _ = self.diverge(net, [[1.0], [1e304]], [[0.0], [0.0]], shuffle=False, learning_rate=0)
        assert (run.n_steps, run.n_epochs) == (1, 0)
        assert repr(run) == "<Run diverged: 1 step>"


class TestProgress:
    def test_nothing_is_printed_unless_asked(self, capfd: pytest.CaptureFixture[str]):
        net = awkward_net()
        net.fit(*data_of(net))
        net.fit(*data_of(net), progress=False)
        assert capfd.readouterr() == ("", "")

    def test_a_bar_on_stderr(self, capfd: pytest.CaptureFixture[str]):
        net = awkward_net()
        net.fit(*data_of(net), progress=True, epochs=2)
        out, err = capfd.readouterr()
        assert out == ""
        assert "28.0/28.0" in err


def test_the_bar_says_how_far_and_how_good(capsys):
    net, X, T = ns.wiring.layered([2, 1], rng=0), np.ones((4, 2)), np.ones((4, 1))
    net.fit(X, T, epochs=2, progress=True, validation=(X, T))
    assert re.search(r"epoch 2 of 2, loss [\d.e-]+, validation [\d.e-]+", capsys.readouterr().err)


def test_one_of_a_kind_is_said_in_the_singular() -> None:
    net = ns.wiring.layered([1, 1], rng=0)
    run = net.fit([[1.0]], [[1.0]], epochs=1)
    assert run.reason == "1 epoch done"
    assert repr(run).startswith("<Run finished: 1 epoch, 1 step, loss")


def test_what_an_alarm_ends_with_an_epoch_is_no_stop_of_a_rule():
    """The parameters stay those at which it fired, whatever epoch was the best."""
    net = ns.wiring.layered([1, 1], output="identity", rng=0)
    run = net.fit(
        [[0.0]],
        [10.0],
        epochs=50,
        learning_rate=0.05,
        validation=([[0.0]], [0.0]),  # worse with every step
        stop=ns.stop.Plateau(40, monitor="val_loss", restore_best=True),
        monitors=ns.Alarm("b > 1.5", stop=True),
    )
    assert (run.status, run.restored) == ("stopped", None)
    assert net.biases[1] > 1.5
    assert run.n_epochs == run.n_steps > 1
