"""Films: their frames, and what is refused."""

import shutil

import numpy as np
import pytest
from PIL import Image

import neuronsim as ns
from neuronsim import wiring
from neuronsim.errors import SettingError
from neuronsim.plots import animation
from neuronsim.plots.film import of_same_neurons
from neuronsim.plots.layout import lay_out
from neuronsim.plots.view import view


class TestFilms:
    def test_a_gif_has_a_frame_for_each_step(self, run: ns.Run, tmp_path):
        path = animation(run, tmp_path / "run.gif", steps=[0, 20, 39])
        with Image.open(path) as film:
            assert (film.format, film.n_frames) == ("GIF", 3)
        assert path.stat().st_size < 300_000

    @pytest.mark.skipif(shutil.which("ffmpeg") is not None, reason="ffmpeg is there, and would write the file")
    def test_without_ffmpeg_mp4_says_what_to_do(self, run: ns.Run, tmp_path):
        with pytest.raises(SettingError, match=r"ffmpeg.*\.gif"):
            animation(run, tmp_path / "run.mp4", steps=[0])
        assert not list(tmp_path.iterdir())

    def test_other_endings_and_speeds_are_refused(self, run: ns.Run, tmp_path):
        with pytest.raises(SettingError, match=r"\.gif"):
            animation(run, tmp_path / "run.avi")
        with pytest.raises(SettingError, match="fps"):
            animation(run, tmp_path / "run.gif", fps=0)


def test_all_frames_of_a_film_show_the_same_neurons() -> None:
    rng = np.random.default_rng(0)
    net = wiring.layered([60, 40, 3], activation="tanh", rng=0)
    run = net.fit(rng.normal(size=(9, 60)), rng.normal(size=(9, 3)), rng=0)
    views = [view(run.at(q), "delta") for q in (0, 4, 8)]
    alone = [lay_out(v.graph, v.scores).ids.tolist() for v in views]
    together = [lay_out(v.graph, v.scores).ids.tolist() for v in of_same_neurons(views)]
    assert alone[0] != alone[1]
    assert together[0] == together[1] == together[2]
