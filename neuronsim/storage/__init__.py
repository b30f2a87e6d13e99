"""Networks kept in files: binary (``.safetensors``), or text made to be read and compared (``.json``).

Everything that makes a network comes back bit for bit, weights not drawn yet included.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from neuronsim.basics.atomic import replacing
from neuronsim.errors import FileError, SettingError
from neuronsim.network import Network
from neuronsim.storage import binary, text
from neuronsim.storage.state import network_of, state_of

__all__ = ["load", "save"]


_FORMATS = {".safetensors": binary, ".json": text}


def save(net: Network, path: str | os.PathLike[str]) -> None:
    """Write a network to a file; the file's ending names the format.

    Parameters
    ----------
    net : Network
    path : str or path
        Ends in ``.safetensors`` or ``.json``. A file that is there is replaced, in one go: a crash leaves the
        old one or the new one.

    Raises
    ------
    SettingError
        The ending is another one.
    FileError
        The file cannot be written.
    """
    path = Path(path)
    form = _format(path)
    with replacing(path) as beside:
        form.write(state_of(net), beside)


def load(path: str | os.PathLike[str]) -> Network:
    """Read the network in a file that ``net.save`` wrote.

    Parameters
    ----------
    path : str or path
        Its ending, ``.safetensors`` or ``.json``, says in which form it is.

    Returns
    -------
    Network
        With the same bits.

    Raises
    ------
    SettingError
        The ending is neither ``.safetensors`` nor ``.json``.
    FileError
        The file is missing, truncated, damaged or of another kind; or it uses an activation that is not
        registered here.
    """
    path = Path(path)
    if path.is_dir():
        kept = path / "network.safetensors"
        advice = (
            f"the network of that run is {kept}; ns.load_run(directory) knows its table's scales, too"
            if kept.exists()
            else "give a .safetensors or .json file"
        )
        raise FileError(f"{path} is a folder, and a network is a file; {advice}")
    form = _format(path)
    if not path.is_file():
        raise FileError(f"there is no network file {path}; check the path")
    try:
        return network_of(form.read(path))
    except FileError as problem:
        raise FileError(f"{path}: {problem}") from None
    except OSError as problem:
        raise FileError(f"{path} cannot be read: {problem.strerror or problem}") from None


def _format(path: Path) -> Any:
    """The module that writes and reads such a file."""
    try:
        return _FORMATS[path.suffix.lower()]
    except KeyError:
        raise SettingError(
            f"{path.name!r}: a network file ends in {' or '.join(_FORMATS)}, not in {path.suffix!r}"
        ) from None
