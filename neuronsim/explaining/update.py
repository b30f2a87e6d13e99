"""The updates that a step made, of one parameter or of all of a neuron."""

from neuronsim.documents.notation import answer, distinguishing_digits, given, known, name
from neuronsim.documents.section import Row, Section
from neuronsim.documents.terms import largest
from neuronsim.explaining.recipes import FROZEN, ParameterUpdate, is_plain, recipe, update_heading
from neuronsim.formulas.activations import PRELU
from neuronsim.graph.parameters import ParameterRef
from neuronsim.tracing.neurons import StepNeuron
from neuronsim.tracing.result import StepResult

_ABOUT_OLD = "old: before this step, as every sum above used it; new: what the next step uses"


def one_update(parameter: ParameterUpdate, step: StepResult) -> Section:
    """The update of one parameter, with all its numbers."""
    old, new = parameter.old, parameter.new
    digits = distinguishing_digits(old, new)
    rows: list[Row] = [("old", given(old, digits))]
    if is_plain(step):
        change = f"= -{given(parameter.rate)} · {known(parameter.gradient)}, rounded"
        rows.append(("change", answer(parameter.change), FROZEN if parameter.frozen else change))
    else:
        rows += recipe(step, parameter)
    rows += _stays(rows, ("new", answer(new, digits)))
    heading = "update: w := w - μ · ∂L/∂w" if is_plain(step) else update_heading(step)
    return Section(heading, tuple(rows), (_ABOUT_OLD,))


def updates(n: StepNeuron) -> Section:
    """Those of a neuron's incoming weights, its bias, and its slope if it is prelu."""
    step = n.step
    edges, left = largest(n.incoming, lambda e: e.gradient)
    rows: list[Row] = [("parameter", "gradient", "", "old", "new", "")] if is_plain(step) else []
    for e in edges:
        how = "" if step.is_batch else f"δ · y[{name(e.source)}] = {known(n.delta)} · {given(e.y)}"
        rows += _updated(step, ParameterRef("weights", e.position), how)
    rows += _updated(step, ParameterRef("biases", n.id), "" if step.is_batch else "δ · 1")
    if n.function.code == PRELU:
        how = "" if step.is_batch else f"∂L/∂y · min(z, 0) = {known(n.error)} · {known(min(n.z, 0.0))}"
        rows += _updated(step, ParameterRef("slopes", n.id), how)
    many = f"the {len(edges)} weights with the largest gradients; {len(left)} more were updated too"
    return Section(update_heading(step), tuple(rows), (*([many] if left else []), _ABOUT_OLD))


def _updated(step: StepResult, ref: ParameterRef, how: str) -> list[Row]:
    """A row for a plain update, else one for each formula; ``how`` the gradient came about."""
    parameter = ParameterUpdate.of(step, ref)
    digits = distinguishing_digits(parameter.old, parameter.new)
    old, new = given(parameter.old, digits), answer(parameter.new, digits)
    if is_plain(step):
        own_rate = "" if parameter.factor == 1.0 else f"μ here: {given(parameter.rate)}"
        remark = FROZEN if parameter.frozen else own_rate
        return [(parameter.label, how, f"= {answer(parameter.gradient)}", old, new, remark)]
    first: Row = (parameter.label, f"gradient {how}".rstrip(), "", "=", answer(parameter.gradient))
    between = [("", *row) for row in recipe(step, parameter)]
    return [first, ("", "old", "", "=", old), *between, *_stays(between, ("", "new", "", "=", new))]


def _stays(rows: list[Row], row: Row) -> list[Row]:
    """The row of the new value, unless a formula has given it just now."""
    return [] if rows[-1][-1] == row[-1] else [row]
