"""Files written whole or not at all: beside their place first, then moved there."""

import os
import platform
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from neuronsim.errors import FileError

_HOST = re.sub(r"\W", "_", platform.node())[:32] or "here"
# Of a long name; with what is added it must stay within the 255 bytes that a file's name may have.
_STEM_CHARACTERS = 40


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path to write to in place of ``path``, moved there at the end of the block.

    If the block fails, what was at ``path`` is untouched and nothing is left beside it. A file that is replaced keeps
    its mode; of a symbolic link the file that it leads to is replaced. What an earlier process left beside the file
    when it was killed is removed.

    Raises
    ------
    FileError
        The folder does not exist, the disk is full, or the like; or there is a pipe, a device or a folder.
    """
    path = Path(path)
    try:
        target = Path(os.path.realpath(path))
        mode = _mode(path)
        _remove_left_over(target)
        beside = target.with_name(f"{_beginning(target)}{os.getpid()}.{secrets.token_hex(4)}.part{target.suffix}")
    except (OSError, ValueError) as problem:
        raise _refused(path, problem) from problem
    try:
        beside.touch(exist_ok=False)
        mode = beside.stat().st_mode if mode is None else mode
        yield beside
        beside.chmod(stat.S_IMODE(mode))  # some writers make files that only their owner can read
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(beside, target)
    except OSError as problem:
        raise _refused(path, problem) from problem
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def _refused(path: Path, problem: OSError | ValueError) -> FileError:
    return FileError(f"{path} cannot be written: {getattr(problem, 'strerror', None) or problem}")


def _mode(path: Path) -> int | None:
    """The mode of the file that is there; None where there is none.

    Raises
    ------
    FileError
        There is something that can't be replaced as a whole.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
        raise FileError(f"{path} cannot be written: it is {kind}, and no file; write to a file of its own")
    return mode


def _beginning(target: Path) -> str:
    """How the names of what is written in place of ``target`` by this machine's processes begin."""
    return f".{target.stem[:_STEM_CHARACTERS]}.{_HOST}."


def _remove_left_over(target: Path) -> None:
    """Remove what processes of this machine that are gone wrote in place of ``target``, and did not move there."""
    pattern = re.compile(re.escape(_beginning(target)) + r"(\d+)\.[0-9a-f]{8}\.part" + re.escape(target.suffix))
    for name in os.listdir(target.parent):
        found = pattern.fullmatch(name)
        if found and not is_alive(int(found[1])):
            with suppress(OSError):
                target.with_name(name).unlink()


def is_alive(process: int) -> bool:
    """Whether a process of this machine lives; where that can't be asked, it is believed to."""
    if os.name != "posix":  # elsewhere asking would end it
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # another user's
        return True
    return True
