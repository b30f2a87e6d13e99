"""Runs samples through one version of a wiring: with `session`, the only caller of kernels.

An engine belongs to one version of the wiring: it makes the plan, turns it into the flat arrays that kernels take,
and lends them its workspace. Everything that it is given has been checked before.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np

from neuronsim.basics.arrays import Array
from neuronsim.engine.border import accuracy
from neuronsim.engine.finite import NotFinite, first_signal
from neuronsim.engine.lowering import lower
from neuronsim.engine.signals import ForwardSignals, ReducedGradients, Signals
from neuronsim.engine.workspace import ONLINE, BlockSignals, Layout, gathered, make_samples, make_workspace
from neuronsim.formulas.losses import Loss
from neuronsim.graph.graph import Graph
from neuronsim.graph.plan import Plan
from neuronsim.graph.runnable import check_runnable
from neuronsim.kernels import codes, shapes
from neuronsim.kernels.arguments import Learning, Parameters, Pass, Rule, Wiring, Workspace
from neuronsim.kernels.batch import steps as batch
from neuronsim.kernels.jit import may_open_regions, opening_regions, worthwhile_threads
from neuronsim.kernels.lanes import WIDTH
from neuronsim.kernels.update import ADD, N_RULE, WRITE
from neuronsim.kernels.watch.recorder import Recorder, judge_block


class Engine:
    """Runs one version of a wiring."""

    def __init__(self, graph: Graph) -> None:
        check_runnable(graph)
        self.graph = graph
        self.plan: Plan = graph.plan()
        self.dtype = np.dtype(graph.dtype)
        self.width = WIDTH[self.dtype]
        self.wiring = lower(graph, wants_inputs=False)
        self._spaces: dict[Layout, Workspace] = {}
        self._full_wiring: Wiring | None = None
        self.most_threads: int | None = None  # None: as many as the work is worth

    @property
    def parameters(self) -> Parameters:
        """The graph's own arrays: kernels change them in place."""
        return Parameters(self.graph.weights, self.graph.biases, self.graph.slopes)

    @property
    def rates(self) -> Parameters:
        """Learning-rate factors, −1 where frozen; empty arrays where all are 1."""
        graph, none = self.graph, np.empty(0, self.dtype)
        rates = (graph.weight_rates, graph.bias_rates, graph.slope_rates)
        return Parameters(*(none if r is None else r for r in rates))

    @property
    def full_wiring(self) -> Wiring:
        """The wiring with δ pushed into inputs too: ∂L/∂x is computed where someone asks."""
        if self._full_wiring is None:
            self._full_wiring = lower(self.graph, wants_inputs=True)
        return self._full_wiring

    # --- simulate

    def forward(self, X: Array, threads: int | None = None) -> Array:
        """Outputs (n, n_outputs) of the samples X (n, n_inputs)."""
        blocks = self._blocks(self.wiring, X, None, codes.HALF_SQUARED, batch.FORWARD, threads)
        (outputs,) = gathered(blocks, len(X), lambda block: (block.outputs,))
        return outputs

    def forward_one(self, x: Array) -> ForwardSignals:
        """z and y of all neurons for one sample x (n_inputs,), summed in batch order."""
        blocks = self._blocks(self.wiring, x[None, :], None, codes.HALF_SQUARED, batch.FORWARD, 1)
        z, y = gathered(blocks, 1, lambda block: (block.z, block.y))
        return ForwardSignals(z[0], y[0])

    def losses(self, X: Array, T: Array, loss: Loss, threads: int | None = None) -> tuple[Array, Array]:
        """Loss of each sample (n,) and the outputs (n, n_outputs)."""
        blocks = self._blocks(self.wiring, X, T, loss.code, batch.LOSS, threads)
        losses, outputs = gathered(blocks, len(X), lambda block: (block.losses, block.outputs))
        return losses, outputs

    def signals_by_row(self, X: Array) -> ForwardSignals:
        """What f is applied to, and y, of all neurons for each sample, (n_samples, n_neurons) each."""
        each = [self.forward_one(x) for x in X]
        return ForwardSignals(np.array([s.z for s in each]), np.array([s.y for s in each]))

    def total_loss(self, X: Array, T: Array, loss: Loss) -> tuple[float, int]:
        """The sum of all losses, and how many there are, on one thread."""
        losses, _ = self.losses(X, T, loss, 1)
        return float(losses.sum()), len(losses)

    def evaluated(self, X: Array, T: Array, loss: Loss) -> tuple[float, float | None, Array]:
        """Mean loss, the share of samples put into the right class, None where targets are not classes; and outputs."""
        losses, outputs = self.losses(X, T, loss)
        return float(losses.sum(dtype=np.float64) / len(losses)), accuracy(outputs, T, loss), outputs

    def blocks(self, X: Array, T: Array, loss: Loss, inputs: bool = True) -> Iterator[BlockSignals]:
        """All signals of all samples, a block of them at a time; δ of an input is ∂L/∂x, NaN without ``inputs``."""
        return self._blocks(self.full_wiring if inputs else self.wiring, X, T, loss.code, batch.BACKWARD, None)

    def signals(self, X: Array, T: Array, loss: Loss) -> Signals:
        """All signals of all samples."""
        return Signals(*gathered(self.blocks(X, T, loss), len(X), _all_signals))

    def signals_and_gradients(self, X: Array, T: Array, loss: Loss, reduction: str) -> tuple[Signals, Parameters]:
        """All signals of all samples, and the gradients that they make, in one pass."""
        gradients, signals = self._reduced(X, T, loss, reduction, _all_signals)
        return Signals(*signals), gradients

    def gradients(self, X: Array, T: Array, loss: Loss, reduction: str = "mean") -> ReducedGradients:
        """Gradients over the samples, and every sample's loss, δ, ∂L/∂x and outputs."""
        sums, (losses, delta, outputs) = self._reduced(
            X, T, loss, reduction, lambda block: (block.losses, block.delta, block.outputs)
        )
        total = float(np.add.reduce(losses, dtype=np.float64))
        value = total / len(X) if reduction == "mean" else total
        return ReducedGradients(value, losses, *sums, delta, delta[:, self.wiring.inputs], outputs)

    def parameter_gradients(self, X: Array, T: Array, loss: Loss, reduction: str = "mean") -> Parameters:
        """Gradients over the samples, and nothing else."""
        return self._reduced(X, T, loss, reduction, lambda block: ())[0]

    def _reduced(
        self, X: Array, T: Array, loss: Loss, reduction: str, pick: Callable[[BlockSignals], tuple[Array, ...]]
    ) -> tuple[Parameters, list[Array]]:
        """Gradients over the samples, and of each block of them what ``pick`` takes."""
        sums, n_threads = self.like_parameters(), self.threads(min(len(X), batch.BLOCK_SAMPLES), None)

        def summed(block: BlockSignals) -> tuple[Array, ...]:
            self._sum_gradients(block, sums, WRITE if block.begin == 0 else ADD, n_threads)
            return pick(block)

        picked = gathered(self.blocks(X, T, loss), len(X), summed)
        scale = self.dtype.type(1.0 / len(X) if reduction == "mean" else 1.0)
        return Parameters(*(values * scale for values in sums)), picked

    def jacobian(self, X: Array) -> Array:
        """∂y/∂x for each sample: (n, n_outputs, n_inputs)."""
        inputs, T = self.wiring.inputs, np.zeros((len(X), self.graph.n_outputs), self.dtype)
        J = np.empty((len(X), self.graph.n_outputs, self.graph.n_inputs), self.dtype)
        for o in range(self.graph.n_outputs):
            blocks = self._blocks(self.full_wiring, X, T, codes.SINGLE_OUTPUT + o, batch.BACKWARD, None)
            (J[:, o],) = gathered(blocks, len(X), lambda block: (block.delta[:, inputs],))
        return J

    # --- what went wrong

    def is_finite(self) -> bool:
        """Whether all parameters are finite."""
        with np.errstate(all="ignore"):
            # a sum is quick, and finite only where its terms are; where it overflows, look at each
            return all(bool(np.isfinite(values.sum()) or np.isfinite(values).all()) for values in self.parameters)

    def first_not_finite(self, X: Array, T: Array, loss: Loss) -> NotFinite | None:
        """The first signal of these samples that is not finite."""
        order = self.plan.order
        found = (
            (first_signal(order, block.z, block.y, block.losses, block.delta), block.begin)
            for block in self.blocks(X, T, loss)
        )
        return min((bad._replace(row=bad.row + begin) for bad, begin in found if bad is not None), default=None)

    def judge(self, recorder: Recorder, X: Array, T: Array, loss: Loss, rows: Array) -> None:
        """Let alarms look at the samples ``rows`` of X with the parameters as they are."""
        samples = make_samples(X, T, rows, self.dtype)
        for block in self.blocks(X[rows], T[rows], loss):
            judge_block(recorder, block.work, samples, self.parameters, block.begin, block.count)

    # --- buffers

    def cuts(self, n_threads: int) -> Array | None:
        """Where the neurons of ranges that are not shared, by id, are cut: about as many edges to each thread.

        None for one thread.
        """
        if n_threads == 1:
            return None
        shared, range_size = self.wiring.range_shared, self.wiring.range_size
        in_degree = np.diff(self.wiring.row_start)[~self.wiring.is_input][np.repeat(~shared, range_size)]
        cost = np.concatenate(([0], np.cumsum(in_degree + 8)))
        cuts = np.searchsorted(cost, cost[-1] * np.arange(1, n_threads) / n_threads)
        range_starts = np.concatenate(([0], np.cumsum(np.where(shared, 0, range_size))))
        within = range_starts[np.searchsorted(range_starts, cuts, side="right") - 1]
        cuts = within + (cuts - within) // shapes.ROWS * shapes.ROWS
        return np.concatenate(([0], cuts, [len(in_degree)])).astype(np.int64)

    def threads(self, samples: int, asked: int | None) -> int:
        """How many threads a step of so many samples is worth."""
        if not may_open_regions():
            return 1
        if asked is None:
            asked = self.most_threads
        return worthwhile_threads(3.0 * samples * max(self.graph.n_edges, 1)) if asked is None else asked

    @contextmanager
    def at_most(self, threads: int | None) -> Iterator[None]:
        """Use no more threads within the block, whatever is computed."""
        before, self.most_threads = self.most_threads, threads
        try:
            yield
        finally:
            self.most_threads = before

    def workspace(self, samples: int, n_threads: int) -> Workspace:
        """Buffers for blocks of up to ``samples``."""
        return self._workspace(Layout.of(samples, n_threads, self.width))

    def online_workspace(self) -> Workspace:
        """Buffers for one sample at a time."""
        return self._workspace(ONLINE)

    def _workspace(self, layout: Layout) -> Workspace:
        """The last one asked for is kept."""
        if layout not in self._spaces:
            self._spaces = {layout: make_workspace(self.wiring, self.dtype, layout)}
        return self._spaces[layout]

    def like_parameters(self) -> Parameters:
        """Zeros for every parameter."""
        return Parameters(*(np.zeros_like(values) for values in self.parameters))

    def no_parameters(self) -> Parameters:
        """Empty arrays, where nothing is kept."""
        return Parameters(*(np.empty(0, self.dtype) for _ in range(3)))

    def gradients_into(self, sums: Parameters, mode: int = WRITE) -> Learning:
        """What has gradients written or added to ``sums``, and updates nothing."""
        none, unused = self.no_parameters(), np.zeros(2)
        rule = Rule(codes.SGD, np.zeros(N_RULE, self.dtype), self.dtype.type(0))
        return Learning(rule, unused, unused, np.full(1, mode), none, none, none, none, gradient=sums)

    def _blocks(
        self, wiring: Wiring, X: Array, T: Array | None, loss: int, depth: int, threads: int | None
    ) -> Iterator[BlockSignals]:
        """Run blocks of samples through the samples' phase, one after the other."""
        n = len(X)
        n_threads = self.threads(min(n, batch.BLOCK_SAMPLES), threads)
        work = self.workspace(n, n_threads)
        samples, cuts = make_samples(X, T, np.arange(n), self.dtype), self.cuts(n_threads)
        for begin in range(0, n, batch.BLOCK_SAMPLES):
            block = BlockSignals(wiring, work, begin, X[begin : begin + batch.BLOCK_SAMPLES])
            with parallel_regions(cuts):
                asked = Pass(loss, depth)
                batch.block_samples(wiring, self.parameters, work, samples, asked, begin, block.count, cuts)
            yield block

    def _sum_gradients(self, block: BlockSignals, sums: Parameters, mode: int, n_threads: int) -> None:
        """Write a block's gradients to ``sums``, or add them."""
        learning, cuts = self.gradients_into(sums, mode), self.cuts(n_threads)
        with parallel_regions(cuts):
            batch.block_neurons(block.wiring, block.work, learning, block.count, cuts)


def parallel_regions(cuts: Array | None) -> AbstractContextManager[Any]:
    """Let one Python thread at a time open parallel regions; those that open none need not wait."""
    return nullcontext() if cuts is None else opening_regions()


def _all_signals(block: BlockSignals) -> tuple[Array, ...]:
    """What `Signals` holds."""
    return block.z, block.y, block.delta, block.losses, block.slope_terms
