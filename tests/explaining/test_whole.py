"""A whole step in one document."""

import re

import pytest
from explained import step_of
from nets import T222, X222, net_222

import neuronsim as ns
from neuronsim.documents.notation import number
from neuronsim.errors import SettingError, UnknownNameError


@pytest.fixture
def step():
    return net_222(frozen=False).step(X222, T222, learning_rate=0.5)


def test_it_goes_forward_and_back(step):
    headings = [section.text().splitlines()[0] for section in step.explain("*").sections]
    parts = [heading.split(":")[0] + " " + heading.split(":")[1].split()[0] for heading in headings if ": " in heading]
    forward = [f"{a} {part}" for a in ("h1", "h2", "o1", "o2") for part in ("forward", "activation")]
    assert parts[:8] == forward
    assert headings[8].startswith("half_squared_error = 0.2983711")
    assert parts[8:12] == [f"{a} backward" for a in ("o2", "o1", "h2", "h1")]
    assert parts[12:] == [f"{a} update" for a in ("h1", "h2", "o1", "o2")]
    assert str(step.explain("*")).startswith("the whole of step 0\n")
    assert "order:" not in str(step.explain("*"))


def test_no_answer_is_given_away_or_asked_twice(step):
    sheet = step.explain("*").worksheet(digits=17)
    assert len(set(sheet.answers)) == len(sheet.answers)
    printed = sheet.text(key=False)
    for a in ("h1", "h2", "o1", "o2"):
        for hidden in (step[a].z, step[a].y, step[a].delta, step[a].bias_after):
            assert hidden in sheet.answers
            assert number(hidden, 17) not in re.findall(r"[−\d.]+", printed)


def test_slips_are_what_the_mistakes_come_to(step):
    slips = {}
    for blank in step.explain("*").worksheet(digits=9).blanks:
        slips |= {(how, blank.right): value for how, value in blank.slips}
    h1, o1 = step["h1"], step["o1"]
    assert slips["f'(z) is forgotten", h1.delta] == h1.aggregated
    assert slips["f'(z) is forgotten", o1.delta] == o1.own_error
    assert slips["b is forgotten", h1.z] == h1.z - h1.bias
    assert slips["f is not applied", h1.y] == h1.z
    new = sum(e.weight_after * e.delta for e in h1.outgoing)
    assert slips["the updated weights are used", h1.aggregated] == pytest.approx(new)
    w = step["h1", "o1"]
    assert slips["the learning rate is forgotten", w.weight_after] == pytest.approx(w.weight - w.gradient)
    assert slips["the step goes the wrong way", w.weight_after] == pytest.approx(w.weight + 0.5 * w.gradient)
    assert slips["nothing was changed", w.weight_after] == w.weight


def test_a_pattern_names_some(step):
    text = str(step.explain("h*"))
    assert text.startswith("h* in step 0")
    assert "h2: backward" in text
    assert "o1: backward" not in text
    with pytest.raises(UnknownNameError):
        step.explain("z*")


def test_too_many_are_refused():
    net = ns.wiring.layered([2, 70, 1], rng=0)
    with pytest.raises(SettingError, match="narrower pattern"):
        net.step([0.0, 1.0], [0.0]).explain("*")


def test_of_a_batch():
    text = str(step_of("adam", 6).explain("*"))
    assert "p: shares of the samples" in text
    assert "m: update by adam" in text
