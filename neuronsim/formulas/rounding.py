"""How large a rounding error may be: the oracle's yardstick.

The kernels and ``reference.py`` add in different orders, so they agree only up to rounding. A fair tolerance
for a sum is a small multiple of the sum of the absolute values of its terms, its *absolute sum*, and a value
made of others inherits theirs: the absolute sum of y = f(z) is |y| + |f'(z)| times that of z, and so on along
the network. Curvatures |f''| enter as a bound of 2, which holds for every built-in
activation away from its kinks.
"""

from collections.abc import Sequence

from neuronsim.formulas.activations import prelu_slope_derivative
from neuronsim.formulas.losses import Loss, total
from neuronsim.formulas.neurons import Parameter, Values, bias_of, slope_of, weight_of
from neuronsim.formulas.reference import ReferenceNetwork, Signals

CURVATURE = 2.0


def signal_absolute_sums(net: ReferenceNetwork, s: Signals, t: Sequence[float], loss: Loss) -> Signals:
    """The absolute sum of every signal of one sample, whose signals ``s`` came from ``net.signals(x, t, loss)``."""
    z, y = _forward(net, s)
    own_error, own_delta = _outputs(net, s, z, y, dict(zip(net.outputs, t, strict=True)), loss)
    delta: Values = {}
    error: Values = {}
    for a in [*reversed(net.order), *net.inputs]:
        weights = {p: net.neurons[p].weights[a] for p in net.sinks[a]}
        aggregated = total(w * s.delta[p] for p, w in weights.items())
        absolute_sum = total(abs(w) * delta[p] for p, w in weights.items())
        error[a] = own_error.get(a, 0.0) + absolute_sum
        delta[a] = own_delta.get(a, 0.0)
        if net.sinks[a]:
            delta[a] += absolute_sum * abs(net.derivative(a, s.z)) + abs(aggregated) * CURVATURE * z[a]
    terms = (abs(s.error[o]) * (y[o] + abs(v)) + abs(v) * z[o] for o, v in zip(net.outputs, t, strict=True))
    return Signals(z, y, error, delta, total(terms, start=abs(s.loss)))


def gradient_absolute_sums(net: ReferenceNetwork, s: Signals, m: Signals) -> dict[Parameter, float]:
    """The absolute sum of every parameter's gradient for one sample, from its signals and their absolute sums."""
    sums: dict[Parameter, float] = {}
    for a, neuron in net.neurons.items():
        for b in neuron.weights:
            sums[weight_of(b, a)] = m.delta[a] * m.y[b]
        sums[bias_of(a)] = m.delta[a]
        if neuron.activation == "prelu":
            slope = abs(prelu_slope_derivative(s.z[a]))
            sums[slope_of(a)] = m.error[a] * slope + abs(s.error[a]) * m.z[a]
    return sums


def _forward(net: ReferenceNetwork, s: Signals) -> tuple[Values, Values]:
    z = {i: abs(s.z[i]) for i in net.inputs}
    y = dict(z)
    for a in net.order:
        neuron = net.neurons[a]
        z[a] = total((abs(w) * y[b] for b, w in neuron.weights.items()), start=abs(neuron.bias))
        if a not in net.softmax_group:
            # of f(z) for an exact z: gelu is z/2 + z/2 · erf(z/√2), which cancel for z < 0
            own_terms = abs(s.z[a] if neuron.activation == "gelu" else s.y[a])
            y[a] = own_terms + abs(net.derivative(a, s.z)) * z[a]
    spread = total(s.y[o] * z[o] for o in net.softmax_group)
    y.update((o, s.y[o] * (1.0 + z[o] + spread)) for o in net.softmax_group)
    return z, y


def _outputs(
    net: ReferenceNetwork, s: Signals, z: Values, y: Values, target: Values, loss: Loss
) -> tuple[Values, Values]:
    """The absolute sums of the loss's own ∂L/∂y and δ."""
    own = net.own_error(s.y, list(target.values()), loss)
    bend = _bends(loss, s.y, target)
    error = {o: abs(own[o]) + bend[o] * (y[o] + abs(target[o])) for o in net.outputs}
    delta: Values = {}
    wanted = total(abs(target[o]) for o in net.softmax_group)
    for o in net.outputs:
        if o in net.softmax_group and loss.fused == "softmax":
            delta[o] = y[o] * wanted + abs(target[o])
        elif o in net.softmax_group:
            others = total(error[k] * s.y[k] + abs(own[k]) * y[k] for k in net.softmax_group)
            mean = total(abs(own[k]) * s.y[k] for k in net.softmax_group)
            delta[o] = s.y[o] * (error[o] + others) + y[o] * (abs(own[o]) + mean)
        elif loss.fused == "sigmoid" and net.is_a(o, "sigmoid"):
            delta[o] = y[o] + abs(target[o])
        else:
            delta[o] = error[o] * abs(net.derivative(o, s.z)) + abs(own[o]) * CURVATURE * z[o]
    return error, delta


def _bends(loss: Loss, y: Values, target: Values) -> Values:
    """|∂²L/∂y²| of each output: how fast the loss's slope turns."""
    if loss.name == "l2_norm":
        norm = loss.value([y[o] for o in target], list(target.values()))
        return dict.fromkeys(target, 1.0 / norm if norm else 0.0)
    if loss.name == "cross_entropy":
        return {o: _over_square(t, y[o]) for o, t in target.items()}
    if loss.name == "binary_cross_entropy":
        return {o: _over_square(t, y[o]) + _over_square(1.0 - t, 1.0 - y[o]) for o, t in target.items()}
    constant = {"squared_error": 2.0, "mean_squared_error": 2.0 / len(target), "absolute_error": 0.0}
    return dict.fromkeys(target, constant.get(loss.name, 1.0))


def _over_square(t: float, y: float) -> float:
    return abs(t) / (y * y) if t and y else 0.0
