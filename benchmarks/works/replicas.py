"""One tiny wiring from many seeds at once: a lane a seed here, ``vmap`` elsewhere."""

from collections.abc import Iterator
from functools import partial

from benchmarks.peers.ours import Replicas
from benchmarks.problems import layered
from benchmarks.results import OURS, Measurement
from benchmarks.works.race import Case, Entrant, Setup, race_between

TITLE = "2-3-1 online, many seeds"
EPOCHS = 10


def run(setup: Setup) -> Iterator[Measurement]:
    """Sigmoid neurons, plain SGD, samples in their order and shuffled, each seed by itself; ten epochs a call."""
    n = 20_000 if setup.quick else 100_000
    problem = layered([2, 3, 1], n_samples=n, hidden="sigmoid", output="sigmoid", rate=0.1, threads=setup.threads)
    for n_seeds in (16, 256):
        for shuffle in (False, True):
            case = Case(
                TITLE,
                f"2-3-1 online, {n_seeds} seeds, {'shuffled' if shuffle else 'in order'}, float32",
                problem,
                "ns/sample and seed",
                lambda seconds, n_seeds=n_seeds: seconds * 1e9 / (n_seeds * EPOCHS),
                shuffle=shuffle,
            )
            entrants: dict[str, Entrant] = {OURS: (partial(Replicas, n_seeds=n_seeds, n_epochs=EPOCHS), problem, "")}
            for name, peer in setup.peers.items():
                if hasattr(peer, "Replicas"):
                    entrants[name] = (
                        partial(peer.Replicas, n_seeds=n_seeds, n_epochs=EPOCHS),
                        problem,
                        getattr(peer, "REPLICAS", ""),
                    )
            yield from race_between(setup, case, entrants)
