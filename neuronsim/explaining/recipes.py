"""The updates of a step: how its optimiser gets from gradients to new values, as formulas with their numbers.

The formulas are those of `neuronsim.formulas.optimizers`; intermediate numbers are worked out in float64 from what the
step kept, old and new values and states are the step's own.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import fields

from neuronsim.documents.notation import answer, distinguishing_digits, given, known, name
from neuronsim.documents.section import Row, Section
from neuronsim.documents.terms import largest
from neuronsim.formulas.activations import PRELU
from neuronsim.formulas.optimizers import Adam, AdamW, Momentum, Nesterov, RMSprop, Rprop
from neuronsim.graph.parameters import ParameterRef
from neuronsim.tracing.neurons import StepNeuron
from neuronsim.tracing.result import StepResult

_ADAM = "m := m + (1 − β₁) · (g − m), s := β₂ · s + (1 − β₂) · g², w := w − μ · m_hat / (√s_hat + ε)"
_FORMULAS = {
    "sgd": "w := w − μ · g",
    "momentum": "v := β · v − μ · g, w := w + v",
    "nesterov": "v := β · v − μ · g, w := w + β · v − μ · g",
    "rmsprop": "s := α · s + (1 − α) · g², w := w − μ · g / (√s + ε)",
    "adam": _ADAM,
    "adamw": _ADAM,
    "rprop": "the step size grows while the sign of g stays, and shrinks when it turns",
}
_SYMBOLS = {"momentum": "β", "alpha": "α", "beta1": "β₁", "beta2": "β₂", "eps": "ε"}
_FROZEN = "frozen: left alone"
_ABOUT_OLD = "old: before this step, as every sum above used it; new: what the next step uses"


class ParameterUpdate:
    """How one weight, bias or slope was updated in a step."""

    def __init__(self, step: StepResult, ref: ParameterRef) -> None:
        self.ref = ref
        self.label = ref.label(step.graph, name)  # w[i1→h1], with marked names
        self.gradient = ref.value(step.gradients)  # reduced over samples; neither clipped nor decayed
        self.old, self.new = ref.value(step), ref.value(step.after)
        self.change = float(step.graph.dtype.type(self.new) - step.graph.dtype.type(self.old))
        self.factor = ref.rate_factor(step.graph)  # on the learning rate; negative where frozen
        self.frozen = self.factor < 0.0
        self.rate = step.learning_rate * self.factor
        self.state = tuple(ref.value(part) for part in step.state)  # what the optimiser keeps for it
        self.state_after = tuple(ref.value(part) for part in step.state_after)


def is_plain(step: StepResult) -> bool:
    """Whether the update is new = old − μ · gradient and nothing else."""
    unclipped = step.clip_factor == 1.0 and step.clip_value is None
    return step.rule.name == "sgd" and not step.weight_decay and unclipped


def update_heading(step: StepResult) -> str:
    """The rule, its formula and its settings."""
    rule, settings = step.rule, [f"μ = {given(step.learning_rate)}"]
    if is_plain(step):
        return f"update: new = old − μ · gradient, {settings[0]}"
    if isinstance(rule, Rprop):
        settings = [f"× {given(rule.eta_plus)} or × {given(rule.eta_minus)}"]
        settings.append(f"from {given(rule.step_min)} to {given(rule.step_max)}")
    settings += [f"{_SYMBOLS[f.name]} = {given(getattr(rule, f.name))}" for f in fields(rule) if f.name in _SYMBOLS]
    if step.weight_decay:
        settings.append(f"weight decay λ = {given(step.weight_decay)}")
    if step.clip_norm is not None:
        settings.append(f"clip_norm = {given(step.clip_norm)}")
    if step.clip_value is not None:
        settings.append(f"clip_value = {given(step.clip_value)}")
    return f"update by {rule.name}: {_FORMULAS[rule.name]}; {', '.join(settings)}"


def one_update(parameter: ParameterUpdate, step: StepResult) -> Section:
    """The update of one parameter, with all its numbers."""
    old, new = parameter.old, parameter.new
    digits = distinguishing_digits(old, new)
    rows: list[Row] = [("old", given(old, digits))]
    if is_plain(step):
        change = f"= −{given(parameter.rate)} · {known(parameter.gradient)}, rounded"
        wrong = {"the learning rate is forgotten": -parameter.gradient}
        rows.append(("change", answer(parameter.change, slips=wrong), _FROZEN if parameter.frozen else change))
    else:
        rows += _recipe(step, parameter)
    rows += _unless_given(rows, ("new", answer(new, digits, _wrong_steps(parameter, step))))
    heading = "update: w := w − μ · ∂L/∂w" if is_plain(step) else update_heading(step)
    return Section(heading, tuple(rows), (_ABOUT_OLD,))


def _wrong_steps(p: ParameterUpdate, step: StepResult) -> dict[str, float]:
    """What a plain update comes to wrongly."""
    if not is_plain(step) or p.frozen:
        return {}
    return {
        "nothing was changed": p.old,
        "the step goes the wrong way": p.old - p.change,
        "the learning rate is forgotten": p.old - p.gradient,
    }


def updates(n: StepNeuron) -> Section:
    """Those of a neuron's incoming weights, its bias, and its slope if it is prelu."""
    step = n.step
    edges, left = largest(n.incoming, lambda e: e.gradient)
    rows: list[Row] = [("parameter", "gradient", "", "old", "new", "")] if is_plain(step) else []
    for e in edges:
        how = "" if step.is_batch else f"δ · y[{name(e.source)}] = {known(n.delta)} · {known(e.y)}"
        rows += _updated(step, ParameterRef("weights", e.position), how)
    bias = ParameterRef("biases", n.id)
    rows += _updated(step, bias, "") if step.is_batch else _updated(step, bias, "δ · 1", known)
    if n.function.code == PRELU:
        how = "" if step.is_batch else f"∂L/∂y · min(z, 0) = {known(n.error)} · {known(min(n.z, 0.0))}"
        rows += _updated(step, ParameterRef("slopes", n.id), how)
    many = f"the {len(edges)} weights with the largest gradients; {len(left)} more were updated too"
    return Section(update_heading(step), tuple(rows), (*([many] if left else []), _ABOUT_OLD))


