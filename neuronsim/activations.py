"""Activations, by the name that people import: it is `neuronsim.formulas.activations` itself."""

import sys

from neuronsim.formulas import activations
from neuronsim.formulas.activations import *  # noqa: F403 (for type checkers)

sys.modules[__name__] = activations
