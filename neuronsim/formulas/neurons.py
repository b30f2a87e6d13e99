"""Neurons as the lectures draw them, in plain Python: how they are wired, what they learn, and how they are trained.

What a neuron computes is `neuronsim.formulas.reference` for one step, `neuronsim.formulas.through_time` for sequences.
Everything is a float, a list or a dictionary; neurons are keyed by id or by name.
"""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from neuronsim.errors import CycleError, DataError, WiringError
from neuronsim.formulas import activations, losses, optimizers, schedules
from neuronsim.formulas.activations import Activation
from neuronsim.formulas.losses import Loss, total
from neuronsim.formulas.optimizers import Optimizer

Key = Hashable
Values = dict[Any, float]

_LEAKS_OF = {1: "output", 2: "potential"}  # as a graph keeps it


@dataclass
class Neuron:
    """A neuron as the lectures draw it."""

    weights: Values  # w_BA by source B
    activation: str = "sigmoid"  # the name of f
    bias: float = 0.0  # b_A
    slope: float = activations.INITIAL_SLOPE  # learned, of a prelu; nobody else reads it
    delayed: dict[tuple[Any, int], float] = field(default_factory=dict)  # w_BAd by source B and delay d ≥ 1
    leak: float | None = None  # α, the part of what is new in a step; None: it keeps nothing
    leak_of: str = "output"  # what it keeps, its output or its potential

    @property
    def f(self) -> Activation:
        """Its activation, with f and f'."""
        return activations.resolve(self.activation)


class Parameter(NamedTuple):
    """One number that can be trained, by the keys of its neurons: a weight, or what else ``sink`` has."""

    kind: str
    sink: Any
    source: Any = None
    delay: int = 0


def weight_of(source: Key, sink: Key, delay: int = 0) -> Parameter:
    """w_BA, the weight of an edge."""
    return Parameter("weight", sink, source, delay)


def bias_of(neuron: Key) -> Parameter:
    """b_A."""
    return Parameter("bias", neuron)


def slope_of(neuron: Key) -> Parameter:
    """The slope of a prelu."""
    return Parameter("slope", neuron)


def leak_of(neuron: Key) -> Parameter:
    """α of a neuron that leaks."""
    return Parameter("leak", neuron)


def initial_of(neuron: Key) -> Parameter:
    """The output before the first step; of a neuron whose potential leaks, that potential."""
    return Parameter("initial", neuron)


@dataclass
class ReferenceGradients:
    """The gradients of a batch."""

    loss: float  # reduced over samples
    losses: list[float]  # of each sample, of sequences each step that has a target
    parameters: dict[Parameter, float]  # ∂loss/∂p, reduced over samples
    samples: list[Any]  # the signals of each

    @property
    def weights(self) -> Values:
        """By (source, sink), of delayed edges (source, sink, delay)."""
        ends = {p: (p.source, p.sink, p.delay) if p.delay else (p.source, p.sink) for p in self.parameters}
        return {ends[p]: g for p, g in self.parameters.items() if p.kind == "weight"}

    @property
    def biases(self) -> Values:
        """By neuron."""
        return {p.sink: g for p, g in self.parameters.items() if p.kind == "bias"}

    @property
    def slopes(self) -> Values:
        """By neuron; prelus only."""
        return {p.sink: g for p, g in self.parameters.items() if p.kind == "slope"}

    @property
    def delta(self) -> list[Values]:
        """δ by neuron, for each sample."""
        return [signals.delta for signals in self.samples]


