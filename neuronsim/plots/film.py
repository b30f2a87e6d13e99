"""A run as a film: the network, step by step, above its loss."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.animation import FFMpegWriter
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from PIL import Image

from neuronsim.basics.atomic import replacing
from neuronsim.basics.spread import evenly_spread
from neuronsim.errors import DataError, SettingError
from neuronsim.plots.figures import INK, finite_or_nan, new_figure, spans_decades, style_curves, zero_centred
from neuronsim.plots.graph import draw
from neuronsim.plots.view import View, view
from neuronsim.run import Run

_N_FRAMES = 60
_DPI = 90


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
        Which steps, from 0; None: 60 from first to last.
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
    path = Path(path)
    writer = _writer(path, fps)
    replay = run.replay
    spread = evenly_spread(run.n_steps, _N_FRAMES, nearest=True)
    chosen = sorted({int(q) for q in (spread if steps is None else steps)})
    if not chosen:
        raise DataError("there is no step to draw")
    made, losses = zip(*((view(step, color), step.loss) for step in map(replay.at, chosen)), strict=True)
    views = of_same_neurons(made)
    neuron_scale = zero_centred(np.concatenate([v.neurons[v.has] for v in views]))
    edge_scale = zero_centred(np.concatenate([v.edges for v in views]))

    figure = new_figure(6.4, 5.6) if len(views[-1].has) <= 16 else new_figure(8.4, 6.8)
    places = figure.subplot_mosaic([["net"], ["loss"]], height_ratios=[2.6, 1.0])
    net, loss_ax = places["net"], places["loss"]
    dot = _draw_losses(loss_ax, run, chosen, losses)
    draw(views[0], net, neuron_scale, edge_scale)
    figure.canvas.draw()
    figure.set_layout_engine("none")  # or the picture would jump when a title is wider
    figure.set_dpi(_DPI)

    def frames() -> Iterator[Figure]:
        for q, seen, loss in zip(chosen, views, losses, strict=True):
            net.clear()
            draw(seen, net, _again(neuron_scale), _again(edge_scale))
            dot.set_data([q], [loss])
            yield figure

    if writer is None:
        _write_gif(frames(), path, fps)
        return path
    with writer.saving(figure, str(path), _DPI):
        for _ in frames():
            writer.grab_frame()
    return path


def _write_gif(frames: Iterator[Figure], path: Path, fps: float) -> None:
    """Each frame drawn once; matplotlib's writer draws it twice, the first time to lay it out."""
    images: list[Image.Image] = []
    for figure in frames:
        canvas = FigureCanvasAgg(figure)
        canvas.draw()  # type: ignore[no-untyped-call]
        pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        # 9 ms a frame instead of the 60 of the writer's own choice of colours; white becomes 254
        images.append(Image.fromarray(pixels).convert("RGB").quantize(method=Image.Quantize.FASTOCTREE))
    first, *others = images
    with replacing(path) as part:
        first.save(part, "GIF", save_all=True, append_images=others, duration=round(1000 / fps), loop=0)


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
