"""Replicas forward: z = b + Σ w·y, y = f(z), and for the common activations f'(z) for the way back."""

from typing import Any

from neuronsim.kernels.activations import COMMON, activate, activation, common, softmax
from neuronsim.kernels.arguments import Activation, Edges, Parameters, Samples, Wiring, Workspace
from neuronsim.kernels.codes import PRELU
from neuronsim.kernels.jit import inlined
from neuronsim.kernels.lanes import lane_count, load, peek, poke, splat, store
from neuronsim.kernels.online.steps import SHORT
from neuronsim.kernels.replicas.sums import in_lanes, in_order

#: Samples that are gathered together: a vector read where numbers have just been written has to wait for them.
GATHERED = 16


@inlined
def gather(wiring: Wiring, work: Workspace, samples: Samples, place: int, n: int, pitch: int) -> None:
    """Inputs and targets of ``n`` places of the order into ``work.rows``: of each place a lane vector for each of them.

    Replicas have orders of their own, ``pitch`` places apart; or one for all where it is 0.
    """
    n_inputs, n_outputs, rows, order = wiring.inputs.size, wiring.outputs.size, work.rows, samples.order
    width, at = lane_count(rows), 0
    for i in range(place, place + n):
        if pitch == 0:
            row = peek(order, i)
            for j in range(n_inputs):
                store(rows, at, splat(peek(samples.inputs, row * n_inputs + j)))
                at += width
            for o in range(n_outputs):
                store(rows, at, splat(target_of(samples, row, o, n_outputs)))
                at += width
        else:
            for j in range(n_inputs):
                for lane in range(width):
                    poke(rows, at + lane, peek(samples.inputs, peek(order, i + lane * pitch) * n_inputs + j))
                at += width
            for o in range(n_outputs):
                for lane in range(width):
                    poke(rows, at + lane, target_of(samples, peek(order, i + lane * pitch), o, n_outputs))
                at += width


@inlined
def target_of(samples: Samples, row: int, output: int, n_outputs: int) -> Any:
    """What is wanted of an output; of class numbers 1 or 0."""
    number = type(samples.inputs[0])
    if samples.classes.size > 0:
        return number(1.0) if peek(samples.classes, row) == output else number(0.0)
    return peek(samples.targets, row * n_outputs + output)


@inlined
def take(wiring: Wiring, work: Workspace, n: int, at: int) -> None:
    """``n`` samples that were gathered become y of the inputs, and the targets."""
    width, stride = lane_count(work.y), work.stride
    for i in range(0, n * width, width):
        for j in range(wiring.inputs.size):
            store(work.y, peek(wiring.inputs, j) * stride + i, load(work.rows, at))
            at += width
        for o in range(wiring.outputs.size):
            store(work.target, o * stride + i, load(work.rows, at))
            at += width


@inlined
def aggregate(wiring: Wiring, parameters: Parameters, work: Workspace, neuron: int, n: int, online: bool) -> None:
    """z = b + Σ w·y of one neuron: online long rows are summed in lanes, all others in order."""
    width, stride = lane_count(work.y), work.stride
    s0 = peek(wiring.row_start, neuron)
    edges = Edges(parameters.weights, s0, wiring.sources, s0, peek(wiring.row_start, neuron + 1) - s0)
    bias = load(parameters.biases, neuron * width)
    for i in range(0, n * width, width):
        if online and edges.n_sources >= SHORT:
            store(work.z, neuron * stride + i, in_lanes(edges, work.y, stride, i, work.scratch) + bias)
        else:
            store(work.z, neuron * stride + i, in_order(edges, work.y, stride, i, bias))


@inlined
def fire(wiring: Wiring, parameters: Parameters, work: Workspace, neuron: int, n: int) -> None:
    """y = f(z) of one neuron; of the common activations f'(z) as well."""
    width, at, code = lane_count(work.y), neuron * work.stride, peek(wiring.codes, neuron)
    if code in COMMON:
        for i in range(at, at + n * width, width):
            y, derivative = common(code, load(work.z, i))
            store(work.y, i, y)
            store(work.derivatives, i, derivative)
    elif code == PRELU:
        slope = load(parameters.slopes, neuron * width)
        for i in range(at, at + n * width, width):
            store(work.y, i, activation(code, load(work.z, i), slope))
    else:
        activate(Activation(code, parameters.slopes[0], wiring.user), work.z, at, work.y, at, n * width)


@inlined
def forward(wiring: Wiring, parameters: Parameters, work: Workspace, n: int, online: bool) -> None:
    """``n`` samples of each replica through the network."""
    for b in range(wiring.bundle_first.size):
        first, size = peek(wiring.bundle_first, b), peek(wiring.bundle_size, b)
        for neuron in range(first, first + size):
            aggregate(wiring, parameters, work, neuron, n, online)
            fire(wiring, parameters, work, neuron, n)
    if wiring.softmax_members.size > 0:
        softmax(wiring.softmax_members, work.z, work.y, work.stride, 0, n * lane_count(work.y))
