"""A network's forward pass, and its backward pass in any variant, right or mistaken, in float64 from the formulas."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.arrays import Reals
from neuronsim.basics.spread import evenly_spread
from neuronsim.engine.border import desired
from neuronsim.formulas import activations
from neuronsim.formulas.activations import Activation
from neuronsim.formulas.losses import Loss, loss_deltas
from neuronsim.formulas.neurons import bias_of, slope_of, weight_of
from neuronsim.formulas.reference import ReferenceNetwork
from neuronsim.formulas.rounding import gradient_absolute_sums, signal_absolute_sums
from neuronsim.graph.graph import Graph
from neuronsim.tracing.result import StepResult
from neuronsim.verifying import mistakes
from neuronsim.verifying.layout import Layout
from neuronsim.verifying.mistakes import MISTAKES, ONLY_FOR, RIGHT_FOR, RIGHT_VARIANT, Slope, Variant

#: Rounding of a gradient, in parts of its absolute sum.
ROUNDING = {"float64": 1e-12, "float32": 1e-5}
#: Absolute sums are those of so many messages at most; evenly chosen samples stand for the others.
_MOST_MESSAGES = 1_000_000


class Gradient(NamedTuple):
    """∂L/∂p of all parameters, each a sum, and the sums of the absolute values of the same terms."""

    values: Reals
    absolute_sums: Reals


class Given(NamedTuple):
    """What a program computes with: parameters in one row, samples, activations by neuron, the loss, the rate."""

    flat: Reals
    X: Reals
    T: NDArray[Any]
    functions: tuple[Activation, ...]
    loss: Loss
    rate: float
    mean: bool

    @classmethod
    def of(cls, graph: Graph, flat: Reals, x: Any, t: NDArray[Any], loss: Loss, rate: float, mean: bool) -> "Given":
        """As the network says."""
        functions = tuple(activations.by_code(code) for code in graph.activation_codes.tolist())
        return cls(flat, np.asarray(x, np.float64), desired(t, graph.n_outputs), functions, loss, rate, mean)


class Bundle(NamedTuple):
    """Neurons side by side, which listen to the same sources: a fully connected layer is one."""

    neurons: NDArray[np.int64]
    sources: NDArray[np.int64]
    edges: NDArray[np.int64]  # (neurons, sources)


def depths(graph: Graph) -> NDArray[np.int64]:
    """How many edges the longest way from an input has: the layer of each neuron, 0 for inputs."""
    found = np.zeros(graph.n_neurons, np.int64)
    for a in graph.plan().order.tolist():
        if not graph.is_input[a]:
            sources = graph.sources[graph.row_start[a] : graph.row_start[a + 1]]
            found[a] = 1 + found[sources].max(initial=0)
    return found


def bundles(graph: Graph) -> list[Bundle]:
    """All neurons but the inputs, sources before sinks."""
    depth, found = depths(graph), dict[Any, list[int]]()
    for a in np.flatnonzero(~graph.is_input).tolist():
        sources = graph.sources[graph.row_start[a] : graph.row_start[a + 1]]
        found.setdefault((depth[a], sources.tobytes()), []).append(a)
    rows = []
    for neurons in (found[key] for key in sorted(found, key=lambda key: (key[0], found[key][0]))):
        first = neurons[0]
        heard = graph.sources[graph.row_start[first] : graph.row_start[first + 1]].astype(np.int64)
        edges = graph.row_start[neurons].astype(np.int64)[:, None] + np.arange(len(heard), dtype=np.int64)
        rows.append(Bundle(np.array(neurons, np.int64), heard, edges))
    return rows


class Passes:
    """Forward once, backward in any variant, samples side by side: arrays (n_neurons, n_samples)."""

    def __init__(self, layout: Layout, given: Given, of: list[Bundle] | None = None) -> None:
        graph = layout.graph
        self.graph, self.layout, self.given = graph, layout, given
        self.flat, self.loss, self.rate, self.mean = given.flat, given.loss, given.rate, given.mean
        self.X, self.T, self.functions = given.X, given.T, given.functions
        self.n = len(self.X)
        self.bundles = bundles(graph) if of is None else of
        self.weights = self.flat[: graph.n_edges]
        self.biases, self.slopes = np.zeros((2, graph.n_neurons))
        self.biases[layout.others] = self.flat[layout.is_bias]
        self.slopes[layout.prelus] = self.flat[graph.n_edges + layout.n_biases :]
        self.outputs = graph.outputs.tolist()
        self.group = [o for o in self.outputs if self.functions[o].name == "softmax"]
        self._slopes: dict[Slope, Reals] = {}
        self._gradients: dict[Variant, Gradient] = {}
        self._forward()
        pairs = zip(self._outputs(), self.T.tolist(), strict=True)
        self.own_error = np.array([self.loss.derivative(y, t) for y, t in pairs]).T

    def having(self, **changes: Any) -> "Passes":
        """The same with something else given: other samples, parameters, activations, another loss or rate."""
        return Passes(self.layout, self.given._replace(**changes), self.bundles)

    def of_samples(self, rows: list[int], **changes: Any) -> "Passes":
        """The same with some of the samples."""
        return self.having(X=self.X[rows], T=self.T[rows], **changes)

    def _outputs(self) -> list[list[float]]:
        rows: list[list[float]] = self.y[self.outputs].T.tolist()
        return rows

    def _forward(self) -> None:
        graph = self.graph
        self.z = np.zeros((graph.n_neurons, self.n))
        self.z[graph.inputs] = self.X.T
        self.y = self.z.copy()
        for bundle in self.bundles:
            z = self.biases[bundle.neurons][:, None] + self.weights[bundle.edges] @ self.y[bundle.sources]
            self.z[bundle.neurons] = self.y[bundle.neurons] = z
            for a in bundle.neurons.tolist():
                f, name = self.functions[a].function, self.functions[a].name
                if f is not None and name != "identity":
                    self.y[a] = [f(z, self.slopes[a]) for z in self.z[a].tolist()]
        if self.group:
            powers = np.exp(self.z[self.group] - self.z[self.group].max(axis=0))
            self.y[self.group] = powers / powers.sum(axis=0)

    def slopes_with(self, used: Slope) -> Reals:
        """f' of every neuron and sample, or what a program uses in its place; 1 of inputs."""
        if used not in self._slopes:
            found = np.ones_like(self.z)
            for a in self.layout.others.tolist():
                f, slope = self.functions[a], float(self.slopes[a])
                found[a] = [used(f, z, y, slope) for z, y in zip(self.z[a].tolist(), self.y[a].tolist(), strict=True)]
            self._slopes[used] = found
        return self._slopes[used]

    @property
    def fused(self) -> list[int]:
        """Outputs whose δ the loss gives in one piece, y - t."""
        return [o for o in self.outputs if self.functions[o].name == self.loss.fused]

    def loss_deltas(self, variant: Variant) -> Reals:
        """The part of δ that the loss puts on each output: (n_outputs, n_samples)."""
        names = [self.functions[o].name for o in self.outputs]
        slopes = self.slopes_with(variant.output)[self.outputs]
        rows = zip(self._outputs(), self.T.tolist(), slopes.T.tolist(), strict=True)
        delta = np.array([loss_deltas(self.loss, names, y, t, slope) for y, t, slope in rows]).T
        for k, o in enumerate(self.outputs):
            if o in self.group and o not in self.fused and self._differs({o}, variant.output):
                delta[k] = self.own_error[k] * slopes[k]
            if o in self.fused and variant.twice:
                delta[k] *= self.y[o] * (1.0 - self.y[o])
        return delta

    def gradient(self, variant: Variant = RIGHT_VARIANT) -> Gradient:
        """Reduced over samples."""
        if variant not in self._gradients:
            self._gradients[variant] = self._reduced(*self.terms(variant), variant)
        return self._gradients[variant]

    def terms(self, variant: Variant) -> tuple[Reals, Reals]:
        """δ and ∂L/∂y of every neuron and sample."""
        share = 1.0 / self.n if self.mean else 1.0
        delta, error = np.zeros((2, *self.z.shape))
        own = np.zeros_like(delta)
        own[self.outputs] = self.loss_deltas(variant)
        error[self.outputs] = self.own_error
        error[self.fused] = own[self.fused]
        slopes = self.slopes_with(variant.hidden)
        for neurons, sources, edges in reversed(self.bundles):
            error[neurons] += delta[neurons]
            delta[neurons] = delta[neurons] * slopes[neurons] + own[neurons]
            w = self.weights[edges]
            if variant.back == "updated":
                rates = self.rate * np.maximum(self.layout.factors[edges], 0.0)
                w = w - rates * share * (delta[neurons] @ getattr(self, variant.signal)[sources].T)
            elif variant.back == "ones":
                w = np.ones_like(w)
            elif variant.back == "transposed" and len(neurons) == len(sources):
                w = w.T
            delta[sources] += w.T @ (error if variant.carried == "error" else delta)[neurons]
        inputs = self.graph.is_input
        error[inputs] += delta[inputs]
        delta[inputs] += own[inputs]
        return delta, error

    def _reduced(self, delta: Reals, error: Reals, variant: Variant) -> Gradient:
        share = 1.0 / self.n if self.mean else 1.0
        signal = getattr(self, variant.signal)
        prelus = self.layout.prelus
        slope_terms = error[prelus] * np.minimum(self.z[prelus], 0.0)
        values, absolute = np.empty((2, self.layout.size))
        for neurons, sources, edges in self.bundles:
            values[edges] = delta[neurons] @ signal[sources].T
            absolute[edges] = np.abs(delta[neurons]) @ np.abs(signal[sources]).T
        n = self.graph.n_edges
        of_neurons = np.concatenate([delta[self.layout.others], slope_terms])
        values[n:], absolute[n:] = of_neurons.sum(axis=1), np.abs(of_neurons).sum(axis=1)
        return Gradient(share * values, share * absolute)

    def variants(self, among: Mapping[str, Variant] = MISTAKES) -> dict[str, Variant]:
        """The mistakes that this network gives a place to."""
        return {name: variant for name, variant in among.items() if self._has_place_for(variant)}

    def mistaken_gradients(self, among: Mapping[str, Variant] = MISTAKES) -> Iterator[tuple[str, Gradient]]:
        """The gradient of every mistake that this network gives a place to."""
        return ((name, self.gradient(variant)) for name, variant in self.variants(among).items())

    @cached_property
    def _hidden(self) -> set[int]:
        graph = self.graph
        return {a for a in np.unique(graph.sources).tolist() if not graph.is_input[a]}

    def _has_place_for(self, variant: Variant) -> bool:
        """Whether it changes anything here."""
        outputs = {o for o in self.outputs if not self.graph.is_input[o]} - set(self.fused)
        places = ((self._hidden, variant.hidden), (outputs, variant.output))
        if any(self._differs(neurons, slope) for neurons, slope in places):
            return True
        if variant.twice and self.fused:
            return True
        if variant.back == "transposed":
            return any(len(b.neurons) == len(b.sources) > 1 and self._hidden & set(b.sources) for b in self.bundles)
        if variant.carried == "error":
            sinks = {a for b in self.bundles if self._hidden & set(b.sources) for a in b.neurons.tolist()}
            return any(self.functions[a].name != "identity" for a in sinks - set(self.fused))
        return bool(self._hidden) and (variant.back, variant.signal) != ("old", "y")

    def _differs(self, neurons: set[int], used: Slope) -> bool:
        """Whether a slope is another one than f' in any of the neurons."""
        names = {self.functions[a].name for a in neurons}
        if used is mistakes.derivative:
            return False
        if used in ONLY_FOR:
            return bool(names & ONLY_FOR[used])
        without = {RIGHT_FOR.get(used, "identity")} | ({"softmax"} if used is mistakes.of_activated else set())
        return bool(names - without)

    def transposed_rows(self) -> NDArray[np.int64]:
        """Where each parameter stands if matrices are given as (n_in, n_out), layer after layer."""
        rows = np.arange(self.layout.size)
        for _, _, edges in self.bundles:
            rows[edges] = edges.ravel().reshape(edges.shape[::-1]).T
        return rows

    def absolute_sums(self) -> Reals:
        """What rounding of every reduced gradient is measured by; see `neuronsim.formulas.rounding`."""
        graph, layout = self.graph, self.layout
        reference = ReferenceNetwork.from_graph(graph.showing(self.weights, self.biases, self.slopes))
        sources, sinks = graph.sources.tolist(), layout.sinks.tolist()
        keys = [weight_of(b, a) for b, a in zip(sources, sinks, strict=False)]
        keys += [bias_of(a) for a in layout.others.tolist()] + [slope_of(a) for a in layout.prelus.tolist()]
        most = max(1, _MOST_MESSAGES // max(1, graph.n_edges))
        chosen = evenly_spread(self.n, most).tolist()
        found = np.zeros(layout.size)
        for i in chosen:
            t = self.T[i].tolist()
            s = reference.signals(self.X[i].tolist(), t, self.loss)
            sums = gradient_absolute_sums(reference, s, signal_absolute_sums(reference, s, t, self.loss))
            found += [sums[key] for key in keys]
        return found / len(chosen) * (1.0 if self.mean else self.n)


def gradient_mistake(step: StepResult) -> str:
    """Which mistake makes the wrong ones among the gradients of a step; "" if none of those known here does."""
    graph, layout = step.graph, Layout(step.graph)
    flat = layout.flat(step.weights, step.biases, step.slopes)
    x = np.atleast_2d(np.asarray(step.y[..., graph.inputs], np.float64))
    t = np.atleast_2d(np.asarray(step.targets, np.float64))
    mean = step.reduction == "mean"
    passes = Passes(layout, Given.of(graph, flat, x, t, step.loss_function, step.learning_rate, mean))
    found, absolute_sums = layout.flat(*step.gradients), passes.absolute_sums()

    def is_near(gradient: Gradient) -> NDArray[np.bool_]:
        tolerance = ROUNDING[graph.dtype.name] * (absolute_sums + gradient.absolute_sums)
        near: NDArray[np.bool_] = np.abs(found - gradient.values) <= tolerance
        return near

    right = is_near(passes.gradient())
    mistaken = (name for name, gradient in passes.mistaken_gradients() if np.all(right | is_near(gradient)))
    return next(mistaken, "")
