"""A run as a film: the network, step by step, above its loss."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.animation import AbstractMovieWriter, FFMpegWriter
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from numpy.typing import NDArray
from PIL import Image

from neuronsim.basics.atomic import replacing
from neuronsim.errors import DataError, SettingError
from neuronsim.plots.figures import (
    INK,
    check_drawn,
    finite_or_nan,
    new_figure,
    spans_decades,
    style_curves,
    zero_centred,
)
from neuronsim.plots.graph import draw
from neuronsim.plots.view import View, view
from neuronsim.run import Run

_N_FRAMES = 60
_DPI = 90

Pixels = NDArray[np.uint8]


def animation(
    run: Run, path: str | os.PathLike[str], color: str | None = "delta", steps: Any = None, fps: float = 8
) -> Path:
    """Write a film of a run: the network coloured by what each step was made with, below it the loss.

    All frames have the same scales of colours.

    Parameters
    ----------
    run : Run
        What ``net.fit`` returned; it is replayed.
    path : str or path
        Ends in .gif, or in .mp4, which needs the program ffmpeg.
    color : str or None
        As in `network`.
    steps : iterable of int or None
        Which steps, from 0; None: 60 from first to last (after an edit of the wiring: from the first after it).
    fps : float
        Frames a second.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    SettingError
        For another ending, for .mp4 without ffmpeg, or for ``fps`` that is not positive.
    DataError
        If there is no step.
    NotKnownError
        If the run kept no snapshots.
    """
    check_drawn(run, "animation", Run)
    path = Path(path)
    writer = _writer(path, fps)
    replay = run.replay
    chosen = sorted({int(q) for q in (replay.spread(run.n_steps, _N_FRAMES, nearest=True) if steps is None else steps)})
    if not chosen:
        raise DataError("there is no step to draw")
    made, losses = zip(*((view(step, color), step.loss) for step in map(replay.at, chosen)), strict=True)
    views = of_same_neurons(made)
    neuron_scale = zero_centred(np.concatenate([v.neurons[v.has] for v in views]))
    edge_scale = zero_centred(np.concatenate([v.edges for v in views]))

    figure = new_figure(6.4, 5.6) if len(views[-1].has) <= 16 else new_figure(8.4, 6.8)
    figure.set_dpi(_DPI)
    places = figure.subplot_mosaic([["net"], ["loss"]], height_ratios=[2.6, 1.0])
    dot = _draw_losses(places["loss"], run, chosen, losses)

    def frames() -> Iterator[Pixels]:
        film = _Film(places["net"], dot, views[0], neuron_scale, edge_scale)
        for q, seen, loss in zip(chosen, views, losses, strict=True):
            yield film.frame(q, seen, loss)

    if writer is None:
        _write_gif(frames(), path, fps)
    else:
        _write_film(frames(), path, writer)
    return path


class _Film:
    """The frames of a film on one figure: what is the same in all of them is drawn once, a third of a second each."""

    def __init__(self, net: Axes, dot: Line2D, seen: View, neuron_scale: Normalize, edge_scale: Normalize) -> None:
        self.net, self.dot, self.neuron_scale, self.edge_scale = net, dot, neuron_scale, edge_scale
        figure = net.get_figure(root=True)
        self.canvas = FigureCanvasAgg(figure)
        draw(seen, net, neuron_scale, edge_scale)
        self.canvas.draw()  # type: ignore[no-untyped-call]
        figure.set_layout_engine("none")  # type: ignore[union-attr]  # or the picture would jump when a title is wider
        self.moving = (*net.collections, *net.texts, net.title, dot)
        for artist in self.moving:
            artist.set_visible(False)
        self.canvas.draw()  # type: ignore[no-untyped-call]
        self.still = self.canvas.copy_from_bbox(figure.bbox)  # type: ignore[no-untyped-call, union-attr]
        for artist in (*net.collections, *net.texts):
            artist.remove()

    def frame(self, q: int, seen: View, loss: float) -> Pixels:
        """The pixels (height, width, 4) of one step."""
        self.canvas.restore_region(self.still)  # type: ignore[no-untyped-call]
        draw(seen, self.net, _again(self.neuron_scale), _again(self.edge_scale), scaled=False)
        self.dot.set_data([q], [loss])
        passing = (*self.net.collections, *self.net.texts)
        for artist in sorted((*passing, self.net.title, self.dot), key=lambda artist: artist.get_zorder()):
            artist.set_visible(True)
            artist.draw(self.canvas.get_renderer())  # type: ignore[no-untyped-call]
        for artist in passing:
            artist.remove()
        return np.array(self.canvas.buffer_rgba())  # type: ignore[no-untyped-call]


def _write_gif(frames: Iterator[Pixels], path: Path, fps: float) -> None:
    # 9 ms a frame instead of the 60 of the writer's own choice of colours; white becomes 254
    octree = Image.Quantize.FASTOCTREE
    first, *others = (Image.fromarray(pixels).convert("RGB").quantize(method=octree) for pixels in frames)
    with replacing(path) as part:
        first.save(part, "GIF", save_all=True, append_images=others, duration=round(1000 / fps), loop=0)


def _write_film(frames: Iterator[Pixels], path: Path, writer: AbstractMovieWriter) -> None:
    """Frames by matplotlib's writer, which takes them from a figure: one that holds nothing but their pixels."""
    first = next(frames)
    height, width, _ = first.shape
    figure = new_figure(width / _DPI, height / _DPI)
    image = figure.figimage(first)
    with writer.saving(figure, str(path), _DPI):
        writer.grab_frame()
        for pixels in frames:
            image.set_data(pixels)
            writer.grab_frame()


