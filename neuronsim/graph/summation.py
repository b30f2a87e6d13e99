"""In which order kernels add a neuron's sums up, as data: what the plan decided, for those who print or repeat it."""

import sys
from dataclasses import dataclass

from neuronsim.graph.graph import Graph
from neuronsim.kernels.batch.steps import BLOCK_SAMPLES
from neuronsim.kernels.lanes import WIDTH


@dataclass(frozen=True)
class Summation:
    """The order of one sum.

    Attributes
    ----------
    partial_sums : int
        Term k goes to partial sum k mod so many; then sum j + sum j + n/2 for j below n/2, halving on. 1: each term is
        added to those before it, with one rounding.
    block : int
        So many terms at most are added in this way; of more, what blocks come to is added one after the other.
    """

    partial_sums: int
    block: int = sys.maxsize


def net_input(graph: Graph, neuron: int, online: bool) -> Summation:
    """Net input z = b + Σ w·y, sources by ascending id: one after another from b on, or in partial sums and b last."""
    lanes = online and not graph.plan().is_short[neuron]
    return Summation(WIDTH[graph.dtype] if lanes else 1)


def weight_gradient(graph: Graph, sink: int) -> Summation:
    """Gradient ∂L/∂w = Σ δ·y over the samples of a batch, for every edge into a neuron."""
    return Summation(1, BLOCK_SAMPLES) if graph.plan().is_dense[sink] else neuron_gradient(graph)


def neuron_gradient(graph: Graph) -> Summation:
    """Gradient ∂L/∂b = Σ δ, and that of the slope, over the samples of a batch."""
    return Summation(WIDTH[graph.dtype], BLOCK_SAMPLES)
