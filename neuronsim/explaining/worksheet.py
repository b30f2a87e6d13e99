"""A worksheet: an explanation with blanks, and the key."""

from dataclasses import dataclass

from neuronsim.errors import SettingError
from neuronsim.explaining import notation
from neuronsim.explaining.explain import Explanation, Section, latex_document
from neuronsim.explaining.notation import Mark

__all__ = ["Worksheet", "worksheet"]


@dataclass(frozen=True)
class Worksheet:
    """An explanation with numbered blanks, and what belongs there; printing shows both.

    Attributes
    ----------
    sheet, key : Explanation
        To be given out; to be kept.
    answers : tuple of float
        What belongs into each blank, not rounded.
    digits : int
        Significant digits printed.
    """

    sheet: Explanation
    key: Explanation
    answers: tuple[float, ...]
    digits: int

    def __str__(self) -> str:
        return self.text()

    def text(self, *, key: bool = True) -> str:
        """As text, with or without the key."""
        return "\n\n".join(part.text(self.digits) for part in self._parts(key))

    def html(self, *, key: bool = True) -> str:
        """As HTML, with or without the key."""
        return "".join(part.html(self.digits) for part in self._parts(key))

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
        body = "\\clearpage\n".join(part.latex(self.digits) for part in self._parts(key))
        return latex_document(body) if document else body

    def as_dict(self) -> dict[str, object]:
        """Plain text by section and the answers, for JSON; these are not rounded."""
        return {"sheet": self.sheet.as_dict(self.digits), "answers": list(self.answers)}

    def _parts(self, key: bool) -> list[Explanation]:
        return [self.sheet, self.key] if key else [self.sheet]


def worksheet(explanation: Explanation, blanks: int | str = "all", *, digits: int = 4) -> Worksheet:
    """Turn results of an explanation into blanks.

    What is worked out in one blank and used further on is shown there as the blank's number.

    Parameters
    ----------
    explanation : Explanation
    blanks : int or "all"
        How many of the results become blanks, evenly spread.
    digits : int
        Significant digits printed.
    """
    if isinstance(digits, bool) or not isinstance(digits, int) or not 1 <= digits <= 17:
        raise SettingError(f"digits={digits!r}: a whole number from 1 to 17 is needed")
    results = _results(explanation)
    chosen = _chosen(len(results), blanks)
    numbers: dict[str, int] = {}  # of the blanks met so far, by the number that belongs there
    answers: list[float] = []
    met = 0

    def place(mark: Mark) -> str:
        nonlocal met
        if mark.kind == "answer":
            met += 1
            if met - 1 in chosen:
                answers.append(mark.value)
                numbers[mark.content] = len(answers)
                return notation.blank(len(answers), to_fill=True)
            return notation.given(mark.value, mark.digits)
        if mark.kind == "known" and mark.content in numbers:
            return notation.blank(numbers[mark.content], to_fill=False)
        return notation.name(mark.content) if mark.kind == "name" else notation.given(mark.value, mark.digits)

    sheet = explanation.marked(place)
    rows = tuple((f"({k})", notation.given(value)) for k, value in enumerate(answers, 1))
    key = Explanation(f"key: {explanation.title}", (Section(f"to {digits} significant digits", rows),))
    return Worksheet(sheet, key, tuple(answers), digits)


def _results(explanation: Explanation) -> list[Mark]:
    found: list[Mark] = []

    def note(mark: Mark) -> str:
        if mark.kind == "answer":
            found.append(mark)
        return ""

    explanation.marked(note)
    return found


def _chosen(n: int, blanks: int | str) -> set[int]:
    """Which of ``n`` results become blanks."""
    if blanks == "all":
        return set(range(n))
    if isinstance(blanks, (bool, str)) or not isinstance(blanks, int) or blanks < 0:
        raise SettingError(f'blanks={blanks!r}: a whole number of at least 0 is needed, or "all"')
    wanted = min(blanks, n)
    return {(2 * k + 1) * n // (2 * wanted) for k in range(wanted)}
