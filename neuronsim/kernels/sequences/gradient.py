"""Gradients through time: ∂L/∂w_jid = Σ_t Σ_i δ_i(t) · y_j(t − d), some steps at a time; a step's samples are lanes."""

from neuronsim.kernels.arguments import Array, Dots, Learning, Patch, Sums, Wiring, Workspace
from neuronsim.kernels.batch.gradient import update_biases_and_slopes, update_rows
from neuronsim.kernels.batch.single import gradient_together
from neuronsim.kernels.jit import inlined, kernel, leaf
from neuronsim.kernels.sequences.arguments import Unfolded
from neuronsim.kernels.shapes import ONE, ROWS, SUMMED, SUMS
from neuronsim.kernels.update import update_weights


@kernel
def from_plane(work: Workspace, plane: int) -> Workspace:
    """The workspace from a plane on, but for ``rows``."""
    at = plane * work.pitch
    return Workspace(
        work.stride,
        work.pitch,
        work.y[at:],
        work.z[at:],
        work.delta[at:],
        work.loss_delta[at:],
        work.target[at:],
        work.slope_terms[at:],
        work.losses[at:],
        work.row_pitch,
        work.rows,
        work.starts,
        work.places,
        work.changes,
        work.derivatives,
        work.scratch,
        work.thread_inputs,
        work.thread_row_pitch,
        work.thread_rows,
    )


@inlined
def gradient_of_some(wiring: Wiring, work: Workspace, sums: Sums, neuron: int, s0: int, count: int) -> None:
    """∂L/∂w of one neuron from ``count`` of its sources, ``SUMMED`` at a time: the last ones again to fill a tile."""
    dots = Dots(work.y, work.delta, neuron * work.stride, work.stride, work.pitch, work.scratch)
    k = 0
    while k < count:
        if count < SUMMED:
            gradient_together(ONE, dots, wiring.sources, s0 + k, sums.n_samples, sums.scratch + k)
            k += 1
        else:
            at = min(k, count - SUMMED)
            gradient_together(SUMS, dots, wiring.sources, s0 + at, sums.n_samples, sums.scratch + at)
            k += SUMMED


@kernel
def sum_run(
    unfolded: Unfolded, work: Workspace, learning: Learning, sums: Sums, bundle: int, run: int, begin: int, end: int
) -> None:
    """Gradients of the weights of a bundle's neurons ``begin`` to ``end`` from one run of its sources.

    Of consecutive neurons that were heard at the same time, in tiles of neurons × sources.
    """
    wiring, runs = unfolded.wiring, unfolded.runs
    first, length = wiring.bundle_first[bundle], runs.length[run]
    s0 = wiring.row_start[first]
    count = wiring.row_start[first + 1] - s0
    at = s0 + (begin - first) * count + runs.offset[run]
    if runs.is_dense[run]:
        low = runs.first[run]
        for neuron in range(begin, end, ROWS):
            patch = Patch(neuron, min(neuron + ROWS, end), low, low + length, at + (neuron - begin) * count, count)
            update_rows(work, learning, sums, patch)
        return
    for neuron in range(begin, end):
        gradient_of_some(wiring, work, sums, neuron, s0 + runs.offset[run], length)
        update_weights(learning, at + (neuron - begin) * count, work.scratch, sums.scratch, length)


@leaf
def share_sums(
    part: int, parts: int, unfolded: Unfolded, learning: Learning, first_step: int, n_places: int, cuts: Array | None
) -> None:
    """Gradients over ``n_places`` steps and sequences, of a thread's neurons: those between two ``cuts``, by id."""
    wiring, work, places, runs = unfolded.wiring, unfolded.work, unfolded.places, unfolded.runs
    here = from_plane(work, first_step * places.planes)
    scratch = work.scratch.size // parts * part
    low, high = 0, wiring.is_input.size
    if cuts is not None:
        low, high = cuts[part], cuts[part + 1]
    for bundle in range(wiring.bundle_first.size):
        first, size = wiring.bundle_first[bundle], wiring.bundle_size[bundle]
        begin, end = max(first, low), min(first + size, high)
        if begin >= end:
            continue
        for run in range(runs.start[bundle], runs.start[bundle + 1]):
            at = (places.before + first_step - runs.delay[run]) * places.planes * work.row_pitch
            sums = Sums(n_places, work.row_pitch, unfolded.rows[at:], scratch)
            sum_run(unfolded, here, learning, sums, bundle, run, begin, end)
        sums = Sums(n_places, work.row_pitch, work.rows, scratch)
        update_biases_and_slopes(wiring, here, learning, sums, begin, end)
