"""The lectures' equations in plain Python, neuron by neuron: the oracle of the compiled kernels.

Every neuron is a module that takes messages in, processes them and passes messages on (L3). A neuron A that
listens to B, C, ... and sends to P, Q, ... computes

    z_A = b_A + Σ_B w_BA · y_B          forward aggregation
    y_A = f_A(z_A)                      its own activation (L1)
    δ_A = (Σ_P w_AP · δ_P) · f'_A(z_A)  backward aggregation; an output adds the loss's own part
    Δw_BA = δ_A · y_B,  Δb_A = δ_A      the gradients
    w_BA := w_BA - μ · Δw_BA            only after every δ is known: they all use the old weights

Everything is a float, a list or a dictionary; neurons are keyed by id or by name. It is slow, and meant to be
read.
"""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from neuronsim.errors import CycleError, DataError, WiringError
from neuronsim.formulas import activations, losses, optimizers, schedules
from neuronsim.formulas.activations import Activation, prelu_slope_derivative
from neuronsim.formulas.losses import Loss, total
from neuronsim.formulas.optimizers import Optimizer

Key = Hashable
Values = dict[Any, float]


@dataclass
class Neuron:
    """A neuron as the lectures draw it."""

    weights: Values  # w_BA by source B
    activation: str = "sigmoid"  # the name of f
    bias: float = 0.0  # b_A
    slope: float = activations.INITIAL_SLOPE  # learned, of a prelu; nobody else reads it

    @property
    def f(self) -> Activation:
        """Its activation, with f and f'."""
        return activations.resolve(self.activation)


class Parameter(NamedTuple):
    """One trained number, by the keys of its neurons: a weight, or the bias or slope of ``sink``."""

    kind: str
    sink: Any
    source: Any = None


def weight_of(source: Key, sink: Key) -> Parameter:
    """w_BA, the weight of an edge."""
    return Parameter("weight", sink, source)


def bias_of(neuron: Key) -> Parameter:
    """b_A."""
    return Parameter("bias", neuron)


def slope_of(neuron: Key) -> Parameter:
    """The slope of a prelu."""
    return Parameter("slope", neuron)


@dataclass
class Signals:
    """All messages of one sample, by neuron; its loss."""

    z: Values  # net input; an input has z = y = x
    y: Values  # output
    error: Values  # ∂L/∂y, of an input ∂L/∂x
    delta: Values  # δ = ∂L/∂z, of an input ∂L/∂x
    loss: float


@dataclass
class ReferenceGradients:
    """The gradients of a batch."""

    loss: float  # reduced over samples
    losses: list[float]  # of each sample
    parameters: dict[Parameter, float]  # ∂loss/∂p, reduced over samples
    samples: list[Signals]  # of each sample

    @property
    def weights(self) -> Values:
        """By (source, sink)."""
        return {(p.source, p.sink): g for p, g in self.parameters.items() if p.kind == "weight"}

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


