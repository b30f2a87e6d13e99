"""Graph → order: levels, a topological order and bundles. A plan is immutable; an edit makes a new one."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from neuronsim.basics.arrays import Integers, Marks
from neuronsim.errors import CycleError, WiringError
from neuronsim.graph.edges import Delays
from neuronsim.kernels import planning as kernels
from neuronsim.kernels.online.steps import SHORT

# Neurons that listen to the same consecutive sources gain from sample-major columns from here on.
_DENSE_ROWS = 4
_DENSE_SOURCES = 64
# Rows are counted in int32.
_MOST_ROWS = 2**31 - 1
# Names shown of a long cycle.
_SHOWN = 12


@dataclass(frozen=True, eq=False)
class Plan:
    """In which order neurons are computed, and which are computed together.

    Attributes
    ----------
    levels : array (n_neurons,)
        0 for inputs and neurons without sources within the step, else one more than the highest such source's.
    order : array (n_neurons,)
        Ids by level, then by id: every neuron comes after its sources within the step.
    source_rows : int32 array (n_edges,)
        j − d·n for an edge of delay d from neuron j of n: where y of the source lies, counted in rows from the first
        one of the sink's step, if the rows of all steps follow each other. Without delays the sources themselves.
    bundle_first, bundle_size : array (n_bundles,)
        Ranges of neurons with consecutive ids that listen to exactly the same sources, with the same delays, in the
        order in which they are computed.
    bundle_sources : array (n_bundles,)
        How many sources the neurons of each bundle listen to.
    bundle_is_dense : array (n_bundles,)
        Whether those are consecutive, and the bundle large enough to gain from it.
    """

    levels: npt.NDArray[np.int32]
    order: npt.NDArray[np.int32]
    source_rows: npt.NDArray[np.int32]
    bundle_first: Integers
    bundle_size: Integers
    bundle_sources: Integers
    bundle_is_dense: Marks

    @property
    def n_levels(self) -> int:
        """How many levels there are."""
        return int(self.levels.max()) + 1 if self.levels.size else 0

    @property
    def depth(self) -> int:
        """Edges on the longest path within a step."""
        return max(self.n_levels - 1, 0)

    @property
    def bundle_is_short(self) -> Marks:
        """Whether the sums of each bundle are too short for lanes."""
        return self.bundle_sources < SHORT

    @cached_property
    def is_dense(self) -> Marks:
        """By neuron, whether it belongs to a dense bundle; False for inputs."""
        return self._by_neuron(self.bundle_is_dense)

    @cached_property
    def is_short(self) -> Marks:
        """By neuron, whether its sum is too short for lanes; False for inputs."""
        return self._by_neuron(self.bundle_is_short)

    def _by_neuron(self, of_bundles: Marks) -> Marks:
        marked = np.zeros(self.levels.size, np.bool_)
        by_id = np.argsort(self.bundle_first)
        size = self.bundle_size[by_id]
        others = np.arange(size.sum()) + np.repeat(self.bundle_first[by_id] - (np.cumsum(size) - size), size)
        marked[others] = np.repeat(of_bundles[by_id], size)
        return marked


def make_plan(
    row_start: Integers,
    sources: npt.NDArray[np.int32],
    delays: Delays | None,
    is_input: Marks,
    name: Callable[[int], str],
) -> Plan:
    """Sort a wiring topologically and find its bundles, in O(neurons + edges).

    Raises
    ------
    CycleError
        Giving each neuron of a cycle within the step its ``name``.
    WiringError
        A delay is too long for a network of so many neurons.
    """
    levels, path, progress = kernels.work_arrays(is_input.size)
    length = kernels.find_levels(*_within_the_step(row_start, sources, delays), levels, path, progress)
    if length >= 0:
        start = int(progress[0])
        # the walk goes against the edges; people read along them
        _raise_cycle([name(int(i)) for i in path[start : start + length][::-1]])
    order = np.argsort(levels, kind="stable").astype(np.int32)

    rows = _source_rows(sources, delays, is_input.size)
    first = np.empty(is_input.size, np.int64)
    first = first[: kernels.find_bundles(row_start, rows, is_input, first)].copy()
    size = _sizes(first, is_input)
    by_level = np.argsort(levels[first], kind="stable")
    first, size = first[by_level], size[by_level]
    count = row_start[first + 1] - row_start[first]
    return Plan(levels, order, rows, first, size, count, _are_dense(row_start[first], rows, size, count))


def _within_the_step(
    row_start: Integers, sources: npt.NDArray[np.int32], delays: Delays | None
) -> tuple[Integers, npt.NDArray[np.int32]]:
    """The edges without a delay alone: they are the first ones of each row."""
    if delays is None:
        return row_start, sources
    now = delays == 0
    return np.concatenate(([0], np.cumsum(now)))[row_start], sources[now]


def _source_rows(sources: npt.NDArray[np.int32], delays: Delays | None, n: int) -> npt.NDArray[np.int32]:
    """By edge, where the source's row lies, as `Plan` says."""
    if delays is None:
        return sources
    longest = int(delays.max())
    if longest * n > _MOST_ROWS:
        raise WiringError(
            f"an edge has a delay of {longest:,} steps; in a network of {n:,} neurons it is {_MOST_ROWS // n:,} at most"
        )
    return sources - delays.astype(np.int32) * np.int32(n)


def _sizes(first: Integers, is_input: Marks) -> Integers:
    """How many neurons follow each bundle's first, itself included: up to the next bundle, inputs not counted."""
    ends = np.append(first[1:], is_input.size)
    inputs_before = np.concatenate(([0], np.cumsum(is_input)))
    sizes: Integers = (ends - first) - (inputs_before[ends] - inputs_before[first])
    return sizes


def _are_dense(start: Integers, sources: npt.NDArray[np.int32], size: Integers, count: Integers) -> Marks:
    """By bundle, whether its sources, ``count`` from ``start`` on, are consecutive, and it is large enough."""
    dense: Marks = (count > 0) & ((size >= _DENSE_ROWS) | (count >= _DENSE_SOURCES))
    at, last = start[dense], (start + count - 1)[dense]
    dense[dense] = sources[last] - sources[at] == last - at
    return dense


def _raise_cycle(names: list[str]) -> NoReturn:
    turn = names.index(min(names))
    names = names[turn:] + names[:turn]
    shown = names if len(names) <= _SHOWN else [*names[: _SHOWN - 1], f"… {len(names) - _SHOWN} more …", names[-1]]
    raise CycleError(f"{' → '.join([*shown, names[0]])} feed each other within a step; give one of these edges delay=1")
