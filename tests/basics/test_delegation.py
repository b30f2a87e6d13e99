"""Properties that hand on."""

import pytest

from neuronsim.basics.delegation import delegated


class Inner:
    size = 3


class Outer:
    size: int = delegated("inner.size", "How large it is.")

    def __init__(self):
        self.inner = Inner()


def test_handed_reads_the_part_and_cannot_be_set():
    outer = Outer()
    assert outer.size == 3
    outer.inner.size = 4
    assert outer.size == 4
    assert Outer.size.__doc__ == "How large it is."
    with pytest.raises(AttributeError):
        outer.size = 5
