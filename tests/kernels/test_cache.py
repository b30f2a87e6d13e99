"""The cache of compiled kernels: damage, places that can't be written, other processes, edits.

Each case runs in processes of its own, on kernels that compile in a moment.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import neuronsim as ns
from neuronsim.kernels.batch import steps as batch
from neuronsim.kernels.jit import COMPILING, COMPILING_UNKEPT
from neuronsim.kernels.online import steps as online

PACKAGE = Path(ns.__file__).parent

PROBE = """
import numpy as np
from neuronsim.kernels.jit import kernel, leaf

FACTOR = 2.0


@leaf
def scaled(x, n):
    return x * FACTOR + n


@kernel
def total(values, n):
    result = 0.0
    for i in range(values.size):
        result += scaled(values[i], n)
    return result
"""

# Prints results, how often compiling was announced, and all warnings.
RUN = """
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import numpy as np
    from neuronsim.kernels import jit, planning
    announced = []
    jit.compile_listeners.append(lambda: announced.append(1))
    import probe
    level, path, progress = planning.work_arrays(3)
    row_start, sources = np.array([0, 0, 1, 3]), np.array([0, 0, 1], np.int32)
    found = planning.find_levels(row_start, sources, level, path, progress)
    print("levels", found, *level)
    print("total", probe.total(np.array([1.0, 2.0, 3.0]), 1), probe.total(np.ones(2, np.float32), 2))
    print("overloads", len(probe.total.overloads), len(probe.scaled.overloads))
print("announced", len(announced))
print("warnings", [w.category.__name__ + ": " + str(w.message) for w in caught])
"""
RIGHT = ["levels -1 0 1 2", "total 15.0 8.0", "overloads 2 2"]


class Place:
    """A cache folder, and processes that use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        self.probe = folder / "probe.py"
        self.probe.write_text(PROBE)
        self.package = PACKAGE.parent

    def start(self, script: str = RUN, settings: dict[str, str] | None = None) -> subprocess.Popen[str]:
        variables = {
            "NUMBA_CACHE_DIR": str(self.cache),
            "PYTHONPATH": os.pathsep.join([str(self.package), str(self.folder)]),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        variables = os.environ | variables | (settings or {})
        command = [sys.executable, "-c", script]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=variables, cwd=self.folder, stdout=pipe, stderr=pipe, text=True)

    @staticmethod
    def lines(process: subprocess.Popen[str]) -> list[str]:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert err in ("", COMPILING, COMPILING_UNKEPT)
        if "announced" in out:
            assert bool(err) is ("announced 1" in out)
        return out.splitlines()

    def run(self, script: str = RUN) -> list[str]:
        return self.lines(self.start(script))

    def files(self, name: str = "") -> list[Path]:
        return sorted(self.cache.glob(f"neuronsim-kernels/*/{name}*.bin"))


COMPILED = ["announced 1", "warnings []"]
LOADED = ["announced 0", "warnings []"]


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("warm"))
    assert place.run() == [*RIGHT, *COMPILED]
    return place


@pytest.fixture
def place(warm: Place, tmp_path: Path) -> Place:
    """A copy of a warm cache."""
    copy = Place(tmp_path)
    shutil.copytree(warm.cache, copy.cache)
    return copy


def test_a_warm_cache_compiles_nothing(place: Place):
    assert [path.name.split("-")[0] for path in place.files()] == [
        "neuronsim.kernels.planning.find_levels",
        *["probe.scaled"] * 2,
        *["probe.total"] * 2,
    ]
    before = {path: path.read_bytes() for path in place.files()}
    assert place.run() == [*RIGHT, *LOADED]
    assert {path: path.read_bytes() for path in place.files()} == before


def flipped(position: float) -> Callable[[bytes], bytes]:
    def flip(stored: bytes) -> bytes:
        at = int(position * (len(stored) - 1))
        return stored[:at] + bytes([stored[at] ^ 0x10]) + stored[at + 1 :]

    return flip


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda stored: b"",
    "cut in half": lambda stored: stored[: len(stored) // 2],
    "the last byte lost": lambda stored: stored[:-1],
    "a bit flipped in the checksum": flipped(0.0),
    "a bit flipped in the middle": flipped(0.5),
    "a bit flipped at the end": flipped(1.0),
    "something else": lambda stored: b"GIF89a" * 100,
}


@pytest.mark.parametrize("damage", list(DAMAGE))
def test_damaged_files_are_compiled_again(damage: str, place: Place):
    sizes = [path.stat().st_size for path in place.files()]
    for path in place.files():
        path.write_bytes(DAMAGE[damage](path.read_bytes()))
    assert place.run() == [*RIGHT, *COMPILED]
    assert [path.stat().st_size for path in place.files()] == pytest.approx(sizes, rel=0.1)  # mended
    if damage == "emptied":
        assert place.run() == [*RIGHT, *LOADED]


