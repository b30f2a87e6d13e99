"""Worksheets as Moodle XML: questions of the kind "embedded answers" (Cloze), numerical, with tolerances.

A blank becomes ``{1:NUMERICAL:=0.5933:0.0002~%0%0.3775:0.0002#f is not applied}``: one point, the answer and how far
off it may be, then wrong ones, worth nothing, with what is said of them.
"""

import re
from collections.abc import Sequence
from html import escape

from neuronsim.documents.explanation import Worksheet
from neuronsim.documents.marking import Blank, tolerance

_HTML_BLANK = re.compile(r"____\((\d+)\)")
_SPECIAL = re.compile(r"([\\}#~])")
_FILE = """\
<?xml version="1.0" encoding="UTF-8"?>
<quiz>
<question type="category"><category><text>$course$/top/{category}</text></category></question>
{questions}
</quiz>
"""
_QUESTION = """\
<question type="cloze">
<name><text>{name}</text></name>
<questiontext format="html"><text>{text}</text></questiontext>
<generalfeedback format="html"><text></text></generalfeedback>
<penalty>0.3333333</penalty>
<hidden>0</hidden>
</question>"""


def quiz(sheets: Sequence[Worksheet], category: str) -> str:
    """A file for Moodle's question bank."""
    width = len(str(len(sheets)))
    questions = "\n".join(_question(sheet, f"{k:0{width}}") for k, sheet in enumerate(sheets, 1))
    return _FILE.format(category=escape(category, quote=False), questions=questions)


def _question(sheet: Worksheet, variant: str) -> str:
    html = sheet.sheet.html().replace("{", "&#123;").replace("}", "&#125;")
    note = f"<p>Answers to {sheet.digits} significant digits.</p>"
    text = _HTML_BLANK.sub(lambda m: f"({m[1]}) {field(sheet.blanks[int(m[1]) - 1])}", html + note)
    title = re.sub("<.*?>", "", sheet.sheet.html().partition("</h4>")[0])
    return _QUESTION.format(name=f"{title}, variant {variant}", text=escape(text, quote=False))


def field(blank: Blank) -> str:
    """A blank as Cloze writes it."""
    digits, slips = blank.digits, blank.slips
    off = tolerance(blank.right, digits, slips)
    wrong = [("the sign is wrong", -blank.right)] if blank.right else []
    parts = [f"={_number(blank.right, digits)}:{_number(off, 2)}"]
    parts += [
        f"%0%{_number(value, digits)}:{_number(tolerance(value, digits), 2)}#{_escaped(how)}"
        for how, value in (*wrong, *slips)
    ]
    return "{1:NUMERICAL:" + "~".join(parts) + "}"


def _number(value: float, digits: int) -> str:
    """With some digits more than are asked for, so that rounding takes nothing from the tolerance."""
    return f"{value:.{min(digits + 4, 17)}g}"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
