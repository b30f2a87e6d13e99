"""An experiment run: network and data built, fit called, the run directory written."""

import os
import platform
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from neuronsim import __version__
from neuronsim.analysis import targets
from neuronsim.basics import interrupts
from neuronsim.basics.atomic import replacing
from neuronsim.basics.csvtext import csv_text
from neuronsim.basics.lock import locked
from neuronsim.basics.words import counted, neurons_in_words
from neuronsim.errors import DataError, FileError
from neuronsim.experiment import resuming
from neuronsim.experiment.file import Experiment
from neuronsim.experiment.preparation import Prepared, prepare
from neuronsim.experiment.tomltext import toml_text
from neuronsim.graph.runnable import check_within_a_step
from neuronsim.network import Network
from neuronsim.run import Run
from neuronsim.storage.runs import write_columns
from neuronsim.storage.traces import save_trace

#: The part of the training data that a stop chooses by where the file names no validation.
HELD_OUT = 0.2


@dataclass(frozen=True)
class Outcome:
    """What came out of a run.

    Attributes
    ----------
    status, reason : str
        "finished", "stopped", "interrupted" or "diverged", and the same in a sentence.
    seed : int
        That of the experiment.
    epochs, n_steps, n_samples, n_neurons, n_inputs, n_parameters : int
        How much was done, and on what; inputs count as neurons.
    loss : float or None
        Mean over the last epoch, None before the first is complete.
    test_loss, test_accuracy : float or None
        Of the trained network on the test data; None where there are none, or no classes.
    rms_error, test_rms_error : dict of str to float, or None
        By target, of the trained network on the data trained on and on the test data: √ of the mean of (y − t)², in the
        target's own unit even where the loss is that of scaled targets; None of classes.
    seconds : float
        Wall time of the training, in which kernels may have been compiled.
    directory : str
        Where the files are.
    remarks : tuple of str
        What is wrong though nothing failed: targets that the outputs cannot give, a loss above that of always
        answering with the mean of the targets.
    """

    status: str
    reason: str
    seed: int
    epochs: int
    n_steps: int
    n_samples: int
    n_neurons: int
    n_inputs: int
    n_parameters: int
    loss: float | None
    test_loss: float | None
    test_accuracy: float | None
    rms_error: dict[str, float] | None
    test_rms_error: dict[str, float] | None
    seconds: float
    directory: str
    remarks: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return asdict(self)

    def __str__(self) -> str:
        """A few lines for people."""
        lines = [
            f"{self.status} after {counted(self.epochs, 'epoch')} ({counted(self.n_steps, 'step')}) "
            f"in {self.seconds:.1f} s" + ("" if self.status == "finished" else f": {self.reason}"),
            f"  network  {neurons_in_words(self.n_neurons, self.n_inputs)}; {counted(self.n_parameters, 'parameter')}",
            f"  data     {counted(self.n_samples, 'sample')}",
            f"  seed     {self.seed}",
        ]
        if self.loss is not None:
            lines.append(f"  loss     {self.loss:.6g}{_in_words(self.rms_error)}")
        if self.test_loss is not None:
            accuracy = "" if self.test_accuracy is None else f", accuracy {100 * self.test_accuracy:.2f} %"
            lines.append(f"  test     loss {self.test_loss:.6g}{accuracy}{_in_words(self.test_rms_error)}")
        lines += [f"  remark   {remark}" for remark in self.remarks]
        return "\n".join([*lines, f"  files    {self.directory}"])


def _in_words(errors: dict[str, float] | None) -> str:
    """The errors of the first targets."""
    if not errors:
        return ""
    numbers = {
        name: f"{error:.4g}" if error < 1e4 or error >= 1e12 else f"{error:,.0f}" for name, error in errors.items()
    }
    shown = ", ".join(f"{name} {number}" for name, number in list(numbers.items())[:4])
    return f"; rms error: {shown}" + (", …" if len(errors) > 4 else "")


