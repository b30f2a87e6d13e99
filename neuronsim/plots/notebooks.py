"""What notebooks show of a run and of a step: a picture, and the few numbers that one asks for first."""

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from neuronsim.errors import CycleError
from neuronsim.plots.curves import history
from neuronsim.plots.figures import new_figure
from neuronsim.plots.graph import image_html, network

if TYPE_CHECKING:
    from neuronsim.run import Run
    from neuronsim.tracing.result import StepResult as Step

__all__ = ["run_html", "step_html"]

_SETTINGS = "loss", "optimizer", "learning_rate", "batch_size", "reduction"
_MOST_ERRORS = 8
_MOST_VECTOR_EDGES = 60
_MOST_EDGES = 1_000_000


def run_html(run: "Run") -> str:
    """A run's ending, settings and losses, and its losses as a small picture."""
    from neuronsim.documents.notation import number
    from neuronsim.documents.section import Section

    losses = run.history.get("loss", [])
    rows = [("ended", f"{run.status}: {run.reason}" if run.reason else run.status)]
    rows.append(("epochs, steps", f"{run.n_epochs:,}, {run.n_steps:,}"))
    if losses:
        rows.append(("loss of the first and the last epoch", f"{number(losses[0])} → {number(losses[-1])}"))
    for name in "val_loss", "val_accuracy":
        values = run.history.get(name, [])
        if values and np.isfinite(values[-1]):
            rows.append((f"{name.replace('val_', 'validation ')}, last", number(values[-1])))
    rows += [(name.replace("_", " "), str(run.settings[name])) for name in _SETTINGS if name in run.settings]
    rows.append(("seed", str(run.seed)))
    table = Section("run", tuple(rows)).to_html()
    if not losses:
        return table
    picture = history(run, ax=new_figure(4.8, 2.6).subplots())
    return table + image_html(picture, repr(run), "svg" if len(losses) <= 1000 else "png")


def step_html(step: "Step") -> str:
    """A step's loss, the neurons with the largest errors, and its network coloured by them."""
    from neuronsim.documents.notation import number
    from neuronsim.documents.section import Section

    errors = np.atleast_2d(np.asarray(step.delta, np.float64))
    with np.errstate(all="ignore"):
        mean = errors.mean(axis=0)
        size = np.abs(errors).mean(axis=0)
    neurons = np.flatnonzero(~step.graph.is_input)
    # what is not finite is the first thing to see, and would be sorted to the end
    order = np.argsort(np.where(np.isfinite(size[neurons]), -size[neurons], -np.inf), kind="stable")
    largest = neurons[order[:_MOST_ERRORS]]
    head = ("neuron", "mean δ", "mean |δ|") if step.is_batch else ("neuron", "δ")
    rows: list[tuple[str, ...]] = [head]
    for n in largest.tolist():
        numbers = (mean[n], size[n]) if step.is_batch else (mean[n],)
        rows.append((step.graph.name(n), *map(number, numbers)))
    left = len(neurons) - len(largest)
    remarks = (f"and {left:,} more neurons, whose |δ| are no larger",) if left > 0 else ()
    table = Section("largest errors", tuple(rows), remarks).to_html()
    words = f"<pre>{escape(repr(step))}</pre>"
    if len(step.weights) > _MOST_EDGES:
        return words + table
    try:
        picture = network(step)
    except CycleError:
        return words + table
    few = len(picture.edges.get_paths()) <= _MOST_VECTOR_EDGES
    return image_html(picture, repr(step), "svg" if few else "png") + words + table
