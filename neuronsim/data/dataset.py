"""A data set: samples, targets, what the columns are called, and its division into training and test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuronsim.errors import DataError, SettingError
from neuronsim.seeds import SPLITS, generator, seed_of


def most_classes(n_samples: int) -> int:
    """How many classes are believed of so many samples: a damaged label must not ask for memory without end."""
    return max(1000, 10 * n_samples)


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Samples and targets, ready for ``net.fit``; ``X, T = data`` takes the training data out.

    Attributes
    ----------
    X : array (n_samples, n_features)
        Samples.
    T : array (n_samples, n_targets) or (n_samples,)
        Targets; or class numbers, where ``classes`` names them.
    X_test, T_test : arrays or None
        The same for testing, or None.
    features, targets : tuple of str
        Names of the columns of X and of T (of class numbers: of the one thing they tell).
    classes : tuple of str
        Name of each class, by number; empty where T holds no class numbers.
    name, description : str
        What it is, in a word and in a sentence.
    """

    X: NDArray[Any]
    T: NDArray[Any]
    X_test: NDArray[Any] | None = None
    T_test: NDArray[Any] | None = None
    features: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    name: str = "data"
    description: str = ""

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """X, then T."""
        return iter((self.X, self.T))

    def __repr__(self) -> str:
        """Name and sizes, on one line."""
        tests = 0 if self.X_test is None else len(self.X_test)
        what = f"{len(self.classes)} classes" if self.classes else f"{len(self.targets)} targets"
        samples = f"{len(self.X)} samples + {tests} for testing"
        return f"<Dataset {self.name}: {samples}, {self.X.shape[1]} features, {what}>"

    def split(self, test: float = 0.2, rng: int | None = 0) -> Dataset:
        """The samples shuffled and divided into training and test data.

        Parameters
        ----------
        test : float
            Fraction of the samples that become test data.
        rng : int or None
            Seed; the order comes from its stream for splits.

        Raises
        ------
        DataError
            There are test data already, or too few samples to divide.
        SettingError
            ``test`` is not between 0 and 1.
        """
        if self.T_test is not None:
            raise DataError(f"{self.name} is divided already; use its X_test and T_test, or join them first")
        if isinstance(test, bool) or not 0 < test < 1:
            raise SettingError(f"test is the fraction of samples to test on, between 0 and 1, not {test!r}")
        n_test = int(len(self.X) * test + 0.5)
        if not 0 < n_test < len(self.X):
            raise DataError(f"a fraction {test} of {len(self.X)} samples leaves none to train or none to test on")
        order = generator(seed_of(rng), SPLITS).permutation(len(self.X))
        held_out, kept = order[:n_test], order[n_test:]
        return replace(self, X=self.X[kept], T=self.T[kept], X_test=self.X[held_out], T_test=self.T[held_out])

    def numbered_as(self, classes: tuple[str, ...]) -> NDArray[Any]:
        """The class numbers T, as the classes of other data are numbered.

        Parameters
        ----------
        classes : tuple of str
            Of the other data.

        Raises
        ------
        DataError
            There is a class that the other data have not.
        """
        if self.classes == classes or all(name.isdecimal() for name in self.classes):
            return self.T
        numbers = {name: k for k, name in enumerate(classes)}
        new = [name for name in self.classes if name not in numbers]
        if new:
            raise DataError(f"{self.name} holds class {new[0]!r}, the data trained on only {', '.join(classes)}")
        return np.array([numbers[self.classes[k]] for k in self.T.tolist()], np.int32)

    def one_hot(self) -> Dataset:
        """The same data with one target column per class, 1 for the sample's class and 0 for the others.

        Raises
        ------
        DataError
            T holds no class numbers.
        """
        if not self.classes:
            raise DataError(f"the targets of {self.name} are no class numbers; one_hot() is for classes")
        unit = np.eye(len(self.classes))
        T_test = None if self.T_test is None else unit[self.T_test]
        return replace(self, T=unit[self.T], T_test=T_test, targets=self.classes, classes=())
