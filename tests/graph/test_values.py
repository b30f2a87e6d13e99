"""Numbers that the dtype can hold, and dtypes."""

import numpy as np
import pytest

from neuronsim.errors import SettingError
from neuronsim.graph.graph import Graph


def test_float32_refuses_what_it_cannot_hold():
    graph = Graph("float32")
    graph.add_inputs(["a"])
    for weight in (1e39, 3.41e38, np.float64(3.41e38)):
        with pytest.raises(SettingError, match="too large for float32"):
            graph.add_neuron("b", {"a": weight})
    graph.add_neuron("b", {"a": 3.4028234e38}, bias=-3.4e38)
    assert np.isfinite(graph.weights).all()
    assert np.isfinite(graph.biases).all()
    assert graph.weights.dtype == np.float32


@pytest.mark.parametrize("dtype", ["float16", "int64", int, "", None, object()])
def test_unknown_dtypes(dtype):
    if dtype is None:
        assert Graph(dtype).dtype == np.float64
        return
    with pytest.raises(SettingError, match="allowed: float64, float32"):
        Graph(dtype)
