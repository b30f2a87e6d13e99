"""A leaf's parts spread over threads: one parallel kernel for all of them, whatever their arguments."""

from llvmlite import ir
from numba import prange
from numba.core import cgutils, types
from numba.extending import intrinsic

from neuronsim.kernels.jit import parallel_kernel

_INTEGER, _POINTER = ir.IntType(64), ir.IntType(8).as_pointer()
_TASK = ir.FunctionType(ir.VoidType(), [_POINTER, _INTEGER, _INTEGER])


@intrinsic
def call_task(typingctx, task, arguments, part, parts):  # type: ignore[no-untyped-def]
    """Call a task at its address for one part."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        function = builder.inttoptr(args[0], _TASK.as_pointer())
        builder.call(function, [builder.inttoptr(args[1], _POINTER), args[2], args[3]])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64), codegen


@parallel_kernel
def call_parts(task: int, arguments: int, parts: int) -> None:
    """Call all parts of a task, each in one thread."""
    for part in prange(parts):
        call_task(task, arguments, part, parts)


@intrinsic
def share(typingctx, function, parts, arguments):  # type: ignore[no-untyped-def]
    """Call the leaf ``function(part, parts, *arguments)`` for every part, spread over threads.

    Numba would hand each array of each argument to threads by itself, and no nested tuples; a parallel kernel of our
    60 arrays took 0.65 s to compile. Here a task finds its arguments, as one value, at an address.
    """
    given = (types.int64, types.int64, *(types.unliteral(t) for t in arguments))
    leaf_signature = typingctx.resolve_function_type(function, given, {})
    runner = types.Dispatcher(call_parts)
    run_signature = typingctx.resolve_function_type(runner, (types.int64,) * 3, {})

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        place = cgutils.alloca_once_value(builder, args[2])
        task = ir.Function(builder.module, _TASK, builder.module.get_unique_name("task"))
        task.linkage = "internal"
        inside = ir.IRBuilder(task.append_basic_block())
        values = inside.load(inside.bitcast(task.args[0], place.type))
        fields = [
            context.cast(inside, inside.extract_value(values, i), given_type, wanted)
            for i, (given_type, wanted) in enumerate(zip(sig.args[2], leaf_signature.args[2:], strict=True))
        ]
        leaf = function.dispatcher.overloads[leaf_signature.args].fndesc
        context.call_conv.call_function(  # kernels raise nothing: no status to look at
            inside,
            context.declare_function(builder.module, leaf),
            leaf.restype,
            leaf.argtypes,
            [task.args[1], task.args[2], *fields],
        )
        inside.ret_void()
        addresses = [builder.ptrtoint(pointer, _INTEGER) for pointer in (task, place)]
        context.get_function(runner, run_signature)(builder, [*addresses, args[1]])
        return context.get_dummy_value()

    return types.void(function, types.int64, arguments), codegen
