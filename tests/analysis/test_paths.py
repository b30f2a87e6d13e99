"""δ as a sum over paths: exact, complete where small, bounded where there are exponentially many."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import cases

import neuronsim as ns
from neuronsim.analysis.paths import Paths
from neuronsim.errors import NeuronsimError, SettingError, UnknownNameError
from neuronsim.step import Step


def ladder(depth: int, weight: float | None = 0.9) -> ns.Network:
    """Two neurons a rung, each a source of both of the next: 2^depth paths."""
    net = ns.Network(rng=0)
    net.add_inputs("x")
    last = ["x"]
    for k in range(depth):
        for side in "ab":
            net.add_neuron(f"{side}{k}", last, activation="tanh", weight=weight)
        last = [f"a{k}", f"b{k}"]
    net.add_neuron("o", last, activation="identity", weight=weight)
    net.set_outputs("o")
    return net


def by_hand(step: Step, neuron: str) -> dict[tuple[str, ...], float]:
    """Every path of a neuron and its product, by recursion."""
    n = step[neuron]
    found = {(neuron,): n.own_delta} if n.own_delta is not None else {}
    for e in n.outgoing:
        for rest, product in by_hand(step, e.sink).items():
            found[neuron, *rest] = n.derivative * e.weight * product
    return found


def magnitude(paths: Paths) -> float:
    return sum(abs(path.contribution) for path in paths)


@settings(max_examples=60, deadline=None)
@given(cases(max_samples=1, max_hidden=7), st.data())
def test_all_paths_add_up_to_delta(case, data):
    x, t = case.sample(0)
    step = case.net.step(x, t, loss=case.loss)
    neuron = data.draw(st.sampled_from(list(case.net.names)))
    expected = by_hand(step, neuron)
    found = step.paths(neuron, top=None)
    assert found.complete
    assert {p.neurons: p.contribution for p in found} == pytest.approx(expected, rel=1e-12, abs=1e-300)
    assert abs(found.remainder) <= 1e-12 * magnitude(found)
    near = 1e-12 if case.net.dtype == np.float64 else 1e-5
    assert abs(found.delta - step[neuron].delta) <= near * (magnitude(found) + 1.0)
    sizes = [abs(p.contribution) for p in found]
    assert sizes == sorted(sizes, reverse=True)


@settings(max_examples=40, deadline=None)
@given(cases(max_samples=1, max_hidden=7), st.integers(1, 12), st.data())
def test_the_top_paths_are_the_largest_of_all(case, top, data):
    x, t = case.sample(0)
    step = case.net.step(x, t, loss=case.loss)
    neuron = data.draw(st.sampled_from(list(case.net.names)))
    every = sorted((abs(c) for c in by_hand(step, neuron).values()), reverse=True)
    found = step.paths(neuron, top=top)
    assert [abs(p.contribution) for p in found] == pytest.approx(every[:top], rel=1e-12)
    assert found.n_paths == len(every)
    assert found.complete == (len(every) <= top)
    assert math.fsum([found.remainder, *(p.contribution for p in found)]) == pytest.approx(found.delta, rel=1e-15)


@pytest.mark.parametrize("weight", [0.9, None, 1.0])
def test_a_ladder_of_depth_40_answers(weight):
    """2^40 paths, with equal weights all of the same size: ties must not be walked one by one."""
    net = ladder(40, weight)
    step = net.step([0.3], [1.0])
    found = step.paths("x", top=200)
    assert found.n_paths == 2.0**40
    assert len(found) == len({p.neurons for p in found}) == 200
    assert not found.complete
    assert found.delta == pytest.approx(step["x"].delta, rel=1e-9)


def test_what_a_path_holds():
    """By hand: y = tanh(3 h), h = 2 x; ∂L/∂x = (y - t) · tanh' · 3 · 2."""
    net = ns.Network()
    net.add_inputs("x")
    net.add_neuron("h", {"x": 2.0}, activation="identity")
    net.add_neuron("y", {"h": 3.0}, activation="tanh")
    net.set_outputs("y")
    step = net.step([0.1], [0.5])
    own = step["y"].own_delta
    (path,) = step.paths("x")
    assert path.neurons == ("x", "h", "y")
    assert path.weights == (2.0, 3.0)
    assert path.slopes == (1.0, 1.0)
    assert (path.own, path.contribution) == (own, 6.0 * own)
    (path,) = step.paths("y")
    assert (path.neurons, path.weights, path.slopes, path.contribution) == (("y",), (), (), own)


