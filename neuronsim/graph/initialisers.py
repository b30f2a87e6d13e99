"""Initial weights: uniform within a limit that keeps signals of about the same size from layer to layer.

========  ===========================  ==================================================================
name      limit                        ``auto`` takes it for neurons with
========  ===========================  ==================================================================
he        sqrt(6 / fan_in)             relu, leaky_relu, prelu, elu, softplus, gelu, silu
glorot    sqrt(6 / (fan_in+fan_out))   sigmoid, tanh, softsign, hard_sigmoid, sine, gaussian, step,
                                       softmax and the user's own
lecun     sqrt(3 / fan_in)             identity, scaled_tanh, selu
========  ===========================  ==================================================================

``fan_in`` is the number of edges into the sink, ``fan_out`` the number of edges out of the source: between
two fully connected layers the sizes of the two.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.arrays import Integers, Marks, Reals
from neuronsim.errors import choose
from neuronsim.formulas.activations import ACTIVATIONS
from neuronsim.graph.edges import blocks
from neuronsim.seeds import WEIGHTS, generator

AUTO = "auto"

_BLOCK = 1 << 19
_MARKS: dict[int, np.unsignedinteger] = {4: np.uint32(0x7FC00D0D), 8: np.uint64(0x7FF8000000000D0D)}


@dataclass(frozen=True)
class Initialiser:
    """Uniform on ±sqrt(numerator / (fan_in + fan_out)), fan_out counted or not."""

    numerator: float
    counts_fan_out: bool
    activations: tuple[str, ...]


INITIALISERS = {
    "he": Initialiser(6.0, False, ("relu", "leaky_relu", "prelu", "elu", "softplus", "gelu", "silu")),
    "glorot": Initialiser(
        6.0, True, ("sigmoid", "tanh", "softsign", "hard_sigmoid", "sine", "gaussian", "step", "softmax")
    ),
    "lecun": Initialiser(3.0, False, ("identity", "scaled_tanh", "selu")),
}


def check_name(init: object) -> str:
    """``init`` if it names an initialiser, or SettingError."""
    return choose("init", init, {AUTO: AUTO} | {name: name for name in INITIALISERS})


def undrawn_mark(dtype: np.dtype[np.floating]) -> Any:
    """The NaN that stands for a weight not drawn yet: its payload tells it from one that was computed."""
    return _MARKS[dtype.itemsize].view(dtype)


def undrawn_weights(n: int, dtype: np.dtype[np.floating]) -> Reals:
    """Weights of n edges, none drawn yet."""
    return np.full(n, undrawn_mark(dtype), dtype)


def undrawn(weights: Reals) -> Marks:
    """Which weights are not drawn yet, shape (n_edges,)."""
    mark = _MARKS[weights.dtype.itemsize]
    marked: Marks = weights.view(mark.dtype) == mark
    return marked


def draw(
    weights: Reals,
    missing: Marks,
    row_start: Integers,
    sources: NDArray[np.integer],
    codes: NDArray[np.integer],
    init: str,
    seed: int,
    turn: int = 0,
) -> None:
    """Draw missing weights in place, in edge order, in float64 and then rounded.

    Parameters
    ----------
    weights, missing : array (n_edges,)
        The weights and which of them to draw.
    row_start, sources, codes : array
        As `Arrays` has them.
    init : str
        "auto" or the name of an initialiser.
    seed, turn : int
        The first draw of a network (turn 0) reads the stream (seed, WEIGHTS), later ones a child of it each.
    """
    stream = generator(seed, WEIGHTS) if turn == 0 else generator(seed, WEIGHTS, turn)
    fan_in = np.diff(row_start)
    general = INITIALISERS["glorot" if init == AUTO else init]  # glorot: for the user's own
    numerator, counts = np.full(len(codes), general.numerator), np.full(len(codes), general.counts_fan_out)
    for initialiser in INITIALISERS.values() if init == AUTO else ():
        theirs = np.isin(codes, [ACTIVATIONS[name].code for name in initialiser.activations])
        numerator[theirs], counts[theirs] = initialiser.numerator, initialiser.counts_fan_out
    fan_out = _fan_out(sources, len(codes)) if counts.any() else None
    for block in blocks(len(weights), _BLOCK):
        wanted = missing[block]
        if not wanted.any():
            continue
        sinks = _sinks(row_start, block)[wanted]
        fan = fan_in[sinks]
        if fan_out is not None:
            fan = fan + counts[sinks] * fan_out[sources[block][wanted]]
        u = stream.random(len(sinks))
        weights[block][wanted] = (2.0 * u - 1.0) * np.sqrt(numerator[sinks] / fan)


def _fan_out(sources: NDArray[np.integer], n_neurons: int) -> Integers:
    count = np.zeros(n_neurons, np.int64)
    for block in blocks(len(sources)):
        count += np.bincount(sources[block], minlength=n_neurons)
    return count


def _sinks(row_start: Integers, block: slice) -> Integers:
    """The sinks of a block of edges."""
    first = int(np.searchsorted(row_start, block.start, side="right")) - 1
    last = int(np.searchsorted(row_start, block.stop, side="left"))
    ends = np.clip(row_start[first : last + 1], block.start, block.stop)
    return np.repeat(np.arange(first, last), np.diff(ends))
