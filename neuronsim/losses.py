"""Losses, by the name that people import: it is `neuronsim.formulas.losses` itself."""

import sys

from neuronsim.formulas import losses
from neuronsim.formulas.losses import *  # noqa: F403 (for type checkers)

sys.modules[__name__] = losses
