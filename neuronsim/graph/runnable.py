"""Whether a graph can run: it has outputs, and softmax neurons are among them and feed nobody."""

import numpy as np

from neuronsim.errors import WiringError
from neuronsim.formulas.activations import SOFTMAX
from neuronsim.graph.graph import Graph


def check_runnable(graph: Graph) -> None:
    """Raise WiringError if the graph cannot run yet: no outputs, or a softmax neuron that is misplaced."""
    outputs = graph.outputs
    if not len(outputs):
        raise WiringError("the network has no outputs yet: call set_outputs(...) with the names of its output neurons")
    softmax = np.flatnonzero(graph.activation_codes == SOFTMAX)
    if not len(softmax):
        return
    hidden = np.setdiff1d(softmax, outputs)
    if len(hidden):
        name = graph.name(int(hidden[0]))
        raise WiringError(
            f"{name!r} has the activation softmax and is not an output; "
            "add it to set_outputs or give it another activation"
        )
    is_softmax = np.zeros(graph.n_neurons, np.bool_)
    is_softmax[softmax] = True
    feeding = np.flatnonzero(is_softmax[graph.sources])
    if len(feeding):
        at = int(feeding[0])
        source = graph.name(int(graph.sources[at]))
        sink = graph.name(graph.sink(at))
        raise WiringError(f"{source!r} has the activation softmax and feeds {sink!r}; a softmax neuron feeds nobody")
