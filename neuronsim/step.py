"""One training step as people hold it: what happened, explained, checked, taken apart, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np

from neuronsim.documents.worksheets import Worksheets
from neuronsim.errors import SettingError
from neuronsim.graph.names import NameList
from neuronsim.seeds import RandomSource
from neuronsim.tracing.messages import Messages
from neuronsim.tracing.neurons import StepEdge, StepNeuron
from neuronsim.tracing.result import StepResult

if TYPE_CHECKING:
    from neuronsim.analysis.paths import Paths
    from neuronsim.documents.explanation import Explanation
    from neuronsim.verifying.checks import Check

__all__ = ["Step"]


class Step(StepResult):
    """One step: `StepResult` holds its numbers, the methods here say what they mean.

    ``step["h1"]`` is a neuron's record, ``step["i1", "h1"]`` an edge's.
    """

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.graph.name_list(range(min(self.graph.n_neurons, NameList.MOST_OFFERED))))

    @overload
    def __getitem__(self, what: tuple[Any, Any] | tuple[Any, Any, int]) -> StepEdge: ...
    @overload
    def __getitem__(self, what: str | int | np.integer) -> StepNeuron: ...
    def __getitem__(self, what: Any) -> StepNeuron | StepEdge:
        """The record of a neuron, by name or id, or of an edge, by its ends, or by them and its delay."""
        if isinstance(what, tuple) and len(what) in (2, 3):
            return StepEdge(self, self.graph.edge(*what))
        return StepNeuron(self, self.graph.id(what))

    def explain(self, *what: Any) -> Explanation:
        """Every formula with its numbers.

        Parameters
        ----------
        *what : str, int or pair of them
            A neuron, ``explain("h1")``; an edge, ``explain("i1", "h1")``; a pattern, ``explain("*")``: the whole step,
            forward, loss, backward, update of those neurons; or nothing: the loss.

        Returns
        -------
        Explanation
            To be printed; notebooks show it as tables. ``.latex()``, ``.html()`` and ``.worksheet()`` give it another
            form. Of a batch it lists the samples by their share, and how they make the gradient and the update.
        """
        from neuronsim.explaining.edge import edge
        from neuronsim.explaining.neuron import neuron
        from neuronsim.explaining.step import loss
        from neuronsim.explaining.whole import is_pattern, whole

        ends = what[0] if len(what) == 1 and isinstance(what[0], tuple) else what
        if not ends:
            return loss(self)
        if len(ends) == 1 and is_pattern(ends[0]):
            return whole(self, ends[0])
        if len(ends) == 1:
            return neuron(StepNeuron(self, self.graph.id(ends[0])))
        if len(ends) == 2:
            return edge(StepEdge(self, self.graph.edge(*ends)))
        raise SettingError(f'explain one neuron, explain("h1"), or one edge, explain("i1", "h1"), not {ends!r}')

    def worksheets(
        self, *what: Any, variants: int = 30, rng: RandomSource = 0, blanks: int | str = "all", digits: int = 4
    ) -> Worksheets:
        """Worksheets of this step with other numbers for everyone: weights, biases, inputs and targets are drawn.

        Parameters
        ----------
        *what : str, int or pair of them
            As of `explain`; nothing: the whole step.
        variants : int
            How many.
        rng : int, Generator or None
            The seed of the numbers, which have two decimals.
        blanks, digits : int or "all", int
            As of `Explanation.worksheet`.

        Returns
        -------
        Worksheets
            One for each: ``sheets[0]``; ``.moodle()``, ``.latex(document=True)``, ``.html()``, ``.text()``.

        Raises
        ------
        SettingError
            Of a step of a batch.
        """
        from neuronsim.explaining.variants import variants_of

        steps = variants_of(self, variants, rng)
        explanations = [Step.explain(step, *(what or ("*",))) for step in steps]
        return Worksheets(tuple(each.worksheet(blanks, digits=digits) for each in explanations))

    def paths(self, neuron: str | int, *, top: int | None = 5, sample: int | None = None) -> Paths:
        """δ of a neuron as a sum over its paths to the outputs, the largest first; see `neuronsim.analysis.paths`.

        Parameters
        ----------
        neuron : str or int
            Name or id.
        top : int or None
            How many paths; None is all of them, up to 100,000.
        sample : int, optional
            Which one of the batch; needed if there are several.

        Returns
        -------
        Paths
            Their products, which add up to δ.
        """
        from neuronsim.analysis.paths import paths

        return paths(self if sample is None else self.sample(sample), neuron, top=top)

    def messages(self, neuron: str | int) -> Messages:
        """What the neuron received and sent, forwards and backwards (L3).

        Parameters
        ----------
        neuron : str or int
            Name or id.

        Returns
        -------
        Messages
            What it received and sent, and the errors that came and went; weights are those before the update.
        """
        return self[neuron].messages

    def check(self) -> Check:
        """Compare this step's gradients with central differences of the loss at the parameters before it.

        Of a batch these are the reduced ones.
        """
        from neuronsim.verifying.checks import check_step

        return check_step(self)

    def _repr_html_(self) -> str:
        from neuronsim import plots

        html: str = plots.step_html(self)
        return html
