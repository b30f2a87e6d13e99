"""What kernels take: named tuples of flat arrays and numbers, and nothing else."""

from typing import Any, NamedTuple

import numpy.typing as npt

Array = npt.NDArray[Any]


class Wiring(NamedTuple):
    """A plan's arrays. Ids index neurons; rows of weights and sources are found by ``row_start``."""

    row_start: Array  # int64 (n_neurons + 1,)
    sources: Array  # int32 (n_edges,), ascending for each sink
    bundle_first: Array  # int64 (n_bundles,) in topological order
    bundle_size: Array  # int64 (n_bundles,)
    bundle_pushes: Array  # bool (n_bundles,): some source wants δ
    groups: Array  # int64 (n_groups + 1,): bundles that run side by side, consecutive neurons, by their first bundle
    tiny: bool  # every bundle has few sources and one usual activation, none softmax
    run_end: Array  # int64 (n_neurons,): where the neurons end that are activated together with this one
    bundle_shared: Array  # bool (n_bundles,): dense and so large that every thread takes its part
    bundle_leading: Array  # int64 (n_bundles,): sources, from the first on, that want none
    run_first: Array  # int64 (n_runs,) ascending: neurons with consecutive ids, of any level, that learn together
    run_size: Array  # int64 (n_runs,)
    run_dense: Array  # bool (n_runs,): a bundle of consecutive sources, enough to gain from sample-major columns
    run_shared: Array  # bool (n_runs,): a shared bundle
    run_leading: Array  # bool (n_runs,): a leading bundle
    leading: int  # so many bundles from the first listen to inputs alone, are shared and hold many edges; or 0
    inputs_heard_later: bool  # other bundles listen to inputs too, or an input is an output
    inputs_end: int  # the highest id of an input, + 1
    codes: Array  # int64 (n_neurons,) activations
    user: Array  # int64 (2 · n_user,) addresses of f and f' of registered activations
    is_input: Array  # bool (n_neurons,)
    inputs: Array  # int64 (n_inputs,)
    first_input: int  # where their ids are consecutive, else −1
    outputs: Array  # int64 (n_outputs,)
    output_row: Array  # int64 (n_neurons,): place among the outputs, or −1
    columns: Array  # int64: neurons, not inputs, that a dense bundle listens to
    cleared: Array  # int64: neurons whose δ is aggregated
    softmax_members: Array  # int64: the outputs with softmax
    softmax_rows: Array  # int64: their places among the outputs
    prelus: Array  # int64: neurons with a learned slope
    slope_row: Array  # int64 (n_neurons,): place among those, or −1


class Parameters(NamedTuple):
    """Weights (n_edges,), biases and slopes (n_neurons,), or arrays like them; empty where not in use."""

    weights: Array
    biases: Array
    slopes: Array


class Learning(NamedTuple):
    """How parameters change: the optimiser, its numbers, and everything that lies beside each parameter."""

    optimizer: int
    numbers: Array  # of one step, in the network's dtype; their places are in ``update.py``
    settings: Array  # float64, the same before rounding
    powers: Array  # float64 (2,): β₁ᵗ and β₂ᵗ as running products
    decay: Any  # of weights
    parameters: Parameters
    first_state: Parameters
    second_state: Parameters
    rates: Parameters  # factors on the learning rate, −1 where frozen


class Workspace(NamedTuple):
    """Buffers of one block of samples, neuron by neuron, ``stride`` samples to a row, padded to whole lane vectors.

    A block lies in planes of up to four lane vectors of samples, ``pitch`` numbers apart in every buffer, and threads
    have planes of their own. With parts of the same rows, each core prefetches what the
    other one writes: the samples' phase of a graph of 2,000 neurons took 0.58 ms on two threads, 0.36 on one; in planes
    it takes 0.21 on two.
    """

    stride: int  # samples to a row, padded; 1 online
    pitch: int  # 0 where there is one plane
    y: Array  # (n_neurons · stride,)
    z: Array
    delta: Array
    own: Array  # (n_outputs · stride,): the loss's own part of δ
    target: Array  # (n_outputs · stride,)
    slope_terms: Array  # (n_prelus · stride,)
    losses: Array  # (stride,)
    row_pitch: int  # of planes in ``rows``
    rows: Array  # (planes · panels · stride · 2 · lanes,): y again for dense bundles, see ``place_in_rows``
    starts: Array  # int64 (n_threads · planes · stride,): where each sample of the block begins in X
    places: Array  # int64 (lanes,): where the rows of consecutive neurons begin, counted from the first: 0, stride, …
    steps: Array  # (n_neurons,): −μ·δ, online
    primes: Array  # (n_neurons,): f'(z), online
    scratch: Array  # (n_threads · scratch length,): gradients of a few neurons, on their way into an update
    own_inputs: Array  # (n_threads · planes · inputs_end · stride,): y of inputs that each thread gathered for itself
    own_row_pitch: int  # of planes in ``own_rows``
    own_rows: Array  # (n_threads · planes · panels of inputs · …,): as ``rows``


class Samples(NamedTuple):
    """Data: X, row by row, T (n_samples, n_outputs) or class numbers, and the order in which they come."""

    inputs: Array  # (n_samples · n_inputs,)
    targets: Array  # float (n_samples, n_outputs), or (0, 0) where there are class numbers
    classes: Array  # int32 (n_samples,), or (0,)
    order: Array  # int64 (n_samples,)
