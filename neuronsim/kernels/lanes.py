"""Lane vectors and tiles: fixed-width SIMD values that kernels hold in local variables.

A *lane vector* is 64 bytes of numbers: 16 float32 or 8 float64. In mini-batches a lane is a sample, in online
learning a lane is a source. A *tile* is ``rows × columns`` lane vectors as one value; LLVM keeps it in registers, so
that one short kernel serves any block size, and each accumulator's order of summation does not depend on the tile's
shape.

Every operation maps to one LLVM instruction or a written-out sequence of them, without fast-math flags: the same bits
on every processor. Multiply-adds are explicit (``fma``), horizontal sums are a fixed tree, comparisons are ordered
ones that are false for NaN.
"""

import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models, register_default
from numba.core.imputils import lower_builtin
from numba.core.types.misc import Dummy
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, typeof_impl

BYTES = 64

#: How many lanes a vector has, by dtype.
WIDTH = {np.dtype(np.float32): BYTES // 4, np.dtype(np.float64): BYTES // 8}

# What a kernel holds; for annotations only: these values never leave compiled code.
Lanes = Any
Tile = Any


class LanesType(types.Type):  # type: ignore[misc]
    """A vector of ``count`` elements of one scalar type (a boolean element makes a mask)."""

    def __init__(self, element: types.Type, count: int) -> None:
        self.element = element
        self.count = count
        super().__init__(name=f"Lanes({element}, {count})")


class TileType(types.Type):  # type: ignore[misc]
    """``rows × columns`` lane vectors, row by row."""

    def __init__(self, lanes: LanesType, rows: int, columns: int) -> None:
        self.lanes = lanes
        self.rows = rows
        self.columns = columns
        super().__init__(name=f"Tile({lanes}, {rows}, {columns})")


def _llvm_element(element: types.Type) -> ir.Type:
    if element == types.boolean:
        return ir.IntType(1)
    if isinstance(element, types.Float):
        return ir.FloatType() if element.bitwidth == 32 else ir.DoubleType()
    return ir.IntType(element.bitwidth)


@register_default(LanesType)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: LanesType) -> None:
        super().__init__(dmm, fe_type, ir.VectorType(_llvm_element(fe_type.element), fe_type.count))


@register_default(TileType)
class _TileModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: TileType) -> None:
        vector = ir.VectorType(_llvm_element(fe_type.lanes.element), fe_type.lanes.count)
        super().__init__(dmm, fe_type, ir.ArrayType(vector, fe_type.rows * fe_type.columns))


class Shape:
    """A tile's shape, passed to kernels as a value whose *type* carries the numbers."""

    def __init__(self, rows: int, columns: int) -> None:
        self.rows = rows
        self.columns = columns


class _ShapeType(Dummy):  # type: ignore[misc]
    def __init__(self, rows: int, columns: int) -> None:
        self.rows = rows
        self.columns = columns
        super().__init__(name=f"Shape({rows}, {columns})")


@register_default(_ShapeType)
class _ShapeModel(models.OpaqueModel):  # type: ignore[misc]
    pass


class Count:
    """How many terms an operation takes at a time; the number is part of the type, like a `Shape`'s."""

    def __init__(self, count: int) -> None:
        self.count = count


class _CountType(Dummy):  # type: ignore[misc]
    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(name=f"Count({count})")


@register_default(_CountType)
class _CountModel(models.OpaqueModel):  # type: ignore[misc]
    pass


@typeof_impl.register(Count)
def _typeof_count(value: Count, context: Any) -> _CountType:
    return _CountType(value.count)


@typeof_impl.register(Shape)
def _typeof_shape(value: Shape, context: Any) -> _ShapeType:
    return _ShapeType(value.rows, value.columns)


def float_lanes(element: types.Type) -> LanesType:
    """The lane type of a float scalar type."""
    return LanesType(element, BYTES * 8 // element.bitwidth)


# --- operators: + − × ÷, comparisons, integer arithmetic
# ----------------------------------------------------------------

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


def _splat_value(builder: ir.IRBuilder, scalar: ir.Value, count: int) -> ir.Value:
    vector = ir.VectorType(scalar.type, count)
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), count), [0] * count)
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), mask)


