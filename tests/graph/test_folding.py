"""The rule by which large networks are folded, and that pictures and pages follow it alike."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuronsim import wiring
from neuronsim.graph.folding import first_and_last, fold, relevance
from neuronsim.graph.plan import Plan
from neuronsim.page.content import content
from neuronsim.plots import network
from neuronsim.plots.film import of_same_neurons
from neuronsim.plots.layout import MOST_NEURONS, lay_out
from neuronsim.plots.view import view


def plan_of(*sizes: int) -> Plan:
    """Levels of so many neurons, in the order of their ids."""
    return wiring.layered(sizes, rng=0).graph.plan()


class TestOneLevel:
    def test_a_small_one_is_shown_whole(self) -> None:
        folding = fold(plan_of(3, 4), None, 4)
        assert [ids.tolist() for ids in folding.shown] == [[0, 1, 2], [3, 4, 5, 6]]
        assert folding.left_out == (0, 0)

    def test_the_largest_scores(self) -> None:
        folding = fold(plan_of(6, 1), None, 2, scores=np.array([0, 5, 1, 9, 2, 5, 0.0]))
        assert folding.shown[0].tolist() == [1, 3]
        assert folding.left_out == (4, 0)
        assert folding.neurons.tolist() == [1, 3, 6]

    def test_without_scores_those_at_both_ends(self) -> None:
        assert fold(plan_of(9, 1), None, 5).shown[0].tolist() == [0, 1, 2, 7, 8]

    def test_required_ones_come_on_top(self) -> None:
        scores = np.arange(9, 0, -1.0)
        assert fold(plan_of(8, 1), None, 2, required=[6, 1], scores=scores).shown[0].tolist() == [0, 1, 6]

    def test_required_ones_take_a_place_where_places_are_counted(self) -> None:
        scores = np.arange(9, 0, -1.0)
        shown = fold(plan_of(8, 1), None, 4, required=[6], scores=scores, strict=True).shown[0]
        assert shown.tolist() == [0, 1, 6]

    def test_of_too_many_required_ones_the_most_relevant(self) -> None:
        scores = np.arange(9, 0, -1.0)
        shown = fold(plan_of(8, 1), None, 3, required=[3, 4, 5, 6], scores=scores, strict=True).shown[0]
        assert shown.tolist() == [3, 4]


class TestLevels:
    def test_of_levels_without_room_only_required_neurons(self) -> None:
        folding = fold(plan_of(2, 2, 2), {0, 2}, 4, required=[3])
        assert [ids.tolist() for ids in folding.shown] == [[0, 1], [3], [4, 5]]
        assert fold(plan_of(2, 2, 2), {0, 2}, 4, required=[3], strict=True).left_out == (0, 2, 0)

    @pytest.mark.parametrize(("n", "expected"), [(4, [0, 1, 2, 3]), (5, [0, 1, 4]), (9, [0, 1, 8])])
    def test_first_and_last_keep_a_place_for_the_gap(self, n: int, expected: list[int]) -> None:
        assert list(first_and_last(n, 4)) == expected


@given(st.lists(st.integers(1, 12), min_size=1, max_size=4), st.integers(2, 8), st.booleans(), st.booleans(), st.data())
@settings(max_examples=60, deadline=None)
def test_everyone_is_shown_or_counted(
    sizes: list[int], room: int, strict: bool, scored: bool, data: st.DataObject
) -> None:
    plan, n = plan_of(*sizes, 1), sum(sizes) + 1
    required = data.draw(st.sets(st.integers(0, n - 1), max_size=3))
    scores = np.array(data.draw(st.lists(st.floats(0, 9), min_size=n, max_size=n))) if scored else None
    folding = fold(plan, None, room, required=required, scores=scores, strict=strict)
    assert len(folding.neurons) + sum(folding.left_out) == n
    for members, shown, left_out in zip(folding.members, folding.shown, folding.left_out, strict=True):
        assert set(shown.tolist()) <= set(members.tolist())
        assert len(shown) >= min(len(members), room - strict)
        assert not strict or len(shown) + (left_out > 0) <= room
        assert strict or required & set(members.tolist()) <= set(shown.tolist())
        if scores is not None and not required and left_out:
            assert scores[np.setdiff1d(members, shown)].max() <= scores[shown].min()


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
    assert np.bincount(drawn.column).tolist() == [MOST_NEURONS - 1, MOST_NEURONS - 1, 10]


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
    assert middle.n_neurons == below.n_neurons == 100 - (MOST_NEURONS - 1)
    layout = lay_out(graph)
    assert layout.y[:100].min() < middle.y < layout.y[:100].max()
    assert below.y < layout.y.min() + 1e-9
