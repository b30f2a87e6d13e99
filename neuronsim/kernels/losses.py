"""Losses on lanes, a sample per lane: L, and for every output ∂L/∂y, or at once δ where loss and activation fuse."""

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from neuronsim.kernels.arguments import Array, OutputSignals, Wiring, Workspace
from neuronsim.kernels.codes import (
    ABSOLUTE,
    BINARY_CROSS_ENTROPY,
    CROSS_ENTROPY,
    HALF_SQUARED,
    HUBER,
    L2_NORM,
    MEAN_SQUARED,
    SIGMOID,
    SINGLE_OUTPUT,
    SOFTMAX,
    SQUARED,
)
from neuronsim.kernels.jit import inlined, kernel, leaf
from neuronsim.kernels.lanes import (
    Lanes,
    absolute,
    filled,
    first_lane,
    fma,
    lane_count,
    load_part,
    select,
    splat,
    sqrt,
    store_part,
)
from neuronsim.kernels.mathematics import exp, log, log1p, softplus


@intrinsic
def call(typingctx, address, y, t, wants_derivative):  # type: ignore[no-untyped-def]
    """Call the compiled function ``double f(double, double, int64)`` at an address: a registered loss."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        double = ir.DoubleType()
        function = builder.inttoptr(args[0], ir.FunctionType(double, [double, double, ir.IntType(64)]).as_pointer())
        return builder.call(function, args[1:])

    return types.float64(types.int64, types.float64, types.float64, types.int64), codegen


@inlined
def is_fused(loss: int, code: int) -> bool:
    """Whether this loss gives δ of an output with this activation directly, without ∂L/∂y and f'."""
    return (loss == CROSS_ENTROPY and code == SOFTMAX) or (loss == BINARY_CROSS_ENTROPY and code == SIGMOID)


@leaf
def loss_terms(loss: int, code: int, n_outputs: int, z: Lanes, p: Lanes, t: Lanes) -> tuple[Lanes, Lanes]:
    """What an output with net input z, output p and target t adds to L, and its ∂L/∂y, or δ where ``is_fused``.

    Of the L2 norm these are the square and half its derivative: its root is taken over all outputs.
    """
    e = p - t
    if loss == HALF_SQUARED:
        return e * 0.5 * e, e
    if loss == SQUARED:
        return e * e, e * 2.0
    if loss == L2_NORM:
        return e * e, e
    if loss == MEAN_SQUARED:
        share = e / float(n_outputs)
        return share * e, share * 2.0
    if loss == ABSOLUTE:
        return absolute(e), select(e < 0.0, -1.0, select(e > 0.0, 1.0, e))
    if loss == HUBER:
        size = absolute(e)
        return select(size <= 1.0, e * e * 0.5, size - 0.5), select(e < -1.0, -1.0, select(e > 1.0, 1.0, e))
    if loss == BINARY_CROSS_ENTROPY and code == SIGMOID:
        # −t log σ(z) − (1 − t) log(1 − σ(z)) = softplus(z) − t·z
        return fma(-t, z, softplus(z)), e
    if loss == BINARY_CROSS_ENTROPY:
        no = 1.0 - t
        value = select(t == 0.0, t, t * log(p)) + select(no == 0.0, no, no * log1p(-p))
        return -value, select(no == 0.0, no, no / (1.0 - p)) - select(t == 0.0, t, t / p)
    # CROSS_ENTROPY of an output that is not softmax
    return select(t == 0.0, t, -(t * log(p))), select(t == 0.0, t, -t / p)


@inlined
def output_signals(work: Workspace) -> OutputSignals:
    """What the losses read and write: leaves that run once a sample are not handed the whole workspace."""
    return OutputSignals(work.stride, work.z, work.y, work.target, work.loss_delta, work.losses)


@leaf
def registered_loss(loss: int, outputs: Array, signals: OutputSignals, start: int, n: int) -> None:
    """Σ_o value(y_o, t_o) of ``n`` samples in a row, and ∂L/∂y of each output; −``loss`` is the function's address."""
    stride, _, y, target, loss_delta, sample_losses = signals
    for i in range(start, start + n):
        value = 0.0
        for o in range(outputs.size):
            p, t = y[outputs[o] * stride + i], target[o * stride + i]
            value += call(-loss, p, t, 0)
            loss_delta[o * stride + i] = call(-loss, p, t, 1)
        sample_losses[i] = value