def _writer(path: Path, fps: float) -> FFMpegWriter | None:
    """What writes an .mp4; None for a .gif."""
    if not 0 < fps < np.inf:
        raise SettingError(f"fps={fps!r}: frames a second, a positive number")
    ending = path.suffix.lower()
    if ending == ".gif":
        return None
    if ending != ".mp4":
        raise SettingError(f"{path.name!r}: a film's name ends in .gif or .mp4")
    if not FFMpegWriter.isAvailable():
        raise SettingError("an .mp4 film needs the program ffmpeg, which is not installed here; a .gif needs nothing")
    return FFMpegWriter(fps=fps)  # type: ignore[arg-type]


def of_same_neurons(views: Sequence[View]) -> list[View]:
    """All frames show the same neurons of a large network: those that matter over all of them."""
    with np.errstate(over="ignore"):
        scores = np.sum([v.scores for v in views if v.scores is not None], axis=0)
    return [replace(v, scores=scores) for v in views]


def _again(scale: Normalize) -> Normalize:
    """The same scale, to which no picture that is gone still listens: matplotlib complains when it is collected."""
    return Normalize(scale.vmin, scale.vmax, clip=scale.clip)


def _draw_losses(axes: Axes, run: Run, steps: list[int], losses: Sequence[float]) -> Line2D:
    """The mean loss of each epoch, the losses of the steps shown, and the dot on the present one."""
    known = finite_or_nan(losses)
    axes.plot(steps, known, ".", color="#93bfe6", markersize=4, label="of the steps shown")
    means = np.asarray(run.history.get("loss", ()), np.float64)
    per_epoch = run.replay.steps_per_epoch
    if len(means) > 1:
        middles = (np.arange(len(means)) + 0.5) * per_epoch
        axes.plot(middles, finite_or_nan(means), color="#2f7fc1", label="mean of each epoch")
        axes.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0.0, 0.98), ncols=2)
    (dot,) = axes.plot(
        steps[:1], losses[:1], "o", color="#d9761a", markersize=7, markeredgecolor="white", zorder=4, clip_on=False
    )
    shown = np.concatenate([known, means])
    shown = shown[np.isfinite(shown)]
    if shown.size and spans_decades(shown.min(), shown.max()):
        axes.set_yscale("log")
    axes.set_xlabel("step", color=INK)
    axes.set_ylabel("loss", color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))  # numbers of 9 digits stand side by side
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    style_curves(axes)
    return dot