def run(
    experiment: Experiment, directory: str | os.PathLike[str], *, overwrite: bool = False, resume: bool = False
) -> Outcome:
    """Train, test and write the run directory.

    Parameters
    ----------
    experiment : Experiment
        A checked experiment.
    directory : str or path
        Made if need be, and claimed for this run before it trains. Gets ``network.safetensors`` first, then
        ``experiment.toml`` (as it was run, with versions and seed), ``history.csv``, ``history.png`` (of at least one
        epoch), and ``trace.safetensors`` where the experiment has a ``[trace]``; ``checkpoint`` while it trains, with
        what `load_run` needs.
    overwrite : bool
        Whether a run that is there may be replaced, which it is when this one has been trained.
    resume : bool
        Whether to go on from the checkpoint in the directory, if there is one: to the same bits as without a break.
        A ``[trace]`` then holds what came after it. Settings are those that the run began with, but for a larger
        ``training.epochs``.

    Raises
    ------
    FileError
        There is a run already, or the directory can't be written.
    NeuronsimError
        The experiment is refused; nothing has been written then, and no directory made.
    """
    directory = Path(directory)
    kept = directory / "checkpoint"
    goes_on = resume and kept.exists()
    if resume:
        experiment = resuming.as_begun(experiment, directory, _as_run(experiment))
        # killed before its first checkpoint: it begins anew
        overwrite |= goes_on or not (directory / "network.safetensors").exists()
    net, prepared, arguments = ready(experiment)
    data = prepared.data
    with ExitStack() as claims:
        if not goes_on:
            claims.enter_context(_claimed(directory, experiment, overwrite))
        claims.enter_context(locked(directory / "lock"))  # two that train here would write over each other
        if not goes_on:
            claims.enter_context(_set_aside(kept))
            write_columns(prepared.columns, kept)
            _write_experiment(kept, experiment)
        # a Ctrl-C that comes after the training must not cost the network
        trained = claims.enter_context(interrupts.put_off())
        began = time.perf_counter()
        try:
            done = net.fit(data.X, data.T, snapshots=False, checkpoint=kept, resume=resume, **arguments)
        except DataError as problem:
            if not goes_on:
                raise
            raise DataError(f"{problem}{_on_the_data(experiment)}") from None
        done.columns = prepared.columns
        trained.set()
        seconds = time.perf_counter() - began
        _write(directory, experiment, net, done, arguments["monitors"])
    return outcome_of(experiment, net, prepared, done, seconds, str(directory))


def trained(experiment: Experiment, checkpoint: Path | None = None) -> tuple[Network, Run, Outcome]:
    """Train and test in memory, in silence; no step is kept, and no file but a checkpoint, which it goes on from."""
    net, prepared, arguments = ready(experiment)
    if checkpoint is not None:
        arguments |= {"checkpoint": checkpoint, "resume": True}
    began = time.perf_counter()
    done = net.fit(prepared.data.X, prepared.data.T, snapshots=False, progress=False, **arguments)
    return net, done, outcome_of(experiment, net, prepared, done, time.perf_counter() - began, "")


def outcome_of(
    experiment: Experiment, net: Network, prepared: Prepared, done: Run, seconds: float, directory: str
) -> Outcome:
    """What came out, with the network as it is after training."""
    data = prepared.data
    tested, error, test_error = None, None, None
    if done.status != "diverged":
        error = prepared.rms_errors(net.forward(data.X), data.T)
        if data.X_test is not None and data.T_test is not None:
            tested = net.evaluate(data.X_test, data.T_test, loss=experiment.settings["training"].get("loss"))
            test_error = prepared.rms_errors(net.forward(data.X_test), data.T_test)
    losses = done.history["loss"]
    return Outcome(
        status=done.status,
        reason=done.reason,
        seed=experiment.seed,
        epochs=done.n_epochs,
        n_steps=done.n_steps,
        n_samples=len(data.X),
        n_neurons=net.n_neurons,
        n_inputs=net.n_inputs,
        n_parameters=net.n_parameters,
        loss=losses[-1] if losses else None,
        test_loss=tested.loss if tested else None,
        test_accuracy=tested.accuracy if tested else None,
        rms_error=error,
        test_rms_error=test_error,
        seconds=seconds,
        directory=directory,
        remarks=tuple(_remarks(net, data.X, data.T, experiment, done)),
    )


