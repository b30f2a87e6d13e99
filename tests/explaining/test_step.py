"""Whole steps explained: which one it is, its loss; and any step of any network."""

import re

import pytest
from explained import OPTIMIZERS, step_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from nets import T222, X222, net_222
from strategies import cases

from neuronsim.documents import notation


def test_online_steps_say_their_row():
    step = step_of("sgd", 1)
    assert str(step.explain("m")).startswith(
        f"neuron m (gelu, output) in step 59 (epoch 1, row {step.samples[0]} of X)\n"
    )


def test_its_loss_is_that_of_its_samples():
    step = step_of("sgd", 5)
    text = str(step.explain())
    assert f"half_squared_error = {notation.number(step.loss)}, the mean over the samples" in text
    assert len(re.findall(r" %$", text, re.MULTILINE)) == 5


@pytest.mark.filterwarnings("ignore::neuronsim.DivergenceWarning")
@settings(max_examples=25, deadline=None)
@given(cases(max_samples=20, max_hidden=8), st.sampled_from(OPTIMIZERS), st.integers(1, 20), st.data())
def test_any_step_of_any_network_is_explained(case, optimizer, batch_size, data):
    run = case.net.fit(case.X, case.T, loss=case.loss, optimizer=optimizer, batch_size=batch_size, learning_rate=1e-3)
    assume(run.status == "finished")
    step = run.at(data.draw(st.integers(0, run.n_steps - 1)))
    neuron = data.draw(st.integers(0, case.net.n_neurons - 1))
    parts = [step.explain(neuron), step.explain(), step.sample(0).explain(neuron)]
    if case.net.n_edges:
        e = data.draw(st.integers(0, case.net.n_edges - 1))
        parts.append(step.explain(int(step.graph.sources[e]), int(step.graph.sinks()[e])))
    for part in parts:
        sheet = part.worksheet()
        assert sheet.text(key=False).count("____") == len(sheet.answers)
        assert str(part)
        assert part.latex().isascii()
        assert "\ue00f" not in part.html() + part.latex() + str(sheet)


def test_the_loss():
    text = str(net_222().step(X222, T222).explain())
    assert "half_squared_error = 0.298371109" in text
    assert re.search(r"o1 +0\.751365070 +0\.01 +0\.741365070", text)
