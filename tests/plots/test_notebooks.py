"""What notebooks show of a network, a run and a step."""

from pictures import small

import neuronsim as ns
from neuronsim.plots import network_html


def test_notebooks_get_a_picture_and_words() -> None:
    html = network_html(small())
    assert html.startswith("<img alt=")
    assert "data:image/svg+xml;base64," in html
    assert "2 inputs" in html
    assert "data:image/png;base64," in network_html(ns.wiring.layered([30, 30, 30], rng=0))


def test_notebooks_get_words_where_there_is_nothing_to_draw() -> None:
    net = small()
    net.add_neuron("h2", ["h1"])
    net.connect("h2", "h1")
    assert network_html(net).startswith("<pre>")
    assert network_html(ns.Network()).startswith("<pre>")


def test_names_are_escaped_in_notebooks() -> None:
    net = ns.Network()
    net.add_inputs("<script>")
    assert "<script>" not in network_html(net)


class TestNotebooks:
    def test_a_run_shows_how_it_went(self, run: ns.Run):
        page = run._repr_html_()
        assert "finished" in page
        assert f"{run.history['loss'][-1]:.3g}"[:4] in page
        assert "data:image/" in page or "<svg" in page

    def test_a_step_shows_its_largest_errors(self, run: ns.Run):
        page = run.at(7)._repr_html_()
        assert "step 7" in page.lower()
        assert "y0" in page

    def test_names_are_escaped(self):
        net = ns.Network(rng=0)
        net.add_inputs("<i>")
        net.add_neuron("<b>&", ["<i>"])
        net.set_outputs("<b>&")
        page = net.step([1.0], [0.0])._repr_html_()
        assert "<b>&" not in page
        assert "&lt;b&gt;&amp;" in page
