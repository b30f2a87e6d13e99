"""neuronsim, by its public interface: whole epochs by ``net.fit``."""

from typing import Any

import numpy as np

from benchmarks.problems import Array, Problem


class Ours:
    """Any problem."""

    def __init__(self, problem: Problem, threads: int | None = None) -> None:
        self.problem = problem
        self.net = problem.net.copy()
        self.settings: dict[str, Any] = {
            "optimizer": "sgd" if problem.momentum is None else "momentum",
            "momentum": problem.momentum,
            "learning_rate": problem.rate,
            "batch_size": problem.batch,
            "loss": "cross_entropy" if problem.classes else "half_squared_error",
            "threads": problem.threads if threads is None else threads,
            "rng": 0,
            "progress": False,
        }

    def train(self, epochs: int, shuffle: bool = True) -> None:
        """One fit."""
        self.net.fit(self.problem.X, self.problem.T, epochs=epochs, shuffle=shuffle, **self.settings)

    def parameters(self) -> Array:
        """As the net holds them."""
        inputs = np.zeros(self.net.n_neurons, bool)
        inputs[self.net.inputs] = True
        return np.concatenate([self.net.weights, self.net.biases[~inputs]])
