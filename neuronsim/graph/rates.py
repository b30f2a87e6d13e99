"""Learning-rate factors and freeze marks of one kind of parameter: nothing is stored until one is set."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.arrays import Marks, Reals
from neuronsim.errors import SettingError

FROZEN = -1.0
"""What ``Rates.combined`` says for a frozen parameter."""


@dataclass(eq=False)
class Rates:
    """Factors on the learning rate, and marks of what is frozen; the two do not forget each other.

    Attributes
    ----------
    n : int
        How many parameters there are.
    dtype : dtype
        Of the factors.
    stored_factors, stored_marks : array (n,) or None
        None: all 1, none frozen.
    """

    n: int
    dtype: np.dtype[np.floating]
    stored_factors: Reals | None = None
    stored_marks: Marks | None = None
    _combined: Reals | None = None

    def __post_init__(self) -> None:
        self._forget_neutral()

    def _forget_neutral(self) -> None:
        """Store nothing where all factors are 1 and nothing is frozen: kernels choose their pass by what is stored."""
        if self.stored_marks is not None and not self.stored_marks.any():
            self.stored_marks = None
        if self.stored_factors is not None and (self.stored_factors == 1.0).all():
            self.stored_factors = None
        self._combined = None

    def copy(self) -> "Rates":
        """An independent copy."""
        factors, marks = self.stored_factors, self.stored_marks
        copies = None if factors is None else factors.copy(), None if marks is None else marks.copy()
        return Rates(self.n, self.dtype, *copies)

    @property
    def n_frozen(self) -> int:
        """How many parameters are frozen."""
        return 0 if self.stored_marks is None else int(np.count_nonzero(self.stored_marks))

    def freeze(self, where: NDArray[np.integer], on: bool) -> None:
        """Freeze the parameters at the given positions, or let them learn again."""
        if not len(where) or (self.stored_marks is None and not on):
            return
        if self.stored_marks is None:
            self.stored_marks = np.zeros(self.n, np.bool_)
        self.stored_marks[where] = on
        self._forget_neutral()

    def check_scale(self, where: NDArray[np.integer], factor: float) -> None:
        """Raise SettingError if ``scale`` would leave the finite numbers."""
        with np.errstate(over="ignore"):
            product = self.factors()[where] * self.dtype.type(factor)
        if not np.isfinite(product).all():
            raise SettingError(f"the factor {factor!r} takes a learning rate beyond {self.dtype}")

    def scale(self, where: NDArray[np.integer], factor: float) -> None:
        """Multiply the factors at the given positions."""
        if not len(where):
            return
        if self.stored_factors is None:
            self.stored_factors = np.ones(self.n, self.dtype)
        self.stored_factors[where] *= self.dtype.type(factor)
        self._forget_neutral()

    def factors(self) -> Reals:
        """The factors of all parameters, frozen or not, shape (n,)."""
        return np.ones(self.n, self.dtype) if self.stored_factors is None else self.stored_factors

    def frozen(self) -> Marks:
        """The freeze marks of all parameters, shape (n,)."""
        return np.zeros(self.n, np.bool_) if self.stored_marks is None else self.stored_marks

    def at(self, position: int) -> tuple[float, bool]:
        """Factor and freeze mark of one parameter."""
        factor = 1.0 if self.stored_factors is None else float(self.stored_factors[position])
        return factor, self.stored_marks is not None and bool(self.stored_marks[position])

    @property
    def combined(self) -> Reals | None:
        """What kernels read: factors, -1 where frozen, shape (n,); None while all are 1 and none frozen."""
        if self.stored_marks is None:
            return self.stored_factors
        if self._combined is None:
            self._combined = np.where(self.stored_marks, self.dtype.type(FROZEN), self.factors())
        return self._combined

    def rearrange(self, origin: NDArray[np.integer]) -> None:
        """Follow an edit: ``origin`` tells where each parameter was; from n on they are new, factor 1."""
        n_new = max(int(origin.max(initial=-1)) + 1 - self.n, 0)
        if self.stored_factors is not None:
            self.stored_factors = np.append(self.stored_factors, np.ones(n_new, self.dtype))[origin]
        if self.stored_marks is not None:
            self.stored_marks = np.append(self.stored_marks, np.zeros(n_new, np.bool_))[origin]
        self._forget_neutral()
        self.n = len(origin)
