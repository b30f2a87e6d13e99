"""What must be set before NumPy, Numba or a peer is loaded: the same number of threads for everybody."""

import os


def prepare(threads: int) -> None:
    """Give this process, and everything that it will load, ``threads`` processors and as many threads."""
    # neuronsim and PyTorch each bring an OpenMP runtime. By default its threads, once started, wait for their next
    # work by spinning for milliseconds, so that the threads of whoever had its turn before take the processors from
    # whoever has it now. 5,000 turns are some ten microseconds: longer than a gap within a step, shorter than a turn.
    os.environ.setdefault("GOMP_SPINCOUNT", "5000")
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[variable] = str(threads)
    # XLA has no setting for its threads: it starts one for each processor that it may use.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
