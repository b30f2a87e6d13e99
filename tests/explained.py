"""Steps and explanations to test with: of every optimiser, of single samples and of batches."""

import numpy as np
from nets import net_with_rates

import neuronsim as ns
from neuronsim.documents.explanation import Explanation
from neuronsim.tracing.result import StepResult

OPTIMIZERS = ["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "rprop"]
X, T = np.random.default_rng(0).normal(size=(30, 2)), np.random.default_rng(1).random((30, 4))


def step_of(optimizer: str, batch_size: int, dtype: str = "float64", **settings) -> StepResult:
    if optimizer == "rprop":
        settings.pop("weight_decay", None)
    net = net_with_rates(dtype)
    run = net.fit(
        X, T, batch_size=batch_size, epochs=2, optimizer=optimizer, learning_rate=0.05, rng=0, **settings
    )  # fmt: skip
    return run.at(run.n_steps - 1)


def everything() -> list[Explanation]:
    steps = [step_of(o, b, clip_norm=0.05, clip_value=0.01) for o in OPTIMIZERS for b in (1, 6)]
    steps += [steps[1].sample(0), net_with_rates().step([0.7, -1.1], [0.2, 0.8, -0.3, 0.5])]
    softmax = ns.wiring.layered([2, 3], output="softmax", rng=0)
    steps += [softmax.step([1.0, 2.0], 1), softmax.step([1.0, 2.0], [0.5, 0.1, 0.4], loss="squared_error")]
    parts = [step.explain(*what) for step in steps for what in ((), (0,), (step.graph.n_neurons - 1,))]
    return parts + [step.explain(int(step.graph.sources[-1]), step.graph.n_neurons - 1) for step in steps]


def order_in(explanation: Explanation, heading: str) -> str:
    """The remark on the order of summation in a section."""
    (section,) = (s for s in explanation.sections if s.heading.startswith(heading))
    (found,) = (r for r in section.remarks if r.startswith("order"))
    return found
