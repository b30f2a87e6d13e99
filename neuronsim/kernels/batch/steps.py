"""One mini-batch step in regions shared by threads: samples forward and back, then neurons' gradients and updates."""

import numpy as np

from neuronsim.kernels.activations import softmax
from neuronsim.kernels.arguments import (
    Array,
    Block,
    Learning,
    Parameters,
    Part,
    Pass,
    Samples,
    Signals,
    Span,
    Task,
    Wiring,
    Workspace,
)
from neuronsim.kernels.batch.backward import backward, clear, output_deltas
from neuronsim.kernels.batch.forward import forward
from neuronsim.kernels.batch.gather import (
    block_inputs,
    copy_columns,
    gather_inputs,
    gather_targets,
    place_of,
    thread_inputs,
)
from neuronsim.kernels.batch.gradient import update_neurons
from neuronsim.kernels.batch.share import share
from neuronsim.kernels.codes import CROSS_ENTROPY
from neuronsim.kernels.jit import inlined, kernel, leaf
from neuronsim.kernels.lanes import lane_count, prefetch
from neuronsim.kernels.losses import losses, output_signals, softmax_cross_entropy, softmax_jacobian
from neuronsim.kernels.update import ADD, SCALE, UPDATE, WRITE, begin_step, squared_norm, update_all
from neuronsim.kernels.watch.recorder import Recorder, after_block, after_step, before_step

#: A step of more samples is made of blocks of this many, whose gradients are added in order.
BLOCK_SAMPLES = 1024
#: Lane vectors that go through the whole network together, so that the rows in use stay in the L2 cache.
VECTORS_TOGETHER = 4
#: Weights of a bundle that are fetched ahead from the cache of the core that wrote them: what fits beside the rest.
FETCHED = 65536

# How far the samples' phase goes.
FORWARD, LOSS, BACKWARD = range(3)


# ── samples ──


@leaf
def process_samples(
    wiring: Wiring, parameters: Parameters, work: Workspace, samples: Samples, asked: Pass, block: Block, bundle: int
) -> None:
    """Gather, forward, loss and backward for the places of a block.

    The bundles before ``bundle`` are done, from copies of the inputs that threads made for themselves.
    """
    stride = work.stride
    together = min(VECTORS_TOGETHER * lane_count(work.y), stride)
    n_bundles = wiring.bundle_first.size
    for first in range(block.start, block.end, together):
        n = min(together, block.end - first)
        places = Block(block.position, block.n_samples, first, first + n)
        gather_targets(wiring, samples, work, places)
        if bundle == 0 or wiring.inputs_read_later:
            gather_inputs(wiring, samples, block_inputs(work), places)
        at = place_of(first, stride, work.pitch)
        y = work.y[at:]
        forward(wiring, parameters, Signals(y, work.z[at:], y, stride), n, bundle, n_bundles, 0, 1)
        if wiring.softmax_members.size > 0:
            softmax(wiring.softmax_members, work.z, work.y, stride, at, n)
        if asked.depth == FORWARD:
            continue
        find_loss_deltas(wiring, parameters, work, asked.loss, block.n_samples - first, at, n)
        if asked.depth == LOSS:
            continue
        copy_columns(wiring, work, first, first + n)
        clear(wiring.cleared, work.delta, stride, at, at + n)
        backward(wiring, parameters, work, at, at + n)


@kernel
def find_losses(wiring: Wiring, work: Workspace, loss: int, start: int, n: int) -> None:
    """Losses of ``n`` samples and their ∂L/∂y, or δ where the two are one; no slope has a part in them yet."""
    members, rows, stride = wiring.softmax_members, wiring.softmax_rows, work.stride
    losses(loss, wiring, work, start, n)
    for p in range(wiring.prelus.size):
        work.slope_terms[p * stride + start : p * stride + start + n] = 0.0
    if members.size > 0:
        if loss == CROSS_ENTROPY:
            softmax_cross_entropy(members, rows, output_signals(work), start, n)
        else:
            softmax_jacobian(members, rows, output_signals(work), start, n)


@leaf
def find_loss_deltas(
    wiring: Wiring, parameters: Parameters, work: Workspace, loss: int, count: int, start: int, n: int
) -> None:
    """Losses of ``n`` samples and the δ that the loss itself puts on each output; zero from the ``count``th on."""
    stride = work.stride
    find_losses(wiring, work, loss, start, n)
    for o in range(wiring.outputs.size):
        for i in range(start + max(count, 0), start + n):
            work.loss_delta[o * stride + i] = 0.0
    output_deltas(wiring, parameters, work, loss, start, n)


@inlined
def slice_of(n: int, parts: int, part: int) -> int:
    """Where part ``part`` of ``n`` things begins, cut as evenly as possible."""
    return n * part // parts


