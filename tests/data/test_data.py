"""Scalers, readers and data sets."""

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neuronsim.data import MinMaxScaler, Standardizer, load, read_csv, read_idx
from neuronsim.errors import DataError, FileError, NotKnownError, SettingError, UnknownNameError

FEVER = np.array([[38.6, 25], [37.8, 25], [37.9, 50], [38.2, 50]])

# A sine or cosine of the C library would differ in the last bits from one processor to another.
SPIRALS_X = [
    "-0x1.505de8d55e253p-3",
    "-0x1.0b21fbe476143p-3",
    "0x1.2b1ea1c29fda8p-2",
    "0x1.e0d927268c5bap-1",
    "-0x1.c14bdee6c42a0p-1",
]
MOONS_Y = [
    "0x0.0p+0",
    "0x1.0000000000000p-1",
    "0x1.bb67ae8584cabp-1",
    "-0x1.0000000000000p-1",
    "0x1.bb67ae8584caap-1",
    "0x1.0000000000000p-1",
    "0x0.0p+0",
]

columns = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=8),
    elements=st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda x: round(x, 3)),
)


class TestScalers:
    def test_standardizer_is_the_lecture_s(self) -> None:
        scaled = Standardizer().fit_transform(FEVER)
        np.testing.assert_allclose(scaled, (FEVER - FEVER.mean(0)) / FEVER.std(0), rtol=1e-13)

    def test_minmax_is_the_lecture_s(self) -> None:
        scaled = MinMaxScaler(0.1, 0.9).fit_transform(FEVER)
        low, high = FEVER.min(0), FEVER.max(0)
        np.testing.assert_allclose(scaled, (FEVER - low) / (high - low) * 0.8 + 0.1, rtol=1e-13)

    def test_statistics_come_from_the_training_data_alone(self) -> None:
        scaler = Standardizer().fit(FEVER)
        test = np.array([[38.3, 35.0]])
        np.testing.assert_allclose(scaler.transform(test), (test - FEVER.mean(0)) / FEVER.std(0))
        np.testing.assert_allclose(scaler.mean, FEVER.mean(0))
        np.testing.assert_allclose(scaler.std, FEVER.std(0))

    def test_agree_with_scikit_learn(self) -> None:
        preprocessing = pytest.importorskip("sklearn.preprocessing")
        X = np.random.default_rng(0).normal(size=(50, 3)) * [1, 100, 1e-6]
        np.testing.assert_allclose(Standardizer().fit_transform(X), preprocessing.StandardScaler().fit_transform(X))
        np.testing.assert_allclose(
            MinMaxScaler(-1, 1).fit_transform(X),
            preprocessing.MinMaxScaler((-1, 1)).fit_transform(X),
            atol=1e-14,
        )

    @pytest.mark.parametrize(("scaler", "expected"), [(Standardizer(), 0.0), (MinMaxScaler(-1, 1), -1.0)])
    def test_a_constant_column_maps_to_0_or_lo_and_back(self, scaler: Any, expected: float) -> None:
        X = np.array([[0.1, 1.0], [0.1, 2.0], [0.1, 4.0]])
        scaled = scaler.fit_transform(X)
        assert (scaled[:, 0] == expected).all()
        assert (scaler.transform([[7.0, 1.0]])[:, 0] == expected).all()
        assert (scaler.inverse(scaled)[:, 0] == 0.1).all()

    @given(columns)
    def test_inverse_undoes_transform(self, X: np.ndarray) -> None:
        for scaler in (Standardizer(), MinMaxScaler(-2, 3)):
            back = scaler.inverse(scaler.fit_transform(X))
            np.testing.assert_allclose(back, X, rtol=1e-9, atol=1e-9 * max(1.0, np.abs(X).max()))

    @given(columns)
    def test_scaled_training_data_have_the_promised_statistics(self, X: np.ndarray) -> None:
        scaled, moving = Standardizer().fit_transform(X), np.ptp(X, axis=0) > 1e-2
        np.testing.assert_allclose(scaled.mean(0)[moving], 0, atol=1e-6)
        np.testing.assert_allclose(scaled.std(0)[moving], 1, atol=1e-6)
        squeezed = MinMaxScaler(2, 5).fit_transform(X)
        assert squeezed.min() == 2
        assert squeezed.max() <= 5 + 1e-12

    def test_one_column_may_be_1_d(self) -> None:
        assert Standardizer().fit_transform([1.0, 3.0]).tolist() == [-1.0, 1.0]

    @pytest.mark.parametrize("size", [1e-200, 1e200])
    def test_tiny_and_huge_numbers(self, size: float) -> None:
        assert Standardizer().fit_transform([size, 3 * size]).tolist() == [-1.0, 1.0]

    def test_minmax_keeps_the_ends(self) -> None:
        scaler = MinMaxScaler().fit([3.0, 0.1])
        assert (scaler.minimum[0], scaler.maximum[0]) == (0.1, 3.0)

    def test_without_fit(self) -> None:
        with pytest.raises(NotKnownError, match=r"call fit\(X\)"):
            Standardizer().transform([[1.0]])

    @pytest.mark.parametrize(
        ("X", "message"),
        [
            ([[1.0, np.nan]], "nan at row 0, column 1"),
            ([[1.0], [np.inf]], "inf at row 1, column 0"),
            ([["a"]], "real numbers"),
            ([[1j]], "real numbers"),
            (np.zeros((0, 2)), "no samples"),
            (np.zeros((2, 2, 2)), r"not shape \(2, 2, 2\)"),
            ([[1e308], [-1e308]], "too large"),
        ],
    )
    def test_unusable_data(self, X: Any, message: str) -> None:
        with pytest.raises(DataError, match=message):
            Standardizer().fit(X)

    def test_wrong_number_of_columns(self) -> None:
        with pytest.raises(DataError, match="3 columns, the scaler was fitted on 2"):
            Standardizer().fit(FEVER).transform(np.zeros((1, 3)))

    @pytest.mark.parametrize(("lo", "hi"), [(1, 1), (2, 1), (0, np.inf), (np.nan, 1)])
    def test_impossible_range(self, lo: float, hi: float) -> None:
        with pytest.raises(SettingError, match="lo < hi"):
            MinMaxScaler(lo, hi)


