"""One mini-batch step in regions shared by threads: samples forward and back, then neurons' gradients and updates."""

from typing import Any

import numpy as np
import numpy.typing as npt

from neuronsim.kernels.activations import softmax
from neuronsim.kernels.arguments import Learning, Parameters, Samples, Wiring, Workspace
from neuronsim.kernels.batch.backward import backward, clear, own_deltas
from neuronsim.kernels.batch.forward import forward
from neuronsim.kernels.batch.gather import copy_columns, gather_inputs, gather_targets, place_of
from neuronsim.kernels.batch.gradient import run_neurons
from neuronsim.kernels.batch.share import share
from neuronsim.kernels.codes import CROSS_ENTROPY
from neuronsim.kernels.jit import inlined, kernel, leaf
from neuronsim.kernels.lanes import lane_count, prefetch
from neuronsim.kernels.losses import losses, softmax_cross_entropy, softmax_jacobian
from neuronsim.kernels.update import ADD, SCALE, WRITE, begin_step, into, squared_norm, update_all
from neuronsim.kernels.watch.recorder import Recorder, look_at_block

Array = npt.NDArray[Any]

#: A step of more samples runs as blocks of this many, whose gradients are added in order.
BLOCK_SAMPLES = 1024
#: Lane vectors that go through the whole network together, so that the rows in use stay in the L2 cache.
VECTORS_TOGETHER = 4
#: Weights of a bundle that are fetched ahead from the cache of the core that wrote them: what fits beside the rest.
FETCHED = 65536

# How far the samples' phase goes.
FORWARD, LOSS, BACKWARD = range(3)


@leaf
def run_samples(
    wiring: Wiring,
    parameters: Parameters,
    work: Workspace,
    samples: Samples,
    loss: int,
    depth: int,
    position: int,
    count: int,
    stride: int,
    start: int,
    end: int,
    bundle: int,
) -> None:
    """Gather, forward, loss and backward for the places ``start`` to ``end`` of a block of ``count`` samples.

    The bundles before ``bundle`` have run, on copies of the inputs that threads made for themselves.
    """
    weights, _, slopes = parameters
    together = min(VECTORS_TOGETHER * lane_count(work.y), stride)
    n_bundles = wiring.bundle_first.size
    for first in range(start, end, together):
        n = min(together, end - first)
        gather_targets(wiring, samples, work, position, count, stride, first, first + n)
        if bundle == 0 or wiring.inputs_heard_later:
            gather_inputs(wiring, samples, work, work.pitch, position, count, stride, first, first + n)
        at = place_of(first, stride, work.pitch)
        forward(wiring, parameters, work.y[at:], work.z[at:], work.y[at:], stride, n, bundle, n_bundles, 0, 1)
        if wiring.softmax_members.size > 0:
            softmax(wiring.softmax_members, work.z, work.y, stride, at, n)
        if depth == FORWARD:
            continue
        find_own_deltas(wiring, parameters, work, loss, count - first, stride, at, n)
        if depth == LOSS:
            continue
        copy_columns(wiring, work, stride, first, first + n)
        clear(wiring.cleared, work.delta, stride, at, at + n)
        backward(
            wiring.bundle_first,
            wiring.bundle_size,
            wiring.bundle_pushes,
            wiring.bundle_leading,
            wiring.row_start,
            wiring.sources,
            weights,
            slopes,
            wiring.codes,
            wiring.user,
            wiring.output_row,
            work.own,
            work.z,
            work.y,
            work.delta,
            work.slope_terms,
            wiring.slope_row,
            stride,
            at,
            at + n,
        )


