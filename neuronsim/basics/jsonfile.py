"""Small JSON files that another process may be writing, or may have been killed over."""

import json
from pathlib import Path
from typing import Any


def read_or_nothing(path: Path) -> dict[str, Any]:
    """The table in a JSON file; an empty one where it is not there, torn, or no table.

    Parameters
    ----------
    path : Path
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
