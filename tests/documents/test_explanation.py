"""Explanations and worksheets: as LaTeX documents, for JSON, with blanks and their key."""

import re
import shutil
import subprocess

import pytest
from explained import everything, step_of
from nets import T222, X222, net_222, net_with_rates

import neuronsim as ns
from neuronsim.documents import notation
from neuronsim.errors import SettingError


class TestLatex:
    @pytest.mark.parametrize("document", [True, False])
    def test_braces_and_environments_balance(self, document):
        for explanation in everything():
            for source in (explanation.latex(document=document), explanation.worksheet().latex(document=document)):
                plain = re.sub(r"\\[{}]", "", source)
                assert plain.count("{") == plain.count("}")
                assert plain.replace(r"\$", "").count("$") % 2 == 0
                assert re.findall(r"\\begin\{(.*?)\}", source).sort() == re.findall(r"\\end\{(.*?)\}", source).sort()
                assert source.isascii(), set(filter(lambda c: not c.isascii(), source))
                assert not re.search("[\ue000-\ue00f]", source)

    def test_the_formulas(self):
        source = net_with_rates().step([0.7, -1.1], [0.2, 0.8, -0.3, 0.5]).explain("o0").latex()
        assert r"\usepackage{amsmath}" not in source
        assert r"w_{\text{m}\to \text{o0}} \cdot  y_{\text{m}}" in source
        assert r"\begin{alignat*}" in source
        adam = step_of("adam", 1).explain("p", "m").latex()
        assert r"\sqrt{\hat{s}}" in adam
        assert r"\beta _{1}^{t}" in adam

    @pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here")
    def test_it_compiles(self, tmp_path):
        net = ns.Network()
        net.add_inputs(r"a_b%$#&{}~^\<>| é中δ→")
        net.add_neuron("y", {0: 1.0}, activation="tanh")
        net.set_outputs("y")
        parts = [*everything(), net.step([1.0], [0.0]).explain("y")]
        for k, part in enumerate([*parts, parts[0].worksheet()]):
            (tmp_path / f"{k}.tex").write_text(part.latex(document=True))
            done = subprocess.run(
                ["pdflatex", "-halt-on-error", f"{k}.tex"], cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout[-2000:]


def test_as_dict_is_for_programs():
    step = net_with_rates().step([0.7, -1.1], [0.2, 0.8, -0.3, 0.5])
    found = step.explain("m").as_dict()
    assert float(found["sections"][2]["rows"][-1][-1]) == step["m"].delta < 0.0  # all its digits
    assert found["title"] == "neuron m (gelu, output) in step 0"
    assert all(set(s) == {"heading", "rows", "remarks"} for s in found["sections"])


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
        filled = re.sub(
            r"(?<=\W)\((\d+)\)|blank (\d+)", lambda m: notation.number(sheet.answers[int(m[1] or m[2]) - 1]), filled
        )
        without_brackets = [re.sub(r"\((−[^ ]*?)\)", r"\1", text).split() for text in (filled, str(explanation))]
        assert without_brackets[0] == without_brackets[1]

    def test_no_answer_is_given_away(self):
        """What is worked out in a blank is not printed further on."""
        step = self.step()
        n = step["p"]
        sheet = step.explain("p").worksheet(digits=17)
        for hidden in (n.z, n.y, n.delta, n.aggregated, n.bias_after):
            assert notation.number(hidden, 17) not in sheet.text(key=False)
            assert notation.number(hidden, 17) in sheet.text()

    def test_answers_are_rounded_for_print_only(self):
        step = self.step()
        sheet = step.explain("p").worksheet(digits=3)
        assert step["p"].z in sheet.answers
        assert notation.number(step["p"].z, 3) in sheet.key.text(3)
        assert repr(step["p"].z) not in str(sheet)

    def test_each_part_prints_with_the_digits_it_says(self):
        step = net_222().step(X222, T222, learning_rate=0.5)
        sheet = step.explain("h1").worksheet()
        for key in (str(sheet.key), sheet.key.html(), str(sheet)):
            assert "to 4 significant digits" in key
            assert "0.05540" in key  # 0.0553994247, rounded
            assert "0.0553994247" not in key
        assert "0.4 · 0.1385 " in str(sheet.sheet)
        assert "0.138498562" in sheet.sheet.text(9)
        assert "0.1385" in sheet.sheet.latex()
        assert sheet.as_dict()["answers"] == list(sheet.answers)  # of JSON not rounded

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
        sheet = step_of("adam", 6).explain("p", "m").worksheet()
        assert len(sheet.answers) >= 6 + 2 + 5

    @pytest.mark.parametrize("settings", [{"digits": 0}, {"digits": 2.5}, {"blanks": -1}, {"blanks": "some"}])
    def test_refused(self, settings):
        with pytest.raises(SettingError):
            self.step().explain("p").worksheet(**settings)


def test_notebooks_get_tables():
    html = net_222().step(X222, T222, learning_rate=0.5).explain("h1")._repr_html_()
    assert html.startswith("<h4>neuron h1 (sigmoid) in step 0</h4>")
    assert "<td>0.149780716</td>" in html


def test_names_are_escaped_in_html():
    net = ns.Network()
    net.add_inputs("<x>")
    net.add_neuron("y", {"<x>": 1.0})
    net.set_outputs("y")
    assert "&lt;x&gt;" in net.step([1.0], [0.0]).explain("y")._repr_html_()
