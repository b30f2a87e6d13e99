"""One training step, kept whole: every message, every gradient, every parameter before and after (L3, L4)."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuronsim.engine import session
from neuronsim.engine.runtime import Runtime
from neuronsim.errors import DataError, NeuronsimError, SettingError
from neuronsim.formulas import activations, losses, optimizers, schedules
from neuronsim.formulas.activations import PRELU, SIGMOID, SOFTMAX, Activation
from neuronsim.formulas.losses import Loss, total
from neuronsim.formulas.optimizers import Optimizer
from neuronsim.graph.graph import Graph
from neuronsim.kernels.arguments import Parameters

__all__ = ["Message", "Messages", "StepEdge", "StepNeuron", "StepResult", "take_step"]

Reals = NDArray[np.floating]
S = TypeVar("S", bound="StepResult")


def desired(T: NDArray[Any], n_outputs: int) -> NDArray[np.float64]:
    """The desired values, shape (n, n_outputs); a class number becomes 1 for that output and 0 for the others."""
    if T.dtype.kind in "iu":
        return np.asarray(T[:, None] == np.arange(n_outputs), np.float64)
    return T.astype(np.float64)


@dataclass(frozen=True)
class Message:
    """What travels along one edge: a signal (y forwards, δ backwards), the weight it met, their product."""

    neuron: str
    signal: float
    weight: float
    product: float


@dataclass(frozen=True)
class Messages:
    """All messages of one neuron in one step (L3). All weights are those before the update.

    Attributes
    ----------
    received : tuple of Message
        y of each source, and w·y as it adds to z.
    sent : tuple of Message
        Its own y to each sink, and w·y as it adds there.
    errors_received : tuple of Message
        δ of each sink, and w·δ as it adds to the aggregated error.
    errors_sent : tuple of Message
        Its own δ to each source, and w·δ as it adds there.
    own : float or None
        The part of δ that the loss itself puts on an output.
    """

    neuron: str
    received: tuple[Message, ...]
    sent: tuple[Message, ...]
    errors_received: tuple[Message, ...]
    errors_sent: tuple[Message, ...]
    own: float | None

    def __str__(self) -> str:
        from neuronsim.explaining.explain import messages

        return str(messages(self))

    def _repr_html_(self) -> str:
        from neuronsim.explaining.explain import messages

        return messages(self)._repr_html_()


class StepResult:
    """One step: the parameters before it, the signals and gradients made with them, the parameters after it.

    ``step["h1"]`` is a neuron's record, ``step["i1", "h1"]`` an edge's. Of a batch, signals have a row for each of its
    samples, and ``step.sample(k)`` is a step that shows the k-th alone.

    Attributes
    ----------
    graph : Graph
        The wiring, with the parameters before the update.
    z, y, delta : array (n_neurons,), of a batch (n_samples, n_neurons)
        Signals by id; those of an input are x, x and ∂L/∂x.
    losses : array (n_samples,)
        Of each sample, before the update.
    loss : float
        Their mean or sum, as ``reduction`` says.
    weights, weights_after : array (n_edges,)
    biases, biases_after, slopes, slopes_after : array (n_neurons,)
        Before and after the update. NaN after an update that was not made, because the loss was not finite.
    targets : list of float, of a batch array (n_samples, n_outputs)
        The desired outputs.
    is_batch : bool
        Whether the run has batches; one of a single sample is a batch, too.
    batch : StepResult or None
        What ``sample`` took this step out of: then the update is the whole batch's.
    number, epoch : int, int or None
        Which step of its run it is, and in which epoch, from 0; None outside of a run.
    samples : array (n_samples,) or None
        Rows of X, in the order of the batch.
    learning_rate : float
    rule : Optimizer
    state, state_after : tuple of Parameters
        What the optimiser keeps for each parameter, before and after the update.
    powers : pair of float
        β₁ᵗ and β₂ᵗ, which adam and adamw use in this step.
    weight_decay, clip_value, clip_norm : float, float or None
        Settings of the run.
    clip_factor : float
        What ``clip_norm`` multiplied the gradient by; 1 where it did not.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        z: Reals,
        y: Reals,
        delta: Reals | None,
        losses: ArrayLike,
        loss_function: Loss,
        targets: ArrayLike,
        learning_rate: float,
        after: Parameters,
        slope_terms: Reals | None = None,
        gradients: Parameters | None = None,
        reduction: str = "mean",
        number: int = 0,
        epoch: int | None = None,
        samples: ArrayLike | None = None,
        rule: Optimizer | None = None,
        state: tuple[Parameters, ...] = (),
        state_after: tuple[Parameters, ...] = (),
        powers: tuple[float, float] = (1.0, 1.0),
        weight_decay: float = 0.0,
        clip_value: float | None = None,
        clip_norm: float | None = None,
        clip_factor: float = 1.0,
        batch: "StepResult | None" = None,
    ) -> None:
        dtype = graph.dtype
        self.z, self.y, self.delta = (_kept(values, dtype) for values in (z, y, delta))
        self.is_batch = self.z.ndim == 2
        n_prelus = np.count_nonzero(graph.activation_codes == PRELU)
        self._slope_terms = _kept(np.zeros(n_prelus) if slope_terms is None else slope_terms, dtype)
        self._gradients = None if gradients is None else _all_kept(gradients, dtype)
        self.losses = _kept(losses, dtype)
        self.reduction = reduction
        self.loss_function = loss_function
        wanted = np.asarray(targets, np.float64)
        self.targets: Any = _kept(wanted, wanted.dtype) if self.is_batch else wanted.tolist()
        self.batch = batch
        self.number, self.epoch = number, epoch
        self.samples = None if samples is None else _kept(samples, np.dtype(np.int64))
        self.learning_rate = learning_rate
        self.rule = optimizers.SGD() if rule is None else rule
        self.state, self.state_after = (tuple(_all_kept(s, dtype) for s in part) for part in (state, state_after))
        self.powers = powers
        self.weight_decay, self.clip_value, self.clip_norm = weight_decay, clip_value, clip_norm
        self.clip_factor = clip_factor
        self.weights, self.biases, self.slopes = (
            _kept(values, dtype) for values in (graph.weights, graph.biases, graph.slopes)
        )
        self.weights_after, self.biases_after, self.slopes_after = _all_kept(after, dtype)
        self.graph = graph.showing(self.weights, self.biases, self.slopes)

    @property
    def loss(self) -> float:
        """The mean or sum of the samples' losses, before the update."""
        whole = float(np.add.reduce(self.losses, dtype=np.float64))
        return whole / len(self.losses) if self.reduction == "mean" else whole

    def __len__(self) -> int:
        return len(self.losses)

    def sample(self, k: int) -> Self:
        """The step as the k-th sample of the batch saw it; the parameters after it are the whole batch's."""
        if not 0 <= k < len(self):
            raise SettingError(f"sample {k} of a step with {len(self)}; they count from 0")
        if not self.is_batch:
            return self
        return type(self)(
            self.graph,
            z=self.z[k],
            y=self.y[k],
            delta=self.delta[k],
            slope_terms=self._slope_terms[k],
            losses=self.losses[k : k + 1],
            loss_function=self.loss_function,
            targets=self.targets[k],
            learning_rate=self.learning_rate,
            after=Parameters(self.weights_after, self.biases_after, self.slopes_after),
            reduction=self.reduction,
            number=self.number,
            epoch=self.epoch,
            samples=None if self.samples is None else self.samples[k : k + 1],
            rule=self.rule,
            state=self.state,
            state_after=self.state_after,
            powers=self.powers,
            weight_decay=self.weight_decay,
            clip_value=self.clip_value,
            clip_norm=self.clip_norm,
            clip_factor=self.clip_factor,
            batch=self,
        )

    @overload
    def __getitem__(self, what: tuple[Any, Any]) -> "StepEdge": ...
    @overload
    def __getitem__(self, what: str | int | np.integer) -> "StepNeuron": ...
    def __getitem__(self, what: Any) -> "StepNeuron | StepEdge":
        """The record of a neuron, by name or id, or of an edge, by the pair of its ends."""
        if isinstance(what, tuple) and len(what) == 2:
            return StepEdge(self, self.graph.edge(*what))
        return StepNeuron(self, self.graph.id(what))

    @cached_property
    def weight_gradients(self) -> Reals:
        """δ of the sink · y of the source, of a batch reduced, before clipping and decay; shape (n_edges,)."""
        if self._gradients is not None:
            return self._gradients.weights
        with np.errstate(all="ignore"):
            return _kept(self.delta[self.graph.sinks()] * self.y[self.graph.sources], self.graph.dtype)

    @cached_property
    def bias_gradients(self) -> Reals:
        """δ · 1, of a batch reduced; 0 of inputs, which have no bias; shape (n_neurons,)."""
        if self._gradients is not None:
            return self._gradients.biases
        return _kept(np.where(self.graph.is_input, 0, self.delta), self.graph.dtype)

    @cached_property
    def slope_gradients(self) -> Reals:
        """∂L/∂y · min(z, 0), of a batch reduced; 0 of what is no prelu; shape (n_neurons,)."""
        if self._gradients is not None:
            return self._gradients.slopes
        values = np.zeros(self.graph.n_neurons, self.graph.dtype)
        values[self.graph.activation_codes == PRELU] = self._slope_terms
        return _kept(values, self.graph.dtype)

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
    def own_errors(self) -> dict[int, float]:
        """∂L/∂y by output id: the part that the loss itself puts there."""
        self.one()
        outputs = self.graph.outputs.tolist()
        y = [float(self.y[o]) for o in outputs]
        return dict(zip(outputs, self.loss_function.derivative(y, self.targets), strict=True))

    @cached_property
    def wanted(self) -> dict[int, float]:
        """The desired value by output id."""
        return dict(zip(self.graph.outputs.tolist(), self.one().targets, strict=True))

    @cached_property
    def softmax_group(self) -> list[int]:
        """Ids of the softmax outputs, in the order of the outputs."""
        codes = self.graph.activation_codes
        return [o for o in self.graph.outputs.tolist() if codes[o] == SOFTMAX]

    def __repr__(self) -> str:
        rate = f"learning rate {self.learning_rate:g}"
        samples = f"{len(self)} samples, " if self.is_batch else ""
        return f"<Step {self.number}: {samples}{self.loss_function.name} {self.loss:.9g}, {rate}>"