class NeuronNetwork:
    """Neurons and whom they listen to, the loss at the outputs, and training; subclasses say what is computed.

    Parameters
    ----------
    inputs : iterable of keys
        In the order of the columns of X.
    neurons : mapping of key to Neuron
        All but the inputs, in any order.
    outputs : iterable of keys
        In the order of the columns of T. An output may feed other neurons, or be an input.
    frozen : iterable of Parameter
        Left alone, bit for bit.
    rates : mapping of Parameter to float
        Factors on the learning rate.
    initial : mapping of key to float
        Initial states, 0 unless given.
    learned : iterable of Parameter
        Leaks and initial states that are trained: others are frozen.

    Raises
    ------
    WiringError
        If a source does not exist, or a softmax neuron is not an output, feeds others or leaks.
    CycleError
        If neurons feed each other in a circle without delay.
    """

    def __init__(
        self,
        inputs: Iterable[Any],
        neurons: Mapping[Any, Neuron],
        outputs: Iterable[Any],
        *,
        frozen: Iterable[Parameter] = (),
        rates: Mapping[Parameter, float] | None = None,
        initial: Mapping[Any, float] | None = None,
        learned: Iterable[Parameter] = (),
    ) -> None:
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.neurons = {a: _in_floats(n) for a, n in neurons.items()}
        self.frozen = set(frozen)
        self.rates = dict(rates or {})
        self.initial: Values = dict(initial or {})
        self.learned = set(learned)
        self.sinks = self._sinks()
        self.later_sinks = self._later_sinks()
        self.order = self._order()
        self.softmax_group = [o for o in self.outputs if self.is_a(o, "softmax")]
        self._refuse_misplaced_softmax()

    @classmethod
    def from_network(cls, net: Any) -> Self:
        """The same network, its missing weights drawn first; see `from_graph`."""
        net.runtime.draw()
        return cls.from_graph(net.graph)

    @classmethod
    def from_graph(cls, graph: Any) -> Self:
        """The same network, parameters, frozen marks and rate factors included; keys are ids."""
        weights, memory = graph.weights.tolist(), graph.memory
        of_edges, of_biases, of_slopes = graph.weight_rates, graph.bias_rates, graph.slope_rates
        neurons: dict[Any, Neuron] = {}
        factors: dict[Parameter, float] = {}
        for a, code in enumerate(graph.activation_codes.tolist()):
            if graph.is_input[a]:
                continue
            neuron = Neuron({}, activations.by_code(code).name, float(graph.biases[a]), float(graph.slopes[a]))
            for e in range(graph.row_start[a], graph.row_start[a + 1]):
                b, delay = int(graph.sources[e]), graph.arrays.delay(e)
                factors[weight_of(b, a, delay)] = _factor(of_edges, e)
                if delay:
                    neuron.delayed[b, delay] = weights[e]
                else:
                    neuron.weights[b] = weights[e]
            alpha, leak_code = memory.leak(a)
            if leak_code:
                neuron.leak, neuron.leak_of = alpha, _LEAKS_OF[leak_code]
            neurons[a] = neuron
            factors |= {bias_of(a): _factor(of_biases, a), slope_of(a): _factor(of_slopes, a)}
        learned = [leak_of(int(a)) for a in memory.learned("leaks").nonzero()[0]]
        learned += [initial_of(int(a)) for a in memory.learned("initials").nonzero()[0]]
        return cls(
            graph.inputs.tolist(),
            neurons,
            graph.outputs.tolist(),
            frozen=[p for p, factor in factors.items() if factor < 0.0],
            rates={p: factor for p, factor in factors.items() if factor >= 0.0 and factor != 1.0},
            initial={a: memory.initial(a) for a in range(graph.n_neurons) if memory.initial(a)},
            learned=learned,
        )

    # ------------------------------------------------------------------ wiring

    def _sinks(self) -> dict[Any, list[Any]]:
        """Whom each neuron sends to within the step: the edges, read backwards."""
        sinks: dict[Any, list[Any]] = {key: [] for key in (*self.inputs, *self.neurons)}
        for a, neuron in self.neurons.items():
            for b in (*neuron.weights, *(b for b, _ in neuron.delayed)):
                if b not in sinks:
                    raise WiringError(f"{a!r} listens to {b!r}, which does not exist")
            for b in neuron.weights:
                sinks[b].append(a)
        return sinks

    def _later_sinks(self) -> dict[Any, list[tuple[int, Any]]]:
        """Who hears each neuron later, and how many steps later: the latest first."""
        sinks: dict[Any, list[tuple[int, Any]]] = {key: [] for key in self.sinks}
        for a, neuron in self.neurons.items():
            for b, delay in neuron.delayed:
                sinks[b].append((delay, a))
        return {b: sorted(found, key=lambda edge: -edge[0]) for b, found in sinks.items()}

    def _order(self) -> list[Any]:
        """The neurons, each after all its sources within the step: whoever has heard from everyone is next."""
        waiting_for = {a: len(neuron.weights) for a, neuron in self.neurons.items()}
        ready = [*self.inputs, *(a for a, n in waiting_for.items() if n == 0)]
        order = []
        while ready:
            b = ready.pop()
            order.append(b)
            for a in self.sinks[b]:
                waiting_for[a] -= 1
                if waiting_for[a] == 0:
                    ready.append(a)
        if len(order) < len(self.sinks):
            stuck = [a for a, n in waiting_for.items() if n > 0]
            raise CycleError(f"neurons on or behind a cycle: {', '.join(map(str, stuck))}")
        return [a for a in order if a in self.neurons]

    def _refuse_misplaced_softmax(self) -> None:
        for a, neuron in self.neurons.items():
            if neuron.activation != "softmax":
                continue
            if a not in self.outputs or self.sinks[a] or self.later_sinks[a] or neuron.leak is not None:
                raise WiringError(f"{a!r} is softmax: it must be an output, feed nobody and have no leak")

    def value_of(self, key: Any) -> str:
        """The activation that y is the value of; "" for an input, and where y is what is left of earlier ones, too."""
        if key not in self.neurons or self.leak_of(key) == "output":
            return ""
        return self.neurons[key].activation

    def is_a(self, key: Any, activation: str) -> bool:
        """Whether y of a neuron is the value of that activation."""
        return self.value_of(key) == activation

    def leak_of(self, key: Any) -> str:
        """What leaks, "output" or "potential"; "" where nothing does."""
        neuron = self.neurons.get(key)
        return "" if neuron is None or neuron.leak is None else neuron.leak_of

    # ------------------------------------------------------------------ the loss

    def loss_named(self, loss: str | Loss | None) -> Loss:
        """The loss meant; None is cross_entropy for softmax outputs, else half_squared_error."""
        return losses.resolve(loss, [self.neurons[o].activation if o in self.neurons else "" for o in self.outputs])

    def targets(self, t: float | Sequence[float]) -> list[float]:
        """One desired value per output; a class number becomes 1 for that output and 0 for the others."""
        if isinstance(t, int):
            return [float(k == t) for k in range(len(self.outputs))]
        values = [float(v) for v in t] if isinstance(t, Iterable) else [float(t)]
        if len(values) != len(self.outputs):
            raise DataError(f"t has {len(values)} values, the network has {len(self.outputs)} outputs")
        return values

    def loss_value(self, z: Values, y: Values, t: Sequence[float], loss: Loss) -> float:
        """The loss of one sample, summed over outputs; fused pairs are computed from z."""
        target = dict(zip(self.outputs, t, strict=True))
        if loss.fused == "softmax" and self.softmax_group:
            group = self.softmax_group
            others = [o for o in self.outputs if o not in group]
            fused = losses.softmax_cross_entropy([z[o] for o in group], [target[o] for o in group])
            return fused + loss.value([y[o] for o in others], [target[o] for o in others])
        if loss.fused == "sigmoid":
            return total(
                losses.sigmoid_binary_cross_entropy(z[o], target[o])
                if self.is_a(o, "sigmoid")
                else loss.value([y[o]], [target[o]])
                for o in self.outputs
            )
        return loss.value([y[o] for o in self.outputs], t)

    def own_error(self, y: Values, t: Sequence[float], loss: Loss) -> Values:
        """∂L/∂y of the outputs: the part that the loss itself puts on them."""
        return dict(zip(self.outputs, loss.derivative([y[o] for o in self.outputs], t), strict=True))

    def own_delta(self, z: Values, y: Values, t: Sequence[float], loss: Loss) -> Values:
        """∂L/∂y · f'(z) of the outputs, and its fused forms (L3: δ_pred)."""
        names = [self.value_of(o) for o in self.outputs]
        slopes = [1.0 if self.is_a(o, "softmax") else self.derivative(o, z) for o in self.outputs]
        delta = losses.loss_deltas(loss, names, [y[o] for o in self.outputs], t, slopes)
        return dict(zip(self.outputs, delta, strict=True))

    def derivative(self, a: Any, z: Values) -> float:
        """f'_A(z_A); 1 for an input."""
        if a not in self.neurons:
            return 1.0
        neuron = self.neurons[a]
        if neuron.f.derivative is None:
            raise WiringError("softmax has no derivative of one neuron: it is one group")
        return neuron.f.derivative(z[a], neuron.slope)

    # ------------------------------------------------------------------ gradients

    def signals(self, x: Any, t: Any, loss: str | Loss | None = None) -> Any:
        """Forward, loss and backward of one sample."""
        raise NotImplementedError

    def losses_of(self, s: Any) -> list[float]:
        """The losses that one sample counts with."""
        raise NotImplementedError

    def sample_gradients(self, s: Any) -> dict[Parameter, float]:
        """The gradients of one sample."""
        raise NotImplementedError

    def gradients(
        self, X: Iterable[Sequence[Any]], T: Iterable[Any], loss: str | Loss | None = None, reduction: str = "mean"
    ) -> ReferenceGradients:
        """The gradients of some samples, as the mean or the sum over them.

        Parameters
        ----------
        X, T : iterable
            Samples and their targets, as ``signals`` takes them.
        loss : str, Loss or None
            As for `loss_named`.
        reduction : {"mean", "sum"}
            Over samples.
        """
        samples = [self.signals(x, t, loss) for x, t in zip(X, T, strict=True)]
        per_sample = [value for s in samples for value in self.losses_of(s)]
        share = 1.0 / len(per_sample) if reduction == "mean" else 1.0
        each = [self.sample_gradients(s) for s in samples]
        parameters = {p: share * total(g[p] for g in each) for p in each[0]}
        return ReferenceGradients(share * total(per_sample), per_sample, parameters, samples)

    # ------------------------------------------------------------------ parameters

    def parameters(self) -> list[Parameter]:
        """Every weight, bias, prelu slope and leak, and the initial states that are ever read."""
        found: list[Parameter] = []
        for a, neuron in self.neurons.items():
            found += [weight_of(b, a) for b in neuron.weights]
            found += [weight_of(b, a, delay) for b, delay in neuron.delayed]
            found.append(bias_of(a))
            if neuron.activation == "prelu":
                found.append(slope_of(a))
            if neuron.leak is not None:
                found.append(leak_of(a))
        return found + [initial_of(b) for b in self.sinks if self.later_sinks[b] or self.leak_of(b)]

    def value(self, p: Parameter) -> float:
        """The number that a parameter holds."""
        if p.kind == "initial":
            return self.initial.get(p.sink, 0.0)
        neuron = self.neurons[p.sink]
        if p.kind == "weight":
            return neuron.delayed[p.source, p.delay] if p.delay else neuron.weights[p.source]
        value: float = getattr(neuron, p.kind)
        return value

    def set_value(self, p: Parameter, value: float) -> None:
        """Give a parameter a new number."""
        if p.kind == "initial":
            self.initial[p.sink] = value
        elif p.kind != "weight":
            setattr(self.neurons[p.sink], p.kind, value)
        elif p.delay:
            self.neurons[p.sink].delayed[p.source, p.delay] = value
        else:
            self.neurons[p.sink].weights[p.source] = value

    # ------------------------------------------------------------------ training

    def step(self, x: Any, t: Any, loss: str | Loss | None = None, learning_rate: float = 0.01) -> Any:
        """One online step: forward, error, backward, update. The signals are those before the update."""
        gradients = self.gradients([x], [t], loss)
        self.update(self.trained(gradients), optimizers.SGD(), learning_rate, {})
        return gradients.samples[0]

    def trained(self, gradients: ReferenceGradients) -> dict[Parameter, float]:
        """The gradients of all parameters that are not frozen."""
        asked_for = {p for p in gradients.parameters if p.kind not in ("leak", "initial") or p in self.learned}
        return {p: g for p, g in gradients.parameters.items() if p in asked_for and p not in self.frozen}

    def update(
        self,
        gradients: Mapping[Parameter, float],
        optimizer: Optimizer,
        rate: float,
        state: dict[Parameter, list[float]],
        t: int = 1,
        weight_decay: float = 0.0,
    ) -> None:
        """Move the parameters that have a gradient. ``state`` is updated too; ``t`` counts steps from 1."""
        for p, g in gradients.items():
            own_rate = rate * self.rates.get(p, 1.0)
            w = self.value(p)
            if p.kind == "weight" and weight_decay:
                w, g = optimizers.decayed(optimizer, w, g, own_rate, weight_decay)
            old = state.get(p, [0.0] * optimizer.n_state)
            w, state[p] = optimizer.reference_update(w, g, old, own_rate, t)
            self.set_value(p, w)

    def fit(
        self,
        X: Sequence[Sequence[Any]],
        T: Sequence[Any],
        *,
        loss: str | Loss | None = None,
        reduction: str = "mean",
        optimizer: str | Optimizer = "sgd",
        learning_rate: Any = 0.01,
        momentum: float | None = None,
        batch_size: int | None = 1,
        epochs: int = 1,
        orders: Sequence[Sequence[int]] | None = None,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ) -> dict[str, list[float]]:
        """Train as ``Network.fit`` does, whose parameters these are.

        Parameters
        ----------
        X, T : sequence
            Samples and their targets; all other settings are those of ``Network.fit``.
        orders : sequence of sequences of int, optional
            The samples' order in each epoch; as given where left out.

        Returns
        -------
        dict of str to list of float
            ``loss``: the mean over the samples of the epoch, each before the update that used it;
            ``learning_rate``: of the epoch's last step.
        """
        the_optimizer = optimizers.resolve(optimizer, momentum=momentum)
        decay = optimizers.effective_weight_decay(the_optimizer, weight_decay)
        schedule = schedules.resolve(learning_rate)
        size = len(X) if batch_size is None else min(batch_size, len(X))
        state: dict[Parameter, list[float]] = {}
        history: dict[str, list[float]] = {"loss": [], "learning_rate": []}
        q = 0
        for epoch in range(epochs):
            order = range(len(X)) if orders is None else orders[epoch]
            seen: list[float] = []
            rate = math.nan
            for first in range(0, len(X), size):
                batch = order[first : first + size]
                gradients = self.gradients([X[s] for s in batch], [T[s] for s in batch], loss, reduction)
                rate = float(schedule.rates(q, 1, epoch)[0])
                used = clipped(self.trained(gradients), clip_norm, clip_value)
                self.update(used, the_optimizer, rate, state, q + 1, decay)
                seen += gradients.losses
                q += 1
            history["loss"].append(total(seen) / len(seen))
            history["learning_rate"].append(rate)
        return history


def clipped(
    gradients: Mapping[Parameter, float], clip_norm: float | None, clip_value: float | None
) -> dict[Parameter, float]:
    """Scale all gradients together to a Euclidean norm of at most clip_norm; then cut each at ±clip_value."""
    scale = 1.0
    if clip_norm is not None:
        norm = math.sqrt(total(g * g for g in gradients.values()))
        scale = clip_norm / norm if norm > clip_norm else 1.0
    limit = math.inf if clip_value is None else clip_value
    scaled = {p: scale * g for p, g in gradients.items()}
    return {p: math.copysign(limit, g) if abs(g) > limit else g for p, g in scaled.items()}


def _in_floats(n: Neuron) -> Neuron:
    """A neuron with numbers of its own."""
    weights, delayed = ({key: float(w) for key, w in of.items()} for of in (n.weights, n.delayed))
    leak = None if n.leak is None else float(n.leak)
    return Neuron(weights, n.activation, float(n.bias), float(n.slope), delayed, leak, n.leak_of)


def _factor(factors: Any, row: int) -> float:
    """One of the rate factors that a graph keeps: -1 where frozen, None where all are 1."""
    return 1.0 if factors is None else float(factors[row])
