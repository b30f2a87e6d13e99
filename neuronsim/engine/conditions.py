"""Conditions as programs for the kernels that evaluate them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.arrays import Array
from neuronsim.kernels.watch.conditions import evaluate

_TOGETHER = 2**14


@dataclass(frozen=True)
class Program:
    """A condition as kernels evaluate it: in rows of float64, which holds a float32 field exactly.

    Attributes
    ----------
    n_fields : int
        The first rows are for the fields that it reads.
    constants : array (n_constants,)
        What the rows behind them hold.
    instructions : array (n_instructions,)
        Of type INSTRUCTION; the last one writes row 0.
    """

    n_fields: int
    constants: Array
    instructions: Array

    def rows(self, n: int) -> Array:
        """Rows for ``n`` values at a time, constants in their places."""
        end = self.n_fields + len(self.constants)
        rows = np.zeros((max(end, int(self.instructions["result"].max()) + 1), n))
        rows[self.n_fields : end] = self.constants[:, None]
        return rows

    def evaluate(self, values: Sequence[Array]) -> NDArray[np.bool_]:
        """Where it holds, given each field's values, in the shape that they broadcast to."""
        together = np.broadcast_arrays(*values)
        flat = [array.reshape(-1) for array in together]
        holds = np.empty(together[0].size, np.bool_)
        rows = self.rows(min(_TOGETHER, len(holds)))
        for start in range(0, len(holds), _TOGETHER):
            part = slice(start, start + _TOGETHER)
            n = len(holds[part])
            for row, array in zip(rows, flat, strict=False):
                row[:n] = array[part]
            evaluate(self.instructions, rows, n)
            holds[part] = rows[0, :n]
        return holds.reshape(together[0].shape)
