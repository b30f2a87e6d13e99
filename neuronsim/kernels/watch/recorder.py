"""What is watched in a run, and the hooks of step loops before and after a step; with nothing watched they vanish.

What is read lies in the workspace when a step has been made, so the steps themselves know nothing of it. Of large
batches, which are computed in blocks, each block is read when its δ are there. Hooks are inlined: in a small network,
passing arrays costs more than reading them.
"""

from typing import Any, NamedTuple

import numpy as np

from neuronsim.kernels.arguments import Array, Block, Parameters, Samples, Workspace
from neuronsim.kernels.jit import inlined, kernel
from neuronsim.kernels.watch.alarms import Alarms, judge_neurons, keep_biases
from neuronsim.kernels.watch.monitors import NEVER, Monitors, collect, finish, keep_before
from neuronsim.kernels.watch.signals import computed, record_type

#: Numbers of steps within the run.
CLOCK = record_type(
    next=np.int64,  # the next step that anybody watches
    first=np.int64,  # of this call
    last=np.int64,  # of this call
    now=np.int64,  # the step under way where it is watched, else −1
    stopped=np.int64,  # 1: an alarm ended the call
)


class Recorder(NamedTuple):
    """Everything that is watched in a run, flat."""

    clock: Array  # CLOCK (1,)
    monitors: Monitors
    alarms: Alarms
    n_inputs: int


@inlined
def prepare(recorder: Recorder, parameters: Parameters, step: int) -> None:
    """Keep b and w before a watched step."""
    clock = recorder.clock[0]
    clock.now = step
    keep_before(recorder.monitors, clock, parameters)
    keep_biases(recorder.alarms, parameters)


@inlined
def before_step(recorder: Recorder | None, parameters: Parameters, s: int) -> bool:
    """Whether step ``s`` of this call is watched; if so, keep its b and w."""
    if recorder is None:
        return False
    clock = recorder.clock[0]
    watched = bool(clock.next - clock.first <= s)
    if watched:
        prepare(recorder, parameters, clock.next)
    return watched


@inlined
def after_block(recorder: Recorder | None, work: Workspace, samples: Samples, block: Block) -> None:
    """Look at a watched step's block of samples, while its z, y and δ lie in the workspace.

    ``block.start`` is where it begins in the batch.
    """
    if recorder is None:
        return
    clock = recorder.clock[0]
    signals = computed(work, samples, recorder.n_inputs, block.position, block.start, block.n_samples)
    collect(recorder.monitors, clock, signals)
    judge_neurons(recorder.alarms, clock, signals)


@inlined
def after_step(recorder: Recorder | None, parameters: Parameters, scale: float, m_samples: int, row: int) -> bool:
    """Complete a watched step's records when its update is made; whether an alarm ends the call.

    ``scale`` is that of gradients, ``row`` the sample's in X, −1 of a batch.
    """
    if recorder is None:
        return False
    clock = recorder.clock[0]
    finish(recorder.monitors, clock, parameters, scale, m_samples, row)
    set_next(recorder, clock)
    clock.now = -1
    return bool(clock.stopped > 0)


@kernel
def set_next(recorder: Recorder, clock: Any) -> None:
    """The next step that anybody watches."""
    soonest = clock.last if clock.last > clock.now else NEVER
    for monitor in recorder.monitors.table:
        soonest = min(soonest, monitor.next)
    clock.next = clock.now + 1 if recorder.alarms.table.size > 0 else soonest


@kernel
def judge_block(
    recorder: Recorder, work: Workspace, samples: Samples, parameters: Parameters, position: int, count: int
) -> None:
    """Let alarms look at a block of samples in the workspace that belongs to no step made."""
    clock = recorder.clock[0]
    prepare(recorder, parameters, clock.now)
    judge_neurons(recorder.alarms, clock, computed(work, samples, recorder.n_inputs, position, 0, count))
