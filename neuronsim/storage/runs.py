"""A training run as a directory: how it began and ended, its snapshots, its data; every step can be made again.

======================== =============================================================================
``run.json``             how it went, and the digests of all other files; written last
``network.safetensors``  the network after the run, as `neuronsim.load` reads it
``start.safetensors``    the network before it
``states.safetensors``   ``before.STEP.K``: a snapshot; ``end.K``: what the optimiser keeps; ``best.K``
``data.safetensors``     X and T, unless they are left out
``columns.json``         columns, classes and scales of the table, if they are known
``before/``              the run that it went on from
======================== =============================================================================
"""

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from neuronsim.basics.arrays import Array
from neuronsim.basics.atomic import replacing
from neuronsim.basics.checked import real, whole
from neuronsim.data.columns import Columns
from neuronsim.engine.engine import Engine
from neuronsim.engine.learning import SessionSettings
from neuronsim.engine.session import Session, State
from neuronsim.errors import DataError, FileError, NeuronsimError, NotKnownError
from neuronsim.formulas.losses import LOSSES, Loss
from neuronsim.formulas.optimizers import OPTIMIZERS
from neuronsim.formulas.schedules import from_settings, to_settings
from neuronsim.graph.graph import Graph
from neuronsim.kernels.arguments import Parameters
from neuronsim.network import Network
from neuronsim.run import Run
from neuronsim.storage import binary
from neuronsim.storage.state import network_of, state_of
from neuronsim.training.carry import Carry
from neuronsim.training.order import Order
from neuronsim.training.result import RunResult
from neuronsim.training.snapshots import Recording, Snapshots, fingerprint, sealed

FORMAT = 1
_KIND = "neuronsim run"
FILES = ("network", "start", "states")


def save_run(run: Run, directory: str | os.PathLike[str], *, data: bool = True, overwrite: bool = False) -> Path:
    """Write a run; `Run.save` says what is asked for."""
    recording, carry = run.recording, run.carry
    if recording is None or carry is None:
        raise NotKnownError(f"this run can't be saved: {run.unrecorded}")
    folder = Path(directory)
    if (folder / "run.json").exists() and not overwrite:
        raise FileError(f"there is a run in {folder} already; name another directory, or give overwrite=True")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "run.json").unlink(missing_ok=True)  # what it speaks of is about to change
    except OSError as problem:
        raise FileError(f"{folder} cannot be written: {problem.strerror or problem}") from None
    write_arrays(folder, recording, carry, recording.snapshots.states)
    written = {name: digest(folder / f"{name}.safetensors") for name in FILES}
    if data:
        write_safetensors(folder / "data.safetensors", {"X": recording.X, "T": recording.T})
        written["data"] = digest(folder / "data.safetensors")
    write_columns(run.columns, folder)
    if run.resumed is not None and run.resumed.recording is not None and isinstance(run.resumed, Run):
        save_run(run.resumed, folder / "before", data=False, overwrite=overwrite)
    write_facts(folder, run, recording, carry, written)
    return folder


def write_columns(columns: Columns | None, folder: Path) -> None:
    """``columns.json``, where they are known."""
    path = folder / "columns.json"
    if columns is None:
        path.unlink(missing_ok=True)
        return
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(path) as beside:
        text = json.dumps(columns.as_dict(), ensure_ascii=False, indent=1, allow_nan=False)
        beside.write_text(text + "\n", encoding="utf-8")


def write_arrays(folder: Path, recording: Recording, carry: Carry, states: dict[int, State]) -> None:
    """The networks before and after, and states by step."""
    start, end = recording.graph.copy(), recording.graph.copy()
    for values, new in zip((end.weights, end.biases, end.slopes), carry.parameters, strict=True):
        values[...] = new
    binary_of(Network.from_graph(end), folder / "network.safetensors")
    binary_of(Network.from_graph(start), folder / "start.safetensors")
    write_safetensors(folder / "states.safetensors", _states(states, carry))


