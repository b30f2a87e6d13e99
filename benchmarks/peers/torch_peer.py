"""PyTorch on the CPU, eager, as its users write it: modules, autograd, ``optim.SGD``, batches by indices."""

from itertools import pairwise

import numpy as np
import torch
from torch import nn

from benchmarks.problems import Array, Problem, flattened, levels_of

VERSION = torch.__version__
#: Small steps are often faster on one thread, and PyTorch leaves it to its users to try.
ALSO_ALONE = True
WIRED = "level by level: one embedding_bag (padded gather × weights, summed) a level"

_ACTIVATIONS = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}


class _Trained:
    """A module, its data and its optimiser."""

    def __init__(self, problem: Problem, model: nn.Module) -> None:
        self.problem, self.model = problem, model
        self.X, self.T = torch.from_numpy(problem.X), torch.from_numpy(problem.T)
        self.optimizer = torch.optim.SGD(model.parameters(), lr=problem.rate, momentum=problem.momentum or 0.0)

    def train(self, epochs: int, shuffle: bool = True) -> None:
        """The usual loop."""
        torch.set_num_threads(self.problem.threads)
        n, batch = self.problem.n_samples, self.problem.batch
        for _ in range(epochs):
            order = torch.randperm(n) if shuffle else torch.arange(n)
            for rows in order.split(batch):
                outputs = self.model(self.X[rows])
                if self.problem.classes:
                    loss = nn.functional.cross_entropy(outputs, self.T[rows])
                else:
                    loss = (outputs - self.T[rows]).square().sum() / (2 * len(rows))
                self.optimizer.zero_grad(set_to_none=True)
                loss.backward()
                self.optimizer.step()


class Layered(_Trained):
    """Fully connected layers."""

    def __init__(self, problem: Problem) -> None:
        modules: list[nn.Module] = []
        for (n_in, n_out), (w, b) in zip(pairwise(problem.sizes), problem.layers(), strict=True):
            linear = nn.Linear(n_in, n_out)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(w))
                linear.bias.copy_(torch.from_numpy(b))
            last = len(modules) == 2 * (len(problem.sizes) - 2)
            kind = problem.output if last else problem.hidden
            modules += [linear] + ([_ACTIVATIONS[kind]()] if kind in _ACTIVATIONS else [])
        self.linears = [m for m in modules if isinstance(m, nn.Linear)]
        super().__init__(problem, nn.Sequential(*modules))

    def parameters(self) -> Array:
        """Copied back."""
        return flattened([(m.weight.detach().numpy(), m.bias.detach().numpy()) for m in self.linears])


class _Wiring(nn.Module):
    """Any wiring, level by level; a row of values for each neuron, a column for each sample."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.plan = levels_of(problem.net)
        self.hidden = _ACTIVATIONS[problem.hidden]()
        self.sources = [torch.from_numpy(level.sources) for level in self.plan.levels]
        self.weights = nn.ParameterList(nn.Parameter(torch.from_numpy(level.weights)) for level in self.plan.levels)
        self.biases = nn.ParameterList(nn.Parameter(torch.from_numpy(level.biases)) for level in self.plan.levels)
        self.outputs = torch.from_numpy(self.plan.outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Net inputs of the output neurons, by sample: the loss applies softmax."""
        y = torch.cat([x.new_zeros(1, len(x)), x.T])
        z = [y]
        for sources, weights, biases in zip(self.sources, self.weights, self.biases, strict=True):
            z.append(nn.functional.embedding_bag(sources, y, per_sample_weights=weights, mode="sum") + biases[:, None])
            y = torch.cat([y, self.hidden(z[-1])])
        return torch.cat(z).index_select(0, self.outputs).T


class Wired(_Trained):
    """Any wiring, softmax outputs."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem, _Wiring(problem))

    def parameters(self) -> Array:
        """Copied back."""
        weights, biases = ([p.detach().numpy() for p in ps] for ps in (self.model.weights, self.model.biases))
        return self.model.plan.parameters(weights, biases)


class Masked(Layered):
    """Sparse layers as full matrices whose missing weights are multiplied by zero: the usual way to train them."""

    def __init__(self, problem: Problem, masks: list[Array]) -> None:
        super().__init__(problem)
        for linear, mask in zip(self.linears, masks, strict=True):
            nn.utils.parametrize.register_parametrization(linear, "weight", _Mask(mask))


class _Mask(nn.Module):
    def __init__(self, mask: Array) -> None:
        super().__init__()
        self.mask = torch.from_numpy(mask.astype(np.float32))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The weights that there are."""
        return weight * self.mask
