"""What a network says of itself when it is printed."""

import numpy as np

from neuronsim.basics.words import counted, neurons_in_words
from neuronsim.errors import CycleError
from neuronsim.formulas import activations
from neuronsim.graph.graph import Graph

# Above this many edges, neurons without a path to an output are not looked for.
_MOST_WALKED = 10_000_000


def in_short(graph: Graph) -> str:
    """``float64: 5 neurons, 5 edges, 2 inputs, 1 output``."""
    parts = (graph.n_neurons, "neuron"), (graph.n_edges, "edge"), (graph.n_inputs, "input"), (graph.n_outputs, "output")
    return f"{graph.dtype}: {', '.join(counted(*part) for part in parts)}"


def sizes(graph: Graph) -> str:
    """``5 neurons, 2 of them inputs``."""
    return neurons_in_words(graph.n_neurons, graph.n_inputs)


def in_five_lines(graph: Graph) -> str:
    """Sizes, parameters, activations, inputs and outputs, shape."""
    n_frozen = sum(rates.n_frozen for rates in graph.arrays.rates)
    names_in, names_out = (str(graph.name_list(ids)) for ids in (graph.inputs, graph.outputs))
    return "\n".join(
        [
            f"Network of {sizes(graph)}, {graph.dtype}",
            f"  parameters: {graph.n_parameters:,} ({counted(graph.n_edges, 'edge')}), {n_frozen:,} frozen",
            f"  activations: {_activations(graph)}",
            f"  inputs: {names_in or 'none'}; outputs: {names_out or 'not set yet'}",
            f"  {_shape(graph)}",
        ]
    )


def _activations(graph: Graph) -> str:
    codes, counts = np.unique(graph.activation_codes[~graph.is_input], return_counts=True)
    used = [f"{activations.by_code(int(code)).name} {n:,}" for code, n in zip(codes, counts, strict=True)]
    return ", ".join(used) or "none"


def _shape(graph: Graph) -> str:
    try:
        depth = f"depth {graph.plan().depth}"
    except CycleError as cycle:
        depth = str(cycle)
    parts = [depth, *_memory(graph)]
    if graph.n_edges <= _MOST_WALKED:
        without = int(np.count_nonzero(~graph.reaches_output()))
        parts.append(f"{counted(without, 'neuron')} with no path to an output")
    return "; ".join(parts)


def _memory(graph: Graph) -> list[str]:
    """``memory of 3 steps (2 delayed edges, 1 leak)``, or nothing."""
    if not graph.steps_back:
        return []
    delayed = 0 if graph.delays is None else int(np.count_nonzero(graph.delays))
    kept = [counted(delayed, "delayed edge")] if delayed else []
    leaks = int(np.count_nonzero(graph.memory.leaking()))
    kept += [counted(leaks, "leak")] if leaks else []
    return [f"memory of {counted(graph.steps_back, 'step')} ({', '.join(kept)})"]
