"""Of many terms only the largest few are shown, and what is left out is said."""

from collections.abc import Callable, Sequence
from typing import TypeVar

# More terms than this are folded down to the largest few.
MOST_TERMS = 12
SHOWN_TERMS = 8

T = TypeVar("T")


def largest(terms: Sequence[T], size: Callable[[T], float]) -> tuple[Sequence[T], Sequence[T]]:
    """Which terms are shown, and which are left out: all and none, or the largest and the others."""
    if len(terms) <= MOST_TERMS:
        return terms, ()
    ordered = sorted(terms, key=lambda term: -abs(size(term)))
    return ordered[:SHOWN_TERMS], ordered[SHOWN_TERMS:]
