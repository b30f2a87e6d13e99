"""What an engine gives back: the signals of one sample or of several, gradients reduced over samples."""

from dataclasses import dataclass

from neuronsim.basics.arrays import Array


@dataclass(frozen=True, eq=False)
class ForwardSignals:
    """What a forward pass finds of every neuron, by id.

    Attributes
    ----------
    z, y : array (n_neurons,), of several samples (n_samples, n_neurons)
        Those of an input are x.
    """

    z: Array
    y: Array


@dataclass(frozen=True, eq=False)
class Signals(ForwardSignals):
    """What a pass forward and back finds.

    Attributes
    ----------
    delta : array (n_neurons,), of several samples (n_samples, n_neurons)
        That of an input is ∂L/∂x.
    losses : array (n_samples,)
        One value for one sample.
    slope_terms : array (n_prelus,), of several samples (n_samples, n_prelus)
        ∂L/∂slope of the neurons that learn one, by id.
    """

    delta: Array
    losses: Array
    slope_terms: Array

    def sample(self, k: int) -> "Signals":
        """Those of one sample of several."""
        return Signals(self.z[k], self.y[k], self.delta[k], self.losses[k : k + 1], self.slope_terms[k])


@dataclass(frozen=True)
class ReducedGradients:
    """Gradients reduced over samples, and each sample's own loss, δ, ∂L/∂x and outputs."""

    loss: float
    losses: Array
    weights: Array
    biases: Array
    slopes: Array
    delta: Array
    inputs: Array
    outputs: Array
