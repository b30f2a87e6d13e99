"""The one place that owns Numba's options, the cache of compiled kernels and the threading layer.

Numba's own cache misses edits in functions imported from other files, ignores compile options and can mix entries
when two processes write at once. Here every kernel is stored in one file of its own, in a folder whose name is the
digest of *all* kernel sources, the options, the versions and the processor: an edit or an upgrade opens another
folder, so stale code can't be found; a file is written beside its place and moved there, so readers see all of it or
none; what can't be read is compiled again.
"""

import gc
import hashlib
import importlib
import os
import pickle
import platform
import re
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import llvmlite.binding
import numba
from numba.core import compiler, serialize, sigutils, types
from numba.core.caching import _Cache
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler_lock import global_compiler_lock

from neuronsim.errors import CompileWarning, SettingError

if numba.config.DISABLE_JIT:
    raise SettingError("NUMBA_DISABLE_JIT=1: neuronsim's kernels only run compiled; unset it (set it to 0)")

# Threads that wait for the next parallel region spin for ever by default: on a machine that is busy elsewhere too,
# each step then waits for a whole time slice (12 ms against 0.8 ms). libgomp reads this when Numba loads it.
os.environ.setdefault("GOMP_SPINCOUNT", "5000")

#: The same for every kernel: a callee without an option of its own would inherit its caller's. No fastmath at all:
#: explicit lanes lose nothing without it, and the bits stay the same everywhere. NumPy's division (no
#: ZeroDivisionError) lets LLVM keep loops in vectors. Kernels allocate nothing, so arrays need no reference counts:
#: with them, each field taken from a tuple is two atomic operations (a 2-3-1 sample took 4.4 µs, now 0.5).
OPTIONS: dict[str, Any] = {
    "error_model": "numpy",
    "fastmath": False,
    "boundscheck": False,
    "nogil": True,
    "_nrt": False,
}

COMPILING = "neuronsim: compiling kernels for some seconds; they are kept for the next time …\n"
COMPILING_UNKEPT = "neuronsim: compiling kernels for some seconds …\n"


def _say_compiling() -> None:
    with suppress(Exception):  # there is no stderr, or it is closed
        sys.stderr.write(COMPILING_UNKEPT if cache_folder() is None else COMPILING)
        sys.stderr.flush()


#: Called once a process, before the first compilation (not when everything comes from the cache): else the first fit
#: is silent for 5 to 15 s.
compile_listeners: list[Callable[[], None]] = [_say_compiling]

#: Held while a kernel that may open parallel regions runs: the ``workqueue`` layer aborts the process on concurrent
#: use.
PARALLEL = threading.RLock()

# Whether this process has opened a parallel region, and whether it is a child forked from one that had.
_regions = {"opened": False, "lost": False}


def opening_regions() -> threading.RLock:
    """`PARALLEL`, for a block that opens parallel regions."""
    _regions["opened"] = True
    return PARALLEL


def may_open_regions() -> bool:
    """Whether this process may: OpenMP's threads don't survive a fork, and the child would wait for them for ever."""
    return not _regions["lost"]


def _after_fork() -> None:
    global PARALLEL
    PARALLEL = threading.RLock()
    _regions["lost"] |= _regions["opened"]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

_F = TypeVar("_F", bound=Callable[..., Any])


def kernel(function: _F) -> _F:
    """Compile a function for one thread at its first call from Python; kernels that call it take it in as IR."""
    return _compile(function)


def inlined(function: _F) -> _F:
    """A kernel that LLVM must inline: for what runs once a sample, where passing tuples of arrays costs 100 ns."""
    return _compile(function, forceinline=True)


def leaf(function: _F) -> _F:
    """Compiled once, never inlined: kernels, and they alone, call it as it is.

    LLVM optimises what a kernel takes in again within each kernel; kept apart, large functions cost their compile
    time once: all kernels of one dtype took 38 s, then 17 s.
    """
    return _compile(function, apart=True)


def parallel_kernel(function: _F) -> _F:
    """A leaf whose ``prange`` loops are spread over threads."""
    return _compile(function, apart=True, parallel=True)


