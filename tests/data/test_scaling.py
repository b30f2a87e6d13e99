"""Scalers: the lectures' formulas, undone without loss, from the training data alone."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neuronsim.data import MinMaxScaler, Standardizer, load
from neuronsim.errors import DataError, NotKnownError, SettingError

FEVER = load("fever").X


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
            MinMaxScaler(-1, 1).fit_transform(X), preprocessing.MinMaxScaler((-1, 1)).fit_transform(X), atol=1e-14
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
