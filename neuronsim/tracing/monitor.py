"""`Monitor`: what some neurons or edges did at some steps of a run, in arrays.

What is watched is recorded inside the compiled loops, into arrays made before the run, and changes no bit of it.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from html import escape
from itertools import count, takewhile
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuronsim.basics.arrays import Array, Integers
from neuronsim.basics.atomic import replacing
from neuronsim.basics.checked import real, whole
from neuronsim.basics.words import ordinal
from neuronsim.errors import NotKnownError, SettingError, UnknownNameError, choose, suggest
from neuronsim.graph.edges import blocks
from neuronsim.graph.graph import Graph
from neuronsim.training.requests import EDGE_FIELDS, NEURON_FIELDS, PER_SAMPLE, MonitorRequest
from neuronsim.training.result import RunResult
from neuronsim.training.watching import Records, WatchedRun

#: Bytes of a record beside its values: step and sample.
_RECORD_BYTES = 16
_SHOWN = 8
#: Records written to a file at a time.
_TOGETHER = 1000


class Monitor:
    """Records fields of neurons or edges while a network trains.

    Parameters
    ----------
    what : name, id, glob, pair, or list of them
        Neurons by name, id or glob, ``["h1", "o*"]``; or edges by the pair of their ends, ``[("i1", "h1")]``, in
        which either end may be a glob. One may stand without the list.
    fields : str or iterable of str, optional
        Of neurons ``z``, ``y``, ``delta``, ``b``, ``db``; of edges ``w``, ``gradient``, ``dw``. Step q shows b and w
        as they were before it, what was computed with them, and db and dw = value after - value before. None: z, y
        and delta; all three of edges.
    every : int
        Steps from one record to the next, counted from step 0 of the run.
    steps : list of int or "log", optional
        The steps to record instead: a list, or "log" for 0, 1, 2, 5, 10, 20, 50, ...
    samples : list of int, optional
        Rows of X. Then z, y, delta and gradient are those of these samples, NaN in a step whose batch does not hold
        them; ``present`` says which. None: means over each batch; the gradient is the one that the update was made
        with, before clipping and decay.
    keep_last : int, optional
        Only so many records are kept: the last ones.
    max_bytes : float
        A longer trace is refused before the run begins.

    Attributes
    ----------
    step : int64 array (n_records,)
        Ascending; the run's first and last step are always among them (with ``keep_last`` the last one).
    sample : int64 array (n_records,)
        The row of X that the step used; -1 for a batch.

    Notes
    -----
    It holds the last run that used it. An input has z = y = x, and δ = ∂L/∂x.

    Examples
    --------
    >>> import neuronsim as ns
    >>> net = ns.wiring.layered([2, 3, 1], rng=0)
    >>> watch = Monitor(["h1.0", "y*"], every=2)
    >>> run = net.fit([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0]], [0.0, 1.0, 0.0], shuffle=False, monitors=watch)
    >>> watch.step
    array([0, 2])
    >>> watch["y0"].delta.shape
    (2,)
    """

    def __init__(
        self,
        what: Any,
        fields: str | Iterable[str] | None = None,
        *,
        every: int = 100,
        steps: ArrayLike | str | None = None,
        samples: ArrayLike | None = None,
        keep_last: int | None = None,
        max_bytes: float = 1e9,
    ) -> None:
        self._neurons, self._edges = _selections(what)
        self.fields = _fields(fields, bool(self._edges))
        self.every = whole("every", every)
        self.at_steps: Integers | str | None = _steps(steps)
        self.samples: Integers | None = None if samples is None else _rows("samples", samples)
        self.keep_last = None if keep_last is None else whole("keep_last", keep_last)
        self.max_bytes = real("max_bytes", max_bytes, "(0, inf]")
        self._records: Records | None = None
        self._settings: dict[str, Any] = {}
        self._request: MonitorRequest | None = None
        self._names: list[Any] = []
        self._places: dict[Any, int] = {}
        self._ids: dict[str, int] = {}

    # --- the run

    def begin_run(self, watched: WatchedRun) -> MonitorRequest:
        """Say what is to be recorded; training calls it."""
        graph = watched.engine.graph
        neurons, edges = _found(graph, self._neurons, self._edges)
        chosen = np.empty(0, np.int64) if self.samples is None else self.samples
        if chosen.max(initial=-1) >= watched.n_samples:
            rows = f"{watched.n_samples:,} (0 to {watched.n_samples - 1})"
            raise SettingError(f"samples has row {chosen.max()} of X, which has {rows}")
        steps = self._listed(watched.n_steps)
        n = len(steps) or n_records(watched.n_steps, self.every)
        capacity = n if self.keep_last is None else min(n, self.keep_last)
        every = 0 if len(steps) else self.every
        request = MonitorRequest(neurons, edges, self.fields, every, steps, capacity, chosen)
        self._check_size(request, watched)
        self._start(request, graph)
        return request

    def _start(self, request: MonitorRequest, graph: Graph) -> None:
        """Remember what the run is of; names may belong to others later."""
        self._request, self._records = request, None
        self.neurons = list(graph.name_list(request.neurons))
        sinks = np.searchsorted(graph.row_start, request.edges, side="right") - 1
        sources = graph.sources[request.edges]
        self.edges = list(zip(graph.name_list(sources), graph.name_list(sinks), strict=True))
        self._names = [*self.neurons, *self.edges]
        things = [*request.neurons.tolist(), *zip(sources.tolist(), sinks.tolist(), strict=True)]
        self._places = {thing: k for k, thing in enumerate(things)}
        ends = np.concatenate([request.neurons, sources, sinks])
        self._ids = dict(zip(graph.name_list(ends), ends.tolist(), strict=True))

    def _listed(self, n_steps: int) -> Integers:
        """The steps to record, the first and the last among them; none: those that ``every`` says."""
        if self.at_steps is None:
            return np.empty(0, np.int64)
        listed = log_steps(n_steps) if isinstance(self.at_steps, str) else self.at_steps
        if listed.max() >= n_steps:
            raise SettingError(f"steps has {listed.max()}, and the run has {n_steps:,} steps (0 to {n_steps - 1})")
        return np.union1d(listed, [0, n_steps - 1]).astype(np.int64)

    def _check_size(self, request: MonitorRequest, watched: WatchedRun) -> None:
        """Refuse what would take too much memory, and say what would not."""
        record = request.size * watched.engine.dtype.itemsize + _RECORD_BYTES
        if request.capacity * record <= self.max_bytes:
            return
        most = int(self.max_bytes // record)
        cheaper = "watch fewer neurons, edges or fields"
        if self.at_steps is None and self.keep_last is None and most >= 2:
            every = next(e for e in round_numbers() if n_records(watched.n_steps, e) <= most)
            cheaper = f"every={every} takes {in_bytes(n_records(watched.n_steps, every) * record)}"
        elif most >= 1:
            cheaper = f"keep_last={most} takes {in_bytes(most * record)}"
        raise SettingError(
            f"the trace would take {in_bytes(request.capacity * record)} (limit {in_bytes(self.max_bytes)}): {cheaper}"
        )

    def end_run(self, found: Records, run: RunResult) -> None:
        """Take the records; training calls it."""
        for array in (found.step, found.sample, found.values):
            array.flags.writeable = False
        self._records, self._settings = found, run.settings

    def holds(self, run: RunResult) -> bool:
        """Whether its records are those of this run, and not of a later one."""
        return self._records is not None and self._settings is run.settings

    # --- reading

    @property
    def _known(self) -> tuple[MonitorRequest, Records]:
        if self._request is None or self._records is None:
            raise NotKnownError("nothing is recorded yet: give it to net.fit(..., monitors=[watch]) first")
        return self._request, self._records

    @property
    def step(self) -> Integers:
        """The step of each record, shape (n_records,)."""
        return self._known[1].step

    @property
    def sample(self) -> Integers:
        """The row of X of each record, shape (n_records,); -1 for a batch."""
        return self._known[1].sample

    @property
    def present(self) -> NDArray[np.bool_]:
        """Whether each of ``samples`` was in the step's batch, shape (n_records, n_chosen)."""
        request, records = self._known
        if self.samples is None:
            raise NotKnownError("no samples were chosen: give Monitor(..., samples=[...])")
        there: NDArray[np.bool_] = records.values[:, request.size - len(self.samples) :] == 1
        return there

    def __len__(self) -> int:
        """How many records there are."""
        return 0 if self._records is None else len(self._records.step)

    def _ipython_key_completions_(self) -> list[Any]:
        return [*self.neurons, *self.edges]

    def __getitem__(self, what: Any) -> Series:
        """The records of one neuron, ``watch["h1"]``, or one edge, ``watch["i1", "h1"]``, by name or id."""
        self._known  # noqa: B018
        ids = tuple(map(self._id, what)) if isinstance(what, tuple) else self._id(what)
        place = self._places.get(ids)
        if place is None:
            near = suggest(what, self.neurons) if isinstance(what, str) and self.neurons else ""
            raise UnknownNameError(f"{what!r} is not watched{near or ';'} watched: {_shown(self._names)}")
        return Series(self, place)

    def _id(self, neuron: Any) -> int:
        """The id of a neuron that is watched, or the end of an edge that is; -1 of others."""
        if isinstance(neuron, str):
            return self._ids.get(neuron, -1)
        return int(neuron) if isinstance(neuron, (int, np.integer)) else -1

    def _values(self, place: int, field: str) -> Array:
        """A field of one neuron or edge, shape (n_records,) or (n_records, n_chosen)."""
        request, records = self._known
        widths = request.widths()
        k = self.fields.index(field)
        begin = place * sum(widths) + sum(widths[:k])
        values: Array = records.values[:, begin : begin + widths[k]]
        return values if self.samples is not None and field in PER_SAMPLE else values[:, 0]

    def array(self) -> Array:
        """Everything as a structured array: a row for each record and neuron or edge.

        Its columns are ``step``, ``sample``, ``neuron`` (or ``source`` and ``sink``) and the fields. With chosen
        samples, a row for each that was in the step's batch.
        """
        return self._table(slice(None))

    def _table(self, which: slice) -> Array:
        """The rows of some records."""
        records = self._known[1]
        step, sample = records.step[which], records.sample[which]
        of = [("source", [a for a, _ in self.edges]), ("sink", [b for _, b in self.edges])]
        labels = [(name, np.array(text, np.str_)) for name, text in (of if self.edges else [("neuron", self.neurons)])]
        chosen = np.array([-1]) if self.samples is None else self.samples
        types = [(name, text.dtype) for name, text in labels]
        dtype = [("step", "i8"), ("sample", "i8"), *types, *((f, records.values.dtype) for f in self.fields)]
        table = np.empty((len(step), len(self._names), len(chosen)), dtype)
        table["step"] = step[:, None, None]
        table["sample"] = sample[:, None, None] if self.samples is None else chosen
        for name, text in labels:
            table[name] = text[:, None]
        for field in self.fields:
            for place in range(len(self._names)):
                values = self._values(place, field)[which]
                table[field][:, place] = values if values.ndim == 2 else values[:, None]
        if self.samples is None:
            return table.reshape(-1)
        return table[np.broadcast_to(self.present[which][:, None, :], table.shape)]

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write `array` as CSV, numbers with all their digits.

        Parameters
        ----------
        path : str or path
            Written whole or not at all.
        """
        names = self._table(slice(0)).dtype.names or ()
        with replacing(path) as beside, open(beside, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(names)
            for part in blocks(len(self), _TOGETHER):
                writer.writerows(self._table(part).tolist())

    @property
    def pace(self) -> str:
        """Which steps it records, in words; empty where it is every one."""
        if isinstance(self.at_steps, str):
            return "steps 0, 1, 2, 5, 10, …"
        if self.at_steps is not None:
            return "chosen steps"
        return "" if self.every == 1 else f"every {ordinal(self.every)} step, and the last"

    def __repr__(self) -> str:
        what = self._neurons if self._neurons else self._edges
        given = f"{_shown(what)}: {', '.join(self.fields)}"
        if self._records is None:
            return f"<Monitor of {given}; nothing recorded yet>"
        if not len(self):
            return f"<Monitor of {given}; no step was made>"
        return f"<Monitor of {given}; {len(self):,} records, steps {self.step[0]:,} to {self.step[-1]:,}>"

    def _repr_html_(self) -> str:
        """The first and the last records, as a table."""
        if self._records is None:
            return f"<p>{escape(repr(self))}</p>"
        half, n = _SHOWN // 2, len(self)
        first, last = self._table(slice(_SHOWN)), self._table(slice(max(n - _SHOWN, 0), n))
        names = first.dtype.names or ()
        head = "".join(f"<th>{escape('δ' if n == 'delta' else n)}</th>" for n in names)
        whole = n <= _SHOWN and len(first) <= _SHOWN
        rows = list(first) if whole else [*first[:half], None, *last[-half:]]
        body = "".join(_html_row(row, len(names)) for row in rows)
        return f"<p>{escape(repr(self))}</p><table><tr>{head}</tr>{body}</table>"


class Series:
    """The records of one neuron or edge; each field recorded is an attribute, an array by record."""

    def __init__(self, monitor: Monitor, place: int) -> None:
        self._monitor = monitor
        self._place = place

    @property
    def name(self) -> Any:
        """Its name; of an edge, those of its ends."""
        return self._monitor._names[self._place]

    @property
    def step(self) -> Integers:
        """The step of each record, shape (n_records,)."""
        return self._monitor.step

    def __getattr__(self, field: str) -> Array:
        if field.startswith("_"):
            raise AttributeError(field)
        if field in self._monitor.fields:
            return self._monitor._values(self._place, field)
        recorded = ", ".join(self._monitor.fields)
        raise AttributeError(f"{field!r} was not recorded of {self.name!r}; recorded: {recorded}")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._monitor.fields]

    def __repr__(self) -> str:
        return f"<{self.name!r}: {', '.join(self._monitor.fields)} at {len(self._monitor):,} steps>"


def n_records(n_steps: int, every: int) -> int:
    """How many of the steps 0, every, 2 · every, ..., and the last one there are."""
    last = n_steps - 1
    return last // every + 1 + (last % every > 0)


def log_steps(n_steps: int) -> Integers:
    """0, and 1, 2, 5, 10, 20, 50, ... below ``n_steps``."""
    return np.array([0, *takewhile(lambda step: step < n_steps, round_numbers())], np.int64)


def round_numbers() -> Iterable[int]:
    """1, 2, 5, 10, 20, 50, ... without end."""
    return (step * 10**power for power in count() for step in (1, 2, 5))


def in_bytes(n: float) -> str:
    """``9.5 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if n < 999.5:
            return f"{n:.3g} {unit}"
        n /= 1000
    return f"{n:.3g} TB"


