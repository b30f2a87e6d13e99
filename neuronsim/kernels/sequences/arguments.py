"""What kernels of sequences take beside a batch's arguments: where each step lies, and what neurons keep of the last.

A step of a block of sequences lies in the workspace as a batch does, in planes of some sequences each, and the planes
of the next step follow: row j of an edge's source d steps back is row j − d · (rows of a step). In front of the first
step lie as many steps as the longest delay has, with the initial states.
"""

from typing import NamedTuple

from neuronsim.kernels.arguments import Array, Wiring, Workspace


class SequenceData(NamedTuple):
    """Data: rows of X and T, the steps of one sequence after another, and the order in which sequences come."""

    inputs: Array  # (n_rows · n_inputs,)
    targets: Array  # float (n_rows, n_outputs), or (0, 0) where there are class numbers
    classes: Array  # int32 (n_rows,), or (0,)
    weights: Array  # (n_rows,): how much the loss of each row counts; 0: it has no target
    starts: Array  # int64 (n_sequences + 1,): where each one's rows begin
    order: Array  # int64 (n_sequences,)


class Places(NamedTuple):
    """How a block of sequences lies in the workspace; the arrays have an entry for each step and sequence."""

    steps: int  # of the longest sequence that there is room for
    before: int  # steps in front of the first one
    planes: int  # of each step
    together: int  # steps whose gradients are summed together
    rows: Array  # int64 (steps · planes · stride,): rows of the data, behind a sequence's end its last one
    weights: Array  # (steps · planes · stride,): of the losses, 0 behind a sequence's end
    lengths: Array  # int64 (planes · stride,): of the sequences


class Runs(NamedTuple):
    """What bundles listen to, in the order of their sources: neighbours heard at the same time, or several others."""

    start: Array  # int64 (n_bundles + 1,): where the runs of each bundle begin
    offset: Array  # int64 (n_runs,): its first source's place among the bundle's
    length: Array  # int64 (n_runs,)
    first: Array  # int64 (n_runs,): id of the first source
    delay: Array  # int64 (n_runs,); 0 where they are not dense
    is_dense: Array  # bool (n_runs,): consecutive ids, one delay, and enough of them
    n_at_once: Array  # int64 (n_bundles,): sources that are heard within the step, which come first


class Window(NamedTuple):
    """Steps that are made together, and how far their errors go back through steps that were made before."""

    begin: int
    end: int
    back_to: int  # the first step that δ reaches
    crosses: bool  # whether δ goes back over steps at all


class Windows(NamedTuple):
    """How a batch of sequences is cut into updates."""

    length: int  # steps between two updates; 0: one update, after the last step
    reach: int  # steps that δ goes back, those of a whole window among them; −1: these alone; 0: it crosses no step


class Leaks(NamedTuple):
    """Neurons that keep 1 − α of what they had; buffers lie in planes like those of the workspace."""

    codes: Array  # int64 (n_neurons,): what leaks; (0,) where nothing does
    rates: Array  # (n_neurons,): α
    rows: Array  # int64 (n_neurons,): place among those that leak, or −1
    kept: Array  # (n_leaking · stride,): f(z) where the output leaks, z where the potential does
    errors: Array  # (n_leaking · stride,): ∂L/∂y or ∂L/∂v through all later steps


class Unfolded(NamedTuple):
    """A network with memory, and room for its steps."""

    wiring: Wiring  # its ``sources`` are rows, counted from the first one of the sink's step
    outputs: Wiring  # the same, in which outputs that leak have the identity: their part of the loss is ∂L/∂y
    leaks: Leaks
    runs: Runs
    work: Workspace  # its buffers begin with the first step
    rows: Array  # ``work.rows``, with the steps in front of the first one
    places: Places
