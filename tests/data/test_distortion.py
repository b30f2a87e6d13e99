"""Distorted images: where their pixels go, what is drawn, what is refused."""

import numpy as np
import pytest

from neuronsim import data
from neuronsim.data.distortion import Distortion
from neuronsim.errors import DataError, SettingError


def image(side: int = 9) -> np.ndarray:
    """A bright dot above the middle of a dark image."""
    pixels = np.zeros((side, side), np.uint8)
    pixels[2, side // 2] = 200
    return pixels.reshape(1, -1)


class Fixed:
    """A generator that draws what it is told, as a part of the range."""

    def __init__(self, part: float) -> None:
        self.part = part

    def uniform(self, low: float, high: float, shape: tuple[int, ...]) -> np.ndarray:
        return np.full(shape, low + self.part * (high - low))


def copy(distortion: Distortion, part: float) -> np.ndarray:
    """The one copy, as an image."""
    return distortion.more(image(), Fixed(part))[1].reshape(9, 9)  # type: ignore[arg-type]


def test_the_images_come_first_and_nothing_is_distorted_unasked() -> None:
    X = np.random.default_rng(0).integers(0, 256, (5, 49), dtype=np.uint8)
    found = Distortion(copies=3).more(X, np.random.default_rng(1))
    assert found.dtype == np.uint8
    assert (found.reshape(4, 5, 49) == X).all()


def test_a_shift() -> None:
    """What is drawn is where a pixel is taken from: two pixels further down and to the right, it moves up and left."""
    shifted = copy(Distortion(shift=2.0), 1.0)
    assert np.argwhere(shifted).tolist() == [[0, 2]]
    assert shifted[0, 2] == 200
    assert copy(Distortion(shift=0.5), 1.0)[1:3, 3:5].tolist() == [[50, 50], [50, 50]]


def test_a_quarter_turn() -> None:
    turned = copy(Distortion(rotate=90.0), 1.0)
    assert np.argwhere(turned > 100).tolist() in ([[4, 2]], [[4, 6]])
    back = copy(Distortion(rotate=90.0), 0.0)
    assert (np.rot90(turned, 2) == back).all()


def test_what_leaves_the_image_is_gone() -> None:
    assert not copy(Distortion(shift=20.0), 1.0).any()


def test_elastic_distortions_are_smooth_and_as_large_as_asked() -> None:
    distortion = Distortion(elastic=34.0, smooth=4.0)
    field = distortion._field(200, 28, np.random.default_rng(0))
    inside = field[:, 8:20, 8:20]
    # Σ g² of a Gaussian of deviation σ in the plane is 1 / (4 π σ²), and the variance of what is drawn 1/3
    expected = 34.0 * np.sqrt(1 / (3 * 4 * np.pi * 16))
    assert inside.std() == pytest.approx(expected, rel=0.1)
    assert np.abs(np.diff(inside, axis=1)).mean() < 0.3 * np.abs(inside).mean()


def test_ink_is_kept_about() -> None:
    digits = data.load("digits")
    found = Distortion(copies=2, shift=0.5, rotate=10.0, elastic=4.0, smooth=2.0).more(
        digits.X, np.random.default_rng(0)
    )
    sums = found.sum(axis=1).reshape(3, -1)
    assert np.abs(sums[1:] / sums[0] - 1).mean() < 0.1
    assert not np.array_equal(found[: len(digits.X)], found[len(digits.X) : 2 * len(digits.X)])


def test_the_same_seed_draws_the_same() -> None:
    how = Distortion(copies=2, shift=1.0, rotate=5.0, elastic=8.0)
    many = np.random.default_rng(0).integers(0, 256, (5000, 16), dtype=np.uint8)
    assert (how.more(many, np.random.default_rng(3)) == how.more(many, np.random.default_rng(3))).all()


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"copies": 0}, "copies"),
        ({"shift": -1.0}, "shift"),
        ({"smooth": 0.0}, "smooth"),
        ({"rotate": 1e308}, "rotate"),
        ({"shift": float("inf")}, "shift"),
    ],
)
def test_refused(given: dict, what: str) -> None:
    with pytest.raises(SettingError, match=what):
        Distortion(**given)
    for n in (4, 12):
        with pytest.raises(DataError, match=f"square images of at least 4 × 4, and a sample of {n} numbers is none"):
            Distortion().more(np.zeros((3, n)), np.random.default_rng(0))
    with pytest.raises(DataError, match="copies of 3 images would take"):
        Distortion(copies=10**9).more(np.zeros((3, 16)), np.random.default_rng(0))
