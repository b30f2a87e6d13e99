"""Numbers as people write them: decimal commas, fractions, powers of ten, true minus signs."""

import math
import re
from typing import NamedTuple

from neuronsim.basics.checked import is_real

_NUMBER = r"[-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:e[-+]?\d+)?"
_FRACTION = re.compile(rf"({_NUMBER})(?:/({_NUMBER}))?")
_POWER = re.compile(r"[*·×]10(?:\^|\*\*)\(?([-+]?\d+)\)?")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


class Written(NamedTuple):
    """A number, and how many significant digits it was written with; 0: it is exact, a fraction or a float."""

    value: float
    digits: int


def written(text: object) -> Written | None:
    """What somebody wrote: ``"0,59"``, ``"-1/3"``, ``"4.4·10⁻⁴"``; None if it is no number.

    Examples
    --------
    >>> written("−0,0590"), written("1/4")
    (Written(value=-0.059, digits=3), Written(value=0.25, digits=0))
    """
    if is_real(text):
        return Written(float(text), 0) if math.isfinite(text) else None
    plain = re.sub(r"\s", "", str(text)).replace("−", "-").replace("–", "-").casefold()
    plain = re.sub(r"(?<=10)([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda m: f"^{m[1].translate(_SUPERSCRIPTS)}", plain)
    plain = _POWER.sub(r"e\1", plain)
    match = _FRACTION.fullmatch(plain)
    if match is None:
        return None
    above, below = match.groups()
    try:
        value = _value(above) / _value(below) if below else _value(above)
    except (ZeroDivisionError, OverflowError):
        return None
    return Written(value, 0 if below else _digits(above)) if math.isfinite(value) else None


def _value(number: str) -> float:
    return float(number.replace(",", "."))


def _digits(number: str) -> int:
    """Significant ones: leading zeros are none, trailing ones are."""
    mantissa = re.sub(r"[-+.,]", "", number.partition("e")[0])
    return len(mantissa.lstrip("0")) or len(mantissa)
