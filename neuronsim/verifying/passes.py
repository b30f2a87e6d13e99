"""A network's forward pass, and its backward pass in any variant, right or mistaken, in float64 from the formulas."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuronsim.basics.arrays import Reals
from neuronsim.basics.spread import evenly_spread
from neuronsim.engine.border import desired
from neuronsim.formulas import activations
from neuronsim.formulas.activations import SOFTMAX
from neuronsim.formulas.losses import Loss, loss_deltas
from neuronsim.formulas.neurons import bias_of, slope_of, weight_of
from neuronsim.formulas.reference import ReferenceNetwork
from neuronsim.formulas.rounding import gradient_absolute_sums, signal_absolute_sums
from neuronsim.tracing.result import StepResult
from neuronsim.verifying import mistakes
from neuronsim.verifying.layout import Layout
from neuronsim.verifying.mistakes import MISTAKES, RIGHT_VARIANT, Slope, Variant

#: Rounding of a gradient, in parts of its absolute sum.
ROUNDING = {"float64": 1e-12, "float32": 1e-5}
#: Absolute sums are those of so many messages at most; evenly chosen samples stand for the others.
_MOST_MESSAGES = 1_000_000


class Gradient(NamedTuple):
    """∂L/∂p of all parameters, each a sum, and the sums of the absolute values of the same terms."""

    values: Reals
    absolute_sums: Reals


class Passes:
    """Forward once, backward in any variant, samples side by side: arrays (n_neurons, n_samples)."""

    def __init__(
        self, layout: Layout, flat: Reals, X: ArrayLike, T: NDArray[Any], loss: Loss, rate: float, mean: bool
    ) -> None:
        graph = layout.graph
        self.graph, self.loss, self.rate, self.mean = graph, loss, rate, mean
        self.layout = layout
        self.flat = flat
        self.X = np.asarray(X, np.float64)
        self.T = desired(T, graph.n_outputs)
        self.n = len(self.X)
        self.order = [a for a in graph.plan().order.tolist() if not graph.is_input[a]]
        self.functions = [activations.by_code(code) for code in graph.activation_codes.tolist()]
        self.weights = flat[: graph.n_edges]
        self.biases, self.slopes = np.zeros((2, graph.n_neurons))
        self.biases[self.layout.others] = flat[self.layout.is_bias]
        self.slopes[self.layout.prelus] = flat[graph.n_edges + self.layout.n_biases :]
        self.outputs = graph.outputs.tolist()
        self.group = [o for o in self.outputs if graph.activation_codes[o] == SOFTMAX]
        self._forward()
        pairs = zip(self._outputs(), self.T.tolist(), strict=True)
        self.own_error = np.array([loss.derivative(y, t) for y, t in pairs])

    def _outputs(self) -> list[list[float]]:
        rows: list[list[float]] = self.y[self.outputs].T.tolist()
        return rows

    def _forward(self) -> None:
        graph = self.graph
        self.z = np.zeros((graph.n_neurons, self.n))
        self.z[graph.inputs] = self.X.T
        self.y = self.z.copy()
        for a in self.order:
            edges, sources = self.row(a)
            self.z[a] = self.biases[a] + self.weights[edges] @ self.y[sources]
            f = self.functions[a].function
            if f is not None:
                self.y[a] = [f(z, self.slopes[a]) for z in self.z[a].tolist()]
        if self.group:
            powers = np.exp(self.z[self.group] - self.z[self.group].max(axis=0))
            self.y[self.group] = powers / powers.sum(axis=0)

    def row(self, a: int) -> tuple[slice, NDArray[np.int32]]:
        """A neuron's incoming edges and their sources."""
        edges = slice(int(self.graph.row_start[a]), int(self.graph.row_start[a + 1]))
        return edges, self.graph.sources[edges]

    def slope_of(self, a: int, used: Slope) -> Reals | float:
        """f' of a neuron for each sample, or what a program uses in its place."""
        if self.graph.is_input[a]:
            return 1.0
        pairs = zip(self.z[a].tolist(), self.y[a].tolist(), strict=True)
        return np.array([used(self.functions[a], z, y, float(self.slopes[a])) for z, y in pairs])

    def loss_deltas(self, variant: Variant) -> Reals:
        """The δ that the loss itself puts on the outputs, shape (n_outputs, n_samples)."""
        names = ["" if self.graph.is_input[o] else self.functions[o].name for o in self.outputs]
        fused = [k for k, name in enumerate(names) if name == self.loss.fused]
        slopes = np.array([self.slope_of(o, variant.output) + np.zeros(self.n) for o in self.outputs])
        if variant.output is mistakes.missing and self.loss.fused != "softmax":
            names = ["" if name == "softmax" else name for name in names]
        rows = zip(self._outputs(), self.T.tolist(), slopes.T.tolist(), strict=True)
        delta = np.array([loss_deltas(self.loss, names, y, t, slope) for y, t, slope in rows]).T
        for k in fused if variant.twice else ():
            y = self.y[self.outputs[k]]
            delta[k] *= y * (1.0 - y)
        return delta

    def gradient(self, variant: Variant = RIGHT_VARIANT) -> Gradient:
        """Reduced over samples."""
        return self._reduced(*self.terms(variant), variant)

    def terms(self, variant: Variant) -> tuple[Reals, Reals]:
        """δ and ∂L/∂y of every neuron and sample."""
        graph, share = self.graph, 1.0 / self.n if self.mean else 1.0
        delta, error = np.zeros((2, graph.n_neurons, self.n))
        for k, o in enumerate(self.outputs):
            error[o] = self.own_error[:, k]
        own = dict(zip(self.outputs, self.loss_deltas(variant), strict=True))
        for a in reversed(self.order):
            error[a] += delta[a]
            delta[a] *= self.slope_of(a, variant.hidden) if delta[a].any() else 1.0
            delta[a] += own.get(a, 0.0)
            edges, sources = self.row(a)
            w = self.weights[edges]
            if variant.back == "updated":
                w = w - self.rate * np.maximum(self.layout.factors[edges], 0.0) * share * (self.y[sources] @ delta[a])
            delta[sources] += np.outer(np.ones_like(w) if variant.back == "ones" else w, delta[a])
        return delta, error

    def _reduced(self, delta: Reals, error: Reals, variant: Variant) -> Gradient:
        share = 1.0 / self.n if self.mean else 1.0
        signal = getattr(self, variant.signal)
        prelus = self.layout.prelus
        slope_terms = error[prelus] * np.minimum(self.z[prelus], 0.0)
        values, absolute = np.empty((2, self.layout.size))
        for a in self.order:
            edges, sources = self.row(a)
            values[edges] = signal[sources] @ delta[a]
            absolute[edges] = np.abs(signal[sources]) @ np.abs(delta[a])
        n = self.graph.n_edges
        of_neurons = np.concatenate([delta[self.layout.others], slope_terms])
        values[n:], absolute[n:] = of_neurons.sum(axis=1), np.abs(of_neurons).sum(axis=1)
        return Gradient(share * values, share * absolute)

    def mistaken_gradients(self) -> Iterator[tuple[str, Gradient]]:
        """The gradient of every mistake that this network gives a place to."""
        return ((name, self.gradient(variant)) for name, variant in MISTAKES.items() if self._has_place_for(variant))

    def _has_place_for(self, variant: Variant) -> bool:
        graph = self.graph
        hidden = {a for a in np.unique(graph.sources).tolist() if not graph.is_input[a]}
        outputs = [o for o in self.outputs if not graph.is_input[o]]
        fused = [o for o in outputs if self.functions[o].name == self.loss.fused]
        places = {self.functions[a].name for a in hidden if variant.hidden is not mistakes.derivative}
        places |= {
            self.functions[o].name for o in outputs if o not in fused and variant.output is not mistakes.derivative
        }
        if variant.hidden is mistakes.output_formula_of_z:
            places &= {"sigmoid", "tanh"}
        carries_otherwise = hidden and (variant.back, variant.signal) != ("old", "y")
        return bool(places - {"identity"} or (variant.twice and fused) or carries_otherwise)

    def of_samples(self, rows: list[int], flat: Reals | None = None) -> "Passes":
        """The same with some of the samples, and perhaps other parameters."""
        flat = self.flat if flat is None else flat
        return Passes(self.layout, flat, self.X[rows], self.T[rows], self.loss, self.rate, self.mean)

    def at_rate(self, rate: float) -> "Passes":
        """The same at another learning rate."""
        return Passes(self.layout, self.flat, self.X, self.T, self.loss, rate, self.mean)

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
    passes = Passes(layout, flat, x, t, step.loss_function, step.learning_rate, step.reduction == "mean")
    found, absolute_sums = layout.flat(*step.gradients), passes.absolute_sums()

    def is_near(gradient: Gradient) -> NDArray[np.bool_]:
        tolerance = ROUNDING[graph.dtype.name] * (absolute_sums + gradient.absolute_sums)
        near: NDArray[np.bool_] = np.abs(found - gradient.values) <= tolerance
        return near

    right = is_near(passes.gradient())
    mistaken = (name for name, gradient in passes.mistaken_gradients() if np.all(right | is_near(gradient)))
    return next(mistaken, "")
