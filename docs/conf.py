"""The documentation site: ``python -m sphinx -W docs DIR``."""

from typing import Any

import neuronsim

project = "neuronsim"
version = release = neuronsim.__version__
copyright = "neuronsim contributors"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"neuronsim {version}"
html_static_path: list[str] = []
html_show_sphinx = False

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

# Signatures show names and defaults; the types stand in the docstrings, in words and shapes.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "inherited-members": False}
default_role = "py:obj"  # `Network` in a docstring is a link
suppress_warnings = ["ref.python"]  # Step is a schedule, too: the first one is meant

napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False


def plain_bars(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """A bar in a docstring is one, |δ|, and no reference of reStructuredText's."""
    lines[:] = [line.replace("|", r"\|") for line in lines]


def setup(app: Any) -> None:
    """Before napoleon reads the docstrings."""
    app.connect("autodoc-process-docstring", plain_bars, priority=100)
