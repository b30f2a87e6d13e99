"""An experiment run: network and data built, fit called, the run directory written."""

import csv
import os
import platform
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from neuronsim import __version__
from neuronsim.basics.atomic import replacing
from neuronsim.data import Dataset
from neuronsim.experiment.file import Experiment
from neuronsim.experiment.preparation import prepare
from neuronsim.experiment.tomltext import toml_text
from neuronsim.network import Network
from neuronsim.run import Run
from neuronsim.storage.traces import save_trace


@dataclass(frozen=True)
class Outcome:
    """What came out of a run.

    Attributes
    ----------
    status, reason : str
        "finished", "stopped", "interrupted" or "diverged", and the same in a sentence.
    seed : int
        That of the experiment.
    epochs, n_steps, n_samples, n_neurons, n_parameters : int
        How much was done, and on what.
    loss : float or None
        Mean over the last epoch, None before the first is complete.
    test_loss, test_accuracy : float or None
        Of the trained network on the test data; None where there are none, or no classes.
    seconds : float
        Wall time of the training, in which kernels may have been compiled.
    directory : str
        Where the files are.
    """

    status: str
    reason: str
    seed: int
    epochs: int
    n_steps: int
    n_samples: int
    n_neurons: int
    n_parameters: int
    loss: float | None
    test_loss: float | None
    test_accuracy: float | None
    seconds: float
    directory: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return asdict(self)

    def __str__(self) -> str:
        """A few lines for people."""
        lines = [
            f"{self.status} after {self.epochs:,} epochs ({self.n_steps:,} steps) in {self.seconds:.1f} s",
            f"  network  {self.n_neurons:,} neurons, {self.n_parameters:,} parameters",
            f"  data     {self.n_samples:,} samples",
            f"  seed     {self.seed}",
        ]
        if self.loss is not None:
            lines.append(f"  loss     {self.loss:.6g}")
        if self.test_loss is not None:
            accuracy = "" if self.test_accuracy is None else f", accuracy {100 * self.test_accuracy:.2f} %"
            lines.append(f"  test     loss {self.test_loss:.6g}{accuracy}")
        return "\n".join([*lines, f"  files    {self.directory}"])


def run(experiment: Experiment, directory: str | os.PathLike[str]) -> Outcome:
    """Train, test and write the run directory.

    Parameters
    ----------
    experiment : Experiment
        A checked experiment.
    directory : str or path
        Made if need be. Gets ``experiment.toml`` (as it was run, with versions and seed), ``history.csv``,
        ``history.png`` (of at least one epoch), ``network.safetensors``, and ``trace.safetensors`` where the
        experiment has a ``[trace]``.
    """
    directory = Path(directory)
    net, data, arguments = _ready(experiment)
    directory.mkdir(parents=True, exist_ok=True)
    with replacing(directory / "experiment.toml") as path:
        path.write_text(toml_text(_as_run(experiment)), encoding="utf-8")
    began = time.perf_counter()
    done = net.fit(data.X, data.T, snapshots=False, **arguments)
    seconds = time.perf_counter() - began
    _write(directory, net, done)
    if arguments["monitors"]:
        save_trace(arguments["monitors"][0], directory / "trace.safetensors")
    tested = None
    if data.X_test is not None and data.T_test is not None and done.status != "diverged":
        tested = net.evaluate(data.X_test, data.T_test, loss=experiment.settings["training"].get("loss"))
    losses = done.history["loss"]
    return Outcome(
        status=done.status,
        reason=done.reason,
        seed=experiment.seed,
        epochs=done.n_epochs,
        n_steps=done.n_steps,
        n_samples=len(data.X),
        n_neurons=net.n_neurons,
        n_parameters=net.n_parameters,
        loss=losses[-1] if losses else None,
        test_loss=tested.loss if tested else None,
        test_accuracy=tested.accuracy if tested else None,
        seconds=seconds,
        directory=str(directory),
    )


def again(experiment: Experiment) -> tuple[Network, Run]:
    """Train once more, with the same bits, in memory and such that every step can be looked at."""
    net, data, arguments = _ready(experiment)
    return net, net.fit(data.X, data.T, snapshots="auto", **arguments)


def _ready(experiment: Experiment) -> tuple[Network, Dataset, dict[str, Any]]:
    """The network and the data of an experiment, and the other arguments of ``fit``."""
    arguments, watch = experiment.fit_arguments(), experiment.monitor()
    net = experiment.build_network()
    prepared = prepare(
        experiment.settings["data"],
        experiment.folder,
        seed=experiment.seed,
        dtype=net.dtype,
        validation=experiment.settings["training"].get("validation"),
    )
    arguments |= {"validation": prepared.validation, "monitors": () if watch is None else (watch,)}
    return net, prepared.data, arguments


def _as_run(experiment: Experiment) -> dict[str, Any]:
    """The settings, seed and versions included, paths such that the file can be run from anywhere."""
    settings: dict[str, Any] = {"seed": experiment.seed} | {
        name: dict(table) for name, table in experiment.settings.items() if isinstance(table, dict)
    }
    if "file" in settings["network"]:
        settings["network"]["file"] = str(experiment.folder / settings["network"]["file"])
    if "name" not in settings["data"]:
        settings["data"]["directory"] = str(experiment.folder / settings["data"].get("directory", ""))
    return settings | {"versions": versions()}


def versions() -> dict[str, str]:
    """Versions of neuronsim, of Python and of the packages that decide what a run computes."""
    packages = {name: version(name) for name in ("numba", "llvmlite", "numpy", "safetensors")}
    return {"neuronsim": __version__, "python": platform.python_version(), **packages}


def _write(directory: Path, net: Network, done: Run) -> None:
    with replacing(directory / "history.csv") as path, path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(done.history)
        writer.writerows(zip(*done.history.values(), strict=True))
    net.save(directory / "network.safetensors")
    if done.n_epochs:
        from neuronsim import plots

        with replacing(directory / "history.png") as path:
            plots.history(done).save(path)
