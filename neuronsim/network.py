"""The network people hold: wire it, look at it, run it, train it.

Short methods; the work is done in `neuronsim.graph` (wiring), `neuronsim.engine` (running), `neuronsim.training` (fit),
`neuronsim.tracing` (step) and `neuronsim.verifying` (check).
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuronsim.basics.arrays import Reals
from neuronsim.basics.delegation import delegated
from neuronsim.engine import through_time
from neuronsim.engine.runtime import Runtime
from neuronsim.engine.sequences import State
from neuronsim.engine.through_time import has_memory
from neuronsim.errors import SettingError, WiringError
from neuronsim.formulas.activations import INITIAL_SLOPE
from neuronsim.formulas.losses import Loss
from neuronsim.graph import describing
from neuronsim.graph.graph import Graph
from neuronsim.graph.names import NameList
from neuronsim.graph.selection import Selection, edge_pairs
from neuronsim.graph.values import either, write
from neuronsim.records import Edge, Evaluation, Gradients, Neuron, edge_table, neuron_table
from neuronsim.seeds import RandomSource

if TYPE_CHECKING:
    from neuronsim.formulas.optimizers import Optimizer
    from neuronsim.formulas.schedules import Schedule
    from neuronsim.run import Run
    from neuronsim.step import Step
    from neuronsim.tracing.alarm import Alarm
    from neuronsim.tracing.monitor import Monitor
    from neuronsim.training.stop import Rule
    from neuronsim.verifying.checks import Check
    from neuronsim.verifying.verdict import Verdict

__all__ = ["Network"]


class Network:
    """A network of neuron records, wired freely.

    Threads may read one network together (forward, gradients, jacobian, evaluate): they take turns, and each gets what
    it would alone. While a thread trains it (fit, step), others that read or train it get a BusyError. Edits are for
    one thread.

    Parameters
    ----------
    dtype : {"float64", "float32"}
    rng : int, Generator or None
        Seed of the initial weights; None takes a fresh one, kept as ``net.seed``.
    init : str
        "auto" chooses He, Glorot or LeCun for each neuron by its activation; "he", "glorot" or "lecun" takes
        that one.

    Examples
    --------
    >>> net = Network()
    >>> net.add_inputs("i1", "i2")
    >>> net.add_neuron("h1", {"i1": 0.15, "i2": 0.20}, activation="sigmoid", bias=0.35)
    >>> net.set_outputs("h1")
    >>> net.n_parameters
    3
    """

    def __init__(self, dtype: Any = "float64", *, rng: RandomSource = None, init: str = "auto") -> None:
        self.runtime = Runtime(Graph(dtype), rng, init)

    @classmethod
    def from_graph(cls, graph: Graph, *, rng: RandomSource = None, init: str = "auto") -> Network:
        """A network around a graph, which from now on belongs to it.

        Parameters
        ----------
        graph : Graph
        rng : int, Generator or None
            Draws weights that are not given.
        init : str
            How; see `Network`.
        """
        if not isinstance(graph, Graph):
            raise WiringError(
                f"from_graph takes a Graph, not {type(graph).__name__}; ns.wiring makes networks of edges"
            )
        network = cls.__new__(cls)
        network.runtime = Runtime(graph, rng, init)
        return network

    graph: Graph = delegated("runtime.graph", "The wiring and the parameters as data.")
    seed: int = delegated("runtime.seed", "The seed of the weights that are not drawn yet.")
    init: str = delegated("runtime.init", "How weights are drawn.")

    # ── wire ──

    def add_inputs(self, *names: str | Iterable[str]) -> None:
        """Add inputs: the columns of X, in this order.

        Parameters
        ----------
        *names : str or list of str

        Raises
        ------
        WiringError
            For a name that is taken, empty or holds one of ``* ? [ ]``; no input is added then.
        """
        self.graph.add_inputs(names)
        self.runtime.forget()

    def add_neuron(
        self,
        name: str,
        sources: Mapping[Any, Any] | Selection | None = None,
        *,
        activation: str = "tanh",
        bias: float | None = None,
        weight: ArrayLike | None = None,
        slope: float = INITIAL_SLOPE,
        leak: float | None = None,
        leak_of: str = "output",
        b: float | None = None,
        w: ArrayLike | None = None,
    ) -> None:
        """Add a neuron.

        Parameters
        ----------
        name : str
            Any non-empty str without ``* ? [ ]``.
        sources : dict or Selection, optional
            The neurons it listens to: a dict to their weights (None: drawn when needed), or names, ids,
            globs, lists or arrays of them. A pair (source, delay), such as ``("h1", 1)``, is heard so many steps
            later; with a delay of 1 or more it may be the new neuron itself.
        activation : str
            A name from `neuronsim.formulas.activations`.
        bias : float, optional
            Its bias, 0 unless given.
        weight : float or array (n_sources,), optional
            For sources that are not a dict: one weight for all, or an array of one each.
        slope : float
            The slope of prelu.
        leak : float, optional
            α, above 0 and at most 1: the neuron keeps 1 − α of what it had a step before. dt / τ; or 1 − exp(−dt / τ)
            for the exact step.
        leak_of : {"output", "potential"}
            What it keeps: its output, y(t) = (1 − α)·y(t−1) + α·f(z); or its potential, v(t) = (1 − α)·v(t−1) + α·z,
            and y = f(v).
        b, w : optional
            Short for ``bias`` and ``weight``.

        Raises
        ------
        WiringError, UnknownNameError, SettingError
            For a name that is taken, sources that are not there or given twice, values that are not finite
            numbers.
        """
        self.graph.add_neuron(
            name,
            sources,
            either("weight", weight, "w", w),
            activation=activation,
            bias=either("bias", bias, "b", b, 0.0),
            slope=slope,
            leak=leak,
            leak_of=leak_of,
        )
        self.runtime.forget()

    def connect(
        self,
        source: Selection,
        sink: Selection,
        weight: ArrayLike | None = None,
        *,
        w: ArrayLike | None = None,
        delay: ArrayLike = 0,
    ) -> None:
        """Add edges.

        Parameters
        ----------
        source, sink : Selection
            Names or ids; or lists or arrays of them, which go in step, or all with the one at the other end.
            A glob means each neuron that matches with each at the other end.
        weight, w : float or array (n_edges,), optional
            One number, or one for each edge; drawn when needed unless given.
        delay : int or array (n_edges,)
            How many steps later the sink hears the source, 0 to 65,535. Edges of different delays may run in parallel.

        Raises
        ------
        WiringError
            For an edge that is there already or given twice, a self-loop without delay, or an edge into an input.
        UnknownNameError
            For a neuron that is not there.
        """
        self.graph.connect(source, sink, either("weight", weight, "w", w), delay)
        self.runtime.forget()

    def disconnect(self, source: Selection, sink: Selection, *, delay: int | None = None) -> None:
        """Remove edges, which must exist; with a glob at an end, those that exist.

        Parameters
        ----------
        source, sink : str, int, or list of those
            Names, ids, globs such as "h*", or lists of them.
        delay : int, optional
            Remove the edges of this delay alone; None: of every delay.

        Raises
        ------
        UnknownNameError, WiringError
            For a neuron or an edge that is not there; nothing is removed then.
        """
        self.graph.disconnect(source, sink, delay)
        self.runtime.forget()

    def remove_neuron(self, neuron: Selection) -> None:
        """Remove neurons and their edges; ids after them move up by one each, names stay.

        Of an input, its column of X goes as well; of an output, its column of Y and T.

        Parameters
        ----------
        neuron : str, int, or list of those
            Names, ids, globs such as "h*", or lists of them.

        Raises
        ------
        UnknownNameError
            For one that is not there; nothing is removed then.
        """
        self.graph.remove(neuron)
        self.runtime.forget()

    def set_outputs(self, *neurons: Selection) -> None:
        """Say which neurons are the outputs: the columns of Y and T, in this order. They may feed others.

        Parameters
        ----------
        *neurons : str, int, or list of those
            Names, ids, globs such as "h*", or lists of them.

        Raises
        ------
        UnknownNameError
            For one that is not there; the outputs stay as they are then.
        """
        self.graph.set_outputs(self.graph.all_ids(neurons))
        self.runtime.forget()

    def freeze(
        self,
        *neurons: Selection,
        edges: Iterable[Any] = (),
        biases: bool = False,
        leaks: Selection = (),
        initial: Selection = (),
    ) -> None:
        """Keep parameters as they are in training, bit for bit.

        Parameters
        ----------
        *neurons : Selection
            Names, ids or globs: neurons whose biases, slopes, incoming weights, leaks and initial states freeze.
        edges : list of pairs
            Pairs (source, sink), or (source, sink, delay), whose weights freeze.
        biases : bool
            True: the bias of every neuron.
        leaks, initial : Selection
            Neurons whose leaks, or whose initial states alone freeze, after an ``unfreeze`` of them.
        """
        pairs, (leaky, started) = edge_pairs(edges), self.graph.chosen_memory(leaks, initial)
        if not (neurons or biases or pairs or len(leaky) or len(started)):
            raise SettingError('freeze what? freeze("h*"), freeze(edges=[("i1", "h1")]) or freeze(biases=True)')
        self.graph.freeze(self.graph.all_ids(neurons), self.graph.edge_positions(pairs), biases)
        self.graph.learn_memory(leaky, started, on=False)

    def unfreeze(
        self,
        *neurons: Selection,
        edges: Iterable[Any] = (),
        biases: bool = False,
        leaks: Selection = (),
        initial: Selection = (),
    ) -> None:
        """Let parameters learn again, at the rate they had; without arguments, all but leaks and initial states.

        Parameters
        ----------
        *neurons : str, int, or list of those
            Their biases, slopes and incoming weights.
        edges : list of (source, sink)
            Their weights.
        biases : bool
            All biases.
        leaks, initial : Selection
            Neurons whose leaks, or whose initial states learn: these are frozen unless asked for.
        """
        pairs, chosen = edge_pairs(edges), self.graph.all_ids(neurons)
        leaky, started = self.graph.chosen_memory(leaks, initial)
        if not (neurons or biases or pairs or len(leaky) or len(started)):
            chosen = np.flatnonzero(~self.graph.is_input)
        self.graph.freeze(chosen, self.graph.edge_positions(pairs), biases, on=False)
        self.graph.learn_memory(leaky, started, on=True)

    def scale_rate(self, what: Selection | tuple[Any, Any], factor: float) -> None:
        """Multiply the learning rate of a neuron's bias, slope and incoming weights, or of an edge.

        Parameters
        ----------
        what : Selection or pair
            A name, id, glob, or list of them; or a tuple (source, sink), or (source, sink, delay), for an edge.
        factor : float
            0 or more; factors given one after the other multiply.
        """
        if isinstance(what, tuple):
            self.graph.scale_rate(factor, edges=self.graph.edge_positions(edge_pairs([what])))
        else:
            self.graph.scale_rate(factor, self.find(what))

    def copy(self) -> Network:
        """An independent copy, with the same names, values, marks and seed."""
        return copy.deepcopy(self)

    def __copy__(self) -> Network:
        return self.copy()

    def initialise(self, rng: RandomSource = None) -> None:
        """Start anew: all weights drawn again, frozen ones too, biases 0, slopes 0.25; leaks and initial states stay.

        Parameters
        ----------
        rng : int, Generator or None
            Seed of the weights; None takes a fresh one.
        """
        self.runtime.initialise(rng)

    # ── look ──

    @overload
    def __getitem__(self, what: tuple[Any, Any] | tuple[Any, Any, int]) -> Edge: ...
    @overload
    def __getitem__(self, what: str | int | np.integer) -> Neuron: ...
    def __getitem__(self, what: Any) -> Neuron | Edge:
        """The neuron ``net["h1"]`` or ``net[2]``, or the edge ``net["i1", "h1"]``, of several the one of a delay."""
        graph = self.graph
        if isinstance(what, tuple) and len(what) in (2, 3):
            source, sink = (graph.id(end) for end in what[:2])
            delay = graph.arrays.delay(graph.edge(source, sink, *what[2:]))
            return Edge(self.runtime, graph.name(source), graph.name(sink), delay)
        return Neuron(self.runtime, graph.name(graph.id(what)))

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.names[: NameList.MOST_OFFERED])

    def __contains__(self, what: object) -> bool:
        """Whether there is a neuron of that name or id, or an edge of those ends."""
        graph = self.graph
        try:
            if isinstance(what, tuple) and len(what) in (2, 3):
                graph.edges_between(*(graph.id(end) for end in what[:2]), *what[2:])
            else:
                graph.id(what)
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[Neuron]:
        """The neuron records, by id."""
        return (Neuron(self.runtime, name) for name in self.names)

    def find(self, selection: Selection) -> NDArray[np.int64]:
        """Ids of the neurons meant by a name, id, glob, or list or array of them.

        Parameters
        ----------
        selection : str, int, list or array

        Returns
        -------
        int64 array

        Raises
        ------
        UnknownNameError
            For one that is not there.
        """
        return self.graph.ids(selection)

    dtype: np.dtype[np.floating] = delegated("graph.dtype", "float32 or float64.")

    @property
    def names(self) -> NameList:
        """The names of all neurons, by id, made when looked at."""
        return self.graph.name_list(range(self.n_neurons))

    @property
    def neurons(self) -> NDArray[Any]:
        """Read-only copy, one row each: name, activation, bias, slope, is_input, is_output, rate, frozen."""
        return neuron_table(self.graph)

    @property
    def edges(self) -> NDArray[Any]:
        """One row each, by sink, delay and source: source, sink, weight, rate, frozen, delay. A read-only copy."""
        self.runtime.draw()
        return edge_table(self.graph)

    @property
    def weights(self) -> Reals:
        """The kernels' own weights, shape (n_edges,), writable until the wiring is edited."""
        self.runtime.draw()
        return self.graph.weights

    @weights.setter
    def weights(self, values: ArrayLike) -> None:
        write(self.weights, values, "weights")

    @property
    def biases(self) -> Reals:
        """The kernels' own biases, shape (n_neurons,), writable until the wiring is edited."""
        return self.graph.biases

    @biases.setter
    def biases(self, values: ArrayLike) -> None:
        write(self.biases, values, "biases")

    @property
    def slopes(self) -> Reals:
        """The kernels' own prelu slopes, shape (n_neurons,), writable until the wiring is edited."""
        return self.graph.slopes

    @slopes.setter
    def slopes(self, values: ArrayLike) -> None:
        write(self.slopes, values, "slopes")

    inputs: NDArray[np.int32] = delegated("graph.inputs", "Ids of the inputs: columns of X; shape (n_inputs,).")
    outputs: NDArray[np.int32] = delegated("graph.outputs", "Ids of the outputs: columns of Y, T; shape (n_outputs,).")
    n_neurons: int = delegated("graph.n_neurons", "How many neurons there are, inputs included.")
    n_edges: int = delegated("graph.n_edges", "How many edges there are.")
    n_inputs: int = delegated("graph.n_inputs", "How many inputs there are.")
    n_outputs: int = delegated("graph.n_outputs", "How many outputs have been set.")
    n_parameters: int = delegated(
        "graph.n_parameters", "Edges, biases of all neurons but inputs, learned slopes, leaks and initial states."
    )

    @property
    def depth(self) -> int:
        """Edges on the longest path within a step.

        Raises
        ------
        CycleError
            If neurons feed each other in a circle without delay.
        """
        return self.graph.plan().depth

    def __repr__(self) -> str:
        return f"<Network {describing.in_short(self.graph)}>"

    def __str__(self) -> str:
        return describing.in_five_lines(self.graph)

    def _repr_html_(self) -> str:
        from neuronsim import plots

        html: str = plots.network_html(self)
        return html

    # ── simulate ──

    def forward(
        self, X: Any, *, lengths: ArrayLike | None = None, state: State | None = None, return_state: bool = False
    ) -> Any:
        """The outputs.

        Parameters
        ----------
        X : array (n_samples, n_inputs) or (n_inputs,)
            After one sample alone, z and y of every neuron are known. With memory, sequences, each from the initial
            states on: an array (n_sequences, n_steps, n_inputs), a list of arrays (n_steps, n_inputs), or one of them.
        lengths : int array (n_sequences,), optional
            How many steps of each sequence of an array are its own.
        state : State, optional
            What the sequences go on from; None: the initial states.
        return_state : bool
            Return what they end with, too: a network itself keeps nothing from call to call.

        Returns
        -------
        array (n_samples, n_outputs) or (n_outputs,), or a pair (array, State)
            With memory, (n_sequences, n_steps, n_outputs), 0 behind a sequence's end; of one (n_steps, n_outputs); of a
            list with different lengths a list.

        Raises
        ------
        WiringError
            If no outputs are set, or softmax is misplaced, or (CycleError) neurons feed each other.
        DataError
            For data of the wrong shape, or not finite.
        """
        with self.runtime.turns.reading:
            if has_memory(self.graph, lengths=lengths, state=state, return_state=return_state or None):
                ends: list[State] | None = [] if return_state else None
                outputs = through_time.forward(self.runtime, X, lengths, state, ends)
                return outputs if ends is None else (outputs, State.joined(ends))
            engine = self.runtime.engine()
            x, single = self.runtime.samples(X)
            self.runtime.forget()
            if not single:
                return engine.forward(x)
            signals = engine.forward_one(x[0])
            self.runtime.remember(signals)
            return signals.y[self.outputs]

    def gradients(
        self,
        X: Any,
        T: Any,
        *,
        loss: str | Loss | None = None,
        reduction: str = "mean",
        lengths: ArrayLike | None = None,
        mask: Any = None,
    ) -> Gradients:
        """Gradients of the loss by every parameter, and every sample's own error signals; nothing is changed.

        Parameters
        ----------
        X : array (n_samples, n_inputs)
        T : array (n_samples, n_outputs), or class numbers (n_samples,)
        loss : str or Loss, optional
            None: cross_entropy where the outputs are softmax, else half_squared_error.
        reduction : {"mean", "sum"}
            Over the samples; of sequences over all steps that have a target.
        lengths, mask : optional
            Of sequences, as in `fit`; X and T are as there.
        """
        if reduction not in ("mean", "sum"):
            raise SettingError(f"unknown reduction {reduction!r}; allowed: mean, sum")
        with self.runtime.turns.reading:
            if has_memory(self.graph, lengths=lengths, mask=mask):
                found = through_time.gradients(self.runtime, (X, T), loss, reduction, lengths, mask)
                return Gradients(**vars(found), _graph=self.graph, _version=self.graph.version)
            engine = self.runtime.engine()
            x, t, used = self.runtime.data(X, T, loss)
            self.runtime.forget()
            g = engine.gradients(x, t, used, reduction)
            return Gradients(**vars(g), _graph=self.graph, _version=self.graph.version)

    def jacobian(self, X: ArrayLike) -> Reals:
        """∂y/∂x of every output by every input; exact, by one pass back for each output (L4's dy/dx).

        Parameters
        ----------
        X : array (n_samples, n_inputs)

        Returns
        -------
        array (n_samples, n_outputs, n_inputs)
        """
        with self.runtime.turns.reading:
            engine = self.runtime.engine()
            x, _ = self.runtime.samples(X)
            self.runtime.forget()
            return engine.jacobian(x)

    def evaluate(
        self, X: Any, T: Any, *, loss: str | Loss | None = None, lengths: ArrayLike | None = None, mask: Any = None
    ) -> Evaluation:
        """Mean loss, accuracy (where targets are classes) and outputs on data; nothing is learned.

        Parameters
        ----------
        X : array (n_samples, n_inputs)
        T : array (n_samples, n_outputs), or class numbers (n_samples,) with cross-entropy
        loss : str, optional
            As in `fit`.
        lengths, mask : optional
            Of sequences, as in `fit`; X and T are as there.

        Returns
        -------
        Evaluation
            ``.loss``, ``.accuracy`` (None where targets are no classes), ``.outputs``.
        """
        with self.runtime.turns.reading:
            if has_memory(self.graph, lengths=lengths, mask=mask):
                return Evaluation(*through_time.evaluated(self.runtime, (X, T), loss, lengths, mask))
            engine = self.runtime.engine()
            x, t, used = self.runtime.data(X, T, loss)
            self.runtime.forget()
            return Evaluation(*engine.evaluated(x, t, used))

    def check(
        self,
        X: Any,
        T: Any,
        *,
        loss: str | Loss | None = None,
        reduction: str = "mean",
        most: int = 10_000,
        lengths: ArrayLike | None = None,
        mask: Any = None,
    ) -> Check:
        """Compare the gradients of all weights, biases and slopes with central differences, on a float64 copy.

        Parameters
        ----------
        X, T : array
            Shapes (n_samples, n_inputs) and (n_samples, n_outputs), or (n_samples,) class numbers; or one sample.
            A handful of samples is enough: every parameter costs two forward passes over all of them.
        loss : str, Loss or None
            As for ``net.gradients``.
        reduction : {"mean", "sum"}
            Over samples.
        most : int
            Of more parameters than this, a random selection is measured.
        lengths, mask : optional
            Of sequences, as in `fit`; X and T are as there.

        Returns
        -------
        Check
            All comparisons, worst first.
        """
        from neuronsim.verifying.checks import check

        given = {"loss": loss, "reduction": reduction, "most": most, "lengths": lengths, "mask": mask}
        return check(self.runtime, X, T, **given)

    def check_foreign(
        self,
        X: ArrayLike,
        T: ArrayLike,
        after: Any = None,
        *,
        gradients: Any = None,
        learning_rate: float | None = None,
        loss: str | Loss | None = None,
        reduction: str = "mean",
        previous: Any = None,
        dtype: Any = None,
        atol: float = 0.0,
        rtol: float = 0.0,
    ) -> Verdict:
        """Recognise one plain gradient step of another program by its result.

        The network holds the parameters before that step, and is left as it is; what is frozen or has a rate factor
        should keep it.

        Parameters
        ----------
        X, T : array
            The samples of that one step: (n_samples, n_inputs) and (n_samples, n_outputs), or class numbers; or one
            sample. Pure Python reads every message: a handful of samples is quick.
        after : Network, mapping, pair of arrays, matrices by layer, model or function
            The parameters after it: a Network of the same wiring; a mapping of "weights", "biases", "slopes" to
            arrays; or (weights, biases). Weights (n_edges,) are in the order of ``net.edges``, biases (n_neurons,), or
            without the inputs. Of fully connected layers also matrices W, (n_out, n_in) or (n_in, n_out), and b: a list
            W1, b1, W2, b2, …, or all W and then all b, nested or not; a dictionary with such names; a PyTorch module,
            its ``state_dict()`` or ``parameters()``; a Keras model; scikit-learn's MLP. What is left out is
            not compared. A function is called as ``function(parameters, X, T)`` for three steps one after the other,
            parameters being (W, b) of each layer, of other wirings (weights, biases); it returns parameters or
            gradients, or changes what it got and returns None.
        gradients : as ``after``, optional
            What the program says the gradients are, in place of ``after``.
        learning_rate : float
            μ, above 0; not needed with gradients.
        loss, reduction : str, Loss or None, {"mean", "sum"}
            As for ``net.gradients``: what the program was meant to do.
        previous : as ``after``, optional
            The parameters one step earlier, too: then momentum is recognised, with its β.
        dtype : {"float32", "float64"}, optional
            What the program computes in; that of ``after`` if not given, float32 if either of both is.
        atol : float
            How far the given parameters may be off, as when they were printed with 9 digits: 1e-9.
        rtol : float
            How far each change may be off, in parts of the largest change among the weights, or the biases, of its
            layer: 0.003 for a program that looks its sigmoid up in a table. The rule is "right to 0.12 %" then.

        Returns
        -------
        Verdict
            ``.rule``: "right", the name of the mistake, or of two, what is wrong layer by layer, "unknown", or
            "undecided" where the step is too small to tell. ``.fits`` are all rules that fit, ``.by_block`` what
            explains the weights and the biases of each layer, ``.where`` those of them that are not right.
        """
        from neuronsim.verifying.foreign import check_foreign
        from neuronsim.verifying.programs import check_function, is_program

        after, previous = (given.runtime if isinstance(given, Network) else given for given in (after, previous))
        check: Any = check_function if is_program(after) else check_foreign
        verdict: Verdict = check(
            self.runtime, X, T, after, gradients=gradients, learning_rate=learning_rate, loss=loss,
            reduction=reduction, previous=previous, dtype=dtype, atol=atol, rtol=rtol,
        )  # fmt: skip
        return verdict

    def step(self, x: ArrayLike, t: ArrayLike, *, loss: str | Loss | None = None, learning_rate: float = 0.01) -> Step:
        """Forward, error, backward, update with one sample: one online step of plain SGD.

        Parameters
        ----------
        x : array (n_inputs,)
        t : array (n_outputs,) or class number
        loss : str or Loss, optional
            None: cross_entropy where the outputs are softmax, else half_squared_error.
        learning_rate : float
            μ, at least 0.

        Returns
        -------
        Step
            What happened. Later steps and edits leave it alone.

        Raises
        ------
        DataError, SettingError, WiringError
            For what can't be used; the network is unchanged.
        NeuronsimError
            If the loss is not finite; the update is not made then.
        """
        from neuronsim.step import Step
        from neuronsim.tracing.steps import take_step

        return take_step(self.runtime, x, t, loss, learning_rate, Step)

    def fit(
        self,
        X: ArrayLike,
        T: ArrayLike,
        *,
        loss: str | Loss | None = None,
        reduction: str = "mean",
        optimizer: str | Optimizer = "sgd",
        learning_rate: float | Schedule | Mapping[str, Any] = 0.01,
        momentum: float | None = None,
        batch_size: int | None = 1,
        epochs: int = 1,
        shuffle: bool = True,
        rng: RandomSource = None,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        validation: tuple[Any, Any] | float | None = None,
        evaluate: bool = False,
        average: int | None = None,
        stop: Rule | Iterable[Rule] = (),
        monitors: Monitor | Alarm | Iterable[Monitor | Alarm] = (),
        progress: bool | None = None,
        snapshots: str | bool | int = "auto",
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool | Run = False,
        threads: int | None = None,
        lengths: ArrayLike | None = None,
        mask: Any = None,
        window: int | None = None,
        reach: int | None = None,
    ) -> Run:
        """Train from the parameters as they are (L3, L4).

        Parameters
        ----------
        X : array (n_samples, n_inputs)
            With memory (delays or leaks), sequences: an array (n_sequences, n_steps, n_inputs), a list of arrays
            (n_steps, n_inputs) which may differ in length, or one such array. A step of training is a batch of them.
        T : array (n_samples, n_outputs), or class numbers (n_samples,) with cross-entropy
            With memory, for every step: (n_sequences, n_steps, n_outputs), a list like X, or class numbers
            (n_sequences, n_steps); or for the last step of each: (n_sequences, n_outputs), or classes (n_sequences,).
        loss : str, optional
            None: cross_entropy where the outputs are softmax, else half_squared_error.
        reduction : {"mean", "sum"}
            Over the samples of a batch; of sequences over all their steps that have a target.
        optimizer : str or Optimizer
            sgd, momentum, nesterov, rmsprop, adam, adamw, rprop, or an object with settings of its own.
        learning_rate : float or Schedule
        momentum : float, optional
            β, for momentum and nesterov; 0.9 where not given.
        batch_size : int or None
            1 is online; None, or more than there are, is all. A short last batch counts and divides by its own length.
        epochs : int
        shuffle : bool
            A new order each epoch, from ``rng``.
        rng : int, Generator or None
            None draws a seed, which the run keeps.
        weight_decay : float
            Acts on weights, not on biases and slopes; decoupled in adamw.
        clip_norm, clip_value : float, optional
            The whole gradient's norm, then each of its elements, at most.
        validation : (X, T) or float, optional
            Adds val_loss and, of classes, val_accuracy to the history. A fraction of the samples, chosen by ``rng``, is
            held out: ``run.held_out`` are their rows. Samples keep their row numbers.
        evaluate : bool
            Adds data_loss, over all data trained on after each epoch.
        average : int, optional
            The network gets the means of its parameters after each of the last so many epochs: stochastic weight
            averaging (Izmailov et al. 2018). History, validation and ``run.at`` are of the steps as they were made.
        stop : Rule or list of Rule
            See ``neuronsim.training.stop``.
        monitors : Monitor, Alarm, or list of them
            What to record, and what to look out for.
        progress : bool, optional
            A bar on stderr; None: where stderr is a terminal.
        snapshots : "auto", False or int
            How many bytes the states may take that are kept for ``run.at``; "auto" is a quarter of the free memory, at
            most 256 MB. X and T are referred to, not copied.
        checkpoint : str or path, optional
            A directory in which the run keeps where it is, every 10 seconds and at its end. With ``resume=True`` the
            same call goes on from there, after a crash or a kill, and ends with the same bits. Monitors and alarms of
            the same call go on with what they had recorded; others begin with nothing.
        resume : Run or bool
            True: see ``checkpoint``. A run: go on from it, with its optimiser state, schedule, order of samples and
            history: two fits of 5 epochs are one of 10, bit for bit. Data, batch size and optimiser must be the same,
            all else may differ. After edits of the wiring, parameters that are still there keep their state, by name,
            and new ones begin with none.
        threads : int, optional
            None: as many as the work is worth. The bits do not depend on it.
        lengths : int array (n_sequences,), optional
            How many steps of each sequence of an array are its own; what is behind is neither read nor counted.
        mask : array (n_sequences, n_steps), optional
            How much the loss of each step counts, True being 1; where it is 0 the target is not read.
        window : int, optional
            Update after every so many steps of a batch of sequences: the state goes on, δ does not cross. None: one
            update, after the last step.
        reach : int, optional
            With a window: δ goes back so many steps, those of the window among them, through what was computed then.
            0: nothing crosses a step, as in Elman's and Jordan's networks.

        Returns
        -------
        Run

        Raises
        ------
        SettingError, DataError, WiringError
            Before anything has changed.

        Warns
        -----
        DivergenceWarning
            A loss or a parameter was not finite; the network holds the state before that step.
        """
        from neuronsim.run import Run
        from neuronsim.training.fit import fit
        from neuronsim.training.settings import FitSettings

        settings = FitSettings(
            loss=loss, reduction=reduction, optimizer=optimizer, learning_rate=learning_rate, momentum=momentum,
            batch_size=batch_size, epochs=epochs, shuffle=shuffle, rng=rng, weight_decay=weight_decay,
            clip_norm=clip_norm, clip_value=clip_value, validation=validation, evaluate=evaluate, average=average,
            stop=stop, monitors=monitors, progress=progress, snapshots=snapshots, checkpoint=checkpoint, resume=resume,
            threads=threads, lengths=lengths, mask=mask, window=window, reach=reach,
        )  # fmt: skip
        has_memory(self.graph, lengths=lengths, mask=mask, window=window, reach=reach)
        keeper = None
        if checkpoint is not None:
            from neuronsim.storage.checkpoints import Checkpoints

            keeper = Checkpoints(checkpoint, goes_on=resume is True)
        return fit(self.runtime, X, T, settings, Run, keeper)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to a ``.safetensors`` or ``.json`` file, which `neuronsim.load` reads: the same bits come back.

        Parameters
        ----------
        path : str or path
            Its ending says which form. The file is replaced whole or stays as it was.

        Raises
        ------
        SettingError
            For another ending.
        FileError
            If it cannot be written.
        """
        from neuronsim.storage import save

        save(self, path)
