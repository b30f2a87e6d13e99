"""Explanations of all optimisers' steps: printed formulas are worked out."""

import math
import re

import pytest
from explained import OPTIMIZERS, step_of
from nets import T222, X222, net_222

from neuronsim.documents import notation
from neuronsim.documents.explanation import Explanation
from neuronsim.formulas.activations import ACTIVATIONS

# What may stand before an = and be no formula of numbers: the name of what is printed, a sum of the rows above, f'.
WORDS = re.compile(
    r"b|z|δ|gradient|old|new|= x|(gradient )?δ · 1|([wb]|slope)\[.+\]|Σ [wδ].*|f'\(.+\)|size, kept within its bounds"
)
FUNCTIONS = {name: a.function for name, a in ACTIVATIONS.items()} | {"math": math}


def worked_out(text: str) -> float | None:
    """The value of a printed product, formula or call; None of what is words."""
    if WORDS.fullmatch(text):
        return None
    if both := re.fullmatch(r"y = (\S+), t = (\S+)", text):  # ∂L/∂y of half_squared_error
        return float(both[1]) - float(both[2])
    expression = re.sub(r"^[^\d=]*\S* = ", "", text).replace("·", "*").replace("²", "**2").replace("÷", "/")
    expression = re.sub(r"√([\d.e+-]+)", r"math.sqrt(\1)", expression)
    return float(eval(expression, FUNCTIONS))


def formulas(explanation: Explanation) -> list[tuple[str, float, float]]:
    """What, worked out from its printed numbers, and printed, with all digits."""
    found = []
    for section in explanation.sections:
        for row in section.rows:
            cells = [notation.text(cell, 17).replace("−", "-") for cell in row]
            if "=" not in cells:
                cells = [part for cell in cells for part in re.split(r"(?<= )(=)(?= )|^(=)(?= )", cell) if part]
            cells = [cell.strip() for cell in cells if cell.strip()]
            for before, sign, after in zip(cells, cells[1:], cells[2:], strict=False):
                if sign == "=" and re.fullmatch(r"-?[\d.]+(e[-+]\d+)?|-?inf|nan", after):
                    value = worked_out(before)
                    if value is not None:
                        if cut := re.search(r"cut at ± (\S+)", cells[0]):
                            value = min(max(value, -float(cut[1])), float(cut[1]))
                        found.append((f"{section.heading}: {cells}", value, float(after)))
    return found


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("batch_size", [1, 7])
@pytest.mark.parametrize(
    "options", [{}, {"weight_decay": 0.02}, {"clip_norm": 0.05, "clip_value": 0.01, "weight_decay": 0.01}]
)
def test_every_printed_formula_comes_out(optimizer, batch_size, options):
    """The numbers in a row make the number behind its =, and the last one is what the kernel has written."""
    step = step_of(optimizer, batch_size, **options)
    for what in [(), *((n,) for n in step.graph.name_list(range(step.graph.n_neurons))), ("p", "m"), ("x0", "o1")]:
        for explanation in (step.explain(*what), step.sample(0).explain(*what)):
            for row, worked, printed in formulas(explanation):
                assert worked == pytest.approx(printed, rel=1e-9, abs=1e-15), row
    edge = step["p", "m"]
    text = str(step.explain("p", "m"))
    if optimizer == "sgd" and not options:
        assert re.search(rf"change +{re.escape(notation.number(edge.dw))} +=", text)
    elif "this step is left out" in text:
        assert edge.dw == 0.0
    else:
        _, worked, printed = formulas(step.explain("p", "m"))[-1]
        assert printed == edge.weight_after
        assert worked == pytest.approx(edge.weight_after, rel=1e-12)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_float32_steps_come_out_to_float32(optimizer):
    step = step_of(optimizer, 7, "float32", weight_decay=0.01)
    for row, worked, printed in formulas(step.explain("o1")):
        assert worked == pytest.approx(printed, rel=1e-4, abs=1e-6), row


def test_rates_and_frozen_edges():
    net = net_222()
    net.scale_rate(("i1", "h1"), 0.1)
    net.freeze(edges=[("i2", "h1")])
    step = net.step(X222, T222, learning_rate=0.5)
    assert "μ here: 0.05" in str(step.explain("h1"))
    assert "frozen: left alone" in str(step.explain("i2", "h1"))
