"""The rule by which large networks are folded, and that pictures and pages follow it alike."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuronsim as ns
from neuronsim import wiring
from neuronsim.graph.folding import fold, members_by_level, relevance
from neuronsim.page.content import content
from neuronsim.plots import network
from neuronsim.plots.layout import MOST_NEURONS


class TestOneLevel:
    def test_a_small_one_is_shown_whole(self) -> None:
        assert fold(np.arange(3, 7), 4).tolist() == [3, 4, 5, 6]

    def test_the_largest_scores(self) -> None:
        assert fold(np.arange(6), 2, np.array([0, 5, 1, 9, 2, 5, 0.0])).tolist() == [1, 3]

    def test_scores_are_found_by_id(self) -> None:
        assert fold(np.array([2, 4, 6]), 1, np.array([9, 9, 0, 9, 5, 9, 1.0])).tolist() == [4]

    @pytest.mark.parametrize(
        ("n", "room", "expected"), [(9, 5, [0, 1, 2, 7, 8]), (4, 4, [0, 1, 2, 3]), (5, 4, [0, 1, 3, 4]), (9, 1, [0])]
    )
    def test_without_scores_those_at_both_ends(self, n: int, room: int, expected: list[int]) -> None:
        assert fold(np.arange(n), room).tolist() == expected

    def test_required_ones_come_on_top(self) -> None:
        scores = np.arange(9, 0, -1.0)
        assert fold(np.arange(8), 2, scores, [6, 1]).tolist() == [0, 1, 6]

    def test_without_room_only_required_ones(self) -> None:
        assert fold(np.arange(2, 4), 0, None, {3, 9}).tolist() == [3]
        assert fold(np.arange(2, 4), 0).tolist() == []


@pytest.mark.parametrize("sizes", [(3, 4), (2, 2, 2), (1,)])
def test_members_are_the_ids_of_each_level(sizes: tuple[int, ...]) -> None:
    members = members_by_level(wiring.layered([*sizes, 1], rng=0).graph.plan())
    assert [len(ids) for ids in members] == [*sizes, 1]
    assert np.concatenate(members).tolist() == list(range(sum(sizes) + 1))


def test_an_empty_network_has_no_level() -> None:
    assert members_by_level(ns.Network().graph.plan()) == []


@given(st.sets(st.integers(0, 20), max_size=12), st.integers(0, 8), st.booleans(), st.data())
@settings(max_examples=60, deadline=None)
def test_the_most_relevant_and_the_required_are_shown(
    given_ids: set[int], room: int, scored: bool, data: st.DataObject
) -> None:
    ids = np.array(sorted(given_ids), np.int64)
    required = data.draw(st.sets(st.integers(0, 20), max_size=3))
    scores = np.array(data.draw(st.lists(st.floats(0, 9), min_size=21, max_size=21))) if scored else None
    shown = fold(ids, room, scores, required)
    assert shown.dtype == np.int64
    assert shown.tolist() == sorted(set(shown.tolist()) & given_ids)
    assert required & given_ids <= set(shown.tolist())
    free = np.setdiff1d(shown, list(required))
    assert min(len(ids), room) <= len(shown) <= min(len(ids), room + len(required))
    hidden = np.setdiff1d(ids, shown)
    if scores is not None and len(hidden) and len(free):
        assert scores[hidden].max() <= scores[free].min()


def test_relevance_is_the_mean_error_and_of_an_input_what_it_could_change() -> None:
    is_input = np.array([True, False])
    y, delta = np.array([[0.5, 1.0], [0.0, 1.0]]), np.array([[4.0, -2.0], [9.0, 6.0]])
    assert relevance(is_input, [(y, delta)]).tolist() == [1.0, 4.0]
    assert relevance(is_input, [(y, delta), (y[0], delta[0])]).tolist() == [3.0, 6.0]
    assert relevance(is_input, [(y[0], np.array([np.nan, -1.0]))]).tolist() == [0.0, 1.0]


def test_a_picture_shows_all_that_the_page_shows() -> None:
    rng = np.random.default_rng(0)
    net = wiring.layered([400, 60, 10], activation="relu", output="softmax", rng=0)
    run = net.fit(rng.uniform(size=(1, 400)), [3], rng=0)
    drawn = network(run.at(0)).layout
    page = content(run, [0])
    ids = page["network"]["ids"]
    named = {ids[row] for finding in page["findings"] for row in finding["neurons"]}  # the page draws them in any case
    assert set(ids) - named <= set(drawn.ids.tolist())
    assert np.bincount(drawn.column).tolist() == [MOST_NEURONS, MOST_NEURONS, 10]
