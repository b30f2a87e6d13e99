"""Warnings kept quiet where what they say is a result."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from neuronsim.errors import DivergenceWarning


@contextmanager
def silenced() -> Iterator[None]:
    """Without warnings of divergence. Filters belong to the process: one thread alone sets them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DivergenceWarning)
        yield
