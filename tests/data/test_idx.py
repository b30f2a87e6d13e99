"""IDX files: read as they were written, whatever is damaged is named."""

import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from neuronsim.data import read_idx
from neuronsim.errors import FileError


def idx_bytes(array: np.ndarray, code: int) -> bytes:
    head = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


class TestIdx:
    @pytest.mark.parametrize("zipped", [False, True])
    @pytest.mark.parametrize(
        ("code", "dtype"), [(0x08, "u1"), (0x09, "i1"), (0x0B, "i2"), (0x0C, "i4"), (0x0D, "f4"), (0x0E, "f8")]
    )
    def test_every_type(self, tmp_path: Path, code: int, dtype: str, zipped: bool) -> None:
        array = np.arange(-6, 18).reshape(2, 3, 4).astype(dtype)
        content = idx_bytes(array, code)
        file = tmp_path / "images"
        file.write_bytes(gzip.compress(content) if zipped else content)
        found = read_idx(file)
        assert found.dtype == np.dtype(dtype)
        assert found.dtype.isnative
        assert found.flags.writeable
        np.testing.assert_array_equal(found, array)

    @pytest.mark.parametrize("zipped", [False, True])
    def test_truncated_anywhere(self, tmp_path: Path, zipped: bool) -> None:
        content = idx_bytes(np.arange(12, dtype="u1").reshape(3, 4), 8)
        content = gzip.compress(content) if zipped else content
        file = tmp_path / "cut.idx"
        for length in range(len(content)):
            file.write_bytes(content[:length])
            with pytest.raises(FileError, match=r"cut\.idx"):
                read_idx(file)

    def test_flipped_bits_in_gzip_never_pass(self, tmp_path: Path) -> None:
        array = np.arange(12, dtype="u1")
        content = gzip.compress(idx_bytes(array, 8), mtime=0)
        file = tmp_path / "bent.gz"
        for k in range(8 * len(content)):
            bent = bytearray(content)
            bent[k // 8] ^= 1 << k % 8
            file.write_bytes(bent)
            try:
                np.testing.assert_array_equal(read_idx(file), array)
            except FileError as problem:
                assert "bent.gz" in str(problem)  # noqa: PT017  (loading the right numbers is as good)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "0 bytes"),
            (b"PK\x03\x04 a zip file", "not an IDX file: it begins with 50 4b 03 04"),
            (b"\0\0\x07\x01\0\0\0\0", "not an IDX file"),
            (b"\0\0\x08\0", "not an IDX file"),
            (b"\0\0\x08\x03\0\0\0\1", "ends within the sizes of its 3 dimensions"),
            (b"\0\0\x08\x01\0\0\0\2\0", "truncated: 2 numbers take 2 bytes, there are 1"),
            (b"\0\0\x08\x01\0\0\0\1\0\0", "longer than it declares"),
            (b"\0\0\x08\x04" + b"\xff" * 16, "truncated"),
        ],
    )
    def test_foreign_and_damaged_files(self, tmp_path: Path, content: bytes, message: str) -> None:
        file = tmp_path / "x.idx"
        file.write_bytes(content)
        with pytest.raises(FileError, match=message):
            read_idx(file)

    def test_what_a_small_gzip_inflates_to_is_bounded_by_what_it_declares(self, tmp_path: Path) -> None:
        """1 MB of it could be 1 GB of zeros."""
        file = tmp_path / "bomb"
        file.write_bytes(gzip.compress(struct.pack(">HBB2I", 0, 8, 2, 3, 4) + bytes(200_000_000), 1))
        tracemalloc.start()
        try:
            with pytest.raises(FileError, match="longer than it declares: 3 x 4 numbers take 12 bytes, there are more"):
                read_idx(file)
            assert tracemalloc.get_traced_memory()[1] < 5_000_000
        finally:
            tracemalloc.stop()

    def test_no_room_is_made_for_more_than_the_file_can_hold(self, tmp_path: Path) -> None:
        file = tmp_path / "boast"
        for content in (struct.pack(">HBB2I", 0, 8, 2, 60_000, 4_000_000_000), b"\0" * 4):
            file.write_bytes(gzip.compress(content))
            with pytest.raises(FileError, match=r"a file of its size holds at most|not an IDX"):
                read_idx(file)

    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(FileError, match="there is no file"):
            read_idx(tmp_path / "none")
        with pytest.raises(FileError, match="cannot be read"):
            read_idx(tmp_path)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2**32 - 1, 2**32 - 1, 0)])
def test_sizes_of_zero(tmp_path, shape):
    (tmp_path / "a").write_bytes(struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape))
    with pytest.raises(FileError, match="holds no number"):
        read_idx(tmp_path / "a")


def test_a_path_that_no_file_can_have():
    with pytest.raises(FileError, match="NUL"):
        read_idx("a\0b")
