"""Files written whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from neuronsim.basics.atomic import replacing
from neuronsim.errors import FileError


def test_what_is_written_is_moved_there(tmp_path: Path):
    path = tmp_path / "a.txt"
    with replacing(path) as beside:
        assert beside.parent == tmp_path
        assert beside.suffix == ".txt"
        beside.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_there_is_replaced_at_the_end(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(str(path)) as beside:
        beside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize(
    ("problem", "seen"), [(OSError(errno.ENOSPC, "No space left on device"), FileError), (ValueError("no"), ValueError)]
)
def test_a_block_that_fails_changes_nothing(tmp_path: Path, problem: Exception, seen: type[Exception]):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_half() -> None:
        with replacing(path) as beside:
            beside.write_text("half")
            raise problem

    with pytest.raises(seen, match=r"a\.txt cannot be written: No space|^no$"):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there(tmp_path: Path):
    with pytest.raises(FileError, match=r"none/a\.txt cannot be written"), replacing(tmp_path / "none" / "a.txt"):
        pass
    assert not (tmp_path / "none").exists()


def test_others_can_read_it_as_any_file(tmp_path: Path):
    (tmp_path / "any").touch()
    with replacing(tmp_path / "a") as beside:
        beside.unlink()
        beside.touch(mode=0o600)  # as some writers do
    assert os.stat(tmp_path / "a").st_mode == os.stat(tmp_path / "any").st_mode
