"""Tile shapes, chosen at import by the register file of the processor that Numba compiles for.

The shape is free: every accumulator keeps its own order of summation, so the bits do not depend on it.
"""

from numba.core import config
from numba.core.registry import cpu_target

from neuronsim.kernels.tiles import Count, Shape


def _vector_registers_bytes() -> int:
    """64 with AVX-512 (32 registers of 64 bytes); 32 with AVX2 (16 registers); else 16."""
    features = config.CPU_FEATURES
    if features is None and config.CPU_NAME in (None, "host"):
        features = cpu_target.target_context.codegen()._get_host_cpu_features()
    enabled = {f[1:] for f in (features or "").split(",") if f.startswith("+")}
    return 64 if "avx512f" in enabled else 32 if "avx2" in enabled else 16


_WIDE = _vector_registers_bytes() == 64

#: Rows of a bundle that are taken together, and lane vectors that are taken together. 8 × 2 reaches 120 of 226/2 …
#: GFLOP/s with AVX-512 (16 accumulators); 6 × 1 fits AVX2's 16 registers of half the width.
ROWS = 8 if _WIDE else 6
COLUMNS = 2 if _WIDE else 1
BLOCK = Shape(ROWS, COLUMNS)
COLUMN = Shape(ROWS, 1)
#: A single neuron × several lane vectors: four independent sums hide the latency of the multiply-add.
ROW = Shape(1, 4)
PAIR = Shape(1, 2)
ONE = Shape(1, 1)

#: Sources whose gradients are summed together for one neuron: eight trees share their additions.
SUMMED = 8
SUMS = Shape(SUMMED, 1)

#: Terms of a sum taken together.
TOGETHER = 4
TERMS = Count(TOGETHER)
TERM = Count(1)

#: Rows taken together online, where a lane is a source.
ONLINE_ROWS = 8
ONLINE_BLOCK = Shape(ONLINE_ROWS, 1)
