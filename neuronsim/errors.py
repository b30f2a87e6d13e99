"""Every exception and warning of neuronsim, in one tree.

::

    NeuronsimError
    ├── WiringError (ValueError)          a graph that cannot be: duplicate edge, self-loop, no outputs
    │   └── CycleError                    neurons that feed each other within a step
    ├── UnknownNameError (KeyError)       no such neuron, id, pattern or edge
    ├── DataError (ValueError)            X, T, labels that cannot be used
    ├── SettingError (ValueError)         an argument that is not allowed: rate, loss, activation, ...
    ├── NotKnownError (RuntimeError)      a value that has not been computed yet
    ├── BusyError (RuntimeError)          a network that another thread is training
    ├── FileError (ValueError)            a file that cannot be read
    └── CheckError (AssertionError)       a gradient check that failed
    RuntimeWarning
    ├── DivergenceWarning                 training ran away; the last good state was kept
    └── CompileWarning                    kernels could not be cached

A message says what was given, what is allowed, the nearest valid name and what to do.
"""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import islice
from typing import TypeVar

__all__ = [
    "BusyError",
    "CheckError",
    "CheckpointWarning",
    "CompileWarning",
    "CycleError",
    "DataError",
    "DivergenceWarning",
    "FileError",
    "NeuronsimError",
    "NotKnownError",
    "SettingError",
    "UnknownNameError",
    "WiringError",
    "choose",
    "suggest",
]

T = TypeVar("T")

# What other programs call what has another name here.
_SYNONYMS = {
    "mse": "mean_squared_error",
    "mae": "absolute_error",
    "l1": "absolute_error",
    "l2": "l2_norm",
    "bce": "binary_cross_entropy",
    "ce": "cross_entropy",
    "nll": "cross_entropy",
    "crossentropy": "cross_entropy",
    "categorical_crossentropy": "cross_entropy",
    "logistic": "sigmoid",
    "linear": "identity",
    "swish": "silu",
    "dense": "layered",
    "mlp": "layered",
    "fully_connected": "layered",
    "feedforward": "layered",
    "random": "random_dag",
    "lr": "learning_rate",
    "eta": "learning_rate",
    "train": "run",
    "fit": "run",
}

# Names compared before giving a suggestion up: a network may have a million of them.
_MOST_COMPARED = 20_000


# A message quotes what was given, which may be a megabyte: of longer ones the middle is left out.
_HEAD, _TAIL = 700, 300
_LONG_NUMBER = re.compile(r"\d[\d,]{50,}\d")


class NeuronsimError(Exception):
    """Base of every exception that neuronsim raises on purpose."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(_shortened(a) if isinstance(a, str) else a for a in args))


def _shortened(message: str) -> str:
    left_out = len(message) - _HEAD - _TAIL
    if left_out > 100:
        message = f"{message[:_HEAD]} … ({left_out:,} characters are left out) … {message[-_TAIL:]}"
    return _LONG_NUMBER.sub(lambda found: f"{found[0][:12]}…{found[0][-8:]}", message)


class WiringError(NeuronsimError, ValueError):
    """The wiring cannot be: duplicate edge, self-loop, edge into an input, no outputs, misused softmax."""


class CycleError(WiringError):
    """Neurons feed each other in a circle without delay; the message names the whole cycle."""


class UnknownNameError(NeuronsimError, KeyError):
    """No neuron, edge or pattern of that name or id."""

    def __str__(self) -> str:
        """The message itself: KeyError would print it in quotes."""
        return str(self.args[0]) if self.args else ""


class DataError(NeuronsimError, ValueError):
    """Data that cannot be used: wrong shape, not finite, not numbers."""


class SettingError(NeuronsimError, ValueError):
    """An argument outside what is allowed."""


class NotKnownError(NeuronsimError, RuntimeError):
    """A value that has not been computed yet, or is no longer valid."""


class BusyError(NeuronsimError, RuntimeError):
    """A network that another thread is training, or reads while this one wants to train it."""


class FileError(NeuronsimError, ValueError):
    """A file that is unreadable, truncated or damaged."""


class CheckError(NeuronsimError, AssertionError):
    """A check against another way of computing the same failed."""


class DivergenceWarning(RuntimeWarning):
    """Training left the finite numbers; the network holds the state before that step."""


class CheckpointWarning(RuntimeWarning):
    """A checkpoint could not be written; the run goes on."""


class CompileWarning(RuntimeWarning):
    """Compiled kernels could not be kept for the next process."""


def suggest(given: str, allowed: Iterable[str]) -> str:
    """``"; did you mean 'h1'?"`` for the allowed name nearest to ``given``, or ``""``.

    Parameters
    ----------
    given : str
        What the user typed.
    allowed : iterable of str
        Valid names; only the first 20,000 are compared.
    """
    names = list(islice(allowed, _MOST_COMPARED))
    if _SYNONYMS.get(given.casefold()) in names:
        return f"; did you mean {_SYNONYMS[given.casefold()]!r}?"
    folded: dict[str, str] = {}
    for name in names:
        folded.setdefault(name.casefold(), name)
    near = get_close_matches(given.casefold(), folded, n=1)
    return f"; did you mean {folded[near[0]]!r}?" if near else ""


def choose(kind: str, given: object, table: Mapping[str, T]) -> T:
    """The entry of ``table`` called ``given``.

    Parameters
    ----------
    kind : str
        What the table holds, for the message: "loss", "activation", ...
    given : object
        The name the user typed.
    table : mapping of str to anything
        Valid names and what they stand for.

    Raises
    ------
    SettingError
        ``unknown loss 'msee'; did you mean 'mse'? allowed: mse, mae``.
    """
    if isinstance(given, str) and given in table:
        return table[given]
    near = suggest(given, table) if isinstance(given, str) else ""
    raise SettingError(f"unknown {kind} {given!r}{near or ';'} allowed: {', '.join(table)}")


def __dir__() -> list[str]:
    return __all__