def idx_bytes(array: np.ndarray, code: int) -> bytes:
    head = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


class TestIdx:
    @pytest.mark.parametrize("zipped", [False, True])
    @pytest.mark.parametrize(
        ("code", "dtype"),
        [(0x08, "u1"), (0x09, "i1"), (0x0B, "i2"), (0x0C, "i4"), (0x0D, "f4"), (0x0E, "f8")],
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

    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(FileError, match="there is no file"):
            read_idx(tmp_path / "none")
        with pytest.raises(FileError, match="cannot be read"):
            read_idx(tmp_path)


class TestCsv:
    @staticmethod
    def write(tmp_path: Path, text: str) -> Path:
        file = tmp_path / "d.csv"
        file.write_text(text, encoding="utf-8")
        return file

    def test_columns_by_name(self, tmp_path: Path) -> None:
        file = self.write(tmp_path, "a,t,b\n1,2,3\n\n4,5e0, -6.5\n")
        data = read_csv(file, targets=["t"])
        X, T = data
        assert X.tolist() == [[1, 3], [4, -6.5]]
        assert T.tolist() == [[2], [5]]
        assert (data.features, data.targets) == (("a", "b"), ("t",))

    def test_targets_in_the_order_asked_for(self, tmp_path: Path) -> None:
        data = read_csv(self.write(tmp_path, "a,b,c\n1,2,3\n"), targets=["c", "a"])
        assert data.T.tolist() == [[3, 1]]

    def test_without_header(self, tmp_path: Path) -> None:
        data = read_csv(self.write(tmp_path, "1,2\n3,4"), targets=-1)
        assert (data.X.tolist(), data.T.tolist(), data.targets) == ([[1], [3]], [[2], [4]], ("c1",))

    def test_numbers_as_names(self, tmp_path: Path) -> None:
        data = read_csv(self.write(tmp_path, "1950,1951\n3,4\n"), targets="1951", header=True)
        assert data.T.tolist() == [[4]]

    def test_byte_order_mark_quotes_and_windows_line_ends(self, tmp_path: Path) -> None:
        data = read_csv(self.write(tmp_path, '\ufeff"a b",t\r\n"1",2\r\n'), targets="t")
        assert (data.features, data.X.tolist()) == (("a b",), [[1]])

    def test_classes(self, tmp_path: Path) -> None:
        data = read_csv(self.write(tmp_path, "a,k\n1,0\n2,2\n"), targets="k", classes=True)
        assert (data.T.tolist(), data.classes) == ([0, 2], ("0", "1", "2"))
        with pytest.raises(FileError, match=r"line 3, column 'k': class numbers are 0, 1, 2, …, not 1\.5"):
            read_csv(self.write(tmp_path, "a,k\n1,0\n2,1.5\n"), targets="k", classes=True)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "is empty"),
            ("\n\n", "is empty"),
            ("a,b\n", "no line of numbers"),
            ("a,b\n1,\n", "line 2, column 'b': is blank"),
            ("a,b\n1,2\n3,x\n", "line 3, column 'b': 'x' is no finite number"),
            ("a,b\n1,nan\n", "no finite number"),
            ("a,b\n1,-inf\n", "no finite number"),
            ("a,b\n1_000,2\n", "no finite number"),
            ("a,b\n1,2,3\n", "line 2: 3 cells where 2 columns are"),
            ("a,b\n1\n", "line 2: 1 cells where 2 columns are"),
            ("a,a\n1,2\n", "two columns are called 'a'"),
            ("a,\n1,2\n", "column 1 has no name"),
            ("1,b\n1,2\n", "header=True or header=False"),
            ("a;b\n1;2\n", "delimiter=';'"),
            ('a,b\n"1,2\n', "line 2: unexpected end of data"),
            ("a,b\n1,\0\n", "line 2"),
        ],
    )
    def test_refused_with_line_and_column(self, tmp_path: Path, text: str, message: str) -> None:
        with pytest.raises(FileError, match=message) as caught:
            read_csv(self.write(tmp_path, text), targets="b")
        assert "d.csv" in str(caught.value)

    def test_foreign_files(self, tmp_path: Path) -> None:
        file = tmp_path / "d.csv"
        with pytest.raises(FileError, match="there is no file"):
            read_csv(file)
        file.write_bytes(b"a,b\n1,\xff\n")
        with pytest.raises(FileError, match="not UTF-8"):
            read_csv(file)

    def test_unknown_target(self, tmp_path: Path) -> None:
        file = self.write(tmp_path, "temp,t\n1,2\n")
        with pytest.raises(UnknownNameError, match=r"no column 'tmp' in .*; did you mean 'temp'"):
            read_csv(file, targets=["tmp"])
        with pytest.raises(UnknownNameError, match="no column 2"):
            read_csv(file, targets=[2])
        with pytest.raises(SettingError, match="twice"):
            read_csv(file, targets=["t", 1])
        with pytest.raises(SettingError, match="all columns"):
            read_csv(file, targets=["t", "temp"])
        with pytest.raises(SettingError, match="delimiter"):
            read_csv(file, delimiter="::")


