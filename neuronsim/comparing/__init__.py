"""Comparison: groups of runs that differ in their seeds, as text, picture and page."""

from neuronsim.comparing.comparison import Comparison, Group, Pair, compare
from neuronsim.comparing.statistics import Summary

__all__ = ["Comparison", "Group", "Pair", "Summary", "compare"]


def __dir__() -> list[str]:
    return __all__
