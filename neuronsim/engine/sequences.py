"""Sequences: the rows of one after another, where each begins, and how much the loss of each row counts."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

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
    form : {"array", "list", "one"}
        How they were given: an array of all, a list of arrays that differ in length, one of them alone.
    """

    rows: Array
    starts: Integers
    weights: Array | None = None
    form: Literal["array", "list", "one"] = "array"

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

    def shaped(self, values: Array) -> Any:
        """Values by row in their form: a list, (n_steps, …) of one, or (n_sequences, longest, …), 0 behind each end."""
        if self.form == "one":
            return values
        if self.form == "list":
            return [values[a:b] for a, b in pairwise(self.starts)]
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

    @classmethod
    def joined(cls, parts: list["State"]) -> "State":
        """Those of several blocks of sequences."""
        return cls(np.concatenate([part.y for part in parts]), np.concatenate([part.z for part in parts]))
