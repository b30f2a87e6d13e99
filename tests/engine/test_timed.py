"""Sequences through compiled kernels: against the equations in plain Python, and against themselves."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from nets import OPTIMIZERS
from strategies import SequenceCase, sequence_cases

import neuronsim as ns
from neuronsim.errors import DataError, SettingError
from neuronsim.formulas import optimizers
from neuronsim.formulas.neurons import bias_of, slope_of, weight_of
from neuronsim.formulas.through_time import SequenceNetwork, Weighted
from neuronsim.kernels.lanes import WIDTH

TOLERANCE = {"float64": 1e-11, "float32": 3e-4}


def data_of(case: SequenceCase) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """X, T and mask of a case; where there is no target, T is NaN."""
    targets: list[np.ndarray] = []
    masks: list[np.ndarray] = []
    for t in case.T:
        weights = [0.0 if k is None else k.weight if isinstance(k, Weighted) else 1.0 for k in t]
        rows = [[np.nan] * case.net.n_outputs if k is None else k.target if isinstance(k, Weighted) else k for k in t]
        targets.append(np.array(rows, float))
        masks.append(np.array(weights))
    return [np.array(x) for x in case.X], targets, masks


def parameters_of(reference: SequenceNetwork, net: ns.Network, values: Any) -> list[np.ndarray]:
    """What ``values`` says of each parameter, in the order of the network's arrays."""
    neurons = [a for a in range(net.n_neurons) if a in reference.neurons]
    weights = [values(weight_of(int(e["source"]), int(e["sink"]), int(e["delay"]))) for e in net.edges]
    prelus = [a for a in neurons if net[a].activation == "prelu"]
    return [
        np.array(found)
        for found in (weights, [values(bias_of(a)) for a in neurons], [values(slope_of(a)) for a in prelus])
    ]


def arrays_of(net: ns.Network, weights: Any, biases: Any, slopes: Any) -> list[np.ndarray]:
    neurons = np.flatnonzero(~net.graph.is_input)
    prelus = [a for a in neurons if net[int(a)].activation == "prelu"]
    return [np.asarray(weights, float), np.asarray(biases, float)[neurons], np.asarray(slopes, float)[prelus]]


def assert_close(found: Any, expected: Any, dtype: str, scale: float = 1.0) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE[dtype] * scale)


class TestAgainstTheEquations:
    @settings(max_examples=80, deadline=None)
    @given(sequence_cases(dtypes=("float64", "float32"), max_samples=20), st.sampled_from(["mean", "sum"]))
    def test_gradients(self, case: SequenceCase, reduction: str) -> None:
        net, reference, dtype = case.net, case.reference, str(case.net.dtype)
        assume(net.graph.steps_back)
        expected = reference.gradients(case.X, case.T, case.loss, reduction)
        X, T, mask = data_of(case)
        scale = 1 + max(map(abs, expected.parameters.values()), default=0.0) + sum(map(abs, expected.losses))
        found = net.gradients(X, T, loss=case.loss, reduction=reduction, mask=mask)
        outputs = net.forward(X)
        for k, (x, s) in enumerate(zip(case.X, expected.samples, strict=True)):
            own = len(x)
            assert_close(outputs[k][:own], reference.predict(x), dtype, 10)
            for a in range(net.n_neurons):
                assert_close(found.delta[k][:own, a], [here.delta[a] for here in s.steps], dtype, scale)
        assert_close(found.loss, expected.loss, dtype, scale)
        pairs = zip(
            arrays_of(net, found.weights, found.biases, found.slopes),
            parameters_of(reference, net, expected.parameters.__getitem__),
            strict=True,
        )
        for one, other in pairs:
            assert_close(one, other, dtype, scale)

    @settings(max_examples=60, deadline=None)
    @given(
        sequence_cases(max_samples=12),
        st.sampled_from(list(OPTIMIZERS)),
        st.sampled_from([1, 3, 8, None]),
        st.sampled_from(["mean", "sum"]),
        st.sampled_from([{}, {"clip_norm": 0.1}, {"clip_value": 0.05}, {"weight_decay": 0.1}]),
    )
    def test_training(
        self, case: SequenceCase, optimizer: str, batch_size: int | None, reduction: str, given_: dict[str, Any]
    ) -> None:
        net, reference = case.net, case.reference
        assume(net.graph.steps_back and not (optimizer == "rprop" and "weight_decay" in given_))
        net.freeze(initial="*")
        reference.learned.clear()
        X, T, mask = data_of(case)
        shared = {
            "loss": case.loss, "optimizer": optimizer, "learning_rate": 0.003, "batch_size": batch_size, "epochs": 2,
            "reduction": reduction, **given_,
        }  # fmt: skip
        run = net.fit(X, T, mask=mask, shuffle=False, rng=0, **shared)
        assume(run.status == "finished")
        n = len(X)
        history = reference.fit(case.X, case.T, orders=[range(n)] * 2, **shared)
        for one, other in zip(
            arrays_of(net, net.weights, net.biases, net.slopes),
            parameters_of(reference, net, reference.value),
            strict=True,
        ):
            # adam divides by the root of a square: where a gradient is rounding alone, so is the direction
            np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-7)
        assert run.history["loss"] == pytest.approx(history["loss"], rel=1e-7)


