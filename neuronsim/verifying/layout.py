"""All parameters of a graph in one row, and those of another program brought into that form."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from neuronsim.basics.arrays import Floats
from neuronsim.engine.runtime import Runtime
from neuronsim.errors import DataError, choose
from neuronsim.formulas.activations import PRELU
from neuronsim.graph.edges import same_delays
from neuronsim.graph.graph import Graph
from neuronsim.graph.parameters import ARRAYS, ParameterRef
from neuronsim.verifying import handover


def _is_row(values: Any) -> bool:
    """Whether it is one row of numbers, in any form."""
    try:
        return handover.as_array(values).ndim == 1
    except ValueError:  # lists of several lengths, by layer
        return False


def _are_numbered(names: Iterable[Any]) -> bool:
    """Whether names are those of layers: b1, b2."""
    return any(character.isdigit() for name in names for character in str(name))


class Layout:
    """All parameters of a graph in one row: weights, biases of all but the inputs, slopes of prelus."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.others = np.flatnonzero(~graph.is_input)
        self.prelus = np.flatnonzero(graph.activation_codes == PRELU)
        self.n_edges, self.n_biases = graph.n_edges, len(self.others)
        self.size = self.n_edges + self.n_biases + len(self.prelus)
        self.is_bias = np.zeros(self.size, np.bool_)
        self.is_bias[self.n_edges : self.n_edges + self.n_biases] = True
        self.sinks = np.concatenate([graph.sinks(), self.others, self.prelus])

    def flat(self, weights: ArrayLike, biases: ArrayLike, slopes: ArrayLike) -> Floats:
        """Parameters, or what belongs to them, in one row."""
        of_neurons = np.asarray(biases, np.float64)[self.others], np.asarray(slopes, np.float64)[self.prelus]
        return np.concatenate([np.asarray(weights, np.float64), *of_neurons])

    @cached_property
    def factors(self) -> Floats:
        """Rate factors, 1 where none are set, negative where frozen."""
        set_ones = (self.graph.rates(array).combined for array in ARRAYS)
        sizes = self.n_edges, self.graph.n_neurons, self.graph.n_neurons
        return self.flat(*(np.ones(n) if f is None else f for f, n in zip(set_ones, sizes, strict=True)))

    def put(self, row: Floats) -> None:
        """Write a row into the graph's own arrays."""
        graph, n = self.graph, self.n_edges + self.n_biases
        graph.weights[:], graph.biases[self.others] = row[: self.n_edges], row[self.n_edges : n]
        graph.slopes[self.prelus] = row[n:]

    def label(self, row: int) -> str:
        """What the parameter is called."""
        if row < self.n_edges:
            return ParameterRef("weights", row).label(self.graph)
        return ParameterRef("biases" if self.is_bias[row] else "slopes", int(self.sinks[row])).label(self.graph)

    def given(self, what: Any, called: str) -> tuple[Floats, np.dtype[Any]]:
        """Parameters as people give them, NaN where left out, and the coarsest dtype of them."""
        parts = self._parts(what, called)
        n_all = self.graph.n_neurons
        shapes = {"weights": [self.n_edges], "biases": [n_all, self.n_biases], "slopes": [n_all]}
        rows: list[Floats] = []
        coarse: np.dtype[Any] = np.dtype(np.float64)
        for of, chosen in zip(ARRAYS, (None, self.others, self.prelus), strict=True):
            size = self.n_edges if chosen is None else len(chosen)
            if parts.get(of) is None:
                rows.append(np.full(size, np.nan))
                continue
            array = handover.as_array(parts[of])
            if array.dtype.kind not in "fiu" or array.ndim != 1 or len(array) not in shapes[of]:
                allowed = " or ".join(f"({n},)" for n in shapes[of])
                found = f"shape {array.shape} of {array.dtype}"
                raise DataError(f"the array {of} of {called} has {found}; it must be {allowed}")
            if not np.isfinite(array).all():
                raise DataError(f"{of} of {called} are not all finite: there is no step to recognise")
            coarse = array.dtype if array.dtype == np.float32 else coarse
            wide = array.astype(np.float64)
            rows.append(wide if chosen is None or len(wide) == size != n_all else wide[chosen])
        return np.concatenate(rows), coarse

    def _parts(self, what: Any, called: str) -> dict[str, Any]:
        """Weights, biases and slopes in rows."""
        if isinstance(what, Runtime):
            what.draw()
            graph = what.graph
            same = (graph.n_neurons, graph.n_edges) == (self.graph.n_neurons, self.graph.n_edges)
            same = same and np.array_equal(graph.sources, self.graph.sources)
            if not (same and same_delays(graph.delays, self.graph.delays)):
                raise DataError(f"{called} is wired in another way: it must have the same neurons and edges")
            return {"weights": graph.weights, "biases": graph.biases, "slopes": graph.slopes}
        what = list(what) if isinstance(what, Iterator) else what  # as module.parameters()
        near = (self.graph.weights, self.graph.biases) if called != "gradients" else None
        if isinstance(what, Mapping) and all(map(_is_row, what.values())) and not _are_numbered(what):
            allowed: dict[str, str] = {name: name for name in ARRAYS}
            return {choose(f"part of {called}", name, allowed): values for name, values in what.items()}
        if isinstance(what, (tuple, list)) and len(what) in (1, 2, 3) and all(map(_is_row, what)):
            return dict(zip(ARRAYS, what, strict=False))
        if isinstance(what, (Mapping, tuple, list)) or handover.is_model(what):
            return handover.by_layer(self.graph, what, called, near)
        raise DataError(
            f"{called} is a Network, a mapping of 'weights', 'biases', 'slopes' to arrays, (weights, biases), or "
            f"matrices by layer: a list, dictionary, state_dict or model; not {type(what).__name__}"
        )