class TestSets:
    def test_fever_is_the_lecture_s(self) -> None:
        data = load("fever")
        assert data.X.tolist() == FEVER.tolist()
        assert data.T.tolist() == [[37.2], [37.3], [36.6], [36.9]]
        assert data.X_test is not None
        assert data.X_test.tolist() == [[38.3, 35.0]]

    def test_xor(self) -> None:
        X, T = load("xor")
        assert [int(a) ^ int(b) for a, b in X] == T[:, 0].tolist()

    def test_spirals(self) -> None:
        X, T = load("spirals", n=101, turns=2)
        assert X.shape == (101, 2)
        assert np.bincount(T).tolist() == [51, 50]
        radius = np.hypot(*X.T)
        angle = np.where(T == 0, 0, np.pi) + 4 * np.pi * radius
        np.testing.assert_allclose(X, radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1), atol=1e-12)

    def test_moons(self) -> None:
        X, T = load("moons", n=50)
        np.testing.assert_allclose(np.hypot(*X[T == 0].T), 1, rtol=1e-14)
        np.testing.assert_allclose(np.hypot(*(X[T == 1] - [1, 0.5]).T), 1, rtol=1e-14)
        assert X[T == 0][:, 1].min() > -1e-12
        assert X[T == 1][:, 1].max() < 0.5 + 1e-12

    @pytest.mark.parametrize("name", ["spirals", "moons"])
    def test_noise_is_drawn_from_its_own_stream(self, name: str) -> None:
        clean, noisy = load(name, n=40), load(name, n=40, noise=0.1, rng=7)
        draws = np.random.Generator(np.random.PCG64(np.random.SeedSequence(7, spawn_key=(3,))))
        np.testing.assert_array_equal(noisy.X, clean.X + 0.1 * draws.standard_normal((40, 2)))
        np.testing.assert_array_equal(noisy.T, clean.T)

    def test_generated_samples_are_these_bits_on_every_machine(self) -> None:
        spirals, moons = load("spirals", n=5, noise=0.1, rng=1), load("moons", n=7)
        assert [x.hex() for x in spirals.X[:, 0]] == SPIRALS_X
        assert [x.hex() for x in moons.X[:, 1]] == MOONS_Y

    @pytest.mark.parametrize("name", ["iris", "digits", "wine", "breast_cancer"])
    def test_scikit_learn_s_classes(self, name: str) -> None:
        datasets = pytest.importorskip("sklearn.datasets")
        data, theirs = load(name), getattr(datasets, f"load_{name}")()
        np.testing.assert_array_equal(data.X, theirs.data)
        np.testing.assert_array_equal(data.T, theirs.target)
        assert data.classes == tuple(map(str, theirs.target_names))

    def test_scikit_learn_s_diabetes_is_a_regression(self) -> None:
        pytest.importorskip("sklearn.datasets")
        data = load("diabetes")
        assert data.T.shape == (len(data.X), 1)
        assert not data.classes

    def test_without_scikit_learn_the_error_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def no_module(name: str) -> None:
            raise ImportError(name)

        monkeypatch.setattr("neuronsim.data.sets.import_module", no_module)
        with pytest.raises(SettingError, match="pip install scikit-learn"):
            load("iris")

    def test_errors_speak(self) -> None:
        with pytest.raises(SettingError, match="unknown data set 'feever'; did you mean 'fever'"):
            load("feever")
        with pytest.raises(SettingError, match="takes no 'noize'; did you mean 'noise'"):
            load("moons", noize=1)
        with pytest.raises(SettingError, match="takes no arguments"):
            load("xor", n=3)
        for wrong in ({"n": 3}, {"n": 4.0}, {"n": True}, {"noise": -1}, {"noise": np.nan}):
            with pytest.raises(SettingError, match=next(iter(wrong))):
                load("moons", **wrong)


