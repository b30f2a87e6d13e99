"""Worksheets: blanks for numbers, and the key."""

import re

import numpy as np
import pytest
from nets import net_with_rates

from neuronsim.documents import notation
from neuronsim.errors import SettingError

X, T = np.random.default_rng(0).normal(size=(30, 2)), np.random.default_rng(1).random((30, 4))


def a_step(optimizer: str, batch_size: int, dtype: str = "float64", **settings):
    if optimizer == "rprop":
        settings.pop("weight_decay", None)
    net = net_with_rates(dtype)
    run = net.fit(
        X, T, batch_size=batch_size, epochs=2, optimizer=optimizer, learning_rate=0.05, rng=0, **settings
    )  # fmt: skip
    return run.at(run.n_steps - 1)


class TestWorksheet:
    def step(self):
        return net_with_rates().step([0.7, -1.1], [0.2, 0.8, -0.3, 0.5], learning_rate=0.5)

    def test_blanks_are_numbered_and_answered(self):
        sheet = self.step().explain("p").worksheet()
        text = sheet.text(key=False)
        n = len(sheet.answers)
        assert n > 10
        assert re.findall(r"____\((\d+)\)", text) == [str(k) for k in range(1, n + 1)]
        assert "key" not in text
        assert re.findall(r"^    \((\d+)\) ", sheet.key.text(), re.MULTILINE) == [str(k) for k in range(1, n + 1)]

    def test_filled_in_it_is_the_explanation(self):
        explanation = self.step().explain("m")
        sheet = explanation.worksheet(digits=9)
        filled = re.sub(
            r"____\((\d+)\)", lambda m: notation.number(sheet.answers[int(m[1]) - 1]), sheet.text(key=False)
        )
        filled = re.sub(r"(?<=\W)\((\d+)\)", lambda m: notation.number(sheet.answers[int(m[1]) - 1]), filled)
        assert filled.split() == str(explanation).split()

    def test_no_answer_is_given_away(self):
        """What is worked out in a blank is not printed further on."""
        step = self.step()
        n = step["p"]
        sheet = step.explain("p").worksheet(digits=17)
        for hidden in (n.z, n.y, n.delta, n.aggregated, n.bias_after):
            assert repr(hidden) not in sheet.text(key=False)
            assert repr(hidden) in sheet.text()

    def test_answers_are_rounded_for_print_only(self):
        step = self.step()
        sheet = step.explain("p").worksheet(digits=3)
        assert step["p"].z in sheet.answers
        assert notation.number(step["p"].z, 3) in sheet.key.text(3)
        assert repr(step["p"].z) not in str(sheet)

    @pytest.mark.parametrize("n", [0, 1, 3, 1000])
    def test_so_many_blanks(self, n):
        explanation = self.step().explain("p")
        every = len(explanation.worksheet().answers)
        sheet = explanation.worksheet(n)
        assert len(sheet.answers) == sheet.text().count("____") == min(n, every)

    def test_html_and_latex(self):
        sheet = self.step().explain("p", "m").worksheet()
        assert "____(1)" in sheet.html(key=False)
        assert "key" not in sheet.html(key=False)
        assert "<h4>key: edge p → m in step 0</h4>" in sheet._repr_html_()
        assert r"\underline{\hspace{4em}}_{(1)}" in sheet.latex()
        assert r"\clearpage" in sheet.latex()
        assert r"\clearpage" not in sheet.latex(key=False)

    def test_of_a_batch(self):
        sheet = a_step("adam", 6).explain("p", "m").worksheet()
        assert len(sheet.answers) >= 6 + 2 + 5

    @pytest.mark.parametrize("settings", [{"digits": 0}, {"digits": 2.5}, {"blanks": -1}, {"blanks": "some"}])
    def test_refused(self, settings):
        with pytest.raises(SettingError):
            self.step().explain("p").worksheet(**settings)
