"""Central differences of the loss around one set of parameters, and the kinks that they must not cross (L0)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuronsim.basics.arrays import Reals
from neuronsim.engine.engine import Engine
from neuronsim.engine.sequences import Sequences
from neuronsim.formulas import activations
from neuronsim.formulas.losses import Loss
from neuronsim.graph.parameters import ParameterRef

_DISTANCES = (1e-5, 1e-4, 1e-6)


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


class Differences:
    """Differences of the loss around one set of parameters, which are put back each time."""

    def __init__(self, engine: Engine, x: Any, t: Any, loss: Loss, mean: bool) -> None:
        self.engine, self.x, self.t, self.loss_function, self.mean = engine, x, t, loss, mean

    def loss(self) -> float:
        """Of all samples, with the parameters as they are."""
        total, n = self.engine.total_loss(self.x, self.t, self.loss_function)
        return total / max(n, 1) if self.mean else total

    def comparison(self, ref: ParameterRef, gradient: float, floor: float, relative: float) -> Comparison:
        """The best agreement over some distances ε; if there is none, look for a kink."""
        name = ref.label(self.engine.graph)
        best = Comparison(name, gradient, np.nan, np.inf)
        for eps in _DISTANCES:
            difference = self.difference(ref, eps)
            scale = floor + relative * max(abs(gradient), abs(difference))
            error = abs(gradient - difference) / scale
            if error < best.error:
                best = Comparison(name, gradient, difference, error)
            if best.error <= 1.0:
                return best
        kink = self.kink(ref, _DISTANCES[0])
        return Comparison(name, gradient, best.difference, best.error, kink)

    def difference(self, ref: ParameterRef, eps: float) -> float:
        """(C(θ + ε) - C(θ - ε)) / 2ε in one parameter."""
        (down, below), (up, above) = ((at, self.loss()) for at in self._around(ref, eps))
        return float((above - below) / (up - down))

    def _around(self, ref: ParameterRef, eps: float) -> Iterator[Any]:
        """Put a parameter at θ - ε, then at θ + ε, then back to θ."""
        values, row = getattr(self.engine.graph, ref.array), ref.row
        old = values[row]
        eps *= max(1.0, abs(old))
        for shifted in (old - eps, old + eps):
            values[row] = shifted
            yield values[row]
        values[row] = old

    def kink(self, ref: ParameterRef, eps: float) -> str:
        """What has a kink between the two points, in words; "" if nothing has."""
        low, high = (self.engine.signals_by_row(self.x) for _ in self._around(ref, eps))
        for row in range(len(low.z)):
            found = self._kinked_neuron(low.z[row], high.z[row]) or self._kinked_output(row, low.y[row], high.y[row])
            if found:
                return f"{found} of {self._place(row)}"
        return ""

    def _place(self, row: int) -> str:
        """Which sample it is, or which step of which sequence."""
        if not isinstance(self.x, Sequences):
            return f"sample {row}"
        sequence = int(np.searchsorted(self.x.starts, row, side="right")) - 1
        return f"step {row - self.x.starts[sequence]} of sequence {sequence}"

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
        targets = self.t.rows if isinstance(self.t, Sequences) else self.t
        if name not in ("absolute_error", "l2_norm") or targets.ndim < 2:
            return ""
        outputs = self.engine.graph.outputs
        turned = np.sign(low[outputs] - targets[sample]) != np.sign(high[outputs] - targets[sample])
        if turned.any() if name == "absolute_error" else turned.all():
            return f"{name} at y = t of {self.engine.graph.name(int(outputs[turned.argmax()]))}"
        return ""