class ReferenceNetwork:
    """A network of neurons, wired in any way that has no cycle.

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

    Raises
    ------
    WiringError
        If a source does not exist, or a softmax neuron is not an output or feeds others.
    CycleError
        If neurons feed each other in a circle.

    Examples
    --------
    >>> net = ReferenceNetwork(["x"], {"y": Neuron({"x": 2.0}, "identity", bias=1.0)}, ["y"])
    >>> net.predict([3.0])
    [7.0]
    """

    def __init__(
        self,
        inputs: Iterable[Any],
        neurons: Mapping[Any, Neuron],
        outputs: Iterable[Any],
        *,
        frozen: Iterable[Parameter] = (),
        rates: Mapping[Parameter, float] | None = None,
    ) -> None:
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.neurons = {
            a: Neuron({b: float(w) for b, w in n.weights.items()}, n.activation, float(n.bias), float(n.slope))
            for a, n in neurons.items()
        }
        self.frozen = set(frozen)
        self.rates = dict(rates or {})
        self.sinks = self._sinks()
        self.order = self._order()
        self.softmax_group = [o for o in self.outputs if self.is_a(o, "softmax")]
        self._refuse_hidden_softmax()

    @classmethod
    def from_network(cls, net: Any) -> "ReferenceNetwork":
        """The same network, its missing weights drawn first; see `from_graph`."""
        net.runtime.draw()
        return cls.from_graph(net.graph)

    @classmethod
    def from_graph(cls, graph: Any) -> "ReferenceNetwork":
        """The same network, parameters, frozen marks and rate factors included; keys are ids."""
        weights = graph.weights.tolist()
        of_edges, of_biases, of_slopes = graph.weight_rates, graph.bias_rates, graph.slope_rates
        neurons: dict[Any, Neuron] = {}
        factors: dict[Parameter, float] = {}
        for a, code in enumerate(graph.activation_codes.tolist()):
            if graph.is_input[a]:
                continue
            edges = range(graph.row_start[a], graph.row_start[a + 1])
            sources = graph.sources[edges.start : edges.stop].tolist()
            own_weights = dict(zip(sources, weights[edges.start : edges.stop], strict=True))
            neurons[a] = Neuron(
                own_weights, activations.by_code(code).name, float(graph.biases[a]), float(graph.slopes[a])
            )
            factors |= {weight_of(b, a): _factor(of_edges, e) for b, e in zip(sources, edges, strict=True)}
            factors |= {bias_of(a): _factor(of_biases, a), slope_of(a): _factor(of_slopes, a)}
        return cls(
            graph.inputs.tolist(),
            neurons,
            graph.outputs.tolist(),
            frozen=[p for p, factor in factors.items() if factor < 0.0],
            rates={p: factor for p, factor in factors.items() if factor >= 0.0 and factor != 1.0},
        )

    # ------------------------------------------------------------------ wiring

    def _sinks(self) -> dict[Any, list[Any]]:
        """Whom each neuron sends to: the edges, read backwards."""
        sinks: dict[Any, list[Any]] = {key: [] for key in (*self.inputs, *self.neurons)}
        for a, neuron in self.neurons.items():
            for b in neuron.weights:
                if b not in sinks:
                    raise WiringError(f"{a!r} listens to {b!r}, which does not exist")
                sinks[b].append(a)
        return sinks

    def _order(self) -> list[Any]:
        """The neurons, each after all its sources: whoever has heard from everyone is next."""
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

    def _refuse_hidden_softmax(self) -> None:
        for a, neuron in self.neurons.items():
            if neuron.activation == "softmax" and (a not in self.outputs or self.sinks[a]):
                raise WiringError(f"{a!r} is softmax: it must be an output and feed nobody")

    def is_a(self, key: Any, activation: str) -> bool:
        """Whether a neuron has that activation; an input has none."""
        return key in self.neurons and self.neurons[key].activation == activation

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
        names = [self.neurons[o].activation if o in self.neurons else "" for o in self.outputs]
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

    def gradients(
        self, X: Iterable[Sequence[float]], T: Iterable[Any], loss: str | Loss | None = None, reduction: str = "mean"
    ) -> ReferenceGradients:
        """The gradients of some samples, as the mean or the sum over them.

        Parameters
        ----------
        X, T : iterable of sequences of float
            Samples, each one value per input, and their targets as `targets` takes them.
        loss : str, Loss or None
            As for `loss_named`.
        reduction : {"mean", "sum"}
            Over samples.
        """
        samples = [self.signals(x, t, loss) for x, t in zip(X, T, strict=True)]
        share = 1.0 / len(samples) if reduction == "mean" else 1.0
        each = [self.sample_gradients(s) for s in samples]
        parameters = {p: share * total(g[p] for g in each) for p in each[0]}
        per_sample = [s.loss for s in samples]
        return ReferenceGradients(share * total(per_sample), per_sample, parameters, samples)

    # ------------------------------------------------------------------ parameters

    def parameters(self) -> list[Parameter]:
        """Every weight, bias and prelu slope."""
        found: list[Parameter] = []
        for a, neuron in self.neurons.items():
            found += [weight_of(b, a) for b in neuron.weights]
            found.append(bias_of(a))
            if neuron.activation == "prelu":
                found.append(slope_of(a))
        return found

    def value(self, p: Parameter) -> float:
        """The number that a parameter holds."""
        neuron = self.neurons[p.sink]
        if p.kind == "weight":
            return neuron.weights[p.source]
        return neuron.bias if p.kind == "bias" else neuron.slope

    def set_value(self, p: Parameter, value: float) -> None:
        """Give a parameter a new number."""
        neuron = self.neurons[p.sink]
        if p.kind == "weight":
            neuron.weights[p.source] = value
        elif p.kind == "bias":
            neuron.bias = value
        else:
            neuron.slope = value

    # ------------------------------------------------------------------ training

    def step(
        self,
        x: Sequence[float],
        t: float | Sequence[float],
        loss: str | Loss | None = None,
        learning_rate: float = 0.01,
    ) -> Signals:
        """One online step: forward, error, backward, update. The signals are those before the update."""
        gradients = self.gradients([x], [t], loss)
        self.update(self.trained(gradients), optimizers.SGD(), learning_rate, {})
        return gradients.samples[0]

    def trained(self, gradients: ReferenceGradients) -> dict[Parameter, float]:
        """The gradients of all parameters that are not frozen."""
        return {p: g for p, g in gradients.parameters.items() if p not in self.frozen}

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
        X: Sequence[Sequence[float]],
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


def _factor(factors: Any, row: int) -> float:
    """One of the rate factors that a graph keeps: -1 where frozen, None where all are 1."""
    return 1.0 if factors is None else float(factors[row])
