"""Films: their frames, and what is refused."""

import shutil

import numpy as np
import pytest
from matplotlib.animation import PillowWriter
from PIL import Image

import neuronsim as ns
from neuronsim import wiring
from neuronsim.errors import SettingError
from neuronsim.plots import animation, film
from neuronsim.plots.film import of_same_neurons
from neuronsim.plots.graph import draw
from neuronsim.plots.layout import lay_out
from neuronsim.plots.view import view


class TestFilms:
    def test_a_gif_has_a_frame_for_each_step(self, run: ns.Run, tmp_path):
        path = animation(run, tmp_path / "run.gif", steps=[0, 20, 39])
        with Image.open(path) as film:
            assert (film.format, film.n_frames) == ("GIF", 3)
        assert path.stat().st_size < 300_000

    def test_a_frame_is_what_drawing_everything_gives(self, run: ns.Run, monkeypatch, tmp_path):
        """What stays the same is drawn once, and nothing of a frame is left in the next."""
        seen = []

        class Whole(film._Film):
            def frame(self, q, shown, loss):
                pixels = super().frame(q, shown, loss)
                draw(shown, self.net, self.neuron_scale, self.edge_scale, scaled=False)
                self.canvas.draw()
                seen.append((pixels, np.array(self.canvas.buffer_rgba())))
                for artist in (*self.net.collections, *self.net.texts):
                    artist.remove()
                return pixels

        monkeypatch.setattr(film, "_Film", Whole)
        animation(run, tmp_path / "run.gif", steps=[0, 20, 39])
        assert len(seen) == 3
        for pixels, whole in seen:
            assert np.array_equal(pixels, whole)
        assert not np.array_equal(seen[0][0], seen[1][0])

    def test_writers_of_other_films_get_every_frame(self, run: ns.Run, tmp_path, monkeypatch):
        """An .mp4 is written by ffmpeg; here Pillow stands for it."""
        monkeypatch.setattr(film, "_writer", lambda path, fps: PillowWriter(fps=fps))
        written = animation(run, tmp_path / "written.gif", steps=[0, 20, 39])
        monkeypatch.undo()
        with Image.open(written) as theirs, Image.open(animation(run, tmp_path / "run.gif", steps=[0, 20, 39])) as ours:
            assert (theirs.n_frames, theirs.size) == (3, ours.size)
            for k in range(3):
                theirs.seek(k)
                ours.seek(k)
                a, b = (np.asarray(one.convert("RGB"), np.int16) for one in (theirs, ours))
                assert np.abs(a - b).mean() < 2

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
