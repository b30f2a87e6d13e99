"""What a network needs to run: its graph, the engine kept for its wiring, data cast at the border, its last signals."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuronsim.basics.arrays import Reals
from neuronsim.basics.words import counted
from neuronsim.engine.border import as_samples, as_targets
from neuronsim.engine.engine import Engine
from neuronsim.engine.sequence_border import Columns, as_sequence_targets, as_sequences
from neuronsim.engine.sequences import Sequences
from neuronsim.engine.signals import ForwardSignals
from neuronsim.engine.timed import SequenceEngine
from neuronsim.engine.turns import Turns
from neuronsim.errors import DataError, NotKnownError, SettingError
from neuronsim.formulas import losses
from neuronsim.formulas.activations import SOFTMAX
from neuronsim.formulas.losses import Loss
from neuronsim.graph import initialisers
from neuronsim.graph.graph import Graph
from neuronsim.graph.runnable import check_runnable, check_within_a_step
from neuronsim.seeds import RandomSource, seed_of


class Runtime:
    """A graph that can run.

    Attributes
    ----------
    graph : Graph
        Wiring and parameters; belongs to the runtime.
    seed : int
        Of weights that are not drawn yet.
    init : str
        How they are drawn.
    signals : ForwardSignals, Signals or None
        Of the last step or 1-D forward, while they are true.
    turns : Turns
        Of the threads that use it.
    """

    def __init__(self, graph: Graph, rng: RandomSource = None, init: str = "auto") -> None:
        self.init = initialisers.check_name(init)
        self.seed = seed_of(rng)
        self.graph = graph
        self._engine: Engine | None = None
        self._version = -1  # of the wiring that the engine is made for
        self.signals: ForwardSignals | None = None
        self.turns = Turns()

    def initialise(self, rng: RandomSource) -> None:
        """Forget all weights, biases and slopes; they are drawn anew when needed."""
        self.seed = seed_of(rng)
        self.graph.initialise()
        self.forget()

    def draw(self) -> None:
        """Draw the weights that have no value yet."""
        self.graph.draw_missing(self.seed, self.init)

    def engine(self) -> Engine:
        """The engine of the wiring as it is, with all weights drawn."""
        if self._engine is None or self._version != self.graph.version:
            check_runnable(self.graph)
            self.draw()
            kind = SequenceEngine if self.graph.steps_back else Engine
            self._engine, self._version = kind(self.graph), self.graph.version
        self.draw()
        return self._engine

    # ── the border ──

    def samples(self, X: ArrayLike, what: str = "X") -> tuple[Reals, bool]:
        """X as kernels read it, shape (n_samples, n_inputs), and whether it was a single sample."""
        check_within_a_step(self.graph)
        names = self.graph.name_list(self.graph.inputs)
        if _ndim(X) != 1:
            return as_samples(X, names, self.graph.dtype, what), False
        x = np.asanyarray(X)  # a mask stays, and is refused
        if len(x) != len(names):
            listed = f" ({names})" if len(names) else ""
            given = f"x has {counted(len(x), 'value')}" + ("" if len(x) else f": {what} has no samples")
            raise DataError(f"{given}, the network has {counted(len(names), 'input')}{listed}")
        return as_samples(x[None], names, self.graph.dtype, "x"), True

    def data(
        self, X: ArrayLike, T: ArrayLike, loss: str | Loss | None, called: tuple[str, str] = ("X", "T")
    ) -> tuple[Reals, NDArray[Any], Loss]:
        """X, T and the loss as kernels read them, ``called`` so in messages; one sample becomes a batch of one."""
        outputs = self.graph.outputs
        used = losses.resolve(loss, self.graph.activation_codes[outputs].tolist())
        x, single = self.samples(X, called[0])
        t: Any = T
        if single and (_ndim(t) == 0 or (_ndim(t) == 1 and (len(t) > 1 or len(outputs) == 1))):
            t = np.asanyarray(t)[None]
        cast = as_targets(t, len(x), self.graph.name_list(outputs), self.graph.dtype, used, called[1])
        self._check_classes(cast, used)
        return x, cast, used

    def sequences(self, X: Any, lengths: ArrayLike | None = None, what: str = "X") -> Sequences:
        """X of a network with memory as kernels read it."""
        return as_sequences(X, lengths, self._columns(), what)

    def sequence_data(
        self,
        X: Any,
        T: Any,
        loss: str | Loss | None,
        lengths: ArrayLike | None = None,
        mask: Any = None,
        called: tuple[str, str] = ("X", "T"),
        dtype: np.dtype[np.floating] | None = None,
    ) -> tuple[Sequences, Sequences, Loss]:
        """X, T and the loss of a network with memory, as kernels of its own dtype, or of another one, read them."""
        used = losses.resolve(loss, self.graph.activation_codes[self.graph.outputs].tolist())
        columns = self._columns(dtype)
        x = as_sequences(X, lengths, columns, called[0])
        t = as_sequence_targets(T, mask, x, columns, used, called[1])
        self._check_classes(t.rows, used)
        return x, t, used

    def _columns(self, dtype: np.dtype[np.floating] | None = None) -> Columns:
        graph = self.graph
        return Columns(graph.name_list(graph.inputs), graph.name_list(graph.outputs), dtype or graph.dtype)

    def _check_classes(self, t: NDArray[Any], used: Loss) -> None:
        """Refuse class numbers where outputs do not share one sum."""
        if t.dtype.kind == "i" and SOFTMAX not in self.graph.activation_codes[self.graph.outputs]:
            raise SettingError(
                f"{used.name} with class numbers takes softmax outputs, which share one sum: here nothing holds "
                "back the others. Give output='softmax', or binary_cross_entropy with a column for each output"
            )

    # ── the last signals ──

    def remember(self, signals: ForwardSignals) -> None:
        """Keep the signals of one sample for ``net["h1"].z`` and the like."""
        self.signals = signals

    def forget(self) -> None:
        """What was known of signals is true no more."""
        self.signals = None

    def signal(self, what: str, neuron: int, asked: str | None = None) -> Any:
        """z, y or delta of a neuron, if the last call made it known; of a sequence an array (n_steps,)."""
        values = getattr(self.signals, what, None)
        if values is None:
            how = "call step(), or forward() with one sample, first"
            if what == "delta":
                how = "step(x, t) makes it known, with learning_rate=0 and no change; gradients(X, T).delta returns it"
            raise NotKnownError(f"{asked or what} is not known: {how}. Batches, fits and edits forget it")
        return float(values[neuron]) if values.ndim == 1 else values[:, neuron]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_engine": None, "_version": -1, "signals": None}


def _ndim(values: ArrayLike) -> int:
    """The number of dimensions; -1 of ragged lists, which `neuronsim.engine.border` refuses."""
    try:
        return np.ndim(values)
    except ValueError:
        return -1
