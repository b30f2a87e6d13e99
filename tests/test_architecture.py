"""The house: imports point one way, one module owns each outside library, and only the command line prints."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import neuronsim as ns

PACKAGE = Path(ns.__file__).parent

# What people hold: the only files that may import from floors above.
FACADES = {"__init__.py", "network.py", "run.py", "step.py"}

# From the ground up: a file may import, at any depth of its code, from its own floor and from floors below.
FLOORS = [
    ["errors"],
    ["basics", "seeds"],
    ["documents", "formulas", "kernels"],
    ["data"],
    ["graph"],
    ["engine"],
    ["training"],
    ["tracing"],
    ["explaining", "analysis", "verifying"],
    ["records", "run", "step"],
    ["network"],
    ["wiring", "replicas", "storage", "plots"],
    ["page", "grading"],
    ["experiment"],
    ["sweeps"],
    ["comparing"],
    ["commands"],
    ["__main__", "activations", "losses", "optimizers", "schedules", "stop"],
]
FLOOR = {module: number for number, modules in enumerate(FLOORS) for module in modules}

# Who may import a library, at any depth of the code.
OWNERS = {
    "matplotlib": {"plots"},
    "tqdm": {"training"},
    "safetensors": {"storage"},
    "numba": {"kernels", "formulas", "commands"},
    "llvmlite": {"kernels", "commands"},
    "sklearn": {"data"},
}

# Private names that may be read from outside: what a NamedTuple offers, os._exit, and Numba's insides where no other
# way leads.
OPEN_NAMES = {"_asdict", "_exit", "_fields", "_replace"}
NUMBAS_NAMES = {
    "commands/info.py": {"_launch_threads"},
    "kernels/jit.py": {"_Cache", "_cache", "_compiler", "_rebuild", "_reduce"},
    "kernels/shapes.py": {"_get_host_cpu_features"},
}

# The most parameters of a function, self and Numba's typing context aside; and what takes more: settings that people
# give one by one, and the twin of `fit`.
MOST_PARAMETERS = 8
LONGER = {
    "network.py": {"fit": 28, "check_foreign": 11, "add_neuron": 10},
    "formulas/neurons.py": {"fit": 13},
    "verifying/foreign.py": {"check_foreign": 12},
    "grading/assess.py": {"grade": 11},
    "wiring.py": {"from_edges": 13, "random_dag": 9, "_assemble": 10, "elman": 9, "reservoir": 12},
}


def place(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


PATHS = sorted(PACKAGE.rglob("*.py"))
every_file = pytest.mark.parametrize("path", [path for path in PATHS if place(path) != "__init__.py"], ids=place)


@cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def imported(path: Path) -> Iterator[str]:
    """What a file imports anywhere: in functions and for type checkers too. A name of a module follows the module."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import, which this test does not follow"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def file_of(name: str, package: Path = PACKAGE) -> str | None:
    """The file that an imported name stands for, or is in: ``neuronsim.graph.graph.Graph`` is in graph/graph.py."""
    root, *parts = name.split(".")
    if root != package.name:
        return None
    for n in range(len(parts), -1, -1):
        inside = "/".join(parts[:n])
        for file in (f"{inside}.py", f"{inside}/__init__.py".lstrip("/")):
            if (package / file).is_file():
                return file
    raise AssertionError(f"{name} is imported, and there is no such file")


def circle(package: Path, facades: set[str]) -> list[str]:
    """Files that import one another in a circle, or none; what façades import does not count."""
    imports = {}
    for path in package.rglob("*.py"):
        own = path.relative_to(package).as_posix()
        found = {file_of(name, package) for name in imported(path)} - {None, own}
        imports[own] = set() if own in facades else found
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_no_file_imports_itself_through_others():
    assert circle(PACKAGE, FACADES) == []


PLANTED = {
    "at the top": "from house.b import B",
    "in a function": "def f():\n    from house.b import B",
    "for type checkers": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import house.b",
    "of a module": "from house import b",
}


