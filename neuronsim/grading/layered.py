"""The layered network of a case in plain formulas: forward, also with a mistake, and δ from there on."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from neuronsim.basics.arrays import Reals
from neuronsim.formulas import activations
from neuronsim.formulas.losses import Loss, loss_deltas, softmax

#: Mistakes of the forward pass, by what a program does in place of f(W y + b).
RIGHT = "right"
FORWARD_MISTAKES = (
    "the biases are left out",
    "the biases are subtracted",
    "no activation at the output",
    "no activation in hidden layers",
    "no activation at all",
    "tanh in place of the activation",
    "sigmoid in place of the activation",
    "relu in place of the activation",
    "the output's activation is applied twice",
    "W is used transposed",
)
_OTHER = {f"{name} in place of the activation": name for name in ("tanh", "sigmoid", "relu")}


@dataclass(frozen=True)
class Forward:
    """Net inputs and outputs of each layer, the inputs first: arrays (n, n_samples)."""

    name: str
    functions: tuple[str, ...]  # what each layer behind the inputs applied
    z: list[Reals]
    y: list[Reals]

    def slopes(self, layer: int) -> Reals:
        """f'(z) of a layer, from 1; 1 of softmax, which has its own rule."""
        f = activations.resolve(self.functions[layer - 1])
        if f.derivative is None:
            return np.ones_like(self.z[layer])
        slope: Reals = np.vectorize(f.derivative, otypes=[np.float64])(self.z[layer])
        return slope

    def kinks(self, layer: int) -> tuple[float, ...]:
        """Where a layer's activation has no derivative."""
        return activations.resolve(self.functions[layer - 1]).kinks


def forward(
    pairs: list[tuple[Reals, Reals]], functions: tuple[str, ...], x: Reals, mistake: str = RIGHT
) -> Forward | None:
    """All layers, for samples in the rows of x; None if this mistake cannot be made here."""
    used = _functions(functions, mistake)
    sign = {"the biases are left out": 0.0, "the biases are subtracted": -1.0}.get(mistake, 1.0)
    z, y = [x.T], [x.T]
    for (w, b), name in zip(pairs, used, strict=True):
        if mistake == "W is used transposed":
            if w.shape[0] != w.shape[1]:
                return None
            w = w.T
        z.append(w @ y[-1] + sign * b[:, None])
        y.append(_applied(name, z[-1]))
    if mistake == "the output's activation is applied twice":
        y[-1] = _applied(used[-1], y[-1])
    return Forward(mistake, used, z, y)


def _functions(functions: tuple[str, ...], mistake: str) -> tuple[str, ...]:
    """What each layer applies, with a mistake."""
    hidden, output = functions[:-1], functions[-1:]
    none = "identity"
    if mistake in ("no activation at the output", "no activation at all"):
        output = (none,)
    if mistake in ("no activation in hidden layers", "no activation at all"):
        hidden = (none,) * len(hidden)
    if mistake in _OTHER:
        hidden = (_OTHER[mistake],) * len(hidden)
        output = output if output == ("softmax",) else (_OTHER[mistake],)
    return (*hidden, *output)


def _applied(name: str, z: Reals) -> Reals:
    f = activations.resolve(name).function
    if f is None:
        return np.array([softmax(column) for column in z.T.tolist()]).T
    y: Reals = np.vectorize(f, otypes=[np.float64])(z)
    return y


def losses(passed: Forward, t: Reals, loss: Loss) -> Reals:
    """The loss of each sample."""
    return np.array([loss.value(y, wanted) for y, wanted in zip(passed.y[-1].T.tolist(), t.tolist(), strict=True)])


def output_delta(passed: Forward, t: Reals, loss: Loss) -> Reals:
    """δ of the outputs, (n_outputs, n_samples)."""
    names = [passed.functions[-1]] * t.shape[1]
    rows = zip(passed.y[-1].T.tolist(), t.tolist(), passed.slopes(len(passed.functions)).T.tolist(), strict=True)
    return np.array([loss_deltas(loss, names, y, wanted, slope) for y, wanted, slope in rows]).T


def hidden_delta(passed: Forward, pairs: list[tuple[Reals, Reals]], layer: int, above: Reals) -> Reals:
    """δ of a hidden layer, from 1, from that of the layer above it."""
    delta: Reals = (pairs[layer][0].T @ above) * passed.slopes(layer)
    return delta


def gradients(passed: Forward, pairs: list[tuple[Reals, Reals]], t: Reals, loss: Loss) -> list[tuple[Any, Any]]:
    """∂L/∂W and ∂L/∂b of each layer, summed over the samples."""
    delta = output_delta(passed, t, loss)
    found = []
    for layer in range(len(pairs), 0, -1):
        found.append((delta @ passed.y[layer - 1].T, delta.sum(axis=1)))
        if layer > 1:
            delta = hidden_delta(passed, pairs, layer - 1, delta)
    return found[::-1]
