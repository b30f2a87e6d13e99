"""neuronsim, by its public interface: whole epochs by ``net.fit``."""

from typing import Any

import numpy as np

import neuronsim as ns
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


class Replicas:
    """A problem from many seeds, a lane each: whole calls, in which networks are drawn and runs made, too."""

    def __init__(self, problem: Problem, n_seeds: int, n_epochs: int) -> None:
        self.problem = problem
        self.n_seeds, self.n_epochs = n_seeds, n_epochs
        self.settings = Ours(problem).settings
        del self.settings["rng"]

    def train(self, epochs: int, shuffle: bool = True) -> None:
        """One call, of ``n_epochs`` for each epoch asked for."""
        seeds = range(self.n_seeds)
        X, T = self.problem.X, self.problem.T
        self.runs = ns.fit_many(
            self.problem.net, X, T, seeds=seeds, epochs=epochs * self.n_epochs, shuffle=shuffle, **self.settings
        )

    def parameters(self) -> Array:
        """Those of the first seed."""
        return self.runs[0].network.weights
