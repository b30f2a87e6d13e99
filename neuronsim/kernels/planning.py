"""Topological order, levels and bundles of a graph, in one pass over its edges.

``row_start`` (n_neurons + 1,) and ``sources`` (n_edges,) hold each neuron's sources, ascending; ids are row numbers.
"""

import numpy as np

from neuronsim.kernels.arguments import Array
from neuronsim.kernels.jit import kernel


@kernel
def find_levels(row_start: Array, sources: Array, level: Array, path: Array, progress: Array) -> int:
    """Set each neuron's level: 0 without sources, else one more than its highest source.

    A depth-first walk against the edges, with its own stack (``path``, the neurons entered and not yet left, and
    ``progress``, how far each neuron's sources have been looked at). Neurons whose sources all have smaller ids, the
    common case, are done without walking.

    Returns -1, or the length of a cycle, whose neurons then lie at the end of ``path``'s used part: the cycle is
    ``path[start : start + length]`` with start in ``progress[0]``.
    """
    unseen, entered = -1, -2
    level[:] = unseen
    for root in range(level.size):
        if level[root] != unseen:
            continue
        depth = 0
        path[0] = root
        progress[0] = row_start[root]
        level[root] = entered
        while depth >= 0:
            neuron = path[depth]
            end = row_start[neuron + 1]
            e = progress[depth]
            while e < end and level[sources[e]] >= 0:
                e += 1
            if e < end:
                source = sources[e]
                if level[source] == entered:
                    start = depth
                    while path[start] != source:
                        start -= 1
                    progress[0] = start
                    return depth - start + 1
                progress[depth] = e
                depth += 1
                path[depth] = source
                progress[depth] = row_start[source]
                level[source] = entered
            else:
                highest = -1
                for i in range(row_start[neuron], end):
                    highest = max(highest, level[sources[i]])
                level[neuron] = highest + 1
                depth -= 1
    return -1


@kernel
def find_bundles(row_start: Array, sources: Array, is_input: Array, first: Array) -> int:
    """Write the first neuron of each bundle to ``first``; returns how many bundles there are.

    A bundle is a run of neurons with consecutive ids, none an input, that listen to exactly the same sources. Their
    weight rows follow each other in memory, and one source list (the first one's) serves them all.
    """
    n = 0
    for neuron in range(is_input.size):
        if is_input[neuron]:
            continue
        same = n > 0 and neuron > 0 and not is_input[neuron - 1]
        if same:
            here, before = row_start[neuron], row_start[neuron - 1]
            count = row_start[neuron + 1] - here
            same = count == here - before
            k = 0
            while same and k < count:
                same = sources[here + k] == sources[before + k]
                k += 1
        if not same:
            first[n] = neuron
            n += 1
    return n


@kernel
def count_leading(row_start: Array, sources: Array, chosen: Array, neurons: Array, count: Array) -> None:
    """How many of each neuron's sources, from the lowest id on, are ``chosen``, up to the first that is not."""
    for i in range(neurons.size):
        begin, end = row_start[neurons[i]], row_start[neurons[i] + 1]
        e = begin
        while e < end and chosen[sources[e]]:
            e += 1
        count[i] = e - begin


def work_arrays(n: int) -> tuple[Array, Array, Array]:
    """The level, path and progress arrays that ``find_levels`` needs for ``n`` neurons."""
    return np.empty(n, np.int32), np.empty(max(n, 1), np.int32), np.empty(max(n, 1), np.int64)