@inlined
def padded(count: int, work: Workspace) -> int:
    """So many samples in whole lane vectors."""
    width = lane_count(work.y)
    return int((count + width - 1) // width * width)


@kernel
def fetch_weights(wiring: Wiring, parameters: Parameters) -> None:
    """Have the weights of the bundles behind the leading ones fetched, which other cores have written."""
    weights = parameters.weights
    for b in range(wiring.n_leading_bundles, wiring.bundle_first.size):
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
) -> None:
    """The leading bundles, which listen to inputs alone, for a whole block, a thread's part of their *neurons*.

    Each core then reads weights that it has itself written in the last step, and inputs that it has itself gathered,
    not those in another core's cache: both cores gathering everything costs 9 µs, handing halves over cost 50.
    """
    stride, end = work.stride, padded(count, work)
    gathered = thread_inputs(wiring, work, t, n_threads)
    fetch_weights(wiring, parameters)
    together = min(VECTORS_TOGETHER * lane_count(work.y), stride)
    for first in range(0, end, together):
        n = min(together, end - first)
        gather_inputs(wiring, samples, gathered, Block(position, count, first, first + n))
        at, source_at = place_of(first, stride, work.pitch), place_of(first, stride, gathered.pitch)
        signals = Signals(gathered.y[source_at:], work.z[at:], work.y[at:], stride)
        forward(wiring, parameters, signals, n, 0, wiring.n_leading_bundles, t, n_threads)


@leaf
def share_samples(
    t: int,
    n_threads: int,
    wiring: Wiring,
    parameters: Parameters,
    work: Workspace,
    samples: Samples,
    asked: Pass,
    whole: Block,
) -> None:
    """``process_samples`` for a thread's samples of a whole block."""
    # whole lane vectors, and whole planes where there are several
    piece = lane_count(work.y) if work.pitch == 0 else work.stride
    pieces = (whole.end + piece - 1) // piece
    start, end = slice_of(pieces, n_threads, t) * piece, min(slice_of(pieces, n_threads, t + 1) * piece, whole.end)
    block = Block(whole.position, whole.n_samples, start, end)
    process_samples(wiring, parameters, work, samples, asked, block, wiring.n_leading_bundles)


@kernel
def block_samples(
    wiring: Wiring,
    parameters: Parameters,
    work: Workspace,
    samples: Samples,
    asked: Pass,
    position: int,
    count: int,
    cuts: Array | None,
) -> None:
    """A block's samples, on one thread where ``cuts`` is None: then nothing parallel is even compiled."""
    block = Block(position, count, 0, padded(count, work))
    if cuts is None:
        process_samples(wiring, parameters, work, samples, asked, block, 0)
    else:
        n_threads = cuts.size - 1
        if wiring.n_leading_bundles > 0:
            share(share_leading, n_threads, (wiring, parameters, work, samples, position, count))
        share(share_samples, n_threads, (wiring, parameters, work, samples, asked, block))


# ── neurons ──


@leaf
def share_neurons(
    t: int, n_threads: int, wiring: Wiring, work: Workspace, learning: Learning, count: int, cuts: Array
) -> None:
    """``update_neurons`` for a thread's neurons, those between two ``cuts``."""
    update_neurons(wiring, work, learning, count, Part(t, n_threads, cuts[t], cuts[t + 1]))


@kernel
def block_neurons(wiring: Wiring, work: Workspace, learning: Learning, count: int, cuts: Array | None) -> None:
    """A block's neurons, on one thread where ``cuts`` is None."""
    if cuts is None:
        update_neurons(wiring, work, learning, count, Part(0, 1, 0, wiring.is_input.size - wiring.inputs.size))
    else:
        share(share_neurons, cuts.size - 1, (wiring, work, learning, count, cuts))


# ── steps ──


@kernel
def train_batches(
    recorder: Recorder | None,
    wiring: Wiring,
    learning: Learning,
    work: Workspace,
    samples: Samples,
    task: Task,
    span: Span,
    cuts: Array | None,
) -> int:
    """Make a span of steps; a short last batch counts.

    Returns how many were made: fewer than asked where a loss was not finite, before the update of that step, or where
    an alarm ended the call.
    """
    numbers = learning.rule.numbers
    buffered = learning.gradient.weights.size > 0 or learning.gradient.biases.size > 0
    for s in range(span.step_rates.size):
        watched = before_step(recorder, learning.parameters, s)
        position = (span.first_step + s) * task.batch
        m = min(task.batch, samples.order.size - position)
        scale = 1.0 / m if task.mean else 1.0
        begin_step(learning, span.step_rates[s])
        numbers[SCALE] = scale
        step_sum = 0.0
        for start in range(0, m, BLOCK_SAMPLES):
            count = min(BLOCK_SAMPLES, m - start)
            asked, at = Pass(task.loss, BACKWARD), position + start
            block_samples(wiring, learning.parameters, work, samples, asked, at, count, cuts)
            for i in range(count):
                step_sum += work.losses[place_of(i, work.stride, work.pitch)]
            if not np.isfinite(step_sum):
                return s
            if watched:
                after_block(recorder, work, samples, Block(at, count, start, start + count))
            if buffered:
                learning.mode[0] = WRITE if start == 0 else ADD
            block_neurons(wiring, work, learning, count, cuts)
        if buffered:
            learning.mode[0] = UPDATE
            if task.clip_norm > 0.0:
                norm = float(numbers[SCALE]) * np.sqrt(squared_norm(wiring, learning.gradient, learning.rates))
                if norm > task.clip_norm:
                    numbers[SCALE] = numbers[SCALE] * (task.clip_norm / norm)
            update_all(wiring, learning)
        span.loss_sum[0] += step_sum
        if watched and after_step(recorder, learning.parameters, scale, m, -1):
            return s + 1
    return span.step_rates.size