Step = StepResult


class StepNeuron:
    """A neuron as it was in one step; ``bias`` is that before the update, ``bias_after`` behind it.

    Of a batch, ``z``, ``y`` and ``delta`` are arrays (n_samples,), gradients are reduced, and what can only be said of
    one sample refuses.
    """

    def __init__(self, step: StepResult, neuron: int) -> None:
        self.step = step
        self.id = neuron

    @property
    def name(self) -> str:
        """Its name."""
        return self.step.graph.name(self.id)

    @property
    def function(self) -> Activation:
        """Its activation: name, f and f'."""
        return activations.by_code(int(self.step.graph.activation_codes[self.id]))

    @property
    def activation(self) -> str:
        """The name of its activation; an input has identity."""
        return self.function.name

    @property
    def is_input(self) -> bool:
        """Whether it is an input."""
        return bool(self.step.graph.is_input[self.id])

    @property
    def is_output(self) -> bool:
        """Whether it is an output."""
        return bool((self.step.graph.outputs == self.id).any())

    @property
    def z(self) -> Any:
        """Its net input b + Σ w·y; an input's is x."""
        return _signal(self.step.z, self.id)

    @property
    def y(self) -> Any:
        """Its output f(z)."""
        return _signal(self.step.y, self.id)

    @property
    def delta(self) -> Any:
        """Its error signal δ = ∂L/∂z; an input's is ∂L/∂x."""
        return _signal(self.step.delta, self.id)

    @property
    def bias(self) -> float:
        """b before the update."""
        return float(self.step.biases[self.id])

    @property
    def bias_after(self) -> float:
        """b behind the update."""
        return float(self.step.biases_after[self.id])

    @property
    def db(self) -> float:
        """b behind the update - b before it."""
        return float(self.step.biases_after[self.id] - self.step.biases[self.id])

    b = bias

    @property
    def bias_gradient(self) -> float:
        """∂L/∂b = δ · 1, of a batch reduced; 0 of an input."""
        return float(self.step.bias_gradients[self.id])

    gradient = bias_gradient

    @property
    def gradients(self) -> Reals:
        """δ · 1 of each sample, shape (n_samples,)."""
        return np.atleast_1d(self.step.delta[..., self.id])

    @property
    def slope(self) -> float:
        """The prelu slope before the update."""
        return float(self.step.slopes[self.id])

    @property
    def slope_after(self) -> float:
        """The prelu slope behind the update."""
        return float(self.step.slopes_after[self.id])

    @property
    def slope_gradient(self) -> float:
        """∂L/∂slope = ∂L/∂y · min(z, 0), of a batch reduced; 0 of what is no prelu."""
        return float(self.step.slope_gradients[self.id])

    @property
    def derivative(self) -> float | None:
        """f'(z); None for softmax, which is one group; 1 for an input."""
        self.step.one()
        if self.is_input:
            return 1.0
        derivative = self.function.derivative
        return None if derivative is None else derivative(self.z, self.slope)

    @property
    def aggregated(self) -> float:
        """Σ w·δ over the sinks, with the weights before the update."""
        return total(message.product for message in self.messages.errors_received)

    @property
    def own_error(self) -> float | None:
        """∂L/∂y as the loss itself puts it on an output; None for others."""
        return self.step.own_errors.get(self.id)

    @property
    def error(self) -> float:
        """∂L/∂y: the loss's own part plus the aggregated one."""
        return (self.own_error or 0.0) + self.aggregated

    @property
    def fused(self) -> bool:
        """Whether the loss's own δ is y - t in one piece instead of ∂L/∂y · f'."""
        pair = {"softmax": SOFTMAX, "sigmoid": SIGMOID}.get(self.step.loss_function.fused or "")
        return self.is_output and not self.is_input and self.function.code == pair

    @property
    def own_delta(self) -> float | None:
        """The part of δ that the loss itself puts on an output; None for others."""
        step, own, y = self.step, self.own_error, float(self.y)
        if own is None:
            return None
        if self.fused and self.function.code == SIGMOID:
            return losses.sigmoid_binary_cross_entropy_delta(y, step.wanted[self.id])
        if self.fused:
            return y * total(step.wanted[k] for k in step.softmax_group) - step.wanted[self.id]
        if self.derivative is None:
            mean = total(step.own_errors[k] * float(step.y[k]) for k in step.softmax_group)
            return y * (own - mean)
        return own * self.derivative

    @property
    def sources(self) -> list[str]:
        """Names of the neurons it listens to, by id."""
        return [message.neuron for message in self.messages.received]

    @property
    def sinks(self) -> list[str]:
        """Names of the neurons that listen to it, by id."""
        return [message.neuron for message in self.messages.sent]

    @property
    def incoming(self) -> "list[StepEdge]":
        """Its incoming edges, by source id."""
        row_start = self.step.graph.row_start
        return [StepEdge(self.step, e) for e in range(row_start[self.id], row_start[self.id + 1])]

    @property
    def outgoing(self) -> "list[StepEdge]":
        """Its outgoing edges, by sink id."""
        return [StepEdge(self.step, int(e)) for e in np.flatnonzero(self.step.graph.sources == self.id)]

    @cached_property
    def messages(self) -> Messages:
        """What it received and sent, forwards and backwards (L3)."""
        self.step.one()
        incoming, outgoing = self.incoming, self.outgoing
        return Messages(
            self.name,
            received=tuple(_message(e.source, e.y, e.weight) for e in incoming),
            sent=tuple(_message(e.sink, self.y, e.weight) for e in outgoing),
            errors_received=tuple(_message(e.sink, e.delta, e.weight) for e in outgoing),
            errors_sent=tuple(_message(e.source, self.delta, e.weight) for e in incoming),
            own=self.own_delta,
        )

    def __repr__(self) -> str:
        kind = "input" if self.is_input else self.activation
        values = f"z = {_text(self.z)}, y = {_text(self.y)}, delta = {_text(self.delta)}"
        return f"<neuron {self.name!r} in step {self.step.number}, {kind}: {values}>"


