"""``python -m neuronsim``: the command line."""

import sys

from neuronsim.commands.main import main

sys.exit(main())
