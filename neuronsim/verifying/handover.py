"""Parameters or gradients by layer, as other programs keep them, brought into rows by edge and neuron.

Matrices of fully connected layers come in lists, pairs, dictionaries, state_dicts and models. Their shapes say which is
which, and whether W is (n_out, n_in) or (n_in, n_out).
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.arrays import Reals
from neuronsim.errors import DataError
from neuronsim.graph.graph import Graph

Array = NDArray[Any]
_WEIGHTS, _BIASES = "W", "b"
_DIGITS = re.compile(r"\d+")
#: The order in which a list holds the matrices and the biases of n layers.
_ORDERS: tuple[Callable[[int], list[tuple[str, int]]], ...] = (
    lambda n: [(kind, k) for k in range(n) for kind in (_WEIGHTS, _BIASES)],  # W1, b1, W2, b2
    lambda n: [(kind, k) for kind in (_WEIGHTS, _BIASES) for k in range(n)],  # W1, W2, b1, b2
    lambda n: [(kind, k) for kind in (_BIASES, _WEIGHTS) for k in range(n)],  # b1, b2, W1, W2
    lambda n: [(kind, k) for k in range(n) for kind in (_BIASES, _WEIGHTS)],  # b1, W1, b2, W2
    lambda n: [(_WEIGHTS, k) for k in range(n)],
)


class Layers:
    """The fully connected layers of a graph: edges as matrices (n_out, n_in), neurons as rows."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        levels = graph.plan().levels
        ids: list[Array] = [np.flatnonzero(levels == level) for level in range(int(levels.max(initial=0)) + 1)]
        for end, of in ((0, graph.inputs), (-1, graph.outputs)):
            if sorted(of.tolist()) == ids[end].tolist():  # rows and columns follow X and T
                ids[end] = np.asarray(of, np.int64)
        self.ids = ids
        self.edges = [self._matrix(sources, sinks) for sources, sinks in pairwise(ids)]
        self.are_full = bool(self.edges) and sum(e.size for e in self.edges) == graph.n_edges and self._have_all()

    def _matrix(self, sources: Array, sinks: Array) -> Array:
        """Row numbers of the edges between two layers; -1 where there is none."""
        edges = np.full((len(sinks), len(sources)), -1)
        for i, sink in enumerate(sinks.tolist()):
            first, last = self.graph.row_start[sink : sink + 2].tolist()
            found = {source: first + k for k, source in enumerate(self.graph.sources[first:last].tolist())}
            edges[i] = [found.get(source, -1) for source in sources.tolist()]
        return edges

    def _have_all(self) -> bool:
        return all((edges >= 0).all() for edges in self.edges)

    @property
    def sizes(self) -> list[int]:
        """Neurons of each layer, the inputs first."""
        return [len(of) for of in self.ids]

    def split(self, weights: Reals, biases: Reals) -> list[tuple[Reals, Reals]]:
        """(W, b) of each layer, W (n_out, n_in), as copies."""
        pairs = zip(self.edges, self.ids[1:], strict=True)
        return [(np.array(weights[edges]), np.array(biases[sinks])) for edges, sinks in pairs]


class _Found(NamedTuple):
    """One array on its way: what its name says it is, "" if nothing, and the numbers in that name."""

    kind: str
    place: tuple[int, ...]
    array: Array


def as_array(values: Any) -> Array:
    """Numbers of any library as an array; tensors are detached first."""
    for convert in ("detach", "cpu"):
        values = getattr(values, convert, lambda values=values: values)()
    return np.asarray(values)


def is_model(what: Any) -> bool:
    """Whether it is an object of a library that keeps matrices by layer."""
    return any(hasattr(what, name) for name in ("state_dict", "coefs_", "get_weights"))


def by_layer(
    graph: Graph, what: Any, called: str, near: tuple[Reals, Reals] | None = None, turned: bool | None = None
) -> dict[str, Any]:
    """Weights and biases in rows, of matrices by layer in any form.

    Parameters
    ----------
    graph : Graph
        Of fully connected layers.
    what : model, mapping or sequence
        A PyTorch module, Keras model or scikit-learn MLP; a mapping from names to arrays, nested perhaps; a sequence
        of arrays: W1, b1, W2, b2 or all W and then all b, nested perhaps.
    called : str
        What it is, in messages.
    near : pair of arrays, optional
        Weights and biases that it lies near: they decide whether square matrices are turned.
    turned : bool, optional
        Whether matrices are (n_in, n_out); None: as their shapes say.

    Raises
    ------
    DataError
        If the network has no such layers, or shapes do not fit.
    """
    layers = Layers(graph)
    if not layers.are_full:
        raise DataError(
            f"{called} holds matrices, and this network's layers are not fully connected: give rows, "
            "(weights, biases), in the order of net.edges and net.neurons"
        )
    if hasattr(what, "state_dict"):
        what = what.state_dict()
    elif hasattr(what, "coefs_"):
        what, turned = [*what.coefs_, *what.intercepts_], True
    elif hasattr(what, "get_weights"):
        what, turned = what.get_weights(), True
    found = list(_arrays(what, called))
    parts = _assigned(layers, found, called)
    turned = _are_turned(layers, parts, near, called, turned)
    return _rows(layers, parts, turned)


