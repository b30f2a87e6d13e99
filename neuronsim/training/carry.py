"""What a run hands to the one that goes on from it: how far it is, and what the optimiser keeps of each parameter.

Parameters are known by name: after an edit of the wiring those that are still there keep their state, and new ones
begin as in a first run.
"""

from dataclasses import dataclass

import numpy as np

from neuronsim.basics.arrays import Array, Integers
from neuronsim.engine.session import Session
from neuronsim.errors import DataError, SettingError
from neuronsim.formulas.optimizers import Optimizer
from neuronsim.graph.edges import Delays, Ends, same_delays, search
from neuronsim.graph.graph import Graph
from neuronsim.graph.names import Names
from neuronsim.kernels.arguments import Parameters
from neuronsim.training.order import Order

# So many weights may all be changed by hand between two runs.
_FEW = 4


@dataclass(frozen=True, eq=False)
class Carry:
    """The end of a run.

    Attributes
    ----------
    n_steps : int
        Updates made, those of runs before it included.
    order : Order
        Of the samples.
    batch_size : int
    optimizer : Optimizer
    names : Names
        Of the neurons, by id.
    row_start, sources, delays : int arrays, the delays or None
        The edges, as the graph has them.
    states : tuple of Parameters
        What the optimiser keeps; empty arrays where it keeps nothing.
    parameters : Parameters
        As they were then.
    powers, loss_sum : float64 arrays
        Running products, and the losses of an epoch that is not complete.
    best : (int, list of arrays) or None
        An epoch and the parameters after it, which a rule may want back.
    sums : (int, list of float64 arrays) or None
        Of how many epochs, and the sums of the parameters after them, of a run that is to be averaged.
    """

    n_steps: int
    order: Order
    batch_size: int
    optimizer: Optimizer
    names: Names
    row_start: Array
    sources: Array
    states: tuple[Parameters, Parameters]
    parameters: Parameters
    powers: Array
    loss_sum: Array
    best: tuple[int, list[Array]] | None = None
    sums: tuple[int, list[Array]] | None = None
    delays: Delays | None = None

    @property
    def steps_per_epoch(self) -> int:
        """How many steps an epoch has."""
        return -(-self.order.n_samples // self.batch_size)

    def same_wiring(self, graph: Graph) -> bool:
        """Whether a graph has the same neurons and edges, in the same places."""
        return (
            np.array_equal(self.row_start, graph.row_start)
            and np.array_equal(self.sources, graph.sources)
            and same_delays(self.delays, graph.delays)
            and list(self.names) == list(graph.names)
        )

    def check(self, session: Session, order: Order) -> None:
        """Raise SettingError or DataError where a session can't go on from here."""
        settings = session.settings
        if settings.optimizer != self.optimizer:
            raise SettingError(
                f"resume: the run had {self.optimizer!r}, not {settings.optimizer!r}; its state is of that"
            )
        if settings.batch_size != self.batch_size:
            raise SettingError(f"resume: the run had batch_size={self.batch_size}, not {settings.batch_size}")
        for what, had, has in (
            ("samples to train on", self.order.n_samples, order.n_samples),
            ("samples held out", len(self.order.held_out), len(order.held_out)),
        ):
            if had != has:
                raise DataError(f"resume: the run had {had:,} {what}, not {has:,}; give the same data and validation")
        if order.shuffle != self.order.shuffle:
            raise SettingError(f"resume: the run had shuffle={self.order.shuffle}")

    def check_parameters(self, graph: Graph) -> None:
        """Raise SettingError where not one weight is what the run left it with: it is another network."""
        left, now = self.parameters.weights, graph.weights
        if len(now) > _FEW and self.same_wiring(graph) and not (left == now).any():
            raise SettingError(
                "resume: not one of this network's weights is what the run left it with: it is another network, or it "
                "has been trained since; run.network is the network after the run"
            )

    def hand_over(self, session: Session) -> None:
        """Give a session, which has made no step, the state of the parameters that are still there."""
        learning, graph = session.learning, session.engine.graph
        learning.powers[...] = self.powers
        session.loss_sum[...] = self.loss_sum
        same = self.same_wiring(graph)
        neurons = np.arange(graph.n_neurons) if same else self._neurons(graph)
        edges = np.arange(graph.n_edges) if same else self._edges(graph, neurons)
        for now, before in zip((learning.first_state, learning.second_state), self.states, strict=True):
            for values, old, places in zip(now, before, (edges, neurons, neurons), strict=True):
                if values.size:
                    kept = places >= 0
                    values[kept] = old[places[kept]]

    def _neurons(self, graph: Graph) -> Integers:
        """The id that each neuron had; -1 of a new one."""
        found = (self.names.row(name) for name in graph.names)
        return np.array([-1 if row is None else row for row in found], np.int64)

    def _edges(self, graph: Graph, neurons: Integers) -> Integers:
        """The position that each edge had; -1 of a new one."""
        ends = Ends(neurons[graph.sources], neurons[graph.sinks()], graph.delays)
        old = np.flatnonzero((ends.sources >= 0) & (ends.sinks >= 0))
        at, there = search(self.row_start, self.sources, self.delays, ends.at(old))
        places = np.full(graph.n_edges, -1, np.int64)
        places[old[there]] = at[there]
        return places


def carried(
    session: Session,
    n_steps: int,
    order: Order,
    best: tuple[int, list[Array]] | None,
    sums: tuple[int, list[Array]] | None,
) -> Carry:
    """Where a session's run is now; the arrays are copies."""
    learning, graph = session.learning, session.engine.graph
    first, second, now = (
        Parameters(*(values.copy() for values in part))
        for part in (learning.first_state, learning.second_state, learning.parameters)
    )
    return Carry(
        n_steps=n_steps,
        order=order,
        batch_size=session.batch_size,
        optimizer=session.settings.optimizer,
        names=graph.names.copy(),
        row_start=graph.row_start.copy(),
        sources=graph.sources.copy(),
        delays=graph.delays,
        states=(first, second),
        parameters=now,
        powers=learning.powers.copy(),
        loss_sum=session.loss_sum.copy(),
        best=best,
        sums=sums,
    )
