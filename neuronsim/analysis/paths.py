"""δ of a neuron as a sum over its paths to the outputs.

Unrolling δ_A = (own part) + f'(z_A) · Σ_P w_AP · δ_P (L3) along every edge gives one term for each path A → … → O:

    δ_A = Σ over paths of Π (f'(z) · w) · own δ of O

with f' of every neuron but the last and the weight of every edge; the own δ is what the loss itself puts on the output
the path ends in, and a path may end in an output on the way. There can be exponentially many, so the largest are found
without making the others: one pass over the edges, from the outputs back, gives each neuron the largest
|Π (f' · w) · own δ| of all its continuations. Following the best continuation everywhere is the largest path; the next
ones leave it somewhere for the second best, and so on: a heap of such departures, one entry for each neuron of each
path found.
"""

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.arrays import Floats
from neuronsim.basics.checked import whole
from neuronsim.documents.explanation import Explained
from neuronsim.documents.notation import given, number
from neuronsim.documents.section import Section
from neuronsim.errors import NeuronsimError, SettingError
from neuronsim.graph.edges import reaching
from neuronsim.tracing.neurons import StepNeuron
from neuronsim.tracing.result import StepResult

#: ``top=None`` gives all paths, if there are no more than this.
MOST_PATHS = 100_000
#: Of a longer path, its ends are printed.
SHOWN_NEURONS = 10


@dataclass(frozen=True)
class Path:
    """One path from a neuron to an output, and what it adds to the neuron's δ.

    Attributes
    ----------
    neurons : tuple of str, n long
        From the neuron itself to an output; both may be the same.
    weights : tuple of float, n - 1 long
        w of its edges, before the update.
    slopes : tuple of float, n - 1 long
        f'(z) of its neurons but the last; 1 of an input.
    own : float
        The δ that the loss itself puts on the last neuron.
    contribution : float
        The product of all of them.
    """

    neurons: tuple[str, ...]
    weights: tuple[float, ...]
    slopes: tuple[float, ...]
    own: float
    contribution: float

    def __str__(self) -> str:
        return " → ".join(_ends(self.neurons))


@dataclass(frozen=True, repr=False)
class Paths(Explained, Sequence[Path]):
    """The paths that make up a δ, largest |contribution| first.

    Attributes
    ----------
    neuron : str
        Whose δ it is.
    step : int
        In which step.
    delta : float
        δ of the neuron, computed in float64 from the step's z, y and weights.
    shown : tuple of Path
        The largest; this object is a sequence of them.
    n_paths : float
        How many there are in all; exact up to 2⁵³.
    """

    neuron: str
    step: int
    delta: float
    shown: tuple[Path, ...]
    n_paths: float

    @property
    def remainder(self) -> float:
        """What all other paths add up to: δ less the paths shown."""
        return math.fsum([self.delta, *(-path.contribution for path in self.shown)])

    @property
    def complete(self) -> bool:
        """Whether all paths are here; the remainder is rounding then."""
        return len(self.shown) == self.n_paths

    def __getitem__(self, which: Any) -> Any:
        return self.shown[which]

    def __len__(self) -> int:
        return len(self.shown)

    def __repr__(self) -> str:
        of = "all" if self.complete else f"{len(self.shown):,} of {_how_many(self.n_paths)}"
        return f"<Paths of {self.neuron!r} in step {self.step}: {of}, delta = {self.delta:.9g}>"

    def _explanation(self) -> Section:
        heading = f"δ[{self.neuron}] = {given(self.delta)} in step {self.step}"
        if not self.n_paths:
            return Section(f"{heading}: no path leads to an output", ())
        rows = [("contribution", "of δ", "path", "f' · w · … · own δ of the output")]
        rows += [(given(p.contribution), self._share(p.contribution), str(p), _product(p)) for p in self.shown]
        if not self.complete:
            left = _how_many(self.n_paths - len(self.shown))
            rows.append((given(self.remainder), self._share(self.remainder), f"the other {left} together", ""))
        paths = "1 path" if self.n_paths == 1 else f"{_how_many(self.n_paths)} paths"
        return Section(f"{heading}: {paths} to the outputs", tuple(rows))

    def _share(self, contribution: float) -> str:
        return f"{number(100.0 * contribution / self.delta, 3)} %" if self.delta else ""


def paths(step: StepResult, neuron: str | int, *, top: int | None = 5) -> Paths:
    """The largest terms of a neuron's δ in a step of one sample, each a path to an output; of an input δ is ∂L/∂x.

    Raises
    ------
    NeuronsimError
        If the δ is not finite: there is nothing to divide.
    SettingError
        For a ``top`` that is no whole number of at least 1, or None where there are too many.
    """
    needed = "{name}={value!r}: a whole number of at least 1 is needed, or None for all paths"
    wanted = MOST_PATHS if top is None else whole("top", top, message=needed)
    start = step.one().graph.id(neuron)
    continuations = _Continuations(step, start)
    name = step.graph.name(start)
    delta, n_paths = float(continuations.delta[start]), float(continuations.n_paths[start])
    if top is None and n_paths > MOST_PATHS:
        raise SettingError(
            f"{name!r} has {_how_many(n_paths)} paths to the outputs; ask for the largest, as in top=100"
        )
    found = list(islice(continuations.best_first(start), wanted))
    if not all(math.isfinite(value) for value in (delta, *(path.contribution for path in found))):
        raise NeuronsimError(
            f"δ of {name!r} is {delta} in step {step.number}, or a product on the way overflows: "
            "there is nothing to divide between paths"
        )
    found.sort(key=lambda path: -abs(path.contribution))
    return Paths(name, step.number, delta, tuple(found), n_paths)


