"""The lectures' equations in plain Python, neuron by neuron: the oracle of the compiled kernels.

Every neuron is a module that takes messages in, processes them and passes messages on (L3). A neuron A that
listens to B, C, ... and sends to P, Q, ... computes

    z_A = b_A + Σ_B w_BA · y_B          forward aggregation
    y_A = f_A(z_A)                      its own activation (L1)
    δ_A = (Σ_P w_AP · δ_P) · f'_A(z_A)  backward aggregation; an output adds the loss's own part
    Δw_BA = δ_A · y_B,  Δb_A = δ_A      the gradients
    w_BA := w_BA - μ · Δw_BA            only after every δ is known: they all use the old weights

Networks with memory, whose samples are sequences: `neuronsim.formulas.through_time`. It is slow, and meant to be read.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from neuronsim.errors import DataError, WiringError
from neuronsim.formulas import losses
from neuronsim.formulas.activations import prelu_slope_derivative
from neuronsim.formulas.losses import Loss, total
from neuronsim.formulas.neurons import Neuron, NeuronNetwork, Parameter, Values, bias_of, slope_of, weight_of


@dataclass
class Signals:
    """All messages of one sample, by neuron; its loss."""

    z: Values  # net input; an input has z = y = x
    y: Values  # output
    error: Values  # ∂L/∂y, of an input ∂L/∂x
    delta: Values  # δ = ∂L/∂z, of an input ∂L/∂x
    loss: float


class ReferenceNetwork(NeuronNetwork):
    """A network of neurons, wired in any way that has no cycle; `NeuronNetwork` says what it is made of.

    Raises
    ------
    WiringError
        If an edge is delayed or a neuron leaks: samples are sequences then, which `SequenceNetwork` takes.

    Examples
    --------
    >>> net = ReferenceNetwork(["x"], {"y": Neuron({"x": 2.0}, "identity", bias=1.0)}, ["y"])
    >>> net.predict([3.0])
    [7.0]
    """

    def __init__(
        self, inputs: Iterable[Any], neurons: Mapping[Any, Neuron], outputs: Iterable[Any], **marks: Any
    ) -> None:
        super().__init__(inputs, neurons, outputs, **marks)
        if any(n.delayed or n.leak is not None for n in self.neurons.values()):
            raise WiringError("the network has memory; neuronsim.formulas.through_time.SequenceNetwork runs sequences")

    # ------------------------------------------------------------------ forward

    def forward(self, x: Sequence[float]) -> tuple[Values, Values]:
        """z and y of every neuron for one sample; an input passes x on."""
        if len(x) != len(self.inputs):
            raise DataError(f"x has {len(x)} values, the network has {len(self.inputs)} inputs")
        z = {i: float(v) for i, v in zip(self.inputs, x, strict=True)}
        y = dict(z)
        for a in self.order:
            neuron = self.neurons[a]
            z[a] = total((w * y[b] for b, w in neuron.weights.items()), start=neuron.bias)
            if neuron.f.function is not None:
                y[a] = neuron.f.function(z[a], neuron.slope)
        if self.softmax_group:
            y.update(zip(self.softmax_group, losses.softmax([z[o] for o in self.softmax_group]), strict=True))
        return z, y

    def predict(self, x: Sequence[float]) -> list[float]:
        """y of the outputs for one sample."""
        _, y = self.forward(x)
        return [y[o] for o in self.outputs]

    # ------------------------------------------------------------------ backward

    def backward(self, z: Values, y: Values, t: Sequence[float], loss: Loss) -> tuple[Values, Values]:
        """δ and ∂L/∂y of every neuron for one sample, from the sinks to the sources.

        Of an input both are ∂L/∂x.
        """
        own_delta = self.own_delta(z, y, t, loss)
        own_error = self.own_error(y, t, loss)
        delta: Values = {}
        error: Values = {}
        for a in [*reversed(self.order), *self.inputs]:
            aggregated = total(self.neurons[p].weights[a] * delta[p] for p in self.sinks[a])
            error[a] = own_error.get(a, 0.0) + aggregated
            delta[a] = own_delta.get(a, 0.0)
            if self.sinks[a]:
                delta[a] += aggregated * self.derivative(a, z)
        return delta, error

    def signals(self, x: Sequence[float], t: float | Sequence[float], loss: str | Loss | None = None) -> Signals:
        """Forward, loss and backward of one sample."""
        the_loss = self.loss_named(loss)
        desired = self.targets(t)
        z, y = self.forward(x)
        delta, error = self.backward(z, y, desired, the_loss)
        return Signals(z, y, error, delta, self.loss_value(z, y, desired, the_loss))

    # ------------------------------------------------------------------ gradients

    def losses_of(self, s: Signals) -> list[float]:
        """A sample counts once."""
        return [s.loss]

    def sample_gradients(self, s: Signals) -> dict[Parameter, float]:
        """Δw_BA = δ_A · y_B, Δb_A = δ_A · 1, and for a prelu Δslope_A = ∂L/∂y_A · min(z_A, 0)."""
        gradients: dict[Parameter, float] = {}
        for a, neuron in self.neurons.items():
            for b in neuron.weights:
                gradients[weight_of(b, a)] = s.delta[a] * s.y[b]
            gradients[bias_of(a)] = s.delta[a]
            if neuron.activation == "prelu":
                gradients[slope_of(a)] = s.error[a] * prelu_slope_derivative(s.z[a])
        return gradients
