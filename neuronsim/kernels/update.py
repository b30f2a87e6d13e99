"""Parameters change in place: one optimiser step for consecutive weights, biases or slopes, lanes = parameters.

Each rule is its formula on lanes; ``reference_update`` in ``optimizers.py`` is the scalar twin.
"""

from typing import Any

import numpy as np

from neuronsim.kernels.arguments import Array, Learning, Parameters, Rule, Trained, Wiring
from neuronsim.kernels.codes import ADAM, ADAMW, MOMENTUM, NESTEROV, RMSPROP, SGD
from neuronsim.kernels.jit import inlined, kernel, leaf
from neuronsim.kernels.lanes import Lanes, filled, fma, lane_count, load, load_part, select, sqrt, store, store_part

# The numbers of a step, in the network's dtype: what ``Rule.numbers`` holds at which place.
# FIRST and SECOND are β (or α, η), *_REST is 1 − β rounded once: 1 − 0.999 in float32 would be off by 5e-5.
RATE, SCALE, CLIP, FIRST, SECOND, FIRST_REST, SECOND_REST, EPSILON = range(8)
CORRECTION_1, CORRECTION_2, LOWEST, HIGHEST = range(8, 12)
N_RULE = 12

#: ``Learning.mode``: a gradient updates the parameters, or it is written, or added, to ``Learning.gradient``.
UPDATE, WRITE, ADD = range(3)


# ── the rules: g is the gradient, scaled, clipped and decayed ──


@inlined
def sgd(w: Lanes, g: Lanes, rate: Any) -> Lanes:
    """w := w − μ g."""
    return fma(-rate, g, w)


@inlined
def momentum(w: Lanes, v: Lanes, g: Lanes, rate: Any, beta: Any) -> tuple[Lanes, Lanes]:
    """v := β v − μ g, w := w + v (L3)."""
    v = fma(-rate, g, v * beta)
    return w + v, v


@inlined
def nesterov(w: Lanes, v: Lanes, g: Lanes, rate: Any, beta: Any) -> tuple[Lanes, Lanes]:
    """v := β v − μ g, w := w + β v − μ g."""
    v = fma(-rate, g, v * beta)
    return w + fma(-rate, g, v * beta), v


@inlined
def rmsprop(w: Lanes, s: Lanes, g: Lanes, rate: Lanes, numbers: Array) -> tuple[Lanes, Lanes]:
    """s := α s + (1 − α) g², w := w − μ g / (√s + ε)."""
    s = fma(g * g, numbers[FIRST_REST], s * numbers[FIRST])
    return w - rate * g / (sqrt(s) + numbers[EPSILON]), s


@inlined
def adam(w: Lanes, m: Lanes, s: Lanes, g: Lanes, rate: Lanes, numbers: Array) -> tuple[Lanes, Lanes, Lanes]:
    """m := β₁ m + (1 − β₁) g, s := β₂ s + (1 − β₂) g², w := w − μ m̂ / (√ŝ + ε)."""
    m = fma(g - m, numbers[FIRST_REST], m)
    s = fma(g * g, numbers[SECOND_REST], s * numbers[SECOND])
    denominator = sqrt(s) / numbers[CORRECTION_2] + numbers[EPSILON]
    return w - rate / numbers[CORRECTION_1] * m / denominator, m, s


@inlined
def rprop(w: Lanes, last: Lanes, size: Lanes, g: Lanes, numbers: Array) -> tuple[Lanes, Lanes, Lanes]:
    """Take only the signs of g and of the last g: a parameter's step size grows while they agree, else it shrinks."""
    product = g * last
    size = size * select(product > 0.0, numbers[SECOND], select(product < 0.0, numbers[FIRST], filled(w, 1.0)))
    size = select(size < numbers[LOWEST], numbers[LOWEST], select(size > numbers[HIGHEST], numbers[HIGHEST], size))
    g = select(product < 0.0, 0.0, g)
    return select(g > 0.0, w - size, select(g < 0.0, w + size, w + g)), g, size


@inlined
def change_lanes(rule: Rule, of: Trained, at: int, old: Lanes, grad: Lanes, rate: Lanes, factor: Lanes, n: int) -> None:
    """One step for ``n`` ≤ lanes parameters: the gradient is scaled and clipped, the rate has its factor."""
    optimizer, numbers = rule.optimizer, rule.numbers
    kept = factor < 0.0
    if optimizer != ADAMW:
        grad = fma(old, rule.decay, grad)
    if optimizer == SGD:
        store_part(of.values, at, select(kept, old, sgd(old, grad, rate)), n)
        return

    first = load_part(of.first_state, at, n)
    if optimizer == MOMENTUM:
        new, state = momentum(old, first, grad, rate, numbers[FIRST])
    elif optimizer == NESTEROV:
        new, state = nesterov(old, first, grad, rate, numbers[FIRST])
    elif optimizer == RMSPROP:
        new, state = rmsprop(old, first, grad, rate, numbers)
    else:
        second = load_part(of.second_state, at, n)
        if optimizer == ADAM:
            new, state, state_2 = adam(old, first, second, grad, rate, numbers)
        elif optimizer == ADAMW:
            shrunk = old * fma(-rate, rule.decay, filled(old, 1.0))
            new, state, state_2 = adam(shrunk, first, second, grad, rate, numbers)
        else:
            new, state, state_2 = rprop(old, first, second, grad, numbers)
            kept = rate <= 0.0  # frozen, or a rate of 0
        store_part(of.second_state, at, select(kept, second, state_2), n)
    store_part(of.first_state, at, select(kept, first, state), n)
    store_part(of.values, at, select(kept, old, new), n)


