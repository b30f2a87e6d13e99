"""Which samples a run trains on and which it holds out, and in which order they come in each epoch."""

from dataclasses import dataclass

import numpy as np

from neuronsim import seeds
from neuronsim.basics.arrays import Integers
from neuronsim.errors import DataError


@dataclass(frozen=True, eq=False)
class Order:
    """The order of the samples of a run, epoch by epoch.

    Attributes
    ----------
    seed : int
        The run's.
    shuffle : bool
        Whether each epoch has an order of its own.
    trained, held_out : int64 array
        Rows of X, ascending: all of them, each in one of the two.
    """

    seed: int
    shuffle: bool
    trained: Integers
    held_out: Integers

    @property
    def n_samples(self) -> int:
        """How many samples an epoch has."""
        return len(self.trained)

    def epoch(self, epoch: int) -> Integers:
        """Rows of X in the order in which they come."""
        places = seeds.sample_order(self.seed, epoch, self.n_samples, self.shuffle)
        return self.trained[places] if len(self.held_out) else places


def order_of(n_samples: int, seed: int, shuffle: bool, fraction: float = 0.0) -> Order:
    """The order of ``n_samples`` rows, of which a fraction, chosen by the seed, is held out.

    Raises
    ------
    DataError
        If that leaves none to train on, or none to look at.
    """
    n_held_out = int(n_samples * fraction + 0.5)
    if fraction and not 0 < n_held_out < n_samples:
        raise DataError(
            f"validation={fraction} of {n_samples} samples leaves none to train on or none to look at; "
            "give more samples, or a pair (X, T)"
        )
    if not n_held_out:
        return Order(seed, shuffle, np.arange(n_samples), np.empty(0, np.int64))
    mixed = seeds.generator(seed, seeds.SPLITS).permutation(n_samples)
    return Order(seed, shuffle, np.sort(mixed[n_held_out:]), np.sort(mixed[:n_held_out]))
