"""A neuron in one step: its forward sum, its activation, its backward sum, δ, and its parameters' updates.

Of many terms only the largest are shown, and what is left out is said.
"""

from dataclasses import replace

import numpy as np

from neuronsim.documents.explanation import Explanation
from neuronsim.documents.notation import answer, given, known, name
from neuronsim.documents.section import Row, Section
from neuronsim.documents.terms import largest
from neuronsim.explaining.batch import batch_update, reduction, shares
from neuronsim.explaining.recipes import ParameterUpdate, updates
from neuronsim.explaining.step import which
from neuronsim.formulas.activations import PRELU
from neuronsim.formulas.losses import total
from neuronsim.graph import summation
from neuronsim.graph.parameters import ParameterRef, bias_label, weight_label
from neuronsim.tracing.messages import Message, largest_messages
from neuronsim.tracing.neurons import StepNeuron

_FORGOTTEN = "f'(z) is forgotten"
_OLD_WEIGHTS = "w_old: every weight in this sum is the one before this step's update"


def neuron(n: StepNeuron) -> Explanation:
    """Forward sum, activation, backward sum, δ, and every parameter's gradient, old and new value.

    Of a batch: the share of every sample in the gradient of the bias, the reduction, and the update.
    """
    if n.step.is_batch:
        sections = _of_batch(n)
    elif n.is_input:
        sections = [Section("forward: an input passes x on", (("y", "= x", "=", given(n.y)),)), backward(n)]
    elif n.step.batch is not None:
        sections = [forward(n), activation(n), backward(n), share_of(n)]
    else:
        sections = [forward(n), activation(n), backward(n), updates(n)]
    kind = "input" if n.is_input else n.activation
    kind += ", output" if n.is_output else ""
    return Explanation(f"neuron {name(n.name)} ({kind}) in {which(n.step)}", tuple(sections))


def forward(n: StepNeuron) -> Section:
    """The forward sum."""
    shown, remarks = largest_messages(n.messages.received)
    rows: list[Row] = [("", "b", "", "=", given(n.bias))]
    rows += [_term(f"{weight_label(name(m.neuron), name(n.name))} · y[{name(m.neuron)}]", m) for m in shown]
    remarks = (*remarks, "w, b: before this step's update", *_forward_order(n))
    z = answer(n.z, slips={"b is forgotten": n.z - n.bias})
    return Section("forward: z = b + Σ w · y", (*rows, ("", "z", "", "=", z)), remarks)


def _forward_order(n: StepNeuron) -> tuple[str, ...]:
    """The order in which the kernels add z up."""
    if len(n.messages.received) < 2:
        return ()
    lanes = summation.net_input(n.step.graph, n.id, online=n.step.batch is None).partial_sums
    if lanes == 1:
        return ("order: b, then the sources by ascending id, each w · y added with one rounding",)
    return (
        f"order: {lanes} partial sums, the k-th source (ascending ids, from 0) in sum k mod {lanes}; "
        f"then sum j + sum j + {lanes // 2} for j below {lanes // 2}, halving on; then b",
    )


def activation(n: StepNeuron) -> Section:
    """y = f(z)."""
    if n.function.derivative is not None:
        slope = f", slope = {given(n.slope)}" if n.function.code == PRELU else ""
        y = answer(n.y, slips={"f is not applied": n.z})
        return Section("activation: y = f(z)", ((f"y = {n.activation}({known(n.z)}{slope})", "=", y),))
    group = n.step.softmax_group
    z, y = n.step.z[group].tolist(), n.step.y[group].tolist()
    largest_z, whole = ("largest z of the group", "=", given(max(z))), ("Σ y of the group", "=", given(total(y)))
    heading = f"activation: y = e^z / Σ e^z over the {len(group)} softmax outputs"
    return Section(heading, (largest_z, ("y", "=", answer(n.y)), whole))


def backward(n: StepNeuron) -> Section:
    """The backward sum and δ."""
    own, received = n.own_delta, n.messages.errors_received
    shown, remarks = largest_messages(received)
    rows = [] if own is None else _own_rows(n, own)
    rows += [_term(f"w_old[{name(n.name)}→{name(m.neuron)}] · δ[{name(m.neuron)}]", m) for m in shown]
    if received:
        rows.append(("", "Σ w_old · δ", "", "=", answer(n.aggregated, slips=_updated_weights(n))))
        remarks = (*remarks, _OLD_WEIGHTS)
    elif own is None:
        remarks = ("it sends to nobody and is no output: nothing comes back, δ = 0",)
    if len(received) > 1:
        order = "order: from 0, bundles (neurons with the same sources) from the outputs back, ascending ids in each"
        remarks = (*remarks, order)
    if received and not n.is_input:
        rows.append(("", f"f'({known(n.z)})", "", "=", answer(n.derivative or 0.0, slips=_of_activated(n))))
    delta = answer(n.delta, slips={} if own is not None or n.is_input else {_FORGOTTEN: n.aggregated})
    rows.append(("", "∂L/∂x" if n.is_input else "δ", _parts(n, own), "=", delta))
    return Section(_backward_heading(n), tuple(rows), remarks)


