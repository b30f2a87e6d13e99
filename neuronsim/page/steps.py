"""What a page holds of one step: parameters before and after, gradients, and what the samples shown made."""

import math
from itertools import pairwise
from typing import Any

import numpy as np

from neuronsim.basics.arrays import Array
from neuronsim.documents.notation import text
from neuronsim.explaining.recipes import is_plain, update_heading
from neuronsim.formulas.activations import PRELU
from neuronsim.graph.graph import Graph
from neuronsim.page.keeping import Kept
from neuronsim.page.numbers import plain, short
from neuronsim.tracing.neurons import StepNeuron
from neuronsim.tracing.result import StepResult

# Samples of a batch that a step shows.
_OF_A_BATCH = 3


def step_values(step: StepResult, kept: Kept, row: int | None = None) -> dict[str, Any]:
    """One step: parameters before and after, gradients where they cannot be told from the signals, samples.

    Of a batch those of the largest losses are shown, and ``row`` of X, if it is among them.
    """
    graph, neurons, edges = step.graph, kept.neurons, kept.edges
    found: dict[str, Any] = {
        "number": step.number,
        "epoch": step.epoch,
        "loss": plain([step.loss])[0],
        "rate": step.learning_rate,
        "n": len(step),
        "w": plain(step.weights[edges]),
        "wa": plain(step.weights_after[edges]),
        "b": plain(step.biases[neurons]),
        "ba": plain(step.biases_after[neurons]),
    }
    if (graph.activation_codes[neurons] == PRELU).any():
        found |= {"s": plain(step.slopes[neurons]), "sa": plain(step.slopes_after[neurons])}
        found["gs"] = plain(step.slope_gradients[neurons])
    if not is_plain(step):
        found["rule"] = text(update_heading(step))
    if step.is_batch:
        found |= {"g": plain(step.weight_gradients[edges]), "gb": plain(step.bias_gradients[neurons])}
    if kept.folded:
        y, delta = np.abs(np.atleast_2d(step.y)), np.abs(np.atleast_2d(step.delta))
        found["levels"] = [
            [short(y[:, m].mean(dtype=np.float64)), short(delta[:, m].mean(dtype=np.float64))] for m in kept.members
        ]
    shown = [0]
    if step.is_batch:
        shown = np.argsort(-step.losses, kind="stable")[:_OF_A_BATCH].tolist()
        shown += [k for k in np.flatnonzero(step.samples == row).tolist() if k not in shown]
    found["samples"] = [_sample(step.sample(k), kept) for k in shown]
    return found


def _sample(step: StepResult, kept: Kept) -> dict[str, Any]:
    """What one sample made: signals, slopes f', the loss's own part, and sums over what the page leaves out."""
    graph, neurons = step.graph, kept.neurons
    records = [StepNeuron(step, int(k)) for k in neurons]
    outputs = [StepNeuron(step, int(o)) for o in graph.outputs if o in set(neurons.tolist())]
    wanted = [step.wanted[n.id] for n in outputs]
    found: dict[str, Any] = {
        "row": None if step.samples is None else int(step.samples[0]),
        "loss": plain([step.loss])[0],
        "t": plain(np.array(wanted, graph.dtype)),
        "z": plain(step.z[neurons]),
        "y": plain(step.y[neurons]),
        "d": plain(step.delta[neurons]),
        "f": [None if n.derivative is None else plain([n.derivative])[0] for n in records],
        "e": plain([n.own_error for n in outputs]),
        "own": plain([n.own_delta for n in outputs]),
        "fused": [int(n.fused) for n in outputs],
    }
    if kept.folded:
        w, sources, sinks = step.weights, graph.sources, graph.sinks()
        found["rf"] = [_dot(w[at], step.y[sources[at]]) for at in kept.other_sources]
        found["rb"] = [_dot(w[at], step.delta[sinks[at]]) for at in kept.other_sinks]
    if image_side(graph, kept):
        found["image"] = plain(step.y[graph.inputs])
    return found


def _dot(a: Array, b: Array) -> Any:
    return short(float(np.dot(a.astype(np.float64), b.astype(np.float64))))


def without_repetition(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Parameters after a step that are those before the next one are not written twice."""
    for step, following in pairwise(steps):
        for before, after in (("w", "wa"), ("b", "ba"), ("s", "sa")):
            if following["number"] == step["number"] + 1 and step.get(after) == following.get(before):
                step.pop(after, None)
    return steps


def image_side(graph: Graph, kept: Kept) -> int:
    """The side of the square that folded inputs make up; 0 if they make up none."""
    side = math.isqrt(graph.n_inputs)
    return side if kept.folded and side > 3 and side * side == graph.n_inputs else 0