@pytest.mark.parametrize("name", ["probe.scaled", "probe.total", "neuronsim.kernels.planning"])
def test_one_file_lost(name: str, place: Place):
    """A caller finds the leaf that it calls, and the other way round, wherever each comes from."""
    for path in place.files(name):
        path.unlink()
    assert place.run() == [*RIGHT, *COMPILED]
    assert place.run() == [*RIGHT, *LOADED]


def test_a_valid_file_at_another_kernels_place(place: Place):
    before = {path: path.read_bytes() for path in place.files()}
    paths = list(before)
    for path, other in zip(paths, paths[1:] + paths[:1], strict=True):
        path.write_bytes(before[other])
    assert place.run() == [*RIGHT, *COMPILED]
    assert place.run() == [*RIGHT, *LOADED]


def test_valid_files_at_another_versions_place(place: Place):
    paths = place.files()
    assert place.run("import numba\nnumba.__version__ += '.1'\n" + RUN) == [*RIGHT, *COMPILED]
    others = [path for path in place.files() if path not in paths]
    assert [path.name for path in others] == [path.name for path in paths]
    for other, path in zip(others, paths, strict=True):
        shutil.copy(other, path)
    assert place.run() == [*RIGHT, *COMPILED]


def test_no_half_written_files_are_left(place: Place):
    (folder,) = {path.parent for path in place.files()}
    assert {path.suffix for path in folder.iterdir()} == {".bin"}


def test_a_place_that_cannot_be_written(place: Place):
    shutil.rmtree(place.cache)
    place.cache.write_text("a file where a folder should be")
    *results, announced, warned = place.run()
    assert [*results, announced] == [*RIGHT, "announced 1"]
    assert warned.count("CompileWarning") == 1
    assert warned.count("Warning: ") == 1
    assert "set NUMBA_CACHE_DIR to a writable folder" in warned


def test_a_folder_that_vanishes_meanwhile(place: Place):
    """Compiled, but not kept; the next process keeps it again."""
    vanish = RUN.replace("    import probe\n", "    import probe, shutil\n    shutil.rmtree(jit.cache_folder())\n")
    assert vanish != RUN
    assert place.run(vanish) == [*RIGHT, *COMPILED]
    assert place.run() == [*RIGHT, *COMPILED]
    assert place.run() == [*RIGHT, *LOADED]


def test_processes_that_compile_at_once(tmp_path: Path):
    place = Place(tmp_path)
    both = [place.start(), place.start()]
    for process in both:
        assert place.lines(process)[:3] == RIGHT
    # a caller of one process may stand beside a leaf of the other: both are then compiled once more
    assert place.run()[:3] == RIGHT
    assert place.run() == [*RIGHT, *LOADED]


# A kernel that another one takes in has no machine code of its own until Python calls it too.
PART = """
import numpy as np
from neuronsim.kernels.jit import kernel, leaf


@kernel
def half(x):
    return x / 2


@leaf
def quarter(x):
    return half(x) / 2


@kernel
def eighth(x):
    return quarter(half(x))
"""
RUN_PART = """
import part
from neuronsim.kernels import jit
announced = []
jit.compile_listeners.append(lambda: announced.append(1))
print(*[getattr(part, name)(4.0) for name in {names}], len(announced))
try:
    part.quarter(4.0)
except TypeError as error:
    print(error)
"""


@pytest.mark.parametrize("names", [["half", "eighth", "half"], ["eighth", "half"]], ids=" ".join)
def test_a_kernel_that_kernels_and_python_call(names: list[str], tmp_path: Path):
    place = Place(tmp_path)
    (tmp_path / "part.py").write_text(PART)
    values = [{"half": 2.0, "eighth": 0.5}[name] for name in names]
    refused = "part.quarter is a leaf: only kernels can call it"
    script = RUN_PART.format(names=names)
    assert place.run(script) == [" ".join(map(str, [*values, 1])), refused]
    assert [path.name.split("-")[0] for path in place.files()] == ["part.eighth", "part.half", "part.quarter"]
    assert place.run(script) == [" ".join(map(str, [*values, 0])), refused]
    for path in place.files("part.eighth"):
        path.unlink()
    assert place.run(script) == [" ".join(map(str, [*values, 1])), refused]


