"""Whether all systems do the same work: from equal parameters, over equal samples, they must get equal parameters."""

from types import ModuleType

import numpy as np

import neuronsim as ns
from benchmarks.peers.ours import Ours
from benchmarks.problems import Problem, System, layered, wired


def check(peers: dict[str, ModuleType], threads: int) -> dict[str, dict[str, float]]:
    """For each rule and peer: the largest difference between its parameters and ours, as a part of the largest step.

    Float32 rounding leaves some 1e-5; a rule that differs in anything leaves some 1e-1.
    """
    problems = {
        "mini-batches, momentum": layered(
            [20, 16, 12, 5], n_samples=96, batch=16, momentum=0.9, rate=0.05, threads=threads
        ),
        "online, SGD": _online([20, 16, 12, 5], "identity", None, threads),
        "online, momentum": _online([20, 16, 12, 5], "identity", 0.5, threads),
        "2-3-1 online": _online([2, 3, 1], "sigmoid", None, threads),
        "random graph, mini-batches": _graph(threads),
    }
    return {name: _differences(problem, peers) for name, problem in problems.items()}


def _online(sizes: list[int], output: str, momentum: float | None, threads: int) -> Problem:
    return layered(sizes, n_samples=60, hidden="sigmoid", output=output, rate=0.1, momentum=momentum, threads=threads)


def _graph(threads: int) -> Problem:
    net = ns.wiring.random_dag(8, 40, 4, in_degree=6, activation="relu", output="softmax", dtype="float32", rng=0)
    return wired(net, "relu", "softmax", n_samples=96, batch=16, rate=0.05, threads=threads)


def _differences(problem: Problem, peers: dict[str, ModuleType]) -> dict[str, float]:
    ours = Ours(problem)
    before = ours.parameters()
    after = _after(ours)
    largest = np.abs(after - before).max()
    found = {}
    for name, peer in peers.items():
        kind = getattr(peer, "Layered" if problem.sizes else "Wired", None)
        try:
            found[name] = float(np.abs(_after(kind(problem)) - after).max() / largest) if kind else None
        except ValueError:  # not its kind of work
            continue
    return {name: value for name, value in found.items() if value is not None}


def _after(system: System) -> np.ndarray:
    system.train(1, shuffle=False)
    return system.parameters().astype(np.float64)
