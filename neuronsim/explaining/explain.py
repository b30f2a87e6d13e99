"""A step in words and numbers: the lectures' formulas with what each symbol stood for.

Numbers are printed with 9 significant digits, enough to tell any two float32 apart; where an old and a new
value would look the same, with as many as tell them apart. Of many terms only the largest are shown, and what is left
out is said. The same explanation prints as text, HTML and LaTeX, or with blanks as a worksheet.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from neuronsim.explaining import notation
from neuronsim.explaining.notation import answer, given, known, name, number
from neuronsim.explaining.recipes import FROZEN, Parameter, is_plain, recipe, update_heading
from neuronsim.formulas.activations import PRELU
from neuronsim.formulas.losses import total
from neuronsim.graph import summation

if TYPE_CHECKING:
    from neuronsim.explaining.worksheet import Worksheet
    from neuronsim.tracing.steps import Message, Messages, Step, StepEdge, StepNeuron

__all__ = ["Explanation", "Section", "edge", "loss", "messages", "neuron", "number", "pair"]

# More terms than this are folded down to the largest few.
MOST_TERMS = 12
SHOWN_TERMS = 8

Row = tuple[str, ...]

_OLD_WEIGHTS = "w_old: every weight in this sum is the one before this step's update"


@dataclass(frozen=True)
class Section:
    """A heading, rows of cells, and remarks below them; plain text, or with the marks of `notation`."""

    heading: str
    rows: tuple[Row, ...]
    remarks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text()

    def text(self, digits: int = notation.DIGITS) -> str:
        """A heading, aligned rows, remarks."""
        shown = [[notation.text(cell, digits) for cell in row] for row in self.rows]
        widths = [max((len(row[k]) for row in shown if k < len(row)), default=0) for k in range(9)]
        lines = ["    " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in shown]
        remarks = [f"    {notation.text(remark, digits)}" for remark in self.remarks]
        return "\n".join([notation.text(self.heading, digits), *lines, *remarks])

    def to_html(self, digits: int = notation.DIGITS) -> str:
        """A heading, a table and paragraphs."""
        rows = ("".join(f"<td>{notation.html(cell, digits)}</td>" for cell in row) for row in self.rows)
        table = "".join(f"<tr>{row}</tr>" for row in rows)
        remarks = "".join(f"<p>{notation.html(remark, digits)}</p>" for remark in self.remarks)
        return f"<h5>{notation.html(self.heading, digits)}</h5><table>{table}</table>{remarks}"

    def to_latex(self, digits: int = notation.DIGITS) -> str:
        r"""A paragraph, and the rows in ``alignat*`` (amsmath), which may break at the end of a page."""
        lines = [rf"\paragraph{{{notation.latex_text(self.heading, digits)}}}"]
        if self.rows:
            rows = ("  & " + r" &\quad& ".join(notation.latex(cell, digits) for cell in row) for row in self.rows)
            n = max(map(len, self.rows))
            lines += [rf"\begin{{alignat*}}{{{n}}}", " \\\\\n".join(rows), r"\end{alignat*}"]
        lines += [rf"\noindent {notation.latex_text(remark, digits)}\par" for remark in self.remarks]
        return "\n".join(lines)

    def marked(self, change: Callable[[notation.Mark], str]) -> "Section":
        """The same with every mark replaced, in reading order."""

        def of(cell: str) -> str:
            return notation.marks(cell, change)

        heading = of(self.heading)
        return Section(heading, tuple(tuple(map(of, row)) for row in self.rows), tuple(map(of, self.remarks)))


@dataclass(frozen=True)
class Explanation:
    """What ``step.explain`` returns: print it, let a notebook show it, or put it into a paper or an exam."""

    title: str
    sections: tuple[Section, ...]

    def __str__(self) -> str:
        return self.text()

    def text(self, digits: int = notation.DIGITS) -> str:
        """As text; ``digits`` significant ones of each number."""
        return "\n\n".join([notation.text(self.title, digits), *(s.text(digits) for s in self.sections)])

    def html(self, digits: int = notation.DIGITS) -> str:
        """As HTML tables."""
        return f"<h4>{notation.html(self.title, digits)}</h4>" + "".join(s.to_html(digits) for s in self.sections)

    def _repr_html_(self) -> str:
        return self.html()

    def latex(self, digits: int = notation.DIGITS, *, document: bool = False) -> str:
        r"""As LaTeX.

        Parameters
        ----------
        digits : int
            Significant digits of each number.
        document : bool
            A whole document for pdfLaTeX; else a fragment, whose document needs ``\\usepackage{amsmath}``.
        """
        title = rf"\subsection*{{{notation.latex_text(self.title, digits)}}}"
        parts = [r"\begingroup\allowdisplaybreaks", title, *(s.to_latex(digits) for s in self.sections), r"\endgroup"]
        fragment = "\n".join(parts) + "\n"
        return latex_document(fragment) if document else fragment

    def worksheet(self, blanks: int | str = "all", *, digits: int = 4) -> "Worksheet":
        """The same with blanks where numbers are to be worked out, and the key.

        Parameters
        ----------
        blanks : int or "all"
            How many of the results become blanks, evenly spread.
        digits : int
            Significant digits printed. The answers themselves are not rounded.
        """
        from neuronsim.explaining.worksheet import worksheet

        return worksheet(self, blanks, digits=digits)

    def as_dict(self, digits: int = notation.DIGITS) -> dict[str, object]:
        """Plain text by section, for JSON."""

        def plain(cell: str) -> str:
            return notation.text(cell, digits)

        return {
            "title": plain(self.title),
            "sections": [
                {
                    "heading": plain(s.heading),
                    "rows": [[plain(cell) for cell in row] for row in s.rows],
                    "remarks": [plain(remark) for remark in s.remarks],
                }
                for s in self.sections
            ],
        }

    def marked(self, change: Callable[[notation.Mark], str]) -> "Explanation":
        """The same with every mark replaced, in reading order."""
        return replace(
            self, title=notation.marks(self.title, change), sections=tuple(s.marked(change) for s in self.sections)
        )


def latex_document(body: str) -> str:
    """A document around a fragment."""
    lines = [
        r"\documentclass{article}",
        r"\usepackage[utf8]{inputenc}",
        r"\usepackage{amsmath}",
        r"\usepackage[a4paper,landscape,margin=15mm]{geometry}",
        r"\begin{document}",
        body.rstrip("\n"),
        r"\end{document}",
    ]
    return "\n".join(lines) + "\n"


def pair(old: float, new: float) -> tuple[str, str]:
    """An old and a new value, with all digits if 9 would not tell them apart."""
    digits = telling_digits(old, new)
    return number(old, max(notation.DIGITS, digits)), number(new, max(notation.DIGITS, digits))


def telling_digits(old: float, new: float) -> int:
    """How many digits tell two values apart; more than 9 are all."""
    if old == new:
        return 0
    alike = (d for d in range(notation.DIGITS, 0, -1) if number(old, d) == number(new, d))
    digits = next(alike, 0) + 1
    return 17 if digits > notation.DIGITS else digits


# ── what is explained ──


def neuron(n: "StepNeuron") -> Explanation:
    """Forward sum, activation, backward sum, δ, and every parameter's gradient, old and new value.

    Of a batch: the share of every sample in the gradient of the bias, the reduction, and the update.
    """
    if n.step.is_batch:
        sections = _of_batch(n)
    elif n.is_input:
        sections = [Section("forward: an input passes x on", (("y", "= x", "=", given(n.y)),)), _backward(n)]
    elif n.step.batch is not None:
        sections = [_forward(n), _activation(n), _backward(n), _share_of(n)]
    else:
        sections = [_forward(n), _activation(n), _backward(n), _updates(n)]
    kind = "input" if n.is_input else n.activation
    kind += ", output" if n.is_output else ""
    return Explanation(f"neuron {name(n.name)} ({kind}) in {_which(n.step)}", tuple(sections))


def edge(e: "StepEdge") -> Explanation:
    """What the edge carried forwards and backwards, its gradient, and its weight before and after."""
    a, b, step = name(e.sink), name(e.source), e.step
    title = f"edge {b} → {a} in {_which(step)}"
    parameter = _weight(e)
    if step.is_batch:
        headers = ("row of X", f"δ[{a}]", f"y[{b}]", "δ · y", "share")
        shares = _shares(
            f"shares of the samples in ∂L/∂w[{b}→{a}]: δ · y of each",
            headers,
            [np.asarray(e.delta), np.asarray(e.y)],
            e.gradients,
            step,
            answer,
        )
        return Explanation(
            title, (shares, _reduction("δ · y", parameter, step, e.gradients), _one_update(parameter, step))
        )
    forward = Section(
        "forward: what it adds to the net input of its sink",
        ((f"w[{b}→{a}] · y[{b}]", f"{given(e.weight)} · {given(e.y)}", "=", answer(e.weight * e.y)),),
        ("w: the weight before this step's update",),
    )
    backward = Section(
        f"backward: what it adds to ∂L/∂y[{b}]",
        (
            (
                f"w_old[{b}→{a}] · δ[{a}]",
                f"{given(e.weight)} · {given(e.delta)}",
                "=",
                answer(e.weight * e.delta),
            ),
        ),
        ("w_old: the weight before this step's update",),
    )
    product = float(e.gradients[0])
    gradient = Section(
        "gradient: ∂L/∂w = δ of the sink · y of the source",
        ((f"δ[{a}] · y[{b}]", f"{given(e.delta)} · {given(e.y)}", "=", answer(product)),),
    )
    if step.batch is not None:
        return Explanation(title, (forward, backward, gradient, _batch_update(step)))
    return Explanation(title, (forward, backward, gradient, _one_update(parameter, step)))


def loss(step: "Step") -> Explanation:
    """The loss, output by output; of a batch sample by sample."""
    title = f"the loss in {_which(step)}"
    heading = f"{step.loss_function.name} = {answer(step.loss)}"
    if step.is_batch:
        shares = _shares(
            f"{heading}, the {step.reduction} over the samples", ("row of X", "loss", "share"), [], step.losses, step
        )
        return Explanation(title, (shares,))
    rows: list[Row] = [("output", "y", "t", "y - t", "∂L/∂y")]
    outputs = [(step[o], t) for o, t in step.wanted.items()]
    for n, t in outputs[:MOST_TERMS]:
        rows.append((name(n.name), given(n.y), given(t), answer(n.y - t), answer(n.own_error or 0.0)))
    left = len(outputs) - MOST_TERMS
    remarks = (f"and {left} more outputs",) if left > 0 else ()
    return Explanation(title, (Section(heading, tuple(rows), remarks),))


def messages(m: "Messages") -> Explanation:
    """The four kinds of message of one neuron."""
    kinds = [
        ("received: y of each source", "from", "y", m.received),
        ("sent: y to each sink", "to", "y", m.sent),
        ("received back: δ of each sink, with the weight before the update", "from", "δ", m.errors_received),
        ("sent back: δ to each source, with the weight before the update", "to", "δ", m.errors_sent),
    ]
    sections = []
    for heading, direction, symbol, those in kinds:
        shown, remark = _largest(those)
        rows = tuple(
            (direction, name(t.neuron), f"{symbol} = {given(t.signal)}", f"w = {given(t.weight)}",
             f"w·{symbol} = {answer(t.product)}")
            for t in shown
        )  # fmt: skip
        sections.append(Section(heading, rows or (("none",),), remark))
    if m.own is not None:
        sections.append(Section("from the loss itself", (("own part of δ", "=", given(m.own)),)))
    return Explanation(f"messages of {name(m.neuron)}", tuple(sections))


def _which(step: "Step") -> str:
    """``step 7``, with its epoch, and which samples it used."""
    if step.batch is not None:
        row = "" if step.samples is None else f", row {step.samples[0]} of X"
        return f"step {step.number} (a sample of its batch{row})"
    if step.is_batch:
        epoch = "" if step.epoch is None else f"epoch {step.epoch}, "
        return f"step {step.number} ({epoch}a batch of {len(step)})"
    if step.epoch is None or step.samples is None:
        return f"step {step.number}"
    return f"step {step.number} (epoch {step.epoch}, row {step.samples[0]} of X)"


# ── one sample ──


def _forward(n: "StepNeuron") -> Section:
    shown, remarks = _largest(n.messages.received)
    rows: list[Row] = [("", "b", "", "=", given(n.bias))]
    rows += [_term(f"w[{name(m.neuron)}→{name(n.name)}] · y[{name(m.neuron)}]", m) for m in shown]
    remarks = (*remarks, "w, b: before this step's update", *_forward_order(n))
    return Section("forward: z = b + Σ w · y", (*rows, ("", "z", "", "=", answer(n.z))), remarks)


def _forward_order(n: "StepNeuron") -> tuple[str, ...]:
    """The order in which the kernels add z up."""
    if len(n.messages.received) < 2:
        return ()
    lanes = summation.net_input(n.step.graph, n.id, online=n.step.batch is None).partial_sums
    if lanes == 1:
        return ("order: b, then the sources by ascending id, each w · y added with one rounding",)
    return (
        f"order: {lanes} partial sums, the k-th source (ascending ids, from 0) in sum k mod {lanes}; "
        f"then sum j + sum j + {lanes // 2} for j below {lanes // 2}, halving on; then b",
    )


def _activation(n: "StepNeuron") -> Section:
    if n.function.derivative is not None:
        slope = f", slope = {given(n.slope)}" if n.function.code == PRELU else ""
        return Section(
            "activation: y = f(z)",
            ((f"y = {n.activation}({known(n.z)}{slope})", "=", answer(n.y)),),
        )
    group, step = n.step.softmax_group, n.step
    highest = max(float(step.z[k]) for k in group)
    return Section(
        f"activation: y = e^z / Σ e^z over the {len(group)} softmax outputs",
        (
            ("largest z of the group", "=", given(highest)),
            ("y", "=", answer(n.y)),
            ("Σ y of the group", "=", given(total(float(step.y[k]) for k in group))),
        ),
    )


def _backward(n: "StepNeuron") -> Section:
    own, received = n.own_delta, n.messages.errors_received
    shown, remarks = _largest(received)
    rows = [] if own is None else _own_rows(n, own)
    rows += [_term(f"w_old[{name(n.name)}→{name(m.neuron)}] · δ[{name(m.neuron)}]", m) for m in shown]
    if received:
        rows.append(("", "Σ w_old · δ", "", "=", answer(n.aggregated)))
        remarks = (*remarks, _OLD_WEIGHTS)
    elif own is None:
        remarks = ("it sends to nobody and is no output: nothing comes back, δ = 0",)
    if len(received) > 1:
        order = "order: from 0, bundles (neurons with the same sources) from the outputs back, ascending ids in each"
        remarks = (*remarks, order)
    if received and not n.is_input:
        rows.append(("", f"f'({known(n.z)})", "", "=", answer(n.derivative or 0.0)))
    rows.append(("", "∂L/∂x" if n.is_input else "δ", _parts(n, own), "=", answer(n.delta)))
    return Section(_backward_heading(n), tuple(rows), remarks)


def _backward_heading(n: "StepNeuron") -> str:
    aggregated = "Σ w · δ of the sinks" + ("" if n.is_input else " · f'(z)")
    symbol = "∂L/∂x" if n.is_input else "δ"
    if n.own_delta is None:
        return f"backward: {symbol} = {aggregated}"
    return f"backward: {symbol} = the loss's own part" + (f" + {aggregated}" if n.sinks else "")


def _parts(n: "StepNeuron", own: float | None) -> str:
    """The one or two summands of δ, with their numbers."""
    parts = [] if own is None else [known(own)]
    if n.sinks:
        slope = "" if n.is_input else f" · {known(n.derivative or 0.0)}"
        parts.append(known(n.aggregated) + slope)
    return " + ".join(parts)


def _own_rows(n: "StepNeuron", own: float) -> list[Row]:
    """How the loss itself puts its part on an output."""
    loss_name, t, error = n.step.loss_function.name, n.step.wanted[n.id], n.own_error or 0.0
    if n.fused:
        wanted = total(n.step.wanted[k] for k in n.step.softmax_group) if n.derivative is None else 1.0
        factor = "" if wanted == 1.0 else f" · {given(wanted)}"
        sum_of_t = "" if wanted == 1.0 else "·Σt"
        formula = f"y{sum_of_t} - t ({n.activation} with {loss_name})"
        return [("", formula, f"{known(n.y)}{factor} - {given(t)}", "=", answer(own))]
    values = f"y = {known(n.y)}, t = {given(t)}"
    rows: list[Row] = [("", f"∂L/∂y of {loss_name}", values, "=", answer(error))]
    if n.derivative is None:
        group = n.step.softmax_group
        mean = total(n.step.own_errors[k] * float(n.step.y[k]) for k in group)
        rows.append(("", "Σ ∂L/∂y · y of the softmax group", "", "=", given(mean)))
        rows.append(
            (
                "",
                "own part: y · (∂L/∂y - Σ)",
                f"{known(n.y)} · ({known(error)} - {given(mean)})",
                "=",
                answer(own),
            )
        )
    elif not n.is_input:
        product = f"{known(error)} · {known(n.derivative)}"
        rows.append(("", "own part: ∂L/∂y · f'(z)", product, "=", answer(own)))
    return rows


def _share_of(n: "StepNeuron") -> Section:
    """What one sample of a batch adds to the gradients of a neuron."""
    rows: list[Row] = [("parameter", "this sample's gradient", "")]
    edges = _most(n.incoming, lambda e: float(e.gradients[0]))
    for e in edges:
        how = f"δ · y[{name(e.source)}] = {known(n.delta)} · {given(e.y)}"
        rows.append((_weight(e).label, how, f"= {answer(float(e.gradients[0]))}"))
    rows.append((f"b[{name(n.name)}]", "δ · 1", f"= {known(n.delta)}"))
    if n.function.code == PRELU:
        rows.append(
            ("slope", f"∂L/∂y · min(z, 0) = {known(n.error)} · {known(min(n.z, 0.0))}", f"= {answer(n.slope_gradient)}")
        )
    update = _batch_update(n.step)
    left = len(n.incoming) - len(edges)
    more = (f"the {len(edges)} weights with the largest gradients; {left} more have one too",) if left else ()
    return Section("gradient of this sample alone", tuple(rows), (*more, update.heading))


def _batch_update(step: "Step") -> Section:
    assert step.batch is not None
    return Section(f"the update follows the {step.reduction} of all {len(step.batch)} samples of the batch", ())


# ── the samples of a batch ──


def _of_batch(n: "StepNeuron") -> list[Section]:
    step = n.step
    deltas = np.asarray(n.delta)
    if n.is_input:
        headers: Row = ("row of X", "y = x", "∂L/∂x", "share")
        return [_shares("samples, by |∂L/∂x|", headers, [np.asarray(n.y)], deltas, step)]
    headers = ("row of X", "z", "y", "δ", "share")
    heading = f"shares of the samples in ∂L/∂b[{name(n.name)}]: δ · 1 of each"
    shares = _shares(heading, headers, [np.asarray(n.z), np.asarray(n.y)], deltas, step)
    hint = "step.sample(k) explains the forward and the backward sum of the k-th sample of the batch"
    shares = replace(shares, remarks=(*shares.remarks, hint))
    return [shares, _reduction("δ", _bias(n), step, deltas), _updates(n)]


def _shares(
    heading: str,
    headers: Row,
    columns: "list[np.ndarray]",
    terms: "np.ndarray",
    step: "Step",
    shown_as: Callable[[float], str] = given,
) -> Section:
    """Samples by |term|, largest first, with the percentage of Σ |terms|; the rest folded."""
    sizes = np.abs(np.asarray(terms, np.float64))
    whole = float(sizes.sum())
    order = np.argsort(-sizes, kind="stable").tolist()
    shown = order if len(order) <= MOST_TERMS else order[:SHOWN_TERMS]
    rows = np.arange(len(sizes)) if step.samples is None else step.samples

    def percent(share: float) -> str:
        return f"{100.0 * share / whole:.3g} %" if whole else ""

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


def _reduction(term: str, parameter: Parameter, step: "Step", terms: "np.ndarray") -> Section:
    """The sum over samples, and the mean."""
    whole, n = total(map(float, terms)), len(terms)
    rows: list[Row] = [(f"Σ {term} over the {n} samples", "", "=", answer(whole))]
    if step.reduction == "mean":
        rows.append((f"÷ {n}", f"{known(whole)} / {n}", "=", answer(parameter.gradient)))
    heading = f"reduction: ∂L/∂{parameter.label} is the {step.reduction} over the batch"
    return Section(heading, tuple(rows), (_reduction_order(parameter, step, n),))


def _reduction_order(parameter: Parameter, step: "Step", n: int) -> str:
    """The order in which the kernels add samples up."""
    graph = step.graph
    if parameter.kind == "weights":
        used = summation.weight_gradient(graph, graph.sink(parameter.row))
    else:
        used = summation.neuron_gradient(graph)
    lanes, block = used.partial_sums, used.block
    order = f"{lanes} partial sums, the i-th sample in sum i mod {lanes}; then sum j + sum j + {lanes // 2}, halving on"
    if lanes == 1:
        order = "the samples as they stand in the batch, each δ · y added with one rounding"
    blocks = f" (in blocks of {block:,} samples, added one after the other)" if n > block else ""
    return f"order: {order}{blocks}"


# ── the update ──


def _weight(e: "StepEdge") -> Parameter:
    label = f"w[{name(e.source)}→{name(e.sink)}]"
    return Parameter.of(e.step, "weights", e.position, label, e.gradient)


def _bias(n: "StepNeuron") -> Parameter:
    return Parameter.of(n.step, "biases", n.id, f"b[{name(n.name)}]", n.bias_gradient)


def _slope(n: "StepNeuron") -> Parameter:
    return Parameter.of(n.step, "slopes", n.id, f"slope[{name(n.name)}]", n.slope_gradient)


def _one_update(parameter: Parameter, step: "Step") -> Section:
    """The update of one parameter, with all its numbers."""
    old, new = parameter.old, parameter.new
    digits = telling_digits(old, new)
    rows: list[Row] = [("old", given(old, digits))]
    if is_plain(step):
        change = f"= -{given(parameter.rate)} · {known(parameter.gradient)}, rounded"
        rows.append(("change", answer(parameter.change), FROZEN if parameter.frozen else change))
    else:
        rows += recipe(step, parameter)
    rows += _stays(rows, ("new", answer(new, digits)))
    heading = "update: w := w - μ · ∂L/∂w" if is_plain(step) else update_heading(step)
    return Section(heading, tuple(rows), _about_old())


def _about_old() -> tuple[str, ...]:
    return ("old: before this step, as every sum above used it; new: what the next step uses",)


def _updates(n: "StepNeuron") -> Section:
    step = n.step
    edges = _most(n.incoming, lambda e: e.gradient)
    rows: list[Row] = [("parameter", "gradient", "", "old", "new", "")] if is_plain(step) else []
    for e in edges:
        rows += _updated(
            _weight(e), "" if step.is_batch else f"δ · y[{name(e.source)}] = {known(n.delta)} · {given(e.y)}", step
        )
    rows += _updated(_bias(n), "" if step.is_batch else "δ · 1", step)
    if n.function.code == PRELU:
        how = "" if step.is_batch else f"∂L/∂y · min(z, 0) = {known(n.error)} · {known(min(n.z, 0.0))}"
        rows += _updated(_slope(n), how, step)
    left = len(n.incoming) - len(edges)
    remarks = (f"the {len(edges)} weights with the largest gradients; {left} more were updated too",) if left else ()
    return Section(update_heading(step), tuple(rows), (*remarks, *_about_old()))


def _updated(parameter: Parameter, how: str, step: "Step") -> list[Row]:
    """A row for a plain update, else one for each formula."""
    digits = telling_digits(parameter.old, parameter.new)
    old, new = given(parameter.old, digits), answer(parameter.new, digits)
    if is_plain(step):
        usual = parameter.frozen or parameter.factor == 1.0
        remark = FROZEN if parameter.frozen else "" if usual else f"μ here: {given(parameter.rate)}"
        return [(parameter.label, how, f"= {answer(parameter.gradient)}", old, new, remark)]
    first: Row = (parameter.label, f"gradient {how}".rstrip(), "", "=", answer(parameter.gradient))
    between = [("", *row) for row in recipe(step, parameter)]
    return [first, ("", "old", "", "=", old), *between, *_stays(between, ("", "new", "", "=", new))]


def _stays(rows: list[Row], row: Row) -> list[Row]:
    """The row of the new value, unless a formula has given it just now."""
    return [] if rows[-1][-1] == row[-1] else [row]


# ── terms ──


def _most(edges: "list[StepEdge]", size: "Callable[[StepEdge], float]") -> "list[StepEdge]":
    if len(edges) <= MOST_TERMS:
        return edges
    return sorted(edges, key=lambda e: -abs(size(e)))[:SHOWN_TERMS]


def _term(symbol: str, m: "Message") -> Row:
    return "+", symbol, f"{given(m.weight)} · {given(m.signal)}", "=", answer(m.product)


def _largest(those: "Sequence[Message]") -> "tuple[Sequence[Message], tuple[str, ...]]":
    """All of them, or the largest few with what the others come to."""
    if len(those) <= MOST_TERMS:
        return those, ()
    ordered = sorted(those, key=lambda m: -abs(m.product))
    shown, others = ordered[:SHOWN_TERMS], ordered[SHOWN_TERMS:]
    return shown, (_folded(m.product for m in others),)


def _folded(products: Iterable[float]) -> str:
    values = list(products)
    return (
        f"the {SHOWN_TERMS} largest of {SHOWN_TERMS + len(values)} terms; the other {len(values)} add up to "
        f"{given(total(values))}, the largest of them is {given(values[0])}"
    )
