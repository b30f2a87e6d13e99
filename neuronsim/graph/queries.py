"""What can be asked of a graph: its arrays with all edits merged, names and ids of neurons, positions of edges."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.arrays import Integers, Reals
from neuronsim.errors import UnknownNameError
from neuronsim.formulas.activations import PRELU
from neuronsim.graph.arrays import Arrays
from neuronsim.graph.edges import reaching, search, sinks_of
from neuronsim.graph.edits import Edits, arrow
from neuronsim.graph.names import NameList, Names
from neuronsim.graph.plan import Plan, make_plan
from neuronsim.graph.rates import Rates
from neuronsim.graph.selection import Rows, Selection


class Queries:
    """A graph as far as it is asked, not edited.

    Attributes
    ----------
    dtype : dtype
        float32 or float64.
    version : int
        Grows with every change of the wiring, the outputs or an activation; freezing, rates and values of
        parameters leave it.
    """

    def __init__(self, dtype: np.dtype[np.floating]) -> None:
        self.dtype = dtype
        self.version = 0
        self._hold(Arrays.empty(dtype), Rows(Names(), [], []))
        self._plan: tuple[int, Plan] | None = None  # the version it is made for, and the plan

    def _hold(self, arrays: Arrays, rows: Rows) -> None:
        self._arrays, self._rows, self._edits = arrays, rows, Edits(arrays, rows)

    def consolidate(self) -> None:
        """Merge all edits, so that rows are ids and all arrays canonical; does nothing if there are none."""
        self._edits.merge()

    # ── what there is ──

    @property
    def arrays(self) -> Arrays:
        """All arrays, every edit being merged."""
        self._edits.merge()
        return self._arrays

    @property
    def names(self) -> Names:
        """Names by id."""
        self.consolidate()
        return self._rows.names

    @property
    def n_neurons(self) -> int:
        """How many neurons there are, inputs included."""
        return len(self._rows)

    @property
    def n_edges(self) -> int:
        """How many edges there are."""
        if self._rows.removed:
            self.consolidate()
        return self._edits.n_edges

    @property
    def n_inputs(self) -> int:
        """How many inputs there are."""
        return len(self._rows.inputs)

    @property
    def n_outputs(self) -> int:
        """How many outputs have been set."""
        return len(self._rows.outputs)

    @property
    def n_parameters(self) -> int:
        """Edges, biases of neurons that are not inputs, and learned slopes."""
        codes = self.activation_codes
        return len(self.sources) + len(codes) - self.n_inputs + int(np.count_nonzero(codes == PRELU))

    @property
    def row_start(self) -> Integers:
        """Where the edges into each neuron start, shape (n_neurons + 1,)."""
        return self.arrays.row_start

    @property
    def sources(self) -> NDArray[np.int32]:
        """The source of every edge, shape (n_edges,)."""
        return self.arrays.sources

    @property
    def weights(self) -> Reals:
        """The weight of every edge, shape (n_edges,); missing ones are NaN until ``draw_missing``."""
        return self.arrays.weights

    @property
    def biases(self) -> Reals:
        """The bias of every neuron, shape (n_neurons,)."""
        return self.arrays.biases

    @property
    def slopes(self) -> Reals:
        """The PReLU slope of every neuron, shape (n_neurons,)."""
        return self.arrays.slopes

    @property
    def activation_codes(self) -> NDArray[np.int16]:
        """The activation code of every neuron, shape (n_neurons,)."""
        return self.arrays.codes

    @property
    def is_input(self) -> NDArray[np.bool_]:
        """Which neurons are inputs, shape (n_neurons,)."""
        return self.arrays.is_input

    @property
    def inputs(self) -> NDArray[np.int32]:
        """Ids of the inputs in the order in which they were added, shape (n_inputs,)."""
        self.consolidate()
        return np.array(self._rows.inputs, np.int32)

    @property
    def outputs(self) -> NDArray[np.int32]:
        """Ids of the outputs in the order in which they were set, shape (n_outputs,)."""
        self.consolidate()
        return np.array(self._rows.outputs, np.int32)

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
        rates: Rates = getattr(self.arrays.rates, of)
        return rates

    def plan(self) -> Plan:
        """In which order neurons are computed, and which together, made once for each wiring; or CycleError."""
        arrays = self.arrays
        if self._plan is None or self._plan[0] != self.version:
            plan = make_plan(arrays.row_start, arrays.sources, arrays.is_input, self._rows.names.name)
            self._plan = self.version, plan
        return self._plan[1]

    def sink(self, edge: int) -> int:
        """The sink of the edge at a position."""
        return int(np.searchsorted(self.row_start, edge, side="right")) - 1

    def sinks(self) -> NDArray[np.int32]:
        """The sink of every edge, shape (n_edges,)."""
        return sinks_of(self.row_start)

    def reaches_output(self) -> NDArray[np.bool_]:
        """Which neurons have a path to an output, outputs included, shape (n_neurons,)."""
        return reaching(self.row_start, self.sources, self.outputs)

    # ── finding neurons and edges ──

    def name(self, neuron: int) -> str:
        """The name of the neuron with an id."""
        return self._rows.names.name(self._rows.of_id(int(neuron)))

    def name_list(self, neurons: Sequence[int] | NDArray[np.integer]) -> NameList:
        """Names of several ids, made when looked at."""
        return NameList(self.names, neurons)

    def ids(self, selection: Selection) -> Integers:
        """Ids of the neurons meant, in the order given, a glob's by id; or UnknownNameError."""
        self.consolidate()
        return self._rows.chosen(selection)

    def all_ids(self, selections: Iterable[Selection]) -> Integers:
        """Ids of the neurons that several selections mean, one after the other."""
        return np.concatenate([np.empty(0, np.int64), *map(self.ids, selections)])

    def id(self, neuron: object) -> int:
        """The id of one neuron, given by name or id."""
        self.consolidate()
        return self._rows.one(neuron)

    def edge(self, source: object, sink: object) -> int:
        """The position of one edge, its ends given by name or id; or UnknownNameError."""
        ends = self.id(source), self.id(sink)
        at = self._arrays.position(*ends)
        if at is None:
            raise self._no_edge(*ends)
        return at

    def edges_between(self, sources: Selection, sinks: Selection) -> Integers:
        """Positions of the edges that two selections mean: pairs, or with globs those that exist."""
        arrays = self.arrays
        from_rows, to_rows, crossed = self._rows.pairs(sources, sinks)
        at, there = search(arrays.row_start, arrays.sources, from_rows, to_rows)
        if there.all():
            return at
        if crossed and there.any():
            return at[there]
        first = int(np.argmin(there))
        raise self._no_edge(int(from_rows[first]), int(to_rows[first]))

    def edge_positions(self, pairs: Iterable[tuple[Selection, Selection]]) -> Integers:
        """Positions, ascending, of the edges that pairs (sources, sinks) mean."""
        found = (self.edges_between(*pair) for pair in pairs)
        return np.unique(np.concatenate([np.empty(0, np.int64), *found]))

    def _no_edge(self, source_row: int, sink_row: int) -> UnknownNameError:
        source, sink = self._rows.names.name(source_row), self._rows.names.name(sink_row)
        at = self.id(sink)
        known = self.name_list(self.sources[self.row_start[at] : self.row_start[at + 1]])
        what = f"listens to {known}" if len(known) else "listens to no neuron"
        return UnknownNameError(f"no edge {arrow(source, sink)}; {sink!r} {what}")
