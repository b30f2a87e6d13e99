"""Numbers as JSON: the fewest digits that give them back bit for bit; not finite ones as text that Number() reads."""

import json
import math
from typing import Any

import numpy as np

_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def plain(values: Any) -> list[Any]:
    """An array as a list of the shortest numbers that give it back; not finite ones as text."""
    array = np.asarray(values)
    if array.dtype.kind in "iub":
        return list(array.tolist())
    listed = [float(str(v)) for v in array] if array.dtype == np.float32 else array.tolist()
    if np.isfinite(array).all():
        return list(listed)
    return [v if math.isfinite(v) else _NOT_FINITE[str(v)] for v in listed]


def short(value: float) -> Any:
    """A number that is the page's own, not the run's: 9 digits."""
    return plain([float(f"{value:.9g}")])[0]


def as_json(values: Any) -> str:
    """Compact, without a character that could end a script element."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")
