"""Explanations of all optimisers' steps, of batches, as LaTeX and as worksheets: printed formulas are worked out."""

import math
import re
import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from nets import net_with_rates
from strategies import cases

import neuronsim as ns
from neuronsim.documents import notation
from neuronsim.documents.explanation import Explanation
from neuronsim.documents.section import Section
from neuronsim.formulas.activations import ACTIVATIONS

OPTIMIZERS = ["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "rprop"]
X, T = np.random.default_rng(0).normal(size=(30, 2)), np.random.default_rng(1).random((30, 4))


def a_step(optimizer: str, batch_size: int, dtype: str = "float64", **settings):
    if optimizer == "rprop":
        settings.pop("weight_decay", None)
    net = net_with_rates(dtype)
    run = net.fit(
        X, T, batch_size=batch_size, epochs=2, optimizer=optimizer, learning_rate=0.05, rng=0, **settings
    )  # fmt: skip
    return run.at(run.n_steps - 1)


# What may stand before an = and be no formula of numbers: the name of what is printed, a sum of the rows above, f'.
WORDS = re.compile(
    r"b|z|δ|gradient|old|new|= x|(gradient )?δ · 1|([wb]|slope)\[.+\]|Σ [wδ].*|f'\(.+\)|size, kept within its bounds"
)
FUNCTIONS = {name: a.function for name, a in ACTIVATIONS.items()} | {"math": math}


def worked_out(text: str) -> float | None:
    """The value of a printed product, formula or call; None of what is words."""
    if WORDS.fullmatch(text):
        return None
    if both := re.fullmatch(r"y = (\S+), t = (\S+)", text):  # ∂L/∂y of half_squared_error
        return float(both[1]) - float(both[2])
    expression = re.sub(r"^[^\d=]*\S* = ", "", text).replace("·", "*").replace("²", "**2").replace("÷", "/")
    expression = re.sub(r"√([\d.e+-]+)", r"math.sqrt(\1)", expression)
    expression = re.sub(r"(?<![\w.)*])-([\d.e-]+)\*\*2", r"(-\1)**2", expression)
    return float(eval(expression, FUNCTIONS))


def formulas(explanation: Explanation) -> list[tuple[str, float, float]]:
    """What, worked out from its printed numbers, and printed, with all digits."""
    found = []
    for section in explanation.sections:
        for row in section.rows:
            cells = [notation.text(cell, 17) for cell in row]
            if "=" not in cells:
                cells = [part for cell in cells for part in re.split(r"(?<= )(=)(?= )|^(=)(?= )", cell) if part]
            cells = [cell.strip() for cell in cells if cell.strip()]
            for before, sign, after in zip(cells, cells[1:], cells[2:], strict=False):
                if sign == "=" and re.fullmatch(r"-?[\d.]+(e[-+]\d+)?|-?inf|nan", after):
                    value = worked_out(before)
                    if value is not None:
                        if cut := re.search(r"cut at ± (\S+)", cells[0]):
                            value = min(max(value, -float(cut[1])), float(cut[1]))
                        found.append((f"{section.heading}: {cells}", value, float(after)))
    return found


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("batch_size", [1, 7])
@pytest.mark.parametrize(
    "options", [{}, {"weight_decay": 0.02}, {"clip_norm": 0.05, "clip_value": 0.01, "weight_decay": 0.01}]
)
def test_every_printed_formula_comes_out(optimizer, batch_size, options):
    """The numbers in a row make the number behind its =, and the last one is what the kernel has written."""
    step = a_step(optimizer, batch_size, **options)
    for what in [(), *((n,) for n in step.graph.name_list(range(step.graph.n_neurons))), ("p", "m"), ("x0", "o1")]:
        for explanation in (step.explain(*what), step.sample(0).explain(*what)):
            for row, worked, printed in formulas(explanation):
                assert worked == pytest.approx(printed, rel=1e-9, abs=1e-15), row
    edge = step["p", "m"]
    text = str(step.explain("p", "m"))
    if optimizer == "sgd" and not options:
        assert re.search(rf"change +{re.escape(notation.number(edge.dw))} +=", text)
    elif "this step is left out" in text:
        assert edge.dw == 0.0
    else:
        _, worked, printed = formulas(step.explain("p", "m"))[-1]
        assert printed == edge.weight_after
        assert worked == pytest.approx(edge.weight_after, rel=1e-12)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_float32_steps_come_out_to_float32(optimizer):
    step = a_step(optimizer, 7, "float32", weight_decay=0.01)
    for row, worked, printed in formulas(step.explain("o1")):
        assert worked == pytest.approx(printed, rel=1e-4, abs=1e-6), row


@pytest.mark.filterwarnings("ignore::neuronsim.DivergenceWarning")
@settings(max_examples=25, deadline=None)
@given(cases(max_samples=20, max_hidden=8), st.sampled_from(OPTIMIZERS), st.integers(1, 20), st.data())
def test_any_step_of_any_network_is_explained(case, optimizer, batch_size, data):
    run = case.net.fit(case.X, case.T, loss=case.loss, optimizer=optimizer, batch_size=batch_size, learning_rate=1e-3)
    assume(run.status == "finished")
    step = run.at(data.draw(st.integers(0, run.n_steps - 1)))
    neuron = data.draw(st.integers(0, case.net.n_neurons - 1))
    parts = [step.explain(neuron), step.explain(), step.sample(0).explain(neuron)]
    if case.net.n_edges:
        e = data.draw(st.integers(0, case.net.n_edges - 1))
        parts.append(step.explain(int(step.graph.sources[e]), int(step.graph.sinks()[e])))
    for part in parts:
        sheet = part.worksheet()
        assert sheet.text(key=False).count("____") == len(sheet.answers)
        assert str(part)
        assert part.latex().isascii()
        assert "\ue00f" not in part.html() + part.latex() + str(sheet)


class TestBatches:
    def test_shares_of_an_edge(self):
        step = a_step("sgd", 30)
        edge = step["p", "m"]
        text = str(step.explain("p", "m"))
        order = np.argsort(-np.abs(edge.gradients))
        whole = np.abs(edge.gradients).sum()
        shown = re.findall(r"^    (\d+) +\S+ +\S+ +(\S+) +(\S+) %$", text, re.MULTILINE)
        assert [int(row) for row, _, _ in shown] == step.samples[order][:8].tolist()
        assert [float(g) for _, g, _ in shown] == pytest.approx(edge.gradients[order][:8], rel=1e-8)
        assert [float(s) for _, _, s in shown] == pytest.approx(
            100 * np.abs(edge.gradients[order][:8]) / whole, rel=5e-3
        )
        rest = re.search(r"the other 22 +(\S+) +(\S+) %", text)
        assert float(rest[1]) == pytest.approx(edge.gradients[order][8:].sum(), rel=1e-8)
        assert "the 8 largest of 30 samples" in text
        assert re.search(rf"÷ 30 .* = +{re.escape(notation.number(edge.gradient))}\n", text)

    def test_shares_of_a_neuron_follow_delta(self):
        step = a_step("sgd", 5)
        n = step["o0"]
        rows = [int(r) for r in re.findall(r"^    (\d+) .* %$", str(step.explain("o0")), re.MULTILINE)]
        assert rows == step.samples[np.argsort(-np.abs(n.delta), kind="stable")].tolist()
        assert "step.sample(k) explains" in str(step.explain("o0"))

    def test_a_sum_is_not_divided(self):
        text = str(a_step("sgd", 5, reduction="sum").explain("p", "m"))
        assert "is the sum over the batch" in text
        assert "÷" not in text

    def test_one_sample_of_it(self):
        step = a_step("adam", 5).sample(2)
        text = str(step.explain("m"))
        assert f"(a sample of its batch, row {step.samples[0]} of X)" in text
        assert "the update follows the mean of all 5 samples of the batch" in text
        assert "update by" not in text
        assert "the update follows" in str(step.explain("p", "m"))

    def test_online_steps_say_their_row(self):
        step = a_step("sgd", 1)
        assert str(step.explain("m")).startswith(
            f"neuron m (gelu, output) in step 59 (epoch 1, row {step.samples[0]} of X)\n"
        )

    def test_its_loss_is_that_of_its_samples(self):
        step = a_step("sgd", 5)
        text = str(step.explain())
        assert f"half_squared_error = {notation.number(step.loss)}, the mean over the samples" in text
        assert len(re.findall(r" %$", text, re.MULTILINE)) == 5

    def test_inputs_and_lost_neurons(self):
        step = a_step("sgd", 5)
        assert "samples, by |∂L/∂x|" in str(step.explain("x1"))
        assert "= 0" in " ".join(str(step.explain("lost")).split())


class TestOrderOfSummation:
    @staticmethod
    def order(explanation: Explanation, heading: str) -> str:
        (section,) = (s for s in explanation.sections if s.heading.startswith(heading))
        (found,) = (r for r in section.remarks if r.startswith("order"))
        return found

    def test_forward(self):
        net = ns.wiring.layered([20, 2], activation="tanh", dtype="float32", rng=0)
        step = net.step(np.ones(20), np.zeros(2))
        assert "16 partial sums" in self.order(step.explain("y0"), "forward")
        run = ns.wiring.layered([20, 2], activation="tanh", rng=0).fit(np.eye(20), np.zeros((20, 2)), batch_size=4)
        assert self.order(run.at(0).sample(0).explain("y0"), "forward").startswith("order: b, then the sources")

    def test_the_stated_orders_give_the_very_bits(self):
        """z of a wide neuron and the gradient of a bias, added as the remark says."""
        rng = np.random.default_rng(0)
        net = ns.wiring.layered([37, 3], activation="tanh", rng=0)
        net.biases[37:] = rng.normal(size=3)
        step = net.step(rng.normal(size=37), np.zeros(3))
        sums = np.zeros(8)
        for k, (w, y) in enumerate(zip(step.weights[:37], step.y[:37], strict=True)):
            sums[k % 8] = math.fma(w, y, sums[k % 8]) if hasattr(math, "fma") else fma(w, y, sums[k % 8])
        assert step["y0"].z == step["y0"].bias + tree(sums)
        batch = net.fit(rng.normal(size=(21, 37)), rng.normal(size=(21, 3)), batch_size=21).at(0)
        sums = np.zeros(8)
        for i, delta in enumerate(batch["y1"].delta):
            sums[i % 8] += delta
        assert "8 partial sums, the i-th sample in sum i mod 8" in self.order(batch.explain("y1"), "reduction")
        assert batch["y1"].gradient == pytest.approx(tree(sums) / 21, rel=4e-16)

    def test_dense_and_scattered_gradients(self):
        dense = ns.wiring.layered([6, 5, 4], rng=0).fit(np.eye(6), np.zeros((6, 4)), batch_size=6).at(0)
        assert "as they stand in the batch" in self.order(dense.explain("x0", "h1.2"), "reduction")
        net = ns.Network(rng=0)
        net.add_inputs("a", "b", "c")
        net.add_neuron("y", ["a", "c"], activation="tanh")
        net.set_outputs("y")
        sparse = net.fit(np.eye(3), np.zeros(3), batch_size=3).at(0)
        assert "partial sums" in self.order(sparse.explain("a", "y"), "reduction")


def fma(a: float, b: float, c: float) -> float:
    """a · b + c with one rounding, by way of exact fractions."""
    from fractions import Fraction

    return float(Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c)))


