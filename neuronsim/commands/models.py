"""A network as a command names it: a file; or the directory of a run, which knows how its table is scaled."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neuronsim.commands.output import say
from neuronsim.data.columns import Columns
from neuronsim.errors import FileError, SettingError
from neuronsim.network import Network
from neuronsim.storage import load
from neuronsim.storage.runs import load_run, read_columns

_SHOWN = 8


@dataclass(frozen=True)
class Model:
    """A network, and what is known of the table that it learned from.

    Attributes
    ----------
    net : Network
    columns : Columns or None
    """

    net: Network
    columns: Columns | None = None

    @property
    def scales(self) -> bool:
        """Whether raw samples are not what the network takes."""
        return self.columns is not None and self.columns.scales

    def sample(self, x: Any, t: Any) -> tuple[Any, Any]:
        """A raw sample as the network takes it; t may be the name of a class."""
        if self.columns is not None:
            return self.columns.samples(x)[0], self.columns.desired(t)
        if isinstance(t, str):
            raise SettingError(f"--t {t!r} is no number; class names are known of a run directory alone")
        return x, t

    def said(self, x: Any, t: Any) -> str:
        """The numbers of a scaled sample, by the names of their columns."""
        columns = self.columns
        if columns is None:
            return ""
        if columns.classes and np.ndim(t) == 0:
            target = f"{columns.targets[0]} = {columns.classes[int(t)]} (class {int(t)})"
        else:
            target = _listed(columns.targets, np.atleast_1d(t))
        return f"{_listed(columns.features, x)}; {target}"


def _listed(names: tuple[str, ...], values: Any) -> str:
    pairs = zip(names, values, strict=False)
    return ", ".join(f"{name} = {v:.6g}" for name, v in list(pairs)[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


def model_of(path: str) -> Model:
    """Read a network's file or a run directory.

    Parameters
    ----------
    path : str
        Of a file in a directory of `neuronsim run` it is said that its table is scaled.
    """
    place = Path(path)
    if (place / "checkpoint").is_dir() or (place / "run.json").is_file():
        run = load_run(place)
        return Model(run.network, run.columns)
    if not place.suffix and not place.exists():
        raise FileError(f"there is no network file and no run directory {path}; check the path")
    net = load(place)
    if _is_of_a_scaled_table(place.parent):
        say(f"note: samples are taken as they are; {place.parent} scales its table, and does so if it is given instead")
    return Model(net)


def _is_of_a_scaled_table(folder: Path) -> bool:
    """Whether a directory is of a run whose samples were scaled."""
    try:
        columns = read_columns(folder)
    except FileError:
        return False
    return columns is not None and columns.scales