class TestWindows:
    @settings(max_examples=60, deadline=None)
    @given(
        sequence_cases(max_samples=6, max_steps=9),
        st.integers(1, 5),
        st.sampled_from([None, 0, 1, 2, 20]),
        st.sampled_from(["sgd", "momentum", "adam"]),
    )
    def test_the_state_goes_on_and_errors_reach(
        self, case: SequenceCase, window: int, more: int | None, optimizer: str
    ) -> None:
        """Against one update after another of the equations: δ by the weights of now, through what was then."""
        net, reference = case.net, case.reference
        assume(net.graph.steps_back)
        # f(v0) of a prelu is what it was before the first update here, and what it would be now there
        assume(not any(net[k].activation == "prelu" and net[k].leak_of == "potential" for k in range(net.n_neurons)))
        net.freeze(initial="*")
        reference.learned.clear()
        reach = more if not more else window + more - 1
        X, T, mask = data_of(case)
        given_ = {"optimizer": optimizer, "learning_rate": 0.01, "loss": case.loss}
        run = net.fit(X, T, mask=mask, window=window, reach=reach, shuffle=False, batch_size=None, **given_)
        assume(run.status == "finished")
        rule, state, past, q = optimizers.resolve(optimizer), {}, [[] for _ in case.X], 0
        losses = []
        for begin in range(0, max(map(len, case.X)), window):
            signals = []
            for k, (x, t) in enumerate(zip(case.X, case.T, strict=True)):
                new = x[begin : begin + window]
                if new:
                    own = reach and reach - window + len(new)  # as far as in a whole window
                    signals.append(reference.signals(new, t[begin : begin + window], case.loss, past[k], own))
                    past[k] = [*past[k], *signals[-1].steps[len(signals[-1].steps) - len(new) :]]
            n = sum(len(s.losses) for s in signals)
            losses += [v for s in signals for v in s.losses]
            if not n:
                continue
            each = [reference.sample_gradients(s) for s in signals]
            gradients = {p: sum(g[p] for g in each) / n for p in reference.parameters()}
            q += 1
            trained = {p: g for p, g in gradients.items() if p.kind not in ("leak", "initial")}
            reference.update(trained, rule, 0.01, state, q)
        for one, other in zip(
            arrays_of(net, net.weights, net.biases, net.slopes),
            parameters_of(reference, net, reference.value),
            strict=True,
        ):
            np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-7)
        assert run.history["loss"][0] == pytest.approx(sum(losses) / len(losses), rel=1e-7)

    def test_a_window_of_all_steps_is_none(self) -> None:
        nets = [recurrent() for _ in range(3)]
        X, T = ragged(nets[0], 9)
        for net, given_ in zip(nets, ({}, {"window": 8}, {"window": 100, "reach": 200}), strict=True):
            net.fit(X, T, batch_size=4, rng=0, optimizer="momentum", **given_)
        assert nets[0].weights.tobytes() == nets[1].weights.tobytes() == nets[2].weights.tobytes()

    @pytest.mark.parametrize("reach", [None, 0, 5])
    def test_any_number_of_threads_gives_the_same_bits(self, reach: int | None) -> None:
        bits = set()
        for threads in (1, 2, 4):
            net = recurrent("float32")
            X, T = ragged(net, 41)
            net.fit(X, T, threads=threads, batch_size=33, window=3, reach=reach, rng=0)
            bits.add(net.weights.tobytes())
        assert len(bits) == 1

    @pytest.mark.parametrize(
        ("given_", "message"),
        [
            ({"window": 0}, "window"),
            ({"reach": 3}, "give window, too"),
            ({"window": 4, "reach": 3}, "at least window=4, or 0"),
            ({"window": 4, "reach": -1}, "reach"),
        ],
    )
    def test_refused(self, given_: dict[str, Any], message: str) -> None:
        net = recurrent(n=3)
        X, T = ragged(net, 3)
        with pytest.raises(SettingError, match=message):
            net.fit(X, T, **given_)
        with pytest.raises(SettingError, match=r"this network has no memory|" + message):
            ns.wiring.layered([1, 1]).fit([[1.0]], [[1.0]], **given_)

    def test_windows_need_their_batch_in_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("neuronsim.engine.unfolding._MOST_BYTES", 1)
        net = recurrent(n=3)
        X, T = ragged(net, 40)
        with pytest.raises(DataError, match=f"batch_size={WIDTH[np.dtype(np.float64)]} at most"):
            net.fit(X, T, window=2, batch_size=40)