def _arrays(what: Any, called: str, kind: str = "", place: tuple[int, ...] = ()) -> Iterator[_Found]:
    """All arrays inside mappings and sequences."""
    if isinstance(what, Mapping):
        for name, values in what.items():
            numbers = tuple(map(int, _DIGITS.findall(str(name))))
            yield from _arrays(values, called, kind_of(str(name)) or kind, place + numbers)
    elif isinstance(what, Sequence) and not isinstance(what, str) and not _is_table(what):
        for values in what:
            yield from _arrays(values, called, kind, place)
    else:
        array = as_array(what)
        if array.dtype.kind not in "fiu":
            shown = f"{what!r:.60}" if array.ndim == 0 else f"an array of {array.dtype}"
            raise DataError(f"{called} holds {shown}, which is no array of numbers")
        if array.size:
            yield _Found(kind, place, array)


def _is_table(values: Sequence[Any]) -> bool:
    """Whether nested lists are one vector or matrix, as plain Python writes them."""
    rows = [row for row in values if isinstance(row, (list, tuple))]
    if not rows:
        return all(isinstance(v, (int, float, np.number)) for v in values)
    flat = all(isinstance(v, (int, float, np.number)) for row in rows for v in row)
    return flat and len(rows) == len(values) and len({len(row) for row in rows}) == 1


def kind_of(name: str) -> str:
    """Whether a name is one of weights or of biases: W1, dW1, fc.weight, kernel; b1, db1, fc.bias."""
    last = re.split(r"[./]", name.casefold())[-1]
    word = re.sub(r"[^a-z]", "", last)
    word = re.sub(r"^(d|grad|gradient|nabla|delta)(?=(w|b|weights?|bias|biases|kernel)$)", "", word)
    if word in ("w", "ws", "weight", "weights", "kernel", "theta", "coefs"):
        return _WEIGHTS
    return _BIASES if word in ("b", "bs", "bias", "biases", "intercepts", "beta") else ""


def _fits(layers: Layers, kind: str, k: int, found: _Found) -> bool:
    if found.kind not in ("", kind):
        return False
    n_in, n_out = layers.sizes[k : k + 2]
    if kind == _BIASES:
        return bool(found.array.size == n_out == max(found.array.shape, default=0))
    return found.array.shape in ((n_out, n_in), (n_in, n_out))


def _assigned(layers: Layers, found: list[_Found], called: str) -> dict[tuple[str, int], Array]:
    """Which array is which layer's W or b: by the first order that all shapes and names allow."""
    n = len(layers.edges)
    named = [f for f in found if f.kind]
    if found and len(named) == len(found):
        places = [f.place for f in found]
        found = sorted(found, key=lambda f: f.place) if all(places) else found
        for kind in (_WEIGHTS, _BIASES):
            of_kind = [f for f in found if f.kind == kind]
            fits = len(of_kind) == n and all(_fits(layers, kind, k, f) for k, f in enumerate(of_kind))
            if of_kind and not fits:
                raise DataError(_unfit(layers, found, called))
        counters = {_WEIGHTS: iter(range(n)), _BIASES: iter(range(n))}
        return {(f.kind, next(counters[f.kind])): f.array for f in found}
    for order in _ORDERS:
        slots = order(n)
        if len(slots) == len(found) and all(_fits(layers, *slot, f) for slot, f in zip(slots, found, strict=True)):
            return {slot: f.array for slot, f in zip(slots, found, strict=True)}
    raise DataError(_unfit(layers, found, called))


def _unfit(layers: Layers, found: list[_Found], called: str) -> str:
    given = ", ".join(str(f.array.shape) for f in found[:12]) or "no arrays"
    pairs = pairwise(layers.sizes)
    needed = ", ".join(f"({n_out}, {n_in}) or ({n_in}, {n_out}), and ({n_out},)" for n_in, n_out in pairs)
    return (
        f"{called} has {given}; the layers need W and b of shapes {needed}: as W1, b1, W2, b2, … or all W, then all b"
    )


def _are_turned(
    layers: Layers,
    parts: dict[tuple[str, int], Array],
    near: tuple[Reals, Reals] | None,
    called: str,
    told: bool | None,
) -> bool:
    """Whether the matrices are (n_in, n_out); of square ones alone, whichever is nearer, else they are not."""
    matrices = [(w, layers.edges[k]) for (kind, k), w in parts.items() if kind == _WEIGHTS]
    can_be = [all(w.shape == e.shape for w, e in matrices), all(w.T.shape == e.shape for w, e in matrices)]
    if told is not None and can_be[told]:
        return told
    if told is not None or not any(can_be):
        raise DataError(f"{called} has some matrices as (n_out, n_in) and some as (n_in, n_out); give all in one way")
    if not all(can_be) or near is None:
        return not can_be[0]
    as_is, turned = (sum(float(np.abs(m - near[0][e]).sum()) for m, e in of) for of in (matrices, _turned(matrices)))
    return turned < as_is


def _turned(matrices: list[tuple[Array, Array]]) -> list[tuple[Array, Array]]:
    return [(w.T, e) for w, e in matrices]


def _rows(layers: Layers, parts: dict[tuple[str, int], Array], turned: bool) -> dict[str, Any]:
    narrow = all(a.dtype == np.float32 for a in parts.values())
    dtype = np.float32 if narrow else np.float64
    rows: dict[str, Any] = {}
    for (kind, k), array in parts.items():
        if kind == _WEIGHTS:
            row = rows.setdefault("weights", np.zeros(layers.graph.n_edges, dtype))
            row[layers.edges[k]] = array.T if turned else array
        else:
            row = rows.setdefault("biases", np.zeros(layers.graph.n_neurons, dtype))
            row[layers.ids[k + 1]] = array.ravel()
    return rows
