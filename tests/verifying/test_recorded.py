"""Steps of real programs, recorded from the libraries themselves at the versions named, and what is said of them."""

import json
from pathlib import Path

import numpy as np
import pytest

import neuronsim as ns

STEPS = json.loads((Path(__file__).parent / "recorded_steps.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("step", STEPS, ids=[step["program"] for step in STEPS])
def test_what_real_programs_do_is_named(step):
    hidden, last = step["activations"]
    net = ns.wiring.layered(step["sizes"], activation=hidden, output=last, dtype=step["dtype"], rng=0)
    net.weights[:], net.biases[net.n_inputs :] = step["before"]
    given = {"learning_rate": step["learning_rate"], "loss": step["loss"]}
    after, previous = ([np.array(part) for part in step.get(when, ())] or None for when in ("after", "previous"))
    found = net.check_foreign(step["X"], step["T"], after, previous=previous, **given)
    assert found.rule == step["rule"], found
