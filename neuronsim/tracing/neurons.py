"""A neuron and an edge as they were in one step."""

from functools import cached_property
from typing import Any

import numpy as np

from neuronsim.basics.arrays import Reals
from neuronsim.formulas import activations
from neuronsim.formulas.activations import Activation
from neuronsim.formulas.losses import total
from neuronsim.tracing.messages import Message, Messages
from neuronsim.tracing.result import StepResult


def _value(array: str, doc: str) -> Any:
    """Make a property of a neuron or an edge: its value in an array of the step, of a batch's signals its values."""

    def value(self: "StepNeuron | StepEdge") -> Any:
        values = getattr(self.step, array)
        at = self.position if isinstance(self, StepEdge) else self.id
        return values[:, at] if values.ndim == 2 else float(values[at])

    return property(value, doc=doc)


class StepNeuron:
    """A neuron as it was in one step; ``bias`` is that before the update, ``bias_after`` after it.

    Of a batch, ``z``, ``y`` and ``delta`` are arrays (n_samples,), gradients are reduced, and what can only be said of
    one sample refuses.
    """

    z: Any = _value("z", "Its net input b + Σ w·y; an input's is x.")
    y: Any = _value("y", "Its output f(z).")
    delta: Any = _value("delta", "Its error signal δ = ∂L/∂z; an input's is ∂L/∂x.")
    bias: float = _value("biases", "b before the update.")
    bias_after: float = _value("biases_after", "b after the update.")
    bias_gradient: float = _value("bias_gradients", "∂L/∂b = δ · 1, of a batch reduced; 0 of an input.")
    slope: float = _value("slopes", "The prelu slope before the update.")
    slope_after: float = _value("slopes_after", "The prelu slope after the update.")
    slope_gradient: float = _value(
        "slope_gradients", "∂L/∂slope = ∂L/∂y · min(z, 0), of a batch reduced; 0 for every neuron that is not prelu."
    )
    b, gradient = bias, bias_gradient

    def __init__(self, step: StepResult, neuron: int) -> None:
        self.step = step
        self.id = neuron

    @property
    def name(self) -> str:
        """Its name."""
        return self.step.graph.name(self.id)

    @property
    def function(self) -> Activation:
        """Its activation: name, f and f'."""
        return activations.by_code(int(self.step.graph.activation_codes[self.id]))

    @property
    def activation(self) -> str:
        """The name of its activation; an input has identity."""
        return self.function.name

    @property
    def is_input(self) -> bool:
        """Whether it is an input."""
        return bool(self.step.graph.is_input[self.id])

    @property
    def is_output(self) -> bool:
        """Whether it is an output."""
        return bool((self.step.graph.outputs == self.id).any())

    @property
    def db(self) -> float:
        """b after the update - b before it."""
        return float(self.step.biases_after[self.id] - self.step.biases[self.id])

    @property
    def gradients(self) -> Reals:
        """δ · 1 of each sample, shape (n_samples,)."""
        return np.atleast_1d(self.step.delta[..., self.id])

    @property
    def derivative(self) -> float | None:
        """f'(z); None for softmax, which is one group; 1 for an input."""
        self.step.one()
        if self.is_input:
            return 1.0
        derivative = self.function.derivative
        return None if derivative is None else derivative(self.z, self.slope)

    @property
    def aggregated(self) -> float:
        """Σ w·δ over the sinks, with the weights before the update."""
        return total(message.product for message in self.messages.errors_received)

    @property
    def own_error(self) -> float | None:
        """∂L/∂y as the loss itself puts it on an output; None for others."""
        return self.step.own_errors.get(self.id)

    @property
    def error(self) -> float:
        """∂L/∂y: the loss's own part plus the aggregated one."""
        return (self.own_error or 0.0) + self.aggregated

    @property
    def fused(self) -> bool:
        """Whether the loss's own δ is y - t in one piece instead of ∂L/∂y · f'."""
        return self.is_output and not self.is_input and self.activation == self.step.loss_function.fused

    @property
    def own_delta(self) -> float | None:
        """The part of δ that the loss itself puts on an output; None for others."""
        return self.step.own_deltas[self.id] if self.id in self.step.wanted else None

    @property
    def sources(self) -> list[str]:
        """Names of the neurons it listens to, by id."""
        return [message.neuron for message in self.messages.received]

    @property
    def sinks(self) -> list[str]:
        """Names of the neurons that listen to it, by id."""
        return [message.neuron for message in self.messages.sent]

    @property
    def incoming(self) -> "list[StepEdge]":
        """Its incoming edges, by source id."""
        row_start = self.step.graph.row_start
        return [StepEdge(self.step, e) for e in range(row_start[self.id], row_start[self.id + 1])]

    @property
    def outgoing(self) -> "list[StepEdge]":
        """Its outgoing edges, by sink id."""
        return [StepEdge(self.step, int(e)) for e in np.flatnonzero(self.step.graph.sources == self.id)]

    @cached_property
    def messages(self) -> Messages:
        """What it received and sent, forwards and backwards (L3)."""
        self.step.one()
        incoming, outgoing = self.incoming, self.outgoing
        return Messages(
            self.name,
            received=tuple(_message(e.source, e.y, e.weight) for e in incoming),
            sent=tuple(_message(e.sink, self.y, e.weight) for e in outgoing),
            errors_received=tuple(_message(e.sink, e.delta, e.weight) for e in outgoing),
            errors_sent=tuple(_message(e.source, self.delta, e.weight) for e in incoming),
            own=self.own_delta,
        )

    def __repr__(self) -> str:
        kind = "input" if self.is_input else self.activation
        values = f"z = {_text(self.z)}, y = {_text(self.y)}, delta = {_text(self.delta)}"
        return f"<neuron {self.name!r} in step {self.step.number}, {kind}: {values}>"


