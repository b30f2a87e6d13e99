"""Where runs are made: threads, processes, loky, Dask, MPI, or any executor of ``concurrent.futures``, by name."""

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from importlib import import_module
from typing import Any

from neuronsim.basics.checked import whole
from neuronsim.errors import SettingError, suggest

_KINDS = ("threads", "processes", "loky", "dask", "mpi")
_HOW = "threads:4, processes:4, loky:4, dask://host:8786, mpi, or package.module:function that makes an executor"


class Pool:
    """An executor that can be made anew when one of its workers has died.

    Parameters
    ----------
    given : str, Executor or None
        A name such as "processes:4"; an executor, which stays its owner's; None: as many threads as there are cores.
    """

    def __init__(self, given: str | Executor | None) -> None:
        self._make: Callable[[], Executor] | None = None
        self._client: Any = None
        if given is None:
            given = f"threads:{cores()}"
        if isinstance(given, str):
            self._make = self._factory(given)
            self.executor = self._make()
        elif isinstance(given, Executor) or callable(getattr(given, "submit", None)):
            self.executor = given
        else:
            raise SettingError(f"executor={given!r:.60}: give {_HOW}, or an executor of concurrent.futures")

    @property
    def n_workers(self) -> int:
        """How many runs it makes at a time."""
        if self._client is not None:
            return max(1, int(sum(self._client.nthreads().values())))
        return int(getattr(self.executor, "_max_workers", 0) or cores())

    def renew(self) -> bool:
        """Make the executor anew, if it was made here; whether it was."""
        if self._make is None:
            return False
        self.executor.shutdown(wait=False)
        self.executor = self._make()
        return True

    def close(self) -> None:
        """End it, if it was made here, when what has begun is done."""
        if self._make is not None:
            self.executor.shutdown(wait=True)
        if self._client is not None:
            self._client.close()

    def _factory(self, given: str) -> Callable[[], Executor]:
        kind, colon, rest = given.partition(":")
        if kind == "dask":
            return lambda: self._dask(f"tcp:{rest}" if rest.startswith("//") else rest)
        if kind == "mpi":
            return lambda: _library("mpi4py.futures", given).MPIPoolExecutor()
        if kind in _KINDS:
            n = whole(f"workers of {kind}", int(rest) if rest.isdecimal() else rest) if colon else cores()
            if kind == "threads":
                return lambda: ThreadPoolExecutor(n, "neuronsim")
            if kind == "loky":
                return lambda: _library("loky", given).ProcessPoolExecutor(n)
            # a forked child of a process that has used OpenMP dies at its first parallel kernel
            return lambda: ProcessPoolExecutor(n, multiprocessing.get_context("spawn"))
        if colon:
            return lambda: _made_by(kind, rest)
        raise SettingError(f"no executor {given!r}{suggest(given, _KINDS) or ';'} give {_HOW}")

    def _dask(self, address: str) -> Executor:
        if self._client is not None:
            self._client.close()
        try:
            self._client = _library("distributed", "dask").Client(address, timeout=20)
        except (OSError, ValueError) as problem:
            raise SettingError(f"no Dask scheduler answers: {problem}; start one with: dask scheduler") from None
        executor: Executor = self._client.get_executor(pure=False)  # pure: a retry would return the old error
        return executor


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _library(module: str, wanted: str) -> Any:
    try:
        return import_module(module)
    except ImportError:
        needed = module.partition(".")[0]
        raise SettingError(f"executor {wanted!r} needs {needed}: pip install 'neuronsim[cluster]'") from None


def _made_by(module: str, function: str) -> Executor:
    try:
        made: Executor = getattr(import_module(module), function)()
    except (ImportError, AttributeError) as problem:
        raise SettingError(f"executor {module}:{function} cannot be made: {problem}; give {_HOW}") from None
    return made
