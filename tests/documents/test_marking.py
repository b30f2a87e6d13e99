"""Answers to worksheets, marked."""

import numpy as np
import pytest
from nets import T222, X222, net_222

from neuronsim.documents.marking import Blank, marked, tolerance
from neuronsim.errors import DataError

FORGOTTEN = ("f'(z) is forgotten", 0.0363503)
DELTA = Blank(0.0087713547, 4, (FORGOTTEN,))
NEW = Blank(0.1497807161, 4, (("nothing was changed", 0.15),))


@pytest.fixture(scope="module")
def sheet():
    return net_222(frozen=False).step(X222, T222, learning_rate=0.5).explain("h1").worksheet()


def remark_on(answer, blank=DELTA):
    found = marked([answer], [blank]).answers[0]
    return found.ok, found.remark


class TestRight:
    @pytest.mark.parametrize("answer", ["0.008771", "0,008771", "8.771e-3", 0.0087713547, "0.008773", "8,77·10⁻³"])
    def test_rounded_in_any_form(self, answer):
        assert remark_on(answer)[0]

    def test_fewer_digits_are_accepted_and_told(self):
        assert remark_on("0.0088") == (True, "rounded to 2 digits")
        assert remark_on("0.00877", DELTA._replace(digits=6)) == (True, "rounded to 3 digits")

    @pytest.mark.parametrize("answer", ["0.009", "0.0087", "0.0089", "0.00880"])
    def test_one_digit_and_wrong_rounding_are_not(self, answer):
        assert not remark_on(answer)[0]

    def test_all_answers_of_a_worksheet(self, sheet):
        for answers in (
            sheet.answers,
            [f"{a:.4g}" for a in sheet.answers],
            {k: f"{a:.4g}".replace(".", ",") for k, a in enumerate(sheet.answers, 1)},
            "\n".join(f"({k}) {a:.5g}" for k, a in enumerate(sheet.answers, 1)),
        ):
            found = sheet.grade(answers)
            assert found.ok, str(found)
            assert found.points == found.out_of == len(sheet.answers)


class TestWrong:
    def test_how_it_came_about(self):
        assert remark_on("-0.008771") == (False, "the sign is wrong")
        assert remark_on("0.03635") == (False, "f'(z) is forgotten")
        assert remark_on("0.036") == (False, "f'(z) is forgotten")
        assert remark_on("-0,03635") == (False, "f'(z) is forgotten, and the sign is wrong")
        assert remark_on("0.08771") == (False, "the decimal point is misplaced")
        assert remark_on("0.5") == (False, "")

    def test_of_two_slips_that_fit_it_is_the_nearer(self):
        blank = Blank(-0.7401221, 4, (("nothing was changed", -0.74), ("the step goes the wrong way", -0.7398779)))
        assert remark_on("-0.7399", blank) == (False, "the step goes the wrong way")
        assert remark_on("-0.74", blank) == (False, "nothing was changed")

    def test_a_value_that_was_not_changed_is_no_rounding(self):
        assert remark_on("0.15", NEW) == (False, "nothing was changed")
        assert remark_on("0.1500", NEW)[0] is False
        assert remark_on("0.1498", NEW) == (True, "")

    def test_empty_and_unreadable(self):
        assert remark_on("") == remark_on(None) == (False, "left empty")
        assert remark_on("abc") == (False, "not a number")
        assert remark_on("<b>" * 100) == (False, "not a number")

    def test_slips_of_a_worksheet(self, sheet):
        k = next(k for k, blank in enumerate(sheet.blanks, 1) if FORGOTTEN[0] in dict(blank.slips))
        blank = sheet.blanks[k - 1]
        found = sheet.grade({k: blank.slips[0][1]})
        assert found.answers[k - 1].remark == "f'(z) is forgotten"
        assert found.points == 0
        assert "f'(z) is forgotten" in str(found)
        assert "f&#x27;(z)" in found._repr_html_()
        assert found.as_dict()["answers"][k - 1]["ok"] is False

    def test_slips_that_come_to_the_same_are_not_told(self, sheet):
        for blank in sheet.blanks:
            assert all(abs(value - blank.right) > 0 for _, value in blank.slips)

    @pytest.mark.parametrize(
        ("answers", "message"),
        [
            ({99: 1}, "blanks 1 to"),
            ([0] * 99, "blanks 1 to"),
            ({"x": 1}, "no number of a blank"),
            ("three: 4", "not of the form"),
            (3.0, "answers are a list"),
        ],
    )
    def test_answers_that_fit_nowhere_are_refused(self, sheet, answers, message):
        with pytest.raises(DataError, match=message):
            sheet.grade(answers)


def test_tolerance_stays_on_this_side_of_slips():
    assert tolerance(0.5933, 4) == pytest.approx(2e-4)
    assert tolerance(0.0, 4) == pytest.approx(2e-3)
    for right in (0.14978, -123.4, 5e-9):
        for near in (1e-3, 3e-4, 2e-4):
            slip = right * (1 + near)
            assert tolerance(right, 4, (("", slip),)) < max(abs(slip - right), 0.51 * tolerance(right, 4))
    assert np.isfinite(tolerance(1e-300, 17))
