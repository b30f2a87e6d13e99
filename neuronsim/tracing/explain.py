"""A step in words and numbers: the lectures' formulas with what each symbol stood for.

Numbers are printed with 9 significant digits, enough to tell any two float32 apart; where an old and a new
value would look the same, with all their digits. Of many terms only the largest are shown, and what is left
out is said.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from neuronsim.activations import PRELU
from neuronsim.losses import total

if TYPE_CHECKING:
    from neuronsim.tracing.steps import Message, Messages, Step, StepEdge, StepNeuron

__all__ = ["Explanation", "Section", "edge", "loss", "messages", "neuron", "number", "pair"]

# More terms than this are folded down to the largest few.
MOST_TERMS = 12
SHOWN_TERMS = 8

Row = tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """A heading, rows of cells, and remarks below them."""

    heading: str
    rows: tuple[Row, ...]
    remarks: tuple[str, ...] = ()

    def __str__(self) -> str:
        widths = [max((len(row[k]) for row in self.rows if k < len(row)), default=0) for k in range(9)]
        lines = [
            "    " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=False)).rstrip()
            for row in self.rows
        ]
        return "\n".join([self.heading, *lines, *(f"    {remark}" for remark in self.remarks)])

    def to_html(self) -> str:
        """A heading, a table and paragraphs."""
        rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in self.rows)
        remarks = "".join(f"<p>{escape(remark)}</p>" for remark in self.remarks)
        return f"<h5>{escape(self.heading)}</h5><table>{rows}</table>{remarks}"


@dataclass(frozen=True)
class Explanation:
    """What ``step.explain`` returns: print it, or let a notebook show it."""

    title: str
    sections: tuple[Section, ...]

    def __str__(self) -> str:
        return "\n\n".join([self.title, *map(str, self.sections)])

    def _repr_html_(self) -> str:
        return f"<h4>{escape(self.title)}</h4>" + "".join(s.to_html() for s in self.sections)


def number(value: float) -> str:
    """9 significant digits."""
    return f"{value:.9g}"


def pair(old: float, new: float) -> tuple[str, str]:
    """An old and a new value, with all digits if 9 would not tell them apart."""
    if old != new and number(old) == number(new):
        return repr(old), repr(new)
    return number(old), number(new)


def neuron(n: "StepNeuron") -> Explanation:
    """Forward sum, activation, backward sum, δ, and every parameter's gradient, old and new value."""
    if n.is_input:
        sections = [Section("forward: an input passes x on", (("y", "= x", "=", number(n.y)),)), _backward(n)]
    else:
        sections = [_forward(n), _activation(n), _backward(n), _updates(n)]
    kind = "input" if n.is_input else n.activation
    kind += ", output" if n.is_output else ""
    return Explanation(f"neuron {n.name} ({kind}) in step {n.step.number}", tuple(sections))


def edge(e: "StepEdge") -> Explanation:
    """What the edge carried forwards and backwards, its gradient, and its weight before and after."""
    a, b, step = e.sink, e.source, e.step
    forward = Section(
        "forward: what it adds to the net input of its sink",
        ((f"w[{b}→{a}] · y[{b}]", f"{number(e.weight)} · {number(e.y)}", "=", number(e.weight * e.y)),),
    )
    backward = Section(
        f"backward: what it adds to ∂L/∂y[{b}]",
        (
            (
                f"w_old[{b}→{a}] · δ[{a}]",
                f"{number(e.weight)} · {number(e.delta)}",
                "=",
                number(e.weight * e.delta),
            ),
        ),
        ("w_old: the weight before this step's update",),
    )
    gradient = Section(
        "gradient: ∂L/∂w = δ of the sink · y of the source",
        ((f"δ[{a}] · y[{b}]", f"{number(e.delta)} · {number(e.y)}", "=", number(e.gradient)),),
    )
    old, new = pair(e.weight, e.weight_after)
    rate = _rate(step, _factor(step, "weights", e.position))
    update = Section(
        "update: w := w - μ · ∂L/∂w",
        (
            ("old", old),
            ("change", number(e.dw), _frozen_or(rate, f"= -{rate} · {number(e.gradient)}, rounded")),
            ("new", new),
        ),
    )
    return Explanation(f"edge {b} → {a} in step {step.number}", (forward, backward, gradient, update))


