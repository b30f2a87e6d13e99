"""JAX on the CPU: one jitted ``lax.scan`` over the steps of an epoch, parameters donated."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.problems import Array, Levels, Problem, flattened, levels_of

VERSION = jax.__version__
WIRED = "level by level: one padded gather and einsum a level, all levels in one jitted step"

_ACTIVATIONS = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh}


def _loss(problem: Problem, z: Any, t: Any) -> Any:
    """Of a batch, its mean; ``z`` (n, n_outputs) are net inputs with softmax, else outputs."""
    if problem.classes:
        return -jnp.take_along_axis(jax.nn.log_softmax(z), t[:, None], 1).mean()
    return jnp.square(z - t).sum() / (2 * len(z))


def _epoch(problem: Problem, forward: Any) -> Any:
    """(parameters, velocities), X, T, rows of each step → the same after an epoch; rows None: in order, online."""

    def loss(parameters: Any, x: Any, t: Any) -> Any:
        return _loss(problem, forward(parameters, x), t)

    def step(state: Any, batch: Any) -> Any:
        parameters, velocities = state
        value, g = jax.value_and_grad(loss)(parameters, *batch)
        if problem.momentum is None:
            return (jax.tree.map(lambda w, g: w - problem.rate * g, parameters, g), None), value
        velocities = jax.tree.map(lambda v, g: problem.momentum * v - problem.rate * g, velocities, g)
        return (jax.tree.map(jnp.add, parameters, velocities), velocities), value

    @partial(jax.jit, donate_argnums=0)
    def shuffled(state: Any, X: Any, T: Any, rows: Any) -> Any:
        return lax.scan(lambda state, rows: step(state, (X[rows], T[rows])), state, rows)

    @partial(jax.jit, donate_argnums=0)
    def in_order(state: Any, X: Any, T: Any) -> Any:
        return lax.scan(step, state, (X, T))

    return shuffled, in_order


class _Trained:
    def __init__(self, problem: Problem, parameters: Any, forward: Any) -> None:
        self.problem = problem
        steps = problem.n_samples // problem.batch
        self.shape = (steps, problem.batch)
        if steps * problem.batch != problem.n_samples:
            raise ValueError("a scan needs batches of one length")
        # 32-bit is what JAX users compute with, class numbers included
        self.X = jnp.asarray(problem.X, jnp.float32)
        self.T = jnp.asarray(problem.T, jnp.int32 if problem.classes else jnp.float32)
        self.by_step = tuple(a.reshape(*self.shape, *a.shape[1:]) for a in (self.X, self.T))
        velocities = None if problem.momentum is None else jax.tree.map(jnp.zeros_like, parameters)
        self.state = (jax.tree.map(jnp.asarray, parameters), velocities)
        self.shuffled, self.in_order = _epoch(problem, forward)
        self.rng = np.random.default_rng(0)

    def train(self, epochs: int, shuffle: bool = True) -> None:
        """The order is NumPy's: JAX's own permutation sorts."""
        for _ in range(epochs):
            if shuffle:
                rows = self.rng.permutation(self.problem.n_samples).astype(np.int32).reshape(self.shape)
                self.state, losses = self.shuffled(self.state, self.X, self.T, rows)
            else:
                self.state, losses = self.in_order(self.state, *self.by_step)
        losses.block_until_ready()


class Layered(_Trained):
    """Fully connected layers."""

    def __init__(self, problem: Problem) -> None:
        activation, last = _ACTIVATIONS[problem.hidden], _ACTIVATIONS.get(problem.output, lambda z: z)

        def forward(layers: Any, x: Any) -> Any:
            for w, b in layers[:-1]:
                x = activation(x @ w + b)
            w, b = layers[-1]
            return last(x @ w + b)

        self.forward = forward
        super().__init__(problem, [(w.T.copy(), b) for w, b in problem.layers()], forward)

    def parameters(self) -> Array:
        """Copied back."""
        return flattened([(np.asarray(w).T, np.asarray(b)) for w, b in self.state[0]])


REPLICAS = "vmap over the seeds, in one jitted scan"


class Replicas(_Trained):
    """The same layers from many seeds, online."""

    def __init__(self, problem: Problem, n_seeds: int, n_epochs: int) -> None:
        alone = Layered(problem)
        rng = np.random.default_rng(0)
        drawn = jax.tree.map(
            lambda w: jnp.asarray(w * rng.uniform(0.5, 1.5, (n_seeds, *w.shape)), jnp.float32), alone.state[0]
        )
        self.problem, self.n_seeds, self.n_epochs, self.rng = problem, n_seeds, n_epochs, rng
        self.X, self.T, self.state = alone.X, alone.T, (drawn, None)

        def loss(parameters: Any, x: Any, t: Any) -> Any:
            return _loss(problem, alone.forward(parameters, x[None]), t[None])

        def step(parameters: Any, sample: Any) -> Any:
            value, g = jax.value_and_grad(loss)(parameters, *sample)
            return jax.tree.map(lambda w, g: w - problem.rate * g, parameters, g), value

        @partial(jax.jit, donate_argnums=0)
        def shuffled(parameters: Any, X: Any, T: Any, rows: Any) -> Any:
            def each(parameters: Any, rows: Any) -> Any:
                return jax.vmap(step)(parameters, (X[rows], T[rows]))

            return lax.scan(each, parameters, rows)

        @partial(jax.jit, donate_argnums=0)
        def in_order(parameters: Any, X: Any, T: Any) -> Any:
            return lax.scan(jax.vmap(step, in_axes=(0, None)), parameters, (X, T))

        self.epochs = shuffled, in_order

    def train(self, epochs: int, shuffle: bool = True) -> None:
        """Orders are NumPy's, one for each seed; ``n_epochs`` for each epoch asked for."""
        parameters, n = self.state[0], self.problem.n_samples
        for _ in range(epochs * self.n_epochs):
            if shuffle:
                rows = np.stack([self.rng.permutation(n).astype(np.int32) for _ in range(self.n_seeds)], axis=1)
                parameters, losses = self.epochs[0](parameters, self.X, self.T, rows)
            else:
                parameters, losses = self.epochs[1](parameters, self.X, self.T)
        losses.block_until_ready()
        self.state = (parameters, None)

    def parameters(self) -> Array:
        """Those of the first seed."""
        return flattened([(np.asarray(w)[0].T, np.asarray(b)[0]) for w, b in self.state[0]])


