"""Rules that turn a gradient into a step otherwise: decay, momentum, adaptive rates, clipping; with their numbers."""

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import product

import numpy as np

from neuronsim.basics.arrays import Reals
from neuronsim.verifying.factors import Factors, joined
from neuronsim.verifying.observed import Observed
from neuronsim.verifying.passes import Gradient
from neuronsim.verifying.verdict import Hypothesis

#: First steps k g / (|g|^p + ε)^(1/p) with everybody's defaults: name, p, k, ε. Where a program adds its ε before it
#: divides by 1 - β₂, or 1 - ρ, that is in ε here.
_FIRST_STEPS: tuple[tuple[str, int, float, float], ...] = (
    ("adam", 1, 1.0, 1e-8),
    ("rmsprop", 1, 10.0, 1e-7),
    ("adam as in Keras", 1, 1.0, 1e-7 / float(np.sqrt(1e-3))),
    ("adam as in scikit-learn", 1, 1.0, 1e-8 / float(np.sqrt(1e-3))),
    ("rmsprop as in Keras", 2, float(np.sqrt(10.0)), 1e-6),
    ("adagrad", 1, 1.0, 1e-10),
    ("adagrad as in Keras", 2, 1.0, 0.1 + 1e-7),
    ("rprop, or the gradient's sign alone", 1, 1.0, 0.0),
)
#: An ε this much larger than every |g| leaves nothing of the form.
_FLAT = 1e3
#: What a norm is clipped to, if that is what scaled the gradient.
_NORMS = (0.01, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)


