"""One neuron, one edge, gradients and evaluations as people see them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuronsim.engine.runtime import Runtime
from neuronsim.engine.signals import ReducedGradients
from neuronsim.errors import NotKnownError, SettingError
from neuronsim.formulas import activations
from neuronsim.graph.graph import Graph
from neuronsim.graph.memory import LEAKS_OF

__all__ = ["Edge", "Evaluation", "Gradients", "Neuron", "edge_table", "neuron_table"]


@dataclass(eq=False, repr=False, slots=True)
class Neuron:
    """One neuron of a network, found by its name: what it is now.

    ``bias`` (``b``), ``slope`` and ``activation`` can be set. ``z``, ``y`` and ``delta`` are those of the
    last ``step()`` or 1-D ``forward``.
    """

    _runtime: Runtime
    name: str

    @property
    def _graph(self) -> Graph:
        return self._runtime.graph

    @property
    def id(self) -> int:
        """Its row in ``net.neurons``."""
        return self._graph.id(self.name)

    @property
    def is_input(self) -> bool:
        """Whether it is an input."""
        return bool(self._graph.is_input[self.id])

    @property
    def is_output(self) -> bool:
        """Whether it is an output."""
        return bool((self._graph.outputs == self.id).any())

    @property
    def activation(self) -> str:
        """The name of its activation; an input has identity."""
        return activations.by_code(int(self._graph.activation_codes[self.id])).name

    @activation.setter
    def activation(self, activation: str) -> None:
        self._runtime.forget()
        self._graph.set_activation(self.name, activation)

    @property
    def bias(self) -> float:
        """Its bias; an input's is 0 and never read."""
        return float(self._graph.biases[self.id])

    @bias.setter
    def bias(self, value: float) -> None:
        self._runtime.forget()
        self._graph.set_bias(self.name, value)

    b = bias

    @property
    def slope(self) -> float:
        """Its slope for negative z, which prelu learns and reads."""
        return float(self._graph.slopes[self.id])

    @slope.setter
    def slope(self, value: float) -> None:
        self._runtime.forget()
        self._graph.set_slope(self.name, value)

    @property
    def leak(self) -> float | None:
        """α, the part of what is new in a step; None where it does not leak, which it can be set to.

        A neuron that is given a leak leaks its output; ``leak_of`` can change that.
        """
        leak, code = self._graph.memory.leak(self.id)
        return leak if code else None

    @leak.setter
    def leak(self, leak: float | None) -> None:
        self._runtime.forget()
        self._graph.set_leak(self.name, leak, self.leak_of or "output")

    @property
    def leak_of(self) -> str | None:
        """What leaks, "output" or "potential"; None where it does not leak."""
        code = self._graph.memory.leak(self.id)[1]
        return next((what for what, known in LEAKS_OF.items() if known == code), None)

    @leak_of.setter
    def leak_of(self, what: str) -> None:
        if self.leak is None:
            raise SettingError(f"{self.name!r} does not leak; first net[{self.name!r}].leak = 0.3")
        self._runtime.forget()
        self._graph.set_leak(self.name, self.leak, what)

    @property
    def initial(self) -> float:
        """Its output before the first step; if its potential leaks, that potential. 0 unless set."""
        return self._graph.memory.initial(self.id)

    @initial.setter
    def initial(self, value: float) -> None:
        self._runtime.forget()
        self._graph.set_initial(self.name, value)

    @property
    def z(self) -> Any:
        """Its net input, b + Σ w·y; an input's is x."""
        return self._runtime.signal("z", self.id)

    @property
    def y(self) -> Any:
        """Its output, f(z)."""
        return self._runtime.signal("y", self.id)

    @property
    def delta(self) -> Any:
        """Its error signal, ∂L/∂z."""
        return self._runtime.signal("delta", self.id)

    @property
    def sources(self) -> list[str]:
        """Names of the neurons it listens to, by id."""
        graph, neuron = self._graph, self.id
        return list(graph.name_list(np.unique(graph.sources[graph.row_start[neuron] : graph.row_start[neuron + 1]])))

    @property
    def sinks(self) -> list[str]:
        """Names of the neurons that listen to it, by id."""
        graph = self._graph
        edges = np.flatnonzero(graph.sources == self.id)
        return list(graph.name_list(np.unique(np.searchsorted(graph.row_start, edges, side="right") - 1)))

    @property
    def frozen(self) -> bool:
        """Whether its bias is frozen."""
        return self._graph.rates("biases").at(self.id)[1]

    @property
    def rate(self) -> float:
        """The factor on the learning rate of its bias."""
        return self._graph.rates("biases").at(self.id)[0]

    def __repr__(self) -> str:
        kind = "input" if self.is_input else self.activation
        values = [f"b = {self.bias:.9g}"] if not self.is_input else []
        values += [f"{what} = {_shown(self, what)}" for what in ("z", "y", "delta")]
        return f"<neuron {self.name!r}, id {self.id}, {kind}: {', '.join(values)}>"


