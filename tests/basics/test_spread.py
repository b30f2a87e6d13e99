"""Places evenly spread: the ends among them, each once, as far apart as they can be."""

import numpy as np
import pytest

from neuronsim.basics.spread import evenly_spread


@pytest.mark.parametrize("nearest", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3, 7, 40, 1000])
@pytest.mark.parametrize("most", [1, 2, 3, 6, 39, 40, 41])
def test_ascending_with_both_ends(n, most, nearest):
    places = evenly_spread(n, most, nearest=nearest)
    assert places.dtype == np.int64
    assert len(places) == min(n, most)
    assert places[0] == 0
    assert places[-1] == (n - 1 if len(places) > 1 else 0)
    gaps = np.diff(places, append=places[-1] + 1 if len(places) == 1 else [])
    assert gaps.min() >= 1
    assert np.ptp(gaps) <= 1


def test_all_if_there_are_no_more():
    assert evenly_spread(5, 9).tolist() == [0, 1, 2, 3, 4]


def test_none():
    assert evenly_spread(0, 4).tolist() == []
    assert evenly_spread(4, 0).tolist() == []


def test_between_two_places():
    """Of 9 places four are 0, 2⅔, 5⅓ and 8."""
    assert evenly_spread(9, 4).tolist() == [0, 2, 5, 8]
    assert evenly_spread(9, 4, nearest=True).tolist() == [0, 3, 5, 8]
