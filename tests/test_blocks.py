"""Every block of code in the documents runs, and prints what they say."""

import re
from pathlib import Path

import blocks
import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

#: Not code of ours: the ways of a sample, key by key, and what is printed elsewhere.
PLAIN = {"text", "json", "html", "{eval-rst}", "{toctree}"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_code_runs_and_prints_what_the_page_says(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks.run(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_says_what_it_is(page: Path) -> None:
    languages = {match["language"] for match in blocks.BLOCK.finditer(page.read_text(encoding="utf-8"))}
    assert languages <= {"python", "sh", "toml"} | PLAIN


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```python\nprint(1 +\n```", "SyntaxError"),
        ("```python\nprint(3)\n```\n\n```text\n4\n```", "line 2, printed:\n3"),
        ("```python\na = 3\n```\n\n```python\nprint(b)\n```", "NameError"),
        ("```sh\nneuronsim info none.json\n```", "ended with 3"),
        ("```sh\nrm -r /\n```", "is not run"),
        ('```toml\n# a.toml\nnetwork = { wirng = "layered" }\n```', "SettingError"),
        ("```toml\n[training]\nepochs = 3\n```", "before any whole one"),
    ],
)
def test_what_does_not_run_is_noticed(text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(BaseException) as caught:  # noqa: PT011 (assertions, and whatever the code raises)
        blocks.run(page)
    assert message in f"{type(caught.value).__name__}: {caught.value}"


def test_blocks_share_a_memory_and_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "```python\na = 3\n```\n<!-- not run: a test -->\n```python\nprint(b)\n```\n```text\n4\n```\n"
        "```python\nprint(1, 2, a, sep='\\n')\n```\n\n```text\n1\n…\n3\n```\n"
    )
    assert blocks.run(page) == 2


def test_pictures_are_small() -> None:
    assert [p.name for p in (ROOT / "docs" / "images").iterdir() if p.stat().st_size > 200_000] == []


def test_the_first_example_stays_within_fifteen_lines() -> None:
    code = re.search(r"```python\n(.*?)```", PAGES[0].read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    assert len(code[1].strip().splitlines()) <= 15
