"""Ready-made wirings, built from arrays in time proportional to neurons and edges.

All take ``activation="tanh"`` (`elman` and `jordan`: "sigmoid"), ``output=None`` (the outputs' activation; None: the
same; `reservoir`: "identity"), ``dtype="float64"``, ``init="auto"`` and ``rng=None``. The seed draws the wiring, where
it is random, from one stream and the weights from another, so that the same seed wires the same in both dtypes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuronsim.basics.arrays import Integers
from neuronsim.basics.checked import real, whole
from neuronsim.errors import SettingError, WiringError
from neuronsim.formulas import activations
from neuronsim.graph.arrays import Arrays
from neuronsim.graph.edges import Delays, Ends, blocks, incoming, row_starts, sort
from neuronsim.graph.edits import ordered
from neuronsim.graph.graph import Graph
from neuronsim.graph.initialisers import undrawn_weights
from neuronsim.graph.names import Names
from neuronsim.graph.values import check_dtype, checked_array, checked_delays, checked_leak
from neuronsim.kernels.codes import LEAK_OF_OUTPUT
from neuronsim.network import Network
from neuronsim.seeds import WEIGHTS, WIRING, RandomSource, generator, seed_of

# So many numbers at most are drawn at once: rows × the widest of them.
_MOST_DRAWN = 1 << 22
# The growth of a reservoir is measured over so many steps, a power of 2, after as many to settle.
_MEASURED = 512

__all__ = [
    "elman",
    "from_edges",
    "jordan",
    "layered",
    "random_dag",
    "recurrent",
    "reservoir",
    "shortcut",
    "small_world",
    "sparse_layered",
]


def layered(
    sizes: Sequence[int],
    *,
    activation: str = "tanh",
    output: str | None = None,
    dtype: Any = "float64",
    init: str = "auto",
    rng: RandomSource = None,
) -> Network:
    """Fully connected layers: every neuron listens to the whole layer before it.

    Parameters
    ----------
    sizes : list of int
        Neurons in each layer, the inputs first: ``[784, 256, 128, 10]``. They are named ``x0…``, ``h1.0…``,
        …, ``y0…``.
    activation, output : str
        Of the hidden neurons; of the outputs, None: the same.
    dtype : {"float64", "float32"}
    init : str
        How weights are drawn; see `Network`.
    rng : int, Generator or None
        The seed of wiring, where that is drawn, and weights; None draws one.

    Returns
    -------
    Network

    Raises
    ------
    SettingError
        For fewer than two layers, or sizes that are not whole numbers from 1 on.
    """
    starts = _layers(sizes)
    spans = zip(starts, starts[1:], starts[2:], strict=False)
    sources = np.concatenate([np.tile(np.arange(a, b, dtype=np.int32), c - b) for a, b, c in spans])
    degree = np.repeat(np.diff(starts)[:-1], np.diff(starts)[1:])
    return _assemble(_layer_names(starts), starts, degree, sources, activation, output, dtype, init, seed_of(rng))


def shortcut(
    sizes: Sequence[int],
    *,
    activation: str = "tanh",
    output: str | None = None,
    dtype: Any = "float64",
    init: str = "auto",
    rng: RandomSource = None,
) -> Network:
    """Layers with every shortcut: neurons listen to all layers before their own.

    Parameters
    ----------
    sizes : list of int
        Neurons in each layer, the inputs first; names as in `layered`.
    activation, output : str
        Of the hidden neurons; of the outputs, None: the same.
    dtype : {"float64", "float32"}
    init : str
        How weights are drawn; see `Network`.
    rng : int, Generator or None
        The seed of wiring, where that is drawn, and weights; None draws one.

    Returns
    -------
    Network
    """
    starts = _layers(sizes)
    sources = np.concatenate([np.tile(np.arange(a, dtype=np.int32), b - a) for a, b in pairwise(starts[1:])])
    degree = np.repeat(starts[1:-1], np.diff(starts)[1:])
    return _assemble(_layer_names(starts), starts, degree, sources, activation, output, dtype, init, seed_of(rng))


def sparse_layered(
    sizes: Sequence[int],
    *,
    density: float = 0.05,
    activation: str = "tanh",
    output: str | None = None,
    dtype: Any = "float64",
    init: str = "auto",
    rng: RandomSource = None,
) -> Network:
    """Layers in which every neuron listens to a random part of the layer before it.

    Parameters
    ----------
    sizes : list of int
        Neurons in each layer, the inputs first; names as in `layered`.
    density : float
        The part: every neuron gets ``density`` × the size of the layer before it, rounded, but at least 1.
    activation, output : str
        Of the hidden neurons; of the outputs, None: the same.
    dtype : {"float64", "float32"}
    init : str
        How weights are drawn; see `Network`.
    rng : int, Generator or None
        The seed of wiring, where that is drawn, and weights; None draws one.

    Returns
    -------
    Network

    Raises
    ------
    SettingError
        As `layered`, and for a density that is not above 0 and at most 1.
    """
    starts = _layers(sizes)
    density = real("density", density, "(0, 1]", "{name}={value!r} is not allowed; it is above 0 and at most 1")
    seed = seed_of(rng)
    stream = generator(seed, WIRING)
    before = np.repeat(starts[:-2], np.diff(starts)[1:])
    population = np.repeat(np.diff(starts)[:-1], np.diff(starts)[1:])
    degree = np.maximum(np.floor(density * population + 0.5).astype(np.int64), 1)
    sources = _subsets(stream, population, degree) + np.repeat(before, degree)
    return _assemble(_layer_names(starts), starts, degree, sources, activation, output, dtype, init, seed)


def random_dag(
    n_inputs: int,
    n_hidden: int,
    n_outputs: int,
    *,
    in_degree: int = 32,
    activation: str = "tanh",
    output: str | None = None,
    dtype: Any = "float64",
    init: str = "auto",
    rng: RandomSource = None,
) -> Network:
    """Wire at random without cycles: every neuron listens to ``in_degree`` of those before it.

    Hidden neurons choose among the inputs and the hidden neurons before them, outputs among all inputs and
    hidden neurons; where there are fewer than ``in_degree``, they listen to all. Names: ``x0…``, ``h0…``,
    ``y0…``.

    Parameters
    ----------
    n_inputs, n_hidden, n_outputs : int
    in_degree : int
        How many sources each neuron has.
    activation, output : str
        Of the hidden neurons; of the outputs, None: the same.
    dtype : {"float64", "float32"}
    init : str
        How weights are drawn; see `Network`.
    rng : int, Generator or None
        The seed of wiring, where that is drawn, and weights; None draws one.

    Returns
    -------
    Network
    """
    starts = _parts(n_inputs, n_hidden, n_outputs)
    seed = seed_of(rng)
    others = np.arange(n_inputs, starts[-1])
    population = np.minimum(others, starts[2])
    degree = np.minimum(population, _whole("in_degree", in_degree))
    sources = _subsets(generator(seed, WIRING), population, degree)
    return _assemble(_names("xhy", starts), starts, degree, sources, activation, output, dtype, init, seed)


def small_world(
    sizes: Sequence[int],
    *,
    neighbours: int = 8,
    rewire: float = 0.1,
    activation: str = "tanh",
    output: str | None = None,
    dtype: Any = "float64",
    init: str = "auto",
    rng: RandomSource = None,
) -> Network:
    """Wire a small world: layers are rings; neurons listen to what is near in the ring before, or far away.

    Simard, Nadeau and Kröger (2005), after Watts and Strogatz (1998).

    Parameters
    ----------
    sizes : list of int
        Neurons in each layer, the inputs first; names as in `layered`.
    neighbours : int
        Each neuron listens to so many of the layer before it, those opposite to it; to more where that layer
        is so much larger that nobody would listen to some, and to fewer where it has fewer.
    rewire : float
        The probability with which each of these edges leads from any other neuron in the layers before
        instead.
    activation, output : str
        Of the hidden neurons; of the outputs, None: the same.
    dtype : {"float64", "float32"}
    init : str
        How weights are drawn; see `Network`.
    rng : int, Generator or None
        The seed of wiring, where that is drawn, and weights; None draws one.

    Returns
    -------
    Network
    """
    starts = _layers(sizes)
    k = _whole("neighbours", neighbours)
    rewire = real("rewire", rewire, "[0, 1]", "{name}={value!r} is not a probability; it is 0 to 1")
    seed = seed_of(rng)
    tables = [_opposite(*ends, k) for ends in zip(starts, starts[1:], starts[2:], strict=False)]
    near = np.concatenate([table.ravel() for table in tables])
    degree = np.concatenate([np.full(len(table), table.shape[1]) for table in tables])
    population = np.repeat(starts[1:-1], np.diff(starts)[1:])
    sources, sinks = _rewired(generator(seed, WIRING), near, population, degree, rewire)
    ends, _ = sort(Ends(sources, sinks), None)
    return _assemble(_layer_names(starts), starts, degree, ends.sources, activation, output, dtype, init, seed)


def recurrent(
    sizes: Sequence[int],
    *,
    self_loops: bool = True,
    activation: str = "tanh",
    output: str | None = None,
    dtype: Any = "float64",
    init: str = "auto",
    rng: RandomSource = None,
) -> Network:
    """Fully connected layers with memory: every hidden layer also hears all of itself, a step later.

    Parameters
    ----------
    sizes : list of int
        Neurons in each layer, the inputs first; names as in `layered`.
    self_loops : bool
        Whether a hidden neuron hears itself, too, and not only the others of its layer.
    activation, output : str
        Of the hidden neurons; of the outputs, None: the same.
    dtype : {"float64", "float32"}
    init : str
        How weights are drawn; see `Network`.
    rng : int, Generator or None
        The seed of the weights; None draws one.

    Returns
    -------
    Network
    """
    starts = _layers(sizes)
    later = [np.arange(a, b) for a, b in pairwise(starts[1:-1])] + [starts[:0]]
    edges = _heard_later(starts, later, self_loops)
    return _assemble(_layer_names(starts), starts, *edges[:2], activation, output, dtype, init, seed_of(rng), edges[2])


def elman(
    n_inputs: int,
    n_hidden: int,
    n_outputs: int,
    *,
    initial: float = 0.5,
    activation: str = "sigmoid",
    output: str | None = None,
    dtype: Any = "float64",
    init: str = "auto",
    rng: RandomSource = None,
) -> Network:
    """A simple recurrent network: hidden neurons hear what all of them said a step before.

    Elman (1990), Finding structure in time.

    Parameters
    ----------
    n_inputs, n_hidden, n_outputs : int
        Named ``x0…``, ``h0…``, ``y0…``.
    initial : float
        What the hidden neurons said before the first step.
    activation, output : str
        Of the hidden neurons; of the outputs, None: the same.
    dtype : {"float64", "float32"}
    init : str
        How weights are drawn; see `Network`.
    rng : int, Generator or None
        The seed of the weights; None draws one.

    Returns
    -------
    Network
    """
    starts = _parts(n_inputs, n_hidden, n_outputs)
    edges = _heard_later(starts, [np.arange(starts[1], starts[2]), starts[:0]])
    net = _assemble(_names("xhy", starts), starts, *edges[:2], activation, output, dtype, init, seed_of(rng), edges[2])
    net.graph.memory.set_initial(np.arange(starts[1], starts[2]), real("initial", initial, "(-inf, inf)"))
    return net


def jordan(
    n_inputs: int,
    n_hidden: int,
    n_outputs: int,
    *,
    activation: str = "sigmoid",
    output: str | None = None,
    dtype: Any = "float64",
    init: str = "auto",
    rng: RandomSource = None,
) -> Network:
    """A sequential network: hidden neurons hear what the outputs said a step before.

    Jordan (1986), Serial order, whose state units also keep a part of what they were: ``net["y0"].leak`` does so.

    Parameters
    ----------
    n_inputs, n_hidden, n_outputs : int
        Named ``x0…``, ``h0…``, ``y0…``.
    activation, output : str
        Of the hidden neurons; of the outputs, None: the same.
    dtype : {"float64", "float32"}
    init : str
        How weights are drawn; see `Network`.
    rng : int, Generator or None
        The seed of the weights; None draws one.

    Returns
    -------
    Network

    Raises
    ------
    SettingError
        For softmax outputs, which nobody can hear.
    """
    if "softmax" in (output, activation if output is None else output):
        raise SettingError("a softmax output feeds nobody, and in a jordan net outputs do; take output='sigmoid'")
    starts = _parts(n_inputs, n_hidden, n_outputs)
    edges = _heard_later(starts, [np.arange(starts[2], starts[3]), starts[:0]])
    return _assemble(_names("xhy", starts), starts, *edges[:2], activation, output, dtype, init, seed_of(rng), edges[2])


def reservoir(
    n_inputs: int,
    n_hidden: int,
    n_outputs: int,
    *,
    degree: int = 10,
    radius: float = 0.9,
    leak: float | None = 0.3,
    input_scale: float = 1.0,
    activation: str = "tanh",
    output: str | None = "identity",
    dtype: Any = "float64",
    init: str = "auto",
    rng: RandomSource = None,
) -> Network:
    """An echo-state network: a random reservoir that hears itself a step later, and a readout that learns.

    Jaeger (2001). Weights into the reservoir are uniform, its own scaled to the spectral radius, and frozen with its
    biases, 0; `Network.initialise` would draw them as any others. Only the outputs, which hear the reservoir, learn.

    Parameters
    ----------
    n_inputs, n_hidden, n_outputs : int
        Named ``x0…``, ``h0…``, ``y0…``; the reservoir are the hidden ones.
    degree : int
        How many neurons of the reservoir each of them hears a step later; all, where there are fewer.
    radius : float
        The spectral radius of the weights among them, to within about half a percent.
    leak : float or None
        α, the part of what is new in each output of the reservoir; see `Network.add_neuron`.
    input_scale : float
        Weights from inputs are between plus and minus this.
    activation, output : str
        Of the reservoir; of the outputs, None: the same.
    dtype : {"float64", "float32"}
    init : str
        How weights of the outputs are drawn; see `Network`.
    rng : int, Generator or None
        The seed of wiring and weights; None draws one.

    Returns
    -------
    Network

    Raises
    ------
    SettingError
        For an empty reservoir, or settings out of range.
    """
    radius, scale = real("radius", radius), real("input_scale", input_scale)
    alpha, seed = checked_leak(leak, "output")[0], seed_of(rng)
    starts = _parts(n_inputs, _whole("n_hidden", n_hidden), n_outputs)
    n, k = int(n_hidden), min(_whole("degree", degree), int(n_hidden))
    chosen = _subsets(generator(seed, WIRING), np.full(n, n), np.full(n, k)).reshape(n, k)
    drawn = generator(seed, WEIGHTS, 0)
    own = 2.0 * drawn.random((n, k)) - 1.0
    own *= radius / _growth(chosen, own)
    heard = np.concatenate([np.tile(np.arange(n_inputs), (n, 1)), chosen + n_inputs], axis=1)
    weights = np.concatenate([scale * (2.0 * drawn.random((n, n_inputs)) - 1.0), own], axis=1)

    counts = np.concatenate([np.full(n, n_inputs + k), np.full(n_outputs, n)])
    sources = np.concatenate([heard.ravel(), np.tile(np.arange(n) + n_inputs, n_outputs)]).astype(np.int32)
    delays = np.zeros(len(sources), np.uint16)
    delays[: heard.size].reshape(heard.shape)[:, n_inputs:] = 1
    net = _assemble(_names("xhy", starts), starts, counts, sources, activation, output, dtype, init, seed, delays)
    graph, members = net.graph, np.arange(starts[1], starts[2])
    graph.weights[: heard.size] = weights.ravel()
    graph.freeze(members, incoming(graph.row_start, members))
    if leak is not None:
        graph.memory.set_leak(members, alpha, LEAK_OF_OUTPUT)
    return net


def _heard_later(
    starts: Integers, later: Sequence[Integers], self_loops: bool = True
) -> tuple[Integers, NDArray[np.int32], Delays]:
    """Degrees, sources and delays of layers that hear all of the one before, and some neurons a step later."""
    degree, sources, delays = [], [], []
    for (a, b, c), heard in zip(zip(starts, starts[1:], starts[2:], strict=False), later, strict=True):
        rows = np.tile(np.concatenate([np.arange(a, b), heard]), (c - b, 1))
        steps = np.tile(np.repeat(np.array([0, 1], np.uint16), [b - a, len(heard)]), (c - b, 1))
        kept = np.ones(rows.shape, np.bool_) if self_loops else rows != np.arange(b, c)[:, None]
        degree.append(np.count_nonzero(kept, axis=1))
        sources.append(rows[kept].astype(np.int32))
        delays.append(steps[kept])
    return np.concatenate(degree), np.concatenate(sources), np.concatenate(delays)


def _growth(sources: Integers, weights: NDArray[np.float64]) -> float:
    """By how much a vector grows each time that the weights, rows of them, are applied: the spectral radius.

    The geometric mean over many steps, by square roots alone, so that the bits are the same everywhere.
    """
    y = np.ones(len(sources))
    sizes = np.empty(2 * _MEASURED)
    for step in range(len(sizes)):
        y = (weights * y[sources]).sum(axis=1)
        sizes[step] = np.abs(y).sum()
        if not sizes[step]:
            raise SettingError("no neuron of this reservoir hears itself again; give a larger degree or n_hidden")
        y /= sizes[step]
    mean = sizes[_MEASURED:]
    while len(mean) > 1:
        mean = np.sqrt(mean[::2]) * np.sqrt(mean[1::2])
    return float(mean[0])


def from_edges(
    n_neurons: int,
    sources: ArrayLike,
    sinks: ArrayLike,
    *,
    inputs: ArrayLike,
    outputs: ArrayLike,
    weights: ArrayLike | None = None,
    biases: ArrayLike = 0.0,
    delays: ArrayLike = 0,
    activation: str | Sequence[str] = "tanh",
    output: str | None = None,
    dtype: Any = "float64",
    init: str = "auto",
    rng: RandomSource = None,
) -> Network:
    """Any graph from arrays of ids.

    Parameters
    ----------
    n_neurons : int
        How many neurons there are, inputs included; ids are 0 … n_neurons − 1.
    sources, sinks : array (n_edges,)
        The edges, in any order.
    inputs, outputs : list of int
        Ids; they are named ``x0…`` and ``y0…`` in the order given, other neurons ``n<id>``. Columns of X and
        Y follow the same order.
    weights : float or array (n_edges,), optional
        In the order of ``sources``; None draws them.
    biases : float or array (n_neurons,)
    delays : int or array (n_edges,)
        How many steps each edge takes, in the order of ``sources``.
    activation : str or list of str
        One for all, or one for each neuron.
    output : str, optional
        The outputs' activation; None: as ``activation`` says.
    dtype : {"float64", "float32"}
    init : str
        How weights are drawn; see `Network`.
    rng : int, Generator or None
        The seed of weights that are drawn; None draws one.

    Returns
    -------
    Network

    Raises
    ------
    WiringError
        For ids or delays out of range, a duplicate edge, a self-loop without delay, an edge into an input.
    SettingError
        For weights or biases that are not finite numbers or of another shape.
    """
    n = _whole("n_neurons", n_neurons)
    froms, tos = _ids("sources", sources, n), _ids("sinks", sinks, n)
    if len(froms) != len(tos):
        raise WiringError(f"there are {len(froms)} sources and {len(tos)} sinks; every edge has one of each")
    ins, outs = _distinct("inputs", inputs, n), _distinct("outputs", outputs, n)
    if not len(outs):
        raise WiringError("outputs must hold at least one id")
    names = Names()
    names.append_series("n", n)
    names.rename_series("x", ins)
    names.rename_series("y", outs)  # an output that is an input as well is called x
    is_input = np.isin(np.arange(n), ins)
    real = check_dtype(dtype)
    given = None if weights is None else checked_array("weights", weights, len(froms), real)
    ends, given = ordered(Ends(froms, tos, checked_delays(delays, len(froms), "delays")), given, is_input, names)
    given = undrawn_weights(len(froms), real) if given is None else given.copy()
    wired = row_starts(ends.sinks, n), ends.sources.astype(np.int32), _codes(activation, output, is_input, outs)
    arrays = Arrays.of(*wired, given, checked_array("biases", biases, n, real), delays=ends.delays)
    return Network.from_graph(Graph.assemble(names, ins, outs, arrays), rng=rng, init=init)


def _assemble(
    names: Names,
    starts: Integers,
    degree: Integers,
    sources: NDArray[np.integer],
    activation: str,
    output: str | None,
    dtype: Any,
    init: str,
    seed: int,
    delays: Delays | None = None,
) -> Network:
    """A network whose first part are the inputs and whose last part are the outputs; all but inputs have a degree."""
    ids = np.arange(starts[-1])
    inputs, outputs = ids[: starts[1]], ids[starts[-2] :]
    codes = _codes(activation, output, ids < starts[1], outputs)
    row_start = _starts(np.concatenate([np.zeros(starts[1], np.int64), degree]))
    arrays = Arrays.of(row_start, sources, codes, undrawn_weights(len(sources), check_dtype(dtype)), delays=delays)
    return Network.from_graph(Graph.assemble(names, inputs, outputs, arrays), rng=seed, init=init)


def _codes(
    activation: str | Sequence[str], output: str | None, is_input: NDArray[np.bool_], outputs: Integers
) -> NDArray[np.int16]:
    if isinstance(activation, str) or callable(activation):  # a function is refused
        codes = np.full(len(is_input), activations.resolve(activation).code, np.int16)  # type: ignore[arg-type]
    elif len(activation) != len(is_input):
        raise SettingError(f"{len(activation)} activations for {len(is_input)} neurons; give one, or one for each")
    else:
        code_of = {name: activations.resolve(name).code for name in dict.fromkeys(activation)}
        codes = np.array([code_of[name] for name in activation], np.int16)
    if output is not None:
        codes[outputs] = activations.resolve(output).code
    if len(outputs) == 1 and codes[outputs[0]] == activations.SOFTMAX:
        raise SettingError(
            "softmax shares 1 among all outputs, and one output alone is always 1: give an output for each class "
            "(2 of two classes), or output='sigmoid'"
        )
    codes[is_input] = activations.ACTIVATIONS["identity"].code
    return codes


def _whole(what: str, value: object, least: int = 1) -> int:
    return whole(what, value, least, message="{name}={value!r} is not allowed; it is a whole number from {least} on")


def _starts(counts: NDArray[np.integer]) -> Integers:
    """Where each part starts and the last one ends, shape (n + 1,)."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])


