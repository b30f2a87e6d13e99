"""Delegation: read-only properties that say what a part of the object says."""

from operator import attrgetter
from typing import Any


def delegated(path: str, doc: str | None = None) -> Any:
    """A read-only property: of each object what stands at ``path``, such as ``"graph.n_edges"``.

    The class annotates its type: ``n_edges: int = delegated("graph.n_edges", "How many edges there are.")``.
    """
    return property(attrgetter(path), doc=doc)
