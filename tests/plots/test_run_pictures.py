"""Pictures of steps and runs: errors by level, films, the loss over two parameters, what notebooks show."""

import math
import shutil

import numpy as np
import pytest
from PIL import Image

import neuronsim as ns
from neuronsim.commands.main import main
from neuronsim.errors import DataError, NotKnownError, SettingError
from neuronsim.plots import animation, errors, loss_surface, network
from neuronsim.plots.figures import SIGNED, zero_centred

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
T = np.array([[0.0], [1.0], [1.0], [0.0]])


@pytest.fixture(scope="module")
def run() -> ns.Run:
    net = ns.wiring.layered([2, 3, 1], activation="sigmoid", rng=0)
    return net.fit(X, T, epochs=10, learning_rate=0.5, rng=0)


class TestErrors:
    def test_cells_are_mean_absolute_deltas_by_level(self, run: ns.Run):
        picture = errors(run, steps=[0, 7, 39])
        assert picture.steps.tolist() == [0, 7, 39]
        levels = (slice(0, 2), slice(2, 5), slice(5, 6))
        for column, q in enumerate(picture.steps):
            expected = [np.abs(run.at(int(q)).delta[level]).mean() for level in levels]
            np.testing.assert_allclose(picture.values[:, column], expected, rtol=1e-12)

    def test_of_a_batch_over_its_samples(self):
        net = ns.wiring.layered([2, 3, 1], activation="sigmoid", rng=0)
        run = net.fit(X, T, epochs=2, batch_size=4, rng=0)
        picture = errors(run)
        np.testing.assert_allclose(picture.values[2, 1], np.abs(run.at(1).delta[:, 5]).mean(), rtol=1e-12)

    def test_all_steps_of_a_short_run_and_a_hundred_of_a_long_one(self, run: ns.Run):
        assert errors(run).steps.tolist() == list(range(40))
        long = ns.wiring.layered([2, 2, 1], rng=0).fit(X, T, epochs=300, rng=0)
        steps = errors(long).steps
        assert (len(steps), steps[0], steps[-1]) == (100, 0, 1199)

    def test_what_is_zero_has_a_cell_and_what_is_not_finite_has_none(self, run: ns.Run):
        net = ns.wiring.layered([2, 3, 1], activation="relu", rng=0)
        net.biases = np.full(net.n_neurons, -100.0)  # dead: no δ comes back
        step = net.step([0.0, 1.0], [1.0])
        picture = errors([step])
        assert picture.values[1, 0] == 0
        assert not np.ma.getmaskarray(picture.image.get_array())[1, 0]
        net = ns.wiring.layered([1, 1], activation="identity", rng=0)
        net.weights = [1e10]
        with pytest.warns(ns.DivergenceWarning):
            wild = net.fit([[1e300]], [[0.0]], rng=0)  # z = inf
        drawn = errors(wild)
        assert math.isnan(drawn.values[-1, -1])
        assert np.ma.getmaskarray(drawn.image.get_array())[-1, -1]

    def test_a_mean_that_overflows_is_absent(self):
        net = ns.wiring.layered([2, 1], activation="identity", rng=0)
        net.weights = np.full(2, 1e308)
        step = net.step([1.0, 0.5], [0.0], loss="absolute_error", learning_rate=0.0)
        assert np.isnan(errors([step]).values[0, 0])
        assert errors([step]).values[1, 0] == 1.0

    def test_refused(self, run: ns.Run):
        with pytest.raises(DataError, match="no step"):
            errors([])
        with pytest.raises(SettingError, match="steps="):
            errors([run.at(0)], steps=[0])
        other = ns.wiring.layered([2, 4, 1], rng=0)
        with pytest.raises(DataError, match="one wiring"):
            errors([run.at(0), other.step([0.0, 1.0], [1.0])])
        unkept = ns.wiring.layered([2, 3, 1], rng=0).fit(X, T, snapshots=False)
        with pytest.raises(NotKnownError, match="snapshots"):
            errors(unkept)


class TestSteps:
    @pytest.mark.parametrize("field", ["delta", "z", "y", "bias", "db"])
    def test_a_step_is_drawn_as_it_was(self, field: str, run: ns.Run):
        step = run.at(7)
        picture = network(step, color=field)
        named = {"bias": step.biases, "db": step.biases_after - step.biases}
        expected = named[field] if field in named else getattr(step, field)
        shown = expected[picture.layout.ids]
        has = ~run.replay.graph.is_input if field in named else np.ones(6, bool)
        colors = SIGNED(zero_centred(shown[has])(shown[has]))
        np.testing.assert_allclose(picture.neurons.get_facecolor()[has], colors, atol=1e-12)
        assert "step 7" in picture.ax.get_title()
        assert f"{step.loss:.3g}"[:4] in picture.ax.get_title()

    def test_an_unknown_field_names_those_that_there_are(self, run: ns.Run):
        with pytest.raises(SettingError, match="delta"):
            network(run.at(7), color="delt")


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


class TestLossSurfaces:
    def test_each_point_is_the_loss_there_and_the_network_is_left_alone(self):
        net = ns.wiring.layered([2, 3, 1], activation="sigmoid", rng=0)
        before = net.weights.copy(), net.biases.copy()
        picture = loss_surface(net, X, T, [("x0", "h1.0"), "y0"], span=(2.0, 1.0))
        np.testing.assert_array_equal(net.weights, before[0])
        np.testing.assert_array_equal(net.biases, before[1])
        assert picture.losses.shape == (len(picture.second), len(picture.first))
        for i, j in ((0, 0), (7, 30), (-1, -1)):
            moved = net.copy()
            moved["x0", "h1.0"].weight = picture.first[j]
            moved["y0"].bias = picture.second[i]
            assert picture.losses[i, j] == pytest.approx(moved.evaluate(X, T).loss, rel=1e-12)
        assert picture.first[[0, -1]] == pytest.approx(net["x0", "h1.0"].weight + np.array([-2, 2]))
        assert picture.second[[0, -1]] == pytest.approx(net["y0"].bias + np.array([-1, 1]))

    def test_refused(self):
        net = ns.wiring.layered([2, 3, 1], rng=0)
        with pytest.raises(SettingError, match="two"):
            loss_surface(net, X, T, ["y0"])
        with pytest.raises(SettingError, match="span"):
            loss_surface(net, X, T, ["y0", "h1.0"], span=-1)


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


class TestCommand:
    @pytest.fixture
    def file(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        ns.wiring.layered([2, 3, 1], rng=0).save("net.json")
        return "net.json"

    def test_a_network_file_becomes_a_picture_beside(self, file, tmp_path, capsys):
        assert main(["draw", file]) == 0
        assert capsys.readouterr().out.strip() == "net.png"
        with Image.open(tmp_path / "net.png") as picture:
            assert picture.format == "PNG"

    def test_a_step_as_svg(self, file, tmp_path):
        before = (tmp_path / file).read_bytes()
        assert main(["draw", file, "--x", "0.5,1", "--t", "1", "-o", "step.svg", "--color", "y"]) == 0
        assert "<svg" in (tmp_path / "step.svg").read_text()
        assert (tmp_path / file).read_bytes() == before

    def test_refused(self, file, tmp_path, capsys):
        assert main(["draw", file, "--x", "0.5,1"]) == 2
        assert "--t" in capsys.readouterr().err
        assert main(["draw", file, "-o", "net.xyz"]) == 2
        assert "xyz" in capsys.readouterr().err
        assert main(["draw", file, "--color", "delt"]) == 3
        assert main(["draw", "none.json"]) == 3
        assert not (tmp_path / "net.xyz").exists()
