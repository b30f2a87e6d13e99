"""Who takes part: each module holds one system, and says how its users would write the work."""

from importlib import import_module
from types import ModuleType

_MODULES = {"PyTorch": "torch_peer", "JAX": "jax_peer", "scikit-learn": "sklearn_peer", "FANN": "fann_peer"}


def available(wanted: list[str] | None = None) -> tuple[dict[str, ModuleType], dict[str, str]]:
    """The peers that are installed, by name, and why the others are not there."""
    found, missing = {}, {}
    for name, module in _MODULES.items():
        if wanted is not None and name not in wanted:
            missing[name] = "not asked for"
            continue
        try:
            found[name] = import_module(f"{__name__}.{module}")
        except (ImportError, OSError) as error:
            missing[name] = str(error).splitlines()[0]
    return found, missing


def names() -> list[str]:
    """All peers that there could be."""
    return list(_MODULES)
