"""A training run as people hold it: what happened, and every question that can be asked about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from neuronsim.errors import NotKnownError
from neuronsim.training.result import RunResult

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from pathlib import Path

    from neuronsim.analysis.blame import Blame
    from neuronsim.analysis.diagnose import Diagnosis
    from neuronsim.analysis.diff import Difference
    from neuronsim.analysis.first import Occurrence
    from neuronsim.analysis.ledger import Ledger
    from neuronsim.analysis.paths import Paths
    from neuronsim.graph.selection import Selection
    from neuronsim.network import Network
    from neuronsim.step import Step
    from neuronsim.tracing.replay import Replay


class Run(RunResult):
    """One call of ``fit``: `RunResult` says what happened, the methods here answer questions by replay."""

    _replay: Replay | None = None
    #: The network after a run that was loaded without its data.
    trained: Network | None = None

    @property
    def replay(self) -> Replay:
        """Makes any of its steps again; see `neuronsim.tracing.replay`."""
        if self._replay is None:
            from neuronsim.step import Step
            from neuronsim.tracing.replay import Replay

            self._replay = Replay(self, Step)
        return self._replay

    def at(self, step: int) -> Step:
        """Any step, 0 ≤ step < n_steps, made again, bit for bit: every signal, gradient and parameter.

        Parameters
        ----------
        step : int
            Counted from 0 within the run, across epochs.

        Raises
        ------
        NotKnownError
            If the run kept no snapshots.
        SettingError
            If there is no such step.
        DataError
            If X or T have changed since the run.
        """
        return cast("Step", self.replay.at(step))

    def paths(
        self, neuron: str | int, *, step: int | None = None, top: int | None = 5, sample: int | None = None
    ) -> Paths:
        """δ of a neuron in a step as a sum over its paths to the outputs, the largest first (L3).

        Parameters
        ----------
        neuron : str or int
            Name or id.
        step : int, optional
            Which step of the run, from 0; None: the last one.
        top : int or None
            How many paths; None is all of them, up to 100,000.
        sample : int, optional
            Which one of the batch; needed if there are several.

        Returns
        -------
        Paths
            Their products, which add up to δ.
        """
        return self.at(self.n_steps - 1 if step is None else step).paths(neuron, top=top, sample=sample)

    def blame(self, neurons: Any, step: int | None = None) -> Blame:
        """δ of every sample trained on at some neurons, and what each would write into their weights.

        Parameters
        ----------
        neurons : str, int or several
            Names, ids or globs.
        step : int, optional
            With the parameters before this step; None: with the final ones.

        Returns
        -------
        Blame
            ``.delta``, ``.change`` (n_samples, n_neurons), ``.top(k)``, ``.by_class()``;
            see `neuronsim.analysis.blame`.
        """
        from neuronsim.analysis.blame import blame
        from neuronsim.errors import SettingError

        if isinstance(step, str):
            raise SettingError(f"blame takes several neurons as a list: blame([{neurons!r}, {step!r}])")
        return blame(self.replay, neurons, step)

    def ledger(self, *what: Any, start: int | None = None, stop: int | None = None) -> Ledger:
        """One parameter's change, booked to the samples, classes, epochs and steps that made it.

        Parameters
        ----------
        *what : str, int or pair of them
            An edge, ``ledger("i1", "h1")``, or a neuron, ``ledger("h1")``: its bias.
        start, stop : int, optional
            Steps ``start`` to ``stop - 1``; None: from the first (after an edit of the wiring: the first after it) to
            the last.

        Returns
        -------
        Ledger
            ``.total``, ``.by_sample``, ``.by_class``, ``.by_epoch``, ``.by_step``, each adding up to the total exactly;
            see `neuronsim.analysis.ledger`.
        """
        from neuronsim.analysis.ledger import ledger

        return ledger(self.replay, *what, start=start, stop=stop)

    def first(
        self, condition: str, *, neurons: Any = None, start: int | None = None, stop: int | None = None
    ) -> Occurrence | None:
        """The first step, sample and neuron at which a condition such as ``"isnan(z) | (abs(delta) > 10)"`` holds.

        Parameters
        ----------
        condition : str
            On z, y, delta, b and db of neurons, or on w, gradient and dw of edges; see `neuronsim.tracing.conditions`.
        neurons : str, int or several, optional
            Only these, by names, ids or globs; of edges, those into them. None: all but inputs.
        start, stop : int, optional
            Steps ``start`` to ``stop - 1``; None: from the first (after an edit of the wiring: the first after it) to
            the end, and the step at which the run diverged, if it did.
        """
        from neuronsim.analysis.first import first

        return first(self.replay, condition, neurons=neurons, start=start, stop=stop)

    def diagnose(self, step: int | None = None) -> Diagnosis:
        """What is wrong, a sentence each, and what to try: overflow, δ that vanishes or explodes, dead neurons.

        Parameters
        ----------
        step : int, optional
            With the parameters before this step; None: with the final ones.
        """
        from neuronsim.analysis.diagnose import diagnose

        return diagnose(self.replay, step)

    def diff(self, other: Run, tolerance: float = 0.0, every_step: bool = False) -> Difference:
        """The first step, and in it the first neuron or edge, at which two runs of one wiring differ, and why.

        Parameters
        ----------
        other : Run
        tolerance : float
            Of absolute differences; 0: every one counts.
        every_step : bool
            Compare all signals of all steps, instead of parameters that differ from some step on.
        """
        from neuronsim.analysis.diff import diff
        from neuronsim.errors import SettingError

        if not isinstance(other, Run):
            raise SettingError(f"diff compares with another run, what net.fit returned, not {other!r}")
        return diff(self.replay, other.replay, tolerance, every_step)

    def to_html(
        self,
        path: str | os.PathLike[str],
        *,
        steps: Iterable[int] | None = None,
        neurons: Selection | None = None,
        title: str | None = None,
    ) -> Path:
        """Write one offline page that shows the run: its steps phase by phase, the numbers of neurons and edges.

        Parameters
        ----------
        path : str or path
            The file, written whole or not at all.
        steps : iterable of int, optional
            Which steps to show. None: the first, the last, and those between, closest at the start; as many as keep
            the file under 2 MB, at most 200.
        neurons : str, int or list of those, optional
            Names, ids or patterns: of a large network these are drawn in any case.
        title : str, optional

        Returns
        -------
        Path
            The file.

        Raises
        ------
        NotKnownError
            If the run kept no snapshots.
        UnknownNameError, SettingError
            If there is no such neuron or step, or too many neurons are asked for.

        Notes
        -----
        Of a network with more than 300 neurons or 3,000 edges the relevant ones are shown: outputs, ``neurons``, those
        that monitors watch and findings name, and of each level those with the largest mean |δ|; the page says what
        is left out. Nothing is loaded from elsewhere.
        """
        from neuronsim.page import write

        return write(self, path, steps=steps, neurons=neurons, title=title)

    @property
    def network(self) -> Network:
        """The network after the run, whatever was done with it since: a copy of its own.

        Raises
        ------
        NotKnownError
            If the run kept no snapshots.
        """
        from neuronsim.network import Network

        if self.recording is None or self.carry is None:
            if self.trained is not None:
                return self.trained.copy()
            raise NotKnownError(f"the network after this run was not kept: {self.unrecorded}")
        graph = self.recording.graph.copy()
        for values, new in zip((graph.weights, graph.biases, graph.slopes), self.carry.parameters, strict=True):
            values[...] = new
        return Network.from_graph(graph)

    def predict(self, table: Any, *, delimiter: str = ",") -> Any:
        """What the network after the run says of raw rows, scaled and named as the table that it was trained on.

        Parameters
        ----------
        table : DataFrame, mapping of str to column, path of a CSV file, or array (n_samples, n_features)
            Columns are found by name, in any order; others are passed over.
        delimiter : str
            Of a CSV file.

        Returns
        -------
        DataFrame or dict of str to array
            A frame for a frame, with its index. Targets in their own units; of classes the most probable one, and
            "p(NAME)" of each.

        Raises
        ------
        NotKnownError
            The run does not know its table: it was not made by an experiment.
        UnknownNameError
            A column is missing.
        DataError, FileError
            A value is missing or no number; the row and the column are named.
        """
        if self.columns is None:
            advice = "use run.network.forward(X), with X scaled as it was"
            raise NotKnownError(f"this run knows no columns: it was not made from an experiment's table; {advice}")
        answers = self.columns.answers(self.network.forward(self.columns.samples(table, delimiter=delimiter)))
        return type(table)(answers, index=table.index) if hasattr(table, "columns") else answers

    def save(self, directory: str | os.PathLike[str], *, data: bool = True, overwrite: bool = False) -> Path:
        """Write the run into a directory, for `neuronsim.load_run`: any step can be made again on another day.

        Parameters
        ----------
        directory : str or path
            Made if need be.
        data : bool
            Whether X and T are written, too; without, they are given to ``load_run`` again.
        overwrite : bool
            Whether a run that is there may be replaced.

        Returns
        -------
        Path
            The directory.

        Raises
        ------
        NotKnownError
            If the run kept no snapshots.
        FileError
            If there is a run already, or the directory cannot be written.
        """
        from neuronsim.storage.runs import save_run

        return save_run(self, directory, data=data, overwrite=overwrite)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_replay": None}

    def _repr_html_(self) -> str:
        from neuronsim import plots

        html: str = plots.run_html(self)
        return html
