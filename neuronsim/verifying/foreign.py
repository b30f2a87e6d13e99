"""One step of any other program, recognised: the rule that leads from its parameters before to those after.

What a program does is a composition: a forward pass and a loss (`assumptions`), a way back (`mistakes`, `passes`), what
is done with the gradient by layer and to biases (`handling`), a factor (`factors`), and the rule that moves parameters
(`updates`). The hypotheses are such compositions with one thing wrong, then with another program's rules and their
numbers, then with two things wrong; where all that fails, each block of parameters is explained by itself (`blocks`).
Simple ones are tried first, and the search ends where one fits (`observed`). Several may fit, because on some networks
different mistakes do the same; then all of them are named.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from neuronsim.basics.arrays import Reals
from neuronsim.engine.runtime import Runtime
from neuronsim.errors import SettingError
from neuronsim.formulas import schedules
from neuronsim.formulas.losses import Loss
from neuronsim.verifying.assumptions import (
    STEEPNESSES,
    as_fann,
    other_activations,
    other_losses,
    smoothed,
    with_steepness,
)
from neuronsim.verifying.blocks import ByBlock, numbers
from neuronsim.verifying.factors import Factors, joined
from neuronsim.verifying.handling import Handling, handlings
from neuronsim.verifying.layout import Layout
from neuronsim.verifying.mistakes import MISTAKES, OTHER_DERIVATIVES, RIGHT_VARIANT, Variant
from neuronsim.verifying.observed import Observed, Precision
from neuronsim.verifying.passes import ROUNDING, Given, Gradient, Passes
from neuronsim.verifying.updates import Updates
from neuronsim.verifying.verdict import NO_STEP, RIGHT, UNDECIDED, UNKNOWN, Hypothesis, Part, Verdict

#: What is this near may be float32's rounding.
_COARSE = 1e-3
#: The right rule is refused in favour of a mistake where it misses by so many times what that does, and rounding.
_MISSED = 3.0
ONE_BY_ONE = "the samples one after the other, each with its own step"
#: Of more samples than this, one-by-one mistakes are not tried; of more than the second, not with another mistake.
_MOST_SINGLE, _MOST_SINGLE_PAIRS = 256, 16
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
    rtol: float = 0.0,
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
    if not 0.0 <= rtol < 1.0:
        raise SettingError(f"rtol={rtol!r}: a part of the step is needed, at least 0 and below 1; 0.003 is 0.3 %")
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
    earlier = None if previous is None else layout.given(previous, "previous")[0]
    given = Given.of(graph, before, x, t, used, rate, reduction == "mean")
    passes = Passes(layout, given)
    found = _judged(passes, reached, earlier, Precision(narrow, ROUNDING[narrow], atol, rtol))
    if dtype is None and narrow == "float64" and found.rule == UNKNOWN and found.nearest.distance <= _COARSE:
        # float64 may hold what was computed in float32, as where a program keeps its rates or sums so
        coarse_one = _judged(passes, reached, earlier, Precision("float32", ROUNDING["float32"], atol, rtol))
        if coarse_one.rule not in (UNKNOWN, UNDECIDED):
            return coarse_one.in_float32()
    return found


def _judged(passes: Passes, after: Reals, previous: Reals | None, precision: Precision) -> Verdict:
    with np.errstate(all="ignore"):  # hypotheses may overflow; what is not finite does not fit
        return _Judge(passes, after, previous, precision).verdict()


def _are_float32(values: Reals) -> bool:
    """Whether all numbers, which may stand in plain lists, are those of a program that computes in float32."""
    known = values[np.isfinite(values)]
    return bool(len(known)) and bool((known == known.astype(np.float32)).all())


def _is_decided(h: Hypothesis, right: Hypothesis) -> bool:
    """Whether a mistake fits, if it does, by more than the right rule misses, which may be rounding for once."""
    return right.fits or not h.fits or h.rule == NO_STEP or right.error >= _MISSED * max(h.error, 1.0)


def _nearness(h: Hypothesis) -> float:
    """Its distance, doubled with each thing that is wrong, and each number that was fitted: they come nearer anyway."""
    return h.distance * 2.0 ** (h.n_parts + h.numbers)


def _simplest(fitting: list[Hypothesis]) -> list[Hypothesis]:
    """Of those that fit the ones with the fewest things wrong, then fitted numbers; each rule once."""
    fewest = min(((h.n_parts, h.numbers) for h in fitting), default=(0, 0))
    return list({h.rule: h for h in fitting if (h.n_parts, h.numbers) == fewest}.values())


class _Judge:
    """Tries every hypothesis on one step."""

    def __init__(self, passes: Passes, after: Reals, previous: Reals | None, precision: Precision) -> None:
        layout = passes.layout
        self.passes, self.layout, self.precision = passes, layout, precision
        self.right = passes.gradient()
        yardstick = Gradient(self.right.values, passes.absolute_sums())
        groups = numbers(layout)
        self.observed = Observed(layout, passes.flat, after, passes.rate, yardstick, precision, groups, passes.n)
        squared = {"half_squared_error": 0.5, "squared_error": 1.0}.get(passes.loss.name, 0.0)
        n_outputs = len(passes.outputs)
        self.factors = Factors(passes.rate, passes.n, passes.mean, n_outputs, squared)
        velocity = None
        if previous is not None:
            moved = np.where(np.isfinite(previous), passes.flat - previous, 0.0)
            velocity = moved * (self.observed.factors > 0.0)
        self.updates = Updates(self.observed, self.factors, velocity)
        self.handlings = dict(handlings(passes, bool(self.observed.known[layout.is_bias].any())))

    def verdict(self) -> Verdict:
        tried = list(self.singles())
        # a mistake fits, and right misses by little more than rounding: no other one is looked for
        is_too_small = not all(_is_decided(h, tried[0]) for h in tried[1:])
        tried = [tried[0], *(h if _is_decided(h, tried[0]) else h.by_chance() for h in tried[1:])]
        fitting = [h for h in tried if h.fits]
        if fitting and not fitting[0].rule.startswith(RIGHT):
            fitting += [h for h in self.right_elsewhere() if h.fits]
        parts: tuple[Part, ...] = ()
        if not fitting and not is_too_small:
            fitting = self._first_fit(
                self.of_right, self.elsewhere, self.transposed, self.pairs, self.pairs_of_samples, self.pairs_elsewhere
            )
            # a rule with a number fitted to the step comes a little nearer than one without; that says nothing
            nearest = min(h.distance for h in tried)
            tried += [h for h in fitting if h.distance < 0.5 * nearest]
            fitting = _simplest([h for h in fitting if h.fits])
        if not fitting or not fitting[0].rule.startswith(RIGHT):
            by_block = ByBlock(self.observed, self.factors, self.gradients(bool(fitting)))
            parts = by_block.parts()
            if not fitting and not is_too_small and by_block.tells(parts):
                fitting = [by_block.hypothesis(parts)]
        others = sorted((h for h in tried if not h.fits), key=_nearness)
        return Verdict((*fitting, *others), parts)

    def _first_fit(self, *sources: Callable[[], Iterator[Hypothesis]]) -> list[Hypothesis]:
        """All hypotheses up to the first group of which one fits; the simpler explanations come first."""
        found: list[Hypothesis] = []
        for source in sources:
            found += source()
            if any(h.fits for h in found):
                break
        return found

    # ── hypotheses ──

    def singles(self) -> Iterator[Hypothesis]:
        """The right step, and every single mistake."""
        right, n, observed = self.right, self.passes.n, self.observed
        yield self._plain()
        for name, gradient in self.passes.mistaken_gradients():
            yield observed.descent(name, gradient)
        for factor in self.factors.singles:
            yield observed.descent(factor.name, right, factor.value)
        for name, handling in self.handlings.items():
            yield observed.descent(name, handling(right))
        if (self.layout.factors < 0.0).any():
            yield observed.descent("frozen parameters moved too", right, factors=np.abs(self.layout.factors))
        yield observed.descent(NO_STEP, right, 0.0)
        if 1 < n <= _MOST_SINGLE:
            for i in range(n):
                yield observed.descent(f"one sample only (row {i})", self.passes.of_samples([i]).gradient())
            yield self.one_by_one()

    def _plain(self) -> Hypothesis:
        """Right: to rounding, or to what ``rtol`` allows, which is said then."""
        found = self.observed.descent(RIGHT, self.right)
        if not self.precision.rtol or not found.fits:
            return found
        off = self.observed.relative_error(self.right)
        return replace(found, rule=f"{RIGHT} to {100.0 * off:.2g} %") if off else found

    def one_by_one(
        self, variant: Variant = RIGHT_VARIANT, handling: Handling | None = None, k: float = 1.0
    ) -> Hypothesis:
        """Every sample's own step, one after the other, in place of one step with all."""
        flat, passes = self.passes.flat, self.passes
        gradient = self.right
        for i in range(passes.n):
            gradient = passes.of_samples([i], flat=flat).gradient(variant)
            gradient = gradient if handling is None else handling(gradient)
            flat = flat - k * self.observed.rates * gradient.values
        tolerance = self.observed.tolerance(gradient, abs(k) * self.observed.rates) * (passes.n if passes.mean else 1)
        is_single = variant == RIGHT_VARIANT and handling is None and k == 1.0
        return self.observed.hypothesis(ONE_BY_ONE, flat, tolerance, fitted=None if is_single else 0)

    def of_right(self) -> Iterator[Hypothesis]:
        """The right gradient with another rate or by another rule, with numbers fitted to the step."""
        yield from self.updates.scaled(RIGHT, self.right)
        yield from self.updates.every(RIGHT, self.right)

    def elsewhere(self) -> Iterator[Hypothesis]:
        """A mistake, another derivative, another loss or another activation than was said, at any rate."""
        for name, gradient in self.passes.mistaken_gradients():
            yield from self.updates.scaled(name, gradient)
        for name, gradient in self.passes.mistaken_gradients(OTHER_DERIVATIVES):
            yield from self.updates.scaled(name, gradient)
        for name, passes in self.programs.items():
            yield from self.updates.scaled(name, passes.gradient())
        if np.isfinite(self.observed.rate_of(self.right)):  # else one number does as well as another
            yield from self.smoothed_labels()
            yield from self.another_steepness()

    def right_elsewhere(self) -> Iterator[Hypothesis]:
        """What a mistake may be: another loss with a right way back, as y - t is cross-entropy's; another rule."""
        yield from self.updates.first_steps(RIGHT, self.right, None)
        for name, passes in other_losses(self.passes):
            if passes.fused:
                yield self.observed.descent(name, passes.gradient(), fitted=0)

    @cached_property
    def programs(self) -> dict[str, Passes]:
        """What the program may compute in place of what was said."""
        every = (other_losses, other_activations, as_fann)
        return {name: passes for source in every for name, passes in source(self.passes)}

    def smoothed_labels(self) -> Iterator[Hypothesis]:
        """Targets moved by the part α towards the same number for all: α by least squares."""
        for name, passes in smoothed(self.passes):
            slope = passes.gradient().values - self.right.values
            left = self.observed.change + self.observed.rates * self.right.values
            (alpha,) = self.observed.solve([-self.observed.rates * slope], left).tolist()
            gradient = Gradient(self.right.values + alpha * slope, passes.gradient().absolute_sums)
            yield self.observed.descent(f"{name} by {alpha:.6g}", gradient, fitted=1)

    def another_steepness(self) -> Iterator[Hypothesis]:
        """f(s z) everywhere with any s, from the best of some: Newton's steps."""
        observed = self.observed

        def at(s: float) -> Gradient:
            return with_steepness(self.passes, s).gradient()

        s = min(STEEPNESSES, key=lambda s: observed.descent("", at(s)).distance)
        for _ in range(8):
            gradient, beside = at(s), at(s * (1.0 + 1e-6))
            slope = -observed.rates * (beside.values - gradient.values) / (1e-6 * s)
            (further,) = observed.solve([slope], observed.change + observed.rates * gradient.values).tolist()
            s = s + further if 0.2 * s < s + further < 5.0 * s else s
        yield observed.descent(f"all neurons are of steepness {s:.6g}", at(s), fitted=1)

    def transposed(self) -> Iterator[Hypothesis]:
        """Matrices handed over as (n_in, n_out): those after, or both."""
        rows = self.passes.transposed_rows()
        if np.array_equal(rows, np.arange(self.layout.size)):
            return
        after = self.observed.after[rows]
        for name, before in (
            ("the matrices after are transposed: give W.T.ravel()", self.passes.flat),
            ("all matrices are transposed: give W.T.ravel(), before and after", self.passes.flat[rows]),
        ):
            other = _Judge(self.passes.having(flat=before), after, None, self.precision)
            for h in (*other.singles(), *other.updates.scaled(RIGHT, other.right)):
                if h.fits:
                    yield replace(h, rule=joined(name, h.rule))

    # ── two things at once ──

    def pairs(self) -> Iterator[Hypothesis]:
        """Every two of: a wrong way back, what is done by layer, another rate or rule."""
        ways = self.passes.variants(MISTAKES) | self.passes.variants(OTHER_DERIVATIVES)
        for name, variant in ways.items():
            yield from self._updated_first(name, variant)
            yield from self._handled(name, self.passes.gradient(variant))
            # adaptive rates are not tried with it: the signs alone do not tell which gradient it was
            yield from self.updates.added(name, self.passes.gradient(variant))
        yield from self._handled(RIGHT, self.right)
        for name, gradient in self._twice_mistaken(ways).items():
            yield from self.updates.scaled(name, gradient)

    def pairs_elsewhere(self) -> Iterator[Hypothesis]:
        """Another loss or activation, and what is done by layer, or another rule."""
        for name, passes in self.programs.items():
            yield from self._handled(name, passes.gradient())
            yield from self.updates.added(name, passes.gradient())

    def _handled(self, rule: str, gradient: Gradient) -> Iterator[Hypothesis]:
        """A gradient as it is, and as it is handled in one way or in two, each at any rate."""
        if rule != RIGHT:
            yield from self.updates.scaled(rule, gradient)
        for name, handling in self.handlings.items():
            yield from self.updates.scaled(joined(rule, name), handling(gradient))
            yield from self.updates.added(joined(rule, name), handling(gradient))
        if rule == RIGHT:
            for (one, first), (two, second) in combinations(self.handlings.items(), 2):
                yield from self.updates.scaled(joined(one, two), second(first(gradient)))

    def _twice_mistaken(self, ways: dict[str, Variant]) -> dict[str, Gradient]:
        both = {joined(a, b): one.with_(two) for (a, one), (b, two) in combinations(ways.items(), 2)}
        return {name: self.passes.gradient(variant) for name, variant in both.items() if variant is not None}

    def _updated_first(self, rule: str, variant: Variant) -> Iterator[Hypothesis]:
        """Hidden δ from weights that were updated with the program's own rate, which the outputs' parameters tell."""
        if variant.back != "updated":
            return
        of_outputs = np.isin(self.layout.sinks, self.passes.outputs)
        others = {RIGHT: RIGHT_VARIANT} | self.passes.variants(MISTAKES) | self.passes.variants(OTHER_DERIVATIVES)
        for name, other in others.items():
            both = variant if other == RIGHT_VARIANT else variant.with_(other)
            k = np.nan if both is None else self.observed.rate_of(self.passes.gradient(both), of_outputs)
            if both is None or not np.isfinite(k) or k == 0.0:
                continue
            named = [f.value for f in self.factors.near(k)]
            for own in (*named, k):
                gradient = self.passes.having(rate=own * self.passes.rate).gradient(both)
                found = list(self._handled(joined(rule, name), gradient))
                yield from found
                if any(h.fits for h in found):
                    break

    def pairs_of_samples(self) -> Iterator[Hypothesis]:
        """Another mistake with one sample only, or with one after the other."""
        ways = self.passes.variants(MISTAKES)
        if not 1 < self.passes.n <= _MOST_SINGLE_PAIRS:
            return
        for i in range(self.passes.n):
            alone = self.passes.of_samples([i])
            for name, variant in {RIGHT: RIGHT_VARIANT, **ways}.items():
                rule = joined(name, f"one sample only (row {i})")
                yield from self._handled(rule, alone.gradient(variant))
        for name, variant in ways.items():
            yield replace(h := self.one_by_one(variant), rule=joined(name, h.rule))
        for name, handling in self.handlings.items():
            yield replace(h := self.one_by_one(handling=handling), rule=joined(name, h.rule))
        for factor in self.factors.singles:
            yield replace(h := self.one_by_one(k=factor.value), rule=joined(factor.name, h.rule))

    def gradients(self, few: bool) -> dict[str, Gradient]:
        """What a block of parameters may have been moved by, right first; many where nothing else explains the step."""
        ways = self.passes.variants(MISTAKES)
        found = {RIGHT: self.right, **{name: self.passes.gradient(variant) for name, variant in ways.items()}}
        if few:
            return found
        for name, handling in self.handlings.items():
            if name.startswith("one number"):
                found[name] = handling(self.right)
        if 1 < self.passes.n <= _MOST_SINGLE_PAIRS:
            for i in range(self.passes.n):
                found[f"one sample only (row {i})"] = self.passes.of_samples([i]).gradient()
        others = self.passes.variants(OTHER_DERIVATIVES)
        found |= {name: self.passes.gradient(variant) for name, variant in others.items()}
        found |= {name: passes.gradient() for name, passes in self.programs.items()}
        return found | self._twice_mistaken(ways | others)
