"""Tiles: some rows × some lane vectors as one value, which LLVM keeps in registers.

So one short kernel serves any block size, and each accumulator's order of summation, hence the bits, does not depend on
the tile's shape.
"""

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.datamodel import models, register_default
from numba.core.types.misc import Dummy
from numba.extending import intrinsic, typeof_impl

from neuronsim.kernels import llvm
from neuronsim.kernels.lanes import LanesType, float_lanes

Tile = Any


class TileType(types.Type):  # type: ignore[misc]
    """``rows × columns`` lane vectors, row by row."""

    def __init__(self, lanes: LanesType, rows: int, columns: int) -> None:
        self.lanes = lanes
        self.rows = rows
        self.columns = columns
        super().__init__(name=f"Tile({lanes}, {rows}, {columns})")


@register_default(TileType)
class _TileModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: TileType) -> None:
        vector = ir.VectorType(llvm.element_type(fe_type.lanes.element), fe_type.lanes.count)
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
        pointer = llvm.element_pointer(context, builder, sig.args[1], args[1], args[2])
        rows = []
        for r in range(tile.rows):
            scalar = builder.load(builder.gep(pointer, [llvm.i64(r)]))
            rows.append([llvm.splat(builder, scalar, lanes.count)] * tile.columns)
        return _tile_value(builder, rows)

    return tile(shape, array, types.int64), codegen


@intrinsic
def tile_zero(typingctx, shape, like):  # type: ignore[no-untyped-def]
    """A tile of zeros with the dtype of the array ``like``."""
    lanes = float_lanes(like.dtype)
    tile = TileType(lanes, shape.rows, shape.columns)

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        zero = ir.Constant(llvm.vector_type(lanes), [0.0] * lanes.count)
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
    loaded = [llvm.load(builder, builder.gep(pointer, [llvm.i64(c * lanes.count)]), lanes) for c in range(tile.columns)]
    result = []
    for r, row in enumerate(rows):
        offset = builder.mul(step, llvm.i64(r))
        w = llvm.splat(builder, builder.load(builder.gep(scalar, [offset])), lanes.count)
        result.append([llvm.fma(builder, w, loaded[c], row[c]) for c in range(tile.columns)])
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
            scalar = llvm.element_pointer(context, builder, sig.args[2], args[2], builder.add(args[3], llvm.i64(u)))
            place = builder.add(args[6], builder.mul(args[7], llvm.i64(u)))
            pointer = llvm.element_pointer(context, builder, sig.args[5], args[5], place)
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
            pointer = llvm.element_pointer(context, builder, vectors, args[4], place)
            rows = _multiply_add(builder, rows, tile, scalar, step, pointer)
        return _tile_value(builder, rows)

    return tile(tile, n, edges, types.int64, vectors, types.int64, types.int64), codegen


def _edge(context: Any, builder: ir.IRBuilder, sig: Any, args: Any, u: int) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Of the (k + u)th edges of all rows: a pointer to the first weight, how far apart they are, the source's row.

    The arguments are those of ``tile_gather_fma`` and ``tile_push``.
    """
    _, _, edges, k, _, stride, lane = args
    nth = builder.add(k, llvm.i64(u))
    weight, step = _weights(context, builder, sig.args[2], edges, nth)
    sources, s0 = builder.extract_value(edges, 2), builder.extract_value(edges, 3)
    source = builder.load(llvm.element_pointer(context, builder, sig.args[2][2], sources, builder.add(s0, nth)))
    row = builder.mul(builder.sext(source, ir.IntType(64)), stride)
    return weight, step, builder.add(row, lane)


def _weights(
    context: Any, builder: ir.IRBuilder, edges_type: types.Type, edges: ir.Value, k: ir.Value
) -> tuple[ir.Value, ir.Value]:
    """Of `Edges`: a pointer to the first row's kth weight, and how far apart rows are."""
    weights, w0 = builder.extract_value(edges, 0), builder.extract_value(edges, 1)
    pointer = llvm.element_pointer(context, builder, edges_type[0], weights, builder.add(w0, k))
    return pointer, builder.extract_value(edges, 4)


