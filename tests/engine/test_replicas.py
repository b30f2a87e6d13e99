"""Replicas in lanes: each has the bits that it would have alone, and the reference's numbers."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nets import OPTIMIZERS, awkward_net, data_of
from strategies import Case, cases

import neuronsim as ns
from neuronsim import seeds
from neuronsim.engine.learning import SessionSettings
from neuronsim.engine.replicas import Replicas
from neuronsim.engine.session import Session
from neuronsim.formulas import losses
from neuronsim.formulas.losses import Loss
from neuronsim.formulas.optimizers import OPTIMIZERS as RULES
from neuronsim.formulas.reference import ReferenceNetwork

NAMES = (
    *("weights", "biases", "slopes", "first_w", "first_b", "first_s", "second_w", "second_b", "second_s"),
    *("powers", "loss_sum"),
)


def started(net: ns.Network, X: Any, T: Any, loss: Loss, given: SessionSettings) -> Session:
    x, t, used = net.runtime.data(X, T, loss)
    return Session(net.runtime.engine(), x, t, used, given)


def differences(nets: list[ns.Network], X: Any, T: Any, loss: Loss, rates: list[float], **given: Any) -> list[str]:
    """What two epochs in lanes make otherwise than two epochs alone, by replica and array; empty where nothing."""
    each = [SessionSettings(**given, initial_rate=rate) for rate in rates]
    alone = [started(net.copy(), X, T, loss, one) for net, one in zip(nets, each, strict=True)]
    beside = [started(net.copy(), X, T, loss, one) for net, one in zip(nets, each, strict=True)]
    lanes = Replicas(beside)
    n_steps = alone[0].steps_per_epoch
    with np.errstate(all="ignore"):
        for epoch in range(2):
            orders = [seeds.sample_order(k, epoch, len(X), True) for k in range(len(nets))]
            of_steps = np.array([np.linspace(rate, rate / 2, n_steps) for rate in rates]).T
            for session, order, own in zip(alone, orders, of_steps.T, strict=True):
                assert session.advance(order, 0, np.ascontiguousarray(own)) == n_steps
            # in two spans, as a long epoch is
            middle = n_steps // 2
            for part in (slice(middle), slice(middle, None)):
                if len(of_steps[part]):
                    lanes.advance(orders, part.start or 0, len(of_steps[part]), list(of_steps[part].T))
    assert lanes.is_finite().tolist() == [session.engine.is_finite() for session in alone]
    for lane in range(len(nets)):
        lanes.hand_back(lane)
    return [
        f"{name} of replica {lane}"
        for lane, (one, other) in enumerate(zip(alone, beside, strict=True))
        for name, a, b in zip(NAMES, one.arrays(), other.arrays(), strict=True)
        if a.tobytes() != b.tobytes()
    ]


def copies(net: ns.Network, n: int) -> list[ns.Network]:
    """So many networks of the same wiring, with weights of their own."""
    made = []
    for seed in range(n):
        own = net.copy()
        own.initialise(rng=seed)
        made.append(own)
    return made


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    cases(max_samples=40, max_hidden=12),
    st.sampled_from([1, 1, 2, 7, 16, 33]),
    st.sampled_from(sorted(OPTIMIZERS)),
    st.integers(1, 8),
    st.booleans(),
    st.data(),
)
def test_any_wiring(case: Case, batch: int, optimizer: str, n: int, mean: bool, data: st.DataObject) -> None:
    given: dict[str, Any] = {"batch_size": min(batch, len(case.X)), "mean": mean}
    given["optimizer"] = RULES[optimizer]()
    if data.draw(st.booleans()):
        given["clip_value"] = 0.05
    if optimizer != "rprop" and data.draw(st.booleans()):
        given["weight_decay"] = 0.01
    net = case.net
    if data.draw(st.booleans()) and net.n_edges:
        net.freeze(edges=[(int(net.graph.sources[0]), int(net.graph.sinks()[0]))])
        net.freeze(biases=True)
    rates = [0.002 * (k + 1) for k in range(n)]
    assert differences(copies(net, n), case.X, case.T, case.loss, rates, **given) == []


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [1, 5, 40])
@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_what_kernels_stumble_over(dtype: str, batch: int, optimizer: str) -> None:
    net = awkward_net(dtype)
    X, T = data_of(net, 40)
    rates = [0.001 * (k + 1) for k in range(7)]
    given = {"batch_size": batch, "optimizer": RULES[optimizer]()}
    assert differences(copies(net, 7), X, T, losses.LOSSES["half_squared_error"], rates, **given) == []


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tiny_networks(dtype: str) -> None:
    net = ns.wiring.layered([2, 3, 2, 1], activation="sigmoid", output="tanh", dtype=dtype, rng=0)
    rng = np.random.default_rng(0)
    X, T = rng.normal(size=(50, 2)), rng.normal(size=(50, 1))
    assert differences(copies(net, 5), X, T, losses.LOSSES["half_squared_error"], [0.1, 0.2, 0.3, 0.4, 0.5]) == []


@pytest.mark.parametrize("batch", [1, 6])
def test_the_reference_s_numbers(batch: int) -> None:
    """Each lane against the plain twin, scalar by scalar."""
    net = ns.wiring.random_dag(3, 9, 2, in_degree=4, rng=0)
    rng = np.random.default_rng(1)
    X, T = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))
    nets = copies(net, 3)
    rates = [0.05, 0.1, 0.2]
    runs = ns.fit_many(net, X, T, seeds=range(3), learning_rate=rates, batch_size=batch, epochs=2)
    for seed, (own, rate, run) in enumerate(zip(nets, rates, runs, strict=True)):
        own.initialise(rng=seed)
        own.runtime.draw()
        twin = ReferenceNetwork.from_network(own)
        orders = [seeds.sample_order(seed, epoch, 20, True).tolist() for epoch in range(2)]
        history = twin.fit(X.tolist(), T.tolist(), learning_rate=rate, batch_size=batch, epochs=2, orders=orders)
        np.testing.assert_allclose(run.history["loss"], history["loss"], rtol=1e-9)
        y = [twin.forward(x)[1] for x in X.tolist()]
        expected = [[signals[o] for o in twin.outputs] for signals in y]
        np.testing.assert_allclose(run.network.forward(X), expected, rtol=1e-8)


def test_one_that_leaves_the_finite_numbers_stays_in_its_lane() -> None:
    net = ns.wiring.layered([2, 3, 1], activation="relu", output="identity", rng=0)
    rng = np.random.default_rng(0)
    X, T = rng.normal(size=(50, 2)), rng.normal(size=(50, 1))
    nets = copies(net, 3)
    sessions = [started(own.copy(), X, T, losses.LOSSES["half_squared_error"], SessionSettings()) for own in nets]
    lanes = Replicas(sessions)
    lanes.advance([np.arange(50)] * 3, 0, 50, [np.array([rate]) for rate in (0.01, 1e6, 0.01)])
    assert lanes.is_finite().tolist() == [True, False, True]
    alone = started(nets[2].copy(), X, T, losses.LOSSES["half_squared_error"], SessionSettings())
    alone.advance(np.arange(50), 0, np.full(50, 0.01))
    lanes.hand_back(2)
    assert sessions[2].learning.parameters.weights.tobytes() == alone.learning.parameters.weights.tobytes()


def test_settings_are_compared_whole() -> None:
    """A field that lanes do not know of would be taken from the first replica."""
    assert {field.name for field in dataclasses.fields(SessionSettings)} == {
        "optimizer", "batch_size", "mean", "weight_decay", "clip_norm", "clip_value", "initial_rate", "threads",
    }  # fmt: skip