def tree(sums: np.ndarray) -> float:
    """Sum j + sum j + n/2, halving on."""
    while len(sums) > 1:
        sums = sums[: len(sums) // 2] + sums[len(sums) // 2 :]
    return float(sums[0])


def everything() -> list[Explanation]:
    steps = [a_step(o, b, clip_norm=0.05, clip_value=0.01) for o in OPTIMIZERS for b in (1, 6)]
    steps += [steps[1].sample(0), net_with_rates().step([0.7, -1.1], [0.2, 0.8, -0.3, 0.5])]
    softmax = ns.wiring.layered([2, 3], output="softmax", rng=0)
    steps += [softmax.step([1.0, 2.0], 1), softmax.step([1.0, 2.0], [0.5, 0.1, 0.4], loss="squared_error")]
    parts = [step.explain(*what) for step in steps for what in ((), (0,), (step.graph.n_neurons - 1,))]
    return parts + [step.explain(int(step.graph.sources[-1]), step.graph.n_neurons - 1) for step in steps]


class TestLatex:
    def test_cells_are_mathematics(self):
        """Every cell is parsed by matplotlib, whose mathematics is a part of LaTeX's."""
        from matplotlib import mathtext

        parser = mathtext.MathTextParser("path")
        seen = set()
        for explanation in everything():
            for section in explanation.sections:
                for cell in (c for row in section.rows for c in row if c):
                    formula = notation.latex(cell)
                    if re.sub(r"[\d.]+", "1", formula) not in seen:
                        seen.add(re.sub(r"[\d.]+", "1", formula))
                        parser.parse(f"${formula}$")
        assert len(seen) > 60

    @pytest.mark.parametrize("document", [True, False])
    def test_braces_and_environments_balance(self, document):
        for explanation in everything():
            for source in (explanation.latex(document=document), explanation.worksheet().latex(document=document)):
                plain = re.sub(r"\\[{}]", "", source)
                assert plain.count("{") == plain.count("}")
                assert plain.replace(r"\$", "").count("$") % 2 == 0
                assert re.findall(r"\\begin\{(.*?)\}", source).sort() == re.findall(r"\\end\{(.*?)\}", source).sort()
                assert source.isascii(), set(filter(lambda c: not c.isascii(), source))
                assert not re.search("[\ue000-\ue00f]", source)

    def test_the_formulas(self):
        source = net_with_rates().step([0.7, -1.1], [0.2, 0.8, -0.3, 0.5]).explain("o0").latex()
        assert r"\usepackage{amsmath}" not in source
        assert r"w_{\text{m}\to \text{o0}} \cdot  y_{\text{m}}" in source
        assert r"\begin{alignat*}" in source
        adam = a_step("adam", 1).explain("p", "m").latex()
        assert r"\sqrt{\hat{s}}" in adam
        assert r"\beta _{1}^{t}" in adam

    @given(st.text(min_size=1, max_size=12))
    def test_any_name_is_escaped(self, text):
        source = notation.latex(f"y[{notation.name(text)}]")
        inner = re.fullmatch(r"y_\{\\text\{(.*)\}\}", source, re.DOTALL)[1]
        inner = re.sub(r"\\ensuremath\{\\[A-Za-z]+\}|\\text[a-z]+\{\}|\\[{}#$%&_]|\{[\[\]]\}", "", inner)
        assert not re.search(r"[\\{}#$%&_^~<>|\"]", inner)

    @pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here")
    def test_it_compiles(self, tmp_path):
        net = ns.Network()
        net.add_inputs(r"a_b%$#&{}~^\<>| é中δ→")
        net.add_neuron("y", {0: 1.0}, activation="tanh")
        net.set_outputs("y")
        parts = [*everything(), net.step([1.0], [0.0]).explain("y")]
        for k, part in enumerate([*parts, parts[0].worksheet()]):
            (tmp_path / f"{k}.tex").write_text(part.latex(document=True))
            done = subprocess.run(
                ["pdflatex", "-halt-on-error", f"{k}.tex"], cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout[-2000:]


def test_sections_of_plain_text_stay_as_they_are():
    section = Section("a heading", (("one", "1"), ("three", "3")), ("a remark",))
    assert str(section) == "a heading\n    one    1\n    three  3\n    a remark"


def test_as_dict_is_plain():
    found = net_with_rates().step([0.7, -1.1], [0.2, 0.8, -0.3, 0.5]).explain("m").as_dict()
    assert found["title"] == "neuron m (gelu, output) in step 0"
    assert all(set(s) == {"heading", "rows", "remarks"} for s in found["sections"])
