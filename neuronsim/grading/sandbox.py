"""Calling a function that may do anything: raise, hang, exit, print, change its arguments, kill its process.

Where processes can be forked (Linux, macOS), the calls are made in a child process that is killed after the time limit.
Elsewhere, and beside libraries whose own threads a fork would leave without (JAX, TensorFlow), they are made in a
thread; one that hangs is left behind, for threads cannot be ended, and one that ends the process ends the grading. Both
are guards against accidents, not against attacks: what is called may read and write the same files.
"""

import contextlib
import copy
import io
import os
import pickle
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

#: So many hanging calls are waited for; then the function is not called again.
_MOST_HANGS = 2
#: With these loaded a forked child hangs.
_THREADED = ("jax", "tensorflow")
#: Results of more numbers than this are not looked at.
_MOST_NUMBERS = 1_000_000


@dataclass(frozen=True)
class Outcome:
    """What came of one call.

    Attributes
    ----------
    value : object
        What it returned: arrays, numbers, strings, None, lists and dictionaries of them.
    arguments : dict
        The arguments afterwards, which it may have changed.
    problem : str
        Why there is no value, or "".
    """

    value: Any = None
    arguments: Mapping[str, Any] | None = None
    problem: str = ""


def calls(function: Callable[..., Any], arguments: list[dict[str, Any]], time_limit: float | None) -> list[Outcome]:
    """Call a function with each of the arguments, whatever it does.

    Parameters
    ----------
    function : callable
        Gets copies.
    arguments : list of dict
        By name, one for each call.
    time_limit : float or None
        Seconds for each call; None: none, and the calls are made in this very process and thread.
    """
    if time_limit is None:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            return [_called(function, each) for each in arguments]
    forks = hasattr(os, "fork") and not any(library in sys.modules for library in _THREADED)
    in_time = _in_child if forks else _in_thread
    outcomes: list[Outcome] = []
    hangs = 0
    while len(outcomes) < len(arguments) and hangs < _MOST_HANGS:
        found, hung = in_time(function, arguments[len(outcomes) :], time_limit)
        outcomes += found
        hangs += hung
    left = len(arguments) - len(outcomes)
    return outcomes + [Outcome(problem="it was not called any more")] * left


def _called(function: Callable[..., Any], arguments: dict[str, Any]) -> Outcome:
    """One call, in this thread. Stdout belongs to all threads: whoever calls this has redirected it, or leaves it."""
    own = copy.deepcopy(arguments)
    try:
        with np.errstate(all="ignore"):
            value = function(**own)
            return Outcome(_plain(value), _plain(own))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit, and whatever else
        return Outcome(problem=_said(error, function))


def _said(error: BaseException, function: Callable[..., Any]) -> str:
    """An exception in one line, with the line of the function's own file where it was raised."""
    if isinstance(error, SystemExit):
        return "it called sys.exit()"
    file = getattr(function, "file", None) or getattr(getattr(function, "__code__", None), "co_filename", None)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    where = f", in line {frames[-1].lineno}: {frames[-1].line}" if frames and frames[-1].line else ""
    try:
        text = " ".join(str(error).split())
    except Exception:  # even that may be the function's own
        text = ""
    return (
        f"it raised {type(error).__name__}: {text[:300]}{where}" if text else f"it raised {type(error).__name__}{where}"
    )


# ── results, made of what can be sent ──


def _plain(value: Any, left: int = 8) -> Any:
    """A result as arrays, numbers, strings, None, lists and dictionaries; anything else as its type's name."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if left == 0:
        return f"<{type(value).__name__}>"
    if isinstance(value, Mapping):
        return {str(name): _plain(v, left - 1) for name, v in list(value.items())[:1000]}
    if isinstance(value, (list, tuple)):
        return [_plain(v, left - 1) for v in value[:_MOST_NUMBERS]]
    for convert in ("detach", "cpu"):
        value = getattr(value, convert, lambda value=value: value)()
    if hasattr(value, "state_dict"):
        return _plain(dict(value.state_dict()), left - 1)
    array = np.asarray(value)
    if array.dtype.kind not in "fiub" or array.size > _MOST_NUMBERS:
        return f"<{type(value).__name__}>"
    return array


# ── in a child process ──


def _in_child(
    function: Callable[..., Any], arguments: list[dict[str, Any]], time_limit: float
) -> tuple[list[Outcome], bool]:
    """What a forked child made of the calls, up to the first that hangs or ends it; and whether one hung."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other threads are not needed in the child
        child = os.fork()
    if child == 0:
        _child(function, arguments, reading, writing)
    os.close(writing)
    try:
        with Connection(reading, writable=False) as results:
            return _received(results, child, len(arguments), time_limit)
    finally:
        _end(child)


def _received(results: Connection, child: int, n: int, time_limit: float) -> tuple[list[Outcome], bool]:
    found: list[Outcome] = []
    while len(found) < n:
        try:
            if not results.poll(time_limit):
                return [*found, Outcome(problem=f"it did not come back within {time_limit:g} s")], True
            found.append(pickle.loads(results.recv_bytes()))
        except (EOFError, OSError):
            return [*found, Outcome(problem=f"it ended the process{_how(child)}")], False
    return found, False


def _child(function: Callable[..., Any], arguments: list[dict[str, Any]], reading: int, writing: int) -> None:
    """Make the calls, send each outcome, and end without what the parent has still to do."""
    try:
        os.setsid()  # so that what the function starts is ended with it
        os.close(reading)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for standard in range(3):
            os.dup2(nowhere, standard)
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115
        sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        warnings.simplefilter("ignore")
        own = os.getpid()
        with Connection(writing, readable=False) as results:
            for each in arguments:
                outcome = _called(function, each)
                if os.getpid() != own:  # the function has forked, and this is its child
                    break
                results.send_bytes(pickle.dumps(outcome))
    finally:
        os._exit(0)


def _how(child: int) -> str:
    """How a child ended, if it says."""
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return f" (signal {os.WTERMSIG(status)})"
    code = os.waitstatus_to_exitcode(status)
    return f" (exit code {code})" if code else ""


def _end(child: int) -> None:
    """Kill a child and what it has started, and take note of its end."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child, 0)


# ── where there is no fork ──


def _in_thread(
    function: Callable[..., Any], arguments: list[dict[str, Any]], time_limit: float
) -> tuple[list[Outcome], bool]:
    """The same in threads, which are left behind if they hang."""
    found: list[Outcome] = []
    for each in arguments:
        made: list[Outcome] = []
        thread = threading.Thread(target=lambda each=each, made=made: made.append(_called(function, each)), daemon=True)
        thread.start()
        thread.join(time_limit)
        if not made:
            return [*found, Outcome(problem=f"it did not come back within {time_limit:g} s")], True
        found += made
    return found, False
