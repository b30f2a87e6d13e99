"""One step of any other program, recognised: the rule that leads from its parameters before to those after.

Every hypothesis is the lectures' step with one mistake in it, computed in float64 from the formulas, not by the
kernels. It fits where all parameters come out to within what rounding explains: 1e-12 (float64) or 1e-5 (float32) of
the absolute sum of each gradient (`neuronsim.formulas.rounding`), and some ulps of the parameter. Several may fit,
because on some networks different mistakes do the same; then all of them are named.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuronsim.basics.arrays import Reals
from neuronsim.engine.runtime import Runtime
from neuronsim.errors import DataError, SettingError
from neuronsim.formulas import schedules
from neuronsim.formulas.losses import Loss
from neuronsim.verifying.layout import Layout
from neuronsim.verifying.mistakes import MISTAKES
from neuronsim.verifying.passes import ROUNDING, Gradient, Passes
from neuronsim.verifying.verdict import NO_STEP, RIGHT, WRONG_SIGN, Hypothesis, Verdict

#: Rounding of a parameter's update, in ulps of it.
_ULPS = 4.0
#: Of more samples than this, one-by-one mistakes are not tried.
_MOST_SINGLE = 256
#: A fitted number explains a step of at least so many parameters: one alone it would always explain.
_FEWEST = 2
#: A step with given gradients and no rate is made so large that rounding of the parameters does not show.
_FAR = 2.0**20


def check_foreign(
    runtime: Runtime,
    X: ArrayLike,
    T: ArrayLike,
    after: Any = None,
    *,
    gradients: Any = None,
    learning_rate: float | None = None,
    loss: str | Loss | None = None,
    reduction: str = "mean",
    previous: Any = None,
    dtype: Any = None,
    atol: float = 0.0,
) -> Verdict:
    """Recognise one plain gradient step of another program by its result; ``Network.check_foreign`` says how."""
    if reduction not in ("mean", "sum"):
        raise SettingError(f"unknown reduction {reduction!r}; allowed: mean, sum")
    if (after is None) == (gradients is None):
        raise SettingError("give what the program made: its parameters after the step, or its gradients=")
    if learning_rate is None and gradients is None:
        raise SettingError("parameters after a step take its learning_rate=")
    rate = float(schedules.resolve(_FAR if learning_rate is None else learning_rate).rates(0, 1, 0)[0])
    if not rate > 0.0:
        raise SettingError("a learning rate of 0 changes nothing, so nothing can be recognised; give the program's own")
    if not 0.0 <= atol < np.inf:
        raise SettingError(f"atol={atol!r}: a finite number of at least 0 is needed")
    runtime.engine()
    x, t, used = runtime.data(X, T, loss)
    graph = runtime.graph
    layout = Layout(graph)
    reached, coarse = layout.given(after, "after") if gradients is None else layout.given(gradients, "gradients")
    is_coarse = np.float32 in (coarse, graph.dtype) or _are_float32(reached)
    narrow = np.dtype(dtype or (np.float32 if is_coarse else np.float64)).name
    if narrow not in ROUNDING:
        raise SettingError(f"dtype {narrow!r}: float32 or float64 is needed")
    before = layout.flat(graph.weights, graph.biases, graph.slopes)
    if gradients is not None:
        reached = before - rate * np.maximum(layout.factors, 0.0) * reached
    passes = Passes(layout, before, x, t, used, rate, reduction == "mean")
    earlier = None if previous is None else layout.given(previous, "previous")[0]
    return _Judge(passes, reached, earlier, narrow, atol).verdict()


def _are_float32(values: Reals) -> bool:
    """Whether all numbers, which may stand in plain lists, are those of a program that computes in float32."""
    known = values[np.isfinite(values)]
    return bool(len(known)) and bool((known == known.astype(np.float32)).all())


class _Judge:
    """Tries every hypothesis on one step."""

    def __init__(self, passes: Passes, after: Reals, previous: Reals | None, dtype: str, atol: float) -> None:
        self.passes, self.after, self.previous, self.atol = passes, after, previous, atol
        self.layout = passes.layout
        self.known = np.isfinite(after)
        self.rate, self.before = passes.rate, passes.flat
        self.factors = np.maximum(passes.layout.factors, 0.0)
        self.change = after - self.before
        self.right = passes.gradient()
        self.absolute_sums = passes.absolute_sums()
        self.rounding = ROUNDING[dtype]
        self.ulps = _ULPS * float(np.finfo(dtype).eps) * (np.abs(self.before) + np.abs(after)) + atol

    def verdict(self) -> Verdict:
        tried = list(self.singles())
        fitting = [h for h in tried if h.fits]
        if not fitting:
            fitting = list(self._first_fit(self.other_rules(), self.pairs()))
            # a rule with a number fitted to the step comes a little nearer than one without; that says nothing
            nearest = min(h.distance for h in tried)
            tried += [h for h in fitting if h.distance < 0.5 * nearest]
        others = sorted((h for h in tried if not h.fits), key=lambda h: h.distance)
        return Verdict((*(h for h in fitting if h.fits), *others))

    def _first_fit(self, *sources: Iterator[Hypothesis]) -> Iterator[Hypothesis]:
        """All hypotheses of the first group of which one fits; the simpler explanations come first."""
        for source in sources:
            found = list(source)
            yield from found
            if any(h.fits for h in found):
                return

    # ── hypotheses ──

    def singles(self) -> Iterator[Hypothesis]:
        """The right step, and every single mistake."""
        right, n = self.right, self.passes.n
        yield self.descent(RIGHT, right)
        for name, gradient in self.passes.mistaken_gradients():
            yield self.descent(name, gradient)
        if self.passes.mean:
            yield self.descent("summed instead of averaged", right, n)
        else:
            yield self.descent("averaged instead of summed", right, 1.0 / n)
        yield self.descent("twice the gradient (the loss's ½ left out)", right, 2.0)
        yield self.descent("half the gradient (a ½ too many)", right, 0.5)
        n_outputs = len(self.passes.outputs)
        if self.passes.loss.name == "half_squared_error" and n_outputs not in (1, 2, 4):  # else it is one of the above
            yield self.descent("the mean squared error over the outputs", right, 2.0 / n_outputs)
        yield self.descent(WRONG_SIGN, right, -1.0)
        if self.known[self.layout.is_bias].any():
            yield self.descent("bias not trained", right, ~self.layout.is_bias)
        is_output = np.isin(self.layout.sinks, self.passes.outputs)
        if not is_output.all():
            yield self.descent("hidden neurons not trained", right, is_output)
        if (self.layout.factors < 0.0).any():
            yield self.descent("frozen parameters moved too", right, factors=np.abs(self.layout.factors))
        yield self.descent(NO_STEP, right, 0.0)
        if 1 < n <= _MOST_SINGLE:
            for i in range(n):
                yield self.descent(f"one sample only (row {i})", self.passes.of_samples([i]).gradient())
            yield self.one_by_one()

    def scaled(self, name: str, gradient: Gradient) -> Iterator[Hypothesis]:
        """The same with another learning rate, the one that comes nearest."""
        if self.known.sum() < _FEWEST:
            return
        k = -self._least_squares(self.rate * self.factors * gradient.values, self.change)
        off = f"learning rate off by factor {abs(k):.6g}"
        off = off if k >= 0 else f"{WRONG_SIGN}; {off}"
        yield self.descent(off if name == RIGHT else f"{name}; {off}", gradient, k)

    def other_rules(self) -> Iterator[Hypothesis]:
        """Right gradients, used with another rate or by another rule, with weight decay or momentum."""
        rounded = float(np.float32(self.rate))  # C's 0.7f, in a program that computes in float64 otherwise
        if rounded != self.rate:
            name = f"{RIGHT} (rate {rounded:.9g} rather than {self.rate:.9g})"
            yield self.descent(name, self.right, rounded / self.rate)
        for beta in (0.9, 0.99, 0.95, 0.5):
            yield self.descent(f"first step of nesterov, momentum {beta:g}", self.right, 1.0 + beta)
        yield self.moved("first step of adam", lambda g: g / (np.abs(g) + 1e-8))
        yield self.moved("first step of rmsprop", lambda g: g / (0.1 * np.abs(g) + 1e-8))
        yield self.moved("first step of rprop, or the gradient's sign alone", np.sign)
        if self.known.sum() < _FEWEST:
            return
        is_weight = np.arange(self.layout.size) < self.layout.n_edges
        left = self.change + self.rate * self.factors * self.right.values
        decay = -self._least_squares(self.rate * self.factors * self.before * is_weight, left)
        shift = -self.rate * self.factors * decay * self.before * is_weight
        yield self.descent(f"weight decay of {decay:.6g}", self.right, shift=shift)
        if self.previous is not None:
            velocity = np.where(np.isfinite(self.previous), self.before - self.previous, 0.0) * (self.factors > 0.0)
            beta = self._least_squares(velocity, left)
            yield self.descent(f"momentum of {beta:.6g}", self.right, shift=beta * velocity)
        yield from self.scaled(RIGHT, self.right)

    def pairs(self) -> Iterator[Hypothesis]:
        """Two mistakes at once: a wrong backward pass, and biases left alone or another learning rate."""
        for name, gradient in self.passes.mistaken_gradients():
            yield self.descent(f"{name}; bias not trained", gradient, ~self.layout.is_bias)
            yield from self.scaled(name, gradient)
        yield from self.updated_first_at_another_rate()
        without = Gradient(self.right.values * ~self.layout.is_bias, self.right.absolute_sums)
        yield from self.scaled("bias not trained", without)

    def updated_first_at_another_rate(self) -> Iterator[Hypothesis]:
        """Hidden δ from weights that were updated with the program's own rate, which the outputs' parameters tell."""
        of_outputs = self.known & np.isin(self.layout.sinks, self.passes.outputs)
        if of_outputs.sum() < _FEWEST:
            return
        rates = self.rate * self.factors * self.right.values
        k = -self._least_squares(rates * of_outputs, self.change * of_outputs)
        if not np.isfinite(k) or k == 0.0:
            return
        for name, gradient in self.passes.at_rate(k * self.rate).mistaken_gradients():
            if MISTAKES[name].back == "updated":
                yield self.descent(f"{name}; learning rate off by factor {k:.6g}", gradient, k)

    def one_by_one(self) -> Hypothesis:
        """Every sample's own step, one after the other, in place of one step with all."""
        flat = self.before
        for i in range(self.passes.n):
            g = self.passes.of_samples([i], flat).gradient().values
            flat = flat - self.rate * self.factors * g
        sizes = self.right.absolute_sums * (self.passes.n if self.passes.mean else 1)
        rule = "the samples one after the other, each with its own step"
        return self._compared(rule, flat, Gradient(g, sizes), self.rate * self.factors)

    # ── comparisons ──

    def descent(
        self,
        rule: str,
        gradient: Gradient,
        k: float | NDArray[np.bool_] = 1.0,
        *,
        factors: Reals | None = None,
        shift: Reals | float = 0.0,
    ) -> Hypothesis:
        """w - k μ g + shift."""
        rates = self.rate * (self.factors if factors is None else factors)
        return self._compared(rule, self.before - k * rates * gradient.values + shift, gradient, np.abs(k) * rates)

    def moved(self, rule: str, move: Callable[[Reals], Reals]) -> Hypothesis:
        """w - μ · move(g): rounding of g shows as far as ``move`` lets it."""
        rates, g = self.rate * self.factors, self.right.values
        off = self.rounding * (self.absolute_sums + self.right.absolute_sums)
        tolerance = rates * np.maximum(np.abs(move(g + off) - move(g)), np.abs(move(g - off) - move(g)))
        tolerance = tolerance + rates * self.rounding * np.abs(move(g))
        return self._hypothesis(rule, self.before - rates * move(g), tolerance)

    def _compared(self, rule: str, predicted: Reals, gradient: Gradient, rates: Reals) -> Hypothesis:
        return self._hypothesis(rule, predicted, rates * self.rounding * (self.absolute_sums + gradient.absolute_sums))

    def _hypothesis(self, rule: str, predicted: Reals, tolerance: Reals) -> Hypothesis:
        known = self.known
        off = np.abs(self.after - predicted)
        over = off[known] / np.maximum((tolerance + self.ulps)[known], np.finfo(np.float64).tiny)
        if not len(over):
            raise DataError("after holds no parameters: there is nothing to recognise")
        worst = int(over.argmax())
        moved = np.linalg.norm(self.change[known]) or np.linalg.norm((predicted - self.before)[known])
        distance = np.linalg.norm(off[known]) / moved if moved else 0.0
        return Hypothesis(
            rule, float(distance), float(over[worst]), self.layout.label(int(np.flatnonzero(known)[worst]))
        )

    def _least_squares(self, x: Reals, y: Reals) -> float:
        """k of y ≈ k x, each row by its own rounding."""
        scale = 1.0 / np.maximum(self.ulps + self.rate * self.rounding * self.absolute_sums, np.finfo(np.float64).tiny)
        x, y = (x * scale)[self.known], (y * scale)[self.known]
        whole = float(x @ x)
        return float(x @ y) / whole if whole else 0.0
