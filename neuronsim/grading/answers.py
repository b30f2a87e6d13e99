"""What a function returned, read: outputs, the loss, gradients by layer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neuronsim.basics.arrays import Reals
from neuronsim.errors import DataError
from neuronsim.grading.calling import Signature
from neuronsim.grading.cases import LEARNING_RATE, Case
from neuronsim.grading.sandbox import Outcome
from neuronsim.verifying import handover

_LOSS = ("loss", "cost", "error", "e", "l", "j")
_OUTPUTS = ("y", "output", "outputs", "y_hat", "yhat", "prediction", "predictions", "forward", "a")
_INSIDE = ("gradients", "grads", "gradient", "grad", "parameters", "params")


@dataclass(frozen=True)
class Answer:
    """What one call says.

    Attributes
    ----------
    outputs : array (n_outputs, n_samples), optional
    loss : float, optional
    gradients : list of (array or None, array or None), optional
        ∂L/∂W (n_out, n_in) and ∂L/∂b of each layer; of a step, (before − after) / μ.
    coarse : bool
        Whether the numbers are those of float32.
    transposed : bool
        Whether matrices came with rows and columns exchanged.
    problem : str
        Why there is nothing, or "".
    """

    outputs: Reals | None = None
    loss: float | None = None
    gradients: list[tuple[Reals | None, Reals | None]] | None = None
    coarse: bool = False
    transposed: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Reader:
    """Reads what the calls of one function return."""

    signature: Signature
    turned: bool  # whether W is (n_in, n_out) here

    def read(self, case: Case, n: int, given: Mapping[str, Any], outcome: Outcome) -> Answer:
        """The answer to a call with n samples."""
        if outcome.problem:
            return Answer(problem=outcome.problem)
        value = outcome.value
        if value is None:
            value = self._changed(given, outcome.arguments or {})
        if value is None:
            return Answer(problem="it returned None")
        try:
            return self._read(case, n, value)
        except (DataError, ValueError, TypeError, OverflowError) as error:
            return Answer(problem=str(error))

    def _changed(self, given: Mapping[str, Any], after: Mapping[str, Any]) -> Any:
        """The parameters, if they were changed in place."""
        names = [n for n, m in self.signature.meanings.items() if m not in ("x", "t", "learning_rate", "activation")]
        before = [a for name in names for a in _leaves(given[name])]
        changed = [a for name in names for a in _leaves(after.get(name))]
        same = len(before) == len(changed) and all(map(np.array_equal, before, changed))
        return None if same else {name: after.get(name) for name in names}

    def _read(self, case: Case, n: int, value: Any) -> Answer:
        if not self.signature.takes("t"):
            outputs = self._outputs(case, n, value[-1] if isinstance(value, list) and not _is_numbers(value) else value)
            if outputs is None:
                raise DataError(f"it returned {_shape(value)}; the outputs of {n} samples were expected")
            return Answer(outputs, coarse=_are_coarse([outputs]))
        loss, outputs, rests = self._sorted_out(case, n, value)
        answer = Answer(outputs, loss)
        if not rests:
            if loss is None and outputs is None:
                raise DataError(f"it returned {_shape(value)}")
            return answer
        refusal: DataError | None = None
        for rest, own in rests:
            for turned in (self.turned, not self.turned):
                try:
                    rows = handover.by_layer(case.network.graph, rest, "what it returned", turned=turned)
                except DataError as error:
                    refusal = refusal or error
                    continue
                pairs, coarse = self._gradients(case, rows)
                return replace(answer, outputs=own, gradients=pairs, coarse=coarse, transposed=turned != self.turned)
        assert refusal is not None
        raise refusal

    def _gradients(self, case: Case, rows: Mapping[str, Any]) -> tuple[list[tuple[Any, Any]], bool]:
        graph = case.network.graph
        coarse = _are_coarse(list(rows.values()))
        layers = handover.Layers(graph)
        weights, biases = (rows.get(of) for of in ("weights", "biases"))
        full = [np.zeros(n) if row is None else row.astype(np.float64) for n, row in (
            (graph.n_edges, weights), (graph.n_neurons, biases))]  # fmt: skip
        pairs: list[tuple[Any, Any]] = list(layers.split(*full))
        if self.signature.takes("learning_rate"):
            pairs = [
                ((w0 - w) / LEARNING_RATE, (b0 - b) / LEARNING_RATE)
                for (w0, b0), (w, b) in zip(case.pairs, pairs, strict=True)
            ]
        return [(w if weights is not None else None, b if biases is not None else None) for w, b in pairs], coarse

    def _sorted_out(self, case: Case, n: int, value: Any) -> tuple[float | None, Reals | None, list[tuple[Any, Any]]]:
        """The loss, the outputs, and what may hold gradients: with and without an array that looks like outputs."""
        if isinstance(value, Mapping):
            folded = {name.casefold(): name for name in value}
            loss_name, outputs_name = (next((folded[k] for k in of if k in folded), None) for of in (_LOSS, _OUTPUTS))
            loss = _number(value[loss_name]) if loss_name else None
            outputs = self._outputs(case, n, value[outputs_name]) if outputs_name else None
            inside = [folded[k] for k in _INSIDE if k in folded]
            rest = value[inside[0]] if inside else {
                name: v for name, v in value.items() if name not in (loss_name, outputs_name)
            }  # fmt: skip
            return loss, outputs, [(rest, outputs)] if rest else []
        if not isinstance(value, list) or _is_numbers(value):
            loss = _number(value)
            return loss, None if loss is not None else self._outputs(case, n, value), []
        numbers = [v for v in map(_number, value) if v is not None]
        rest = [v for v in value if _number(v) is None and v is not None]
        loss = numbers[0] if numbers else None
        alone = self._outputs(case, n, rest[0]) if len(rest) == 1 else None
        if not rest or alone is not None:
            return loss, alone, []
        shown = [(k, self._outputs(case, n, v)) for k, v in enumerate(rest)]
        without = [
            (rest[:k] + rest[k + 1 :] if len(rest) > 2 else rest[1 - k], outputs)
            for k, outputs in shown
            if outputs is not None
        ]
        whole = rest[0] if len(rest) == 1 else rest
        return loss, None, [(whole, None), *without]

    def _outputs(self, case: Case, n: int, value: Any) -> Reals | None:
        """Outputs (n_outputs, n_samples), if the value is an array of their shape."""
        try:
            array = handover.as_array(value)
        except ValueError:
            return None
        if array.dtype.kind not in "fiu" or array.size != n * case.sizes[-1]:
            return None
        wide: Reals = array.astype(np.float64)
        if self.signature.samples == "rows" and array.shape in ((n, case.sizes[-1]), (n * case.sizes[-1],)):
            return wide.reshape(n, -1).T
        if self.signature.samples == "columns" and array.shape in ((case.sizes[-1], n), (n * case.sizes[-1],)):
            return wide.reshape(-1, n)
        return wide.reshape(-1, 1) if self.signature.samples == "one" else None


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for v in value:
            yield from _leaves(v)
    elif value is not None:
        yield value


def _is_numbers(value: list[Any]) -> bool:
    return bool(value) and all(isinstance(v, (int, float)) for v in value)


def _number(value: Any) -> float | None:
    """A loss: a number, or an array that holds just one and has no axes."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    return float(value) if isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind in "fiu" else None


def _are_coarse(arrays: list[Any]) -> bool:
    return any(a.dtype == np.float32 for a in arrays)


def _shape(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, str):
        return value if value.startswith("<") else repr(value[:40])
    return f"a {type(value).__name__} of {len(value)}" if isinstance(value, (list, dict)) else f"{value!r:.60}"
