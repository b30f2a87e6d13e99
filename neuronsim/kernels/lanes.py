"""Lane vectors: fixed-width SIMD values that kernels hold in local variables.

A *lane vector* is 64 bytes of numbers: 16 float32 or 8 float64. In mini-batches a lane is a sample, in online
learning a lane is a source.

Every operation maps to one LLVM instruction or a written-out sequence of them, without fast-math flags: the same bits
on every processor. Multiply-adds are explicit (``fma``), horizontal sums are a fixed tree, comparisons are ordered
ones that are false for NaN.
"""

import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.datamodel import models, register_default
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic

from neuronsim.kernels import llvm

BYTES = 64

#: How many lanes a vector has, by dtype.
WIDTH = {np.dtype(np.float32): BYTES // 4, np.dtype(np.float64): BYTES // 8}

# What a kernel holds; for annotations only: these values never leave compiled code.
Lanes = Any


class LanesType(types.Type):  # type: ignore[misc]
    """A vector of ``count`` elements of one scalar type (a boolean element makes a mask)."""

    def __init__(self, element: types.Type, count: int) -> None:
        self.element = element
        self.count = count
        super().__init__(name=f"Lanes({element}, {count})")


@register_default(LanesType)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: LanesType) -> None:
        super().__init__(dmm, fe_type, ir.VectorType(llvm.element_type(fe_type.element), fe_type.count))


