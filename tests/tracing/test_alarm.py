"""Alarms: conditions are parsed as Python would read them, and go off where they hold."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nets import OPTIMIZERS, awkward_net, bits, data_of

import neuronsim as ns
from neuronsim.errors import DivergenceWarning, NotKnownError, SettingError, UnknownNameError
from neuronsim.kernels.watch import conditions as codes
from neuronsim.tracing.conditions import parse
from neuronsim.training import trainer as training

# What the instructions do, once more, on plain numbers.
UNARY = {
    codes.NEGATE: lambda a: -a,
    codes.ABSOLUTE: abs,
    codes.SQUARE_ROOT: lambda a: float(np.sqrt(a)),
    codes.NOT: lambda a: 1.0 - a,
    codes.IS_NAN: lambda a: float(math.isnan(a)),
    codes.IS_INF: lambda a: float(math.isinf(a)),
    codes.IS_FINITE: lambda a: float(math.isfinite(a)),
}
BINARY = {
    codes.ADD: lambda a, b: a + b,
    codes.SUBTRACT: lambda a, b: a - b,
    codes.MULTIPLY: lambda a, b: a * b,
    codes.DIVIDE: lambda a, b: float(np.float64(a) / np.float64(b)),
    codes.LESS: lambda a, b: float(a < b),
    codes.AT_MOST: lambda a, b: float(a <= b),
    codes.GREATER: lambda a, b: float(a > b),
    codes.AT_LEAST: lambda a, b: float(a >= b),
    codes.EQUAL: lambda a, b: float(a == b),
    codes.UNEQUAL: lambda a, b: float(a != b),
    codes.AND: lambda a, b: a * b,
    codes.OR: max,
}


def evaluate(text: str, **fields: float) -> bool:
    condition = parse(text)
    rows = [fields[name] for name in condition.fields] + condition.program.constants.tolist()
    rows += [math.nan] * (len(condition.program.rows(1)) - len(rows))
    for operator, left, right, result in condition.program.instructions.tolist():
        rows[result] = UNARY[operator](rows[left]) if operator in UNARY else BINARY[operator](rows[left], rows[right])
    assert rows[0] in (0.0, 1.0)
    return bool(rows[0])


NUMBERS = st.recursive(
    st.sampled_from(["z", "y", "delta", "b", "1", "0.5", "2e3", "0"]),
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*/"), inner),
        st.builds("-{}".format, inner),
        st.builds("abs({})".format, inner),
        st.builds("sqrt({})".format, inner),
    ),
    max_leaves=5,
)
TRUTHS = st.recursive(
    st.one_of(
        st.builds("({} {} {})".format, NUMBERS, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), NUMBERS),
        st.builds("{}({})".format, st.sampled_from(["isnan", "isinf", "isfinite"]), NUMBERS),
    ),
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or", "&", "|"]), inner),
        st.builds("(not {})".format, inner),
        st.builds("(~{})".format, inner),
    ),
    max_leaves=5,
)
VALUES = st.sampled_from([0.0, -0.0, 0.5, 1.0, -3.0, 2000.0, math.inf, -math.inf, math.nan])


class TestProgram:
    @settings(max_examples=200, deadline=None)
    @given(text=TRUTHS, z=VALUES, y=VALUES, delta=VALUES, b=VALUES)
    def test_it_does_what_the_condition_says(self, text, z, y, delta, b):
        fields = {"z": z, "y": y, "delta": delta, "b": b}
        try:
            expected = bool(parse(text).evaluate(fields))
        except SettingError:
            return  # of numbers alone
        with np.errstate(all="ignore"):
            assert evaluate(text, **fields) == expected

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("abs(db) > 1", "an alarm looks at z, y, delta, b of neurons, not at 'db'"),
            ("w > 1", "an alarm looks at z, y, delta, b of neurons, not at 'w'"),
            ("z >", "it ends too early"),
            (3, "a condition is a str"),
        ],
    )
    def test_refused(self, text, message):
        with pytest.raises(SettingError, match=message):
            ns.Alarm(text)


def expected_firings(run: ns.Run, ids: np.ndarray, holds) -> list[tuple]:
    """(step, neuron, row of X) in the order in which an alarm looks: by step, neuron, sample."""
    found = []
    for q in range(run.n_steps):
        step = run.at(q)
        z, y, delta = (np.atleast_2d(values) for values in (step.z, step.y, step.delta))
        for neuron in ids:
            for i, row in enumerate(step.samples):
                if holds(z[i, neuron], y[i, neuron], delta[i, neuron], step.biases[neuron]):
                    found.append((q, run.replay.graph.name(int(neuron)), int(row)))
    return found


CASES = {
    "(abs(delta) > .05) & (z < .2)": lambda z, y, delta, b: abs(float(delta)) > 0.05 and z < 0.2,
    "y - z > .1 or b < -.15": lambda z, y, delta, b: float(y) - float(z) > 0.1 or b < -0.15,
}


class TestWhere:
    @pytest.mark.parametrize("condition", list(CASES))
    @pytest.mark.parametrize("batch_size", [1, 4, None], ids=["online", "batch", "all"])
    @pytest.mark.parametrize("n_threads", [1, 2])
    @pytest.mark.parametrize("neurons", [None, ["x1", "h*", "y1", 0]], ids=["all", "some"])
    def test_as_replayed(self, condition, batch_size, n_threads, neurons):
        net = awkward_net("float32")
        X, T = data_of(net)
        alarm = ns.Alarm(condition, neurons)
        run = net.fit(X, T, epochs=2, rng=3, batch_size=batch_size, threads=n_threads, monitors=alarm)
        order = net.runtime.engine().plan.order
        chosen = ~net.graph.is_input if neurons is None else np.isin(np.arange(net.n_neurons), net.find(neurons))
        expected = expected_firings(run, order[chosen[order]], CASES[condition])
        found = [(int(f["step"]), str(f["neuron"]), int(f["sample"])) for f in alarm.firings]
        assert found == expected[:1000]
        assert alarm.count == len(expected) > 0
        assert (alarm.step, alarm.neuron, alarm.sample) == expected[0]
        step = run.at(alarm.step)
        one = step.sample(step.samples.tolist().index(alarm.sample))[alarm.neuron]
        assert alarm.value == {"z": one.z, "y": one.y, "delta": one.delta, "b": one.bias}
        assert [s.number for s in alarm.before] == list(range(max(0, alarm.step - 3), alarm.step))

    def test_large_layers_and_blocks(self):
        net = ns.wiring.layered([3, 1500, 2], dtype="float32", rng=0)
        X, T = data_of(net, 1100)
        for batch_size, n in ((1, 5), (None, 1100)):
            alarm = ns.Alarm("z > 1.5", "h1.*")
            run = net.fit(X[:n], T[:n], batch_size=batch_size, rng=0, learning_rate=1e-3, monitors=alarm)
            assert alarm.count == sum(
                int((np.atleast_2d(run.at(q).z)[:, 3:1503] > 1.5).sum()) for q in range(run.n_steps)
            )

    def test_never(self):
        net = awkward_net()
        alarm = ns.Alarm("isnan(z)")
        assert "not used" in repr(alarm)
        with pytest.raises(NotKnownError, match="nothing is known yet"):
            alarm.count  # noqa: B018
        net.fit(*data_of(net), monitors=alarm)
        assert alarm.count == 0
        assert len(alarm.firings) == 0
        assert alarm.before == ()
        assert alarm.step is alarm.neuron is alarm.sample is alarm.value is None
        assert repr(alarm) == "<Alarm isnan(z): never>"

    def test_several_at_once(self):
        net = awkward_net()
        alarms = [ns.Alarm("z > 1"), ns.Alarm("delta > 0.5", "y*"), ns.Alarm("z > 1e9")]
        net.fit(*data_of(net), rng=0, monitors=[alarms[0], ns.Monitor("y*"), *alarms[1:]])
        together = [alarm.firings.tolist() for alarm in alarms]
        for alarm, found in zip(alarms, together, strict=True):
            twin = awkward_net()
            twin.fit(*data_of(twin), rng=0, monitors=alarm)
            assert alarm.firings.tolist() == found

    def test_unknown_neuron(self):
        net = awkward_net()
        with pytest.raises(UnknownNameError, match="no neuron 'q'"):
            net.fit(*data_of(net), monitors=ns.Alarm("z > 1", "q"))

    def test_before_needs_snapshots(self):
        net = awkward_net()
        X, T = data_of(net)
        X[7] *= 30
        alarm = ns.Alarm("abs(z) > 15", keep_last=1)
        net.fit(X, T, shuffle=False, monitors=alarm, snapshots=False)
        assert alarm.step == 7
        with pytest.raises(NotKnownError, match="snapshots"):
            alarm.before  # noqa: B018


class TestStop:
    @pytest.mark.parametrize("batch_size", [1, 3])
    @pytest.mark.parametrize("chunk_seconds", [0.1, 0.0])
    def test_behind_the_step(self, batch_size, chunk_seconds, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(training, "CHUNK_SECONDS", chunk_seconds)
        X, T = data_of(awkward_net(), 60)
        X[41] *= 30
        net, twin = awkward_net(), awkward_net()
        alarm, watch = ns.Alarm("abs(z) > 15", stop=True), ns.Monitor("y0", every=7)
        run = net.fit(X, T, epochs=3, shuffle=False, batch_size=batch_size, monitors=[watch, alarm])
        assert run.status == "stopped"
        assert alarm.step == 41 // batch_size
        assert alarm.sample == 41
        assert run.reason.startswith(f"alarm abs(z) > 15: step {alarm.step}, neuron {alarm.neuron!r}, sample 41: z = ")
        assert run.n_steps == alarm.step + 1
        assert run.n_epochs == 0
        assert watch.step.tolist() == sorted({*range(0, run.n_steps, 7), alarm.step})
        n = run.n_steps * batch_size
        twin.fit(X[:n], T[:n], shuffle=False, batch_size=batch_size)
        assert bits(net) == bits(twin)

    def test_at_the_end_of_an_epoch(self):
        net = awkward_net()
        X, T = data_of(net, 5)
        X[4] *= 100
        alarm = ns.Alarm("abs(z) > 50", stop=True)
        run = net.fit(X, T, epochs=3, shuffle=False, learning_rate=1e-6, monitors=alarm)
        assert run.status == "stopped"
        assert run.n_steps == 5
        assert run.n_epochs == 1

    @pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
    def test_going_on_changes_nothing(self, optimizer: str):
        X, T = data_of(awkward_net())
        net, twin = awkward_net(), awkward_net()
        settings = OPTIMIZERS[optimizer] | {"optimizer": optimizer, "rng": 0}
        net.fit(X, T, monitors=ns.Alarm("z > 0"), **settings)
        twin.fit(X, T, **settings)
        assert bits(net) == bits(twin)


class TestDivergence:
    @pytest.mark.parametrize("batch_size", [1, 4])
    @pytest.mark.parametrize("keep_last", [0, 2])
    def test_the_step_that_was_not_made(self, batch_size, keep_last):
        net = ns.wiring.layered([2, 3, 1], activation="identity", rng=0)
        X, T = data_of(net, 40)
        alarm = ns.Alarm("~(abs(delta) < 1e60)", "y0", keep_last=keep_last)
        everything = ns.Alarm("z == z")
        with pytest.warns(DivergenceWarning):
            run = net.fit(
                X, T, learning_rate=5.0, epochs=50, rng=0, batch_size=batch_size, monitors=[alarm, everything]
            )
        assert run.status == "diverged"
        # four neurons, and the step that was not made is looked at once
        assert everything.count == 4 * batch_size * (run.n_steps + 1)
        assert everything.firings["step"].max() == alarm.firings["step"].max() == run.n_steps
        assert len(alarm.before) == min(keep_last, alarm.step)

    def test_stop_comes_after_divergence(self):
        net = ns.wiring.layered([2, 3, 1], activation="identity", rng=0)
        net.weights[:] = 1e200
        alarm = ns.Alarm("isinf(delta) | isinf(z) | isnan(z)", stop=True)
        with pytest.warns(DivergenceWarning):
            run = net.fit([[1.0, 1.0]], [0.0], monitors=alarm)
        assert run.status == "diverged"
        assert run.n_steps == 0
        assert alarm.step == 0
