"""Parameters change in place: one optimiser step for a run of weights, biases or slopes, lanes = parameters.

Each rule is its formula on lanes; ``reference_update`` in ``optimizers.py`` is the scalar twin.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from neuronsim.kernels.arguments import Learning, Parameters, Wiring
from neuronsim.kernels.codes import ADAM, ADAMW, MOMENTUM, NESTEROV, RMSPROP, SGD
from neuronsim.kernels.jit import inlined, kernel, leaf
from neuronsim.kernels.lanes import filled, fma, lane_count, load_part, select, sqrt, store_part

Array = npt.NDArray[Any]

# The numbers of a step, in the network's dtype: what ``rule`` holds at which place.
# FIRST and SECOND are β (or α, η), *_REST is 1 − β rounded once: 1 − 0.999 in float32 would be off by 5e-5.
RATE, SCALE, DECAY, CLIP, FIRST, SECOND, FIRST_REST, SECOND_REST, EPSILON = range(9)
CORRECTION_1, CORRECTION_2, LOWEST, HIGHEST = range(9, 13)
N_RULE = 13

# In place of an optimiser: a gradient is written to, or added to, the array that else holds the parameters.
WRITE, ADD = -1, -2


@kernel
def update_lanes(
    optimizer: int,
    rule: Array,
    decay: Any,
    w: Array,
    wi: int,
    g: Array,
    gi: int,
    s1: Array,
    s2: Array,
    rates: Array,
    n: int,
) -> None:
    """One step for ``n`` ≤ lanes parameters; frozen ones (rate factor −1) and their state are left as they are."""
    old = load_part(w, wi, n)
    grad = load_part(g, gi, n)
    if optimizer == WRITE:
        store_part(w, wi, grad, n)
        return
    if optimizer == ADD:
        store_part(w, wi, old + grad, n)
        return
    grad = grad * rule[SCALE]
    limit = rule[CLIP]
    grad = select(grad > limit, limit, select(grad < -limit, -limit, grad))
    rate = filled(old, rule[RATE])
    if rates.size > 0:
        factor = load_part(rates, wi, n)
        rate = rate * factor
    else:
        factor = filled(old, 1.0)
    frozen = factor < 0.0
    if optimizer != ADAMW:
        grad = fma(old, decay, grad)

    if optimizer == SGD:  # w := w − μ g
        new = fma(-rate, grad, old)
    elif optimizer == MOMENTUM:  # v := β v − μ g, w := w + v (L3)
        before = load_part(s1, wi, n)
        v = fma(-rate, grad, before * rule[FIRST])
        new = old + v
        store_part(s1, wi, select(frozen, before, v), n)
    elif optimizer == NESTEROV:  # v := β v − μ g, w := w + β v − μ g
        before = load_part(s1, wi, n)
        v = fma(-rate, grad, before * rule[FIRST])
        new = old + fma(-rate, grad, v * rule[FIRST])
        store_part(s1, wi, select(frozen, before, v), n)
    elif optimizer == RMSPROP:  # s := α s + (1 − α) g², w := w − μ g / (√s + ε)
        before = load_part(s1, wi, n)
        s = fma(grad * grad, rule[FIRST_REST], before * rule[FIRST])
        new = old - rate * grad / (sqrt(s) + rule[EPSILON])
        store_part(s1, wi, select(frozen, before, s), n)
    elif optimizer == ADAM or optimizer == ADAMW:
        # m := β₁ m + (1 − β₁) g, s := β₂ s + (1 − β₂) g², w := w − μ m̂ / (√ŝ + ε)
        m_before, s_before = load_part(s1, wi, n), load_part(s2, wi, n)
        m = fma(grad - m_before, rule[FIRST_REST], m_before)
        s = fma(grad * grad, rule[SECOND_REST], s_before * rule[SECOND])
        shrunk = old
        if optimizer == ADAMW:
            shrunk = old * fma(-rate, decay, filled(old, 1.0))
        denominator = sqrt(s) / rule[CORRECTION_2] + rule[EPSILON]
        new = shrunk - rate / rule[CORRECTION_1] * m / denominator
        store_part(s1, wi, select(frozen, m_before, m), n)
        store_part(s2, wi, select(frozen, s_before, s), n)
    else:  # RPROP: only the signs of g and of the last g count; the step of each parameter grows or shrinks
        last, size = load_part(s1, wi, n), load_part(s2, wi, n)
        product = grad * last
        grown = size * select(product > 0.0, rule[SECOND], select(product < 0.0, rule[FIRST], filled(old, 1.0)))
        grown = select(grown < rule[LOWEST], rule[LOWEST], select(grown > rule[HIGHEST], rule[HIGHEST], grown))
        grad = select(product < 0.0, 0.0, grad)
        new = select(grad > 0.0, old - grown, select(grad < 0.0, old + grown, old + grad))
        still = rate <= 0.0  # frozen, or a rate of 0
        new = select(still, old, new)
        store_part(s1, wi, select(still, last, grad), n)
        store_part(s2, wi, select(still, size, grown), n)
    store_part(w, wi, select(frozen, old, new), n)


@kernel
def update(
    optimizer: int,
    rule: Array,
    decay: Any,
    w: Array,
    wi: int,
    g: Array,
    gi: int,
    s1: Array,
    s2: Array,
    rates: Array,
    n: int,
) -> None:
    """One step for ``n`` parameters ``w[wi:]`` with the gradients ``g[gi:]``."""
    width = lane_count(w)
    k = 0
    while k + width <= n:
        update_lanes(optimizer, rule, decay, w, wi + k, g, gi + k, s1, s2, rates, width)
        k += width
    if k < n:
        update_lanes(optimizer, rule, decay, w, wi + k, g, gi + k, s1, s2, rates, n - k)


@inlined
def update_weights(learning: Learning, at: int, g: Array, gi: int, n: int) -> None:
    """One step for the ``n`` weights from ``at`` on; they decay."""
    update(
        learning.optimizer, learning.numbers, learning.decay, learning.parameters.weights, at, g, gi,
        learning.first_state.weights, learning.second_state.weights, learning.rates.weights, n,
    )  # fmt: skip


@inlined
def update_biases(learning: Learning, at: int, g: Array, gi: int, n: int) -> None:
    """One step for the ``n`` biases from ``at`` on."""
    update(
        learning.optimizer, learning.numbers, type(learning.decay)(0), learning.parameters.biases, at, g, gi,
        learning.first_state.biases, learning.second_state.biases, learning.rates.biases, n,
    )  # fmt: skip


@inlined
def update_slopes(learning: Learning, at: int, g: Array, gi: int) -> None:
    """One step for one slope."""
    update(
        learning.optimizer, learning.numbers, type(learning.decay)(0), learning.parameters.slopes, at, g, gi,
        learning.first_state.slopes, learning.second_state.slopes, learning.rates.slopes, 1,
    )  # fmt: skip


@inlined
def is_plain(learning: Learning) -> bool:
    """Whether weights follow SGD or momentum with nothing frozen, scaled or clipped in value."""
    usual = learning.optimizer == SGD or learning.optimizer == MOMENTUM
    return bool(usual and learning.rates.weights.size == 0 and learning.numbers[CLIP] == np.inf)


@inlined
def into(learning: Learning, gradient: Parameters, mode: int) -> Learning:
    """The same with WRITE or ADD for the optimiser: what would be used to update is kept in ``gradient``."""
    return Learning(
        mode, learning.numbers, learning.settings, learning.powers, learning.decay, gradient,
        learning.first_state, learning.second_state, learning.rates,
    )  # fmt: skip


@leaf
def update_all(wiring: Wiring, learning: Learning, gradient: Parameters) -> None:
    """One step of every parameter from a finished gradient."""
    update_weights(learning, 0, gradient.weights, 0, gradient.weights.size)
    for neuron in range(wiring.is_input.size):
        if not wiring.is_input[neuron]:
            update_biases(learning, neuron, gradient.biases, neuron, 1)
    for p in range(wiring.prelus.size):
        update_slopes(learning, wiring.prelus[p], gradient.slopes, wiring.prelus[p])


@kernel
def add_squares(gradient: Array, rates: Array, start: int, end: int) -> float:
    """Σ g² in float64 over the parameters that are not frozen, in index order."""
    result = 0.0
    for i in range(start, end):
        if rates.size == 0 or rates[i] >= 0:
            result += float(gradient[i]) * float(gradient[i])
    return result


@leaf
def squared_norm(wiring: Wiring, gradient: Parameters, rates: Parameters) -> float:
    """‖g‖² over all trained parameters: a sum for each neuron's row, added by id; then biases, then slopes."""
    result = 0.0
    for neuron in range(wiring.is_input.size):
        result += add_squares(gradient.weights, rates.weights, wiring.row_start[neuron], wiring.row_start[neuron + 1])
    for neuron in range(wiring.is_input.size):
        if not wiring.is_input[neuron]:
            result += add_squares(gradient.biases, rates.biases, neuron, neuron + 1)
    for p in range(wiring.prelus.size):
        result += add_squares(gradient.slopes, rates.slopes, wiring.prelus[p], wiring.prelus[p] + 1)
    return result


@kernel
def begin_step(learning: Learning, rate: float) -> None:
    """Set the numbers of this step: its rate, and for Adam 1 − β₁ᵗ and √(1 − β₂ᵗ) from running products."""
    numbers, powers = learning.numbers, learning.powers
    numbers[RATE] = rate
    if learning.optimizer == ADAM or learning.optimizer == ADAMW:
        powers[0] *= learning.settings[FIRST]
        powers[1] *= learning.settings[SECOND]
        numbers[CORRECTION_1] = 1.0 - powers[0]
        numbers[CORRECTION_2] = np.sqrt(1.0 - powers[1])
