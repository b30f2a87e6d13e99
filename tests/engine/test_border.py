import numpy as np
import pytest

import neuronsim as ns
from neuronsim.engine.border import accuracy, as_samples, as_targets
from neuronsim.errors import DataError
from neuronsim.formulas.losses import LOSSES

F32, F64 = np.dtype("float32"), np.dtype("float64")
HALF, CROSS, BINARY = (LOSSES[n] for n in ("half_squared_error", "cross_entropy", "binary_cross_entropy"))
IN = ["i1", "i2"]


def test_an_array_that_fits_is_not_copied():
    X = np.ones((3, 2))
    assert as_samples(X, IN, F64) is X
    assert as_samples(X.T.copy().T, IN, F64).flags.c_contiguous


@pytest.mark.parametrize("X", [[[1, 2]], [(True, False)], np.array([[1, 2]], np.uint8), np.ones((1, 4), "f4")[:, ::2]])
def test_whatever_numpy_reads_as_real_numbers(X):
    data = as_samples(X, IN, F32)
    assert (data.dtype, data.shape) == (F32, (1, 2))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.ones((4, 3)), r"^X has 3 columns, the network has 2 inputs \(i1, i2\)$"),
        (np.ones((4, 1)), r"^X has 1 column, the network has 2 inputs \(i1, i2\)$"),
        (np.ones(2), r"shape \(2,\); it must be \(n_samples, 2\); one sample is X\[None, :\]"),
        (np.ones((2, 2, 2)), r"shape \(2, 2, 2\)"),
        (1.0, r"shape \(\)"),
        (np.ones((0, 2)), "no samples"),
        ([[1, 2], [np.nan, 4]], r"X\[1, 0\] \(row 1, column 0\) is nan; data must be finite"),
        ([[1, -np.inf]], r"X\[0, 1\] .* is -inf"),
        ([[1, 1e300]], r"X\[0, 1\] .* is 1e\+300, too large for float32"),
        ([[1j, 2]], "complex numbers"),
        ([["1", "2"]], "text"),
        ([[None, 2]], "Python objects"),
        ([[10**400, 2]], "Python objects"),
        ([[1, 2], [3]], "rows may differ in length"),
        (np.array([["2020-01-01", "2020-01-02"]], "M8[D]"), "datetime64"),
        (np.ma.masked_equal([[1, 2]], 2), "masked"),
    ],
)
def test_refused_samples(X, message):
    with pytest.raises(DataError, match=message):
        as_samples(X, IN, F32)


def test_large_finite_sums_are_no_infinities():
    X = np.full((4, 2), np.finfo("f4").max)
    assert np.array_equal(as_samples(X, IN, F32), X)


def test_many_inputs_are_abbreviated():
    with pytest.raises(DataError, match=r"100 inputs \(x0, x1, …, x99\)"):
        as_samples(np.ones((1, 3)), [f"x{k}" for k in range(100)], F64)


def test_targets():
    assert as_targets([[1, 2], [3, 4]], 2, IN, F64, HALF).shape == (2, 2)
    assert as_targets([1.0, 2.0, 3.0], 3, ["o"], F32, HALF).shape == (3, 1)
    assert as_targets([0, 1, 1], 3, ["o"], F32, BINARY).dtype == F32
    classes = as_targets(np.array([0, 1, 1], np.uint8), 3, IN, F32, CROSS)
    assert (classes.dtype, classes.tolist()) == (np.dtype("int32"), [0, 1, 1])


@pytest.mark.parametrize(
    ("T", "loss", "message"),
    [
        ([0, 1, 2], CROSS, r"T\[2\] is class 2; the network has 2 outputs, so classes go from 0 to 1"),
        ([0, -1, 1], CROSS, r"T\[1\] is class -1"),
        ([0, 1], CROSS, "T has 2 rows, X has 3 samples"),
        ([0.0, 1.0, 1.0], CROSS, r"class numbers are integers: give T.astype\(int\)"),
        ([0.5, 1.0, 1.0], CROSS, "one column for each output"),
        ([0, 1, 1], HALF, "class numbers.* only cross_entropy takes; the loss is half_squared_error"),
        ([0.0, 1.0, 1.0], HALF, r"T has shape \(3,\); it must be \(n_samples, 2\)"),
        ([[1.0], [2.0], [3.0]], HALF, r"T has 1 column, the network has 2 outputs \(i1, i2\)"),
        ([[1.0, 2.0]], HALF, "T has 1 row, X has 3 samples"),
        ([[1.0, 2.0], [1.0, 2.0], [1.0, np.inf]], HALF, r"T\[2, 1\] .* is inf"),
        (["a", "b", "c"], CROSS, "text"),
    ],
)
def test_refused_targets(T, loss, message):
    with pytest.raises(DataError, match=message):
        as_targets(T, 3, IN, F64, loss)


def test_accuracy():
    Y = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    assert accuracy(Y, np.array([0, 1, 1], np.int32), CROSS) == pytest.approx(2 / 3)
    assert accuracy(Y, np.array([[1.0, 0], [0, 1], [1, 0]]), CROSS) == 1.0
    assert accuracy(Y, np.array([[1.0, 0], [0, 0], [1, 0]]), BINARY) == pytest.approx(2 / 3)
    assert accuracy(Y, Y, HALF) is None


def test_one_masked_sample_is_refused_too():
    net = ns.wiring.layered([2, 1], rng=0)
    masked = np.ma.array([1.0, 2.0], mask=[True, False])
    with pytest.raises(DataError, match="x has masked values"):
        net.forward(masked)
    with pytest.raises(DataError, match="masked values"):
        net.step([1.0, 2.0], np.ma.array([1.0], mask=[True]))


@pytest.mark.parametrize(
    ("loss", "value"), [("binary_cross_entropy", 5.0), ("binary_cross_entropy", -1.0), ("cross_entropy", -1.0)]
)
def test_targets_that_are_no_probabilities(loss, value):
    net = ns.wiring.layered([2, 3], activation="sigmoid", rng=0)
    T = np.zeros((4, 3))
    T[2, 1] = value
    with pytest.raises(DataError, match=rf"T\[2, 1\] is {value:g}; with {loss} targets are"):
        net.fit(np.ones((4, 2)), T, loss=loss)


def test_class_numbers_need_a_softmax():
    net = ns.wiring.layered([2, 3], activation="sigmoid", rng=0)
    with pytest.raises(ns.errors.SettingError, match=r"class numbers takes softmax outputs.*output='softmax'"):
        net.fit(np.ones((4, 2)), [0, 1, 2, 0], loss="cross_entropy")
