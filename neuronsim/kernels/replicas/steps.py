"""Replicas learn: steps of all of them at once, each with its own weights, rates and order of samples.

A lane is a replica. A parameter is a lane vector; so is a signal of one sample, and a batch's samples lie behind each
other in a neuron's row. Each replica gets, bit for bit, what it would have got alone: sums go in the order in which
`online` and `batch` make them.
"""

from neuronsim.kernels.arguments import Array, Learning, Rule, Samples, Span, Task, Trained, Wiring, Workspace
from neuronsim.kernels.jit import inlined, kernel
from neuronsim.kernels.lanes import Lanes, filled, fma, lane_count, load, peek, poke, select, store
from neuronsim.kernels.replicas.backward import backward, finish_bundle, push, start_deltas
from neuronsim.kernels.replicas.forward import GATHERED, forward, gather, take
from neuronsim.kernels.replicas.sums import products_in_lanes, products_in_order, terms_in_lanes
from neuronsim.kernels.update import CLIP, SCALE, begin_step, change_lanes, without_decay


@inlined
def use(rule: Rule, of: Trained, k: int, gradient: Lanes, rate: Lanes) -> None:
    """One step of the ``k``th parameter of all replicas with its gradient."""
    width = lane_count(of.values)
    old = load(of.values, k * width)
    grad = gradient * rule.numbers[SCALE]
    limit = rule.numbers[CLIP]
    grad = select(grad > limit, limit, select(grad < -limit, -limit, grad))
    factor = filled(old, 1.0)
    if of.rates.size > 0:
        factor = filled(old, peek(of.rates, k))
        rate = rate * factor
    change_lanes(rule, of, k * width, old, grad, rate, factor, width)


@inlined
def use_weight(learning: Learning, k: int, gradient: Lanes, rate: Lanes) -> None:
    """One step of a weight."""
    first, second = learning.first_state.weights, learning.second_state.weights
    of = Trained(learning.parameters.weights, first, second, learning.rates.weights)
    use(learning.rule, of, k, gradient, rate)


@inlined
def use_bias(learning: Learning, k: int, gradient: Lanes, rate: Lanes) -> None:
    """One step of a bias."""
    first, second = learning.first_state.biases, learning.second_state.biases
    of = Trained(learning.parameters.biases, first, second, learning.rates.biases)
    use(without_decay(learning.rule), of, k, gradient, rate)


@inlined
def use_slopes(wiring: Wiring, learning: Learning, work: Workspace, n: int, rate: Lanes, online: bool) -> None:
    """One step of every learned slope."""
    first, second = learning.first_state.slopes, learning.second_state.slopes
    of = Trained(learning.parameters.slopes, first, second, learning.rates.slopes)
    for p in range(wiring.prelus.size):
        at = p * work.stride
        gradient = load(work.slope_terms, at) if online else terms_in_lanes(work.slope_terms, at, n, work.scratch)
        use(without_decay(learning.rule), of, peek(wiring.prelus, p), gradient, rate)


@inlined
def descend_online(wiring: Wiring, learning: Learning, work: Workspace, rate: Lanes) -> None:
    """Plain SGD, a sample a step: per edge ``acc[source] += w·δ``, then ``w −= μ·δ·y``; then ``b −= μ·δ``."""
    parameters, y, delta, stride = learning.parameters, work.y, work.delta, work.stride
    weights, biases, width = parameters.weights, parameters.biases, lane_count(work.y)
    for b in range(wiring.bundle_first.size - 1, -1, -1):
        pushes = wiring.bundle_pushes[b]
        first, end = finish_bundle(wiring, parameters, work, b, 1, True)
        for neuron in range(first, end):
            d = load(delta, neuron * stride)
            change = -(rate * d)
            for e in range(peek(wiring.row_start, neuron), peek(wiring.row_start, neuron + 1)):
                source, old = peek(wiring.sources, e) * stride, load(weights, e * width)
                if pushes:
                    store(delta, source, fma(old, d, load(delta, source)))
                store(weights, e * width, fma(change, load(y, source), old))
            store(biases, neuron * width, load(biases, neuron * width) + change)


