"""A network with memory unfolded: where each step of a block of sequences lies, and the wiring between the steps."""

from dataclasses import dataclass

import numpy as np

from neuronsim.basics.arrays import Array
from neuronsim.engine.sequences import Sequences, State
from neuronsim.engine.workspace import Layout, aligned_zeros, buffer_sizes, scratch_length
from neuronsim.errors import DataError
from neuronsim.formulas import activations
from neuronsim.graph.graph import Graph
from neuronsim.kernels import codes
from neuronsim.kernels.arguments import Wiring, Workspace
from neuronsim.kernels.batch.steps import BLOCK_SAMPLES
from neuronsim.kernels.lanes import WIDTH
from neuronsim.kernels.sequences.arguments import Leaks, Places, Runs, Unfolded

# Sequences go through time together as long as all that they leave behind is this much at most.
_MOST_BYTES = 2**28
# So many neurons that listen to so many neighbours gain from y sample by sample: 128 hidden ones, 14 to 40 GFLOP/s.
_DENSE_NEURONS, _DENSE_SOURCES = 4, 32
# Rows are counted in int32.
_MOST_ROWS = 2**31 - 1


@dataclass(frozen=True, eq=False)
class Unfolding:
    """What kernels of sequences take of a network, and the states in front of the first step.

    Attributes
    ----------
    unfolded : Unfolded
    first_y, first_z : array (planes in front of the first step, n_neurons, sequences of a plane)
        Views of the buffers.
    first_rows : array (planes in front of the first step, panels, sequences of a plane, neurons of a panel)
        y again, of bundles with dense runs.
    """

    unfolded: Unfolded
    first_y: Array
    first_z: Array
    first_rows: Array

    @property
    def n_lanes(self) -> int:
        """Places for sequences."""
        return len(self.unfolded.places.lengths)

    def by_step(self, values: Array, n_rows: int, steps: int, count: int) -> Array:
        """A buffer as (count, steps, n_rows); a copy."""
        work, planes, size = self.unfolded.work, self.unfolded.places.planes, values.itemsize
        stride, strides = work.stride, (planes * work.pitch, work.pitch, work.stride, 1)
        found: Array = np.lib.stride_tricks.as_strided(
            values, (steps, planes, n_rows, stride), tuple(s * size for s in strides), writeable=False
        )
        return found.transpose(1, 3, 0, 2).reshape(planes * stride, steps, n_rows)[:count]

    def begin(self, graph: Graph) -> None:
        """Write the initial states in front of the first step: y, and v of neurons whose potential leaks."""
        y, z = states_at_first(graph)
        self.first_y[...], self.first_z[...] = y[:, None], z[:, None]
        _, panels, _, panel = self.first_rows.shape
        in_panels = np.zeros(panels * panel, y.dtype)
        in_panels[: len(y)] = y[: panels * panel]
        self.first_rows[...] = in_panels.reshape(panels, 1, panel)

    def go_on(self, state: State, begin: int, count: int) -> None:
        """Write the states that sequences ended with in front of the first step."""
        planes, stride = self.unfolded.places.planes, self.unfolded.work.stride
        for place, kept in ((self.first_y, state.y), (self.first_z, state.z)):
            lanes = np.zeros((planes * stride, *kept.shape[1:]), kept.dtype)
            lanes[:count] = kept[begin : begin + count]
            by_plane = lanes.reshape(planes, stride, *kept.shape[1:]).transpose(2, 0, 3, 1)
            place[...] = by_plane.reshape(place.shape)

    def ends(self, X: Sequences, begin: int, count: int) -> State:
        """The last steps of some sequences, which may begin in front of the first one."""
        places, work, n = self.unfolded.places, self.unfolded.work, len(self.unfolded.wiring.is_input)
        lengths = X.lengths[begin : begin + count]
        rows = lengths[:, None] + np.arange(places.before)
        found = []
        for front, values in ((self.first_y, work.y), (self.first_z, work.z)):
            earlier = front.reshape(places.before, places.planes, n, work.stride).transpose(1, 3, 0, 2)
            earlier = earlier.reshape(-1, places.before, n)[:count]
            steps = np.concatenate([earlier, self.by_step(values, n, int(lengths.max()), count)], axis=1)
            found.append(steps[np.arange(count)[:, None], rows])
        return State(*found)


