"""What people ask of a network with memory: sequences forward, measured, and their gradients, in the shape of X."""

from dataclasses import replace
from typing import Any

from numpy.typing import ArrayLike

from neuronsim.basics.arrays import Array
from neuronsim.engine.runtime import Runtime
from neuronsim.engine.sequences import Sequences, State
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


def forward(
    runtime: Runtime, X: Any, lengths: ArrayLike | None = None, state: State | None = None
) -> tuple[Any, State]:
    """Outputs of every step, and what the sequences end with; of one z and y of all neurons are known then."""
    engine = engine_of(runtime)
    x, single = runtime.sequences(X, lengths)
    _check_state(state, len(x), runtime.graph)
    runtime.forget()
    if single:
        signals, end = engine.signals_of_one(x, state)
        runtime.remember(signals)
        return signals.y[:, runtime.graph.outputs], end
    outputs, end = engine.outputs(x, state)
    return shaped(outputs, x, single, _in_a_list(X, lengths)), end


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


def measured(
    runtime: Runtime, data: tuple[Any, Any], loss: str | Loss | None, lengths: ArrayLike | None, mask: Any
) -> tuple[float, float | None, Any]:
    """Mean loss over the steps that have a target, accuracy, and outputs."""
    engine = engine_of(runtime)
    x, t, used = runtime.sequence_data(*data, loss, lengths, mask)
    runtime.forget()
    single = runtime.sequences(data[0], lengths)[1]
    mean, share = engine.measured(x, t, used)
    return mean, share, shaped(engine.outputs(x)[0], x, single, _in_a_list(data[0], lengths))


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
    single = runtime.sequences(data[0], lengths)[1]
    found = engine.gradients_through_time(x, t, used, reduction)
    listed = _in_a_list(data[0], lengths)
    by_row = ("losses", "delta", "inputs", "outputs")
    return replace(found, **{name: shaped(getattr(found, name), x, single, listed) for name in by_row})


def engine_of(runtime: Runtime) -> SequenceEngine:
    """The engine of a network with memory."""
    engine = runtime.engine()
    if not isinstance(engine, SequenceEngine):
        raise TypeError("the network has no memory")
    return engine


def shaped(values: Array, x: Sequences, single: bool, listed: bool) -> Any:
    """Values by row in the form of X: of a list a list, of one sequence (n_steps, …), else padded with 0."""
    if single:
        return values
    if listed and len({*x.lengths.tolist()}) > 1:
        return [values[a:b] for a, b in zip(x.starts[:-1], x.starts[1:], strict=True)]
    return x.padded(values)


def _in_a_list(X: Any, lengths: ArrayLike | None) -> bool:
    """Whether sequences may have been given as arrays of different lengths."""
    return lengths is None and isinstance(X, list | tuple)
