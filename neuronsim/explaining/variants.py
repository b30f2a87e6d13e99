"""The same step with other numbers: a worksheet of its own for everybody."""

from collections.abc import Iterator
from typing import TypeVar

import numpy as np

from neuronsim.basics.arrays import Reals
from neuronsim.basics.checked import whole
from neuronsim.engine.runtime import Runtime
from neuronsim.errors import SettingError
from neuronsim.formulas import activations
from neuronsim.seeds import NOISE, RandomSource, generator, seed_of
from neuronsim.tracing.result import StepResult
from neuronsim.tracing.steps import take_step

S = TypeVar("S", bound=StepResult)

#: Numbers are drawn again until every δ is at least so large.
_LEAST_DELTA, _MOST_DRAWS = 1e-4, 100


def variants_of(step: S, n: int, rng: RandomSource) -> Iterator[S]:
    """The step with weights, biases, inputs and targets drawn anew, ``n`` times; all of two decimals.

    Weights are from [-1, 1], biases, where not all are 0, from [-0.5, 0.5], inputs from [-1, 1]; targets are what the
    outputs can reach. The learning rate, what is frozen, and a target that is a class stay of their kind.
    """
    if step.is_batch or step.batch is not None:
        raise SettingError("variants are made of a step with one sample: net.step(x, t)")
    n, seed = whole("variants", n, 1, 10_000), seed_of(rng)
    return (_variant(step, generator(seed, NOISE, k)) for k in range(n))


def _variant(step: S, rng: np.random.Generator) -> S:
    made = _drawn(step, rng)
    for _ in range(_MOST_DRAWS):
        if np.abs(made.delta[~made.graph.is_input]).min(initial=1.0) >= _LEAST_DELTA:
            break
        made = _drawn(step, rng)
    return made


def _drawn(step: S, rng: np.random.Generator) -> S:
    runtime = Runtime(step.graph.copy(), rng=0)
    graph = runtime.graph

    def numbers(low: float, high: float, shape: int) -> Reals:
        found: Reals = np.round(rng.uniform(low, high, shape), 2)
        found[found == 0.0] = 0.01  # a factor of 0 teaches nothing
        return found

    graph.weights[:] = numbers(-1.0, 1.0, graph.n_edges)
    others = ~graph.is_input
    if graph.biases[others].any():
        graph.biases[others] = numbers(-0.5, 0.5, int(others.sum()))
    x = numbers(-1.0, 1.0, len(graph.inputs))
    return take_step(runtime, x, _targets(step, rng), step.loss_function, step.learning_rate, type(step))


def _targets(step: StepResult, rng: np.random.Generator) -> Reals:
    n = step.graph.n_outputs
    if step.loss_function.name == "cross_entropy":
        chosen: Reals = np.eye(n)[rng.integers(n)]
        return chosen
    if step.loss_function.name == "binary_cross_entropy":
        return rng.integers(2, size=n).astype(np.float64)
    limits = [activations.by_code(int(code)).limits for code in step.graph.activation_codes[step.graph.outputs]]
    bounds = [(max(low, -1.0), min(high, 1.0)) for low, high in limits]
    return np.array([round(rng.uniform(low + 0.01, high - 0.01), 2) for low, high in bounds])
