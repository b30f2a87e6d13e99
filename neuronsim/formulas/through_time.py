"""The lectures' equations through time, in plain Python: networks with memory, whose samples are sequences.

An edge B → A of delay d brings A what B said d steps ago. Within a step neurons go in the order of the edges without
delay, as in `neuronsim.formulas.reference`. Neuron A at time t = 0 … T − 1:

    z_A(t) = b_A + Σ_B,d w_BAd · y_B(t−d)                  y(t < 0) is the initial state
    no leak              y_A(t) = f(z_A(t))
    leak of the output   y_A(t) = (1−α)·y_A(t−1) + α·f(z_A(t))
    leak of the potential  v_A(t) = (1−α)·v_A(t−1) + α·z_A(t),  y_A(t) = f(v_A(t))

    A_A(t) = Σ_P,d w_APd · δ_P(t+d) + ∂L/∂y_A(t)           those who hear A later, those who hear it at once, the loss
    no leak              δ_A(t) = A_A(t) · f'(z_A(t))
    leak of the output   λ_A(t) = A_A(t) + (1−α)·λ_A(t+1),              δ_A(t) = α · λ_A(t) · f'(z_A(t))
    leak of the potential  μ_A(t) = A_A(t)·f'(v_A(t)) + (1−α)·μ_A(t+1),  δ_A(t) = α · μ_A(t)

    Δw_BAd = Σ_t δ_A(t) · y_B(t−d),  Δb_A = Σ_t δ_A(t)
    Δα_A = Σ_t λ_A(t) · (f(z_A(t)) − y_A(t−1)),  of the potential Σ_t μ_A(t) · (z_A(t) − v_A(t−1))
    Δy0_B = Σ w_BAd · δ_A(t) over t < d,  and (1−α)·λ_B(0) where its output leaks
    Δv0_B = f'(v0) · the same sum + (1−α)·μ_B(0)

A sequence of one step without memory is a sample of `reference.py`, bit for bit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, NamedTuple

from neuronsim.errors import DataError
from neuronsim.formulas import losses
from neuronsim.formulas.activations import prelu_slope_derivative
from neuronsim.formulas.losses import Loss, total
from neuronsim.formulas.neurons import (
    NeuronNetwork,
    Parameter,
    Values,
    bias_of,
    initial_of,
    leak_of,
    slope_of,
    weight_of,
)


class Weighted(NamedTuple):
    """A target that counts with a weight m(t)."""

    target: Any
    weight: float


@dataclass
class Instant:
    """All messages of one step, by neuron."""

    z: Values  # net input; an input has z = v = y = x
    v: Values  # what f is applied to: z, or the potential that leaks
    y: Values  # output
    said: Values  # what delayed edges carry: y, or with teacher forcing part of it the target
    error: Values = field(default_factory=dict)  # ∂L/∂y without what the neuron itself keeps
    kept: Values = field(default_factory=dict)  # λ where the output leaks, μ where the potential does
    delta: Values = field(default_factory=dict)  # δ = ∂L/∂z, of an input ∂L/∂x


@dataclass
class SequenceSignals:
    """What a sequence went through, step by step."""

    past: Sequence[Instant]  # what came before, which δ does not reach; empty: the initial state
    steps: list[Instant]  # those that δ reaches
    losses: list[float]  # of the steps that have a target

    @property
    def loss(self) -> float:
        """Of the whole sequence."""
        return total(self.losses)


class SequenceNetwork(NeuronNetwork):
    """A network of neurons in which edges may take time and neurons may leak; `NeuronNetwork` says what it is made of.

    A sample is a sequence: x has a list of inputs for each step, t a target, as `targets` takes it, or None where there
    is none, or one `Weighted`. "mean" divides by the number of targets.

    Examples
    --------
    >>> from neuronsim.formulas.neurons import Neuron
    >>> net = SequenceNetwork(["x"], {"y": Neuron({"x": 1.0}, "identity", delayed={("y", 1): 0.5})}, ["y"])
    >>> net.predict([[4.0], [-1.0], [0.0]])
    [[4.0], [1.0], [0.5]]
    """

    # ------------------------------------------------------------------ forward

    def forward(
        self,
        x: Sequence[Sequence[float]],
        before: Sequence[Instant] = (),
        desired: Sequence[Weighted | None] = (),
        forcing: float = 0.0,
    ) -> list[Instant]:
        """Each step of a sequence that goes on from those before; with forcing, outputs say p · t + (1−p) · y."""
        steps = list(before)
        for k, x_k in enumerate(x):
            here = self.instant(x_k, steps)
            wanted = desired[k] if forcing else None
            if wanted is not None:
                for o, t_o in zip(self.outputs, wanted.target, strict=True):
                    here.said[o] = forcing * t_o + (1.0 - forcing) * here.y[o]
            steps.append(here)
        return steps[len(before) :]

    def instant(self, x: Sequence[float], past: Sequence[Instant]) -> Instant:
        """z, v and y of every neuron for the step that follows the past."""
        if len(x) != len(self.inputs):
            raise DataError(f"x has {len(x)} values, the network has {len(self.inputs)} inputs")
        z = {i: float(value) for i, value in zip(self.inputs, x, strict=True)}
        v, y = dict(z), dict(z)
        for a in self.order:
            neuron, leak = self.neurons[a], self.leak_of(a)
            at_once = (w * y[b] for b, w in neuron.weights.items())
            earlier = (w * self.heard(b, past, d) for (b, d), w in neuron.delayed.items())
            z[a] = v[a] = total(chain(at_once, earlier), start=neuron.bias)
            if leak == "potential":
                v[a] = (1.0 - self.alpha(a)) * self.potential_before(a, past) + self.alpha(a) * z[a]
            if not self.is_a(a, "softmax"):
                y[a] = self.f(a, v[a])
            if leak == "output":
                y[a] = (1.0 - self.alpha(a)) * self.output_before(a, past) + self.alpha(a) * y[a]
        if self.softmax_group:
            y.update(zip(self.softmax_group, losses.softmax([z[o] for o in self.softmax_group]), strict=True))
        return Instant(z, v, y, dict(y))

    def heard(self, b: Any, past: Sequence[Instant], d: int) -> float:
        """What B said d steps before the step that follows the past."""
        return past[-d].said[b] if d <= len(past) else self.initial_output(b)

    def alpha(self, a: Any) -> float:
        """α_A, the part of what is new in a step; 1 where nothing leaks."""
        neuron = self.neurons.get(a)
        return 1.0 if neuron is None or neuron.leak is None else neuron.leak

    def initial_output(self, b: Any) -> float:
        """y_B(t < 0): the initial state, where the potential leaks f of it."""
        state = self.initial.get(b, 0.0)
        if self.leak_of(b) != "potential":
            return state
        return self.f(b, state)

    def f(self, a: Any, v: float) -> float:
        """f_A(v) of a neuron that is not softmax."""
        neuron = self.neurons[a]
        assert neuron.f.function is not None
        value: float = neuron.f.function(v, neuron.slope)
        return value

    def output_before(self, a: Any, past: Sequence[Instant]) -> float:
        """y_A(t−1)."""
        return past[-1].y[a] if past else self.initial.get(a, 0.0)

    def potential_before(self, a: Any, past: Sequence[Instant]) -> float:
        """v_A(t−1)."""
        return past[-1].v[a] if past else self.initial.get(a, 0.0)

    def predict(self, x: Sequence[Sequence[float]]) -> list[list[float]]:
        """y of the outputs at each step."""
        return [[here.y[o] for o in self.outputs] for here in self.forward(x)]

    # ------------------------------------------------------------------ backward

    def backward(
        self,
        steps: Sequence[Instant],
        desired: Sequence[Weighted | None],
        loss: Loss,
        forcing: float = 0.0,
        crosses: bool = True,
    ) -> None:
        """δ and ∂L/∂y of every neuron, from the last step to the first, and in each from the sinks to the sources.

        Without ``crosses`` no error goes back over a step: neither by a delay nor by a leak.
        """
        for k in reversed(range(len(steps))):
            here, wanted = steps[k], desired[k]
            own_delta, own_error = self.own_parts(here, wanted, loss)
            for a in [*reversed(self.order), *self.inputs]:
                later = ((d, p) for d, p in self.later_sinks[a] if crosses and k + d < len(steps))
                from_later = total(self.neurons[p].delayed[a, d] * steps[k + d].delta[p] for d, p in later)
                if wanted is not None and a in self.outputs:
                    from_later *= 1.0 - forcing
                at_once = (self.neurons[p].weights[a] * here.delta[p] for p in self.sinks[a])
                aggregated = total(at_once, start=from_later)
                here.error[a] = own_error.get(a, 0.0) + aggregated
                # ∂L/∂v: an output's own part, ∂ℓ/∂y · f', is in one piece where loss and activation are fused
                delta = own_delta.get(a, 0.0)
                if self.sinks[a] or self.later_sinks[a]:
                    delta += aggregated * self.derivative(a, here.v)
                leak, alpha = self.leak_of(a), self.alpha(a)
                kept_later = steps[k + 1].kept[a] if leak and crosses and k + 1 < len(steps) else 0.0
                if leak == "potential":
                    here.kept[a] = delta + (1.0 - alpha) * kept_later
                    delta = alpha * here.kept[a]
                elif leak == "output":
                    here.kept[a] = here.error[a] + (1.0 - alpha) * kept_later
                    delta = alpha * here.kept[a] * self.derivative(a, here.v)
                here.delta[a] = delta

    def own_parts(self, here: Instant, wanted: Weighted | None, loss: Loss) -> tuple[Values, Values]:
        """m(t) · ∂ℓ/∂y · f' and m(t) · ∂ℓ/∂y of the outputs; nothing where there is no target."""
        if wanted is None:
            return {}, {}
        delta = self.own_delta(here.v, here.y, wanted.target, loss)
        error = self.own_error(here.y, wanted.target, loss)
        delta, error = ({o: wanted.weight * part for o, part in parts.items()} for parts in (delta, error))
        return delta, error

    def signals(
        self,
        x: Sequence[Sequence[float]],
        t: Iterable[Any],
        loss: str | Loss | None = None,
        before: Sequence[Instant] = (),
        reach: int | None = None,
        forcing: float = 0.0,
    ) -> SequenceSignals:
        """Forward, loss and backward of one sequence.

        Parameters
        ----------
        x, t : sequence
            As the class says.
        loss : str, Loss or None
            As for `loss_named`.
        before : sequence of Instant
            A window goes on from these; none: the initial state.
        reach : int or None
            How many steps, counted from the last one, δ goes back, through what was computed then: None: all of x and
            no further; 0: it crosses no step at all.
        forcing : float
            p, the part of what delayed edges out of outputs carry that is the target.
        """
        the_loss = self.loss_named(loss)
        desired = [self.wanted(t_k) for t_k in t]
        if len(desired) != len(x):
            raise DataError(f"t has {len(desired)} steps, x has {len(x)}")
        new = self.forward(x, before, desired, forcing)
        losses_ = [
            wanted.weight * self.loss_value(here.v, here.y, wanted.target, the_loss)
            for here, wanted in zip(new, desired, strict=True)
            if wanted is not None
        ]
        n_back = min(max(reach or 0, len(new)) - len(new), len(before))
        again = [replace(here, error={}, kept={}, delta={}) for here in before[len(before) - n_back :]]
        steps = again + new
        self.backward(steps, [None] * n_back + desired, the_loss, forcing, crosses=reach != 0)
        return SequenceSignals(before[: len(before) - n_back], steps, losses_)

    def wanted(self, t: Any) -> Weighted | None:
        """The target of a step with its weight; None where there is none."""
        target, weight = t if isinstance(t, Weighted) else (t, 1.0)
        return None if target is None or weight == 0.0 else Weighted(self.targets(target), weight)

    def losses_of(self, s: SequenceSignals) -> list[float]:
        """A step with a target counts once."""
        return s.losses

    # ------------------------------------------------------------------ gradients

    def sample_gradients(self, s: SequenceSignals) -> dict[Parameter, float]:
        """Sums over the steps of a sequence, the first step first."""
        gradients = dict.fromkeys(self.parameters(), 0.0)
        for k, here in enumerate(s.steps):
            past = [*s.past, *s.steps[:k]]
            for a, neuron in self.neurons.items():
                for b in neuron.weights:
                    gradients[weight_of(b, a)] += here.delta[a] * here.y[b]
                for b, d in neuron.delayed:
                    gradients[weight_of(b, a, d)] += here.delta[a] * self.heard(b, past, d)
                gradients[bias_of(a)] += here.delta[a]
                if neuron.activation == "prelu":
                    error = self.alpha(a) * here.kept[a] if self.leak_of(a) == "output" else here.error[a]
                    gradients[slope_of(a)] += error * prelu_slope_derivative(here.v[a])
                if self.leak_of(a):
                    gradients[leak_of(a)] += here.kept[a] * self.news(a, here, past)
        if not s.past:
            self.add_initial_gradients(s, gradients)
        return gradients

    def news(self, a: Any, here: Instant, past: Sequence[Instant]) -> float:
        """What is new in a step of a neuron that leaks: f(z) − y(t−1), or z − v(t−1)."""
        if self.leak_of(a) == "potential":
            return here.z[a] - self.potential_before(a, past)
        return self.f(a, here.z[a]) - self.output_before(a, past)

    def add_initial_gradients(self, s: SequenceSignals, gradients: dict[Parameter, float]) -> None:
        """∂L/∂y0 and ∂L/∂v0; f(v0) of a prelu has part in its slope, too."""
        for b in self.sinks:
            if initial_of(b) not in gradients:
                continue
            error = total(
                self.neurons[p].delayed[b, d] * here.delta[p]
                for k, here in enumerate(s.steps)
                for d, p in self.later_sinks[b]
                if k < d
            )
            state = {b: self.initial.get(b, 0.0)}
            if self.leak_of(b) == "potential" and self.is_a(b, "prelu"):
                gradients[slope_of(b)] += error * prelu_slope_derivative(state[b])
            if self.leak_of(b) == "potential":
                error *= self.derivative(b, state)
            if self.leak_of(b):
                error += (1.0 - self.alpha(b)) * s.steps[0].kept[b]
            gradients[initial_of(b)] = error
