"""Random streams: one seed, one independent stream for each purpose."""

import numbers

import numpy as np
from numpy.typing import NDArray

from neuronsim.errors import SettingError

__all__ = ["NOISE", "ORDER", "SPLITS", "WEIGHTS", "WIRING", "RandomSource", "generator", "sample_order", "seed_of"]

WIRING = 0
WEIGHTS = 1
ORDER = 2
NOISE = 3
SPLITS = 4

RandomSource = int | np.integer | np.random.Generator | np.random.SeedSequence | None
"""What ``rng=`` takes: a seed, a source to draw one from, or None for a fresh one."""


def seed_of(rng: RandomSource) -> int:
    """The seed that ``rng`` stands for, a non-negative int.

    Parameters
    ----------
    rng : int, Generator, SeedSequence or None
        A non-negative integer is the seed. None draws a fresh one. From a Generator 63 bits are drawn, so
        that the same generator gives another seed next time; a SeedSequence always gives the same.

    Raises
    ------
    SettingError
        For anything else.
    """
    if rng is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0] >> np.uint64(1))
    if isinstance(rng, np.random.SeedSequence):
        return int(rng.generate_state(1, np.uint64)[0] >> np.uint64(1))
    if isinstance(rng, np.random.Generator):
        return int(rng.integers(0, 2**63 - 1, endpoint=True))
    if isinstance(rng, numbers.Integral) and not isinstance(rng, (bool, np.bool_)):
        if rng < 0:
            raise SettingError(f"rng={rng} is negative; a seed is an integer from 0 on")
        return int(rng)
    raise SettingError(
        f"rng={rng!r} is not a seed; allowed: an integer from 0 on, a numpy Generator or SeedSequence, None"
    )


def generator(seed: int, *key: int) -> np.random.Generator:
    """The stream of ``seed`` for one purpose: ``generator(seed, ORDER, epoch)``."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def sample_order(seed: int, epoch: int, n: int, shuffle: bool = True) -> NDArray[np.int64]:
    """In which order the ``n`` samples come in an epoch."""
    return generator(seed, ORDER, epoch).permutation(n) if shuffle else np.arange(n)
