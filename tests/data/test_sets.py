"""Data sets by name: the same bits everywhere, and what scikit-learn has."""

import inspect
from typing import get_type_hints

import numpy as np
import pytest

from neuronsim.data import load
from neuronsim.data.sets import DATA_SETS
from neuronsim.errors import SettingError

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


@pytest.mark.parametrize("make", DATA_SETS.values(), ids=DATA_SETS)
def test_what_a_set_takes_can_be_read_from_it(make) -> None:
    """Experiment files are checked by these hints."""
    assert get_type_hints(make).keys() >= inspect.signature(make).parameters.keys()
