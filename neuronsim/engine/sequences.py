"""Sequences: the rows of one after another, where each begins, and how much the loss of each row counts."""

from dataclasses import dataclass

import numpy as np

from neuronsim.basics.arrays import Array, Integers


@dataclass(frozen=True, eq=False)
class Sequences:
    """Numbers of sequences, which may differ in length.

    Attributes
    ----------
    rows : array (n_rows, n_columns), or class numbers (n_rows,)
        The steps of one sequence after another.
    starts : int64 array (n_sequences + 1,)
        Where each one's rows begin.
    weights : array (n_rows,) or None
        Of targets, how much the loss of each row counts; 0: it has no target. None of inputs.
    """

    rows: Array
    starts: Integers
    weights: Array | None = None

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, chosen: Integers) -> "Sequences":
        """Some of them, in that order."""
        rows, lengths = self.rows_of(chosen), self.lengths[chosen]
        weights = None if self.weights is None else self.weights[rows]
        return Sequences(self.rows[rows], np.concatenate(([0], np.cumsum(lengths))), weights)

    def rows_of(self, chosen: Integers) -> Integers:
        """The rows of some sequences."""
        lengths = self.lengths[chosen]
        ends = np.cumsum(lengths)
        return np.repeat(self.starts[:-1][chosen] - (ends - lengths), lengths) + np.arange(ends[-1] if len(ends) else 0)

    @property
    def lengths(self) -> Integers:
        """Steps of each."""
        return np.diff(self.starts)

    @property
    def longest(self) -> int:
        """Steps of the longest one."""
        return int(self.lengths.max())

    @property
    def wanted(self) -> Integers:
        """The rows that have a target."""
        return np.flatnonzero(self.weights) if self.weights is not None else np.arange(len(self.rows))

    def padded(self, values: Array) -> Array:
        """Values by row as (n_sequences, longest, …): 0 behind each one's end."""
        found = np.zeros((len(self), self.longest, *values.shape[1:]), values.dtype)
        found[np.arange(self.longest) < self.lengths[:, None]] = values
        return found


@dataclass(frozen=True, eq=False)
class State:
    """What sequences ended with: as much of the past as the network reads.

    Attributes
    ----------
    y, z : array (n_sequences, steps back, n_neurons)
        Outputs, and net inputs; z of a neuron whose potential leaks is that potential. The last step comes last.
    """

    y: Array
    z: Array

    def __len__(self) -> int:
        return len(self.y)
