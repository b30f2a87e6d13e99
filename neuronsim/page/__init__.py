"""The page of a run: one HTML file that shows its steps, neurons and edges, offline."""

import os
from collections.abc import Iterable
from pathlib import Path

from neuronsim.basics.atomic import replacing
from neuronsim.graph.selection import Selection
from neuronsim.page.content import content
from neuronsim.page.document import document
from neuronsim.run import Run

__all__ = ["content", "document", "write"]


def write(
    run: Run,
    path: str | os.PathLike[str],
    *,
    steps: Iterable[int] | None = None,
    neurons: Selection | None = None,
    title: str | None = None,
) -> Path:
    """Write the page of a run; see `Run.to_html`."""
    name = f"A run of {run.n_steps:,} steps" if title is None else title
    text = document(content(run, steps, neurons), name)
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")
    return Path(path)
