"""Networks as safetensors: arrays that make no network are refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nets import small_net
from safetensors.numpy import load_file, save_file

from neuronsim.errors import FileError
from neuronsim.storage import load, save


class TestBinary:
    @pytest.mark.parametrize(
        ("name", "change", "message"),
        [
            ("weights", lambda a: a[:-1], r"weights has shape"),
            ("weights", lambda a: a.astype(np.float16), "its array 'weights'"),
            ("sources", lambda a: a + 100, "sources are not all between"),
            ("sources", lambda a: a[::-1].copy(), "edge is there twice, or|feeds itself"),
            ("sources", lambda a: a.astype(np.int64), "its array 'sources'"),
            ("row_start", lambda a: a[::-1].copy(), "row_start"),
            ("codes", lambda a: a + 9, "codes are not all between"),
            ("outputs", lambda a: a - 9, "outputs are not all between"),
            ("inputs", lambda a: a * 0, "inputs name a neuron twice"),
            ("inputs", lambda a: a + 2, "which is an input"),
            ("names", lambda a: a[:-1], "metadata are damaged"),
            ("biases", None, "lacks the array 'biases'"),
            ("extra", lambda a: np.zeros(1), "an array 'extra' that no network has"),
        ],
    )
    def test_arrays_that_make_no_network(
        self, tmp_path: Path, name: str, change: Any, message: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "net.safetensors"
        monkeypatch.setattr("neuronsim.storage.binary._digest", lambda *_: "the same")
        save(small_net(), path)
        from safetensors import safe_open

        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata()
        arrays = load_file(path)
        if change is None:
            del arrays[name]
        else:
            arrays[name] = change(arrays.get(name))
        save_file(arrays, path, metadata)
        with pytest.raises(FileError, match=message):
            load(path)

    def test_another_program_s_file(self, tmp_path: Path) -> None:
        path = tmp_path / "net.safetensors"
        save_file({"weights": np.zeros(3)}, path)
        with pytest.raises(FileError, match="no network of neuronsim"):
            load(path)
