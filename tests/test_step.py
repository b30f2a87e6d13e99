"""A step explained: every formula with its numbers."""

import re

import numpy as np
import pytest
from nets import T222 as T
from nets import X222 as X
from nets import mixed_net, net_222

import neuronsim as ns
from neuronsim.documents.notation import number, pair


class TestExplain:
    def test_a_hidden_neuron_with_all_its_numbers(self):
        text = str(net_222().step(X, T, learning_rate=0.5).explain("h1"))
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
            "    +  w_old[h1→o2] · δ[o2]  0.5 · -0.0380982365         =  -0.0190491183\n"
            "       Σ w_old · δ                                       =  0.0363503064\n"
            "       f'(0.3775)                                        =  0.241300709\n"
            "       δ                     0.0363503064 · 0.241300709  =  0.00877135469\n"
            "    w_old: every weight in this sum is the one before this step's update\n"
            "    order: from 0, bundles (neurons with the same sources) from the outputs back, ascending ids in each\n"
            "\n"
            "update: new = old - μ · gradient, μ = 0.5\n"
            "    parameter  gradient                                            old   new\n"
            "    w[i1→h1]   δ · y[i1] = 0.00877135469 · 0.05  = 0.000438567734  0.15  0.149780716\n"
            "    w[i2→h1]   δ · y[i2] = 0.00877135469 · 0.1   = 0.000877135469  0.2   0.199561432\n"
            "    b[h1]      δ · 1                             = 0.00877135469   0.35  0.35"
            "         frozen: left alone\n"
            "    old: before this step, as every sum above used it; new: what the next step uses"
        )

    def test_an_output_shows_the_losss_own_part(self):
        text = str(net_222().step(X, T).explain("o1"))
        assert re.search(r"∂L/∂y of half_squared_error +y = 0\.75136507, t = 0\.01 +=  0\.74136507\n", text)
        assert re.search(r"own part: ∂L/∂y · f'\(z\) +0\.74136507 · 0\.186815602 +=  0\.138498562\n", text)

    def test_a_fused_output_shows_y_minus_t(self):
        text = str(mixed_net("cross_entropy", "softmax").step([0.7, -1.1], 1).explain("o1"))
        assert "activation: y = e^z / Σ e^z over the 2 softmax outputs" in text
        assert "y - t (softmax with cross_entropy)" in text
        net = mixed_net("binary_cross_entropy", "sigmoid")
        text = str(net.step([0.7, -1.1], [0.0, 1.0], loss="binary_cross_entropy").explain("o0"))
        assert "y - t (sigmoid with binary_cross_entropy)" in text

    def test_softmax_with_another_loss_and_targets_that_do_not_add_up_to_1(self):
        net = mixed_net("squared_error", "softmax")
        text = str(net.step([0.7, -1.1], [0.2, 0.8], loss="squared_error").explain("o0"))
        assert "own part: y · (∂L/∂y - Σ)" in text
        text = str(net.step([0.7, -1.1], [1.0, 1.0]).explain("o0"))
        assert "y·Σt - t" in text

    def test_an_output_that_feeds_adds_both_parts(self):
        step = mixed_net().step([0.7, -1.1], [0.2, 0.8, -0.3, 0.5])
        text = str(step.explain("m"))
        assert "backward: δ = the loss's own part + Σ w · δ of the sinks · f'(z)" in text
        n = step["m"]
        assert f"{number(n.own_delta)} + {number(n.aggregated)} · {number(n.derivative)}" in text

    def test_a_prelu_shows_its_slope(self):
        text = str(mixed_net().step([0.7, -1.1], [0.2, 0.8, -0.3, 0.5]).explain("p"))
        assert "slope = 0.3)" in text
        assert "∂L/∂y · min(z, 0)" in text

    def test_inputs_and_lost_neurons(self):
        step = mixed_net().step([0.7, -1.1], [0.2, 0.8, -0.3, 0.5])
        assert "an input passes x on" in str(step.explain("x0"))
        assert "∂L/∂x" in str(step.explain("x1"))
        assert "nothing comes back, δ = 0" in str(step.explain("lost"))

    def test_an_edge(self):
        text = str(net_222().step(X, T, learning_rate=0.5).explain("i1", "h1"))
        assert "w[i1→h1] · y[i1]  0.15 · 0.05  =  0.0075" in text
        assert "w_old: the weight before this step's update" in text
        assert "δ[h1] · y[i1]  0.00877135469 · 0.05  =  0.000438567734" in text
        assert "new     0.149780716" in text

    def test_rates_and_frozen_edges(self):
        net = net_222()
        net.scale_rate(("i1", "h1"), 0.1)
        net.freeze(edges=[("i2", "h1")])
        step = net.step(X, T, learning_rate=0.5)
        assert "μ here: 0.05" in str(step.explain("h1"))
        assert "frozen: left alone" in str(step.explain("i2", "h1"))

    def test_the_loss(self):
        text = str(net_222().step(X, T).explain())
        assert "half_squared_error = 0.298371109" in text
        assert re.search(r"o1 +0\.75136507 +0\.01 +0\.74136507", text)

    def test_a_large_fan_in_is_folded(self):
        net = ns.wiring.layered([784, 3], activation="sigmoid", rng=0)
        step = net.step(np.linspace(0, 1, 784), [0.0, 1.0, 0.0])
        text = str(step.explain("y1"))
        assert len(text.splitlines()) < 45
        assert "the 8 largest of 784 terms; the other 776 add up to" in text
        assert "the 8 weights with the largest gradients; 776 more were updated too" in text
        shown = re.search(r"other 776 add up to (\S+),", text).group(1)
        products = sorted((m.product for m in step["y1"].messages.received), key=lambda p: -abs(p))
        assert float(shown) == pytest.approx(sum(products[8:]), rel=1e-8)

    def test_notebooks_get_tables(self):
        html = net_222().step(X, T, learning_rate=0.5).explain("h1")._repr_html_()
        assert html.startswith("<h4>neuron h1 (sigmoid) in step 0</h4>")
        assert "<td>0.149780716</td>" in html

    def test_names_are_escaped_in_html(self):
        net = ns.Network()
        net.add_inputs("<x>")
        net.add_neuron("y", {"<x>": 1.0})
        net.set_outputs("y")
        assert "&lt;x&gt;" in net.step([1.0], [0.0]).explain("y")._repr_html_()

    def test_old_and_new_never_look_alike_when_they_differ(self):
        assert pair(0.15, 0.15) == ("0.15", "0.15")
        assert pair(0.15, 0.1500001) == ("0.15", "0.1500001")
        assert pair(0.15, 0.15000000000000002) == ("0.15", "0.15000000000000002")
