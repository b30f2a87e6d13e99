"""A section of a document: a heading, rows of cells with marked names and numbers, and remarks below them."""

from collections.abc import Callable
from dataclasses import dataclass

from neuronsim.documents import notation

Row = tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """A heading, rows of cells, and remarks below them; plain text, or with the marks of `notation`."""

    heading: str
    rows: tuple[Row, ...]
    remarks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.to_html()

    def text(self, digits: int = notation.DIGITS) -> str:
        """A heading, aligned rows, remarks."""
        shown = [[notation.text(cell, digits) for cell in row] for row in self.rows]
        widths = [max((len(row[k]) for row in shown if k < len(row)), default=0) for k in range(9)]
        lines = ["    " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in shown]
        remarks = [f"    {notation.text(remark, digits)}" for remark in self.remarks]
        return "\n".join([notation.text(self.heading, digits), *lines, *remarks])

    def to_html(self, digits: int = notation.DIGITS) -> str:
        """A heading, a table and paragraphs."""
        rows = ("".join(f"<td>{notation.html(cell, digits)}</td>" for cell in row) for row in self.rows)
        table = "".join(f"<tr>{row}</tr>" for row in rows)
        remarks = "".join(f"<p>{notation.html(remark, digits)}</p>" for remark in self.remarks)
        return f"<h5>{notation.html(self.heading, digits)}</h5><table>{table}</table>{remarks}"

    def to_latex(self, digits: int = notation.DIGITS) -> str:
        r"""A paragraph, and the rows in ``alignat*`` (amsmath), which may break at the end of a page."""
        lines = [rf"\paragraph{{{notation.latex_text(self.heading, digits)}}}"]
        if self.rows:
            rows = ("  & " + r" &\quad& ".join(notation.latex(cell, digits) for cell in row) for row in self.rows)
            n = max(map(len, self.rows))
            lines += [rf"\begin{{alignat*}}{{{n}}}", " \\\\\n".join(rows), r"\end{alignat*}"]
        lines += [rf"\noindent {notation.latex_text(remark, digits)}\par" for remark in self.remarks]
        return "\n".join(lines)

    def as_dict(self, digits: int = notation.ALL_DIGITS) -> dict[str, object]:
        """Text, for JSON."""
        rows = [[notation.for_programs(cell, digits) for cell in row] for row in self.rows]
        remarks = [notation.for_programs(remark, digits) for remark in self.remarks]
        return {"heading": notation.for_programs(self.heading, digits), "rows": rows, "remarks": remarks}

    def marked(self, change: Callable[[notation.Mark], str]) -> "Section":
        """The same with every mark replaced, in reading order."""

        def of(cell: str) -> str:
            return notation.marks(cell, change)

        heading = of(self.heading)
        return Section(heading, tuple(tuple(map(of, row)) for row in self.rows), tuple(map(of, self.remarks)))
