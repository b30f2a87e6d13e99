"""Learning-rate factors and freeze marks of one kind of parameter: nothing is stored until one is set."""

import numpy as np
from numpy.typing import NDArray

from neuronsim.errors import SettingError

FROZEN = -1.0
"""What ``Rates.combined`` says for a frozen parameter."""


class Rates:
    """Factors on the learning rate, and marks of what is frozen; the two do not forget each other."""

    def __init__(self, n: int, dtype: np.dtype[np.floating]) -> None:
        self._n = n
        self._dtype = dtype
        self._factors: NDArray[np.floating] | None = None
        self._frozen: NDArray[np.bool_] | None = None
        self._combined: NDArray[np.floating] | None = None

    @property
    def n_frozen(self) -> int:
        """How many parameters are frozen."""
        return 0 if self._frozen is None else int(np.count_nonzero(self._frozen))

    def freeze(self, where: NDArray[np.integer], on: bool) -> None:
        """Freeze the parameters at the given positions, or let them learn again."""
        if not len(where) or (self._frozen is None and not on):
            return
        if self._frozen is None:
            self._frozen = np.zeros(self._n, np.bool_)
        self._frozen[where] = on
        if not on and not self._frozen.any():
            self._frozen = None
        self._combined = None

    def check_scale(self, where: NDArray[np.integer], factor: float) -> None:
        """Raise SettingError if ``scale`` would leave the finite numbers."""
        with np.errstate(over="ignore"):
            product = self.factors()[where] * self._dtype.type(factor)
        if not np.isfinite(product).all():
            raise SettingError(f"the factor {factor!r} takes a learning rate beyond {self._dtype}")

    def scale(self, where: NDArray[np.integer], factor: float) -> None:
        """Multiply the factors at the given positions."""
        if not len(where):
            return
        if self._factors is None:
            self._factors = np.ones(self._n, self._dtype)
        self._factors[where] *= self._dtype.type(factor)
        if (self._factors == 1.0).all():
            self._factors = None
        self._combined = None

    def factors(self) -> NDArray[np.floating]:
        """The factors of all parameters, frozen or not, shape (n,)."""
        return np.ones(self._n, self._dtype) if self._factors is None else self._factors

    def frozen(self) -> NDArray[np.bool_]:
        """The freeze marks of all parameters, shape (n,)."""
        return np.zeros(self._n, np.bool_) if self._frozen is None else self._frozen

    def at(self, position: int) -> tuple[float, bool]:
        """Factor and freeze mark of one parameter."""
        factor = 1.0 if self._factors is None else float(self._factors[position])
        return factor, self._frozen is not None and bool(self._frozen[position])

    def combined(self) -> NDArray[np.floating] | None:
        """What kernels read: factors, -1 where frozen, shape (n,); None while all are 1 and none frozen."""
        if self._frozen is None:
            return self._factors
        if self._combined is None:
            self._combined = np.where(self._frozen, self._dtype.type(FROZEN), self.factors())
        return self._combined

    def copy(self) -> "Rates":
        """An independent copy."""
        other = Rates(self._n, self._dtype)
        other.restore(self._factors, self._frozen)
        return other

    def restore(self, factors: NDArray[np.floating] | None, frozen: NDArray[np.bool_] | None) -> None:
        """Take factors and marks, shape (n,) each, over from a file."""
        self._factors = None if factors is None else np.array(factors, self._dtype)
        self._frozen = None if frozen is None else np.array(frozen, np.bool_)
        self._combined = None

    def rearrange(self, origin: NDArray[np.integer]) -> None:
        """Follow an edit: ``origin`` tells where each parameter was; from n on they are new, factor 1."""
        n_new = max(int(origin.max(initial=-1)) + 1 - self._n, 0)
        if self._factors is not None:
            self._factors = np.append(self._factors, np.ones(n_new, self._dtype))[origin]
        if self._frozen is not None:
            self._frozen = np.append(self._frozen, np.zeros(n_new, np.bool_))[origin]
        self._combined = None
        self._n = len(origin)
