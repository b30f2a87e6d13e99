"""``net.fit``: what it promises, against the reference and against itself."""

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from nets import OPTIMIZERS, N, awkward_net, bits, data_of, fix_chunks, history_of

import neuronsim as ns
from neuronsim import seeds
from neuronsim.formulas.losses import LOSSES, Loss
from neuronsim.formulas.neurons import bias_of, slope_of, weight_of
from neuronsim.formulas.reference import ReferenceNetwork
from neuronsim.training import trainer as training

optimizers = pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
dtypes = pytest.mark.parametrize("dtype", ["float64", "float32"])
# online; batches with a short last one; all at once
sizes = pytest.mark.parametrize("batch_size", [1, 4, None], ids=["online", "batch", "all"])

HISTORY = ["epoch", "loss", "learning_rate", "seconds"]


def orders(run: ns.Run, n: int, epochs: int) -> list[list[int]]:
    """The order of the samples in each epoch, as API.md says: one child of stream 2 an epoch."""
    return [seeds.generator(run.seed, seeds.ORDER, epoch).permutation(n).tolist() for epoch in range(epochs)]


def as_lists(values: np.ndarray, dtype: object) -> list:
    return values.tolist() if values.dtype.kind in "iu" else values.astype(dtype).astype(float).tolist()


