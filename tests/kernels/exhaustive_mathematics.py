"""Every float32 there is, through every lane function: ``python tests/kernels/exhaustive_mathematics.py [name …]``.

The truth is the same function in float64, which test_mathematics.py holds against mpmath.
Two minutes a function.
"""

import sys
import time

import numpy as np
from test_mathematics import NAMES, SIN_LIMIT, Array, evaluate

CHUNK = 2**16
SMALLEST = 2.0**-126
EXPONENT = np.int64(0x7FF0000000000000)


def _errors(y: Array, truth: Array) -> Array:
    """Errors in units of the last place, where infinity is 2^128; without the places where both are NaN."""
    numbers = ~(np.isnan(y) & np.isnan(truth))
    limit = 2.0**128
    y, truth = np.clip(y[numbers].astype(np.float64), -limit, limit), np.clip(truth[numbers], -limit, limit)
    unit = (truth.view(np.int64) & EXPONENT).view(np.float64) * 2.0**-23
    errors = np.zeros(numbers.size)
    errors[numbers] = np.nan_to_num(np.abs(y - truth) / np.maximum(unit, 2.0**-149), nan=np.inf)
    return errors


def check(name: str) -> None:
    """Print the worst arguments of one function: among normal results, and among subnormal ones."""
    start = time.perf_counter()
    worst = {False: (0.0, 0.0), True: (0.0, 0.0)}
    for first in range(0, 2**32, CHUNK):
        x = np.arange(first, first + CHUNK, dtype=np.uint32).view(np.float32)
        if name in ("sin", "cos"):
            x[np.abs(x) > SIN_LIMIT[np.float32]] = 0.5
        truth = evaluate(name, x.astype(np.float64))
        errors = _errors(evaluate(name, x), truth)
        small = np.abs(truth) < SMALLEST
        for kind in worst:
            place = int(np.argmax(np.where(small == kind, errors, 0.0)))
            if small[place] == kind:
                worst[kind] = max(worst[kind], (float(errors[place]), float(x[place])))
    print(f"{name:9s} {worst[False][0]:.3f} ulp at {worst[False][1]!r},", end=" ")
    print(
        f"subnormal results {worst[True][0]:.3f} at {worst[True][1]!r}, {time.perf_counter() - start:.0f} s", flush=True
    )


if __name__ == "__main__":
    with np.errstate(invalid="ignore"):  # the casts of signalling NaN
        for chosen in sys.argv[1:] or NAMES:
            check(chosen)
