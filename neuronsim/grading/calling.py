"""How a function wants to be called: the names of its parameters say what it gets."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: What parameters of these names get.
NAMES = {
    "weights": ("weights", "ws", "weight_matrices"),
    "biases": ("biases", "bs"),
    "parameters": ("parameters", "params", "theta"),
    "layers": ("layers",),
    "x": ("x", "xs", "inputs", "input", "data", "features", "samples", "a0"),
    "t": ("t", "ts", "y", "ys", "targets", "target", "labels", "desired", "y_true", "d"),
    "learning_rate": ("learning_rate", "lr", "eta", "mu", "alpha", "rate", "step_size"),
    "activation": ("activation", "act"),
}
_MEANING = {name: meaning for meaning, names in NAMES.items() for name in names}
_ONE_OF_MANY = re.compile(r"(w|b|weights?|bias)_?(\d+)")
SAMPLES = ("rows", "columns", "one")


class UnknownSignature(Exception):
    """A function whose parameters say nothing."""


@dataclass(frozen=True)
class Signature:
    """What a function gets.

    Attributes
    ----------
    meanings : dict
        What each of its parameters stands for: a key of NAMES, or ``W2`` and ``b2``.
    samples : {"rows", "columns", "one"}
        How it gets samples: as rows of a table, as columns, or one at a time.
    """

    meanings: dict[str, str]
    samples: str

    @property
    def n_layers(self) -> int | None:
        """How many layers it has names for, W1, W2; None: any number."""
        return max((int(m[1:]) for m in self.meanings.values() if m[1:].isdecimal()), default=None)

    def takes(self, meaning: str) -> bool:
        """Whether one of its parameters stands for this."""
        return meaning in self.meanings.values()


def signature_of(function: Callable[..., Any], samples: str | None) -> Signature:
    """What a function gets, by the names of its parameters.

    Raises
    ------
    UnknownSignature
        If a parameter that must be given says nothing, or inputs or weights are not among them.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise UnknownSignature("its parameters cannot be read") from None
    meanings: dict[str, str] = {}
    shown = samples
    for p in parameters:
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            continue
        meaning = _meaning(p.name)
        if p.kind is p.POSITIONAL_ONLY or meaning is None:
            if p.default is p.empty:
                why = "says nothing" if meaning is None else "cannot be given by name"
                raise UnknownSignature(f"its parameter {p.name!r} {why}; {_known()}")
            continue
        if meaning in meanings.values():
            raise UnknownSignature(f"two of its parameters stand for {meaning}; {_known()}")
        meanings[p.name] = meaning
        if meaning == "x" and shown is None:
            shown = "one" if p.name in ("x", "a0", "input") else "rows"
    if "x" not in meanings.values():
        raise UnknownSignature(f"none of its parameters is the input; {_known()}")
    if not meanings.keys() - {name for name, m in meanings.items() if m in ("x", "t", "learning_rate", "activation")}:
        raise UnknownSignature(f"none of its parameters are weights; {_known()}")
    return Signature(meanings, shown or "rows")


def _meaning(name: str) -> str | None:
    folded = name.casefold()
    numbered = _ONE_OF_MANY.fullmatch(folded)
    if numbered:
        return f"{'W' if numbered[1][0] == 'w' else 'b'}{numbered[2]}"
    if folded in ("w", "b"):
        return "weights" if folded == "w" else "biases"
    return _MEANING.get(folded)


def _known() -> str:
    return (
        "parameters are known by name: weights and biases (lists by layer), or parameters (a dictionary W1, b1, …), or "
        "W1, b1, W2, b2, or layers; X (a table) or x (one sample); T or t; learning_rate if it makes a step"
    )


def arguments(
    signature: Signature, pairs: list[tuple[Any, Any]], x: Any, t: Any, learning_rate: float, activation: str
) -> dict[str, Any]:
    """The arguments of one call: samples as rows of x and t, (W, b) of each layer."""
    numbered = {f"{kind}{k}": a for k, pair in enumerate(pairs, 1) for kind, a in zip("Wb", pair, strict=True)}
    if signature.samples == "one":
        x, t = x[0], t[0]
    elif signature.samples == "columns":
        x, t = x.T, t.T
        numbered |= {name: a[:, None] for name, a in numbered.items() if name[0] == "b"}
    values = {
        "weights": [a for name, a in numbered.items() if name[0] == "W"],
        "biases": [a for name, a in numbered.items() if name[0] == "b"],
        "parameters": numbered,
        "layers": [(numbered[f"W{k}"], numbered[f"b{k}"]) for k in range(1, len(pairs) + 1)],
        "x": x,
        "t": t,
        "learning_rate": learning_rate,
        "activation": activation,
        **numbered,
    }
    return {name: values[meaning] for name, meaning in signature.meanings.items()}