class _Prefix(NamedTuple):
    """The beginning of a path, as a chain back to its first neuron; ``edge`` is -1 there."""

    before: "_Prefix | None"
    neuron: int
    edge: int
    product: float  # Π (f' · w) so far


class _Options(NamedTuple):
    """How a path may go on from a neuron, best first: along an edge, or -1: it ends there."""

    edges: NDArray[np.int64]
    sizes: Floats  # |Π (f' · w) · own δ| of the best continuation


class _Continuations:
    """δ, the number of paths and the size of the largest one, for all neurons that one neuron reaches."""

    def __init__(self, step: StepResult, start: int) -> None:
        self.step = step
        graph = step.graph
        by_source = np.argsort(graph.sources, kind="stable")
        begins = np.searchsorted(graph.sources[by_source], np.arange(graph.n_neurons + 1))
        self._by_source, self._begins, self._sinks = by_source, begins, graph.sinks()
        self.weights = step.weights.astype(np.float64)
        self.delta, self.n_paths, self.size, self.own, self.slope = np.zeros((5, graph.n_neurons))
        self._options: dict[int, _Options] = {}
        reached = np.flatnonzero(reaching(begins, self._sinks[by_source], np.array([start])))
        levels = graph.plan().levels[reached]
        with np.errstate(over="ignore", invalid="ignore"):
            for a in reached[np.argsort(-levels, kind="stable")].tolist():
                self._finish(a)

    def edges_from(self, a: int) -> NDArray[np.int64]:
        edges: NDArray[np.int64] = self._by_source[self._begins[a] : self._begins[a + 1]]
        return edges

    def _finish(self, a: int) -> None:
        """δ = own part + f'(z) · Σ w · δ; the largest path is the largest continuation."""
        neuron = StepNeuron(self.step, a)
        own = neuron.own_delta
        self.own[a] = self.delta[a] = own or 0.0
        self.n_paths[a] = own is not None
        edges = self.edges_from(a)
        sinks = self._sinks[edges]
        n_beyond = self.n_paths[sinks].sum()
        if n_beyond:
            slope = self.slope[a] = neuron.derivative or 0.0
            w = self.weights[edges]
            self.delta[a] += slope * (w * self.delta[sinks]).sum()
            self.n_paths[a] += n_beyond
        # np.max passes a NaN on
        self.size[a] = self.options(a, keep=False).sizes.max(initial=0.0)

    def options(self, a: int, keep: bool = True) -> _Options:
        """The continuations from ``a``, sorted when they are kept."""
        if a in self._options:
            return self._options[a]
        edges = self.edges_from(a)
        edges = edges[self.n_paths[self._sinks[edges]] > 0]
        with np.errstate(over="ignore", invalid="ignore"):
            sizes = np.abs(self.slope[a] * self.weights[edges]) * self.size[self._sinks[edges]]
        if a in self.step.wanted:
            edges, sizes = np.append(edges, -1), np.append(sizes, abs(self.own[a]))
        if keep:
            order = np.argsort(-sizes, kind="stable")
            edges, sizes = edges[order], sizes[order]
            self._options[a] = _Options(edges, sizes)
        return _Options(edges, sizes)

    def best_first(self, start: int) -> Iterator[Path]:
        """All paths, those with the largest |contribution| first (up to rounding)."""
        serial = count()
        heap: list[tuple[float, int, _Prefix, int]] = []

        def depart(prefix: _Prefix, rank: int) -> None:
            sizes = self.options(prefix.neuron).sizes
            if rank < len(sizes):
                bound = abs(prefix.product) * float(sizes[rank])
                heapq.heappush(heap, (-bound, next(serial), prefix, rank))

        depart(_Prefix(None, start, -1, 1.0), 0)
        while heap:
            _, _, prefix, rank = heapq.heappop(heap)
            depart(prefix, rank + 1)
            edge = int(self.options(prefix.neuron).edges[rank])
            while edge >= 0:
                product = prefix.product * float(self.slope[prefix.neuron]) * float(self.weights[edge])
                prefix = _Prefix(prefix, int(self._sinks[edge]), edge, product)
                depart(prefix, 1)
                edge = int(self.options(prefix.neuron).edges[0])
            yield self._path(prefix)

    def _path(self, last: _Prefix) -> Path:
        chain: list[_Prefix] = []
        at: _Prefix | None = last
        while at is not None:
            chain.append(at)
            at = at.before
        chain.reverse()
        own = product = float(self.own[last.neuron])
        for p in reversed(chain[1:]):  # in the order in which δ is made
            product *= float(self.weights[p.edge])
            product *= float(self.slope[p.before.neuron]) if p.before else 1.0
        return Path(
            neurons=tuple(self.step.graph.name(p.neuron) for p in chain),
            weights=tuple(float(self.weights[p.edge]) for p in chain[1:]),
            slopes=tuple(float(self.slope[p.neuron]) for p in chain[:-1]),
            own=own,
            contribution=product,
        )


def _ends(names: Sequence[str]) -> list[str]:
    """The names, of many the first and last few."""
    if len(names) <= SHOWN_NEURONS:
        return list(names)
    half = SHOWN_NEURONS // 2
    return [*names[:half], f"… {len(names) - 2 * half} more …", *names[-half:]]


def _product(path: Path) -> str:
    factors = [given(f) for pair in zip(path.slopes, path.weights, strict=True) for f in pair]
    return " · ".join([*_ends(factors), given(path.own)])


def _how_many(n: float) -> str:
    return f"{n:,.0f}" if n < 2**53 else f"{n:.3g}"
