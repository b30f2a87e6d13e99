"""The page as one file: template, style, scripts and data put together."""

import base64
import hashlib
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from neuronsim.page.numbers import as_json

MADE_BY = "Made by neuronsim; charts by uPlot, © Leon Sorokin, MIT licence"


def document(content: dict[str, Any], title: str) -> str:
    """The HTML of a page. It may run its own scripts and nothing else, and load nothing."""
    scripts = {"guard": _text("guard.js"), "uplot": _text("uplot/uPlot.iife.min.js"), "js": _text("page.js")}
    return Template(_text("template.html")).substitute(
        scripts,
        title=escape(title),
        made_by=MADE_BY,
        css=_text("page.css"),
        licence=_text("uplot/LICENSE"),
        uplot_css=_text("uplot/uPlot.min.css"),
        hashes=" ".join(f"'sha256-{_hash(text)}'" for text in scripts.values()),
        data=as_json(content),
    )


@cache
def _text(name: str) -> str:
    return files("neuronsim.page").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
