"""What a watched step calls: before it is made, while its signals lie in the workspace, and after its update.

What is read lies in the workspace when a step has been made, so the steps themselves know nothing of it. Of large
batches, which are computed in blocks, each block is read when its δ are there.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from neuronsim.kernels.arguments import Parameters, Samples, Workspace
from neuronsim.kernels.jit import inlined, kernel, leaf
from neuronsim.kernels.watch.alarms import Alarms, judge_neurons, keep_biases
from neuronsim.kernels.watch.monitors import NEVER, Monitors, collect, finish, keep_before
from neuronsim.kernels.watch.signals import computed, record_type

Array = npt.NDArray[Any]

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
    """Before a watched step: keep its b and w."""
    clock = recorder.clock[0]
    clock.now = step
    keep_before(recorder.monitors, clock, parameters)
    keep_biases(recorder.alarms, parameters)


@inlined
def look(recorder: Recorder, work: Workspace, samples: Samples, position: int, start: int, count: int) -> None:
    """While z, y and δ of a watched step lie in the workspace: of its block of samples at ``position``."""
    clock, block = recorder.clock[0], computed(work, samples, recorder.n_inputs, position, start, count)
    collect(recorder.monitors, clock, block)
    judge_neurons(recorder.alarms, clock, block)


@leaf
def look_at_block(recorder: Recorder, work: Workspace, samples: Samples, position: int, start: int, count: int) -> None:
    """``look``, of a step that may not be watched."""
    if recorder.clock[0].now >= 0:
        look(recorder, work, samples, position, start, count)


@inlined
def conclude(recorder: Recorder, parameters: Parameters, scale: float, m_samples: int, row: int) -> None:
    """After a watched step's update. ``scale`` is that of gradients, ``row`` of X, −1 of a batch."""
    clock = recorder.clock[0]
    finish(recorder.monitors, clock, parameters, scale, m_samples, row)
    set_next(recorder, clock)
    clock.now = -1


@kernel
def set_next(recorder: Recorder, clock: Any) -> None:
    """The next step that anybody watches."""
    soonest = clock.last if clock.last > clock.now else NEVER
    for monitor in recorder.monitors.table:
        soonest = min(soonest, monitor.next)
    clock.next = clock.now + 1 if recorder.alarms.table.size > 0 else soonest


@kernel
def judge(recorder: Recorder, work: Workspace, samples: Samples, position: int, count: int) -> None:
    """Alarms look at a block of samples in the workspace."""
    judge_neurons(recorder.alarms, recorder.clock[0], computed(work, samples, recorder.n_inputs, position, 0, count))
