"""Backpropagation as students write it, with mistakes planted."""

from dataclasses import dataclass
from typing import Any

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def tanh_slope(y):
    return 1 - y**2


@dataclass
class Student:
    """The switches of a program; the defaults are right."""

    slope: bool = True
    output_slope: bool = True
    carried: bool = True
    average: bool = True
    factor: float = 1.0
    biases: float = 1.0
    bias_used: float = 1.0
    signal: str = "y"
    first: bool = False  # z of the inputs' place, too
    transposed: bool = False
    tanh_slope: Any = tanh_slope
    dtype: Any = np.float64

    def forward(self, weights, biases, X, activation="sigmoid"):
        f = {"sigmoid": sigmoid, "tanh": np.tanh, "relu": lambda z: np.maximum(z, 0)}[activation]
        z, y = [2 * X if self.first else X], [X]
        for w, b in zip(weights, biases, strict=True):
            z.append(y[-1] @ w.T + self.bias_used * b)
            y.append(f(z[-1]))
        return z, y

    def gradients(self, weights, biases, X, T):
        return self.with_activation(weights, biases, X, T, "sigmoid")

    def with_activation(self, weights, biases, X, T, activation):
        slopes = {"sigmoid": lambda y: y * (1 - y), "tanh": self.tanh_slope, "relu": lambda y: 1.0 * (y > 0)}
        z, y = self.forward(weights, biases, X, activation)
        d = self.factor * (y[-1] - T) * (slopes[activation](y[-1]) if self.output_slope else 1.0)
        n = len(X) if self.average else 1
        dW, db = [], []
        for k in reversed(range(len(weights))):
            dW.insert(0, (d.T @ (z if self.signal == "z" else y)[k] / n).astype(self.dtype))
            db.insert(0, (self.biases * d.sum(axis=0) / n).astype(self.dtype))
            d = d @ (weights[k] if self.carried else np.ones_like(weights[k]))
            d = d * (slopes[activation](y[k]) if self.slope else 1.0)
        return ([w.T for w in dW] if self.transposed else dW), db


def sigmoid_step(W1, b1, W2, b2, x, t, lr):
    """One step with one sample; the hidden δ from weights that are already updated."""
    h = sigmoid(W1 @ x + b1)
    y = sigmoid(W2 @ h + b2)
    d2 = (y - t) * y * (1 - y)
    W2 = W2 - lr * np.outer(d2, h)
    d1 = W2.T @ d2 * h * (1 - h)
    return W1 - lr * np.outer(d1, x), b1 - lr * d1, W2, b2 - lr * d2
