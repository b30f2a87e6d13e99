"""The LLVM instructions that operations on lanes and tiles are made of; ``lanes`` is always a `LanesType`."""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types


def element_type(element: types.Type) -> ir.Type:
    """The LLVM type of one lane."""
    if element == types.boolean:
        return ir.IntType(1)
    if isinstance(element, types.Float):
        return ir.FloatType() if element.bitwidth == 32 else ir.DoubleType()
    return ir.IntType(element.bitwidth)


def splat(builder: ir.IRBuilder, scalar: ir.Value, count: int) -> ir.Value:
    """A vector of the same number ``count`` times."""
    vector = ir.VectorType(scalar.type, count)
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), count), [0] * count)
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), mask)


def call(builder: ir.IRBuilder, name: str, result: ir.Type, args: list[ir.Value]) -> ir.Value:
    """Call one of LLVM's own functions."""
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, [a.type for a in args]), name)
    return builder.call(function, args)


def suffix(llvm_type: ir.Type) -> str:
    """A type as it stands in the names of those functions."""
    if isinstance(llvm_type, ir.VectorType):
        return f"v{llvm_type.count}{suffix(llvm_type.element)}"
    if isinstance(llvm_type, ir.FloatType):
        return "f32"
    if isinstance(llvm_type, ir.DoubleType):
        return "f64"
    return f"i{llvm_type.width}"


def fma(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    """a · b + c, rounded once."""
    return call(builder, f"llvm.fma.{suffix(a.type)}", a.type, [a, b, c])


def element_pointer(
    context: Any, builder: ir.IRBuilder, array_type: types.Array, array: ir.Value, index: ir.Value
) -> ir.Value:
    """Where ``array[index]`` lies."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


def load(builder: ir.IRBuilder, pointer: ir.Value, lanes: Any) -> ir.Value:
    """A lane vector from memory."""
    return builder.load(builder.bitcast(pointer, vector_type(lanes).as_pointer()), align=itemsize(lanes))


def store(builder: ir.IRBuilder, value: ir.Value, pointer: ir.Value, lanes: Any) -> None:
    """A lane vector to memory."""
    builder.store(value, builder.bitcast(pointer, value.type.as_pointer()), align=itemsize(lanes))


def prefetch(builder: ir.IRBuilder, place: ir.Value, written: bool = False) -> None:
    """Have a cache line brought into L1, to be read or also to be written."""
    numbers = [ir.Constant(ir.IntType(32), k) for k in (int(written), 3, 1)]
    call(builder, "llvm.prefetch.p0", ir.VoidType(), [builder.bitcast(place, ir.IntType(8).as_pointer()), *numbers])


def vector_type(lanes: Any) -> ir.VectorType:
    """The LLVM type of a lane vector."""
    return ir.VectorType(element_type(lanes.element), lanes.count)


def itemsize(lanes: Any) -> int:
    """Bytes of a lane."""
    return int(lanes.element.bitwidth) // 8


def i64(value: int) -> ir.Constant:
    """An integer constant."""
    return ir.Constant(ir.IntType(64), value)


def part_mask(builder: ir.IRBuilder, n: ir.Value, count: int) -> ir.Value:
    """The first ``n`` lanes."""
    indices = ir.Constant(ir.VectorType(ir.IntType(64), count), list(range(count)))
    return builder.icmp_signed("<", indices, splat(builder, n, count))


def masked_load(builder: ir.IRBuilder, pointer: ir.Value, lanes: Any, mask: ir.Value) -> ir.Value:
    """The lanes of a mask, zeros in the others; memory behind them is not touched."""
    vector = vector_type(lanes)
    arguments = [
        builder.bitcast(pointer, vector.as_pointer()),
        ir.Constant(ir.IntType(32), itemsize(lanes)),
        mask,
        ir.Constant(vector, [0.0] * lanes.count),
    ]
    return call(builder, f"llvm.masked.load.{suffix(vector)}.p0", vector, arguments)


def masked_store(builder: ir.IRBuilder, value: ir.Value, pointer: ir.Value, lanes: Any, mask: ir.Value) -> None:
    """Write the lanes of a mask."""
    vector = vector_type(lanes)
    arguments = [
        value,
        builder.bitcast(pointer, vector.as_pointer()),
        ir.Constant(ir.IntType(32), itemsize(lanes)),
        mask,
    ]
    call(builder, f"llvm.masked.store.{suffix(vector)}.p0", ir.VoidType(), arguments)


def tree_sum(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
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
