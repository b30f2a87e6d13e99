"""Runs to make pages of, and the check that a page holds their numbers."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from nets import T222, X222, net_222

from neuronsim.run import Run


def lecture_run(n: int = 12, **settings: Any) -> Run:
    """L4's 2-2-2 network."""
    given = {"learning_rate": 0.5, "rng": 0} | settings
    return net_222(frozen=False).fit(np.tile(X222, (n, 1)), np.tile(T222, (n, 1)), **given)


def data_of(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def bits(values: Any, dtype: np.dtype[Any]) -> bytes:
    return np.array([float(v) for v in values], np.float64).astype(dtype).tobytes()


def after(data: dict[str, Any], k: int, name: str) -> Any:
    """Parameters after a shown step, which are not repeated where the next step begins with them."""
    return data["steps"][k].get(name + "a", data["steps"][min(k + 1, len(data["steps"]) - 1)][name])


def check_numbers(run: Run, data: dict[str, Any]) -> None:
    """Every number of every step on the page is bit for bit that of ``run.at``."""
    dtype, neurons = run.replay.graph.dtype, data["network"]["ids"]
    graph, network = run.replay.graph, data["network"]
    edges = [graph.edge(neurons[a], neurons[b]) for a, b in zip(network["sources"], network["sinks"], strict=True)]
    for k, shown in enumerate(data["steps"]):
        step = run.at(shown["number"])
        assert float(shown["loss"]) == step.loss
        assert bits(shown["w"], dtype) == step.weights[edges].tobytes()
        assert bits(after(data, k, "w"), dtype) == step.weights_after[edges].tobytes()
        assert bits(shown["b"], dtype) == step.biases[neurons].tobytes()
        assert bits(after(data, k, "b"), dtype) == step.biases_after[neurons].tobytes()
        if step.is_batch:
            assert bits(shown["g"], dtype) == step.weight_gradients[edges].tobytes()
            assert bits(shown["gb"], dtype) == step.bias_gradients[neurons].tobytes()
        for sample in shown["samples"]:
            one = step.sample(step.samples.tolist().index(sample["row"]))
            for name, values in (("z", one.z), ("y", one.y), ("d", one.delta)):
                assert bits(sample[name], dtype) == values[neurons].tobytes()
            for o, own in zip(data["network"]["outputs"], sample["own"], strict=True):
                assert float(own) == one[neurons[o]].own_delta
