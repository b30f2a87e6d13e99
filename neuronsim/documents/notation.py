"""How formulas are written down: text in which names and numbers are marked, printed as plain text, HTML or LaTeX.

A marked number keeps all its digits until it is printed; a worksheet turns some of them into blanks. The rest of the
text is our own vocabulary (``δ``, ``w_old[…]``, ``Σ w · y``), which LaTeX gets as mathematics.
"""

import html as html_module
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

# A mark is one of these characters, what it stands for, and _END. Names are cleared of them.
_NAME, _GIVEN, _ANSWER, _KNOWN, _BLANK, _END = "\ue000\ue001\ue002\ue003\ue004\ue00f"
_MARK = re.compile(f"([{_NAME}{_GIVEN}{_ANSWER}{_KNOWN}{_BLANK}])([^{_END}]*){_END}")
_ALL = re.compile(f"[{_NAME}-{_END}]")

DIGITS, ALL_DIGITS = 9, 17
# What a negative number must not stand behind without brackets.
_OPERATORS = ("·", "×", "÷", "/", "+", "−")


class Mark(NamedTuple):
    """A marked part of a cell."""

    kind: str  # of _KINDS: an answer is a number that this explanation works out, known the same number used further on
    content: str  # the name; the number's repr; of a blank its number, and ? where it is to be filled in
    digits: int = 0  # at least so many are printed
    slips: tuple[tuple[str, float], ...] = ()  # of an answer: how people get it wrong, and what they get

    @property
    def value(self) -> float:
        """The number, exactly."""
        return float(self.content)


_KINDS = {_NAME: "name", _GIVEN: "given", _ANSWER: "answer", _KNOWN: "known", _BLANK: "blank"}


def name(text: object) -> str:
    """A neuron's name, whatever characters it has."""
    return f"{_NAME}{_ALL.sub('?', str(text))}{_END}"


def given(value: float, digits: int = 0) -> str:
    """A number that is given, with at least so many digits."""
    return f"{_GIVEN}{float(value)!r}|{digits}{_END}"


def answer(value: float, digits: int = 0, slips: Mapping[str, float] | None = None) -> str:
    """A number that is worked out here, and wrong ones by how people get them: ``{"f'(z) is forgotten": 0.0367}``."""
    wrong = "".join(f"|{how}|{float(got)!r}" for how, got in (slips or {}).items())
    return f"{_ANSWER}{float(value)!r}|{digits}{wrong}{_END}"


def known(value: float) -> str:
    """A number that was worked out further up."""
    return f"{_KNOWN}{float(value)!r}|0{_END}"


def written_again(mark: Mark) -> str:
    """The mark as it stood."""
    sign = next(sign for sign, kind in _KINDS.items() if kind == mark.kind)
    if mark.kind in ("name", "blank"):
        return f"{sign}{mark.content}{_END}"
    wrong = "".join(f"|{how}|{got!r}" for how, got in mark.slips)
    return f"{sign}{mark.content}|{mark.digits}{wrong}{_END}"


def blank(number: int, *, to_fill: bool) -> str:
    """The place of answer ``number``, or a reference to it."""
    return f"{_BLANK}{number}{'?' if to_fill else ''}{_END}"


def number(value: float, digits: int = DIGITS) -> str:
    """So many significant digits, with a true minus sign: how every number is printed.

    A number with fewer digits is printed with those it has (0.35); one that was rounded keeps its zeros (0.03810).
    With 17 digits it is printed with as many as tell it apart from any other float64. Zero has no sign.
    """
    value = float(value)
    if value == 0.0:
        return "0"
    printed = repr(value)
    if digits < ALL_DIGITS:
        printed = f"{value:.{digits}g}"
        if float(printed) != float(f"{value:.15g}"):  # beyond 15 digits is noise: 0.1 · 0.2 is 0.02
            printed = f"{value:#.{digits}g}".replace(".e", "e").rstrip(".")
    return printed.replace("-", "−")


def pair(old: float, new: float) -> tuple[str, str]:
    """An old and a new value, with all digits if 9 would not tell them apart."""
    digits = distinguishing_digits(old, new)
    return number(old, max(DIGITS, digits)), number(new, max(DIGITS, digits))


def distinguishing_digits(old: float, new: float) -> int:
    """How many digits tell two values apart; more than 9 are all."""
    if old == new:
        return 0
    alike = (d for d in range(DIGITS, 0, -1) if f"{old:.{d}g}" == f"{new:.{d}g}")
    digits = next(alike, 0) + 1
    return ALL_DIGITS if digits > DIGITS else digits