class Updates:
    """Tries them on one observed step.

    Parameters
    ----------
    observed : Observed
    factors : Factors
    velocity : array (n_parameters,) or None
        What the step before has changed.
    """

    def __init__(self, observed: Observed, factors: Factors, velocity: Reals | None) -> None:
        self.observed, self.factors, self.velocity = observed, factors, velocity
        self.digits = observed.digits
        is_weight = np.arange(observed.layout.size) < observed.layout.n_edges
        self.is_weight = is_weight & observed.known

    def scaled(self, rule: str, gradient: Gradient) -> Iterator[Hypothesis]:
        """The gradient with another rate: that of a factor which has a name, or the one that comes nearest."""
        k = self.observed.rate_of(gradient)
        if not np.isfinite(k) or k == 0.0:
            return
        named = False
        for factor in self.factors.near(k):
            if named and factor.is_rounded:
                break
            found = self.observed.descent(self.factors.named(rule, factor), gradient, factor.value, fitted=0)
            named = named or found.fits
            yield found
        if not named:
            yield self.observed.descent(self.factors.off(rule, k), gradient, k, fitted=1)

    def every(self, rule: str, gradient: Gradient) -> Iterator[Hypothesis]:
        """All of them, simple ones first."""
        yield from self.adaptive(rule, gradient)
        yield from self.added(rule, gradient)
        yield from self.clipped(rule, gradient)

    # ── decay and momentum ──

    def added(self, rule: str, gradient: Gradient) -> Iterator[Hypothesis]:
        """-μ g, or k times that, and a decay, a momentum or both: least squares for their numbers."""
        plain = -self.observed.rates * gradient.values
        if not self.observed.may_fit([plain, *self._every_column]):
            return
        for some in self._additions:
            columns = [column for _, column in some]
            found = self.observed.solve(columns, self.observed.change - plain)
            if not np.isfinite(found).all():
                continue
            names = [name.format(c, digits=self.digits) for (name, _), c in zip(some, found, strict=True)]
            shift = np.einsum("c,cp->p", found, np.array(columns))
            if not self._all_show(found, some):
                continue
            fixed = self.observed.descent(joined(rule, *names), gradient, shift=shift, fitted=len(found))
            yield fixed
            if fixed.fits:
                return
            k, *found = self.observed.solve([plain, *columns]).tolist()
            if not np.isfinite(self.observed.rate_of(gradient)):
                continue
            if not np.isfinite(k) or not self._all_show(found, some):
                continue
            yield self._at(k, rule, gradient, some, found)

    def _at(
        self, k: float, rule: str, gradient: Gradient, some: list[tuple[str, Reals]], found: list[float]
    ) -> Hypothesis:
        """At a rate of its own, which may have a name."""
        names = [name.format(c, digits=self.digits) for (name, _), c in zip(some, found, strict=True)]
        columns = np.array([column for _, column in some])
        for factor in self.factors.near(k):
            left = self.observed.change + factor.value * self.observed.rates * gradient.values
            others = self.observed.solve(list(columns), left)
            called = [name.format(c, digits=self.digits) for (name, _), c in zip(some, others, strict=True)]
            named = self.factors.named(joined(rule, *called), factor)
            h = self.observed.descent(
                named, gradient, factor.value, shift=np.einsum("c,cp->p", others, columns), fitted=len(columns)
            )
            if h.fits:
                return h
        shift = np.einsum("c,cp->p", np.array(found), columns)
        rule = self.factors.off(joined(rule, *names), k)
        return self.observed.descent(rule, gradient, k, shift=shift, fitted=1 + len(found))

    def _all_show(self, found: Iterable[float], some: list[tuple[str, Reals]]) -> bool:
        """Whether each of them moves some parameter by more than rounding does, and no momentum is above 1."""
        known, floor = self.observed.known, self.observed.exact
        return all(
            (np.abs(c * column) > floor)[known].any() and (abs(c) <= 1.0 or "momentum" not in name)
            for c, (name, column) in zip(found, some, strict=True)
        )

    @cached_property
    def _every_column(self) -> list[Reals]:
        """Decay and momentum, of weights and of biases: what all additions are sums of."""
        columns = (column for some in self._additions for _, column in some)
        parts = [column * among for column in columns for among in (self.is_weight, ~self.is_weight)]
        shown = [part for part in parts if part[self.observed.known].any()]
        return list({part.tobytes(): part for part in shown}.values())

    @cached_property
    def _additions(self) -> list[list[tuple[str, Reals]]]:
        observed = self.observed
        decay = -observed.rates * observed.before
        decays = [("weight decay of {:.{digits}g}", decay * self.is_weight)]
        if (decay * ~self.is_weight)[observed.known].any():
            decays.append(("weight decay of {:.{digits}g}, on biases, too", decay))
        momenta: list[tuple[str, Reals]] = []
        if self.velocity is not None:
            momenta = [("momentum of {:.{digits}g}", self.velocity)]
            if (self.velocity * ~self.is_weight)[observed.known].any():
                momenta.append(("momentum of {:.{digits}g} on weights only", self.velocity * self.is_weight))
        return [[one] for one in (*decays, *momenta)] + [list(two) for two in product(decays, momenta)]

    # ── adaptive rates ──

    def adaptive(self, rule: str, gradient: Gradient) -> Iterator[Hypothesis]:
        """First steps of adam and its family: k g / (|g| + ε), or k g / √(g² + ε), with k and ε by least squares."""
        moved = self.observed.moved
        yield from self.first_steps(rule, gradient)
        k = self.observed.rate_of(Gradient(np.sign(gradient.values), gradient.absolute_sums))
        name = f"first step of rprop, or the gradient's sign alone, by {k * self.factors.rate:.6g}"
        yield moved(joined(rule, name), lambda g: k * np.sign(g), gradient, fitted=1)
        yield from self._decoupled(rule, gradient)
        for power in (1, 2):
            yield from self._fitted(rule, gradient, power)

    def first_steps(self, rule: str, gradient: Gradient, fitted: int | None = 0) -> Iterator[Hypothesis]:
        """With everybody's defaults."""
        for name, power, k, epsilon in _FIRST_STEPS:
            move = _over_root(power, k, epsilon)
            yield self.observed.moved(joined(rule, f"first step of {name}"), move, gradient, fitted=fitted)

    def _decoupled(self, rule: str, gradient: Gradient) -> Iterator[Hypothesis]:
        """Adam and its family with a decay of its own, as AdamW has it.

        Δ = -κ μ g / (|g| + ε) - λ μ w, times |g| + ε, is linear in κ, ε, λ and λε.
        """
        observed, size = self.observed, np.abs(gradient.values)
        for (name, column), *others in self._additions:
            if others or "momentum" in name:
                continue
            for preset in (*_FIRST_STEPS, None):
                if preset is None:
                    columns = [-observed.rates * gradient.values, -observed.change, column * size, column]
                    found = observed.solve(columns, observed.change * size)
                    k, epsilon, fitted = float(found[0]), max(float(found[1]), 0.0), 3
                    said = f"{_family(k, epsilon, 1)}: {k:.6g} g / (|g| + {epsilon:.3g})"
                    move = _over_root(1, k, epsilon)
                else:
                    said, move, fitted = preset[0], _over_root(*preset[1:]), 1
                (decay,) = observed.solve([column], observed.change + observed.rates * move(gradient.values)).tolist()
                if np.isfinite(decay) and self._all_show([decay], [(name, column)]):
                    decayed = name.format(decay, digits=self.digits)
                    called = joined(rule, f"first step of {said}, and decoupled {decayed}")
                    yield observed.moved(called, move, gradient, shift=decay * column, fitted=fitted)

    def _fitted(self, rule: str, gradient: Gradient, power: int) -> Iterator[Hypothesis]:
        observed = self.observed
        size, rates = np.abs(gradient.values), observed.rates
        rows = np.flatnonzero(observed.known & (size > 0.0) & (rates > 0.0) & (observed.change != 0.0))
        if len(rows) < 3:
            return
        a, s = size[rows] ** power, (np.abs(observed.change[rows]) / rates[rows]) ** power
        relative = observed.exact[rows] / np.abs(observed.change[rows])
        relative = relative + observed.rounding * observed.right.absolute_sums[rows] / size[rows]
        k, epsilon = _of_root(a, s, np.maximum(relative, 1e-300))
        k **= 1.0 / power
        if not (np.isfinite(k) and epsilon < _FLAT * a.max()):  # else it is g itself, times a factor
            return
        form = f"{k:.6g} g / (|g| + {epsilon:.3g})" if power == 1 else f"{k:.6g} g / √(g² + {epsilon:.3g})"
        name = joined(rule, f"first step of {_family(k, epsilon, power)}: {form}")
        yield observed.moved(name, _over_root(power, k, epsilon), gradient, fitted=2)

    # ── clipping ──

    def clipped(self, rule: str, gradient: Gradient) -> Iterator[Hypothesis]:
        """The whole gradient cut to a norm, or each number of it to a limit."""
        observed = self.observed
        norm = float(np.linalg.norm(gradient.values))
        k = observed.rate_of(gradient)
        for most in _NORMS:
            if observed.known.all() and norm > most and abs(k * norm - most) < 1e-2 * most:
                name = joined(rule, f"the gradient clipped to the norm {most:g}")
                for beside in (0.0, 1e-6):  # PyTorch divides by ‖g‖ + 1e-6
                    yield observed.descent(name, gradient, most / (norm + beside), fitted=0)
        steps = np.abs(observed.change[observed.known & (observed.rates > 0.0)])
        rates = observed.rates[observed.known & (observed.rates > 0.0)]
        limit = float((steps / rates).max(initial=0.0))
        if limit > 0.0 and (np.abs(gradient.values[observed.known]) > limit).any():
            name = joined(rule, f"each gradient clipped to {limit:.6g}")
            yield observed.moved(name, lambda g: np.clip(g, -limit, limit), gradient, fitted=1)


