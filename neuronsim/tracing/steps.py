"""Taking one training step with one sample."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from neuronsim.engine import session
from neuronsim.engine.border import desired
from neuronsim.engine.runtime import Runtime
from neuronsim.errors import DataError, NeuronsimError
from neuronsim.formulas import schedules
from neuronsim.formulas.losses import Loss
from neuronsim.kernels.arguments import Parameters
from neuronsim.tracing.result import StepResult

S = TypeVar("S", bound=StepResult)


def take_step(
    runtime: Runtime, x: ArrayLike, t: ArrayLike, loss: str | Loss | None, learning_rate: Any, step_type: type[S]
) -> S:
    """Do what ``Network.step`` says: forward, error, backward, update with one sample.

    Parameters
    ----------
    runtime : Runtime
        Is changed: the parameters, and the z, y and delta of the last step.
    x, t : array (n_inputs,), array (n_outputs,) or int
        One sample; its target may be a class number.
    step_type : type
        `StepResult`, or a class of it that people hold.

    Returns
    -------
    StepResult
        What happened. Later steps and edits leave it alone.
    """
    rate = float(schedules.resolve(learning_rate).rates(0, 1, 0)[0])
    if np.ndim(x) != 1:
        raise DataError(f"step takes one sample, shape (n_inputs,), not {np.shape(x)}; fit takes many")
    with runtime.turns.training:
        return _take_step(runtime, x, t, loss, rate, step_type)


def _take_step(
    runtime: Runtime, x: ArrayLike, t: ArrayLike, loss: str | Loss | None, rate: float, step_type: type[S]
) -> S:
    engine, graph = runtime.engine(), runtime.graph
    X, T, used = runtime.data(x, t, loss)
    before = graph.copy()
    try:
        signals = session.step(engine, X[0], T[0], used, rate)
    except FloatingPointError as error:
        raise NeuronsimError(
            f"the step was not made: {error}; net.forward(x) shows the z and y of every neuron"
        ) from None
    runtime.remember(signals)
    return step_type(
        graph=before,
        z=signals.z,
        y=signals.y,
        delta=signals.delta,
        slope_terms=signals.slope_terms,
        losses=signals.losses,
        loss_function=used,
        targets=desired(T, before.n_outputs)[0],
        learning_rate=rate,
        after=Parameters(graph.weights, graph.biases, graph.slopes),
    )