@inlined
def learn_online(wiring: Wiring, learning: Learning, work: Workspace, rate: Lanes) -> None:
    """Any rule, a sample a step: ∂L/∂w = δ·y."""
    parameters, y, delta, stride = learning.parameters, work.y, work.delta, work.stride
    for b in range(wiring.bundle_first.size - 1, -1, -1):
        pushes = wiring.bundle_pushes[b]
        first, end = finish_bundle(wiring, parameters, work, b, 1, True)
        for neuron in range(first, end):
            d = load(delta, neuron * stride)
            if pushes:
                push(wiring, parameters.weights, work, neuron, 0, 1)
            for e in range(peek(wiring.row_start, neuron), peek(wiring.row_start, neuron + 1)):
                use_weight(learning, e, load(y, peek(wiring.sources, e) * stride) * d, rate)
            use_bias(learning, neuron, d, rate)
    use_slopes(wiring, learning, work, 1, rate, True)


@inlined
def learn_batch(wiring: Wiring, learning: Learning, work: Workspace, n: int, rate: Lanes) -> None:
    """Any rule, ``n`` samples a step: ∂L/∂w = Σ_i δ_i · y_i, in order for dense bundles, else in lanes."""
    y, delta, stride = work.y, work.delta, work.stride
    for r in range(wiring.range_first.size):
        first, size, dense = peek(wiring.range_first, r), peek(wiring.range_size, r), wiring.range_dense[r]
        for neuron in range(first, first + size):
            d0 = neuron * stride
            for e in range(peek(wiring.row_start, neuron), peek(wiring.row_start, neuron + 1)):
                y0 = peek(wiring.sources, e) * stride
                if dense:
                    gradient = products_in_order(delta, d0, y, y0, n)
                else:
                    gradient = products_in_lanes(delta, d0, y, y0, n, work.scratch)
                use_weight(learning, e, gradient, rate)
            use_bias(learning, neuron, terms_in_lanes(delta, d0, n, work.scratch), rate)
    use_slopes(wiring, learning, work, n, rate, False)


@inlined
def add_losses(losses: Array, n: int, sums: Array) -> None:
    """Each replica's sum of losses gains those of a step, which are added first, sample by sample, behind the sums."""
    width = lane_count(losses)
    for lane in range(width):
        poke(sums, width + lane, 0.0)
    for i in range(n):
        for lane in range(width):
            poke(sums, width + lane, peek(sums, width + lane) + float(peek(losses, i * width + lane)))
    for lane in range(width):
        poke(sums, lane, peek(sums, lane) + peek(sums, width + lane))


@kernel
def train_replicas(
    wiring: Wiring,
    learning: Learning,
    work: Workspace,
    samples: Samples,
    task: Task,
    span: Span,
    n_places: int,
    n_steps: int,
) -> None:
    """Make a span of steps of all replicas.

    ``samples.order`` has the ``n_places`` rows of each replica's epoch, one replica behind the other, or one order for
    all; ``span.step_rates`` each step's rates of the replicas, or one step's for all; ``span.loss_sum`` a sum for each
    replica, and as many numbers to work with. What is no longer finite in one replica stays in its lane.
    """
    parameters, numbers, width = learning.parameters, learning.rule.numbers, lane_count(work.y)
    online = task.batch == 1
    pitch = 0 if samples.order.size == n_places else n_places
    rate_step = 0 if span.step_rates.size == width else width
    together = max(1, GATHERED // task.batch)
    room = (wiring.inputs.size + wiring.outputs.size) * width
    for s in range(n_steps):
        position = (span.first_step + s) * task.batch
        if s % together == 0:
            n = min(task.batch * min(together, n_steps - s), n_places - position)
            gather(wiring, work, samples, position, n, pitch)
        n = min(task.batch, n_places - position)
        take(wiring, work, n, s % together * task.batch * room)
        begin_step(learning, 0.0)
        numbers[SCALE] = 1.0 / n if task.mean and not online else 1.0
        rate = load(span.step_rates, s * rate_step)
        forward(wiring, parameters, work, n, online)
        start_deltas(task.loss, wiring, parameters, work, n, online)
        if online and task.fused:
            descend_online(wiring, learning, work, rate)
            use_slopes(wiring, learning, work, 1, rate, True)
        elif online:
            learn_online(wiring, learning, work, rate)
        else:
            backward(wiring, parameters, work, n, online)
            learn_batch(wiring, learning, work, n, rate)
        add_losses(work.losses, n, span.loss_sum)
