"""One step of any other program, recognised: the rule that leads from its parameters before to those after.

Every hypothesis is the lectures' step with one mistake in it, computed in float64 from the formulas, not by the
kernels. It fits where all parameters come out to within what rounding explains: 1e-12 (float64) or 1e-5 (float32) of
the magnitude of each gradient (`neuronsim.formulas.rounding`), and some ulps of the parameter. Several may fit, because
on some networks different mistakes do the same; then all of them are named.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuronsim.engine.runtime import Runtime
from neuronsim.errors import CheckError, DataError, SettingError, choose
from neuronsim.formulas import activations, schedules
from neuronsim.formulas.activations import PRELU, SIGMOID, SOFTMAX, Activation
from neuronsim.formulas.losses import Loss
from neuronsim.verifying.checks import facts

if TYPE_CHECKING:
    from neuronsim.explaining.explain import Section
    from neuronsim.graph.graph import Graph
    from neuronsim.tracing.steps import Step

__all__ = ["Hypothesis", "Verdict", "check_foreign", "gradient_mistake"]

Reals = NDArray[np.float64]

RIGHT = "right"
UPDATED_WEIGHTS = "hidden deltas from updated weights"
UNKNOWN = "unknown"

#: Rounding of a gradient, in parts of its magnitude.
_ROUNDING = {"float64": 1e-12, "float32": 1e-5}
#: Rounding of a parameter's update, in ulps of it.
_ULPS = 4.0
#: Magnitudes are those of so many messages at most; evenly chosen samples stand for the others.
_MOST_MESSAGES = 1_000_000
#: Of more samples than this, one-by-one mistakes are not tried.
_MOST_SINGLE = 256
_SHOWN = 6


@dataclass(frozen=True)
class Hypothesis:
    """What one rule would have done.

    Attributes
    ----------
    rule : str
        "right", or the mistake.
    distance : float
        ‖after - predicted‖ ÷ ‖after - before‖: 0 is exact, 1 explains nothing. Where nothing moved, of ‖predicted -
        before‖.
    error : float
        Distance of the worst parameter over what rounding explains; it fits where this is at most 1.
    worst : str
        That parameter: ``w[i1→h1]``, ``b[h1]`` or ``slope[h1]``.
    """

    rule: str
    distance: float
    error: float
    worst: str

    @property
    def fits(self) -> bool:
        """Whether rounding explains all that is left."""
        return self.error <= 1.0


@dataclass(frozen=True)
class Verdict:
    """Which rule a step followed.

    Attributes
    ----------
    hypotheses : tuple of Hypothesis
        Those that fit, in the order in which they are tried, "right" first; then the others, nearest first.
    """

    hypotheses: tuple[Hypothesis, ...]

    @property
    def rule(self) -> str:
        """The rule that fits, "right" where that is one of them; "unknown" where none does."""
        return self.hypotheses[0].rule if self.hypotheses[0].fits else UNKNOWN

    @property
    def fits(self) -> tuple[str, ...]:
        """All rules that fit: on this network and data they cannot be told apart."""
        return tuple(h.rule for h in self.hypotheses if h.fits)

    @property
    def nearest(self) -> Hypothesis:
        """The one that fits, or comes nearest."""
        return self.hypotheses[0]

    @property
    def runner_up(self) -> Hypothesis:
        """The nearest that does not fit, behind ``nearest``."""
        return next((h for h in self.hypotheses[1:] if not h.fits), self.hypotheses[-1])

    @property
    def ok(self) -> bool:
        """Whether the right rule fits."""
        return self.rule == RIGHT

    def assert_ok(self) -> None:
        """Raise CheckError unless the right rule fits; the message is ``str(self)``."""
        if not self.ok:
            raise CheckError(str(self))

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        hypotheses = [facts(h) for h in self.hypotheses]
        return {"rule": self.rule, "ok": self.ok, "fits": list(self.fits), "hypotheses": hypotheses}

    def __str__(self) -> str:
        return str(self._section())

    def _repr_html_(self) -> str:
        return self._section().to_html()

    def _section(self) -> "Section":
        from neuronsim.explaining.explain import Section

        n_shown = max(_SHOWN, len(self.fits) + 1)
        rows = [("rule", "distance", "error / tolerance", "worst at")]
        rows += [(h.rule, f"{h.distance:.3g}", f"{h.error:.3g}", h.worst) for h in self.hypotheses[:n_shown]]
        return Section(self._sentence(), tuple(rows), ("distance: ‖after - predicted‖ / ‖after - before‖",))

    def _sentence(self) -> str:
        if self.rule == UNKNOWN:
            near, next_ = self.nearest, self.runner_up
            return f"unknown: no rule fits; nearest is {near.rule!r} ({near.distance:.3g}), then {next_.rule!r}"
        others = "; ".join(self.fits[1:])
        return f"the step is: {self.rule}" + (f"; here it cannot be told apart from: {others}" if others else "")


def check_foreign(
    runtime: Runtime,
    X: ArrayLike,
    T: ArrayLike,
    after: Any,
    *,
    learning_rate: float,
    loss: str | Loss | None = None,
    reduction: str = "mean",
    previous: Any = None,
    dtype: Any = None,
    atol: float = 0.0,
) -> Verdict:
    """Recognise one plain gradient step of another program by its result.

    Parameters
    ----------
    runtime : Runtime
        The parameters before the step; what is frozen or has a rate factor should keep it. Is left as it is.
    X, T
        The samples of that one step: (n_samples, n_inputs) and (n_samples, n_outputs), or class numbers; or one sample.
        Pure Python reads every message: a handful of samples is quick.
    after
        The parameters behind it: a Network of the same wiring; a mapping of "weights", "biases", "slopes" to arrays; or
        (weights, biases). Weights (n_edges,) are in the order of ``net.edges``, which of fully connected layers is
        that of ``W.ravel()`` with W (n_out, n_in), layer after layer; biases are (n_neurons,), or without the inputs.
        What is left out is not compared.
    learning_rate : float
        μ, above 0.
    loss, reduction
        As for ``net.gradients``: what the program was meant to do.
    previous
        The parameters one step earlier, given as ``after``: then momentum is recognised, with its β.
    dtype
        What the program computes in; that of ``after`` if not given, float32 if either of both is.
    atol : float
        How far the given parameters may be off, as when they were printed with 9 digits: 1e-9.

    Returns
    -------
    Verdict
        ``.rule``: "right", the name of the mistake, or "unknown".
    """
    if reduction not in ("mean", "sum"):
        raise SettingError(f"unknown reduction {reduction!r}; allowed: mean, sum")
    rate = float(schedules.resolve(learning_rate).rates(0, 1, 0)[0])
    if not rate > 0.0:
        raise SettingError("a learning rate of 0 changes nothing, so nothing can be recognised; give the program's own")
    if not 0.0 <= atol < np.inf:
        raise SettingError(f"atol={atol!r}: a finite number of at least 0 is needed")
    runtime.engine()
    x, t, used = runtime.data(X, T, loss)
    graph = runtime.graph
    layout = _Layout(graph)
    behind, coarse = layout.given(after, "after")
    narrow = np.dtype(dtype or (np.float32 if np.float32 in (coarse, graph.dtype) else np.float64)).name
    if narrow not in _ROUNDING:
        raise SettingError(f"dtype {narrow!r}: float32 or float64 is needed")
    passes = _Passes(
        graph, layout.flat(graph.weights, graph.biases, graph.slopes), x, t, used, rate, reduction == "mean"
    )
    earlier = None if previous is None else layout.given(previous, "previous")[0]
    return _Judge(passes, behind, earlier, narrow, atol).verdict()


def gradient_mistake(step: "Step", gradients: "Mapping[str, ArrayLike]") -> str:
    """Which mistake makes the wrong ones among these gradients of a step; "" if none of those known here does.

    Parameters
    ----------
    step : Step
    gradients : mapping
        "weights", "biases" and "slopes", as ``step.check`` compares them.
    """
    graph = step.graph
    layout = _Layout(graph)
    flat = layout.flat(step.weights, step.biases, step.slopes)
    x = np.atleast_2d(np.asarray(step.y[..., graph.inputs], np.float64))
    t = np.atleast_2d(np.asarray(step.targets, np.float64))
    mean = step.reduction == "mean"
    passes = _Passes(graph, flat, x, t, step.loss_function, step.learning_rate, mean)
    found = layout.flat(*(np.asarray(gradients[of], np.float64) for of in ("weights", "biases", "slopes")))
    rounding = _ROUNDING[graph.dtype.name]
    magnitudes = passes.magnitudes()

    def is_near(gradient: _Gradient) -> NDArray[np.bool_]:
        near: NDArray[np.bool_] = np.abs(found - gradient.values) <= rounding * (magnitudes + gradient.sizes)
        return near

    right = is_near(passes.gradient())
    mistaken = (name for name, gradient in passes.mistaken_gradients() if np.all(right | is_near(gradient)))
    return next(mistaken, "")


class _Layout:
    """All parameters of a graph in one row: weights, biases of what is no input, slopes of prelus."""

    def __init__(self, graph: "Graph") -> None:
        self.graph = graph
        self.others = np.flatnonzero(~graph.is_input)
        self.prelus = np.flatnonzero(graph.activation_codes == PRELU)
        self.n_edges, self.n_biases = graph.n_edges, len(self.others)
        self.size = self.n_edges + self.n_biases + len(self.prelus)
        self.is_bias = np.zeros(self.size, np.bool_)
        self.is_bias[self.n_edges : self.n_edges + self.n_biases] = True
        self.sinks = np.concatenate([graph.sinks(), self.others, self.prelus])

    def flat(self, weights: ArrayLike, biases: ArrayLike, slopes: ArrayLike) -> Reals:
        of_neurons = np.asarray(biases, np.float64)[self.others], np.asarray(slopes, np.float64)[self.prelus]
        return np.concatenate([np.asarray(weights, np.float64), *of_neurons])

    def factors(self) -> Reals:
        """Rate factors, 1 where none are set, negative where frozen."""
        graph = self.graph
        ones = np.ones(max(graph.n_edges, graph.n_neurons))
        sets = (graph.weight_rates, graph.n_edges), (graph.bias_rates, graph.n_neurons)
        w, b = (ones[:n] if factors is None else factors for factors, n in sets)
        s = ones[: graph.n_neurons] if graph.slope_rates is None else graph.slope_rates
        return self.flat(w, b, s)

    def name(self, row: int) -> str:
        sink = self.graph.name(int(self.sinks[row]))
        if row < self.n_edges:
            return f"w[{self.graph.name(int(self.graph.sources[row]))}→{sink}]"
        return f"b[{sink}]" if self.is_bias[row] else f"slope[{sink}]"

    def given(self, what: Any, called: str) -> tuple[Reals, np.dtype[Any]]:
        """Parameters as people give them, NaN where left out, and the coarsest dtype of them."""
        parts = self._parts(what, called)
        n_all = self.graph.n_neurons
        shapes = {"weights": [self.n_edges], "biases": [n_all, self.n_biases], "slopes": [n_all]}
        rows: list[Reals] = []
        coarse: np.dtype[Any] = np.dtype(np.float64)
        for of, chosen in (("weights", None), ("biases", self.others), ("slopes", self.prelus)):
            size = self.n_edges if chosen is None else len(chosen)
            if parts.get(of) is None:
                rows.append(np.full(size, np.nan))
                continue
            array = np.asarray(parts[of])
            if array.dtype.kind not in "fiu" or array.ndim != 1 or len(array) not in shapes[of]:
                allowed = " or ".join(f"({n},)" for n in shapes[of])
                raise DataError(f"{of} of {called} has shape {array.shape} of {array.dtype}; it must be {allowed}")
            if not np.isfinite(array).all():
                raise DataError(f"{of} of {called} are not all finite: there is no step to recognise")
            coarse = array.dtype if array.dtype == np.float32 else coarse
            wide = array.astype(np.float64)
            rows.append(wide if chosen is None or len(wide) == size != n_all else wide[chosen])
        return np.concatenate(rows), coarse

    def _parts(self, what: Any, called: str) -> dict[str, Any]:
        if isinstance(what, Runtime):
            what.draw()
            graph = what.graph
            same = (graph.n_neurons, graph.n_edges) == (self.graph.n_neurons, self.graph.n_edges)
            if not (same and np.array_equal(graph.sources, self.graph.sources)):
                raise DataError(f"{called} is wired in another way: it must have the same neurons and edges")
            return {"weights": graph.weights, "biases": graph.biases, "slopes": graph.slopes}
        if isinstance(what, Mapping):
            allowed = {name: name for name in ("weights", "biases", "slopes")}
            return {choose(f"part of {called}", name, allowed): values for name, values in what.items()}
        if isinstance(what, (tuple, list)) and len(what) in (1, 2, 3) and all(np.ndim(part) == 1 for part in what):
            return dict(zip(("weights", "biases", "slopes"), what, strict=False))
        raise DataError(
            f"{called} is a Network, a mapping of 'weights', 'biases', 'slopes' to arrays, or (weights, biases), "
            f"not {type(what).__name__}"
        )


class _Gradient(NamedTuple):
    """∂L/∂p of all parameters, and the sum of the absolute values of its terms."""

    values: Reals
    sizes: Reals


Slope = Callable[[Activation, float, float, float], float]  # (f, z, y, prelu slope) → what is used for f'


def _derivative(f: Activation, z: float, y: float, slope: float) -> float:
    return 1.0 if f.derivative is None else f.derivative(z, slope)


def _missing(f: Activation, z: float, y: float, slope: float) -> float:
    return 1.0


def _of_activated(f: Activation, z: float, y: float, slope: float) -> float:
    return 1.0 if f.derivative is None else f.derivative(y, slope)


def _output_formula_of_z(f: Activation, z: float, y: float, slope: float) -> float:
    """y(1 - y) and 1 - y², but given z."""
    formulas: dict[str, float] = {"sigmoid": z * (1.0 - z), "tanh": 1.0 - z * z}
    return formulas.get(f.name, _derivative(f, z, y, slope))


class _Way(NamedTuple):
    """How a program goes back; the defaults are right."""

    hidden: Slope = _derivative
    output: Slope = _derivative
    twice: bool = False  # f' once more where the loss's own δ is already y - t
    back: str = "old"  # the weights that carry δ back: old, updated or ones
    signal: str = "y"  # what δ is multiplied with: y or z of the source


_RIGHT_WAY = _Way()
_WAYS: dict[str, _Way] = {
    UPDATED_WEIGHTS: _Way(back="updated"),
    "derivative missing (hidden)": _Way(hidden=_missing),
    "derivative missing at the output": _Way(output=_missing),
    "derivative missing everywhere": _Way(hidden=_missing, output=_missing),
    "derivative of an already activated value": _Way(hidden=_of_activated, output=_of_activated),
    "derivative's formula for y given z": _Way(hidden=_output_formula_of_z, output=_output_formula_of_z),
    "derivative once too often at the output": _Way(twice=True),
    "weights missing in the hidden deltas": _Way(back="ones"),
    "delta times z instead of y of the source": _Way(signal="z"),
}


class _Passes:
    """Forward once, backward in any way, samples side by side: arrays (n_neurons, n_samples)."""

    def __init__(
        self, graph: "Graph", flat: Reals, X: ArrayLike, T: NDArray[Any], loss: Loss, rate: float, mean: bool
    ) -> None:
        from neuronsim.tracing.steps import desired

        self.graph, self.loss, self.rate, self.mean = graph, loss, rate, mean
        self.layout = _Layout(graph)
        self.flat = flat
        self.factors = self.layout.factors()
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
        self.own_error = np.array(
            [loss.derivative(y, t) for y, t in zip(self._outputs(), self.T.tolist(), strict=True)]
        )

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
        edges = slice(int(self.graph.row_start[a]), int(self.graph.row_start[a + 1]))
        return edges, self.graph.sources[edges]

    def slope_of(self, a: int, used: Slope) -> Reals | float:
        """f' of a neuron for each sample, or what a program uses in its place."""
        if self.graph.is_input[a]:
            return 1.0
        pairs = zip(self.z[a].tolist(), self.y[a].tolist(), strict=True)
        return np.array([used(self.functions[a], z, y, float(self.slopes[a])) for z, y in pairs])

    def own_delta(self, k: int, way: _Way) -> Any:
        """The δ that the loss itself puts on output ``k``."""
        o, error = self.outputs[k], self.own_error[:, k]
        y, t = self.y[o], self.T[:, k]
        f = self.functions[o]
        fused = f.name == self.loss.fused and not self.graph.is_input[o]
        if fused:
            whole = self.T[:, [self.outputs.index(g) for g in self.group]].sum(axis=1) if f.code == SOFTMAX else 1.0
            once_more: Any = 1.0
            if way.twice:
                once_more = self.slope_of(o, _derivative) if f.code == SIGMOID else y * (1.0 - y)
            return (y * whole - t) * once_more
        if f.code == SOFTMAX and way.output is not _missing:
            of_group = [self.outputs.index(g) for g in self.group]
            spread = (self.own_error[:, of_group] * self.y[self.group].T).sum(axis=1)
            return y * (error - spread)
        return error * self.slope_of(o, way.output)

    def gradient(self, way: _Way = _RIGHT_WAY) -> _Gradient:
        """Reduced over samples."""
        return self._reduced(*self.terms(way), way)

    def terms(self, way: _Way) -> tuple[Reals, Reals]:
        """δ and ∂L/∂y of every neuron and sample."""
        graph, share = self.graph, 1.0 / self.n if self.mean else 1.0
        delta, error = np.zeros((2, graph.n_neurons, self.n))
        for k, o in enumerate(self.outputs):
            error[o] = self.own_error[:, k]
        own = {o: self.own_delta(k, way) for k, o in enumerate(self.outputs)}
        for a in reversed(self.order):
            error[a] += delta[a]
            delta[a] *= self.slope_of(a, way.hidden) if delta[a].any() else 1.0
            delta[a] += own.get(a, 0.0)
            edges, sources = self.row(a)
            w = self.weights[edges]
            if way.back == "updated":
                w = w - self.rate * np.maximum(self.factors[edges], 0.0) * share * (self.y[sources] @ delta[a])
            delta[sources] += np.outer(np.ones_like(w) if way.back == "ones" else w, delta[a])
        return delta, error

    def _reduced(self, delta: Reals, error: Reals, way: _Way) -> _Gradient:
        share = 1.0 / self.n if self.mean else 1.0
        signal = getattr(self, way.signal)
        prelus = self.layout.prelus
        slope_terms = error[prelus] * np.minimum(self.z[prelus], 0.0)
        values, sizes = np.empty((2, self.layout.size))
        for a in self.order:
            edges, sources = self.row(a)
            values[edges] = signal[sources] @ delta[a]
            sizes[edges] = np.abs(signal[sources]) @ np.abs(delta[a])
        n = self.graph.n_edges
        of_neurons = np.concatenate([delta[self.layout.others], slope_terms])
        values[n:], sizes[n:] = of_neurons.sum(axis=1), np.abs(of_neurons).sum(axis=1)
        return _Gradient(share * values, share * sizes)

    def mistaken_gradients(self) -> Iterator[tuple[str, _Gradient]]:
        """The gradient of every way to go back wrong that this network gives a place to."""
        return ((name, self.gradient(way)) for name, way in _WAYS.items() if self._has_place_for(way))

    def _has_place_for(self, way: _Way) -> bool:
        graph = self.graph
        hidden = {a for a in np.unique(graph.sources).tolist() if not graph.is_input[a]}
        outputs = [o for o in self.outputs if not graph.is_input[o]]
        fused = [o for o in outputs if self.functions[o].name == self.loss.fused]
        places = {self.functions[a].name for a in hidden if way.hidden is not _derivative}
        places |= {self.functions[o].name for o in outputs if o not in fused and way.output is not _derivative}
        if way.hidden is _output_formula_of_z:
            places &= {"sigmoid", "tanh"}
        return bool(
            places - {"identity"} or (way.twice and fused) or (hidden and (way.back, way.signal) != ("old", "y"))
        )

    def alone(self, rows: list[int], flat: Reals | None = None) -> "_Passes":
        """The same with some of the samples, and perhaps other parameters."""
        flat = self.flat if flat is None else flat
        return _Passes(self.graph, flat, self.X[rows], self.T[rows], self.loss, self.rate, self.mean)

    def magnitudes(self) -> Reals:
        """The magnitude of every reduced gradient, by ``neuronsim.formulas.rounding``."""
        from neuronsim.formulas.reference import ReferenceNetwork, bias_of, slope_of, weight_of
        from neuronsim.formulas.rounding import gradient_magnitudes, signal_magnitudes
        from neuronsim.network import Network
        from neuronsim.verifying.checks import in_float64

        graph, layout = self.graph, self.layout
        wide = in_float64(graph, self.weights, self.biases, self.slopes)
        reference = ReferenceNetwork.from_network(Network.from_graph(wide, rng=0))
        sources, sinks = graph.sources.tolist(), layout.sinks.tolist()
        keys = [weight_of(b, a) for b, a in zip(sources, sinks, strict=False)]
        keys += [bias_of(a) for a in layout.others.tolist()] + [slope_of(a) for a in layout.prelus.tolist()]
        most = max(1, _MOST_MESSAGES // max(1, graph.n_edges))
        chosen = np.unique(np.linspace(0, self.n - 1, min(most, self.n)).astype(int)).tolist()
        found = np.zeros(layout.size)
        for i in chosen:
            t = self.T[i].tolist()
            s = reference.signals(self.X[i].tolist(), t, self.loss)
            m = gradient_magnitudes(reference, s, signal_magnitudes(reference, s, t, self.loss))
            found += [m[key] for key in keys]
        return found / len(chosen) * (1.0 if self.mean else self.n)


class _Judge:
    """Tries every hypothesis on one step."""

    def __init__(self, passes: _Passes, after: Reals, previous: Reals | None, dtype: str, atol: float) -> None:
        self.passes, self.after, self.previous, self.atol = passes, after, previous, atol
        self.layout = passes.layout
        self.known = np.isfinite(after)
        self.rate, self.before = passes.rate, passes.flat
        self.factors = np.maximum(passes.factors, 0.0)
        self.change = after - self.before
        self.right = passes.gradient()
        self.magnitudes = passes.magnitudes()
        self.rounding = _ROUNDING[dtype]
        self.ulps = _ULPS * float(np.finfo(dtype).eps) * (np.abs(self.before) + np.abs(after)) + atol

    def verdict(self) -> Verdict:
        tried = list(self.singles())
        fitting = [h for h in tried if h.fits]
        if not fitting:
            fitting = list(self._first_fit(self.other_rules(), self.pairs()))
            # a rule with a number fitted to the step comes a little nearer than one without; that says nothing
            nearest = min(h.distance for h in tried)
            tried += [h for h in fitting if h.distance < 0.5 * nearest]
        others = sorted((h for h in tried if not h.fits), key=lambda h: h.distance)
        return Verdict((*(h for h in fitting if h.fits), *others))

    def _first_fit(self, *sources: Iterator[Hypothesis]) -> Iterator[Hypothesis]:
        """All hypotheses of the first group of which one fits; the simpler explanations come first."""
        for source in sources:
            found = list(source)
            yield from found
            if any(h.fits for h in found):
                return

    # ── hypotheses ──

    def singles(self) -> Iterator[Hypothesis]:
        """The right step, and every single mistake."""
        right, n = self.right, self.passes.n
        yield self.descent(RIGHT, right)
        for name, gradient in self.passes.mistaken_gradients():
            yield self.descent(name, gradient)
        if self.passes.mean:
            yield self.descent("summed instead of averaged", right, n)
        else:
            yield self.descent("averaged instead of summed", right, 1.0 / n)
        yield self.descent("twice the gradient (the loss's ½ left out)", right, 2.0)
        yield self.descent("half the gradient (a ½ too many)", right, 0.5)
        yield self.descent("wrong sign", right, -1.0)
        yield self.descent("bias not trained", right, ~self.layout.is_bias)
        is_output = np.isin(self.layout.sinks, self.passes.outputs)
        yield self.descent("hidden neurons not trained", right, is_output)
        if (self.passes.factors < 0.0).any():
            yield self.descent("frozen parameters moved too", right, factors=np.abs(self.passes.factors))
        yield self.descent("no step", right, 0.0)
        if 1 < n <= _MOST_SINGLE:
            for i in range(n):
                yield self.descent(f"one sample only (row {i})", self.passes.alone([i]).gradient())
            yield self.one_by_one()

    def scaled(self, name: str, gradient: _Gradient) -> Iterator[Hypothesis]:
        """The same with another learning rate, the one that comes nearest."""
        k = -self._least_squares(self.rate * self.factors * gradient.values, self.change)
        off = f"learning rate off by factor {k:.6g}"
        yield self.descent(off if name == RIGHT else f"{name}; {off}", gradient, k)

    def other_rules(self) -> Iterator[Hypothesis]:
        """Right gradients, used with another rate or by another rule, with weight decay or momentum."""
        for beta in (0.9, 0.99, 0.95, 0.5):
            yield self.descent(f"first step of nesterov, momentum {beta:g}", self.right, 1.0 + beta)
        yield self.moved("first step of adam", lambda g: g / (np.abs(g) + 1e-8))
        yield self.moved("first step of rmsprop", lambda g: g / (0.1 * np.abs(g) + 1e-8))
        yield self.moved("first step of rprop, or the gradient's sign alone", np.sign)
        is_weight = np.arange(self.layout.size) < self.layout.n_edges
        left = self.change + self.rate * self.factors * self.right.values
        decay = -self._least_squares(self.rate * self.factors * self.before * is_weight, left)
        shift = -self.rate * self.factors * decay * self.before * is_weight
        yield self.descent(f"weight decay of {decay:.6g}", self.right, shift=shift)
        if self.previous is not None:
            velocity = np.where(np.isfinite(self.previous), self.before - self.previous, 0.0) * (self.factors > 0.0)
            beta = self._least_squares(velocity, left)
            yield self.descent(f"momentum of {beta:.6g}", self.right, shift=beta * velocity)
        yield from self.scaled(RIGHT, self.right)

    def pairs(self) -> Iterator[Hypothesis]:
        """Two mistakes at once: a wrong way back, and biases left alone or another learning rate."""
        for name, gradient in self.passes.mistaken_gradients():
            yield self.descent(f"{name}; bias not trained", gradient, ~self.layout.is_bias)
            yield from self.scaled(name, gradient)
        without = _Gradient(self.right.values * ~self.layout.is_bias, self.right.sizes)
        yield from self.scaled("bias not trained", without)

    def one_by_one(self) -> Hypothesis:
        """Every sample's own step, one after the other, in place of one step with all."""
        flat = self.before
        for i in range(self.passes.n):
            g = self.passes.alone([i], flat).gradient().values
            flat = flat - self.rate * self.factors * g
        sizes = self.right.sizes * (self.passes.n if self.passes.mean else 1)
        return self._compared("the samples one after the other, each with its own step", flat, _Gradient(g, sizes))

    # ── comparisons ──

    def descent(
        self,
        rule: str,
        gradient: _Gradient,
        k: float | NDArray[np.bool_] = 1.0,
        *,
        factors: Reals | None = None,
        shift: Reals | float = 0.0,
    ) -> Hypothesis:
        """w - k μ g + shift."""
        rates = self.rate * (self.factors if factors is None else factors)
        return self._compared(rule, self.before - k * rates * gradient.values + shift, gradient, np.abs(k) * rates)

    def moved(self, rule: str, move: Callable[[Reals], Reals]) -> Hypothesis:
        """w - μ · move(g): rounding of g shows as far as ``move`` lets it."""
        rates, g = self.rate * self.factors, self.right.values
        off = self.rounding * (self.magnitudes + self.right.sizes)
        tolerance = rates * np.maximum(np.abs(move(g + off) - move(g)), np.abs(move(g - off) - move(g)))
        tolerance = tolerance + rates * self.rounding * np.abs(move(g))
        return self._hypothesis(rule, self.before - rates * move(g), tolerance)

    def _compared(
        self, rule: str, predicted: Reals, gradient: _Gradient, rates: Reals | float | None = None
    ) -> Hypothesis:
        rates = self.rate * self.factors if rates is None else rates
        return self._hypothesis(rule, predicted, rates * self.rounding * (self.magnitudes + gradient.sizes))

    def _hypothesis(self, rule: str, predicted: Reals, tolerance: Reals) -> Hypothesis:
        known = self.known
        off = np.abs(self.after - predicted)
        over = off[known] / np.maximum((tolerance + self.ulps)[known], np.finfo(np.float64).tiny)
        if not len(over):
            raise DataError("after holds no parameters: there is nothing to recognise")
        worst = int(over.argmax())
        moved = np.linalg.norm(self.change[known]) or np.linalg.norm((predicted - self.before)[known])
        distance = np.linalg.norm(off[known]) / moved if moved else 0.0
        return Hypothesis(
            rule, float(distance), float(over[worst]), self.layout.name(int(np.flatnonzero(known)[worst]))
        )

    def _least_squares(self, x: Reals, y: Reals) -> float:
        """k of y ≈ k x, each row by its own rounding."""
        scale = 1.0 / np.maximum(self.ulps + self.rate * self.rounding * self.magnitudes, np.finfo(np.float64).tiny)
        x, y = (x * scale)[self.known], (y * scale)[self.known]
        whole = float(x @ x)
        return float(x @ y) / whole if whole else 0.0
