"""The samples on a page: which ones each step does worst on, their classes, their pictures, where they were used."""

import base64
from collections import Counter
from typing import Any

import numpy as np

from neuronsim.analysis.blame import blamed
from neuronsim.analysis.probe import Probe, classes, largest
from neuronsim.basics.arrays import Array, Integers
from neuronsim.basics.spread import evenly_spread
from neuronsim.kernels.arguments import Parameters
from neuronsim.page.keeping import Kept
from neuronsim.page.numbers import plain
from neuronsim.page.steps import image_side
from neuronsim.tracing.replay import Replay
from neuronsim.tracing.result import StepResult

# Samples that are blamed: of how many, how many for the loss, for a neuron.
_MOST_SAMPLES, _WORST, _WORST_OF_A_NEURON = 500, 12, 5
# Characters of all their pictures.
_PICTURES = 100_000


class Samples:
    """Which samples a step's parameters do worst on, by loss and by |δ| of every neuron kept."""

    def __init__(self, replay: Replay, kept: Kept) -> None:
        self.replay, self.kept = replay, kept
        trained = replay.trained
        self.probe = Probe(replay, trained[evenly_spread(len(trained), _MOST_SAMPLES)])
        self.side = image_side(replay.graph, kept)
        labels = classes(self.probe.T)
        self.facts: dict[str, Any] = {"n": len(self.probe.rows), "of": len(trained)}
        if labels is not None:
            self.facts |= {"rows": self.probe.rows.tolist(), "labels": labels.tolist()}

    def at(self, step: StepResult) -> dict[str, Any]:
        """The worst rows, their losses and answers; for every neuron the worst rows, their δ and answers."""
        self.probe.load(Parameters(step.weights, step.biases, step.slopes))
        table = blamed(self.probe, self.kept.neurons, step.number, step.learning_rate)

        def column(values: Array, those: Integers) -> list[Any]:
            answers = [] if table.predicted is None else [table.predicted[those].tolist()]
            return [table.samples[those].tolist(), plain(values[those]), *answers]

        worst, _ = largest(table.losses, _WORST)
        worst_of = [column(d, largest(np.abs(d), _WORST_OF_A_NEURON)[0]) for d in table.delta.T]
        return {"worst": column(table.losses, worst), "worst_of": worst_of}

    def uses(self, most: int) -> dict[int, int]:
        """The samples that the first and the last parameters do worst on, by a step close by that trained on each."""
        found: dict[int, int] = {}
        worst = [[(row, q) for row in self._worst(q)] for q in (self.replay.begin, self.replay.n_steps)]
        for row, near in (pair for pairs in zip(*worst, strict=True) for pair in pairs):
            step = self.replay.use(row, near)
            if len(found) < most and step is not None:
                found.setdefault(step, row)
        return found

    def _worst(self, step: int) -> list[int]:
        """The rows of the largest losses with the parameters before a step."""
        self.probe.load(self.replay.parameters(step))
        worst, _ = largest(np.concatenate([block.losses for block in self.probe.blocks(inputs=False)]), _WORST)
        rows: list[int] = self.probe.rows[worst].tolist()
        return rows

    @property
    def pictures_size(self) -> int:
        """The most characters that `pictures` takes."""
        return min(_PICTURES, len(self.probe.rows) * self._picture_size)

    @property
    def _picture_size(self) -> int:
        return 2 * self.side**2 // 3 + 16

    def pictures(self, steps: list[dict[str, Any]]) -> dict[int, str] | None:
        """The inputs of the samples that the steps name most often, where they are images: four bits a pixel."""
        if not self.side:
            return None
        named = Counter(row for step in steps for row in step["worst"][0])
        named.update(dict.fromkeys(named, 1000))  # before those that only a neuron's δ names
        named.update(row for step in steps for one in step["worst_of"] for row in one[0])
        room = self.pictures_size // self._picture_size
        return {row: _packed(self.replay.X[row]) for row, _ in named.most_common(room)}


def _packed(pixels: Array) -> str:
    """Pixels from 0, the darkest, to 15, two in a byte, in base64."""
    values = pixels.astype(np.float64)
    low, high = float(values.min()), float(values.max())
    four_bits = np.rint(15 * (values - low) / ((high - low) or 1.0)).astype(np.uint8)
    four_bits = np.append(four_bits, np.zeros(len(four_bits) % 2, np.uint8))
    return base64.b64encode((four_bits[::2] << 4 | four_bits[1::2]).tobytes()).decode()
