"""Looking into a network: one step and all its messages, explained; gradients checked; runs replayed."""

from neuronsim.tracing.checks import Check, check
from neuronsim.tracing.explain import Explanation
from neuronsim.tracing.replay import Replay
from neuronsim.tracing.steps import Step, StepEdge, StepNeuron, step

__all__ = ["Check", "Explanation", "Replay", "Step", "StepEdge", "StepNeuron", "check", "step"]