def write_facts(
    folder: Path, run: RunResult, recording: Recording, carry: Carry, written: dict[str, str], ended: bool = True
) -> None:
    """``run.json``, which makes the other files a run."""
    facts = {"kind": _KIND, "format": FORMAT, **_facts(run, recording, carry), "ended": ended, "digests": written}
    with replacing(folder / "run.json") as beside:
        beside.write_text(json.dumps(facts, indent=1, allow_nan=False, default=repr) + "\n", encoding="utf-8")


def load_run(directory: str | os.PathLike[str], *, data: tuple[ArrayLike, ArrayLike] | None = None) -> Run:
    """Read the run that ``run.save`` or ``neuronsim run`` wrote: it explains and replays as on its first day.

    Parameters
    ----------
    directory : str or path
    data : (X, T), optional
        What it was trained on, where it was saved without, as ``neuronsim run`` does; the same numbers, or DataError.

    Returns
    -------
    Run
        ``fit(resume=run)`` goes on from it.

    Raises
    ------
    FileError
        There is no such run, or it is damaged, or it needs an activation or a loss that is not registered here.
    DataError
        If ``data`` are not those of the run.
    """
    given = Path(directory)
    folder = _newest(given)
    facts = _read_facts(folder)
    try:
        run = _run(folder, facts, data)
        if run.recording is None:  # else it knows its network
            place = given if (given / "network.safetensors").exists() else folder
            run.trained = network_of(binary.read(place / "network.safetensors"))
        run.columns = read_columns(given)
        return run
    except (FileError, DataError):
        raise
    except (
        SafetensorError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, NeuronsimError
    ) as problem:  # fmt: skip
        raise FileError(f"{folder / 'run.json'} is damaged ({type(problem).__name__}: {problem})") from None


# ── writing ──


def binary_of(net: Network, path: Path) -> None:
    """Write a network's ``.safetensors``."""
    with replacing(path) as beside:
        binary.write(state_of(net), beside)


