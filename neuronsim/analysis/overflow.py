"""Where signals leave the finite numbers: the first operation that does, its operands, and the chain that led there."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuronsim.explaining.explain import number
from neuronsim.formulas import activations

if TYPE_CHECKING:
    from neuronsim.graph.graph import Graph
    from neuronsim.tracing.steps import Step

__all__ = ["Origin", "bad_signal", "bad_update", "chain"]

Array = NDArray[Any]
Reals = NDArray[np.floating]

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


def bad_signal(graph: "Graph", order: Array, z: Reals, y: Reals, delta: Reals, losses: Reals) -> Origin | None:
    """The first z or y in running order, else the first loss, else the first δ on the way back, that is not finite.

    Parameters
    ----------
    graph : Graph
        Holds the parameters that the signals were made with.
    order : array (n_neurons,)
        Ids in running order.
    z, y, delta : array (n, n_neurons)
    losses : array (n,)
    """
    bad: Array = np.logical_not(np.isfinite(z) & np.isfinite(y))
    columns: Array = np.any(bad, axis=0)[order]
    if columns.any():
        neuron = int(order[columns.argmax()])
        row = int(bad[:, neuron].argmax())
        if np.isfinite(z[row, neuron]):
            code = int(graph.activation_codes[neuron])
            f = activations.by_code(code).name
            return Origin("y", neuron, row, f"{f}(z = {number(z[row, neuron])}) → {number(y[row, neuron])}")
        return Origin("z", neuron, row, _forward_operands(graph, neuron, y[row]))
    if not np.isfinite(losses).all():
        row = int((~np.isfinite(losses)).argmax())
        output = int(graph.outputs[np.abs(y[row, graph.outputs]).argmax()])
        return Origin(
            "loss", None, row, f"y[{graph.name(output)}] = {number(y[row, output])} → loss = {number(losses[row])}"
        )
    bad = np.logical_not(np.isfinite(delta))
    backwards = order[::-1]
    columns = np.any(bad, axis=0)[backwards]
    if columns.any():
        neuron = int(backwards[columns.argmax()])
        row = int(bad[:, neuron].argmax())
        return Origin("delta", neuron, row, _backward_operands(graph, neuron, z[row], y[row], delta[row]))
    return None


def bad_update(step: "Step") -> Origin | None:
    """The first weight, else bias, that a step with finite signals makes not finite."""
    graph, y, delta = step.graph, np.atleast_2d(step.y), np.atleast_2d(step.delta)
    for after, before, gradients in (
        (step.weights_after, step.weights, step.weight_gradients),
        (step.biases_after, step.biases, step.bias_gradients),
    ):
        bad = ~np.isfinite(after)
        if not bad.any():
            continue
        at = int(bad.argmax())
        on_edge = after is step.weights_after
        sink = int(graph.sinks()[at]) if on_edge else at
        source = int(graph.sources[at]) if on_edge else None
        name = f"w[{graph.name(source)}→{graph.name(sink)}]" if source is not None else f"b[{graph.name(sink)}]"
        row = int(np.abs(delta[:, sink] if source is None else delta[:, sink] * y[:, source]).argmax())
        signal = "1" if source is None else f"y[{graph.name(source)}] = {number(y[row, source])}"
        operands = (
            f"δ[{graph.name(sink)}] = {number(delta[row, sink])} · {signal}, gradient {number(gradients[at])}, "
            f"{name} = {number(before[at])} → {number(after[at])}"
        )
        return Origin("update", sink, row, operands)
    return None


def chain(graph: "Graph", neuron: int, y: Reals) -> str:
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


def _forward_operands(graph: "Graph", neuron: int, y: Reals) -> str:
    """The first product or partial sum of b + Σ w·y, by ascending source, that is not finite."""
    edges = slice(graph.row_start[neuron], graph.row_start[neuron + 1])
    sources = graph.sources[edges].tolist()
    name = graph.name(neuron)
    terms = [(f"w[{graph.name(s)}→{name}]", w, f"y[{graph.name(s)}]", y[s])
             for s, w in zip(sources, graph.weights[edges], strict=True)]  # fmt: skip
    found, _ = _first_bad(terms, graph.biases[neuron])
    return found or f"b + Σ w·y of {len(terms)} terms, summed in another order → z[{name}] is not finite"


def _backward_operands(graph: "Graph", neuron: int, z: Reals, y: Reals, delta: Reals) -> str:
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