def marks(cell: str, change: Callable[[Mark], str]) -> str:
    """The cell with every mark replaced."""
    return _MARK.sub(lambda match: change(_mark(match)), cell)


def _mark(match: "re.Match[str]") -> Mark:
    kind, content = _KINDS[match[1]], match[2]
    if kind in ("name", "blank"):
        return Mark(kind, content)
    value, digits, *slips = content.split("|")
    wrong = zip(slips[::2], map(float, slips[1::2]), strict=True)
    return Mark(kind, value, int(digits), tuple(wrong))


class _Piece(NamedTuple):
    kind: str  # of a mark: "name", "number", "blank" or "reference"; "plain" between marks
    text: str


def _pieces(cell: str, digits: int) -> Iterator[_Piece]:
    """The cell cut at its marks, as every form prints them: negative factors in brackets, no brackets doubled."""
    at = 0
    for match in _MARK.finditer(cell):
        before, after = cell[at : match.start()], cell[match.end() :]
        yield _Piece("plain", before)
        mark = _mark(match)
        if mark.kind == "name":
            yield _Piece("name", mark.content)
        elif mark.kind == "blank":
            yield _blank_piece(mark.content, in_brackets=before.endswith("(") or after.startswith(")"))
        else:
            printed = number(mark.value, max(digits, mark.digits))
            bracketed = printed.startswith("−") and before.rstrip().endswith(_OPERATORS)
            bracketed |= after.startswith("²") and ("−" in printed or "e" in printed)
            yield _Piece("number", f"({printed})" if bracketed else printed)
        at = match.end()
    yield _Piece("plain", cell[at:])


def _blank_piece(content: str, *, in_brackets: bool) -> _Piece:
    """The place of an answer; or a reference to it, which in brackets can't be taken for a number: f'(blank 3)."""
    if content.endswith("?"):
        return _Piece("blank", content[:-1])
    return _Piece("reference", f"blank {content}" if in_brackets else f"({content})")


def text(cell: str, digits: int = DIGITS) -> str:
    """The cell as plain text."""
    return _joined(_pieces(cell, digits))


def for_programs(cell: str, digits: int = ALL_DIGITS) -> str:
    """The cell as plain text, whose numbers a program reads."""
    pieces = _pieces(cell, digits)
    return _joined(p._replace(text=p.text.replace("−", "-")) if p.kind == "number" else p for p in pieces)


def _joined(pieces: Iterable[_Piece]) -> str:
    return "".join(f"____({piece.text})" if piece.kind == "blank" else piece.text for piece in pieces)


def html(cell: str, digits: int = DIGITS) -> str:
    """The cell as HTML."""
    return html_module.escape(text(cell, digits))


# ── LaTeX ──

_SYMBOLS = {
    "Σ": r"\sum ", "δ": r"\delta ", "∂": r"\partial ", "μ": r"\mu ", "β": r"\beta ", "α": r"\alpha ",
    "ε": r"\varepsilon ", "λ": r"\lambda ", "η": r"\eta ", "·": r"\cdot ", "÷": r"\div ", "→": r"\to ", "‖": r"\| ",
    "×": r"\times ", "≤": r"\le ", "≥": r"\ge ", "∞": r"\infty ", "±": r"\pm ", "…": r"\ldots ", "²": "^{2}",
    "₁": "_{1}", "₂": "_{2}", "ᵗ": "^{t}", "|": "|", "<": "<", ">": ">", "½": r"\tfrac{1}{2}", "^": "^", "'": "'",
    "−": "-",
}  # fmt: skip
_TOKEN = re.compile(
    r"(?P<hat>[a-z]_hat)|(?P<version>[a-z]_(?:old|new))|(?P<word>[A-Za-z]{2,}(?:[_'-][A-Za-z]+)*|a(?= ))"
    r"|(?P<letter>[A-Za-z])|(?P<root>√)|(?P<space>\s+)|(?P<other>.)",
    re.DOTALL,
)
_ESCAPES = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "#": r"\#", "$": r"\$", "%": r"\%", "&": r"\&", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': "''", "[": "{[}", "]": "{]}",
}  # fmt: skip
_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "varepsilon", "ζ": "zeta", "η": "eta", "θ": "theta",
    "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho", "σ": "sigma", "τ": "tau",
    "φ": "varphi", "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda",
    "Σ": "Sigma", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega",
}  # fmt: skip