def _updated(step: StepResult, ref: ParameterRef, how: str, written: Callable[[float], str] = answer) -> list[Row]:
    """A row for a plain update, else one for each formula; ``how`` the gradient came about, and whether it is news."""
    parameter = ParameterUpdate(step, ref)
    digits = distinguishing_digits(parameter.old, parameter.new)
    old, new = given(parameter.old, digits), answer(parameter.new, digits, _wrong_steps(parameter, step))
    if is_plain(step):
        own_rate = "" if parameter.factor == 1.0 else f"μ here: {given(parameter.rate)}"
        remark = _FROZEN if parameter.frozen else own_rate
        return [(parameter.label, how, f"= {written(parameter.gradient)}", old, new, remark)]
    first: Row = (parameter.label, f"gradient {how}".rstrip(), "", "=", written(parameter.gradient))
    between = [("", *row) for row in _recipe(step, parameter)]
    return [first, ("", "old", "", "=", old), *between, *_unless_given(between, ("", "new", "", "=", new))]


def _unless_given(rows: list[Row], row: Row) -> list[Row]:
    """The row of the new value, unless a formula has given it just now."""
    return [] if rows[-1][-1] == row[-1] else [row]


def _recipe(step: StepResult, p: ParameterUpdate) -> list[Row]:
    """Rows (formula, its numbers, "=", value) from the gradient to the new value."""
    if p.frozen:
        return [(_FROZEN,)]
    rows: list[Row] = [("μ here", f"{given(step.learning_rate)} · {given(p.factor)}", "=", answer(p.rate))]
    if p.factor == 1.0 or isinstance(step.rule, Rprop):
        rows = []
    g, w = p.gradient, p.old
    if step.clip_factor != 1.0:
        g, before = g * step.clip_factor, g
        rows.append(
            ("g: the whole gradient was scaled", f"{known(before)} · {given(step.clip_factor)}", "=", answer(g))
        )
    if step.clip_value is not None and abs(g) > step.clip_value:
        g, before = math.copysign(step.clip_value, g), g
        rows.append((f"g: cut at ± {given(step.clip_value)}", known(before), "=", answer(g)))
    if step.weight_decay and p.ref.array == "weights":
        if isinstance(step.rule, AdamW):
            w = p.old * (1.0 - p.rate * step.weight_decay)
            numbers = f"{given(p.old)} · (1 − {given(p.rate)} · {given(step.weight_decay)})"
            rows.append(("w: shrunk, w · (1 − μ · λ)", numbers, "=", answer(w)))
        else:
            g, before = g + step.weight_decay * w, g
            rows.append(("g: g + λ · w", f"{known(before)} + {given(step.weight_decay)} · {given(w)}", "=", answer(g)))
    return [*rows, *_moves(step, p, w, g)]


