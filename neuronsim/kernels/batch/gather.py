"""Samples come in: inputs and targets by neuron for aggregation, and y sample by sample, in panels, for gradients."""

from typing import Any

import numpy.typing as npt

from neuronsim.kernels.arguments import Samples, Wiring, Workspace
from neuronsim.kernels.jit import inlined, kernel, leaf
from neuronsim.kernels.lanes import lane_count, load, store, transpose

Array = npt.NDArray[Any]


@kernel
def is_vector(ids: Array, at: int, width: int) -> bool:
    """Whether the ids from ``at`` on are a lane vector: consecutive, and starting at a multiple of its width."""
    return bool(at + width <= ids.size and ids[at] % width == 0 and ids[at + width - 1] - ids[at] == width - 1)


@kernel
def place_in_rows(neuron: int, sample: int, stride: int, width: int) -> int:
    """Where y of a neuron lies in ``Workspace.rows``: panels of two lane vectors of neurons, in each sample by sample.

    A gradient tile then reads its panel from end to end; with whole samples one after another its loads were 4.7 kB
    apart.
    """
    panel = 2 * width
    return (neuron // panel * stride + sample) * panel + neuron % panel


@inlined
def place_of(sample: int, stride: int, pitch: int) -> int:
    """Where a block's sample lies in the rows of its plane, counted from the first plane's."""
    return sample // stride * pitch + sample % stride


@kernel
def gather_targets(
    wiring: Wiring, samples: Samples, work: Workspace, position: int, count: int, stride: int, start: int, end: int
) -> None:
    """Fetch the targets of the samples at ``order[position + start : position + end]``.

    Places beyond ``count`` repeat the last sample; their δ stays zero.
    """
    shift = place_of(start, stride, work.pitch) - start
    for i in range(start, end):
        row = samples.order[position + min(i, count - 1)]
        if samples.classes.size > 0:
            for o in range(wiring.outputs.size):
                work.target[o * stride + i + shift] = 1.0 if samples.classes[row] == o else 0.0
        elif samples.targets.size > 0:
            for o in range(wiring.outputs.size):
                work.target[o * stride + i + shift] = samples.targets[row, o]


@leaf
def gather_inputs(
    wiring: Wiring,
    samples: Samples,
    work: Workspace,
    pitch: int,
    position: int,
    count: int,
    stride: int,
    start: int,
    end: int,
) -> None:
    """Fetch the inputs of the same samples, which lie in one plane: y neuron by neuron, and in panels for gradients.

    Planes of ``work.y`` lie ``pitch`` apart.
    """
    n_inputs = wiring.inputs.size
    width = lane_count(work.y)
    shift = place_of(start, stride, pitch) - start
    for i in range(start, end):
        work.starts[i] = samples.order[position + min(i, count - 1)] * n_inputs
    for first in range(start, end, width):
        j = 0
        while j < n_inputs:
            if is_vector(wiring.inputs, j, width):
                at = wiring.inputs[j] * stride + first + shift
                transpose(samples.inputs, work.starts, first, j, work.y, at, stride)
                j += width
            else:
                for i in range(first, first + width):
                    work.y[wiring.inputs[j] * stride + i + shift] = samples.inputs[work.starts[i] + j]
                j += 1
    if work.rows.size > 0:
        copy_inputs(wiring, samples, work, stride, start, end)


@kernel
def copy_inputs(wiring: Wiring, samples: Samples, work: Workspace, stride: int, start: int, end: int) -> None:
    """Write the inputs' y sample by sample too, as gradients read it."""
    ids = wiring.inputs
    width = lane_count(work.y)
    plane, base = start // stride * stride, start // stride * work.row_pitch
    j = 0
    while j < ids.size:
        vector = is_vector(ids, j, width)
        for i in range(start, end):
            to, at = base + place_in_rows(ids[j], i - plane, stride, width), work.starts[i] + j
            if vector:
                store(work.rows, to, load(samples.inputs, at))
            else:
                work.rows[to] = samples.inputs[at]
        j += width if vector else 1


@kernel
def copy_columns(wiring: Wiring, work: Workspace, stride: int, start: int, end: int) -> None:
    """Write y of neurons that dense bundles listen to sample by sample, as their gradients read it."""
    ids = wiring.columns
    width = lane_count(work.y)
    plane, base = start // stride * work.pitch, start // stride * work.row_pitch
    n = end - start
    start = start % stride
    c = 0
    while c < ids.size:
        vector = is_vector(ids, c, width)
        at = ids[c] * stride + plane
        for first in range(start, start + n, width):
            if vector:
                to = base + place_in_rows(ids[c], first, stride, width)
                transpose(work.y, work.places, 0, at + first, work.rows, to, 2 * width)
            else:
                for i in range(first, first + width):
                    work.rows[base + place_in_rows(ids[c], i, stride, width)] = work.y[at + i]
        c += width if vector else 1