def recurrent(dtype: str = "float64", n: int = 40, delays: tuple[int, ...] = (1, 3), seed: int = 0) -> ns.Network:
    """Bundles with dense runs, of two delays, and neurons that leak among them."""
    rng = np.random.default_rng(seed)
    net = ns.Network(dtype, rng=seed)
    net.add_inputs([f"x{i}" for i in range(35)])
    for i in range(n):
        net.add_neuron(f"h{i}", ["x*"], activation="tanh", leak=0.5 if i % 7 == 0 else None)
        net[f"h{i}"].initial = float(rng.normal())
    for delay in delays:
        net.connect("h*", "h*", weight=0.5 * rng.normal(size=n * n) / n**0.5, delay=delay)
    net.connect("x*", "h*", delay=1)
    for name in ("o", "p"):
        net.add_neuron(name, ["h*"], activation="identity")
    net.set_outputs("o", "p")
    return net


def ragged(net: ns.Network, n: int, longest: int = 8, seed: int = 1) -> tuple[list[np.ndarray], list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, longest + 1, n)
    X = [rng.normal(size=(length, net.n_inputs)) for length in lengths]
    return X, [rng.normal(size=(length, net.n_outputs)) for length in lengths]


class TestDenseRuns:
    @pytest.mark.parametrize(("n", "n_sequences", "delays"), [(40, 5, (1,)), (70, 33, (1, 3)), (37, 70, (2,))])
    def test_gradients_are_differences(self, n: int, n_sequences: int, delays: tuple[int, ...]) -> None:
        net = recurrent(n=n, delays=delays)
        X, T = ragged(net, n_sequences)
        found = net.gradients(X, T, reduction="sum")
        n_rows = sum(map(len, X))

        def slope(k: int, h: float) -> float:
            ends = []
            for sign in (1, -1):
                moved = net.copy()
                weights = net.weights.copy()
                weights[k] += sign * h
                moved.weights = weights
                ends.append(moved.evaluate(X, T).loss * n_rows)
            return (ends[0] - ends[1]) / (2 * h)

        for k in np.random.default_rng(2).choice(net.n_edges, 8, replace=False).tolist():
            expected = (4 * slope(k, 1e-4) - slope(k, 2e-4)) / 3
            assert found.weights[k] == pytest.approx(expected, rel=1e-7, abs=1e-7)

    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_any_number_of_threads_gives_the_same_bits(self, dtype: str) -> None:
        bits = []
        for threads in (1, 2, 3, 4):
            net = recurrent(dtype)
            X, T = ragged(net, 41)
            given_ = {"batch_size": 21, "epochs": 2, "rng": 0, "optimizer": "adam", "validation": 0.2}
            run = net.fit(X, T, threads=threads, **given_)
            bits.append((net.weights.tobytes(), net.biases.tobytes(), run.history["loss"], run.history["val_loss"]))
        assert all(found == bits[0] for found in bits)


