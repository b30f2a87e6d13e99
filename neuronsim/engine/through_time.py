"""What people ask of a network with memory: sequences forward, measured, and their gradients, in the shape of X."""

from dataclasses import replace
from typing import Any

from numpy.typing import ArrayLike

from neuronsim.engine.runtime import Runtime
from neuronsim.engine.sequences import State
from neuronsim.engine.signals import ReducedGradients
from neuronsim.engine.timed import SequenceEngine
from neuronsim.errors import SettingError
from neuronsim.formulas.losses import Loss
from neuronsim.graph.graph import Graph


def has_memory(graph: Graph, **given: Any) -> bool:
    """Whether samples are sequences; what is ``given`` only sequences take.

    Raises
    ------
    SettingError
        Something is given, and the network has no memory.
    """
    if not graph.steps_back:
        for name, value in given.items():
            if value is not None:
                raise SettingError(f"{name} is for sequences, and this network has no memory: no delays and no leaks")
    return graph.steps_back > 0


def forward(runtime: Runtime, X: Any, lengths: ArrayLike | None, state: State | None, ends: list[State] | None) -> Any:
    """Outputs of every step; of one sequence z and y of all neurons are known then; ``ends`` gains its blocks' ends."""
    engine = engine_of(runtime)
    x = runtime.sequences(X, lengths)
    _check_state(state, len(x), runtime.graph)
    runtime.forget()
    if x.form != "one":
        return x.shaped(engine.outputs(x, state, ends))
    signals = engine.signals_of_one(x, state, ends)
    runtime.remember(signals)
    return signals.y[:, runtime.graph.outputs]


def _check_state(state: Any, n: int, graph: Graph) -> None:
    """Refuse a state of other sequences, or of another network."""
    if state is None:
        return
    if not isinstance(state, State):
        raise SettingError(f"state={state!r:.60}: give what forward(X, return_state=True) returned")
    wanted = n, graph.steps_back, graph.n_neurons
    if state.y.shape != wanted:
        raise SettingError(
            f"state is of {len(state)} sequences of a network of {state.y.shape[2]} neurons that reads "
            f"{state.y.shape[1]} steps back; here these are {', '.join(map(str, wanted))}"
        )


def evaluated(
    runtime: Runtime, data: tuple[Any, Any], loss: str | Loss | None, lengths: ArrayLike | None, mask: Any
) -> tuple[float, float | None, Any]:
    """Mean loss over the steps that have a target, accuracy, and outputs."""
    engine = engine_of(runtime)
    x, t, used = runtime.sequence_data(*data, loss, lengths, mask)
    runtime.forget()
    mean, share, outputs = engine.evaluated(x, t, used)
    return mean, share, x.shaped(outputs)


def gradients(
    runtime: Runtime,
    data: tuple[Any, Any],
    loss: str | Loss | None,
    reduction: str,
    lengths: ArrayLike | None,
    mask: Any,
) -> ReducedGradients:
    """Gradients over the sequences; losses, δ, ∂L/∂x and outputs of every step, in the shape of X."""
    engine = engine_of(runtime)
    x, t, used = runtime.sequence_data(*data, loss, lengths, mask)
    runtime.forget()
    found = engine.gradients_through_time(x, t, used, reduction)
    return replace(found, **{name: x.shaped(getattr(found, name)) for name in ("losses", "delta", "inputs", "outputs")})


def engine_of(runtime: Runtime) -> SequenceEngine:
    """The engine of a network with memory."""
    engine = runtime.engine()
    if not isinstance(engine, SequenceEngine):
        raise TypeError("the network has no memory")
    return engine
