"""What all pictures share: figures that no global state knows of, colours, and one scale centred on zero."""

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.patheffects import withStroke
from numpy.typing import ArrayLike

from neuronsim.basics.arrays import Floats
from neuronsim.basics.atomic import replacing
from neuronsim.errors import SettingError

# Orange below zero, blue above: told apart with every common form of colour blindness.
SIGNED = LinearSegmentedColormap.from_list(
    "neuronsim.signed", ["#8f3a00", "#d9761a", "#f2bf85", "#dedede", "#93bfe6", "#2f7fc1", "#0b3c78"]
).with_extremes(bad="#b0b0b0")

# Okabe and Ito's colours (2008), made to be told apart by everybody; the first two fit the scale above.
CLASS_COLORS = ("#d9761a", "#2f7fc1", "#009e73", "#cc79a7", "#e6c229", "#56b4e9", "#8f3a00", "#555555")

INK, QUIET = "#222222", "#6b6b6b"
_TEXT: dict[str, Any] = {"xytext": (0, 0), "ha": "center", "va": "center", "color": INK, "zorder": 6}


@dataclass(frozen=True, eq=False)
class Picture:
    """What was drawn.

    Attributes
    ----------
    ax : Axes
        The axes it is on.
    own : bool
        Whether the figure was made for it; then notebooks show the picture.
    """

    ax: Axes
    own: bool

    @property
    def figure(self) -> Figure | SubFigure:
        """The figure it is part of."""
        return self.ax.figure

    def save(self, path: str | os.PathLike[str], *, dpi: float = 150) -> None:
        """Write the whole figure to a file; its name's ending (png, svg, pdf) says in which format.

        Raises
        ------
        SettingError
            For another ending.
        FileError
            If it cannot be written.
        """
        kind = picture_format(path)
        with replacing(path) as beside:
            beside.write_bytes(encoded(self.ax, kind, dpi))

    def _repr_png_(self) -> bytes | None:
        return encoded(self.ax, "png", 100) if self.own else None


def picture_format(path: str | os.PathLike[str]) -> str:
    """What the ending of a picture's name says: "png", "svg", "pdf", or another one that matplotlib writes."""
    known = FigureCanvasAgg.filetypes
    kind = Path(path).suffix[1:].lower()
    if kind not in known:
        raise SettingError(f"{path}: a picture ends in .png, .svg or .pdf, not in {Path(path).suffix!r}")
    return kind


def check_drawn(given: object, function: str, *kinds: type) -> None:
    """Raise SettingError for what a function of ``ns.plot`` does not draw."""
    if not isinstance(given, kinds):
        wanted = " or ".join(f"a {kind.__name__}" for kind in kinds).replace("StepResult", "Step")
        raise SettingError(f"plot.{function} draws {wanted}, not {given!r:.60} ({type(given).__name__})")


def encoded(axes: Axes, kind: str, dpi: float) -> bytes:
    """The whole figure of axes as the bytes of a file: "png" or "svg"."""
    buffer = io.BytesIO()
    axes.get_figure(root=True).savefig(buffer, format=kind, dpi=dpi)  # type: ignore[union-attr]
    return buffer.getvalue()


def new_figure(width: float, height: float) -> Figure:
    """A figure in inches, that pyplot does not know of."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def new_axes(ax: Axes | None, width: float, height: float) -> tuple[Axes, bool]:
    """The axes given; or new ones, on a figure of that size in inches. And whether they are new."""
    if ax is not None:
        return ax, False
    return new_figure(width, height).subplots(), True


def write(axes: Axes, place: tuple[float, float], text: str, *, halo: bool = False, **style: Any) -> None:
    """Write text at a place, or ``xytext`` points from it; with a halo it can be read on edges."""
    written = axes.annotate(
        literally(text), place, textcoords="offset points", annotation_clip=False, **(_TEXT | style)
    )
    if halo:
        written.set_path_effects([withStroke(linewidth=2.5, foreground="white")])


def style_curves(axes: Axes) -> None:
    """Lines across at the ticks of y, no frame above and at the right."""
    axes.grid(visible=True, axis="y", color="#e3e3e3", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def style_right_axis(axes: Axes) -> None:
    """The frame of a second y axis: only at the right."""
    axes.spines[["top", "left"]].set_visible(False)
    axes.spines["right"].set_color(QUIET)


def finite_or_nan(values: ArrayLike) -> Floats:
    """Numbers to draw: what is not finite leaves a gap."""
    given = np.asarray(values, np.float64)
    return np.where(np.isfinite(given), given, np.nan)


def spans_decades(low: float, high: float) -> bool:
    """Whether losses from ``low`` to ``high`` are better seen on a logarithmic scale."""
    return low > 0 and low <= high / 30.0


def literally(name: str) -> str:
    """A name as it is: matplotlib takes what stands between two $ for a formula."""
    return name.replace("$", r"\$")


def zero_centred(values: ArrayLike, share: float = 1.0) -> Normalize:
    """A scale from -m to m that holds so large a share of the finite values; from -1 to 1 if all are 0."""
    given = np.abs(np.asarray(values, np.float64))
    given = given[np.isfinite(given)]
    largest = float(np.quantile(given, share)) if given.size else 0.0
    return Normalize(-(largest or 1.0), largest or 1.0, clip=True)
