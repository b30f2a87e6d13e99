"""Functions that do anything: raise, return what cannot be read, hang, exit, kill, print, change what they get."""

import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from students import Student

import neuronsim as ns
from neuronsim.grading import sandbox


def raising(weights, biases, X, T):
    return weights[0] @ np.ones(99)


def leaving(weights, biases, X, T):
    sys.exit(3)


def killing(weights, biases, X, T):
    os._exit(3)


def crashing(weights, biases, X, T):
    os.kill(os.getpid(), signal.SIGKILL)


def asking(weights, biases, X, T):
    return input("? ")


def recursing(weights, biases, X, T):
    return recursing(weights, biases, X, T)


def returning_nothing(weights, biases, X, T):
    weights = [w + 1 for w in weights]


def returning_text(weights, biases, X, T):
    return "done"


def returning_an_object(weights, biases, X, T):
    return object()


def returning_a_generator(weights, biases, X, T):
    yield weights


def returning_wrong_shapes(weights, biases, X, T):
    return [w[:, :1] for w in weights], biases


def returning_ragged_lists(weights, biases, X, T):
    return [[1.0, 2.0], [3.0]], "b"


def returning_complex_numbers(weights, biases, X, T):
    return [w * 1j for w in weights], biases


def returning_itself(weights, biases, X, T):
    endless = []
    endless.append(endless)
    return endless


def returning_strange_names(weights, biases, X, T):
    return {1: None, (2, 3): np.float32(1)}


def returning_infinity(weights, biases, X, T):
    return [w * np.inf for w in weights], [b * 1e308 for b in biases]


def returning_zeros(weights, biases, X, T):
    return [0.0 * w for w in weights], [0.0 * b for b in biases]


def returning_what_it_got(weights, biases, X, T):
    return weights, biases


def returning_noise(weights, biases, X, T):
    return [np.sin(w + X.sum()) for w in weights], [np.cos(b + T.sum()) for b in biases]


def stepping_nowhere(weights, biases, X, T, learning_rate):
    return weights, biases


class Silent(Exception):
    def __str__(self):
        raise RuntimeError


def raising_without_words(weights, biases, X, T):
    raise Silent


def forking(weights, biases, X, T):
    os.fork()
    return [], []


def without_names(a, b):
    return a


PROBLEMS = {
    raising: "it raised ValueError: .*, in line .*: return weights",
    leaving: r"it called sys.exit\(\)",
    killing: r"it ended the process \(exit code 3\)",
    crashing: r"it ended the process \(signal 9\)",
    asking: "it raised EOFError",
    recursing: "it raised RecursionError",
    returning_nothing: "it returned None",
    returning_text: "it returned 'done'",
    returning_an_object: "<object>",
    returning_a_generator: "<generator>",
    returning_wrong_shapes: "the layers need W and b of shapes",
    returning_ragged_lists: "no array of numbers",
    returning_complex_numbers: "no array of numbers",
    returning_itself: "no array of numbers",
    returning_strange_names: "",
    returning_infinity: "numbers are not finite",
    returning_zeros: "mistake: no step",
    returning_what_it_got: "mistake: output delta: not one of those known",
    returning_noise: "mistake: output delta: not one of those known",
    stepping_nowhere: "mistake: no step",
    raising_without_words: "it raised Silent, in line",
    forking: "no arrays",
    without_names: "its parameter 'a' says nothing",
}


@pytest.mark.parametrize("function", PROBLEMS, ids=lambda function: function.__name__)
def test_whatever_it_does_it_is_graded(function):
    found = ns.grade(function, sizes=[[2, 3, 1]])
    assert found.points == 0.0
    assert not found.ok
    assert re.search(PROBLEMS[function], "\n".join(found.problems) + str(found))


def test_one_that_hangs_is_ended_and_called_no_more():
    def hanging(weights, biases, X, T):
        while True:
            pass

    begin = time.perf_counter()
    found = ns.grade(hanging, time_limit=0.2)
    assert time.perf_counter() - begin < 5.0
    assert found.problems[0].startswith("in 2 of 12 calls it did not come back within 0.2 s")
    assert found.points == 0.0


def test_one_that_hangs_at_times_is_asked_for_the_rest():
    def at_times(weights, biases, X, T):
        while len(weights) == 3 and len(X) == 3:
            time.sleep(1)
        return Student().gradients(weights, biases, X, T)

    found = ns.grade(at_times, time_limit=0.3)
    assert len(found.problems) == 1
    assert found["weights"].right == 9


def test_what_it_changes_and_prints_stays_with_it(capfd):
    calls = []

    def changing(weights, biases, X, T):
        found = Student().gradients(weights, biases, X, T)
        print("shouting")
        os.system("echo shouting")
        calls.append(1)
        X[:], T[:], weights[0][:] = 0.0, 0.0, 0.0
        return found

    assert ns.grade(changing).ok
    assert capfd.readouterr() == ("", "")
    assert calls == []


def test_its_own_fork_answers_nothing():
    def forking(weights, biases, X, T):
        os.fork()
        return Student().gradients(weights, biases, X, T)

    assert ns.grade(forking).ok


def test_children_of_the_child_end_with_it(tmp_path):
    file = tmp_path / "late"

    def starting(weights, biases, X, T):
        subprocess.Popen([sys.executable, "-c", f"import time; time.sleep(1); open({str(file)!r}, 'w')"])
        return Student().gradients(weights, biases, X, T)

    assert ns.grade(starting, sizes=[[2, 2]]).ok
    time.sleep(1.3)
    assert not file.exists()


def test_without_a_limit_it_is_called_right_here():
    calls = []

    def here(weights, biases, X, T):
        calls.append(1)
        return Student().gradients(weights, biases, X, T)

    assert ns.grade(here, time_limit=None).ok
    assert len(calls) == 12
    assert not ns.grade(leaving, time_limit=None).ok


def test_in_threads_where_there_is_no_fork(monkeypatch):
    monkeypatch.delattr(os, "fork")
    before = sys.stdout
    assert ns.grade(Student().gradients).ok
    found = ns.grade(lambda weights, biases, X, T: time.sleep(0.5), time_limit=0.1)
    assert "did not come back within 0.1 s" in found.problems[0]
    assert sys.stdout is before
    time.sleep(0.5)
    assert sys.stdout is before
    assert ns.grade(leaving).problems[0].startswith("in 12 of 12 calls it called sys.exit()")


def test_libraries_with_threads_are_not_forked(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    monkeypatch.delattr(os, "fork")
    assert sandbox.calls(lambda x: x + 1, [{"x": 1}], 5.0)[0].value == 2


def test_ctrl_c_ends_the_grading():
    def interrupting(weights, biases, X, T):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ns.grade(interrupting, time_limit=None)