class TestCircle:
    """A test of the test: planted circles are found wherever the imports stand."""

    @pytest.fixture
    def house(self, tmp_path):
        house = tmp_path / "house"
        house.mkdir()
        (house / "__init__.py").write_text("from house.a import A\n")
        (house / "a.py").write_text("A = 1\n")
        (house / "b.py").write_text("from house.c import C\nB = C\n")
        (house / "c.py").write_text("def g():\n    from house.a import A\nC = 2\n")
        return house

    def test_none(self, house):
        assert circle(house, {"__init__.py"}) == []

    @pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
    def test_planted(self, house, planted):
        (house / "a.py").write_text(planted)
        assert sorted(set(circle(house, {"__init__.py"}))) == ["a.py", "b.py", "c.py"]
        assert circle(house, {"__init__.py", "a.py"}) == []


@every_file
def test_imports_point_down(path):
    own = part_of(path)
    assert own in FLOOR, f"{own} has no floor yet"
    if place(path) not in FACADES:
        files = {file_of(name) for name in imported(path)} - {None, "__init__.py"}
        above = {file for file in files if FLOOR[file.split("/")[0].removesuffix(".py")] > FLOOR[own]}
        assert above == set()


@every_file
def test_libraries_have_their_owners(path):
    for name in imported(path):
        library = name.split(".")[0]
        assert part_of(path) in OWNERS.get(library, {part_of(path)}), f"{path.name} imports {library}"


@every_file
def test_only_the_command_line_prints(path):
    calls = [node for node in nodes(path) if isinstance(node, ast.Call)]
    printed = [node for node in calls if isinstance(node.func, ast.Name) and node.func.id == "print"]
    assert not printed or part_of(path) == "commands"


@every_file
def test_private_names_stay_in_their_file(path):
    """No ``other._name``, unless this file gives something that name."""
    assert private_names_of_others(path) - OPEN_NAMES - NUMBAS_NAMES.get(place(path), set()) == set()


def private_names_of_others(path: Path) -> set[str]:
    mine, read = set(), set()
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            mine.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            mine.add(node.id)
        elif isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if isinstance(node.ctx, ast.Store) and owner in ("self", "cls"):
                mine.add(node.attr)
            elif owner not in ("self", "cls"):
                read.add(node.attr)
        elif isinstance(node, ast.ImportFrom):
            read.update(alias.name for alias in node.names)
    return {name for name in read - mine if name.startswith("_") and not name.startswith("__")}


def test_private_names_are_found(tmp_path):
    file = tmp_path / "file.py"
    file.write_text(
        "from a import _imported\n"
        "class A:\n    _field: int\n    def f(self):\n        self._own = other._read + other.__dict__\n"
        "def same(a): return a._own, a._field, a.f._deep()\n"
        "other._written = 1\n"
    )
    assert private_names_of_others(file) == {"_imported", "_read", "_deep", "_written"}


@every_file
def test_parameters_are_few(path):
    long = {}
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef):
            n = n_parameters(node.args)
            if n > MOST_PARAMETERS:
                long[node.name] = n
    allowed = LONGER.get(place(path), {})
    assert {name: n for name, n in long.items() if n > allowed.get(name, 0)} == {}


def n_parameters(given: ast.arguments) -> int:
    names = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg) if a]
    return len(set(names) - {"self", "cls", "typingctx"})


def test_parameters_are_counted():
    def count(text: str) -> int:
        return n_parameters(ast.parse(text).body[0].args)

    assert count("def f(self, a, /, b, *c, d, e=1, **f): ...") == 6
    assert count("def f(): ...") == 0


def test_public_names_are_sorted_and_there():
    assert ns.__all__ == sorted(ns.__all__)
    assert all(getattr(ns, name) is not None for name in ns.__all__)
    assert dir(ns) == ns.__all__
    with pytest.raises(AttributeError, match="no attribute 'Netwrok'"):
        ns.Netwrok  # noqa: B018


def test_importing_loads_nothing_heavy():
    heavy = "numba", "numpy", "matplotlib", "safetensors", "tqdm"
    code = f"import sys, neuronsim; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
