"""Every gradient against central differences (C(θ + ε) - C(θ - ε)) / 2ε of the loss (L0)."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuronsim.engine.border import as_samples, as_targets
from neuronsim.engine.engine import Engine
from neuronsim.engine.runtime import Runtime
from neuronsim.errors import CheckError, SettingError
from neuronsim.formulas import activations
from neuronsim.formulas.activations import PRELU
from neuronsim.formulas.losses import Loss
from neuronsim.graph.graph import Graph
from neuronsim.seeds import NOISE, generator

if TYPE_CHECKING:
    from neuronsim.tracing.result import StepResult

__all__ = ["Check", "Comparison", "check", "check_step"]

Reals = NDArray[np.floating]

MOST_PARAMETERS = 10_000
_STEPS = (1e-5, 1e-4, 1e-6)
_SHOWN = 10


@dataclass(frozen=True)
class Comparison:
    """One gradient, computed and measured.

    Attributes
    ----------
    name : str
        ``w[i1→h1]``, ``b[h1]`` or ``slope[h1]``.
    gradient, difference : float
        What backpropagation says, and what central differences of the loss say.
    error : float
        Their distance over what rounding explains; above 1 it fails.
    kink : str
        Which neuron or output has a kink between the two points, if any: then a difference measures nothing.
    """

    name: str
    gradient: float
    difference: float
    error: float
    kink: str = ""


@dataclass(frozen=True)
class Check:
    """What ``net.check`` found: all comparisons, worst first.

    Attributes
    ----------
    comparisons : tuple of Comparison
        Worst first.
    kinks : tuple of Comparison
        Those that could not be measured because of a kink; they do not fail.
    n_parameters : int
        How many there are; of more than 10,000 a random 10,000 are measured.
    mistake : str
        What makes such gradients, if they fail and it is known; see `neuronsim.verifying.foreign`.
    """

    comparisons: tuple[Comparison, ...]
    kinks: tuple[Comparison, ...]
    n_parameters: int
    mistake: str = ""

    @property
    def ok(self) -> bool:
        """Whether all that could be measured agree."""
        return not self.failures

    @property
    def worst(self) -> Comparison | None:
        """The comparison with the largest error."""
        return self.comparisons[0] if self.comparisons else None

    @property
    def failures(self) -> tuple[Comparison, ...]:
        """Those that rounding does not explain, worst first."""
        return tuple(c for c in self.comparisons if not c.error <= 1.0)

    def assert_ok(self) -> None:
        """Raise CheckError if a gradient is wrong; the message is ``str(self)``."""
        if not self.ok:
            raise CheckError(str(self))

    def as_dict(self) -> dict[str, Any]:
        """The verdict, the failures and the worst, for JSON."""
        return {
            "ok": self.ok,
            "n_parameters": self.n_parameters,
            "measured": len(self.comparisons),
            "behind_kinks": len(self.kinks),
            "worst": facts(self.worst) if self.worst else None,
            "failures": [facts(c) for c in self.failures],
        }

    def __str__(self) -> str:
        rows = self._rows(self.failures[:_SHOWN] or self.comparisons[:3])
        widths = [max(len(row[k]) for row in rows) for k in range(4)]
        lines = ["  " + "  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
        return "\n".join([self._verdict(), *lines, *self._kink_lines()])

    def _repr_html_(self) -> str:
        rows = self._rows(self.failures[:_SHOWN] or self.comparisons[:3])
        table = "".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in rows)
        kinks = "".join(f"<p>{escape(line)}</p>" for line in self._kink_lines())
        return f"<p>{escape(self._verdict())}</p><table>{table}</table>{kinks}"

    def _verdict(self) -> str:
        n, bad = len(self.comparisons), len(self.failures)
        of = f"{n:,}" if n + len(self.kinks) == self.n_parameters else f"{n:,} of {self.n_parameters:,}"
        if bad:
            because = f" ({self.mistake})" if self.mistake else ""
            return f"{bad:,} of {n:,} gradients differ from central differences of the loss{because}; worst first:"
        return f"{of} gradients agree with central differences of the loss; worst first:"

    def _rows(self, those: tuple[Comparison, ...]) -> list[tuple[str, ...]]:
        header = ("parameter", "gradient", "difference", "error / tolerance")
        return [
            header,
            *((c.name, f"{c.gradient:.9g}", f"{c.difference:.9g}", f"{c.error:.3g}") for c in those),
        ]

    def _kink_lines(self) -> list[str]:
        lines = [f"not measured, a kink lies between: {c.name} ({c.kink})" for c in self.kinks[:_SHOWN]]
        left = len(self.kinks) - len(lines)
        return [*lines, f"and {left:,} more behind kinks"] if left else lines


def check(
    runtime: Runtime,
    X: ArrayLike,
    T: ArrayLike,
    *,
    loss: str | Loss | None = None,
    reduction: str = "mean",
    most: int = MOST_PARAMETERS,
) -> Check:
    """Compare the gradients of all weights, biases and slopes with central differences, on a float64 copy.

    Parameters
    ----------
    runtime : Runtime
        Is left as it is.
    X, T
        Shapes (n_samples, n_inputs) and (n_samples, n_outputs), or (n_samples,) class numbers; or one sample.
        A handful of samples is enough: every parameter costs two forward passes over all of them.
    loss : str, Loss or None
        As for ``net.gradients``.
    reduction : {"mean", "sum"}
        Over samples.
    most : int
        Of more parameters than this, a random selection is measured.
    """
    if reduction not in ("mean", "sum"):
        raise SettingError(f"unknown reduction {reduction!r}; allowed: mean, sum")
    runtime.engine()
    own = runtime.graph
    graph = in_float64(own, own.weights, own.biases, own.slopes)
    x, t, used = _data(runtime, graph, X, T, loss)
    engine = Engine(graph)
    gradients = engine.parameter_gradients(x, t, used, reduction)._asdict()
    return compare(engine, gradients, x, t, used, mean=reduction == "mean", most=most)


def check_step(step: "StepResult", most: int = MOST_PARAMETERS) -> Check:
    """Compare the gradients that a step used, of a batch the reduced ones, with central differences before it."""
    from neuronsim.verifying.foreign import gradient_mistake

    graph = in_float64(step.graph, step.weights, step.biases, step.slopes)
    x = np.atleast_2d(np.asarray(step.y[..., step.graph.inputs], np.float64))
    t = np.atleast_2d(np.asarray(step.targets))
    gradients = {"weights": step.weight_gradients, "biases": step.bias_gradients, "slopes": step.slope_gradients}
    rounding = 1.0 if step.graph.dtype == np.float64 else 1e3
    mean = step.reduction == "mean"
    found = compare(Engine(graph), gradients, x, t, step.loss_function, mean=mean, most=most, rounding=rounding)
    return found if found.ok else replace(found, mistake=gradient_mistake(step, gradients))


def in_float64(graph: Graph, weights: Reals, biases: Reals, slopes: Reals) -> Graph:
    """A float64 graph of the same wiring with the given parameters."""
    return Graph.assemble(
        "float64",
        graph.names.copy(),
        row_start=graph.row_start,
        sources=graph.sources,
        weights=weights,
        activation_codes=graph.activation_codes,
        inputs=graph.inputs,
        outputs=graph.outputs,
        biases=biases,
        slopes=slopes,
    )


def compare(
    engine: Engine,
    gradients: dict[str, Reals],
    x: Reals,
    t: NDArray[Any],
    loss: Loss,
    *,
    mean: bool = True,
    most: int = MOST_PARAMETERS,
    rounding: float = 1.0,
) -> Check:
    """Compare given gradients of a float64 engine's parameters with central differences."""
    measure = _Measure(engine, x, t, loss, mean)
    largest = max((float(np.abs(g).max(initial=0.0)) for g in gradients.values()), default=0.0)
    floor = 1e-8 * max(1.0, abs(measure.loss()), largest) * rounding
    places = list(_places(engine.graph))
    chosen = places
    if len(places) > most:
        picks = generator(0, NOISE).choice(len(places), most, replace=False)
        chosen = [places[k] for k in np.sort(picks)]
    found = [
        measure.comparison(name, of, row, float(gradients[of][row]), floor, 1e-5 * rounding) for name, of, row in chosen
    ]
    measured = sorted((c for c in found if not c.kink), key=lambda c: -c.error if c.error == c.error else -np.inf)
    return Check(tuple(measured), tuple(c for c in found if c.kink), len(places))