@leaf
def find_own_deltas(
    wiring: Wiring, parameters: Parameters, work: Workspace, loss: int, count: int, stride: int, start: int, n: int
) -> None:
    """Losses of ``n`` samples and the δ that the loss itself puts on each output; zero from the ``count``th on."""
    members, rows = wiring.softmax_members, wiring.softmax_rows
    losses(loss, wiring.outputs, wiring.codes, work.z, work.y, work.target, work.own, work.losses, stride, start, n)
    for p in range(wiring.prelus.size):
        work.slope_terms[p * stride + start : p * stride + start + n] = 0.0
    if members.size > 0:
        if loss == CROSS_ENTROPY:
            softmax_cross_entropy(members, rows, work.z, work.y, work.target, work.own, work.losses, stride, start, n)
        else:
            softmax_jacobian(members, rows, work.y, work.own, stride, start, n)
    for o in range(wiring.outputs.size):
        for i in range(start + max(count, 0), start + n):
            work.own[o * stride + i] = 0.0
    own_deltas(
        loss,
        wiring.outputs,
        wiring.codes,
        parameters.slopes,
        wiring.user,
        wiring.is_input,
        work.z,
        work.y,
        work.own,
        work.slope_terms,
        wiring.slope_row,
        stride,
        start,
        n,
    )


@kernel
def slice_of(n: int, parts: int, part: int) -> int:
    """Where part ``part`` of ``n`` things begins, cut as evenly as possible."""
    return n * part // parts


@inlined
def with_own_inputs(wiring: Wiring, work: Workspace, n_threads: int, t: int) -> Workspace:
    """The workspace with thread t's own copies of the inputs for y and for y's rows."""
    y, rows, starts = work.own_inputs, work.own_rows, work.starts
    y_size, row_size, n = y.size // n_threads, rows.size // n_threads, starts.size // n_threads
    return Workspace(
        work.stride, work.pitch, y[t * y_size : (t + 1) * y_size], work.z, work.delta, work.own, work.target,
        work.slope_terms, work.losses, work.own_row_pitch, rows[t * row_size : (t + 1) * row_size],
        starts[t * n : (t + 1) * n], work.places, work.steps, work.primes, work.scratch, y, work.own_row_pitch, rows,
    )  # fmt: skip


@kernel
def fetch_weights(wiring: Wiring, parameters: Parameters) -> None:
    """Have the weights of the bundles behind the leading ones fetched, which other cores have written."""
    weights = parameters.weights
    for b in range(wiring.leading, wiring.bundle_first.size):
        first, size = wiring.bundle_first[b], wiring.bundle_size[b]
        if not wiring.bundle_shared[b] or wiring.row_start[first + size] - wiring.row_start[first] > FETCHED:
            return
        for i in range(wiring.row_start[first], wiring.row_start[first + size], lane_count(weights)):
            prefetch(weights, i)


@leaf
def share_leading(
    t: int,
    n_threads: int,
    wiring: Wiring,
    parameters: Parameters,
    work: Workspace,
    samples: Samples,
    position: int,
    count: int,
    stride: int,
) -> None:
    """The leading bundles, which listen to inputs alone, for a whole block, a thread's part of their *neurons*.

    Each core then reads weights that it has itself written in the last step, and inputs that it has itself gathered,
    not those in another core's cache: both cores gathering everything costs 9 µs, handing halves over cost 50.
    """
    width = lane_count(work.y)
    end = (count + width - 1) // width * width
    own = with_own_inputs(wiring, work, n_threads, t)
    pitch = wiring.inputs_end * stride
    fetch_weights(wiring, parameters)
    together = min(VECTORS_TOGETHER * width, stride)
    for first in range(0, end, together):
        n = min(together, end - first)
        gather_inputs(wiring, samples, own, pitch, position, count, stride, first, first + n)
        at, heard = place_of(first, stride, work.pitch), own.y[place_of(first, stride, pitch) :]
        forward(wiring, parameters, heard, work.z[at:], work.y[at:], stride, n, 0, wiring.leading, t, n_threads)


@leaf
def share_samples(
    t: int,
    n_threads: int,
    wiring: Wiring,
    parameters: Parameters,
    work: Workspace,
    samples: Samples,
    loss: int,
    depth: int,
    position: int,
    count: int,
    stride: int,
) -> None:
    """``run_samples`` for a thread's samples of a whole block."""
    width = lane_count(work.y)
    # whole lane vectors, and whole planes where there are several
    piece = width if work.pitch == 0 else stride
    padded = (count + width - 1) // width * width
    pieces = (padded + piece - 1) // piece
    start, end = slice_of(pieces, n_threads, t) * piece, min(slice_of(pieces, n_threads, t + 1) * piece, padded)
    run_samples(wiring, parameters, work, samples, loss, depth, position, count, stride, start, end, wiring.leading)


