"""Data at the border: real numbers, cast once to what kernels read, or refused with their place."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuronsim.basics.words import counted
from neuronsim.errors import DataError
from neuronsim.formulas.losses import LOSSES, Loss

_CROSS_ENTROPY = LOSSES["cross_entropy"].name
# What rounding to a few digits may make of 1.
_MOST_PROBABILITY = 1.01
_BINARY = LOSSES["binary_cross_entropy"].name


def as_samples(
    X: ArrayLike, names: Sequence[str], dtype: np.dtype[np.floating], what: str = "X"
) -> NDArray[np.floating]:
    """Samples as kernels read them.

    Parameters
    ----------
    X : array (n_samples, n_columns)
        Real numbers.
    names : list of str
        What each column stands for: the network's inputs.
    dtype : dtype
        The network's float32 or float64.
    what : str
        What messages call the data.

    Returns
    -------
    array (n_samples, len(names))
        C-contiguous, of ``dtype``; ``X`` itself where it is that already.

    Raises
    ------
    DataError
        If X is not numbers, empty, of another shape, or holds NaN, infinity, or what the dtype cannot hold.
    """
    data = _numbers(X, what)
    _check_not_empty(data, what)
    if data.ndim != 2:
        hint = f"; one sample is {what}[None, :], one column {what}[:, None]" if data.ndim == 1 else ""
        if data.ndim == 3:
            hint = f"; sequences are for networks with memory (delays, leaks); {what}.reshape(len({what}), -1) is flat"
        raise DataError(f"{what} has shape {data.shape}; it must be (n_samples, {len(names)}){hint}")
    _check_columns(data.shape[1], names, "input", what)
    return _cast(data, dtype, what)


def as_targets(
    T: ArrayLike, n_samples: int, names: Sequence[str], dtype: np.dtype[np.floating], loss: Loss, what: str = "T"
) -> NDArray[Any]:
    """Targets as kernels read them.

    Parameters
    ----------
    T : array (n_samples, n_outputs) or (n_samples,)
        One number for each sample: the only output's, or with cross-entropy its class.
    n_samples : int
        Of X.
    names : list of str
        The network's outputs.
    dtype : dtype
    loss : Loss
        Decides whether class numbers are allowed.
    what : str
        What messages call the data.

    Returns
    -------
    array (n_samples, n_outputs) or (n_samples,)
        Of ``dtype``; or int32 class numbers.

    Raises
    ------
    DataError
        As `as_samples` does, and for class numbers out of range or with another loss.
    """
    data = _numbers(T, what)
    if data.ndim == 1 and loss.name == _CROSS_ENTROPY and (data.dtype.kind in "iub" or len(names) > 1):
        _check_length(data, n_samples, what)
        return _classes(data, names, what)
    if data.ndim == 1 and len(names) == 1:
        data = data[:, None]
    if data.ndim != 2:
        raise DataError(_shape_message(data, names, loss, what))
    _check_columns(data.shape[1], names, "output", what)
    _check_length(data, n_samples, what)
    cast = _cast(data, dtype, what)
    _check_probabilities(cast, loss, what)
    return cast


def desired(T: NDArray[Any], n_outputs: int) -> NDArray[np.float64]:
    """The desired values, shape (n, n_outputs); a class number becomes 1 for that output and 0 for the others."""
    if T.dtype.kind in "iu":
        return np.asarray(T[:, None] == np.arange(n_outputs), np.float64)
    return T.astype(np.float64)


def has_classes(loss: Loss) -> bool:
    """Whether targets of this loss are classes, of which a share can be right."""
    return loss.name in (_BINARY, _CROSS_ENTROPY)


def accuracy(Y: NDArray[np.floating], T: NDArray[Any], loss: Loss) -> float | None:
    """The share of samples put into the right class; None where targets are not classes.

    With cross-entropy the class is the largest output, with binary cross-entropy each output decides at 1/2.

    Parameters
    ----------
    Y : array (n_samples, n_outputs)
    T : array (n_samples, n_outputs) or (n_samples,)
        What `as_targets` returned.
    loss : Loss
    """
    if loss.name == _CROSS_ENTROPY:
        classes = T if T.ndim == 1 else T.argmax(axis=1)
        return float(np.count_nonzero(Y.argmax(axis=1) == classes) / len(Y))
    if loss.name == _BINARY:
        right = ((Y > 0.5) == (T > 0.5)).all(axis=1)
        return float(np.count_nonzero(right) / len(Y))
    return None


def _numbers(values: ArrayLike, what: str) -> NDArray[Any]:
    """An array of real numbers."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise DataError(f"{what} has masked values; fill them first: {what}.filled(...)")
    try:
        data = np.asarray(values)
    except (ValueError, TypeError) as error:
        raise DataError(f"{what} is not an array of numbers; its rows may differ in length ({error})") from None
    if data.dtype.kind == "O" and data.ndim == 0:  # None, a dict, a set
        raise DataError(
            f"{what} holds Python objects: it is {_in_a_word(values)}; it must hold real numbers, a row for each sample"
        )
    if data.dtype.kind not in "fiub":
        kind = {"c": "complex numbers", "O": "Python objects", "U": "text", "S": "bytes"}.get(
            data.dtype.kind, str(data.dtype)
        )
        raise DataError(f"{what} holds {kind}; it must hold real numbers")
    return data


