"""A program given as a function: asked for its steps, one after the other, which are then recognised."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from neuronsim.engine.runtime import Runtime
from neuronsim.errors import SettingError
from neuronsim.verifying.foreign import check_foreign
from neuronsim.verifying.handover import Layers, is_model
from neuronsim.verifying.layout import Layout
from neuronsim.verifying.verdict import UNKNOWN, Verdict

#: Momentum and decay look alike in one step: momentum's first one is plain, and from the second on it shows.
_STEPS = 3


def check_function(
    runtime: Runtime,
    X: ArrayLike,
    T: ArrayLike,
    function: Callable[..., Any],
    *,
    learning_rate: float | None = None,
    gradients: Any = None,
    previous: Any = None,
    **how: Any,
) -> Verdict:
    """Recognise the steps of ``function(parameters, X, T)``; ``Network.check_foreign`` says how.

    The verdict is that of the first step that is not right, else of the last.
    """
    if gradients is not None or previous is not None:
        raise SettingError("a function is asked for its steps itself: give neither gradients= nor previous= with it")
    runtime.engine()
    x, t, _ = runtime.data(X, T, how.get("loss"))
    here = runtime
    for _ in range(_STEPS):
        made = _called(here, function, x, t)
        verdict, is_gradient = _verdict(here, X, T, made, learning_rate, previous, how)
        if is_gradient or not verdict.ok:
            return verdict
        previous, here = here, _after(here, made)
    return verdict


def _called(runtime: Runtime, function: Callable[..., Any], x: Any, t: Any) -> Any:
    """What a function makes of copies; if it returns nothing, the parameters that it changed in place."""
    graph = runtime.graph
    layers = Layers(graph)
    is_layered = layers.are_full
    rows = graph.weights.astype(np.float64), graph.biases.astype(np.float64)
    parameters: Any = layers.split(*rows) if is_layered else rows
    made = function(parameters, x.astype(np.float64), np.array(t))
    return parameters if made is None else made


def _verdict(
    runtime: Runtime, X: ArrayLike, T: ArrayLike, made: Any, rate: float | None, previous: Any, how: dict[str, Any]
) -> tuple[Verdict, bool]:
    """What a function returned, as parameters after its step or as gradients, whichever can be recognised."""
    readings = []
    if rate is not None:
        readings.append((check_foreign(runtime, X, T, made, learning_rate=rate, previous=previous, **how), False))
    gradients = check_foreign(runtime, X, T, gradients=made, learning_rate=rate, **how)
    readings.append((gradients, True))
    known = [reading for reading in readings if reading[0].rule != UNKNOWN]
    if not known:
        return min(readings, key=lambda reading: reading[0].nearest.distance)
    # gradients, read as parameters, are a decay to 0 and twice the gradient with the wrong sign: less is right there
    return min(known, key=lambda reading: reading[0].nearest.n_parts + reading[0].nearest.numbers)


def _after(runtime: Runtime, made: Any) -> Runtime:
    """The same network with the parameters that a function returned."""
    graph = runtime.graph.copy()
    layout = Layout(graph)
    row, _ = layout.given(made, "after")
    layout.put(np.where(np.isfinite(row), row, layout.flat(graph.weights, graph.biases, graph.slopes)))
    return Runtime(graph)


def is_program(what: Any) -> bool:
    """Whether it is a function to be asked; models can be called, too, and hold parameters."""
    return callable(what) and not is_model(what) and not isinstance(what, Runtime)
