"""Every gradient against central differences (C(θ + ε) - C(θ - ε)) / 2ε of the loss (L0)."""

from dataclasses import asdict, dataclass, replace
from html import escape
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuronsim.basics.arrays import Reals
from neuronsim.documents.notation import number
from neuronsim.engine.border import as_samples, as_targets
from neuronsim.engine.engine import Engine
from neuronsim.engine.runtime import Runtime
from neuronsim.engine.through_time import has_memory
from neuronsim.engine.timed import SequenceEngine
from neuronsim.errors import CheckError, SettingError
from neuronsim.formulas.losses import Loss
from neuronsim.graph.arrays import Arrays
from neuronsim.graph.graph import Graph
from neuronsim.graph.parameters import ARRAYS, ParameterRef
from neuronsim.seeds import NOISE, generator
from neuronsim.tracing.result import StepResult
from neuronsim.verifying.differences import Comparison, Differences
from neuronsim.verifying.passes import gradient_mistake

MOST_PARAMETERS = 10_000
_SHOWN = 10


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
        rows = self._rows()
        widths = [max(len(row[k]) for row in rows) for k in range(4)]
        lines = ["  " + "  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
        return "\n".join([self._verdict(), *lines, *self._other_lines()])

    def _repr_html_(self) -> str:
        rows = self._rows()
        table = "".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in rows)
        others = "".join(f"<p>{escape(line)}</p>" for line in self._other_lines())
        return f"<p>{escape(self._verdict())}</p><table>{table}</table>{others}"

    def _verdict(self) -> str:
        n, bad = len(self.comparisons), len(self.failures)
        of = f"{n:,}" if n + len(self.kinks) == self.n_parameters else f"{n:,} of {self.n_parameters:,}"
        if bad:
            because = f" ({self.mistake})" if self.mistake else ""
            return f"{bad:,} of {n:,} gradients differ from central differences of the loss{because}; worst first:"
        return f"{of} gradients agree with central differences of the loss; worst first:"

    def _rows(self) -> list[tuple[str, ...]]:
        header = ("parameter", "gradient", "difference", "error / tolerance")
        shown = self._shown()
        return [header, *((c.name, number(c.gradient), number(c.difference), number(c.error, 3)) for c in shown)]

    def _shown(self) -> tuple[Comparison, ...]:
        return self.failures[:_SHOWN] or self.comparisons[:3]

    def _other_lines(self) -> list[str]:
        """How many comparisons are not shown, and what was not measured."""
        others = len(self.failures or self.comparisons) - len(self._shown())
        more = "that differ" if self.failures else "that agree"
        lines = [f"and {others:,} more {more}"] if others else []
        return [*lines, *self._kink_lines()]

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
    lengths: ArrayLike | None = None,
    mask: Any = None,
) -> Check:
    """Compare all gradients with central differences, on a float64 copy; ``Network.check`` says how."""
    if reduction not in ("mean", "sum"):
        raise SettingError(f"unknown reduction {reduction!r}; allowed: mean, sum")
    runtime.engine()
    graph = in_float64(runtime.graph)
    x: Any
    t: Any
    if has_memory(graph, lengths=lengths, mask=mask):
        x, t, used = runtime.sequence_data(X, T, loss, lengths, mask, dtype=np.dtype(np.float64))
        engine: Engine = SequenceEngine(graph)
    else:
        x, t, used = _data(runtime, graph, X, T, loss)
        engine = Engine(graph)
    gradients = engine.parameter_gradients(x, t, used, reduction)
    return compare(engine, gradients, x, t, used, mean=reduction == "mean", most=most)


def check_step(step: StepResult, most: int = MOST_PARAMETERS) -> Check:
    """Compare the gradients that a step used, of a batch the reduced ones, with central differences before it."""
    graph = in_float64(step.graph)
    x = np.atleast_2d(np.asarray(step.y[..., step.graph.inputs], np.float64))
    t = np.atleast_2d(np.asarray(step.targets))
    rounding = 1.0 if step.graph.dtype == np.float64 else 1e3
    mean = step.reduction == "mean"
    found = compare(Engine(graph), step.gradients, x, t, step.loss_function, mean=mean, most=most, rounding=rounding)
    return found if found.ok else replace(found, mistake=gradient_mistake(step))


def in_float64(graph: Graph) -> Graph:
    """The same wiring and parameters in float64."""
    weights, biases, slopes = (getattr(graph, of).astype(np.float64) for of in ARRAYS)
    wiring = graph.row_start, graph.sources, graph.activation_codes
    arrays = Arrays.of(*wiring, weights, biases, slopes, graph.delays)
    arrays.memory = graph.memory.in_dtype(np.dtype(np.float64))
    return Graph.assemble(graph.names.copy(), graph.inputs, graph.outputs, arrays)


def compare(
    engine: Engine,
    gradients: Any,
    x: Any,
    t: Any,
    loss: Loss,
    *,
    mean: bool = True,
    most: int = MOST_PARAMETERS,
    rounding: float = 1.0,
) -> Check:
    """Compare given gradients, which have weights, biases and slopes, with central differences of a float64 engine."""
    measure = Differences(engine, x, t, loss, mean)
    largest = max(float(np.abs(getattr(gradients, array)).max(initial=0.0)) for array in ARRAYS)
    floor = 1e-8 * max(1.0, abs(measure.loss()), largest) * rounding
    refs = list(ParameterRef.every(engine.graph))
    chosen = refs
    if len(refs) > most:
        picks = generator(0, NOISE).choice(len(refs), most, replace=False)
        chosen = [refs[k] for k in np.sort(picks)]
    found = [measure.comparison(ref, ref.value(gradients), floor, 1e-5 * rounding) for ref in chosen]
    measured = sorted((c for c in found if not c.kink), key=lambda c: -c.error if c.error == c.error else -np.inf)
    return Check(tuple(measured), tuple(c for c in found if c.kink), len(refs))


def facts(record: Any) -> dict[str, Any]:
    """A record's fields, for JSON: None for numbers that are not finite."""
    return {
        name: None if isinstance(value, float) and not np.isfinite(value) else value
        for name, value in asdict(record).items()
    }


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