def _fields(fields: str | Iterable[str] | None, of_edges: bool) -> tuple[str, ...]:
    """Fields of neurons or of edges, each once; None: the three that are most asked for."""
    kinds = ("neurons", NEURON_FIELDS, ("z", "y", "delta")), ("edges", EDGE_FIELDS, ("w", "gradient", "dw"))
    (here, allowed, common), (there, other, _) = reversed(kinds) if of_edges else kinds
    given = common if fields is None else (fields,) if isinstance(fields, str) else tuple(fields)
    for field in given:
        if isinstance(field, str) and field in other:
            raise SettingError(
                f"{field!r} is a field of {there}, and this monitor watches {here}: {', '.join(allowed)}"
            )
        choose(f"field of {here}", field, allowed)
    if not given:
        raise SettingError(f"no fields to record; allowed: {', '.join(allowed)}")
    return tuple(dict.fromkeys(given))


def _rows(name: str, values: ArrayLike) -> Integers:
    """Distinct whole numbers, at least 0, in the order given."""
    given = np.asarray(values)
    if given.ndim != 1 or not len(given) or given.dtype.kind not in "iu" or given.min() < 0:
        raise SettingError(f"{name}={values!r}: a list of whole numbers, 0 or more, is needed")
    if len(np.unique(given)) < len(given):
        raise SettingError(f"{name}={values!r}: each one once")
    return given.astype(np.int64)


