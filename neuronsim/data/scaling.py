"""Scalers that learn their statistics from the training data alone (L0), and can be undone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from neuronsim.basics.arrays import Floats
from neuronsim.errors import DataError, NotKnownError, SettingError


class _Scaler:
    """Columns mapped by ``(x − origin) / width · stretch + low``; a width of 0 marks a constant column."""

    _low, _stretch = 0.0, 1.0

    def __init__(self) -> None:
        self._origin: Floats | None = None
        self._width: Floats | None = None

    def fit(self, X: ArrayLike) -> Self:
        """Take the statistics of ``X``, the training data: (n_samples, n_columns), or 1-D for one column."""
        columns, _ = _as_columns(X)
        if not len(columns):
            raise DataError("there are no samples to take statistics from; give at least one")
        with np.errstate(over="ignore"):
            origin, width = self._statistics(columns)
        for values in (origin, width):
            if not np.isfinite(values).all():
                column = int(np.flatnonzero(~np.isfinite(values))[0])
                raise DataError(f"column {column} is too large for its statistics; divide it by a constant first")
        self._origin, self._width = origin, width
        return self

    def transform(self, X: ArrayLike) -> Floats:
        """``X`` scaled by the statistics of the training data; the same shape, float64."""
        origin, width = self._fitted()
        columns, shape = _as_columns(X, len(origin))
        constant = width == 0
        with np.errstate(over="ignore"):  # a value that far outside becomes infinite, and is refused by name later
            scaled = (columns - origin) / np.where(constant, 1.0, width) * self._stretch + self._low
        scaled[:, constant] = self._low
        return scaled.reshape(shape)

    def inverse(self, X: ArrayLike) -> Floats:
        """Back from what ``transform`` gave to the original units; a constant column gets its constant."""
        origin, width = self._fitted()
        columns, shape = _as_columns(X, len(origin))
        return ((columns - self._low) / self._stretch * width + origin).reshape(shape)

    def fit_transform(self, X: ArrayLike) -> Floats:
        """``fit(X)``, then ``transform(X)``."""
        return self.fit(X).transform(X)

    def state(self) -> dict[str, Any]:
        """Everything that `from_state` needs, as plain values: numbers come back bit for bit."""
        origin, width = self._fitted()
        return {"kind": type(self).__name__, "origin": origin.tolist(), "width": width.tolist()}

    def _fitted(self) -> tuple[Floats, Floats]:
        if self._origin is None or self._width is None:
            raise NotKnownError("the scaler has no statistics yet: call fit(X) with the training data first")
        return self._origin, self._width

    def _statistics(self, columns: Floats) -> tuple[Floats, Floats]:
        raise NotImplementedError


class Standardizer(_Scaler):
    """Each column to mean 0 and standard deviation 1: ``(x − mean) / std`` (L0).

    The standard deviation is the population's (divided by n). A column that is constant in the training
    data maps to 0, whatever its values are later.

    Examples
    --------
    >>> Standardizer().fit_transform([[1.0], [3.0]]).tolist()
    [[-1.0], [1.0]]
    """

    @property
    def mean(self) -> Floats:
        """Mean of each column of the training data, (n_columns,)."""
        return self._fitted()[0]

    @property
    def std(self) -> Floats:
        """Standard deviation of each column of the training data, (n_columns,); 0 where it is constant."""
        return self._fitted()[1]

    def _statistics(self, columns: Floats) -> tuple[Floats, Floats]:
        lowest, highest = columns.min(axis=0), columns.max(axis=0)
        spread = highest - lowest
        # The mean of equal numbers may be off by a rounding; a constant column has to come out exact.
        mean = np.where(spread == 0, lowest, columns.mean(axis=0))
        # A power of two as unit changes no bit, and keeps the squares of tiny and huge deviations in range.
        unit = np.ldexp(1.0, np.clip(np.frexp(spread)[1], -1000, 1000))
        std = unit * np.sqrt((((columns - mean) / unit) ** 2).mean(axis=0))
        return mean, np.where(spread == 0, 0.0, std)


class MinMaxScaler(_Scaler):
    """Each column to the range lo … hi: ``(x − min) / (max − min) · (hi − lo) + lo`` (L0).

    A column that is constant in the training data maps to ``lo``. Values outside the training data's range
    map outside lo … hi.

    Parameters
    ----------
    lo, hi : float
        Where the training data's minimum and maximum go.

    Examples
    --------
    >>> MinMaxScaler(-1, 1).fit_transform([0.0, 5.0, 10.0]).tolist()
    [-1.0, 0.0, 1.0]
    """

    def __init__(self, lo: float = 0.0, hi: float = 1.0) -> None:
        super().__init__()
        if not (np.isfinite(lo) and np.isfinite(hi) and lo < hi):
            raise SettingError(f"lo and hi must be finite and lo < hi, not lo={lo!r}, hi={hi!r}")
        self.lo, self.hi = float(lo), float(hi)
        self._low, self._stretch = self.lo, self.hi - self.lo
        self._highest: Floats = np.empty(0)

    def state(self) -> dict[str, Any]:
        """As of every scaler, and the range."""
        return super().state() | {"lo": self.lo, "hi": self.hi, "highest": self._highest.tolist()}

    @property
    def minimum(self) -> Floats:
        """Minimum of each column of the training data, (n_columns,)."""
        return self._fitted()[0]

    @property
    def maximum(self) -> Floats:
        """Maximum of each column of the training data, (n_columns,)."""
        self._fitted()
        return self._highest

    def _statistics(self, columns: Floats) -> tuple[Floats, Floats]:
        lowest, self._highest = columns.min(axis=0), columns.max(axis=0)
        return lowest, self._highest - lowest


def from_state(state: Mapping[str, Any]) -> MinMaxScaler | Standardizer:
    """The scaler whose ``state()`` this is.

    Raises
    ------
    KeyError, ValueError
        It is something else.
    """
    made: MinMaxScaler | Standardizer
    if state["kind"] == MinMaxScaler.__name__:
        made = MinMaxScaler(state["lo"], state["hi"])
        made._highest = np.array(state["highest"], np.float64)
    elif state["kind"] == Standardizer.__name__:
        made = Standardizer()
    else:
        raise ValueError(f"no scaler {state['kind']!r}")
    made._origin, made._width = (np.array(state[name], np.float64) for name in ("origin", "width"))
    return made


def _as_columns(X: ArrayLike, n_columns: int | None = None) -> tuple[Floats, tuple[int, ...]]:
    """``X`` as finite float64 columns, and the shape it came in; 1-D data is one column."""
    given = np.asarray(X)
    if given.dtype.kind not in "biuf":
        raise DataError(f"a scaler takes real numbers, not {given.dtype}; give numeric columns only")
    if given.ndim not in (1, 2):
        raise DataError(f"a scaler takes (n_samples, n_columns) or one column (n_samples,), not shape {given.shape}")
    columns = given.astype(np.float64).reshape(-1, 1) if given.ndim == 1 else given.astype(np.float64)
    if n_columns is not None and columns.shape[1] != n_columns:
        raise DataError(f"X has {columns.shape[1]} columns, the scaler was fitted on {n_columns}")
    bad = np.argwhere(~np.isfinite(columns))
    if len(bad):
        row, column = (int(k) for k in bad[0])
        raise DataError(f"X has {columns[row, column]} at row {row}, column {column}; fill in or drop missing values")
    return columns, given.shape