def loss(step: "Step") -> Explanation:
    """The loss, output by output."""
    rows: list[Row] = [("output", "y", "t", "y - t", "∂L/∂y")]
    outputs = [(step[o], t) for o, t in step.wanted.items()]
    for n, t in outputs[:MOST_TERMS]:
        rows.append((n.name, number(n.y), number(t), number(n.y - t), number(n.own_error or 0.0)))
    left = len(outputs) - MOST_TERMS
    remarks = (f"and {left} more outputs",) if left > 0 else ()
    whole = Section(f"{step.loss_function.name} = {number(step.loss)}", tuple(rows), remarks)
    return Explanation(f"the loss in step {step.number}", (whole,))


def messages(m: "Messages") -> Explanation:
    """The four kinds of message of one neuron."""
    kinds = [
        ("received: y of each source", "from", "y", m.received),
        ("sent: y to each sink", "to", "y", m.sent),
        ("received back: δ of each sink, with the weight before the update", "from", "δ", m.errors_received),
        ("sent back: δ to each source, with the weight before the update", "to", "δ", m.errors_sent),
    ]
    sections = []
    for heading, direction, symbol, those in kinds:
        shown, remark = _largest(those)
        rows = tuple(
            (direction, t.neuron, f"{symbol} = {number(t.signal)}", f"w = {number(t.weight)}",
             f"w·{symbol} = {number(t.product)}")
            for t in shown
        )  # fmt: skip
        sections.append(Section(heading, rows or (("none",),), remark))
    if m.own is not None:
        sections.append(Section("from the loss itself", (("own part of δ", "=", number(m.own)),)))
    return Explanation(f"messages of {m.neuron}", tuple(sections))


def _forward(n: "StepNeuron") -> Section:
    shown, remarks = _largest(n.messages.received)
    rows: list[Row] = [("", "b", "", "=", number(n.bias))]
    rows += [_term(f"w[{m.neuron}→{n.name}] · y[{m.neuron}]", m) for m in shown]
    return Section("forward: z = b + Σ w · y", (*rows, ("", "z", "", "=", number(n.z))), remarks)


def _activation(n: "StepNeuron") -> Section:
    if n.function.derivative is not None:
        slope = f", slope = {number(n.slope)}" if n.function.code == PRELU else ""
        return Section(
            "activation: y = f(z)",
            ((f"y = {n.activation}({number(n.z)}{slope})", "=", number(n.y)),),
        )
    group, step = n.step.softmax_group, n.step
    highest = max(float(step.z[k]) for k in group)
    return Section(
        f"activation: y = e^z / Σ e^z over the {len(group)} softmax outputs",
        (
            ("largest z of the group", "=", number(highest)),
            ("y", "=", number(n.y)),
            ("Σ y of the group", "=", number(total(float(step.y[k]) for k in group))),
        ),
    )


def _backward(n: "StepNeuron") -> Section:
    own, received = n.own_delta, n.messages.errors_received
    shown, remarks = _largest(received)
    rows = [] if own is None else _own_rows(n, own)
    rows += [_term(f"w_old[{n.name}→{m.neuron}] · δ[{m.neuron}]", m) for m in shown]
    if received:
        rows.append(("", "Σ w_old · δ", "", "=", number(n.aggregated)))
        remarks = (*remarks, "w_old: every weight in this sum is the one before this step's update")
    elif own is None:
        remarks = ("it sends to nobody and is no output: nothing comes back, δ = 0",)
    if received and not n.is_input:
        rows.append(("", f"f'({number(n.z)})", "", "=", number(n.derivative or 0.0)))
    rows.append(("", "∂L/∂x" if n.is_input else "δ", _parts(n, own), "=", number(n.delta)))
    return Section(_backward_heading(n), tuple(rows), remarks)


def _backward_heading(n: "StepNeuron") -> str:
    aggregated = "Σ w · δ of the sinks" + ("" if n.is_input else " · f'(z)")
    symbol = "∂L/∂x" if n.is_input else "δ"
    if n.own_delta is None:
        return f"backward: {symbol} = {aggregated}"
    return f"backward: {symbol} = the loss's own part" + (f" + {aggregated}" if n.sinks else "")


def _parts(n: "StepNeuron", own: float | None) -> str:
    """The one or two summands of δ, with their numbers."""
    parts = [] if own is None else [number(own)]
    if n.sinks:
        slope = "" if n.is_input else f" · {number(n.derivative or 0.0)}"
        parts.append(number(n.aggregated) + slope)
    return " + ".join(parts)


