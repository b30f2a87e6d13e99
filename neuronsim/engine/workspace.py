"""The buffers that kernels work in: how large they are, where samples lie in them, and how they are read back."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from neuronsim.basics.arrays import Array
from neuronsim.kernels import shapes
from neuronsim.kernels.arguments import Samples, Wiring, Workspace
from neuronsim.kernels.batch.steps import BLOCK_SAMPLES, VECTORS_TOGETHER
from neuronsim.kernels.lanes import BYTES, WIDTH


@dataclass(frozen=True)
class Layout:
    """How a block of samples lies in the buffers: ``planes`` of rows of ``stride`` samples, for so many threads."""

    stride: int
    planes: int
    n_threads: int

    @classmethod
    def of(cls, samples: int, n_threads: int, width: int) -> "Layout":
        """That of blocks of up to ``samples``, in lane vectors of ``width``."""
        vectors = -(-min(samples, BLOCK_SAMPLES) // width)
        planes = min(-(-vectors // (n_threads * VECTORS_TOGETHER)) * n_threads, vectors)
        return cls(-(-vectors // planes) * width, planes, n_threads)


#: One sample at a time.
ONLINE = Layout(1, 1, 1)


def make_workspace(wiring: Wiring, dtype: np.dtype[Any], layout: Layout) -> Workspace:
    """Buffers for blocks of samples that lie so."""
    stride, planes, n_threads = layout.stride, layout.planes, layout.n_threads
    width = WIDTH[dtype]
    n, n_outputs, n_prelus = len(wiring.is_input), len(wiring.outputs), len(wiring.prelus)
    spare = 4 * width
    sizes = buffer_sizes((n, n, n, n_outputs, n_outputs, n_prelus, 1), stride, width)
    pitch = sum(sizes)
    # each buffer reaches to the last plane's end
    planes_of_all = aligned_zeros(planes * pitch, dtype)
    y, z, delta, loss_delta, target, slope_terms, losses = (planes_of_all[at:] for at in np.cumsum([0, *sizes[:-1]]))
    panels = -(-n // (2 * width)) if stride > 1 and bool(wiring.range_dense.any()) else 0
    rows = panels * 2 * width * stride
    thread_rows = -(-wiring.inputs_end // (2 * width)) * 2 * width * stride if panels else 0
    # one thread needs no copies
    copies = n_threads if n_threads > 1 and wiring.n_leading_bundles > 0 else 0
    return Workspace(
        stride=stride,
        pitch=pitch if planes > 1 else 0,
        y=y,
        z=z,
        delta=delta,
        loss_delta=loss_delta,
        target=target,
        slope_terms=slope_terms,
        losses=losses,
        row_pitch=rows,
        rows=aligned_zeros(planes * rows, dtype),
        starts=np.zeros(n_threads * planes * stride, np.int64),
        places=np.arange(width) * stride,
        changes=aligned_zeros(n + spare if stride == 1 else 0, dtype),
        derivatives=aligned_zeros(n + spare if stride == 1 else 0, dtype),
        scratch=aligned_zeros(n_threads * scratch_length(wiring, dtype, stride), dtype),
        thread_inputs=aligned_zeros(copies * (planes * wiring.inputs_end * stride + spare), dtype),
        thread_row_pitch=thread_rows,
        thread_rows=aligned_zeros(copies * planes * thread_rows, dtype),
    )


def buffer_sizes(heights: Iterable[int], stride: int, width: int) -> list[int]:
    """How many numbers buffers of so many rows of ``stride`` samples take, in whole lane vectors.

    A tile may read, never write, up to four lane vectors behind the last value it needs, or the rows of one tile.
    """
    behind = 4 * width + ((shapes.ROWS - 1) * stride if stride > 1 else 0)
    return [-(-(rows * stride + behind) // width) * width for rows in heights]


def scratch_length(wiring: Wiring, dtype: np.dtype[Any], stride: int) -> int:
    """How many gradients a thread has under way at a time, of the neurons of a tile."""
    width, longest = WIDTH[dtype], int(np.diff(wiring.row_start).max(initial=0))
    return (longest // width * width + 12 * width) * (shapes.ROWS if stride > 1 else 1)


def aligned_zeros(n: int, dtype: np.dtype[Any]) -> Array:
    """Zeros that begin a cache line: a lane vector across two of them costs two loads."""
    values = np.zeros(n + BYTES // dtype.itemsize, dtype)
    begin = -values.ctypes.data % BYTES // dtype.itemsize
    return values[begin : begin + n]


@dataclass(frozen=True, eq=False)
class BlockSignals:
    """Samples that have run through the network together: what the buffers hold of them, until the next block runs.

    Attributes
    ----------
    wiring : Wiring
        That they ran through.
    work : Workspace
        Where their numbers lie.
    begin : int
        The first one's row in the data.
    inputs : array (count, n_inputs)
        Their x.
    """

    wiring: Wiring
    work: Workspace
    begin: int
    inputs: Array

    @property
    def count(self) -> int:
        """How many samples these are."""
        return len(self.inputs)

    @property
    def rows(self) -> slice:
        """Their rows in the data."""
        return slice(self.begin, self.begin + self.count)

    @property
    def z(self) -> Array:
        """Net inputs, shape (count, n_neurons); an input's is x."""
        return self._with_inputs(self.work.z)

    @property
    def y(self) -> Array:
        """Outputs of all neurons, shape (count, n_neurons)."""
        return self._with_inputs(self.work.y)

    @property
    def outputs(self) -> Array:
        """y of the network's outputs, shape (count, n_outputs)."""
        return self._read(self.work.y, len(self.wiring.is_input), self.wiring.outputs)

    @property
    def delta(self) -> Array:
        """δ, shape (count, n_neurons); an input's is ∂L/∂x, NaN where the wiring wants none."""
        wiring = self.wiring
        delta = self._read(self.work.delta, len(wiring.is_input))
        unknown, on_top = len(wiring.cleared) < len(wiring.is_input), np.flatnonzero(wiring.is_input[wiring.outputs])
        if unknown or len(on_top):
            delta = delta.copy()
        if unknown:
            delta[:, wiring.inputs] = np.nan
        for row in on_top:
            # an input that is an output gets the loss's part on top of what its sinks send back
            delta[:, wiring.outputs[row]] += self._read(self.work.loss_delta, len(wiring.outputs))[:, row]
        return delta

    @property
    def losses(self) -> Array:
        """Each sample's loss, shape (count,)."""
        return self._read(self.work.losses, 1)[:, 0]

    @property
    def slope_terms(self) -> Array:
        """∂L/∂slope of the neurons that learn one, by id, shape (count, n_prelus)."""
        return self._read(self.work.slope_terms, len(self.wiring.prelus))

    def _with_inputs(self, values: Array) -> Array:
        """Kernels need not write what is known of inputs, or each thread writes it to a place of its own."""
        found = self._read(values, len(self.wiring.is_input))
        found[:, self.wiring.inputs] = self.inputs
        return found

    def _read(self, values: Array, rows: int, chosen: Array | slice = slice(None)) -> Array:
        """A buffer as (count, rows), or some of its rows."""
        stride = self.work.stride
        starts = range(0, values.size, self.work.pitch) if self.work.pitch else (0,)
        planes = [values[at : at + rows * stride].reshape(rows, stride)[chosen].T for at in starts]
        return (planes[0] if len(planes) == 1 else np.concatenate(planes))[: self.count]


