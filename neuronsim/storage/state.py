"""A network as plain arrays, between graph and file, and the checks that a file's arrays have to pass."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuronsim.errors import FileError, NeuronsimError, suggest
from neuronsim.formulas import activations
from neuronsim.graph.arrays import Arrays
from neuronsim.graph.edges import in_order
from neuronsim.graph.graph import Graph
from neuronsim.graph.initialisers import check_name
from neuronsim.graph.memory import LEAKS_OF
from neuronsim.graph.names import Names
from neuronsim.network import Network

DRAWING = ("seed", "init", "draws")
"""What a state holds of how weights are drawn, by the same names in files."""


@dataclass(frozen=True, eq=False)
class State:
    """Everything that makes a network.

    Attributes
    ----------
    names : Names
        By id.
    arrays : Arrays
        The graph's, but for the codes: those are places in ``activations``.
    activations : list of str
        Names of those in use.
    inputs, outputs : array of int
        Ids, in the order of the columns of X and of Y.
    seed : int
    init : str
    draws : int
        What weights that are not drawn yet will be drawn by, and how often there has been a draw.
    """

    names: Names
    arrays: Arrays
    activations: Sequence[str]
    inputs: NDArray[np.int32]
    outputs: NDArray[np.int32]
    seed: int
    init: str
    draws: int


def state_of(net: Network) -> State:
    """The state of a network; arrays are shared, not copied."""
    graph = net.graph
    used, codes = np.unique(graph.activation_codes, return_inverse=True)
    arrays = replace(graph.arrays, codes=codes.astype(np.int16))
    names = [activations.by_code(int(code)).name for code in used]
    return State(graph.names, arrays, names, graph.inputs, graph.outputs, net.seed, net.init, graph.draws)


def network_of(state: State) -> Network:
    """The network of a state that came from a file.

    Raises
    ------
    FileError
        The arrays do not make a network, or an activation is not registered here.
    """
    codes = np.array([_code(name) for name in state.activations], np.int16)
    _check(state)
    arrays = replace(state.arrays, codes=codes[state.arrays.codes])
    graph = Graph.assemble(state.names, state.inputs, state.outputs, arrays)
    graph.draws = state.draws
    return Network.from_graph(graph, rng=state.seed, init=state.init)


def _code(name: str) -> int:
    if name in activations.ACTIVATIONS:
        return activations.ACTIVATIONS[name].code
    raise FileError(
        f"it uses the activation {name!r}, which is not registered here"
        f"{suggest(name, activations.ACTIVATIONS)}; first ns.activations.register({name!r}, f, derivative)"
    )


def _check(state: State) -> None:
    arrays, n, n_edges = state.arrays, len(state.names), len(state.arrays.sources)
    _sized("row_start", arrays.row_start, n + 1)
    _sized("weights", arrays.weights, n_edges)
    for what in ("biases", "slopes", "codes"):
        _sized(what, getattr(arrays, what), n)
    _sized("delays", arrays.delays, n_edges)
    for what, array in arrays.memory.arrays().items():
        _sized(what, array, n)
    for what, rates in arrays.rates._asdict().items():
        for array in (rates.stored_factors, rates.stored_marks):
            _sized(f"the rates of {what}", array, n_edges if what == "weights" else n)
        if not (np.isfinite(rates.factors()) & (rates.factors() >= 0)).all():
            raise FileError(f"the rates of {what} are not all finite and 0 or more")
    starts = arrays.row_start
    if starts[0] != 0 or starts[-1] != n_edges or (np.diff(starts) < 0).any():
        raise FileError("row_start does not divide the edges among the neurons")
    _within("sources", arrays.sources, n)
    for what, ids in (("inputs", state.inputs), ("outputs", state.outputs)):
        _within(what, ids, n)
    _within("codes", arrays.codes, len(state.activations))
    for what, ids in (("inputs", state.inputs), ("outputs", state.outputs)):
        if len(np.unique(ids)) < len(ids):
            raise FileError(f"{what} name a neuron twice")
    _check_edges(state)
    _check_leaks(state)
    if not 0 <= state.draws < 2**31 or state.seed < 0:
        raise FileError("the seed and the number of draws are not 0 or more")
    try:
        check_name(state.init)
    except NeuronsimError as problem:
        raise FileError(str(problem)) from None


def _check_edges(state: State) -> None:
    ends = state.arrays.ends
    loops = ends.sinks == ends.sources
    if ends.delays is not None:
        loops &= ends.delays == 0
    if loops.any():
        raise FileError(f"{state.names.name(int(ends.sinks[np.argmax(loops)]))!r} feeds itself")
    if not in_order(ends):
        raise FileError("an edge is there twice, or the edges are not in order")
    into_input = np.diff(state.arrays.row_start)[state.inputs] > 0
    if into_input.any():
        name = state.names.name(int(state.inputs[int(np.argmax(into_input))]))
        raise FileError(f"an edge leads to {name!r}, which is an input")


def _check_leaks(state: State) -> None:
    memory = state.arrays.memory
    if memory.leaks is None and memory.leak_codes is None and memory.learned_leaks is None:
        return
    if memory.leaks is None or memory.leak_codes is None:
        raise FileError("it has leaks without what leaks, or the other way round")
    _within("leak_codes", memory.leak_codes, len(LEAKS_OF) + 1)
    leaks = memory.leaking()
    if leaks[state.inputs].any():
        raise FileError("an input leaks")
    if memory.learned_leaks is not None and (memory.learned_leaks & ~leaks).any():
        raise FileError("a leak is learned where nothing leaks")


def _sized(what: str, array: NDArray[Any] | None, n: int) -> None:
    if array is not None and array.shape != (n,):
        raise FileError(f"{what} has shape {array.shape}, it needs ({n},)")


def _within(what: str, array: NDArray[np.integer], n: int) -> None:
    if array.ndim != 1 or (len(array) and not 0 <= int(array.min()) <= int(array.max()) < n):
        raise FileError(f"{what} are not all between 0 and {n - 1}")
