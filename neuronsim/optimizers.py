"""Optimisers, by the name that people import: it is `neuronsim.formulas.optimizers` itself."""

import sys

from neuronsim.formulas import optimizers
from neuronsim.formulas.optimizers import *  # noqa: F403 (for type checkers)

sys.modules[__name__] = optimizers