class HasRows(Protocol):
    """A block of data that knows its rows."""

    @property
    def rows(self) -> slice:
        """Its rows in the data."""


B = TypeVar("B", bound=HasRows)


def gathered(blocks: Iterable[B], n: int, pick: Callable[[B], tuple[Array, ...]]) -> list[Array]:
    """What ``pick`` takes of each block, of all ``n`` rows: read before the next block runs."""
    found: list[Array] = []
    for block in blocks:
        picked = pick(block)
        if not found:
            found = [np.empty((n, *values.shape[1:]), values.dtype) for values in picked]
        for values, part in zip(found, picked, strict=True):
            values[block.rows] = part
    return found


def make_samples(X: Array, T: Array | None, order: Array, dtype: np.dtype[Any]) -> Samples:
    """X, T (values or class numbers, or none) and their order, as kernels take them."""
    targets, classes = np.empty((0, 0), dtype), np.empty(0, np.int32)
    if T is not None and T.dtype.kind == "f":
        targets = T
    elif T is not None:
        classes = T
    return Samples(*(writable(values) for values in (X.reshape(-1), targets, classes, order)))


@dataclass(frozen=True)
class _Address:
    """An array's memory, seen as writable."""

    __array_interface__: dict[str, Any]


def writable(values: Array) -> Array:
    """A view that Numba types like any other array; kernels never write to samples."""
    if values.flags.writeable:
        return values
    interface = values.__array_interface__
    return np.asarray(_Address(interface | {"data": (interface["data"][0], False)}))
