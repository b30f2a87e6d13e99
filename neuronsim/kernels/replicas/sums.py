"""Sums in the order in which a lone run makes them, where its lanes were sources or samples and here are replicas.

A lone run sums some rows one term after another; of others lane j takes every term k with k mod lanes = j, and a tree
adds the lanes. Here such a lane is a lane vector of its own, in the scratch array.
"""

from typing import Any

from neuronsim.kernels.arguments import Array, Edges
from neuronsim.kernels.jit import inlined
from neuronsim.kernels.lanes import Lanes, filled, fma, lane_count, load, peek, store


@inlined
def tree(sums: Array, n: int) -> Lanes:
    """The sum of ``n`` ≤ lanes partial sums, as `neuronsim.kernels.lanes.total` adds them; the others are 0."""
    width = lane_count(sums)
    zero = filled(load(sums, 0), 0.0)
    half = 1
    while half < n:
        half *= 2
    for j in range(n, half):
        store(sums, j * width, zero)
    is_whole = half == width
    while half > 1:
        half //= 2
        for j in range(half):
            store(sums, j * width, load(sums, j * width) + load(sums, (j + half) * width))
    result = load(sums, 0)
    return result if is_whole else result + 0.0  # as lanes of zeros turn −0 into 0


@inlined
def in_order(edges: Edges, y: Array, stride: int, i: int, start: Lanes) -> Lanes:
    """start + Σ w·y, one source after another."""
    weights, w0, sources, s0, count = edges
    width = lane_count(y)
    for k in range(count):
        message = load(y, peek(sources, s0 + k) * stride + i)
        start = fma(load(weights, (w0 + k) * width), message, start)
    return start


@inlined
def in_lanes(edges: Edges, y: Array, stride: int, i: int, sums: Array) -> Lanes:
    """Σ w·y, source k in partial sum k mod lanes."""
    weights, w0, sources, s0, count = edges
    width = lane_count(y)
    n = min(width, count)
    for j in range(n):
        value = filled(load(y, i), 0.0)
        for k in range(j, count, width):
            message = load(y, peek(sources, s0 + k) * stride + i)
            value = fma(load(weights, (w0 + k) * width), message, value)
        store(sums, j * width, value)
    return tree(sums, n)


@inlined
def products_in_order(delta: Array, d0: int, y: Array, y0: int, n: int) -> Lanes:
    """Σ_i δ_i · y_i of ``n`` samples, one after another."""
    width = lane_count(y)
    value = filled(load(y, y0), 0.0)
    for i in range(0, n * width, width):
        value = fma(load(delta, d0 + i), load(y, y0 + i), value)
    return value


@inlined
def products_in_lanes(delta: Array, d0: int, y: Array, y0: int, n: int, sums: Array) -> Lanes:
    """The same, sample i in partial sum i mod lanes."""
    width = lane_count(y)
    for j in range(min(width, n)):
        value = filled(load(y, y0), 0.0)
        for i in range(j * width, n * width, width * width):
            value = fma(load(delta, d0 + i), load(y, y0 + i), value)
        store(sums, j * width, value)
    return tree(sums, min(width, n))


@inlined
def terms_in_lanes(terms: Array, t0: int, n: int, sums: Array) -> Any:
    """Σ_i of a row of ``n`` samples, sample i in partial sum i mod lanes."""
    width = lane_count(terms)
    for j in range(min(width, n)):
        value = filled(load(terms, t0), 0.0)
        for i in range(j * width, n * width, width * width):
            value = value + load(terms, t0 + i)
        store(sums, j * width, value)
    return tree(sums, min(width, n))
