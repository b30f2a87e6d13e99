"""What was found about another program's step: every hypothesis tried, and which of them fit."""

from dataclasses import dataclass
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


def _is_right(rule: str) -> bool:
    """Whether it is the right rule, perhaps with the rate as another program rounds it."""
    return rule == RIGHT or rule.startswith(f"{RIGHT} (")


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
    """

    rule: str
    distance: float
    error: float
    worst: str

    @property
    def fits(self) -> bool:
        """Whether rounding explains all that is left."""
        return self.error <= 1.0


@dataclass(frozen=True)
class Verdict(Explained):
    """Which rule a step followed.

    Attributes
    ----------
    hypotheses : tuple of Hypothesis
        Those that fit, in the order in which they are tried, "right" first; then the others, nearest first.
    """

    hypotheses: tuple[Hypothesis, ...]

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

    def assert_ok(self) -> None:
        """Raise CheckError unless the right rule fits; the message is ``str(self)``."""
        if not self.ok:
            raise CheckError(str(self))

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        hypotheses = [facts(h) for h in self.hypotheses]
        return {"rule": self.rule, "ok": self.ok, "fits": list(self.fits), "hypotheses": hypotheses}

    def _explanation(self) -> Section:
        n_shown = max(_SHOWN, len(self.fits) + 1)
        rows = [("rule", "distance", "error / tolerance", "worst at")]
        rows += [(h.rule, f"{h.distance:.3g}", f"{h.error:.3g}", h.worst) for h in self.hypotheses[:n_shown]]
        return Section(self._sentence(), tuple(rows), ("distance: ‖after − predicted‖ / ‖after − before‖",))

    def _sentence(self) -> str:
        if self.rule == UNKNOWN:
            near, next_ = self.nearest, self.runner_up
            return f"unknown: no rule fits; nearest is {near.rule!r} ({near.distance:.3g}), then {next_.rule!r}"
        others = "; ".join(self.fits[1:])
        if self.rule == UNDECIDED:
            return (
                f"undecided: the step is so small beside rounding that these fit as well as right: {others}; "
                "give a larger learning rate, or another sample"
            )
        return f"the step is: {self.rule}" + (f"; here it cannot be told apart from: {others}" if others else "")
