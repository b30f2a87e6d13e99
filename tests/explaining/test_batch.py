"""Batches explained: shares of their samples, how these are reduced, and one of them by itself."""

import re

import numpy as np
import pytest
from explained import order_in, step_of

import neuronsim as ns
from neuronsim.documents import notation


def test_shares_of_an_edge():
    step = step_of("sgd", 30)
    edge = step["p", "m"]
    text = str(step.explain("p", "m")).replace("−", "-")
    order = np.argsort(-np.abs(edge.gradients))
    whole = np.abs(edge.gradients).sum()
    shown = re.findall(r"^    (\d+) +\S+ +\S+ +(\S+) +(\S+) %$", text, re.MULTILINE)
    assert [int(row) for row, _, _ in shown] == step.samples[order][:8].tolist()
    assert [float(g) for _, g, _ in shown] == pytest.approx(edge.gradients[order][:8], rel=1e-8)
    assert [float(s) for _, _, s in shown] == pytest.approx(100 * np.abs(edge.gradients[order][:8]) / whole, rel=5e-3)
    rest = re.search(r"the other 22 +(\S+) +(\S+) %", text)
    assert float(rest[1]) == pytest.approx(edge.gradients[order][8:].sum(), rel=1e-8)
    assert "the 8 largest of 30 samples" in text
    assert re.search(rf"÷ 30 .* = +{re.escape(notation.number(edge.gradient))}\n", str(step.explain("p", "m")))


def test_shares_of_a_neuron_follow_delta():
    step = step_of("sgd", 5)
    n = step["o0"]
    rows = [int(r) for r in re.findall(r"^    (\d+) .* %$", str(step.explain("o0")), re.MULTILINE)]
    assert rows == step.samples[np.argsort(-np.abs(n.delta), kind="stable")].tolist()
    assert "step.sample(k) explains" in str(step.explain("o0"))


def test_a_sum_is_not_divided():
    text = str(step_of("sgd", 5, reduction="sum").explain("p", "m"))
    assert "is the sum over the batch" in text
    assert "÷" not in text


def test_one_sample_of_it():
    step = step_of("adam", 5).sample(2)
    text = str(step.explain("m"))
    assert f"(a sample of its batch, row {step.samples[0]} of X)" in text
    assert "the update follows the mean of all 5 samples of the batch" in text
    assert "update by" not in text
    assert "the update follows" in str(step.explain("p", "m"))


def test_dense_and_scattered_gradients():
    dense = ns.wiring.layered([6, 5, 4], rng=0).fit(np.eye(6), np.zeros((6, 4)), batch_size=6).at(0)
    assert "as they stand in the batch" in order_in(dense.explain("x0", "h1.2"), "reduction")
    net = ns.Network(rng=0)
    net.add_inputs("a", "b", "c")
    net.add_neuron("y", ["a", "c"], activation="tanh")
    net.set_outputs("y")
    sparse = net.fit(np.eye(3), np.zeros(3), batch_size=3).at(0)
    assert "partial sums" in order_in(sparse.explain("a", "y"), "reduction")
