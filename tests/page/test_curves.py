"""The curves of a page."""

from pages import lecture_run

import neuronsim as ns
from neuronsim.page import content


class TestCurves:
    def test_monitors_and_losses_are_curves(self) -> None:
        watch = ns.Monitor(["h1"], ["delta"], every=5)
        run = lecture_run(monitors=watch, epochs=3)
        data = content(run, [0])
        (curve,) = data["traces"]
        assert curve == {
            "name": "δ of h1 (every 5th step, and the last)",
            "x": watch.step.tolist(),
            "y": watch["h1"].delta.tolist(),
        }
        assert data["loss_curve"] == [{"name": "mean of the epoch", "x": [11, 23, 35], "y": run.history["loss"]}]

    def test_a_monitor_of_a_later_run_is_left_out(self) -> None:
        watch = ns.Monitor(["h1"], ["delta"])
        first, second = lecture_run(monitors=watch), lecture_run(monitors=watch)
        assert content(first, [0])["traces"] == []
        assert len(content(second, [0])["traces"]) == 1
