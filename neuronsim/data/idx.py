"""IDX files, the format of MNIST: a magic number, the sizes, then the numbers, big-endian; gzipped or not."""

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.checked import file_path
from neuronsim.errors import FileError

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"
_MOST_DIMENSIONS = 64  # what a NumPy array can have


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
    content = _unzipped(file_path(path))
    if len(content) < 4:
        raise FileError(f"{path} has {len(content)} bytes, too few for an IDX file: it may be truncated")
    zeros, code, n_dimensions = struct.unpack_from(">HBB", content)
    if zeros != 0 or code not in _TYPES or not 1 <= n_dimensions <= _MOST_DIMENSIONS:
        raise FileError(
            f"{path} is not an IDX file: it begins with {content[:4].hex(' ')}, an IDX file with 00 00, "
            f"a type ({', '.join(f'{code:02x}' for code in _TYPES)}) and a number of dimensions"
        )
    start = 4 + 4 * n_dimensions
    if len(content) < start:
        raise FileError(f"{path} is truncated: it ends within the sizes of its {n_dimensions} dimensions")
    shape, dtype = struct.unpack_from(f">{n_dimensions}I", content, 4), np.dtype(_TYPES[code])
    declared, present = math.prod(shape) * dtype.itemsize, len(content) - start
    if present != declared:
        what = "is truncated" if present < declared else "is longer than it declares"
        sizes = " x ".join(map(str, shape))
        raise FileError(f"{path} {what}: {sizes} numbers take {declared} bytes, there are {present}")
    if not declared:
        raise FileError(f"{path} holds no number: its sizes are {' x '.join(map(str, shape))}")
    numbers = np.frombuffer(content, dtype, offset=start)
    return numbers.astype(dtype.newbyteorder("=")).reshape(shape)


def _unzipped(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise FileError(f"there is no file {path}; check the path and the directory") from None
    except OSError as problem:
        raise FileError(f"{path} cannot be read: {problem.strerror}") from None
    if not content.startswith(_GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as problem:
        raise FileError(f"{path} is a truncated or damaged gzip file: {problem}") from None