class StepEdge:
    """An edge as it was in one step; ``weight`` is that before the update, ``weight_after`` behind it."""

    def __init__(self, step: StepResult, position: int) -> None:
        self.step = step
        self.position = position

    @property
    def source_id(self) -> int:
        """The id of the neuron it comes from."""
        return int(self.step.graph.sources[self.position])

    @property
    def sink_id(self) -> int:
        """The id of the neuron it leads to."""
        return int(np.searchsorted(self.step.graph.row_start, self.position, side="right")) - 1

    @property
    def source(self) -> str:
        """The name of the neuron it comes from."""
        return self.step.graph.name(self.source_id)

    @property
    def sink(self) -> str:
        """The name of the neuron it leads to."""
        return self.step.graph.name(self.sink_id)

    @property
    def weight(self) -> float:
        """w before the update, which the forward and the backward sum used."""
        return float(self.step.weights[self.position])

    @property
    def weight_after(self) -> float:
        """w behind the update."""
        return float(self.step.weights_after[self.position])

    @property
    def dw(self) -> float:
        """w behind the update - w before it."""
        return float(self.step.weights_after[self.position] - self.step.weights[self.position])

    w = weight

    @property
    def y(self) -> Any:
        """y of its source."""
        return _signal(self.step.y, self.source_id)

    @property
    def delta(self) -> Any:
        """δ of its sink."""
        return _signal(self.step.delta, self.sink_id)

    @property
    def gradient(self) -> float:
        """∂L/∂w = δ of the sink · y of the source, of a batch reduced."""
        return float(self.step.weight_gradients[self.position] if self.step.is_batch else self.gradients[0])

    @property
    def gradients(self) -> Reals:
        """δ of the sink · y of the source in each sample, shape (n_samples,)."""
        step = self.step
        with np.errstate(all="ignore"):
            return np.atleast_1d(step.delta[..., self.sink_id] * step.y[..., self.source_id])

    def __repr__(self) -> str:
        values = f"w = {self.weight:.9g}, gradient = {self.gradient:.9g}, dw = {self.dw:.9g}"
        return f"<edge {self.source!r} → {self.sink!r} in step {self.step.number}: {values}>"


