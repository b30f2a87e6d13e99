"""neuronsim: simulate, trace and train neural networks one neuron at a time, at compiled speed.

Everything public is reachable from ``import neuronsim as ns``; a name loads its module when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from neuronsim import activations, data, errors, losses, optimizers, plots, schedules, stop, wiring
    from neuronsim import plots as plot
    from neuronsim.descent import gradient_descent, numerical_gradient, random_search
    from neuronsim.errors import DivergenceWarning, NeuronsimError
    from neuronsim.network import Network
    from neuronsim.run import Run
    from neuronsim.storage import load
    from neuronsim.tracing import Alarm, Monitor

_MODULES = {
    "activations": "activations",
    "data": "data",
    "errors": "errors",
    "losses": "losses",
    "optimizers": "optimizers",
    "plot": "plots",
    "plots": "plots",
    "schedules": "schedules",
    "stop": "stop",
    "wiring": "wiring",
}
_NAMES = {
    "Alarm": "tracing",
    "DivergenceWarning": "errors",
    "Monitor": "tracing",
    "Network": "network",
    "NeuronsimError": "errors",
    "Run": "run",
    "gradient_descent": "descent",
    "load": "storage",
    "numerical_gradient": "descent",
    "random_search": "descent",
}

__all__ = [
    "Alarm",
    "DivergenceWarning",
    "Monitor",
    "Network",
    "NeuronsimError",
    "Run",
    "__version__",
    "activations",
    "data",
    "errors",
    "gradient_descent",
    "load",
    "losses",
    "numerical_gradient",
    "optimizers",
    "plot",
    "plots",
    "random_search",
    "schedules",
    "stop",
    "wiring",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"neuronsim.{_MODULES[name]}")
    if name in _NAMES:
        return getattr(import_module(f"neuronsim.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'neuronsim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