def _moves(step: StepResult, p: ParameterUpdate, w: float, g: float) -> Iterator[Row]:
    """The optimiser's own formulas, for a gradient clipped and decayed."""
    rule, rate = step.rule, given(p.rate)
    if isinstance(rule, (Momentum, Nesterov)):
        v_old, v = p.state[0], p.state_after[0]
        beta = given(rule.momentum)
        yield "v := β · v − μ · g", f"{beta} · {given(v_old)} − {rate} · {known(g)}", "=", answer(v)
        if isinstance(rule, Nesterov):
            yield "w := w + β · v − μ · g", f"{given(w)} + {beta} · {known(v)} − {rate} · {known(g)}", "=", _new(p)
        else:
            yield "w := w + v", f"{given(w)} + {known(v)}", "=", _new(p)
    elif isinstance(rule, RMSprop):
        s_old, s = p.state[0], p.state_after[0]
        alpha, rest = given(rule.alpha), given(1.0 - rule.alpha, 3)
        yield "s := α · s + (1 − α) · g²", f"{alpha} · {given(s_old)} + {rest} · {known(g)}²", "=", answer(s)
        numbers = f"{given(w)} − {rate} · {known(g)} / (√{known(s)} + {given(rule.eps)})"
        yield "w := w − μ · g / (√s + ε)", numbers, "=", _new(p)
    elif isinstance(rule, Adam):
        yield from _adam(step, rule, p, w, g)
    elif isinstance(rule, Rprop):
        yield from _rprop(rule, p, w, g)
    else:
        yield "w := w − μ · g", f"{known(w)} − {rate} · {known(g)}", "=", _new(p)


def _adam(step: StepResult, rule: Adam, p: ParameterUpdate, w: float, g: float) -> Iterator[Row]:
    (m_old, s_old), (m, s) = p.state, p.state_after
    rest1, rest2 = given(1.0 - rule.beta1), given(1.0 - rule.beta2)
    m_hat, s_hat = m / (1.0 - step.powers[0]), s / (1.0 - step.powers[1])
    moved = f"{given(m_old)} + {rest1} · ({known(g)} − {given(m_old)})"
    yield "m := m + (1 − β₁) · (g − m)", moved, "=", answer(m)
    yield (
        "s := β₂ · s + (1 − β₂) · g²",
        f"{given(rule.beta2)} · {given(s_old)} + {rest2} · {known(g)}²",
        "=",
        answer(s),
    )
    yield "m_hat = m / (1 − β₁ᵗ)", f"{known(m)} / (1 − {given(step.powers[0])})", "=", answer(m_hat)
    yield "s_hat = s / (1 − β₂ᵗ)", f"{known(s)} / (1 − {given(step.powers[1])})", "=", answer(s_hat)
    numbers = f"{known(w)} − {given(p.rate)} · {known(m_hat)} / (√{known(s_hat)} + {given(rule.eps)})"
    yield "w := w − μ · m_hat / (√s_hat + ε)", numbers, "=", _new(p)


def _rprop(rule: Rprop, p: ParameterUpdate, w: float, g: float) -> Iterator[Row]:
    if p.rate == 0.0:
        yield ("a rate of 0: left alone",)
        return
    (g_old, size), (_, size_after) = p.state, p.state_after
    product = g * g_old
    turn, factor = "there is none to compare", 1.0
    if product > 0.0:
        turn, factor = "stays", rule.eta_plus
    elif product < 0.0:
        turn, factor = "turns: this step is left out", rule.eta_minus
    yield f"sign of g against the last g: {turn}", f"{known(g)} · {given(g_old)}", "=", answer(product)
    yield "size of the step", f"{given(size)} · {given(factor)}", "=", answer(size * factor)
    if not rule.step_min <= size * factor <= rule.step_max:
        yield "size, kept within its bounds", "", "=", answer(size_after)
    if product >= 0.0 and g != 0.0:
        sign = "−" if g > 0.0 else "+"
        yield f"w := w {sign} size", f"{given(w)} {sign} {known(size_after)}", "=", _new(p)


def _new(p: ParameterUpdate) -> str:
    return answer(p.new, distinguishing_digits(p.old, p.new))