def _own_rows(n: "StepNeuron", own: float) -> list[Row]:
    """How the loss itself puts its part on an output."""
    name, t, error = n.step.loss_function.name, n.step.wanted[n.id], n.own_error or 0.0
    if n.fused:
        wanted = total(n.step.wanted[k] for k in n.step.softmax_group) if n.derivative is None else 1.0
        factor = "" if wanted == 1.0 else f" · {number(wanted)}"
        sum_of_t = "" if wanted == 1.0 else "·Σt"
        formula = f"y{sum_of_t} - t ({n.activation} with {name})"
        return [("", formula, f"{number(n.y)}{factor} - {number(t)}", "=", number(own))]
    rows: list[Row] = [("", f"∂L/∂y of {name}", f"y = {number(n.y)}, t = {number(t)}", "=", number(error))]
    if n.derivative is None:
        group = n.step.softmax_group
        mean = total(n.step.own_errors[k] * float(n.step.y[k]) for k in group)
        rows.append(("", "Σ ∂L/∂y · y of the softmax group", "", "=", number(mean)))
        rows.append(
            (
                "",
                "own part: y · (∂L/∂y - Σ)",
                f"{number(n.y)} · ({number(error)} - {number(mean)})",
                "=",
                number(own),
            )
        )
    elif not n.is_input:
        rows.append(("", "own part: ∂L/∂y · f'(z)", f"{number(error)} · {number(n.derivative)}", "=", number(own)))
    return rows


def _updates(n: "StepNeuron") -> Section:
    step = n.step
    rows: list[Row] = [("parameter", "gradient", "", "old", "new", "")]
    edges = n.incoming
    shown = edges
    if len(edges) > MOST_TERMS:
        shown = sorted(edges, key=lambda e: -abs(e.gradient))[:SHOWN_TERMS]
    for e in shown:
        how = f"δ · y[{e.source}] = {number(e.delta)} · {number(e.y)}"
        rate = _rate(step, _factor(step, "weights", e.position))
        rows.append(_updated(f"w[{e.source}→{n.name}]", how, e.gradient, e.weight, e.weight_after, rate, step))
    rate = _rate(step, _factor(step, "biases", n.id))
    rows.append(_updated(f"b[{n.name}]", "δ · 1", n.bias_gradient, n.bias, n.bias_after, rate, step))
    if n.function.code == PRELU:
        how = f"∂L/∂y · min(z, 0) = {number(n.error)} · {number(min(n.z, 0.0))}"
        rate = _rate(step, _factor(step, "slopes", n.id))
        rows.append(_updated("slope", how, n.slope_gradient, n.slope, n.slope_after, rate, step))
    left = len(edges) - len(shown)
    remarks = (f"the {len(shown)} weights with the largest gradients; {left} more were updated too",) if left else ()
    heading = f"update: new = old - μ · gradient, μ = {number(step.learning_rate)}"
    return Section(heading, tuple(rows), remarks)


def _updated(name: str, how: str, gradient: float, before: float, after: float, rate: str, step: "Step") -> Row:
    old, new = pair(before, after)
    remark = "" if rate == number(step.learning_rate) else _frozen_or(rate, f"μ here: {rate}")
    return name, how, f"= {number(gradient)}", old, new, remark


def _factor(step: "Step", of: str, row: int) -> float:
    """The rate factor of a parameter, negative where frozen."""
    graph = step.graph
    factors = {"weights": graph.weight_rates, "biases": graph.bias_rates, "slopes": graph.slope_rates}[of]
    return 1.0 if factors is None else float(factors[row])


def _rate(step: "Step", factor: float) -> str:
    return "frozen" if factor < 0.0 else number(step.learning_rate * factor)


def _frozen_or(rate: str, otherwise: str) -> str:
    return "frozen: left alone" if rate == "frozen" else otherwise


def _term(symbol: str, m: "Message") -> Row:
    return "+", symbol, f"{number(m.weight)} · {number(m.signal)}", "=", number(m.product)


def _largest(those: "Sequence[Message]") -> "tuple[Sequence[Message], tuple[str, ...]]":
    """All of them, or the largest few with what the others come to."""
    if len(those) <= MOST_TERMS:
        return those, ()
    ordered = sorted(those, key=lambda m: -abs(m.product))
    shown, others = ordered[:SHOWN_TERMS], ordered[SHOWN_TERMS:]
    return shown, (_folded(m.product for m in others),)


def _folded(products: Iterable[float]) -> str:
    values = list(products)
    return (
        f"the {SHOWN_TERMS} largest of {SHOWN_TERMS + len(values)} terms; the other {len(values)} add up to "
        f"{number(total(values))}, the largest of them is {number(values[0])}"
    )
