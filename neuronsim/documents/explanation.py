"""An explanation: titled sections as text, HTML or LaTeX, or with blanks as a worksheet.

Numbers are printed with 9 significant digits, enough to tell any two float32 apart; where an old and a new
value would look the same, with as many as tell them apart.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from neuronsim.basics.checked import whole
from neuronsim.documents import notation
from neuronsim.documents.marking import Blank, Marking, marked, told
from neuronsim.documents.notation import Mark
from neuronsim.documents.section import Section


@dataclass(frozen=True)
class Explanation:
    """What ``step.explain`` returns: print it, let a notebook show it, or put it into a paper or an exam."""

    title: str
    sections: tuple[Section, ...]
    digits: int = notation.DIGITS  # significant ones of each number, unless another number of them is asked for

    def __str__(self) -> str:
        return self.text()

    def text(self, digits: int | None = None) -> str:
        """As text; ``digits`` significant ones of each number (9; of a worksheet its own)."""
        digits = digits or self.digits
        return "\n\n".join([notation.text(self.title, digits), *(s.text(digits) for s in self.sections)])

    def html(self, digits: int | None = None) -> str:
        """As HTML tables; ``digits`` as of `text`."""
        digits = digits or self.digits
        return f"<h4>{notation.html(self.title, digits)}</h4>" + "".join(s.to_html(digits) for s in self.sections)

    def _repr_html_(self) -> str:
        return self.html()

    def latex(self, digits: int | None = None, *, document: bool = False) -> str:
        r"""As LaTeX.

        Parameters
        ----------
        digits : int, optional
            Significant digits of each number; 9, of a worksheet its own.
        document : bool
            A whole document for pdfLaTeX; else a fragment, whose document needs ``\\usepackage{amsmath}``.
        """
        digits = digits or self.digits
        title = rf"\subsection*{{{notation.latex_text(self.title, digits)}}}"
        parts = [r"\begingroup\allowdisplaybreaks", title, *(s.to_latex(digits) for s in self.sections), r"\endgroup"]
        fragment = "\n".join(parts) + "\n"
        return latex_document(fragment) if document else fragment

    def worksheet(self, blanks: int | str = "all", *, digits: int = 4) -> "Worksheet":
        """The same with blanks where numbers are to be worked out, and the key.

        Parameters
        ----------
        blanks : int or "all"
            How many of the results become blanks, evenly spread.
        digits : int
            Significant digits printed. The answers themselves are not rounded.
        """
        return _worksheet(self, blanks, whole("digits", digits, 1, 17))

    def as_dict(self, digits: int = notation.ALL_DIGITS) -> dict[str, object]:
        """Text by section, for JSON: each number with all its digits unless told, and as programs write it."""
        return {
            "title": notation.for_programs(self.title, digits),
            "sections": [s.as_dict(digits) for s in self.sections],
        }

    def marked(self, change: Callable[[Mark], str]) -> "Explanation":
        """The same with every mark replaced, in reading order."""
        return replace(
            self, title=notation.marks(self.title, change), sections=tuple(s.marked(change) for s in self.sections)
        )


class Explained:
    """What prints as its explanation, which notebooks show as tables."""

    def _explanation(self) -> Explanation | Section:
        raise NotImplementedError

    def __str__(self) -> str:
        return str(self._explanation())

    def _repr_html_(self) -> str:
        return self._explanation()._repr_html_()


@dataclass(frozen=True)
class Worksheet:
    """An explanation with numbered blanks, and what belongs there; printing shows both.

    Attributes
    ----------
    sheet, key : Explanation
        To be given out; to be kept.
    blanks : tuple of Blank
        What belongs into each, and how people get it wrong.
    digits : int
        Significant digits printed.
    """

    sheet: Explanation
    key: Explanation
    blanks: tuple[Blank, ...]
    digits: int

    @property
    def answers(self) -> tuple[float, ...]:
        """What belongs into each blank, not rounded."""
        return tuple(blank.right for blank in self.blanks)

    def __str__(self) -> str:
        return self.text()

    def grade(self, answers: Any) -> Marking:
        """Mark what somebody filled in.

        Parameters
        ----------
        answers : list, mapping or str
            In the order of the blanks; or by their numbers, ``{3: "0,59"}``; or as lines ``(3) 0,59``. Numbers, or text
            with decimal point or comma, fractions ``1/3``, powers ``4.4·10⁻⁴``.

        Returns
        -------
        Marking
            ``.points`` of ``.out_of``. Right is what is off by two units of the last digit asked for, or has fewer
            digits, two at least, which are rounded rightly. Of a wrong one it says how it came about: by its sign, a
            forgotten f', and the like.

        Raises
        ------
        DataError
            For answers to blanks that there are not.
        """
        return marked(answers, self.blanks)

    def text(self, *, key: bool = True) -> str:
        """As text.

        Parameters
        ----------
        key : bool
            Whether the key is added.
        """
        return "\n\n".join(part.text() for part in self._parts(key))

    def html(self, *, key: bool = True) -> str:
        """As HTML.

        Parameters
        ----------
        key : bool
            Whether the key is added.
        """
        return "".join(part.html() for part in self._parts(key))

    def _repr_html_(self) -> str:
        return self.html()

    def latex(self, *, key: bool = True, document: bool = False) -> str:
        r"""As LaTeX, the key on a page of its own.

        Parameters
        ----------
        key : bool
            Whether the key is added.
        document : bool
            A whole document for pdfLaTeX; else a fragment, whose document needs ``\\usepackage{amsmath}``.
        """
        body = "\\clearpage\n".join(part.latex() for part in self._parts(key))
        return latex_document(body) if document else body

    def as_dict(self) -> dict[str, object]:
        """Text by section and the answers, for JSON; these are not rounded."""
        return {"sheet": self.sheet.as_dict(self.digits), "answers": list(self.answers)}

    def _parts(self, key: bool) -> list[Explanation]:
        return [self.sheet, self.key] if key else [self.sheet]


def _worksheet(explanation: Explanation, blanks: int | str, digits: int) -> Worksheet:
    """Turn results into blanks; what goes into one and is used further on is shown there as the blank's number."""
    chosen = _chosen(_n_answers(explanation), blanks)
    numbers: dict[str, int] = {}  # of the blanks met so far, by the number that belongs there
    answers: list[Blank] = []
    met = 0

    def place(mark: Mark) -> str:
        nonlocal met
        if mark.kind == "answer":
            met += 1
            if met - 1 in chosen:
                asked = max(digits, mark.digits)
                answers.append(Blank(mark.value, asked, told(mark.value, asked, mark.slips)))
                numbers[mark.content] = len(answers)
                return notation.blank(len(answers), to_fill=True)
            return notation.given(mark.value, mark.digits)
        if mark.kind == "known" and mark.content in numbers:
            return notation.blank(numbers[mark.content], to_fill=False)
        return notation.name(mark.content) if mark.kind == "name" else notation.given(mark.value, mark.digits)

    sheet = replace(explanation.marked(place), digits=digits)
    rows = tuple((f"({k})", notation.given(*blank[:2])) for k, blank in enumerate(answers, 1))
    key = Explanation(f"key: {explanation.title}", (Section(f"to {digits} significant digits", rows),), digits)
    return Worksheet(sheet, key, tuple(answers), digits)


def _n_answers(explanation: Explanation) -> int:
    n = 0

    def count(mark: Mark) -> str:
        nonlocal n
        n += mark.kind == "answer"
        return ""

    explanation.marked(count)
    return n


def _chosen(n: int, blanks: int | str) -> set[int]:
    """Which of ``n`` results become blanks."""
    if blanks == "all":
        return set(range(n))
    needed = '{name}={value!r}: a whole number of at least 0 is needed, or "all"'
    wanted = min(whole("blanks", blanks, 0, message=needed), n)
    return {(2 * k + 1) * n // (2 * wanted) for k in range(wanted)}


def latex_document(body: str) -> str:
    """A document around a fragment."""
    lines = [
        r"\documentclass{article}",
        r"\usepackage[utf8]{inputenc}",
        r"\usepackage{amsmath}",
        r"\usepackage[a4paper,landscape,margin=15mm]{geometry}",
        r"\begin{document}",
        body.rstrip("\n"),
        r"\end{document}",
    ]
    return "\n".join(lines) + "\n"