def take_step(
    runtime: Runtime, x: ArrayLike, t: ArrayLike, loss: str | Loss | None, learning_rate: Any, step_type: type[S]
) -> S:
    """Forward, error, backward, update with one sample: one online step of plain SGD.

    Parameters
    ----------
    runtime : Runtime
        Is changed: the parameters, and the z, y and delta of the last step.
    x, t : array (n_inputs,), array (n_outputs,) or int
        One sample; its target may be a class number.
    loss : str, Loss or None
        None means cross_entropy where the outputs are softmax, else half_squared_error.
    learning_rate : float
        μ, at least 0.
    step_type : type
        `StepResult`, or a class of it that people hold.

    Returns
    -------
    StepResult
        What happened. Later steps and edits leave it alone.

    Raises
    ------
    DataError, SettingError, WiringError
        For what can't be used; the network is unchanged.
    NeuronsimError
        If the loss is not finite; the update is not made then.
    """
    rate = float(schedules.resolve(learning_rate).rates(0, 1, 0)[0])
    if np.ndim(x) != 1:
        raise DataError(f"step takes one sample, shape (n_inputs,), not {np.shape(x)}; fit takes many")
    engine, graph = runtime.engine(), runtime.graph
    X, T, used = runtime.data(x, t, loss)
    before = graph.copy()
    try:
        signals = session.step(engine, X[0], T[0], used, rate)
    except FloatingPointError as error:
        raise NeuronsimError(
            f"the step was not made: {error}; net.forward(x) shows the z and y of every neuron"
        ) from None
    runtime.remember(signals)
    return step_type(
        before,
        z=signals.z,
        y=signals.y,
        delta=signals.delta,
        slope_terms=signals.slope_terms,
        losses=signals.losses,
        loss_function=used,
        targets=desired(T, before.n_outputs)[0],
        learning_rate=rate,
        after=Parameters(graph.weights, graph.biases, graph.slopes),
    )


def _message(neuron: str, signal: float, weight: float) -> Message:
    return Message(neuron, signal, weight, weight * signal)


def _signal(values: Reals, neuron: int) -> Any:
    """A neuron's value, of a batch its values."""
    return values[:, neuron] if values.ndim == 2 else float(values[neuron])


def _text(values: Any) -> str:
    return f"{len(values)} values" if isinstance(values, np.ndarray) else f"{values:.9g}"


def _kept(values: ArrayLike | None, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The same values where nobody can write to them: a copy, unless that is so already."""
    if isinstance(values, np.ndarray) and values.dtype == dtype and not values.flags.writeable:
        return values
    kept = np.array(values, dtype)
    kept.flags.writeable = False
    return kept


def _all_kept(parameters: Parameters, dtype: np.dtype[Any]) -> Parameters:
    return Parameters(*(_kept(values, dtype) for values in parameters))