def _steps(steps: ArrayLike | str | None) -> Integers | str | None:
    if steps is None or (isinstance(steps, str) and steps == "log"):
        return steps
    if isinstance(steps, str):
        raise SettingError(f'steps={steps!r}: a list of steps is needed, or "log" for 0, 1, 2, 5, 10, ...')
    return _rows("steps", steps)


def _selections(what: Any) -> tuple[list[Any], list[tuple[Any, Any]]]:
    """Selections of neurons, or of edges: the pairs."""
    if isinstance(what, (str, int, np.integer)) or (isinstance(what, tuple) and _is_pair(what)):
        items: Sequence[Any] = [what]
    elif isinstance(what, Iterable):
        items = list(what)
    else:
        raise SettingError(f'watch neurons, ["h1", "o*"], or edges, [("i1", "h1")], not {what!r}')
    pairs = [item for item in items if isinstance(item, (tuple, list))]
    for pair in pairs:
        if not _is_pair(pair):
            raise SettingError(f"an edge is a pair (source, sink), not {pair!r}")
    if not items or (pairs and len(pairs) < len(items)):
        found = "neurons and edges" if items else "nothing"
        raise SettingError(f"a monitor watches neurons or edges, and this one {found}: make one of each")
    return ([], [(a, b) for a, b in pairs]) if pairs else (list(items), [])