@leaf
def share_neurons(
    t: int, n_threads: int, wiring: Wiring, work: Workspace, learning: Learning, count: int, stride: int, cuts: Array
) -> None:
    """``run_neurons`` for a thread's neurons, those between two ``cuts``."""
    length = work.scratch.size // n_threads
    own = with_own_inputs(wiring, work, n_threads, t) if wiring.leading > 0 else work
    run_neurons(wiring, work, own, learning, count, stride, cuts[t], cuts[t + 1], t, n_threads, t * length)


@kernel
def block_samples(
    wiring: Wiring,
    parameters: Parameters,
    work: Workspace,
    samples: Samples,
    loss: int,
    depth: int,
    position: int,
    count: int,
    stride: int,
    cuts: Array | None,
) -> None:
    """A block's samples, on one thread where ``cuts`` is None: then nothing parallel is even compiled."""
    if cuts is None:
        width = lane_count(work.y)
        end = (count + width - 1) // width * width
        run_samples(wiring, parameters, work, samples, loss, depth, position, count, stride, 0, end, 0)
    else:
        n_threads = cuts.size - 1
        if wiring.leading > 0:
            share(share_leading, n_threads, (wiring, parameters, work, samples, position, count, stride))
        share(share_samples, n_threads, (wiring, parameters, work, samples, loss, depth, position, count, stride))


@kernel
def block_neurons(
    wiring: Wiring,
    work: Workspace,
    learning: Learning,
    count: int,
    stride: int,
    cuts: Array | None,
) -> None:
    """A block's neurons, on one thread where ``cuts`` is None."""
    if cuts is None:
        end = wiring.is_input.size - wiring.inputs.size
        run_neurons(wiring, work, work, learning, count, stride, 0, end, 0, 1, 0)
    else:
        share(share_neurons, cuts.size - 1, (wiring, work, learning, count, stride, cuts))


@leaf
def train_batches(
    recorder: Recorder | None,
    wiring: Wiring,
    learning: Learning,
    gradient: Parameters,
    work: Workspace,
    samples: Samples,
    loss: int,
    clip_norm: float,
    first_step: int,
    step_rates: Array,
    loss_sum: Array,
    mean: bool,
    batch: int,
    stride: int,
    cuts: Array | None,
) -> int:
    """Steps ``first_step``, … of an epoch, one for each entry of ``step_rates``; a short last batch counts.

    Adds the samples' losses, each before the update that used it, to ``loss_sum[0]``. Returns how many steps were
    made: fewer than asked where a loss was not finite, before the update of that step. ``gradient`` is not empty where
    the whole gradient is needed before the update.
    """
    n_samples = samples.order.size
    buffered = gradient.weights.size > 0 or gradient.biases.size > 0
    for s in range(step_rates.size):
        position = (first_step + s) * batch
        m = min(batch, n_samples - position)
        begin_step(learning, step_rates[s])
        learning.numbers[SCALE] = 1.0 / m if mean else 1.0
        step_sum = 0.0
        for start in range(0, m, BLOCK_SAMPLES):
            count = min(BLOCK_SAMPLES, m - start)
            at = position + start
            block_samples(wiring, learning.parameters, work, samples, loss, BACKWARD, at, count, stride, cuts)
            for i in range(count):
                step_sum += work.losses[place_of(i, stride, work.pitch)]
            if not np.isfinite(step_sum):
                return s
            if recorder is not None:
                look_at_block(recorder, work, samples, at, start, count)
            mode = WRITE if start == 0 else ADD
            used = into(learning, gradient, mode) if buffered else learning
            block_neurons(wiring, work, used, count, stride, cuts)
        if buffered:
            if clip_norm > 0.0:
                norm = float(learning.numbers[SCALE]) * np.sqrt(squared_norm(wiring, gradient, learning.rates))
                if norm > clip_norm:
                    learning.numbers[SCALE] = learning.numbers[SCALE] * (clip_norm / norm)
            update_all(wiring, learning, gradient)
        loss_sum[0] += step_sum
    return step_rates.size
