"""The machine: what it is, and its own limits, multiply-adds a second and bytes copied a second."""

import os
import platform
import threading
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numba
import numpy as np

import neuronsim
from benchmarks.timing import in_turn
from neuronsim.commands.info import threading_layer
from neuronsim.kernels.jit import OPTIONS
from neuronsim.kernels.lanes import WIDTH
from neuronsim.kernels.shapes import BLOCK, COLUMNS, ROWS
from neuronsim.kernels.tiles import Count, Shape, tile_fma, tile_store, tile_zero

Array = np.ndarray[Any, Any]

_FOUR = Count(4)


def _multiply_adds(shape: Shape) -> Callable[..., None]:
    """A kernel for a tile's shape: four multiply-adds a turn into each accumulator, with operands in registers."""

    # Not by neuronsim's own decorator: its cache knows the sources of neuronsim's kernels, not this file.
    @numba.njit(**OPTIONS)
    def multiply_adds(turns: int, values: Array, out: Array, step: int) -> None:
        tile = tile_zero(shape, values)
        for _ in range(turns):
            tile = tile_fma(tile, _FOUR, values, 0, 0, values, 0, 0)
        tile_store(tile, out, 0, step)

    return cast(Callable[..., None], multiply_adds)


def describe(threads: int) -> dict[str, Any]:
    """What the machine is and which versions run on it."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    facts = {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "cores used": usable,
        "threads": threads,
        "caches": _caches(),
        "memory": _memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load before": f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "unknown",
        "tile": f"{ROWS} × {COLUMNS} vectors",
        "threading layer": threading_layer(),
    }
    facts |= {"neuronsim": neuronsim.__version__} | {name: version(name) for name in ("numba", "llvmlite", "numpy")}
    forced = {name: os.environ[name] for name in ("OPENBLAS_CORETYPE", "NUMBA_CPU_NAME") if name in os.environ}
    return facts | forced


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.lower().startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _caches() -> str:
    """Sizes of the data caches that the first processor uses, as Linux tells them."""
    sizes = []
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((folder / name).read_text().strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            sizes.append(f"L{level} {size}")
    return ", ".join(sizes) or "unknown"


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    except (AttributeError, OSError, ValueError):
        return "unknown"


def limits(threads: int, rounds: int, least: float) -> dict[str, float]:
    """The machine's own limits, medians: GFLOP/s by dtype, GB/s (read + written) by array size."""
    counts = sorted({1, threads})
    calls: dict[str, Callable[[int], object]] = {}
    work: dict[str, float] = {}
    kernels = {"": (_multiply_adds(BLOCK), ROWS * COLUMNS), " (4 × 2)": (_multiply_adds(Shape(4, 2)), 8)}
    for dtype in (np.float32, np.float64):
        for n in counts:
            name = f"multiply-adds, {np.dtype(dtype).name}, {_threads(n)}, GFLOP/s"
            # Wider tiles hide more latency, smaller ones need fewer registers: the limit is what the better one does.
            for suffix, (kernel, vectors) in kernels.items():
                calls[name + suffix] = _spread_over(n, [_flops_call(kernel, dtype) for _ in range(n)])
                work[name + suffix] = n * _TURNS * 4 * vectors * WIDTH[np.dtype(dtype)] * 2 / 1e9
    for label, size in (("1 MB", 2**20), ("256 MB", 2**28)):
        for n in counts:
            repeats = 2**28 // size
            for what, call in (("copy of", _copy_call), ("in-place pass over", _update_call)):
                name = f"{what} {label}, {_threads(n)}, GB/s"
                calls[name] = _spread_over(n, [call(size // n, repeats) for _ in range(n)])
                work[name] = 2 * size * repeats / 1e9
    found: dict[str, float] = {}
    for name, times in in_turn(calls, rounds, least).items():
        key = name.removesuffix(" (4 × 2)")
        found[key] = max(found.get(key, 0.0), work[name] / times.median)
    return found


_TURNS = 200_000


def _flops_call(kernel: Callable[..., None], dtype: Any) -> Callable[[int], None]:
    values, out = np.full(256, 1e-3, dtype), np.empty(16 * 64, dtype)
    return lambda passes: kernel(_TURNS * passes, values, out, 64)


def _copy_call(size: int, repeats: int) -> Callable[[int], None]:
    source, target = np.ones(size // 8), np.zeros(size // 8)

    def copy(passes: int) -> None:
        for _ in range(passes * repeats):
            np.copyto(target, source)

    return copy


def _update_call(size: int, repeats: int) -> Callable[[int], None]:
    values = np.ones(size // 4, np.float32)

    def update(passes: int) -> None:
        for _ in range(passes * repeats):
            np.multiply(values, np.float32(1), out=values)

    return update


def _spread_over(n: int, calls: list[Callable[[int], None]]) -> Callable[[int], None]:
    """All calls at once, each on a thread of its own (they hold no GIL)."""
    if n == 1:
        return calls[0]

    def run(passes: int) -> None:
        workers = [threading.Thread(target=call, args=(passes,)) for call in calls]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    return run


def warning(found: dict[str, float], threads: int) -> str:
    """What makes a measurement doubtful: threads that get less than a processor each. Empty: nothing does."""
    gain = peak(found, "float32", threads) / peak(found, "float32", 1)
    if gain > 0.8 * threads:
        return ""
    return (
        f"{threads} threads made {gain:.2f} times the multiply-adds of one: the processors were busy with other "
        "programs, or share their arithmetic; figures of several threads say little"
    )


def peak(found: dict[str, float], dtype: str, threads: int) -> float:
    """FLOP/s of so many threads."""
    return found[f"multiply-adds, {dtype}, {_threads(threads)}, GFLOP/s"] * 1e9


def pass_rate(found: dict[str, float], nbytes: float) -> float:
    """Bytes a second, read or written, of one thread that changes arrays in place, within the caches or beyond."""
    return found[f"in-place pass over {'1 MB' if nbytes < 2**22 else '256 MB'}, 1 thread, GB/s"] * 1e9


def _threads(n: int) -> str:
    return "1 thread" if n == 1 else f"{n} threads"
