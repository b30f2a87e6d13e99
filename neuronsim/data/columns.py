"""What a trained network must know of the table that it learned from: raw rows in, answers out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.arrays import Floats, Reals
from neuronsim.basics.words import counted
from neuronsim.data.csvfile import read_csv
from neuronsim.data.scaling import MinMaxScaler, Standardizer, from_state
from neuronsim.errors import DataError, FileError, UnknownNameError, suggest

Scaler = MinMaxScaler | Standardizer
Pair = tuple[Floats, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of a table, and how they become numbers for a network and back.

    Attributes
    ----------
    features, targets, classes : tuple of str
        As of `neuronsim.data.Dataset`.
    scaler, target_scaler : Standardizer, MinMaxScaler or None
        With the statistics of the training data.
    divisor : float
        What features are divided by: 255 of images.
    """

    features: tuple[str, ...]
    targets: tuple[str, ...]
    classes: tuple[str, ...]
    scaler: Scaler | None = None
    target_scaler: Scaler | None = None
    divisor: float = 1.0

    def samples(self, table: Any, *, delimiter: str = ",") -> Floats:
        """Raw rows as the network takes them.

        Parameters
        ----------
        table : DataFrame, mapping of str to column, path, or array (n_samples, n_features)
            Columns by name, in any order, others are passed over; of an array by position. A path is a CSV file.
        delimiter : str
            Of a CSV file.

        Returns
        -------
        float64 array (n_samples, n_features)

        Raises
        ------
        UnknownNameError
            A column is missing.
        DataError, FileError
            A value is missing or no number; the row and the column are named.
        """
        if isinstance(table, str | os.PathLike):
            raw = read_csv(table, features=list(self.features), delimiter=delimiter).X
        elif hasattr(table, "columns") or isinstance(table, Mapping):
            raw = self._by_name(table)
        else:
            raw = self._by_position(table)
        return self._scaled(raw)

    def _scaled(self, raw: Floats) -> Floats:
        scaled = raw / self.divisor if self.divisor != 1.0 else raw
        return scaled if self.scaler is None else self.scaler.transform(scaled)

    @property
    def scales(self) -> bool:
        """Whether samples or targets are not taken as they are."""
        return self.divisor != 1.0 or self.scaler is not None or self.target_scaler is not None

    def desired(self, t: Any) -> Any:
        """A raw target as the network is trained on it: scaled; of a class its number.

        Parameters
        ----------
        t : float or array (n_outputs,); str
            The class by name.

        Raises
        ------
        UnknownNameError
            There is no such class.
        """
        if isinstance(t, str):
            if t not in self.classes:
                listed = f"; classes: {', '.join(self.classes)}" if self.classes else "; the targets are no classes"
                raise UnknownNameError(f"no class {t!r}{suggest(t, self.classes)}{listed}")
            return self.classes.index(t)
        if self.target_scaler is None:
            return t
        return self.target_scaler.transform(np.atleast_2d(np.asarray(t, np.float64)))[0]

    def pairs(self, path: str | os.PathLike[str], *, delimiter: str = ",", header: bool | None = None) -> Pair:
        """The samples and the targets in a CSV file, as the network takes them.

        Parameters
        ----------
        path : str or path
        delimiter : str
        header : bool or None
            As of `read_csv`.

        Returns
        -------
        pair of arrays
            X and T.
        """
        how: dict[str, Any] = {"delimiter": delimiter, "header": header}
        data = read_csv(path, list(self.targets), features=list(self.features), classes=bool(self.classes), **how)
        T = data.numbered_as(self.classes) if self.classes else data.T
        return self._scaled(data.X), T if self.target_scaler is None else self.target_scaler.transform(T)

    def answers(self, Y: Reals) -> dict[str, NDArray[Any]]:
        """What outputs mean: targets in their own units; or the most probable class, and the probability of each.

        Parameters
        ----------
        Y : array (n_samples, n_outputs)
        """
        values = np.asarray(Y, np.float64)
        if self.classes and values.shape[1] == len(self.classes):
            most = np.array(self.classes)[values.argmax(axis=1)]
            return {self.targets[0]: most} | {f"p({name})": values[:, k] for k, name in enumerate(self.classes)}
        if self.target_scaler is not None:
            values = self.target_scaler.inverse(values)
        names = self.targets if len(self.targets) == values.shape[1] else [f"y{k}" for k in range(values.shape[1])]
        return {name: values[:, k] for k, name in enumerate(names)}

    def _by_name(self, table: Any) -> Floats:
        there = [str(name) for name in (table.columns if hasattr(table, "columns") else table)]
        columns = []
        for name in self.features:
            if name not in there:
                raise UnknownNameError(f"no column {name!r}{suggest(name, there) or ';'} columns: {', '.join(there)}")
            columns.append(_numbers(table[name], name))
        lengths = {len(column) for column in columns}
        if len(lengths) > 1:
            raise DataError(f"columns of {sorted(lengths)} rows; all columns of a table have as many")
        return np.column_stack(columns)

    def _by_position(self, table: Any) -> Floats:
        raw = np.asarray(table)
        raw = raw[None] if raw.ndim == 1 and len(raw) == len(self.features) else raw
        if raw.ndim != 2 or raw.shape[1] != len(self.features):
            listed = ", ".join(self.features[:8]) + (", …" if len(self.features) > 8 else "")
            raise DataError(f"{counted(len(self.features), 'column')} are needed ({listed}), not shape {raw.shape}")
        return np.column_stack([_numbers(raw[:, k], name) for k, name in enumerate(self.features)])

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a file."""
        return {
            "features": list(self.features),
            "targets": list(self.targets),
            "classes": list(self.classes),
            "scaler": None if self.scaler is None else self.scaler.state(),
            "target_scaler": None if self.target_scaler is None else self.target_scaler.state(),
            "divisor": self.divisor,
        }

    @classmethod
    def of_dict(cls, given: Mapping[str, Any]) -> Columns:
        """Back from `as_dict`.

        Parameters
        ----------
        given : mapping

        Raises
        ------
        FileError
            It is something else.
        """
        try:
            features, targets, classes = (tuple(map(str, given[key])) for key in ("features", "targets", "classes"))
            scaler, of_targets = (given[key] and from_state(given[key]) for key in ("scaler", "target_scaler"))
            return cls(features, targets, classes, scaler, of_targets, float(given["divisor"]))
        except (KeyError, TypeError, ValueError) as problem:
            raise FileError(f"these are no columns of a table: {problem!r}") from None


def _numbers(column: Any, name: str) -> Floats:
    """A column as finite numbers."""
    try:
        values = np.asarray(column, np.float64)
    except (TypeError, ValueError):
        raise DataError(f"column {name!r} holds what is no number; fill it in, or leave the row out") from None
    if values.ndim != 1:
        raise DataError(f"column {name!r} has shape {values.shape}; it must be (n_samples,)")
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        row = int(wrong[0])
        raise DataError(f"row {row}, column {name!r}: {values[row]}; fill in what is missing, or leave the row out")
    return values
