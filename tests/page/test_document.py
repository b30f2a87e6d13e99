"""The page as a file: it loads nothing, and is whole."""

import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path

from pages import lecture_run

import neuronsim as ns


class TestText:
    def test_a_title_cannot_break_out(self, tmp_path: Path) -> None:
        text = lecture_run(2).to_html(tmp_path / "run.html", title="</script><b>&").read_text(encoding="utf-8")
        assert "</script><b>" not in text


class TestOffline:
    def test_it_loads_nothing(self, tmp_path: Path) -> None:
        text = lecture_run(2).to_html(tmp_path / "run.html").read_text(encoding="utf-8")
        assert "default-src 'none'" in text
        loads: list[tuple[str, str]] = []
        tags: set[str] = set()

        class Loads(HTMLParser):
            def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
                tags.add(tag)
                loads.extend((tag, name) for name, _ in attrs if name in ("src", "href", "action", "data"))

        Loads().feed(text.replace("<body>", "<body><img src=x>"))
        assert loads == [("img", "src")]  # the planted one alone
        assert {"script", "style", "body"} <= tags
        assert "Permission is hereby granted" in text

    def test_its_files_are_shipped(self) -> None:
        folder = Path(ns.__file__).parent / "page"
        needed = ["template.html", "page.css", "page.js", "guard.js"]
        needed += [f"uplot/{name}" for name in ("uPlot.iife.min.js", "uPlot.min.css", "LICENSE")]
        assert all((folder / name).stat().st_size for name in needed)
        project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
        # whole packages, files that are not Python included
        assert project["tool"]["hatch"]["build"]["targets"]["wheel"] == {"packages": ["neuronsim"]}


def test_the_page_is_loaded_only_where_it_is_wanted() -> None:
    code = "import sys, neuronsim.run; print('neuronsim.page' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
