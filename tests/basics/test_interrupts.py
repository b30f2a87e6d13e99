"""Which handlers are replaced while work is done, and what a first and a second Ctrl-C do."""

import os
import signal
from collections.abc import Iterator

import pytest

from neuronsim.basics import interrupts

ME = os.getpid()


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Whatever the tests were started from, a program's handlers to begin with; afterwards as before."""
    earlier = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in earlier.items():
        signal.signal(number, handler)


def test_a_first_one_is_noted_and_a_second_one_interrupts() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts.noted() as event:  # noqa: PT012
        os.kill(ME, signal.SIGINT)
        assert event.is_set()
        os.kill(ME, signal.SIGINT)
        raise AssertionError
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_put_off_to_the_end_of_the_block() -> None:
    reached = False
    with pytest.raises(KeyboardInterrupt), interrupts.put_off() as begun:  # noqa: PT012
        begun.set()
        os.kill(ME, signal.SIGINT)
        reached = True
    assert reached
    with pytest.raises(KeyboardInterrupt), interrupts.put_off():
        os.kill(ME, signal.SIGINT)


def test_what_ends_a_process_counts_inside_of_what_is_put_off_where_ctrl_c_is_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with interrupts.put_off(), interrupts.noted() as event:
        os.kill(ME, signal.SIGINT)
        assert not event.is_set()
        os.kill(ME, signal.SIGTERM)
        assert event.is_set()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_a_program_s_own_handler_of_sigterm_stays() -> None:
    seen: list[int] = []

    def own(number: int, frame: object) -> None:
        seen.append(number)

    signal.signal(signal.SIGTERM, own)
    with interrupts.noted() as event:
        os.kill(ME, signal.SIGTERM)
        assert not event.is_set()
    assert seen == [signal.SIGTERM]
