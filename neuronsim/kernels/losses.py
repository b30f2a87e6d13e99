"""Losses on lanes, a sample per lane: L, and for every output ∂L/∂y, or at once δ where loss and activation are fused."""

from typing import Any

import numpy.typing as npt

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
from neuronsim.kernels.jit import kernel
from neuronsim.kernels.lanes import absolute, filled, fma, lane_count, load_part, select, sqrt, store_part
from neuronsim.kernels.mathematics import exp, log, log1p, softplus

Array = npt.NDArray[Any]


@kernel
def is_fused(loss: int, code: int) -> bool:
    """Whether this loss gives δ of an output with this activation directly, without ∂L/∂y and f'."""
    return (loss == CROSS_ENTROPY and code == SOFTMAX) or (loss == BINARY_CROSS_ENTROPY and code == SIGMOID)


@kernel
def losses(
    loss: int,
    outputs: Array,
    codes: Array,
    z: Array,
    y: Array,
    target: Array,
    own: Array,
    sample_losses: Array,
    stride: int,
    start: int,
    n: int,
) -> None:
    """L of ``n`` samples in a row, and in ``own`` each output's ∂L/∂y, or its δ where ``is_fused``.

    ``z`` and ``y`` hold neuron × sample, ``target`` and ``own`` output × sample, all with the row length ``stride``.
    """
    width = lane_count(z)
    for i in range(start, start + n, width):
        part = min(width, start + n - i)
        value = filled(load_part(z, i, part), 0.0)
        for o in range(outputs.size):
            at, to = outputs[o] * stride + i, o * stride + i
            code = codes[outputs[o]]
            if loss == CROSS_ENTROPY and code == SOFTMAX:
                continue
            p, t = load_part(y, at, part), load_part(target, to, part)
            e = p - t
            if loss == HALF_SQUARED:
                value, d = fma(e * 0.5, e, value), e
            elif loss == SQUARED or loss == L2_NORM:
                value, d = fma(e, e, value), e * 2.0
            elif loss == MEAN_SQUARED:
                d = e / float(outputs.size)
                value, d = fma(d, e, value), d * 2.0
            elif loss == ABSOLUTE:
                value, d = value + absolute(e), select(e < 0.0, -1.0, select(e > 0.0, 1.0, e))
            elif loss == HUBER:
                size = absolute(e)
                value = value + select(size <= 1.0, e * e * 0.5, size - 0.5)
                d = select(e < -1.0, -1.0, select(e > 1.0, 1.0, e))
            elif loss == BINARY_CROSS_ENTROPY:
                if code == SIGMOID:
                    # −t log σ(z) − (1 − t) log(1 − σ(z)) = softplus(z) − t·z
                    net = load_part(z, at, part)
                    value = value + fma(-t, net, softplus(net))
                    d = e
                else:
                    no = 1.0 - t
                    value = value - select(t == 0.0, t, t * log(p)) - select(no == 0.0, no, no * log1p(-p))
                    d = select(no == 0.0, no, no / (1.0 - p)) - select(t == 0.0, t, t / p)
            elif loss == CROSS_ENTROPY:
                value = value - select(t == 0.0, t, t * log(p))
                d = select(t == 0.0, t, -t / p)
            elif loss == SINGLE_OUTPUT + o:
                value, d = p, filled(p, 1.0)
            else:
                d = filled(p, 0.0)
            store_part(own, to, d, part)
        if loss == L2_NORM:
            value = sqrt(value)
            for o in range(outputs.size):
                # ∂‖y − t‖/∂y = (y − t) / ‖y − t‖, 0 at 0
                d = load_part(own, o * stride + i, part) * 0.5
                store_part(own, o * stride + i, select(value == 0.0, 0.0, d / value), part)
        store_part(sample_losses, i, value, part)


@kernel
def softmax_cross_entropy(
    members: Array,
    rows: Array,
    z: Array,
    y: Array,
    target: Array,
    own: Array,
    sample_losses: Array,
    stride: int,
    start: int,
    n: int,
) -> None:
    """Add −Σ_j t_j log p_j = Σ_j t_j (log Σ_k e^{z_k} − z_j) over the softmax group; δ_j = p_j Σt − t_j.

    ``members`` are the group's neurons, ``rows`` their rows in ``target`` and ``own``.
    """
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
            store_part(own, to, fma(load_part(y, at, part), targets, -t), part)
        store_part(sample_losses, i, value, part)


@kernel
def softmax_jacobian(members: Array, rows: Array, y: Array, own: Array, stride: int, start: int, n: int) -> None:
    """own := δ of a softmax group from ∂L/∂y: δ_i = y_i (∂L/∂y_i − Σ_k ∂L/∂y_k · y_k)."""
    width = lane_count(y)
    for i in range(start, start + n, width):
        part = min(width, start + n - i)
        mean = filled(load_part(y, i, part), 0.0)
        for j in range(members.size):
            mean = fma(load_part(own, rows[j] * stride + i, part), load_part(y, members[j] * stride + i, part), mean)
        for j in range(members.size):
            d = load_part(own, rows[j] * stride + i, part) - mean
            store_part(own, rows[j] * stride + i, load_part(y, members[j] * stride + i, part) * d, part)
