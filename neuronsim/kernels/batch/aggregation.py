"""A tile, some neurons of a bundle × some samples, forward and back; of single neurons as well, then inlined.

Into the loop over neurons with sources of their own nothing may be called: a call costs 20 to 50 ns for its arrays
alone, as much as a neuron's 30 edges.
"""

from typing import Any

from neuronsim.kernels.arguments import Array, Edges, Signals
from neuronsim.kernels.jit import inlined, kernel
from neuronsim.kernels.shapes import TERM, TERMS, TOGETHER
from neuronsim.kernels.tiles import tile_gather_fma, tile_load, tile_push, tile_start, tile_store


def _forward(shape: Any, edges: Edges, biases: Array, neuron: int, signals: Signals, lane: int) -> None:
    """z = b + Σ w·y for the samples from ``lane`` on."""
    tile = tile_start(shape, biases, neuron)
    k = 0
    while k + TOGETHER <= edges.n_sources:
        tile = tile_gather_fma(tile, TERMS, edges, k, signals.source_y, signals.stride, lane)
        k += TOGETHER
    while k < edges.n_sources:
        tile = tile_gather_fma(tile, TERM, edges, k, signals.source_y, signals.stride, lane)
        k += 1
    tile_store(tile, signals.z, neuron * signals.stride + lane, signals.stride)


def _push(shape: Any, edges: Edges, delta: Array, neuron: int, stride: int, lane: int) -> None:
    """Σ w·δ: every source's row gains w·δ of the tile's neurons, in their order."""
    tile = tile_load(shape, delta, neuron * stride + lane, stride)
    k = 0
    while k + TOGETHER <= edges.n_sources:
        tile_push(tile, TERMS, edges, k, delta, stride, lane)
        k += TOGETHER
    while k < edges.n_sources:
        tile_push(tile, TERM, edges, k, delta, stride, lane)
        k += 1


forward_tile, forward_row = kernel(_forward), inlined(_forward)
push_tile, push_row = kernel(_push), inlined(_push)
