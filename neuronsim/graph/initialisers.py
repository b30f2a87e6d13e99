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

from neuronsim.errors import choose
from neuronsim.formulas.activations import ACTIVATIONS
from neuronsim.graph.edges import blocks
from neuronsim.seeds import WEIGHTS, generator

AUTO = "auto"

_BLOCK = 1 << 19


@dataclass(frozen=True)
class Initialiser:
    """Uniform on ±sqrt(numerator / (fan_in + fan_out)), fan_out counted or not."""

    name: str
    numerator: float
    counts_fan_out: bool
    activations: tuple[str, ...]


_TABLE = (
    Initialiser("he", 6.0, False, ("relu", "leaky_relu", "prelu", "elu", "softplus", "gelu", "silu")),
    Initialiser(
        "glorot", 6.0, True, ("sigmoid", "tanh", "softsign", "hard_sigmoid", "sine", "gaussian", "step", "softmax")
    ),
    Initialiser("lecun", 3.0, False, ("identity", "scaled_tanh", "selu")),
)
INITIALISERS: dict[str, Initialiser] = {initialiser.name: initialiser for initialiser in _TABLE}


def check_name(init: object) -> str:
    """``init`` if it names an initialiser, or SettingError."""
    return choose("init", init, {AUTO: AUTO} | {name: name for name in INITIALISERS})


def undrawn_mark(dtype: np.dtype[np.floating]) -> Any:
    """The NaN that stands for a weight not drawn yet: its payload tells it from one that was computed."""
    if dtype.itemsize == 4:
        return np.array(0x7FC00D0D, np.uint32).view(np.float32)[()]
    return np.array(0x7FF8000000000D0D, np.uint64).view(np.float64)[()]


def undrawn(weights: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which weights are not drawn yet, shape (n_edges,)."""
    bits = np.dtype(f"u{weights.dtype.itemsize}")
    marked: NDArray[np.bool_] = weights.view(bits) == undrawn_mark(weights.dtype).view(bits)
    return marked


def _choices(codes: NDArray[np.integer], init: str) -> list[tuple[Initialiser, NDArray[np.bool_]]]:
    """The initialisers in use, and which neurons each is for."""
    if init != AUTO:
        return [(INITIALISERS[init], np.ones(len(codes), np.bool_))]
    by_name = {a: initialiser for initialiser in _TABLE for a in initialiser.activations}
    by_code = {ACTIVATIONS[a].code: initialiser for a, initialiser in by_name.items()}
    kind = {int(code): by_code.get(int(code), INITIALISERS["glorot"]) for code in np.unique(codes)}
    return [(i, np.isin(codes, [code for code, used in kind.items() if used is i])) for i in _TABLE]


def draw(
    weights: NDArray[np.floating],
    missing: NDArray[np.bool_],
    row_start: NDArray[np.int64],
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
    row_start : array (n_neurons + 1,)
    sources : array (n_edges,)
        The wiring.
    codes : array (n_neurons,)
        Of activations.
    init : str
        "auto" or the name of an initialiser.
    seed, turn : int
        The first draw of a network (turn 0) reads the stream (seed, WEIGHTS), later ones a child of it each.
    """
    stream = generator(seed, WEIGHTS) if turn == 0 else generator(seed, WEIGHTS, turn)
    n_neurons = len(codes)
    fan_in = np.diff(row_start)
    numerator, counts = np.zeros(n_neurons), np.zeros(n_neurons, np.bool_)
    for initialiser, theirs in _choices(codes, init):
        numerator[theirs] = initialiser.numerator
        counts[theirs] = initialiser.counts_fan_out
    fan_out = _fan_out(sources, n_neurons) if counts.any() else None
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


def _fan_out(sources: NDArray[np.integer], n_neurons: int) -> NDArray[np.int64]:
    count = np.zeros(n_neurons, np.int64)
    for block in blocks(len(sources)):
        count += np.bincount(sources[block], minlength=n_neurons)
    return count


def _sinks(row_start: NDArray[np.int64], block: slice) -> NDArray[np.int64]:
    """The sinks of a block of edges."""
    first = int(np.searchsorted(row_start, block.start, side="right")) - 1
    last = int(np.searchsorted(row_start, block.stop, side="left"))
    ends = np.clip(row_start[first : last + 1], block.start, block.stop)
    return np.repeat(np.arange(first, last), np.diff(ends))
