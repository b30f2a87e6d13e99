"""Whether a graph can run: it has outputs, and softmax neurons are among them, feed nobody and do not leak."""

import numpy as np

from neuronsim.errors import WiringError
from neuronsim.formulas.activations import SOFTMAX
from neuronsim.graph.graph import Graph


def check_runnable(graph: Graph) -> None:
    """Raise WiringError if the graph cannot run yet: no outputs, or a softmax neuron that is misplaced."""
    outputs = graph.outputs
    if not len(outputs):
        raise WiringError("the network has no outputs yet: call set_outputs(...) with the names of its output neurons")
    is_softmax = graph.activation_codes == SOFTMAX
    if not is_softmax.any():
        return
    leaking = np.flatnonzero(is_softmax & graph.memory.leaking())
    if len(leaking):
        name = graph.name(int(leaking[0]))
        raise WiringError(f"{name!r} has the activation softmax and a leak, which softmax cannot have: set it to None")
    hidden = np.setdiff1d(np.flatnonzero(is_softmax), outputs)
    if len(hidden):
        name = graph.name(int(hidden[0]))
        raise WiringError(
            f"{name!r} has the activation softmax and is not an output; "
            "add it to set_outputs or give it another activation"
        )
    feeding = np.flatnonzero(is_softmax[graph.sources])
    if len(feeding):
        at = int(feeding[0])
        source, sink = graph.name(graph.sources[at]), graph.name(graph.sink(at))
        raise WiringError(f"{source!r} has the activation softmax and feeds {sink!r}; a softmax neuron feeds nobody")


def check_within_a_step(graph: Graph) -> None:
    """Raise WiringError for a network with memory, where a sample is no sequence."""
    if graph.steps_back:
        raise WiringError(
            "the network has memory (delayed edges or leaks): its samples are sequences, which forward, evaluate, "
            "gradients, check and fit take, and nothing else does"
        )
