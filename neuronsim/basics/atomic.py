"""Files written whole or not at all: beside their place first, then moved there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from neuronsim.errors import FileError


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path to write to in place of ``path``, moved there at the end of the block.

    If the block fails, what was at ``path`` is untouched and nothing is left beside it.

    Raises
    ------
    FileError
        The folder does not exist, the disk is full, or the like.
    """
    path = Path(path)
    beside = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        beside.touch()
        usual_mode = beside.stat().st_mode
        yield beside
        beside.chmod(usual_mode)  # some writers make files that only their owner can read
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as problem:
        raise FileError(f"{path} cannot be written: {problem.strerror or problem}") from problem
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
