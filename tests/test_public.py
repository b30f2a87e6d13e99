"""What people type and read: completion, help, and lists of what there is."""

import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import neuronsim as ns
from neuronsim.commands import info, main
from neuronsim.documents.explanation import Worksheet
from neuronsim.documents.marking import Marking
from neuronsim.documents.worksheets import Worksheets
from neuronsim.grading import Grade
from neuronsim.records import Edge, Evaluation, Gradients, Neuron
from neuronsim.step import Step

MODULES = [ns.activations, ns.data, ns.errors, ns.losses, ns.optimizers, ns.plot, ns.schedules, ns.stop, ns.wiring]
PAPERS = [Worksheet, Worksheets, Marking, Grade]
CLASSES = [
    ns.Network,
    ns.Run,
    Step,
    ns.Monitor,
    ns.Alarm,
    ns.data.Dataset,
    Neuron,
    Edge,
    Gradients,
    Evaluation,
    Grade,
    *PAPERS,
]
KINDS = {"activations": 18, "losses": 8, "optimizers": 7, "schedules": 6, "stops": 5, "wirings": 6}

#: What training calls on monitors and alarms, nobody else.
FOR_TRAINING = {"begin_run", "end_run", "holds"}


def public_calls() -> Iterator[tuple[str, Any]]:
    """Every function, class and method that people call."""
    for module in MODULES:
        if module not in (ns.errors, ns.activations, ns.losses):
            yield from ((f"{module.__name__}.{name}", getattr(module, name)) for name in dir(module))
    for cls in CLASSES:
        for name, member in inspect.getmembers(cls, callable):
            if not name.startswith("_") and name not in FOR_TRAINING:
                yield f"{cls.__name__}.{name}", member
    yield from (
        (name, getattr(ns, name))
        for name in ("load", "grade", "gradient_descent", "numerical_gradient", "random_search")
    )
    yield from ((f"{m.__name__}.register", m.register) for m in (ns.activations, ns.losses))


CALLS = [(name, call) for name, call in public_calls() if callable(call)]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_completion_shows_what_is_public_and_nothing_else(module: ModuleType) -> None:
    names = dir(module)
    assert names == sorted(module.__all__)
    for name in names:
        assert inspect.getdoc(getattr(module, name)), name
        assert not isinstance(getattr(module, name), ModuleType)


@pytest.mark.parametrize(("name", "call"), CALLS, ids=[name for name, _ in CALLS])
def test_help_says_what_is_taken(name: str, call: Any) -> None:
    """The parameters stand where one asks, in types that can be read, not behind ``**settings``."""
    parameters = [p for p in inspect.signature(call).parameters.values() if p.name not in ("self", "cls")]
    text = inspect.getdoc(call) or ""
    is_record = inspect.isclass(call) and "Attributes" in text
    assert text
    assert not parameters or "Parameters\n---" in text or is_record
    assert all(len(inspect.formatannotation(p.annotation)) < 100 for p in parameters)
    assert not [p for p in parameters if p.kind is p.VAR_KEYWORD and p.name == "settings"]
    if not is_record:
        section = text.partition("Parameters\n")[2].partition("\nReturns\n")[0]
        assert [p.name for p in parameters if p.name not in section] == []


def test_help_of_fit_is_short() -> None:
    assert len(str(inspect.signature(ns.Network.fit))) < 1_100


@pytest.mark.parametrize("kind", KINDS)
def test_what_there_is_stands_on_a_line_each(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["info", kind]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= KINDS[kind]  # tests register activations and losses of their own
    listing = info.KINDS[kind]()
    assert lines == repr(listing).splitlines()
    for name, sentence in listing.items():
        assert sentence, name
        assert max(map(len, lines)) <= 120


def test_python_tells_the_same() -> None:
    assert repr(ns.losses.available()).split("\n")[0].split()[:3] == ["half_squared_error", "½", "Σ"]
    assert list(ns.stop.available()) == list(ns.stop.STOPS)
    assert ns.activations.available().keys() == ns.activations.ACTIVATIONS.keys()


def test_brackets_offer_names() -> None:
    net = ns.wiring.layered([2, 3, 1], rng=0)
    names = ["x0", "x1", "h1.0", "h1.1", "h1.2", "y0"]
    assert net._ipython_key_completions_() == names
    assert net.step(np.ones(2), np.ones(1))._ipython_key_completions_() == names
    monitor = ns.Monitor(["h1.0", "h1.2"], "y")
    net.fit(np.ones((2, 2)), np.ones((2, 1)), monitors=monitor, rng=0)
    assert monitor._ipython_key_completions_() == ["h1.0", "h1.2"]
