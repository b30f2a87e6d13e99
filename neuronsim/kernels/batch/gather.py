"""Samples come in: inputs and targets by neuron for aggregation, and y sample by sample, in panels, for gradients."""

from neuronsim.kernels.arguments import Array, Block, Gathered, Samples, Wiring, Workspace
from neuronsim.kernels.jit import inlined, kernel, leaf
from neuronsim.kernels.lanes import lane_count, load, store, transpose


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


@inlined
def block_inputs(work: Workspace) -> Gathered:
    """The workspace's own buffers for inputs, for all threads."""
    return Gathered(work.stride, work.pitch, work.y, work.row_pitch, work.rows, work.starts)


@inlined
def thread_inputs(wiring: Wiring, work: Workspace, thread: int, n_threads: int) -> Gathered:
    """Buffers for a thread's own copies of the inputs."""
    y, rows, starts = work.thread_inputs, work.thread_rows, work.starts
    y_size, rows_size, n = y.size // n_threads, rows.size // n_threads, starts.size // n_threads
    return Gathered(
        stride=work.stride,
        pitch=wiring.inputs_end * work.stride,
        y=y[thread * y_size : (thread + 1) * y_size],
        row_pitch=work.thread_row_pitch,
        rows=rows[thread * rows_size : (thread + 1) * rows_size],
        starts=starts[thread * n : (thread + 1) * n],
    )


@kernel
def gather_targets(wiring: Wiring, samples: Samples, work: Workspace, block: Block) -> None:
    """Fetch the targets of a block's samples."""
    shift = place_of(block.start, work.stride, work.pitch) - block.start
    for i in range(block.start, block.end):
        row = samples.order[block.position + min(i, block.n_samples - 1)]
        if samples.classes.size > 0:
            for o in range(wiring.outputs.size):
                work.target[o * work.stride + i + shift] = 1.0 if samples.classes[row] == o else 0.0
        elif samples.targets.size > 0:
            for o in range(wiring.outputs.size):
                work.target[o * work.stride + i + shift] = samples.targets[row, o]


@leaf
def gather_inputs(wiring: Wiring, samples: Samples, gathered: Gathered, block: Block) -> None:
    """Fetch the inputs of samples that lie in one plane: y neuron by neuron, and in panels for gradients."""
    n_inputs = wiring.inputs.size
    y, starts, stride = gathered.y, gathered.starts, gathered.stride
    width = lane_count(y)
    shift = place_of(block.start, stride, gathered.pitch) - block.start
    for i in range(block.start, block.end):
        starts[i] = samples.order[block.position + min(i, block.n_samples - 1)] * n_inputs
    for first in range(block.start, block.end, width):
        j = 0
        while j < n_inputs:
            if is_vector(wiring.inputs, j, width):
                transpose(samples.inputs, starts, first, j, y, wiring.inputs[j] * stride + first + shift, stride)
                j += width
            else:
                for i in range(first, first + width):
                    y[wiring.inputs[j] * stride + i + shift] = samples.inputs[starts[i] + j]
                j += 1
    if gathered.rows.size > 0:
        copy_inputs(wiring, samples, gathered, block.start, block.end)


@kernel
def copy_inputs(wiring: Wiring, samples: Samples, gathered: Gathered, start: int, end: int) -> None:
    """Write the inputs' y sample by sample too, as gradients read it."""
    ids, rows, starts, stride = wiring.inputs, gathered.rows, gathered.starts, gathered.stride
    width = lane_count(rows)
    plane, base = start // stride * stride, start // stride * gathered.row_pitch
    j = 0
    while j < ids.size:
        vector = is_vector(ids, j, width)
        for i in range(start, end):
            to, at = base + place_in_rows(ids[j], i - plane, stride, width), starts[i] + j
            if vector:
                store(rows, to, load(samples.inputs, at))
            else:
                rows[to] = samples.inputs[at]
        j += width if vector else 1


@kernel
def copy_columns(wiring: Wiring, work: Workspace, start: int, end: int) -> None:
    """Write y of neurons that dense bundles listen to sample by sample, as their gradients read it."""
    ids, stride = wiring.columns, work.stride
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