def _remarks(net: Network, X: Any, T: Any, experiment: Experiment, done: Run) -> Iterator[str]:
    """What is wrong with a run that did not fail."""
    if done.status == "diverged" or not done.n_epochs:
        return
    _, t, loss = net.runtime.data(X, T, experiment.settings["training"].get("loss"))
    for found in targets.unreachable(net.graph, t):
        yield f'{found}; say output = "identity", or scale the targets'
    now, of_the_mean = done.history["loss"][-1], targets.loss_of_the_mean(t, loss, net.n_outputs)
    if targets.is_worse_than_the_mean(now, of_the_mean):
        yield (
            f"nothing has been learned yet: always answering with the mean of the targets has a loss of "
            f"{of_the_mean:.6g}; try a smaller learning_rate, or more epochs"
        )


def again(experiment: Experiment) -> tuple[Network, Run]:
    """Train once more, with the same bits, in memory and such that every step can be looked at."""
    net, prepared, arguments = ready(experiment)
    run = net.fit(prepared.data.X, prepared.data.T, snapshots="auto", **arguments)
    run.columns = prepared.columns
    return net, run


def _on_the_data(experiment: Experiment) -> str:
    """What may have changed since a run began."""
    table = experiment.settings["data"]
    source = table.get("csv") or table.get("train", {}).get("images")
    return f"; has {experiment.folder / table.get('directory', '') / source} changed since?" if source else ""


class Ready(NamedTuple):
    """An experiment's network and data, and the other arguments of ``fit``."""

    net: Network
    prepared: Prepared
    arguments: dict[str, Any]


def ready(experiment: Experiment) -> Ready:
    """The network and the data of an experiment, and the other arguments of ``fit``."""
    arguments, watch = experiment.fit_arguments(), experiment.monitor()
    net = experiment.build_network()
    check_within_a_step(net.graph)
    prepared = prepare(
        experiment.settings["data"],
        experiment.folder,
        seed=experiment.seed,
        dtype=net.dtype,
        validation=_validation(experiment, arguments),
    )
    n_classes = len(prepared.data.classes)
    if prepared.data.T.ndim == 1 and n_classes > net.n_outputs > 1:
        names = ", ".join(prepared.data.classes[:8]) + (", …" if n_classes > 8 else "")
        raise DataError(
            f"the data have {n_classes:,} classes ({names}), the network has {counted(net.n_outputs, 'output')}; "
            "give it an output for each class"
        )
    arguments |= {"validation": prepared.validation, "monitors": () if watch is None else (watch,)}
    return Ready(net, prepared, arguments)


def _validation(experiment: Experiment, arguments: dict[str, Any]) -> bool | float | None:
    """What the file says; a fraction of the training data where a stop would else choose by the test data."""
    given: bool | float | None = experiment.settings["training"].get("validation")
    watches = any(str(getattr(rule, "monitor", "")).startswith("val_") for rule in arguments.get("stop", ()))
    return HELD_OUT if given is None and watches and "test" in experiment.settings["data"] else given


def _as_run(experiment: Experiment) -> dict[str, Any]:
    """The settings, seed and versions included, paths such that the file can be run from anywhere."""
    settings: dict[str, Any] = {"seed": experiment.seed} | {
        name: dict(table) for name, table in experiment.settings.items() if isinstance(table, dict) and name != "sweep"
    }
    if "file" in settings["network"]:
        settings["network"]["file"] = str(experiment.folder / settings["network"]["file"])
    if "name" not in settings["data"]:
        settings["data"]["directory"] = str(experiment.folder / settings["data"].get("directory", ""))
    return settings | {"versions": versions()}


