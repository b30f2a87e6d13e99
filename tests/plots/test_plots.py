"""Pictures: what is drawn, what is folded and said, and that nothing global is touched."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.path import Path

import neuronsim as ns
from neuronsim.plots import decision_boundary, history, network, network_html, overview, trace
from neuronsim.plots.figures import SIGNED, zero_centred
from neuronsim.plots.layout import MOST_EDGES, MOST_LEVELS, MOST_NEURONS
from neuronsim.run import Run


def small() -> ns.Network:
    net = ns.Network(rng=0)
    net.add_inputs("i1", "i2")
    net.add_neuron("h1", {"i1": 0.5, "i2": -1.0}, bias=0.25)
    net.add_neuron("o1", {"h1": 2.0, "i1": 0.1}, activation="identity", bias=-0.5)
    net.set_outputs("o1")
    return net


def run_of(**history: list[float]) -> Run:
    n = len(history["loss"])
    return Run(0, {"loss": "cross_entropy"}, {"epoch": [float(k) for k in range(n)], **history})


def words(picture: object) -> str:
    """All text in a figure, as it is drawn."""
    figure = picture.ax.figure
    figure.canvas.draw()
    return "\n".join(text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_visible())


# ── networks ──


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


def test_the_colours_of_plus_and_minus_are_those_of_the_scale() -> None:
    net = small()
    picture = network(net, "bias")
    colors = [to_hex(color) for color in picture.neurons.get_facecolor()]
    assert colors[2] == to_hex(SIGNED(zero_centred([0.25, -0.5])(0.25)))
    assert colors[3] == to_hex(SIGNED(0.0))


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


def test_large_levels_are_folded_and_the_picture_says_so() -> None:
    picture = network(ns.wiring.layered([784, 256, 128, 10], rng=0))
    counts = np.bincount(picture.layout.column)
    assert counts.tolist() == [MOST_NEURONS] * 3 + [10]
    said = words(picture)
    for text in ("… 760 more", "… 232 more", "… 104 more", "784", "256", "128", "10"):
        assert text in said.split("\n")
    assert "234,752 edges; 1,392 join neurons drawn here" in said


def test_of_too_many_edges_the_largest_are_drawn_and_the_picture_says_so() -> None:
    net = ns.wiring.shortcut([20, 24, 24, 24], rng=0)
    picture = network(net)
    assert len(picture.edges.get_paths()) == MOST_EDGES
    assert f"{net.n_edges:,} edges, the 2,000 largest drawn" in words(picture)
    assert np.abs(picture.edges.get_array()).min() >= np.sort(np.abs(net.weights))[-MOST_EDGES]


def test_deep_networks_fold_their_levels_and_the_picture_says_so() -> None:
    n = 200
    net = ns.wiring.from_edges(n, range(n - 1), range(1, n), inputs=[0], outputs=[n - 1], rng=0)
    picture = network(net)
    assert picture.layout.n_columns == MOST_LEVELS + 1
    assert len(picture.layout.ids) == MOST_LEVELS
    assert "… 160 more levels with 160 neurons …" in words(picture)


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
    assert "1 input" in words(network(net))
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


# ── runs ──


def test_losses_share_an_axis_and_accuracy_has_its_own() -> None:
    picture = history(run_of(loss=[1.0, 0.5], data_loss=[0.8, 0.4], val_loss=[1.1, 0.9], val_accuracy=[0.5, 0.75]))
    assert list(picture.lines) == ["loss", "data_loss", "val_loss", "val_accuracy"]
    assert picture.accuracy_ax is not None
    assert picture.lines["val_accuracy"].axes is picture.accuracy_ax
    assert picture.lines["loss"].get_ydata().tolist() == [1.0, 0.5]
    legend = [text.get_text() for text in picture.ax.get_legend().get_texts()]
    assert legend == ["loss while training", "loss after the epoch", "validation loss", "validation accuracy"]
    assert picture.ax.get_ylabel() == "cross entropy"


@pytest.mark.parametrize(("losses", "scale"), [([1.0, 1e-3], "log"), ([1.0, 0.5], "linear"), ([1.0, 0.0], "linear")])
def test_losses_that_span_decades_get_a_logarithmic_scale(losses: list[float], scale: str) -> None:
    picture = history(run_of(loss=losses))
    assert picture.ax.get_yscale() == scale
    assert picture.accuracy_ax is None


def test_accuracies_that_are_not_known_are_not_drawn() -> None:
    assert history(run_of(loss=[1.0], val_accuracy=[np.nan])).accuracy_ax is None


def test_a_diverged_run_can_be_drawn_and_says_how_it_ended() -> None:
    run = run_of(loss=[1.0, np.inf, np.nan])
    run.status = "diverged"
    assert "diverged" in words(history(run))


def test_a_run_without_epochs_is_an_error() -> None:
    with pytest.raises(ns.errors.DataError, match="no complete epoch"):
        history(Run(0, {}))


# ── planes ──


@pytest.mark.parametrize("outputs", [1, 2, 3])
def test_a_plane_shows_every_class_of_samples(outputs: int) -> None:
    net = ns.wiring.layered([2, 4, outputs], rng=0)
    X = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    classes = np.array([0, 1, 1, 0]) if outputs < 3 else np.array([0, 1, 2, 0])
    net.step(X[0], [0.5] * outputs)
    delta = net["y0"].delta
    picture = decision_boundary(net, X, classes)
    assert len(picture.samples) == max(outputs, 2)
    assert net["y0"].delta == delta  # what the last step made known stays known
    picture.ax.figure.canvas.draw()


def test_targets_by_columns_are_classes_as_well() -> None:
    net = ns.wiring.layered([2, 2], rng=0)
    assert len(decision_boundary(net, [[0, 0], [1, 1]], [[1, 0], [0, 1]]).samples) == 2


def test_only_a_plane_can_be_drawn() -> None:
    with pytest.raises(ns.errors.DataError, match="2 inputs, not 3"):
        decision_boundary(ns.wiring.layered([3, 1]), np.zeros((4, 3)), np.zeros(4))


def test_an_overview_holds_all_three() -> None:
    net = ns.wiring.layered([2, 3, 1], rng=0)
    figure = overview(net, run_of(loss=[1.0, 0.5]), [[0, 0], [1, 1]], [0, 1])
    figure.canvas.draw()
    assert len(figure.axes) == 3


# ── manners ──


def test_what_is_given_is_drawn_on_and_returned() -> None:
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert network(small(), ax=left).ax is left
    picture = history(run_of(loss=[1.0]), ax=right)
    assert picture.ax is right
    assert picture.figure is figure
    assert picture._repr_png_() is None


def test_a_picture_of_its_own_is_shown_by_notebooks_and_can_be_saved(tmp_path) -> None:
    picture = network(small())
    assert picture._repr_png_().startswith(b"\x89PNG")
    picture.save(tmp_path / "net.svg")
    assert (tmp_path / "net.svg").stat().st_size > 1000


def test_no_global_state_is_touched() -> None:
    import matplotlib.pyplot as plt

    before, figures = dict(mpl.rcParams), plt.get_fignums()
    net = small()
    network(net)
    network_html(net)
    history(run_of(loss=[1.0, 0.5], val_accuracy=[0.1, 0.2]))
    decision_boundary(net, [[0, 0], [1, 1]], [0, 1])
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == figures


def test_pictures_do_not_load_pyplot() -> None:
    import subprocess
    import sys

    code = "import sys, neuronsim.plots; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# ── traces ──


def watched(fields: list[str] | None = None, what: object = "h1", **settings: object) -> ns.Monitor:
    net = small()
    X = np.random.default_rng(0).normal(size=(20, 2))
    watch = ns.Monitor(what, fields, **settings)
    net.fit(X, X[:, :1] * X[:, 1:], epochs=3, batch_size=4, rng=0, monitors=watch)
    return watch


def test_signals_at_the_left_and_errors_at_the_right() -> None:
    watch = watched(every=2)
    picture = trace(watch, "h1")
    assert list(picture.lines) == ["z", "y", "delta"]
    assert picture.lines["z"][0].axes is picture.ax
    assert picture.lines["delta"][0].axes is picture.error_ax
    np.testing.assert_array_equal(picture.lines["delta"][0].get_ydata(), watch["h1"].delta)
    np.testing.assert_array_equal(picture.lines["delta"][0].get_xdata(), watch.step)
    assert {"h1", "z, y", "δ", "step (means over batches)"} <= set(words(picture).split("\n"))


@pytest.mark.parametrize("fields", [["z"], ["delta", "db"]])
def test_one_kind_needs_one_axis(fields: list[str]) -> None:
    picture = trace(watched(fields), "h1")
    assert picture.error_ax is None
    assert list(picture.lines) == fields


def test_an_edge_at_steps_that_double() -> None:
    picture = trace(watched(what=("i1", "h1"), steps="log"), ("i1", "h1"))
    assert list(picture.lines) == ["w", "gradient", "dw"]
    assert picture.ax.get_xscale() == "symlog"
    assert "i1 → h1" in words(picture)


def test_chosen_samples_are_lines_through_the_steps_they_were_in() -> None:
    watch = watched(["delta"], every=1, samples=[3, 0])
    lines = trace(watch, "h1").lines["delta"]
    assert len(lines) == 2
    assert lines[0].get_xdata().tolist() == watch.step[watch.present[:, 0]].tolist()
    assert len(lines[1].get_xdata()) == 3


def test_a_trace_on_given_axes_and_without_steps() -> None:
    axes = Figure().subplots()
    assert trace(watched(), "h1", ax=axes).ax is axes
    net = small()
    net.weights[:] = 1e200
    watch = ns.Monitor("h1")
    with pytest.warns(ns.DivergenceWarning):
        net.fit([[1.0, 1.0]], [0.0], monitors=watch)
    with pytest.raises(ns.errors.DataError, match="no step"):
        trace(watch, "h1")
