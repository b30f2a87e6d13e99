"""What pictures share: axes that are given, figures of their own, and that nothing global is touched."""

from collections.abc import Callable

import matplotlib as mpl
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from pictures import run_of, small

from neuronsim import plots
from neuronsim.errors import SettingError
from neuronsim.plots import decision_boundary, history, network, network_html
from neuronsim.plots.figures import SIGNED, zero_centred


def test_the_colours_of_plus_and_minus_are_those_of_the_scale() -> None:
    net = small()
    picture = network(net, "bias")
    colors = [to_hex(color) for color in picture.neurons.get_facecolor()]
    assert colors[2] == to_hex(SIGNED(zero_centred([0.25, -0.5])(0.25)))
    assert colors[3] == to_hex(SIGNED(0.0))


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


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots.network(3), r"plot\.network draws a Network or a Step, not 3 \(int\)"),
        (lambda: plots.history(small()), r"plot\.history draws a Run, not <Network.*\(Network\)"),
        (lambda: plots.trace(small(), "h1"), r"plot\.trace draws a Monitor"),
        (lambda: plots.animation(small(), "a.gif"), r"plot\.animation draws a Run"),
        (lambda: plots.decision_boundary([1], [], []), r"plot\.decision_boundary draws a Network"),
        (lambda: plots.loss_surface(None, [], [], []), r"plot\.loss_surface draws a Network, not None"),
    ],
)
def test_what_is_not_drawn_is_said(draw: Callable[[], object], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        draw()