def test_flush_forgets(place: Place):
    forget = RUN.replace("    import probe\n", "    import probe\n    probe.total._cache.flush()\n")
    assert place.run(forget) == [*RIGHT, *COMPILED]
    disabled = RUN.replace("    import probe\n", "    import probe\n    probe.total._cache.disable()\n")
    before = {path: path.stat().st_mtime_ns for path in place.files()}
    assert place.run(disabled) == [*RIGHT, *COMPILED]
    assert {path: path.stat().st_mtime_ns for path in place.files()} == before


class TestEdits:
    """On a copy of the package with a kernel that reads a constant from another file."""

    SCRIPT = """
from neuronsim.kernels import jit, probe
announced = []
jit.compile_listeners.append(lambda: announced.append(1))
print(probe.leak(10.0), len(announced), jit.source_digest())
"""

    @pytest.fixture
    def copied(self, tmp_path: Path) -> Place:
        place = Place(tmp_path)
        place.package = tmp_path / "src"
        shutil.copytree(PACKAGE, place.package / "neuronsim", ignore=shutil.ignore_patterns("__pycache__"))
        (place.package / "neuronsim" / "kernels" / "probe.py").write_text(
            "from neuronsim.kernels.activations import LEAK\n"
            "from neuronsim.kernels.jit import kernel\n\n\n"
            "@kernel\ndef leak(x):\n    return x * LEAK\n"
        )
        return place

    def edit(self, place: Place, name: str, old: str, new: str) -> None:
        path = place.package / "neuronsim" / "kernels" / name
        text, n = re.subn(old, new, path.read_text())
        assert n == 1
        path.write_text(text)

    def once(self, place: Place) -> tuple[float, int, str]:
        (line,) = place.run(self.SCRIPT)
        value, announced, digest = line.split()
        return float(value), int(announced), digest

    def test_an_edit_in_an_imported_file_is_seen(self, copied: Place):
        value, announced, digest = self.once(copied)
        assert (value, announced) == (0.1, 1)
        assert self.once(copied) == (0.1, 0, digest)
        self.edit(copied, "activations.py", r"\nLEAK = 0\.01\n", "\nLEAK = 0.03\n")
        value, announced, other = self.once(copied)
        assert (value, announced) == (0.3, 1)
        assert other != digest
        self.edit(copied, "activations.py", r"\nLEAK = 0\.03\n", "\nLEAK = 0.01\n")
        assert self.once(copied) == (0.1, 0, digest)

    def test_options_and_tile_shapes_decide_too(self, copied: Place):
        digests = {self.once(copied)[2]}
        self.edit(copied, "jit.py", '"fastmath": False', '"fastmath": True')
        digests.add(self.once(copied)[2])
        self.edit(copied, "shapes.py", r"ONLINE_ROWS = \d+", "ONLINE_ROWS = 2")
        digests.add(self.once(copied)[2])
        assert len(digests) == 3

    @pytest.mark.parametrize("package", ["numba", "llvmlite"])
    def test_an_upgrade_is_seen(self, package: str, copied: Place):
        before = self.once(copied)
        upgraded = f"import numba, llvmlite\n{package}.__version__ += '.1'\n" + self.SCRIPT
        (line,) = copied.run(upgraded)
        assert line.startswith("0.1 1 ")
        assert not line.endswith(before[2])
        assert self.once(copied) == (*before[:1], 0, *before[2:])

    @pytest.mark.parametrize("home", [True, False], ids=["a home", "no home"])
    def test_a_read_only_installation(self, home: bool, copied: Place, tmp_path: Path):
        """What is compiled lies in the user's cache folder, or else nowhere: with a warning, and compiled again."""
        kernels = copied.package / "neuronsim" / "kernels"
        (kernels / "__pycache__").write_text("")  # root may write wherever it likes, but not into this
        kernels.chmod(0o555)
        (tmp_path / "user").mkdir() if home else (tmp_path / "user").write_text("")
        variables = {"NUMBA_CACHE_DIR": "", "XDG_CACHE_HOME": str(tmp_path / "user")}
        for announced in ("1", "0" if home else "1"):
            process = copied.start(self.SCRIPT, variables)
            out, err = process.communicate(timeout=120)
            assert process.returncode == 0, err
            assert out.split()[:2] == ["0.1", announced]
            assert ("no writable place for compiled kernels" in err) is not home
            assert ("kept for the next time" in err) is (home and announced == "1")
        kernels.chmod(0o755)
        assert len(list(tmp_path.glob("user/neuronsim-kernels/*/*.bin"))) == home

    def test_files_of_other_parts_do_not(self, copied: Place):
        before = self.once(copied)
        path = copied.package / "neuronsim" / "graph" / "plan.py"
        path.write_text(path.read_text() + "\n# an edit\n")
        assert self.once(copied) == (*before[:1], 0, *before[2:])


