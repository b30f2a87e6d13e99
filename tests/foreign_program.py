"""A stranger's backprop in plain Python, layers and loops, with bugs to switch on."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass
class Bugs:
    """The program's switches; the defaults are right."""

    hidden_slope: Callable[[float, float], float] | None = None  # (z, y) → what it uses for f'
    output_slope: Callable[[float, float], float] | None = None
    update_first: bool = False
    average: bool = True
    factor: float = 1.0
    biases: bool = True
    only: int | None = None
    one_by_one: bool = False
    weights_back: bool = True


FUNCTIONS = {
    "sigmoid": (lambda z: 1 / (1 + math.exp(-z)), lambda z, y: y * (1 - y)),
    "tanh": (math.tanh, lambda z, y: 1 - y * y),
}


def foreign_step(weights, biases, kind, X, T, rate, bugs):
    """Fully connected layers, half squared error; returns new weights and biases."""
    f, slope = FUNCTIONS[kind]
    weights, biases = [w.copy() for w in weights], [b.copy() for b in biases]
    if bugs.one_by_one:
        for x, t in zip(X, T, strict=True):
            weights, biases = foreign_step(weights, biases, kind, x[None], t[None], rate, Bugs())
        return weights, biases
    chosen = range(len(X)) if bugs.only is None else [bugs.only]
    ys, zs = [X[list(chosen)]], [None]
    for w, b in zip(weights, biases, strict=True):
        zs.append(ys[-1] @ w.T + b)
        ys.append(np.vectorize(f)(zs[-1]))
    output_slope, hidden_slope = (np.vectorize(s or slope) for s in (bugs.output_slope, bugs.hidden_slope))
    delta = (ys[-1] - T[list(chosen)]) * output_slope(zs[-1], ys[-1])
    share = bugs.factor * rate / (len(chosen) if bugs.average else 1)
    changes = []
    for k in reversed(range(len(weights))):
        change = share * delta.T @ ys[k], share * delta.sum(axis=0) * bugs.biases
        back = weights[k] - change[0] if bugs.update_first else weights[k]
        changes.insert(0, change)
        if k:
            back = back if bugs.weights_back else np.ones_like(back)
            delta = (delta @ back) * hidden_slope(zs[k], ys[k])
    return (
        [w - dw for w, (dw, _) in zip(weights, changes, strict=True)],
        [b - db for b, (_, db) in zip(biases, changes, strict=True)],
    )


PLANTED = {
    "right": Bugs(),
    "hidden deltas from updated weights": Bugs(update_first=True),
    "derivative missing (hidden)": Bugs(hidden_slope=lambda z, y: 1.0),
    "derivative missing at the output": Bugs(output_slope=lambda z, y: 1.0),
    "derivative missing everywhere": Bugs(hidden_slope=lambda z, y: 1.0, output_slope=lambda z, y: 1.0),
    "weights missing in the hidden deltas": Bugs(weights_back=False),
    "summed instead of averaged": Bugs(average=False),
    "wrong sign": Bugs(factor=-1.0),
    "bias not trained": Bugs(biases=False),
    "twice the gradient (the loss's ½ left out)": Bugs(factor=2.0),
    "half the gradient (a ½ too many)": Bugs(factor=0.5),
    "no step": Bugs(factor=0.0),
    "one sample only (row 0)": Bugs(only=0),
    "the samples one after the other, each with its own step": Bugs(one_by_one=True),
}
PAIRS = {
    "hidden deltas from updated weights; bias not trained": Bugs(update_first=True, biases=False),
    "derivative missing (hidden); learning rate off by factor 7": Bugs(hidden_slope=lambda z, y: 1.0, factor=7.0),
    "learning rate off by factor 0.1": Bugs(factor=0.1),
    "hidden deltas from updated weights; learning rate off by factor 7": Bugs(update_first=True, factor=7.0),
}


def planted(kind: str, bugs: Bugs) -> Bugs:
    """The two mistakes whose formulas depend on the activation."""
    f, slope = FUNCTIONS[kind]
    if bugs is ACTIVATED:
        again = lambda z, y: slope(y, f(y))  # noqa: E731
        return Bugs(hidden_slope=again, output_slope=again)
    if bugs is GIVEN_Z:
        of_z = lambda z, y: slope(None, z)  # noqa: E731
        return Bugs(hidden_slope=of_z, output_slope=of_z)
    return bugs


ACTIVATED, GIVEN_Z = Bugs(), Bugs()
EVERY = PLANTED | PAIRS | {
    "derivative of an already activated value": ACTIVATED,
    "derivative's formula for y given z": GIVEN_Z,
}  # fmt: skip