class _Token(NamedTuple):
    latex: str
    kind: str  # "math", "open" and "close" of a subscript, "text", or "space"; "neutral" is right in both


def latex(cell: str, digits: int = DIGITS) -> str:
    r"""The cell in mathematical mode; words are in ``\text{…}``."""
    tokens = list(_tokens(cell, digits))
    parts: list[str] = []
    for k, token in enumerate(tokens):
        if token.kind == "text":
            parts.append(rf"\text{{{token.latex}}}")
        elif token.kind == "space":
            around = {t.kind for t in tokens[max(k - 1, 0) : k + 2]}
            parts.append(r"\ " if "text" in around else " ")
        else:
            parts.append(token.latex)
    return "".join(parts).strip()


def latex_text(cell: str, digits: int = DIGITS) -> str:
    """The cell in text mode; symbols and numbers are in ``$…$``."""
    parts: list[str] = []
    formula: list[str] = []
    depth = 0

    def close() -> None:
        if formula:
            tail, inner = " " if formula[-1] == " " else "", "".join(formula).strip()
            if inner.endswith(")") and inner.count(")") > inner.count("("):  # it closes what was opened in the text
                tail, inner = f"){tail}", inner[:-1].rstrip()
            parts.append(f"${inner}${tail}")
            formula.clear()

    for token in _tokens(cell, digits):
        depth += (token.kind == "open") - (token.kind == "close")
        goes_on = formula and token.kind in ("space", "neutral") and token.latex != ","
        if depth or goes_on or token.kind in ("math", "close"):
            formula.append(rf"\text{{{token.latex}}}" if token.kind == "text" else token.latex)
        else:
            close()
            parts.append(token.latex)
    close()
    return "".join(parts)


def _tokens(cell: str, digits: int) -> Iterator[_Token]:
    """The pieces of a cell; the argument of a root is joined to it."""
    root = False
    for token in _raw_tokens(cell, digits):
        if token.latex == r"\sqrt":
            root = True
        elif root:
            root = False
            yield _Token(rf"\sqrt{{{token.latex}}}", "math")
        else:
            yield token


def _raw_tokens(cell: str, digits: int) -> Iterator[_Token]:
    for kind, content in _pieces(cell, digits):
        if kind == "plain":
            yield from _words(content)
        elif kind == "name":
            yield _Token(escaped(content), "text")
        elif kind == "blank":
            yield _Token(rf"\underline{{\hspace{{4em}}}}_{{({content})}}", "math")
        elif kind == "reference":
            yield _Token(content, "math" if content.startswith("(") else "text")
        else:
            yield _Token(_latex_number(content), "math")


def _words(plain: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(plain):
        kind, found = match.lastgroup or "", match[0]
        if kind == "hat":
            yield _Token(rf"\hat{{{found[0]}}}", "math")
        elif kind == "version":
            yield _Token(rf"{found[0]}^{{\text{{{found[2:]}}}}}", "math")
        elif kind == "word":
            yield _Token(escaped(found), "text")
        elif kind == "letter":
            yield _Token(found, "math")
        elif kind == "root":
            yield _Token(r"\sqrt", "math")
        elif kind == "space":
            yield _Token(" ", "space")
        elif found in "[]":
            yield _Token("_{", "open") if found == "[" else _Token("}", "close")
        elif found in _SYMBOLS:
            yield _Token(_SYMBOLS[found], "math")
        else:
            yield _Token(escaped(found), "neutral")


def escaped(text: str) -> str:
    """Any text in text mode; letters that pdfLaTeX may not have become their code points."""
    return "".join(map(_escaped_letter, text))


def _escaped_letter(letter: str) -> str:
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    if letter in _GREEK:
        return rf"\ensuremath{{\{_GREEK[letter]}}}"
    if not letter.isprintable():
        return " "
    return letter if ord(letter) < 128 or 192 <= ord(letter) < 256 else f"U+{ord(letter):04X}"


def _latex_number(printed: str) -> str:
    inner = printed.strip("()").replace("−", "-")
    mantissa, e, exponent = inner.partition("e")
    if e:
        inner = rf"{mantissa} \times 10^{{{int(exponent)}}}"
    inner = {"inf": r"\infty", "-inf": r"-\infty", "nan": r"\text{NaN}"}.get(inner, inner)
    return f"({inner})" if printed.startswith("(") else inner
