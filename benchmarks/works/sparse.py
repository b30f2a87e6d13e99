"""Wirings that are no matrices: random graphs, sparse layers."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

import neuronsim as ns
from benchmarks import machine
from benchmarks.peers.ours import Ours
from benchmarks.problems import Array, Problem, layered, wired
from benchmarks.results import OURS, Measurement
from benchmarks.works.dense_batch import DIGITS
from benchmarks.works.dense_online import LIMIT
from benchmarks.works.race import Case, Entrant, Setup, race, race_between

TITLE = "Sparse and irregular"

#: inputs, hidden, and whether JAX, which compiles each level by itself, takes part in a quick run.
_GRAPHS = ((80, 1_910, True), (400, 9_590, False))
_LAYERS = [784, 1000, 1000, 1000, 10]


def run(setup: Setup) -> Iterator[Measurement]:
    """Random graphs and sparse layers in mini-batches, plain SGD; then sparse layers online beside FANN."""
    for n_inputs, n_hidden, always in _GRAPHS:
        net = ns.wiring.random_dag(
            n_inputs, n_hidden, 10, in_degree=30, activation="relu", output="softmax", dtype="float32", rng=0
        )
        case = _batches(setup, f"random graph, {net.n_neurons:,} neurons", net, 64)
        skipped = {"JAX"} if setup.quick and not always else set()
        peers = {name: peer for name, peer in setup.peers.items() if name not in skipped}
        yield from race(Setup(**vars(setup) | {"peers": peers}), case, kind="Wired", alone=True)
    yield from _sparse_layers(setup)
    yield from _sparse_online(setup)


def _batches(setup: Setup, name: str, net: ns.Network, batch: int) -> Case:
    problem = wired(net, "relu", "softmax", n_samples=4 * batch, batch=batch, rate=0.001, threads=setup.threads)
    flops, peak = problem.flops(), machine.peak(setup.limits, "float32", setup.threads)
    return Case(
        TITLE,
        f"{name}, {net.n_edges:,} edges, depth {net.depth}, B = {batch}, float32",
        problem,
        "ms/step",
        lambda seconds: seconds * batch * 1e3,
        limit=lambda seconds: flops / seconds / peak,
        limit_name="multiply-adds of all threads",
    )


def _sparse_layers(setup: Setup) -> Iterator[Measurement]:
    """Peers twice: level by level, and as full matrices with a mask, whichever suits them better."""
    net = ns.wiring.sparse_layered(_LAYERS, density=0.02, activation="relu", output="softmax", dtype="float32", rng=0)
    case = _batches(setup, "784-1000-1000-1000-10 at 2 %", net, 128)
    case = replace(case, problem=replace(case.problem, sizes=()))
    filled, masks = _filled(case.problem, _LAYERS)
    entrants: dict[str, Entrant] = {OURS: (Ours, case.problem, "")}
    for name, peer in setup.peers.items():
        if hasattr(peer, "Wired"):
            entrants[f"{name}"] = (peer.Wired, case.problem, peer.WIRED)
            masked = partial(peer.Masked, masks=masks)
            entrants[f"{name} (masked)"] = (masked, filled, "full matrices × a mask")
    yield from race_between(setup, case, entrants)


def _filled(problem: Problem, sizes: Sequence[int]) -> tuple[Problem, list[Array]]:
    """The same as fully connected layers with zeros where there is no edge, and where the edges are."""
    full = layered(sizes, n_samples=1, threads=problem.threads).net
    edges, starts = problem.net.edges, np.concatenate([[0], np.cumsum(sizes)])
    rows, masks = [], []
    for before, here, after in zip(starts, starts[1:], starts[2:], strict=False):
        mine = edges[(edges["sink"] >= here) & (edges["sink"] < after)]
        weights, mask = np.zeros((after - here, here - before), np.float32), np.zeros((after - here, here - before))
        at = mine["sink"] - here, mine["source"] - before
        weights[at], mask[at] = mine["weight"], 1
        rows.append(weights.ravel())
        masks.append(mask)
    full.weights = np.concatenate(rows)
    return replace(problem, net=full, sizes=tuple(sizes)), masks


def _sparse_online(setup: Setup) -> Iterator[Measurement]:
    """The wiring is FANN's where it is there, else one as dense."""
    fann = setup.peers.get("FANN")
    ann = None
    if fann is not None:
        ann, net = fann.sparse_net(DIGITS, 0.05)
    else:
        net = ns.wiring.sparse_layered(DIGITS, density=0.05, activation="sigmoid", dtype="float32", rng=0)
    n = 2_000 if setup.quick else 20_000
    problem = wired(net, "sigmoid", "sigmoid", n_samples=n, rate=0.01, threads=setup.threads)
    # at the least each weight is read once and written once, the source's number read once
    nbytes = net.n_edges * 12
    rate = machine.pass_rate(setup.limits, nbytes)
    case = Case(
        TITLE,
        f"784-256-128-10 at 5 %, {net.n_edges:,} edges, online, float32",
        problem,
        "ns/edge",
        lambda seconds: seconds / net.n_edges * 1e9,
        limit=lambda seconds: nbytes / seconds / rate,
        limit_name=LIMIT,
        shuffle=False,
    )
    entrants: dict[str, Entrant] = {OURS: (Ours, problem, "")}
    if fann is not None:
        entrants["FANN"] = (partial(fann.SparseLayered, ann=ann), problem, "its sparse update is wrong")
    yield from race_between(setup, case, entrants)
