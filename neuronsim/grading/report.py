"""A grade as people and programs read it: points by part, the mistakes, the first numbers that differ."""

import json
from dataclasses import dataclass
from typing import Any

from neuronsim.documents.explanation import Explained
from neuronsim.documents.notation import number
from neuronsim.documents.section import Section
from neuronsim.errors import CheckError, choose
from neuronsim.grading.judging import Difference
from neuronsim.verifying.checks import facts

NOT_SHOWN, NO_ANSWER = "not shown", "no answer"


@dataclass(frozen=True)
class Part:
    """One part of backpropagation, graded.

    Attributes
    ----------
    name : str
        "forward", "loss", "output delta", "hidden delta", "weights", "biases" or "averaging".
    points, out_of : float
        What it gets, and the most.
    right, n : int
        How many of the calls that show it are right, and of how many.
    note : str
        What was done instead, where that is recognised.
    line : str
        How the lectures compute it.
    difference : Difference, optional
        The first number that differs.
    """

    name: str
    points: float
    out_of: float
    right: int
    n: int
    note: str
    line: str
    difference: Difference | None

    @property
    def ok(self) -> bool:
        """Whether it is right in all calls."""
        return self.right == self.n


@dataclass(frozen=True)
class Mistake:
    """A mistake that explains what differs.

    Attributes
    ----------
    rule : str
        What was done.
    line : str
        The line of the lectures that it breaks.
    """

    rule: str
    line: str


@dataclass(frozen=True)
class Grade(Explained):
    """What ``ns.grade`` returns: print it, or let a notebook show it.

    Attributes
    ----------
    function : str
        Its name.
    parts : tuple of Part
        Those that were asked.
    mistakes : tuple of Mistake
        What was recognised.
    problems : tuple of str
        What went wrong in calling it: exceptions, time-outs, results that cannot be read.
    """

    function: str
    parts: tuple[Part, ...]
    mistakes: tuple[Mistake, ...]
    problems: tuple[str, ...]

    @property
    def points(self) -> float:
        """Of all parts together."""
        return round(float(sum(part.points for part in self.parts)), 6)

    @property
    def out_of(self) -> float:
        """The most that it could get."""
        return round(float(sum(part.out_of for part in self.parts)), 6)

    @property
    def score(self) -> float:
        """Points by the most, from 0 to 1."""
        return self.points / self.out_of if self.out_of else 0.0

    @property
    def ok(self) -> bool:
        """Whether everything is right."""
        return not self.problems and all(part.ok for part in self.parts)

    def __getitem__(self, name: str) -> Part:
        """The part of that name."""
        return choose("part", name, {part.name: part for part in self.parts})

    def assert_ok(self, part: str | None = None) -> None:
        """Raise CheckError unless everything, or one part, is right; the message is ``str(self)``.

        Parameters
        ----------
        part : str, optional
            "forward", "loss", "output delta", "hidden delta", "weights", "biases" or "averaging". One that was not
            asked is not right.
        """
        asked = {p.name: p for p in self.parts}
        right = self.ok if part is None else part in asked and asked[part].ok
        if not right:
            raise CheckError(str(self))

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON; ``tests`` are as Gradescope and Otter-Grader write results."""
        tests = [
            {
                "name": part.name,
                "score": round(part.points, 6),
                "max_score": round(part.out_of, 6),
                "status": "passed" if part.ok else "failed",
                "output": self._about(part),
                "extra_data": {
                    "right": part.right, "n": part.n, "note": part.note, "line": part.line,
                    "difference": facts(part.difference) if part.difference else None,
                },
            }
            for part in self.parts
        ]  # fmt: skip
        mistakes = [{"rule": m.rule, "line": m.line} for m in self.mistakes]
        facts_of = {"function": self.function, "ok": self.ok, "score": self.points, "max_score": self.out_of}
        return facts_of | {"mistakes": mistakes, "problems": list(self.problems), "output": str(self), "tests": tests}

    def to_json(self) -> str:
        """The same as one JSON text."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False)

    def _explanation(self) -> Section:
        heading = f"{self.function}: {number(self.points, 4)} of {number(self.out_of, 4)} points"
        rows = tuple(
            (part.name, f"{number(part.points, 4)} / {number(part.out_of, 4)}", self._about(part))
            for part in self.parts
        )
        mistakes = [f"mistake: {m.rule}" + (f"; the lecture: {m.line}" if m.line else "") for m in self.mistakes]
        return Section(heading, rows, (*mistakes, *self.problems))

    def _about(self, part: Part) -> str:
        """One part in words."""
        if part.ok:
            return "right"
        if part.note == NOT_SHOWN:
            return NOT_SHOWN
        if part.note == NO_ANSWER:
            return f"{NO_ANSWER} in {part.n - part.right} of {part.n} calls, else right"
        often = f"wrong in {part.n - part.right} of {part.n} calls"
        first = part.difference
        said = f"{often}: {part.note}" if part.note else often
        if first is None:
            return said
        return (
            f"{said}; first {first.name} = {number(first.found, 6)}, right is {number(first.right, 6)} ({first.where})"
        )