def _row_pointer(context: Any, builder: ir.IRBuilder, types_: Any, args: Any, u: int) -> ir.Value:
    """Pointer to ``vectors[ids[first + u]·stride + lane]``; the arguments are these five, in this order."""
    vectors, ids, first, stride, lane = args
    place = llvm.element_pointer(context, builder, types_[1], ids, builder.add(first, llvm.i64(u)))
    row = builder.sext(builder.load(place), ir.IntType(64))
    return llvm.element_pointer(context, builder, types_[0], vectors, builder.add(builder.mul(row, stride), lane))


@intrinsic
def tile_load(typingctx, shape, array, index, step):  # type: ignore[no-untyped-def]
    """``tile[r, c] = array[index + r·step + c·lanes :]``."""
    lanes = float_lanes(array.dtype)
    tile = TileType(lanes, shape.rows, shape.columns)

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        pointer = llvm.element_pointer(context, builder, sig.args[1], args[1], args[2])
        rows = []
        for r in range(tile.rows):
            row = builder.gep(pointer, [builder.mul(args[3], llvm.i64(r))])
            places = [builder.gep(row, [llvm.i64(c * lanes.count)]) for c in range(tile.columns)]
            rows.append([llvm.load(builder, place, lanes) for place in places])
        return _tile_value(builder, rows)

    return tile(shape, array, types.int64, types.int64), codegen


@intrinsic
def tile_store(typingctx, tile, array, index, step):  # type: ignore[no-untyped-def]
    """``array[index + r·step + c·lanes :] = tile[r, c]``."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        lanes = tile.lanes
        pointer = llvm.element_pointer(context, builder, sig.args[1], args[1], args[2])
        for r, row in enumerate(_tile_parts(builder, args[0], tile)):
            start = builder.gep(pointer, [builder.mul(args[3], llvm.i64(r))])
            for c, value in enumerate(row):
                llvm.store(builder, value, builder.gep(start, [llvm.i64(c * lanes.count)]), lanes)
        return context.get_dummy_value()

    return types.none(tile, array, types.int64, types.int64), codegen


@intrinsic
def tile_prefetch(typingctx, shape, array, index, step):  # type: ignore[no-untyped-def]
    """Have the cache lines of ``array[index + r·step + c·lanes :]`` fetched, for a tile that will be used there."""
    lanes = float_lanes(array.dtype)

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        pointer = llvm.element_pointer(context, builder, sig.args[1], args[1], args[2])
        for r in range(shape.rows):
            row = builder.gep(pointer, [builder.mul(args[3], llvm.i64(r))])
            for c in range(shape.columns):
                llvm.prefetch(builder, builder.gep(row, [llvm.i64(c * lanes.count)]), written=True)
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
                offset = builder.add(builder.mul(args[3], llvm.i64(r)), llvm.i64(c * tile.lanes.count))
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
            pointer = llvm.element_pointer(context, builder, vectors, args[4], place)
            places = [builder.gep(pointer, [llvm.i64(c * lanes.count)]) for c in range(tile.columns)]
            sums = [llvm.load(builder, p, lanes) for p in places]
            for r in range(tile.rows):
                offset = builder.mul(step, llvm.i64(r))
                w = llvm.splat(builder, builder.load(builder.gep(scalar, [offset])), lanes.count)
                sums = [llvm.fma(builder, w, rows[r][c], sums[c]) for c in range(tile.columns)]
            for place, value in zip(places, sums, strict=True):
                llvm.store(builder, value, place, lanes)
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
                place = builder.gep(pointer, [llvm.i64(c * lanes.count)])
                value = llvm.fma(builder, factor, llvm.load(builder, place, lanes), value)
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
        pointer = llvm.element_pointer(context, builder, sig.args[1], args[1], args[2])
        order = [held[0].index((r, 0)) for r in range(tile.rows)]
        int_vector = ir.VectorType(ir.IntType(32), tile.rows)
        sums = builder.shuffle_vector(values[0], values[0], ir.Constant(int_vector, order))
        llvm.store(builder, sums, pointer, tile.lanes)
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


@intrinsic
def tile_dot(typingctx, tile, edges, k, vectors, start, n):  # type: ignore[no-untyped-def]
    """``tile[r, 0] +=`` row r's weights from the kth on · ``vectors[start :]`` in the first ``n`` lanes."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        lanes = tile.lanes
        rows = _tile_parts(builder, args[0], tile)
        first, step = _weights(context, builder, sig.args[1], args[1], args[2])
        mask = llvm.part_mask(builder, args[5], lanes.count)
        shared = llvm.masked_load(
            builder, llvm.element_pointer(context, builder, sig.args[3], args[3], args[4]), lanes, mask
        )
        for r in range(tile.rows):
            row = llvm.masked_load(builder, builder.gep(first, [builder.mul(step, llvm.i64(r))]), lanes, mask)
            rows[r] = [llvm.fma(builder, row, shared, rows[r][0])]
        return _tile_value(builder, rows)

    return tile(tile, edges, types.int64, vectors, types.int64, types.int64), codegen


