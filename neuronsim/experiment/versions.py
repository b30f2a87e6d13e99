"""The versions that decide what a run computes."""

import platform
from importlib.metadata import version

from neuronsim import __version__

# The packages that the bits of a run depend on.
_PACKAGES = ("numba", "llvmlite", "numpy", "safetensors")


def versions() -> dict[str, str]:
    """Versions of neuronsim, of Python and of the packages that decide what a run computes."""
    packages = {name: version(name) for name in _PACKAGES}
    return {"neuronsim": __version__, "python": platform.python_version(), **packages}
