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
from neuronsim.plots.film import of_same_neurons
from neuronsim.plots.layout import MOST_NEURONS, lay_out
from neuronsim.plots.view import view


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
    on_the_page = content(run, [0])["network"]["ids"]
    assert set(on_the_page) <= set(drawn.ids.tolist())
    assert np.bincount(drawn.column).tolist() == [MOST_NEURONS, MOST_NEURONS, 10]


def test_outputs_within_a_large_level_are_drawn_in_any_case() -> None:
    net = wiring.layered([2, 100, 2], rng=0)
    net.set_outputs("h1.51", "y0", "y1")
    assert int(net.graph.id("h1.51")) in lay_out(net.graph).ids.tolist()
    assert int(net.graph.id("h1.52")) not in lay_out(net.graph).ids.tolist()


def test_all_frames_of_a_film_show_the_same_neurons() -> None:
    rng = np.random.default_rng(0)
    net = wiring.layered([60, 40, 3], activation="tanh", rng=0)
    run = net.fit(rng.normal(size=(9, 60)), rng.normal(size=(9, 3)), rng=0)
    views = [view(run.at(q), "delta") for q in (0, 4, 8)]
    alone = [lay_out(v.graph, v.scores).ids.tolist() for v in views]
    together = [lay_out(v.graph, v.scores).ids.tolist() for v in of_same_neurons(views)]
    assert alone[0] != alone[1]
    assert together[0] == together[1] == together[2]


def test_a_gap_stands_where_neurons_are_left_out_if_they_lie_together_else_below() -> None:
    graph = wiring.layered([100, 2], rng=0).graph
    (middle,) = lay_out(graph).gaps
    (below,) = lay_out(graph, np.arange(102) % 2 * 1.0).gaps
    assert middle.n_neurons == below.n_neurons == 100 - MOST_NEURONS
    layout = lay_out(graph)
    assert layout.y[:100].min() < middle.y < layout.y[:100].max()
    assert below.y < layout.y.min() + 1e-9