@intrinsic
def tile_finish(typingctx, tile, biases, first, out):  # type: ignore[no-untyped-def]
    """``out[first + r] = biases[first + r] +`` the tree sum of row r."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        bias = llvm.element_pointer(context, builder, sig.args[1], args[1], args[2])
        place = llvm.element_pointer(context, builder, sig.args[3], args[3], args[2])
        for r, row in enumerate(_tile_parts(builder, args[0], tile)):
            value = builder.fadd(builder.load(builder.gep(bias, [llvm.i64(r)])), llvm.tree_sum(builder, row[0]))
            builder.store(value, builder.gep(place, [llvm.i64(r)]))
        return context.get_dummy_value()

    return types.none(tile, biases, types.int64, out), codegen


@intrinsic
def tile_descend(typingctx, changes, edges, k, y, yi, n):  # type: ignore[no-untyped-def]
    """Row r's weights from the kth on ``+= changes[r] · y[yi :]`` in the first ``n`` lanes: w := w − μ·δ·y."""
    tile = changes

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        lanes = tile.lanes
        first, step = _weights(context, builder, sig.args[1], args[1], args[2])
        mask = llvm.part_mask(builder, args[5], lanes.count)
        message = llvm.masked_load(
            builder, llvm.element_pointer(context, builder, sig.args[3], args[3], args[4]), lanes, mask
        )
        for r, (change,) in enumerate(_tile_parts(builder, args[0], tile)):
            place = builder.gep(first, [builder.mul(step, llvm.i64(r))])
            old = llvm.masked_load(builder, place, lanes, mask)
            llvm.masked_store(builder, llvm.fma(builder, change, message, old), place, lanes, mask)
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
        mask = llvm.part_mask(builder, args[7], lanes.count)
        message = llvm.masked_load(
            builder, llvm.element_pointer(context, builder, sig.args[4], args[4], args[6]), lanes, mask
        )
        place = llvm.element_pointer(context, builder, sig.args[5], args[5], args[6])
        total_value = llvm.masked_load(builder, place, lanes, mask)
        pairs = zip(_tile_parts(builder, args[0], tile), _tile_parts(builder, args[1], tile), strict=True)
        for r, ((delta,), (change,)) in enumerate(pairs):
            row = builder.gep(first, [builder.mul(step, llvm.i64(r))])
            old = llvm.masked_load(builder, row, lanes, mask)
            total_value = llvm.fma(builder, old, delta, total_value)
            llvm.masked_store(builder, llvm.fma(builder, change, message, old), row, lanes, mask)
        llvm.masked_store(builder, total_value, place, lanes, mask)
        return context.get_dummy_value()

    return types.none(deltas, changes, edges, types.int64, y, sums, types.int64, types.int64), codegen
