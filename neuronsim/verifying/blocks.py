"""Parameters by layer, weights and biases apart: which of these blocks a rule explains, and by which factor."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuronsim.verifying.factors import Factors
from neuronsim.verifying.layout import Layout
from neuronsim.verifying.observed import FEWEST_BITS, Observed
from neuronsim.verifying.passes import Gradient, depths
from neuronsim.verifying.verdict import RIGHT, UNKNOWN, Hypothesis, Part, of_parts


class Block(NamedTuple):
    """The weights into one layer, its biases or its slopes."""

    name: str
    among: NDArray[np.bool_]


def blocks(layout: Layout) -> list[Block]:
    """Those that hold parameters, from the first layer on; of any wiring a layer is what is as far from the inputs."""
    layers = depths(layout.graph)[layout.sinks]
    kinds = np.repeat([0, 1, 2], [layout.n_edges, layout.n_biases, len(layout.prelus)])
    found = []
    for layer in np.unique(layers).tolist():
        for kind, letter in enumerate(("W", "b", "slopes")):
            among = (layers == layer) & (kinds == kind)
            if among.any():
                found.append(Block(f"layer {layer} {letter}", among))
    return found


def numbers(layout: Layout) -> NDArray[np.int64]:
    """Which block each parameter is in."""
    of_each = [block.among for block in blocks(layout)]
    return np.argmax(of_each, axis=0) if of_each else np.zeros(layout.size, np.int64)


class ByBlock:
    """Explains each block by one of many gradients, and a factor.

    Parameters
    ----------
    observed : Observed
    factors : Factors
    gradients : dict of str to Gradient
        Right first.
    """

    def __init__(self, observed: Observed, factors: Factors, gradients: dict[str, Gradient]) -> None:
        self.observed, self.factors, self.gradients = observed, factors, gradients
        self.found: list[float] = []  # factors that explained a block before: elsewhere they are no new number

    def parts(self) -> tuple[Part, ...]:
        """What explains each block that is known; large ones first get a number of their own."""
        known = [b for b in blocks(self.observed.layout) if (b.among & self.observed.known).any()]
        sizes = sorted(known, key=lambda b: -int((b.among & self.observed.known).sum()))
        of = {block.name: self._part(block) for block in sizes}
        return tuple(of[block.name] for block in known)

    def tells(self, parts: tuple[Part, ...]) -> bool:
        """Whether all are explained, and not by one factor on all that moves: that the whole step has not shown."""
        moving = np.abs(self.observed.rates * self.observed.right.values) > self.observed.floor
        among = {block.name: block.among & self.observed.known for block in blocks(self.observed.layout)}
        factors = {part.factor if part.rule == RIGHT else None for part in parts if moving[among[part.block]].any()}
        return all(part.rule != UNKNOWN for part in parts) and (len(factors) > 1 or factors == {None})

    def hypothesis(self, parts: tuple[Part, ...]) -> Hypothesis:
        """What all blocks together say, each of which has been explained."""
        observed = self.observed
        predicted, tolerance = observed.before.copy(), np.zeros(observed.layout.size)
        of = {part.block: part for part in parts}
        for block in blocks(observed.layout):
            part = of.get(block.name)
            if part is not None and part.rule in self.gradients:
                gradient = self.gradients[part.rule]
                rows = block.among
                predicted[rows] -= (part.factor * observed.rates * gradient.values)[rows]
                tolerance[rows] = observed.tolerance(gradient, abs(part.factor) * observed.rates)[rows]
        return observed.hypothesis(of_parts(parts), predicted, tolerance)

    def _part(self, block: Block) -> Part:
        n = int((block.among & self.observed.known).sum())
        for name, gradient in self.gradients.items():
            for k, fitted in self._candidates(name, gradient, block):
                if self._fits(gradient, k, block, fitted):
                    if fitted:
                        self.found.append(k)
                    return Part(block.name, name, float(k), n)
        return Part(block.name, UNKNOWN, float("nan"), n)

    def _candidates(self, name: str, gradient: Gradient, block: Block) -> Iterator[tuple[float, int | None]]:
        """Factors that a block may have: 1, one with a name, one of another block, the one that comes nearest."""
        yield 1.0, None if name == RIGHT else 0
        if name == RIGHT:
            yield 0.0, 0
        k = self.observed.rate_of(gradient, block.among)
        if np.isfinite(k):
            yield from ((f.value, 0) for f in self.factors.near(k))
            yield from ((earlier, 0) for earlier in self.found if abs(earlier - k) < 1e-2 * abs(k))
            yield k, 1
        elif name == RIGHT:
            yield from ((f.value, 0) for f in self.factors.singles)
            yield from ((earlier, 0) for earlier in self.found)

    def _fits(self, gradient: Gradient, k: float, block: Block, fitted: int | None) -> bool:
        observed = self.observed
        predicted = observed.before - k * observed.rates * gradient.values
        tolerance = observed.tolerance(gradient, abs(k) * observed.rates)
        # what a named factor on the right gradient need not: other gradients are many, and so are numbers
        things = (gradient is not self.gradients[RIGHT]) + bool(fitted)
        bits = FEWEST_BITS * (things or 0.5)
        return observed.hypothesis("", predicted, tolerance, fitted=fitted, among=block.among, bits=bits).fits
