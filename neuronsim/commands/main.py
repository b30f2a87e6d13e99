"""The command line: data on stdout, messages and progress on stderr, an exit code that says what happened."""

import os
import signal
import sys
import threading
import warnings
from collections.abc import Sequence
from typing import Any

from neuronsim.basics import interrupts
from neuronsim.commands import parser
from neuronsim.commands.output import BAD_INPUT, CHECK_FAILED, INTERRUPTED, OK, say, show
from neuronsim.errors import CheckError, CompileWarning, DivergenceWarning, NeuronsimError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : sequence of str or None
        What follows the program's name; None takes them from the process.

    Returns
    -------
    int
        0 ok, 1 a check failed, 2 wrong usage, 3 bad or missing input, 4 diverged, 130 interrupted.
    """
    options = parser.read(sys.argv[1:] if arguments is None else arguments)
    for number in interrupts.ENDING if threading.current_thread() is threading.main_thread() else ():
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)  # being ended is as good as Ctrl-C: work is kept
    with warnings.catch_warnings():
        for ours in (CompileWarning, DivergenceWarning):
            warnings.simplefilter("always", ours)
        warnings.showwarning = _show_warning
        try:
            from neuronsim.commands import actions  # loads Numba, which --help and --version do without

            code: int = getattr(actions, options.command)(options)
            sys.stdout.flush()
            return code
        except NeuronsimError as problem:
            say(f"error: {problem}")
            if options.json:
                show({"error": str(problem)})
            return CHECK_FAILED if isinstance(problem, CheckError) else BAD_INPUT
        except BrokenPipeError:
            # Whoever read our output has gone; Python would complain once more when it closes stdout.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return OK
        except OSError as problem:
            say(f"error: {problem.filename or 'a file'} cannot be used: {problem.strerror or problem}")
            return BAD_INPUT
        except MemoryError as problem:
            say(f"error: there is not enough memory: {str(problem) or 'less data, or a smaller network, may fit'}")
            return BAD_INPUT
        except KeyboardInterrupt:
            say("interrupted")
            return INTERRUPTED


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    say(f"warning: {message}")
