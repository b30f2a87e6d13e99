"""Looking into a network: steps explained, runs replayed, gradients and other programs checked."""

from neuronsim.tracing.alarm import Alarm
from neuronsim.tracing.checks import Check, check
from neuronsim.tracing.explain import Explanation
from neuronsim.tracing.foreign import Verdict, check_foreign
from neuronsim.tracing.monitor import Monitor
from neuronsim.tracing.paths import Path, Paths
from neuronsim.tracing.replay import Replay
from neuronsim.tracing.steps import Step, StepEdge, StepNeuron, step
from neuronsim.tracing.worksheet import Worksheet

__all__ = [
    "Alarm",
    "Check",
    "Explanation",
    "Monitor",
    "Path",
    "Paths",
    "Replay",
    "Step",
    "StepEdge",
    "StepNeuron",
    "Verdict",
    "Worksheet",
    "check",
    "check_foreign",
    "step",
]
