"""Monitors: what they record is what the steps were, and recording changes nothing."""

import csv
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nets import OPTIMIZERS, awkward_net, bits, data_of

import neuronsim as ns
from neuronsim.errors import DivergenceWarning, NotKnownError, SettingError, UnknownNameError
from neuronsim.tracing.monitor import in_bytes, log_steps, n_records
from neuronsim.training import trainer as training

ALL = ["z", "y", "delta", "b", "db"]
EVERY_EDGE = ("*", "*")
sizes = pytest.mark.parametrize("batch_size", [1, 4, None], ids=["online", "batch", "all"])
threads = pytest.mark.parametrize("n_threads", [1, 2])


def mean(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Over samples in float64: sample i goes to partial sum i mod 4."""
    sums = np.zeros((4, values.shape[1]))
    for i, row in enumerate(values.astype(np.float64)):
        sums[i % 4] += row
    return (((sums[0] + sums[1]) + (sums[2] + sums[3])) / len(values)).astype(dtype)


def assert_as_replayed(run: ns.Run, neurons: ns.Monitor, edges: ns.Monitor) -> None:
    """Every record is what the replay of its step says, bit for bit."""
    graph = run.replay.graph
    names = list(graph.names)
    table = neurons.array().reshape(len(neurons), len(names))
    edge_table = edges.array().reshape(len(edges), graph.n_edges)
    assert neurons.step.tolist() == edges.step.tolist()
    for record, step in enumerate(neurons.step):
        seen, row, edge_row = run.at(int(step)), table[record], edge_table[record]
        batch = np.ndim(seen.z) == 2
        assert neurons.sample[record] == (-1 if batch else seen.samples[0])
        for field in ("z", "y", "delta"):
            values = getattr(seen, field)
            expected = mean(values, graph.dtype) if batch else values
            np.testing.assert_array_equal(row[field], expected, err_msg=f"{field} in step {step}")
        np.testing.assert_array_equal(row["b"], seen.biases)
        np.testing.assert_array_equal(row["db"], seen.biases_after - seen.biases)
        np.testing.assert_array_equal(edge_row["w"], seen.weights)
        np.testing.assert_array_equal(edge_row["dw"], seen.weights_after - seen.weights)
        np.testing.assert_array_equal(edge_row["gradient"], seen.weight_gradients, err_msg=f"gradient in step {step}")


class TestAgainstOtherWays:
    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_online_it_is_a_loop_of_steps(self, dtype: str):
        net, twin = awkward_net(dtype), awkward_net(dtype)
        X, T = data_of(net)
        watch, edges = ns.Monitor("*", ALL, every=1), ns.Monitor(EVERY_EDGE, every=1)
        net.fit(X, T, learning_rate=0.1, shuffle=False, monitors=[watch, edges])
        steps = [twin.step(x, t, learning_rate=0.1) for x, t in zip(X, T, strict=True)]
        assert watch.step.tolist() == watch.sample.tolist() == list(range(len(X)))
        for name in net.names:
            for field in ALL:
                recorded = getattr(watch[name], field)
                assert recorded.tolist() == [getattr(step[name], field) for step in steps], (name, field)
        for ends in edges.edges:
            for field in ("w", "gradient", "dw"):
                recorded = getattr(edges[ends], field)
                assert recorded.tolist() == [getattr(step[ends], field) for step in steps], (ends, field)

    def test_tiny_networks(self):
        net, twin = ns.wiring.layered([2, 3, 1], rng=1), ns.wiring.layered([2, 3, 1], rng=1)
        X, T = data_of(net, 30)
        watch = ns.Monitor("*", ALL, every=7)
        net.fit(X, T, learning_rate=0.2, shuffle=False, monitors=watch)
        steps = [twin.step(x, t, learning_rate=0.2) for x, t in zip(X, T, strict=True)]
        assert watch.step.tolist() == [0, 7, 14, 21, 28, 29]
        for name in net.names:
            assert watch[name].delta.tolist() == [steps[q][name].delta for q in watch.step]
            assert watch[name].db.tolist() == [steps[q][name].db for q in watch.step]
        assert bits(net) == bits(twin)

    @sizes
    @pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
    def test_every_optimizer_as_replayed(self, optimizer: str, batch_size: int | None):
        net = awkward_net("float32")
        X, T = data_of(net)
        watch, edges = ns.Monitor("*", ALL, every=1), ns.Monitor(EVERY_EDGE, every=1)
        settings = OPTIMIZERS[optimizer] | {"optimizer": optimizer, "batch_size": batch_size}
        run = net.fit(X, T, epochs=3, rng=2, monitors=[watch, edges], **settings)
        assert_as_replayed(run, watch, edges)

    @threads
    @pytest.mark.parametrize("loss", ["half_squared_error", "cross_entropy"])
    def test_dense_layers_and_batches_of_several_blocks(self, loss: str, n_threads: int):
        last = "softmax" if loss == "cross_entropy" else "tanh"
        net = ns.wiring.layered([70, 20, 6], activation="tanh", output=last, dtype="float32", rng=3)
        X, T = data_of(net, 1700)
        T = np.abs(T) / np.abs(T).sum(axis=1, keepdims=True)
        watch, edges = ns.Monitor("*", ALL, every=1), ns.Monitor(EVERY_EDGE, every=1)
        run = net.fit(
            X, T, loss=loss, epochs=2, batch_size=1200, monitors=[watch, edges], threads=n_threads, clip_norm=0.1
        )
        assert run.n_steps == 4
        assert_as_replayed(run, watch, edges)

    @settings(max_examples=12, deadline=None)
    @given(
        seed=st.integers(0, 2**32 - 1),
        batch_size=st.integers(1, 20),
        every=st.integers(1, 9),
        n_threads=st.integers(1, 2),
        dtype=st.sampled_from(["float64", "float32"]),
        mean=st.booleans(),
    )
    def test_any_wiring_as_replayed(self, seed, batch_size, every, n_threads, dtype, mean):
        net = ns.wiring.random_dag(n_inputs=4, n_hidden=20, n_outputs=3, in_degree=5, dtype=dtype, rng=seed)
        X, T = data_of(net, 17, seed)
        watch, edges = ns.Monitor("*", ALL, every=every), ns.Monitor(EVERY_EDGE, every=every)
        reduction = "mean" if mean else "sum"
        run = net.fit(
            X, T, epochs=2, batch_size=batch_size, threads=n_threads, reduction=reduction, rng=seed,
            monitors=[watch, edges], learning_rate=1e-3,
        )  # fmt: skip
        assert_as_replayed(run, watch, edges)

    @sizes
    def test_chosen_samples(self, batch_size: int | None):
        net = awkward_net()
        X, T = data_of(net)
        chosen = [3, 11, 0]
        watch = ns.Monitor(["h1", "x1", "y0"], ALL, every=1, samples=chosen)
        edge = ns.Monitor([("x0", "h2"), ("h1", "y0")], every=1, samples=chosen)
        run = net.fit(X, T, epochs=2, batch_size=batch_size, rng=5, monitors=[watch, edge])
        for record, q in enumerate(watch.step):
            step = run.at(int(q))
            rows = step.samples.tolist()
            for c, row in enumerate(chosen):
                assert watch.present[record, c] == edge.present[record, c] == (row in rows)
                if row not in rows:
                    assert np.isnan(watch["h1"].delta[record, c])
                    assert np.isnan(edge["x0", "h2"].gradient[record, c])
                    continue
                one = step.sample(rows.index(row))
                for name in ("h1", "x1", "y0"):
                    assert watch[name].z[record, c] == one[name].z
                    assert watch[name].delta[record, c] == one[name].delta
                for ends in edge.edges:
                    assert edge[ends].gradient[record, c] == one[ends].gradient
        assert watch["h1"].b.shape == (len(watch),)
        table = watch.array()
        assert len(table) == 3 * watch.present.sum()
        assert not np.isnan(table["z"]).any()


class TestSameBits:
    @sizes
    @threads
    @pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
    def test_with_and_without(self, optimizer: str, n_threads: int, batch_size: int | None):
        plain, watched = awkward_net("float32"), awkward_net("float32")
        X, T = data_of(plain)
        settings = OPTIMIZERS[optimizer] | {"optimizer": optimizer, "batch_size": batch_size, "threads": n_threads}
        unseen = plain.fit(X, T, epochs=3, rng=1, **settings)
        monitors = [ns.Monitor("*", every=3), ns.Monitor(EVERY_EDGE, steps="log"), ns.Alarm("isnan(z)")]
        seen = watched.fit(X, T, epochs=3, rng=1, monitors=monitors, **settings)
        assert bits(plain) == bits(watched)
        assert unseen.history["loss"] == seen.history["loss"]

    def test_threads_and_chunks(self, monkeypatch: pytest.MonkeyPatch):
        records = []
        for n_threads, seconds in ((1, 0.1), (2, 0.1), (2, 0.0)):
            monkeypatch.setattr(training, "CHUNK_SECONDS", seconds)
            net = ns.wiring.layered([70, 40, 6], rng=3)
            X, T = data_of(net, 300)
            watch = ns.Monitor(["x3", "h1.*", "y1"], ALL, every=4)
            last = ns.Monitor(["y1"], every=3, keep_last=5)
            net.fit(X, T, batch_size=50, epochs=5, rng=0, threads=n_threads, monitors=[watch, last])
            records.append((watch.array().tobytes(), last.array().tobytes()))
        assert records[0] == records[1] == records[2]


class TestWhen:
    def fit(self, watch: ns.Monitor, n: int = 5, epochs: int = 5, **settings) -> ns.Run:
        net = ns.wiring.layered([2, 3, 1], rng=0)
        X, T = data_of(net, n)
        return net.fit(X, T, epochs=epochs, monitors=watch, **settings)

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({"every": 10}, [0, 10, 20, 24]),
            ({"every": 12}, [0, 12, 24]),
            ({"every": 1000}, [0, 24]),
            ({}, [0, 24]),
            ({"steps": [7, 3]}, [0, 3, 7, 24]),
            ({"steps": [0, 24]}, [0, 24]),
            ({"steps": "log"}, [0, 1, 2, 5, 10, 20, 24]),
            ({"every": 1, "keep_last": 3}, [22, 23, 24]),
            ({"every": 10, "keep_last": 2}, [20, 24]),
            ({"every": 10, "keep_last": 100}, [0, 10, 20, 24]),
            ({"steps": "log", "keep_last": 1}, [24]),
        ],
    )
    @pytest.mark.parametrize("chunk_seconds", [0.1, 0.0])
    def test_steps(self, given, expected, chunk_seconds, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(training, "CHUNK_SECONDS", chunk_seconds)
        watch, everything = ns.Monitor("y0", **given), ns.Monitor("y0", every=1)
        self.fit([watch, everything], rng=0)
        assert watch.step.tolist() == expected
        assert watch["y0"].delta.tolist() == everything["y0"].delta[expected].tolist()

    def test_one_step(self):
        watch = ns.Monitor("y0")
        self.fit(watch, 1, 1)
        assert watch.step.tolist() == [0]

    def test_the_last_run(self):
        watch = ns.Monitor("y0", every=1)
        self.fit(watch)
        self.fit(watch, 3, 1)
        assert len(watch) == 3

    def test_a_run_that_a_rule_stops(self):
        watch = ns.Monitor("y0", every=4)
        run = self.fit(watch, epochs=50, stop=ns.stop.TargetLoss(1e9))
        assert run.n_steps == 5
        assert watch.step.tolist() == [0, 4]
        run = self.fit(watch, n=7, epochs=50, stop=ns.stop.TargetLoss(1e9))
        assert run.n_steps == 7
        assert watch.step.tolist() == [0, 4, 6]

    @pytest.mark.parametrize("keep_last", [None, 2, 1])
    @pytest.mark.parametrize("every", [1, 4, 1000])
    @pytest.mark.parametrize("batch_size", [1, 2])
    def test_a_run_that_diverges(self, every: int, keep_last: int | None, batch_size: int):
        net = ns.wiring.layered([2, 3, 1], activation="identity", rng=0)
        X, T = data_of(net, 40)
        watch, everything = ns.Monitor(["y0", "h1.1"], ALL, every=every, keep_last=keep_last), ns.Monitor("*", every=1)
        with pytest.warns(DivergenceWarning):
            run = net.fit(
                X, T, learning_rate=5.0, epochs=20, rng=0, batch_size=batch_size, monitors=[watch, everything]
            )
        last = run.n_steps - 1
        expected = sorted({*range(0, run.n_steps, every), last})
        assert watch.step.tolist() == (expected if keep_last is None else expected[-keep_last:])
        assert everything.step.tolist() == list(range(run.n_steps))
        for name in ("y0", "h1.1"):
            assert watch[name].z.tolist() == everything[name].z[watch.step].tolist()
        if batch_size == 1:
            assert watch["y0"].delta[-1] == run.at(last)["y0"].delta

    @pytest.mark.parametrize(("every", "keep_last"), [(1, None), (1, 2), (1000, None), (1000, 2), (3, 2)])
    @pytest.mark.parametrize("chunk_seconds", [0.1, 0.0])
    def test_a_step_that_is_taken_back(self, every, keep_last, chunk_seconds, monkeypatch: pytest.MonkeyPatch):
        """The loss of step 7 is finite, its update is not: it has written over older records."""
        monkeypatch.setattr(training, "CHUNK_SECONDS", chunk_seconds)
        net = ns.Network(rng=0)
        net.add_inputs("x")
        net.add_neuron("y", {"x": 2.0}, activation="identity")
        net.set_outputs("y")
        X = np.arange(1.0, 21.0)
        T = 2 * X
        X[7], T[7] = 1e5, -1e150
        watch = ns.Monitor("y", ALL, every=every, keep_last=keep_last)
        with pytest.warns(DivergenceWarning):
            run = net.fit(X[:, None], T, learning_rate=1e200, shuffle=False, monitors=watch)
        assert run.n_steps == 7
        expected = sorted({*range(0, 7, every), 6})
        expected = expected if keep_last is None else expected[-keep_last:]
        assert watch.step.tolist() == watch.sample.tolist() == expected
        assert watch["y"].z.tolist() == (2 * X[expected]).tolist()
        assert watch["y"].delta.tolist() == [0.0] * len(expected)

    def test_nothing_made(self):
        net = ns.wiring.layered([2, 3, 1], activation="identity", rng=0)
        net.weights[:] = 1e200
        watch = ns.Monitor("y0")
        with pytest.warns(DivergenceWarning):
            net.fit([[1.0, 1.0]], [0.0], monitors=watch)
        assert len(watch) == 0
        assert watch["y0"].delta.shape == (0,)
        assert "no step" in repr(watch)


class TestMemory:
    def test_refused_with_the_cheaper_setting(self):
        net = ns.wiring.layered([2, 3, 1], rng=0)
        X, T = data_of(net, 1000)
        before = bits(net)
        watch = ns.Monitor("*", every=1, max_bytes=1e6)
        expected = "the trace would take 16 MB (limit 1 MB): every=20 takes 800 kB"
        with pytest.raises(SettingError, match=re.escape(expected)):
            net.fit(X, T, epochs=100, monitors=watch)
        assert bits(net) == before
        watch = ns.Monitor("*", every=20, max_bytes=1e6)
        net.fit(X, T, epochs=100, monitors=watch)
        assert len(watch) == 5001

    @pytest.mark.parametrize(
        ("given", "cheaper"),
        [
            ({"steps": list(range(900))}, "keep_last=62 takes 9.92 kB"),
            ({"every": 1, "keep_last": 500}, "keep_last=62 takes 9.92 kB"),
            ({"every": 1, "max_bytes": 100}, "watch fewer neurons, edges or fields"),
        ],
    )
    def test_what_it_names(self, given, cheaper):
        net = ns.wiring.layered([2, 3, 1], rng=0)
        X, T = data_of(net, 1000)
        with pytest.raises(SettingError, match=cheaper):
            net.fit(X, T, monitors=ns.Monitor("*", **({"max_bytes": 1e4} | given)))

    def test_bytes(self):
        assert [in_bytes(n) for n in (0, 12, 999, 1000, 9.5e9, 95e6, 2e13)] == [
            "0 B", "12 B", "999 B", "1 kB", "9.5 GB", "95 MB", "20 TB"
        ]  # fmt: skip

    def test_counts(self):
        for n in range(1, 40):
            for every in range(1, 45):
                assert n_records(n, every) == len({*range(0, n, every), n - 1})
        assert log_steps(1).tolist() == [0]
        assert log_steps(51).tolist() == [0, 1, 2, 5, 10, 20, 50]


class TestReading:
    @pytest.fixture
    def watched(self) -> tuple[ns.Monitor, ns.Monitor]:
        net = ns.wiring.layered([2, 3, 1], dtype="float32", rng=0)
        X, T = data_of(net, 6)
        watch, edges = ns.Monitor(["h1.*", 0], ["z", "delta"], every=2), ns.Monitor([("x*", "h1.1")], "w", every=5)
        net.fit(X, T, rng=0, monitors=[watch, edges])
        return watch, edges

    def test_names_and_ids(self, watched):
        watch, edges = watched
        assert watch.neurons == ["h1.0", "h1.1", "h1.2", "x0"]
        assert edges.edges == [("x0", "h1.1"), ("x1", "h1.1")]
        assert watch["h1.1"].z.tolist() == watch[3].z.tolist() == watch[np.int64(3)].z.tolist()
        for ends in (("x1", "h1.1"), (1, 3), ("x1", 3)):
            assert edges[ends].w.tolist() == edges["x1", "h1.1"].w.tolist()
        assert edges["x1", "h1.1"].name == ("x1", "h1.1")
        assert "h1.1" in repr(watch["h1.1"])
        assert {"z", "delta"} <= set(dir(watch["h1.1"]))

    def test_edits_of_the_network_do_not_matter(self):
        net = awkward_net()
        watch = ns.Monitor("y*", every=1)
        net.fit(*data_of(net), monitors=watch)
        net.remove_neuron("dead")
        assert watch.neurons == ["y0", "y1"]
        assert watch["y1"].z.shape == (14,)

    def test_structured_array(self, watched):
        watch, edges = watched
        table = watch.array()
        assert table.dtype.names == ("step", "sample", "neuron", "z", "delta")
        assert table["step"].tolist() == [q for q in (0, 2, 4, 5) for _ in range(4)]
        assert table["z"].dtype == np.float32
        here = table[table["neuron"] == "h1.2"]
        assert here["z"].tolist() == watch["h1.2"].z.tolist()
        assert here["sample"].tolist() == watch.sample.tolist()
        assert edges.array().dtype.names == ("step", "sample", "source", "sink", "w")

    def test_csv_keeps_every_bit(self, watched, tmp_path):
        for monitor in watched:
            monitor.to_csv(tmp_path / "trace.csv")
            table = monitor.array()
            with open(tmp_path / "trace.csv", encoding="utf-8", newline="") as file:
                names, *rows = csv.reader(file)
            assert tuple(names) == table.dtype.names
            for k, name in enumerate(names):
                column = np.array([row[k] for row in rows])
                np.testing.assert_array_equal(column.astype(table[name].dtype), table[name])

    def test_records_cannot_be_written(self, watched):
        with pytest.raises(ValueError, match="read-only"):
            watched[0]["x0"].z[0] = 1

    def test_shown(self, watched):
        watch, edges = watched
        assert repr(watch) == "<Monitor of h1.*, 0: z, delta; 4 records, steps 0 to 5>"
        assert repr(edges) == "<Monitor of x* → h1.1: w; 2 records, steps 0 to 5>"
        html = watch._repr_html_()
        assert "<th>δ</th>" in html
        assert "⋮" in html
        assert html.count("<tr>") == 10
        assert "nothing recorded" in ns.Monitor("<b>")._repr_html_()
        assert "<b>" not in ns.Monitor("<b>")._repr_html_()


class TestRefused:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (([], None), "watches neurons or edges, and this one nothing"),
            ((["h1", ("i1", "h1")], None), "this one neurons and edges: make one of each"),
            (([("i1", "h1", "o1")], None), "an edge is a pair"),
            ((3.5, None), "watch neurons"),
            ((["h1"], ["zz"]), "unknown field of neurons 'zz'"),
            ((["h1"], ["w"]), "'w' is a field of edges, and this monitor watches neurons: z, y, delta, b, db"),
            (([("i1", "h1")], ["delta"]), "'delta' is a field of neurons, and this monitor watches edges"),
            ((["h1"], []), "no fields"),
        ],
    )
    def test_what(self, arguments, message):
        with pytest.raises(SettingError, match=message):
            ns.Monitor(*arguments)

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"every": 0}, "every=0"),
            ({"every": 1.5}, "every=1.5"),
            ({"every": True}, "every=True"),
            ({"keep_last": 0}, "keep_last=0"),
            ({"steps": "lin"}, "steps='lin'"),
            ({"steps": [-1]}, "steps=.*0 or more"),
            ({"steps": [1, 1]}, "each one once"),
            ({"samples": []}, "samples="),
            ({"samples": [0.5]}, "samples="),
            ({"max_bytes": 0}, "max_bytes=0"),
        ],
    )
    def test_how(self, given, message):
        with pytest.raises(SettingError, match=message):
            ns.Monitor("h1", **given)

    @pytest.mark.parametrize(
        ("watch", "message"),
        [
            (ns.Monitor("q*"), "no neuron matches 'q\\*'"),
            (ns.Monitor("H1.0"), "no neuron 'H1.0'; did you mean 'h1.0'"),
            (ns.Monitor([("x0", "y0")]), "no edge"),
            (ns.Monitor([("x*", "y*")]), "no edge"),
            (ns.Monitor("y0", steps=[6]), "steps has 6, and the run has 6 steps"),
            (ns.Monitor("y0", samples=[6]), "samples has row 6 of X, which has 6"),
            ("y0", "give Monitor and Alarm objects"),
            ([3], "give Monitor and Alarm objects"),
        ],
    )
    def test_when_fit_begins(self, watch, message):
        net = ns.wiring.layered([2, 3, 1], rng=0)
        X, T = data_of(net, 6)
        before = bits(net)
        with pytest.raises((SettingError, UnknownNameError), match=message):
            net.fit(X, T, monitors=watch)
        assert bits(net) == before

    def test_twice_the_same(self):
        net = ns.wiring.layered([2, 3, 1], rng=0)
        watch = ns.Monitor("y0")
        with pytest.raises(SettingError, match="each once"):
            net.fit(*data_of(net, 6), monitors=[watch, watch])

    def test_reading_what_is_not_there(self):
        watch = ns.Monitor("y0", "z")
        with pytest.raises(NotKnownError, match="nothing is recorded yet"):
            watch["y0"]
        net = ns.wiring.layered([2, 3, 1], rng=0)
        net.fit(*data_of(net, 6), monitors=watch)
        with pytest.raises(UnknownNameError, match="'Y0' is not watched; did you mean 'y0'"):
            watch["Y0"]
        with pytest.raises(UnknownNameError, match="not watched"):
            watch["x0", "y0"]
        with pytest.raises(AttributeError, match="'delta' was not recorded of 'y0'; recorded: z"):
            watch["y0"].delta  # noqa: B018
        with pytest.raises(NotKnownError, match="no samples were chosen"):
            watch.present  # noqa: B018


@pytest.mark.parametrize("keep_last", [2, 3, 7])
def test_the_last_records_of_a_run_that_diverged_are_those_of_its_steps(keep_last):
    X, T = np.random.default_rng(1).normal(size=(2, 50, 2))
    every, last = ns.Monitor("y0", ["z", "b"], every=1), ns.Monitor("y0", ["z", "b"], every=1, keep_last=keep_last)
    net = ns.wiring.layered([2, 4, 2], activation="identity", rng=0)
    with pytest.warns(ns.errors.DivergenceWarning):
        run = net.fit(X, T, learning_rate=0.3, epochs=50, rng=0, monitors=[every, last])
    assert run.n_steps > 3 * keep_last
    np.testing.assert_array_equal(last.step, every.step[-keep_last:])
    np.testing.assert_array_equal(last["y0"].z, every["y0"].z[-keep_last:])


def test_a_step_that_no_run_reaches():
    watch = ns.Monitor("y0", "y", every=10**30, keep_last=10**30)
    ns.wiring.layered([2, 1], rng=0).fit(np.ones((5, 2)), np.ones((5, 1)), monitors=watch)
    assert watch.step.tolist() == [0, 4]
