"""Three ways to optimise a plain function (L0, L4): random search, numerical gradients, gradient descent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from neuronsim.basics.arrays import Floats
from neuronsim.basics.checked import real, whole
from neuronsim.errors import DataError, SettingError
from neuronsim.formulas import optimizers
from neuronsim.formulas.optimizers import Optimizer
from neuronsim.seeds import NOISE, generator, seed_of


class Descent(NamedTuple):
    """What `gradient_descent` did: every x it visited, the start included, and the last one."""

    steps: list[Any]
    x: Any


class Search(NamedTuple):
    """What `random_search` found: the best x, its value, and all that it tried."""

    x: Any
    value: float
    tried: Floats
    values: Floats


def gradient_descent(
    start: ArrayLike,
    gradient: Callable[[Any], ArrayLike],
    learning_rate: float,
    max_iter: int,
    tol: float = 0.01,
    *,
    optimizer: str | Optimizer = "sgd",
) -> Descent:
    """x := x - learning_rate · gradient(x), until the step is small (L4's routine); or by another optimiser's rule.

    Parameters
    ----------
    start : float or array
        Where to begin.
    gradient : callable
        gradient(x) of the shape of x.
    learning_rate : float
        μ, at least 0.
    max_iter : int
        The most steps to take.
    tol : float
        Stop, without taking it, at the first step of which every component is smaller than this.
    optimizer : str or Optimizer
        sgd, momentum, nesterov, rmsprop, adam, adamw, rprop, as of ``net.fit``; each component has a state of its own.

    Returns
    -------
    Descent
        ``steps``, every x from the start on, and ``x``, the last one. Floats where the start is a number.

    Examples
    --------
    >>> gradient_descent(-4.0, lambda x: 2 * x, 0.8, 3, tol=0).steps
    [-4.0, 2.4000000000000004, -1.4400000000000004, 0.8640000000000003]
    """
    real("the learning rate", learning_rate, message="{name} is {value!r}; it must be a finite number, at least 0")
    whole("max_iter", max_iter, 0, message="{name} is {value!r}; it must be at least {least}")
    x = np.array(start, dtype=np.float64)
    rule = optimizers.resolve(optimizer)
    states = [[0.0] * rule.n_state for _ in range(x.size)]
    steps = [_as_given(x)]
    for t in range(1, max_iter + 1):
        slope = np.asarray(gradient(_as_given(x)), dtype=np.float64)
        if slope.shape != x.shape:
            raise DataError(f"the gradient has the shape {slope.shape}, x has {x.shape}")
        moved = np.array(x - learning_rate * slope)  # all components at once: one by one takes 40 × as long
        if rule.name != "sgd":
            for k, (w, g) in enumerate(zip(x.flat, slope.flat, strict=True)):
                moved.flat[k], states[k] = rule.reference_update(float(w), float(g), states[k], learning_rate, t)
        if np.all(np.abs(moved - x) < tol):
            break
        x = moved
        steps.append(_as_given(x))
    return Descent(steps, steps[-1])


def numerical_gradient(f: Callable[[Any], float], x: ArrayLike, eps: float = 1e-6) -> Any:
    """Central differences (f(x + ε) - f(x - ε)) / 2ε in each component (L0).

    Parameters
    ----------
    f : callable
        f(x) -> float.
    x : float or array
        Where.
    eps : float
        ε, above 0.

    Returns
    -------
    float or array of the shape of x

    Examples
    --------
    >>> round(numerical_gradient(lambda x: x**3, 2.0), 6)
    12.0
    """
    real("eps", eps, "(0, inf]", "{name} is {value!r}; it must be above 0")
    at = np.array(x, dtype=np.float64)
    slopes = np.empty_like(at)
    for index in np.ndindex(at.shape):
        up, down = at.copy(), at.copy()
        up[index] += eps
        down[index] -= eps
        slopes[index] = (f(_as_given(up)) - f(_as_given(down))) / (2.0 * eps)
    return _as_given(slopes)


def random_search(
    f: Callable[[Any], float],
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    *,
    start: ArrayLike | None = None,
    scale: ArrayLike = 1.0,
    n: int = 1000,
    rng: Any = None,
) -> Search:
    """Try n random points, keep the best (L0).

    Parameters
    ----------
    f : callable
        f(x) -> float, to be small.
    low, high : float or array
        Draw uniformly between these, or
    start, scale : float or array
        draw from a normal distribution around ``start`` with the standard deviation ``scale``.
    n : int
        How many points.
    rng : int, Generator or None
        The seed.

    Returns
    -------
    Search
        The best ``x`` and its ``value``; ``tried`` (n, ...) and ``values`` (n,).
    """
    whole("n", n, message="{name} is {value!r}; it must be at least {least}")
    draws = generator(seed_of(rng), NOISE)
    if start is not None and low is None and high is None:
        centre, width = np.broadcast_arrays(np.asarray(start, np.float64), np.asarray(scale, np.float64))
        tried = centre + width * draws.standard_normal((n, *centre.shape))
    elif start is None and low is not None and high is not None:
        bottom, top = np.broadcast_arrays(np.asarray(low, np.float64), np.asarray(high, np.float64))
        tried = bottom + (top - bottom) * draws.random((n, *bottom.shape))
    else:
        raise SettingError("random_search needs either low and high, or start (and scale)")
    values = np.array([float(f(_as_given(x))) for x in tried])
    comparable = np.where(np.isnan(values), np.inf, values)
    best = int(np.argmin(comparable))
    return Search(_as_given(tried[best]), float(values[best]), tried, values)


def _as_given(x: Floats) -> Any:
    return float(x) if np.ndim(x) == 0 else np.array(x)
