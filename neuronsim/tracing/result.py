"""What one training step did: its signals, its gradients, its parameters before and after (L3, L4)."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.arrays import Reals
from neuronsim.errors import SettingError
from neuronsim.formulas import activations, optimizers
from neuronsim.formulas.activations import PRELU, SOFTMAX
from neuronsim.formulas.losses import Loss, loss_deltas
from neuronsim.formulas.optimizers import Optimizer
from neuronsim.graph.graph import Graph
from neuronsim.kernels.arguments import Parameters

_SEALED = "z", "y", "delta", "slope_terms", "losses", "after", "reduced", "samples", "state", "state_after"


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class StepResult:
    """One step: the parameters before it, the signals and gradients made with them, the parameters after it.

    Of a batch, signals have a row for each of its samples, and ``step.sample(k)`` is a step that shows the k-th alone.
    Arrays are copied, unless nobody can write to them anyway.

    Attributes
    ----------
    graph : Graph
        The wiring, with the parameters before the update.
    z, y, delta : array (n_neurons,), of a batch (n_samples, n_neurons)
        Signals by id; those of an input are x, x and ∂L/∂x.
    slope_terms : array (n_prelus,), of a batch (n_samples, n_prelus)
        ∂L/∂y · min(z, 0) of every prelu.
    losses : array (n_samples,)
        Of each sample, before the update.
    loss_function : Loss
        What they were measured by.
    targets : list of float, of a batch array (n_samples, n_outputs)
        The desired outputs.
    after : Parameters
        The parameters after the update. NaN if it was not made, because the loss was not finite.
    weights, weights_after : array (n_edges,)
        Before and after the update.
    biases, biases_after, slopes, slopes_after : array (n_neurons,)
        Before and after the update.
    learning_rate : float
        μ of this step.
    reduction : {"mean", "sum"}
        Over the samples of a batch.
    reduced : Parameters or None
        Of a batch, the gradients reduced over samples.
    number, epoch : int, int or None
        Which step of its run it is, and in which epoch, from 0; None outside of a run.
    samples : array (n_samples,) or None
        Rows of X, in the order of the batch.
    rule : Optimizer
        How a gradient moves its parameter.
    state, state_after : tuple of Parameters
        What the optimiser keeps for each parameter, before and after the update.
    powers : tuple of float
        β₁ᵗ and β₂ᵗ, which adam and adamw use in this step.
    weight_decay, clip_value, clip_norm : float, float or None
        Settings of the run.
    clip_factor : float
        What ``clip_norm`` multiplied the gradient by; 1 where it did not.
    batch : StepResult or None
        What ``sample`` took this step out of: then the update is the whole batch's.
    """

    graph: Graph
    z: Reals
    y: Reals
    delta: Reals
    slope_terms: Reals
    losses: Reals
    loss_function: Loss
    targets: Any
    after: Parameters
    learning_rate: float
    reduction: str = "mean"
    reduced: Parameters | None = None
    number: int = 0
    epoch: int | None = None
    samples: NDArray[np.int64] | None = None
    rule: Optimizer = field(default_factory=optimizers.SGD)
    state: tuple[Parameters, ...] = ()
    state_after: tuple[Parameters, ...] = ()
    powers: tuple[float, float] = (1.0, 1.0)
    weight_decay: float = 0.0
    clip_value: float | None = None
    clip_norm: float | None = None
    clip_factor: float = 1.0
    batch: "StepResult | None" = None
    weights: Reals = field(init=False)
    biases: Reals = field(init=False)
    slopes: Reals = field(init=False)
    weights_after: Reals = field(init=False)
    biases_after: Reals = field(init=False)
    slopes_after: Reals = field(init=False)

    def __post_init__(self) -> None:
        graph, dtype = self.graph, self.graph.dtype
        kept = {name: _sealed(getattr(self, name), dtype) for name in _SEALED}
        before = _sealed(Parameters(graph.weights, graph.biases, graph.slopes), dtype)
        targets = np.asarray(self.targets, np.float64)
        kept["graph"] = graph.showing(*before)
        kept["targets"] = _sealed(targets, targets.dtype) if self.is_batch else targets.tolist()
        kept |= before._asdict() | {f"{name}_after": values for name, values in kept["after"]._asdict().items()}
        self.__dict__.update(kept)  # the fields of a frozen instance, set once

    @property
    def is_batch(self) -> bool:
        """Whether the run has batches; one of a single sample is a batch, too."""
        return np.ndim(self.z) == 2

    @property
    def loss(self) -> float:
        """The mean or sum of the samples' losses, before the update."""
        whole = float(np.add.reduce(self.losses, dtype=np.float64))
        return whole / len(self.losses) if self.reduction == "mean" else whole

    def __len__(self) -> int:
        return len(self.losses)

    def sample(self, k: int) -> Self:
        """The step as the k-th sample of the batch saw it; the parameters after it are the whole batch's.

        Parameters
        ----------
        k : int
            Its place in the batch, from 0; ``step.samples[k]`` is its row of X.
        """
        if not 0 <= k < len(self):
            raise SettingError(f"sample {k} of a step with {len(self)}; they count from 0")
        if not self.is_batch:
            return self
        return replace(
            self,
            z=self.z[k],
            y=self.y[k],
            delta=self.delta[k],
            slope_terms=self.slope_terms[k],
            losses=self.losses[k : k + 1],
            targets=self.targets[k],
            samples=None if self.samples is None else self.samples[k : k + 1],
            reduced=None,
            batch=self,
        )

    def one(self) -> Self:
        """Itself, if it shows one sample.

        Raises
        ------
        SettingError
            If it shows a batch.
        """
        if self.is_batch:
            raise SettingError(
                f"step {self.number} has {len(self)} samples, and one is meant here: "
                f"step.sample(k), 0 ≤ k < {len(self)}"
            )
        return self

    @cached_property
    def gradients(self) -> Parameters:
        """Of a batch reduced, before clipping and decay; 0 where there is no such parameter."""
        if self.reduced is not None:
            return self.reduced
        graph = self.graph
        slopes = np.zeros(graph.n_neurons, graph.dtype)
        slopes[graph.activation_codes == PRELU] = self.slope_terms
        with np.errstate(all="ignore"):
            weights = self.delta[graph.sinks()] * self.y[graph.sources]
        reduced: Parameters = _sealed(Parameters(weights, np.where(graph.is_input, 0, self.delta), slopes), graph.dtype)
        return reduced

    @property
    def weight_gradients(self) -> Reals:
        """δ of the sink · y of the source, shape (n_edges,)."""
        return self.gradients.weights

    @property
    def bias_gradients(self) -> Reals:
        """δ · 1; 0 for inputs, which have no bias; shape (n_neurons,)."""
        return self.gradients.biases

    @property
    def slope_gradients(self) -> Reals:
        """∂L/∂y · min(z, 0); 0 for every neuron that is not prelu; shape (n_neurons,)."""
        return self.gradients.slopes

    @cached_property
    def wanted(self) -> dict[int, float]:
        """The desired value by output id."""
        return dict(zip(self.graph.outputs.tolist(), self.one().targets, strict=True))

    @cached_property
    def own_errors(self) -> dict[int, float]:
        """∂L/∂y by output id: the part that the loss itself puts there."""
        y = [float(self.y[o]) for o in self.wanted]
        return dict(zip(self.wanted, self.loss_function.derivative(y, self.targets), strict=True))

    @cached_property
    def own_deltas(self) -> dict[int, float]:
        """∂L/∂z by output id: the part that the loss itself puts there."""
        graph, names, derivatives = self.graph, [], []
        for o in self.wanted:
            f = activations.by_code(int(graph.activation_codes[o]))
            names.append("" if graph.is_input[o] else f.name)
            slope = None if graph.is_input[o] else f.derivative
            derivatives.append(1.0 if slope is None else slope(float(self.z[o]), float(self.slopes[o])))
        y = [float(self.y[o]) for o in self.wanted]
        deltas = loss_deltas(self.loss_function, names, y, self.targets, derivatives)
        return dict(zip(self.wanted, deltas, strict=True))

    @cached_property
    def softmax_group(self) -> list[int]:
        """Ids of the softmax outputs, in the order of the outputs."""
        codes = self.graph.activation_codes
        return [o for o in self.graph.outputs.tolist() if codes[o] == SOFTMAX]

    def __repr__(self) -> str:
        rate = f"learning rate {self.learning_rate:g}"
        samples = f"{len(self)} samples, " if self.is_batch else ""
        return f"<Step {self.number}: {samples}{self.loss_function.name} {self.loss:.9g}, {rate}>"


def _sealed(value: Any, dtype: np.dtype[Any]) -> Any:
    """The same where nobody can write to it: real arrays of ``dtype``, copied unless that is so already."""
    if isinstance(value, np.ndarray):
        dtype = dtype if value.dtype.kind == "f" else value.dtype
        if value.dtype == dtype and not value.flags.writeable:
            return value
        kept = np.array(value, dtype)
        kept.flags.writeable = False
        return kept
    if isinstance(value, Parameters):
        return Parameters(*[_sealed(values, dtype) for values in value])
    return tuple(_sealed(part, dtype) for part in value) if isinstance(value, tuple) else value