def _layers(sizes: Sequence[int]) -> Integers:
    """The id with which each layer starts, and the number of neurons."""
    try:
        if isinstance(sizes, str):
            raise TypeError
        given = list(sizes)
    except TypeError:
        raise SettingError(f"sizes={sizes!r} is not a list of layer sizes, such as [2, 3, 1]") from None
    if len(given) < 2:
        raise SettingError(f"sizes={given!r} needs two layers at least: inputs and outputs")
    return _starts(np.array([_whole(f"sizes[{layer}]", size) for layer, size in enumerate(given)]))


def _parts(n_inputs: int, n_hidden: int, n_outputs: int) -> Integers:
    given = {"n_inputs": (n_inputs, 1), "n_hidden": (n_hidden, 0), "n_outputs": (n_outputs, 1)}
    return _starts(np.array([_whole(what, value, least) for what, (value, least) in given.items()]))


def _layer_names(starts: Integers) -> Names:
    return _names(["x", *(f"h{layer}." for layer in range(1, len(starts) - 2)), "y"], starts)


def _names(prefixes: Iterable[str], starts: Integers) -> Names:
    names = Names()
    for prefix, size in zip(prefixes, np.diff(starts).tolist(), strict=True):
        names.append_series(prefix, size)
    return names


def _opposite(before: int, here: int, after: int, neighbours: int) -> Integers:
    """Ids in the layer ``before … here`` nearest to each neuron of the layer ``here … after``, ascending."""
    width, n = here - before, after - here
    k = min(width, max(neighbours, -(-width // n)))
    first = (2 * np.arange(n) + 1) * width // (2 * n) - k // 2
    return np.sort((first[:, None] + np.arange(k)) % width, axis=1) + before


def _rewired(
    stream: np.random.Generator, near: Integers, population: Integers, degree: Integers, probability: float
) -> tuple[Integers, Integers]:
    """Sources and rows of the edges, some of them led to neurons that are not near."""
    start = _starts(degree)
    row_of_near = np.repeat(np.arange(len(degree)), degree)
    wanted = np.concatenate([np.zeros(1, np.int64), np.cumsum(stream.random(len(near)) < probability)])
    far = population - degree
    long = np.minimum(wanted[start[1:]] - wanted[start[:-1]], far)
    kept_rows, long_rows = (np.repeat(np.arange(len(degree)), count) for count in (degree - long, long))
    kept = near[_subsets(stream, degree, degree - long) + start[kept_rows]]
    # The r-th neuron that is not near comes after as many near ones as have at most r others before them.
    rank = _subsets(stream, far, long)
    others_before = near - (np.arange(len(near)) - start[row_of_near])
    width = int(population.max()) + 1
    at = np.searchsorted(row_of_near * width + others_before, long_rows * width + rank, side="right")
    distant = rank + at - start[long_rows]
    return np.concatenate([kept, distant]), np.concatenate([kept_rows, long_rows])


def _subsets(stream: np.random.Generator, population: Integers, degree: Integers) -> Integers:
    """For each row, ``degree`` distinct numbers below ``population``, ascending; row after row.

    Rows that take a small part of many draw with repetition and replace repeats; others sort random keys.
    Both give every subset the same chance.
    """
    start = _starts(degree)
    chosen = np.empty(start[-1], np.int64)
    crowded = 2 * degree > population
    for draw, those, width in ((_by_keys, crowded, population), (_by_repetition, ~crowded, degree)):
        all_rows = np.flatnonzero(those)
        for block in blocks(len(all_rows), max(_MOST_DRAWN // int(width[those].max(initial=1)), 1)):
            rows = all_rows[block]
            table = draw(stream, population[rows], degree[rows])
            columns = np.arange(table.shape[1])
            valid = columns < degree[rows][:, None]
            chosen[(start[rows][:, None] + columns)[valid]] = table[valid]
    return chosen


def _by_keys(stream: np.random.Generator, population: Integers, degree: Integers) -> Integers:
    columns = np.arange(int(population.max()))
    keys = stream.random((len(population), len(columns)))
    keys[columns >= population[:, None]] = 2.0
    order = np.argsort(keys, axis=1, kind="stable")
    order[columns >= degree[:, None]] = len(columns)
    order.sort(axis=1)
    return order


def _by_repetition(stream: np.random.Generator, population: Integers, degree: Integers) -> Integers:
    columns = np.arange(max(int(degree.max()), 1))
    last = population[:, None] - 1
    beyond = np.iinfo(np.int64).max
    draws = np.minimum((stream.random((len(population), len(columns))) * population[:, None]).astype(np.int64), last)
    draws[columns >= degree[:, None]] = beyond
    draws.sort(axis=1)
    repeated = np.arange(len(population))
    while len(repeated):
        table = draws[repeated]
        again = np.zeros(table.shape, np.bool_)
        again[:, 1:] = (table[:, 1:] == table[:, :-1]) & (table[:, 1:] != beyond)
        still = again.any(axis=1)
        repeated, table, again = repeated[still], table[still], again[still]
        limit = np.broadcast_to(last[repeated], table.shape)[again]
        table[again] = np.minimum((stream.random(len(limit)) * (limit + 1)).astype(np.int64), limit)
        table.sort(axis=1)
        draws[repeated] = table
    return draws


def _ids(what: str, ids: ArrayLike, n: int) -> NDArray[np.integer]:
    """An array of ids below n, shape (k,)."""
    try:
        array = np.asarray(ids)
    except ValueError:
        raise WiringError(f"{what} is not an array of ids") from None
    if array.size == 0 and array.ndim == 1:
        return np.empty(0, np.int32)
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise WiringError(f"{what} is an array of {array.dtype} of shape {array.shape}; it must be ids, shape (k,)")
    if array.min() < 0 or array.max() >= n:
        at = int(np.argmax((array < 0) | (array >= n)))
        raise WiringError(f"{what}[{at}] is {array[at]}; ids go from 0 to {n - 1}")
    return array.astype(np.int64 if array.dtype == np.uint64 else array.dtype, copy=False)


def _distinct(what: str, ids: ArrayLike, n: int) -> Integers:
    array = _ids(what, ids, n).astype(np.int64)
    unique, counts = np.unique(array, return_counts=True)
    if len(unique) < len(array):
        raise WiringError(f"{what} holds the id {unique[counts > 1][0]} twice")
    return array


def __dir__() -> list[str]:
    return __all__
