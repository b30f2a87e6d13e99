"""Neurons and edges, and every edit of them.

Arrays are in *canonical* form: a neuron's id is its row, edges are ordered by sink id, then source id. Edits
are collected and merged when an array is asked for, so that a network can be wired edge by edge in time
proportional to the number of edits. A failed edit changes nothing.

Between merges a *row* is a neuron's place counted with those removed since the last merge; ids never count
them.
"""

import math
import numbers
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuronsim.errors import CycleError, SettingError, UnknownNameError, WiringError, choose, suggest
from neuronsim.formulas import activations
from neuronsim.formulas.activations import FIRST_USER_CODE, INITIAL_SLOPE, PRELU, SOFTMAX
from neuronsim.graph import initialisers
from neuronsim.graph.edges import duplicate, incoming, merge, row_starts, search, sinks_of, sort
from neuronsim.graph.names import NameList, Names, is_pattern, valid_name
from neuronsim.graph.plan import Plan, make_plan
from neuronsim.graph.rates import Rates

__all__ = ["Graph", "Selection", "check_dtype", "check_runnable"]

Selection = str | int | np.integer | NDArray[Any] | Iterable[Any]
"""Neurons: a name, an id, a glob, or any list or array of those."""

Reals = NDArray[np.floating]
Rows = NDArray[np.int64]

_MOST_NEURONS = 2**31 - 2
# Edges that wait for a merge in a dict before it pays to merge them anyway.
_MOST_PENDING = 100_000
# Arrays of edges from here on, and above a quarter of what is there, are merged at once.
_BULK = 1_000


def check_dtype(dtype: object) -> np.dtype[np.floating]:
    """``float32`` or ``float64``, from its name or NumPy type."""
    table: dict[str, type[np.floating]] = {"float64": np.float64, "float32": np.float32}
    try:
        name = dtype if isinstance(dtype, str) else np.dtype(dtype).name  # type: ignore[call-overload]
    except TypeError:
        name = dtype
    return np.dtype(choose("dtype", name, table))


def _arrow(source: str, sink: str) -> str:
    return f"{source!r} → {sink!r}"


def _is_one(selection: object) -> bool:
    """Whether a selection can only mean one neuron."""
    if isinstance(selection, str):
        return not is_pattern(selection)
    return not isinstance(selection, Iterable)


