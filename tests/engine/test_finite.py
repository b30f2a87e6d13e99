"""The first value that is not finite: in the order of computing, over blocks of samples, among parameters."""

import numpy as np
import pytest

import neuronsim as ns
from neuronsim.engine.finite import first_parameter, first_signal
from neuronsim.errors import DivergenceWarning
from neuronsim.formulas.losses import LOSSES
from neuronsim.kernels.arguments import Parameters

ORDER = np.array([0, 2, 1])


def signals() -> dict[str, np.ndarray]:
    return {"z": np.ones((2, 3)), "y": np.ones((2, 3)), "losses": np.ones(2), "delta": np.ones((2, 3))}


def first(**bad: tuple[int, int] | int):
    arrays = signals()
    for what, at in bad.items():
        arrays[what][at] = np.inf
    return first_signal(ORDER, **arrays)


def test_none_where_all_are_finite() -> None:
    assert first() is None


@pytest.mark.parametrize(
    ("bad", "what", "neuron", "row"),
    [
        ({"z": (1, 1), "y": (0, 2)}, "y", 2, 0),  # neuron 2 is computed before neuron 1
        ({"z": (1, 1), "losses": 0}, "z", 1, 1),
        ({"losses": 1, "delta": (0, 0)}, "loss", None, 1),
        ({"delta": (1, 1)}, "delta", 1, 1),
    ],
)
def test_the_way_forward_then_the_loss_then_the_way_back(bad, what, neuron, row) -> None:
    found = first(**bad)
    assert (found.what, found.neuron, found.row, found.value) == (what, neuron, row, np.inf)


def test_on_the_way_back_the_last_neuron_comes_first() -> None:
    arrays = signals()
    arrays["delta"][:] = np.nan
    found = first_signal(ORDER, **arrays)
    assert (found.what, found.neuron, found.row) == ("delta", 1, 0)


def test_a_later_block_may_hold_what_is_computed_first() -> None:
    net = ns.Network(rng=0)
    net.add_inputs("x")
    net.add_neuron("a", {"x": 1e10}, activation="identity")
    net.add_neuron("b", {"a": 1e10}, activation="identity")
    net.set_outputs("b")
    X = np.zeros((2000, 1))
    X[3], X[1500] = 1e290, 1e300  # z of b overflows in the first block, z of a in the second
    found = net.runtime.engine().first_not_finite(X, np.zeros((2000, 1)), LOSSES["half_squared_error"])
    assert (found.what, found.neuron, found.row) == ("z", net["a"].id, 1500)


def test_the_parameter_of_the_lowest_neuron() -> None:
    net = ns.wiring.layered([2, 2, 1], activation="prelu", rng=0)
    graph = net.graph
    copies = Parameters(np.zeros(graph.n_edges), graph.biases.copy(), graph.slopes.copy())
    assert first_parameter(graph, copies) is None
    copies.weights[-1] = np.nan
    assert first_parameter(graph, copies).label(graph) == "w[h1.1→y0]"
    copies.slopes[net["h1.1"].id] = np.inf
    assert first_parameter(graph, copies).label(graph) == "slope[h1.1]"
    copies.biases[net["h1.1"].id] = np.inf
    assert first_parameter(graph, copies).label(graph) == "b[h1.1]"
    copies.biases[net["h1.0"].id] = -np.inf
    assert first_parameter(graph, copies).label(graph) == "b[h1.0]"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("activation", ["identity", "tanh", "prelu", "softplus"])
@pytest.mark.parametrize("rate", [1e6, 1e38])
def test_a_run_and_its_diagnosis_tell_one_story(dtype: str, batch_size: int, activation: str, rate: float) -> None:
    net = ns.wiring.layered([3, 6, 4, 2], activation=activation, output="identity", dtype=dtype, rng=1)
    rng = np.random.default_rng(2)
    X, T = rng.normal(size=(30, 3)), 1e3 * rng.random((30, 2))
    with pytest.warns(DivergenceWarning):
        run = net.fit(X, T, learning_rate=rate, batch_size=batch_size, epochs=9, rng=3, loss="squared_error")
    (finding,) = run.diagnose().of("overflow")
    assert finding.step == run.n_steps
    if finding.neurons:
        assert f"neuron {finding.neurons[0]!r}" in run.reason
    else:
        assert "the loss is not finite" in run.reason
        assert "is the loss" in finding.sentence
    for what in ("z", "y"):
        assert (f"finite is {what} = " in run.reason) == (f"finite is {what} of" in finding.sentence)
