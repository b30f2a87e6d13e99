"""The code in the documents runs and prints what they say; their links lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "docs" / "errata.md"]
BLOCK = re.compile(r"```python\n(?P<code>.*?)```\s*```text\n(?P<output>.*?)```", re.DOTALL)


def blocks() -> list[object]:
    return [
        pytest.param(match["code"], match["output"], id=f"{path.stem}-{k}")
        for path in DOCUMENTS
        for k, match in enumerate(BLOCK.finditer(path.read_text(encoding="utf-8")))
    ]


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]


@pytest.mark.parametrize(("code", "output"), blocks())
def test_code_prints_what_the_document_says(code: str, output: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(code, "<document>", "exec"), {})
    assert lines(capsys.readouterr().out) == lines(output)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_every_piece_of_code_shows_its_output(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("```python\n") == len(BLOCK.findall(text))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_links_lead_to_files_that_are_there(path: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        assert (path.parent / link).exists(), link


def test_pictures_are_small() -> None:
    assert [p.name for p in (ROOT / "docs" / "images").iterdir() if p.stat().st_size > 200_000] == []


def test_the_first_example_stays_within_fifteen_lines() -> None:
    code = BLOCK.search(DOCUMENTS[0].read_text(encoding="utf-8"))
    assert code is not None
    assert len(lines(code["code"])) <= 15