def _over_root(power: int, k: float, epsilon: float) -> Callable[[Reals], Reals]:
    """K g / (|g|^p + ε)^(1/p); 0 where g is 0."""

    def move(g: Reals) -> Reals:
        root = (np.abs(g) ** power + epsilon) ** (1.0 / power)
        return k * g / np.where(root > 0.0, root, 1.0)

    return move


def _of_root(a: Reals, s: Reals, relative: Reals) -> tuple[float, float]:
    """κ and ε of s = κ a / (a + ε): s a = κ a - ε s, which is linear, each row by its own rounding."""
    weights = 1.0 / (relative * s * a)
    columns = np.stack([a * weights, -s * weights], axis=1)
    norms = np.linalg.norm(columns, axis=0)
    if not (np.isfinite(columns).all() and norms.all()):
        return np.nan, np.nan
    kappa, epsilon = np.linalg.lstsq(columns / norms, s * a * weights, rcond=None)[0] / norms
    if kappa > 0.0 and epsilon > 0.0:
        return float(kappa), float(epsilon)
    return float(np.average(s, weights=1.0 / (relative * s) ** 2)), 0.0


def _family(k: float, epsilon: float, power: int) -> str:
    """Which optimiser starts with such a k and ε."""
    near = {
        "adam or adagrad": 1.0,
        "rmsprop with ρ = 0.9, or adam without bias correction": np.sqrt(10.0),
        "rmsprop with ρ = 0.99": 10.0,
        "rmsprop with ρ = 0.999": np.sqrt(1000.0),
        "rmsprop with ρ = 0.95": np.sqrt(20.0),
    }
    found = next((name for name, value in near.items() if abs(k - value) < 1e-4 * value), "")
    if power == 2 and found == "adam or adagrad":
        return "adagrad"
    if power == 2 and epsilon and abs(k * k - epsilon) < 1e-2 * epsilon:
        return "adadelta"
    return found or "an adaptive rule, as adam, rmsprop or adagrad"
