"""What a run is known by: a hash of everything that decides its bits, and of nothing else."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from neuronsim.errors import FileError
from neuronsim.storage.runs import digest as digest_of_file

#: Changes when bits do: kernels that sum in another order, another stream of random numbers. Old ids are void then.
NUMERICS = 1

# What stands in a file and decides no bit.
_NOT_OF_TRAINING = ("threads",)
_PATHS = ("directory", "csv", "test", "train")


def run_id(settings: Mapping[str, Any], folder: Path) -> str:
    """The first 16 hex digits of SHA-256 over the settings, the seed, the data's digests and `NUMERICS`.

    Parameters
    ----------
    settings : dict
        Of one run, checked, with its seed.
    folder : Path
        What its paths are relative to.

    Raises
    ------
    FileError
        A file that it names is not there.
    """
    data = {
        key: value for key, value in settings["data"].items() if key not in _PATHS or isinstance(value, int | float)
    }
    network = {key: value for key, value in settings["network"].items() if key != "file"}
    training = {key: value for key, value in settings.get("training", {}).items() if key not in _NOT_OF_TRAINING}
    decides = {
        "data": data,
        "network": network,
        "training": training,
        "seed": settings["seed"],
        "files": [digest(path) for path in files(settings, folder)],
        "numerics": NUMERICS,
    }
    canonical = json.dumps(decides, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def files(settings: Mapping[str, Any], folder: Path) -> Iterator[Path]:
    """The files that a run reads, in a fixed order."""
    if "file" in settings["network"]:
        yield folder / settings["network"]["file"]
    data = settings["data"]
    beside = folder / data.get("directory", "")
    for key in ("csv", "train", "test"):
        given = data.get(key)
        if isinstance(given, str):
            yield beside / given
        elif isinstance(given, dict):
            yield from (beside / given[part] for part in ("images", "labels"))


def digest(path: Path) -> str:
    """The SHA-256 of a file, computed once for as long as it does not change."""
    try:
        now = path.stat()
        return _digest(str(path), now.st_size, now.st_mtime_ns)
    except OSError as problem:
        raise FileError(f"{path} cannot be read: {problem.strerror or problem}") from None


@lru_cache(maxsize=256)
def _digest(path: str, size: int, changed: int) -> str:
    return digest_of_file(Path(path))