def read_back(reference: ReferenceNetwork, net: ns.Network) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The reference's weights, biases and slopes, in the order of the network's arrays."""
    edges = [reference.value(weight_of(int(e["source"]), int(e["sink"]))) for e in net.edges]
    biases, slopes = net.biases.astype(float), net.slopes.astype(float)
    for a in reference.neurons:
        biases[a], slopes[a] = reference.value(bias_of(a)), reference.value(slope_of(a))
    return np.array(edges), biases, slopes


# Rounding of each step's terms, through a few dozen steps. Rules that divide by √g² or look at signs pass on the
# *relative* error of g, which is larger where its terms cancel: hence a hundred times more room for them.
def tolerance(dtype: object, optimizer: str) -> float:
    base = 1e-12 if np.dtype(dtype) == np.float64 else 1e-5
    return base * (100 if optimizer in ("rmsprop", "adam", "adamw", "rprop") else 3)


def assert_fits_as_the_reference(net: ns.Network, X: np.ndarray, T: np.ndarray, **settings) -> ns.Run:
    reference = ReferenceNetwork.from_network(net)
    options = {"rng": 3, "epochs": 3} | settings
    run = net.fit(X, T, **options)
    del options["rng"]
    shuffled = options.pop("shuffle", True)
    given = orders(run, len(X), options["epochs"]) if shuffled else None
    history = reference.fit(as_lists(X, net.dtype), as_lists(T, net.dtype), orders=given, **options)
    rule = run.settings["optimizer"].name
    near = tolerance(net.dtype, rule)
    for got, expected in zip((net.weights, net.biases, net.slopes), read_back(reference, net), strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=near * 3)
    np.testing.assert_allclose(run.history["loss"], history["loss"], rtol=near * 3)
    assert run.history["learning_rate"] == history["learning_rate"]
    return run


class TestAgainstTheReference:
    @dtypes
    @sizes
    @optimizers
    def test_every_optimizer(self, optimizer: str, batch_size: int | None, dtype: str):
        net = awkward_net(dtype)
        X, T = data_of(net)
        settings = OPTIMIZERS[optimizer]
        assert_fits_as_the_reference(net, X, T, optimizer=optimizer, batch_size=batch_size, **settings)

    @sizes
    @optimizers
    @pytest.mark.parametrize("seed", [2, 3, 4])
    def test_random_networks(self, seed: int, optimizer: str, batch_size: int | None):
        net = ns.wiring.random_dag(
            n_inputs=4, n_hidden=12, n_outputs=3, in_degree=5, activation=["tanh", "silu", "sine"][seed % 3], rng=seed
        )
        X, T = data_of(net, 9, seed)
        settings = OPTIMIZERS[optimizer]
        assert_fits_as_the_reference(net, X, T, optimizer=optimizer, batch_size=batch_size, epochs=2, **settings)

    @dtypes
    @sizes
    def test_class_numbers(self, batch_size: int | None, dtype: str):
        net = awkward_net(dtype, output="softmax")
        X, T = data_of(net)[0], np.arange(N) % 2
        assert_fits_as_the_reference(net, X, T, batch_size=batch_size, learning_rate=0.3)

    @sizes
    @pytest.mark.parametrize("reduction", ["mean", "sum"])
    def test_reductions(self, reduction: str, batch_size: int | None):
        net = awkward_net()
        settings = {"reduction": reduction, "batch_size": batch_size, "learning_rate": 0.02}
        assert_fits_as_the_reference(net, *data_of(net), **settings)

    def test_reductions_are_not_the_same(self):
        mean, total = awkward_net(), awkward_net()
        X, T = data_of(mean)
        mean.fit(X, T, batch_size=7, learning_rate=0.07, shuffle=False)
        total.fit(X, T, batch_size=7, learning_rate=0.01, reduction="sum", shuffle=False)
        np.testing.assert_allclose(mean.weights, total.weights, rtol=1e-12)

    @dtypes
    @sizes
    @pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw"])
    def test_weight_decay(self, optimizer: str, batch_size: int | None, dtype: str):
        net = awkward_net(dtype)
        settings = OPTIMIZERS[optimizer] | {"optimizer": optimizer, "batch_size": batch_size, "weight_decay": 0.3}
        assert_fits_as_the_reference(net, *data_of(net), **settings)

    @dtypes
    @sizes
    @optimizers
    @pytest.mark.parametrize("clip", [{"clip_norm": 0.4}, {"clip_value": 0.05}, {"clip_norm": 0.6, "clip_value": 0.1}])
    def test_clipping(self, clip: dict[str, float], optimizer: str, batch_size: int | None, dtype: str):
        net = awkward_net(dtype)
        settings = OPTIMIZERS[optimizer] | clip | {"optimizer": optimizer, "batch_size": batch_size}
        assert_fits_as_the_reference(net, *data_of(net), **settings)

    @dtypes
    @sizes
    @optimizers
    def test_frozen_and_scaled_parameters(self, optimizer: str, batch_size: int | None, dtype: str):
        net = frozen_net(dtype)
        settings = OPTIMIZERS[optimizer] | {"optimizer": optimizer, "batch_size": batch_size}
        assert_fits_as_the_reference(net, *data_of(net), **settings)
        assert_fits_as_the_reference(net, *data_of(net), clip_norm=0.5, **settings)

    @sizes
    @pytest.mark.parametrize(
        "schedule",
        [
            ns.schedules.Step(0.1, every=2, factor=0.5, per="step"),
            ns.schedules.Step(0.1, every=2, factor=0.5),
            ns.schedules.Exponential(0.1, 0.9, per="step"),
            ns.schedules.Exponential(0.1, 0.9),
            ns.schedules.InverseTime(0.1, 0.5, per="step"),
            ns.schedules.Cosine(0.1, 5, final=0.01, per="step"),
            ns.schedules.Cosine(0.1, 3),
            ns.schedules.WarmUp(6, ns.schedules.Exponential(0.1, 0.5)),
        ],
        ids=lambda schedule: f"{schedule.name} per {schedule.per}",
    )
    def test_schedules(self, schedule: ns.schedules.Schedule, batch_size: int | None):
        net = awkward_net()
        run = assert_fits_as_the_reference(net, *data_of(net), learning_rate=schedule, batch_size=batch_size)
        steps = run.n_steps // 3
        last = [float(schedule.rates(steps * (e + 1) - 1, 1, e)[0]) for e in range(3)]
        assert run.history["learning_rate"] == last

    def test_online_and_batches_of_one_by_hand_agree_to_rounding(self):
        """Two orders of summation, one mathematics."""
        online, batch = awkward_net(), awkward_net()
        X, T = data_of(online)
        online.fit(X, T, shuffle=False, learning_rate=0.1)
        for x, t in zip(X, T, strict=True):
            batch.fit([x, x], [t, t], batch_size=2, learning_rate=0.1)
        np.testing.assert_allclose(online.weights, batch.weights, rtol=0, atol=1e-14)


def frozen_net(dtype: str = "float64") -> ns.Network:
    net = awkward_net(dtype)
    net.freeze("h1", "p1")
    net.freeze(edges=[("x0", "h0"), ("g0", "y0")])
    net.scale_rate("g1", 0.5)
    net.scale_rate("h3", 0.0)
    net.scale_rate(("h1", "y0"), 3.0)
    return net


class TestFrozen:
    """A frozen parameter and its optimiser state are left alone, bit for bit."""

    @dtypes
    @pytest.mark.parametrize("batch_size", [1, 5])
    @pytest.mark.parametrize("extra", [{}, {"clip_norm": 0.1}, {"clip_value": 0.01}, {"weight_decay": 0.1}], ids=str)
    @optimizers
    def test_no_bit_changes(self, optimizer: str, extra: dict[str, float], batch_size: int, dtype: str):
        if optimizer == "rprop" and "weight_decay" in extra:
            extra = {}  # it takes none
        net = frozen_net(dtype)
        rates = [np.copy(r) for r in (net.graph.weight_rates, net.graph.bias_rates, net.graph.slope_rates)]
        before = net.copy()
        settings = OPTIMIZERS[optimizer] | extra | {"optimizer": optimizer, "batch_size": batch_size}
        net.fit(*data_of(net), epochs=4, rng=0, **settings)
        moved = 0
        for array, factors in zip(("weights", "biases", "slopes"), rates, strict=True):
            old, new = getattr(before, array), getattr(net, array)
            still = factors <= 0
            assert still.any()
            assert new[still].tobytes() == old[still].tobytes()
            moved += np.count_nonzero(new != old)
            if array == "weights" and "clip_value" not in extra:  # equal steps there and back are no step
                reached = still | np.isin(net.edges["sink"], net.find("dead"))
                assert (new[~reached] != old[~reached]).all()
        assert moved > 20
        after = (net.graph.weight_rates, net.graph.bias_rates, net.graph.slope_rates)
        for old, new in zip(rates, after, strict=True):
            np.testing.assert_array_equal(old, new)

    @optimizers
    @pytest.mark.parametrize("batch_size", [1, 5])
    def test_everything_frozen(self, batch_size: int, optimizer: str):
        net = awkward_net()
        net.freeze("*[0-9]", "bias", "dead")
        before = bits(net)
        run = net.fit(*data_of(net), optimizer=optimizer, batch_size=batch_size, epochs=2, **OPTIMIZERS[optimizer])
        assert bits(net) == before
        assert run.status == "finished"

    @optimizers
    @pytest.mark.parametrize("batch_size", [1, 5])
    def test_unfrozen_again_it_trains_as_if_never_frozen(self, batch_size: int, optimizer: str):
        plain, thawed = awkward_net(), frozen_net()
        thawed.unfreeze()
        for factor, what in ((2.0, "g1"), (1 / 3, ("h1", "y0"))):
            thawed.scale_rate(what, factor)
        plain.scale_rate("h3", 0.0)
        settings = {"optimizer": optimizer, "batch_size": batch_size, "rng": 0} | OPTIMIZERS[optimizer]
        for net in (plain, thawed):
            net.fit(*data_of(net), epochs=2, **settings)
        assert bits(plain) == bits(thawed)

    @pytest.mark.parametrize("batch_size", [1, 5])
    def test_the_frozen_do_not_count_for_clip_norm(self, batch_size: int):
        net = frozen_net()
        X, T = data_of(net)
        g = net.gradients(X[:batch_size], T[:batch_size])
        trained = [
            values[np.asarray(rates) >= 0]
            for values, rates in (
                (g.weights, net.graph.weight_rates),
                (g.biases, net.graph.bias_rates),
                (g.slopes, net.graph.slope_rates),
            )
        ]
        norm = float(np.sqrt(sum((values**2).sum() for values in trained)))
        clipped, free = net.copy(), net.copy()
        for each, limit in ((clipped, norm * 1.001), (free, None)):
            each.fit(
                X[:batch_size], T[:batch_size], batch_size=batch_size, learning_rate=0.5, shuffle=False, clip_norm=limit
            )
        np.testing.assert_allclose(clipped.weights, free.weights, rtol=0, atol=1e-15)
        clipped.fit(X[:1], T[:1], clip_norm=norm * 0.1, learning_rate=0.5)
        assert not np.allclose(clipped.weights, free.weights, atol=1e-6)


class TestRateOfZero:
    @dtypes
    @pytest.mark.parametrize("batch_size", [1, 5])
    @pytest.mark.parametrize("extra", [{}, {"clip_norm": 0.1}, {"weight_decay": 0.1}], ids=str)
    @optimizers
    def test_changes_nothing(self, optimizer: str, extra: dict[str, float], batch_size: int, dtype: str):
        if optimizer == "rprop" and "weight_decay" in extra:
            extra = {}  # it takes none
        net = awkward_net(dtype)
        before = bits(net)
        run = net.fit(
            *data_of(net), optimizer=optimizer, learning_rate=0, batch_size=batch_size, epochs=3, rng=0, **extra
        )
        assert bits(net) == before
        assert run.status == "finished"
        assert run.history["learning_rate"] == [0.0] * 3
        np.testing.assert_allclose(run.history["loss"], run.history["loss"][0], rtol=1e-5)

    def test_a_step_changes_nothing(self):
        net = awkward_net()
        before = bits(net)
        X, T = data_of(net)
        net.step(X[0], T[0], learning_rate=0)
        assert bits(net) == before


class TestHistory:
    def test_keys_and_lengths(self):
        net = awkward_net()
        X, T = data_of(net)
        run = net.fit(X, T, epochs=3)
        assert list(run.history) == HISTORY
        assert {len(values) for values in run.history.values()} == {3}
        assert run.history["epoch"] == [0, 1, 2]
        assert run.history["learning_rate"] == [0.01] * 3
        assert run.history["seconds"] == sorted(run.history["seconds"])
        assert all(seconds > 0 for seconds in run.history["seconds"])
        assert run.n_steps == 3 * N
        assert run.n_epochs == 3
        assert run.status == "finished"
        assert all(type(v) is float for v in run.history["loss"])

    def test_keys_with_everything(self):
        net = awkward_net()
        X, T = data_of(net)
        run = net.fit(X, T, epochs=2, evaluate=True, validation=(X[:3], T[:3]))
        assert list(run.history) == [*HISTORY, "data_loss", "val_loss"]
        assert {len(values) for values in run.history.values()} == {2}

    def test_online_loss_is_the_mean_of_each_samples_loss_before_its_update(self):
        fitted, stepped = awkward_net(), awkward_net()
        X, T = data_of(fitted)
        run = fitted.fit(X, T, learning_rate=0.2, shuffle=False, epochs=2)
        means = [np.mean([stepped.step(x, t, learning_rate=0.2).loss for x, t in zip(X, T, strict=True)]) for _ in "ab"]
        assert run.history["loss"] == pytest.approx(means, rel=1e-14)
        assert bits(fitted) == bits(stepped)

    def test_batch_loss_is_the_mean_over_samples_not_over_batches(self):
        fitted, by_hand = awkward_net(), awkward_net()
        X, T = data_of(fitted, 10)
        run = fitted.fit(X, T, batch_size=4, learning_rate=0.2, shuffle=False)
        losses = []
        for i in (0, 4, 8):  # 4, 4 and a short batch of 2
            g = by_hand.gradients(X[i : i + 4], T[i : i + 4])
            losses += g.losses.tolist()
            by_hand.weights -= 0.2 * g.weights
            by_hand.biases -= 0.2 * g.biases
            by_hand.slopes -= 0.2 * g.slopes
        assert run.n_steps == 3
        assert run.history["loss"][0] == pytest.approx(np.mean(losses), rel=1e-13)
        np.testing.assert_allclose(fitted.weights, by_hand.weights, rtol=1e-12)
        np.testing.assert_allclose(fitted.slopes, by_hand.slopes, rtol=1e-12)

    @pytest.mark.parametrize("reduction", ["mean", "sum"])
    def test_the_loss_is_a_mean_whatever_the_reduction(self, reduction: str):
        net = awkward_net()
        X, T = data_of(net)
        expected = net.evaluate(X, T).loss
        run = net.fit(X, T, batch_size=None, reduction=reduction)
        assert run.history["loss"][0] == pytest.approx(expected, rel=1e-14)

    def test_data_loss_is_that_after_the_epoch(self):
        net = awkward_net()
        X, T = data_of(net)
        run = net.fit(X, T, evaluate=True, epochs=2, learning_rate=0.1)
        assert run.history["data_loss"][-1] == net.evaluate(X, T).loss
        batches = net.fit(X, T, batch_size=None, evaluate=True, epochs=3)
        # all at once: an epoch's loss is measured before its only update
        assert batches.history["data_loss"][:-1] == pytest.approx(batches.history["loss"][1:], rel=1e-14)

    def test_validation(self):
        net = awkward_net(output="softmax")
        X, T = data_of(net)[0], np.arange(N) % 2
        Xv, Tv = data_of(net, 9, seed=5)[0], np.arange(9) % 2
        run = net.fit(X, T, validation=(Xv, Tv), epochs=2, learning_rate=0.1)
        after = net.evaluate(Xv, Tv)
        assert run.history["val_loss"][-1] == after.loss
        assert run.history["val_accuracy"][-1] == after.accuracy
        shares = np.array(run.history["val_accuracy"]) * 9
        np.testing.assert_array_equal(shares, np.round(shares))

    @pytest.mark.parametrize("batch_size", [1, 4, None])
    @pytest.mark.parametrize("shuffle", [True, False])
    def test_a_fraction_is_held_out(self, batch_size: int | None, shuffle: bool):
        """Training on the rest alone gives the same bits; rows keep their numbers; the held-out ones are validated."""
        rng = np.random.default_rng(0)
        X, T = rng.normal(size=(30, 3)), rng.integers(0, 2, 30)
        settings = {"batch_size": batch_size, "shuffle": shuffle, "epochs": 3, "rng": 5, "learning_rate": 0.1}
        settings |= {"evaluate": True, "stop": ns.stop.GradientNorm(1e-9)}
        net, alone = (ns.wiring.layered([3, 4, 2], output="softmax", rng=1) for _ in range(2))
        run = net.fit(X, T, validation=0.2, **settings)
        rest = np.setdiff1d(np.arange(30), run.held_out)
        assert (len(run.held_out), len(rest)) == (6, 24)
        other = alone.fit(X[rest], T[rest], validation=(X[run.held_out], T[run.held_out]), **settings)
        assert net.weights.tobytes() == alone.weights.tobytes()
        for name in set(run.history) - {"seconds"}:
            assert run.history[name] == other.history[name]
        assert run.history["val_loss"][-1] == pytest.approx(net.evaluate(X[run.held_out], T[run.held_out]).loss)
        rows = np.concatenate([run.at(q).samples for q in range(run.n_steps // 3)])
        assert sorted(rows.tolist()) == rest.tolist()
        assert run.at(run.n_steps - 1).weights_after.tobytes() == net.weights.tobytes()
        again = ns.wiring.layered([3, 4, 2], output="softmax", rng=1).fit(X, T, validation=0.2, **settings)
        assert (again.held_out == run.held_out).all()
        assert (net.copy().fit(X, T, validation=0.2, rng=6).held_out != run.held_out).any()
        assert len(other.held_out) == 0

    @pytest.mark.parametrize(
        ("validation", "message"),
        [
            (True, "fraction of the samples"),
            (1.0, r"\(0, 1\)"),
            (0, r"\(0, 1\)"),
            (0.01, "leaves none"),
            (5, r"\(0, 1\)"),
        ],
    )
    def test_other_fractions_are_refused(self, validation: float, message: str):
        net = ns.wiring.layered([1, 1], rng=0)
        before = net.weights.copy()
        with pytest.raises(ns.errors.NeuronsimError, match=message):
            net.fit(np.zeros((4, 1)), np.ones((4, 1)), validation=validation)
        assert (net.weights == before).all()

    def test_a_regression_has_no_accuracy(self):
        net = awkward_net()
        X, T = data_of(net)
        assert "val_accuracy" not in net.fit(X, T, validation=(X, T)).history
        with pytest.raises(ns.errors.SettingError, match="targets of this loss are no classes"):
            net.fit(X, T, validation=(X, T), stop=ns.stop.Plateau(2, monitor="val_accuracy"))

    @pytest.mark.parametrize(("epochs", "status"), [(40, "stopped"), (3, "finished")])
    def test_the_best_parameters_are_put_back(self, epochs, status):
        """The validation wants other outputs than the data: the longer it is trained, the worse it gets."""
        X, T = np.linspace(-1, 1, 8)[:, None], np.ones((8, 1))
        Xv, Tv = X, np.full((8, 1), 0.1)
        settings = {"validation": (Xv, Tv), "epochs": epochs, "learning_rate": 0.01, "rng": 3}
        rule = ns.stop.Plateau(3, monitor="val_loss", restore_best=True)
        net, other = (ns.wiring.layered([1, 3, 1], output="identity", rng=0) for _ in range(2))
        for each in (net, other):
            each.weights = np.zeros(6)
        run = net.fit(X, T, stop=rule, **settings)
        last = other.fit(X, T, stop=ns.stop.Plateau(3, monitor="val_loss"), **settings)
        best = int(np.argmin(run.history["val_loss"]))
        assert run.status == status
        assert 0 <= best < run.n_epochs - 1
        assert net.evaluate(Xv, Tv).loss == run.history["val_loss"][best]
        assert f"the parameters are those after epoch {best}, the best one" in run.reason
        assert run.history["val_loss"] == last.history["val_loss"]
        assert other.evaluate(Xv, Tv).loss == last.history["val_loss"][-1]
        assert run.at(run.n_steps - 1).check()

    @sizes
    def test_looking_changes_no_bit(self, batch_size: int | None):
        plain, watched = awkward_net(), awkward_net()
        X, T = data_of(plain)
        rules = [ns.stop.GradientNorm(0), ns.stop.StepSize(0), ns.stop.Plateau(99), ns.stop.Seconds(99)]
        a = plain.fit(X, T, batch_size=batch_size, epochs=4, rng=0, learning_rate=0.1)
        b = watched.fit(
            X,
            T,
            batch_size=batch_size,
            epochs=4,
            rng=0,
            learning_rate=0.1,
            evaluate=True,
            validation=(X, T),
            stop=rules,
            progress=False,
        )
        assert bits(plain) == bits(watched)
        assert a.history["loss"] == b.history["loss"]

    def test_settings_hold_every_argument(self):
        net = awkward_net()
        run = net.fit(*data_of(net), optimizer="adam", batch_size=3, rng=8)
        assert run.settings["batch_size"] == 3
        assert run.settings["rng"] == run.seed == 8
        assert run.settings["loss"] == "half_squared_error"
        assert run.settings["optimizer"] == ns.optimizers.Adam()
        assert run.settings["shuffle"] is True
        assert not {"net", "X", "T"} & set(run.settings)

    def test_repr(self):
        net = awkward_net()
        run = net.fit(*data_of(net), epochs=2)
        assert repr(run).startswith("<Run finished: 2 epochs, 28 steps, loss ")


class TestBatches:
    @pytest.mark.parametrize(
        ("size", "steps"), [(1, 14), (3, 5), (7, 2), (13, 2), (14, 1), (15, 1), (10**9, 1), (None, 1)]
    )
    def test_steps(self, size: int | None, steps: int):
        net = awkward_net()
        assert net.fit(*data_of(net), batch_size=size).n_steps == steps

    def test_too_large_is_all(self):
        nets = [awkward_net() for _ in range(3)]
        for net, size in zip(nets, (None, N, 1000), strict=True):
            net.fit(*data_of(net), batch_size=size, epochs=3, rng=1)
        assert len({bits(net) for net in nets}) == 1

    def test_one_sample(self):
        nets = [ns.wiring.layered([30, 20, 9, 4], rng=0) for _ in range(3)]
        X, T = data_of(nets[0], 1)
        for net, size in zip(nets, (None, 1, 1000), strict=True):
            net.fit(X, T, batch_size=size, epochs=3, learning_rate=0.1)
        assert len({bits(net) for net in nets}) == 1

    @pytest.mark.parametrize("n", [1023, 1024, 1025, 2050])
    @pytest.mark.parametrize("clip", [None, 0.1])
    def test_around_a_block_of_samples(self, n: int, clip: float | None):
        net = ns.wiring.layered([3, 5, 2], rng=1)
        X, T = data_of(net, n)
        g = net.gradients(X, T)
        norm = np.sqrt(sum((v**2).sum() for v in (g.weights, g.biases)))
        scale = 1.0 if clip is None else min(1.0, clip / norm)
        expected = net.weights - 0.5 * scale * g.weights
        run = net.fit(X, T, batch_size=None, learning_rate=0.5, rng=0, clip_norm=clip)
        np.testing.assert_allclose(net.weights, expected, rtol=0, atol=1e-14)
        assert run.history["loss"][0] == pytest.approx(g.loss, rel=1e-13)

    def test_a_last_block_of_one_sample(self):
        net = ns.wiring.layered([3, 5, 2], rng=1)
        X, T = data_of(net, 1025 + 1)
        g = net.gradients(X[:1025], T[:1025])
        weights = net.weights - 0.5 * g.weights
        net.fit(X, T, batch_size=1025, learning_rate=0.5, shuffle=False)
        after = net.copy()
        after.weights, after.biases = weights, -0.5 * g.biases
        last = after.gradients(X[1025:], T[1025:])
        np.testing.assert_allclose(net.weights, weights - 0.5 * last.weights, rtol=0, atol=1e-13)


class TestRandomness:
    @sizes
    def test_the_same_seed_gives_the_same_bits(self, batch_size: int | None):
        first, again, kept = awkward_net(), awkward_net(), awkward_net()
        X, T = data_of(first)
        options = {"batch_size": batch_size, "epochs": 3, "learning_rate": 0.1}
        drawn = first.fit(X, T, **options)
        run = again.fit(X, T, rng=drawn.seed, **options)
        assert bits(first) == bits(again)
        assert history_of(drawn) == history_of(run)
        kept.fit(X, T, **{**drawn.settings, "progress": False})
        assert bits(first) == bits(kept)

    def test_none_differs_each_time(self):
        nets = [awkward_net() for _ in range(3)]
        seeds_ = [net.fit(*data_of(net), learning_rate=0.1).seed for net in nets]
        assert len(set(seeds_)) == 3
        assert len({bits(net) for net in nets}) == 3

    def test_another_order_each_epoch(self):
        net = awkward_net()
        X, T = data_of(net)
        run = net.fit(X, T, epochs=2, rng=0, learning_rate=0.1)
        first, second = orders(run, N, 2)
        assert first != second
        by_hand = awkward_net()
        for order in (first, second):
            by_hand.fit(X[order], T[order], shuffle=False, learning_rate=0.1)
        assert bits(net) == bits(by_hand)

    def test_without_shuffling_the_seed_does_not_matter(self):
        nets = [awkward_net() for _ in range(2)]
        for seed, net in enumerate(nets):
            net.fit(*data_of(net), shuffle=False, rng=seed, learning_rate=0.1)
        assert bits(nets[0]) == bits(nets[1])

    def test_generators_and_numpy_integers(self):
        nets = [awkward_net() for _ in range(2)]
        for net in nets:
            net.fit(*data_of(net), rng=np.random.default_rng(4))
        assert bits(nets[0]) == bits(nets[1])
        assert awkward_net().fit(*data_of(nets[0]), rng=np.int64(7)).seed == 7

    def test_the_global_stream_is_left_alone(self):
        net = awkward_net()
        np.random.seed(0)
        before = np.random.get_state()[1].tobytes()
        net.fit(*data_of(net))
        assert np.random.get_state()[1].tobytes() == before


class TestSameBits:
    @sizes
    @dtypes
    @optimizers
    def test_chunks(self, optimizer: str, dtype: str, batch_size: int | None, monkeypatch: pytest.MonkeyPatch):
        """However the steps are cut into chunks."""
        found = set()
        for length in (1, 3, 5, 1000):
            fix_chunks(monkeypatch, length)
            net = awkward_net(dtype)
            run = net.fit(
                *data_of(net), optimizer=optimizer, batch_size=batch_size, epochs=2, rng=0, **OPTIMIZERS[optimizer]
            )
            found.add((bits(net), repr(history_of(run))))
        assert len(found) == 1

    @pytest.mark.parametrize("seconds", [1e-9, 10.0])
    def test_adapted_chunks(self, seconds: float, monkeypatch: pytest.MonkeyPatch):
        plain, other = awkward_net(), awkward_net()
        X, T = data_of(plain, 300)
        plain.fit(X, T, rng=0)
        monkeypatch.setattr(training, "CHUNK_SECONDS", seconds)
        other.fit(X, T, rng=0)
        assert bits(plain) == bits(other)

    @dtypes
    @pytest.mark.parametrize("optimizer", ["sgd", "adam"])
    @pytest.mark.parametrize("clip_norm", [None, 0.3])
    def test_threads(self, clip_norm: float | None, optimizer: str, dtype: str):
        found = set()
        for threads in (None, 1, 2, 3, 7):
            net = ns.wiring.shortcut([7, 19, 11, 3], activation="prelu", dtype=dtype, rng=2)
            X, T = data_of(net, 75)
            settings = {"optimizer": optimizer, "clip_norm": clip_norm, "batch_size": 40, "epochs": 2, "rng": 0}
            run = net.fit(X, T, threads=threads, **settings)
            found.add((bits(net), repr(history_of(run))))
        assert len(found) == 1

    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_threads_of_one_network_may_change(self, dtype: str):
        """Each number of threads has buffers of its own."""
        nets = [ns.wiring.shortcut([7, 40, 90, 3], dtype=dtype, rng=2) for _ in range(2)]
        X, T = data_of(nets[0], 48)
        for threads in (1, 2, 1, 5, 2):
            nets[0].fit(X, T, threads=threads, batch_size=24, rng=0, shuffle=False)
            nets[1].fit(X, T, threads=1, batch_size=24, rng=0, shuffle=False)
            assert bits(nets[0]) == bits(nets[1]), threads

    def test_threads_of_a_batch_above_a_block(self):
        found = set()
        for threads in (1, 2):
            net = ns.wiring.layered([7, 19, 3], dtype="float32", rng=2)
            net.fit(*data_of(net, 1100), threads=threads, batch_size=None, epochs=2, rng=0)
            found.add(bits(net))
        assert len(found) == 1

    def test_more_threads_than_samples_and_neurons(self):
        found = set()
        for threads in (1, 9):
            net = ns.Network(rng=0)
            net.add_inputs("x")
            net.add_neuron("y", ["x"])
            net.set_outputs("y")
            net.fit([[0.1], [0.2]], [[1.0], [2.0]], threads=threads, batch_size=2, epochs=2, rng=0)
            found.add(bits(net))
        assert len(found) == 1

    @dtypes
    @pytest.mark.parametrize(
        "make",
        [
            awkward_net,
            frozen_net,
            lambda dtype: awkward_net(dtype, output="softmax"),
            lambda dtype: ns.wiring.layered([20, 33, 4], activation="relu", dtype=dtype, rng=0),
            lambda dtype: ns.wiring.random_dag(n_inputs=9, n_hidden=40, n_outputs=3, in_degree=12, dtype=dtype, rng=0),
        ],
        ids=["awkward", "frozen", "softmax", "layered", "random"],
    )
    def test_step_is_one_step_of_fit(self, make: Callable[[str], ns.Network], dtype: str):
        stepped, fitted = make(dtype), make(dtype)
        X, T = data_of(stepped)
        T = np.abs(T) / np.abs(T).sum(axis=1, keepdims=True)
        for i, (x, t) in enumerate(zip(X, T, strict=True)):
            step = stepped.step(x, t, learning_rate=0.03)
            run = fitted.fit([x], [t], batch_size=1, optimizer="sgd", shuffle=False, learning_rate=0.03)
            assert bits(stepped) == bits(fitted), f"after step {i}"
            assert run.history["loss"] == [step.loss]

    @pytest.mark.parametrize("batch_size", [1, 8])
    def test_two_networks_in_two_threads(self, batch_size: int):
        """Kernels let other threads run; what they share is locked."""
        alone = [awkward_net(seed=seed) for seed in range(4)]
        together = [net.copy() for net in alone]
        X, T = data_of(alone[0], 64)

        def train(net: ns.Network) -> None:
            net.fit(X, T, epochs=20, rng=0, batch_size=batch_size, threads=2, evaluate=True)

        for net in alone:
            train(net)
        threads = [threading.Thread(target=train, args=(net,)) for net in together]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [bits(net) for net in alone] == [bits(net) for net in together]

    def test_copies_and_other_wirings_do_not_disturb(self):
        """Engines lend each other nothing."""
        alone, mixed, other = awkward_net(), awkward_net(), awkward_net("float64", seed=9)
        X, T = data_of(alone)
        for _ in range(3):
            alone.fit(X, T, rng=1, learning_rate=0.1)
        for _ in range(3):
            mixed.fit(X, T, rng=1, learning_rate=0.1)
            other.fit(X, T, rng=2, batch_size=None)
            mixed.forward(X)
            mixed.gradients(X[:3], T[:3])
        assert bits(alone) == bits(mixed)


class TestContinuing:
    def test_from_the_parameters_as_they_are_with_a_fresh_state(self):
        net, by_hand = awkward_net(), awkward_net()
        X, T = data_of(net)
        net.fit(X, T, epochs=2, shuffle=False, learning_rate=0.1)
        for _ in range(2):
            by_hand.fit(X, T, shuffle=False, learning_rate=0.1)
        assert bits(net) == bits(by_hand)

    def test_an_optimizer_object_holds_no_state(self):
        rule = ns.optimizers.Momentum(0.5)
        first, second = awkward_net(), awkward_net()
        X, T = data_of(first)
        for net in (first, second):
            net.fit(X, T, optimizer=rule, rng=0)
        assert bits(first) == bits(second)

    def test_names_and_objects_are_the_same(self):
        nets = [awkward_net() for _ in range(3)]
        choices = [
            {"optimizer": "momentum", "momentum": 0.5},
            {"optimizer": ns.optimizers.Momentum(0.5)},
            {"optimizer": ns.optimizers.Momentum(), "momentum": 0.9},
        ]
        for net, choice in zip(nets[:2], choices, strict=False):
            net.fit(*data_of(net), rng=0, **choice)
        assert bits(nets[0]) == bits(nets[1])
        nets[2].fit(*data_of(nets[2]), rng=0, **choices[2])
        assert bits(nets[2]) != bits(nets[0])

    def test_adamw_brings_its_own_decay(self):
        nets = [awkward_net() for _ in range(3)]
        for net, options in zip(nets, ({}, {"weight_decay": 0.01}, {"weight_decay": 0.5}), strict=True):
            net.fit(*data_of(net), rng=0, optimizer="adamw", **options)
        assert bits(nets[0]) == bits(nets[1]) != bits(nets[2])

    def test_edits_between(self):
        net = awkward_net()
        X, T = data_of(net)
        net.fit(X, T, rng=0)
        net.add_neuron("late", ["x0", "p0"])
        net.connect("late", "y0")
        net.disconnect("g0", "y0")
        assert_fits_as_the_reference(net, X, T, batch_size=5, learning_rate=0.1)
        assert net["late"].bias != 0

    def test_after_a_fit_signals_are_unknown(self):
        net = awkward_net()
        X, T = data_of(net)
        net.forward(X[0])
        net.fit(X, T)
        with pytest.raises(ns.errors.NotKnownError, match="z is not known"):
            _ = net["h1"].z

    def test_data_are_left_alone(self):
        net = awkward_net()
        X, T = data_of(net)
        kept = X.tobytes(), T.tobytes()
        X.flags.writeable = T.flags.writeable = False
        net.fit(X, T, batch_size=4, epochs=2)
        assert (X.tobytes(), T.tobytes()) == kept

    def test_data_in_any_layout(self):
        nets = [awkward_net() for _ in range(3)]
        X, T = data_of(nets[0])
        wide = np.zeros((N, 6))
        wide[:, ::2] = X
        for net, x in zip(nets, (X, np.asfortranarray(X), wide[:, ::2]), strict=True):
            net.fit(x, T.tolist(), rng=0)
        assert len({bits(net) for net in nets}) == 1


class TestTrainedOnly:
    def test_gradient_norm_is_that_of_trained_parameters(self):
        net = ns.wiring.layered([2, 3, 1], rng=0)
        net.freeze("*")
        run = net.fit([[1.0, 2.0]], [[5.0]], batch_size=None, epochs=5, stop=ns.stop.GradientNorm(1e-12))
        assert (run.status, run.n_epochs) == ("stopped", 1)

    def test_rprop_leaves_its_state_alone_where_the_rate_is_0(self):
        rate = ns.schedules.Step(0.1, every=2, factor=0.0)
        run_on, stopped = ns.wiring.layered([2, 3, 1], rng=0), ns.wiring.layered([2, 3, 1], rng=0)
        X, T = np.random.default_rng(0).normal(size=(6, 2)), np.ones((6, 1))
        run_on.fit(X, T, batch_size=None, epochs=4, optimizer="rprop", learning_rate=rate)
        stopped.fit(X, T, batch_size=None, epochs=2, optimizer="rprop", learning_rate=rate)
        assert bits(run_on) == bits(stopped)

    def test_bad_validation_data_are_called_so(self):
        net = ns.wiring.layered([2, 3, 1], rng=0)
        X, T = np.ones((4, 2)), np.ones((4, 1))
        with pytest.raises(ns.errors.DataError, match="Xv has 3 columns, the network has 2 inputs"):
            net.fit(X, T, validation=(np.ones((4, 3)), T))
        with pytest.raises(ns.errors.DataError, match="Tv has 2 columns"):
            net.fit(X, T, validation=(X, np.ones((4, 2))))


class TestAwkwardGraphs:
    def test_a_neuron_without_sources_learns_its_bias(self):
        net = ns.Network(rng=0)
        net.add_inputs("x")
        net.add_neuron("y", activation="identity")
        net.set_outputs("y")
        net.fit([[0.0]] * 4, [[3.0]] * 4, epochs=100, learning_rate=0.1, batch_size=2)
        assert net["y"].bias == pytest.approx(3.0)

    def test_nothing_to_learn(self):
        net = ns.Network(rng=0)
        net.add_inputs("a", "b")
        net.set_outputs("b")
        for size in (1, 2, None):
            run = net.fit([[1.0, 2.0], [3.0, 4.0]], [[0.0], [4.0]], batch_size=size, shuffle=False)
            assert run.history["loss"] == [1.0]
            assert run.status == "finished"

    def test_inputs_and_outputs_alone_with_clipping(self):
        net = ns.Network(rng=0)
        net.add_inputs("a")
        net.set_outputs("a")
        assert net.fit([[1.0]] * 3, [[0.0]] * 3, batch_size=2, clip_norm=1.0).history["loss"] == [0.5]

    def test_a_network_without_inputs(self):
        net = ns.Network(rng=0)
        net.add_neuron("y", activation="identity", bias=1.0)
        net.set_outputs("y")
        run = net.fit(np.empty((4, 0)), np.zeros((4, 1)), batch_size=2, learning_rate=0.5, epochs=2)
        assert run.history["loss"] == [0.5 * (1 + 0.25) / 2, 0.5 * (1 / 16 + 1 / 64) / 2]

    def test_a_dead_end_stays_as_it_is(self):
        for size in (1, 4):
            net = awkward_net()
            kept = net["h0", "dead"].weight, net["dead"].bias
            net.fit(*data_of(net), batch_size=size, learning_rate=0.1)
            assert (net["h0", "dead"].weight, net["dead"].bias) == kept

    @pytest.mark.parametrize("batch_size", [1, 16])
    def test_a_ladder_with_2_to_the_40_paths(self, batch_size: int):
        net = ns.Network(rng=0)
        net.add_inputs("x")
        level = ["x"]
        for i in range(40):
            names = [f"a{i}", f"b{i}"]
            for name in names:
                net.add_neuron(name, level)
            level = names
        net.set_outputs(*level)
        X = np.random.default_rng(0).normal(size=(16, 1))
        net.fit(X[:1], np.zeros((1, 2)))
        begin = time.perf_counter()
        run = net.fit(X, np.full((16, 2), 0.5), batch_size=batch_size, epochs=100, learning_rate=0.05)
        assert time.perf_counter() - begin < 2
        assert run.history["loss"][-1] < 0.5 * run.history["loss"][0]
        assert np.isfinite(net.gradients(X, np.zeros((16, 2))).weights).all()
        assert net.depth == 40

    def test_wide_neurons_and_wide_layers(self):
        """Beyond a scratch row, a tile, a lane vector."""
        for sizes_ in ([1, 300, 1], [130, 1, 1], [65, 17, 9]):
            for dtype in ("float64", "float32"):
                net = ns.wiring.layered(sizes_, dtype=dtype, rng=0)
                X, T = data_of(net, 5)
                assert_fits_as_the_reference(net, X, T, batch_size=1, epochs=1)
                assert_fits_as_the_reference(net, X, T, batch_size=3, epochs=1)

    @dtypes
    @sizes
    @optimizers
    def test_ids_in_no_order(self, optimizer: str, batch_size: int | None, dtype: str):
        """Inputs after neurons and between them, sources with higher ids than their sinks."""
        net = ns.Network(dtype, rng=5)
        net.add_neuron("y0", activation="sine", bias=0.1)
        net.add_inputs("a0", "a1")
        for i in range(5):
            net.add_neuron(f"h{i}", ["a0", "a1"], bias=0.1 * i)
        net.add_inputs("b")
        for i in range(9):
            net.add_neuron(f"g{i}", ["a*", "b"], activation="prelu", bias=-0.1)
        net.add_inputs(*[f"c{i}" for i in range(9)])
        net.add_neuron("y1", activation="softplus")
        for i in range(3):
            net.add_neuron(f"e{i}", ["a*", "b", "c*", "g*"])
        net.connect("e*", "h*")
        net.connect("h*", "y0")
        net.connect("c*", "y0")
        net.connect("y0", "y1")
        net.connect("b", "y1")
        net.set_outputs("y1", "c3", "y0")
        assert net.depth == 5
        settings = OPTIMIZERS[optimizer] | {"optimizer": optimizer, "batch_size": batch_size, "epochs": 2}
        assert_fits_as_the_reference(net, *data_of(net), **settings)
        net.check(*data_of(net, 2)).assert_ok() if dtype == "float64" else None

    def test_many_outputs_of_a_softmax(self):
        for dtype in ("float64", "float32"):
            net = ns.wiring.layered([3, 8, 70], output="softmax", dtype=dtype, rng=0)
            X, T = data_of(net, 20)[0], np.arange(20) * 3
            assert_fits_as_the_reference(net, X, T, batch_size=8, epochs=1)
            assert_fits_as_the_reference(net, X, T, batch_size=1, epochs=1)


class TestKinks:
    """At a kink: the left side, as the reference has it; no error has no direction."""

    @dtypes
    @pytest.mark.parametrize("loss", ["l2_norm", "absolute_error", "huber"])
    def test_losses_at_0(self, loss: str, dtype: str):
        net = ns.Network(dtype, rng=0)
        net.add_inputs("x")
        for name in ("a", "b"):
            net.add_neuron(name, {"x": 0.5}, activation="identity", bias=0.25)
        net.set_outputs("a", "b")
        x, t = [1.0], [0.75, 0.75]
        before = bits(net)
        step = net.step(x, t, loss=loss, learning_rate=1.0)
        assert (step.loss, step["a"].delta, step["b"].delta) == (0, 0, 0)
        g = net.gradients([x, x], [t, t], loss=loss)
        assert not g.delta.any()
        assert not g.weights.any()
        for size in (1, 2):
            assert net.fit([x] * 4, [t] * 4, loss=loss, batch_size=size, learning_rate=1.0).status == "finished"
        assert bits(net) == before

    @dtypes
    @pytest.mark.parametrize(
        ("activation", "z"),
        [
            *((name, 0.0) for name in ("relu", "leaky_relu", "prelu", "elu", "selu", "step", "softsign", "gelu")),
            ("hard_sigmoid", -3.0),
            ("hard_sigmoid", 3.0),
        ],
    )
    def test_activations(self, activation: str, z: float, dtype: str):
        net = ns.Network(dtype, rng=0)
        net.add_inputs("x")
        net.add_neuron("h", {"x": 1.0}, activation=activation, slope=0.5)
        net.add_neuron("y", {"h": 1.0}, activation="identity")
        net.set_outputs("y")
        expected = ReferenceNetwork.from_network(net).signals([z], [2.0])
        h = net.find("h")[0]
        assert net.gradients([[z]] * 3, [[2.0]] * 3).delta[:, h] == pytest.approx([expected.delta[h]] * 3, rel=1e-6)
        step = net.step([z], [2.0])
        assert step["h"].delta == pytest.approx(expected.delta[h], rel=1e-6)
        assert step["h"].y == pytest.approx(expected.y[h], rel=1e-6)


@pytest.mark.parametrize("name", ["shuffle", "evaluate"])
def test_what_is_true_or_false_is_nothing_else(name):
    net = ns.wiring.layered([2, 1], rng=0)
    before = net.weights.tobytes()
    with pytest.raises(ns.errors.SettingError, match=f"{name}='no': True or False"):
        net.fit([[1, 2]], [[1]], **{name: "no"})
    assert net.weights.tobytes() == before
    net.fit([[1, 2]], [[1]], **{name: np.True_})


def test_losses_and_optimisers_that_kernels_do_not_know_are_refused():
    class Own(ns.optimizers.SGD):
        pass

    own = Loss("own", 0, lambda y, t: 0.0, lambda y, t: [0.0])
    net = ns.wiring.layered([2, 1], rng=0)
    with pytest.raises(ns.errors.SettingError, match=r"Own is none of neuronsim's optimisers.*Adam"):
        net.fit([[1, 2]], [[1]], optimizer=Own())
    with pytest.raises(ns.errors.SettingError, match=r"'own' is none that neuronsim knows: .*register.*huber"):
        net.fit([[1, 2]], [[1]], loss=own)
    net.fit([[1, 2]], [[1]], optimizer=ns.optimizers.SGD(), loss=LOSSES["huber"])


@pytest.mark.parametrize(("loss", "advised"), [("cross_entropy", "softmax"), ("binary_cross_entropy", "sigmoid")])
@pytest.mark.parametrize("batch_size", [1, 7])
def test_a_logarithm_of_a_negative_output_is_not_blamed_on_the_learning_rate(loss, advised, batch_size):
    X, T = np.random.default_rng(0).normal(size=(20, 3)), np.eye(2)[np.arange(20) % 2]
    net = ns.wiring.layered([3, 4, 2], output="identity", rng=0)
    with pytest.warns(ns.DivergenceWarning, match=f"Try output='{advised}': {loss} takes the logarithm") as told:
        run = net.fit(X, T, loss=loss, batch_size=batch_size, rng=0)
    assert "learning_rate" not in str(told[0].message)
    (finding,) = run.diagnose().of("overflow")
    assert f"output='{advised}'" in finding.advice
    assert "learning_rate" not in finding.advice


class TestAverage:
    def test_means_over_the_last_epochs(self):
        net = awkward_net()
        X, T = data_of(net, 13)
        run = net.fit(X, T, batch_size=4, epochs=6, average=4, rng=0, validation=(X, T))
        after = [run.at(4 * epoch + 3) for epoch in range(2, 6)]
        np.testing.assert_allclose(net.weights, np.mean([step.weights_after for step in after], axis=0), rtol=1e-15)
        np.testing.assert_allclose(net.biases, np.mean([step.biases_after for step in after], axis=0), rtol=1e-15)
        assert run.averaged == 4
        assert run.reason == "6 epochs done; the parameters are the means over the last 4 epochs"
        plain = awkward_net()
        lone = plain.fit(X, T, batch_size=4, epochs=6, rng=0, validation=(X, T))
        assert run.history["val_loss"] == lone.history["val_loss"]
        assert lone.averaged is None

    def test_one_epoch_is_the_last(self):
        nets = [awkward_net("float32") for _ in range(2)]
        X, T = data_of(nets[0], 13)
        for net, average in zip(nets, (1, None), strict=True):
            net.fit(X, T, epochs=3, average=average, rng=0)
        assert bits(nets[0]) == bits(nets[1])

    def test_of_those_that_were_made(self):
        nets = [awkward_net() for _ in range(2)]
        X, T = data_of(nets[0], 13)
        run = nets[0].fit(X, T, epochs=9, average=8, rng=0, stop=ns.stop.TargetLoss(1e9))
        assert (run.averaged, run.n_epochs) == (None, 1)
        run = nets[1].fit(X, T, epochs=9, average=9, rng=0, stop=ns.stop.TargetLoss(1e9))
        assert run.averaged == 1
        assert run.reason.endswith("the parameters are the means over the last 1 epoch")

    def test_what_is_lost_has_no_mean(self):
        net = awkward_net()
        X, T = data_of(net, 13)
        with pytest.warns(ns.errors.DivergenceWarning):
            run = net.fit(X, T, epochs=9, average=9, learning_rate=1e200, rng=0)
        assert run.averaged is None

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"average": 4}, "average=4: the run has epochs=3"),
            ({"average": 0}, "average=0"),
            ({"average": True}, "average=True"),
            ({"average": 2, "stop": ns.stop.Plateau(1, restore_best=True)}, "leave one out"),
        ],
    )
    def test_refused(self, given, message):
        net = awkward_net()
        before = bits(net)
        with pytest.raises(ns.errors.SettingError, match=message):
            net.fit(*data_of(net, 13), epochs=3, **given)
        assert bits(net) == before
