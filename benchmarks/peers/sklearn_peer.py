"""scikit-learn's multi-layer perceptrons: ``partial_fit`` makes one epoch."""

import warnings

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier, MLPRegressor

from benchmarks.problems import Array, Problem, flattened

VERSION = sklearn.__version__


class Layered:
    """Fully connected layers: classes by softmax, or real targets by outputs without an activation."""

    def __init__(self, problem: Problem) -> None:
        if problem.output not in ("softmax", "identity"):
            raise ValueError(f"scikit-learn has no {problem.output} outputs with this loss")
        self.problem = problem
        kind = MLPClassifier if problem.classes else MLPRegressor
        self.model = kind(
            hidden_layer_sizes=problem.sizes[1:-1],
            activation={"sigmoid": "logistic"}.get(problem.hidden, problem.hidden),
            solver="sgd",
            alpha=0.0,
            batch_size=problem.batch,
            learning_rate_init=problem.rate,
            momentum=problem.momentum or 0.0,
            nesterovs_momentum=False,
            random_state=0,
        )
        self.extra = {"classes": np.arange(problem.sizes[-1])} if problem.classes else {}
        few = problem.part(problem.batch)
        self._epoch(few)  # makes the arrays
        for (w, b), own_w, own_b in zip(problem.layers(), self.model.coefs_, self.model.intercepts_, strict=True):
            own_w[...], own_b[...] = w.T, b
        for velocity in self.model._optimizer.velocities:
            velocity[...] = 0.0

    def _epoch(self, problem: Problem) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one epoch does not converge
            self.model.partial_fit(problem.X, problem.T, **self.extra)

    def train(self, epochs: int, shuffle: bool = True) -> None:
        """One partial_fit an epoch."""
        self.model.shuffle = shuffle
        for _ in range(epochs):
            self._epoch(self.problem)

    def parameters(self) -> Array:
        """Copied back."""
        return flattened([(w.T, b) for w, b in zip(self.model.coefs_, self.model.intercepts_, strict=True)])
