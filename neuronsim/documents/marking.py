"""Answers to a worksheet, marked: rounding is accepted, and wrong ones are told how they came about."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from neuronsim.basics.checked import is_whole
from neuronsim.documents.notation import number
from neuronsim.documents.section import Section
from neuronsim.documents.written import Written, written
from neuronsim.errors import DataError

Slips = tuple[tuple[str, float], ...]
"""What people write in place of an answer, and how it comes about: ("f'(z) is forgotten", 0.0367)."""

#: Intermediate results that were rounded move the last digit asked for by so many.
_UNITS = 2.0
_NEARER = 0.45
#: Fewer digits than are asked for are accepted down to so many, if rounded rightly.
_FEWEST_DIGITS = 2
_ROUNDING = 1.0 + 1e-9
_LINE = re.compile(r"\s*\(?(\d+)\s*[).:=]+\s*(.*?)\s*")


class Blank(NamedTuple):
    """What belongs into a blank.

    Attributes
    ----------
    right : float
        The answer, not rounded.
    digits : int
        Significant ones that are asked for.
    slips : tuple of (str, float)
        How people get it wrong, and what they get then.
    """

    right: float
    digits: int
    slips: Slips


@dataclass(frozen=True)
class MarkedAnswer:
    """One blank.

    Attributes
    ----------
    number : int
        Of the blank, from 1.
    given : str
        What was written.
    ok : bool
        Whether it is right.
    remark : str
        "", or what is to be said of it: how it was rounded, or how the wrong number came about.
    right : float
        What belongs there.
    digits : int
        Significant ones that were asked for.
    """

    number: int
    given: str
    ok: bool
    remark: str
    right: float
    digits: int


@dataclass(frozen=True)
class Marking:
    """What ``worksheet.grade`` returns.

    Attributes
    ----------
    answers : tuple of MarkedAnswer
        Every blank.
    """

    answers: tuple[MarkedAnswer, ...]

    @property
    def points(self) -> int:
        """How many are right."""
        return sum(answer.ok for answer in self.answers)

    @property
    def out_of(self) -> int:
        """How many blanks there are."""
        return len(self.answers)

    @property
    def ok(self) -> bool:
        """Whether all are right."""
        return self.points == self.out_of

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {"points": self.points, "out_of": self.out_of, "answers": [asdict(answer) for answer in self.answers]}

    def __str__(self) -> str:
        return self._section().text()

    def _repr_html_(self) -> str:
        return self._section().to_html()

    def _section(self) -> Section:
        rows = tuple(
            (f"({a.number})", a.given or "–", "right" if a.ok else "wrong", a.remark, self._right(a))
            for a in self.answers
        )
        return Section(f"{self.points} of {self.out_of} right", rows)

    @staticmethod
    def _right(a: MarkedAnswer) -> str:
        return "" if a.ok else f"right is {number(a.right, a.digits)}"


def marked(answers: Any, blanks: Sequence[Blank]) -> Marking:
    """Compare answers with what belongs into the blanks; ``Worksheet.grade`` says how they may be given."""
    by_number = _by_number(answers, len(blanks))
    found = (_marked(k, by_number.get(k, ""), blank) for k, blank in enumerate(blanks, 1))
    return Marking(tuple(found))


def tolerance(right: float, digits: int, slips: Slips = ()) -> float:
    """How far an answer may be off: two units of the last digit asked for, and nearer to it than to a slip."""
    nearest = min((abs(value - right) for _, value in slips), default=math.inf)
    return max(min(_UNITS * _unit(right, digits), _NEARER * nearest), 0.5 * _unit(right, digits))


def told(right: float, digits: int, slips: Slips) -> Slips:
    """The slips that so many digits tell from the answer."""
    return tuple(slip for slip in slips if abs(slip[1] - right) > _unit(right, digits))


def _unit(value: float, digits: int) -> float:
    """One in the last of so many significant digits."""
    exponent = math.floor(math.log10(abs(value))) if value else 0
    return float(f"1e{exponent - digits + 1}")


def _by_number(answers: Any, n: int) -> dict[int, Any]:
    """Answers by the number of their blank."""
    if isinstance(answers, str):
        matches = [_LINE.fullmatch(line) for line in answers.splitlines() if line.strip()]
        unread = sum(match is None for match in matches)
        if unread:
            raise DataError(f"{unread} of {len(matches)} lines of answers are not of the form '(3) 0.59'")
        found: dict[int, Any] = {int(match[1]): match[2] for match in matches if match}
    elif isinstance(answers, Mapping):
        found = {_blank(k): value for k, value in answers.items()}
    elif isinstance(answers, Iterable):
        found = dict(enumerate(answers, 1))
    else:
        raise DataError(f"answers are a list, a mapping from blank to answer, or lines '(3) 0.59', not {answers!r:.80}")
    beyond = [k for k in found if not 1 <= k <= n]
    if beyond:
        raise DataError(f"there is an answer for blank {beyond[0]}; the worksheet has blanks 1 to {n}")
    return found


def _blank(key: Any) -> int:
    text = str(key).strip("() ")
    if is_whole(key) or text.isdecimal():
        return int(text)
    raise DataError(f"{key!r} is no number of a blank; those are 1, 2, …")


def _marked(k: int, given: Any, blank: Blank) -> MarkedAnswer:
    right, digits, slips = blank.right, blank.digits, blank.slips
    text = "" if given is None else str(given).strip()
    if not text:
        return MarkedAnswer(k, "", False, "left empty", right, digits)
    found = written(given if not isinstance(given, str) else text)
    if found is None:
        return MarkedAnswer(k, text[:80], False, "not a number", right, digits)
    if abs(found.value - right) <= tolerance(right, digits, slips) * _ROUNDING:
        return MarkedAnswer(k, text, True, "", right, digits)
    nearer = any(abs(found.value - value) < abs(found.value - right) for _, value in slips)
    if _is_rounded(found, right, digits) and not nearer:
        return MarkedAnswer(k, text, True, f"rounded to {found.digits} digits", right, digits)
    return MarkedAnswer(k, text, False, _slip(found, right, slips, digits), right, digits)


def _is(found: Written, value: float, digits: int) -> bool:
    return abs(found.value - value) <= tolerance(value, digits) * _ROUNDING


def _is_rounded(found: Written, right: float, digits: int) -> bool:
    """Whether it has fewer digits than were asked for, and these are the right ones."""
    if not _FEWEST_DIGITS <= found.digits < digits or not found.value:
        return False
    return abs(found.value - right) <= 0.5 * _unit(found.value, found.digits) * _ROUNDING


def _slip(found: Written, right: float, slips: Slips, digits: int) -> str:
    """How a wrong number comes about, "" if that is not known."""

    def is_it(value: float) -> bool:
        return bool(value) and (_is(found, value, digits) or _is_rounded(found, value, digits))

    if is_it(-right):
        return "the sign is wrong"
    for name, value in sorted(slips, key=lambda slip: abs(abs(slip[1]) - abs(found.value))):
        if is_it(value):
            return name
        if is_it(-value):
            return f"{name}, and the sign is wrong"
    for power in (-3, -2, -1, 1, 2, 3):
        if is_it(right * 10.0**power):
            return "the decimal point is misplaced"
    return ""
