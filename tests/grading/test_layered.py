"""The formulas of grading against the engine's gradients; cases show every mistake."""

import numpy as np
import pytest

from neuronsim.grading import cases, layered

KINDS = [
    ("sigmoid", None, None),
    ("tanh", "identity", None),
    ("relu", "softmax", None),
    ("tanh", "sigmoid", "binary_cross_entropy"),
    ("softplus", None, "squared_error"),
]


@pytest.mark.parametrize(("activation", "output", "loss"), KINDS)
def test_gradients_are_the_engines(activation, output, loss):
    case = cases.draw([3, 4, 3, 2], activation, output, loss, (0, 1))
    passed = case.forward(slice(0, 3))
    g = case.network.gradients(case.X, case.T, loss=case.loss, reduction="sum")
    ours = layered.gradients(passed, case.pairs, case.T, case.loss)
    assert np.allclose(np.concatenate([w.ravel() for w, _ in ours]), g.weights, rtol=1e-12)
    assert np.allclose(np.concatenate([b for _, b in ours]), g.biases[3:], rtol=1e-12)
    assert np.allclose(passed.y[-1].T, case.network.forward(case.X))
    assert np.isclose(layered.losses(passed, case.T, case.loss).sum(), g.loss)


def test_cases_are_drawn_alike_and_show_every_layer():
    one, same, other = (cases.draw([2, 3, 1], "relu", None, None, key) for key in ((0, 1), (0, 1), (0, 2)))
    assert (one.X == same.X).all()
    assert not (one.X == other.X).all()
    for k in range(cases.N_SAMPLES):
        passed = one.forward(slice(k, k + 1))
        delta = layered.output_delta(passed, one.T[k : k + 1], one.loss)
        assert np.abs(layered.hidden_delta(passed, one.pairs, 1, delta)).max() > 1e-3
    assert str(one) == "the 2-3-1 network of relu"


def test_mistakes_of_the_forward_pass_differ_from_the_right_one():
    case = cases.draw([3, 3, 3], "relu", None, None, (0, 0))
    right = case.forward(slice(0, 3)).y[-1]
    for mistake in layered.FORWARD_MISTAKES:
        y = case.forward(slice(0, 3), mistake).y[-1]
        assert "relu" in mistake or "twice" in mistake or not np.allclose(y, right), mistake
    assert cases.draw([2, 3, 1], "relu", None, None, (0, 0)).forward(slice(0, 1), "W is used transposed") is None
