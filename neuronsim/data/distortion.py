"""Images distorted as handwriting is: shifted, turned, stretched here and there; more samples of the same classes.

Elastic distortions are those of Simard, Steinkraus and Platt, "Best practices for convolutional neural networks applied
to visual document analysis" (2003): each pixel is taken from a place beside its own, displaced by a random field that
a Gaussian has made smooth.
"""

import math
from dataclasses import dataclass

import numpy as np

from neuronsim.basics.arrays import Array, Reals
from neuronsim.basics.checked import real, whole
from neuronsim.errors import DataError

# Images distorted together: what they take in memory is bounded.
_TOGETHER = 4096
# Smaller ones are no pictures, and more of them no data to train on.
_SMALLEST, _MOST_BYTES = 4, 64e9

#: What each setting may be.
INTERVALS = {"shift": "[0, 1000]", "rotate": "[0, 180]", "elastic": "[0, 10000]", "smooth": "[0.1, 1000]"}


@dataclass(frozen=True)
class Distortion:
    """How much images are distorted.

    Attributes
    ----------
    copies : int
        Of each image, beside the image itself.
    shift : float
        Pixels in either direction, at most.
    rotate : float
        Degrees in either direction, at most.
    elastic : float
        How many times a smooth random field of displacements from −1 to 1 is taken; the paper: 34 with ``smooth=4``.
    smooth : float
        Pixels: the deviation of the Gaussian that smooths the field.
    """

    copies: int = 1
    shift: float = 0.0
    rotate: float = 0.0
    elastic: float = 0.0
    smooth: float = 4.0

    def __post_init__(self) -> None:
        whole("copies", self.copies)
        for name, interval in INTERVALS.items():
            real(name, getattr(self, name), interval)

    def more(self, X: Array, rng: np.random.Generator) -> Array:
        """The images, then their copies, in X's dtype.

        Parameters
        ----------
        X : array (n_samples, side²)
            Square images, row by row.
        rng : Generator
            What it draws for a copy depends on the number of images alone.

        Returns
        -------
        array ((1 + copies) · n_samples, side²)

        Raises
        ------
        DataError
            The samples are no square images.
        """
        side = math.isqrt(X.shape[1])
        if X.ndim != 2 or side * side != X.shape[1] or side < _SMALLEST:
            least = f"of at least {_SMALLEST} × {_SMALLEST}"
            raise DataError(f"distort is for square images {least}, and a sample of {X.shape[1]} numbers is none")
        if (1 + self.copies) * X.nbytes > _MOST_BYTES:
            taken = (1 + self.copies) * X.nbytes / 1e9
            raise DataError(f"{self.copies:,} copies of {len(X):,} images would take {taken:,.0f} GB; ask for fewer")
        found = np.empty(((1 + self.copies) * len(X), X.shape[1]), X.dtype)
        found[: len(X)] = X
        for copy in range(1, 1 + self.copies):
            for first in range(0, len(X), _TOGETHER):
                part = X[first : first + _TOGETHER]
                at = copy * len(X) + first
                found[at : at + len(part)] = self._distorted(part, side, rng)
        return found

    def _distorted(self, X: Array, side: int, rng: np.random.Generator) -> Array:
        """One distorted image for each: its pixel at a place is that of the image at the place that is drawn for it."""
        n, middle = len(X), (side - 1) / 2
        rows, columns = (axis.astype(np.float32)[None] - np.float32(middle) for axis in np.indices((side, side)))
        angle = np.radians(rng.uniform(-self.rotate, self.rotate, (n, 1, 1))).astype(np.float32)
        shift = rng.uniform(-self.shift, self.shift, (2, n, 1, 1)).astype(np.float32)
        y = np.cos(angle) * rows - np.sin(angle) * columns + shift[0] + np.float32(middle)
        x = np.sin(angle) * rows + np.cos(angle) * columns + shift[1] + np.float32(middle)
        if self.elastic:
            y = y + self._field(n, side, rng)
            x = x + self._field(n, side, rng)
        return _taken(X.reshape(n, side, side), y, x).reshape(n, -1)

    def _field(self, n: int, side: int, rng: np.random.Generator) -> Reals:
        """Smooth displacements (n, side, side): a Gaussian along rows, then along columns, of numbers from −1 to 1."""
        away = np.arange(side)[:, None] - np.arange(side)
        # what a Gaussian leaves beyond the edge is lost, as if there were no displacement
        weights = np.exp(-0.5 * (away / self.smooth) ** 2) / (self.smooth * math.sqrt(2 * math.pi))
        drawn = rng.uniform(-1.0, 1.0, (n, side, side)).astype(np.float32)
        gaussian = weights.astype(np.float32)
        smooth: Reals = np.float32(self.elastic) * (gaussian @ drawn @ gaussian)
        return smooth


def _taken(images: Array, y: Reals, x: Reals) -> Array:
    """The images at places between their pixels, in proportion to the four around; 0 outside; (n, side, side)."""
    n, side, _ = images.shape
    padded = np.pad(images, ((0, 0), (1, 2), (1, 2))).reshape(n, -1)
    y, x = np.clip(y, -1, side) + 1, np.clip(x, -1, side) + 1
    row, column = np.floor(y).astype(np.int64), np.floor(x).astype(np.int64)
    down, right = y - row, x - column
    at = (row * (side + 3) + column).reshape(n, -1)

    def pixel(offset: int) -> Reals:
        found: Reals = np.take_along_axis(padded, at + offset, axis=1).astype(np.float32).reshape(n, side, side)
        return found

    above = pixel(0) * (1 - right) + pixel(1) * right
    below = pixel(side + 3) * (1 - right) + pixel(side + 4) * right
    values = above * (1 - down) + below * down
    rounded: Array = np.rint(values) if images.dtype.kind in "iu" else values
    return rounded.astype(images.dtype)
