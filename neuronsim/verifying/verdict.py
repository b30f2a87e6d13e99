"""What was found about another program's step: every hypothesis tried, and which of them fit."""

from dataclasses import dataclass, replace
from typing import Any

from neuronsim.documents.explanation import Explained
from neuronsim.documents.section import Section
from neuronsim.errors import CheckError
from neuronsim.verifying.checks import facts

RIGHT = "right"
UNKNOWN = "unknown"
UNDECIDED = "undecided"
NO_STEP = "no step"
WRONG_SIGN = "wrong sign"
_SHOWN = 6
#: A guess that leaves more than this part of the step unexplained is none.
_FARTHEST = 0.5


def _is_right(rule: str) -> bool:
    """Whether it is the right rule, perhaps with the rate as another program rounds it, or to what ``rtol`` allows."""
    return rule == RIGHT or rule.startswith((f"{RIGHT} (", f"{RIGHT} to "))


@dataclass(frozen=True)
class Hypothesis:
    """What one rule would have done.

    Attributes
    ----------
    rule : str
        "right", or the mistake.
    distance : float
        ‖after - predicted‖ ÷ ‖after - before‖: 0 is exact, 1 explains nothing. Where nothing moved, of ‖predicted -
        before‖.
    error : float
        Distance of the worst parameter over what rounding explains; it fits where this is at most 1.
    worst : str
        That parameter: ``w[i1→h1]``, ``b[h1]`` or ``slope[h1]``.
    numbers : int
        How many numbers were fitted to the step for it: a factor, a decay, an ε.
    """

    rule: str
    distance: float
    error: float
    worst: str
    numbers: int = 0

    def by_chance(self) -> "Hypothesis":
        """The same where its fit says nothing: it counts as infinitely far off."""
        return replace(self, distance=float("inf"), error=float("inf"))

    @property
    def n_parts(self) -> int:
        """How many things differ from the right rule."""
        return 1 + self.rule.count("; ")

    @property
    def fits(self) -> bool:
        """Whether rounding explains all that is left."""
        return self.error <= 1.0


@dataclass(frozen=True)
class Part:
    """What explains one block of parameters.

    Attributes
    ----------
    block : str
        "layer 2 W", "layer 2 b" or "layer 2 slopes"; a layer is what is as far from the inputs, 1 the first.
    rule : str
        "right", a mistake, or "unknown".
    factor : float
        That of the learning rate with which it fits: 1 where nothing is wrong with it, 0 where nothing moved.
    n_parameters : int
        How many were compared.
    """

    block: str
    rule: str
    factor: float
    n_parameters: int

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong with it."""
        return self.rule == RIGHT and self.factor == 1.0

    @property
    def what(self) -> str:
        """In words: "right", "2 ×", "not moved", or the mistake."""
        if self.ok or self.rule == UNKNOWN:
            return self.rule
        if self.rule == RIGHT and self.factor == 0.0:
            return "not moved"
        times = "" if self.factor == 1.0 else f"{self.factor:.6g} ×"
        return ", ".join(part for part in (self.rule if self.rule != RIGHT else "", times) if part)


def of_parts(parts: tuple[Part, ...]) -> str:
    """What is wrong where, in one line."""
    wrong = [f"{part.block}: {part.what}" for part in parts if not part.ok]
    return "; ".join([*wrong, *(["everything else right"] if len(wrong) < len(parts) else [])])


@dataclass(frozen=True)
class Verdict(Explained):
    """Which rule a step followed.

    Attributes
    ----------
    hypotheses : tuple of Hypothesis
        Those that fit, in the order in which they are tried, "right" first; then the others, nearest first.
    by_block : tuple of Part
        What explains the weights and the biases of each layer, each by itself.
    """

    hypotheses: tuple[Hypothesis, ...]
    by_block: tuple[Part, ...] = ()

    @property
    def rule(self) -> str:
        """The rule that fits, "right" where that is one of them; "unknown" where none does.

        "undecided" where right would be no step, or one the other way, as well: it is too small beside rounding.
        """
        if not self.hypotheses[0].fits:
            return UNKNOWN
        first = self.hypotheses[0].rule
        return UNDECIDED if _is_right(first) and {NO_STEP, WRONG_SIGN} & set(self.fits) else first

    @property
    def fits(self) -> tuple[str, ...]:
        """All rules that fit: on this network and data they cannot be told apart."""
        return tuple(h.rule for h in self.hypotheses if h.fits)

    @property
    def where(self) -> tuple[str, ...]:
        """The blocks of parameters that did not come out as they should."""
        return tuple(part.block for part in self.by_block if not part.ok)

    @property
    def nearest(self) -> Hypothesis:
        """The one that fits, or comes nearest."""
        return self.hypotheses[0]

    @property
    def runner_up(self) -> Hypothesis:
        """The nearest that does not fit, after ``nearest``."""
        return next((h for h in self.hypotheses[1:] if not h.fits), self.hypotheses[-1])

    @property
    def ok(self) -> bool:
        """Whether the right rule fits."""
        return _is_right(self.rule)

    def in_float32(self) -> "Verdict":
        """The same, said of numbers in float64 that are only as good as float32's."""
        fitting = (replace(h, rule=f"{h.rule} (as float32 computes)") for h in self.hypotheses if h.fits)
        return replace(self, hypotheses=(*fitting, *(h for h in self.hypotheses if not h.fits)))

    def assert_ok(self) -> None:
        """Raise CheckError unless the right rule fits; the message is ``str(self)``."""
        if not self.ok:
            raise CheckError(str(self))

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        hypotheses = [facts(h) for h in self.hypotheses]
        return {
            "rule": self.rule,
            "ok": self.ok,
            "fits": list(self.fits),
            "where": list(self.where),
            "by_block": [facts(part) for part in self.by_block],
            "hypotheses": hypotheses,
        }

    def _explanation(self) -> Section:
        n_shown = _SHOWN if self.rule == UNDECIDED else max(_SHOWN, len(self.fits) + 1)
        rows = [("rule", "distance", "error / tolerance", "worst at")]
        rows += [(h.rule, f"{h.distance:.3g}", f"{h.error:.3g}", h.worst) for h in self.hypotheses[:n_shown]]
        remarks = ["distance: ‖after − predicted‖ / ‖after − before‖"]
        if self.where and not self.ok:
            remarks.append(f"by block: {of_parts(self.by_block)}")
        return Section(self._sentence(), tuple(rows), tuple(remarks))

    def _sentence(self) -> str:
        if self.rule == UNKNOWN:
            near, next_ = self.nearest, self.runner_up
            if not near.distance <= _FARTHEST:
                return "unknown: no rule fits, and none comes near"
            return f"unknown: no rule fits; nearest is {near.rule!r} ({near.distance:.3g}), then {next_.rule!r}"
        if self.rule == UNDECIDED:
            told = [rule for rule in (NO_STEP, WRONG_SIGN) if rule in self.fits]
            n = len(self.fits) - 1 - len(told)
            others = "; ".join([*told, *([f"{n} more"] if n else [])])
            return (
                f"undecided: the step is so small beside rounding that these fit as well as right: {others}; "
                "give a larger learning rate, or another sample"
            )
        others = "; ".join(self.fits[1:])
        return f"the step is: {self.rule}" + (f"; here it cannot be told apart from: {others}" if others else "")
