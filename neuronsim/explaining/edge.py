"""An edge in one step: what it carried forwards and backwards, its gradient, its update."""

import numpy as np

from neuronsim.documents.explanation import Explanation
from neuronsim.documents.notation import answer, given, name
from neuronsim.documents.section import Section
from neuronsim.explaining.batch import batch_update, reduction, shares
from neuronsim.explaining.recipes import ParameterUpdate, one_update
from neuronsim.explaining.step import which
from neuronsim.graph.parameters import ParameterRef
from neuronsim.tracing.neurons import StepEdge


def edge(e: StepEdge) -> Explanation:
    """What the edge carried forwards and backwards, its gradient, and its weight before and after."""
    a, b, step = name(e.sink), name(e.source), e.step
    title = f"edge {b} → {a} in {which(step)}"
    parameter = ParameterUpdate(step, ParameterRef("weights", e.position))
    if step.is_batch:
        headers = ("row of X", f"δ[{a}]", f"y[{b}]", "δ · y", "share")
        heading = f"shares of the samples in ∂L/∂{parameter.label}: δ · y of each"
        each = shares(heading, headers, [np.asarray(e.delta), np.asarray(e.y)], e.gradients, step, answer)
        whole = reduction("δ · y", parameter, step, e.gradients)
        return Explanation(title, (each, whole, one_update(parameter, step)))
    forward = Section(
        "forward: what it adds to the net input of its sink",
        ((f"{parameter.label} · y[{b}]", f"{given(e.weight)} · {given(e.y)}", "=", answer(e.weight * e.y)),),
        ("w: the weight before this step's update",),
    )
    backward = Section(
        f"backward: what it adds to ∂L/∂y[{b}]",
        ((f"w_old[{b}→{a}] · δ[{a}]", f"{given(e.weight)} · {given(e.delta)}", "=", answer(e.weight * e.delta)),),
        ("w_old: the weight before this step's update",),
    )
    gradient = Section(
        "gradient: ∂L/∂w = δ of the sink · y of the source",
        ((f"δ[{a}] · y[{b}]", f"{given(e.delta)} · {given(e.y)}", "=", answer(float(e.gradients[0]))),),
    )
    update = one_update(parameter, step) if step.batch is None else batch_update(step)
    return Explanation(title, (forward, backward, gradient, update))
