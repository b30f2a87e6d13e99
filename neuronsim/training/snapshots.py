"""What a training run keeps so that its steps can be made again: how it began, and states along the way."""

import hashlib
import math
import re
import time
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from neuronsim.basics.arrays import Array
from neuronsim.basics.checked import is_real
from neuronsim.engine.learning import SessionSettings
from neuronsim.engine.session import Session, State
from neuronsim.errors import DataError, SettingError
from neuronsim.formulas.losses import Loss
from neuronsim.formulas.schedules import Schedule
from neuronsim.graph.graph import Graph
from neuronsim.training.order import Order

MEGABYTES = 1_000_000
MOST_BYTES = 256 * MEGABYTES
# Replaying a thousandth of a run is short, whatever its length.
MOST_SNAPSHOTS = 1000
# What took less is replayed as soon; a snapshot every epoch of 4 samples made training 16 % slower.
LEAST_SECONDS = 0.01
# What an array costs beside its numbers.
_ARRAY_BYTES = 112
# Words of 8 bytes in a row of the table whose sums stand for the data.
_WORDS = 8192


def budget(asked: Any) -> int:
    """How many bytes the ``snapshots`` of ``fit`` may take: "auto", False, or bytes."""
    if asked is False:
        return 0
    if isinstance(asked, str) and asked == "auto":
        return min(_free_memory() // 4, MOST_BYTES)
    if not is_real(asked) or not 0 < asked < math.inf:
        raise SettingError(f'snapshots={asked!r}: "auto", False, or how many bytes they may take at most')
    return int(asked)


def _free_memory() -> int:
    """Bytes of memory that programs could still take; where the system does not tell, plenty."""
    try:
        found = re.search(r"^MemAvailable:\s*(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return 1024 * int(found[1]) if found else 4 * MOST_BYTES


class Snapshots:
    """States of a run by the step that they are before, spread evenly, within a number of bytes.

    Where they get too many, the interval between them doubles and those in between are dropped: a run of any length
    keeps between a half of what fits and all of it. The first is always kept, and the last if two fit.
    """

    def __init__(self, start: State, most_bytes: int, first_step: int = 0) -> None:
        self.first = first_step
        self.states: dict[int, State] = {first_step: sealed(start)}
        self.interval = 1
        self.capacity = max(1, min(most_bytes // bytes_of(start), MOST_SNAPSHOTS))
        self._due = time.perf_counter() + LEAST_SECONDS

    def keep(self, step: int, state: State) -> None:
        """Keep a state, which is the keeper's from now on, unless it is too near to the last one."""
        now = time.perf_counter()
        if now < self._due or step < self.last + self.interval:
            return
        self._due = now + LEAST_SECONDS
        self.states[step] = sealed(state)
        while len(self.states) > self.capacity:
            self.interval *= 2
            last = self.first - self.interval
            for kept in list(self.states):
                if kept < last + self.interval:
                    del self.states[kept]
                else:
                    last = kept

    def keep_end(self, step: int, state: State) -> None:
        """Keep the state after the last step, in place of the one before it where there is no room."""
        if len(self.states) == self.capacity > 1:
            del self.states[self.last]
        if len(self.states) < self.capacity:
            self.states[step] = sealed(state)

    def before(self, step: int) -> int:
        """The step of the last state not after ``step``."""
        steps = list(self.states)
        return steps[bisect_right(steps, step) - 1]

    @property
    def last(self) -> int:
        """The step of the last state."""
        return next(reversed(self.states))


def sealed(state: State) -> State:
    """The same arrays, to which nobody can write any more."""
    for values in state:
        values.flags.writeable = False
    return state


def bytes_of(state: State) -> int:
    """What a state takes in memory."""
    return sum(values.nbytes + _ARRAY_BYTES for values in state)


@dataclass(frozen=True, eq=False)
class Recording:
    """How a run began, and its snapshots: with these, each of its steps can be made again.

    Attributes
    ----------
    graph : Graph
        The wiring and parameters at the start; nothing changes it.
    X, T : array
        As the run reads them: the user's own arrays, if they had the network's dtype.
    order : Order
        Which of their rows came when.
    fingerprints : pair of bytes
        Of X and T when the run began.
    """

    graph: Graph
    X: Array
    T: Array
    loss: Loss
    schedule: Schedule
    order: Order
    session: SessionSettings
    snapshots: Snapshots
    fingerprints: tuple[bytes, bytes]

    @cached_property
    def steps_per_epoch(self) -> int:
        """How many steps an epoch has; the last one may be of a smaller batch."""
        return -(-self.order.n_samples // self.session.batch_size)

    def check_same(self, X: Array, T: Array) -> None:
        """Raise DataError if these are not the X and T of the run, for a run that is to go on from it."""
        if name := self._other(X, T):
            raise DataError(
                f"resume: {name} is not what the run was trained on, and a run is of one set of data; "
                "to train this network on other data, call fit without resume"
            )

    def check_data(self) -> None:
        """Raise DataError if X or T are no longer what they were."""
        if name := self._other(self.X, self.T):
            raise DataError(
                f"{name} has changed since the run, which refers to it: its steps can't be made again; "
                f"to change {name} later, hand fit a copy, {name}.copy()"
            )

    def _other(self, X: Array, T: Array) -> str:
        """Which of the two is not what it was when the run began; "" if both are."""
        pairs = zip("XT", (X, T), self.fingerprints, strict=True)
        return next((name for name, values, before in pairs if fingerprint(values) != before), "")


def refusal(most_bytes: int, state: State) -> str:
    """Why nothing of a run with such a state is kept within so many bytes; empty if something is."""
    if not most_bytes:
        return "it was fitted with snapshots=False"
    needed = bytes_of(state)
    if needed <= most_bytes:
        return ""
    return (
        f"its state takes {needed / MEGABYTES:,.1f} MB, more than the {most_bytes / MEGABYTES:,.1f} MB that "
        f"snapshots may take; fit(..., snapshots={needed}) keeps the start"
    )


def begin_recording(session: Session, schedule: Schedule, order: Order, most_bytes: int, first_step: int) -> Recording:
    """Begin a recording of a session that has not made a step yet, with snapshots in so many bytes.

    The graph and the state are copied.
    """
    graph, (X, T) = session.engine.graph.copy(), session.data
    start = [graph.weights, graph.biases, graph.slopes, *(values.copy() for values in session.arrays()[3:])]
    return Recording(
        graph=graph,
        X=X,
        T=T,
        loss=session.loss,
        schedule=schedule,
        order=order,
        session=session.settings,
        snapshots=Snapshots(start, most_bytes, first_step),
        fingerprints=(fingerprint(X), fingerprint(T)),
    )


def fingerprint(values: Array) -> bytes:
    """A digest of all of an array.

    Of its bytes, read as a table of whole numbers with rows of 64 KB, the sums of every row and of every column are
    digested: any value that changes, and any two that change places, change one of both. It takes 0.03 s for the
    188 MB of MNIST, where a cryptographic digest of every byte takes 0.2.
    """
    digest = hashlib.blake2b(f"{values.shape} {values.dtype}".encode(), digest_size=16)
    data = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    n_rows = data.size // (8 * _WORDS)
    table = data[: n_rows * 8 * _WORDS].view(np.uint64).reshape(n_rows, _WORDS)
    if n_rows:
        digest.update(table.sum(axis=1).data)
        digest.update(table.sum(axis=0).data)
    digest.update(data[table.nbytes :].data)
    return digest.digest()
