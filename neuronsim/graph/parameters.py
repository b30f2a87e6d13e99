"""The reference to one parameter: which array it lies in, at which row, what it is called, what it holds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from neuronsim.basics.words import counted
from neuronsim.formulas.activations import PRELU
from neuronsim.graph.graph import Graph

ParameterArray = Literal["weights", "biases", "slopes"]
ARRAYS: tuple[ParameterArray, ...] = get_args(ParameterArray)


def weight_label(source: str, sink: str, delay: int = 0) -> str:
    """``w[i1→h1]``, or ``w[h1→h1, 1 step ago]``."""
    ago = f", {counted(delay, 'step')} ago" if delay else ""
    return f"w[{source}→{sink}{ago}]"


def bias_label(neuron: str) -> str:
    """``b[h1]``."""
    return f"b[{neuron}]"


@dataclass(frozen=True)
class ParameterRef:
    """Where a parameter lies.

    Attributes
    ----------
    array : {"weights", "biases", "slopes"}
        The array that holds it.
    row : int
        Its place there: the edge's position, or the neuron's id.
    """

    array: ParameterArray
    row: int

    @classmethod
    def every(cls, graph: Graph) -> Iterator["ParameterRef"]:
        """All weights, the biases of all neurons but the inputs, the slopes of all prelus."""
        yield from (cls("weights", e) for e in range(graph.n_edges))
        yield from (cls("biases", a) for a in np.flatnonzero(~graph.is_input).tolist())
        yield from (cls("slopes", a) for a in np.flatnonzero(graph.activation_codes == PRELU).tolist())

    def sink(self, graph: Graph) -> int:
        """The id of the neuron whose net input or slope it belongs to."""
        return self.row if self.array != "weights" else graph.sink(self.row)

    def source(self, graph: Graph) -> int | None:
        """The id of the neuron that a weight comes from; None for a bias or a slope."""
        return int(graph.sources[self.row]) if self.array == "weights" else None

    def label(self, graph: Graph, name: Callable[[str], str] = str) -> str:
        """``w[i1→h1]``, ``b[h1]`` or ``slope[h1]``, with names as they are or as ``name`` marks them."""
        sink, source = name(graph.name(self.sink(graph))), self.source(graph)
        if source is not None:
            return weight_label(name(graph.name(source)), sink, graph.arrays.delay(self.row))
        return bias_label(sink) if self.array == "biases" else f"slope[{sink}]"

    def value(self, parameters: Any) -> float:
        """What it holds in anything that has ``weights``, ``biases`` and ``slopes``: a graph, a step, gradients."""
        return float(getattr(parameters, self.array)[self.row])

    def rate_factor(self, graph: Graph) -> float:
        """The factor on its learning rate, negative where it is frozen."""
        factors = graph.rates(self.array).combined
        return 1.0 if factors is None else float(factors[self.row])
