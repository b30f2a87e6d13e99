"""z, y and δ of a neuron and a sample, read in the workspace where a step has left them."""

from typing import Any, NamedTuple

import numpy as np

from neuronsim.kernels.arguments import Array, Samples, Workspace
from neuronsim.kernels.batch.gather import place_of
from neuronsim.kernels.jit import inlined, kernel

# Fields: a neuron's z, y, δ, b and change of b; an edge's w, gradient and change of w; or whether chosen samples were
# in the batch.
Z, Y, DELTA, B, DB, W, GRADIENT, DW, PRESENT = range(9)


def record_type(**fields: Any) -> np.dtype[Any]:
    """The type of the records of a table, whose fields kernels read and write by name: ``table[k].next``.

    A step on 2-3-1 with one neuron watched takes 190 ns, with columns of an integer array it took 260.
    """
    return np.dtype(list(fields.items()), align=True)


#: A neuron, as kernels find its signals.
NEURON = record_type(
    id=np.int64,
    column=np.int64,  # of X, of an input; else −1
    output_row=np.int64,  # its place among the outputs, of an input that is an output too; else −1
)


class Computed(NamedTuple):
    """A block of samples whose z, y and δ lie in the workspace, with no more than is read: arrays cost time to pass."""

    stride: int
    pitch: int
    z: Array
    y: Array
    delta: Array
    loss_delta: Array
    inputs: Array  # X
    n_inputs: int
    order: Array
    position: int  # of the first sample in the order
    start: int  # of the first sample in its batch
    n: int  # samples


@inlined
def computed(work: Workspace, samples: Samples, n_inputs: int, position: int, start: int, n: int) -> Computed:
    """What a step has left of a block of samples."""
    return Computed(
        work.stride, work.pitch, work.z, work.y, work.delta, work.loss_delta, samples.inputs, n_inputs, samples.order,
        position, start, n,
    )  # fmt: skip


@kernel
def signal(block: Computed, neuron: Any, field: int, i: int) -> Any:
    """z, y or δ of sample ``i`` of the block; z = y = x of an input, δ its ∂L/∂x."""
    place = place_of(i, block.stride, block.pitch)
    at = neuron.id * block.stride + place
    if field == DELTA:
        row = neuron.output_row
        return block.delta[at] + block.loss_delta[row * block.stride + place] if row >= 0 else block.delta[at]
    if neuron.column >= 0:  # from X: threads' y of inputs are copies of their own
        return block.inputs[block.order[block.position + i] * block.n_inputs + neuron.column]
    return block.z[at] if field == Z else block.y[at]
