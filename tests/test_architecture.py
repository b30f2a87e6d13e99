"""The house: imports point one way, one module owns each outside library, and only the command line prints."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import neuronsim as ns

PACKAGE = Path(ns.__file__).parent

# From the ground up: a module may import, at its top level, from its own floor's package and from floors below.
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
    ["wiring", "storage", "plots"],
    ["page"],
    ["experiment"],
    ["commands"],
    ["__main__", "activations", "losses", "optimizers", "schedules", "stop"],
]
FLOOR = {module: number for number, modules in enumerate(FLOORS) for module in modules}

# Who may import a library, at whichever level of the code.
OWNERS = {
    "matplotlib": {"plots"},
    "tqdm": {"training"},
    "safetensors": {"storage"},
    "numba": {"kernels", "formulas", "commands"},
    "llvmlite": {"kernels", "commands"},
    "sklearn": {"data"},
}


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def sources() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module == "neuronsim":
        return [f"neuronsim.{alias.name}" for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module]
    return []


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_at_the_top_level_point_down(path):
    own = part_of(path)
    assert own in FLOOR, f"{own} has no floor yet"
    for node in ast.parse(path.read_text()).body:
        for name in imported(node):
            if name.startswith("neuronsim."):
                other = name.split(".")[1]
                if other in FLOOR and other != own:
                    assert FLOOR[other] <= FLOOR[own], f"{path.name} imports {name} from a floor above"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_libraries_have_their_owners(path):
    for node in ast.walk(ast.parse(path.read_text())):
        for name in imported(node):
            library = name.split(".")[0]
            assert part_of(path) in OWNERS.get(library, {part_of(path)}), f"{path.name} imports {library}"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_command_line_prints(path):
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    printed = [node for node in calls if isinstance(node.func, ast.Name) and node.func.id == "print"]
    assert not printed or part_of(path) == "commands"


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
