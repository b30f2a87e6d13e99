"""Looking into a network: one step and all its messages, explained; gradients checked."""

from neuronsim.tracing.checks import Check, check
from neuronsim.tracing.explain import Explanation
from neuronsim.tracing.steps import Step, StepEdge, StepNeuron, step

__all__ = ["Check", "Explanation", "Step", "StepEdge", "StepNeuron", "check", "step"]
