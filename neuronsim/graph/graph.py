"""The graph of one network: which neurons and edges there are, their parameters, and every edit of them.

Edits wait (`neuronsim.graph.edits`) until an array is asked for, are then merged into arrays in *canonical* form
(`neuronsim.graph.arrays`: a neuron's id is its row, edges are ordered by sink id, delay and source id), and those are
put in order (`neuronsim.graph.plan`). A failed edit changes nothing.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuronsim.basics.arrays import Integers, Marks, Reals
from neuronsim.basics.checked import is_whole
from neuronsim.basics.delegation import delegated
from neuronsim.errors import SettingError, UnknownNameError, WiringError
from neuronsim.formulas import activations
from neuronsim.formulas.activations import FIRST_USER_CODE, INITIAL_SLOPE, PRELU
from neuronsim.graph import initialisers, values
from neuronsim.graph.arrays import Arrays, NewNeuron
from neuronsim.graph.edges import Delays, Ends, incoming, reaching, search, sinks_of, unless_zero
from neuronsim.graph.edits import Edits, arrow, check_not_itself
from neuronsim.graph.memory import Memory
from neuronsim.graph.names import NameList, Names
from neuronsim.graph.plan import Plan, make_plan
from neuronsim.graph.rates import Rates
from neuronsim.graph.selection import Rows, Selection, is_one, listed_names
from neuronsim.kernels.codes import NO_LEAK


class Graph:
    """The wiring of one network and its parameters; `Arrays` says what its arrays hold.

    Attributes
    ----------
    dtype : dtype
        float32 or float64.
    version : int
        Grows with every change of the wiring, the outputs or an activation; freezing, rates and values of
        parameters leave it.
    draws : int
        How often weights that had none were drawn.
    """

    def __init__(self, dtype: object = "float64") -> None:
        self.dtype = values.check_dtype(dtype)
        self.version = self.draws = 0
        self._hold(Arrays.of([0], [], [], np.empty(0, self.dtype)), Rows(Names(), {}, []))
        self._plan: tuple[int, Plan] | None = None  # the version it is made for, and the plan

    @classmethod
    def assemble(cls, names: Names, inputs: ArrayLike, outputs: ArrayLike, arrays: Arrays) -> "Graph":
        """A graph from valid arrays in canonical order; inputs and outputs are ids, by column of X and Y."""
        graph = cls(arrays.weights.dtype)
        in_rows, out_rows = (np.asarray(ids, np.int64).tolist() for ids in (inputs, outputs))
        graph._hold(arrays, Rows(names, dict.fromkeys(in_rows), out_rows))
        arrays.is_input = graph._rows.are_inputs()
        arrays.biases[arrays.is_input] = 0.0
        graph.version = 1
        return graph

    def _hold(self, arrays: Arrays, rows: Rows) -> None:
        self._arrays, self._rows, self._edits = arrays, rows, Edits(arrays, rows)

    # ── what there is ──

    row_start: Integers = delegated("arrays.row_start")
    sources: NDArray[np.int32] = delegated("arrays.sources")
    delays: Delays | None = delegated("arrays.delays")
    memory: Memory = delegated("arrays.memory")
    weights: Reals = delegated("arrays.weights")
    biases: Reals = delegated("arrays.biases")
    slopes: Reals = delegated("arrays.slopes")
    activation_codes: NDArray[np.int16] = delegated("arrays.codes")
    is_input: Marks = delegated("arrays.is_input")
    weight_rates: Reals | None = delegated("arrays.rates.weights.combined")
    bias_rates: Reals | None = delegated("arrays.rates.biases.combined")
    slope_rates: Reals | None = delegated("arrays.rates.slopes.combined")

    @property
    def arrays(self) -> Arrays:
        """All arrays, every edit being merged."""
        self._edits.merge()
        return self._arrays

    @property
    def names(self) -> Names:
        """Names by id."""
        self._edits.merge()
        return self._rows.names

    @property
    def inputs(self) -> NDArray[np.int32]:
        """Ids of the inputs in the order in which they were added, shape (n_inputs,)."""
        self._edits.merge()
        return np.array(list(self._rows.inputs), np.int32)

    @property
    def outputs(self) -> NDArray[np.int32]:
        """Ids of the outputs in the order in which they were set, shape (n_outputs,)."""
        self._edits.merge()
        return np.array(self._rows.outputs, np.int32)

    @property
    def n_neurons(self) -> int:
        """How many neurons there are, inputs included."""
        return len(self._rows)

    @property
    def n_edges(self) -> int:
        """How many edges there are."""
        if self._rows.removed:
            self._edits.merge()
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
        """Edges, biases of neurons that are not inputs, and learned slopes, leaks and initial states."""
        codes, memory = self.activation_codes, self.memory
        learned = (codes == PRELU, memory.learned("leaks"), memory.learned("initials"))
        return len(self.sources) + len(codes) - self.n_inputs + sum(int(np.count_nonzero(marks)) for marks in learned)

    @property
    def steps_back(self) -> int:
        """How many steps back something is read, by delayed edges or leaks; 0 in a network without memory."""
        longest = 0 if self.delays is None else int(self.delays.max())
        return max(longest, 0 if self.memory.leaks is None else 1)

    def rates(self, of: str) -> Rates:
        """Factors and freeze marks of the "weights", "biases" or "slopes"."""
        rates: Rates = getattr(self.arrays.rates, of)
        return rates

    def plan(self) -> Plan:
        """In which order neurons are computed, and which together, made once for each wiring; or CycleError."""
        arrays = self.arrays
        if self._plan is None or self._plan[0] != self.version:
            edges = arrays.row_start, arrays.sources, arrays.delays
            plan = make_plan(*edges, arrays.is_input, self._rows.names.name)
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
        self._edits.merge()
        return self._rows.chosen(selection)

    def all_ids(self, selections: Iterable[Selection]) -> Integers:
        """Ids of the neurons that several selections mean, one after the other."""
        return np.concatenate([np.empty(0, np.int64), *map(self.ids, selections)])

    def id(self, neuron: object) -> int:
        """The id of one neuron, given by name or id."""
        self._edits.merge()
        return self._rows.one(neuron)

    def edge(self, source: object, sink: object, delay: object = None) -> int:
        """The position of one edge, its ends given by name or id; or UnknownNameError.

        Where there are several, of different delays, WiringError unless the delay says which.
        """
        ends = self.id(source), self.id(sink)
        if delay is None:
            found = self._arrays.positions(*ends)
        else:
            at = self._arrays.position(*ends, values.checked_delay(delay))
            found = [] if at is None else [at]
        if not found:
            raise self._no_edge(*ends, delay)
        if len(found) > 1:
            edge = arrow(self.name(ends[0]), self.name(ends[1]))
            delays = ", ".join(str(self._arrays.delay(e)) for e in found)
            raise WiringError(
                f"there are {len(found)} edges {edge}, of delays {delays}; say which: net[source, sink, delay]"
            )
        return found[0]

    def edges_between(self, sources: Selection, sinks: Selection, delay: object = None) -> Integers:
        """Positions of the edges that two selections mean: pairs, or with globs those that exist.

        Of a delay, or of every one.
        """
        arrays = self.arrays
        from_rows, to_rows, crossed = self._rows.pairs(sources, sinks)
        if delay is None and arrays.delays is not None:
            at, pair = self._of_every_delay(from_rows, to_rows)
            there = np.isin(np.arange(len(from_rows)), pair)
        else:
            delays = values.checked_delays(0 if delay is None else delay, len(from_rows))  # type: ignore[arg-type]
            at, there = search(arrays.row_start, arrays.sources, arrays.delays, Ends(from_rows, to_rows, delays))
            pair = np.flatnonzero(there)
            at = at[there]
        if there.all() or (crossed and there.any()):
            return at
        first = int(np.argmin(there))
        raise self._no_edge(int(from_rows[first]), int(to_rows[first]), delay)

    def _of_every_delay(self, from_rows: Integers, to_rows: Integers) -> tuple[Integers, Integers]:
        """Positions of all edges between pairs of rows, and which pair each belongs to, in the order of the pairs."""
        wanted = to_rows.astype(np.int64) << 32 | from_rows
        by_key = np.argsort(wanted, kind="stable")
        around = incoming(self.row_start, np.unique(to_rows))
        keys = self.sinks()[around].astype(np.int64) << 32 | self.sources[around]
        place = np.minimum(np.searchsorted(wanted[by_key], keys), len(wanted) - 1)
        found = wanted[by_key][place] == keys
        pair, at = by_key[place[found]], around[found]
        order = np.argsort(pair, kind="stable")
        return at[order], pair[order]

    def edge_positions(self, pairs: Iterable[tuple[Any, ...]]) -> Integers:
        """Positions, ascending, of the edges that pairs (sources, sinks), or triples with a delay, mean."""
        found = (self.edges_between(*pair) for pair in pairs)
        return np.unique(np.concatenate([np.empty(0, np.int64), *found]))

    def _no_edge(self, source_row: int, sink_row: int, delay: object = None) -> UnknownNameError:
        source, sink = self._rows.names.name(source_row), self._rows.names.name(sink_row)
        at = self.id(sink)
        edges = range(self.row_start[at], self.row_start[at + 1])
        missing = arrow(source, sink) + (f" of delay {delay}" if is_whole(delay) else "")
        if not edges:
            return UnknownNameError(f"no edge {missing}; {sink!r} listens to no neuron")
        others = [e for e in edges if self.sources[e] == self.id(source)]
        if others:
            heard = ", ".join(str(self._arrays.delay(e)) for e in others)
            return UnknownNameError(f"no edge {missing}; {sink!r} hears {source!r} with delay {heard}")
        known = self.name_list(np.unique(self.sources[edges.start : edges.stop]))
        return UnknownNameError(f"no edge {missing}; {sink!r} listens to {known}")

    # ── edits of the wiring ──

    def _begin(self) -> Edits:
        self.version += 1
        self._edits.begin()
        return self._edits

    def add_inputs(self, names: Iterable[str | Iterable[str]]) -> list[int]:
        """Add inputs, or none if one name cannot be had, and return their ids."""
        checked = [self._edits.check_free(name) for name in listed_names(names)]
        self._edits.check_room(len(checked))
        for name, times in Counter(checked).items():
            if times > 1:
                raise WiringError(f"the name {name!r} is given twice; names are unique")
        return [self._append(name, (0, 0.0, INITIAL_SLOPE, 1.0, NO_LEAK), is_input=True) for name in checked]

    def add_neuron(
        self,
        name: str,
        sources: Mapping[Any, Any] | Selection | None = None,
        weights: ArrayLike | None = None,
        *,
        activation: str = "tanh",
        bias: float = 0.0,
        slope: float = INITIAL_SLOPE,
        leak: float | None = None,
        leak_of: str = "output",
    ) -> int:
        """Add a neuron that listens to ``sources`` and return its id; see `Network.add_neuron`."""
        self._edits.settle()
        name = self._edits.check_free(name)
        self._edits.check_room(1)
        code = activations.resolve(activation).code
        leaks = (1.0, NO_LEAK) if leak is None and leak_of == "output" else values.checked_leak(leak, leak_of)
        neuron = code, self._checked("bias", bias), self._checked("slope", slope), *leaks
        check_not_itself(name, sources)
        rows, delays, given = self._heard(name, sources, weights)
        self._edits.check_distinct(rows, delays, name)
        added = self._append(name, neuron)
        self._edits.add_edges(Ends(rows, np.full(len(rows), len(self._rows.names) - 1), delays), given)
        return added

    def _heard(
        self, name: str, sources: Mapping[Any, Any] | Selection | None, weights: ArrayLike | None
    ) -> tuple[Integers, Delays | None, Reals | None]:
        """Rows that a new neuron listens to, delays and weights."""
        given: Reals | None
        if isinstance(sources, Mapping):
            if weights is not None:
                raise SettingError("weights are given twice: in the dict of sources, and as weight=")
            rows, delays, count = self._each(name, list(sources))
            each = [math.nan if w is None else self._checked("weight", w) for w in sources.values()]
            return rows, delays, np.repeat(np.array(each, np.float64), count)
        delays = None
        if isinstance(sources, (list, tuple)) and tuple in map(type, sources):
            rows, delays, _ = self._each(name, list(sources))
        else:
            rows = self._rows.chosen(() if sources is None else sources)
        given = None if weights is None else values.checked_array("weight", weights, len(rows), self.dtype)
        return rows, delays, given

    def _each(self, name: str, sources: list[Any]) -> tuple[Integers, Delays | None, list[int]]:
        """Rows and delays of a new neuron's sources, some of them pairs (source, delay), and how many each means."""
        found, delays = [], []
        for source in sources:
            what, delay = (source[0], values.checked_delay(source[1])) if _has_delay(source) else (source, 0)
            own = isinstance(what, str) and what == name
            if own:
                check_not_itself(name, () if delay else name)
            found.append(np.array([len(self._rows.names)]) if own else self._rows.chosen(what))
            delays.append(delay)
        count = [len(rows) for rows in found]
        rows = np.concatenate([np.empty(0, np.int64), *found])
        return rows, unless_zero(np.repeat(np.array(delays, np.uint16), count)), count

    def _append(self, name: str, neuron: NewNeuron, is_input: bool = False) -> int:
        return self._begin().add_neuron(name, neuron, is_input) - len(self._rows.removed)

    def _checked(self, what: str, value: object) -> float:
        return values.checked(what, value, self.dtype)

    def connect(
        self, sources: Selection, sinks: Selection, weights: ArrayLike | None = None, delays: ArrayLike = 0
    ) -> None:
        """Add edges; see `Network.connect`."""
        self._edits.settle()
        if is_one(sources) and is_one(sinks):
            source, sink = self._rows.one(sources), self._rows.one(sinks)
            weight = math.nan if weights is None else self._checked("weight", weights)
            delay = values.checked_delay(delays)
            self._edits.check_edge(source, sink, delay)
            self._begin().add_edge(source, sink, weight, delay)
            return
        from_rows, to_rows, _ = self._rows.pairs(sources, sinks)
        given = None if weights is None else values.checked_array("weight", weights, len(from_rows), self.dtype)
        ends = Ends(from_rows, to_rows, values.checked_delays(delays, len(from_rows)))
        edges = self._edits.check_edges(ends, given)
        self._begin().add_edges(*edges)

    def disconnect(self, sources: Selection, sinks: Selection, delay: int | None = None) -> None:
        """Remove edges, of a delay or of every one; all must exist, of globs at least one."""
        if is_one(sources) and is_one(sinks):
            source, sink = self._rows.one(sources), self._rows.one(sinks)
            found = self._edits.delays_between(source, sink)
            if delay is not None:
                found = [d for d in found if d == values.checked_delay(delay)]
            if not found:
                raise self._no_edge(source, sink, delay)
            edits = self._begin()
            for d in found:
                edits.remove_edge(source, sink, d)
            return
        positions = self.edges_between(sources, sinks, delay).tolist()
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

    def set_weight(self, edge: int, value: float) -> None:
        """Set the weight of the edge at a position."""
        self.weights[edge] = self._checked("weight", value)

    def set_leak(self, neuron: object, leak: float | None, leak_of: str = "output") -> None:
        """Let one neuron leak, or with None no more."""
        at, given = self.id(neuron), values.checked_leak(leak, leak_of)
        if self.is_input[at]:
            raise WiringError(f"{self.name(at)!r} is an input: it has no leak")
        if self.memory.leak(at)[1] != given[1]:
            self.version += 1
        self.memory.set_leak(at, *given)

    def set_initial(self, neuron: object, value: float) -> None:
        """Set one neuron's initial state."""
        self.memory.set_initial(self.id(neuron), self._checked("initial", value))

    def initialise(self) -> None:
        """Forget all weights, biases and slopes; the weights are drawn again when needed. Leaks and states stay."""
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
        if on:  # what is frozen unless asked for is not asked for by a neuron's name
            for what in ("leaks", "initials"):
                self.memory.learn(what, neurons, on=False)

    def chosen_memory(self, leaks: Selection, initials: Selection) -> tuple[Integers, Integers]:
        """Ids of the neurons whose leaks, and of those whose initial states are meant; or SettingError."""
        neurons = self.ids(leaks)
        leaking = neurons[self.memory.leaking()[neurons]]
        if len(neurons) and not len(leaking):
            name = self.name(neurons[0])
            raise SettingError(f"{name!r} does not leak; net[{name!r}].leak = 0.3 makes it, or add_neuron(…, leak=0.3)")
        return leaking, self.ids(initials)

    def learn_memory(self, leaks: Integers, initials: Integers, on: bool) -> None:
        """Train leaks and initial states of neurons, or freeze them."""
        self.memory.learn("leaks", leaks, on)
        self.memory.learn("initials", initials, on)

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
        arrays = copy(self.arrays)
        arrays.weights, arrays.biases, arrays.slopes = weights, biases, slopes
        return self._with(arrays, self._rows)

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


def _has_delay(source: object) -> bool:
    """Whether one of a new neuron's sources is a pair (source, delay)."""
    return isinstance(source, tuple) and len(source) == 2 and is_whole(source[1])
