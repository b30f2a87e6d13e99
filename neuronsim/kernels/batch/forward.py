"""Batch forward aggregation, a lane per sample: z = b + Σ w·y, the sources by ascending id (L3)."""

from neuronsim.kernels.activations import activate
from neuronsim.kernels.arguments import Activation, Array, Edges, Parameters, Signals, Wiring
from neuronsim.kernels.batch.aggregation import forward_tile
from neuronsim.kernels.batch.single import forward_one
from neuronsim.kernels.jit import inlined, kernel, leaf
from neuronsim.kernels.lanes import lane_count
from neuronsim.kernels.shapes import BLOCK, COLUMN, COLUMNS, ROWS


@inlined
def part_of(size: int, parts: int, part: int) -> int:
    """Where part ``part`` of a bundle's neurons begins, in whole tiles."""
    return int(min((size + ROWS - 1) // ROWS * part // parts * ROWS, size))


@kernel
def aggregate(edges: Edges, biases: Array, neuron: int, end: int, signals: Signals, n: int) -> None:
    """z of the neurons ``neuron`` to ``end`` of a bundle, whole tiles of them, for ``n`` samples."""
    weights, w0, sources, s0, count = edges
    width = lane_count(biases)
    for first in range(neuron, end, ROWS):
        rows = Edges(weights, w0 + (first - neuron) * count, sources, s0, count)
        lane = 0
        while lane + COLUMNS * width <= n:
            forward_tile(BLOCK, rows, biases, first, signals, lane)
            lane += COLUMNS * width
        while lane < n:
            forward_tile(COLUMN, rows, biases, first, signals, lane)
            lane += width


@leaf
def forward(
    wiring: Wiring,
    parameters: Parameters,
    signals: Signals,
    n: int,
    bundle: int,
    last_bundle: int,
    part: int,
    parts: int,
) -> None:
    """Take ``n`` samples through the bundles ``bundle`` to ``last_bundle``: z, then y = f(z).

    Of each one's neurons, part ``part`` of ``parts``.
    """
    weights, biases, slopes = parameters
    for b in range(bundle, last_bundle):
        first, size = wiring.bundle_first[b], wiring.bundle_size[b]
        begin, stop = 0, size
        if parts > 1:
            begin, stop = part_of(size, parts, part), part_of(size, parts, part + 1)
        whole = begin + (stop - begin) // ROWS * ROWS
        s0 = wiring.row_start[first]
        count = wiring.row_start[first + 1] - s0
        if whole > begin:
            edges = Edges(weights, s0 + begin * count, wiring.sources, s0, count)
            aggregate(edges, biases, first + begin, first + whole, signals, n)
        for r in range(begin, stop):
            neuron = first + r
            if r >= whole:
                forward_one(Edges(weights, s0 + r * count, wiring.sources, s0, count), biases, neuron, signals, n)
            at = neuron * signals.stride
            activate(Activation(wiring.codes[neuron], slopes[neuron], wiring.user), signals.z, at, signals.y, at, n)
