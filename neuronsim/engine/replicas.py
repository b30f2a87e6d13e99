"""Sessions of one wiring side by side, a lane of one kernel each: every one as it would be alone, bit for bit."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from neuronsim.basics.arrays import Array, Marks
from neuronsim.engine.session import Session
from neuronsim.engine.workspace import aligned_zeros, make_samples
from neuronsim.kernels import codes
from neuronsim.kernels.arguments import Learning, Parameters, Span, Workspace
from neuronsim.kernels.batch.steps import BLOCK_SAMPLES
from neuronsim.kernels.replicas.forward import GATHERED
from neuronsim.kernels.replicas.steps import train_replicas
from neuronsim.kernels.replicas.tiny import train_tiny_replicas


def why_not(session: Session) -> str:
    """Why a session can't be a lane; empty where it can."""
    if session.task.clip_norm:
        return "clip_norm looks at all gradients of a replica together"
    if session.batch_size > BLOCK_SAMPLES:
        return f"batch_size is above {BLOCK_SAMPLES:,}"
    if session.recorder is not None:
        return "monitors look at one run"
    return ""


class Replicas:
    """Up to as many sessions as a lane vector has lanes, of equal wiring, data, loss and rules; rates are their own.

    Parameters
    ----------
    sessions : sequence of Session
        That have made no step, or equally many.
    """

    def __init__(self, sessions: Sequence[Session]) -> None:
        self.sessions = list(sessions)
        one = sessions[0]
        self.width = one.engine.width
        self._dtype, self._data, self.task, self.wiring = one.engine.dtype, one.data, one.task, one.wiring
        learning = one.learning
        self.learning = Learning(
            rule=learning.rule._replace(numbers=learning.rule.numbers.copy()),
            settings=learning.settings,
            powers=learning.powers.copy(),
            mode=learning.mode,
            parameters=self._lanes("parameters"),
            first_state=self._lanes("first_state"),
            second_state=self._lanes("second_state"),
            rates=learning.rates,
            gradient=one.engine.no_parameters(),
        )
        self._sums = np.zeros(2 * self.width)
        self.work = self._workspace()

    @property
    def loss_sums(self) -> Array:
        """Of the losses of each lane's samples, since they were set to 0; a view."""
        return self._sums[: self.width]

    def advance(self, orders: Sequence[Array], first_step: int, n_steps: int, rates: Sequence[Array]) -> None:
        """Make steps of an epoch.

        Parameters
        ----------
        orders : sequence of int64 arrays (n_samples,)
            Of each session: rows of X, in the order in which they come.
        first_step, n_steps : int
            The first one, and how many.
        rates : sequence of float64 arrays (n_steps,), or (1,) where all steps have one
            Of each session.
        """
        n_places = len(orders[0])
        rest = [orders[-1]] * (self.width - len(orders))
        shared = all(order is orders[0] for order in orders)
        order = orders[0] if shared else np.concatenate([*orders, *rest])
        samples = make_samples(*self._data, order, self._dtype)
        span = Span(first_step, self._filled(rates), self._sums)
        wiring, learning, work, task = self.wiring, self.learning, self.work, self.task
        if wiring.tiny and task.batch == 1 and task.fused and task.loss == codes.HALF_SQUARED:
            train_tiny_replicas(wiring, learning.parameters, work, samples, span, n_places, n_steps)
        else:
            train_replicas(wiring, learning, work, samples, task, span, n_places, n_steps)

    def is_finite(self) -> Marks:
        """Of each session, whether its losses and parameters are finite."""
        found = np.isfinite(self.loss_sums)
        with np.errstate(all="ignore"):
            for values in self.learning.parameters:
                lanes = values.reshape(-1, self.width)
                if not np.isfinite(values.sum()):
                    found &= np.isfinite(lanes).all(axis=0)
        return found[: len(self.sessions)]

    def hand_back(self, lane: int) -> None:
        """Give a session its parameters, what its optimiser keeps, and its sum of losses."""
        session = self.sessions[lane]
        for kind in ("parameters", "first_state", "second_state"):
            for values, lanes in zip(getattr(session.learning, kind), getattr(self.learning, kind), strict=True):
                values[...] = lanes.reshape(-1, self.width)[:, lane]
        session.learning.powers[...] = self.learning.powers
        session.loss_sum[0] = self.loss_sums[lane]

    def _lanes(self, kind: str) -> Parameters:
        """The sessions' arrays, element by element side by side; lanes beyond the last repeat it."""
        kinds = [getattr(session.learning, kind) for session in self.sessions]
        return Parameters(*(self._filled(arrays) for arrays in zip(*kinds, strict=True)))

    def _filled(self, columns: Sequence[Array]) -> Array:
        """Columns of each session as lanes, row behind row, aligned."""
        lanes = aligned_zeros(len(columns[0]) * self.width, self._dtype)
        table, n = lanes.reshape(-1, self.width), len(columns)
        table[:, :n] = np.stack(columns, axis=1)
        table[:, n:] = table[:, n - 1 : n]
        return lanes

    def _workspace(self) -> Workspace:
        """A lane vector for each sample of a batch in each neuron's row."""
        wiring, width, batch = self.wiring, self.width, self.task.batch
        stride = batch * width
        n, n_outputs = len(wiring.is_input), len(wiring.outputs)
        sizes = dict.fromkeys(("y", "z", "delta", "derivatives"), n * stride)
        sizes |= dict.fromkeys(("loss_delta", "target"), n_outputs * stride)
        sizes |= {"slope_terms": len(wiring.prelus) * stride, "losses": stride, "scratch": width * width}
        sizes["rows"] = (len(wiring.inputs) + n_outputs) * (batch + GATHERED) * width
        buffers: dict[str, Any] = {name: aligned_zeros(size, self._dtype) for name, size in sizes.items()}
        # the others are what a lone session works with, and not used here
        return self.sessions[0].work._replace(stride=stride, pitch=0, **buffers)
