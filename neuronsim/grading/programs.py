"""Functions in files and notebooks of others: their code runs where the function is called, not where it is named."""

import ast
import inspect
import json
import linecache
from pathlib import Path
from typing import Any

from neuronsim.basics.checked import file_path
from neuronsim.errors import FileError, suggest


class Program:
    """A function of a file, which is run at the first call.

    Parameters
    ----------
    place : str
        ``solution.py:backprop``, or ``solution.ipynb:backprop``: all code cells one after the other, without lines for
        IPython; a cell that raises is passed over.

    Raises
    ------
    FileError
        If there is no such file or function, or it is no Python.
    """

    def __init__(self, place: str) -> None:
        file, colon, name = place.rpartition(":")
        if not colon or not name.isidentifier():
            raise FileError(f"{place!r}: write file and function, as in solution.py:backprop")
        self.path = file_path(file)
        if not self.path.is_file():
            raise FileError(f"there is no file {file}")
        self.__name__ = name
        self.file = str(self.path)
        self.cells = _cells(self.path)
        self.__signature__ = self._signature()
        self._found: Any = None

    def _signature(self) -> inspect.Signature:
        """Of the last function of that name, read and not run."""
        found = {n.name: n for tree in self._trees() for n in tree.body if isinstance(n, ast.FunctionDef)}
        if self.__name__ not in found:
            near = suggest(self.__name__, found) or ("; functions: " + ", ".join(found) if found else "; it has none")
            raise FileError(f"{self.path} has no function {self.__name__!r}{near}")
        return _signature(found[self.__name__].args)

    def _trees(self) -> list[ast.Module]:
        try:
            return [ast.parse(cell) for cell in self.cells]
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None)
            raise FileError(f"{self.path} is no Python: {error.args[0]}" + (f", line {line}" if line else "")) from None

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Run the file, at the first call, and call its function."""
        if self._found is None:
            self._found = self._run()[self.__name__]
        return self._found(*arguments, **named)

    def _lines(self) -> list[str]:
        """All code, for messages that show a line."""
        by_number = {k: line for cell in self.cells for k, line in enumerate(cell.split("\n")) if line}
        return [by_number.get(k, "") + "\n" for k in range(max(by_number, default=-1) + 1)]

    def _run(self) -> dict[str, Any]:
        names: dict[str, Any] = {"__name__": self.path.stem, "__file__": self.file}
        for cell in self.cells:
            try:
                exec(compile(cell, self.file, "exec"), names)
            except Exception:
                if len(self.cells) == 1:
                    raise
        linecache.cache[self.file] = (1, None, self._lines(), self.file)
        return names


def _cells(path: Path) -> list[str]:
    """The code of a file: of a notebook by cells, each behind as many empty lines as stand before it."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix != ".ipynb":
            return [text]
        sources = [cell["source"] for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise FileError(
            f"{path} cannot be read as {'a notebook' if path.suffix == '.ipynb' else 'text'}: {error}"
        ) from None
    cells, before = [], 0
    for source in sources:
        lines = "".join(source).splitlines()
        plain = ["" if line.lstrip()[:1] in ("%", "!", "?") else line for line in lines]
        cells.append("\n" * before + "\n".join(plain))
        before += len(lines)
    return cells


def _signature(given: ast.arguments) -> inspect.Signature:
    kinds = inspect.Parameter
    positional = [
        *((a, kinds.POSITIONAL_ONLY) for a in given.posonlyargs),
        *((a, kinds.POSITIONAL_OR_KEYWORD) for a in given.args),
    ]
    first_default = len(positional) - len(given.defaults)
    parameters = [
        kinds(a.arg, kind, default=None if k >= first_default else kinds.empty)
        for k, (a, kind) in enumerate(positional)
    ]
    if given.vararg:
        parameters.append(kinds(given.vararg.arg, kinds.VAR_POSITIONAL))
    parameters += [
        kinds(a.arg, kinds.KEYWORD_ONLY, default=kinds.empty if default is None else None)
        for a, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
    ]
    if given.kwarg:
        parameters.append(kinds(given.kwarg.arg, kinds.VAR_KEYWORD))
    return inspect.Signature(parameters)
