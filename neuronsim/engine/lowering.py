"""A plan lowered to the flat arrays that kernels take: which bundles share work, which want no δ, which go together."""

import numpy as np

from neuronsim.basics.arrays import Array
from neuronsim.formulas import activations
from neuronsim.graph.graph import Graph
from neuronsim.graph.plan import Plan
from neuronsim.kernels import codes, shapes
from neuronsim.kernels.activations import COMMON
from neuronsim.kernels.arguments import Wiring
from neuronsim.kernels.planning import count_leading

# Dense bundles of this many tiles are shared out to all threads; of the others each thread takes some.
_SHARED_ROWS = 4
# Those that listen to inputs only are computed by neurons, not by samples, where they hold this much of all edges.
_LEADING_SHARE = 0.25
# Each thread then copies the inputs, whose ids may be this many times as many as they are.
_INPUTS_SPREAD = 4


def lower(graph: Graph, wants_inputs: bool) -> Wiring:
    """The plan of a graph as flat arrays; where ``wants_inputs``, δ is aggregated for inputs too."""
    plan = graph.plan()
    first, size = plan.bundle_first, plan.bundle_size
    # through time, sources lie in several steps: gradients of no bundle are made as those of a dense one
    count, dense = plan.bundle_sources, plan.bundle_is_dense & (graph.steps_back == 0)
    n_leading = np.zeros_like(first)
    if not wants_inputs:
        count_leading(graph.row_start, graph.sources, graph.is_input, first, n_leading)
    shared = dense & (size >= _SHARED_ROWS * shapes.ROWS)
    leading = _leading(graph, shared & (n_leading == count), size * count)
    groups = _groups(plan, first, size)
    ranges, range_size = _ranges(first, size, dense)
    is_output_input = bool(graph.is_input[graph.outputs].any())
    output_codes = graph.activation_codes[graph.outputs]
    softmax_rows = np.flatnonzero(output_codes == codes.SOFTMAX)
    prelus = np.flatnonzero(graph.activation_codes == codes.PRELU)
    short = plan.bundle_is_short & _are_alike(graph, first, size) & np.isin(graph.activation_codes[first], COMMON)
    return Wiring(
        row_start=graph.row_start,
        sources=graph.sources,
        bundle_first=first,
        bundle_size=size,
        bundle_pushes=n_leading < count,
        bundle_shared=shared,
        groups=groups,
        tiny=bool(short.all()) and not len(softmax_rows),
        activation_end=_activation_ends(graph, first[groups[:-1]], (first + size)[groups[1:] - 1]),
        n_leading_sources=n_leading,
        range_first=first[ranges],
        range_size=range_size,
        range_dense=dense[ranges],
        range_shared=shared[ranges],
        range_leading=ranges < leading,
        n_leading_bundles=leading,
        inputs_read_later=is_output_input or _later_read_inputs(graph, first[:leading], size[:leading]),
        inputs_end=int(graph.inputs.max(initial=-1)) + 1,
        codes=graph.activation_codes.astype(np.int64),
        user=_user_addresses(graph),
        is_input=graph.is_input,
        inputs=graph.inputs.astype(np.int64),
        first_input=int(graph.inputs[0]) if graph.n_inputs and (np.diff(graph.inputs) == 1).all() else -1,
        outputs=graph.outputs.astype(np.int64),
        output_row=_places(graph.outputs, graph.n_neurons),
        columns=_columns(graph, first[dense], count[dense]),
        cleared=np.arange(graph.n_neurons) if wants_inputs else np.flatnonzero(~graph.is_input),
        softmax_members=graph.outputs[softmax_rows].astype(np.int64),
        softmax_rows=softmax_rows,
        prelus=prelus,
        slope_row=_places(prelus, graph.n_neurons),
    )


def _places(ids: Array, n: int) -> Array:
    """By neuron, its place among the ids, or −1."""
    places = np.full(n, -1, np.int64)
    places[ids] = np.arange(len(ids))
    return places


def _columns(graph: Graph, first: Array, count: Array) -> Array:
    """The neurons, not inputs, that dense bundles listen to: ``count`` from the lowest source on."""
    low = graph.sources[graph.row_start[first]]
    ends = np.zeros(graph.n_neurons + 1, np.int64)
    np.add.at(ends, low, 1)
    np.add.at(ends, low + count, -1)
    return np.flatnonzero((np.cumsum(ends)[:-1] > 0) & ~graph.is_input)


def _leading(graph: Graph, may_lead: Array, edges: Array) -> int:
    """How many bundles from the first are computed forward by neurons: those that may, if that is worth it."""
    leading = len(may_lead) if may_lead.all() else int(may_lead.argmin())
    small = edges[:leading].sum() < _LEADING_SHARE * edges.sum()
    mostly_gaps = graph.inputs.max(initial=-1) + 1 > _INPUTS_SPREAD * graph.n_inputs
    return 0 if small or mostly_gaps else leading


def _later_read_inputs(graph: Graph, first: Array, size: Array) -> bool:
    """Whether neurons after the leading bundles listen to inputs too."""
    later = np.ones(graph.n_neurons, bool)
    for begin, n in zip(first, size, strict=True):
        later[begin : begin + n] = False
    read = graph.is_input[graph.sources] & np.repeat(later, np.diff(graph.row_start)) if len(first) else later[:0]
    return bool(read.any())


def _groups(plan: Plan, first: Array, size: Array) -> Array:
    """Where bundles that lie side by side begin: of one level, and consecutive neurons."""
    if not len(first):
        return np.zeros(1, np.int64)
    level = plan.levels[first]
    apart = (level[1:] != level[:-1]) | (first[1:] != first[:-1] + size[:-1])
    return np.flatnonzero(np.concatenate(([True], apart, [True])))


def _are_alike(graph: Graph, first: Array, size: Array) -> Array:
    """By bundle, whether its neurons have one activation."""
    codes_ = graph.activation_codes
    changes = np.concatenate(([0], np.cumsum(codes_[1:] != codes_[:-1])))
    alike: Array = changes[first + size - 1] == changes[first]
    return alike


def _activation_ends(graph: Graph, starts: Array, ends: Array) -> Array:
    """By neuron, where the range ends in which all have one activation, without parameters of their own."""
    codes_ = graph.activation_codes
    has_own = (codes_ == codes.PRELU) | (codes_ >= codes.FIRST_USER)
    begins = np.ones(graph.n_neurons + 1, np.bool_)
    begins[1:-1] = (codes_[1:] != codes_[:-1]) | has_own[1:]
    begins[starts] = True
    begins[ends] = True
    begin = np.flatnonzero(begins)
    return np.repeat(begin[1:], np.diff(begin))


def _ranges(first: Array, size: Array, dense: Array) -> tuple[Array, Array]:
    """Bundles by id, neighbours joined where neither is dense: the first bundle of each range, and how many neurons."""
    by_id = np.argsort(first)
    first, size, dense = first[by_id], size[by_id], dense[by_id]
    joined = ~dense[1:] & ~dense[:-1] & (first[1:] == first[:-1] + size[:-1])
    starts = np.flatnonzero(np.concatenate((np.ones(min(len(first), 1), bool), ~joined)))
    return by_id[starts], np.add.reduceat(size, starts) if len(starts) else size


def _user_addresses(graph: Graph) -> Array:
    """Addresses of f and f' of every registered activation up to the highest code in use."""
    highest = int(graph.activation_codes.max(initial=0))
    addresses = []
    for code in range(codes.FIRST_USER, highest + 1):
        activation = activations.by_code(code)
        addresses += [activation.address_f, activation.address_derivative]
    return np.array(addresses, np.int64)