def _in_a_word(value: object) -> str:
    """``None``, or ``a dict``."""
    return "None" if value is None else f"a {type(value).__name__}"


def _check_columns(n_columns: int, names: Sequence[str], of: str, what: str) -> None:
    if n_columns != len(names):
        listed = f" ({_listed(names)})" if len(names) else ""
        raise DataError(
            f"{what} has {counted(n_columns, 'column', '')}, the network has {counted(len(names), of, '')}{listed}"
        )


def _check_not_empty(data: NDArray[Any], what: str) -> None:
    if data.ndim and not len(data):
        raise DataError(f"{what} has no samples: its shape is {data.shape}")


def _check_length(data: NDArray[Any], n_samples: int, what: str) -> None:
    if len(data) != n_samples:
        samples = what.replace("T", "X")
        raise DataError(f"{what} has {counted(len(data), 'row', '')}, {samples} has {counted(n_samples, 'sample', '')}")


def _shape_message(data: NDArray[Any], names: Sequence[str], loss: Loss, what: str) -> str:
    allowed = f"(n_samples, {len(names)})"
    if data.ndim == 1 and data.dtype.kind in "iub":
        return (
            f"{what} holds class numbers, shape {data.shape}, which only cross_entropy takes; "
            f"the loss is {loss.name}, so give one column for each output, {allowed}"
        )
    return f"{what} has shape {data.shape}; it must be {allowed}"


def _classes(data: NDArray[Any], names: Sequence[str], what: str) -> NDArray[np.int32]:
    """Class numbers, checked against the number of outputs."""
    if data.dtype.kind == "f":
        whole = np.isfinite(data).all() and (data == np.floor(data)).all()
        hint = f"{what}.astype(int)" if whole else f"one column for each output, (n_samples, {len(names)})"
        raise DataError(
            f"{what} has shape {data.shape} and holds {data.dtype}; class numbers are integers: give {hint}"
        )
    if data.dtype.kind != "b" and (data.min() < 0 or data.max() >= len(names)):
        row = int(np.argmax((data < 0) | (data >= len(names))))
        raise DataError(
            f"{what}[{row}] is class {data[row]}; the network has {counted(len(names), 'output', '')}, "
            f"so classes go from 0 to {len(names) - 1}"
        )
    return np.ascontiguousarray(data, np.int32)


def _cast(data: NDArray[Any], dtype: np.dtype[np.floating], what: str) -> NDArray[np.floating]:
    with np.errstate(over="ignore", invalid="ignore"):
        cast = np.ascontiguousarray(data, dtype)
        # A sum is finite only if all its terms are: one pass, nothing stored.
        if not np.isfinite(cast.sum()):
            _check_finite(data, cast, what)
    return cast


def _check_finite(data: NDArray[Any], cast: NDArray[np.floating], what: str) -> None:
    finite = np.isfinite(cast)
    if finite.all():
        return
    row, column = (int(at) for at in np.unravel_index(int(np.argmin(finite)), cast.shape))
    value = data[row, column]
    place = f"{what}[{row}, {column}] (row {row}, column {column})"
    if np.isfinite(value):
        raise DataError(f"{place} is {value}, too large for {cast.dtype} (at most {np.finfo(cast.dtype).max:.4g})")
    raise DataError(f"{place} is {value}; data must be finite")


def _check_probabilities(T: NDArray[np.floating], loss: Loss, what: str) -> None:
    """The cross-entropies are of probabilities: each from 0 to 1, those of classes adding up to 1 at most."""
    if not has_classes(loss):
        return
    wrong = T < 0 if loss.name == _CROSS_ENTROPY else (T < 0) | (T > 1)
    if wrong.any():
        row, column = (int(at) for at in np.unravel_index(int(np.argmax(wrong)), T.shape))
        allowed = "at least 0" if loss.name == _CROSS_ENTROPY else "from 0 to 1"
        raise DataError(f"{what}[{row}, {column}] is {T[row, column]:g}; with {loss.name} targets are {allowed}")
    if loss.name == _CROSS_ENTROPY:
        whole = T.sum(axis=1, dtype=np.float64)
        if (whole == 0).any():
            row = int(np.argmax(whole == 0))
            raise DataError(f"{what}[{row}] is 0 for every class: nothing is wanted of that sample; leave it out")
        if (whole > _MOST_PROBABILITY).any():
            row = int(np.argmax(whole > _MOST_PROBABILITY))
            raise DataError(
                f"{what}[{row}] adds up to {whole[row]:g}; with {loss.name} a row holds the probabilities of the "
                "classes, 1 in all; binary_cross_entropy takes outputs that are each on their own"
            )


def _listed(names: Sequence[str]) -> str:
    """``i1, i2``; of many the first two and the last."""
    return ", ".join(names) if len(names) <= 8 else f"{names[0]}, {names[1]}, …, {names[-1]}"
