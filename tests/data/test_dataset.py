"""Data sets: divided, and classes as columns."""

import numpy as np
import pytest

from neuronsim.data import load
from neuronsim.errors import DataError, SettingError


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