def sequences_together(graph: Graph, steps: int, width: int) -> int:
    """How many sequences go through time together: whole lane vectors; the same for any number of threads."""
    fits = _MOST_BYTES // (4 * graph.dtype.itemsize * graph.n_neurons * (steps + graph.steps_back))
    return int(min(max(fits // width * width, width), BLOCK_SAMPLES))


def unfold(graph: Graph, wiring: Wiring, n_sequences: int, steps: int, n_threads: int) -> Unfolding:
    """Room for that many sequences of so many steps, and what is wired through it.

    Raises
    ------
    DataError
        The rows of a delay's steps cannot be counted.
    """
    dtype = np.dtype(graph.dtype)
    width, before = WIDTH[dtype], graph.steps_back
    most = sequences_together(graph, steps, width)
    layout = Layout.of(min(n_sequences, most), n_threads, width)
    stride, planes = layout.stride, layout.planes
    leaking = np.flatnonzero(graph.memory.leaking())
    n, n_outputs, n_prelus = graph.n_neurons, graph.n_outputs, len(wiring.prelus)
    heights = (n, n, n, n_outputs, n_outputs, n_prelus, 1, len(leaking), len(leaking))
    sizes = buffer_sizes(heights, stride, width)
    pitch = -(-sum(sizes) // stride) * stride  # whole rows
    if before * planes * (pitch // stride) > _MOST_ROWS:
        raise DataError(f"a memory of {before:,} steps of {min(n_sequences, most):,} sequences cannot be laid out")
    in_front = before * planes * pitch
    numbers = aligned_zeros(in_front + steps * planes * pitch, dtype)
    front = numbers[:in_front].reshape(-1, pitch)
    first_y, first_z = (front[:, at : at + n * stride].reshape(before * planes, n, stride) for at in (0, sizes[0]))
    parts = [numbers[in_front + at :] for at in np.cumsum([0, *sizes[:-1]])]
    y, z, delta, loss_delta, target, slope_terms, losses, kept, errors = parts
    runs = find_runs(graph)
    panel = 2 * width
    panels = -(-n // panel) if runs.is_dense.any() else 0
    row_pitch = panels * panel * stride
    rows = aligned_zeros((before + steps) * planes * row_pitch, dtype)
    in_front_rows = before * planes * row_pitch
    n_places = steps * planes * stride
    none = np.empty(0, dtype)
    work = Workspace(
        stride=stride,
        pitch=pitch,
        y=y,
        z=z,
        delta=delta,
        loss_delta=loss_delta,
        target=target,
        slope_terms=slope_terms,
        losses=losses,
        row_pitch=row_pitch,
        rows=rows[in_front_rows:],
        starts=np.zeros(n_places, np.int64),
        places=np.arange(width) * stride,
        changes=none,
        derivatives=none,
        scratch=aligned_zeros(n_threads * scratch_length(wiring, dtype, stride), dtype),
        thread_inputs=none,
        thread_row_pitch=0,
        thread_rows=none,
    )
    vectors = -(-min(n_sequences, most) // width)
    places = Places(
        steps=steps,
        before=before,
        planes=planes,
        together=max(1, BLOCK_SAMPLES // (vectors * width)),
        rows=np.zeros(n_places, np.int64),
        weights=np.zeros(n_places, dtype),
        lengths=np.zeros(planes * stride, np.int64),
    )
    delays = np.zeros(graph.n_edges, np.int64) if graph.delays is None else graph.delays.astype(np.int64)
    source_rows = (graph.sources - delays * (planes * (pitch // stride))).astype(np.int32)
    leaking_outputs = wiring.codes.copy()
    leaking_outputs[np.intersect1d(leaking, wiring.outputs)] = codes.IDENTITY
    wired = wiring._replace(sources=source_rows, columns=_heard_densely(graph, runs))
    outputs = wired._replace(codes=leaking_outputs)
    leaks = _leaks(graph, leaking, kept, errors)
    first_rows = rows[:in_front_rows].reshape(before * planes, panels, stride, panel)
    return Unfolding(Unfolded(wired, outputs, leaks, runs, work, rows, places), first_y, first_z, first_rows)


def find_runs(graph: Graph) -> Runs:
    """What each bundle listens to, cut into dense runs and what lies between them."""
    plan, n_bundles = graph.plan(), len(graph.plan().bundle_first)
    begin = graph.row_start[plan.bundle_first]
    count = plan.bundle_sources
    bundle = np.repeat(np.arange(n_bundles), count)
    edges = np.repeat(begin - (np.cumsum(count) - count), count) + np.arange(count.sum())
    sources = graph.sources[edges].astype(np.int64)
    delays = np.zeros(len(edges), np.int64) if graph.delays is None else graph.delays[edges].astype(np.int64)
    follows = (np.diff(bundle) == 0) & (np.diff(sources) == 1) & (np.diff(delays) == 0)
    starts = np.flatnonzero(np.concatenate(([True], ~follows))[: len(edges)])
    length = np.diff(np.append(starts, len(edges)))
    dense = (length >= _DENSE_SOURCES) & (plan.bundle_size[bundle[starts]] >= _DENSE_NEURONS)
    # others side by side are one run
    joined = ~dense[1:] & ~dense[:-1] & (np.diff(bundle[starts]) == 0)
    kept = np.flatnonzero(np.concatenate(([True], ~joined))[: len(starts)])
    starts, dense = starts[kept], dense[kept]
    return Runs(
        start=np.searchsorted(bundle[starts], np.arange(n_bundles + 1)),
        offset=edges[starts] - begin[bundle[starts]],
        length=np.diff(np.append(starts, len(edges))),
        first=sources[starts],
        delay=np.where(dense, delays[starts], 0),
        is_dense=dense,
        n_at_once=np.bincount(bundle[delays == 0], minlength=n_bundles),
    )


def _heard_densely(graph: Graph, runs: Runs) -> Array:
    """Neurons, not inputs, that a dense run is of."""
    heard = np.zeros(graph.n_neurons + 1, np.int64)
    np.add.at(heard, runs.first[runs.is_dense], 1)
    np.add.at(heard, (runs.first + runs.length)[runs.is_dense], -1)
    return np.flatnonzero((np.cumsum(heard)[:-1] > 0) & ~graph.is_input)


def states_at_first(graph: Graph) -> tuple[Array, Array]:
    """y before the first step, and z, which of a neuron whose potential leaks is that potential; by neuron."""
    memory = graph.memory
    y = np.zeros(graph.n_neurons, graph.dtype) if memory.initials is None else memory.initials.copy()
    z = np.zeros_like(y)
    if memory.leak_codes is not None:
        for neuron in np.flatnonzero(memory.leak_codes == codes.LEAK_OF_POTENTIAL):
            z[neuron] = y[neuron]
            f = activations.by_code(int(graph.activation_codes[neuron])).function
            if f is not None:  # softmax does not leak
                y[neuron] = f(float(z[neuron]), float(graph.slopes[neuron]))
    return y, z


def _leaks(graph: Graph, leaking: Array, kept: Array, errors: Array) -> Leaks:
    memory = graph.memory
    if memory.leak_codes is None or memory.leaks is None:
        none = np.empty(0, np.int64)
        return Leaks(none, np.empty(0, graph.dtype), none, kept, errors)
    places = np.full(graph.n_neurons, -1, np.int64)
    places[leaking] = np.arange(len(leaking))
    return Leaks(memory.leak_codes.astype(np.int64), memory.leaks, places, kept, errors)
