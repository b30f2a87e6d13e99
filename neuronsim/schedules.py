"""Learning-rate schedules, by the name that people import: it is `neuronsim.formulas.schedules` itself."""

import sys

from neuronsim.formulas import schedules
from neuronsim.formulas.schedules import *  # noqa: F403 (for type checkers)

sys.modules[__name__] = schedules
