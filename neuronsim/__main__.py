"""``python -m neuronsim``: the command line."""

import sys

from neuronsim.cli import main

sys.exit(main())
