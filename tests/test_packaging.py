"""What a checkout promises beside its code: one version, one test command, hooks that run the same checks."""

import os
import tomllib
from pathlib import Path

import neuronsim
from neuronsim.commands.main import main

ROOT = Path(__file__).parent.parent
TEST_COMMAND = "pip install -e '.[test]' && python -m pytest"


def test_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == neuronsim.__version__
    assert f"## [{neuronsim.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_the_script_is_the_command_line() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"neuronsim": f"{main.__module__}:{main.__name__}"}


def test_ci_and_hooks_run_the_readme_s_test_command() -> None:
    for file in ("README.md", ".ci/run", ".pre-commit-config.yaml"):
        assert TEST_COMMAND in (ROOT / file).read_text(), file
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_ci_builds_the_site_strictly() -> None:
    """Its extra is installed as anybody would, and a warning is an error."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "docs" in project["optional-dependencies"]
    ci = (ROOT / ".ci" / "run").read_text()
    assert "pip install -e '.[test,docs]'" in ci
    assert "python -m sphinx -W" in ci


def test_types_are_shipped() -> None:
    assert (Path(neuronsim.__file__).parent / "py.typed").exists()
