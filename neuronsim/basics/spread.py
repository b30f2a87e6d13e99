"""A few of many, evenly spread."""

import numpy as np
from numpy.typing import NDArray


def evenly_spread(n: int, most: int, *, nearest: bool = False) -> NDArray[np.int64]:
    """Up to ``most`` of the places 0 … n - 1, the first and the last among them.

    Parameters
    ----------
    n : int
        How many there are.
    most : int
        How many to choose at most; all are chosen if there are no more. One alone is the first.
    nearest : bool
        Whether a place between two is rounded to the nearest one; otherwise to the one before.

    Returns
    -------
    array (min(n, most),) of int64
        Each place once, ascending.

    Examples
    --------
    >>> evenly_spread(10, 4).tolist(), evenly_spread(9, 4, nearest=True).tolist()
    ([0, 3, 6, 9], [0, 3, 5, 8])
    """
    places = np.linspace(0, n - 1, max(0, min(n, most)))
    return (places.round() if nearest else places).astype(np.int64)
