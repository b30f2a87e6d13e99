"""Counts put into words."""


def counted(n: int, noun: str, separator: str = ",") -> str:
    """A number and its noun, in the plural unless it is 1.

    Parameters
    ----------
    n : int
        The number.
    noun : str
        In the singular.
    separator : {",", "_", ""}
        Between thousands.

    Examples
    --------
    >>> counted(1, "neuron"), counted(1234, "edge")
    ('1 neuron', '1,234 edges')
    """
    return f"{n:{separator}} {noun}" + "s" * (n != 1)
