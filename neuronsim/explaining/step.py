"""What is said of a whole step: which one it is, and its loss."""

from neuronsim.documents.explanation import Explanation
from neuronsim.documents.notation import answer, given, known, name
from neuronsim.documents.section import Row, Section
from neuronsim.documents.terms import MOST_TERMS
from neuronsim.explaining.batch import shares
from neuronsim.tracing.neurons import StepNeuron
from neuronsim.tracing.result import StepResult


def loss(step: StepResult) -> Explanation:
    """The loss, output by output; of a batch sample by sample."""
    title = f"the loss in {which(step)}"
    heading = f"{step.loss_function.name} = {answer(step.loss)}"
    if step.is_batch:
        heading += f", the {step.reduction} over the samples"
        return Explanation(title, (shares(heading, ("row of X", "loss", "share"), [], step.losses, step),))
    rows: list[Row] = [("output", "y", "t", "y − t", "∂L/∂y")]
    outputs = [(StepNeuron(step, o), t) for o, t in step.wanted.items()]
    for n, t in outputs[:MOST_TERMS]:
        rows.append((name(n.name), known(n.y), given(t), answer(n.y - t), answer(n.own_error or 0.0)))
    left = len(outputs) - MOST_TERMS
    remarks = (f"and {left} more outputs",) if left > 0 else ()
    return Explanation(title, (Section(heading, tuple(rows), remarks),))


def which(step: StepResult) -> str:
    """``step 7``, with its epoch, and which samples it used."""
    if step.batch is not None:
        row = "" if step.samples is None else f", row {step.samples[0]} of X"
        return f"step {step.number} (a sample of its batch{row})"
    if step.is_batch:
        epoch = "" if step.epoch is None else f"epoch {step.epoch}, "
        return f"step {step.number} ({epoch}a batch of {len(step)})"
    if step.epoch is None or step.samples is None:
        return f"step {step.number}"
    return f"step {step.number} (epoch {step.epoch}, row {step.samples[0]} of X)"
