"""The data of an experiment: read, divided, and scaled by the statistics of what is trained on."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuronsim.analysis.probe import classes
from neuronsim.basics.arrays import Array
from neuronsim.basics.words import counted
from neuronsim.data import Dataset, MinMaxScaler, Standardizer, load, read_csv, read_idx
from neuronsim.data.columns import Columns
from neuronsim.data.dataset import most_classes
from neuronsim.data.distortion import Distortion
from neuronsim.errors import DataError, SettingError, choose
from neuronsim.seeds import NOISE, generator

SCALES: dict[str, type[MinMaxScaler] | type[Standardizer] | None] = {
    "none": None,
    "images": None,
    "minmax": MinMaxScaler,
    "standardize": Standardizer,
}
TARGET_SCALES = {name: scaler for name, scaler in SCALES.items() if name != "images"}

# What [data] says about a set beside the arguments of data.load and data.read_csv.
_OWN_KEYS = ("name", "csv", "directory", "test", "scale", "scale_targets", "distort")


@dataclass(frozen=True)
class Prepared:
    """Data ready for fit.

    Attributes
    ----------
    data : Dataset
        Training data in X and T; test data in X_test and T_test, if there are any.
    validation : pair of arrays or None
        (X, T) to look at after each epoch, or None.
    scaler : MinMaxScaler, Standardizer or None
        What T and T_test were scaled by.
    measured : bool
        Whether targets are numbers with a unit, not classes by number or by 0 and 1.
    columns : Columns or None
        What a trained network needs to be asked with raw rows.
    """

    data: Dataset
    validation: tuple[Array, Array] | None
    scaler: MinMaxScaler | Standardizer | None = None
    measured: bool = False
    columns: Columns | None = None

    def rms_errors(self, Y: Array, T: Array) -> dict[str, float] | None:
        """The root mean squared error by target, in the target's own unit; None of classes."""
        names = self.data.targets
        if not self.measured or T.shape[1] != len(names):
            return None
        outputs, wanted = (np.asarray(v, np.float64) for v in (Y, T))
        if self.scaler is not None:
            outputs, wanted = self.scaler.inverse(outputs), self.scaler.inverse(wanted)
        means = np.sqrt(np.square(outputs - wanted).mean(axis=0))
        return dict(zip(names, means.tolist(), strict=True))


def prepare(
    table: dict[str, Any], folder: Path, *, seed: int, dtype: np.dtype[Any], validation: bool | float | None
) -> Prepared:
    """The data that a checked ``[data]`` table describes; copies are made of the samples that are trained on alone.

    Parameters
    ----------
    table : dict
        ``[data]``.
    folder : Path
        What its paths are relative to.
    seed : int
        Of generated samples and of the division.
    dtype : dtype
        The network's.
    validation : bool, float or None
        What to look at after each epoch: a fraction of the training data, which is held out; True, the test
        data; False, nothing; None, the test data if there are any. To look at, that is: what is to choose by them
        gives a fraction.
    """
    data = _read(table, folder, seed)
    if isinstance(table.get("test"), int | float):
        data = data.split(table["test"], rng=seed)
    X_val, T_val = None, None
    if isinstance(validation, int | float) and not isinstance(validation, bool):
        part = replace(data, X_test=None, T_test=None).split(validation, rng=seed)
        data, X_val, T_val = replace(data, X=part.X, T=part.T), part.X_test, part.T_test
    elif validation is True and data.T_test is None:
        raise SettingError("training.validation = true needs test data; give data.test")
    elif validation is not False and data.T_test is not None:
        X_val, T_val = data.X_test, data.T_test
    if "distort" in table:
        distortion = Distortion(**table["distort"])
        T = np.concatenate([data.T] * (1 + distortion.copies))
        data = replace(data, X=distortion.more(data.X, generator(seed, NOISE)), T=T)
    _check_classes(data)
    for_X, x_scaler, scaler = _scalings(table, data, dtype)
    measured = not data.classes and data.T.ndim == 2 and classes(data.T) is None
    for_T = _kept if scaler is None else scaler.transform
    return Prepared(
        replace(
            data,
            X=for_X(data.X),
            T=for_T(data.T),
            X_test=None if data.X_test is None else for_X(data.X_test),
            T_test=None if data.T_test is None else for_T(data.T_test),
        ),
        None if X_val is None or T_val is None else (for_X(X_val), for_T(T_val)),
        scaler,
        measured,
        Columns(data.features, data.targets, data.classes, x_scaler, scaler, _divisor(table)),
    )


