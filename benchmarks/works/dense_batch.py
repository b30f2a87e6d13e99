"""Mini-batches through fully connected layers, SGD with momentum: lecture L2's classifier of digits."""

from collections.abc import Iterator

from benchmarks import machine
from benchmarks.problems import layered
from benchmarks.results import Measurement
from benchmarks.works.race import Case, Setup, race

TITLE = "Dense mini-batches, SGD with momentum"

DIGITS, SMALL = [784, 256, 128, 10], [64, 32, 10]


def run(setup: Setup) -> Iterator[Measurement]:
    """Batches of several lengths against the peers, then the same in float64, where only ours takes part."""
    n = 5_120 if setup.quick else 61_440
    for batch in (64, 128) if setup.quick else (32, 64, 128, 512):
        yield from race(setup, _case(setup, DIGITS, batch, "float32", n))
    yield from race(setup, _case(setup, SMALL, 64, "float32", n), alone=True)
    for sizes in (DIGITS, SMALL):
        alone = Setup(**vars(setup) | {"peers": {}})
        yield from race(alone, _case(setup, sizes, 64, "float64", n))


def _case(setup: Setup, sizes: list[int], batch: int, dtype: str, n: int) -> Case:
    problem = layered(sizes, n_samples=n, batch=batch, momentum=0.9, rate=0.001, threads=setup.threads, dtype=dtype)
    flops, peak = problem.flops(), machine.peak(setup.limits, dtype, setup.threads)
    return Case(
        TITLE,
        f"{'-'.join(map(str, sizes))}, B = {batch}, {dtype}",
        problem,
        "samples/s",
        lambda seconds: 1 / seconds,
        more_is_better=True,
        limit=lambda seconds: flops / seconds / peak,
        limit_name="multiply-adds of all threads",
    )