class TestDataset:
    def test_split_holds_out_a_fraction_and_loses_nothing(self) -> None:
        data = load("moons", n=50)
        parts = data.split(test=0.3, rng=1)
        assert parts.X_test is not None
        assert parts.T_test is not None
        assert (len(parts.X), len(parts.X_test)) == (35, 15)
        rows = {(*x, t) for x, t in zip([*parts.X, *parts.X_test], [*parts.T, *parts.T_test], strict=True)}
        assert rows == {(*x, t) for x, t in zip(data.X, data.T, strict=True)}

    def test_split_repeats_by_seed(self) -> None:
        data = load("moons", n=50)
        np.testing.assert_array_equal(data.split(rng=3).X, data.split(rng=3).X)
        assert (data.split(rng=3).X != data.split(rng=4).X).any()

    def test_split_refuses(self) -> None:
        data = load("moons", n=10)
        for wrong in (0, 1, -0.1, np.nan, True):
            with pytest.raises(SettingError, match="fraction"):
                data.split(test=wrong)
        with pytest.raises(DataError, match="leaves none"):
            data.split(test=0.01)
        with pytest.raises(DataError, match="divided already"):
            data.split().split()

    def test_one_hot(self) -> None:
        data = load("moons", n=4).split(test=0.5).one_hot()
        assert data.T.sum(axis=1).tolist() == [1, 1]
        assert data.targets == ("first", "second")
        with pytest.raises(DataError, match="no class numbers"):
            load("xor").one_hot()

    def test_repr_is_one_line(self) -> None:
        assert repr(load("fever")) == "<Dataset fever: 4 samples + 1 for testing, 2 features, 1 targets>"
