"""From nothing to a first step: import, a first fit that compiles, and one that finds what was compiled."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.results import OURS, Measurement
from benchmarks.works.race import Setup

TITLE = "Start, in new processes"

_CHECKOUT = Path(__file__).parents[2]

_FIT = """
import numpy as np
import neuronsim as ns
net = ns.wiring.layered([8, 4, 2], activation="relu", output="softmax", dtype="float32", rng=0)
rng = np.random.default_rng(0)
net.fit(rng.random((64, 8)), rng.integers(0, 2, 64), batch_size={batch}, optimizer="{rule}", progress=False)
"""
# Online, in batches and for gradients, on one thread and on several: nothing is left to compile for this dtype.
_ALL = """
import numpy as np
import neuronsim as ns
rng = np.random.default_rng(0)
for n_inputs, threads in ((8, 1), (256, 2)):
    net = ns.wiring.layered([n_inputs, n_inputs // 2, 2], output="softmax", dtype="float32", rng=0)
    X, T = rng.random((512, n_inputs)), rng.integers(0, 2, 512)
    for batch in (1, 16):
        net.fit(X, T, batch_size=batch, threads=threads, progress=False)
    net.gradients(X, T)
"""
# neuronsim loads what it needs when it is first used: what is comparable is a name that needs the compiler.
_IMPORTS = {
    OURS: "import neuronsim; neuronsim.Network",
    "PyTorch": "import torch",
    "JAX": "import jax.numpy",
    "scikit-learn": "import sklearn.neural_network",
}


def run(setup: Setup) -> Iterator[Measurement]:
    """Seconds of whole processes, an empty Python's taken off; each case of each round begins with an empty cache."""
    seconds: dict[tuple[str, str], list[float]] = {}

    def note(case: str, system: str, value: float) -> None:
        seconds.setdefault((case, system), []).append(value)

    for _ in range(1 if setup.quick else min(setup.rounds, 3)):
        with tempfile.TemporaryDirectory() as cache:
            nothing = _process("pass", cache)
            note("import alone", OURS, _process("import neuronsim", cache) - nothing)
            for system, code in _IMPORTS.items():
                if system == OURS or system in setup.peers:
                    note("import, ready for use", system, _process(code, cache) - nothing)
        for case, batch, rule in (("online SGD", 1, "sgd"), ("mini-batches with momentum", 16, "momentum")):
            code = _FIT.format(batch=batch, rule=rule)
            with tempfile.TemporaryDirectory() as cache:
                note(f"import and first fit, {case}, nothing compiled before", OURS, _process(code, cache) - nothing)
                note(f"import and first fit, {case}, from the cache", OURS, _process(code, cache) - nothing)
        with tempfile.TemporaryDirectory() as cache:
            note("all kernels of one dtype, nothing compiled before", OURS, _process(_ALL, cache) - nothing)
    for (case, system), values in seconds.items():
        yield Measurement(TITLE, case, system, "s", values)


def _process(code: str, cache: str) -> float:
    environment = os.environ | {"NUMBA_CACHE_DIR": cache}
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], cwd=_CHECKOUT, env=environment, check=True)
    return time.perf_counter() - start
