"""Each part of an answer judged by itself: what follows rightly from an own earlier mistake counts as right."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from neuronsim.basics.arrays import Reals
from neuronsim.grading import layered
from neuronsim.grading.answers import Answer
from neuronsim.grading.cases import Case
from neuronsim.grading.layered import FORWARD_MISTAKES, RIGHT, Forward

PARTS = ("forward", "loss", "output delta", "hidden delta", "weights", "biases", "averaging")
NOT_FINITE = "numbers are not finite"
SUMMED, AVERAGED = "summed instead of averaged", "averaged instead of summed"
#: How near numbers are, in parts of the largest of their array; of float32.
_FINE, _COARSE = 1e-6, 1e-4


@dataclass(frozen=True)
class Difference:
    """The first number that differs.

    Attributes
    ----------
    where : str
        The network and the samples.
    name : str
        ``δ[h1.0]``, ``∂L/∂W1[0, 2]``, ``y[y0]``, ``loss``.
    found, right : float
    """

    where: str
    name: str
    found: float
    right: float


class Mark(NamedTuple):
    """One part of one call."""

    ok: bool
    note: str = ""  # what was done instead
    difference: Difference | None = None


class Call(NamedTuple):
    """One call: its samples and what it said."""

    case: Case
    rows: slice
    answer: Answer

    @property
    def where(self) -> str:
        """The network and the samples, in words."""
        n = self.rows.stop - self.rows.start
        return f"{self.case}, {f'sample {self.rows.start}' if n == 1 else f'{n} samples'}"


class Judge:
    """Judges the calls with one network.

    Parameters
    ----------
    turned : bool
        Whether W is (n_in, n_out) in the function's eyes: differences are named so.
    mean : bool
        Whether gradients of several samples are averaged.
    """

    def __init__(self, case: Case, turned: bool, mean: bool) -> None:
        self.case, self.turned, self.mean = case, turned, mean

    def one(self, call: Call) -> dict[str, Mark]:
        """A call with one sample: every part but averaging."""
        answer = call.answer
        passed, marks = self._forward(call)
        marks |= self._loss(call, passed)
        if answer.gradients is not None:
            marks |= self._backward(call, passed)
        return marks

    def many(self, call: Call, singles: list[Call]) -> dict[str, Mark]:
        """A call with all samples: forward, loss, and how the samples' gradients are put together."""
        passed, marks = self._forward(call)
        marks |= self._loss(call, passed)
        if call.answer.gradients is not None:
            marks["averaging"] = self._averaging(call, singles)
        return marks

    # ── forward ──

    def _forward(self, call: Call) -> tuple[Forward, dict[str, Mark]]:
        """Which forward pass an answer comes from, the right one if none is recognised, and its mark."""
        right, *mistaken = self._variants(call.rows)
        outputs = call.answer.outputs
        if outputs is not None:
            fitting = [p for p in (right, *mistaken) if near(outputs, p.y[-1], call.answer.coarse)]
            passed = fitting[0] if fitting else right
            difference = None if passed is right and fitting else self._output_difference(call, right)
            return passed, {"forward": Mark(difference is None, passed.name if fitting else "", difference)}
        if call.answer.gradients is None or call.rows.stop - call.rows.start > 1:
            return right, {}
        seen = [p for p in (right, *mistaken) if self._are_products(call, p)]
        fitting = [
            p for p in seen if near(self._own_deltas(call, p)[-1], self._output_delta(call, p), call.answer.coarse)
        ]
        passed = (fitting or [p for p in seen if p is right] or [right])[0]
        if not fitting and right not in seen:
            return right, {}  # what the gradients do not show is not judged
        note = "" if passed is right else passed.name
        return passed, {"forward": Mark(not note, note)}

    def _variants(self, rows: slice) -> Iterator[Forward]:
        for name in (RIGHT, *FORWARD_MISTAKES):
            passed = self.case.forward(rows, name)
            if passed is not None:
                yield passed

    def _output_difference(self, call: Call, right: Forward) -> Difference:
        assert call.answer.outputs is not None
        return self._first(call, call.answer.outputs, right.y[-1], self._neurons(len(self.case.pairs), "y"))

    def _are_products(self, call: Call, passed: Forward) -> bool:
        """Whether every weight gradient is some δ times the outputs of this forward pass, which zeros do not show."""
        gradients = call.answer.gradients or []
        if not np.any(gradients[-1][0]):
            return False
        pairs = zip(gradients, passed.y, strict=False)
        return all(w is not None and self._is_product(w, y, call.answer.coarse) for (w, _), y in pairs)

    @staticmethod
    def _is_product(w: Reals | None, y: Reals, coarse: bool) -> bool:
        """Whether a weight gradient is some δ times y; one that is missing does not say otherwise."""
        return w is None or near(w, _times(_by_rows(w, y), y), coarse)

    # ── the loss ──

    def _loss(self, call: Call, passed: Forward) -> dict[str, Mark]:
        found = call.answer.loss
        if found is None:
            return {}
        each = layered.losses(passed, self.case.T[call.rows], self.case.loss)
        n, n_out = len(each), self.case.sizes[-1]
        right = float(each.mean() if self.mean else each.sum())
        other = {SUMMED: n * right} if self.mean else {AVERAGED: right / n}
        names = {
            "": right, **(other if n > 1 else {}), "twice as large (its ½ left out)": 2 * right,
            "half as large (a ½ too many)": right / 2, "the wrong sign": -right,
            "divided by the number of outputs": right / n_out,
            "the mean of squares over the outputs": 2 * right / n_out,
        }  # fmt: skip
        note = next((name for name, value in names.items() if _is_near(found, value, call.answer.coarse)), None)
        if note == "":
            return {"loss": Mark(True)}
        first = next(self._variants(call.rows))
        each = layered.losses(first, self.case.T[call.rows], self.case.loss)
        right = float(each.mean() if self.mean else each.sum())
        return {"loss": Mark(False, note or "", Difference(call.where, "loss", found, right))}

    # ── backward ──

    def _backward(self, call: Call, passed: Forward) -> dict[str, Mark]:
        case, coarse = self.case, call.answer.coarse
        own = self._own_deltas(call, passed)
        top = len(case.pairs)
        right = self._right_deltas(call, passed)
        marks = {"output delta": self._compared(call, own[-1], right[-1], self._neurons(top, "δ"))}
        hidden = []
        for layer in range(top - 1, 0, -1):
            follows = layered.hidden_delta(passed, case.pairs, layer, own[layer])
            is_theirs = _is_there(own[layer], right[layer]) and near(own[layer - 1], follows, coarse)
            if is_theirs or near(own[layer - 1], right[layer - 1], coarse):
                hidden.append(Mark(True))
            else:
                hidden.append(self._compared(call, own[layer - 1], right[layer - 1], self._neurons(layer, "δ")))
        if hidden:
            marks["hidden delta"] = min(hidden, key=lambda mark: mark.ok)
        from_own = [d if _is_there(d, r) else r for d, r in zip(own, right, strict=True)]
        marks["weights"] = self._weights(call, passed, from_own)
        of_weights = [d if self._is_product(w, y, coarse) else r for (w, _), y, d, r in zip(
            call.answer.gradients or [], passed.y, from_own, right, strict=False)]  # fmt: skip
        marks["biases"] = self._biases(call, of_weights)
        return marks

    def _own_deltas(self, call: Call, passed: Forward) -> list[Reals]:
        """δ of each layer as the answer has them: what its gradients of weights and of biases agree on.

        Where they do not agree, the one that is right, or else that of the weights if they are a product with y.
        """
        found = []
        right = self._right_deltas(call, passed)
        for k, (w, b) in enumerate(call.answer.gradients or []):
            y = passed.y[k]
            of_weights = None if w is None else _by_rows(w, y)
            of_biases = None if b is None else b[:, None]
            candidates = [d for d in (of_weights, of_biases) if d is not None]
            fitting = [d for d in candidates if near(d, right[k], call.answer.coarse)]
            is_product = w is not None and self._is_product(w, y, call.answer.coarse)
            found.append((fitting or (candidates if is_product else candidates[::-1]))[0])
        return found

    def _right_deltas(self, call: Call, passed: Forward) -> list[Reals]:
        delta = self._output_delta(call, passed)
        found = [delta]
        for layer in range(len(self.case.pairs) - 1, 0, -1):
            delta = layered.hidden_delta(passed, self.case.pairs, layer, delta)
            found.append(delta)
        return found[::-1]

    def _output_delta(self, call: Call, passed: Forward) -> Reals:
        return layered.output_delta(passed, self.case.T[call.rows], self.case.loss)

    def _weights(self, call: Call, passed: Forward, own: list[Reals]) -> Mark:
        if call.answer.transposed:
            return Mark(False, "rows and columns of the matrices are exchanged")
        for k, (w, _) in enumerate(call.answer.gradients or []):
            if w is None:
                return Mark(False, "gradients of weights are missing")
            mark = self._compared(call, w, _times(own[k], passed.y[k]), lambda i, j, k=k: self._weight_name(k, i, j))
            if not mark.ok:
                return mark
        return Mark(True)

    def _biases(self, call: Call, own: list[Reals]) -> Mark:
        gradients = call.answer.gradients or []
        if all(b is None for _, b in gradients):
            return Mark(False, "gradients of biases are missing")
        for k, (_, b) in enumerate(gradients):
            assert b is not None
            mark = self._compared(call, b[:, None], own[k], lambda i, _, k=k: f"∂L/∂b{k + 1}[{i}]")
            if not mark.ok:
                still = not mark.note and all(not np.any(each) for _, each in gradients)
                return mark._replace(note="biases are not trained") if still else mark
        return Mark(True)

    def _weight_name(self, k: int, i: int, j: int) -> str:
        return f"∂L/∂W{k + 1}[{j}, {i}]" if self.turned else f"∂L/∂W{k + 1}[{i}, {j}]"

    # ── several samples ──

    def _averaging(self, call: Call, singles: list[Call]) -> Mark:
        """The last layer's gradients of all samples against those of each: no δ is carried back to it."""
        gradients = [each.answer.gradients for each in singles]
        if any(g is None or not np.isfinite(_joined(g[-1])).all() for g in gradients):
            passed = next(self._variants(call.rows))
            whole = layered.gradients(passed, self.case.pairs, self.case.T, self.case.loss)[-1]
            each = None
        else:
            each = [_joined(g[-1]) for g in gradients if g is not None]
            whole = None
        assert call.answer.gradients is not None
        found = _joined(call.answer.gradients[-1])
        n = len(singles)
        total = _joined(whole) if whole is not None else np.sum(np.array(each), axis=0)
        alike = each is not None and all(near(e, each[0], call.answer.coarse) for e in each)
        if len(total) != len(found) or alike:  # what no sample changes is no mean of theirs
            return Mark(False)
        right, other = (total / n, total) if self.mean else (total, total / n)
        if near(found, right, call.answer.coarse):
            return Mark(True)
        note = (SUMMED if self.mean else AVERAGED) if near(found, other, call.answer.coarse) else ""
        alone = [k for k, g in enumerate(each or []) if near(found, g, call.answer.coarse)]
        note = note or (f"one sample only (row {alone[0]})" if alone else "")
        mark = self._compared(call, found[:, None], right[:, None], self._last_name)
        return mark._replace(note=note or mark.note)

    def _last_name(self, i: int, _: int) -> str:
        n_out, n_in = self.case.pairs[-1][0].shape
        top = len(self.case.pairs)
        if i < n_out * n_in:
            return self._weight_name(top - 1, *divmod(i, n_in))
        return f"∂L/∂b{top}[{i - n_out * n_in}]"

    # ── numbers that differ ──

    def _compared(self, call: Call, found: Reals, right: Reals, name: Any) -> Mark:
        if near(found, right, call.answer.coarse):
            return Mark(True)
        note = "" if np.isfinite(found).all() else NOT_FINITE
        return Mark(False, note, self._first(call, found, right, name))

    def _first(self, call: Call, found: Reals, right: Reals, name: Any) -> Difference:
        off = ~(np.abs(found - right) <= _tolerance(right, call.answer.coarse))
        i, j = (int(k) for k in np.argwhere(off)[0])
        return Difference(call.where, name(i, j), float(found[i, j]), float(right[i, j]))

    def _neurons(self, layer: int, letter: str) -> Any:
        stem = "y" if layer == len(self.case.pairs) else f"h{layer}."
        return lambda i, _: f"{letter}[{stem}{i}]"


