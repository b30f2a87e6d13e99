"""Which of many terms are shown."""

import pytest

from neuronsim.documents.terms import MOST_TERMS, SHOWN_TERMS, largest


def test_some_are_shown_as_they_stand():
    terms = [1.0, -3.0, 2.0] * (MOST_TERMS // 3)
    assert largest(terms, abs) == (terms, ())


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_of_more_the_largest_come_first_and_the_others_follow(sign):
    terms = [sign * (k % 7) for k in range(MOST_TERMS + 1)]
    shown, others = largest(terms, lambda term: term)
    assert len(shown) == SHOWN_TERMS
    assert [*shown, *others] == sorted(terms, key=abs, reverse=True)
