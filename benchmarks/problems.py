"""The nets and data that all systems get: one wiring with its starting parameters, samples, and an update rule."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

import neuronsim as ns

Array = np.ndarray[Any, Any]


class System(Protocol):
    """A problem as one system holds it."""

    def train(self, epochs: int, shuffle: bool = True) -> object:
        """Make whole epochs, from the parameters as they are."""

    def parameters(self) -> Array:
        """Weights by sink then source, then biases by neuron."""


@dataclass(frozen=True)
class Problem:
    """A net with its starting parameters, and how it is trained.

    Attributes
    ----------
    sizes : tuple of int
        Of a fully connected net's layers; empty for any other wiring.
    T : array
        Class numbers with cross-entropy (softmax outputs), else one column for each output with half squared error.
    momentum : float, optional
        None: plain SGD.
    """

    net: ns.Network
    X: Array
    T: Array
    hidden: str
    output: str
    batch: int
    rate: float
    momentum: float | None
    threads: int
    sizes: tuple[int, ...] = ()

    @property
    def n_samples(self) -> int:
        """Rows of X."""
        return len(self.X)

    @property
    def classes(self) -> bool:
        """Whether the loss is cross-entropy."""
        return self.output == "softmax"

    def part(self, n: int) -> "Problem":
        """The first ``n`` samples only, for systems that would take minutes."""
        return replace(self, X=self.X[:n], T=self.T[:n])

    def layers(self) -> list[tuple[Array, Array]]:
        """(weights (n_out, n_in), biases (n_out,)) of each layer, copied."""
        found, edge, neuron = [], 0, self.sizes[0]
        for n_in, n_out in pairwise(self.sizes):
            weights = self.net.weights[edge : edge + n_in * n_out].reshape(n_out, n_in).copy()
            found.append((weights, self.net.biases[neuron : neuron + n_out].copy()))
            edge, neuron = edge + n_in * n_out, neuron + n_out
        return found

    def flops(self) -> float:
        """Of a training pass over one sample: 3 multiply-adds an edge, 2 where an input feeds it (it needs no δ)."""
        from_inputs = np.count_nonzero(np.isin(self.net.edges["source"], self.net.inputs))
        return 2.0 * (3 * self.net.n_edges - int(from_inputs))


def flattened(layers: Sequence[tuple[Array, Array]]) -> Array:
    """`System.parameters` of a fully connected net, from `Problem.layers`."""
    return np.concatenate([w.ravel() for w, _ in layers] + [b.ravel() for _, b in layers])


def layered(
    sizes: Sequence[int],
    *,
    n_samples: int,
    hidden: str = "relu",
    output: str = "softmax",
    batch: int = 1,
    rate: float = 0.01,
    momentum: float | None = None,
    threads: int = 2,
    dtype: str = "float32",
) -> Problem:
    """A fully connected net and data drawn at random."""
    net = ns.wiring.layered(sizes, activation=hidden, output=output, dtype=dtype, rng=0)
    problem = wired(
        net, hidden, output, n_samples=n_samples, batch=batch, rate=rate, momentum=momentum, threads=threads
    )
    return replace(problem, sizes=tuple(sizes))


def wired(
    net: ns.Network,
    hidden: str,
    output: str,
    *,
    n_samples: int,
    batch: int = 1,
    rate: float = 0.01,
    momentum: float | None = None,
    threads: int = 2,
) -> Problem:
    """Any net and data drawn at random, with values in [0, 1) as those of images."""
    rng = np.random.default_rng(1)
    X = rng.random((n_samples, net.n_inputs), dtype=np.float32).astype(net.dtype)
    if output == "softmax":
        T: Array = rng.integers(0, net.n_outputs, n_samples)
    else:
        T = rng.random((n_samples, net.n_outputs), dtype=np.float32).astype(net.dtype)
    return Problem(net, X, T, hidden, output, batch, rate, momentum, threads)


@dataclass(frozen=True)
class Level:
    """Neurons that may run together, as a framework of matrices sees them.

    Attributes
    ----------
    sources : int64 (n, width)
        Rows of the values computed so far; row 0 is always zero, and fills up what has fewer sources than others.
    weights : (n, width)
    biases : (n,)
    """

    sources: Array
    weights: Array
    biases: Array


@dataclass(frozen=True)
class Levels:
    """A wiring cut into levels. Rows: 0 is zero, then the inputs, then level after level.

    Attributes
    ----------
    outputs : int64 (n_outputs,)
        Rows of the output neurons.
    places : int64 (n_edges,)
        Where each of the net's edges is in the levels' weights, laid out one after the other.
    neurons : int64
        Where each neuron that is not an input is among the levels' biases, in order of id.
    """

    levels: list[Level]
    outputs: Array
    places: Array
    neurons: Array

    def parameters(self, weights: Sequence[Array], biases: Sequence[Array]) -> Array:
        """`System.parameters`, from the levels' own."""
        w = np.concatenate([np.asarray(x).ravel() for x in weights])[self.places]
        return np.concatenate([w, np.concatenate([np.asarray(x).ravel() for x in biases])[self.neurons]])


def levels_of(net: ns.Network) -> Levels:
    """Cut any wiring into levels: a neuron's is one more than the highest of its sources'."""
    edges, n = net.edges, net.n_neurons
    source, sink = edges["source"].astype(np.int64), edges["sink"].astype(np.int64)
    start = np.searchsorted(sink, np.arange(n + 1))
    level = np.zeros(n, np.int64)
    changed = True
    while changed:  # as often as the net is deep
        new = level.copy()
        np.maximum.at(new, sink, level[source] + 1)
        changed = bool((new != level).any())
        level = new
    is_input = np.zeros(n, bool)
    is_input[net.inputs] = True
    level[~is_input] = np.maximum(level[~is_input], 1)
    order = np.concatenate([net.inputs, *(np.flatnonzero((level == k) & ~is_input) for k in range(1, level.max() + 1))])
    row = np.empty(n, np.int64)
    row[order] = np.arange(1, n + 1)
    found, places, offset = [], np.empty(net.n_edges, np.int64), 0
    for k in range(1, int(level.max()) + 1):
        ids = np.flatnonzero((level == k) & ~is_input)
        degree = start[ids + 1] - start[ids]
        width = max(int(degree.max()), 1)
        sources = np.zeros((len(ids), width), np.int64)
        weights = np.zeros((len(ids), width), net.dtype)
        taken = np.arange(width) < degree[:, None]
        at = (start[ids][:, None] + np.arange(width))[taken]
        sources[taken], weights[taken] = row[source[at]], net.weights[at]
        places[at] = offset + np.flatnonzero(taken)
        offset += taken.size
        found.append(Level(sources, weights, net.biases[ids].copy()))
    neurons = row[np.flatnonzero(~is_input)] - 1 - len(net.inputs)
    return Levels(found, row[net.outputs], places, neurons)
