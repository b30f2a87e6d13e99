"""The picture of a network: its levels, edges, colours and numbers."""

import numpy as np
import pytest
from matplotlib.path import Path
from matplotlib.transforms import Bbox
from pictures import small, words

import neuronsim as ns
from neuronsim.plots import network
from neuronsim.plots.graph import NetworkPicture


def test_levels_go_from_left_to_right_and_every_neuron_is_drawn_with_its_name() -> None:
    picture = network(small())
    assert picture.layout.ids.tolist() == [0, 1, 2, 3]
    assert picture.layout.x.tolist() == [0, 0, 1, 2]
    assert len(picture.neurons.get_offsets()) == 4
    for name in ("i1", "i2", "h1", "o1"):
        assert name in words(picture).split("\n")


def test_edges_that_skip_a_level_are_curves_and_others_straight() -> None:
    codes = [path.codes for path in network(small()).edges.get_paths()]
    straight = [code for code in codes if code is None]
    curved = [code for code in codes if code is not None]
    assert len(straight) == 3
    assert [code.tolist() for code in curved] == [[Path.MOVETO, *[Path.CURVE4] * 3]]


def test_weights_have_a_scale_that_is_symmetric_about_zero() -> None:
    edges = network(small()).edges
    assert edges.get_clim() == (-2.0, 2.0)
    assert sorted(edges.get_array()) == [-1.0, 0.1, 0.5, 2.0]
    widths = edges.get_linewidths()
    assert widths[0] < widths[1] < widths[2] < widths[3]


def test_a_few_large_weights_do_not_take_the_colour_from_all_others() -> None:
    net = ns.wiring.layered([20, 20, 2], rng=0)
    net.weights[0] = 1e6
    low, high = network(net).edges.get_clim()
    assert low == -high
    assert high < 1.0


def test_delta_is_shown_after_a_step_with_its_numbers() -> None:
    net = small()
    net.step([0.5, -0.2], [1.0])
    picture = network(net)
    assert picture.color == "delta"
    assert f"δ = {net['o1'].delta:.3g}".replace("-", "−") in words(picture)


def test_where_delta_is_not_known_the_legend_says_that_biases_are_shown() -> None:
    picture = network(small())
    assert picture.color == "bias"
    assert "bias b (δ is not known yet: call step())" in words(picture)
    assert "b = 0.25" in words(picture)


@pytest.mark.parametrize("color", ["y", "z", "slope", "b", None])
def test_other_colours(color: str | None) -> None:
    net = small()
    net.forward([0.5, 0.5])
    assert network(net, color).color == {"b": "bias"}.get(color, color)


def test_an_unknown_colour_names_the_nearest() -> None:
    with pytest.raises(ns.errors.SettingError, match="did you mean 'delta'"):
        network(small(), "detla")


def test_narrow_columns_say_what_they_fold_in_short_and_what_that_means() -> None:
    said = words(network(ns.wiring.random_dag(4, 2000, 2, in_degree=16, rng=0)))
    assert "+n: n more neurons of the level" in said


def test_looking_changes_nothing() -> None:
    net = ns.Network(rng=3)
    net.add_inputs("a")
    net.add_neuron("b", ["a"])
    net.set_outputs("b")
    shown = network(net).edges.get_array()
    assert np.isnan(net.graph.weights).all()
    assert shown.tolist() == net.weights.tolist()


def test_unfinished_and_odd_networks_can_be_drawn() -> None:
    net = ns.Network()
    network(net).ax.figure.canvas.draw()
    net.add_inputs("only")
    assert "1 of them an input" in words(network(net))
    net.add_neuron("alone", bias=1.0)
    assert network(net).layout.x.tolist() == [0, 0]


def test_numbers_that_are_not_finite_can_be_drawn() -> None:
    net = small()
    net.weights[:2] = np.inf, np.nan
    net.biases[2] = np.nan
    picture = network(net)
    picture.ax.figure.canvas.draw()
    assert picture.edges.get_clim() == (-2.0, 2.0)


def test_a_circle_is_an_error_that_names_it() -> None:
    net = small()
    net.add_neuron("h2", ["h1"])
    net.connect("h2", "h1")
    with pytest.raises(ns.errors.CycleError, match="h1 → h2 → h1"):
        network(net)


def overlapping(picture: NetworkPicture) -> list[tuple[str, str]]:
    """The pairs of texts, and of a text and a disc, that cover each other."""
    picture.ax.figure.canvas.draw()
    texts = [text for text in picture.ax.texts if text.get_text()]
    boxes = [text.get_window_extent().padded(-1) for text in texts]
    radius = np.sqrt(picture.neurons.get_sizes()[0]) / 2 * picture.ax.figure.dpi / 72
    discs = [Bbox.from_extents(x - radius, y - radius, x + radius, y + radius).padded(-2)
             for x, y in picture.ax.transData.transform(picture.neurons.get_offsets())]  # fmt: skip
    pairs = [(k, j) for j in range(len(texts)) for k in range(j) if boxes[k].overlaps(boxes[j])]
    outside = [(k, disc) for k, box in enumerate(boxes) for disc in discs if box.overlaps(disc)]
    return [(texts[k].get_text(), texts[j].get_text()) for k, j in pairs] + [
        (texts[k].get_text(), "a disc") for k, _ in outside
    ]


@pytest.mark.parametrize("n_hidden", [60, 150])
def test_names_of_outputs_in_middle_levels_cover_nothing(n_hidden: int) -> None:
    rng, net = np.random.default_rng(0), ns.Network()
    names = [f"x{k}" for k in range(5)]
    net.add_inputs(names)
    for k in range(n_hidden):
        names.append(f"output of neuron {k}" if k % 7 == 0 else f"h{k}")
        net.add_neuron(names[-1], rng.choice(names[:-1], 3, replace=False).tolist())
    net.set_outputs([name for name in names if " " in name])
    assert overlapping(network(net)) == []


def test_long_names_keep_both_ends() -> None:
    net = ns.Network()
    net.add_inputs("x")
    last = [f"probability of class {k}" for k in range(3)]
    for name in last:
        net.add_neuron(name, ["x"])
    net.set_outputs(last)
    assert {"probabil…class 0", "probabil…class 2"} <= set(words(network(net)).split("\n"))


def test_names_are_drawn_as_they_are(tmp_path):
    net = ns.Network()
    net.add_inputs("a$b", "$x_{")
    net.add_neuron("h$^$", ["a$b", "$x_{"])
    net.set_outputs("h$^$")
    net.step([1, 2], [0.5])
    ns.plot.network(net).save(tmp_path / "x.svg")


def test_edges_that_take_time_are_seen() -> None:
    """To itself a loop, within a level one curve down and another one up, nothing on top of anything else."""
    net = ns.wiring.recurrent([1, 2, 1], rng=0)
    edges = network(net).edges.get_paths()
    curves = [path for path in edges if len(path) > 2]
    assert len(edges) == net.n_edges == 8
    assert len(curves) == 4
    boxes = [path.get_extents() for path in curves]
    assert all(box.width > 0.05 for box in boxes)
    assert len({(round(box.x0, 6), round(box.x1, 6), round(box.y0, 6), round(box.y1, 6)) for box in boxes}) == 4
