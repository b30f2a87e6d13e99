"""z, y and δ of a neuron and a sample, read in the workspace where a step has left them."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from neuronsim.kernels.arguments import Samples, Workspace
from neuronsim.kernels.batch.gather import place_of
from neuronsim.kernels.jit import kernel

Array = npt.NDArray[Any]

# Fields: a neuron's z, y, δ, b and change of b; an edge's w, gradient and change of w; or whether chosen samples were
# in the batch.
Z, Y, DELTA, B, DB, W, GRADIENT, DW, PRESENT = range(9)

#: A neuron, as kernels find its signals. Tables of records are structured arrays: `monitors.table[m].next`. They are
#: aligned, and cost a watched step no more than columns of an integer array did.
NEURON = np.dtype(
    [
        ("id", np.int64),
        ("column", np.int64),  # of X, of an input; else −1
        ("output_row", np.int64),  # its place among the outputs, of an input that is an output too; else −1
    ],
    align=True,
)


class Computed(NamedTuple):
    """A block of samples whose z, y and δ lie in the workspace."""

    work: Workspace
    samples: Samples
    n_inputs: int
    position: int  # of its first sample in the order of the epoch
    start: int  # of its first sample in the batch
    n: int


@kernel
def signal(computed: Computed, neuron: Any, field: int, i: int) -> Any:
    """z, y or δ of sample ``i`` of the block; z = y = x of an input, δ its ∂L/∂x."""
    work, samples = computed.work, computed.samples
    place = place_of(i, work.stride, work.pitch)
    at = neuron.id * work.stride + place
    if field == DELTA:
        row = neuron.output_row
        return work.delta[at] + work.own[row * work.stride + place] if row >= 0 else work.delta[at]
    if neuron.column >= 0:  # from X: threads' y of inputs are copies of their own
        return samples.inputs[samples.order[computed.position + i] * computed.n_inputs + neuron.column]
    return work.z[at] if field == Z else work.y[at]