def near(found: Reals, right: Reals, coarse: bool) -> bool:
    """Whether arrays are equal to within rounding; NaN is near nothing."""
    return found.shape == right.shape and bool(np.all(np.abs(found - right) <= _tolerance(right, coarse)))


def _tolerance(right: Reals, coarse: bool) -> float:
    return (_COARSE if coarse else _FINE) * float(np.abs(right).max(initial=0.0)) + (1e-6 if coarse else 1e-12)


def _is_there(own: Reals, right: Reals) -> bool:
    """Whether there is a δ that something can follow from: finite, and not 0."""
    return bool(np.isfinite(own).all() and np.abs(own).max() > 1e-3 * np.abs(right).max())


def _is_near(found: float, right: float, coarse: bool) -> bool:
    return near(np.array([found]), np.array([right]), coarse)


def _by_rows(w: Reals, y: Reals) -> Reals:
    """δ of w = δ yᵀ, by least squares."""
    delta: Reals = w @ y / max(float((y * y).sum()), np.finfo(np.float64).tiny)
    return delta


def _times(delta: Reals, y: Reals) -> Reals:
    product: Reals = delta @ y.T
    return product


def _joined(pair: tuple[Any, Any]) -> Reals:
    """W and b of a layer in one row."""
    return np.concatenate([np.ravel(a) for a in pair if a is not None])