ENTRIES = [
    online.train_online,
    batch.train_batches,
    batch.block_samples,
    batch.block_neurons,
    batch.process_samples,
    batch.update_neurons,
    batch.squared_norm,
    batch.update_all,
]


def versions() -> list[int]:
    return [len(entry.overloads) for entry in ENTRIES]


def read_only(values: np.ndarray) -> np.ndarray:
    values = values.copy()
    values.flags.writeable = False
    return values


def unaligned(values: np.ndarray) -> np.ndarray:
    raw = np.zeros(values.nbytes + 1, np.uint8)
    raw[1:] = np.frombuffer(values.tobytes(), np.uint8)
    return raw[1:].view(values.dtype).reshape(values.shape)


class TestVersions:
    """Once a network of a dtype has run, nothing that a caller varies compiles another version."""

    X = np.random.default_rng(0).normal(size=(6, 3))
    T = np.random.default_rng(1).random(size=(6, 2)) / 2
    CLASSES = np.arange(6, dtype=np.int32) % 2

    @pytest.fixture
    def net(self) -> ns.Network:
        net = ns.wiring.layered([3, 4, 2], output="softmax", rng=0)
        for size in (1, 4):
            net.fit(self.X, self.T, batch_size=size)
        net.gradients(self.X, self.T)
        return net

    @pytest.mark.parametrize(
        "settings",
        [
            {"clip_norm": 1.0, "clip_value": 1},
            {"clip_norm": 1},
            {"clip_norm": np.float32(1)},
            {"learning_rate": 1, "weight_decay": 0},
            {"learning_rate": np.float32(0.1), "weight_decay": np.float32(0.5)},
            {"reduction": "sum", "epochs": np.int64(2), "rng": np.int32(1)},
            {"optimizer": "adam", "learning_rate": ns.schedules.Cosine(1, 5, per="step")},
            {"optimizer": "rprop", "loss": "huber", "evaluate": True},
            {"stop": ns.stop.GradientNorm(0), "shuffle": False},
        ],
        ids=str,
    )
    def test_settings(self, settings: dict[str, object], net: ns.Network):
        before = versions()
        for size in (1, 4, np.int64(3), None):
            net.fit(self.X, self.T, batch_size=size, **settings)
        assert versions() == before

    def test_calls(self, net: ns.Network):
        before = versions()
        X, T = self.X, self.T
        net.forward(X)
        net.forward(X[0])
        net.jacobian(X)
        net.evaluate(X, self.CLASSES)
        net.step(X[0], T[0], learning_rate=1)
        net.step(X[0], 1)
        net.check(X[:1], T[:1])
        net.freeze("h1.0")
        net.fit(X.astype(">f8"), T.tolist(), batch_size=2)
        net.fit(np.asfortranarray(X), T[:, ::-1][::-1], batch_size=2)
        net.fit(X.astype(np.float32), self.CLASSES.astype(np.uint8))
        net.add_neuron("late", ["x*"], activation="prelu")
        net.fit(X, self.CLASSES, batch_size=3)
        assert versions() == before

    @pytest.mark.parametrize("unusual", [read_only, unaligned])
    def test_memory_of_another_kind(self, unusual: Callable[[np.ndarray], np.ndarray], net: ns.Network):
        before = versions()
        net.forward(unusual(self.X))
        for size in (1, 4):
            net.fit(self.X, unusual(self.CLASSES), batch_size=size)
        assert versions() == before


def test_a_user_who_has_no_home(place: Place, monkeypatch: pytest.MonkeyPatch):
    """HOME unset and a uid that no password file knows, as in many containers: the other places are tried."""
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    unknown = """
import pwd
def getpwuid(uid):
    raise KeyError(uid)
pwd.getpwuid = getpwuid
"""
    assert place.run(unknown + RUN) == [*RIGHT, *LOADED]
    out, err = place.start(unknown + RUN, {"NUMBA_CACHE_DIR": ""}).communicate(timeout=120)
    assert out.splitlines()[:3] == RIGHT
    assert err in ("", COMPILING)


def test_without_compilation_it_says_so(place: Place):
    """Kernels read memory as only compiled code can: NUMBA_DISABLE_JIT leaves nothing that could run."""
    process = place.start("import neuronsim.network", {"NUMBA_DISABLE_JIT": "1"})
    _, err = process.communicate(timeout=120)
    assert err.splitlines()[-1].startswith("neuronsim.errors.SettingError: NUMBA_DISABLE_JIT=1")
    assert "unset it" in err
