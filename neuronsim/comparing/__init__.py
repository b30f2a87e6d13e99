"""Comparison: groups of runs that differ in their seeds, as text, picture and page."""

from neuronsim.comparing.comparison import Comparison, Group, Pair, compare
from neuronsim.comparing.rates import RateRange, learning_rate_range
from neuronsim.comparing.statistics import Summary

__all__ = ["Comparison", "Group", "Pair", "RateRange", "Summary", "compare", "learning_rate_range"]


def __dir__() -> list[str]:
    return __all__
