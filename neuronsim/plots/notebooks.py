"""What notebooks show of a network, a run and a step: a picture, and the numbers that one asks for first."""

import base64
from html import escape

import numpy as np

from neuronsim.documents.notation import number
from neuronsim.documents.section import Section
from neuronsim.errors import CycleError
from neuronsim.network import Network
from neuronsim.plots.curves import history
from neuronsim.plots.figures import Picture, encoded, new_figure
from neuronsim.plots.graph import network
from neuronsim.run import Run
from neuronsim.tracing.result import StepResult

_SETTINGS = "loss", "optimizer", "learning_rate", "batch_size", "reduction"
_MOST_ERRORS = 8
# Networks with more edges get text alone, and pictures with more edges are bitmaps.
_MOST_EDGES = 1_000_000
_MOST_VECTOR_EDGES, _MOST_VECTOR_EDGES_OF_A_STEP = 400, 60


def network_html(net: Network) -> str:
    """A network's picture, and in words what ``print`` says.

    Parameters
    ----------
    net : Network
    """
    return _picture_of(net, _MOST_VECTOR_EDGES) + f"<pre>{escape(str(net))}</pre>"


def _picture_of(shown: Network | StepResult, most_vector_edges: int) -> str:
    """The picture of a network or a step; nothing where there is none, or too much, to draw."""
    if not shown.graph.n_neurons or shown.graph.n_edges > _MOST_EDGES:
        return ""
    try:
        picture = network(shown)
    except CycleError:
        return ""
    return _image(picture, repr(shown), "svg" if len(picture.edges.get_paths()) <= most_vector_edges else "png")


def _image(picture: Picture, words: str, kind: str) -> str:
    """A picture as an HTML element that needs no other file; ``words`` are for those who can't see it."""
    mime = "image/svg+xml" if kind == "svg" else "image/png"
    data = base64.b64encode(encoded(picture.ax, kind, 110)).decode("ascii")
    return f'<img alt="{escape(words, quote=True)}" style="max-width:100%" src="data:{mime};base64,{data}">'


def run_html(run: Run) -> str:
    """A run's ending, settings and losses, and its losses as a small picture.

    Parameters
    ----------
    run : Run
    """
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
    return table + _image(picture, repr(run), "svg" if len(losses) <= 1000 else "png")


def step_html(step: StepResult) -> str:
    """A step's loss, the neurons with the largest errors, and its network coloured by them.

    Parameters
    ----------
    step : Step
    """
    errors = np.atleast_2d(np.asarray(step.delta, np.float64))
    with np.errstate(all="ignore"):
        mean = errors.mean(axis=0)
        size = np.abs(errors).mean(axis=0)
    neurons = np.flatnonzero(~step.graph.is_input)
    # what is not finite is the first thing to see, and would be sorted to the end
    order = np.argsort(np.where(np.isfinite(size[neurons]), -size[neurons], -np.inf), kind="stable")
    largest = neurons[order[:_MOST_ERRORS]]
    head = ("neuron", "mean δ", "mean |δ|") if step.is_batch else ("neuron", "δ")
    columns = (mean, size)[: len(head) - 1]
    rows = [(step.graph.name(n), *(number(column[n]) for column in columns)) for n in largest.tolist()]
    left = len(neurons) - len(largest)
    remarks = (f"and {left:,} more neurons, whose |δ| are no larger",) if left > 0 else ()
    table = Section("largest errors", (head, *rows), remarks).to_html()
    return _picture_of(step, _MOST_VECTOR_EDGES_OF_A_STEP) + f"<pre>{escape(repr(step))}</pre>" + table
