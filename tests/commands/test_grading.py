"""The commands of teachers: worksheets and grades."""

import json
import xml.etree.ElementTree as ElementTree

import pytest

import neuronsim as ns
from neuronsim.commands import main as cli

PROGRAM = """\
import numpy as np
def backprop(W1, b1, W2, b2, x, t):
    h = 1 / (1 + np.exp(-(W1 @ x + b1)))
    y = 1 / (1 + np.exp(-(W2 @ h + b2)))
    d2 = (y - t) * y * (1 - y)
    d1 = W2.T @ d2 * h * (1 - h)
    return np.outer(d1, x), d1, np.outer(d2, h), d2
"""
SAMPLE = ["--x", "0.5,1", "--t", "1"]


@pytest.fixture(autouse=True)
def directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ns.wiring.layered([2, 3, 1], rng=0).save("net.json")
    (tmp_path / "right.py").write_text(PROGRAM)
    (tmp_path / "wrong.py").write_text(PROGRAM.replace(" * h * (1 - h)", ""))
    return tmp_path


class TestWorksheet:
    def test_one_as_given(self, capsys):
        assert cli.main(["worksheet", "net.json", *SAMPLE]) == 0
        output = capsys.readouterr().out
        assert "the whole of step 0" in output
        assert "key: " in output
        assert cli.main(["worksheet", "net.json", "y0", *SAMPLE, "--no-key", "--blanks", "3"]) == 0
        output = capsys.readouterr().out
        assert "neuron y0" in output
        assert "key: " not in output
        assert output.count("____") == 3

    def test_variants_for_moodle(self, capsys, directory):
        command = ["worksheet", "net.json", *SAMPLE, "--variants", "4", "--moodle", "-o", "quiz.xml"]
        assert cli.main(command) == 0
        assert capsys.readouterr().out == "quiz.xml\n"
        quiz = ElementTree.parse(directory / "quiz.xml").getroot()
        assert [q.get("type") for q in quiz] == ["category", *["cloze"] * 4]
        assert cli.main(command) == 3
        assert "--overwrite" in capsys.readouterr().err
        assert cli.main([*command, "--overwrite"]) == 0

    @pytest.mark.parametrize(("form", "begin"), [("--latex", "\\documentclass"), ("--html", "<!DOCTYPE html>")])
    def test_forms(self, form, begin, capsys):
        assert cli.main(["worksheet", "net.json", "y0", *SAMPLE, "--variants", "2", form]) == 0
        output = capsys.readouterr().out
        assert output.startswith(begin)
        assert "variant 2" in output

    def test_json_and_what_is_refused(self, capsys):
        assert cli.main(["worksheet", "net.json", "y0", *SAMPLE, "--variants", "2", "--json"]) == 0
        assert len(json.loads(capsys.readouterr().out)["variants"]) == 2
        assert cli.main(["worksheet", "net.json", *SAMPLE, "--json", "--moodle"]) == 2
        assert cli.main(["worksheet", "net.json", *SAMPLE, "--variants", "0"]) == 3
        assert "variants=0" in capsys.readouterr().err


class TestGrade:
    def test_one_program(self, capsys):
        assert cli.main(["grade", "right.py:backprop"]) == 0
        assert capsys.readouterr().out.startswith("backprop: 5 of 5 points")
        assert cli.main(["grade", "wrong.py:backprop", "--points", "10"]) == 1
        output = capsys.readouterr().out
        assert output.startswith("backprop: 8 of 10 points")
        assert "mistake: derivative missing (hidden); the lecture: L3" in output

    def test_a_class_of_them(self, capsys):
        places = ["right.py:backprop", "wrong.py:backprop", "absent.py:backprop"]
        assert cli.main(["grade", *places]) == 1
        output = capsys.readouterr().out
        assert [line for line in output.splitlines() if line in places] == places
        assert "there is no file absent.py" in output
        assert cli.main(["grade", *places, "--json"]) == 1
        found = json.loads(capsys.readouterr().out)
        assert [found[place].get("score") for place in places] == [5.0, 4.0, None]

    def test_settings(self, capsys):
        assert cli.main(["grade", "right.py:backprop", "--activation", "tanh", "--json"]) == 1
        rule = json.loads(capsys.readouterr().out)["mistakes"][0]["rule"]
        assert rule == "forward: sigmoid in place of the activation"
        assert cli.main(["grade", "right.py:backprop", "--activation", "sigmoidd"]) == 3
        assert cli.main(["grade", "right.py:backprob"]) == 3
        assert "did you mean 'backprop'" in capsys.readouterr().err
