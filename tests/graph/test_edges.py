import numpy as np
import pytest

from neuronsim.graph import edges


@pytest.fixture
def random_edges():
    rng = np.random.default_rng(3)
    keys = rng.permutation(20 * 20)[:150]
    return (keys % 20).astype(np.int32), (keys // 20).astype(np.int32), rng.random(150)


def test_sort_agrees_with_lexsort(random_edges):
    sources, sinks, weights = random_edges
    order = np.lexsort((sources, sinks))
    for given in (weights, None):
        (s, t, _), w = edges.sort(edges.Ends(sources, sinks), given)
        assert np.array_equal(s, sources[order])
        assert np.array_equal(t, sinks[order])
        assert w is None if given is None else np.array_equal(w, weights[order])
    assert edges.in_order(edges.Ends(s, t))
    assert edges.sort(edges.Ends(s, t), None)[0].sources is s


def test_row_starts_and_sinks_are_inverse(random_edges):
    sources, sinks, weights = random_edges
    (_, sinks, _), _ = edges.sort(edges.Ends(sources, sinks), weights)
    row_start = edges.row_starts(sinks, 22)
    assert row_start.tolist() == [int((sinks < row).sum()) for row in range(23)]
    assert np.array_equal(edges.sinks_of(row_start), sinks)


def test_duplicates_are_not_in_order():
    assert edges.duplicate(edges.Ends(np.array([0, 1, 1, 2]), np.array([3, 3, 3, 3]))) == 1
    assert not edges.in_order(edges.Ends(np.array([0, 0]), np.array([1, 1])))
    assert edges.duplicate(edges.Ends(np.array([0, 1]), np.array([3, 3]))) is None


def test_search_finds_each_edge_and_no_other(random_edges):
    (sources, sinks, _), _ = edges.sort(edges.Ends(*random_edges[:2]), random_edges[2])
    row_start = edges.row_starts(sinks, 20)
    all_sources, all_sinks = (part.ravel() for part in np.meshgrid(np.arange(20), np.arange(20)))
    at, there = edges.search(row_start, sources, None, edges.Ends(all_sources, all_sinks))
    keys = sinks.astype(int) * 20 + sources
    assert np.array_equal(at, np.searchsorted(keys, all_sinks * 20 + all_sources))
    assert np.array_equal(there, np.isin(all_sinks * 20 + all_sources, keys))


def test_search_without_edges():
    wanted = edges.Ends(np.array([0, 1]), np.array([1, 2]))
    at, there = edges.search(np.zeros(4, np.int64), np.empty(0, np.int32), None, wanted)
    assert at.tolist() == [0, 0]
    assert not there.any()


def test_incoming():
    row_start = np.array([0, 0, 2, 5, 6])
    assert edges.incoming(row_start, np.array([2, 0, 1])).tolist() == [2, 3, 4, 0, 1]


def test_delays_come_between_sink_and_source():
    rng = np.random.default_rng(4)
    keys = rng.permutation(10 * 10 * 4)[:150]
    sources, sinks, delays = keys % 10, keys // 10 % 10, (keys // 100).astype(np.uint16)
    order = np.lexsort((sources, delays, sinks))
    given = edges.Ends(sources, sinks, delays)
    ends, weights = edges.sort(given, keys.astype(float))
    assert all(np.array_equal(a, b[order]) for a, b in zip(ends, given, strict=True))
    assert np.array_equal(weights, keys[order])
    assert edges.in_order(ends)
    assert not edges.in_order(edges.Ends(ends.sources, ends.sinks))
    assert edges.duplicate(ends) is None
    assert edges.duplicate(ends.at(np.array([0, 1, 1]))) == 1

    row_start = edges.row_starts(ends.sinks, 10)
    wanted = edges.Ends(
        *(part.ravel() for part in np.mgrid[:10, :10, :4][[0, 1]]), np.tile(np.arange(4, dtype="u2"), 100)
    )
    at, there = edges.search(row_start, ends.sources, ends.delays, wanted)
    known = {(s, t, d): k for k, (s, t, d) in enumerate(zip(*map(np.ndarray.tolist, ends), strict=True))}
    places = [known.get(key, -1) for key in zip(*map(np.ndarray.tolist, wanted), strict=True)]
    assert np.where(there, at, -1).tolist() == places


def test_delays_that_are_all_0_are_none():
    zeros, ones = np.zeros(3, np.uint16), np.ones(3, np.uint16)
    assert edges.unless_zero(zeros) is None
    assert edges.unless_zero(ones) is ones
    assert edges.same_delays(None, None)
    assert edges.same_delays(ones, ones.copy())
    assert not edges.same_delays(None, ones)
    assert not edges.same_delays(ones, 2 * ones)
