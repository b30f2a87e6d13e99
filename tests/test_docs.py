"""What the documentation says of the code: files that it names exist, links lead somewhere, the house stands so."""

import ast
import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from neuronsim.commands import parser

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def script(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def make_house():
    return script("make_house")


def test_the_picture_of_the_house_is_todays(make_house):
    drawn = make_house.PICTURE.read_text(encoding="utf-8")
    assert drawn == make_house.picture(), "the house has changed: python docs/make_house.py"


def test_the_reference_of_experiment_files_is_todays():
    # In a process of its own: other tests register activations, and the page lists those that come with neuronsim.
    make_keys = ROOT / "docs" / "make_keys.py"
    made = subprocess.run([sys.executable, make_keys, "--print"], capture_output=True, check=True, encoding="utf-8")
    written = make_keys.with_name("keys.md").read_text(encoding="utf-8")
    assert written == made.stdout, "a key of experiment files has changed: python docs/make_keys.py"


def test_rooms_stand_on_what_they_import(make_house):
    arrows = {"hall": {"cellar"}, "roof": {"hall", "cellar"}, "cellar": set()}
    assert make_house.floors(arrows) == [["cellar"], ["hall"], ["roof"]]
    assert make_house.drawn(arrows) == [("hall", "cellar"), ("roof", "hall")]
    with pytest.raises(ValueError, match=r"circle: \['a', 'b'\]"):
        make_house.floors({"a": {"b"}, "b": {"a"}})


@every_page
def test_links_lead_somewhere(page):
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link.split("#")[0]).exists()] == []


@every_page
def test_commands_that_are_named_can_be_given(page):
    """In backticks and in shell blocks; a file that is named need not exist."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:bash|sh|shell|console)\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    lines += re.findall(r"`(neuronsim [^`]+)`", text)
    commands = [words for line in lines for words in re.findall(r"(?:^|&& |\$ )neuronsim ([a-z][^|&;>#…]*)", line)]
    for words in map(shlex.split, commands):
        if len(words) > 1:  # "neuronsim new" alone names the command
            assert parser.read(words).command == words[0]


def test_files_that_are_named_exist():
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in ("docs/architecture.md", "CONTRIBUTING.md"))
    named = set(re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.py)`", text))
    assert len(named) > 15
    assert [name for name in named if not ((ROOT / "neuronsim" / name).exists() or (ROOT / name).exists())] == []
    ways = set(re.findall(r"\b((?:engine|graph|training|kernels/[a-z]+|kernels|tracing)/[a-z_]+)\b(?!\.)", text))
    assert ways
    places = [ROOT / "neuronsim" / way for way in ways if not way.startswith("tests")]
    assert [str(place) for place in places if not (place.exists() or place.with_suffix(".py").exists())] == []


def test_the_tests_that_hold_the_guarantees_exist():
    text = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::([\w:]+)`", text)
    assert len(named) > 30
    for file, way in named:
        body = ast.parse((ROOT / file).read_text(encoding="utf-8")).body
        for name in way.split("::"):
            (found,) = [node for node in body if getattr(node, "name", None) == name]
            body = found.body
    promises = re.findall(r"^- \*\*.*?(?=^- |^$)", text, re.MULTILINE | re.DOTALL)
    assert len(promises) > 18
    assert [promise for promise in promises if "Held by `tests/" not in promise] == []
