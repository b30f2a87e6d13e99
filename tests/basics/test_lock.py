"""A lock on a directory: one process at a time; a process that is gone holds nothing."""

import json
import os
import platform
import subprocess
import sys

import pytest

from neuronsim.basics.lock import locked
from neuronsim.errors import FileError


def test_one_at_a_time(tmp_path):
    lock = tmp_path / "lock"
    with locked(lock):
        assert lock.exists()
        with pytest.raises(FileError, match=f"process {os.getpid()} on"), locked(lock):
            pass
        assert lock.exists()
    assert not lock.exists()
    with locked(lock):
        pass


def test_that_of_a_process_that_is_gone_is_taken_over(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for text in ("", '{"host": "', json.dumps({"host": platform.node(), "pid": gone.pid, "start": 0})):
        (tmp_path / "lock").write_text(text)
        with locked(tmp_path / "lock"):
            pass


def test_that_of_another_machine_is_not(tmp_path):
    (tmp_path / "lock").write_text(json.dumps({"host": "elsewhere", "pid": 1, "start": 0}))
    with pytest.raises(FileError, match="process 1 on elsewhere"), locked(tmp_path / "lock"):
        pass
    with pytest.raises(FileError, match="cannot be written"), locked(tmp_path / "none" / "lock"):
        pass
