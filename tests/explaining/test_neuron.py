"""Neurons explained: inputs, neurons that nobody listens to, and orders of summation that give the very bits."""

import math

import numpy as np
import pytest
from explained import order_in, step_of

import neuronsim as ns


def test_inputs_and_lost_neurons():
    step = step_of("sgd", 5)
    assert "samples, by |∂L/∂x|" in str(step.explain("x1"))
    assert "= 0" in " ".join(str(step.explain("lost")).split())


def test_the_order_of_the_forward_sum():
    net = ns.wiring.layered([20, 2], activation="tanh", dtype="float32", rng=0)
    step = net.step(np.ones(20), np.zeros(2))
    assert "16 partial sums" in order_in(step.explain("y0"), "forward")
    run = ns.wiring.layered([20, 2], activation="tanh", rng=0).fit(np.eye(20), np.zeros((20, 2)), batch_size=4)
    assert order_in(run.at(0).sample(0).explain("y0"), "forward").startswith("order: b, then the sources")


def test_the_stated_orders_give_the_very_bits():
    """z of a wide neuron and the gradient of a bias, added as the remark says."""
    rng = np.random.default_rng(0)
    net = ns.wiring.layered([37, 3], activation="tanh", rng=0)
    net.biases[37:] = rng.normal(size=3)
    step = net.step(rng.normal(size=37), np.zeros(3))
    sums = np.zeros(8)
    for k, (w, y) in enumerate(zip(step.weights[:37], step.y[:37], strict=True)):
        sums[k % 8] = math.fma(w, y, sums[k % 8]) if hasattr(math, "fma") else fma(w, y, sums[k % 8])
    assert step["y0"].z == step["y0"].bias + tree(sums)
    batch = net.fit(rng.normal(size=(21, 37)), rng.normal(size=(21, 3)), batch_size=21).at(0)
    sums = np.zeros(8)
    for i, delta in enumerate(batch["y1"].delta):
        sums[i % 8] += delta
    assert "8 partial sums, the i-th sample in sum i mod 8" in order_in(batch.explain("y1"), "reduction")
    assert batch["y1"].gradient == pytest.approx(tree(sums) / 21, rel=4e-16)


def fma(a: float, b: float, c: float) -> float:
    """a · b + c with one rounding, by way of exact fractions."""
    from fractions import Fraction

    return float(Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c)))


def tree(sums: np.ndarray) -> float:
    """Sum j + sum j + n/2, halving on."""
    while len(sums) > 1:
        sums = sums[: len(sums) // 2] + sums[len(sums) // 2 :]
    return float(sums[0])
