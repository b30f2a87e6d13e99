"""Random networks with a few samples each, for which a function is asked; numbers of two decimals."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from neuronsim.basics.arrays import Reals
from neuronsim.formulas import activations, losses
from neuronsim.formulas.losses import Loss
from neuronsim.grading import layered
from neuronsim.grading.layered import Forward
from neuronsim.network import Network
from neuronsim.seeds import NOISE, generator
from neuronsim.verifying.handover import Layers
from neuronsim.wiring import layered as layered_network

N_SAMPLES = 3
LEARNING_RATE = 0.5
#: Numbers are drawn again until every δ is at least so large, and no z so near to a kink.
_LEAST_DELTA, _NEAR_KINK, _MOST_DRAWS = 2e-3, 0.02, 500


@dataclass(frozen=True)
class Case:
    """One network and its samples.

    Attributes
    ----------
    sizes : tuple of int
        Neurons of each layer, the inputs first.
    functions : tuple of str
        The activation of each layer behind the inputs.
    pairs : list of (array, array)
        W (n_out, n_in) and b (n_out,) of each layer.
    X, T : array (n_samples, n_inputs), array (n_samples, n_outputs)
    loss : Loss
    """

    sizes: tuple[int, ...]
    functions: tuple[str, ...]
    pairs: list[tuple[Reals, Reals]]
    X: Reals
    T: Reals
    loss: Loss

    @cached_property
    def network(self) -> Network:
        """The same as a Network."""
        net = layered_network(self.sizes, activation=self.functions[0], output=self.functions[-1], rng=0)
        layers = Layers(net.graph)
        for (w, b), edges, ids in zip(self.pairs, layers.edges, layers.ids[1:], strict=True):
            net.weights[edges], net.biases[ids] = w, b
        return net

    def forward(self, rows: slice, mistake: str = layered.RIGHT) -> Forward | None:
        """The forward pass of some samples."""
        return layered.forward(self.pairs, self.functions, self.X[rows], mistake)

    def __str__(self) -> str:
        kinds = self.functions[0] if len(set(self.functions)) == 1 else ", ".join(self.functions)
        return f"the {'-'.join(map(str, self.sizes))} network of {kinds}"


def draw(
    sizes: Sequence[int], activation: str, output: str | None, loss: str | Loss | None, key: tuple[int, ...]
) -> Case:
    """A network whose every mistake shows; ``key`` is a seed and what tells its cases apart."""
    rng = generator(key[0], NOISE, *key[1:])
    functions = (*(activation for _ in sizes[2:]), output or activation)
    used = losses.resolve(loss, [functions[-1]])
    case = _drawn(rng, tuple(sizes), functions, used)
    for _ in range(_MOST_DRAWS):
        if _shows(case):
            break
        case = _drawn(rng, tuple(sizes), functions, used)
    return case


def _drawn(rng: np.random.Generator, sizes: tuple[int, ...], functions: tuple[str, ...], loss: Loss) -> Case:
    def numbers(low: float, high: float, *shape: int) -> Reals:
        found: Reals = np.round(rng.uniform(low, high, shape), 2)
        return found

    pairs = [(numbers(-1.0, 1.0, n_out, n_in), numbers(-0.5, 0.5, n_out)) for n_in, n_out in pairwise(sizes)]
    t: Reals
    x, shape = numbers(-1.0, 1.0, N_SAMPLES, sizes[0]), (N_SAMPLES, sizes[-1])
    if loss.name == "cross_entropy":
        t = np.eye(sizes[-1])[rng.integers(sizes[-1], size=N_SAMPLES)]
    elif loss.name == "binary_cross_entropy":
        t = rng.integers(2, size=shape).astype(np.float64)
    else:
        low, high = activations.resolve(functions[-1]).limits
        t = numbers(max(low + 0.1, -0.9), min(high - 0.1, 0.9), *shape)
    return Case(sizes, functions, pairs, x, t, loss)


def _shows(case: Case) -> bool:
    """Whether every sample has errors to carry in every layer, and stays away from kinks."""
    for k in range(N_SAMPLES):
        rows = slice(k, k + 1)
        passed = case.forward(rows)
        assert passed is not None
        delta = layered.output_delta(passed, case.T[rows], case.loss)
        for layer in range(len(case.pairs), 0, -1):
            if layer < len(case.pairs):
                delta = layered.hidden_delta(passed, case.pairs, layer, delta)
            near = any(np.abs(passed.z[layer] - kink).min() < _NEAR_KINK for kink in passed.kinks(layer))
            if near or np.abs(delta).max() < _LEAST_DELTA:
                return False
    return True
