"""Functions in files and notebooks."""

import json

import pytest

import neuronsim as ns
from neuronsim.errors import FileError
from neuronsim.grading.programs import Program

CODE = """\
import numpy as np


def backprop(W1, b1, W2, b2, x, t, *, debug=False):
    h = 1 / (1 + np.exp(-(W1 @ x + b1)))
    y = 1 / (1 + np.exp(-(W2 @ h + b2)))
    d2 = (y - t) * y * (1 - y)
    d1 = W2.T @ d2 * h * (1 - h)
    return np.outer(d1, x), d1, np.outer(d2, h), d2
"""


def notebook(*cells):
    code = [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]
    return json.dumps({"cells": [{"cell_type": "markdown", "source": ["# Homework"]}, *code]})


def test_a_file(tmp_path):
    file = tmp_path / "solution.py"
    file.write_text(CODE)
    program = Program(f"{file}:backprop")
    assert program.__name__ == "backprop"
    assert ns.grade(program).ok


def test_a_notebook_with_magic_and_a_broken_cell(tmp_path):
    file = tmp_path / "solution.ipynb"
    file.write_text(notebook("%matplotlib inline\n!pip list\n" + CODE, "backprop(1)\n", "answer = 42\n"))
    assert ns.grade(Program(f"{file}:backprop")).ok


def test_what_a_file_does_when_it_is_run_is_graded_too(tmp_path):
    file = tmp_path / "solution.py"
    for line, problem in (("raise RuntimeError('no')\n", "it raised RuntimeError: no"), ("exit()\n", "sys.exit()")):
        file.write_text(CODE + line)
        found = ns.grade(Program(f"{file}:backprop"))
        assert found.points == 0.0
        assert problem in found.problems[0]
    file.write_text(CODE + "while True: pass\n")
    assert "did not come back" in ns.grade(Program(f"{file}:backprop"), time_limit=0.3).problems[0]


def test_the_line_that_raised_is_shown(tmp_path):
    file = tmp_path / "solution.ipynb"
    file.write_text(notebook("import numpy as np\n", "def f(W1, b1, x, t):\n    return W1 @ np.ones(99)\n"))
    assert "in line 3: return W1 @ np.ones(99)" in ns.grade(Program(f"{file}:f")).problems[0]


PLACES = {
    "solution.py": "write file and function",
    "solution.py:": "write file and function",
    "missing.py:f": "there is no file",
    "solution.py:backprob": "did you mean 'backprop'",
    "broken.py:f": "is no Python: .*line 1",
    "empty.py:f": "it has none",
    "broken.ipynb:f": "cannot be read as a notebook",
}


@pytest.mark.parametrize("place", PLACES)
def test_what_is_not_there_is_told(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    for name, text in (("solution.py", CODE), ("broken.py", "def f(:\n"), ("empty.py", ""), ("broken.ipynb", "{}")):
        (tmp_path / name).write_text(text)
    with pytest.raises(FileError, match=PLACES[place]):
        Program(place)
