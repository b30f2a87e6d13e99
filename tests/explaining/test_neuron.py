"""Neurons explained, with all their numbers; and the stated orders of summation give the very bits."""

import math
import re

import numpy as np
import pytest
from explained import order_in, step_of
from nets import T222, X222, mixed_net, net_222

import neuronsim as ns
from neuronsim.documents.notation import number


def test_a_hidden_neuron_with_all_its_numbers():
    text = str(net_222().step(X222, T222, learning_rate=0.5).explain("h1"))
    assert text == (
        "neuron h1 (sigmoid) in step 0\n"
        "\n"
        "forward: z = b + Σ w · y\n"
        "       b                              =  0.35\n"
        "    +  w[i1→h1] · y[i1]  0.15 · 0.05  =  0.0075\n"
        "    +  w[i2→h1] · y[i2]  0.2 · 0.1    =  0.02\n"
        "       z                              =  0.3775\n"
        "    w, b: before this step's update\n"
        "    order: b, then the sources by ascending id, each w · y added with one rounding\n"
        "\n"
        "activation: y = f(z)\n"
        "    y = sigmoid(0.3775)  =  0.593269992\n"
        "\n"
        "backward: δ = Σ w · δ of the sinks · f'(z)\n"
        "    +  w_old[h1→o1] · δ[o1]  0.4 · 0.138498562           =  0.0553994247\n"
        "    +  w_old[h1→o2] · δ[o2]  0.5 · (−0.0380982365)       =  −0.0190491183\n"
        "       Σ w_old · δ                                       =  0.0363503064\n"
        "       f'(0.3775)                                        =  0.241300709\n"
        "       δ                     0.0363503064 · 0.241300709  =  0.00877135469\n"
        "    w_old: every weight in this sum is the one before this step's update\n"
        "    order: from 0, bundles (neurons with the same sources) from the outputs back, ascending ids in each\n"
        "\n"
        "update: new = old − μ · gradient, μ = 0.5\n"
        "    parameter  gradient                                            old   new\n"
        "    w[i1→h1]   δ · y[i1] = 0.00877135469 · 0.05  = 0.000438567734  0.15  0.149780716\n"
        "    w[i2→h1]   δ · y[i2] = 0.00877135469 · 0.1   = 0.000877135469  0.2   0.199561432\n"
        "    b[h1]      δ · 1                             = 0.00877135469   0.35  0.35"
        "         frozen: left alone\n"
        "    old: before this step, as every sum above used it; new: what the next step uses"
    )


def test_an_output_shows_the_losss_own_part():
    text = str(net_222().step(X222, T222).explain("o1"))
    assert re.search(r"∂L/∂y of half_squared_error +y = 0\.751365070, t = 0\.01 +=  0\.741365070\n", text)
    assert re.search(r"own part: ∂L/∂y · f'\(z\) +0\.741365070 · 0\.186815602 +=  0\.138498562\n", text)


def test_a_fused_output_shows_y_minus_t():
    text = str(mixed_net("cross_entropy", "softmax").step([0.7, -1.1], 1).explain("o1"))
    assert "activation: y = e^z / Σ e^z over the 2 softmax outputs" in text
    assert "y − t (softmax with cross_entropy)" in text
    net = mixed_net("binary_cross_entropy", "sigmoid")
    text = str(net.step([0.7, -1.1], [0.0, 1.0], loss="binary_cross_entropy").explain("o0"))
    assert "y − t (sigmoid with binary_cross_entropy)" in text


def test_softmax_with_another_loss_and_targets_that_do_not_add_up_to_1():
    net = mixed_net("squared_error", "softmax")
    text = str(net.step([0.7, -1.1], [0.2, 0.8], loss="squared_error").explain("o0"))
    assert "own part: y · (∂L/∂y − Σ)" in text
    text = str(net.step([0.7, -1.1], [0.5, 0.25]).explain("o0"))
    assert "y·Σt − t" in text


def test_an_output_that_feeds_adds_both_parts():
    step = mixed_net().step([0.7, -1.1], [0.2, 0.8, -0.3, 0.5])
    text = str(step.explain("m"))
    assert "backward: δ = the loss's own part + Σ w · δ of the sinks · f'(z)" in text
    n = step["m"]
    assert n.derivative < 0.0
    assert f"{number(n.own_delta)} + {number(n.aggregated)} · ({number(n.derivative)})" in text


def test_a_prelu_shows_its_slope():
    text = str(mixed_net().step([0.7, -1.1], [0.2, 0.8, -0.3, 0.5]).explain("p"))
    assert "slope = 0.3)" in text
    assert "∂L/∂y · min(z, 0)" in text


def test_a_large_fan_in_is_folded():
    net = ns.wiring.layered([784, 3], activation="sigmoid", rng=0)
    step = net.step(np.linspace(0, 1, 784), [0.0, 1.0, 0.0])
    text = str(step.explain("y1"))
    assert len(text.splitlines()) < 45
    assert "the 8 largest of 784 terms; the other 776 add up to" in text
    assert "the 8 weights with the largest gradients; 776 more were updated too" in text
    shown = re.search(r"other 776 add up to (\S+),", text).group(1)
    products = sorted((m.product for m in step["y1"].messages.received), key=lambda p: -abs(p))
    assert float(shown.replace("−", "-")) == pytest.approx(sum(products[8:]), rel=1e-8)


def test_inputs_and_lost_neurons_of_one_sample():
    step = mixed_net().step([0.7, -1.1], [0.2, 0.8, -0.3, 0.5])
    assert "an input passes x on" in str(step.explain("x0"))
    assert "∂L/∂x" in str(step.explain("x1"))
    assert "nothing comes back, δ = 0" in str(step.explain("lost"))


def test_inputs_and_lost_neurons_of_a_batch():
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
