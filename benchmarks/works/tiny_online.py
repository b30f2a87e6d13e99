"""One sample a step through a net of four neurons: what remains is the loop itself."""

from collections.abc import Iterator

from benchmarks.problems import layered
from benchmarks.results import Measurement
from benchmarks.works.race import Case, Setup, race

TITLE = "2-3-1 online"


def run(setup: Setup) -> Iterator[Measurement]:
    """Sigmoid neurons, plain SGD; samples in their order, and shuffled (FANN shuffles by moving the data)."""
    n = 200_000 if setup.quick else 1_000_000
    problem = layered([2, 3, 1], n_samples=n, hidden="sigmoid", output="sigmoid", rate=0.1, threads=setup.threads)
    for shuffle in (False, True):
        case = Case(
            TITLE,
            f"2-3-1 online, {'shuffled' if shuffle else 'in order'}, float32",
            problem,
            "ns/sample",
            lambda seconds: seconds * 1e9,
            shuffle=shuffle,
        )
        peers = {name: peer for name, peer in setup.peers.items() if not (shuffle and name == "FANN")}
        own = Setup(**vars(setup) | {"peers": peers})
        yield from race(own, case, shares={"PyTorch": 1_000, "scikit-learn": 1_000}, alone=True)