class _Entry(compiler.Compiler):  # type: ignore[misc]
    """What Python calls. No second way in for C: each unpacks all arrays, as much code as a small kernel itself."""

    _library = JITCodeLibrary

    def define_pipelines(self) -> Any:
        state = self.state
        state.library = self._library(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        state.flags.no_cfunc_wrapper = True
        return super().define_pipelines()


class _Leaf(_Entry):
    """What kernels call: no way in from Python either."""

    def define_pipelines(self) -> Any:
        self.state.flags.no_cpython_wrapper = True
        return super().define_pipelines()


class _PartLibrary(JITCodeLibrary):  # type: ignore[misc]
    """LLVM IR to be linked into a kernel, which is optimised and turned into machine code as a whole."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


class _Part(_Leaf):
    """What kernels take in: else Numba makes optimised machine code of each function, in it all that it calls.

    A first fit's kernels took 12 to 14 s, now 6 to 8 s.
    """

    _library = _PartLibrary

    def define_pipelines(self) -> Any:
        self.state.flags.no_compile = True
        return super().define_pipelines()


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Keep Python from looking for garbage: while kernels are compiled that is 8 % of the time, for 65 MB."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


# How many kernels are being compiled, each because the one before calls it; guarded by Numba's compiler lock.
_depth = 0


def _compile(function: _F, apart: bool = False, forceinline: bool = False, parallel: bool = False) -> _F:
    dispatcher = numba.njit(pipeline_class=_Leaf, parallel=parallel, forceinline=forceinline, **OPTIONS)(function)
    name = f"{function.__module__}.{function.__qualname__}"
    dispatcher._cache = KernelCache(name)
    compile_whole, call_template = dispatcher.compile, dispatcher.get_call_template

    def add_for_kernels(compiled: Any) -> None:
        # Python must not find it: it would call an address of 0
        dispatcher.overloads[tuple(compiled.signature.args)] = compiled

    def compile_part(arguments: tuple[types.Type, ...]) -> None:
        dispatcher._compiler.pipeline_class = _Part
        compiled = dispatcher._compiler.compile(arguments, None)
        compiled = compiled._replace(entry_point=compiled.library)  # what Numba finds it by; nothing to call
        compiled.target_context.insert_user_function(compiled.library, compiled.fndesc, [compiled.library])
        add_for_kernels(compiled)

    def compile_kernel(arguments: tuple[types.Type, ...]) -> None:
        dispatcher._compiler.pipeline_class = _Entry
        dispatcher.overloads.pop(arguments, None)  # only a part so far
        compile_whole(arguments)

    def compile_leaf(arguments: tuple[types.Type, ...]) -> None:
        compile_whole(arguments)
        _keep_apart(name, dispatcher.overloads[arguments])

    def compile_once(sig: Any) -> Any:
        global _depth
        arguments, _ = sigutils.normalize_signature(sig)
        arguments = tuple(types.unliteral(a) for a in arguments)
        with global_compiler_lock:
            inner = _depth > 0
            if apart and not inner:
                raise TypeError(f"{name} is a leaf: only kernels can call it")
            known = dispatcher.overloads.get(arguments)
            if known is None or (not inner and known.entry_point is known.library):
                _depth += 1
                try:
                    with nullcontext() if inner else _no_garbage():
                        (compile_leaf if apart else compile_part if inner else compile_kernel)(arguments)
                finally:
                    _depth -= 1
            return dispatcher.overloads[arguments].entry_point

    def template_without_literals(args: Any, kws: Any) -> Any:
        # else each constant argument would compile a version of its own
        return call_template(tuple(types.unliteral(a) for a in args), kws)

    dispatcher.compile, dispatcher.get_call_template = compile_once, template_without_literals
    if apart:
        _leaves[name], dispatcher.add_overload = dispatcher, add_for_kernels
    return cast(_F, dispatcher)


# Leaves by name, and by the symbol under which compiled callers look for them: (name, argument types).
_leaves: dict[str, Any] = {}
_symbols: dict[str, tuple[str, Any]] = {}


def _keep_apart(name: str, compiled: Any) -> None:
    """Publish a leaf's machine code under its symbol, and let callers refer to that instead of linking the code."""
    symbol = compiled.fndesc.llvm_func_name
    llvmlite.binding.add_symbol(symbol, compiled.library.get_pointer_to_function(symbol))
    _symbols[symbol] = (name, compiled.signature.args)
    context = compiled.target_context
    context.remove_user_function(compiled.entry_point)
    context.insert_user_function(compiled.entry_point, compiled.fndesc, ())


def _leaves_of(library: Any) -> list[tuple[str, str, Any]]:
    """(symbol, leaf, argument types) of every leaf that compiled code calls."""
    declared = re.findall(r'^declare [^@\n]*@"?([^"(\s]+)"?\(', library.get_llvm_str(), re.MULTILINE)
    return [(symbol, *_symbols[symbol]) for symbol in declared if symbol in _symbols]


def _has_leaves(needed: list[tuple[str, str, Any]]) -> bool:
    """Load the leaves that cached code calls; False if one is not what that code was compiled against."""
    for symbol, name, arguments in needed:
        importlib.import_module(name.rpartition(".")[0])
        _leaves[name].compile(arguments)
        if symbol not in _symbols:
            return False
    return True


@cache
def source_digest() -> str:
    """Digest of everything that decides what a kernel compiles to, but its argument types and the processor."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    for path in sorted(folder.rglob("*.py")):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes() + b"\0")
    versions = (numba.__version__, llvmlite.__version__, platform.python_version(), platform.machine())
    digest.update(repr((sorted(OPTIONS.items()), versions)).encode())
    return digest.hexdigest()[:24]


@cache
def cache_folder() -> Path | None:
    """Where compiled kernels lie, or None (with one warning) where nothing is writable.

    The first writable of: ``NUMBA_CACHE_DIR``; ``__pycache__`` beside the kernels; the user's cache folder.
    """
    for base in _cache_bases():
        folder = base / "neuronsim-kernels" / source_digest()
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
    warnings.warn(
        "no writable place for compiled kernels: they are compiled anew in each process; set NUMBA_CACHE_DIR to a "
        "writable folder to keep them",
        CompileWarning,
        stacklevel=2,
    )
    return None


def _cache_bases() -> Iterator[Path]:
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(chosen)
        return
    yield Path(__file__).parent / "__pycache__"
    with suppress(RuntimeError):  # there is no home: HOME is unset, and the user's number is in no list
        yield Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


_announced = threading.Event()


def _announce() -> None:
    if not _announced.is_set():
        _announced.set()
        for listener in compile_listeners:
            listener()


def _checksum(path: Path, payload: bytes) -> bytes:
    """Digest of a file's content and its place: valid content at another kernel's or version's place is not read."""
    return hashlib.sha256(f"{path.parent.name}/{path.name}".encode() + b"\0" + payload).digest()


class KernelCache(_Cache):  # type: ignore[misc]
    """One kernel's compiled forms on disk: a file for each signature and processor, its checksum first."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._enabled = True

    @property
    def cache_path(self) -> str | None:
        """The folder, as Numba asks for it."""
        folder = cache_folder()
        return None if folder is None else str(folder)

    def enable(self) -> None:
        """Use the cache (the default)."""
        self._enabled = True

    def disable(self) -> None:
        """Compile anew, store nothing."""
        self._enabled = False

    def flush(self) -> None:
        """Forget this kernel's files."""
        folder = cache_folder()
        for path in folder.glob(f"{self._name}-*") if folder else ():
            path.unlink(missing_ok=True)

    def _path(self, sig: Any, codegen: Any) -> Path | None:
        folder = cache_folder()
        if folder is None or not self._enabled:
            return None
        key = hashlib.sha256(repr((str(sig), codegen.magic_tuple())).encode()).hexdigest()[:24]
        return folder / f"{self._name}-{key}.bin"

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled form from disk; None where there is none or it can't be read."""
        target_context.refresh()
        path = self._path(sig, target_context.codegen())
        if path is not None:
            with suppress(Exception):
                stored = path.read_bytes()
                checksum, payload = stored[:32], stored[32:]
                if _checksum(path, payload) == checksum:
                    needed, reduced = pickle.loads(payload)
                    if _has_leaves(needed):
                        return compiler.CompileResult._rebuild(target_context, *reduced)
        _announce()
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Write the compiled form beside its place, then move it there. A full disk costs the cache, not the run."""
        path = self._path(sig, data.codegen)
        if path is None or data.library.has_dynamic_globals or any(not lifted.can_cache for lifted in data.lifted):
            return
        payload = serialize.dumps((_leaves_of(data.library), data._reduce()))
        temporary = None
        with suppress(OSError):
            descriptor, temporary = tempfile.mkstemp(dir=path.parent)
            with os.fdopen(descriptor, "wb") as file:
                file.write(_checksum(path, payload) + payload)
            os.replace(temporary, path)
            return
        if temporary:
            Path(temporary).unlink(missing_ok=True)


@cache
def region_seconds() -> float:
    """About what opening and closing a parallel region costs: 1 µs with OpenMP, 83 µs with ``workqueue``."""
    if numba.config.THREADING_LAYER != "workqueue":
        with suppress(ImportError):
            from numba.np.ufunc import omppool  # noqa: F401

            return 1e-6
    return 83e-6


def most_threads() -> int:
    """How many there are."""
    return int(numba.config.NUMBA_NUM_THREADS)


def worthwhile_threads(multiply_adds: float) -> int:
    """How many threads so many multiply-adds, in two parallel regions, are worth."""
    # 20 billion a second is what one core does on a poor day; a thread should have ten times the region's cost to do
    seconds = multiply_adds / 20e9
    return int(max(1, min(numba.config.NUMBA_NUM_THREADS, seconds / (20 * region_seconds()))))


# Now, before a source can be edited behind the process's back.
source_digest()
