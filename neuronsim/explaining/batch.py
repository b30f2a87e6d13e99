"""The samples of a batch: each one's share in a gradient or the loss, and how they are reduced."""

from collections.abc import Callable

import numpy as np

from neuronsim.basics.arrays import Reals
from neuronsim.documents.notation import answer, given, known, number
from neuronsim.documents.section import Row, Section
from neuronsim.documents.terms import MOST_TERMS, SHOWN_TERMS
from neuronsim.explaining.recipes import ParameterUpdate
from neuronsim.formulas.losses import total
from neuronsim.graph import summation
from neuronsim.tracing.result import StepResult


def shares(
    heading: str,
    headers: Row,
    columns: list[Reals],
    terms: Reals,
    step: StepResult,
    shown_as: Callable[[float], str] = given,
) -> Section:
    """Samples by the size of their terms, largest first, with the percentage of the sum of all sizes; the rest folded.

    Parameters
    ----------
    heading, headers : str, tuple of str
        Of the section, and of its table.
    columns : list of array (n_samples,)
        What is shown of each sample before its term.
    terms : array (n_samples,)
        What each sample of the batch ``step`` adds.
    shown_as : callable
        How terms are marked: given, or worked out here.
    """
    sizes = np.abs(np.asarray(terms, np.float64))
    whole = float(sizes.sum())
    order = np.argsort(-sizes, kind="stable").tolist()
    shown = order if len(order) <= MOST_TERMS else order[:SHOWN_TERMS]
    rows = np.arange(len(sizes)) if step.samples is None else step.samples

    def percent(share: float) -> str:
        return f"{number(100.0 * share / whole, 3)} %" if whole else ""

    table: list[Row] = [headers]
    for k in shown:
        values = [given(float(column[k])) for column in columns]
        table.append((str(rows[k]), *values, shown_as(float(terms[k])), percent(sizes[k])))
    remarks: tuple[str, ...] = (
        "share: of the sum of the absolute values; all with the parameters before this step's update",
    )
    if len(shown) < len(order):
        rest = np.asarray(order[len(shown) :])
        left = total(float(terms[k]) for k in np.sort(rest))
        share = percent(float(sizes[rest].sum()))
        empty = [""] * len(columns)
        table.append((f"the other {len(rest)}", *empty, given(left), share))
        remarks = (f"the {len(shown)} largest of {len(order)} samples, those behind them added up", *remarks)
    return Section(heading, tuple(table), remarks)


def reduction(term: str, parameter: ParameterUpdate, step: StepResult, terms: Reals) -> Section:
    """The sum over samples, and the mean."""
    whole, n = total(map(float, terms)), len(terms)
    rows: list[Row] = [(f"Σ {term} over the {n} samples", "", "=", answer(whole))]
    if step.reduction == "mean":
        rows.append((f"÷ {n}", f"{known(whole)} / {n}", "=", answer(parameter.gradient)))
    heading = f"reduction: ∂L/∂{parameter.label} is the {step.reduction} over the batch"
    return Section(heading, tuple(rows), (_reduction_order(parameter, step, n),))


def _reduction_order(parameter: ParameterUpdate, step: StepResult, n: int) -> str:
    """The order in which the kernels add samples up."""
    graph, ref = step.graph, parameter.ref
    is_weight = ref.array == "weights"
    used = summation.weight_gradient(graph, ref.sink(graph)) if is_weight else summation.neuron_gradient(graph)
    lanes, block = used.partial_sums, used.block
    order = f"{lanes} partial sums, the i-th sample in sum i mod {lanes}; then sum j + sum j + {lanes // 2}, halving on"
    if lanes == 1:
        order = "the samples as they stand in the batch, each δ · y added with one rounding"
    blocks = f" (in blocks of {block:,} samples, added one after the other)" if n > block else ""
    return f"order: {order}{blocks}"


def batch_update(step: StepResult) -> Section:
    """What a sample of a batch says of the update."""
    assert step.batch is not None
    of = f"all {len(step.batch)} samples of the batch" if len(step.batch) > 1 else "the batch's one sample"
    return Section(f"the update follows the {step.reduction} of {of}", ())
