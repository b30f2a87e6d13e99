"""Training, cut where somebody watches: before and behind each step that a recorder asks for.

How steps are divided into calls changes no bit, so neither does watching. With no recorder nothing of this is compiled.
"""

from typing import Any

import numpy.typing as npt

from neuronsim.kernels.arguments import Learning, Parameters, Samples, Wiring, Workspace
from neuronsim.kernels.batch.steps import train_batches
from neuronsim.kernels.jit import inlined, kernel
from neuronsim.kernels.online.steps import train_online
from neuronsim.kernels.online.tiny import train_tiny
from neuronsim.kernels.watch.recorder import Recorder, conclude, judge, look, prepare

Array = npt.NDArray[Any]


@inlined
def next_call(recorder: Recorder, parameters: Parameters, s: int, n_steps: int) -> tuple[bool, int]:
    """Whether step ``s`` of these ``n_steps`` is watched, and where the call that makes it ends."""
    due = recorder.clock[0].next - recorder.clock[0].first
    if due > s:
        return False, min(due, n_steps)
    prepare(recorder, parameters, recorder.clock[0].next)
    return True, s + 1


@kernel
def watch_online(
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
    fused: bool,
) -> int:
    """``train_online``, watched."""
    if recorder is None:
        return train_online(
            wiring, learning, gradient, work, samples, loss, clip_norm, first_step, step_rates, loss_sum, fused
        )
    s = 0
    while s < step_rates.size:
        watched, n = next_call(recorder, learning.parameters, s, step_rates.size)
        rates, first = step_rates[s:n], first_step + s
        made = train_online(wiring, learning, gradient, work, samples, loss, clip_norm, first, rates, loss_sum, fused)
        if made < n - s:
            return s + made
        if watched:
            look(recorder, work, samples, first, 0, 1)
            conclude(recorder, learning.parameters, 1.0, 1, samples.order[first])
            if recorder.clock[0].stopped > 0:
                return n
        s = n
    return s


@kernel
def watch_tiny(
    recorder: Recorder | None,
    wiring: Wiring,
    parameters: Parameters,
    work: Workspace,
    samples: Samples,
    first_step: int,
    step_rates: Array,
    loss_sum: Array,
) -> int:
    """``train_tiny``, watched."""
    if recorder is None:
        return train_tiny(wiring, parameters, work, samples, first_step, step_rates, loss_sum)
    s = 0
    while s < step_rates.size:
        watched, n = next_call(recorder, parameters, s, step_rates.size)
        rates, first = step_rates[s:n], first_step + s
        made = train_tiny(wiring, parameters, work, samples, first, rates, loss_sum)
        if made < n - s:
            return s + made
        if watched:
            look(recorder, work, samples, first, 0, 1)
            conclude(recorder, parameters, 1.0, 1, samples.order[first])
            if recorder.clock[0].stopped > 0:
                return n
        s = n
    return s


@kernel
def watch_batches(
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
    """``train_batches``, watched."""
    if recorder is None:
        return train_batches(
            recorder, wiring, learning, gradient, work, samples, loss, clip_norm, first_step, step_rates, loss_sum,
            mean, batch, stride, cuts,
        )  # fmt: skip
    s = 0
    while s < step_rates.size:
        watched, n = next_call(recorder, learning.parameters, s, step_rates.size)
        rates, first = step_rates[s:n], first_step + s
        made = train_batches(
            recorder, wiring, learning, gradient, work, samples, loss, clip_norm, first, rates, loss_sum,
            mean, batch, stride, cuts,
        )  # fmt: skip
        if made < n - s:
            return s + made
        if watched:
            m_samples = min(batch, samples.order.size - first * batch)
            conclude(recorder, learning.parameters, 1.0 / m_samples if mean else 1.0, m_samples, -1)
            if recorder.clock[0].stopped > 0:
                return n
        s = n
    return s


@kernel
def judge_block(
    recorder: Recorder,
    work: Workspace,
    samples: Samples,
    parameters: Parameters,
    position: int,
    count: int,
) -> None:
    """Alarms look at a block of samples in the workspace that belongs to no step made."""
    prepare(recorder, parameters, recorder.clock[0].now)
    judge(recorder, work, samples, position, count)
