"""Facts about this installation and about a network, and what there is of each kind, as plain values."""

import platform
from collections.abc import Callable
from typing import Any

import llvmlite.binding
import numba
import numpy as np

from neuronsim import wiring
from neuronsim.basics.listing import Listing, by_docstring
from neuronsim.experiment.execute import versions
from neuronsim.formulas import activations, losses, optimizers, schedules
from neuronsim.kernels.jit import cache_folder
from neuronsim.network import Network
from neuronsim.training import stop

#: What ``neuronsim info`` lists.
KINDS: dict[str, Callable[[], Listing]] = {
    "activations": activations.available,
    "losses": losses.available,
    "optimizers": optimizers.available,
    "schedules": schedules.available,
    "stops": stop.available,
    "wirings": lambda: by_docstring({name: getattr(wiring, name) for name in wiring.__all__}),
}


def installation() -> dict[str, Any]:
    """Versions, threads, processor, and where compiled kernels are kept."""
    return versions() | {
        "platform": platform.platform(),
        "cpu": numba.config.CPU_NAME or llvmlite.binding.get_host_cpu_name(),
        "threads": int(numba.config.NUMBA_NUM_THREADS),
        "threading_layer": threading_layer(),
        "cache": None if cache_folder() is None else str(cache_folder()),
    }


def threading_layer() -> str:
    """The threading layer that parallel kernels get in this process."""
    from numba.np.ufunc.parallel import _launch_threads

    _launch_threads()
    return str(numba.threading_layer())


def network_facts(net: Network) -> dict[str, Any]:
    """Sizes and settings of a network."""
    graph = net.graph
    codes, counts = np.unique(graph.activation_codes[~graph.is_input], return_counts=True)
    used = zip(codes.tolist(), counts.tolist(), strict=True)
    return {
        "dtype": net.dtype.name,
        "n_neurons": net.n_neurons,
        "n_inputs": net.n_inputs,
        "n_outputs": net.n_outputs,
        "n_edges": net.n_edges,
        "n_parameters": net.n_parameters,
        "n_frozen": sum(graph.rates(of).n_frozen for of in ("weights", "biases", "slopes")),
        "depth": net.depth,
        "activations": {activations.by_code(code).name: count for code, count in used},
        "init": net.init,
        "seed": net.seed,
    }
