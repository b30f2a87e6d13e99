"""A lock that a process holds on a directory, and that is taken over when the process is gone."""

import json
import os
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from neuronsim.basics.atomic import is_alive
from neuronsim.basics.jsonfile import read_or_nothing
from neuronsim.errors import FileError


@contextmanager
def locked(lock: Path) -> Iterator[None]:
    """Hold a lock: a file that only one process can make; that of a process of this machine that is gone is taken over.

    Parameters
    ----------
    lock : Path
        In the directory that it stands for.

    Raises
    ------
    FileError
        Another process holds it, or the directory can't be written.
    """
    directory = lock.parent
    me = json.dumps({"host": platform.node(), "pid": os.getpid(), "start": time.time()})
    for _ in range(2):
        try:
            with lock.open("x", encoding="utf-8") as file:
                file.write(me)
            break
        except FileExistsError:
            holder = read_or_nothing(lock)
            if not _is_gone(holder):
                raise FileError(
                    f"{directory} is being written by process {holder.get('pid')} on {holder.get('host')}; "
                    f"wait for it, or, if it is gone, remove {lock}"
                ) from None
            lock.unlink(missing_ok=True)
        except OSError as problem:
            raise FileError(f"{directory} cannot be written: {problem.strerror or problem}") from None
    else:
        raise FileError(f"{directory} is being written by another process; wait for it")
    try:
        yield
    finally:
        with suppress(OSError):
            lock.unlink()


def _is_gone(holder: Mapping[str, Any]) -> bool:
    """Whether the process that holds a lock is one of this machine, and no more."""
    if holder.get("host") != platform.node() or not isinstance(holder.get("pid"), int):
        return not holder  # torn: its writer was killed while it wrote
    return not is_alive(holder["pid"])