def _read(table: dict[str, Any], folder: Path, seed: int) -> Dataset:
    folder = folder / table.get("directory", "")
    arguments = {key: value for key, value in table.items() if key not in _OWN_KEYS}
    if "name" in table:
        if table["name"] in ("spirals", "moons"):
            arguments.setdefault("rng", seed)
        return load(table["name"], **arguments)
    if "csv" in table:
        data = read_csv(folder / table["csv"], **arguments)
        if isinstance(table.get("test"), str):
            # by name: its columns may come in another order
            by_name = arguments | {"targets": list(data.targets), "features": list(data.features)}
            test = read_csv(folder / table["test"], **by_name)
            data = replace(data, X_test=test.X, T_test=test.numbered_as(data.classes) if data.classes else test.T)
        return data
    return _idx(table, folder)


def _idx(table: dict[str, Any], folder: Path) -> Dataset:
    X, T = _images_and_labels(table["train"], folder)
    n_classes = int(T.max(initial=-1)) + 1
    data = Dataset(
        X=X,
        T=T,
        features=tuple(f"x{k}" for k in range(X.shape[1])),
        targets=("class",),
        classes=tuple(str(k) for k in range(n_classes)),
        name=Path(table["train"]["images"]).name,
        description="images and labels from IDX files",
    )
    if isinstance(table.get("test"), dict):
        X_test, T_test = _images_and_labels(table["test"], folder)
        if X_test.shape[1] != X.shape[1]:
            raise DataError(f"test images have {X_test.shape[1]} numbers, those to train on {X.shape[1]}")
        data = replace(data, X_test=X_test, T_test=T_test)
    return data


def _images_and_labels(files: dict[str, Any], folder: Path) -> tuple[Array, NDArray[np.int32]]:
    images, labels = read_idx(folder / files["images"]), read_idx(folder / files["labels"])
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(f"{files['labels']} holds {labels.ndim}-dimensional {labels.dtype}; labels are whole numbers")
    if len(images) != len(labels):
        raise DataError(f"{files['images']} has {len(images)} samples, {files['labels']} has {len(labels)}")
    if labels.min(initial=0) < 0 or labels.max(initial=0) >= most_classes(len(labels)):
        wrong = labels.max() if labels.min() >= 0 else labels.min()
        raise DataError(
            f"{files['labels']} holds class {wrong}; of {len(labels):,} samples classes go from 0 to "
            f"{most_classes(len(labels)) - 1:,} at most"
        )
    return images.reshape(len(images), -1), labels.astype(np.int32)


def _check_classes(data: Dataset) -> None:
    """Refuse samples that are all of one class: every network learns to say so, and nothing else."""
    if data.classes and data.T.ndim == 1 and data.T.min() == data.T.max():
        name = data.classes[int(data.T[0])]
        raise DataError(
            f"all {counted(len(data.T), 'sample')} to train on are of class {name!r}: there is nothing to tell apart; "
            "give samples of other classes, too, or another data.test or seed"
        )


def _scalings(
    table: dict[str, Any], data: Dataset, dtype: np.dtype[Any]
) -> tuple[Callable[[Array], Array], MinMaxScaler | Standardizer | None, MinMaxScaler | Standardizer | None]:
    """What to do with X, its scaler, and the scaler of T."""
    scale, scale_targets = table.get("scale", "none"), table.get("scale_targets", "none")
    scaler = choose("data.scale", scale, SCALES)
    target_scaler = choose("data.scale_targets", scale_targets, TARGET_SCALES)
    if target_scaler is not None and data.classes:
        raise SettingError("data.scale_targets is for numbers to be met; class numbers stay as they are")
    unscaled = partial(_divided_by_255, dtype=dtype) if scale == "images" else _kept
    for_T = None if target_scaler is None else _fitted_to_targets(target_scaler(), data)
    if scaler is None:
        return unscaled, None, for_T
    fitted = scaler().fit(data.X)
    return fitted.transform, fitted, for_T


def _fitted_to_targets(scaler: MinMaxScaler | Standardizer, data: Dataset) -> MinMaxScaler | Standardizer:
    """The scaler, unless a target is constant: it would be lost, in the test data as well."""
    scaler.fit(data.T)
    columns = data.T.reshape(len(data.T), -1)
    constant = np.flatnonzero(columns.min(axis=0) == columns.max(axis=0)).tolist()
    if constant:
        name, value = data.targets[constant[0]], float(columns[0, constant[0]])
        raise DataError(
            f"target {name!r} is {value:g} in all {counted(len(data.T), 'sample')} to train on: there is nothing to "
            "learn about it, and no range to scale by; give more samples, another data.test or seed, leave it out, "
            'or say data.scale_targets = "none"'
        )
    return scaler


def _divisor(table: dict[str, Any]) -> float:
    """What the features of this ``[data]`` are divided by."""
    return 255.0 if table.get("scale") == "images" else 1.0


def _kept(array: Array) -> Array:
    return array


def _divided_by_255(X: Array, dtype: np.dtype[Any]) -> Array:
    """``X / 255``, rounded to the network's dtype."""
    if X.dtype == np.uint8:
        levels: Array = (np.arange(256) / 255).astype(dtype)
        return levels[X]
    return (np.asarray(X, np.float64) / 255).astype(dtype)