def _as_lanes(context: Any, builder: ir.IRBuilder, value: ir.Value, typ: types.Type, lanes: LanesType) -> ir.Value:
    if isinstance(typ, LanesType):
        return value
    return _splat_value(builder, context.cast(builder, value, typ, lanes.element), lanes.count)


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


# --- building blocks of the intrinsics
# ----------------------------------------------------------------------------------


def _call(builder: ir.IRBuilder, name: str, result: ir.Type, args: list[ir.Value]) -> ir.Value:
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, [a.type for a in args]), name)
    return builder.call(function, args)


def _suffix(llvm_type: ir.Type) -> str:
    if isinstance(llvm_type, ir.VectorType):
        return f"v{llvm_type.count}{_suffix(llvm_type.element)}"
    if isinstance(llvm_type, ir.FloatType):
        return "f32"
    if isinstance(llvm_type, ir.DoubleType):
        return "f64"
    return f"i{llvm_type.width}"


def _fma_value(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    return _call(builder, f"llvm.fma.{_suffix(a.type)}", a.type, [a, b, c])


def _element_pointer(
    context: Any, builder: ir.IRBuilder, array_type: types.Array, array: ir.Value, index: ir.Value
) -> ir.Value:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


def _load_vector(builder: ir.IRBuilder, pointer: ir.Value, vector: ir.VectorType, itemsize: int) -> ir.Value:
    return builder.load(builder.bitcast(pointer, vector.as_pointer()), align=itemsize)


def _store_vector(builder: ir.IRBuilder, value: ir.Value, pointer: ir.Value, itemsize: int) -> None:
    builder.store(value, builder.bitcast(pointer, value.type.as_pointer()), align=itemsize)


def _prefetch(builder: ir.IRBuilder, place: ir.Value, written: bool = False) -> None:
    """Have a cache line brought into L1, to be read or also to be written."""
    numbers = [ir.Constant(ir.IntType(32), k) for k in (int(written), 3, 1)]
    _call(builder, "llvm.prefetch.p0", ir.VoidType(), [builder.bitcast(place, ir.IntType(8).as_pointer()), *numbers])


def _vector(lanes: LanesType) -> ir.VectorType:
    return ir.VectorType(_llvm_element(lanes.element), lanes.count)


def _itemsize(lanes: LanesType) -> int:
    return int(lanes.element.bitwidth) // 8


def _i64(value: int) -> ir.Constant:
    return ir.Constant(ir.IntType(64), value)


def _part_mask(builder: ir.IRBuilder, n: ir.Value, count: int) -> ir.Value:
    indices = ir.Constant(ir.VectorType(ir.IntType(64), count), list(range(count)))
    return builder.icmp_signed("<", indices, _splat_value(builder, n, count))


def _masked_load(builder: ir.IRBuilder, pointer: ir.Value, lanes: LanesType, mask: ir.Value) -> ir.Value:
    vector = _vector(lanes)
    arguments = [
        builder.bitcast(pointer, vector.as_pointer()),
        ir.Constant(ir.IntType(32), _itemsize(lanes)),
        mask,
        ir.Constant(vector, [0.0] * lanes.count),
    ]
    return _call(builder, f"llvm.masked.load.{_suffix(vector)}.p0", vector, arguments)


def _masked_store(builder: ir.IRBuilder, value: ir.Value, pointer: ir.Value, lanes: LanesType, mask: ir.Value) -> None:
    vector = _vector(lanes)
    arguments = [
        value,
        builder.bitcast(pointer, vector.as_pointer()),
        ir.Constant(ir.IntType(32), _itemsize(lanes)),
        mask,
    ]
    _call(builder, f"llvm.masked.store.{_suffix(vector)}.p0", ir.VoidType(), arguments)


# --- lanes
# ----------------------------------------------------------------------------------------------------------------


@intrinsic
def load(typingctx, array, index):  # type: ignore[no-untyped-def]
    """The lane vector that starts at ``array[index]``."""
    lanes = float_lanes(array.dtype)

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        pointer = _element_pointer(context, builder, sig.args[0], *args)
        return _load_vector(builder, pointer, _vector(lanes), _itemsize(lanes))

    return lanes(array, types.int64), codegen


@intrinsic
def store(typingctx, array, index, value):  # type: ignore[no-untyped-def]
    """Write a lane vector to ``array[index:]``."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        pointer = _element_pointer(context, builder, sig.args[0], args[0], args[1])
        _store_vector(builder, args[2], pointer, _itemsize(sig.args[2]))
        return context.get_dummy_value()

    return types.none(array, types.int64, value), codegen


@intrinsic
def load_part(typingctx, array, index, n):  # type: ignore[no-untyped-def]
    """The first ``n`` lanes from ``array[index:]``, zeros in the others; memory behind them is not touched."""
    lanes = float_lanes(array.dtype)

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        pointer = _element_pointer(context, builder, sig.args[0], args[0], args[1])
        return _masked_load(builder, pointer, lanes, _part_mask(builder, args[2], lanes.count))

    return lanes(array, types.int64, types.int64), codegen


@intrinsic
def store_part(typingctx, array, index, value, n):  # type: ignore[no-untyped-def]
    """Write the first ``n`` lanes to ``array[index:]``."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        lanes = sig.args[2]
        pointer = _element_pointer(context, builder, sig.args[0], args[0], args[1])
        _masked_store(builder, args[2], pointer, lanes, _part_mask(builder, args[3], lanes.count))
        return context.get_dummy_value()

    return types.none(array, types.int64, value, types.int64), codegen


@intrinsic
def peek(typingctx, array, index):  # type: ignore[no-untyped-def]
    """``array[index]`` for an index that is not negative: without Numba's test for one that is."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        value = builder.load(_element_pointer(context, builder, sig.args[0], *args))
        return context.cast(builder, value, sig.args[0].dtype, sig.return_type)

    result = types.int64 if isinstance(array.dtype, types.Integer) else array.dtype
    return result(array, types.int64), codegen


@intrinsic
def poke(typingctx, array, index, value):  # type: ignore[no-untyped-def]
    """``array[index] = value`` for an index that is not negative."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        builder.store(args[2], _element_pointer(context, builder, sig.args[0], args[0], args[1]))
        return context.get_dummy_value()

    return types.none(array, types.int64, array.dtype), codegen


@intrinsic
def gather_part(typingctx, array, ids, index, n):  # type: ignore[no-untyped-def]
    """``array[ids[index + i]]`` in lane i < ``n``, zeros in the others; ``ids`` are int32."""
    lanes = float_lanes(array.dtype)

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        vector, count = _vector(lanes), lanes.count
        mask = _part_mask(builder, args[3], count)
        numbers = ir.VectorType(ir.IntType(32), count)
        first = _element_pointer(context, builder, sig.args[1], args[1], args[2])
        arguments = [
            builder.bitcast(first, numbers.as_pointer()),
            ir.Constant(ir.IntType(32), 4),
            mask,
            ir.Constant(numbers, [0] * count),
        ]
        places = _call(builder, f"llvm.masked.load.v{count}i32.p0", numbers, arguments)
        # llvmlite's address arithmetic knows no vectors of indices
        wide = ir.VectorType(ir.IntType(64), count)
        begin = builder.ptrtoint(_element_pointer(context, builder, sig.args[0], args[0], _i64(0)), ir.IntType(64))
        offsets = builder.mul(builder.sext(places, wide), ir.Constant(wide, [_itemsize(lanes)] * count))
        addresses = builder.add(_splat_value(builder, begin, count), offsets)
        pointers = builder.inttoptr(addresses, ir.VectorType(vector.element.as_pointer(), count))
        arguments = [pointers, ir.Constant(ir.IntType(32), _itemsize(lanes)), mask, ir.Constant(vector, [0.0] * count)]
        return _call(builder, f"llvm.masked.gather.{_suffix(vector)}.v{count}p0", vector, arguments)

    return lanes(array, ids, types.int64, types.int64), codegen


@intrinsic
def prefetch(typingctx, array, index):  # type: ignore[no-untyped-def]
    """Fetch the cache line of ``array[index]`` for what comes later."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        _prefetch(builder, _element_pointer(context, builder, sig.args[0], *args))
        return context.get_dummy_value()

    return types.none(array, types.int64), codegen


@intrinsic
def pack(typingctx, a, b, c, d):  # type: ignore[no-untyped-def]
    """A vector of four lanes from four scalars that are in registers."""
    lanes = LanesType(a, 4)

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        value = ir.Constant(_vector(lanes), ir.Undefined)
        for i, scalar in enumerate(args):
            value = builder.insert_element(value, scalar, ir.Constant(ir.IntType(32), i))
        return value

    return lanes(a, a, a, a), codegen


@intrinsic
def store_packed(typingctx, array, index, value, n):  # type: ignore[no-untyped-def]
    """Write the first ``n`` ≤ 4 lanes to ``array[index:]``, one by one."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        pointer = _element_pointer(context, builder, sig.args[0], args[0], args[1])
        for i in range(4):
            with builder.if_then(builder.icmp_signed(">", args[3], _i64(i))):
                scalar = builder.extract_element(args[2], ir.Constant(ir.IntType(32), i))
                builder.store(scalar, builder.gep(pointer, [_i64(i)]))
        return context.get_dummy_value()

    return types.none(array, types.int64, value, types.int64), codegen


@intrinsic
def splat(typingctx, scalar):  # type: ignore[no-untyped-def]
    """The lane vector whose every lane is ``scalar`` (float32 or float64)."""
    lanes = float_lanes(scalar)

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        return _splat_value(builder, args[0], lanes.count)

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
        return _fma_value(builder, *args)

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
            return _call(builder, f"llvm.{name}.{_suffix(vector)}", vector, [args[0]])

        return value(value), codegen

    return typer


sqrt = intrinsic(_unary("sqrt"))
absolute = intrinsic(_unary("fabs"))


def _tree_sum(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """Halve, add, halve …: lane j + lane j + n/2, so ((0+8)+(4+12))+… for 16 lanes, on every processor."""
    n = value.type.count
    while n > 1:
        n //= 2
        undefined = ir.Constant(value.type, ir.Undefined)
        int_vector = ir.VectorType(ir.IntType(32), n)
        low = builder.shuffle_vector(value, undefined, ir.Constant(int_vector, list(range(n))))
        high = builder.shuffle_vector(value, undefined, ir.Constant(int_vector, list(range(n, 2 * n))))
        value = builder.fadd(low, high)
    return builder.extract_element(value, ir.Constant(ir.IntType(32), 0))


@intrinsic
def total(typingctx, value):  # type: ignore[no-untyped-def]
    """The sum of a vector's lanes, as a written-out tree of halves."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        return _tree_sum(builder, args[0])

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
        return _i64(count)

    return types.int64(array), codegen


# --- tiles
# ------------------------------------------------------------------------------------------------------------------


def _tile_parts(builder: ir.IRBuilder, tile: ir.Value, typ: TileType) -> list[list[ir.Value]]:
    values = [builder.extract_value(tile, i) for i in range(typ.rows * typ.columns)]
    return [values[r * typ.columns : (r + 1) * typ.columns] for r in range(typ.rows)]


def _tile_value(builder: ir.IRBuilder, rows: list[list[ir.Value]]) -> ir.Value:
    flat = [v for row in rows for v in row]
    tile = ir.Constant(ir.ArrayType(flat[0].type, len(flat)), ir.Undefined)
    for i, v in enumerate(flat):
        tile = builder.insert_value(tile, v, i)
    return tile


@intrinsic
def tile_start(typingctx, shape, array, index):  # type: ignore[no-untyped-def]
    """Row r of the tile holds ``array[index + r]`` in every lane (a neuron's bias)."""
    lanes = float_lanes(array.dtype)
    tile = TileType(lanes, shape.rows, shape.columns)

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        pointer = _element_pointer(context, builder, sig.args[1], args[1], args[2])
        rows = []
        for r in range(tile.rows):
            scalar = builder.load(builder.gep(pointer, [_i64(r)]))
            rows.append([_splat_value(builder, scalar, lanes.count)] * tile.columns)
        return _tile_value(builder, rows)

    return tile(shape, array, types.int64), codegen


@intrinsic
def tile_zero(typingctx, shape, like):  # type: ignore[no-untyped-def]
    """A tile of zeros with the dtype of the array ``like``."""
    lanes = float_lanes(like.dtype)
    tile = TileType(lanes, shape.rows, shape.columns)

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        zero = ir.Constant(_vector(lanes), [0.0] * lanes.count)
        return _tile_value(builder, [[zero] * tile.columns] * tile.rows)

    return tile(shape, like), codegen


def _multiply_add(
    builder: ir.IRBuilder,
    rows: list[list[ir.Value]],
    tile: TileType,
    scalar: ir.Value,
    step: ir.Value,
    pointer: ir.Value,
) -> list[list[ir.Value]]:
    """``rows[r][c] += scalar[r·step] · pointer[c·lanes :]``, each with one rounding."""
    lanes = tile.lanes
    loaded = [
        _load_vector(builder, builder.gep(pointer, [_i64(c * lanes.count)]), _vector(lanes), _itemsize(lanes))
        for c in range(tile.columns)
    ]
    result = []
    for r, row in enumerate(rows):
        offset = builder.mul(step, _i64(r))
        w = _splat_value(builder, builder.load(builder.gep(scalar, [offset])), lanes.count)
        result.append([_fma_value(builder, w, loaded[c], row[c]) for c in range(tile.columns)])
    return result


@intrinsic
def tile_fma(typingctx, tile, n, scalars, index, step, vectors, start, stride):  # type: ignore[no-untyped-def]
    """``tile[r, c] += scalars[index + r·step + u] · vectors[start + u·stride + c·lanes :]`` for u < n, in order.

    ``n`` is a `Count`: several terms at a time share the arithmetic of addresses, which else costs a tile of eight
    rows a fifth of its speed.
    """

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        rows = _tile_parts(builder, args[0], tile)
        for u in range(n.count):
            scalar = _element_pointer(context, builder, sig.args[2], args[2], builder.add(args[3], _i64(u)))
            place = builder.add(args[6], builder.mul(args[7], _i64(u)))
            pointer = _element_pointer(context, builder, sig.args[5], args[5], place)
            rows = _multiply_add(builder, rows, tile, scalar, args[4], pointer)
        return _tile_value(builder, rows)

    integer = types.int64
    return tile(tile, n, scalars, integer, integer, vectors, integer, integer), codegen


@intrinsic
def tile_gather_fma(typingctx, tile, n, edges, k, vectors, stride, lane):  # type: ignore[no-untyped-def]
    """``tile[r, c] +=`` weight k + u of row r · ``vectors[source·stride + lane + c·lanes :]`` for u < n, in order.

    ``edges`` are `Edges`, whose ``sources`` are int32; source k + u is the weight's.
    """

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        rows = _tile_parts(builder, args[0], tile)
        for u in range(n.count):
            scalar, step, place = _edge(context, builder, sig, args, u)
            pointer = _element_pointer(context, builder, vectors, args[4], place)
            rows = _multiply_add(builder, rows, tile, scalar, step, pointer)
        return _tile_value(builder, rows)

    return tile(tile, n, edges, types.int64, vectors, types.int64, types.int64), codegen


def _edge(context: Any, builder: ir.IRBuilder, sig: Any, args: Any, u: int) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Of the (k + u)th edges of all rows: a pointer to the first weight, how far apart they are, the source's row.

    The arguments are those of ``tile_gather_fma`` and ``tile_push``.
    """
    _, _, edges, k, _, stride, lane = args
    nth = builder.add(k, _i64(u))
    weight, step = _weights(context, builder, sig.args[2], edges, nth)
    sources, s0 = builder.extract_value(edges, 2), builder.extract_value(edges, 3)
    source = builder.load(_element_pointer(context, builder, sig.args[2][2], sources, builder.add(s0, nth)))
    row = builder.mul(builder.sext(source, ir.IntType(64)), stride)
    return weight, step, builder.add(row, lane)


def _weights(
    context: Any, builder: ir.IRBuilder, edges_type: types.Type, edges: ir.Value, k: ir.Value
) -> tuple[ir.Value, ir.Value]:
    """Of `Edges`: a pointer to the first row's kth weight, and how far apart rows are."""
    weights, w0 = builder.extract_value(edges, 0), builder.extract_value(edges, 1)
    pointer = _element_pointer(context, builder, edges_type[0], weights, builder.add(w0, k))
    return pointer, builder.extract_value(edges, 4)


def _row_pointer(context: Any, builder: ir.IRBuilder, types_: Any, args: Any, u: int) -> ir.Value:
    """Pointer to ``vectors[ids[first + u]·stride + lane]``; the arguments are these five, in this order."""
    vectors, ids, first, stride, lane = args
    place = _element_pointer(context, builder, types_[1], ids, builder.add(first, _i64(u)))
    row = builder.sext(builder.load(place), ir.IntType(64))
    return _element_pointer(context, builder, types_[0], vectors, builder.add(builder.mul(row, stride), lane))


@intrinsic
def tile_load(typingctx, shape, array, index, step):  # type: ignore[no-untyped-def]
    """``tile[r, c] = array[index + r·step + c·lanes :]``."""
    lanes = float_lanes(array.dtype)
    tile = TileType(lanes, shape.rows, shape.columns)

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        pointer = _element_pointer(context, builder, sig.args[1], args[1], args[2])
        rows = []
        for r in range(tile.rows):
            row = builder.gep(pointer, [builder.mul(args[3], _i64(r))])
            rows.append(
                [
                    _load_vector(builder, builder.gep(row, [_i64(c * lanes.count)]), _vector(lanes), _itemsize(lanes))
                    for c in range(tile.columns)
                ]
            )
        return _tile_value(builder, rows)

    return tile(shape, array, types.int64, types.int64), codegen


@intrinsic
def tile_store(typingctx, tile, array, index, step):  # type: ignore[no-untyped-def]
    """``array[index + r·step + c·lanes :] = tile[r, c]``."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        lanes = tile.lanes
        pointer = _element_pointer(context, builder, sig.args[1], args[1], args[2])
        for r, row in enumerate(_tile_parts(builder, args[0], tile)):
            start = builder.gep(pointer, [builder.mul(args[3], _i64(r))])
            for c, value in enumerate(row):
                _store_vector(builder, value, builder.gep(start, [_i64(c * lanes.count)]), _itemsize(lanes))
        return context.get_dummy_value()

    return types.none(tile, array, types.int64, types.int64), codegen


@intrinsic
def tile_prefetch(typingctx, shape, array, index, step):  # type: ignore[no-untyped-def]
    """Have the cache lines of ``array[index + r·step + c·lanes :]`` fetched, for a tile that will be used there."""
    lanes = float_lanes(array.dtype)

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        pointer = _element_pointer(context, builder, sig.args[1], args[1], args[2])
        for r in range(shape.rows):
            row = builder.gep(pointer, [builder.mul(args[3], _i64(r))])
            for c in range(shape.columns):
                _prefetch(builder, builder.gep(row, [_i64(c * lanes.count)]), written=True)
        return context.get_dummy_value()

    return types.none(shape, array, types.int64, types.int64), codegen


@intrinsic
def tile_use(typingctx, function, tile, index, step, arguments):  # type: ignore[no-untyped-def]
    """``function(index + r·step + c·lanes, tile[r, c], *arguments)`` for each of a tile's lane vectors, row by row."""
    given = (types.int64, tile.lanes, *(types.unliteral(t) for t in arguments))
    called = typingctx.resolve_function_type(function, given, {})

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        rest = [builder.extract_value(args[4], i) for i in range(len(arguments))]
        use = context.get_function(function, called)
        for r, row in enumerate(_tile_parts(builder, args[1], tile)):
            for c, value in enumerate(row):
                offset = builder.add(builder.mul(args[3], _i64(r)), _i64(c * tile.lanes.count))
                use(builder, [builder.add(args[2], offset), value, *rest])
        return context.get_dummy_value()

    return types.none(function, tile, types.int64, types.int64, arguments), codegen


@intrinsic
def tile_push(typingctx, tile, n, edges, k, vectors, stride, lane):  # type: ignore[no-untyped-def]
    """``vectors[source·stride + lane + c·lanes :] += Σ_r`` weight k + u of row r · ``tile[r, c]``, u < n.

    ``edges`` as in ``tile_gather_fma``. Rows are added in ascending order; the ids are distinct.
    """

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        lanes = tile.lanes
        rows = _tile_parts(builder, args[0], tile)
        for u in range(n.count):
            scalar, step, place = _edge(context, builder, sig, args, u)
            pointer = _element_pointer(context, builder, vectors, args[4], place)
            places = [builder.gep(pointer, [_i64(c * lanes.count)]) for c in range(tile.columns)]
            sums = [_load_vector(builder, p, _vector(lanes), _itemsize(lanes)) for p in places]
            for r in range(tile.rows):
                offset = builder.mul(step, _i64(r))
                w = _splat_value(builder, builder.load(builder.gep(scalar, [offset])), lanes.count)
                sums = [_fma_value(builder, w, rows[r][c], sums[c]) for c in range(tile.columns)]
            for place, value in zip(places, sums, strict=True):
                _store_vector(builder, value, place, _itemsize(lanes))
        return context.get_dummy_value()

    return types.none(tile, n, edges, types.int64, vectors, types.int64, types.int64), codegen


@intrinsic
def tile_gather_dot(typingctx, tile, row, vectors, ids, first, stride, lane):  # type: ignore[no-untyped-def]
    """``tile[r, 0] += Σ_c row[0, c] · vectors[ids[first + r]·stride + lane + c·lanes :]``, c in order."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        lanes = tile.lanes
        (factors,) = _tile_parts(builder, args[1], row)
        result = []
        for r, (value,) in enumerate(_tile_parts(builder, args[0], tile)):
            pointer = _row_pointer(context, builder, sig.args[2:], args[2:], r)
            for c, factor in enumerate(factors):
                place = builder.gep(pointer, [_i64(c * lanes.count)])
                value = _fma_value(
                    builder, factor, _load_vector(builder, place, _vector(lanes), _itemsize(lanes)), value
                )
            result.append([value])
        return _tile_value(builder, result)

    integer = types.int64
    return tile(tile, row, vectors, ids, integer, integer, integer), codegen


@intrinsic
def tile_totals(typingctx, tile, array, index):  # type: ignore[no-untyped-def]
    """``array[index + r] =`` the tree sum of row r, the same tree as in ``total``.

    Halves of two rows make one vector: at each height of their trees, two rows cost one addition.
    """

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        values = [row[0] for row in _tile_parts(builder, args[0], tile)]
        # what each lane of a value holds: (row, place in that row's tree)
        held = [[(r, j) for j in range(tile.lanes.count)] for r in range(tile.rows)]
        half = tile.lanes.count
        while half > 1:
            half //= 2
            values, held = _halved(builder, values, held, half)
        pointer = _element_pointer(context, builder, sig.args[1], args[1], args[2])
        order = [held[0].index((r, 0)) for r in range(tile.rows)]
        int_vector = ir.VectorType(ir.IntType(32), tile.rows)
        sums = builder.shuffle_vector(values[0], values[0], ir.Constant(int_vector, order))
        _store_vector(builder, sums, pointer, _itemsize(tile.lanes))
        return context.get_dummy_value()

    return types.none(tile, array, types.int64), codegen


def _halved(
    builder: ir.IRBuilder, values: list[ir.Value], held: list[list[tuple[int, int]]], half: int
) -> tuple[list[ir.Value], list[list[tuple[int, int]]]]:
    """One height of all trees: lane j + lane j + half of each row, of two values at a time."""
    if len(values) == 1:
        pairs = [(values[0], values[0], held[0])]
    else:
        middle = len(values) // 2
        pairs = [(values[v], values[v + middle], held[v] + held[v + middle]) for v in range(middle)]
    sums, sums_held = [], []
    for a, b, lanes in pairs:
        low = [label for label in lanes if label[1] < half]
        places = [[lanes.index((r, j + shift)) for r, j in low] for shift in (0, half)]
        int_vector = ir.VectorType(ir.IntType(32), len(low))
        halves = [builder.shuffle_vector(a, b, ir.Constant(int_vector, p)) for p in places]
        sums.append(builder.fadd(*halves))
        sums_held.append(low)
    return sums, sums_held


# --- squares: tiles of as many rows as lanes
# -----------------------------------------------------------------------------


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
        first = _element_pointer(context, builder, sig.args[1], args[1], args[2])
        rows = []
        for r in range(lanes.count):
            offset = builder.add(builder.load(builder.gep(first, [_i64(r)])), args[3])
            pointer = _element_pointer(context, builder, sig.args[0], args[0], offset)
            rows.append(_load_vector(builder, pointer, _vector(lanes), _itemsize(lanes)))
            _prefetch(builder, builder.gep(pointer, [_i64(8 * lanes.count)]))
        place = _element_pointer(context, builder, sig.args[4], args[4], args[5])
        for c, value in enumerate(_transposed(builder, rows)):
            pointer = builder.gep(place, [builder.mul(args[6], _i64(c))])
            _store_vector(builder, value, pointer, _itemsize(lanes))
        return context.get_dummy_value()

    return types.none(source, starts, types.int64, types.int64, target, types.int64, types.int64), codegen


# --- tiles whose lanes are sources (online)
# -----------------------------------------------------------------------------------


@intrinsic
def tile_dot(typingctx, tile, edges, k, vectors, start, n):  # type: ignore[no-untyped-def]
    """``tile[r, 0] +=`` row r's weights from the kth on · ``vectors[start :]`` in the first ``n`` lanes."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        lanes = tile.lanes
        rows = _tile_parts(builder, args[0], tile)
        first, step = _weights(context, builder, sig.args[1], args[1], args[2])
        mask = _part_mask(builder, args[5], lanes.count)
        shared = _masked_load(builder, _element_pointer(context, builder, sig.args[3], args[3], args[4]), lanes, mask)
        for r in range(tile.rows):
            row = _masked_load(builder, builder.gep(first, [builder.mul(step, _i64(r))]), lanes, mask)
            rows[r] = [_fma_value(builder, row, shared, rows[r][0])]
        return _tile_value(builder, rows)

    return tile(tile, edges, types.int64, vectors, types.int64, types.int64), codegen


@intrinsic
def tile_finish(typingctx, tile, biases, first, out):  # type: ignore[no-untyped-def]
    """``out[first + r] = biases[first + r] +`` the tree sum of row r."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        bias = _element_pointer(context, builder, sig.args[1], args[1], args[2])
        place = _element_pointer(context, builder, sig.args[3], args[3], args[2])
        for r, row in enumerate(_tile_parts(builder, args[0], tile)):
            value = builder.fadd(builder.load(builder.gep(bias, [_i64(r)])), _tree_sum(builder, row[0]))
            builder.store(value, builder.gep(place, [_i64(r)]))
        return context.get_dummy_value()

    return types.none(tile, biases, types.int64, out), codegen


@intrinsic
def tile_descend(typingctx, changes, edges, k, y, yi, n):  # type: ignore[no-untyped-def]
    """Row r's weights from the kth on ``+= changes[r] · y[yi :]`` in the first ``n`` lanes: w := w − μ·δ·y."""
    tile = changes

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        lanes = tile.lanes
        first, step = _weights(context, builder, sig.args[1], args[1], args[2])
        mask = _part_mask(builder, args[5], lanes.count)
        message = _masked_load(builder, _element_pointer(context, builder, sig.args[3], args[3], args[4]), lanes, mask)
        for r, (change,) in enumerate(_tile_parts(builder, args[0], tile)):
            place = builder.gep(first, [builder.mul(step, _i64(r))])
            old = _masked_load(builder, place, lanes, mask)
            _masked_store(builder, _fma_value(builder, change, message, old), place, lanes, mask)
        return context.get_dummy_value()

    return types.none(changes, edges, types.int64, y, types.int64, types.int64), codegen


@intrinsic
def tile_push_descend(typingctx, deltas, changes, edges, k, y, sums, at, n):  # type: ignore[no-untyped-def]
    """The fused online pass for rows of consecutive sources: first ``sums[at:] += w·δ``, then ``w += changes·y[at:]``.

    The sums see the old weights: each row is read once, used for both, and written once.
    """
    tile = deltas

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        lanes = tile.lanes
        first, step = _weights(context, builder, sig.args[2], args[2], args[3])
        mask = _part_mask(builder, args[7], lanes.count)
        message = _masked_load(builder, _element_pointer(context, builder, sig.args[4], args[4], args[6]), lanes, mask)
        place = _element_pointer(context, builder, sig.args[5], args[5], args[6])
        total_value = _masked_load(builder, place, lanes, mask)
        pairs = zip(_tile_parts(builder, args[0], tile), _tile_parts(builder, args[1], tile), strict=True)
        for r, ((delta,), (change,)) in enumerate(pairs):
            row = builder.gep(first, [builder.mul(step, _i64(r))])
            old = _masked_load(builder, row, lanes, mask)
            total_value = _fma_value(builder, old, delta, total_value)
            _masked_store(builder, _fma_value(builder, change, message, old), row, lanes, mask)
        _masked_store(builder, total_value, place, lanes, mask)
        return context.get_dummy_value()

    return types.none(deltas, changes, edges, types.int64, y, sums, types.int64, types.int64), codegen
