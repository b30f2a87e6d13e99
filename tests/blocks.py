"""The blocks of code in a page of the documentation, run in order as a reader would, in one place and with one memory.

====== =====================================================================================================
python in one namespace for the page
sh     lines that begin with ``neuronsim`` by the command line itself; others must be of `ELSEWHERE`
toml   written to the file that its first line names, ``# iris.toml``; a part of a file in place of that part
text   right after one of these: what it has to print; a line ``…`` stands for any lines
====== =====================================================================================================

``<!-- not run: why -->`` before a block leaves it alone, with its output.
"""

import contextlib
import io
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from neuronsim import experiment
from neuronsim.commands.main import main
from neuronsim.experiment.tomltext import toml_text

BLOCK = re.compile(
    r"(?P<left_alone><!-- not run: [^\n]+ -->\n+)?^```(?P<language>\S*)\n(?P<code>.*?)^```$"
    r"(?:\s*^```text\n(?P<output>.*?)^```$)?",
    re.DOTALL | re.MULTILINE,
)

#: What the commands of a page may begin with that are not ours to run.
ELSEWHERE = ("pip ", "git ", "python ", "cd ", "pre-commit ", ".ci/run", "#")


@dataclass(frozen=True)
class Block:
    """A piece of code, what it has to print (None: whatever it does), and the line it stands on."""

    language: str
    code: str
    output: str | None
    line: int


def blocks_of(path: Path) -> Iterator[Block]:
    """The blocks of a page that are to be run."""
    text = path.read_text(encoding="utf-8")
    for match in BLOCK.finditer(text):
        if not match["left_alone"] and match["language"] in ("python", "sh", "toml"):
            yield Block(match["language"], match["code"], match["output"], text[: match.start("code")].count("\n") + 1)


def run(path: Path) -> int:
    """Run a page's blocks in the working directory; how many there were. An error names page and line."""
    names: dict[str, object] = {"__name__": "__main__"}
    whole: dict[str, object] = {}
    count = 0
    for block in blocks_of(path):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            if block.language == "python":
                code = "\n" * (block.line - 1) + block.code  # the lines of a traceback are those of the page
                exec(compile(code, str(path), "exec"), names)
            elif block.language == "sh":
                _run_commands(block, path)
            else:
                whole = _write(block, whole, path)
        if block.output is not None:
            assert _says(printed.getvalue(), block.output), (
                f"{path.name}, line {block.line}, printed:\n{printed.getvalue()}"
            )
        count += 1
    return count


def _run_commands(block: Block, path: Path) -> None:
    for line in block.code.replace("\\\n", " ").splitlines():
        if line.startswith("neuronsim"):
            code = main(shlex.split(line, comments=True)[1:])
            assert code == 0, f"{path.name}, line {block.line}: {line} ended with {code}"
        else:
            assert not line or line.startswith(ELSEWHERE), f"{path.name}, line {block.line}: {line} is not run"


def _write(block: Block, whole: dict[str, object], path: Path) -> dict[str, object]:
    """Check an experiment file, or a part of one in place of that part of the last whole one; the last whole one."""
    settings = tomllib.loads(block.code)
    name = re.match(r"# (\S+\.toml)\n", block.code)
    if name:
        Path(name[1]).write_text(block.code, encoding="utf-8")
        experiment.read(name[1])
        return settings
    assert whole, f"{path.name}, line {block.line}: a part of an experiment file, before any whole one"
    Path("part.toml").write_text(toml_text(whole | settings), encoding="utf-8")
    experiment.read("part.toml")
    Path("part.toml").unlink()
    return whole


def _says(printed: str, output: str) -> bool:
    """Whether a text is what a page shows of it; spaces at the ends of lines do not count."""
    pieces = [re.escape("\n".join(part)) for part in _parts(output.strip().splitlines())]
    return re.fullmatch(".*".join(pieces), "\n".join(_lines(printed)), re.DOTALL) is not None


def _parts(lines: list[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for line in lines:
        if line.strip() == "…":
            parts.append([])
        else:
            parts[-1].append(line.rstrip())
    return parts


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]