def facts(record: Any) -> dict[str, Any]:
    """A record's fields, for JSON: None for numbers that are not finite."""
    return {
        name: None if isinstance(value, float) and not np.isfinite(value) else value
        for name, value in asdict(record).items()
    }


class _Measure:
    """Differences of the loss around one set of parameters, which are put back each time."""

    def __init__(self, engine: Engine, x: Reals, t: NDArray[Any], loss: Loss, mean: bool) -> None:
        self.engine, self.x, self.t, self.loss_function, self.mean = engine, x, t, loss, mean
        self.arrays = {
            "weights": engine.graph.weights,
            "biases": engine.graph.biases,
            "slopes": engine.graph.slopes,
        }

    def loss(self) -> float:
        each, _ = self.engine.losses(self.x, self.t, self.loss_function, 1)
        return float(each.mean() if self.mean else each.sum())

    def comparison(self, name: str, of: str, row: int, gradient: float, floor: float, relative: float) -> Comparison:
        """The best agreement over a few step sizes; if there is none, look for a kink."""
        best = Comparison(name, gradient, np.nan, np.inf)
        for eps in _STEPS:
            difference = self.difference(of, row, eps)
            scale = floor + relative * max(abs(gradient), abs(difference))
            error = abs(gradient - difference) / scale
            if error < best.error:
                best = Comparison(name, gradient, difference, error)
            if best.error <= 1.0:
                return best
        kink = self.kink(of, row, _STEPS[0])
        return Comparison(name, gradient, best.difference, best.error, kink)

    def difference(self, of: str, row: int, eps: float) -> float:
        values = self.arrays[of]
        old = values[row]
        eps *= max(1.0, abs(old))
        values[row] = old + eps
        above, up = self.loss(), values[row]
        values[row] = old - eps
        below, down = self.loss(), values[row]
        values[row] = old
        return float((above - below) / (up - down))

    def kink(self, of: str, row: int, eps: float) -> str:
        """What has a kink between the two points, in words; "" if nothing has."""
        values = self.arrays[of]
        old = values[row]
        eps *= max(1.0, abs(old))
        sides = []
        for shift in (-eps, eps):
            values[row] = old + shift
            sides.append([self.engine.forward_one(sample) for sample in self.x])
        values[row] = old
        for sample, (low, high) in enumerate(zip(*sides, strict=True)):
            found = self._kinked_neuron(low.z, high.z) or self._kinked_output(sample, low.y, high.y)
            if found:
                return f"{found} of sample {sample}"
        return ""

    def _kinked_neuron(self, low: Reals, high: Reals) -> str:
        graph = self.engine.graph
        for code in np.unique(graph.activation_codes).tolist():
            activation = activations.by_code(code)
            members = np.flatnonzero((graph.activation_codes == code) & ~graph.is_input)
            for kink in activation.kinks:
                crossed = members[(low[members] > kink) != (high[members] > kink)]
                if len(crossed):
                    return f"{activation.name} of {graph.name(int(crossed[0]))} at z = {kink:g}"
        return ""

    def _kinked_output(self, sample: int, low: Reals, high: Reals) -> str:
        name = self.loss_function.name
        if name not in ("absolute_error", "l2_norm") or self.t.ndim < 2:
            return ""
        outputs = self.engine.graph.outputs
        turned = np.sign(low[outputs] - self.t[sample]) != np.sign(high[outputs] - self.t[sample])
        if turned.any() if name == "absolute_error" else turned.all():
            return f"{name} at y = t of {self.engine.graph.name(int(outputs[turned.argmax()]))}"
        return ""


def _places(graph: Graph) -> Iterator[tuple[str, str, int]]:
    """Name, array and row of every parameter."""
    sinks = graph.sinks()
    for e, source in enumerate(graph.sources.tolist()):
        yield f"w[{graph.name(source)}→{graph.name(int(sinks[e]))}]", "weights", e
    for a in np.flatnonzero(~graph.is_input).tolist():
        yield f"b[{graph.name(a)}]", "biases", a
    for a in np.flatnonzero(graph.activation_codes == PRELU).tolist():
        yield f"slope[{graph.name(a)}]", "slopes", a


def _data(
    runtime: Runtime, graph: Graph, X: ArrayLike, T: ArrayLike, loss: str | Loss | None
) -> tuple[Reals, NDArray[Any], Loss]:
    """X and T in float64, after the network itself has found them usable."""
    x, t, used = runtime.data(X, T, loss)
    if t.dtype.kind == "f":
        outputs = graph.name_list(graph.outputs)
        wide = np.asarray(T, np.float64).reshape(t.shape)
        t = as_targets(wide, len(x), outputs, graph.dtype, used)
    inputs = graph.name_list(graph.inputs)
    return as_samples(np.asarray(X, np.float64).reshape(x.shape), inputs, graph.dtype), t, used
