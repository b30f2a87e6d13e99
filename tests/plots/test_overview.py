"""A network, its run and its plane in one figure."""

from pictures import run_of

import neuronsim as ns
from neuronsim.plots import overview


def test_an_overview_holds_all_three() -> None:
    net = ns.wiring.layered([2, 3, 1], rng=0)
    figure = overview(net, run_of(loss=[1.0, 0.5]), [[0, 0], [1, 1]], [0, 1])
    figure.canvas.draw()
    assert len(figure.axes) == 3
