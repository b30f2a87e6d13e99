"""The works, by the name that ``--only`` takes, in the order in which they run."""

from importlib import import_module
from types import ModuleType

_MODULES = {
    "dense-batch": "dense_batch",
    "dense-online": "dense_online",
    "tiny-online": "tiny_online",
    "replicas": "replicas",
    "sparse": "sparse",
    "scale": "scale",
    "start": "start",
}


def names() -> list[str]:
    """All works."""
    return list(_MODULES)


def work(name: str) -> ModuleType:
    """Its module: a TITLE and ``run(setup)``, which yields measurements."""
    return import_module(f"{__name__}.{_MODULES[name]}")
