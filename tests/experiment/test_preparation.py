"""The data of an experiment: divided, scaled, read from files."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuronsim import data
from neuronsim.errors import DataError, FileError, SettingError, UnknownNameError
from neuronsim.experiment.preparation import prepare


def idx(path: Path, array: np.ndarray) -> None:
    code = {"uint8": 8, "float32": 0x0D}[array.dtype.name]
    head = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    path.write_bytes(head + array.astype(array.dtype.newbyteorder(">")).tobytes())


class TestData:
    @staticmethod
    def prepare(table: dict[str, Any], folder: Path, validation: Any = None, dtype: str = "float64") -> Any:
        return prepare(table, folder, seed=3, dtype=np.dtype(dtype), validation=validation)

    def test_scaling_learns_from_the_training_data_alone(self, tmp_path: Path) -> None:
        table = {"name": "moons", "n": 40, "noise": 0.1, "test": 0.25, "scale": "standardize"}
        prepared = self.prepare(table, tmp_path, validation=0.2).data
        np.testing.assert_allclose(prepared.X.mean(0), 0, atol=1e-14)
        np.testing.assert_allclose(prepared.X.std(0), 1)
        assert len(prepared.X) == 24
        assert len(prepared.X_test) == 10

    def test_targets_can_be_scaled(self, tmp_path: Path) -> None:
        data_ = self.prepare({"name": "fever", "scale": "minmax", "scale_targets": "minmax"}, tmp_path).data
        assert (data_.T.min(), data_.T.max()) == (0, 1)
        with pytest.raises(SettingError, match="class numbers stay"):
            self.prepare({"name": "moons", "scale_targets": "minmax"}, tmp_path)

    def test_samples_of_one_class_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("a,t\n1,cat\n2,cat\n3,cat\n")
        (tmp_path / "b.csv").write_text("a,t\n1,0\n2,0\n")
        table = {"csv": "a.csv", "targets": ["t"], "classes": True}
        with pytest.raises(DataError, match="all 3 samples to train on are of class 'cat': there is nothing"):
            self.prepare(table, tmp_path)
        with pytest.raises(DataError, match="all 2 samples to train on are of class '0'"):
            self.prepare(table | {"csv": "b.csv"}, tmp_path)

    @pytest.mark.parametrize("scale", ["minmax", "standardize"])
    def test_a_target_that_is_constant_is_not_scaled_away(self, tmp_path: Path, scale: str) -> None:
        (tmp_path / "a.csv").write_text("a,t,u\n1,3,1\n2,3,2\n3,3,4\n")
        (tmp_path / "b.csv").write_text("a,t,u\n1,9,5\n")
        table = {"csv": "a.csv", "targets": ["u", "t"], "test": "b.csv", "scale_targets": scale}
        with pytest.raises(DataError, match=r"'t' is 3 in all 3 samples .* nothing to learn.*scale_targets = "):
            self.prepare(table, tmp_path)
        kept = self.prepare(table | {"scale_targets": "none"}, tmp_path)
        errors = kept.rms_errors(kept.data.T_test + 1, kept.data.T_test)
        assert errors == {"u": 1.0, "t": 1.0}

    @pytest.mark.parametrize("scale", ["minmax", "standardize"])
    def test_two_values_scaled_to_0_and_1_are_no_classes(self, tmp_path: Path, scale: str) -> None:
        (tmp_path / "a.csv").write_text("a,t\n1,3\n2,9\n3,9\n4,3\n")
        found = self.prepare({"csv": "a.csv", "targets": ["t"], "scale_targets": scale}, tmp_path)
        errors = found.rms_errors(found.data.T[[1, 1]], found.data.T[[0, 1]])
        assert errors == {"t": pytest.approx(np.sqrt(18))}
        (tmp_path / "c.csv").write_text("a,t\n1,0\n2,1\n")
        classes = self.prepare({"csv": "c.csv", "targets": ["t"], "scale_targets": scale}, tmp_path)
        assert classes.rms_errors(classes.data.T, classes.data.T) is None

    def test_what_is_looked_at_after_each_epoch(self, tmp_path: Path) -> None:
        table = {"name": "moons", "n": 40, "test": 0.25}
        assert len(self.prepare(table, tmp_path).validation[0]) == 10
        assert len(self.prepare(table, tmp_path, validation=True).validation[0]) == 10
        assert self.prepare(table, tmp_path, validation=False).validation is None
        held_out = self.prepare(table, tmp_path, validation=0.1)
        assert len(held_out.validation[0]) == 3
        assert len(held_out.data.X) == 27
        assert self.prepare({"name": "moons"}, tmp_path).validation is None
        with pytest.raises(SettingError, match="needs test data"):
            self.prepare({"name": "moons"}, tmp_path, validation=True)
        with pytest.raises(SettingError, match="between 0 and 1"):
            self.prepare({"name": "moons", "test": 1}, tmp_path)

    def test_generated_sets_take_the_experiment_s_seed(self, tmp_path: Path) -> None:
        found = self.prepare({"name": "moons", "noise": 0.2}, tmp_path).data
        np.testing.assert_array_equal(found.X, data.load("moons", noise=0.2, rng=3).X)

    def test_csv(self, tmp_path: Path) -> None:
        (tmp_path / "d").mkdir()
        (tmp_path / "d" / "a.csv").write_text("a,t\n1,2\n3,4\n")
        (tmp_path / "d" / "b.csv").write_text("a,t\n5,6\n")
        table = {"csv": "a.csv", "directory": "d", "targets": ["t"], "test": "b.csv"}
        found = self.prepare(table, tmp_path).data
        assert (found.X.tolist(), found.T.tolist()) == ([[1], [3]], [[2], [4]])
        assert (found.X_test.tolist(), found.T_test.tolist()) == ([[5]], [[6]])

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_images(self, tmp_path: Path, dtype: str) -> None:
        pixels = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
        idx(tmp_path / "images", pixels)
        idx(tmp_path / "labels", np.array([0, 1, 2, 1], np.uint8))
        files = {"images": "images", "labels": "labels"}
        found = self.prepare({"train": files, "test": files, "scale": "images"}, tmp_path, dtype=dtype).data
        assert found.X.dtype == dtype
        np.testing.assert_array_equal(found.X, (pixels.reshape(4, 64) / 255).astype(dtype))
        assert found.T_test.tolist() == [0, 1, 2, 1]

    def test_test_data_by_name(self, tmp_path: Path) -> None:
        (tmp_path / "train.csv").write_text("a,b,t\n1,10,0\n2,20,1\n")
        (tmp_path / "test.csv").write_text("b,t,note,a\n10,0,x,1\n")
        table = {"csv": "train.csv", "targets": [-1], "test": "test.csv"}
        data = prepare(table, tmp_path, seed=0, dtype=np.dtype("float64"), validation=None).data
        assert (data.X_test.tolist(), data.T_test.tolist()) == ([[1, 10]], [[0]])
        (tmp_path / "test.csv").write_text("c,b,t\n1,10,0\n")
        with pytest.raises(UnknownNameError, match="no column 'a'"):
            prepare(table, tmp_path, seed=0, dtype=np.dtype("float64"), validation=None)

    def test_copies_are_of_what_is_trained_on(self, tmp_path: Path) -> None:
        table = {"name": "digits", "test": 0.25, "distort": {"copies": 2, "shift": 1.0}}
        found = prepare(table, tmp_path, seed=0, dtype=np.dtype("float64"), validation=0.2)
        plain = prepare(table | {"distort": {"copies": 1}}, tmp_path, seed=0, dtype=np.dtype("float64"), validation=0.2)
        n = len(plain.data.X) // 2
        assert len(found.data.X) == len(found.data.T) == 3 * n
        assert (found.data.X[:n] == plain.data.X[:n]).all()
        assert (found.data.T.reshape(3, n) == plain.data.T[:n]).all()
        assert (found.validation[0] == plain.validation[0]).all()
        assert (found.data.X_test == plain.data.X_test).all()

    def test_images_that_do_not_fit(self, tmp_path: Path) -> None:
        idx(tmp_path / "images", np.zeros((2, 2, 2), np.uint8))
        idx(tmp_path / "wide", np.zeros((2, 3), np.uint8))
        idx(tmp_path / "labels", np.zeros(2, np.uint8))
        idx(tmp_path / "few", np.zeros(1, np.uint8))
        idx(tmp_path / "real", np.zeros(2, np.float32))
        good = {"images": "images", "labels": "labels"}
        for train, test, message in (
            (good | {"labels": "few"}, good, "images has 2 samples, few has 1"),
            (good | {"labels": "real"}, good, "real holds 1-dimensional float32"),
            (good | {"labels": "images"}, good, "3-dimensional"),
            (good, good | {"images": "wide"}, "test images have 3 numbers, those to train on 4"),
        ):
            with pytest.raises(DataError, match=message):
                self.prepare({"train": train, "test": test}, tmp_path)
        with pytest.raises(FileError, match="there is no file"):
            self.prepare({"train": good | {"images": "none"}}, tmp_path)
