"""What programs do with a gradient, right or mistaken, before they subtract it: by layer, and to biases."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.arrays import Reals
from neuronsim.verifying.passes import Gradient, Passes, depths

Handling = Callable[[Gradient], Gradient]


def scaled(factors: Reals | NDArray[np.bool_]) -> Handling:
    """Each parameter's gradient times a factor."""
    return lambda gradient: Gradient(gradient.values * factors, gradient.absolute_sums * np.abs(factors))


def _heights(passes: Passes) -> NDArray[np.int64]:
    """How many edges the longest way to an output has, of each neuron."""
    found = np.zeros(passes.graph.n_neurons, np.int64)
    for bundle in reversed(passes.bundles):
        np.maximum.at(found, bundle.sources, 1 + found[bundle.neurons].max())
    return found


def _shared(passes: Passes, mean: bool) -> Handling:
    """One number for all biases of a layer: the sum of their gradients, or the mean."""
    layout = passes.layout
    rows = np.flatnonzero(layout.is_bias)
    layer = depths(passes.graph)[layout.sinks[rows]]
    same = layer[:, None] == layer
    weights = same / same.sum(axis=1) if mean else same.astype(np.float64)

    def change(gradient: Gradient) -> Gradient:
        values, sums = gradient.values.copy(), gradient.absolute_sums.copy()
        values[rows], sums[rows] = weights @ values[rows], weights @ sums[rows]
        return Gradient(values, sums)

    return change


def handlings(passes: Passes, with_biases: bool) -> Iterator[tuple[str, Handling]]:
    """Every one that this network gives a place to."""
    layout, graph, rate, n = passes.layout, passes.graph, passes.rate, passes.n
    is_output = np.isin(layout.sinks, passes.outputs)
    if with_biases:
        yield "bias not trained", scaled(~layout.is_bias)
    if not is_output.all():
        yield "hidden neurons not trained", scaled(is_output)
        height = _heights(passes)[layout.sinks]
        again = {"the learning rate applied again": rate}
        if passes.mean:
            again["divided by the number of samples again"] = 1.0 / n
        for name, factor in again.items():
            if factor == 1.0:
                continue
            yield f"{name} in hidden layers", scaled(np.where(is_output, 1.0, factor))
            if height.max() > 1:
                yield f"{name} in each layer on the way back", scaled(factor ** height.astype(np.float64))
    if with_biases:
        n_sources = np.diff(graph.row_start)[layout.sinks]
        if (n_sources[layout.is_bias] != 1).any():
            yield "biases moved once per incoming weight", scaled(np.where(layout.is_bias, n_sources, 1.0))
        if passes.mean and n > 1:
            yield "biases summed instead of averaged", scaled(np.where(layout.is_bias, float(n), 1.0))
        yield "biases moved the wrong way", scaled(np.where(layout.is_bias, -1.0, 1.0))
        layers = depths(graph)[layout.sinks[layout.is_bias]]
        if len(np.unique(layers)) < len(layers):
            yield "one number for all biases of a layer, the sum of their gradients", _shared(passes, False)
            yield "one number for all biases of a layer, the mean of their gradients", _shared(passes, True)
