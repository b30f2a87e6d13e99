"""One digest of trained parameters on every processor, for any number of threads and either threading layer.

Each run is a process of its own: what Numba, NumPy and glibc believe of the processor is set before they start.
"""

import os
import platform
import subprocess
import sys
import threading
from concurrent.futures import Future
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent

# A processor without AVX-512, and one without AVX2 and FMA: LLVM's target, NumPy's dispatch, glibc's variants of exp
# and log.
PROCESSORS = {
    "native": {},
    "avx2": {
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CPU_FEATURES": "+sse4.2,+avx,+avx2,+fma",
        "NPY_DISABLE_CPU_FEATURES": "X86_V4",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL",
    },
    "sse": {
        "NUMBA_CPU_NAME": "nehalem",
        "NUMBA_CPU_FEATURES": "+sse4.2",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX512F,-AVX512VL",
    },
}
x86_only = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="sets x86 features")


def _known_to_numpy(features: str) -> str:
    """Those of the features that this NumPy dispatches on and this processor has."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    return " ".join(f for f in features.split() if f in __cpu_dispatch__ and __cpu_features__.get(f))


#: The runs of other processors compile everything for them: a minute each, which begins before the first test does.
OTHERS = [(processor, threads, "workqueue") for processor in ("sse", "avx2") for threads in (1, 2)]
_begun: dict[tuple[str, int, str], Future[str]] = {}


def begin() -> None:
    """Make the runs of other processors one after the other, beside the other tests; conftest.py calls."""

    def run_all() -> None:
        for key in OTHERS:
            try:
                _begun[key].set_result(made(*key))
            except BaseException as problem:
                _begun[key].set_exception(problem)

    _begun.update((key, Future()) for key in OTHERS)
    threading.Thread(target=run_all, daemon=True).start()


@cache
def digest(processor: str, threads: int, layer: str) -> str:
    """What a run prints."""
    key = processor, threads, layer
    return _begun[key].result() if key in _begun else made(*key)


def made(processor: str, threads: int, layer: str) -> str:
    settings = dict(PROCESSORS[processor])
    if disabled := _known_to_numpy(settings.pop("NPY_DISABLE_CPU_FEATURES", "")):
        settings["NPY_DISABLE_CPU_FEATURES"] = disabled
    environment = os.environ | settings | {"NUMBA_THREADING_LAYER": layer, "NUMBA_NUM_THREADS": "2"}
    command = [sys.executable, str(HERE / "digest.py"), str(threads)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("layer", ["default", "workqueue"])
@pytest.mark.parametrize("threads", [1, 2])
def test_threads_and_threading_layers_change_no_bit(threads, layer):
    assert digest("native", threads, layer) == digest("native", 1, "default")


@x86_only
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("processor", ["avx2", "sse"])
def test_processors_change_no_bit(processor, threads):
    assert digest(processor, threads, "workqueue") == digest("native", 1, "default")


def test_the_digest_sees_every_part_of_every_run():
    """The first line is made of all parts; here they are one by one, and none is that of another run or untrained."""
    runs = [line.split()[1:] for line in digest("native", 1, "default").splitlines()[1:]]
    assert len(runs) == 2 * 9
    weights, biases, slopes, outputs, histories = map(list, zip(*runs, strict=True))
    for part in (weights, biases, outputs, histories):
        assert len(set(part)) == len(runs)
    assert len(set(slopes)) == 2 * (3 + 3)  # three runs learn slopes, the others' three nets keep theirs
