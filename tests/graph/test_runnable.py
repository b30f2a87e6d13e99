"""Which graphs can run."""

import pytest
from nets import small_graph

from neuronsim.errors import WiringError
from neuronsim.graph.graph import Graph
from neuronsim.graph.runnable import check_runnable


def test_runnable():
    graph = small_graph()
    check_runnable(graph)
    graph.set_activation("h1", "softmax")
    with pytest.raises(WiringError, match="'h1' has the activation softmax and is not an output"):
        check_runnable(graph)
    graph.set_outputs(["o1", "h1"])
    with pytest.raises(WiringError, match="'h1' has the activation softmax and feeds 'o1'"):
        check_runnable(graph)
    graph.disconnect("h1", "o1")
    check_runnable(graph)
    with pytest.raises(WiringError, match="set_outputs"):
        check_runnable(Graph())
