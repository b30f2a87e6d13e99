"""Data sets by name: L0's fever data, small classics that are generated, and scikit-learn's bundled ones.

Generated samples are the same bits on every machine: points on circles and spirals come from
``+ − × ÷`` and square roots alone (a sine's last bit depends on the processor), noise from NumPy's normal
draws.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from neuronsim.basics.arrays import Floats
from neuronsim.basics.checked import real, whole
from neuronsim.data.dataset import Dataset
from neuronsim.errors import SettingError, choose, suggest
from neuronsim.seeds import NOISE, generator, seed_of

_PI = 3.141592653589793
_FROM_0_ON = "{name} is a finite number from 0 on, not {value!r}"


def load(name: str, **arguments: Any) -> Dataset:
    """A data set by its name.

    Parameters
    ----------
    name : str
        ``"fever"`` (L0), ``"xor"``, ``"spirals"``, ``"moons"``; with scikit-learn installed also ``"iris"``,
        ``"digits"``, ``"wine"``, ``"breast_cancer"`` and ``"diabetes"``.
    **arguments : object
        What the set takes: ``n``, ``noise`` and ``rng`` for spirals and moons, ``turns`` for spirals.

    Raises
    ------
    SettingError
        There is no such set, it does not take an argument, or scikit-learn is needed and missing.
    """
    make = choose("data set", name, DATA_SETS)
    allowed = list(inspect.signature(make).parameters)
    for argument in arguments:
        if argument not in allowed:
            takes = f"it takes {', '.join(allowed)}" if allowed else "it takes no arguments"
            raise SettingError(f"data set {name!r} takes no {argument!r}{suggest(argument, allowed) or ';'} {takes}")
    return make(**arguments)


def fever() -> Dataset:
    """L0's four patients: temperature and medicine now, temperature in two hours."""
    return Dataset(
        X=np.array([[38.6, 25.0], [37.8, 25.0], [37.9, 50.0], [38.2, 50.0]]),
        T=np.array([[37.2], [37.3], [36.6], [36.9]]),
        X_test=np.array([[38.3, 35.0]]),
        features=("temperature in °C", "medicine in mg"),
        targets=("temperature in 2 h in °C",),
        name="fever",
        description="L0: four patients' temperature and medicine, and their temperature in two hours",
    )


def xor() -> Dataset:
    """The four rows of exclusive or."""
    return Dataset(
        X=np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]),
        T=np.array([[0.0], [1.0], [1.0], [0.0]]),
        features=("a", "b"),
        targets=("a xor b",),
        name="xor",
        description="exclusive or: the smallest problem that needs a hidden neuron or a product",
    )


def spirals(n: int = 400, noise: float = 0.0, turns: float = 1.5, rng: int | None = 0) -> Dataset:
    """Two spirals wound into each other, inside the unit circle, in two classes taking turns by row.

    Parameters
    ----------
    n : int
        Samples in all, both classes together, at least 4.
    noise : float
        Standard deviation of the normal noise on each coordinate.
    turns : float
        How often each spiral winds around the centre.
    rng : int or None
        Seed of the noise.
    """
    real("turns", turns, message=_FROM_0_ON)
    arms = []
    for count, sign in zip(_halves(n), (1.0, -1.0), strict=True):
        radius = 0.1 + 0.9 * (np.arange(count) / (count - 1))  # the very centre belongs to neither arm
        arms.append(sign * radius[:, None] * _circle(2 * _PI * turns * radius))
    return _two_classes("spirals", arms, noise, rng, "two spirals wound into each other")


def moons(n: int = 200, noise: float = 0.0, rng: int | None = 0) -> Dataset:
    """Two half circles reaching into each other, in two classes taking turns by row.

    Parameters
    ----------
    n : int
        Samples in all, both classes together, at least 4.
    noise : float
        Standard deviation of the normal noise on each coordinate.
    rng : int or None
        Seed of the noise.
    """
    upper, lower = (_circle(_PI * (np.arange(count) / (count - 1))) for count in _halves(n))
    arms = [upper, np.array([1.0, 0.5]) - lower]
    return _two_classes("moons", arms, noise, rng, "two half moons reaching into each other")


def _two_classes(name: str, arms: list[Floats], noise: float, rng: int | None, description: str) -> Dataset:
    n = sum(map(len, arms))
    X = np.empty((n, 2))
    X[0::2], X[1::2] = arms
    real("noise", noise, message=_FROM_0_ON)
    if noise:
        X += noise * generator(seed_of(rng), NOISE).standard_normal((n, 2))
    return Dataset(
        X=X,
        T=(np.arange(n) % 2).astype(np.int32),
        features=("x", "y"),
        targets=("arm",),
        classes=("first", "second"),
        name=name,
        description=description,
    )


def _circle(angles: Floats) -> Floats:
    """Points (cos, sin) on the unit circle, (n, 2), by exact arithmetic: the same bits everywhere.

    A small part of each angle goes through Taylor's series, then its rotation is doubled up to the angle.
    Good to about 1e-12 for ten turns.
    """
    n_doublings = 0
    while np.abs(angles).max() > 0.05:
        angles, n_doublings = angles / 2, n_doublings + 1
    square = angles * angles
    cos = 1 - square / 2 * (1 - square / 12 * (1 - square / 30 * (1 - square / 56)))
    sin = angles * (1 - square / 6 * (1 - square / 20 * (1 - square / 42 * (1 - square / 72))))
    for _ in range(n_doublings):
        cos, sin = cos * cos - sin * sin, 2 * cos * sin
        length = np.sqrt(cos * cos + sin * sin)
        cos, sin = cos / length, sin / length
    return np.stack([cos, sin], axis=1)


def _halves(n: Any) -> tuple[int, int]:
    """How many samples each of the two classes gets."""
    n = whole("n", n, 4, message="{name} is a whole number from {least} on, not {value!r}")
    return (n + 1) // 2, n // 2


def _from_sklearn(name: str) -> Callable[[], Dataset]:
    def make() -> Dataset:
        try:
            bunch = getattr(import_module("sklearn.datasets"), f"load_{name}")()
        except ImportError:
            raise SettingError(f"data set {name!r} comes with scikit-learn: pip install scikit-learn") from None
        classes = tuple(str(label) for label in getattr(bunch, "target_names", ()))
        target = np.asarray(bunch.target)
        return Dataset(
            X=np.array(bunch.data, dtype=np.float64),
            T=target.astype(np.int32) if classes else target.astype(np.float64).reshape(-1, 1),
            features=tuple(map(str, bunch.feature_names)),
            targets=(_SKLEARN_SETS[name],),
            classes=classes,
            name=name,
            description=f"scikit-learn's {name} data: {_SKLEARN_SETS[name]}",
        )

    return make


# What each of scikit-learn's bundled sets is about to tell.
_SKLEARN_SETS = {
    "iris": "species",
    "digits": "digit",
    "wine": "cultivator",
    "breast_cancer": "diagnosis",
    "diabetes": "disease progression after a year",
}


DATA_SETS: dict[str, Callable[..., Dataset]] = {
    "fever": fever,
    "xor": xor,
    "spirals": spirals,
    "moons": moons,
    **{name: _from_sklearn(name) for name in _SKLEARN_SETS},
}
"""How the data set of each name is made."""
