"""A whole step in one document: forward, the loss, backward, updates, neuron by neuron."""

from dataclasses import replace
from typing import Any

from neuronsim.documents import notation
from neuronsim.documents.explanation import Explanation
from neuronsim.documents.notation import Mark, name
from neuronsim.documents.section import Section
from neuronsim.errors import SettingError
from neuronsim.explaining.neuron import activation, backward, forward, neuron
from neuronsim.explaining.recipes import updates
from neuronsim.explaining.step import loss, which
from neuronsim.graph import names
from neuronsim.tracing.neurons import StepNeuron
from neuronsim.tracing.result import StepResult

#: More neurons than this make no document that anybody reads.
_MOST_NEURONS = 60


def is_pattern(what: Any) -> bool:
    """Whether it names several neurons."""
    return isinstance(what, str) and names.is_pattern(what)


def whole(step: StepResult, pattern: str) -> Explanation:
    """All of a step that concerns the neurons of a pattern.

    Of one sample in the order of computing: forward, loss, backward, updates. Of a batch neuron by neuron.
    """
    chosen = set(step.graph.ids(pattern).tolist())
    order = [a for a in step.graph.plan().order.tolist() if a in chosen and not step.graph.is_input[a]]
    if len(order) > _MOST_NEURONS:
        raise SettingError(
            f"{pattern!r} names {len(order):,} neurons; a document holds up to {_MOST_NEURONS}: give a narrower pattern"
        )
    neurons = [StepNeuron(step, a) for a in order]
    title = f"the whole of {which(step)}" if pattern == "*" else f"{pattern} in {which(step)}"
    if step.is_batch or step.batch is not None:
        sections = [*loss(step).sections]
        for n in neurons:
            sections += [_of(n, section) for section in neuron(n).sections]
        return Explanation(title, tuple(sections))
    sections = [_of(n, part(n)) for n in neurons for part in (forward, activation)]
    sections += loss(step).sections
    sections += [_of(n, backward(n)) for n in reversed(neurons)]
    sections += [_of(n, updates(n)) for n in neurons]
    return Explanation(title, tuple(_not_asked_twice(sections)))


def _of(n: StepNeuron, section: Section) -> Section:
    """A section of a neuron under its name; in which order sums are rounded is left to `neuron`."""
    remarks = tuple(remark for remark in section.remarks if not remark.startswith("order: "))
    return replace(section, heading=f"{name(n.name)}: {section.heading}", remarks=remarks)


def _not_asked_twice(sections: list[Section]) -> list[Section]:
    """The sections, with a number that was worked out before as known: ∂L/∂y stands at the loss, and at its output."""
    answers: set[str] = set()

    def once(mark: Mark) -> str:
        if mark.kind == "answer" and mark.content in answers:
            return notation.known(mark.value)
        answers.update([mark.content] if mark.kind == "answer" else [])
        return notation.written_again(mark)

    return [section.marked(once) for section in sections]
