"""One sample a step through fully connected layers."""

from collections.abc import Iterator

from benchmarks import machine
from benchmarks.problems import layered
from benchmarks.results import Measurement
from benchmarks.works.dense_batch import DIGITS
from benchmarks.works.race import Case, Setup, race

TITLE = "Dense online"
LIMIT = "each weight (velocity, index) passed once, 1 thread"


def run(setup: Setup) -> Iterator[Measurement]:
    """Sigmoid neurons, linear outputs and half squared error: what all systems can do. Samples in their order."""
    n = 1_000 if setup.quick else 8_000
    for momentum, name in ((None, "plain SGD"), (0.5, "momentum")):
        problem = layered(
            DIGITS,
            n_samples=n,
            hidden="sigmoid",
            output="identity",
            rate=0.001,
            momentum=momentum,
            threads=setup.threads,
        )
        # at the least each weight, and each velocity, is read once and written once
        nbytes = problem.net.n_edges * (8 if momentum is None else 16)
        rate = machine.pass_rate(setup.limits, nbytes / 2)
        case = Case(
            TITLE,
            f"784-256-128-10 online, {name}, float32",
            problem,
            "µs/sample",
            lambda seconds: seconds * 1e6,
            limit=lambda seconds, nbytes=nbytes, rate=rate: nbytes / seconds / rate,
            limit_name=LIMIT,
            shuffle=False,
        )
        yield from race(setup, case, shares={"PyTorch": 10, "scikit-learn": 10, "FANN": 5}, alone=True)
