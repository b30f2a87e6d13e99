"""A network as plain arrays, between graph and file, and the checks that a file's arrays have to pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.arrays import Reals
from neuronsim.errors import FileError, NeuronsimError, suggest
from neuronsim.formulas import activations
from neuronsim.graph.edges import in_order, sinks_of
from neuronsim.graph.graph import Graph
from neuronsim.graph.initialisers import check_name, undrawn
from neuronsim.graph.names import Names
from neuronsim.network import Network

RATE_KINDS = ("weights", "biases", "slopes")


class RateArrays(NamedTuple):
    """Learning-rate factors and freeze marks of one kind of parameter; None where there are none."""

    factors: Reals | None = None
    frozen: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class State:
    """Everything that makes a network.

    Attributes
    ----------
    names : Names
        By id.
    row_start : array (n_neurons + 1,)
    sources : array (n_edges,)
        Edges by sink, then source: those into neuron i are ``sources[row_start[i]:row_start[i + 1]]``.
    weights : array (n_edges,)
        Of the network's dtype; the graph's own NaN where not drawn yet.
    biases, slopes : array (n_neurons,)
        Of the network's dtype.
    activations : list of str
    codes : array (n_neurons,)
        Names of the activations in use, and which of them each neuron has.
    inputs, outputs : array of int
        Ids, in the order of the columns of X and of Y.
    rates : dict of RateArrays
        Learning-rate factors and freeze marks of each of RATE_KINDS.
    seed : int
    init : str
    draws : int
        What weights that are not drawn yet will be drawn by, and how often there has been a draw.
    """

    names: Names
    row_start: NDArray[np.int64]
    sources: NDArray[np.int32]
    weights: Reals
    biases: Reals
    slopes: Reals
    activations: Sequence[str]
    codes: NDArray[np.int16]
    inputs: NDArray[np.int32]
    outputs: NDArray[np.int32]
    seed: int
    init: str
    draws: int
    rates: Mapping[str, RateArrays]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The network's."""
        return self.weights.dtype

    @property
    def undrawn(self) -> NDArray[np.bool_]:
        """Which weights have not been drawn yet, (n_edges,)."""
        return undrawn(self.weights)


def state_of(net: Network) -> State:
    """The state of a network; arrays are shared, not copied."""
    graph = net.graph
    graph.consolidate()
    used, codes = np.unique(graph.activation_codes, return_inverse=True)
    return State(
        names=graph.names,
        row_start=graph.row_start,
        sources=graph.sources,
        weights=graph.weights,
        biases=graph.biases,
        slopes=graph.slopes,
        activations=[activations.by_code(int(code)).name for code in used],
        codes=codes.astype(np.int16),
        inputs=graph.inputs,
        outputs=graph.outputs,
        seed=net.seed,
        init=net.init,
        draws=graph.draws,
        rates={kind: _rates_of(graph, kind) for kind in RATE_KINDS},
    )


def _rates_of(graph: Graph, kind: str) -> RateArrays:
    rates = graph.rates(kind)
    if rates.combined() is None:
        return RateArrays()
    factors, frozen = rates.factors(), rates.frozen()
    return RateArrays(factors if (factors != 1).any() else None, frozen if frozen.any() else None)


def network_of(state: State) -> Network:
    """The network of a state that came from a file.

    Raises
    ------
    FileError
        The arrays do not make a network, or an activation is not registered here.
    """
    codes = np.array([_code(name) for name in state.activations], np.int16)
    _check(state)
    graph = Graph.assemble(
        state.dtype,
        state.names,
        row_start=state.row_start,
        sources=state.sources,
        weights=state.weights,
        activation_codes=codes[state.codes] if len(codes) else state.codes,
        inputs=state.inputs,
        outputs=state.outputs,
        biases=state.biases,
        slopes=state.slopes,
    )
    graph.draws = state.draws
    for kind, (factors, frozen) in state.rates.items():
        graph.rates(kind).restore(factors, frozen)
    return Network.from_graph(graph, rng=state.seed, init=state.init)


def _code(name: str) -> int:
    if name in activations.ACTIVATIONS:
        return activations.ACTIVATIONS[name].code
    raise FileError(
        f"it uses the activation {name!r}, which is not registered here"
        f"{suggest(name, activations.ACTIVATIONS)}; first ns.activations.register({name!r}, f, derivative)"
    )


def _check(state: State) -> None:
    n, n_edges = len(state.names), len(state.sources)
    _sized("row_start", state.row_start, n + 1)
    _sized("weights", state.weights, n_edges)
    for what in ("biases", "slopes", "codes"):
        _sized(what, getattr(state, what), n)
    for what, (factors, frozen) in state.rates.items():
        for array in (factors, frozen):
            _sized(f"the rates of {what}", array, n_edges if what == "weights" else n)
        if factors is not None and not (np.isfinite(factors) & (factors >= 0)).all():
            raise FileError(f"the rates of {what} are not all finite and 0 or more")
    if state.row_start[0] != 0 or state.row_start[-1] != n_edges or (np.diff(state.row_start) < 0).any():
        raise FileError("row_start does not divide the edges among the neurons")
    for what in ("sources", "inputs", "outputs"):
        _within(what, getattr(state, what), n)
    _within("codes", state.codes, len(state.activations))
    _distinct("inputs", state.inputs)
    _distinct("outputs", state.outputs)
    _check_edges(state)
    if not 0 <= state.draws < 2**31 or state.seed < 0:
        raise FileError("the seed and the number of draws are not 0 or more")
    try:
        check_name(state.init)
    except NeuronsimError as problem:
        raise FileError(str(problem)) from None


def _check_edges(state: State) -> None:
    sinks = sinks_of(state.row_start)
    if (sinks == state.sources).any():
        at = int(np.argmax(sinks == state.sources))
        raise FileError(f"{state.names.name(int(sinks[at]))!r} feeds itself")
    if not in_order(state.sources, sinks):
        raise FileError("an edge is there twice, or the edges are not in order")
    into_input = np.diff(state.row_start)[state.inputs] > 0
    if into_input.any():
        name = state.names.name(int(state.inputs[int(np.argmax(into_input))]))
        raise FileError(f"an edge leads to {name!r}, which is an input")


def _sized(what: str, array: NDArray[Any] | None, n: int) -> None:
    if array is not None and array.shape != (n,):
        raise FileError(f"{what} has shape {array.shape}, it needs ({n},)")


def _within(what: str, array: NDArray[np.integer], n: int) -> None:
    if array.ndim != 1 or (len(array) and not 0 <= int(array.min()) <= int(array.max()) < n):
        raise FileError(f"{what} are not all between 0 and {n - 1}")


def _distinct(what: str, array: NDArray[np.integer]) -> None:
    if len(np.unique(array)) < len(array):
        raise FileError(f"{what} name a neuron twice")
