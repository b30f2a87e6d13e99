"""Stopping rules, by the name that people import: it is `neuronsim.training.stop` itself."""

import sys

from neuronsim.training import stop
from neuronsim.training.stop import *  # noqa: F403 (for type checkers)

sys.modules[__name__] = stop