def versions() -> dict[str, str]:
    """Versions of neuronsim, of Python and of the packages that decide what a run computes."""
    return {"neuronsim": __version__, "python": platform.python_version(), **_packages()}


@cache
def _packages() -> dict[str, str]:
    # each is a file that is parsed: 2 ms, a fifth of a small run
    return {name: version(name) for name in ("numba", "llvmlite", "numpy", "safetensors")}


@contextmanager
def _claimed(directory: Path, experiment: Experiment, overwrite: bool) -> Iterator[None]:
    """A directory of this run alone: what is made is taken away again if the run is refused.

    Making ``experiment.toml``, which only one process can, is the claim.
    """
    made = [folder for folder in (directory, *directory.parents) if not folder.exists()]
    described = directory / "experiment.toml"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if not overwrite:
            if (directory / "network.safetensors").exists():
                raise FileExistsError
            with described.open("x", encoding="utf-8") as file:
                file.write(toml_text(_as_run(experiment)))
    except FileExistsError:
        if directory.is_file():
            raise FileError(f"{directory} is a file, and a run is a directory; name another one") from None
        advice = "name another directory, or say that it may be replaced: --overwrite"
        raise FileError(f"there is a run in {directory} already; {advice}") from None
    except (OSError, ValueError) as problem:
        _take_away(made, None)
        raise FileError(f"{directory} cannot be written: {getattr(problem, 'strerror', None) or problem}") from None
    try:
        yield
    except BaseException:
        if not any((directory / name).exists() for name in ("network.safetensors", "checkpoint")):
            _take_away(made, None if overwrite else described)
        raise


@contextmanager
def _set_aside(checkpoint: Path) -> Iterator[None]:
    """A checkpoint of the run that is replaced goes with it, and stays if that one stays."""
    aside = checkpoint.with_name("checkpoint.old")
    try:
        if checkpoint.exists():
            checkpoint.rename(aside)
    except OSError as problem:
        raise FileError(f"{checkpoint} cannot be moved: {problem.strerror or problem}") from None
    try:
        yield
    except BaseException:
        if not any(checkpoint.glob("*/run.json")):  # nothing was learned in its place
            shutil.rmtree(checkpoint, ignore_errors=True)
            if aside.exists():
                aside.rename(checkpoint)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _take_away(made: list[Path], file: Path | None) -> None:
    """Remove the file and those folders that are empty."""
    with suppress(OSError):
        if file is not None:
            file.unlink()
        for folder in made:
            folder.rmdir()


def history_csv(run: Run) -> str:
    """The history as CSV, a line an epoch."""
    return csv_text(run.history, zip(*run.history.values(), strict=True))


def _write_experiment(directory: Path, experiment: Experiment) -> None:
    """What the run is."""
    directory.mkdir(exist_ok=True)
    with replacing(directory / "experiment.toml") as path:
        path.write_text(toml_text(_as_run(experiment)), encoding="utf-8")


def _write(directory: Path, experiment: Experiment, net: Network, done: Run, monitors: Any) -> None:
    """Everything that a run directory holds; what can't be made again first."""
    kept = directory / "network.safetensors"
    net.save(kept)
    try:
        _write_experiment(directory, experiment)
        write_columns(done.columns, directory / "checkpoint")
        with replacing(directory / "history.csv") as path, path.open("w", encoding="utf-8", newline="") as file:
            file.write(history_csv(done))
        for name, is_written in {"trace.safetensors": bool(monitors), "history.png": done.n_epochs > 0}.items():
            if not is_written:
                (directory / name).unlink(missing_ok=True)  # of the run that this one replaces
        if monitors:
            save_trace(monitors[0], directory / "trace.safetensors")
        if done.n_epochs:
            from neuronsim import plots

            plots.history(done).save(directory / "history.png")
    except (FileError, OSError) as problem:
        raise FileError(f"{problem}; the trained network is kept in {kept}") from problem
