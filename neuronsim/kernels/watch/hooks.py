"""The hooks that step loops call before and after each step, for whoever watches; with no recorder they vanish.

How a step is watched changes no bit. All is inlined: of a small network, passing arrays costs more than reading them.
"""

from neuronsim.kernels.arguments import Block, Parameters, Samples, Workspace
from neuronsim.kernels.jit import inlined, kernel
from neuronsim.kernels.watch.recorder import FIRST, NEXT, NOW, STOPPED, Recorder, conclude, judge, look, prepare


@inlined
def before_step(recorder: Recorder | None, parameters: Parameters, s: int) -> bool:
    """Whether step ``s`` of this call is watched; if so, keep its b and w."""
    if recorder is None:
        return False
    watched = bool(recorder.clock[NEXT] - recorder.clock[FIRST] <= s)
    if watched:
        prepare(recorder, parameters, recorder.clock[NEXT])
    return watched


@inlined
def after_block(recorder: Recorder | None, work: Workspace, samples: Samples, block: Block) -> None:
    """Look at a watched step's block of samples, while its z, y and δ lie in the workspace.

    ``block.start`` is where it begins in the batch.
    """
    if recorder is None:
        return
    look(recorder, work, samples, block.position, block.start, block.n_samples, work.stride)


@inlined
def after_step(recorder: Recorder | None, parameters: Parameters, scale: float, m_samples: int, row: int) -> bool:
    """Complete a watched step's records when its update is made; whether an alarm ends the call.

    ``scale`` is that of gradients, ``row`` the sample's in X, −1 of a batch.
    """
    if recorder is None:
        return False
    conclude(recorder, parameters, scale, m_samples, row)
    return bool(recorder.clock[STOPPED] > 0)


@kernel
def judge_block(
    recorder: Recorder, work: Workspace, samples: Samples, parameters: Parameters, position: int, count: int
) -> None:
    """Let alarms look at a block of samples in the workspace that belongs to no step made."""
    prepare(recorder, parameters, recorder.clock[NOW])
    judge(recorder, work, samples, position, count, work.stride)
