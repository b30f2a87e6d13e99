"""The order in which the kernels add up what an explanation shows as a sum."""

import numpy as np

from neuronsim.explaining.recipes import ParameterUpdate
from neuronsim.tracing.neurons import StepNeuron
from neuronsim.tracing.result import StepResult

__all__ = ["forward_order", "reduction_order"]


def forward_order(n: StepNeuron) -> tuple[str, ...]:
    """The order in which the kernels add z up."""
    from neuronsim.kernels.lanes import WIDTH
    from neuronsim.kernels.online.steps import SHORT

    count = len(n.messages.received)
    if count < 2:
        return ()
    if n.step.batch is not None or count < SHORT:
        return ("order: b, then the sources by ascending id, each w · y added with one rounding",)
    lanes = WIDTH[n.step.graph.dtype]
    return (
        f"order: {lanes} partial sums, the k-th source (ascending ids, from 0) in sum k mod {lanes}; "
        f"then sum j + sum j + {lanes // 2} for j below {lanes // 2}, halving on; then b",
    )


def reduction_order(parameter: ParameterUpdate, step: StepResult, n: int) -> str:
    """The order in which the kernels add samples up."""
    from neuronsim.kernels.batch.steps import BLOCK_SAMPLES
    from neuronsim.kernels.lanes import WIDTH

    lanes = WIDTH[step.graph.dtype]
    order = f"{lanes} partial sums, the i-th sample in sum i mod {lanes}; then sum j + sum j + {lanes // 2}, halving on"
    if parameter.ref.array == "weights" and _is_dense(step, parameter.ref.row):
        order = "the samples as they stand in the batch, each δ · y added with one rounding"
    blocks = f" (in blocks of {BLOCK_SAMPLES:,} samples, added one after the other)" if n > BLOCK_SAMPLES else ""
    return f"order: {order}{blocks}"


def _is_dense(step: StepResult, edge: int) -> bool:
    """Whether the edge belongs to a fully connected bundle, whose gradients are summed in the order of the samples."""
    from neuronsim.engine.lowering import DENSE_ROWS, DENSE_SOURCES

    graph = step.graph
    start, sources = graph.row_start, graph.sources

    def row(a: int) -> np.ndarray:
        return sources[start[a] : start[a + 1]]

    sink = int(np.searchsorted(start, edge, side="right")) - 1
    own = row(sink)
    if int(own[-1]) - int(own[0]) != len(own) - 1:
        return False
    first = last = sink
    while first > 0 and not graph.is_input[first - 1] and np.array_equal(row(first - 1), own):
        first -= 1
    while last + 1 < graph.n_neurons and not graph.is_input[last + 1] and np.array_equal(row(last + 1), own):
        last += 1
    return last - first + 1 >= DENSE_ROWS or len(own) >= DENSE_SOURCES
