"""What a neuron receives and sends in a step."""

import pytest
from nets import T222 as T
from nets import X222 as X
from nets import net_222


class TestMessages:
    def test_of_a_hidden_neuron(self):
        """L3: y in with weights, y out, δ in with the old weights, δ out."""
        step = net_222().step(X, T, learning_rate=0.5)
        m = step.messages("h1")
        assert [(r.neuron, r.signal, r.weight) for r in m.received] == [("i1", 0.05, 0.15), ("i2", 0.10, 0.20)]
        assert [(s.neuron, s.signal) for s in m.sent] == [("o1", step["h1"].y), ("o2", step["h1"].y)]
        assert [(e.neuron, e.signal, e.weight) for e in m.errors_received] == [
            ("o1", step["o1"].delta, 0.40),
            ("o2", step["o2"].delta, 0.50),
        ]
        assert [(e.neuron, e.product) for e in m.errors_sent] == [
            ("i1", 0.15 * step["h1"].delta),
            ("i2", 0.20 * step["h1"].delta),
        ]
        assert m.own is None
        assert m.received[0].product + m.received[1].product + step["h1"].bias == pytest.approx(step["h1"].z)
        assert "δ = 0.138498562    w = 0.4" in str(m)
        assert "<td>w = 0.4</td>" in m._repr_html_()

    def test_of_an_output(self):
        step = net_222().step(X, T)
        assert step.messages("o1").own == pytest.approx(step["o1"].delta)