def write_safetensors(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays by name, whole or not at all."""
    with replacing(path) as beside:
        try:
            save_file({name: np.ascontiguousarray(values) for name, values in arrays.items()}, beside)
        except SafetensorError as problem:
            raise OSError(None, str(problem)) from problem


def _states(states: dict[int, State], carry: Carry) -> dict[str, Array]:
    """Snapshots by step, the end, the best parameters, and sums of those that are averaged."""
    found = {f"before.{q}.{k}": v for q, state in states.items() for k, v in enumerate(state)}
    end = (*carry.states[0], *carry.states[1], carry.powers, carry.loss_sum)
    found |= {f"end.{k}": values for k, values in enumerate(end)}
    for name, kept in (("best", carry.best), ("sums", carry.sums)):
        found |= {f"{name}.{k}": values for k, values in enumerate([] if kept is None else kept[1])}
    return found


def _facts(run: RunResult, recording: Recording, carry: Carry) -> dict[str, Any]:
    """Everything that is no array, and the numbers that are few."""
    settings = asdict(recording.session) | {"optimizer": {"name": recording.session.optimizer.name}}
    settings["optimizer"] |= asdict(recording.session.optimizer)
    return {
        "seed": run.seed,
        "status": run.status,
        "reason": run.reason,
        "n_steps": carry.n_steps,
        "first_step": recording.snapshots.first,
        "restored": run.restored,
        "averaged": run.averaged,
        "history": {name: [_as_text(v) for v in column] for name, column in run.history.items()},
        "loss": recording.loss.name,
        "schedule": to_settings(recording.schedule),
        "session": settings,
        "shuffle": recording.order.shuffle,
        "held_out": recording.order.held_out.tolist(),
        "fingerprints": [mark.hex() for mark in recording.fingerprints],
        "best": None if carry.best is None else carry.best[0],
        "sums": None if carry.sums is None else carry.sums[0],
        "settings": {name: _plain(value) for name, value in run.settings.items() if name != "monitors"},
    }


def _as_text(value: float) -> float | str:
    """JSON has no NaN and no infinity."""
    return value if math.isfinite(value) else str(value)


def _as_number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(f"{value!r} in the history")
    return float(value) if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    """Settings that are no numbers or words are kept as they print."""
    return value if isinstance(value, str | int | float | bool | None) else repr(value)[:200]


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# ── reading ──


def _newest(folder: Path) -> Path:
    """The directory itself; of `neuronsim run` the checkpoint that was written last."""
    places = [place for place in (folder / "checkpoint" / name for name in "ab") if (place / "run.json").exists()]
    if (folder / "run.json").exists() or not places:
        return folder
    return max(places, key=lambda place: (place / "run.json").stat().st_mtime_ns)


def read_columns(folder: Path) -> Columns | None:
    """What a run's directory knows of its table; None where there is nothing.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    FileError
        It can't be read.
    """
    paths = (folder / "columns.json", folder / "checkpoint" / "columns.json")
    path = next((path for path in paths if path.exists()), None)
    if path is None:
        return None
    try:
        return Columns.of_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, FileError) as problem:
        raise FileError(f"{path} cannot be read: {problem}") from None


def _read_facts(folder: Path) -> dict[str, Any]:
    path = folder / "run.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileError(f"there is no run in {folder}: run.save(directory) writes one") from None
    except NotADirectoryError:
        advice = "ns.load reads a network's file"
        raise FileError(f"{folder} is a file, and a run is a directory that run.save wrote; {advice}") from None
    except (OSError, ValueError) as problem:
        raise FileError(f"{path} cannot be read: {problem}") from None
    if not isinstance(facts, dict) or facts.get("kind") != _KIND:
        raise FileError(f"{path} is no run of neuronsim")
    if facts.get("format") != FORMAT:
        raise FileError(f"{path}: its format is {facts.get('format')!r}, this version of neuronsim reads {FORMAT}")
    return facts


def _run(folder: Path, facts: dict[str, Any], data: tuple[ArrayLike, ArrayLike] | None) -> Run:
    for name, known in facts["digests"].items():
        path = folder / f"{Path(name).name}.safetensors"
        if not path.is_file() or digest(path) != known:
            raise FileError(f"{path} is missing or damaged: it is not what run.json says")
    start = network_of(binary.read(folder / "start.safetensors"))
    arrays = load_file(folder / "states.safetensors")
    loss = _loss(folder, facts["loss"])
    settings = _settings(facts["session"])
    run = Run(
        seed=whole("seed", facts["seed"], 0),
        settings=facts["settings"]
        | {"optimizer": settings.optimizer, "learning_rate": from_settings(facts["schedule"])},
        history={name: [_as_number(v) for v in column] for name, column in facts["history"].items()},
        n_steps=whole("n_steps", facts["n_steps"], 0),
        status=str(facts["status"]),
        reason=str(facts["reason"]),
        held_out=np.array(facts["held_out"], np.int64),
        restored=facts["restored"],
        averaged=facts.get("averaged"),
        ended=bool(facts["ended"]),
    )
    found = _data(folder, facts, start, loss, data)
    if found is None:
        run.unrecorded = "it was saved without its data: ns.load_run(directory, data=(X, T))"
        return run
    session = Session(Engine(start.graph), *found, loss, settings)
    order = _order(run, len(found[0]), bool(facts["shuffle"]))
    end = binary.read(folder / "network.safetensors").arrays
    parameters = _like(session.arrays()[:3], [end.weights, end.biases, end.slopes], "network")
    run.carry = _carry(facts, start.graph, session, order, arrays, Parameters(*parameters))
    run.recording = _recording(facts, start.graph, session, order, arrays)
    if (folder / "before" / "run.json").exists():
        run.resumed = load_run(folder / "before", data=found)
    return run


def _settings(given: dict[str, Any]) -> SessionSettings:
    """How steps are made; kernels take these numbers as they are."""
    rule = dict(given["optimizer"])
    if not isinstance(given["mean"], bool):
        raise TypeError(f"mean is {given['mean']!r}")
    return SessionSettings(
        optimizer=OPTIMIZERS[rule.pop("name")](**rule),
        batch_size=whole("batch_size", given["batch_size"]),
        mean=given["mean"],
        weight_decay=real("weight_decay", given["weight_decay"]),
        clip_norm=None if given["clip_norm"] is None else real("clip_norm", given["clip_norm"], "(0, inf)"),
        clip_value=None if given["clip_value"] is None else real("clip_value", given["clip_value"], "(0, inf)"),
        initial_rate=real("initial_rate", given["initial_rate"]),
        threads=None if given["threads"] is None else whole("threads", given["threads"]),
    )


def _loss(folder: Path, name: str) -> Loss:
    if name not in LOSSES:
        raise FileError(f"{folder}: the loss {name!r} is not registered here; ns.losses.register it, then load the run")
    return LOSSES[name]


def _order(run: Run, n_samples: int, shuffle: bool) -> Order:
    trained = np.setdiff1d(np.arange(n_samples), run.held_out)
    if len(trained) + len(run.held_out) != n_samples:
        raise ValueError(f"held_out are not rows of {n_samples} samples")
    return Order(run.seed, shuffle, trained, run.held_out)


def _data(
    folder: Path, facts: dict[str, Any], start: Network, loss: Loss, given: tuple[ArrayLike, ArrayLike] | None
) -> tuple[Array, Array] | None:
    """X and T, if there are any."""
    if given is not None:
        X, T, _ = start.runtime.data(*given, loss)
    elif "data" in facts["digests"]:
        arrays = load_file(folder / "data.safetensors")
        X, T = arrays["X"], arrays["T"]
    else:
        return None
    for name, values, known in zip("XT", (X, T), facts["fingerprints"], strict=True):
        if fingerprint(values).hex() != known:
            raise DataError(f"{name} is not what the run in {folder} was trained on")
    return X, T


def _checked(arrays: dict[str, Array], names: list[str], like: list[Array]) -> list[Array]:
    """Arrays of a file, of the types and shapes that the network asks for."""
    return _like(like, [arrays[name] for name in names], "states")


def _like(like: list[Array], found: list[Array], what: str) -> list[Array]:
    for values, expected in zip(found, like, strict=True):
        if values.shape != expected.shape or values.dtype != expected.dtype:
            raise FileError(f"{what}.safetensors has {values.shape} {values.dtype} for {expected.shape}")
    return found


def _carry(
    facts: dict[str, Any], graph: Graph, session: Session, order: Order, arrays: dict[str, Array], now: Parameters
) -> Carry:
    parameters, end = session.arrays()[:3], session.arrays()[3:]
    found = _checked(arrays, [f"end.{k}" for k in range(len(end))], end)
    best, sums = None, None
    if facts["best"] is not None:
        best = int(facts["best"]), _checked(arrays, [f"best.{k}" for k in range(3)], parameters)
    if facts.get("sums") is not None:
        like = [np.empty(values.shape) for values in parameters]
        sums = int(facts["sums"]), _checked(arrays, [f"sums.{k}" for k in range(3)], like)
    return Carry(
        n_steps=int(facts["n_steps"]),
        order=order,
        batch_size=session.batch_size,
        optimizer=session.settings.optimizer,
        names=graph.names.copy(),
        row_start=graph.row_start,
        sources=graph.sources,
        delays=graph.delays,
        states=(Parameters(*found[:3]), Parameters(*found[3:6])),
        parameters=now,
        powers=found[6],
        loss_sum=found[7],
        best=best,
        sums=sums,
    )


def _recording(
    facts: dict[str, Any], graph: Graph, session: Session, order: Order, arrays: dict[str, Array]
) -> Recording:
    like = session.arrays()
    steps = sorted({int(name.split(".")[1]) for name in arrays if name.startswith("before.")})
    first = int(facts["first_step"])
    states = {q: _checked(arrays, [f"before.{q}.{k}" for k in range(len(like))], like) for q in steps}
    snapshots = Snapshots(states[first], 1, first)
    snapshots.states = {q: sealed(state) for q, state in states.items()}
    snapshots.capacity = max(len(states), 1)
    return Recording(
        graph=graph,
        X=session.data[0],
        T=session.data[1],
        loss=session.loss,
        schedule=from_settings(facts["schedule"]),
        order=order,
        session=session.settings,
        snapshots=snapshots,
        fingerprints=tuple(bytes.fromhex(mark) for mark in facts["fingerprints"]),  # type: ignore[arg-type]
    )
