"""Factors on a gradient that have a name: forgotten halves, sums and means, the rate as float32."""

from itertools import combinations
from typing import NamedTuple

import numpy as np

from neuronsim.verifying.verdict import RIGHT, WRONG_SIGN

#: The most factors at once.
_MOST = 2
#: How near a fitted factor must be to a named one for that to be tried.
_NEAR = 2e-3
#: Two roundings in float32: a program's rate, and what it divides it by.
_FLOAT32 = 2.0**-22


class Factor(NamedTuple):
    """One factor, or several at once."""

    value: float
    name: str
    is_rounded: bool = False  # at the rate as float32 has it


def joined(*names: str) -> str:
    """The names of several mistakes; right adds nothing."""
    parts = [name for name in names if name and name != RIGHT]
    return "; ".join(parts) or RIGHT


class Factors:
    """The factors that make sense for one step.

    Parameters
    ----------
    rate : float
    n : int
        Of samples.
    mean : bool
        Whether gradients should be averaged over them.
    n_outputs : int
    squared : float
        By what the loss takes squares: ½ or 1, 0 for losses that do not.
    """

    def __init__(self, rate: float, n: int, mean: bool, n_outputs: int, squared: float) -> None:
        self.rate = rate
        summed = Factor(n, "summed instead of averaged") if mean else Factor(1.0 / n, "averaged instead of summed")
        self.singles = [summed]
        self.singles.append(Factor(2.0, "twice the gradient (the loss's ½ left out)"))
        self.singles.append(Factor(0.5, "half the gradient (a ½ too many)"))
        if squared and n_outputs > 1:
            self.singles.append(Factor(1.0 / (squared * n_outputs), "the mean squared error over the outputs"))
        if n_outputs > 1 and squared != 1.0:
            self.singles.append(Factor(1.0 / n_outputs, "averaged over the outputs, too"))
        self.singles.append(Factor(-1.0, WRONG_SIGN))
        self.more = [Factor(rate, "the learning rate applied twice"), Factor(1.0 / rate, "the learning rate left out")]
        if mean:
            self.more.append(Factor(1.0 / n, "divided by the number of samples twice"))
        for beta in (0.9, 0.99, 0.95, 0.5):
            self.more.append(Factor(1.0 + beta, f"first step of nesterov, momentum {beta:g}"))
        self.every = [Factor(1.0, ""), *(f for f in (*self.singles, *self.more) if f.value != 1.0)]
        of_two = list(self.every)
        for some in combinations(self.every[1:], _MOST):
            value, name = float(np.prod([f.value for f in some])), joined(*(f.name for f in some))
            if all(abs(value - f.value) > 1e-12 * abs(value) for f in of_two):
                of_two.append(Factor(value, name))
        self.all = of_two
        rounded = float(np.float32(rate))  # C's 0.7f, in a program that computes in float64 otherwise
        self.rounded = Factor(rounded / rate, f"(rate {rounded:.9g} rather than {rate:.9g})")

    def near(self, k: float) -> list[Factor]:
        """Those that are about as large, with few names before many, and each at the rate in float32, too."""
        found = [f for f in self.all if abs(f.value - k) <= _NEAR * abs(k)]
        exact = self.rounded.value == 1.0
        return found if exact else [*found, *(Factor(f.value * self.rounded.value, f.name, True) for f in found)]

    def named(self, rule: str, factor: Factor) -> str:
        """A rule with a factor."""
        name = joined(rule, factor.name)
        return f"{name} {self.rounded.name}" if factor.is_rounded else name

    def off(self, rule: str, k: float) -> str:
        """A rule with a factor that has no name; one that is float32's rounding away from having one is the rate's."""
        for factor in self.all:
            if abs(k - factor.value) <= _FLOAT32 * abs(k):
                rate = f"(rate {k / factor.value * self.rate:.9g} rather than {self.rate:.9g})"
                return f"{joined(rule, factor.name)} {rate}"
        return joined(rule, "" if k >= 0.0 else WRONG_SIGN, f"learning rate off by factor {abs(k):.6g}")
