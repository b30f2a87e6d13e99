"""Other programs' steps: bugs planted in a plain Python step are recognised by its result."""

import itertools
import math
from unittest.mock import patch

import numpy as np
import pytest
from foreign_program import EVERY, FUNCTIONS, PAIRS, foreign_step, planted
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from nets import T222, X222, net_222

import neuronsim as ns
from neuronsim.errors import CheckError, DataError, SettingError
from neuronsim.formulas.losses import LOSSES
from neuronsim.formulas.reference import ReferenceNetwork
from neuronsim.verifying.observed import Observed

FACTOR = "learning rate off by factor 7"
UPDATED_FIRST = f"hidden deltas from updated weights; {FACTOR}"
NO_BIAS = "hidden deltas from updated weights; bias not trained"
TWICE = "twice the gradient (the loss's ½ left out)"


@settings(max_examples=80, deadline=None)
@example(rule="no step", kind="tanh", hidden=[5], n=1, dtype="float32", seed=3236)
@example(rule=f"derivative missing (hidden); {FACTOR}", kind="sigmoid", hidden=[1], n=1, dtype="float32", seed=0)
@example(rule=TWICE, kind="tanh", hidden=[4, 4], n=1, dtype="float32", seed=2724252939)
@example(rule=NO_BIAS, kind="tanh", hidden=[1, 1], n=3, dtype="float32", seed=1788747533)
@example(rule="hidden deltas from updated weights", kind="tanh", hidden=[1], n=4, dtype="float32", seed=2227432937)
@example(rule=UPDATED_FIRST, kind="sigmoid", hidden=[4], n=1, dtype="float32", seed=1858720390)
@given(
    rule=st.sampled_from(sorted(EVERY)),
    kind=st.sampled_from(sorted(FUNCTIONS)),
    hidden=st.lists(st.integers(1, 5), min_size=1, max_size=2),
    n=st.integers(1, 5),
    dtype=st.sampled_from(["float64", "float32"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_planted_bugs_are_recognised(rule, kind, hidden, n, dtype, seed):
    rng = np.random.default_rng(seed)
    sizes = [int(rng.integers(1, 5)), *hidden, int(rng.integers(1, 4))]
    X, T = rng.normal(size=(n, sizes[0])).astype(dtype), rng.random((n, sizes[-1])).astype(dtype)
    weights = [rng.normal(size=(b, a)).astype(dtype) for a, b in itertools.pairwise(sizes)]
    biases = [rng.normal(size=b).astype(dtype) for b in sizes[1:]]
    net = ns.wiring.layered(sizes, activation=kind, dtype=dtype, rng=0)
    net.weights[:] = np.concatenate([w.ravel() for w in weights])
    net.biases[sizes[0] :] = np.concatenate(biases)
    before = net.weights.copy(), net.biases.copy()
    w, b = foreign_step(weights, biases, kind, X, T, 0.5, planted(kind, EVERY[rule]))
    after = np.concatenate([m.ravel() for m in w]), np.concatenate(b)
    if dtype == "float32":
        after = after[0].astype(dtype), after[1].astype(dtype)
    found = net.check_foreign(X, T, after, learning_rate=0.5)
    assert (net.weights.tolist(), net.biases.tolist()) == (before[0].tolist(), before[1].tolist())
    if not found.fits and next(h for h in found.hypotheses if h.rule == "right").error < 3.0:
        return  # so small a step that a little more of rounding would explain it: nobody is accused
    if not found.fits and rule in PAIRS:
        # what is planted comes out, and so few numbers cannot tell two things wrong, or a fitted one, from chance
        assert found.rule == "unknown"
        assert dtype == "float32" or n * (sum(sizes[1:]) - 1) < 4
        with patch.object(Observed, "bits", return_value=math.inf):
            found = net.check_foreign(X, T, after, learning_rate=0.5)
    assert found.fits, found
    if rule in PAIRS:
        return  # a simpler rule may do the same on a small network, and is named then
    if n == 1 and ("sample" in rule):
        rule = "right"  # one sample alone is the batch
    assert rule in found.fits, found
    undecided = bool({"no step", "wrong sign"} & set(found.fits)) and "right" in found.fits
    assert found.rule == "undecided" if undecided else found.rule in found.fits
    assert found.ok == ("right" in found.fits and not undecided)


@pytest.mark.parametrize("rule", sorted(EVERY))
@pytest.mark.parametrize("kind", sorted(FUNCTIONS))
def test_on_a_network_that_tells_all_apart_only_the_bug_is_named(rule, kind):
    rng = np.random.default_rng(5)
    sizes = [3, 4, 2, 3]
    X, T = rng.normal(size=(3, 3)), rng.random((3, 3))
    weights = [rng.normal(size=(b, a)) for a, b in itertools.pairwise(sizes)]
    biases = [rng.normal(size=b) for b in sizes[1:]]
    net = ns.wiring.layered(sizes, activation=kind, rng=0)
    net.weights[:] = np.concatenate([w.ravel() for w in weights])
    net.biases[3:] = np.concatenate(biases)
    w, b = foreign_step(weights, biases, kind, X, T, 0.5, planted(kind, EVERY[rule]))
    found = net.check_foreign(X, T, (np.concatenate([m.ravel() for m in w]), np.concatenate(b)), learning_rate=0.5)
    same = rule == "derivative missing at the output" and kind == "sigmoid"  # cross-entropy's way back
    assert found.fits == (rule, *(["the loss is another: binary_cross_entropy"] if same else [])), found
    assert found.rule == rule
    assert found.runner_up.error > 100.0


@pytest.mark.parametrize(("dtype", "off"), [("float64", 1e-11), ("float32", 1e-4)])
def test_a_parameter_that_rounding_does_not_explain(dtype, off):
    """One weight a little further on: no rule fits, and the nearest is the right one."""
    net = net_222(dtype, frozen=False)
    after = net.copy()
    after.step(X222, T222, learning_rate=0.5)
    given = {"weights": after.weights.astype(float), "biases": after.biases}
    assert net.check_foreign(X222, T222, given, learning_rate=0.5, dtype=dtype).ok
    given["weights"][4] += off
    found = net.check_foreign(X222, T222, given, learning_rate=0.5, dtype=dtype)
    assert (found.rule, found.nearest.rule, found.nearest.worst) == ("unknown", "right", "w[h1→o1]")


class TestNotAccusedAndNotBelieved:
    X, T = np.random.default_rng(2).normal(size=(1, 3)), np.random.default_rng(3).random((1, 2))

    def test_an_idle_program_is_not_right_where_the_step_is_tiny(self):
        net = ns.wiring.layered([3, 4, 2], activation="sigmoid", dtype="float32", rng=0)
        net.biases[3:] = 1.0
        found = net.check_foreign(self.X, self.T, net.copy(), learning_rate=1e-7)
        assert {"right", "no step", "wrong sign"} <= set(found.fits)
        assert (found.rule, found.ok) == ("undecided", False)
        with pytest.raises(CheckError, match=r"undecided: the step is so small .* larger learning rate"):
            found.assert_ok()

    @pytest.mark.parametrize("rate", [0.7, 0.1, 0.3])
    def test_a_rate_in_float32(self, rate):
        net = ns.wiring.layered([3, 4, 2], activation="sigmoid", rng=0)
        after = net.copy()
        after.step(self.X[0], self.T[0], learning_rate=float(np.float32(rate)))
        found = net.check_foreign(self.X, self.T, after, learning_rate=rate)
        assert found.rule == f"right (rate {float(np.float32(rate)):.9g} rather than {rate:g})"
        assert found.ok
        found.assert_ok()

    def test_numbers_of_float32_in_plain_lists(self):
        net = ns.wiring.layered([3, 4, 2], activation="tanh", dtype="float64", rng=0)
        net.weights[:] = net.weights.astype(np.float32)
        after = net.copy()
        after.step(self.X[0], self.T[0], learning_rate=0.5)
        lists = after.weights.astype(np.float32).tolist(), after.biases.astype(np.float32).tolist()
        assert net.check_foreign(self.X, self.T, lists, learning_rate=0.5).ok

    def test_lists_by_layer(self):
        net = ns.wiring.layered([3, 4, 2], rng=0)
        layers = [[[0.1] * 3] * 4, [[0.2] * 4] * 2]
        short = [layers[0], layers[1][:1]]
        with pytest.raises(
            DataError, match=r"after has \(4, 3\), \(1, 4\); the layers need W and b of shapes \(4, 3\)"
        ):
            net.check_foreign(self.X, self.T, {"weights": short}, learning_rate=0.5)
        assert net.check_foreign(self.X, self.T, {"weights": layers}, learning_rate=0.5).rule == "unknown"

    def test_rules_that_cannot_apply_are_not_tried(self):
        net = ns.wiring.layered([3, 2], activation="sigmoid", rng=0)
        after = net.copy()
        after.step(self.X[0], self.T[0], learning_rate=0.5)
        tried = {
            h.rule for h in net.check_foreign(self.X, self.T, {"weights": after.weights}, learning_rate=0.5).hypotheses
        }
        assert not {"bias not trained", "hidden neurons not trained"} & tried
        assert "bias not trained" in {
            h.rule for h in net.check_foreign(self.X, self.T, after, learning_rate=0.5).hypotheses
        }

    def test_one_number_is_not_explained_by_a_fitted_one(self):
        net = ns.wiring.layered([1, 1], activation="sigmoid", rng=0)
        after = {"weights": net.weights * 1.3}
        assert net.check_foreign([[0.7]], [[0.2]], after, learning_rate=0.5).rule == "unknown"

    def test_factors_by_their_names(self):
        net = ns.wiring.layered([3, 4, 3], activation="sigmoid", rng=0)
        X, T = np.random.default_rng(2).normal(size=(2, 3)), np.random.default_rng(3).random((2, 3))
        for factor, rule in ((2 / 3, "the mean squared error over the outputs"), (2.0, "summed instead of averaged"),
                             (-3.0, "wrong sign; learning rate off by factor 3")):  # fmt: skip
            after = net.copy()
            g = net.gradients(X, T)
            after.weights[:] = net.weights - factor * 0.5 * g.weights
            after.biases[:] = net.biases - factor * 0.5 * g.biases
            assert rule in net.check_foreign(X, T, after, learning_rate=0.5).fits


class TestTheWorkedExample:
    """L4's 2-2-2 net, with the numbers as printed."""

    def test_right(self):
        after = [0.149780716, 0.19956143, 0.24975114, 0.29950229, 0.35891648, 0.408666186, 0.511301270, 0.561370121]
        found = net_222().check_foreign(X222, T222, {"weights": after}, learning_rate=0.5, atol=5e-9)
        assert found.ok

    def test_the_update_order_bug(self):
        """δ of the hidden neurons from the outputs' new weights gives the error 0.29102792390544197."""
        net = net_222()
        reference = ReferenceNetwork.from_network(net)
        s = reference.signals(X222, T222)
        o1, o2 = net.outputs.tolist()
        new = {(b, a): reference.neurons[a].weights[b] - 0.5 * s.delta[a] * s.y[b] for a in (o1, o2) for b in (2, 3)}
        after = net.copy()
        for (b, a), w in new.items():
            after[b, a].weight = w
        for h in (2, 3):
            delta = sum(new[h, o] * s.delta[o] for o in (o1, o2)) * s.y[h] * (1.0 - s.y[h])
            for i in (0, 1):
                after[i, h].weight = net[i, h].weight - 0.5 * delta * s.y[i]
        assert after.evaluate([X222], [T222]).loss == pytest.approx(0.29102792390544197, rel=0, abs=1e-15)
        found = net.check_foreign(X222, T222, after, learning_rate=0.5)
        assert found.rule == "hidden deltas from updated weights"
        with pytest.raises(CheckError, match="the step is: hidden deltas from updated weights"):
            found.assert_ok()

    def test_a_trained_bias_that_should_be_frozen(self):
        after = net_222(frozen=False)
        after.step(X222, T222, learning_rate=0.5)
        assert net_222().check_foreign(X222, T222, after, learning_rate=0.5).rule == "frozen parameters moved too"


class TestOtherRules:
    X, T = np.random.default_rng(2).normal(size=(6, 3)), np.random.default_rng(3).random((6, 2))

    @pytest.mark.parametrize(
        ("settings", "rule"),
        [
            ({"optimizer": "adam"}, "first step of adam"),
            ({"optimizer": "rmsprop"}, "first step of rmsprop"),
            ({"optimizer": "nesterov"}, "first step of nesterov, momentum 0.9"),
            ({"optimizer": "rprop"}, "first step of rprop, or the gradient's sign alone"),
            ({"weight_decay": 0.02}, "weight decay of 0.02"),
            ({"optimizer": "momentum"}, "right"),
            ({"reduction": "sum"}, "summed instead of averaged"),
        ],
    )
    def test_first_steps(self, settings, rule):
        net = ns.wiring.layered([3, 4, 2], activation="sigmoid", rng=4)
        net.freeze("h1.0")
        net.scale_rate("y0", 0.5)
        after = net.copy()
        after.fit(self.X, self.T, batch_size=None, learning_rate=0.3, **settings)
        assert net.check_foreign(self.X, self.T, after, learning_rate=0.3).rule == rule

    def test_momentum_shows_with_the_step_before(self):
        first = ns.wiring.layered([3, 4, 2], activation="sigmoid", rng=4)
        second, third = first.copy(), first.copy()
        for net, epochs in ((second, 1), (third, 2)):
            net.fit(
                self.X, self.T, batch_size=None, epochs=epochs, learning_rate=0.3, optimizer="momentum", momentum=0.8
            )
        without = second.check_foreign(self.X, self.T, third, learning_rate=0.3)
        assert without.rule == "unknown"
        assert str(without).startswith("unknown: no rule fits; nearest is ")
        found = second.check_foreign(self.X, self.T, third, learning_rate=0.3, previous=first)
        assert found.rule == "momentum of 0.8"


@pytest.mark.parametrize(
    ("loss", "last", "once_more"),
    [
        ("cross_entropy", "softmax", True),
        ("binary_cross_entropy", "sigmoid", True),
        ("half_squared_error", "tanh", False),
    ],
)
def test_fused_outputs(loss, last, once_more):
    """Our own steps are right; f' once more at the output is tried where δ is y - t already."""
    net = ns.wiring.layered([3, 4, 3], activation="relu", output=last, rng=1)
    X, T = np.random.default_rng(0).normal(size=(4, 3)), np.eye(3)[[0, 1, 2, 1]]
    after = net.copy()
    after.fit(X, T, loss=loss, batch_size=None, learning_rate=0.1)
    found = net.check_foreign(X, T, after, learning_rate=0.1, loss=loss)
    assert found.rule == "right"
    named = "derivative once too often at the output" in [h.rule for h in found.hypotheses]
    assert named == once_more


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(LOSSES)))
def test_our_own_steps_are_right_on_any_wiring(seed, loss):
    rng = np.random.default_rng(seed)
    last = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}.get(loss, "tanh")
    net = ns.Network(rng=int(rng.integers(1 << 30)))
    net.add_inputs("x0", "x1")
    for k in range(4):
        sources = rng.choice(2 + k, size=min(2 + k, 3), replace=False).tolist()
        net.add_neuron(f"h{k}", sources, activation=str(rng.choice(["tanh", "prelu", "gelu", "sigmoid"])), bias=0.1)
    for k in range(2):
        net.add_neuron(f"y{k}", ["h0", "h3", "x1"], activation=last)
    net.set_outputs("y0", "y1", *(["h2"] if last == "tanh" else []))
    X, T = rng.normal(size=(3, 2)), rng.random((3, net.n_outputs))
    if loss == "cross_entropy":
        T = np.abs(T) / np.abs(T).sum(axis=1, keepdims=True)
    after = net.copy()
    after.fit(X, T, loss=loss, batch_size=None, learning_rate=0.05)
    assume(np.isfinite(after.weights).all())
    found = net.check_foreign(X, T, after, learning_rate=0.05, loss=loss)
    assert found.ok, found


@pytest.mark.parametrize(
    "settings",
    [{"learning_rate": 0.0}, {"learning_rate": 0.5, "reduction": "max"}, {"learning_rate": 0.5, "atol": -1.0},
     {"learning_rate": 0.5, "dtype": "float16"}],
)  # fmt: skip
def test_settings(settings):
    net = net_222()
    with pytest.raises(SettingError):
        net.check_foreign(X222, T222, net, **settings)
