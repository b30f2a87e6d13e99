"""What a command says: results on stdout, messages on stderr, and its exit code."""

import json
import sys
from typing import Any

OK, CHECK_FAILED, WRONG_USAGE, BAD_INPUT, DIVERGED, INTERRUPTED = 0, 1, 2, 3, 4, 130


def show(what: str | dict[str, Any]) -> None:
    """Write a result on stdout: text as it is, values as JSON."""
    print(what if isinstance(what, str) else json.dumps(what, ensure_ascii=False, indent=1), flush=True)


def say(message: str) -> None:
    """Write a message on stderr."""
    print(f"neuronsim: {message}", file=sys.stderr, flush=True)


def wrong_usage(why: str) -> int:
    """Say what is wrong with the arguments; the exit code."""
    say(f"error: {why}")
    return WRONG_USAGE
