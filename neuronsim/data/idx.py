"""IDX files, the format of MNIST: a magic number, the sizes, then the numbers, big-endian; gzipped or not."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.checked import file_path
from neuronsim.errors import FileError

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"
_MOST_DIMENSIONS = 64  # what a NumPy array can have
_MOST_INFLATED = 1032  # bytes that one byte of gzip can become
_CHUNK = 1 << 20


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """The array in an IDX file.

    Parameters
    ----------
    path : str or path
        The file; gzip is recognised by its content, whatever the name says.

    Returns
    -------
    array
        Of the shape and type that the file declares (unsigned or signed bytes, 16- or 32-bit integers,
        32- or 64-bit floats), in the machine's own byte order, writable.

    Raises
    ------
    FileError
        The file is missing, truncated, damaged, longer than it declares, or no IDX file.
    """
    file = file_path(path)
    try:
        with file.open("rb") as raw:
            size, zipped = os.fstat(raw.fileno()).st_size, raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            if not zipped:
                return _read(raw, path, size)
            with gzip.GzipFile(fileobj=raw) as content:
                return _read(content, path, size * _MOST_INFLATED)
    except FileNotFoundError:
        raise FileError(f"there is no file {path}; check the path and the directory") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as problem:
        raise FileError(f"{path} is a truncated or damaged gzip file: {problem}") from None
    except OSError as problem:
        raise FileError(f"{path} cannot be read: {problem.strerror}") from None


def _read(content: BinaryIO | gzip.GzipFile, path: str | os.PathLike[str], most: int) -> NDArray[Any]:
    """The array; ``content`` cannot have more than ``most`` bytes, so that nothing larger is made room for."""
    head = content.read(4)
    if len(head) < 4:
        raise FileError(f"{path} has {len(head)} bytes, too few for an IDX file: it may be truncated")
    zeros, code, n_dimensions = struct.unpack(">HBB", head)
    if zeros != 0 or code not in _TYPES or not 1 <= n_dimensions <= _MOST_DIMENSIONS:
        raise FileError(
            f"{path} is not an IDX file: it begins with {head.hex(' ')}, an IDX file with 00 00, "
            f"a type ({', '.join(f'{code:02x}' for code in _TYPES)}) and a number of dimensions"
        )
    sizes = content.read(4 * n_dimensions)
    if len(sizes) < 4 * n_dimensions:
        raise FileError(f"{path} is truncated: it ends within the sizes of its {n_dimensions} dimensions")
    shape, dtype = struct.unpack(f">{n_dimensions}I", sizes), np.dtype(_TYPES[code])
    declared, written = math.prod(shape) * dtype.itemsize, " x ".join(map(str, shape))
    if not declared and not content.read(1):
        raise FileError(f"{path} holds no number: its sizes are {written}")
    takes = f"{written} numbers take {declared} bytes"
    if declared > most:
        raise FileError(f"{path} is truncated: {takes}, and a file of its size holds at most {most}")
    numbers = np.empty(math.prod(shape), dtype)
    present = _fill(numbers.view(np.uint8).data, content)
    if present < declared:
        raise FileError(f"{path} is truncated: {takes}, there are {present}")
    if content.read(1):
        raise FileError(f"{path} is longer than it declares: {takes}, there are more")
    return numbers.astype(dtype.newbyteorder("="), copy=False).reshape(shape)


def _fill(room: memoryview, content: BinaryIO | gzip.GzipFile) -> int:
    """Read until ``room`` is full or the content ends; how many bytes there were."""
    present = 0
    while present < len(room):
        part = content.read(min(len(room) - present, _CHUNK))
        if not part:
            break
        room[present : present + len(part)] = part
        present += len(part)
    return present
