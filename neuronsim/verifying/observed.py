"""One step of another program as it was seen, and how near a prediction of it comes.

A prediction fits where all parameters come out to within what rounding explains: 1e-12 (float64) or 1e-5 (float32) of
the absolute sum of each gradient (`neuronsim.formulas.rounding`), and some ulps of the parameter. A number that is
fitted to the step explains some of it by itself; what it must explain beyond that is counted in bits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.arrays import Reals
from neuronsim.errors import DataError
from neuronsim.verifying.layout import Layout
from neuronsim.verifying.passes import Gradient
from neuronsim.verifying.verdict import Hypothesis

#: Rounding of a parameter's update, in ulps of it.
_ULPS = 4.0
#: So many bits of the step each thing wrong must explain beyond the numbers fitted to it: one in 16 million is chance.
FEWEST_BITS = 24.0
#: How far off, in parts of what rounding explains, least squares may be for a fit still to be looked for.
_FAR = 100.0
#: So many parameters must move, and not all alike, for a rate to be told from them: of one alone any rule is a rate.
_FEWEST = 3
_TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Precision:
    """How far off numbers may be: rounding of a gradient in parts of its absolute sum, ulps, and what was allowed."""

    dtype: str
    rounding: float
    atol: float = 0.0
    rtol: float = 0.0

    def of(self, *values: Reals) -> Reals:
        """Of parameters with these values, without what ``rtol`` allows."""
        sizes: Reals = np.sum(np.abs(values), axis=0)
        return _ULPS * float(np.finfo(self.dtype).eps) * sizes + self.atol


class Observed:
    """Parameters before and after, and what predictions are compared with.

    Parameters
    ----------
    layout : Layout
    before, after : array (n_parameters,)
        NaN after where nothing is known.
    rate : float
    right : Gradient
        Of the rule as the lectures have it, with the absolute sums of everything behind it.
    precision : Precision
    groups : array (n_parameters,)
        A number for each block of parameters: ``rtol`` is of the largest change in each.
    n_samples : int
        Of the step.
    """

    def __init__(
        self,
        layout: Layout,
        before: Reals,
        after: Reals,
        rate: float,
        right: Gradient,
        precision: Precision,
        groups: NDArray[np.int64],
        n_samples: int,
    ) -> None:
        self.n_samples = n_samples
        self.layout, self.before, self.after, self.rate, self.right = layout, before, after, rate, right
        self.known = np.isfinite(after)
        if not self.known.any():
            raise DataError("after holds no parameters: there is nothing to recognise")
        self.change = after - before
        self.factors = np.maximum(layout.factors, 0.0)
        self.rates = rate * self.factors
        self.rounding = precision.rounding
        #: As many of a fitted number are shown.
        self.digits = 6 if precision.dtype == "float64" else 4
        sizes = np.where(self.known, np.abs(self.change), 0.0)
        largest = np.zeros(int(groups.max(initial=0)) + 1)
        np.maximum.at(largest, groups, sizes)
        self.largest = largest[groups]
        self.exact = precision.of(before, np.where(self.known, after, 0.0))
        self.floor = self.exact + precision.rtol * self.largest
        #: What a parameter of this size would have been moved by, or was.
        self.sizes = np.maximum(sizes, np.abs(self.rates * right.values))

    # ── predictions ──

    def descent(
        self,
        rule: str,
        gradient: Gradient,
        k: float | Reals | NDArray[np.bool_] = 1.0,
        *,
        factors: Reals | None = None,
        shift: Reals | float = 0.0,
        fitted: int | None = None,
    ) -> Hypothesis:
        """w - k μ g + shift."""
        rates = self.rate * (self.factors if factors is None else factors)
        tolerance = self.tolerance(gradient, np.abs(k) * rates)
        return self.hypothesis(rule, self.before - k * rates * gradient.values + shift, tolerance, fitted=fitted)

    def moved(
        self,
        rule: str,
        move: Callable[[Reals], Reals],
        gradient: Gradient | None = None,
        *,
        shift: Reals | float = 0.0,
        fitted: int | None = None,
    ) -> Hypothesis:
        """w - μ · move(g) + shift: rounding of g shows as far as ``move`` lets it."""
        used = self.right if gradient is None else gradient
        rates, g = self.rates, used.values
        off = self.rounding * (self.right.absolute_sums + used.absolute_sums)
        tolerance = rates * np.maximum(np.abs(move(g + off) - move(g)), np.abs(move(g - off) - move(g)))
        tolerance = tolerance + rates * self.rounding * np.abs(move(g))
        return self.hypothesis(rule, self.before - rates * move(g) + shift, tolerance, fitted=fitted)

    def tolerance(self, gradient: Gradient, rates: Reals) -> Reals:
        """What rounding of a gradient makes of a step with these rates."""
        return rates * self.rounding * (self.right.absolute_sums + gradient.absolute_sums)

    def hypothesis(
        self,
        rule: str,
        predicted: Reals,
        tolerance: Reals,
        *,
        fitted: int | None = None,
        among: NDArray[np.bool_] | None = None,
        bits: float = FEWEST_BITS,
    ) -> Hypothesis:
        """How near it comes; what fits by chance, or because numbers were fitted to it, is infinitely far off.

        Parameters
        ----------
        rule : str
        predicted, tolerance : array (n_parameters,)
        fitted : int or None
            Numbers that were fitted to the step; None where nothing need be explained, as of the few common rules.
        among : array (n_parameters,) of bool, optional
            The parameters that count; all that are known if not given.
        bits : float
            What each thing in it that differs from the right rule must explain beyond those numbers.

        Returns
        -------
        Hypothesis
        """
        rows = np.flatnonzero(self.known if among is None else self.known & among)
        allowed = np.maximum((tolerance + self.floor)[rows], _TINY)
        off = np.abs(self.after - predicted)[rows]
        if not np.isfinite(off).all():
            return Hypothesis(rule, np.inf, np.inf, self.layout.label(int(rows[0])))
        over = off / allowed
        worst = int(over.argmax())
        change = self.change[rows]
        moved = float(np.linalg.norm(change)) or float(np.linalg.norm((predicted - self.before)[rows]))
        distance = float(np.linalg.norm(off)) / moved if moved else 0.0
        error, label = float(over[worst]), self.layout.label(int(rows[worst]))
        found = Hypothesis(rule, distance, error, label, fitted or 0)
        if fitted is not None and found.fits and self.bits(rows, allowed, fitted, found.n_parts) < bits * found.n_parts:
            return found.by_chance()
        return found

    def bits(self, rows: NDArray[np.int64], allowed: Reals, fitted: int, n_parts: int) -> float:
        """What predictions of these parameters, to within what is allowed, say beyond the numbers fitted to them.

        Gradients of the same size, as both of a softmax of two have, say the same, and count once. A neuron's
        gradients are sums of as many vectors as there are samples: if numbers were fitted to a gradient that is itself
        in question, no more of its parameters count.
        """
        each = np.log2(1.0 + self.sizes[rows] / (2.0 * allowed))
        _, first = np.unique(self._magnitudes[rows], return_index=True)
        each, sinks = each[first], self.layout.sinks[rows[first]]
        if fitted and n_parts > 1:
            counted = [np.sort(each[sinks == sink])[-self.n_samples :] for sink in np.unique(sinks)]
            each = np.concatenate(counted)
        each = np.sort(each)
        return float(each[: max(0, len(each) - fitted)].sum())

    @cached_property
    def _magnitudes(self) -> Reals:
        """|g| of the right rule, in powers of 2 and rounded."""
        return np.round(np.log2(np.maximum(np.abs(self.right.values), _TINY)), 5)

    def relative_error(self, gradient: Gradient) -> float:
        """The worst parameter of a step, in parts of the largest change in its block; 0 if rounding explains all."""
        off = np.abs(self.change + self.rates * gradient.values)[self.known]
        allowed = (self.exact + self.tolerance(gradient, self.rates))[self.known]
        if (off <= allowed).all():
            return 0.0
        return float((off / np.maximum(self.largest[self.known], _TINY)).max())

    # ── least squares ──

    def solve(
        self, columns: list[Reals], target: Reals | None = None, among: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float64]:
        """c of target ≈ Σ c_j · column_j, each row by its own rounding; the target is the change if not given."""
        rows = self.known if among is None else self.known & among
        x = (np.array(columns) * self._scale)[:, rows].T
        y = ((self.change if target is None else target) * self._scale)[rows]
        norms = np.sqrt((x * x).sum(axis=0))
        if not (np.isfinite(norms).all() and np.isfinite(y).all()) or not norms.all() or len(y) <= len(columns):
            return np.full(len(columns), np.nan)
        if len(columns) == 1:
            return np.asarray(x.T @ y / norms**2, np.float64)
        return np.asarray(np.linalg.lstsq(x / norms, y, rcond=None)[0] / norms, np.float64)

    @cached_property
    def _scale(self) -> Reals:
        return np.asarray(1.0 / np.maximum(self.floor + self.tolerance(self.right, self.rates), _TINY), np.float64)

    def may_fit(self, columns: list[Reals]) -> bool:
        """Whether the change is about a sum of these, with any coefficients: if not, no fewer of them explain it."""
        found = self.solve(columns)
        if not np.isfinite(found).all():
            return True
        left = ((self.change - found @ np.array(columns)) * self._scale)[self.known]
        return bool(np.sqrt(np.mean(left * left)) <= _FAR)

    def rate_of(self, gradient: Gradient, among: NDArray[np.bool_] | None = None) -> float:
        """k of change ≈ -k μ g; NaN where too little tells."""
        rows = self.known if among is None else self.known & among
        shown = rows & (np.abs(self.rates * gradient.values) * self._scale > 1.0)
        if among is None and (np.count_nonzero(shown) < _FEWEST or np.ptp(self._magnitudes[shown]) == 0.0):
            return np.nan
        return -float(self.solve([self.rates * gradient.values], among=among)[0])