@kernel
def losses(loss: int, wiring: Wiring, work: Workspace, start: int, n: int) -> None:
    """L of ``n`` samples in a row, and for each output ∂L/∂y, or its δ where ``is_fused``, in ``loss_delta``."""
    if loss < 0:
        registered_loss(loss, wiring.outputs, output_signals(work), start, n)
        return
    outputs, z, loss_delta, stride = wiring.outputs, work.z, work.loss_delta, work.stride
    width = lane_count(z)
    for i in range(start, start + n, width):
        part = min(width, start + n - i)
        value = filled(load_part(z, i, part), 0.0)
        for o in range(outputs.size):
            at, to = outputs[o] * stride + i, o * stride + i
            code = wiring.codes[outputs[o]]
            if loss == CROSS_ENTROPY and code == SOFTMAX:
                continue
            p, t = load_part(work.y, at, part), load_part(work.target, to, part)
            if loss >= SINGLE_OUTPUT:
                chosen = 1.0 if loss == SINGLE_OUTPUT + o else 0.0
                store_part(loss_delta, to, filled(p, chosen), part)
            else:
                term, d = loss_terms(loss, code, outputs.size, load_part(z, at, part), p, t)
                value = value + term
                store_part(loss_delta, to, d, part)
        if loss == L2_NORM:
            value = sqrt(value)
            for o in range(outputs.size):
                # ∂‖y − t‖/∂y = (y − t) / ‖y − t‖, 0 at 0
                d = load_part(loss_delta, o * stride + i, part)
                store_part(loss_delta, o * stride + i, select(value == 0.0, 0.0, d / value), part)
        store_part(work.losses, i, value, part)


@inlined
def losses_one(loss: int, wiring: Wiring, work: Workspace) -> None:
    """The same for a single sample, output by output."""
    if loss < 0:
        registered_loss(loss, wiring.outputs, output_signals(work), 0, 1)
        return
    outputs, loss_delta = wiring.outputs, work.loss_delta
    value = type(work.losses[0])(0.0)
    for o in range(outputs.size):
        neuron = outputs[o]
        code = wiring.codes[neuron]
        if loss == CROSS_ENTROPY and code == SOFTMAX:
            continue
        z, y, t = splat(work.z[neuron]), splat(work.y[neuron]), splat(work.target[o])
        term, d = loss_terms(loss, code, outputs.size, z, y, t)
        value += first_lane(term)
        loss_delta[o] = first_lane(d)
    if loss == L2_NORM:
        value = type(value)(np.sqrt(value))
        for o in range(outputs.size):
            loss_delta[o] = loss_delta[o] / value if value != 0 else value
    work.losses[0] = value


@leaf
def softmax_cross_entropy(members: Array, rows: Array, signals: OutputSignals, start: int, n: int) -> None:
    """Add −Σ_j t_j log p_j = Σ_j t_j (log Σ_k e^{z_k} − z_j) over the softmax group; δ_j = p_j Σt − t_j.

    ``members`` are the group's neurons, ``rows`` their places among the outputs.
    """
    stride, z, y, target, loss_delta, sample_losses = signals
    width = lane_count(z)
    for i in range(start, start + n, width):
        part = min(width, start + n - i)
        highest = load_part(z, members[0] * stride + i, part)
        for m in members[1:]:
            value = load_part(z, m * stride + i, part)
            highest = select(value <= highest, highest, value)
        denominator, targets = filled(highest, 0.0), filled(highest, 0.0)
        for j in range(members.size):
            denominator = denominator + exp(load_part(z, members[j] * stride + i, part) - highest)
            targets = targets + load_part(target, rows[j] * stride + i, part)
        logarithm = log(denominator)
        value = load_part(sample_losses, i, part)
        for j in range(members.size):
            at, to = members[j] * stride + i, rows[j] * stride + i
            t = load_part(target, to, part)
            surprise = logarithm - (load_part(z, at, part) - highest)
            value = value + select(t == 0.0, t, t * surprise)
            store_part(loss_delta, to, fma(load_part(y, at, part), targets, -t), part)
        store_part(sample_losses, i, value, part)


@leaf
def softmax_jacobian(members: Array, rows: Array, signals: OutputSignals, start: int, n: int) -> None:
    """From ∂L/∂y to δ of a softmax group: δ_i = y_i (∂L/∂y_i − Σ_k ∂L/∂y_k · y_k)."""
    stride, y, loss_delta = signals.stride, signals.y, signals.loss_delta
    width = lane_count(y)
    for i in range(start, start + n, width):
        part = min(width, start + n - i)
        mean = filled(load_part(y, i, part), 0.0)
        for j in range(members.size):
            error = load_part(loss_delta, rows[j] * stride + i, part)
            mean = fma(error, load_part(y, members[j] * stride + i, part), mean)
        for j in range(members.size):
            to = rows[j] * stride + i
            d = load_part(loss_delta, to, part) - mean
            store_part(loss_delta, to, load_part(y, members[j] * stride + i, part) * d, part)
