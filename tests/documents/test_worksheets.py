"""Worksheets for everybody: text, LaTeX, and Moodle XML, read back by Moodle's own grammar."""

import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from html import unescape

import pytest
from nets import T222, X222, net_222

import neuronsim as ns
from neuronsim.documents import moodle
from neuronsim.documents.marking import Blank, tolerance
from neuronsim.documents.notation import number


@pytest.fixture(scope="module")
def sheets():
    return net_222(frozen=False).step(X222, T222, learning_rate=0.5).worksheets(variants=3, rng=0)


# Moodle's grammar of embedded answers: {weight:TYPE:alternatives}, alternatives by ~, each =answer or %fraction%answer,
# then #feedback; ~ # } stand for themselves behind a backslash. Numbers: -1.5e-3, then : and the tolerance.
FIELD = re.compile(r"\{(\d*):(NUMERICAL|NM):((?:\\.|[^}\\])*)\}")
ALTERNATIVE = re.compile(r"(=|%(-?\d+)%)?((?:\\.|[^~#\\])+)(?:#((?:\\.|[^~\\])*))?(?:~|$)")
NUMBER = r"-?(?:[0-9]+[.,]?[0-9]*|[.,][0-9]+)(?:[eE][-+]?[0-9]+)?"
NUMERICAL = re.compile(rf"({NUMBER})(?::({NUMBER}))?")


def alternatives(field: str) -> list[tuple[float, float, float, str]]:
    """Fraction, answer, tolerance and feedback of each alternative of one field's inside."""
    found, at = [], 0
    while at < len(field):
        match = ALTERNATIVE.match(field, at)
        assert match, field[at:]
        value = NUMERICAL.fullmatch(match[3])
        assert value, match[3]
        fraction = 1.0 if match[1] == "=" else float(match[2] or 0) / 100
        found.append((fraction, float(value[1]), float(value[2] or 0), re.sub(r"\\(.)", r"\1", match[4] or "")))
        at = match.end()
    return found


def marked_by_moodle(field: str, answer: float) -> tuple[float, str]:
    """The first alternative within whose tolerance an answer is."""
    for fraction, value, off, feedback in alternatives(field):
        if abs(answer - value) <= off:
            return fraction, feedback
    return 0.0, ""


class TestMoodle:
    def questions(self, sheets):
        quiz = ElementTree.fromstring(sheets.moodle("course/week 3 <&>").encode())
        assert quiz.tag == "quiz"
        category, *questions = quiz
        assert category.get("type") == "category"
        assert category.findtext("category/text") == "$course$/top/course/week 3 <&>"
        return questions

    def test_every_blank_is_a_field_with_its_answer(self, sheets):
        questions = self.questions(sheets)
        assert [q.findtext("name/text") for q in questions] == [f"the whole of step 0, variant {k}" for k in (1, 2, 3)]
        for question, sheet in zip(questions, sheets, strict=True):
            assert question.get("type") == "cloze"
            text = question.findtext("questiontext/text")
            fields = FIELD.findall(text)
            assert len(fields) == len(sheet.blanks) == text.count("{") == text.count("}")
            ElementTree.fromstring(f"<div>{text}</div>")  # what is left is well-formed HTML
            answers = [alternatives(inside)[0][1] for _, _, inside in fields]
            assert answers == pytest.approx(sheet.answers, rel=1e-7)
            for (weight, kind, inside), blank in zip(fields, sheet.blanks, strict=True):
                assert (weight, kind) == ("1", "NUMERICAL")
                assert marked_by_moodle(inside, blank.right)[0] == 1.0
                assert marked_by_moodle(inside, float(f"{blank.right:.4g}"))[0] == 1.0
                assert marked_by_moodle(inside, -blank.right) == (0.0, "the sign is wrong")
                for how, value in blank.slips:
                    fraction, feedback = marked_by_moodle(inside, value)
                    assert fraction == 0.0
                    assert feedback, how

    def test_text_that_looks_like_a_field_is_none(self):
        net = ns.Network()
        net.add_inputs("{1:NUMERICAL:=0}", "b<&>")
        net.add_neuron("y", {0: 0.5, 1: 0.25}, activation="tanh")
        net.set_outputs("y")
        sheets = net.step([1.0, 2.0], [0.0]).worksheets(variants=1)
        (question,) = self.questions(sheets)
        text = question.findtext("questiontext/text")
        assert len(FIELD.findall(text)) == len(sheets[0].blanks)
        assert "{1:NUMERICAL:=0}" in unescape(re.sub(r"<.*?>", "", text))

    def test_special_characters_are_escaped(self):
        field = moodle.field(Blank(1.5, 4, (("a } b # c ~ d \\ e", 2.5),)))
        (match,) = FIELD.findall(field)
        assert marked_by_moodle(match[2], 2.5) == (0.0, "a } b # c ~ d \\ e")

    def test_tolerances_are_those_of_grade(self, sheets):
        blank = sheets[0].blanks[0]
        (match,) = FIELD.findall(moodle.field(blank))
        assert alternatives(match[2])[0][2] == pytest.approx(tolerance(blank.right, 4, blank.slips), rel=0.05)


class TestWorksheets:
    def test_everybody_has_other_numbers_and_the_same_form(self, sheets):
        assert len(sheets) == 3
        assert len({sheet.answers for sheet in sheets}) == 3
        forms = {re.sub(r"[−\d.,e]+", "", sheet.text(key=False)) for sheet in sheets}
        assert len({len(sheet.blanks) for sheet in sheets}) == 1
        assert len({form.count("____") for form in forms}) == 1
        assert len(sheets[:2]) == 2

    def test_text_and_html(self, sheets):
        text = sheets.text()
        assert text.index("variant 3") < text.index("key: ")
        assert "key: " not in sheets.text(key=False)
        assert sheets._repr_html_().count("<h3>variant") == 6
        assert str(sheets) == text
        assert [len(v["answers"]) for v in sheets.as_dict()["variants"]] == [len(s.answers) for s in sheets]

    def test_latex(self, sheets):
        source = sheets.latex(document=True)
        assert source.count(r"\clearpage") == 5
        assert source.count(r"\begin{document}") == 1
        assert source.isascii()
        assert sheets.latex(key=False).count(r"\section*{variant") == 3

    @pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here")
    def test_latex_compiles(self, sheets, tmp_path):
        (tmp_path / "sheets.tex").write_text(sheets.latex(document=True))
        done = subprocess.run(
            ["pdflatex", "-halt-on-error", "sheets.tex"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:]

    def test_each_is_graded_by_its_own_key(self, sheets):
        answers = [number(a, 4) for a in sheets[1].answers]
        assert sheets[1].grade(answers).ok
        assert not sheets[0].grade(answers).ok