class Wired(_Trained):
    """Any wiring, softmax outputs."""

    def __init__(self, problem: Problem) -> None:
        self.plan = levels_of(problem.net)
        parameters = [(level.weights, level.biases) for level in self.plan.levels]
        super().__init__(problem, parameters, _wiring(self.plan, problem))

    def parameters(self) -> Array:
        """Copied back."""
        return self.plan.parameters([w for w, _ in self.state[0]], [b for _, b in self.state[0]])


def _wiring(plan: Levels, problem: Problem) -> Any:
    activation = _ACTIVATIONS[problem.hidden]
    n_rows = 1 + problem.net.n_neurons
    sources = [level.sources.astype(np.int32) for level in plan.levels]

    def forward(parameters: Any, x: Any) -> Any:
        y = jnp.zeros((n_rows, len(x)), jnp.float32).at[1 : 1 + x.shape[1]].set(x.T)
        z, row = y, 1 + x.shape[1]
        for ids, (w, b) in zip(sources, parameters, strict=True):
            net_input = jnp.einsum("nd,ndb->nb", w, y[ids]) + b[:, None]
            y = y.at[row : row + len(b)].set(activation(net_input))
            z = z.at[row : row + len(b)].set(net_input)
            row += len(b)
        return z[plan.outputs].T

    return forward


class Masked(_Trained):
    """Sparse layers as full matrices whose missing weights are multiplied by zero."""

    def __init__(self, problem: Problem, masks: list[Array]) -> None:
        activation = _ACTIVATIONS[problem.hidden]
        transposed = [mask.T.astype(np.float32) for mask in masks]

        def forward(layers: Any, x: Any) -> Any:
            for i, ((w, b), mask) in enumerate(zip(layers, transposed, strict=True)):
                x = x @ (w * mask) + b
                x = activation(x) if i + 1 < len(layers) else x
            return x

        super().__init__(problem, [(w.T.copy(), b) for w, b in problem.layers()], forward)