@kernel
def update_lanes(rule: Rule, of: Trained, at: int, g: Array, gi: int, n: int) -> None:
    """One step for ``n`` ≤ lanes parameters; frozen ones (rate factor −1) and their state are left as they are."""
    numbers = rule.numbers
    old = load_part(of.values, at, n)
    grad = load_part(g, gi, n) * numbers[SCALE]
    limit = numbers[CLIP]
    grad = select(grad > limit, limit, select(grad < -limit, -limit, grad))
    rate, factor = filled(old, numbers[RATE]), filled(old, 1.0)
    if of.rates.size > 0:
        factor = load_part(of.rates, at, n)
        rate = rate * factor
    change_lanes(rule, of, at, old, grad, rate, factor, n)


@inlined
def sgd_lanes(at: int, g: Lanes, weights: Array, scale: Any, decay: Any, rate: Any) -> None:
    """One step of SGD for a lane vector of weights, nothing frozen or clipped in value."""
    w = load(weights, at)
    store(weights, at, sgd(w, fma(w, decay, g * scale), rate))


@inlined
def momentum_lanes(
    at: int, g: Lanes, weights: Array, state: Array, scale: Any, decay: Any, rate: Any, beta: Any
) -> None:
    """One step of momentum for a lane vector of weights, nothing frozen or clipped in value."""
    w = load(weights, at)
    w, v = momentum(w, load(state, at), fma(w, decay, g * scale), rate, beta)
    store(state, at, v)
    store(weights, at, w)


@inlined
def is_plain(learning: Learning) -> bool:
    """Whether weights follow SGD or momentum with nothing frozen or clipped in value, as the two above do."""
    rule = learning.rule
    known = rule.optimizer == SGD or rule.optimizer == MOMENTUM
    plain = learning.rates.weights.size == 0 and rule.numbers[CLIP] == np.inf
    return bool(known and plain and learning.mode[0] == UPDATE)


# ── many parameters ──


@kernel
def update(rule: Rule, of: Trained, at: int, g: Array, gi: int, n: int) -> None:
    """One step for the ``n`` parameters from ``at`` on with the gradients ``g[gi:]``."""
    width = lane_count(g)
    k = 0
    while k + width <= n:
        update_lanes(rule, of, at + k, g, gi + k, width)
        k += width
    if k < n:
        update_lanes(rule, of, at + k, g, gi + k, n - k)


@kernel
def keep(adds: bool, values: Array, at: int, g: Array, gi: int, n: int) -> None:
    """Write, or add, ``n`` gradients ``g[gi:]`` to ``values[at:]``."""
    width = lane_count(g)
    for k in range(0, n, width):
        part = min(width, n - k)
        grad = load_part(g, gi + k, part)
        if adds:
            grad = load_part(values, at + k, part) + grad
        store_part(values, at + k, grad, part)


@inlined
def update_weights(learning: Learning, at: int, g: Array, gi: int, n: int) -> None:
    """Use the gradients of the ``n`` weights from ``at`` on; weights decay."""
    if learning.mode[0] != UPDATE:
        keep(learning.mode[0] == ADD, learning.gradient.weights, at, g, gi, n)
        return
    first, second = learning.first_state.weights, learning.second_state.weights
    update(learning.rule, Trained(learning.parameters.weights, first, second, learning.rates.weights), at, g, gi, n)


@inlined
def without_decay(rule: Rule) -> Rule:
    """The rule for biases and slopes."""
    return Rule(rule.optimizer, rule.numbers, type(rule.decay)(0))


@inlined
def update_biases(learning: Learning, at: int, g: Array, gi: int, n: int) -> None:
    """Use the gradients of the ``n`` biases from ``at`` on."""
    if learning.mode[0] != UPDATE:
        keep(learning.mode[0] == ADD, learning.gradient.biases, at, g, gi, n)
        return
    first, second = learning.first_state.biases, learning.second_state.biases
    biases = Trained(learning.parameters.biases, first, second, learning.rates.biases)
    update(without_decay(learning.rule), biases, at, g, gi, n)


@inlined
def update_slopes(learning: Learning, at: int, g: Array, gi: int) -> None:
    """Use the gradient of one slope."""
    if learning.mode[0] != UPDATE:
        keep(learning.mode[0] == ADD, learning.gradient.slopes, at, g, gi, 1)
        return
    first, second = learning.first_state.slopes, learning.second_state.slopes
    slopes = Trained(learning.parameters.slopes, first, second, learning.rates.slopes)
    update(without_decay(learning.rule), slopes, at, g, gi, 1)


@leaf
def update_all(wiring: Wiring, learning: Learning) -> None:
    """One step of every parameter from the finished gradient."""
    gradient = learning.gradient
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
    optimizer, numbers, powers = learning.rule.optimizer, learning.rule.numbers, learning.powers
    numbers[RATE] = rate
    if optimizer == ADAM or optimizer == ADAMW:
        powers[0] *= learning.settings[FIRST]
        powers[1] *= learning.settings[SECOND]
        numbers[CORRECTION_1] = 1.0 - powers[0]
        numbers[CORRECTION_2] = np.sqrt(1.0 - powers[1])
