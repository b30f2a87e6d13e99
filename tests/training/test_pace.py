"""How many threads train fastest: each count is timed, the fastest taken, and the others tried now and then."""

from neuronsim.training.pace import Pace

SECONDS = {1: 0.003, 2: 0.002, 4: 0.005}


def counts_taken(pace: Pace, n: int, seconds: dict[int, float]) -> list[int]:
    """The counts of n chunks, each of which takes what its count takes."""
    taken = []
    for _ in range(n):
        taken.append(pace.next())
        pace.note(taken[-1], seconds[taken[-1]])
    return taken


def test_one_count_is_always_taken():
    assert counts_taken(Pace([3]), 100, {3: 1.0}) == [3] * 100


def test_every_count_is_timed_and_then_the_fastest_taken():
    """The first chunk of each may have compiled: two chunks each before the first is known."""
    taken = counts_taken(Pace([1, 2, 4]), 29, SECONDS)
    assert taken[:6] == [1, 1, 2, 2, 4, 4]
    assert taken[6:] == [2] * 23


def test_the_slowest_is_tried_again_now_and_then():
    pace = Pace([1, 2])
    assert counts_taken(pace, 4 * Pace.AGAIN, SECONDS).count(1) == 2 + 3
    later = counts_taken(pace, Pace.AGAIN, {1: 0.001, 2: 0.009})
    assert later[0] == 1
    assert later[1:] == [1] * (Pace.AGAIN - 1)


def test_a_first_chunk_does_not_count():
    pace = Pace([1, 2])
    pace.note(1, 60.0)
    assert pace.seconds == {}
    pace.note(1, 0.5)
    assert pace.seconds == {1: 0.5}


def test_a_short_chunk_is_enough_where_another_count_is_faster():
    pace = Pace([1, 2])
    assert not pace.tries(1)
    counts_taken(pace, 2, SECONDS)
    assert not pace.tries(1)
    assert pace.tries(2)  # not timed yet
    counts_taken(pace, 2, SECONDS)
    assert pace.tries(1)
    assert not pace.tries(2)