@dataclass(eq=False, repr=False, slots=True)
class Edge:
    """One edge of a network, found by the names of its ends and its delay in steps: what it is now.

    ``weight`` (``w``) can be set.
    """

    _runtime: Runtime
    source: str
    sink: str
    delay: int = 0

    @property
    def _at(self) -> int:
        return self._runtime.graph.edge(self.source, self.sink, self.delay)

    @property
    def weight(self) -> float:
        """Its weight."""
        self._runtime.draw()
        return float(self._runtime.graph.weights[self._at])

    @weight.setter
    def weight(self, value: float) -> None:
        self._runtime.forget()
        self._runtime.graph.set_weight(self._at, value)

    w = weight

    @property
    def gradient(self) -> float:
        """∂L/∂w = δ of the sink × y of the source, of the last ``step()``."""
        runtime, graph = self._runtime, self._runtime.graph
        delta = runtime.signal("delta", graph.id(self.sink), "gradient")
        return float(graph.dtype.type(delta) * graph.dtype.type(runtime.signal("y", graph.id(self.source))))

    @property
    def frozen(self) -> bool:
        """Whether its weight is frozen."""
        return self._runtime.graph.rates("weights").at(self._at)[1]

    @property
    def rate(self) -> float:
        """The factor on its learning rate."""
        return self._runtime.graph.rates("weights").at(self._at)[0]

    def __repr__(self) -> str:
        frozen = ", frozen" if self.frozen else ""
        delay = f", delay {self.delay}" if self.delay else ""
        return f"<edge {self.source!r} → {self.sink!r}{delay}: w = {self.weight:.9g}{frozen}>"


def _shown(record: Neuron, what: str) -> str:
    try:
        return f"{getattr(record, what):.9g}"
    except NotKnownError:
        return "not known"


@dataclass(frozen=True)
class Gradients(ReducedGradients):
    """∂L/∂parameter over all samples, and each sample's own error signals.

    Attributes
    ----------
    loss : float
        The loss, reduced over the samples.
    losses : array (n_samples,)
        Each sample's own.
    weights : array (n_edges,)
    biases, slopes : array (n_neurons,)
        Reduced over the samples.
    delta : array (n_samples, n_neurons)
        ∂L/∂z of each sample's own loss.
    inputs : array (n_samples, n_inputs)
        ∂L/∂x of each sample's own loss.
    outputs : array (n_samples, n_outputs)
        The network's outputs.
    """

    _graph: Graph = field(repr=False)
    _version: int = field(repr=False)

    def __getitem__(self, what: Any) -> float:
        """The gradient of one neuron's bias, ``g["h1"]``, or one weight, ``g["i1", "h1"]`` or with its delay."""
        if self._graph.version != self._version:
            raise NotKnownError("the network was edited after these gradients: use the arrays, in the old order")
        if isinstance(what, tuple) and len(what) in (2, 3):
            return float(self.weights[self._graph.edge(*what)])
        return float(self.biases[self._graph.id(what)])


@dataclass(frozen=True)
class Evaluation:
    """How a network does on data.

    Attributes
    ----------
    loss : float
        Mean over the samples.
    accuracy : float or None
        Share of samples in the right class; None where targets are not classes.
    outputs : array (n_samples, n_outputs)
    """

    loss: float
    accuracy: float | None
    outputs: NDArray[np.floating] = field(repr=False)


def neuron_table(graph: Graph) -> NDArray[Any]:
    """A read-only row for each neuron: name, activation, bias, slope, is_input, is_output, rate, frozen."""
    codes, which = np.unique(graph.activation_codes, return_inverse=True)
    kinds = np.array([activations.by_code(int(code)).name for code in codes], np.str_)
    is_output = np.zeros(graph.n_neurons, np.bool_)
    is_output[graph.outputs] = True
    rates = graph.rates("biases")
    columns = {
        "name": np.array(list(graph.names), np.str_),
        "activation": kinds[which],
        "bias": graph.biases,
        "slope": graph.slopes,
        "is_input": graph.is_input,
        "is_output": is_output,
        "rate": rates.factors(),
        "frozen": rates.frozen(),
    }
    return _table(columns, graph.n_neurons)


def edge_table(graph: Graph) -> NDArray[Any]:
    """One row for each edge: source, sink (ids), weight, rate, frozen, delay; read-only."""
    rates = graph.rates("weights")
    columns = {
        "source": graph.sources,
        "sink": graph.sinks(),
        "weight": graph.weights,
        "rate": rates.factors(),
        "frozen": rates.frozen(),
        "delay": np.zeros(len(graph.sources), np.uint16) if graph.delays is None else graph.delays,
    }
    return _table(columns, len(graph.sources))


def _table(columns: dict[str, NDArray[Any]], n: int) -> NDArray[Any]:
    table = np.empty(n, [(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        table[name] = column
    table.flags.writeable = False
    return table