class TestSequencesAlone:
    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_neighbours_and_padding_change_no_bit(self, dtype: str) -> None:
        net = recurrent(dtype)
        X, _ = ragged(net, 2 * WIDTH[np.dtype(dtype)] + 3)
        together = net.forward(X)
        padded = np.full((len(X), 11, net.n_inputs), 1e30)
        for k, x in enumerate(X):
            padded[k, : len(x)] = x
            assert net.forward(x).tobytes() == together[k].tobytes()
        lengths = np.array(list(map(len, X)))
        outputs = net.forward(padded, lengths=lengths)
        for k, y in enumerate(together):
            assert outputs[k, : len(y)].tobytes() == y.tobytes()
            assert not outputs[k, len(y) :].any()

    def test_what_grows_without_end_behind_a_short_sequence_counts_nothing(self) -> None:
        net = ns.Network("float32")
        net.add_inputs("x")
        net.add_neuron("h", {"x": 1.0, ("h", 1): 50.0}, activation="identity")
        net.set_outputs("h")
        short, long = np.ones((2, 1)), np.zeros((60, 1))
        alone = net.gradients([short], [short], reduction="sum")
        both = net.gradients([short, long], [short, np.zeros((60, 1))], reduction="sum")
        assert both.weights.tolist() == alone.weights.tolist()
        assert both.losses[0].tolist() == alone.losses[0].tolist()

    def test_many_sequences_go_in_blocks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        whole, cut = recurrent(), recurrent()
        X, T = ragged(whole, 50)
        one = whole.gradients(X, T)
        monkeypatch.setattr("neuronsim.engine.unfolding._MOST_BYTES", 1)
        other = cut.gradients(X, T)
        np.testing.assert_allclose(other.weights, one.weights, rtol=1e-12, atol=1e-14)
        assert [d.tobytes() for d in other.delta] == [d.tobytes() for d in one.delta]
        whole.fit(X, T, batch_size=50, rng=0)
        np.testing.assert_allclose(cut.weights, recurrent().weights)
        cut.fit(X, T, batch_size=50, rng=0)
        assert np.abs(cut.weights - recurrent().weights).max() > 0

    def test_a_run_goes_on(self) -> None:
        nets = [recurrent() for _ in range(2)]
        X, T = ragged(nets[0], 9)
        given_ = {"batch_size": 4, "rng": 3, "optimizer": "momentum"}
        nets[0].fit(X, T, epochs=4, **given_)
        first = nets[1].fit(X, T, epochs=2, **given_)
        nets[1].fit(X, T, epochs=2, resume=first, **given_ | {"rng": None})
        assert nets[0].weights.tobytes() == nets[1].weights.tobytes()

    def test_state_goes_on_where_it_is_given(self) -> None:
        net = recurrent()
        X, _ = ragged(net, 40, longest=9)
        whole = net.forward(X)
        heads, tails = [x[: len(x) // 2 + 1] for x in X], [x[len(x) // 2 + 1 :] for x in X]
        first, state = net.forward(heads, return_state=True)
        longer = [k for k, x in enumerate(tails) if len(x)]
        kept = type(state)(state.y[longer], state.z[longer])
        second = net.forward([tails[k] for k in longer], state=kept)
        for k, y in zip(longer, second, strict=True):
            assert np.concatenate([first[k], y]).tobytes() == whole[k].tobytes()
        alone, end = net.forward(X[0], return_state=True)
        assert alone.tobytes() == whole[0].tobytes()
        again, _ = net.forward(X[0], state=end, return_state=True)
        assert again.tobytes() == net.forward(np.concatenate([X[0], X[0]]))[len(X[0]) :].tobytes()
        with pytest.raises(SettingError, match="state is of 1 sequences of a network of 77 neurons"):
            net.forward(X, state=end)
        with pytest.raises(SettingError, match="return_state=True"):
            net.forward(X, state=3)


def one_hidden(
    w_in: float, w_back: float, w_out: float | None = None, activation: str = "tanh", bias: float = 0.0
) -> Any:
    net = ns.Network()
    net.add_inputs("x")
    net.add_neuron("h", {"x": w_in, ("h", 1): w_back}, activation=activation, bias=bias)
    if w_out is not None:
        net.add_neuron("y", {"h": w_out}, activation="identity")
    net.set_outputs("h" if w_out is None else "y")
    return net


class TestPublishedNumbers:
    """The same ones as of the equations in plain Python; there the sources are named."""

    def test_flux_issue_2185_the_error_crosses_the_delay(self) -> None:
        net = one_hidden(5.0, 4.0, activation="identity")
        net["h"].initial = 7.0
        X, T = [[2.0], [3.0]], [[0.0], [0.0]]
        assert net.forward(X).tolist() == [[38.0], [167.0]]
        g = net.gradients(X, T, mask=[0, 1], loss="absolute_error", reduction="sum")
        assert (g["x", "h"], g["h", "h"], g["h"]) == (11.0, 66.0, 5.0)  # Flux printed 3, 38, 1

    def test_flux_issue_1547(self) -> None:
        net = one_hidden(0.7, 0.001, activation="identity", bias=0.85)
        X, T = [[0.3], [2.5]], [[0.0], [0.44]]
        np.testing.assert_allclose(net.forward(X)[:, 0], [1.06, 2.60106], rtol=1e-14)
        g = net.gradients(X, T, mask=[0, 1], loss="absolute_error")
        assert g.loss == pytest.approx(2.16106)
        assert [g["x", "h"], g["h", "h"], g["h"]] == pytest.approx([2.5003, 1.06, 1.001])

    def test_pybrain_s_doctest(self) -> None:
        net = one_hidden(1.0, 0.5, activation="identity")
        assert net.forward([[4.0], [-1.0], [0.0]])[:, 0].tolist() == [4.0, 1.0, 0.5]

    def test_a_published_walkthrough(self) -> None:
        net = one_hidden(0.5, 0.1, 2.0)
        X, T = [[1.0], [2.0]], [[1.0], [2.0]]
        net.forward(X)
        np.testing.assert_allclose(net["h"].y, [0.46211715726, 0.780329185039], rtol=1e-11)
        g = net.gradients(X, T, reduction="sum")
        assert g.loss == pytest.approx(0.0993807534391)
        expected = [-0.833479155474, -0.158802420661, -0.377843719222, -0.489838115174]
        assert [g["x", "h"], g["h", "h"], g["h", "y"], g["h"]] == pytest.approx(expected)


def test_torch_s_rnn_agrees() -> None:
    """With its two biases added, an initial state, lengths and a mask."""
    d = json.loads(Path(__file__).with_name("torch_rnn.json").read_text())
    p, g = ({name: np.array(values) for name, values in d[of].items()} for of in "pg")
    net = ns.wiring.recurrent([2, 5, 2], output="identity", rng=0)
    for i in range(5):
        net[f"h1.{i}"].bias, net[f"h1.{i}"].initial = p["bias_ih_l0"][i] + p["bias_hh_l0"][i], d["H0"][i]
    for o in range(2):
        net[f"y{o}"].bias = p["b"][o]

    def edges(of: dict[str, np.ndarray]) -> dict[tuple[Any, ...], float]:
        found: dict[tuple[Any, ...], float] = {}
        for source, sink, matrix in (("x", "h1.", "weight_ih_l0"), ("h1.", "h1.", "weight_hh_l0"), ("h1.", "y", "W")):
            for (i, j), value in np.ndenumerate(of[matrix]):
                found[f"{source}{j}", f"{sink}{i}"] = float(value)
        return found

    for edge, weight in edges(p).items():
        net[edge].weight = weight
    found = net.gradients(d["X"], d["T"], mask=d["M"], lengths=d["L"])
    assert found.loss == pytest.approx(d["loss"], rel=1e-14)
    for k, length in enumerate(d["L"]):
        np.testing.assert_allclose(found.outputs[k, :length], np.array(d["y"])[k, :length], rtol=0, atol=1e-14)
    for edge, gradient in edges(g).items():
        assert found[edge] == pytest.approx(gradient, abs=1e-14)
    assert [found[f"h1.{i}"] for i in range(5)] == pytest.approx(g["bias_hh_l0"].tolist(), abs=1e-14)


class TestData:
    """The forms that sequences come in, and what is wrong with them."""

    def net(self) -> ns.Network:
        return ns.wiring.recurrent([2, 3, 2], output="softmax", rng=0)

    def test_targets_in_every_form(self) -> None:
        net = self.net()
        X = np.random.default_rng(0).normal(size=(4, 5, 2))
        classes = np.array([0, 1, 1, 0])
        one_hot, every = np.eye(2)[classes], np.repeat(classes[:, None], 5, axis=1)
        last = net.evaluate(X, classes)
        assert last.loss == net.evaluate(X, one_hot).loss
        mask = np.arange(5) == 4
        assert last.loss == net.evaluate(X, every, mask=np.tile(mask, (4, 1))).loss
        assert last.accuracy == np.mean(net.forward(X)[:, -1].argmax(axis=1) == classes)
        step = net.evaluate(X, every)
        assert step.loss == net.evaluate(X, np.eye(2)[every]).loss
        assert step.loss == net.evaluate(list(X), list(every)).loss
        assert step.accuracy == np.mean(net.forward(X).argmax(axis=2) == every)
        assert net.evaluate(X[0], every[0]).loss == net.evaluate(X[:1], every[:1]).loss

    def test_one_column(self) -> None:
        net = ns.wiring.recurrent([1, 3, 1], rng=0)
        X = np.random.default_rng(0).normal(size=(4, 5, 1))
        assert net.evaluate(X, X[..., 0]).loss == net.evaluate(X, X).loss
        assert net.evaluate(X, X[:, -1, 0]).loss == net.evaluate(X, X[:, -1]).loss

    @pytest.mark.parametrize(
        ("given_", "message"),
        [
            ({"X": np.zeros((4, 5, 3))}, "X has 3 columns, the network has 2 inputs"),
            ({"X": np.zeros(4)}, r"X has shape \(4,\); it must be \(n_sequences, n_steps, 2\)"),
            ({"X": np.zeros((0, 5, 2))}, "X has no sequences with steps"),
            ({"X": [np.zeros((2, 2)), np.zeros((0, 2))], "T": [0, 1]}, r"X\[1\] has no steps"),
            (
                {"X": [np.zeros((2, 2)), np.zeros(3)], "T": [0, 1]},
                r"X\[1\] has shape \(3,\); it must be \(n_steps, 2\)",
            ),
            ({"T": np.zeros(3, int)}, r"T has shape \(3,\); X has 4 sequences"),
            ({"T": np.zeros((4, 3, 2))}, "T has 3 steps, the longest sequence of X has 5"),
            ({"T": np.full(4, 2)}, "class 2"),
            ({"lengths": [1, 2, 3]}, "one for each of 4 sequences"),
            ({"lengths": [1, 2, 3, 6]}, r"lengths\[3\] is 6, and X has 5 steps"),
            ({"lengths": [1, 0, 3, 5]}, r"X\[1\] has no steps"),
            ({"mask": np.ones((4, 4))}, "mask has shape"),
            ({"mask": np.zeros((4, 5)), "T": np.zeros((4, 5), int)}, "mask is 0 for every step"),
            ({"mask": -np.ones((4, 5)), "T": np.zeros((4, 5), int)}, "not negative"),
            ({"monitors": ns.Monitor("*", "y")}, "monitors and alarms"),
            ({"checkpoint": "there"}, "not kept on the way"),
        ],
    )
    def test_refused_before_anything_changes(
        self, given_: dict[str, Any], message: str, tmp_path: Any, monkeypatch: Any
    ) -> None:
        monkeypatch.chdir(tmp_path)
        net = self.net()
        before = net.weights.tobytes()
        data = {"X": np.zeros((4, 5, 2)), "T": np.zeros(4, int)} | given_
        with pytest.raises((DataError, SettingError), match=message):
            net.fit(data.pop("X"), data.pop("T"), **data)
        assert net.weights.tobytes() == before
        assert list(tmp_path.iterdir()) == []

    def test_what_is_not_finite_is_named(self) -> None:
        net = self.net()
        X = np.zeros((4, 5, 2))
        X[2, 3, 1] = np.nan
        with pytest.raises(DataError, match="X: step 3 of sequence 2"):
            net.forward(X)
        T = np.full((4, 5, 2), 0.5)
        T[1, 4] = np.nan
        with pytest.raises(DataError, match=r"T: step 4 of sequence 1.*give a mask"):
            net.fit(np.zeros((4, 5, 2)), T)

    def test_a_network_without_memory_takes_none(self) -> None:
        net = ns.wiring.layered([2, 2, 1])
        for given_ in ({"lengths": [1]}, {"mask": [1]}):
            with pytest.raises(SettingError, match="this network has no memory"):
                net.fit([[1.0, 2.0]], [[1.0]], **given_)
        with pytest.raises(DataError, match="sequences are for networks with memory"):
            net.forward(np.zeros((4, 5, 2)))

    def test_what_is_learned_of_memory_is_not_trained_yet(self) -> None:
        net = self.net()
        net.unfreeze(initial="h*")
        with pytest.raises(SettingError, match="initial states are not trained"):
            net.fit(np.zeros((4, 5, 2)), np.zeros(4, int))

    def test_check(self) -> None:
        net = recurrent(n=6)
        X, T = ragged(net, 3)
        net.check(X, T, loss="huber").assert_ok()

    def test_a_kink_is_named_with_its_step(self) -> None:
        net = one_hidden(1.0, 0.0, activation="relu")
        found = net.check([[[1.0], [2.0]], [[1.0], [0.0]]], np.ones((2, 2, 1)))
        assert {c.kink for c in found.kinks} == {"relu of h at z = 0 of step 1 of sequence 1"}

    def test_where_it_diverges(self) -> None:
        net = one_hidden(1.0, 0.5, activation="identity")
        X = np.random.default_rng(0).normal(size=(4, 5, 1))
        with pytest.warns(ns.errors.DivergenceWarning, match=r"diverged at step 1 .*neuron 'h'"):
            run = net.fit(X, X, learning_rate=1e80, epochs=9, rng=0)
        assert run.status == "diverged"
        assert np.isfinite(net.weights).all()
        with pytest.raises(ns.errors.NotKnownError, match="steps of networks with memory"):
            run.at(0)
