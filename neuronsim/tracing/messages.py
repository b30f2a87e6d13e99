"""The messages of one neuron in one step: what it received and sent, forwards and backwards (L3)."""

from collections.abc import Sequence
from dataclasses import dataclass

from neuronsim.documents.explanation import Explained, Explanation
from neuronsim.documents.notation import answer, given, name
from neuronsim.documents.section import Section
from neuronsim.documents.terms import largest
from neuronsim.formulas.losses import total


@dataclass(frozen=True)
class Message:
    """What travels along one edge.

    Attributes
    ----------
    neuron : str
        At the other end.
    signal : float
        y forwards, δ backwards.
    weight : float
        The weight it met, before the update.
    product : float
        What arrives: weight · signal.
    """

    neuron: str
    signal: float
    weight: float
    product: float


@dataclass(frozen=True)
class Messages(Explained):
    """All messages of one neuron in one step (L3). All weights are those before the update.

    Attributes
    ----------
    neuron : str
        Its name.
    received : tuple of Message
        y of each source, and w·y as it adds to z.
    sent : tuple of Message
        Its own y to each sink, and w·y as it adds there.
    errors_received : tuple of Message
        δ of each sink, and w·δ as it adds to the aggregated error.
    errors_sent : tuple of Message
        Its own δ to each source, and w·δ as it adds there.
    own : float or None
        The part of δ that the loss itself puts on an output.
    """

    neuron: str
    received: tuple[Message, ...]
    sent: tuple[Message, ...]
    errors_received: tuple[Message, ...]
    errors_sent: tuple[Message, ...]
    own: float | None

    def _explanation(self) -> Explanation:
        sections = [
            _section("received: y of each source", "from", "y", self.received),
            _section("sent: y to each sink", "to", "y", self.sent),
            _section(
                "received back: δ of each sink, with the weight before the update", "from", "δ", self.errors_received
            ),
            _section("sent back: δ to each source, with the weight before the update", "to", "δ", self.errors_sent),
        ]
        if self.own is not None:
            sections.append(Section("from the loss itself", (("own part of δ", "=", given(self.own)),)))
        return Explanation(f"messages of {name(self.neuron)}", tuple(sections))


def largest_messages(messages: Sequence[Message]) -> tuple[Sequence[Message], tuple[str, ...]]:
    """All of them, or the largest few, and a remark on what the others come to."""
    shown, others = largest(messages, lambda m: m.product)
    if not others:
        return shown, ()
    remark = (
        f"the {len(shown)} largest of {len(messages)} terms; the other {len(others)} add up to "
        f"{given(total(m.product for m in others))}, the largest of them is {given(others[0].product)}"
    )
    return shown, (remark,)


def _section(heading: str, direction: str, symbol: str, messages: Sequence[Message]) -> Section:
    shown, remark = largest_messages(messages)
    rows = tuple(
        (direction, name(m.neuron), f"{symbol} = {given(m.signal)}", f"w = {given(m.weight)}",
         f"w·{symbol} = {answer(m.product)}")
        for m in shown
    )  # fmt: skip
    return Section(heading, rows or (("none",),), remark)
