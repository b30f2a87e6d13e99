"""Graph → order: levels, a topological order and bundles. A plan is immutable; an edit makes a new one."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuronsim.errors import CycleError
from neuronsim.kernels import planning as kernels

if TYPE_CHECKING:
    from neuronsim.graph.graph import Graph

# Names shown of a long cycle.
_SHOWN = 12


@dataclass(frozen=True, eq=False)
class Plan:
    """In which order neurons run, and which run together.

    Attributes
    ----------
    levels : int32 (n_neurons,)
        0 for inputs and neurons without sources, else one more than the highest source's.
    order : int32 (n_neurons,)
        Ids by level, then by id: every neuron comes after its sources.
    bundle_first, bundle_size : int64 (n_bundles,)
        Runs of neurons with consecutive ids that listen to exactly the same sources, in the order in which they run.
    """

    levels: npt.NDArray[np.int32]
    order: npt.NDArray[np.int32]
    bundle_first: npt.NDArray[np.int64]
    bundle_size: npt.NDArray[np.int64]

    @property
    def n_levels(self) -> int:
        """How many levels there are; the depth is one less."""
        return int(self.levels.max()) + 1 if self.levels.size else 0


def make_plan(graph: "Graph") -> Plan:
    """Sort a consolidated graph topologically and find its bundles, in O(neurons + edges).

    Raises
    ------
    CycleError
        Naming the neurons of the whole cycle.
    """
    graph.consolidate()
    levels, path, progress = kernels.work_arrays(graph.n_neurons)
    length = kernels.find_levels(graph.row_start, graph.sources, levels, path, progress)
    if length >= 0:
        start = int(progress[0])
        # the walk goes against the edges; people read along them
        _raise_cycle(graph, path[start : start + length][::-1])
    order = np.argsort(levels, kind="stable").astype(np.int32)

    first = np.empty(graph.n_neurons, np.int64)
    first = first[: kernels.find_bundles(graph.row_start, graph.sources, graph.is_input, first)].copy()
    size = _run_lengths(first, graph.is_input)
    by_level = np.argsort(levels[first], kind="stable")
    return Plan(levels, order, first[by_level], size[by_level])


def _run_lengths(first: npt.NDArray[np.int64], is_input: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """How many neurons follow each bundle's first, itself included: up to the next bundle, inputs not counted."""
    ends = np.append(first[1:], is_input.size)
    inputs_before = np.concatenate(([0], np.cumsum(is_input)))
    lengths: npt.NDArray[np.int64] = (ends - first) - (inputs_before[ends] - inputs_before[first])
    return lengths


def _raise_cycle(graph: "Graph", cycle: npt.NDArray[Any]) -> None:
    names = [graph.name(int(i)) for i in cycle]
    turn = names.index(min(names))
    names = names[turn:] + names[:turn]
    shown = names if len(names) <= _SHOWN else [*names[: _SHOWN - 1], f"… {len(names) - _SHOWN} more …", names[-1]]
    raise CycleError(
        f"these neurons feed each other in a circle: {' → '.join([*shown, names[0]])}; "
        "disconnect one of these edges (only feed-forward wirings can run)"
    )