def float_lanes(element: types.Type) -> LanesType:
    """The lane type of a float scalar type."""
    return LanesType(element, BYTES * 8 // element.bitwidth)


_BINARY = {
    operator.add: ("fadd", "add"),
    operator.sub: ("fsub", "sub"),
    operator.mul: ("fmul", "mul"),
    operator.truediv: ("fdiv", None),
    operator.and_: (None, "and_"),
    operator.or_: (None, "or_"),
    operator.xor: (None, "xor"),
    operator.lshift: (None, "shl"),
    operator.rshift: (None, "ashr"),
}
_COMPARE = {operator.lt: "<", operator.le: "<=", operator.gt: ">", operator.ge: ">=", operator.eq: "=="}


def _as_lanes(context: Any, builder: ir.IRBuilder, value: ir.Value, typ: types.Type, lanes: LanesType) -> ir.Value:
    if isinstance(typ, LanesType):
        return value
    return llvm.splat(builder, context.cast(builder, value, typ, lanes.element), lanes.count)


def _register_binary(op: Any, float_name: str | None, int_name: str | None) -> None:
    @infer_global(op)
    class _Binary(AbstractTemplate):  # type: ignore[misc]
        def generic(self, args: Any, kws: Any) -> Any:
            lanes = [a for a in args if isinstance(a, LanesType)]
            if len(args) != 2 or not lanes:
                return None
            if len(lanes) == 2 and args[0] != args[1]:
                return None
            # a Python number next to lanes is rounded to their dtype
            return signature(lanes[0], lanes[0], lanes[0]) if len(lanes) == 2 else signature(lanes[0], *args)

    def lower(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        lanes = sig.return_type
        a, b = (_as_lanes(context, builder, v, t, lanes) for v, t in zip(args, sig.args, strict=True))
        name = float_name if isinstance(lanes.element, types.Float) else int_name
        if name is None:
            raise TypeError(f"{op.__name__} is not defined for {lanes}")
        return getattr(builder, name)(a, b)

    lower_builtin(op, LanesType, LanesType)(lower)
    lower_builtin(op, LanesType, types.Number)(lower)
    lower_builtin(op, types.Number, LanesType)(lower)


def _register_compare(op: Any, symbol: str) -> None:
    @infer_global(op)
    class _Compare(AbstractTemplate):  # type: ignore[misc]
        def generic(self, args: Any, kws: Any) -> Any:
            lanes = [a for a in args if isinstance(a, LanesType)]
            if len(args) != 2 or not lanes or (len(lanes) == 2 and args[0] != args[1]):
                return None
            return signature(LanesType(types.boolean, lanes[0].count), *args)

    def lower(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        lanes = next(t for t in sig.args if isinstance(t, LanesType))
        a, b = (_as_lanes(context, builder, v, t, lanes) for v, t in zip(args, sig.args, strict=True))
        if isinstance(lanes.element, types.Float):
            return builder.fcmp_ordered(symbol, a, b)
        return builder.icmp_signed(symbol, a, b)

    lower_builtin(op, LanesType, LanesType)(lower)
    lower_builtin(op, LanesType, types.Number)(lower)
    lower_builtin(op, types.Number, LanesType)(lower)


for _op, (_float_name, _int_name) in _BINARY.items():
    _register_binary(_op, _float_name, _int_name)

for _op, _symbol in _COMPARE.items():
    _register_compare(_op, _symbol)


@infer_global(operator.neg)
class _Negate(AbstractTemplate):  # type: ignore[misc]
    def generic(self, args: Any, kws: Any) -> Any:
        return signature(args[0], args[0]) if isinstance(args[0], LanesType) else None


@lower_builtin(operator.neg, LanesType)
def _lower_negate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
    return builder.fneg(args[0]) if isinstance(sig.return_type.element, types.Float) else builder.neg(args[0])


@intrinsic
def load(typingctx, array, index):  # type: ignore[no-untyped-def]
    """The lane vector that starts at ``array[index]``."""
    lanes = float_lanes(array.dtype)

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        pointer = llvm.element_pointer(context, builder, sig.args[0], *args)
        return llvm.load(builder, pointer, lanes)

    return lanes(array, types.int64), codegen


@intrinsic
def store(typingctx, array, index, value):  # type: ignore[no-untyped-def]
    """Write a lane vector to ``array[index:]``."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        pointer = llvm.element_pointer(context, builder, sig.args[0], args[0], args[1])
        llvm.store(builder, args[2], pointer, sig.args[2])
        return context.get_dummy_value()

    return types.none(array, types.int64, value), codegen


@intrinsic
def load_part(typingctx, array, index, n):  # type: ignore[no-untyped-def]
    """The first ``n`` lanes from ``array[index:]``, zeros in the others; memory behind them is not touched."""
    lanes = float_lanes(array.dtype)

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        pointer = llvm.element_pointer(context, builder, sig.args[0], args[0], args[1])
        return llvm.masked_load(builder, pointer, lanes, llvm.part_mask(builder, args[2], lanes.count))

    return lanes(array, types.int64, types.int64), codegen


@intrinsic
def store_part(typingctx, array, index, value, n):  # type: ignore[no-untyped-def]
    """Write the first ``n`` lanes to ``array[index:]``."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        lanes = sig.args[2]
        pointer = llvm.element_pointer(context, builder, sig.args[0], args[0], args[1])
        llvm.masked_store(builder, args[2], pointer, lanes, llvm.part_mask(builder, args[3], lanes.count))
        return context.get_dummy_value()

    return types.none(array, types.int64, value, types.int64), codegen


@intrinsic
def peek(typingctx, array, index):  # type: ignore[no-untyped-def]
    """``array[index]`` for an index that is not negative: without Numba's test for one that is."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        value = builder.load(llvm.element_pointer(context, builder, sig.args[0], *args))
        return context.cast(builder, value, sig.args[0].dtype, sig.return_type)

    result = types.int64 if isinstance(array.dtype, types.Integer) else array.dtype
    return result(array, types.int64), codegen


@intrinsic
def poke(typingctx, array, index, value):  # type: ignore[no-untyped-def]
    """``array[index] = value`` for an index that is not negative."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        builder.store(args[2], llvm.element_pointer(context, builder, sig.args[0], args[0], args[1]))
        return context.get_dummy_value()

    return types.none(array, types.int64, array.dtype), codegen


@intrinsic
def gather_part(typingctx, array, ids, index, n):  # type: ignore[no-untyped-def]
    """``array[ids[index + i]]`` in lane i < ``n``, zeros in the others; ``ids`` are int32."""
    lanes = float_lanes(array.dtype)

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        vector, count = llvm.vector_type(lanes), lanes.count
        mask = llvm.part_mask(builder, args[3], count)
        numbers = ir.VectorType(ir.IntType(32), count)
        first = llvm.element_pointer(context, builder, sig.args[1], args[1], args[2])
        arguments = [
            builder.bitcast(first, numbers.as_pointer()),
            ir.Constant(ir.IntType(32), 4),
            mask,
            ir.Constant(numbers, [0] * count),
        ]
        places = llvm.call(builder, f"llvm.masked.load.v{count}i32.p0", numbers, arguments)
        # llvmlite's address arithmetic knows no vectors of indices
        wide = ir.VectorType(ir.IntType(64), count)
        begin = builder.ptrtoint(
            llvm.element_pointer(context, builder, sig.args[0], args[0], llvm.i64(0)), ir.IntType(64)
        )
        offsets = builder.mul(builder.sext(places, wide), ir.Constant(wide, [llvm.itemsize(lanes)] * count))
        addresses = builder.add(llvm.splat(builder, builder.ptrtoint(begin, ir.IntType(64)), count), offsets)
        pointers = builder.inttoptr(addresses, ir.VectorType(vector.element.as_pointer(), count))
        arguments = [
            pointers,
            ir.Constant(ir.IntType(32), llvm.itemsize(lanes)),
            mask,
            ir.Constant(vector, [0.0] * count),
        ]
        return llvm.call(builder, f"llvm.masked.gather.{llvm.suffix(vector)}.v{count}p0", vector, arguments)

    return lanes(array, ids, types.int64, types.int64), codegen


@intrinsic
def prefetch(typingctx, array, index):  # type: ignore[no-untyped-def]
    """Fetch the cache line of ``array[index]`` for what comes later."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        llvm.prefetch(builder, llvm.element_pointer(context, builder, sig.args[0], *args))
        return context.get_dummy_value()

    return types.none(array, types.int64), codegen


@intrinsic
def pack(typingctx, a, b, c, d):  # type: ignore[no-untyped-def]
    """A vector of four lanes from four scalars that are in registers."""
    lanes = LanesType(a, 4)

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        value = ir.Constant(llvm.vector_type(lanes), ir.Undefined)
        for i, scalar in enumerate(args):
            value = builder.insert_element(value, scalar, ir.Constant(ir.IntType(32), i))
        return value

    return lanes(a, a, a, a), codegen


@intrinsic
def store_packed(typingctx, array, index, value, n):  # type: ignore[no-untyped-def]
    """Write the first ``n`` ≤ 4 lanes to ``array[index:]``, one by one."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        pointer = llvm.element_pointer(context, builder, sig.args[0], args[0], args[1])
        for i in range(4):
            with builder.if_then(builder.icmp_signed(">", args[3], llvm.i64(i))):
                scalar = builder.extract_element(args[2], ir.Constant(ir.IntType(32), i))
                builder.store(scalar, builder.gep(pointer, [llvm.i64(i)]))
        return context.get_dummy_value()

    return types.none(array, types.int64, value, types.int64), codegen


@intrinsic
def splat(typingctx, scalar):  # type: ignore[no-untyped-def]
    """The lane vector whose every lane is ``scalar`` (float32 or float64)."""
    lanes = float_lanes(scalar)

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        return llvm.splat(builder, args[0], lanes.count)

    return lanes(scalar), codegen


@intrinsic
def filled(typingctx, like, value):  # type: ignore[no-untyped-def]
    """Lanes of the type of ``like``, each ``value`` rounded to their element type."""
    lanes = like

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        return _as_lanes(context, builder, args[1], sig.args[1], lanes)

    return lanes(like, value), codegen


@intrinsic
def fma(typingctx, a, b, c):  # type: ignore[no-untyped-def]
    """``a · b + c`` with one rounding, for lanes or for three scalars of one float type."""
    given = next((t for t in (a, b, c) if isinstance(t, LanesType)), a)

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        if isinstance(given, LanesType):
            args = [_as_lanes(context, builder, v, t, given) for v, t in zip(args, sig.args, strict=True)]
        return llvm.fma(builder, *args)

    if isinstance(given, LanesType):
        return given(a, b, c), codegen
    return given(given, given, given), codegen


@intrinsic
def select(typingctx, mask, yes, no):  # type: ignore[no-untyped-def]
    """Lane by lane ``yes`` where ``mask``, else ``no``; one of the two may be a number."""
    lanes = yes if isinstance(yes, LanesType) else no

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        a, b = (_as_lanes(context, builder, v, t, lanes) for v, t in zip(args[1:], sig.args[1:], strict=True))
        return builder.select(args[0], a, b)

    return lanes(mask, yes, no), codegen


def _unary(name: str):  # type: ignore[no-untyped-def]
    def typer(typingctx, value):  # type: ignore[no-untyped-def]
        def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
            vector = args[0].type
            return llvm.call(builder, f"llvm.{name}.{llvm.suffix(vector)}", vector, [args[0]])

        return value(value), codegen

    return typer


sqrt = intrinsic(_unary("sqrt"))
absolute = intrinsic(_unary("fabs"))


@intrinsic
def total(typingctx, value):  # type: ignore[no-untyped-def]
    """The sum of a vector's lanes, as a written-out tree of halves."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        return llvm.tree_sum(builder, args[0])

    return value.element(value), codegen


@intrinsic
def first_lane(typingctx, value):  # type: ignore[no-untyped-def]
    """The scalar in lane 0."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        return builder.extract_element(args[0], ir.Constant(ir.IntType(32), 0))

    return value.element(value), codegen


@intrinsic
def lane_count(typingctx, array):  # type: ignore[no-untyped-def]
    """How many lanes a vector of this array's dtype has, as a compile-time constant."""
    count = BYTES * 8 // array.dtype.bitwidth

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        return llvm.i64(count)

    return types.int64(array), codegen


def _transposed(builder: ir.IRBuilder, rows: list[ir.Value]) -> list[ir.Value]:
    """Swap lanes and rows: bit by bit of the index, lanes whose bit differs change places with the row beside."""
    n = len(rows)
    int_vector = ir.VectorType(ir.IntType(32), n)
    bit = 1
    while bit < n:
        low = [lane if not lane & bit else n + lane - bit for lane in range(n)]
        high = [lane + bit if not lane & bit else n + lane for lane in range(n)]
        swapped = list(rows)
        for r in range(n):
            if not r & bit:
                pair = rows[r], rows[r | bit]
                swapped[r] = builder.shuffle_vector(*pair, ir.Constant(int_vector, low))
                swapped[r | bit] = builder.shuffle_vector(*pair, ir.Constant(int_vector, high))
        rows = swapped
        bit *= 2
    return rows


@intrinsic
def transpose(typingctx, source, starts, si, shift, target, ti, step):  # type: ignore[no-untyped-def]
    """``target[ti + c·step + r] = source[starts[si + r] + shift + c]`` for as many r and c as there are lanes."""
    lanes = float_lanes(source.dtype)

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        first = llvm.element_pointer(context, builder, sig.args[1], args[1], args[2])
        rows = []
        for r in range(lanes.count):
            offset = builder.add(builder.load(builder.gep(first, [llvm.i64(r)])), args[3])
            pointer = llvm.element_pointer(context, builder, sig.args[0], args[0], offset)
            rows.append(llvm.load(builder, pointer, lanes))
            llvm.prefetch(builder, builder.gep(pointer, [llvm.i64(8 * lanes.count)]))
        place = llvm.element_pointer(context, builder, sig.args[4], args[4], args[5])
        for c, value in enumerate(_transposed(builder, rows)):
            pointer = builder.gep(place, [builder.mul(args[6], llvm.i64(c))])
            llvm.store(builder, value, pointer, lanes)
        return context.get_dummy_value()

    return types.none(source, starts, types.int64, types.int64, target, types.int64, types.int64), codegen