class Graph:
    """The wiring of one network and its parameters.

    Attributes
    ----------
    dtype
        float32 or float64.
    version
        Grows with every change of the wiring, the outputs or an activation; freezing, rates and values of
        parameters leave it.
    """

    def __init__(self, dtype: object = "float64") -> None:
        self.dtype = check_dtype(dtype)
        self.version = 0
        self._names = Names()
        self._row_start = np.zeros(1, np.int64)
        self._sources = np.empty(0, np.int32)
        self._weights: Reals = np.empty(0, self.dtype)
        self._biases: Reals = np.empty(0, self.dtype)
        self._slopes: Reals = np.empty(0, self.dtype)
        self._codes = np.empty(0, np.int16)
        self._is_input = np.empty(0, np.bool_)
        self._inputs: list[int] = []
        self._outputs: list[int] = []
        self._rates = (Rates(0, self.dtype), Rates(0, self.dtype), Rates(0, self.dtype))
        # Edits not merged yet: neurons as (code, bias, slope, is_input), edges as sink << 32 | source →
        # weight.
        self._edited = False
        self._new_neurons: list[tuple[int, float, float, bool]] = []
        self._new_edges: dict[int, float] = {}
        self._removed: set[int] = set()
        self._dead: list[int] = []
        self._may_miss = False
        self._draws = 0
        self._plan: tuple[int, Plan] | None = None  # the version it is made for, and the plan

    @classmethod
    def assemble(
        cls,
        dtype: object,
        names: Names,
        *,
        row_start: Rows,
        sources: NDArray[np.integer],
        weights: ArrayLike | None,
        activation_codes: ArrayLike,
        inputs: ArrayLike,
        outputs: ArrayLike,
        biases: ArrayLike = 0.0,
        slopes: ArrayLike = INITIAL_SLOPE,
    ) -> "Graph":
        """A graph from arrays that are already valid and in canonical order; values may be scalars.

        Parameters
        ----------
        weights
            Shape (n_edges,); None leaves all to be drawn.
        inputs, outputs
            Ids in the order of the columns of X and Y.
        """
        graph = cls(dtype)
        n = len(names)
        graph._names = names
        graph._row_start = np.ascontiguousarray(row_start, np.int64)
        graph._sources = np.ascontiguousarray(sources, np.int32)
        graph._weights = graph._filled(weights, len(sources))
        graph._may_miss = weights is None
        graph._biases = graph._filled(biases, n)
        graph._inputs = np.asarray(inputs, np.int64).tolist()
        graph._is_input = np.zeros(n, np.bool_)
        graph._is_input[graph._inputs] = True
        graph._biases[graph._is_input] = 0.0
        graph._slopes = graph._filled(slopes, n)
        graph._codes = np.full(n, activation_codes, np.int16)
        graph._outputs = np.asarray(outputs, np.int64).tolist()
        graph._rates = (Rates(len(sources), graph.dtype), Rates(n, graph.dtype), Rates(n, graph.dtype))
        graph.version = 1
        return graph

    def _filled(self, values: ArrayLike | None, n: int) -> Reals:
        if values is None:
            return np.full(n, self._mark)
        return np.full(n, values, self.dtype)

    # ── what there is ──

    @property
    def names(self) -> Names:
        """Names by id."""
        self.consolidate()
        return self._names

    @property
    def n_neurons(self) -> int:
        """How many neurons there are, inputs included."""
        return len(self._names) - len(self._dead)

    @property
    def n_edges(self) -> int:
        """How many edges there are."""
        if self._dead:
            self.consolidate()
        return len(self._sources) - len(self._removed) + len(self._new_edges)

    @property
    def n_inputs(self) -> int:
        """How many inputs there are."""
        return len(self._inputs)

    @property
    def n_outputs(self) -> int:
        """How many outputs have been set."""
        return len(self._outputs)

    @property
    def n_parameters(self) -> int:
        """Edges, biases of neurons that are not inputs, and learned slopes."""
        self.consolidate()
        learned = np.count_nonzero(self._codes == PRELU)
        return len(self._sources) + len(self._codes) - self.n_inputs + int(learned)

    @property
    def row_start(self) -> Rows:
        """Where the edges into each neuron start, shape (n_neurons + 1,)."""
        self.consolidate()
        return self._row_start

    @property
    def sources(self) -> NDArray[np.int32]:
        """The source of every edge, shape (n_edges,)."""
        self.consolidate()
        return self._sources

    @property
    def weights(self) -> Reals:
        """The weight of every edge, shape (n_edges,); missing ones are NaN until ``draw_missing``."""
        self.consolidate()
        return self._weights

    @property
    def biases(self) -> Reals:
        """The bias of every neuron, shape (n_neurons,)."""
        self.consolidate()
        return self._biases

    @property
    def slopes(self) -> Reals:
        """The PReLU slope of every neuron, shape (n_neurons,)."""
        self.consolidate()
        return self._slopes

    @property
    def activation_codes(self) -> NDArray[np.int16]:
        """The activation code of every neuron, shape (n_neurons,)."""
        self.consolidate()
        return self._codes

    @property
    def is_input(self) -> NDArray[np.bool_]:
        """Which neurons are inputs, shape (n_neurons,)."""
        self.consolidate()
        return self._is_input

    @property
    def inputs(self) -> NDArray[np.int32]:
        """Ids of the inputs in the order in which they were added, shape (n_inputs,)."""
        self.consolidate()
        return np.array(self._inputs, np.int32)

    @property
    def outputs(self) -> NDArray[np.int32]:
        """Ids of the outputs in the order in which they were set, shape (n_outputs,)."""
        self.consolidate()
        return np.array(self._outputs, np.int32)

    @property
    def weight_rates(self) -> Reals | None:
        """Learning-rate factor of every edge, -1 where frozen, shape (n_edges,); None: 1 everywhere."""
        return self.rates("weights").combined()

    @property
    def bias_rates(self) -> Reals | None:
        """Learning-rate factor of every bias, -1 where frozen, shape (n_neurons,); None: 1 everywhere."""
        return self.rates("biases").combined()

    @property
    def slope_rates(self) -> Reals | None:
        """Learning-rate factor of every slope, -1 where frozen, shape (n_neurons,); None: 1 everywhere."""
        return self.rates("slopes").combined()

    def rates(self, of: str) -> Rates:
        """Factors and freeze marks of the "weights", "biases" or "slopes"."""
        self.consolidate()
        return self._rates[("weights", "biases", "slopes").index(of)]

    def plan(self) -> Plan:
        """In which order neurons are computed, and which together; made once for each wiring.

        Raises
        ------
        CycleError
            If neurons feed each other in a circle.
        """
        self.consolidate()
        if self._plan is None or self._plan[0] != self.version:
            self._plan = self.version, make_plan(self._row_start, self._sources, self._is_input, self._names.name)
        return self._plan[1]

    def sink(self, edge: int) -> int:
        """The sink of the edge at a position."""
        return int(np.searchsorted(self.row_start, edge, side="right")) - 1

    def sinks(self) -> NDArray[np.int32]:
        """The sink of every edge, shape (n_edges,)."""
        return sinks_of(self.row_start)

    def name(self, neuron: int) -> str:
        """The name of the neuron with an id."""
        return self._names.name(self._row_of(int(neuron)))

    def name_list(self, neurons: Sequence[int] | NDArray[np.integer]) -> NameList:
        """Names of several ids, made when looked at."""
        self.consolidate()
        return NameList(self._names, neurons)

    # ── finding neurons and edges ──

    def ids(self, selection: Selection) -> Rows:
        """Ids of the neurons meant, in the order given; a glob's by id.

        Raises
        ------
        UnknownNameError
            For a name, id or pattern that is not there.
        """
        self.consolidate()
        return self._rows(selection)

    def id(self, neuron: object) -> int:
        """The id of one neuron, given by name or id."""
        self.consolidate()
        return self._one(neuron)

    def edge(self, source: object, sink: object) -> int:
        """The position of one edge, its ends given by name or id.

        Raises
        ------
        UnknownNameError
            If there is no such edge, or no such neuron.
        """
        self.consolidate()
        ends = self._one(source), self._one(sink)
        at = self._position(*ends)
        if at is None:
            raise self._no_edge(*ends)
        return at

    def edges_between(self, sources: Selection, sinks: Selection) -> Rows:
        """Positions of the edges that two selections mean: pairs, or with globs those that exist."""
        self.consolidate()
        from_rows, to_rows, crossed = self._pairs(sources, sinks)
        at, there = search(self._row_start, self._sources, from_rows, to_rows)
        if there.all() and len(at):
            return at
        if crossed and there.any():
            return at[there]
        if not len(at):
            return at
        first = int(np.argmin(there))
        raise self._no_edge(int(from_rows[first]), int(to_rows[first]))

    def _no_edge(self, source_row: int, sink_row: int) -> UnknownNameError:
        source, sink = self._names.name(source_row), self._names.name(sink_row)
        at = self.id(sink)
        heard = NameList(self._names, self._sources[self._row_start[at] : self._row_start[at + 1]])
        what = f"listens to {heard}" if len(heard) else "listens to no neuron"
        return UnknownNameError(f"no edge {_arrow(source, sink)}; {sink!r} {what}")

    def _row_of(self, neuron: int) -> int:
        if not 0 <= neuron < self.n_neurons:
            n = self.n_neurons
            span = f"ids go from 0 to {n - 1}" if n else "the network has no neurons yet"
            raise UnknownNameError(f"no neuron with id {neuron}; {span}")
        if not self._dead:
            return neuron
        dead = self._dead
        return neuron + bisect_right(range(len(dead)), neuron, key=lambda k: dead[k] - k)

    def _is_dead(self, row: int) -> bool:
        at = bisect_left(self._dead, row)
        return at < len(self._dead) and self._dead[at] == row

    def _named(self, name: str) -> int | None:
        row = self._names.row(name)
        return None if row is None or self._is_dead(row) else row

    def _one(self, neuron: object) -> int:
        """The row of one neuron, given by name or id."""
        if isinstance(neuron, str):
            row = self._named(neuron)
            if row is not None:
                return row
            if is_pattern(neuron):
                raise UnknownNameError(f"{neuron!r} is a pattern, and one neuron is meant here: give its name or id")
            near = suggest(neuron, (name for row, name in enumerate(self._names) if not self._is_dead(row)))
            raise UnknownNameError(f"no neuron {neuron!r}{near}")
        if isinstance(neuron, numbers.Integral) and not isinstance(neuron, (bool, np.bool_)):
            return self._row_of(int(neuron))
        kind = type(neuron).__name__
        raise UnknownNameError(f"a neuron is given by its name (str) or id (int), not by {neuron!r} ({kind})")

    def _matching(self, pattern: str) -> Rows:
        rows = self._names.match(pattern)
        if self._dead:
            rows = rows[~np.isin(rows, self._dead)]
        if not len(rows):
            literal = "".join(c for c in pattern if c not in "*?[]")
            raise UnknownNameError(f"no neuron matches {pattern!r}{suggest(literal, self._names)}")
        return rows

    def _rows(self, selection: Selection) -> Rows:
        if isinstance(selection, str) and is_pattern(selection):
            return self._matching(selection)
        if isinstance(selection, (str, numbers.Integral, np.generic)):
            return np.array([self._one(selection)], np.int64)
        if isinstance(selection, np.ndarray) and selection.dtype.kind in "iu":
            return self._rows_of(selection.reshape(-1))
        if isinstance(selection, np.ndarray):
            selection = selection.reshape(-1).tolist()
        if not isinstance(selection, Iterable):
            return np.array([self._one(selection)], np.int64)
        items = list(selection)
        if len(items) > 1 and all(type(item) is int for item in items):
            return self._rows_of(np.array(items))
        found = [self._matching(i) if isinstance(i, str) and is_pattern(i) else [self._one(i)] for i in items]
        return np.concatenate([np.empty(0, np.int64), *found]).astype(np.int64)

    def _rows_of(self, neurons: NDArray[np.integer]) -> Rows:
        if not len(neurons):
            return np.empty(0, np.int64)
        for extreme in (neurons.min(), neurons.max()):
            self._row_of(int(extreme))
        rows: Rows = neurons.astype(np.int64)
        if self._dead:
            dead = np.array(self._dead)
            rows += np.searchsorted(dead - np.arange(len(dead)), rows, side="right")
        return rows

    def _pairs(self, sources: Selection, sinks: Selection) -> tuple[Rows, Rows, bool]:
        """Rows of both ends: a glob means each with each; lists go in step, one neuron with a whole list."""
        ends = []
        crossed = False
        for selection in (sources, sinks):
            crossed = crossed or (isinstance(selection, str) and is_pattern(selection))
            rows = self._rows(selection)
            ends.append(rows[0] if _is_one(selection) else rows)
        if crossed:
            froms, tos = (np.atleast_1d(end) for end in ends)
            return np.tile(froms, len(tos)), np.repeat(tos, len(froms)), True
        try:
            froms, tos = np.broadcast_arrays(*ends)
        except ValueError:
            raise WiringError(
                f"{len(ends[0])} sources and {len(ends[1])} sinks do not pair up; give as many of one as "
                "of the other, or one neuron, or a pattern for each with each"
            ) from None
        return np.atleast_1d(froms), np.atleast_1d(tos), False

    def _position(self, source: int, sink: int) -> int | None:
        """Where the merged edges hold this one; None also where it waits to be removed or added."""
        if sink >= len(self._row_start) - 1:
            return None
        start, stop = int(self._row_start[sink]), int(self._row_start[sink + 1])
        at = bisect_left(self._sources, source, start, stop)
        return at if at < stop and self._sources[at] == source and at not in self._removed else None

    def reaches_output(self) -> NDArray[np.bool_]:
        """Which neurons have a path to an output, outputs included, shape (n_neurons,)."""
        reached = np.zeros(self.n_neurons, np.bool_)
        front = self.outputs.astype(np.int64)
        while len(front):
            reached[front] = True
            found = np.unique(self._sources[incoming(self._row_start, front)])
            front = found[~reached[found]].astype(np.int64)
        return reached

    # ── edits ──

    def add_input(self, name: str) -> int:
        """Add an input and return its id."""
        self._check_room(1)
        return self._append(self._check_free(name), (0, 0.0, INITIAL_SLOPE, True))

    def add_inputs(self, names: Iterable[str]) -> list[int]:
        """Add several inputs, or none if one name cannot be had, and return their ids."""
        checked = [self._check_free(name) for name in names]
        self._check_room(len(checked))
        for name in checked:
            if checked.count(name) > 1:
                raise WiringError(f"the name {name!r} is given twice; names are unique")
        return [self._append(name, (0, 0.0, INITIAL_SLOPE, True)) for name in checked]

    def add_neuron(
        self,
        name: str,
        sources: Mapping[Any, Any] | Selection | None = None,
        weights: ArrayLike | None = None,
        *,
        activation: str = "tanh",
        bias: float = 0.0,
        slope: float = INITIAL_SLOPE,
    ) -> int:
        """Add a neuron that listens to ``sources`` and return its id; see `Network.add_neuron`."""
        self._settle()
        name = self._check_free(name)
        self._check_room(1)
        code = activations.resolve(activation).code
        values = (code, self._real("bias", bias), self._real("slope", slope), False)
        self._check_not_itself(name, sources)
        if isinstance(sources, Mapping):
            if weights is not None:
                raise SettingError("weights are given twice: in the dict of sources, and as weight=")
            rows, numbers_ = self._from_dict(sources)
        else:
            rows = self._rows(() if sources is None else sources)
            numbers_ = self._given(weights, len(rows))
        self._check_distinct(rows, name)
        row = len(self._names)
        neuron = self._append(name, values)
        self._add_edges(rows, np.full(len(rows), row), numbers_)
        return neuron

    def connect(self, sources: Selection, sinks: Selection, weights: ArrayLike | None = None) -> None:
        """Add edges; see `Network.connect`."""
        self._settle()
        if _is_one(sources) and _is_one(sinks):
            source, sink = self._one(sources), self._one(sinks)
            weight = math.nan if weights is None else self._real("weight", weights)
            self._check_new(source, sink)
            self._touch()
            self._new_edges[sink << 32 | source] = weight
            self._may_miss = self._may_miss or weights is None
            return
        from_rows, to_rows, _ = self._pairs(sources, sinks)
        values = self._given(weights, len(from_rows))
        from_rows, to_rows, values = self._check_many(from_rows, to_rows, values)
        self._touch()
        self._add_edges(from_rows, to_rows, values)

    def disconnect(self, sources: Selection, sinks: Selection) -> None:
        """Remove edges; all must exist, of globs at least one."""
        if _is_one(sources) and _is_one(sinks):
            source, sink = self._one(sources), self._one(sinks)
            key, at = sink << 32 | source, self._position(source, sink)
            if key not in self._new_edges and at is None:
                raise self._no_edge(source, sink)
            self._touch()
            if at is not None:
                self._removed.add(at)
            self._new_edges.pop(key, None)
            return
        positions = self.edges_between(sources, sinks)
        self._touch()
        self._removed.update(positions.tolist())

    def remove(self, selection: Selection) -> None:
        """Remove neurons and all their edges; ids behind them move up, names stay."""
        rows = sorted(set(self._rows(selection).tolist()))
        self._touch()
        if len(rows) > len(self._dead):
            self._dead = sorted([*self._dead, *rows])
        else:
            for row in rows:
                insort(self._dead, row)
        gone = set(rows)
        self._inputs = [row for row in self._inputs if row not in gone]
        self._outputs = [row for row in self._outputs if row not in gone]

    def set_outputs(self, selection: Selection) -> None:
        """Say which neurons are the outputs, in this order."""
        rows = self._rows(selection)
        if not len(rows):
            raise WiringError("set_outputs needs at least one neuron")
        unique, count = np.unique(rows, return_counts=True)
        if len(unique) < len(rows):
            raise WiringError(f"the output {self._names.name(int(unique[count > 1][0]))!r} is given twice")
        self._outputs = rows.tolist()
        self.version += 1

    def set_activation(self, selection: Selection, activation: str) -> None:
        """Give neurons another activation."""
        neurons = self.ids(selection)
        code = activations.resolve(activation).code
        if self._is_input[neurons].any():
            name = self._names.name(int(neurons[self._is_input[neurons]][0]))
            raise WiringError(f"{name!r} is an input: it has no activation")
        self._codes = self._codes.copy()
        self._codes[neurons] = code
        self.version += 1

    def set_bias(self, neuron: object, value: float) -> None:
        """Set one neuron's bias."""
        at = self.id(neuron)
        if self._is_input[at]:
            raise WiringError(f"{self._names.name(at)!r} is an input: it has no bias")
        self._biases[at] = self._real("bias", value)

    def set_slope(self, neuron: object, value: float) -> None:
        """Set one neuron's slope."""
        self._slopes[self.id(neuron)] = self._real("slope", value)

    def set_weight(self, source: object, sink: object, value: float) -> None:
        """Set one edge's weight."""
        self._weights[self.edge(source, sink)] = self._real("weight", value)

    def initialise(self) -> None:
        """Forget all weights, biases and slopes; the weights are drawn again when needed."""
        self.consolidate()
        self._weights[:] = self._mark
        self._biases[:] = 0.0
        self._slopes[:] = INITIAL_SLOPE
        self._may_miss, self._draws = True, 0

    def draw_missing(self, seed: int, init: str = initialisers.AUTO) -> None:
        """Draw the weights that were never given; cheap if there are none."""
        self.consolidate()
        if not self._may_miss:
            return
        bits = np.dtype(f"u{self.dtype.itemsize}")
        missing = self._weights.view(bits) == self._mark.view(bits)
        if missing.any():
            wiring = self._row_start, self._sources, self._codes
            initialisers.draw(self._weights, missing, *wiring, init, seed, self._draws)
            self._draws += 1
        self._may_miss = False

    @property
    def _mark(self) -> Any:
        """The NaN that stands for "not drawn yet": its payload tells it from one that was computed."""
        if self.dtype.itemsize == 4:
            return np.array(0x7FC00D0D, np.uint32).view(np.float32)[()]
        return np.array(0x7FF8000000000D0D, np.uint64).view(np.float64)[()]

    def freeze(
        self, selection: Selection = (), edges: Rows | None = None, biases: bool = False, on: bool = True
    ) -> None:
        """Freeze, or with ``on=False`` unfreeze, neurons, edges (positions) and all biases."""
        weights, neurons = self._parameters(selection, edges)
        self._rates[0].freeze(weights, on)
        self._rates[1].freeze(np.flatnonzero(~self._is_input) if biases else neurons, on)
        self._rates[2].freeze(neurons, on)

    def scale_rate(self, factor: float, selection: Selection = (), edges: Rows | None = None) -> None:
        """Multiply the rate factors of neurons (bias, slope, incoming weights) or edges (positions)."""
        factor = self._real("factor", factor)
        if factor < 0.0:
            raise SettingError(f"factor={factor!r} is negative; a factor on the learning rate is 0 or more")
        weights, neurons = self._parameters(selection, edges)
        for rates, where in zip(self._rates, (weights, neurons, neurons), strict=True):
            rates.check_scale(where, factor)
        for rates, where in zip(self._rates, (weights, neurons, neurons), strict=True):
            rates.scale(where, factor)

    def _parameters(self, selection: Selection, edges: Rows | None) -> tuple[Rows, Rows]:
        """Positions of the edges and ids of the neurons whose parameters are meant; inputs have none."""
        neurons = np.unique(self.ids(selection))
        if len(neurons) and self._is_input[neurons].all():
            raise SettingError(f"{self._names.name(int(neurons[0]))!r} is an input: it has no bias and no weights")
        neurons = neurons[~self._is_input[neurons]]
        weights = incoming(self._row_start, neurons)
        return (weights if edges is None else np.union1d(weights, edges)), neurons

    # ── checks ──

    def _check_free(self, name: object) -> str:
        checked = valid_name(name)
        if self._named(checked) is not None:
            raise WiringError(f"there is a neuron {checked!r} already; names are unique")
        return checked

    def _check_room(self, n: int) -> None:
        if len(self._names) + n > _MOST_NEURONS:
            raise WiringError(f"a network holds at most {_MOST_NEURONS} neurons")

    def _check_not_itself(self, name: str, sources: object) -> None:
        names = (sources,) if isinstance(sources, str) else sources
        if isinstance(names, (Mapping, list, tuple, set, frozenset)) and name in names:
            raise CycleError(f"{name!r} would feed itself: {name} → {name}")

    def _real(self, what: str, value: object) -> float:
        """A finite number that the dtype can hold."""
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, (numbers.Real, np.ndarray)):
            raise SettingError(f"{what}={value!r} is not a number")
        number = np.asarray(value)
        if number.ndim or number.dtype.kind not in "iufO":
            raise SettingError(f"{what}={value!r} is not a number")
        try:
            real = float(number)
        except OverflowError:
            real = math.inf
        if not math.isfinite(real):
            raise SettingError(f"{what}={value!r} is not finite")
        with np.errstate(over="ignore"):
            if not np.isfinite(self.dtype.type(real)):
                raise SettingError(f"{what}={value!r} is too large for {self.dtype}")
        return real

    def checked_values(self, what: str, values: ArrayLike, n: int) -> Reals:
        """One finite number for all, or n of them, as an array of the graph's dtype, shape (n,).

        Raises
        ------
        SettingError
            For another shape, or values that are not numbers, not finite or too large for the dtype.
        """
        try:
            given = np.asarray(values)
        except ValueError:
            raise SettingError(f"{what} is not an array of numbers") from None
        if given.ndim == 0:
            return np.full(n, self._real(what, given.item() if given.dtype != object else values), self.dtype)
        if given.dtype.kind not in "iuf":
            raise SettingError(f"{what} is an array of {given.dtype}; it must hold numbers")
        if given.shape != (n,):
            raise SettingError(f"{what} has shape {given.shape}; it must be one number, or ({n},)")
        with np.errstate(over="ignore", invalid="ignore"):
            rounded = given.astype(self.dtype, copy=False)
        if not np.isfinite(rounded).all():
            first = int(np.argmin(np.isfinite(rounded)))
            raise SettingError(f"{what}[{first}] is {given[first]}, not a finite {self.dtype}")
        return rounded

    def _given(self, weights: ArrayLike | None, n: int) -> Reals | None:
        """Weights of n new edges, shape (n,); None: to be drawn."""
        return None if weights is None else self.checked_values("weight", weights, n)

    def _from_dict(self, sources: Mapping[Any, Any]) -> tuple[Rows, Reals | None]:
        found = [self._rows(source) for source in sources]
        weights = [math.nan if w is None else self._real("weight", w) for w in sources.values()]
        rows = np.concatenate([np.empty(0, np.int64), *found])
        return rows, np.repeat(np.array(weights, np.float64), [len(f) for f in found])

    def _check_distinct(self, rows: Rows, sink: str) -> None:
        if len(rows) > 1:
            ordered = np.sort(rows)
            twice = ordered[:-1][ordered[1:] == ordered[:-1]]
            if len(twice):
                raise WiringError(f"the edge {_arrow(self._names.name(int(twice[0])), sink)} is given twice")

    def _check_new(self, source: int, sink: int) -> None:
        """Raise WiringError unless there may be an edge between two rows."""
        if source != sink and not self._takes_no_edges(sink):
            if (sink << 32 | source) not in self._new_edges and self._position(source, sink) is None:
                return
            names = self._names.name(source), self._names.name(sink)
            raise WiringError(f"there is an edge {_arrow(*names)} already; net{list(names)}.weight = … changes it")
        name = self._names.name(sink)
        if source == sink:
            raise CycleError(f"{name!r} would feed itself: {name} → {name}")
        raise WiringError(f"{name!r} is an input: no edge can lead to it, and {self._names.name(source)!r} should")

    def _takes_no_edges(self, row: int) -> bool:
        n = len(self._is_input)
        return bool(self._is_input[row]) if row < n else self._new_neurons[row - n][3]

    def _check_many(self, sources: Rows, sinks: Rows, weights: Reals | None) -> tuple[Rows, Rows, Reals | None]:
        """The edges in order, after raising WiringError if one cannot be."""
        for bad in (sources == sinks, self._rows_of_inputs()[sinks]):
            if bad.any():
                first = int(np.argmax(bad))
                self._check_new(int(sources[first]), int(sinks[first]))
        sources, sinks, weights = sort(sources, sinks, weights)
        twice = duplicate(sources, sinks)
        if twice is not None:
            names = self._names.name(int(sources[twice])), self._names.name(int(sinks[twice]))
            raise WiringError(f"the edge {_arrow(*names)} is given twice")
        merged = np.flatnonzero(sinks < len(self._row_start) - 1)
        _, there = search(self._row_start, self._sources, sources[merged], sinks[merged])
        suspects = merged[there].tolist()
        if self._new_edges:
            keys = (np.asarray(sinks, np.int64) << 32 | sources).tolist()
            suspects += [k for k, key in enumerate(keys) if key in self._new_edges]
        for k in suspects:
            self._check_new(int(sources[k]), int(sinks[k]))
        return sources.astype(np.int64), sinks.astype(np.int64), weights

    def _rows_of_inputs(self) -> NDArray[np.bool_]:
        return np.append(self._is_input, np.array([new[3] for new in self._new_neurons], np.bool_))

    # ── merging edits ──

    def _append(self, name: str, values: tuple[int, float, float, bool]) -> int:
        self._touch()
        self._new_neurons.append(values)
        row = self._names.append(name)
        if values[3]:
            self._inputs.append(row)
        return row - len(self._dead)

    def _add_edges(self, sources: Rows, sinks: Rows, weights: Reals | None) -> None:
        """Take over edges that have been checked."""
        k = len(sources)
        if weights is None or np.isnan(weights).any():
            self._may_miss = True
        if k >= _BULK and 4 * k >= len(self._sources):
            sources, sinks, weights = sort(sources, sinks, weights)
            if self._new_edges or self._removed:
                self._merge(*self._pending(), compact=False)
            self._merge(sources, sinks, np.full(k, math.nan) if weights is None else weights, compact=False)
            return
        keys = (sinks << 32 | sources).tolist()
        self._new_edges.update(zip(keys, [math.nan] * k if weights is None else weights.tolist(), strict=True))

    def _settle(self) -> None:
        """Merge before an edit when so many edits wait that it pays."""
        if len(self._new_edges) > max(_MOST_PENDING, len(self._sources) // 2):
            self.consolidate()

    def _touch(self) -> None:
        """Begin an edit: array objects given out so far become read-only, so that a stale write raises."""
        self.version += 1
        if not self._edited:
            given_out = self._weights, self._biases, self._slopes
            self._weights, self._biases, self._slopes = (array.view() for array in given_out)
            for array in given_out:
                array.flags.writeable = False
        self._edited = True

    def _pending(self) -> tuple[Rows, Rows, Reals]:
        """Sources, sinks and weights of the edges that wait, in order."""
        keys = np.fromiter(self._new_edges.keys(), np.int64, len(self._new_edges))
        weights = np.fromiter(self._new_edges.values(), np.float64, len(keys))
        order = np.argsort(keys)
        keys = keys[order]
        return keys & 0xFFFFFFFF, keys >> 32, weights[order]

    def consolidate(self) -> None:
        """Merge all edits, so that rows are ids and all arrays canonical; does nothing if there are none."""
        if self._edited:
            self._merge(*self._pending(), compact=True)
            self._edited = False

    def _merge(self, sources: Rows, sinks: Rows, weights: Reals, compact: bool) -> None:
        """Merge waiting edits and the given new edges; with ``compact`` rows of removed neurons go."""
        alive = np.ones(len(self._names), np.bool_)
        if compact:
            alive[self._dead] = False
        self._merge_neurons(alive)
        self._merge_edges(sources, sinks, weights, alive)
        self._removed.clear()
        self._new_edges.clear()
        if compact and self._dead:
            self._names.keep(alive)
            new_row = np.cumsum(alive) - 1
            self._inputs = new_row[np.array(self._inputs, np.int64)].tolist()
            self._outputs = new_row[np.array(self._outputs, np.int64)].tolist()
            self._dead.clear()

    def _merge_neurons(self, alive: NDArray[np.bool_]) -> None:
        if not self._new_neurons and alive.all():
            return
        codes, biases, slopes, inputs = zip(*self._new_neurons, strict=True) if self._new_neurons else ((),) * 4
        self._codes = np.append(self._codes, np.array(codes, np.int16))[alive]
        self._biases = np.append(self._biases, np.array(biases, self.dtype))[alive]
        self._slopes = np.append(self._slopes, np.array(slopes, self.dtype))[alive]
        self._is_input = np.append(self._is_input, np.array(inputs, np.bool_))[alive]
        self._new_neurons.clear()
        for rates in self._rates[1:]:
            rates.rearrange(np.flatnonzero(alive))

    def _merge_edges(self, sources: Rows, sinks: Rows, weights: Reals, alive: NDArray[np.bool_]) -> None:
        if not (len(sources) or self._removed) and alive.all():
            rows = np.full(len(alive) + 1, len(self._sources), np.int64)
            rows[: len(self._row_start)] = self._row_start
            self._row_start = rows
            return
        values = np.where(np.isnan(weights), self._mark, weights.astype(self.dtype))
        if not len(self._sources) and alive.all():
            self._row_start, self._sources = row_starts(sinks, len(alive)), sources.astype(np.int32)
            self._weights = values
            self._rates[0].rearrange(np.arange(len(values)))
            return
        removed = np.array(sorted(self._removed), np.int64)
        added = sources.astype(np.int32), sinks.astype(np.int32)
        self._row_start, self._sources, origin = merge(self._row_start, self._sources, added, removed, alive)
        self._weights = np.append(self._weights, values)[origin]
        self._rates[0].rearrange(origin)

    # ── copies ──

    def copy(self) -> "Graph":
        """An independent copy; it shares the wiring's arrays, which edits replace and nothing writes into."""
        self.consolidate()
        other = Graph.__new__(Graph)
        other.__dict__.update(self.__dict__)
        other._names = self._names.copy()
        other._weights, other._biases = self._weights.copy(), self._biases.copy()
        other._slopes = self._slopes.copy()
        other._rates = (self._rates[0].copy(), self._rates[1].copy(), self._rates[2].copy())
        other._inputs, other._outputs = self._inputs.copy(), self._outputs.copy()
        other._new_neurons, other._new_edges, other._removed, other._dead = [], {}, set(), []
        return other

    def showing(self, weights: Reals, biases: Reals, slopes: Reals) -> "Graph":
        """The same wiring with other parameters, to be looked at, not edited: it shares everything."""
        other = Graph.__new__(Graph)
        other.__dict__.update(self.__dict__)
        other._weights, other._biases, other._slopes = weights, biases, slopes
        return other

    def __deepcopy__(self, memo: object) -> "Graph":
        return self.copy()

    def __getstate__(self) -> dict[str, Any]:
        """Activations that a user registered are kept by name: their codes differ from process to process."""
        self.consolidate()
        used = np.unique(self._codes[self._codes >= FIRST_USER_CODE]).tolist()
        names = {code: activations.by_code(code).name for code in used}
        return self.__dict__ | {"_plan": None, "_user_activations": names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        names = state.pop("_user_activations")
        self.__dict__.update(state)
        codes = self._codes.copy()
        for code, name in names.items():
            codes[self._codes == code] = activations.resolve(name).code
        self._codes = codes


def check_runnable(graph: Graph) -> None:
    """Raise WiringError if the graph cannot run yet: no outputs, or a softmax neuron that is misplaced."""
    outputs = graph.outputs
    if not len(outputs):
        raise WiringError("the network has no outputs yet: call set_outputs(...) with the names of its output neurons")
    softmax = np.flatnonzero(graph.activation_codes == SOFTMAX)
    if not len(softmax):
        return
    hidden = np.setdiff1d(softmax, outputs)
    if len(hidden):
        name = graph.name(int(hidden[0]))
        raise WiringError(
            f"{name!r} has the activation softmax and is not an output; "
            "add it to set_outputs or give it another activation"
        )
    is_softmax = np.zeros(graph.n_neurons, np.bool_)
    is_softmax[softmax] = True
    feeding = np.flatnonzero(is_softmax[graph.sources])
    if len(feeding):
        at = int(feeding[0])
        source = graph.name(int(graph.sources[at]))
        sink = graph.name(graph.sink(at))
        raise WiringError(f"{source!r} has the activation softmax and feeds {sink!r}; a softmax neuron feeds nobody")