def _updated_weights(n: StepNeuron) -> dict[str, float]:
    """Σ w · δ as it comes out wrongly with the weights after the update."""
    return {"the updated weights are used": total(e.weight_after * e.delta for e in n.outgoing)}


def _of_activated(n: StepNeuron) -> dict[str, float]:
    """f' as it comes out wrongly of y in place of z."""
    derivative = n.function.derivative
    return {} if derivative is None else {"f' is taken at y in place of z": derivative(n.y, n.slope)}


def _backward_heading(n: StepNeuron) -> str:
    aggregated = "Σ w · δ of the sinks" + ("" if n.is_input else " · f'(z)")
    symbol = "∂L/∂x" if n.is_input else "δ"
    if n.own_delta is None:
        return f"backward: {symbol} = {aggregated}"
    return f"backward: {symbol} = the loss's own part" + (f" + {aggregated}" if n.sinks else "")


def _parts(n: StepNeuron, own: float | None) -> str:
    """The one or two summands of δ, with their numbers."""
    parts = [] if own is None else [known(own)]
    if n.sinks:
        slope = "" if n.is_input else f" · {known(n.derivative or 0.0)}"
        parts.append(known(n.aggregated) + slope)
    return " + ".join(parts)


def _own_rows(n: StepNeuron, own: float) -> list[Row]:
    """How the loss itself puts its part on an output."""
    loss_name, t, error = n.step.loss_function.name, n.step.wanted[n.id], n.own_error or 0.0
    if n.fused:
        wanted = total(n.step.wanted[k] for k in n.step.softmax_group) if n.derivative is None else 1.0
        factor = "" if wanted == 1.0 else f" · {given(wanted)}"
        sum_of_t = "" if wanted == 1.0 else "·Σt"
        formula = f"y{sum_of_t} − t ({n.activation} with {loss_name})"
        wrong = {} if n.derivative is None else {"f'(z) is in it already": own * n.derivative}
        return [("", formula, f"{known(n.y)}{factor} − {given(t)}", "=", answer(own, slips=wrong))]
    values = f"y = {known(n.y)}, t = {given(t)}"
    rows: list[Row] = [("", f"∂L/∂y of {loss_name}", values, "=", answer(error))]
    if n.derivative is None:
        group = n.step.softmax_group
        mean = total(n.step.own_errors[k] * float(n.step.y[k]) for k in group)
        rows.append(("", "Σ ∂L/∂y · y of the softmax group", "", "=", given(mean)))
        product = f"{known(n.y)} · ({known(error)} − {given(mean)})"
        rows.append(("", "own part: y · (∂L/∂y − Σ)", product, "=", answer(own)))
    elif not n.is_input:
        product = f"{known(error)} · {known(n.derivative)}"
        rows.append(("", "own part: ∂L/∂y · f'(z)", product, "=", answer(own, slips={_FORGOTTEN: error})))
    return rows


def share_of(n: StepNeuron) -> Section:
    """What one sample of a batch adds to the gradients of a neuron."""
    rows: list[Row] = [("parameter", "this sample's gradient", "")]
    edges, left = largest(n.incoming, lambda e: float(e.gradients[0]))
    for e in edges:
        how = f"δ · y[{name(e.source)}] = {known(n.delta)} · {known(e.y)}"
        rows.append((weight_label(name(e.source), name(n.name)), how, f"= {answer(float(e.gradients[0]))}"))
    rows.append((bias_label(name(n.name)), "δ · 1", f"= {known(n.delta)}"))
    if n.function.code == PRELU:
        how = f"∂L/∂y · min(z, 0) = {known(n.error)} · {known(min(n.z, 0.0))}"
        rows.append(("slope", how, f"= {answer(n.slope_gradient)}"))
    many = f"the {len(edges)} weights with the largest gradients; {len(left)} more have one too"
    remarks = (*([many] if left else []), batch_update(n.step).heading)
    return Section("gradient of this sample alone", tuple(rows), remarks)


def _of_batch(n: StepNeuron) -> list[Section]:
    step = n.step
    deltas = np.asarray(n.delta)
    if n.is_input:
        headers: Row = ("row of X", "y = x", "∂L/∂x", "share")
        return [shares("samples, by |∂L/∂x|", headers, [np.asarray(n.y)], deltas, step)]
    headers = ("row of X", "z", "y", "δ", "share")
    bias = ParameterUpdate(step, ParameterRef("biases", n.id))
    heading = f"shares of the samples in ∂L/∂{bias.label}: δ · 1 of each"
    each = shares(heading, headers, [np.asarray(n.z), np.asarray(n.y)], deltas, step)
    hint = "step.sample(k) explains the forward and the backward sum of the k-th sample of the batch"
    each = replace(each, remarks=(*each.remarks, hint))
    return [each, reduction("δ", bias, step, deltas), updates(n)]


def _term(symbol: str, m: Message) -> Row:
    return "+", symbol, f"{given(m.weight)} · {known(m.signal)}", "=", answer(m.product)
