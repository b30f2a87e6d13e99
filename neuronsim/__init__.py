"""neuronsim: simulate, trace and train neural networks one neuron at a time, at compiled speed.

Everything public is reachable from ``import neuronsim as ns``; a name loads its module when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from neuronsim import data, errors, plots, wiring
    from neuronsim import plots as plot
    from neuronsim.comparing import compare, learning_rate_range
    from neuronsim.errors import DivergenceWarning, NeuronsimError
    from neuronsim.formulas import activations, losses, optimizers, schedules
    from neuronsim.formulas.descent import gradient_descent, numerical_gradient, random_search
    from neuronsim.grading import grade
    from neuronsim.network import Network
    from neuronsim.replicas import fit_many
    from neuronsim.run import Run
    from neuronsim.storage import load
    from neuronsim.storage.runs import load_run
    from neuronsim.sweeps import sweep
    from neuronsim.tracing.alarm import Alarm
    from neuronsim.tracing.monitor import Monitor
    from neuronsim.training import stop

_MODULES = {
    "activations": "formulas.activations",
    "data": "data",
    "errors": "errors",
    "losses": "formulas.losses",
    "optimizers": "formulas.optimizers",
    "plot": "plots",
    "plots": "plots",
    "schedules": "formulas.schedules",
    "stop": "training.stop",
    "wiring": "wiring",
}
_NAMES = {
    "Alarm": "tracing.alarm",
    "DivergenceWarning": "errors",
    "Monitor": "tracing.monitor",
    "Network": "network",
    "NeuronsimError": "errors",
    "Run": "run",
    "compare": "comparing",
    "fit_many": "replicas",
    "grade": "grading",
    "gradient_descent": "formulas.descent",
    "learning_rate_range": "comparing",
    "load": "storage",
    "load_run": "storage.runs",
    "numerical_gradient": "formulas.descent",
    "random_search": "formulas.descent",
    "sweep": "sweeps",
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
    "compare",
    "data",
    "errors",
    "fit_many",
    "grade",
    "gradient_descent",
    "learning_rate_range",
    "load",
    "load_run",
    "losses",
    "numerical_gradient",
    "optimizers",
    "plot",
    "plots",
    "random_search",
    "schedules",
    "stop",
    "sweep",
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
