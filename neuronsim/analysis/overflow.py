"""Where signals leave the finite numbers: the first operation that does, its operands, and the chain that led there."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from neuronsim.basics.arrays import Array, Reals
from neuronsim.documents.notation import number
from neuronsim.engine.finite import first_parameter, first_signal
from neuronsim.engine.signals import Signals
from neuronsim.formulas import activations
from neuronsim.graph.graph import Graph
from neuronsim.tracing.result import StepResult

# Of a longer chain its two ends.
_CHAIN = 8


@dataclass(frozen=True)
class Origin:
    """The first value that is not finite.

    Attributes
    ----------
    what : str
        ``z``, ``y``, ``delta``, ``loss`` or ``update``.
    neuron : int or None
        Whose; None of the loss.
    row : int
        Which of the samples looked at.
    operands : str
        ``w[h1→h2] = 3e+154 · y[h1] = 1e+155 → inf``.
    """

    what: str
    neuron: int | None
    row: int
    operands: str


def bad_signal(graph: Graph, order: Array, signals: Signals) -> Origin | None:
    """The first signal that is not finite, as `neuronsim.engine.finite` orders them, and what made it so.

    Parameters
    ----------
    graph : Graph
        Holds the parameters that the signals were made with.
    order : array (n_neurons,)
        Ids in running order.
    signals : Signals
        Of several samples.
    """
    z, y, losses, delta = signals.z, signals.y, signals.losses, signals.delta
    found = first_signal(order, z, y, losses, delta)
    if found is None:
        return None
    row, what, neuron = found.row, found.what, found.neuron
    if neuron is None:
        output = int(graph.outputs[np.abs(y[row, graph.outputs]).argmax()])
        operands = f"y[{graph.name(output)}] = {number(y[row, output])} → loss = {number(found.value)}"
    elif what == "y":
        f = activations.by_code(int(graph.activation_codes[neuron])).name
        operands = f"{f}(z = {number(z[row, neuron])}) → {number(found.value)}"
    elif what == "z":
        operands = _forward_operands(graph, neuron, y[row])
    else:
        operands = _backward_operands(graph, neuron, z[row], y[row], delta[row])
    return Origin(what, neuron, row, operands)


def bad_update(step: StepResult) -> Origin | None:
    """The first parameter that a step with finite signals makes not finite."""
    graph, y, delta = step.graph, np.atleast_2d(step.y), np.atleast_2d(step.delta)
    ref = first_parameter(graph, step.after)
    if ref is None:
        return None
    sink, source = ref.sink(graph), ref.source(graph)
    row = int(np.abs(delta[:, sink] if source is None else delta[:, sink] * y[:, source]).argmax())
    signal = "1" if source is None else f"y[{graph.name(source)}] = {number(y[row, source])}"
    product = f"δ[{graph.name(sink)}] = {number(delta[row, sink])} · {signal}, " if ref.array != "slopes" else ""
    operands = (
        f"{product}gradient {number(ref.value(step.gradients))}, "
        f"{ref.label(graph)} = {number(ref.value(step))} → {number(ref.value(step.after))}"
    )
    return Origin("update", sink, row, operands)


def chain(graph: Graph, neuron: int, y: Reals) -> str:
    r"""From an input, or a bias, to the neuron: at each one the source of the largest \|w·y\|."""
    links = [graph.name(neuron)]
    while not graph.is_input[neuron]:
        edges = slice(graph.row_start[neuron], graph.row_start[neuron + 1])
        sources = graph.sources[edges]
        if not len(sources):
            break
        with np.errstate(all="ignore"):
            products = np.abs(graph.weights[edges] * y[sources])
        largest = int(np.where(np.isnan(products), np.inf, products).argmax())
        w, source = float(graph.weights[edges][largest]), int(sources[largest])
        links[-1] = f"· w = {number(w)} → {links[-1]}"
        links.append(f"{graph.name(source)}: y = {number(y[source])}")
        neuron = source
    links.reverse()
    if len(links) > _CHAIN:
        half = _CHAIN // 2
        links = [*links[:half], f"… {len(links) - _CHAIN} more …", *links[-half:]]
    return " ".join(links)


def _forward_operands(graph: Graph, neuron: int, y: Reals) -> str:
    """The first product or partial sum of b + Σ w·y, by ascending source, that is not finite."""
    edges = slice(graph.row_start[neuron], graph.row_start[neuron + 1])
    sources = graph.sources[edges].tolist()
    name = graph.name(neuron)
    terms = [(f"w[{graph.name(s)}→{name}]", w, f"y[{graph.name(s)}]", y[s])
             for s, w in zip(sources, graph.weights[edges], strict=True)]  # fmt: skip
    found, _ = _first_bad(terms, graph.biases[neuron])
    return found or f"b + Σ w·y of {len(terms)} terms, summed in another order → z[{name}] is not finite"


def _backward_operands(graph: Graph, neuron: int, z: Reals, y: Reals, delta: Reals) -> str:
    """The first product or partial sum of Σ w·δ over the sinks that is not finite, else what comes on top of it."""
    edges = np.flatnonzero(graph.sources == neuron)
    sinks = graph.sinks()[edges].tolist()
    name = graph.name(neuron)
    terms = [(f"w[{name}→{graph.name(a)}]", w, f"δ[{graph.name(a)}]", delta[a])
             for a, w in zip(sinks, graph.weights[edges], strict=True)]  # fmt: skip
    found, aggregated = _first_bad(terms, graph.dtype.type(0.0))
    if found is not None:
        return found
    result = f"δ[{name}] = {number(delta[neuron])}"
    if neuron in graph.outputs:
        return f"the loss's own part of δ, at y[{name}] = {number(y[neuron])} → {result}"
    return f"Σ w·δ = {number(aggregated)} · f'(z = {number(z[neuron])}) → {result}"


def _first_bad(terms: list[tuple[str, Any, str, Any]], start: Any) -> tuple[str | None, Any]:
    """The operation at which a sum of products stops to be finite, if it does, and how far it came."""
    total = start
    with np.errstate(all="ignore"):
        for w_name, w, signal_name, signal in terms:
            product = w * signal
            if not np.isfinite(product):
                return f"{w_name} = {number(w)} · {signal_name} = {number(signal)} → {number(product)}", total
            before, total = total, total + product
            if not np.isfinite(total):
                return f"{number(before)} + {w_name}·{signal_name} = {number(product)} → {number(total)}", total
    return None, total
