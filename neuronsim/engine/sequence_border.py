"""Sequences at the border: lists of arrays, padded arrays or one sequence, their targets and masks, cast or refused."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuronsim.basics.arrays import Array, Integers
from neuronsim.engine.border import as_samples, as_targets
from neuronsim.engine.sequences import Sequences
from neuronsim.errors import DataError
from neuronsim.formulas.losses import LOSSES, Loss

_CROSS_ENTROPY = LOSSES["cross_entropy"].name


class Columns(NamedTuple):
    """What the columns of X and T stand for, and the numbers that kernels read."""

    inputs: Sequence[str]
    outputs: Sequence[str]
    dtype: np.dtype[np.floating]


def as_sequences(X: Any, lengths: ArrayLike | None, columns: Columns, what: str = "X") -> Sequences:
    """X as kernels read it.

    Parameters
    ----------
    X : array (n_sequences, n_steps, n_inputs) or (n_steps, n_inputs), or list of arrays (n_steps, n_inputs)
        Sequences in a list may differ in length.
    lengths : int array (n_sequences,), optional
        How many steps of each sequence of an array are its own; those behind are padding, and not read.
    columns : Columns
    what : str
        What messages call X.

    Raises
    ------
    DataError
        X is not numbers, of another shape, empty, or not finite; or a sequence has no steps.
    """
    names = columns.inputs
    one, wanted = f"(n_steps, {len(names)})", f"(n_sequences, n_steps, {len(names)})"
    parts = _listed(X)
    if parts is not None:
        if lengths is not None:
            raise DataError(f"lengths is given, and {what} is a list: its arrays have the lengths that they have")
        if not parts:
            raise DataError(f"{what} has no sequences")
        for k, part in enumerate(parts):
            if part.ndim != 2:
                hint = f"; one column is {what}[{k}][:, None]" if part.ndim == 1 else ""
                raise DataError(f"{what}[{k}] has shape {part.shape}; it must be {one}{hint}")
        own = np.array([len(part) for part in parts], np.int64)
        _check_lengths(own, what)
        each = [as_samples(part, names, columns.dtype, f"{what}[{k}]") for k, part in enumerate(parts)]
        return Sequences(np.concatenate(each), _starts(own), form="list")
    data = np.asanyarray(X)
    if data.ndim not in (2, 3):
        hint = f"; one sequence of one column is {what}[:, None]" if data.ndim == 1 else ""
        raise DataError(f"{what} has shape {data.shape}; it must be {wanted}, or of one sequence {one}{hint}")
    single = data.ndim == 2
    data = data[None] if single else data
    if not data.shape[0] or not data.shape[1]:
        raise DataError(f"{what} has no sequences with steps: its shape is {np.shape(X)}")
    n, n_steps = data.shape[:2]
    own = np.full(n, n_steps, np.int64) if lengths is None else _given_lengths(lengths, n, n_steps, what)
    inside = np.arange(n_steps) < own[:, None]
    flat = data.reshape(n * n_steps, -1) if inside.all() else data[inside]
    starts = _starts(own)
    try:
        rows = as_samples(flat, names, columns.dtype, what)
    except DataError:
        _name_not_finite(flat, np.arange(len(flat)), starts, what)
        raise
    return Sequences(rows, starts, form="one" if single else "array")


def as_sequence_targets(T: Any, mask: Any, X: Sequences, columns: Columns, loss: Loss, what: str = "T") -> Sequences:
    """Targets and how much each step counts.

    Parameters
    ----------
    T : array or list
        For every step: (n_sequences, n_steps, n_outputs), a list of arrays (n_steps, n_outputs), or class numbers
        (n_sequences, n_steps); for the last step of each: (n_sequences, n_outputs), or class numbers (n_sequences,).
        Of one sequence without the first axis.
    mask : array (n_sequences, n_steps) or list of arrays (n_steps,), optional
        How much the loss of each step counts, True being 1; where it is 0 the target is not read.
    X : Sequences
    columns : Columns
    loss : Loss
    what : str
        What messages call T.

    Raises
    ------
    DataError
        As for samples, with the sequence and the step; or no step has a target.
    """
    values, last_alone = _by_row(T, X, columns, loss, what)
    weights = _mask(mask, X, columns.dtype)
    if last_alone:
        last = np.zeros(len(X.rows), columns.dtype)
        last[X.starts[1:] - 1] = 1
        weights = last if weights is None else weights * last
    if weights is None:
        weights = np.ones(len(X.rows), columns.dtype)
    wanted = np.flatnonzero(weights)
    if not len(wanted):
        raise DataError("mask is 0 for every step: there is no target to learn from")
    try:
        cast = as_targets(values[wanted], len(wanted), columns.outputs, columns.dtype, loss, what)
    except DataError:
        _name_not_finite(values, wanted, X.starts, what, "; where there is no target, give a mask")
        raise
    rows = np.zeros((len(X.rows), *cast.shape[1:]), cast.dtype)
    rows[wanted] = cast
    return Sequences(rows, X.starts, weights)


def _by_row(T: Any, X: Sequences, columns: Columns, loss: Loss, what: str) -> tuple[Array, bool]:
    """Targets by row of X, and whether only those of last steps are given."""
    parts, lengths, n_outputs = _listed(T), X.lengths, len(columns.outputs)
    if parts is not None:
        if len(parts) != len(X):
            raise DataError(f"{what} has {len(parts)} sequences, X has {len(X)}")
        for k, part in enumerate(parts):
            if len(part) != lengths[k]:
                raise DataError(f"{what}[{k}] has {len(part)} steps, X[{k}] has {lengths[k]}")
        rows = _joined(parts)
        return rows[:, None] if rows.ndim == 1 and not _is_class(rows, loss) else rows, False
    t = np.asanyarray(T)
    if X.form == "one":
        t = t[None]
    n, longest = len(X), X.longest
    if not t.ndim or len(t) != n:
        raise DataError(f"{what} has shape {np.shape(T)}; X has {n} sequences")
    inside = np.arange(longest) < lengths[:, None]
    padded = t.shape[1] if t.ndim > 1 else 0
    is_flat = _is_class(t, loss) or (n_outputs == 1 and longest > 1)  # an axis of steps, none of outputs
    if t.ndim == 3 or (t.ndim == 2 and padded >= longest and is_flat):
        if padded < longest:
            raise DataError(f"{what} has {padded} steps, the longest sequence of X has {longest}")
        rows = t[:, :longest][inside]
        return (rows[:, None] if t.ndim == 2 and not _is_class(t, loss) else rows), False
    if t.ndim > 2 or (t.ndim == 2 and t.shape[1] != n_outputs):
        raise DataError(
            f"{what} has shape {np.shape(T)}; it must be (n_sequences, n_steps, {n_outputs}) for every step, or "
            f"(n_sequences, {n_outputs}) for the last step of each"
        )
    last = t if _is_class(t, loss) or t.ndim == 2 else t[:, None]
    rows = np.zeros((len(X.rows), *last.shape[1:]), last.dtype)
    rows[X.starts[1:] - 1] = last
    return rows, True


def _mask(mask: Any, X: Sequences, dtype: np.dtype[np.floating]) -> Array | None:
    """The mask by row; None where there is none."""
    if mask is None:
        return None
    parts = _listed(mask)
    if parts is not None:
        if [len(part) for part in parts] != X.lengths.tolist():
            raise DataError("mask has other lengths than X; give an array (n_steps,) for each sequence")
        flat = _joined(parts)
    else:
        given = np.asanyarray(mask)
        given = given[None] if X.form == "one" else given
        if given.ndim != 2 or len(given) != len(X) or given.shape[1] < X.longest:
            raise DataError(f"mask has shape {np.shape(mask)}; it must be (n_sequences, n_steps), {len(X), X.longest}")
        flat = given[:, : X.longest][np.arange(X.longest) < X.lengths[:, None]]
    if flat.dtype.kind not in "fiub" or not np.isfinite(flat).all() or (flat < 0).any():
        raise DataError("mask must be True and False, or weights that are finite and not negative")
    return flat.astype(dtype)


def _name_not_finite(rows: Array, of: Integers, starts: Integers, what: str, advice: str = "") -> None:
    """Raise DataError with the sequence and the step, if one of some rows has NaN or infinity."""
    if rows.dtype.kind != "f" or np.isfinite(rows[of]).all():
        return
    finite = np.isfinite(rows[of]).reshape(len(of), -1).all(axis=1)
    row = int(of[np.argmin(finite)])
    sequence = int(np.searchsorted(starts, row, side="right")) - 1
    step = row - int(starts[sequence])
    raise DataError(f"{what}: step {step} of sequence {sequence} is {rows[row]}; data must be finite{advice}")


def _listed(values: Any) -> list[NDArray[Any]] | None:
    """The arrays of a list of sequences that differ in length; None of what is one array, or can be."""
    if not isinstance(values, list | tuple) or any(np.isscalar(part) for part in values):
        return None
    try:
        parts = [np.asanyarray(part) for part in values]
    except ValueError as error:
        raise DataError(f"a sequence is not an array of numbers; its rows may differ in length ({error})") from None
    return parts if not parts or len({part.shape for part in parts}) > 1 else None


def _joined(parts: list[NDArray[Any]]) -> Array:
    try:
        return np.concatenate(parts)
    except ValueError as error:
        raise DataError(f"the sequences have different shapes ({error})") from None


def _is_class(t: NDArray[Any], loss: Loss) -> bool:
    return loss.name == _CROSS_ENTROPY and t.dtype.kind in "iub"


def _given_lengths(lengths: ArrayLike, n: int, n_steps: int, what: str) -> Integers:
    own = np.asarray(lengths)
    if own.shape != (n,) or own.dtype.kind not in "iu":
        raise DataError(f"lengths has shape {own.shape}; it must be whole numbers, one for each of {n} sequences")
    _check_lengths(own, what)
    if own.max() > n_steps:
        raise DataError(f"lengths[{int(own.argmax())}] is {own.max()}, and {what} has {n_steps} steps")
    return own.astype(np.int64)


def _check_lengths(lengths: Integers, what: str) -> None:
    if lengths.min() < 1:
        raise DataError(f"{what}[{int(lengths.argmin())}] has no steps")


def _starts(lengths: Integers) -> Integers:
    return np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
