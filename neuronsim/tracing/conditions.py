"""Conditions on a step's fields, such as ``isnan(z) | (abs(delta) > 10)``: parsed, never eval'ed.

::

    condition   a | b    a & b    ~a    (a)             | binds loosest, then &, then ~, then comparisons
    comparison  number < number, and <= > >= == !=      isnan(n)  isinf(n)  isfinite(n)
    number      + - * /   -n   abs(n)   sqrt(n)   (n)   1e-3   inf   a field

A condition and a number are two kinds of thing, so that ``isnan(z) | delta > 10`` has one meaning. Everything is
computed in float64, which holds a float32 field exactly.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuronsim.engine.conditions import Program
from neuronsim.errors import SettingError, suggest
from neuronsim.kernels.watch import conditions as kernels

NEURON_FIELDS = ("z", "y", "delta", "b", "db")
EDGE_FIELDS = ("w", "gradient", "dw")
FIELDS = NEURON_FIELDS + EDGE_FIELDS

# Operators as they are written, by what they take and give. The grammar, the errors and programs go by these tables.
_COMPARISONS = {"<": kernels.LESS, "<=": kernels.AT_MOST, ">": kernels.GREATER, ">=": kernels.AT_LEAST,
                "==": kernels.EQUAL, "!=": kernels.UNEQUAL}  # fmt: skip
_ARITHMETIC = {"+": kernels.ADD, "-": kernels.SUBTRACT, "*": kernels.MULTIPLY, "/": kernels.DIVIDE}
_LOGIC = {"|": kernels.OR, "&": kernels.AND, "~": kernels.NOT}
_TO_NUMBER = {"abs": kernels.ABSOLUTE, "sqrt": kernels.SQUARE_ROOT}
_TO_CONDITION = {"isnan": kernels.IS_NAN, "isinf": kernels.IS_INF, "isfinite": kernels.IS_FINITE}
FUNCTIONS = (*_TO_NUMBER, *_TO_CONDITION)
OPERATORS = _COMPARISONS | _ARITHMETIC | _LOGIC | _TO_NUMBER | _TO_CONDITION | {"negative": kernels.NEGATE}

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))|(?P<name>[^\W\d]\w*)|"
    r"(?P<symbol><=|>=|==|!=|[-+*/<>&|~()])|(?P<wrong>\S))"
)
_WORDS = {"and": "&", "or": "|", "not": "~"}
_LONGEST, _DEEPEST = 1000, 50


@dataclass(frozen=True)
class Condition:
    """A condition on the fields of neurons or of edges.

    Attributes
    ----------
    text : str
        As it was written.
    fields : tuple of str
        Those that it reads, in the order of ``FIELDS``.
    postfix : tuple of str or float
        Fields, constants, and operators after what they take; the sign is "negative".
    """

    text: str
    fields: tuple[str, ...]
    postfix: tuple[str | float, ...]

    @property
    def on_edges(self) -> bool:
        """Whether it reads fields of edges; else it reads those of neurons."""
        return self.fields[0] in EDGE_FIELDS

    @cached_property
    def program(self) -> Program:
        """What kernels evaluate; its first rows are for ``fields``."""
        constants = [item for item in self.postfix if isinstance(item, float)]
        constant_rows = iter(range(len(self.fields), len(self.fields) + len(constants)))
        first = len(self.fields) + len(constants)
        stack: list[int] = []
        instructions = []
        for item in self.postfix:
            if isinstance(item, float):
                stack.append(next(constant_rows))
            elif item in FIELDS:
                stack.append(self.fields.index(item))
            else:
                operator, right = OPERATORS[item], stack.pop()
                left = stack.pop() if operator < kernels.NEGATE else right
                stack.append(first + len(stack))
                instructions.append((operator, left, right, stack[-1]))
        instructions[-1] = (*instructions[-1][:3], 0)
        return Program(len(self.fields), np.array(constants, np.float64), np.array(instructions, kernels.INSTRUCTION))

    def evaluate(self, values: Mapping[str, ArrayLike]) -> NDArray[np.bool_]:
        """Where it holds.

        Parameters
        ----------
        values : mapping of str to array
            Each of ``fields``, shapes that broadcast.
        """
        return self.program.evaluate([np.asarray(values[field]) for field in self.fields])

    def __str__(self) -> str:
        return self.text


def parse(text: str) -> Condition:
    """Read a condition.

    Raises
    ------
    SettingError
        Naming the token that is wrong, and what is allowed there.
    """
    if not isinstance(text, str):
        raise SettingError(f'a condition is a str such as "isnan(z) | (abs(delta) > 10)", not {text!r}')
    if len(text) > _LONGEST:
        raise SettingError(f"the condition has {len(text):,} characters; at most {_LONGEST:,} are read")
    return _Parser(text).condition()


class _Parser:
    """Recursive descent; each method appends to the program and says whether it read a condition."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [*self._tokens(), ("end", "")]
        self.at = 0
        self.depth = 0
        self.postfix: list[str | float] = []

    def _tokens(self) -> list[tuple[str, str]]:
        found = []
        for match in _TOKEN.finditer(self.text.rstrip()):
            kind = str(match.lastgroup)
            token = match[kind]
            if kind == "wrong":
                hint = {"=": "; equality is ==", "!": "; not is ~", "^": "; there is no ^"}.get(token, "")
                raise self._error(f"{token!r} at character {match.start(kind) + 1} is not understood{hint}")
            found.append(("symbol", _WORDS[token]) if token in _WORDS else (kind, token))
        return found

    def condition(self) -> Condition:
        """The whole text."""
        is_condition = self._or()
        if self._kind != "end":
            raise self._error(f"{self._token!r} is not expected there{self._chained()}")
        used = tuple(name for name in FIELDS if name in self.postfix)
        if not is_condition:
            raise self._error("it is a number, not a condition; compare it, as in abs(delta) > 10")
        if not used:
            raise self._error("it reads no field")
        if used[0] in NEURON_FIELDS and used[-1] in EDGE_FIELDS:
            raise self._error(f"{used[0]!r} belongs to neurons and {used[-1]!r} to edges; use one kind")
        return Condition(self.text, used, tuple(self.postfix))

    @property
    def _kind(self) -> str:
        return self.tokens[self.at][0]

    @property
    def _token(self) -> str:
        return self.tokens[self.at][1]

    def _next(self, *symbols: str) -> str:
        """The next token, taken, if it is one of these symbols, else ""."""
        if self._kind == "symbol" and self._token in symbols:
            self.at += 1
            return self.tokens[self.at - 1][1]
        return ""

    def _chain(self, symbols: Iterable[str], side: Callable[[], bool], join: Callable[[str, bool, bool], bool]) -> bool:
        """Sides with these symbols between them, joined from the left."""
        left = side()
        while symbol := self._next(*symbols):
            left = join(symbol, left, side())
        return left

    def _or(self) -> bool:
        return self._chain("|", self._and, self._both)

    def _and(self) -> bool:
        return self._chain("&", self._not, self._both)

    def _both(self, symbol: str, left: bool, right: bool) -> bool:
        if not (left and right):
            raise self._error(f"{symbol!r} joins two conditions, and one side is a number; compare it, as in z > 0")
        self.postfix.append(symbol)
        return True

    def _not(self) -> bool:
        if not self._next("~"):
            return self._comparison()
        if not self._deeper(self._not):
            raise self._error("'~' turns a condition round, and a number follows; compare it, as in ~(z > 0)")
        self.postfix.append("~")
        return True

    def _comparison(self) -> bool:
        left = self._sum()
        symbol = self._next(*_COMPARISONS)
        if not symbol:
            return left
        self._numbers(symbol, left, self._sum())
        return True

    def _sum(self) -> bool:
        return self._chain("+-", self._product, self._numbers)

    def _product(self) -> bool:
        return self._chain("*/", self._signed, self._numbers)

    def _numbers(self, symbol: str, left: bool, right: bool) -> bool:
        if left or right:
            raise self._error(f"{symbol!r} stands between two numbers, and one side is a condition")
        self.postfix.append(symbol)
        return False

    def _signed(self) -> bool:
        if self._next("+"):
            return self._number("+", self._deeper(self._signed))
        if self._next("-"):
            self._number("-", self._deeper(self._signed))
            self.postfix.append("negative")
            return False
        return self._atom()

    def _number(self, before: str, is_condition: bool) -> bool:
        if is_condition:
            raise self._error(f"{before!r} takes a number, and a condition follows")
        return False

    def _atom(self) -> bool:
        kind, token = self._kind, self._token
        if self._next("("):
            inside = self._deeper(self._or)
            self._close()
            return inside
        if kind == "end":
            raise self._error("it ends too early; a field, a number, a function or ( is missing")
        self.at += 1
        if kind == "name" and token in FUNCTIONS:
            return self._function(token)
        if kind == "number" or token in (*FIELDS, "inf", "nan"):
            self.postfix.append(token if token in FIELDS else float(token))
            return False
        if kind == "name":
            what = "function" if self._token == "(" else "field"
            raise self._error(f"there is no {what} {token!r}{suggest(token, FIELDS + FUNCTIONS)}")
        raise self._error(f"{token!r} is not expected there")

    def _function(self, name: str) -> bool:
        if not self._next("("):
            raise self._error(f"{name!r} is a function: {name}(z)")
        self._number(name, self._deeper(self._or))
        self._close()
        self.postfix.append(name)
        return name in _TO_CONDITION

    def _close(self) -> None:
        if not self._next(")"):
            found = repr(self._token) if self._token else "the end"
            raise self._error(f"')' is missing before {found}{self._chained()}")

    def _chained(self) -> str:
        two = self._kind == "symbol" and self._token in _COMPARISONS
        return "; compare two values at a time: (0 < z) & (z < 1)" if two else ""

    def _deeper(self, read: Callable[[], bool]) -> bool:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self._error(f"it is nested more than {_DEEPEST} deep")
        found = read()
        self.depth -= 1
        return found

    def _error(self, what: str) -> SettingError:
        return SettingError(
            f"the condition {self.text!r}: {what}; allowed: fields {', '.join(FIELDS)}; functions "
            f"{', '.join(FUNCTIONS)}; operators | & ~ {' '.join(_COMPARISONS)} + - * / and parentheses"
        )
