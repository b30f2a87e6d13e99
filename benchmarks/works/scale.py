"""From ten thousand edges to a hundred million: what an edge costs to build, to plan, to train and to keep.

A process of its own for each size, so that memory can be told: ``python -m benchmarks.works.scale EDGES EPOCHS``.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks import machine
from benchmarks.results import OURS, Measurement
from benchmarks.works.dense_online import LIMIT
from benchmarks.works.race import Setup

TITLE = "Scale: random graphs, 32 edges a neuron, online SGD"

_CHECKOUT = Path(__file__).parents[2]

#: Edges from which on a net's memory stands out from the rest of the process.
_MEASURABLE = 10**6
_BATCH = 16


def run(setup: Setup) -> Iterator[Measurement]:
    """Sizes in turn within a round; build, plan and memory from each round's fresh process."""
    sizes = [10**k for k in range(4, 7 if setup.quick else 8)] + ([10**8] if setup.huge else [])
    rounds = 1 if setup.quick else min(setup.rounds, 3)
    found: dict[int, list[dict[str, float]]] = {size: [] for size in sizes}
    for _ in range(rounds):
        for size in sizes:
            command = [sys.executable, "-m", "benchmarks.works.scale", str(size), str(setup.least)]
            done = subprocess.run(command, cwd=_CHECKOUT, capture_output=True, text=True, check=True)
            found[size].append(json.loads(done.stdout))
    for size, facts in found.items():
        label = f"random graph, {size:,} edges, online, float32"
        units = {"build": "ns/edge to build", "plan": "ns/edge to plan"}
        units["batch"] = f"ns/edge and sample, batches of {_BATCH}"
        if size >= _MEASURABLE:
            units |= {"memory": "bytes/edge kept", "peak": "bytes/edge at most, building and training"}
        for key, unit in units.items():
            yield Measurement(TITLE, label, OURS, unit, [f[key] for f in facts])
        steps = [f["step"] for f in facts]
        limit = 12 / (median(steps) * 1e-9) / machine.pass_rate(setup.limits, 8 * size)
        yield Measurement(TITLE, label, OURS, "ns/edge to step", steps, limit=limit, limit_name=LIMIT)


def _resident() -> int:
    """Bytes that this process holds in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _measure(edges: int, least: float) -> dict[str, float]:
    import numpy as np

    import neuronsim as ns

    def build(edges: int) -> ns.Network:
        hidden = max(edges // 32 - 10, 1)
        return ns.wiring.random_dag(64, hidden, 10, in_degree=32, activation="tanh", dtype="float32", rng=0)

    rng = np.random.default_rng(0)
    X, T = rng.random((256, 64), dtype=np.float32), rng.random((256, 10), dtype=np.float32)
    # everything compiles here
    small = build(1_000)
    _ = small.depth
    for batch in (1, _BATCH):
        small.fit(X, T, batch_size=batch, epochs=2, learning_rate=1e-6, progress=False)

    # the second and later builds of a small net, the only one of a large
    resident = _resident()
    repeats = max(1, 300_000 // edges)
    start = time.perf_counter()
    for _ in range(repeats):
        net = build(edges)
        weights = net.weights  # drawn when first looked at
    built = time.perf_counter()
    for _ in range(repeats):
        depth = net.depth  # makes a plan
    planned = time.perf_counter()
    assert depth > 0
    assert len(weights) == net.n_edges

    rows = min(256, max(4, 20_000_000 // edges))

    def per_sample(rows: int, batch: int) -> float:
        def seconds(epochs: int) -> float:
            begin = time.perf_counter()
            settings = {"learning_rate": 1e-6, "shuffle": False, "rng": 0, "progress": False}
            net.fit(X[:rows], T[:rows], batch_size=batch, epochs=epochs, **settings)
            return (time.perf_counter() - begin) / epochs

        seconds(1)
        n = max(1, int(least / seconds(1)))
        return min(seconds(n) for _ in range(3)) / rows

    step = per_sample(rows, 1)
    kept = _resident() - resident
    batch = per_sample(max(rows, _BATCH), _BATCH)
    return {
        "build": (built - start) / repeats / net.n_edges * 1e9,
        "plan": (planned - built) / repeats / net.n_edges * 1e9,
        "memory": kept / net.n_edges,
        "peak": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - resident) / net.n_edges,
        "step": step / net.n_edges * 1e9,
        "batch": batch / net.n_edges * 1e9,
    }


if __name__ == "__main__":
    print(json.dumps(_measure(int(sys.argv[1]), float(sys.argv[2]))))
