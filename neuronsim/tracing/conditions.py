"""A condition on z, y, delta and b, ``isnan(z) | (abs(delta) > 10)``, as a program for kernels.

The text is parsed, never evaluated: anything but the few operations listed here is refused.
"""

import ast
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from neuronsim.errors import SettingError, suggest
from neuronsim.kernels import record as kernels

__all__ = ["Program", "parse"]

FIELDS = {"z": kernels.Z, "y": kernels.Y, "delta": kernels.DELTA, "b": kernels.B}
_OF_NUMBERS: dict[str, tuple[int, bool]] = {  # what it does, and whether the result is a truth
    "abs": (kernels.ABSOLUTE, False),
    "isnan": (kernels.IS_NAN, True),
    "isinf": (kernels.IS_INF, True),
    "isfinite": (kernels.IS_FINITE, True),
}
_ARITHMETIC: dict[type[ast.operator], int] = {
    ast.Add: kernels.ADD,
    ast.Sub: kernels.SUBTRACT,
    ast.Mult: kernels.MULTIPLY,
    ast.Div: kernels.DIVIDE,
}
_TRUTHS: dict[type[ast.AST], int] = {
    ast.BitAnd: kernels.AND,
    ast.And: kernels.AND,
    ast.BitOr: kernels.OR,
    ast.Or: kernels.OR,
}
_COMPARISONS: dict[type[ast.cmpop], int] = {
    ast.Lt: kernels.LESS,
    ast.LtE: kernels.AT_MOST,
    ast.Gt: kernels.GREATER,
    ast.GtE: kernels.AT_LEAST,
    ast.Eq: kernels.EQUAL,
    ast.NotEq: kernels.UNEQUAL,
}
_ALLOWED = "z, y, delta, b, numbers, + - * /, < <= > >= == !=, & | ~ (or and, or, not), " + ", ".join(_OF_NUMBERS)
_LONGEST = 10_000


@dataclass(frozen=True)
class Program:
    """Instructions for a stack of numbers, on which truth is 1.0.

    Attributes
    ----------
    code
        Instruction and operand, shape (n, 2).
    constants
        Shape (n_constants,).
    depth
        Places that the stack needs.
    """

    code: NDArray[np.int64]
    constants: NDArray[np.float64]
    depth: int


def parse(text: str) -> Program:
    """The program of a condition.

    Raises
    ------
    SettingError
        It says what is wrong with the text, and what is allowed.
    """
    if not isinstance(text, str) or not text.strip() or len(text) > _LONGEST:
        raise SettingError(f"a condition is a text such as 'isnan(z) | (abs(delta) > 10)', not {_short(text)}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        writer = _Writer(text)
        writer.truth(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        if isinstance(problem, SettingError):
            raise
        raise SettingError(f"{_short(text)} is no condition: {getattr(problem, 'msg', problem)}") from None
    return Program(np.array(writer.code, np.int64).reshape(-1, 2), np.array(writer.constants), writer.deepest)


class _Writer:
    """Writes the program of a tree, operands before operations."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.code: list[tuple[int, int]] = []
        self.constants: list[float] = []
        self.depth = self.deepest = 0

    def truth(self, node: ast.expr) -> None:
        """A condition."""
        if isinstance(node, ast.BoolOp):
            self.all_of(_TRUTHS[type(node.op)], node.values)
        elif isinstance(node, ast.BinOp) and type(node.op) in _TRUTHS:
            self.all_of(_TRUTHS[type(node.op)], [node.left, node.right])
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.Invert)):
            self.truth(node.operand)
            self.code.append((kernels.NOT, 0))
        elif isinstance(node, ast.Compare):
            self.comparison(node)
        elif self.is_call(node, truth=True):
            self.call(node)
        else:
            self.refuse(node, "is a number: compare it, as in 'abs(delta) > 10'")

    def number(self, node: ast.expr) -> None:
        """A number: a field, a constant, or computed from them."""
        if isinstance(node, ast.Name):
            if node.id not in FIELDS:
                self.refuse(node, f"is no field{suggest(node.id, FIELDS) or ';'} allowed: {', '.join(FIELDS)}")
            self.push(kernels.PUSH, FIELDS[node.id])
        elif (
            isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool)
        ):
            self.constants.append(float(node.value))
            self.push(kernels.CONSTANT, len(self.constants) - 1)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
            self.number(node.operand)
            if isinstance(node.op, ast.USub):
                self.code.append((kernels.NEGATE, 0))
        elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            self.number(node.left)
            self.number(node.right)
            self.combine(_ARITHMETIC[type(node.op)])
        elif self.is_call(node, truth=False):
            self.call(node)
        else:
            hint = "is true or false; put comparisons in brackets: '(z > 1) | (y > 1)'"
            known = isinstance(node, (ast.Compare, ast.BoolOp)) or self.is_call(node, truth=True)
            known = known or (isinstance(node, ast.BinOp) and type(node.op) in _TRUTHS)
            self.refuse(node, hint if known else f"is not allowed here; allowed: {_ALLOWED}")

    def comparison(self, node: ast.Compare) -> None:
        """``a < b``; ``a < b < c`` means both."""
        operands = [node.left, *node.comparators]
        for k, op in enumerate(node.ops):
            if type(op) not in _COMPARISONS:
                self.refuse(node, f"is not allowed; allowed: {_ALLOWED}")
            self.number(operands[k])
            self.number(operands[k + 1])
            self.combine(_COMPARISONS[type(op)])
            if k:
                self.combine(kernels.AND)

    def all_of(self, code: int, parts: list[ast.expr]) -> None:
        self.truth(parts[0])
        for part in parts[1:]:
            self.truth(part)
            self.combine(code)

    def is_call(self, node: ast.expr, truth: bool) -> bool:
        """Whether it calls one of the functions that give a truth, or a number."""
        if not isinstance(node, ast.Call):
            return False
        if not isinstance(node.func, ast.Name) or node.func.id not in _OF_NUMBERS:
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            self.refuse(
                node.func, f"is no function{suggest(name, _OF_NUMBERS) or ';'} allowed: {', '.join(_OF_NUMBERS)}"
            )
        return _OF_NUMBERS[node.func.id][1] == truth

    def call(self, node: Any) -> None:
        if len(node.args) != 1 or node.keywords or isinstance(node.args[0], ast.Starred):
            self.refuse(node, "takes one number")
        self.number(node.args[0])
        self.code.append((_OF_NUMBERS[node.func.id][0], 0))

    def push(self, code: int, operand: int) -> None:
        self.code.append((code, operand))
        self.depth += 1
        self.deepest = max(self.deepest, self.depth)

    def combine(self, code: int) -> None:
        self.code.append((code, 0))
        self.depth -= 1

    def refuse(self, node: ast.AST, why: str) -> NoReturn:
        part = ast.get_source_segment(self.text.strip(), node) or self.text
        raise SettingError(f"{_short(part)} in the condition {_short(self.text)} {why}")


def _short(text: object) -> str:
    shown = repr(text)
    return shown if len(shown) <= 80 else f"{shown[:76]}…{shown[-1]}"
