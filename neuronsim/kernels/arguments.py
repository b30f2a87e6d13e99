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
    bundle_shared: Array  # bool (n_bundles,): dense and so large that every thread takes its part
    groups: Array  # int64 (n_groups + 1,): bundles side by side, consecutive neurons, by their first bundle
    tiny: bool  # every bundle has few sources and one common activation, none softmax
    activation_end: Array  # int64 (n_neurons,): where the neurons end that are activated together with this one
    n_leading_sources: Array  # int64 (n_bundles,): sources, from the first on, that want no δ
    range_first: Array  # int64 (n_ranges,) ascending: neurons with consecutive ids, of any level, that learn together
    range_size: Array  # int64 (n_ranges,)
    range_dense: Array  # bool (n_ranges,): a bundle of consecutive sources, enough to gain from sample-major columns
    range_shared: Array  # bool (n_ranges,): a shared bundle
    range_leading: Array  # bool (n_ranges,): a leading bundle
    n_leading_bundles: int  # so many from the first listen to inputs alone, are shared and hold many edges; or 0
    inputs_read_later: bool  # other bundles listen to inputs too, or an input is an output
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


class Rule(NamedTuple):
    """An optimiser and its numbers of one step."""

    optimizer: int
    numbers: Array  # in the network's dtype; their places are in ``update.py``
    decay: Any  # of weights; 0 for biases and slopes


class Learning(NamedTuple):
    """How parameters change: the rule, and everything that lies beside each parameter."""

    rule: Rule
    settings: Array  # float64, ``Rule.numbers`` before rounding
    powers: Array  # float64 (2,): β₁ᵗ and β₂ᵗ as running products
    mode: Array  # int64 (1,): parameters are updated, or their gradients written or added to ``gradient``
    parameters: Parameters
    first_state: Parameters
    second_state: Parameters
    rates: Parameters  # factors on the learning rate, −1 where frozen
    gradient: Parameters  # of all parameters, where it is needed before the update; else empty


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
    loss_delta: Array  # (n_outputs · stride,): the loss's own part of δ
    target: Array  # (n_outputs · stride,)
    slope_terms: Array  # (n_prelus · stride,)
    losses: Array  # (stride,)
    row_pitch: int  # of planes in ``rows``
    rows: Array  # (planes · panels · stride · 2 · lanes,): y again for dense bundles, see ``place_in_rows``
    starts: Array  # int64 (n_threads · planes · stride,): where each sample of the block begins in X
    places: Array  # int64 (lanes,): where the rows of consecutive neurons begin, counted from the first: 0, stride, …
    changes: Array  # (n_neurons,): −μ·δ, online
    derivatives: Array  # (n_neurons,): f'(z), online
    scratch: Array  # (n_threads · scratch length,): gradients of some neurons, on their way into an update
    thread_inputs: Array  # (n_threads · planes · inputs_end · stride,): y of inputs that each thread gathered itself
    thread_row_pitch: int  # of planes in ``thread_rows``
    thread_rows: Array  # (n_threads · planes · panels of inputs · …,): as ``rows``


class Samples(NamedTuple):
    """Data: X, row by row, T (n_samples, n_outputs) or class numbers, and the order in which they come."""

    inputs: Array  # (n_samples · n_inputs,)
    targets: Array  # float (n_samples, n_outputs), or (0, 0) where there are class numbers
    classes: Array  # int32 (n_samples,), or (0,)
    order: Array  # int64 (n_samples,)


class Task(NamedTuple):
    """What is trained for, and how: the same for all steps of a run."""

    loss: int
    batch: int  # samples of a step
    mean: bool  # gradients are means over a batch, else sums
    clip_norm: float  # 0 where gradients are not clipped by their norm
    fused: bool  # online, plain SGD: nothing frozen, scaled, decayed or clipped


class Span(NamedTuple):
    """Consecutive steps of an epoch."""

    first_step: int  # of the epoch
    step_rates: Array  # float64 (n_steps,): the learning rate of each
    loss_sum: Array  # float64 (1,): gains the samples' losses, each before the update that used it


class Pass(NamedTuple):
    """What samples go through: forward, to the loss, or back to δ."""

    loss: int
    depth: int  # FORWARD, LOSS or BACKWARD


class Block(NamedTuple):
    """Samples that lie in the workspace together, and which of their places are dealt with."""

    position: int  # of the first one in the order of samples
    n_samples: int  # places from there on repeat the last one, and their δ is 0
    start: int
    end: int  # ``end − start`` is a whole number of lane vectors


class Part(NamedTuple):
    """A thread's part of the neurons: of each shared bundle its share, of the others those between two ids."""

    part: int
    parts: int
    begin: int  # counted by id, without inputs and shared bundles
    end: int


# ── small ones, made on the way ──


class Activation(NamedTuple):
    """f of one neuron, or of several in a row."""

    code: int
    slope: Any  # prelu's
    user: Array  # addresses, as in ``Wiring``


class Edges(NamedTuple):
    """The edges of neurons that listen to the same sources: a row of weights behind the other, and one row of ids."""

    weights: Array
    w0: int  # where the first neuron's row begins
    sources: Array
    s0: int  # where the ids begin
    n_sources: int


class Signals(NamedTuple):
    """What goes forward, from the first sample of some on; rows are ``stride`` apart."""

    source_y: Array  # what is read: ``y``, or a thread's own copy of the inputs
    z: Array
    y: Array
    stride: int


class OutputSignals(NamedTuple):
    """What a loss is made of: z and y by neuron, the others by output; rows are ``stride`` apart."""

    stride: int
    z: Array
    y: Array
    target: Array
    loss_delta: Array
    losses: Array


class Gathered(NamedTuple):
    """Where inputs are gathered: the workspace's own buffers, or a thread's; fields as in ``Workspace``."""

    stride: int
    pitch: int
    y: Array
    row_pitch: int
    rows: Array
    starts: Array


class Sums(NamedTuple):
    """What a thread sums gradients from, and where they lie until the update."""

    n_samples: int  # padded to whole lane vectors: from the last one on δ is 0
    row_pitch: int
    rows: Array  # y sample by sample
    scratch: int  # where the thread's part of the scratch array begins


class Dots(NamedTuple):
    """What a single neuron's gradients are summed from, and where they go: less to compile than a whole workspace."""

    y: Array
    delta: Array
    d0: int  # where the neuron's row begins
    stride: int
    pitch: int
    scratch: Array


class Patch(NamedTuple):
    """Weights of some neurons of a dense bundle from some of its sources."""

    neuron: int
    end: int  # behind the last neuron
    low: int  # the first source
    high: int  # behind the last one
    at: int  # where the weight of ``neuron`` from ``low`` lies
    step: int  # rows are so far apart


class Trained(NamedTuple):
    """One kind of parameter, and what lies beside each."""

    values: Array
    first_state: Array
    second_state: Array
    rates: Array