class StepEdge:
    """An edge as it was in one step; ``weight`` is that before the update, ``weight_after`` after it."""

    weight: float = _value("weights", "w before the update, which the forward and the backward sum used.")
    weight_after: float = _value("weights_after", "w after the update.")
    w = weight

    def __init__(self, step: StepResult, position: int) -> None:
        self.step = step
        self.position = position

    @property
    def source_id(self) -> int:
        """The id of the neuron it comes from."""
        return int(self.step.graph.sources[self.position])

    @property
    def sink_id(self) -> int:
        """The id of the neuron it leads to."""
        return self.step.graph.sink(self.position)

    @property
    def source(self) -> str:
        """The name of the neuron it comes from."""
        return self.step.graph.name(self.source_id)

    @property
    def sink(self) -> str:
        """The name of the neuron it leads to."""
        return self.step.graph.name(self.sink_id)

    @property
    def dw(self) -> float:
        """w after the update - w before it."""
        return float(self.step.weights_after[self.position] - self.step.weights[self.position])

    @property
    def y(self) -> Any:
        """y of its source."""
        return StepNeuron(self.step, self.source_id).y

    @property
    def delta(self) -> Any:
        """δ of its sink."""
        return StepNeuron(self.step, self.sink_id).delta

    @property
    def gradient(self) -> float:
        """∂L/∂w = δ of the sink · y of the source, of a batch reduced."""
        return float(self.step.weight_gradients[self.position] if self.step.is_batch else self.gradients[0])

    @property
    def gradients(self) -> Reals:
        """δ of the sink · y of the source in each sample, shape (n_samples,)."""
        step = self.step
        with np.errstate(all="ignore"):
            return np.atleast_1d(step.delta[..., self.sink_id] * step.y[..., self.source_id])

    def __repr__(self) -> str:
        values = f"w = {self.weight:.9g}, gradient = {self.gradient:.9g}, dw = {self.dw:.9g}"
        return f"<edge {self.source!r} → {self.sink!r} in step {self.step.number}: {values}>"


def _message(neuron: str, signal: float, weight: float) -> Message:
    return Message(neuron, signal, weight, weight * signal)


def _text(values: Any) -> str:
    return f"{len(values)} values" if isinstance(values, np.ndarray) else f"{values:.9g}"