def test_an_output_on_the_way_ends_a_path_and_goes_on():
    net = ns.Network()
    net.add_inputs("x")
    net.add_neuron("m", {"x": 1.0}, activation="sigmoid")
    net.add_neuron("y", {"m": 2.0}, activation="sigmoid")
    net.set_outputs("m", "y")
    step = net.step([0.4], [0.0, 1.0])
    assert {p.neurons for p in step.paths("m")} == {("m",), ("m", "y")}


def test_nothing_comes_back_from_where_no_path_leads():
    net = ladder(2)
    net.add_neuron("lost", ["a0"], activation="tanh")
    found = net.step([0.3], [1.0]).paths("lost")
    assert (found.delta, len(found), found.remainder, found.complete) == (0.0, 0, 0.0, True)
    assert str(found) == "δ[lost] = 0 in step 0: no path leads to an output"


def test_printing():
    found = ladder(40).step([0.3], [1.0]).paths("x", top=2)
    lines = str(found).splitlines()
    assert lines[0].endswith("1,099,511,627,776 paths to the outputs")
    assert "x → a0 → a1 → a2 → a3 → … 32 more … → " in lines[2]
    assert "the other 1,099,511,627,774 together" in lines[-1]
    assert "<td>contribution</td>" in found._repr_html_()
    assert repr(found).startswith("<Paths of 'x' in step 0: 2 of 1,099,511,627,776, delta = ")


def test_of_a_run_and_of_a_sample_of_a_batch():
    net = ladder(3)
    X, T = np.linspace(-1, 1, 6)[:, None], np.linspace(0, 1, 6)[:, None]
    run = net.fit(X, T, epochs=2, batch_size=3, rng=0)
    found = run.paths("a0", step=2, sample=1, top=None)
    assert found.complete
    assert found.step == 2
    assert found.delta == pytest.approx(run.at(2).sample(1)["a0"].delta, rel=1e-12)
    with pytest.raises(SettingError, match=r"3 samples.*sample"):
        run.paths("a0", step=2)


def test_what_is_refused():
    step = ladder(20).step([0.3], [1.0])
    for top in (0, -1, 2.5, True):
        with pytest.raises(SettingError, match="top="):
            step.paths("x", top=top)
    with pytest.raises(SettingError, match="'x' has 1,048,576 paths"):
        step.paths("x", top=None)
    with pytest.raises(UnknownNameError, match="did you mean"):
        step.paths("a00")


def test_a_delta_that_is_not_finite_is_no_sum():
    net = ns.Network()
    net.add_inputs("x")
    net.add_neuron("h", {"x": 1e200}, activation="identity")
    net.add_neuron("y", {"h": 1e200}, activation="identity")
    net.set_outputs("y")
    step = net.step([1e-300], [0.0], loss="absolute_error")
    assert step.paths("h").delta == pytest.approx(1e200)
    with pytest.raises(NeuronsimError, match="nothing to divide"):
        step.paths("x")


def test_duplicates_never_appear():
    net = ns.wiring.layered([4, 5, 5, 3], activation="tanh", rng=1)
    found = net.step(np.ones(4), np.zeros(3)).paths("x0", top=None)
    assert len(found) == len({p.neurons for p in found}) == 75
    assert all(a.neurons != b.neurons for a, b in itertools.pairwise(found))
