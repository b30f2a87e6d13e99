"""Worksheets with other numbers for everybody: as text, LaTeX, HTML, and as questions for Moodle."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import overload

from neuronsim.documents import moodle
from neuronsim.documents.explanation import Explanation, Worksheet, latex_document


@dataclass(frozen=True)
class Worksheets:
    """What ``step.worksheets`` returns: ``sheets[0].grade(answers)``, ``len(sheets)``.

    Attributes
    ----------
    sheets : tuple of Worksheet
        One for each variant, numbered from 1 in print.
    """

    sheets: tuple[Worksheet, ...]

    def __len__(self) -> int:
        return len(self.sheets)

    def __iter__(self) -> Iterator[Worksheet]:
        return iter(self.sheets)

    @overload
    def __getitem__(self, k: int) -> Worksheet: ...
    @overload
    def __getitem__(self, k: slice) -> "Worksheets": ...
    def __getitem__(self, k: int | slice) -> "Worksheet | Worksheets":
        """The k-th, from 0; or some of them."""
        return Worksheets(self.sheets[k]) if isinstance(k, slice) else self.sheets[k]

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()

    def text(self, *, key: bool = True) -> str:
        """As text, the keys behind all sheets.

        Parameters
        ----------
        key : bool
            Whether keys are added.
        """
        return "\n\n\n".join(f"variant {k}\n{part.text()}" for k, part in self._parts(key))

    def html(self, *, key: bool = True) -> str:
        """As HTML, the keys behind all sheets.

        Parameters
        ----------
        key : bool
            Whether keys are added.
        """
        return "".join(f"<h3>variant {k}</h3>{part.html()}" for k, part in self._parts(key))

    def latex(self, *, key: bool = True, document: bool = False) -> str:
        r"""As LaTeX, each sheet on a page of its own; then the keys, if wanted.

        Parameters
        ----------
        key : bool
            Whether keys are added.
        document : bool
            A whole document for pdfLaTeX; else a fragment, whose document needs ``\\usepackage{amsmath}``.
        """
        parts = [rf"\section*{{variant {k}}}" + "\n" + part.latex() for k, part in self._parts(key)]
        body = "\\clearpage\n".join(parts)
        return latex_document(body) if document else body

    def moodle(self, category: str = "neuronsim") -> str:
        """As Moodle XML: one question with embedded answers (Cloze) for each variant.

        Moodle's question bank imports the file; a random question of the category then gives everybody another one.
        Answers have tolerances as in ``Worksheet.grade``, and wrong ones are told how they came about.

        Parameters
        ----------
        category : str
            Where the question bank puts them; ``/`` parts levels.
        """
        return moodle.quiz(self.sheets, category)

    def as_dict(self) -> dict[str, object]:
        """Every sheet and its answers, for JSON."""
        return {"variants": [sheet.as_dict() for sheet in self.sheets]}

    def _parts(self, key: bool) -> Iterator[tuple[int, Explanation]]:
        yield from enumerate((sheet.sheet for sheet in self.sheets), 1)
        if key:
            yield from enumerate((sheet.key for sheet in self.sheets), 1)
