"""The graph of one network: which neurons and edges there are, their parameters, and every edit of them.

Edits wait (`neuronsim.graph.edits`) until an array is asked for, are then merged into arrays in *canonical* form
(`neuronsim.graph.arrays`: a neuron's id is its row, edges are ordered by sink id, then source id), and those are put in
order (`neuronsim.graph.plan`). A failed edit changes nothing.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuronsim.basics.arrays import Integers, Reals
from neuronsim.errors import SettingError, WiringError
from neuronsim.formulas import activations
from neuronsim.formulas.activations import FIRST_USER_CODE, INITIAL_SLOPE
from neuronsim.graph import initialisers, values
from neuronsim.graph.arrays import AllRates, Arrays, NewNeuron
from neuronsim.graph.edges import incoming
from neuronsim.graph.edits import Edits, check_not_itself
from neuronsim.graph.names import Names
from neuronsim.graph.queries import Queries
from neuronsim.graph.selection import Rows, Selection, is_one, listed_names


class Graph(Queries):
    """The wiring of one network and its parameters.

    Attributes
    ----------
    draws : int
        How often weights that had none were drawn.
    """

    def __init__(self, dtype: object = "float64") -> None:
        super().__init__(values.check_dtype(dtype))
        self.draws = 0

    @classmethod
    def assemble(
        cls,
        dtype: object,
        names: Names,
        *,
        row_start: Integers,
        sources: NDArray[np.integer],
        weights: ArrayLike | None,
        activation_codes: ArrayLike,
        inputs: ArrayLike,
        outputs: ArrayLike,
        biases: ArrayLike = 0.0,
        slopes: ArrayLike = INITIAL_SLOPE,
    ) -> "Graph":
        """A graph from arrays that are already valid and in canonical order; values may be scalars.

        Weights may be marked as not drawn yet; None leaves all to be drawn. Inputs and outputs are ids in the order of
        the columns of X and Y.
        """
        graph, n, n_edges = cls(dtype), len(names), len(sources)
        in_rows, out_rows = (np.asarray(rows, np.int64) for rows in (inputs, outputs))
        arrays = Arrays(
            np.ascontiguousarray(row_start, np.int64),
            np.ascontiguousarray(sources, np.int32),
            np.full(n_edges, initialisers.undrawn_mark(graph.dtype) if weights is None else weights, graph.dtype),
            np.full(n, biases, graph.dtype),
            np.full(n, slopes, graph.dtype),
            np.full(n, activation_codes, np.int16),
            np.zeros(n, np.bool_),
            AllRates.of(n_edges, n, graph.dtype),
        )
        arrays.is_input[in_rows] = True
        arrays.biases[in_rows] = 0.0
        arrays.may_lack = bool(initialisers.undrawn(arrays.weights).any())
        graph._hold(arrays, Rows(names, in_rows.tolist(), out_rows.tolist()))
        graph.version = 1
        return graph

    # ── edits of the wiring ──

    def _begin(self) -> Edits:
        self.version += 1
        self._edits.begin()
        return self._edits

    def add_inputs(self, names: Iterable[str | Iterable[str]]) -> list[int]:
        """Add inputs, or none if one name cannot be had, and return their ids."""
        checked = [self._edits.check_free(name) for name in listed_names(names)]
        self._edits.check_room(len(checked))
        for name in checked:
            if checked.count(name) > 1:
                raise WiringError(f"the name {name!r} is given twice; names are unique")
        return [self._append(name, NewNeuron(0, 0.0, INITIAL_SLOPE, True)) for name in checked]

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
        self._edits.settle()
        name = self._edits.check_free(name)
        self._edits.check_room(1)
        code = activations.resolve(activation).code
        neuron = NewNeuron(code, self._checked("bias", bias), self._checked("slope", slope), False)
        check_not_itself(name, sources)
        if isinstance(sources, Mapping):
            if weights is not None:
                raise SettingError("weights are given twice: in the dict of sources, and as weight=")
            rows, given = self._from_dict(sources)
        else:
            rows = self._rows.chosen(() if sources is None else sources)
            given = self._given(weights, len(rows))
        self._edits.check_distinct(rows, name)
        added = self._append(name, neuron)
        self._edits.add_edges(rows, np.full(len(rows), len(self._rows.names) - 1), given)
        return added

    def _append(self, name: str, neuron: NewNeuron) -> int:
        return self._begin().add_neuron(name, neuron) - len(self._rows.removed)

    def _from_dict(self, sources: Mapping[Any, Any]) -> tuple[Integers, Reals | None]:
        found = [self._rows.chosen(source) for source in sources]
        weights = [math.nan if w is None else self._checked("weight", w) for w in sources.values()]
        rows = np.concatenate([np.empty(0, np.int64), *found])
        return rows, np.repeat(np.array(weights, np.float64), [len(f) for f in found])

    def _checked(self, what: str, value: object) -> float:
        return values.checked(what, value, self.dtype)

    def _given(self, weights: ArrayLike | None, n: int) -> Reals | None:
        """Weights of n new edges, shape (n,); None: to be drawn."""
        return None if weights is None else values.checked_array("weight", weights, n, self.dtype)

    def connect(self, sources: Selection, sinks: Selection, weights: ArrayLike | None = None) -> None:
        """Add edges; see `Network.connect`."""
        self._edits.settle()
        if is_one(sources) and is_one(sinks):
            source, sink = self._rows.one(sources), self._rows.one(sinks)
            weight = math.nan if weights is None else self._checked("weight", weights)
            self._edits.check_edge(source, sink)
            self._begin().add_edge(source, sink, weight)
            return
        from_rows, to_rows, _ = self._rows.pairs(sources, sinks)
        edges = self._edits.check_edges(from_rows, to_rows, self._given(weights, len(from_rows)))
        self._begin().add_edges(*edges)

    def disconnect(self, sources: Selection, sinks: Selection) -> None:
        """Remove edges; all must exist, of globs at least one."""
        if is_one(sources) and is_one(sinks):
            source, sink = self._rows.one(sources), self._rows.one(sinks)
            if not self._edits.has(source, sink):
                raise self._no_edge(source, sink)
            self._begin().remove_edge(source, sink)
            return
        positions = self.edges_between(sources, sinks)
        self._begin().remove_edges(positions)

    def remove(self, selection: Selection) -> None:
        """Remove neurons and all their edges; ids after them move up, names stay."""
        rows = self._rows.chosen(selection)
        self._begin()
        self._rows.remove(rows.tolist())

    def set_outputs(self, selection: Selection) -> None:
        """Say which neurons are the outputs, in this order."""
        rows = self._rows.chosen(selection)
        if not len(rows):
            raise WiringError("set_outputs needs at least one neuron")
        unique, count = np.unique(rows, return_counts=True)
        if len(unique) < len(rows):
            raise WiringError(f"the output {self._rows.names.name(int(unique[count > 1][0]))!r} is given twice")
        self._rows.outputs = rows.tolist()
        self.version += 1

    def set_activation(self, selection: Selection, activation: str) -> None:
        """Give neurons another activation."""
        neurons, arrays = self.ids(selection), self.arrays
        code = activations.resolve(activation).code
        if arrays.is_input[neurons].any():
            raise WiringError(f"{self.name(neurons[arrays.is_input[neurons]][0])!r} is an input: it has no activation")
        arrays.codes = arrays.codes.copy()
        arrays.codes[neurons] = code
        self.version += 1

    # ── parameters ──

    def set_bias(self, neuron: object, value: float) -> None:
        """Set one neuron's bias."""
        at = self.id(neuron)
        if self.is_input[at]:
            raise WiringError(f"{self.name(at)!r} is an input: it has no bias")
        self.biases[at] = self._checked("bias", value)

    def set_slope(self, neuron: object, value: float) -> None:
        """Set one neuron's slope."""
        self.slopes[self.id(neuron)] = self._checked("slope", value)

    def set_weight(self, source: object, sink: object, value: float) -> None:
        """Set one edge's weight."""
        self.weights[self.edge(source, sink)] = self._checked("weight", value)

    def initialise(self) -> None:
        """Forget all weights, biases and slopes; the weights are drawn again when needed."""
        arrays = self.arrays
        arrays.weights[:] = initialisers.undrawn_mark(self.dtype)
        arrays.biases[:] = 0.0
        arrays.slopes[:] = INITIAL_SLOPE
        arrays.may_lack, self.draws = True, 0

    def draw_missing(self, seed: int, init: str = initialisers.AUTO) -> None:
        """Draw the weights that were never given; cheap if there are none."""
        arrays = self.arrays
        if not arrays.may_lack:
            return
        missing = initialisers.undrawn(arrays.weights)
        if missing.any():
            wiring = arrays.row_start, arrays.sources, arrays.codes
            initialisers.draw(arrays.weights, missing, *wiring, init, seed, self.draws)
            self.draws += 1
        arrays.may_lack = False

    def freeze(
        self, selection: Selection = (), edges: Integers | None = None, biases: bool = False, on: bool = True
    ) -> None:
        """Freeze, or with ``on=False`` unfreeze, neurons, edges (positions) and all biases."""
        weights, neurons, slopes = self._parameters(selection, edges)
        where = weights, np.flatnonzero(~self.is_input) if biases else neurons, slopes
        for rates, positions in zip(self.arrays.rates, where, strict=True):
            rates.freeze(positions, on)

    def scale_rate(self, factor: float, selection: Selection = (), edges: Integers | None = None) -> None:
        """Multiply the rate factors of neurons (bias, slope, incoming weights) or edges (positions)."""
        factor = self._checked("factor", factor)
        if factor < 0.0:
            raise SettingError(f"factor={factor!r} is negative; a factor on the learning rate is 0 or more")
        where = self._parameters(selection, edges)
        for rates, positions in zip(self.arrays.rates, where, strict=True):
            rates.check_scale(positions, factor)
        for rates, positions in zip(self.arrays.rates, where, strict=True):
            rates.scale(positions, factor)

    def _parameters(self, selection: Selection, edges: Integers | None) -> tuple[Integers, Integers, Integers]:
        """Positions of the weights, biases and slopes that are meant; inputs have none."""
        neurons, is_input = np.unique(self.ids(selection)), self.is_input
        if len(neurons) and is_input[neurons].all():
            raise SettingError(f"{self.name(neurons[0])!r} is an input: it has no bias and no weights")
        neurons = neurons[~is_input[neurons]]
        weights = incoming(self.row_start, neurons)
        return (weights if edges is None else np.union1d(weights, edges)), neurons, neurons

    # ── copies ──

    def copy(self) -> "Graph":
        """An independent copy; it shares the wiring's arrays, which edits replace and nothing writes into."""
        return self._with(self.arrays.copy(), self._rows.copy())

    def showing(self, weights: Reals, biases: Reals, slopes: Reals) -> "Graph":
        """The same wiring with other parameters, to be looked at, not edited: it shares everything."""
        return self._with(replace(self.arrays, weights=weights, biases=biases, slopes=slopes), self._rows)

    def _with(self, arrays: Arrays, rows: Rows) -> "Graph":
        other = Graph.__new__(Graph)
        other.__dict__.update(self.__dict__)
        other._hold(arrays, rows)
        return other

    def __deepcopy__(self, memo: object) -> "Graph":
        return self.copy()

    def __getstate__(self) -> dict[str, Any]:
        """Activations that a user registered are kept by name: their codes differ from process to process."""
        codes = self.activation_codes
        used = np.unique(codes[codes >= FIRST_USER_CODE]).tolist()
        names = {code: activations.by_code(code).name for code in used}
        return self.__dict__ | {"_plan": None, "_user_activations": names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        names = state.pop("_user_activations")
        self.__dict__.update(state)
        old = self._arrays.codes
        self._arrays.codes = old.copy()
        for code, name in names.items():
            self._arrays.codes[old == code] = activations.resolve(name).code
