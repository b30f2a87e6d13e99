"""Files written whole or not at all."""

import errno
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
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


def test_a_link_stays_a_link_and_a_file_keeps_its_mode(tmp_path: Path):
    kept = tmp_path / "kept.txt"
    kept.write_text("old")
    kept.chmod(0o600)
    (tmp_path / "link.txt").symlink_to(kept)
    with replacing(tmp_path / "link.txt") as beside:
        beside.write_text("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert kept.read_text() == "new"
    assert kept.stat().st_mode & 0o777 == 0o600


def test_what_is_no_file_is_left_alone(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match="pipe, a socket or a device"), replacing(tmp_path / "pipe"):
        pass
    with pytest.raises(FileError, match="it is a folder"), replacing(tmp_path):
        pass
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_threads_that_write_to_one_path_do_not_meet(tmp_path: Path):
    def write(k: int) -> None:
        with replacing(tmp_path / "a.txt") as beside:
            beside.write_text(str(k) * 10_000)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(10), timeout=60))
    content = (tmp_path / "a.txt").read_text()
    assert content == content[0] * 10_000
    assert list(tmp_path.iterdir()) == [tmp_path / "a.txt"]


def test_what_a_killed_process_left_is_removed(tmp_path: Path):
    killed = "from neuronsim.basics.atomic import replacing; import os, signal, sys\n"
    killed += "with replacing(sys.argv[1]): os.kill(os.getpid(), signal.SIGKILL)"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", killed, tmp_path / "a.txt"], check=False)
        (left,) = tmp_path.iterdir()
        assert left.name.endswith(".part.txt")
    with replacing(tmp_path / "a.txt") as beside:
        beside.write_text("whole")
    assert list(tmp_path.iterdir()) == [tmp_path / "a.txt"]