def _is_pair(what: Any) -> bool:
    return len(what) == 2 and all(isinstance(end, (str, int, np.integer)) for end in what)


def _found(graph: Graph, neurons: list[Any], pairs: list[tuple[Any, Any]]) -> tuple[Integers, Integers]:
    """Ids and positions, each once, in the order given; a pattern that matches nothing is an error."""
    positions = [np.empty(0, np.int64)]
    for source, sink in pairs:
        positions.append(graph.edges_between(source, sink))
        if not len(positions[-1]):
            raise UnknownNameError(f"no edge matches {source!r} → {sink!r}")
    return _distinct(graph.ids(neurons)), _distinct(np.concatenate(positions))


def _distinct(values: Integers) -> Integers:
    _, first = np.unique(values, return_index=True)
    return np.asarray(values[np.sort(first)], np.int64)


def _shown(names: Sequence[Any]) -> str:
    shown = [name if isinstance(name, str) else f"{name[0]} → {name[1]}" if isinstance(name, tuple) else str(name)
             for name in names[:_SHOWN]]  # fmt: skip
    return ", ".join(shown) + (f", … ({len(names):,})" if len(names) > _SHOWN else "")


def _html_row(row: Any, n: int) -> str:
    if row is None:
        return "<tr>" + "<td>⋮</td>" * n + "</tr>"
    cells = (f"{float(v):.9g}" if isinstance(v, np.floating) else str(v) for v in row)
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
