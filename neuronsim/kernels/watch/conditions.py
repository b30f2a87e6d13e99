"""The evaluator of conditions: programs for rows of float64 values, truth being 1.0."""

from typing import Any

import numpy as np
import numpy.typing as npt

from neuronsim.kernels.jit import inlined, kernel
from neuronsim.kernels.watch.signals import record_type

Array = npt.NDArray[Any]

# Operators; those from NEGATE on take one value.
ADD, SUBTRACT, MULTIPLY, DIVIDE, LESS, AT_MOST, GREATER, AT_LEAST, EQUAL, UNEQUAL, AND, OR = range(12)
NEGATE, ABSOLUTE, SQUARE_ROOT, NOT, IS_NAN, IS_INF, IS_FINITE = range(12, 19)

#: Row ``result`` := row ``left`` ∘ row ``right``, or ∘ row ``left``.
INSTRUCTION = record_type(operator=np.int64, left=np.int64, right=np.int64, result=np.int64)


@inlined
def apply(operator: int, a: float, b: float) -> float:
    """``a ∘ b``, or ``∘ a``."""
    if operator == ADD:
        return a + b
    if operator == SUBTRACT:
        return a - b
    if operator == MULTIPLY or operator == AND:
        return a * b
    if operator == DIVIDE:
        return a / b
    if operator == OR:
        return max(a, b)
    if operator == LESS:
        return 1.0 if a < b else 0.0
    if operator == AT_MOST:
        return 1.0 if a <= b else 0.0
    if operator == GREATER:
        return 1.0 if a > b else 0.0
    if operator == AT_LEAST:
        return 1.0 if a >= b else 0.0
    if operator == EQUAL:
        return 1.0 if a == b else 0.0
    if operator == UNEQUAL:
        return 1.0 if a != b else 0.0
    if operator == NEGATE:
        return -a
    if operator == ABSOLUTE:
        return abs(a)
    if operator == SQUARE_ROOT:
        return float(np.sqrt(a))
    if operator == NOT:
        return 1.0 - a
    if operator == IS_NAN:
        return 1.0 if a != a else 0.0
    if operator == IS_INF:
        return 1.0 if abs(a) == np.inf else 0.0
    return 1.0 if abs(a) < np.inf else 0.0  # IS_FINITE


@kernel
def evaluate(program: Array, rows: Array, count: int) -> None:
    """Run a program on the first ``count`` places of its rows, (n_rows, at least count); the truth ends up in row 0."""
    for step in program:
        operator, left, right, result = step.operator, rows[step.left], rows[step.right], rows[step.result]
        for i in range(count):
            result[i] = apply(operator, left[i], right[i])
