"""Ctrl-C, and SIGTERM and SIGHUP where they are taken for it, noted at once and obeyed when nothing is lost by it.

Only Python's own handler of Ctrl-C is replaced, for a while: what a program handles itself, or ignores, stays so.
Outside the main thread signals are left alone.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_Handler = Callable[[int, Any], Any]

#: What ends a process: a terminal's Ctrl-C, a system that shuts down, a terminal that is closed.
ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class _OfThread(threading.local):
    """What ends training in a thread, beside signals."""

    over: threading.Event | None = None


_of_thread = _OfThread()


class _Noting:
    """A handler that stands in for those of Ctrl-C; the outermost one is asked by the inner ones."""

    def __init__(self, note: _Handler) -> None:
        self._note = note

    def __call__(self, number: int, frame: Any) -> None:
        self._note(number, frame)


@contextmanager
def noted() -> Iterator[threading.Event]:
    """Within the block Ctrl-C, or the end of a time that is `limited`, sets the event; a second Ctrl-C interrupts."""
    event = _of_thread.over or threading.Event()
    earlier = _of_ctrl_c()

    def note(number: int, frame: Any) -> None:
        if event.is_set():
            earlier[number](number, frame)
        event.set()

    with _handled_by(note, earlier):
        yield event


@contextmanager
def limited(seconds: float) -> Iterator[threading.Event]:
    """Within the block what this thread trains ends after so many seconds as by Ctrl-C, and the event is set."""
    over = threading.Event()
    timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), over.set)
    timer.daemon = True
    timer.start()
    _of_thread.over = over
    try:
        yield over
    finally:
        _of_thread.over = None
        timer.cancel()


@contextmanager
def put_off() -> Iterator[threading.Event]:
    """Once the event is set, Ctrl-C takes effect at the end of the block; a second one, and before it, at once."""
    begun = threading.Event()
    waiting: list[int] = []

    def note(number: int, frame: Any) -> None:
        waiting.append(number)
        if len(waiting) > 1 or not begun.is_set():
            raise KeyboardInterrupt

    with _handled_by(note, _of_ctrl_c()):
        yield begun
    if waiting:
        raise KeyboardInterrupt


def _of_ctrl_c() -> dict[int, _Handler]:
    """The handlers of Ctrl-C by signal: of others as well, also where SIGINT is ignored, as after a shell's ``&``."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    of_sigint = signal.getsignal(signal.SIGINT)
    found: dict[int, _Handler] = {}
    for number in ENDING:
        handler = signal.getsignal(number)
        is_python_s = handler is signal.default_int_handler or isinstance(handler, _Noting)
        if callable(handler) and (is_python_s or handler == of_sigint):
            found[number] = handler
    return found


@contextmanager
def _handled_by(note: _Handler, earlier: dict[int, _Handler]) -> Iterator[None]:
    """These signals are handled by ``note`` within the block."""
    for number in earlier:
        signal.signal(number, _Noting(note))
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
